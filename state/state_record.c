// SPDX-License-Identifier: Apache-2.0
#include "state_record.h"

static void put_status(struct state_encoder *encoder, enum state_status status)
{
	if (status < STATE_STATUS_OPEN || status > STATE_STATUS_FAILED)
		encoder->failure = STATE_MISUSE;
	state_codec_put_u8(encoder, (uint8_t)status);
}

static enum state_status get_status(struct state_decoder *decoder)
{
	return state_codec_get_choice(decoder, STATE_STATUS_OPEN, STATE_STATUS_FAILED);
}

static void put_counts(struct state_encoder *encoder, const struct state_counts *counts)
{
	state_codec_put_u64(encoder, counts->rows);
	state_codec_put_u64(encoder, counts->new);
	state_codec_put_u64(encoder, counts->updated);
	state_codec_put_u64(encoder, counts->duplicate);
	state_codec_put_u64(encoder, counts->filtered);
	state_codec_put_u64(encoder, counts->rejected);
}

static void get_counts(struct state_decoder *decoder, struct state_counts *counts)
{
	counts->rows = state_codec_get_u64(decoder);
	counts->new = state_codec_get_u64(decoder);
	counts->updated = state_codec_get_u64(decoder);
	counts->duplicate = state_codec_get_u64(decoder);
	counts->filtered = state_codec_get_u64(decoder);
	counts->rejected = state_codec_get_u64(decoder);
}

void state_record_put_watermark(struct state_encoder *encoder, const struct state_watermark *watermark)
{
	state_codec_put_text(encoder, watermark->column, STATE_NAME_MAX);
	state_codec_put_text(encoder, watermark->newest, STATE_WATERMARK_MAX);
}

void state_record_get_watermark(struct state_decoder *decoder, struct state_watermark *watermark)
{
	state_codec_get_text(decoder, watermark->column, STATE_NAME_MAX);
	state_codec_get_text(decoder, watermark->newest, STATE_WATERMARK_MAX);
}

void state_record_put_dataset(struct state_encoder *encoder, const struct state_dataset *dataset)
{
	state_codec_put_u32(encoder, dataset->id);
	state_codec_put_text(encoder, dataset->table, STATE_NAME_MAX);
	state_codec_put_text(encoder, dataset->sink_kind, STATE_SINK_KIND_MAX);
	state_codec_put_bytes(encoder, dataset->sink_id, sizeof(dataset->sink_id));
	state_codec_put_bytes(encoder, dataset->fingerprint, sizeof(dataset->fingerprint));
	state_codec_put_u32(encoder, dataset->cache_epoch);
	state_codec_put_u32(encoder, dataset->schema_version);
	state_codec_put_u64(encoder, dataset->seq);
	state_codec_put_bytes(encoder, dataset->batch_id, sizeof(dataset->batch_id));
	state_codec_put_u64(encoder, dataset->rows);
	state_codec_put_u64(encoder, dataset->updated_seq);
	state_record_put_watermark(encoder, &dataset->watermark);
}

void state_record_get_dataset(struct state_decoder *decoder, struct state_dataset *dataset)
{
	dataset->id = state_codec_get_u32(decoder);
	if (dataset->id == 0)
		decoder->damaged = true;
	state_codec_get_text(decoder, dataset->table, STATE_NAME_MAX);
	state_codec_get_text(decoder, dataset->sink_kind, STATE_SINK_KIND_MAX);
	state_codec_get_bytes(decoder, dataset->sink_id, sizeof(dataset->sink_id));
	state_codec_get_bytes(decoder, dataset->fingerprint, sizeof(dataset->fingerprint));
	dataset->cache_epoch = state_codec_get_u32(decoder);
	dataset->schema_version = state_codec_get_u32(decoder);
	dataset->seq = state_codec_get_u64(decoder);
	state_codec_get_bytes(decoder, dataset->batch_id, sizeof(dataset->batch_id));
	dataset->rows = state_codec_get_u64(decoder);
	dataset->updated_seq = state_codec_get_u64(decoder);
	state_record_get_watermark(decoder, &dataset->watermark);
}

