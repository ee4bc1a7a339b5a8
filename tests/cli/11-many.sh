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

if ! own_server; then
	tap_end
	exit
fi

# ---- where few files may be open --------------------------------------------

# limited SOFT:HARD: what the programs may have open from here on.
limited() {
	user=(prlimit "--nofile=$1")
}

find "$work/roots/A" -mindepth 1 -delete
limited 1024:4096
sync_ A --jobs 1024
expect 0 "the usual limit is raised for many transfers at once"
expect_no_text err "may have no more than" "so there is no need to say it"
agree "and all is there" A
find "$work/roots/A" -mindepth 1 -delete
limited 48:48
sync_ A
expect 0 "with a low one there are fewer transfers at once"
expect_text err "no more than 48 files open at once, so jobs = 1 here, not 32" \
    "which is said"
expect_text err "raise the limit (ulimit -n, LimitNOFILE=) or lower jobs" \
    "with the remedy"
agree "but all come" A
plan_ A
expect_no_text err "may have no more than" "a plan does not say it"
for i in $(seq 300); do
	echo "$i" >"$(root A)/limited-$i"
done
sync_ A
expect 0 "and all go"
agree "so they are there" A
user=()
tap_end
