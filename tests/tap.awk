# SPDX-License-Identifier: Apache-2.0
# Counts the TAP of one program: prints "passed failed skipped", and appends each failure with its diagnostics to the
# file named by `failures`. Variables: name (of the program), status (its exit status), failures.
function fail(text) {
	failed++
	print "not ok " name ": " text >> failures
}

/^1\.\.[0-9]+/ { planned = substr($1, 4) + 0; has_plan = 1; failing = 0; next }
/^ok($| )/ {
	failing = 0
	if (toupper($0) ~ /# *SKIP/) { skipped++; sub(/^ok *[0-9]* *-? */, ""); print "skipped " name ": " $0 >> failures } else passed++
	next
}
/^not ok($| )/ { sub(/^not ok *[0-9]* *-? */, ""); fail($0); failing = 1; next }
/^# (Running|Criterion)/ { failing = 0 }
failing { print "    " $0 >> failures }

END {
	ran = passed + failed + skipped
	if (!has_plan)
		fail("ended with status " status " without a plan")
	else if (ran != planned)
		fail("planned " planned " tests and reported " ran)
	else if (status != 0 && failed == 0)
		fail("ended with status " status " although no test failed")
	print passed + 0, failed + 0, skipped + 0
}
