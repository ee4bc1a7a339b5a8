#!/bin/bash
# SPDX-License-Identifier: MIT
# Many small files and some large ones, both ways: pages, batches, streams.
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC2119
. "${srcdir:-.}/tests/cli/lib.sh"

server_start
machine A B
count=1500
own_server || count=5000
# fill MACHINE: that many small files, and sizes around every threshold.
fill() {
	local dir i size
	for i in $(seq $count); do
		dir=$(root "$1")/$((i % 7))/$((i % 50))
		[ -d "$dir" ] || mkdir -p "$dir"
		echo "$1 $i" >"$dir/$1-$i"
	done
	for size in 0 1 65535 65536 65537 262143 262144 262145 1048576 \
	    1048577 8388608 40000001; do
		head -c $size /dev/urandom >"$(root "$1")/size-$1-$size"
	done
}
fill A
fill B
sync_ A
expect 0 "A sends all it has"
sync_ B
expect 0 "B sends and fetches at once"
sync_ A
expect 0 "A fetches what B had"
agree "both have everything" A B
is "in as many requests as it takes" \
    "$(((2 * count + 24 + 999) / 1000))|$((count + 12))|0" "$(query A "SELECT
    list_requests, get_requests, put_requests FROM run ORDER BY id DESC LIMIT 1")"
quiet "A is quiet" A
quiet "B is quiet" B

find "$work/roots/A" -mindepth 1 -delete
sync_ A
expect 0 "a machine that lost all its files gets them back"
agree "both have everything again" A B
rm "$work"/state/A.db*
sync_ A
expect 0 "a machine that lost its manifest"
is "transfers nothing and adopts all" "0|0|$((2 * count + 24))|0|0" "$(query A "SELECT
    uploaded, downloaded, adopted, get_requests, put_requests FROM run")"
agree "and knows everything again" A
quiet "and is quiet" A
tap_end