void state_record_put_delivery(struct state_encoder *encoder, const struct state_delivery *delivery)
{
	state_codec_put_u64(encoder, delivery->file.device);
	state_codec_put_u64(encoder, delivery->file.inode);
	state_codec_put_u64(encoder, delivery->file.size);
	state_codec_put_i64(encoder, delivery->file.mtime_ns);
	state_codec_put_i64(encoder, delivery->file.ctime_ns);
	state_codec_put_text(encoder, delivery->path, STATE_PATH_MAX);
	state_codec_put_i64(encoder, delivery->started_ns);
	state_codec_put_i64(encoder, delivery->finished_ns);
	put_status(encoder, delivery->status);
	state_codec_put_u64(encoder, delivery->in_drop);
	state_codec_put_u64(encoder, delivery->rejects_length);
	state_codec_put_text(encoder, delivery->reason, STATE_TEXT_MAX);
}

void state_record_get_delivery(struct state_decoder *decoder, struct state_delivery *delivery)
{
	delivery->file.device = state_codec_get_u64(decoder);
	delivery->file.inode = state_codec_get_u64(decoder);
	delivery->file.size = state_codec_get_u64(decoder);
	delivery->file.mtime_ns = state_codec_get_i64(decoder);
	delivery->file.ctime_ns = state_codec_get_i64(decoder);
	state_codec_get_text(decoder, delivery->path, STATE_PATH_MAX);
	delivery->started_ns = state_codec_get_i64(decoder);
	delivery->finished_ns = state_codec_get_i64(decoder);
	delivery->status = get_status(decoder);
	delivery->in_drop = state_codec_get_u64(decoder) != 0;
	delivery->rejects_length = state_codec_get_u64(decoder);
	state_codec_get_text(decoder, delivery->reason, STATE_TEXT_MAX);
}

void state_record_put_member(struct state_encoder *encoder, const struct state_member *member)
{
	state_codec_put_u32(encoder, member->dataset);
	state_codec_put_u32(encoder, member->cache_epoch);
	state_codec_put_text(encoder, member->name, STATE_TEXT_MAX);
	put_status(encoder, member->status);
	state_codec_put_u64(encoder, member->bytes);
	state_codec_put_u64(encoder, member->bytes_skipped);
	state_codec_put_u64(encoder, member->lines);
	put_counts(encoder, &member->counts);
	state_record_put_watermark(encoder, &member->watermark);
	state_codec_put_i64(encoder, member->busy_ns);
	state_codec_put_text(encoder, member->reason, STATE_TEXT_MAX);
}

void state_record_get_member(struct state_decoder *decoder, struct state_member *member)
{
	member->dataset = state_codec_get_u32(decoder);
	member->cache_epoch = state_codec_get_u32(decoder);
	state_codec_get_text(decoder, member->name, STATE_TEXT_MAX);
	member->status = get_status(decoder);
	member->bytes = state_codec_get_u64(decoder);
	member->bytes_skipped = state_codec_get_u64(decoder);
	member->lines = state_codec_get_u64(decoder);
	get_counts(decoder, &member->counts);
	state_record_get_watermark(decoder, &member->watermark);
	member->busy_ns = state_codec_get_i64(decoder);
	state_codec_get_text(decoder, member->reason, STATE_TEXT_MAX);
}

void state_record_put_content(struct state_encoder *encoder, const struct state_content *content)
{
	state_codec_put_u64(encoder, content->bytes);
	state_codec_put_u32(encoder, content->cache_epoch);
	state_codec_put_u64(encoder, content->seq);
	state_codec_put_bytes(encoder, content->fingerprint, sizeof(content->fingerprint));
	put_counts(encoder, &content->counts);
	state_codec_put_u64(encoder, content->lines);
	state_codec_put_i64(encoder, content->seen_ns);
}

void state_record_get_content(struct state_decoder *decoder, struct state_content *content)
{
	content->bytes = state_codec_get_u64(decoder);
	content->cache_epoch = state_codec_get_u32(decoder);
	content->seq = state_codec_get_u64(decoder);
	state_codec_get_bytes(decoder, content->fingerprint, sizeof(content->fingerprint));
	get_counts(decoder, &content->counts);
	content->lines = state_codec_get_u64(decoder);
	content->seen_ns = state_codec_get_i64(decoder);
}
