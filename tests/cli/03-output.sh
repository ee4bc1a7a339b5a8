#!/bin/bash
# SPDX-License-Identifier: MIT
# What comes out where: progress, --json, plan, --quiet.
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"

server_start
machine A B
for i in 1 2 3; do
	head -c $((i * 1000)) /dev/urandom >"$work/roots/A/f$i"
done
ln -s nowhere "$work/roots/A/link"

# member NAME: that of the object that is standard input; json '"x"' is x.
member() {
	tr ',{}' '\n' | sed -n "s/^\"$1\"://p" | tr -d '"'
}
# all_json FILE: each line is an object.
all_json() {
	sed '1s/^/[/; $!s/$/,/; $s/$/]/' "$1" >"$work/array"
	[ "$(sqlite3 :memory: "SELECT count(*) FROM json_each(CAST(
	    readfile('$work/array') AS TEXT)) WHERE type = 'object'")" = \
	    "$(wc -l <"$1")" ]
}
objects() { # EVENT
	grep -c "\"event\":\"$1\"" "$work/out"
}

# ---- plan -------------------------------------------------------------------

plan_ A
expect 0 "plan"
is "plan lists keys in order, with the reason and the size" \
    "upload new-local 1.0 KiB f1
upload new-local 2.0 KiB f2
upload new-local 2.9 KiB f3
none blocked-type - link (a symlink)" \
    "$(head -n 4 "$work/out" | tr -s ' ')"
check "and sums up" grep -q \
    ': 3 to upload (5.9 KiB), 0 to download (0 B); 1 blocked$' "$work/out"
is "nothing else is said" "" "$(cat "$work/err")"
plan_ A --json
expect 0 "plan --json"
is "an object for each key" 4 "$(objects planned)"
is "and one for the pair" 1 "$(objects summary)"
is "with counts" 3 "$(tail -n 1 "$work/out" | member planned_up)"
check "each line is JSON" all_json "$work/out"

# ---- sync -------------------------------------------------------------------

sync_ A --json
expect 0 "sync --json"
is "an object for each upload" 3 "$(objects uploaded)"
is "one for what is blocked" 1 "$(objects noticed)"
is "one for the pair, last" "done" "$(tail -n 1 "$work/out" | member outcome)"
expect_text err "Uploaded to S3: f1" "the log is as without"
sync_ A
is "without --json, standard output is empty" "" "$(cat "$work/out")"
plan_ A
check "nothing to do is said" grep -q \
    ': nothing to do, 3 keys agree; 1 blocked$' "$work/out"

sync_ B --quiet
expect 0 "sync --quiet"
is "nothing is said" "" "$(cat "$work/out" "$work/err")"
sync_ A --log-level=error --log-format=json
is "not even what is not in agreement" "" "$(cat "$work/err")"
sync_ A --log-format json
check "lines of the log are JSON" all_json "$work/err"
sync_ A --log-file "$work/the.log"
is "with a log file, standard error is left alone" "" "$(cat "$work/err")"
check "its lines begin with the time" grep -qE \
    '^20[0-9-]+T[0-9:]+\+0000 S3 sync completed' "$work/the.log"

# ---- failure ----------------------------------------------------------------

if own_server; then
	faults "GET deny"
	rm "$work/roots/A/f1"
	sync_ A --json --log-file "$work/the.log"
	expect 1 "a download is denied"
	is "an object says so" download "$(grep failed "$work/out" |
	    head -n 1 | member action)"
	is "the cycle was partial" partial \
	    "$(tail -n 1 "$work/out" | member outcome)"
	expect_text err "see $work/the.log" "standard error names the log"
	no_faults
fi
sync_ A --endpoint-url http://127.0.0.1:9 --attempts 1 --json \
    --state "$work/state/other.db"
expect 3 "no server"
is "the summary says so" failed "$(member outcome <"$work/out")"

# ---- progress ---------------------------------------------------------------

# on_terminal COMMAND...: what a terminal would be sent, in $work/screen.
on_terminal() {
	local words
	printf -v words '%q ' "$@"
	script -qec "$words" "$work/screen" >/dev/null </dev/null
}
if own_server && command -v script >/dev/null; then
	head -c 2000000 /dev/zero >"$work/big"
	remote_put big "$work/big"
	faults "GET trickle=1000000"
	on_terminal "$bin/s3sync" sync "$(root B)" "s3://$bucket/$prefix" \
	    --endpoint-url "$endpoint" --state "$(state B)"
	no_faults
	check "progress is drawn" grep -q "0 of 1 keys, .* of 1.9 MiB, .*/s" \
	    "$work/screen"
	check "a line of the log erases it" grep -q \
	    $'\r\033\\[KDownloaded from S3: big' "$work/screen"
	rm "$work/roots/B/big"
	on_terminal "$bin/s3sync" sync "$(root B)" "s3://$bucket/$prefix" \
	    --endpoint-url "$endpoint" --state "$(state B)" --no-progress
	expect_text "$work/screen" "Downloaded from S3: big" "--no-progress"
	expect_no_text "$work/screen" "keys" "nothing is drawn"
else
	tap_skip "progress is drawn" "needs script(1) and the own server"
fi
tap_end
