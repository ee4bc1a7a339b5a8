#!/bin/bash
# SPDX-License-Identifier: MIT
# A server that is too busy, and one that serves nobody for a while: all ends
# complete, at a price that is printed.
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC2119
. "${srcdir:-.}/tests/cli/lib.sh"

if ! own_server; then
	tap_skip_all "only the test server fails on command"
fi
server_start --latency-ms 5 --log 1
machine A B C

# fired LINE: how often that rule of the faults did.
fired() {
	curl -sS "$endpoint/_test/faults" | sed -n "$1s/ .*//p"
}
# start_sync A [FLAG...]: in the background; log in $work/A.err
start_sync() {
	local name=$1
	shift
	"$bin/s3sync" sync "$(root "$name")" "s3://$bucket/$prefix" \
	    --endpoint-url "$endpoint" --state "$(state "$name")" --settle 0 \
	    "$@" </dev/null >"$work/$name.out" 2>"$work/$name.err" &
}

# ---- a storm ----------------------------------------------------------------

files=5000
for ((i = 0; i < files; i++)); do
	echo "content $i" >"$work/roots/A/file$i"
done
faults 'ANY percent=30 seed=1 status=503 code=SlowDown' \
    'ANY percent=5 seed=2 reset-before' >/dev/null
started=$SECONDS
sync_ A --jobs 128 --log-level debug
expect 0 "30 % SlowDown and 5 % resets: a cycle of $files files is complete"
no_faults
total=$(asked total)
per_success=$(echo "$total $(asked LIST) $files" |
    awk '{ printf "%.3f", $1 / ($3 + 1) }')
echo "# $files files, $total requests in $((SECONDS - started)) s:" \
    "$per_success for each that succeeds"
check "it takes at most 1.6 requests for each that succeeds" \
    awk "BEGIN { exit !($per_success <= 1.6) }"
# "... asks for less: TO requests at once, not FROM"
sed -n 's/.* asks for less: \([0-9]*\) requests at once, not \([0-9]*\)$/\2 \1/p' \
    "$work/err" >"$work/window"
read -r lowest highest < <(awk '
	NR == 1 || $2 < low { low = $2 }
	NR > 1 && $1 > to && $1 - to > rise { rise = $1 - to; high = $1 }
	{ to = $2 }
	END { print low + 0, high + 0 }' "$work/window")
echo "# requests at once fell from 128 to $lowest, and rose to $highest again"
check "requests at once fell" [ "$lowest" -lt 64 ]
check "and rose again" [ "$highest" -gt "$lowest" ]
expect_text err "fewer at once $(wc -l <"$work/window") times" \
    "the cycle's last debug line counts that"
is "the run counts each request" "$total" \
    "$(query A "SELECT requests FROM run_view")"
agree "all agree" A
quiet "and nothing is left to do" A

# ---- an outage --------------------------------------------------------------

# The trial of what the server honours has retries of its own.
prefix=outage/
echo first >"$work/roots/B/first"
sync_ B
expect 0 "before the outage a cycle is complete"
for ((i = 0; i < 300; i++)); do
	echo "content $i" >"$work/roots/B/file$i"
	echo "content $i" >"$work/roots/C/file$i"
done

# Machine B lives through one of 20 s; C meets one that does not end, and a
# daemon's next cycle meets it, too.
fail='status=500 code=InternalError'
faults "PUT key=outage/file* $fail" "PUT key=gone/file* $fail" >/dev/null
lasting=20
start_sync B
b=$!
prefix=gone/
start_sync C --log-level debug
c=$!
sleep $lasting # which is how long it lasts
check "a cycle waits for the end of an outage" kill -0 $b
asked=$(fired 1)
no_faults
faults "PUT key=gone/file* $fail" >/dev/null
expect_text B.err "warning: ${endpoint#*//} serves nobody, and is waited for" \
    "and says so"
wait $b
is "after $lasting s of outage the cycle goes on, and is complete" 0 $?
echo "# an outage of $lasting s cost $asked requests, at 32 at once"
check "the server was not hammered" [ "$asked" -le 90 ]
check "and was asked again and again" [ "$asked" -gt 68 ]
prefix=outage/
agree "all agree" B
is "each retry is in the run" "$asked" \
    "$(query B "SELECT retries FROM run ORDER BY id DESC LIMIT 1")"

wait $c
is "what does not end within 30 s ends the cycle" 3 $?
is "that it is waited for is said once" 1 \
    "$(grep -c 'serves nobody, and is waited for, up to 30 s: ' "$work/C.err")"
expect_text C.err "16 transfers in a row failed: the server has trouble" \
    "it says why"
check "each key that was tried waits, and says why" [ "$(query C "SELECT count(*)
    FROM pending WHERE attempts = 1 AND next_at_ns > since_ns AND
    error LIKE 'the server has trouble%'")" -ge 16 ]
check "the others are as they were" [ "$(query C "SELECT count(*)
    FROM pending WHERE attempts = 0 AND error IS NULL")" -ge 200 ]
no_faults
prefix=gone/
sync_ C
expect 0 "a later cycle brings them all"
agree "all agree" C

# ---- a daemon whose server is gone ------------------------------------------

prefix=data/
start_daemon A --interval 1s
eventually 10 grep -q completed "$work/A.log"
faults 'ANY reset-before' >/dev/null
check "a daemon whose server is gone for more than 30 s says so" \
    eventually 45 grep -q 'the connection to .* broke' "$work/A.log"
echo new >"$work/roots/A/new"
no_faults
check "and goes on when the server is there again" \
    eventually 20 grep -q 'Uploaded to S3: new' "$work/A.log"
kill "$daemon_pid"
wait "$daemon_pid"

# ---- a server that is restarted ---------------------------------------------

# restartable [OPTION...]: a server whose objects survive.
restartable() {
	rm -f "$work/port"
	server_start --dir "$work/objects" "$@"
	server=$!
}
mkdir "$work/objects"
kill %1
restartable --latency-ms 10
machine D
for ((i = 0; i < 200; i++)); do
	echo "content $i" >"$work/roots/D/file$i"
done
down=12
start_sync D --jobs 1 --log-level debug
d=$!
some_are_there() {
	[ "$(remote_list | wc -l)" -ge 20 ]
}
check "a cycle with jobs = 1 is under way" eventually 10 some_are_there
kill $server
wait $server
sleep $down # which is how long it is down
check "it waits for the server" kill -0 $d
restartable --port "${endpoint##*:}"
wait $d
is "the server is back after $down s: the cycle is complete" 0 $?
expect_text D.err "serves nobody, and is waited for" "it was held"
echo "# which cost $(query D "SELECT retries FROM run") requests more"
check "and asked now and then" [ "$(query D "SELECT retries FROM run")" -le 20 ]
agree "all agree" D

tap_end
