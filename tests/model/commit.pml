/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commit order of DESIGN.md ("One batch"), as the code has it; tests/model/check searches all of it.
 *
 * A delivery of five records is dropped twice: A, B, B again, one that is rejected, C. Batches hold one or two
 * rows, chosen anew each time, so that what is read again after a failure is composed differently; two of them may be
 * judged together, from one snapshot, and stored one after the other or joined in one batch. Two rows in one
 * table may never be the same (promise 2, checked whenever the server commits); when the program is done, every
 * row is there and all sums are right, or the dataset is stopped (promises 1 and 3, checked at the end); it is
 * stopped only when somebody tampered with state or table.
 *
 *   here                   in the code
 *   START, connect         ingest_open(), reset(), recover_connect()
 *   contact                dataset_contact(): inspect(), check_presence(), judge(), settle_pending()
 *   freeze                 dataset_freeze(): choose_sink_id(), announce(), then contact
 *   open_rejects           rejects_open(); sync_rejects: step 0, rejects_sync()
 *   end_part               batch_end_part(), borders_add()
 *   judge_batch            parcel_judge(), batch_judge(); what of it goes together: batch_select()
 *   judge_meanwhile        judge_meanwhile(), parcel_judge()
 *   put_intent             put_intent(): state_batch_put(), and dataset_promote() where promotion_due (step 1)
 *   store                  the sinks' store(): advance_head(), rows, insert_ledger(), COMMIT (step 2)
 *   promote, discard       state_batch_promote(), state_batch_discard()
 *   settle                 commit_settle()
 *   retire                 outcome_retire(), retire_move()
 *
 * One LMDB transaction is one atomic step, and so is one transaction of the sink, but for its COMMIT, which may
 * fail, succeed without an answer, or be left on the server, which ends it later. While a batch is being stored the
 * engine reads on, and may judge what it read (P1 to P7 in DESIGN); so does this, by a row.
 *
 * Bounds: KILLS, FAULTS (of the sink); EPOCHS, because two programs may outbid each other for ever. World: FALLBACK
 * the table is put back to a copy; STATE_DELETED, STATE_OLD the state is lost or put back to a copy; COPIED a second
 * program runs on a copy of the state. Mistakes that must be found: JUDGE_BY_SELECT, NO_FENCE, NO_SWAP, ONE_BY_ONE,
 * KEEP_TAKEN_BACK, LATE_REJECTS, PARTS_APART, LATE_BORDER, EARLY_SNAPSHOT, BEFORE_THE_LAST.
 */
#ifndef KILLS
#define KILLS 2
#endif
#ifndef FAULTS
#define FAULTS 2
#endif
#ifdef COPIED
#define PROGRAMS 2
#else
#define PROGRAMS 1
#endif
#ifndef EPOCHS
#define EPOCHS 200
#endif

#define RECORDS 5
#define DELIVERIES 2
#define ALL 7
#define REJECT 0
/* The row of a record, as a bit. */
#define ROW(i) ((i) == 1 || (i) == 2 -> 2 : ((i) == 3 -> REJECT : ((i) == 4 -> 4 : 1)))
#define BITS(set) (((set) & 1) + (((set) >> 1) & 1) + (((set) >> 2) & 1))

typedef state_t { /* what LMDB holds */
	byte me;                     /* state_id */
	bool announced;
	byte seq, id;                /* the live batch */
	byte seen;                   /* live digests */
	byte file, pos, rejected;    /* the newest delivery's mark */
	byte new;                    /* of all deliveries */
	byte ended;                  /* how many deliveries have ended */
	bool pending;
	byte p_id, p_run, p_file, p_pos, p_rejected, p_new
};
typedef table_t { /* what the sink holds */
	bool has_head;
	byte owner;                  /* the head's state_id */
	byte epoch, seq, id;
	byte rows
};
typedef transaction_t { /* left on the server, its client gone */
	bool open;
	bool locked;                 /* its compare-and-swap is done: it holds the head's row lock */
	byte owner, epoch, seq, id, prev, rows
};

