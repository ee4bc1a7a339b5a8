#!/bin/bash
# SPDX-License-Identifier: MIT
# kill -9 at 200 moments of a first run that sends 1000 files and fetches 1000:
# no partial file is ever seen, nothing is sent or fetched twice that the
# manifest knew, and in the end all agree.
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC2119
. "${srcdir:-.}/tests/cli/lib.sh"

if ! own_server; then
	tap_skip_all "it reads the log of the test server"
fi
kills=200
server_start --latency-ms 10 --log 20000
machine A B

# fill MACHINE: 1000 files, some empty, some streamed; in key order they take
# turns with the other machine's.
fill() {
	local i dir
	for i in $(seq 1000); do
		dir=$(root "$1")/$((i / 50))/$1
		[ -d "$dir" ] || mkdir -p "$dir"
		echo "$1 $i" >"$dir/$i"
	done
	: >"$dir/empty"
	head -c 700000 /dev/urandom >"$dir/streamed"
	(cd "$(root "$1")" && find . -type f -print0 | sort -z |
	    xargs -0 md5sum) >>"$work/expected"
}
# What the server honours is known before: 33-conditions kills who asks.
echo first >"$(root A)/first"
sync_ A
fill A
fill B
sync_ B
expect 0 "the other machine has sent its half"

# What has its final name is whole.
partial() {
	(cd "$(root A)" && md5sum --quiet --ignore-missing -c "$work/expected") 2>&1
}
# Keys that the manifest holds to be agreed. It may not be there yet.
known() {
	[ ! -e "$(state A)" ] ||
	    sqlite3 "$(state A)" "SELECT CAST(key AS TEXT) FROM entry" 2>&1
}
# Keys that were sent or fetched, as the server tells.
moved() {
	curl -sS "$endpoint/_test/log" |
	    sed -n "s#^[A-Z]* \(GET\|PUT\) $bucket/$prefix\([^ ]*\) .*#\2#p"
}

seen_partial=''
sent_twice=''
killed=0
at_work=0 # kills that came while files were moving
delay=40  # ms; longer where the kills are ahead of the run, else shorter
for i in $(seq $kills); do
	known | sort >"$work/known"
	asked_reset
	"$bin/s3sync" sync "$(root A)" "s3://$bucket/$prefix" --jobs 3 \
	    --endpoint-url "$endpoint" --state "$(state A)" --settle 0 \
	    >/dev/null 2>"$work/err" </dev/null &
	pid=$!
	sleep "$((delay / 1000)).$(printf %03d $((delay % 1000)))"
	! kill -9 $pid 2>/dev/null || killed=$((killed + 1))
	wait $pid 2>/dev/null
	seen_partial+=$(partial)
	moved | sort >"$work/moved"
	sent_twice+=$(comm -12 "$work/moved" "$work/known")
	[ ! -s "$work/moved" ] || at_work=$((at_work + 1))
	if [ "$(wc -l <"$work/known")" -lt $((2005 * i / kills)) ]; then
		delay=$((delay + RANDOM % 20))
	else
		delay=$((delay > 40 ? delay - RANDOM % 30 : 40))
	fi
done
check "it was killed at $killed moments" test "$killed" -ge $((kills * 3 / 4))
check "$at_work of them while files were moving" test $at_work -ge $((kills / 2))
check "they were spread over the run: the manifest knew $(known | wc -l) keys by then" \
    test "$(known | wc -l)" -ge 1000
is "no partial file was ever seen" "" "$seen_partial"
is "nothing that the manifest knew was moved again" "" "$sent_twice"
sync_ A
expect 0 "left alone, it ends well"
sync_ B
expect 0 "and the other machine gets its half"
agree "all agree" A B
is "no temporary file is left" "" "$(find "$work/roots/A/.s3sync/tmp" -type f 2>/dev/null)"
quiet "and it is quiet" A
tap_end
