#!/bin/bash
# SPDX-License-Identifier: MIT
# bwlimit_up and bwlimit_down hold, over all transfers together, and nobody
# starves or is given up for waiting.
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC2119
. "${srcdir:-.}/tests/cli/lib.sh"

if ! own_server; then
	tap_skip_all "what the network can do is not known"
fi
server_start
machine A B C D
mib=$((1 << 20))

# Four runs side by side: A sends for 10 s, B fetches for 10 s, C does both,
# and D has many that wait for their turn for longer than its timeout.
for i in 1 2 3 4 5; do
	head -c $((4 * mib)) /dev/urandom >"$work/roots/A/large$i"
done
for i in $(seq 20); do
	head -c 1000 /dev/urandom >"$work/roots/A/small$i"
done
head -c $((30 * mib)) /dev/urandom >"$work/30"
split -n 10 "$work/30" "$work/part."
prefix=down/
for i in "$work"/part.*; do
	remote_put "${i##*.}" "$i"
done
prefix=both/
remote_put "fetched" "$work/part.aa" # 3 MiB
head -c $((2 * mib)) /dev/urandom >"$work/roots/C/sent"
for i in $(seq 64); do
	head -c 32000 /dev/urandom >"$work/roots/D/file$i"
done

# limited A PREFIX FLAG...
limited() {
	local name=$1
	prefix=$2
	shift 2
	"$bin/s3sync" sync "$(root "$name")" "s3://$bucket/$prefix" \
	    --endpoint-url "$endpoint" --state "$(state "$name")" --settle 0 \
	    "$@" </dev/null >"$work/$name.out" 2>"$work/$name.err" &
	runs+=($!)
}
runs=()
limited A up/ --bwlimit-up 2M
limited B down/ --bwlimit-down 3M
limited C both/ --bwlimit-up 200K --bwlimit-down 300K
limited D many/ --bwlimit-up 200K --timeout 1s --jobs 64
for run in "${runs[@]}"; do
	wait "$run"
	is "a cycle is complete" 0 $?
done
for name in A:up B:down C:both D:many; do
	prefix=${name#*:}/
	agree "all agree: ${name#*:}" "${name%:*}"
done

# holds NAME A BYTES LIMIT: moved at that rate, within 5 %.
holds() {
	local rate
	rate=$(query "$2" "SELECT CAST($3 * 1e9 / transfer_ns AS INTEGER) FROM run")
	echo "# $1: $rate bytes per second, limit $4:" \
	    "$(echo "$rate $4" | awk '{ printf "%+.1f %%", $1 / $2 * 100 - 100 }')"
	check "$1" within_5_percent "$rate" "$4"
}
within_5_percent() { # A B
	[ $(($1 * 100)) -ge $(($2 * 95)) ] && [ $(($1 * 100)) -le $(($2 * 105)) ]
}
holds "bwlimit_up holds over 10 s" A "bytes_up" $((2 * mib))
holds "bwlimit_down holds over 10 s" B "bytes_down" $((3 * mib))
holds "of both at once, that of uploads holds" C "bytes_up" $((200 << 10))
holds "and that of downloads" C "bytes_down" $((300 << 10))
holds "it holds with 64 transfers, too" D "bytes_up" $((200 << 10))
is "none of which was given up while it waited for its turn" 0 \
    "$(query D "SELECT retries FROM run")"
is "small files do not wait for large ones" 20 \
    "$(grep -o 'Uploaded to S3: .*' "$work/A.err" | head -n 20 | grep -c small)"

for bad in 10 0 -5M fast 5MB; do
	sync_ A --bwlimit-up "$bad"
	expect 2 "$bad is refused"
	expect_text err "like 500K, 1.5M or 10M" "and told what is not: $bad"
done
tap_end
