#!/bin/bash
# SPDX-License-Identifier: MIT
# The daemon: its log, its signals, several pairs, and what may go wrong.
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"

server_start
machine A B C
config=$work/s3sync.conf
log=$work/log

# ---- saying and waiting -----------------------------------------------------

count() { # TEXT [LOG]
	grep -cF -- "$1" "${2:-$log}"
}
has_count() { # TEXT AT-LEAST [LOG]
	[ "$(count "$1" "${3:-$log}")" -ge "$2" ]
}
# said TEXT NAME [LOG]: a line of the log, sooner or later.
said() {
	check "$2" eventually 20 has_count "$1" 1 "${3:-$log}"
}
# cycles COUNT NAME: so many more.
cycles() {
	check "$2" eventually 20 has_count "S3 sync completed" \
	    $(($(count "S3 sync completed") + $1))
}
# ends SIGNAL STATUS NAME: the daemon, within 5 s, and all of its processes.
ends() {
	local start=$SECONDS children
	children=$(pgrep -P "$daemon_pid")
	kill "-$1" "$daemon_pid"
	wait "$daemon_pid"
	is "$3" "status $2" "status $?"
	check "it takes less than 5 s" [ $((SECONDS - start)) -le 5 ]
	check_empty "no process of it is left" \
	    "$(for child in $children; do ps -o pid=,args= -p "$child"; done)"
}

# ---- what is configured -----------------------------------------------------

defaults() {
	printf '%s\n' "[defaults]" "endpoint_url = $endpoint" "settle = 0" \
	    "interval = 300ms" "attempts = 2" "log_file = $log"
}
pair() { # NAME [LINE...]
	printf '%s\n' "[pair $1]" "local = $(root "$1")" \
	    "remote = s3://$bucket/$prefix" "state = $(state "$1")" "${@:2}"
}
start() {
	: >"$log"
	"$bin/s3sync" daemon --config "$config" </dev/null \
	    >>"$work/daemon.out" 2>&1 &
	daemon_pid=$!
}

# ---- one pair ---------------------------------------------------------------

{ defaults; pair A; } >"$config"
echo one >"$work/roots/A/one"
start
said "S3 bidirectional sync initialized for $work/roots/A <-> s3://$bucket/$prefix" \
    "it says what it syncs"
said "Uploaded to S3: one" "the first cycle is at once"
cycles 3 "and cycles follow"
is "it says what it syncs only once" 1 "$(count initialized)"
check_empty "one pair has no further process" "$(pgrep -P "$daemon_pid")"
echo two >"$work/roots/A/two"
said "Uploaded to S3: two" "a new file goes up"

run "$bin/s3sync" daemon --config "$config" --log-file stderr
expect 3 "a second daemon on the same manifest ends"
expect_text err "$(state A)" "and names it"
cycles 1 "which does not disturb the first"

# ---- SIGHUP -----------------------------------------------------------------

mv "$log" "$log.1"
kill -HUP "$daemon_pid"
check "the log is opened anew" eventually 20 test -s "$log"
said "the configuration was read again" "and so is the configuration"
is "the pair is the same" 0 "$(count initialized)"

{ defaults; pair A "exclude = *.tmp"; } >"$config"
kill -HUP "$daemon_pid"
check "a second time" eventually 20 has_count "was read again" 2
echo kept >"$work/roots/A/x.tmp"
echo sent >"$work/roots/A/y"
said "Uploaded to S3: y" "a file that is not excluded goes up"
cycles 1 "after one more cycle"
is "one that is excluded by now does not" 0 "$(count "x.tmp")"

echo "nonsense" >>"$config"
kill -HUP "$daemon_pid"
said "the configuration is bad, the old one stays: $config:" \
    "a bad configuration is logged with its line"
echo still >"$work/roots/A/z"
said "Uploaded to S3: z" "and the old one stays"

# Two pairs where there was one.
{ defaults; pair A; pair B; } >"$config"
kill -HUP "$daemon_pid"
said "initialized for $work/roots/B" "a pair that is added begins"
said "Downloaded from S3: z" "it syncs"
is "each has a process" 2 "$(pgrep -P "$daemon_pid" | wc -l)"

# And one more, and one less.
{ defaults; pair B; pair C; } >"$config"
kill -HUP "$daemon_pid"
said "initialized for $work/roots/C" "a third pair begins"
# shellcheck disable=SC2317
has_children() {
	[ "$(pgrep -P "$daemon_pid" | wc -l)" = "$1" ]
}
check "one that is gone from the file ends" eventually 20 has_children 2
sync_ A
expect 0 "and its manifest is free"
ends TERM 143 "SIGTERM ends it all"
agree "all agree" A B C

# ---- several pairs ----------------------------------------------------------