state_t state[PROGRAMS];
table_t table;
transaction_t orphan;
byte moved[PROGRAMS];                /* files that have left the drop directory */
byte reject_file[PROGRAMS];          /* durable length of the newest delivery's */
byte next_id = 1;
byte kills, faults;
bool tampered, finished;

#define MAY_FAIL (faults < FAULTS)

#ifdef NO_SWAP
#define SWAPS(o, e, s, p) true
#elif defined(NO_FENCE)
#define SWAPS(o, e, s, p) (table.has_head && table.owner == o && table.seq == s && table.id == p)
#else
#define SWAPS(o, e, s, p) (table.has_head && table.owner == o && table.epoch == e && table.seq == s && table.id == p)
#endif

/* The head's row lock is free. */
#define UNLOCKED (!(orphan.open && orphan.locked))

inline apply(number, name, set)
{
	assert((table.rows & (set)) == 0); /* promise 2 */
	table.rows = table.rows | (set);
	table.seq = number;
	table.id = name
}

active proctype server()
{
end:	do
	:: atomic { orphan.open ->
		if
		:: orphan.locked || SWAPS(orphan.owner, orphan.epoch, orphan.seq, orphan.prev) ->
			apply(orphan.seq + 1, orphan.id, orphan.rows)
		:: true /* it is rolled back, or fails */
		fi;
		orphan.open = false }
	od
}

inline copy_state(to, from)
{
	to.me = from.me; to.announced = from.announced; to.seq = from.seq; to.id = from.id; to.seen = from.seen;
	to.file = from.file; to.pos = from.pos; to.rejected = from.rejected; to.new = from.new; to.ended = from.ended;
	to.pending = from.pending; to.p_id = from.p_id; to.p_run = from.p_run; to.p_file = from.p_file;
	to.p_pos = from.p_pos; to.p_rejected = from.p_rejected; to.p_new = from.p_new
}

inline copy_table(to, from)
{
	to.has_head = from.has_head; to.owner = from.owner; to.epoch = from.epoch; to.seq = from.seq; to.id = from.id;
	to.rows = from.rows
}

#ifdef FALLBACK
/* A backup that is restored in place, a failover to a replica that lacks the end, a table that is dropped. */
table_t backup;
active proctype fall_back()
{
end:	atomic { !finished ->
		copy_table(backup, table) };
end2:	atomic { !finished ->
		tampered = true;
		copy_table(table, backup);
		if :: orphan.locked -> orphan.open = false :: else fi }
}
#endif

#ifdef STATE_OLD
state_t old;
bool has_old;
active proctype back_up()
{
end:	atomic { !has_old && !finished -> copy_state(old, state[0]); has_old = true }
}
#endif

inline promote(me)
{
	d_step {
		assert(state[me].pending);
		assert(tampered || (state[me].p_run & ~table.rows) == 0); /* I1 */
		assert((state[me].seen & state[me].p_run) == 0);          /* I11 */
		state[me].seq++;
		state[me].id = state[me].p_id;
		state[me].seen = state[me].seen | state[me].p_run;
		state[me].file = state[me].p_file;
		state[me].pos = state[me].p_pos;
		state[me].rejected = state[me].p_rejected;
		state[me].new = state[me].p_new;
		discard(me)
	}
}

inline discard(me)
{
	state[me].pending = false;
	state[me].p_id = 0; state[me].p_run = 0; state[me].p_file = 0;
	state[me].p_pos = 0; state[me].p_rejected = 0; state[me].p_new = 0
}

#define RESTART goto start
#define MAY_BE_KILLED if :: kills < KILLS -> kills++; was_killed = true; RESTART :: true fi

inline leave(holds)
{
	orphan.open = true;
	orphan.locked = holds;
	orphan.owner = state[me].me;
	orphan.epoch = epoch;
	orphan.seq = seq;
	orphan.id = state[me].p_id;
	orphan.prev = id;
	orphan.rows = state[me].p_run
}

