#!/bin/bash
# SPDX-License-Identifier: MIT
# kill -9 at random moments of a large download, on any server: what was on the
# disk stays there, no part of the file is seen before all of it is there, and
# in the end it is whole.
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC2119
. "${srcdir:-.}/tests/cli/lib.sh"

mib=$((1 << 20))
parts=12
server_start
machine A B
head -c $((parts * 5 * mib)) /dev/urandom >"$work/roots/B/large"
echo small >"$work/roots/B/small"
sync_ B --multipart-threshold 1G
expect 0 "another machine has sent it, in one piece"

slowly=(--multipart-threshold 5M --part-size 5M --jobs 2 --bwlimit-down 15M)

# recorded: how many ranges the manifest says are on the disk.
recorded() {
	local hex count=0
	hex=$(sqlite3 -readonly "$(state A)" "SELECT hex(done) FROM download" \
	    2>/dev/null)
	for ((hex = 16#${hex:-0}; hex > 0; hex >>= 1)); do
		count=$((count + (hex & 1)))
	done
	echo $count
}

kills=0
before=0
most=0
trouble=''
for _ in $(seq 60); do
	[ ! -e "$work/roots/A/large" ] || break
	"$bin/s3sync" sync "$(root A)" "s3://$bucket/$prefix" \
	    --endpoint-url "$endpoint" --state "$(state A)" --settle 0 \
	    "${slowly[@]}" >/dev/null 2>"$work/err" </dev/null &
	pid=$!
	sleep "$((RANDOM % 2)).$(printf %03d $((RANDOM % 1000)))"
	! kill -9 $pid 2>/dev/null || kills=$((kills + 1))
	wait $pid 2>/dev/null
	[ ! -e "$work/roots/A/large" ] ||
	    cmp "$work/roots/B/large" "$work/roots/A/large" || trouble+=" not whole"
	now=$(recorded)
	[ -e "$work/roots/A/large" ] || [ "$now" -ge "$before" ] ||
	    trouble+=" $before ranges, then $now"
	before=$now
	[ "$now" -le "$most" ] || most=$now
done
echo "# killed $kills times, $most ranges of $parts on the disk by then"
is "what was on the disk stays there, and no part of it is seen" "" "$trouble"
check "it was killed with some of it on the disk" test "$most" -ge 2
sync_ A
expect 0 "left alone, it ends well"
agree "all agree" A B
check_empty "nothing is left over" "$(find "$work/roots/A/.s3sync/tmp" -type f
    query A "SELECT name FROM download")"
quiet "and it is quiet" A
tap_end