{ defaults; pair A; pair B; } >"$config"
start
check "both begin" eventually 20 has_count initialized 2
kill -KILL "$(pgrep -P "$daemon_pid" | head -n 1)"
said "its process died (signal 9); it starts again" "one that dies is told"
check "and it is started again" eventually 20 has_count initialized 3
echo after >"$work/roots/A/after"
said "Downloaded from S3: after" "it is at work again"
ends INT 130 "SIGINT ends it all"

start
check "both begin" eventually 20 has_count initialized 2
children=$(pgrep -P "$daemon_pid")
# shellcheck disable=SC2086
kill -TERM "$daemon_pid" $children
wait "$daemon_pid"
is "a signal to all processes ends it as one to the first" 143 $?

start
check "both begin" eventually 20 has_count initialized 2
children=$(pgrep -P "$daemon_pid")
kill -KILL "$daemon_pid"
wait "$daemon_pid" 2>/dev/null
# shellcheck disable=SC2317
are_gone() {
	local child
	for child; do
		! kill -0 "$child" 2>/dev/null || return
	done
}
# shellcheck disable=SC2086
check "no process outlives the first" eventually 5 are_gone $children

# A pair that cannot begin does not take the other with it.
{ defaults; pair A; pair B; } >"$config"
cp "$(state B)" "$work/good.db"
rm "$(state B)"*
echo "this is no database, and longer than a header would be" >"$(state B)"
start
said "B: " "the pair that cannot begin is named"
cycles 2 "the other one runs"
ends TERM 143 "until it is ended"
rm "$(state B)"*
cp "$work/good.db" "$(state B)"

# ---- two pairs with one root ------------------------------------------------

if own_server; then
	head -c 21000000 /dev/urandom >"$work/shared"
	remote_put shared "$work/shared"
	mkdir "$work/roots/S"
	{
		defaults
		printf '%s\n' "[pair slow]" "local = $(root S)" \
		    "remote = s3://$bucket/$prefix" "state = $(state S)" \
		    "multipart_threshold = 5M" "part_size = 5M" \
		    "bwlimit_down = 8M"
		printf '%s\n' "[pair other]" "local = $(root S)" \
		    "remote = s3://$bucket/other/" "state = $(state T)" \
		    "exclude = shared"
	} >"$config"
	start
	said "Downloaded from S3: shared" \
	    "cycles of the one let the other's downloads be"
	check "they end whole" cmp "$work/shared" "$work/roots/S/shared"
	check "though there were several meanwhile" \
	    [ "$(count "S3 sync completed")" -gt 3 ]
	expect_no_text "$log" "error: " "and it is no matter who was first"
	expect_no_text "$log" "failed" "nor did anything fail"
	ends TERM 143 "until they are ended"
	remote_delete shared
fi

# ---- what may go wrong ------------------------------------------------------

{ defaults; pair C; } >"$config"
mv "$work/roots/C" "$work/elsewhere"
start
said "error: C: " "no root: the cycle is an error"
mv "$work/elsewhere" "$work/roots/C"
said "S3 sync completed" "and runs as soon as there is one"
ends TERM 143 "a daemon of one pair ends by SIGTERM, too"

start
cycles 1 "it runs again"
rm "$(state C)"*
echo still >"$work/roots/C/still"
said "C: the manifest was moved away" "a manifest that is removed is missed"
said "Uploaded to S3: still" "the daemon goes on"
check "with a new one" [ -s "$(state C)" ]
run "$bin/s3sync-state" status --state "$(state C)"
expect_text out "(process $daemon_pid)" "which is its own"
ends TERM 143 "until it is ended"
agree "and all agree" C

run env -u AWS_SECRET_ACCESS_KEY "$bin/s3sync" daemon --config "$config" \
    --log-file stderr
expect 3 "without credentials it does not begin"

if own_server; then
	faults "LIST delay=700"
	start
	said "took longer than the interval" "an overrun is told"
	said "S3 sync completed" "and the cycle completes"
	ends TERM 143 "the daemon ends while it lists"
	no_faults

	head -c 20000000 /dev/zero >"$work/big"
	remote_put big "$work/big"
	faults "GET trickle=1000000"
	start
	check "it downloads" eventually 20 sh -c \
	    "curl -sS '$endpoint/_test/counts' | grep -q '\"GET\":[1-9]'"
	asked_reset
	ends TERM 143 "the daemon ends while it downloads"
	no_faults
	check_empty "nothing half-done is there" \
	    "$(find "$work/roots/C" -name 'big*')"
	sync_ C
	expect 0 "the next cycle brings it"
	check "whole" cmp "$work/big" "$work/roots/C/big"
fi

check_empty "what goes to the log goes nowhere else" "$(cat "$work/daemon.out")"
tap_end