proctype program(byte me)
{
	/* Of this connection. */
	byte epoch, seq, id;
	bool is_judged, promotion_due;
	/* Of this delivery; `synced` and `written` of its rejects. */
	byte pos, new, synced, written;
	byte rows, count, unseen;
	/* The part in front of the open one, judged with it. */
	byte part_rows, part_pos, part_rejected;
	/* The batch at hand, and what is stored behind it. */
	byte b_pos, b_rejected, b_new;
	byte later, later_pos, later_rejected;
	/* Of the rows that were read while it was stored, once they are judged. */
	bool is_found;
	byte found;
	bool was_killed, taken_back;
	atomic { synced = reject_file[me]; written = reject_file[me] }

start:	atomic {
		/* What was not synced may be there or not. */
		if
		:: written != synced && was_killed -> reject_file[me] = synced
		:: else -> reject_file[me] = written
		fi;
		was_killed = false; is_judged = false; promotion_due = false;
		rows = 0; count = 0; unseen = 0; epoch = 0; seq = 0; id = 0;
		part_rows = 0; part_pos = 0; part_rejected = 0;
		b_pos = 0; b_rejected = 0; b_new = 0; later = 0; later_pos = 0; later_rejected = 0;
		is_found = false; found = 0;
		synced = reject_file[me]; written = reject_file[me]
	}
#ifdef STATE_DELETED
	atomic {
		if
		:: !tampered && !finished -> tampered = true;
			state[me].announced = false; state[me].seq = 0; state[me].id = 0; state[me].seen = 0;
			state[me].file = 0; state[me].pos = 0; state[me].rejected = 0; state[me].new = 0;
			state[me].ended = 0; discard(me);
			state[me].me = 2
		:: true
		fi
	}
#endif
#ifdef STATE_OLD
	atomic {
		if
		:: has_old && !tampered && !finished -> tampered = true; copy_state(state[me], old)
		:: true
		fi
	}
#endif

	/* First contact. */
contact:
	if
	:: !state[me].announced -> goto judged
	:: else
	fi;
	MAY_BE_KILLED;
	atomic {
		if
		:: MAY_FAIL -> faults++; RESTART /* not reached */
		:: !table.has_head && (state[me].seq > 0 || table.rows != 0) -> goto stopped
		:: !table.has_head && !(state[me].seq > 0 || table.rows != 0) -> /* create() */
			table.has_head = true; table.owner = state[me].me;
			table.epoch = 0; table.seq = 0; table.id = 0
		:: table.has_head && table.owner != state[me].me -> goto stopped
		:: table.has_head && table.owner == state[me].me && table.rows == 0 && state[me].seen != 0 -> goto stopped
		:: table.has_head && table.owner == state[me].me && !(table.rows == 0 && state[me].seen != 0)
		fi
	};
	atomic {
		if
		:: is_judged && table.epoch == epoch && table.seq == seq && table.id == id -> goto judged
		:: else
		fi
	}
	MAY_BE_KILLED;
	/* The sink's judge(): waits for the lock, raises the epoch. */
#ifdef JUDGE_BY_SELECT
	atomic { table.has_head -> epoch = table.epoch; seq = table.seq; id = table.id };
#else
	atomic { UNLOCKED && table.epoch < EPOCHS ->
		if
		:: !table.has_head || table.owner != state[me].me -> goto stopped
		:: table.has_head && table.owner == state[me].me -> table.epoch++;
			epoch = table.epoch; seq = table.seq; id = table.id
		:: table.has_head && table.owner == state[me].me && MAY_FAIL -> faults++; table.epoch++; RESTART /* no answer */
		fi
	}
#endif
	MAY_BE_KILLED;
	/* settle_pending(): one state transaction. */
	atomic {
		taken_back = false;
		if
		:: seq == state[me].seq && id == state[me].id ->
			taken_back = state[me].pending && promotion_due;
			discard(me)
		:: state[me].pending && seq == state[me].seq + 1 && id == state[me].p_id -> promote(me)
		:: else -> goto stopped
		fi;
		promotion_due = false;
		is_judged = true;
#ifndef KEEP_TAKEN_BACK
		if :: taken_back -> RESTART :: else fi
#endif
	}
judged:	MAY_BE_KILLED;
	if
	:: finished -> goto done
	:: !finished && count > 0 -> goto continue_batch /* contact between two members */
	:: else
	fi;

	/* The next file of the drop directory: known and ended, or begun, or new. */
	atomic {
		if
		:: moved[me] == DELIVERIES -> goto finish
		:: moved[me] < DELIVERIES && state[me].ended > moved[me] -> goto retire
		:: else
		fi;
		new = state[me].new;
		if
		:: state[me].file == moved[me] + 1 -> pos = state[me].pos;
			/* open_rejects: I4, then cut to the live length. */
			assert(reject_file[me] >= state[me].rejected);
			reject_file[me] = state[me].rejected
		:: else -> pos = 0; reject_file[me] = 0
		fi;
		synced = reject_file[me]; written = reject_file[me]
	}

read:
	/* freeze(): before the first row of a dataset that has no table. */
	if
	:: !state[me].announced ->
		atomic { /* choose_sink_id() */
			if
			:: table.rows != 0 || (table.has_head && (table.seq > 0 || table.owner != state[me].me)) -> goto stopped
			:: else
			fi
		}
		MAY_BE_KILLED;
		state[me].announced = true; /* announce() */
		goto contact
	:: else
	fi;
	/* Records up to the end of a part. */
records:
	do
	:: atomic { pos < RECORDS && count < 2 && ROW(pos) != REJECT ->
		rows = rows | ROW(pos);
		count++; pos++ }
	:: atomic { pos < RECORDS && ROW(pos) == REJECT -> written++; pos++ }
	:: count > 0 -> break
	:: pos == RECORDS -> break
	od;
	if
	:: count > 0 && part_rows == 0 && !finished -> goto contact /* another member of the same dataset begins */
	:: count > 0 && part_rows == 0 && pos < RECORDS ->
		atomic { /* end_part */
			synced = written; reject_file[me] = written;
			part_rows = rows; part_pos = pos; part_rejected = written;
			rows = 0; count = 0
		}
		goto records
	:: true
	fi;

continue_batch:
	if
	:: count == 0 && part_rows == 0 -> goto settle
	:: else
	fi;
	/* judge_batch: a snapshot of live and pending runs. */
	atomic {
		unseen = part_rows & ~(state[me].seen | state[me].p_run);
#ifdef PARTS_APART
		later = rows & ~(state[me].seen | state[me].p_run);
#else
		later = rows & ~(state[me].seen | state[me].p_run | unseen);
#endif
		if :: is_found -> later = found; is_found = false; found = 0 :: else fi;
		b_new = new + BITS(unseen);
		new = b_new + BITS(later);
#ifdef LATE_BORDER
		b_pos = pos;
#else
		b_pos = part_pos;
#endif
		b_rejected = part_rejected; later_pos = pos; later_rejected = written;
		if
		:: true -> /* all of it is one batch */
			unseen = unseen | later; later = 0;
			b_pos = pos; b_rejected = written; b_new = new
		:: unseen != 0 && later != 0
		fi;
		rows = 0; count = 0; part_rows = 0; part_pos = 0; part_rejected = 0;
		if :: unseen == 0 -> goto read :: else fi
	}
#ifndef LATE_REJECTS
	atomic { synced = written; reject_file[me] = written } /* step 0 */
#endif
intent:	MAY_BE_KILLED;
	atomic { /* put_intent: step 1 */
		if :: promotion_due -> promote(me) :: else fi;
		promotion_due = false;
		assert(!state[me].pending); /* I2 */
		state[me].pending = true;
		state[me].p_id = next_id;
		next_id++;
		state[me].p_run = unseen;
		state[me].p_file = moved[me] + 1;
		state[me].p_pos = b_pos;
		state[me].p_rejected = b_rejected;
		state[me].p_new = b_new
	}
	/* Read ahead. */
	atomic {
		if
		:: count == 0 && pos < RECORDS && ROW(pos) != REJECT -> rows = ROW(pos); count = 1; pos++
		:: true
		fi
	}
	/* judge_meanwhile: this batch's run is in the snapshot, and none is to follow. */
	atomic {
		if
#ifdef BEFORE_THE_LAST
		:: count > 0 && !is_found -> is_found = true;
#else
		:: count > 0 && !is_found && later == 0 -> is_found = true;
#endif
#ifdef EARLY_SNAPSHOT
			found = rows & ~state[me].seen
#else
			found = rows & ~(state[me].seen | state[me].p_run)
#endif
		:: true
		fi
	}
	MAY_BE_KILLED;
	atomic { /* store: step 2 */
		UNLOCKED ->
		if
		:: SWAPS(state[me].me, epoch, seq, id) -> apply(seq + 1, state[me].p_id, state[me].p_run)
		:: SWAPS(state[me].me, epoch, seq, id) && MAY_FAIL -> faults++; /* the answer is lost */
			apply(seq + 1, state[me].p_id, state[me].p_run);
			goto failed
		:: SWAPS(state[me].me, epoch, seq, id) && MAY_FAIL && !orphan.open -> faults++;
			leave(true);
			goto failed
		:: MAY_FAIL && !orphan.open -> faults++; /* nothing of it has arrived yet */
			leave(false);
			goto failed
		:: MAY_FAIL -> faults++; goto failed /* refused, or rolled back */
		:: !SWAPS(state[me].me, epoch, seq, id) -> goto failed
		fi;
		promotion_due = true;
		seq++;
		id = state[me].p_id
	}
#ifdef LATE_REJECTS
	MAY_BE_KILLED;
	atomic { synced = written; reject_file[me] = written }
#endif
	MAY_BE_KILLED;
	atomic {
		if
		:: later != 0 ->
			unseen = later; b_pos = later_pos; b_rejected = later_rejected; b_new = b_new + BITS(later);
			later = 0; later_pos = 0; later_rejected = 0;
			goto intent
		:: later == 0 && is_found -> goto continue_batch
		:: else -> goto read
		fi
	}

failed:
#ifdef ONE_BY_ONE
	/* Only the batch that failed is judged; what was read after it goes on. */
	is_judged = false;
	promotion_due = false;
	goto contact;
#else
	/* Judged at once or on the next connection; either way everything that is not durable is dropped. */
	RESTART;
#endif

settle:
	atomic { synced = written; reject_file[me] = written }
	MAY_BE_KILLED;
	atomic {
		if :: promotion_due -> promote(me) :: else fi;
		promotion_due = false;
		assert(!state[me].pending);
		state[me].file = moved[me] + 1;
		state[me].pos = pos;
		state[me].rejected = written;
		state[me].new = new;
		assert(pos == RECORDS && state[me].seen == ALL); /* promise 1 */
		state[me].ended++
	}
	MAY_BE_KILLED;
retire:
	atomic {
		assert(tampered || reject_file[me] == 1);
		moved[me]++
	}
	MAY_BE_KILLED;
	goto contact;

finish:
	/* Last contact, after which nothing is tampered with. */
	atomic {
		if
		:: PROGRAMS == 1 -> finished = true
		:: else -> goto done
		fi
	}
	goto contact;
done:
	atomic {
		/* Promises 1 and 3, or somebody would have been told. */
		if
		:: PROGRAMS == 1 || (seq == table.seq && id == table.id) -> assert(table.rows == ALL)
		:: else
		fi;
		assert(tampered || state[me].new == BITS(ALL));
		assert(tampered || (state[me].seen == ALL && state[me].ended == DELIVERIES));
		goto end_of_it
	}
stopped:
	assert(tampered);
end_of_it:
	skip
}

init {
	atomic {
		state[0].me = 1;
		run program(0)
	}
#ifdef COPIED
	/* Somebody starts the program once more, on a copy of the state and of the file that it reads. */
	atomic {
		tampered = true;
		copy_state(state[1], state[0]);
		moved[1] = moved[0];
		reject_file[1] = reject_file[0];
		run program(1)
	}
#endif
}
