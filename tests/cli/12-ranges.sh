#!/bin/bash
# SPDX-License-Identifier: MIT
# Large downloads come in ranges, and go on where they were: 40 MiB in eight
# ranges, with the connection cut before and after the reply to each of them,
# and kill -9 at each; objects that are replaced in between, servers without
# ranges, full disks, sizes around the threshold. Each ends whole, and what was
# on the disk is not fetched again.
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC2119
. "${srcdir:-.}/tests/cli/lib.sh"

if ! own_server; then
	tap_skip_all "it tells the test server what to do, and reads its log"
fi
own_mounts "$0"
mib=$((1 << 20))
part=$((5 * mib))
parts=8
server_start --log 1000
machine A
sized=(--multipart-threshold 5M --part-size 5M)

# object KEY SIZE: something new in the bucket.
object() {
	head -c "$2" /dev/urandom >"$work/object"
	remote_put "$1" "$work/object"
}
# asked_ranges [KEY]: the offset of each range that was asked for, in order. A
# request that hangs is not in the log.
asked_ranges() {
	curl -sS "$endpoint/_test/log" | sed -n \
	    "s#^GET GET $bucket/$prefix${1:-[^ ]*} .* Range=bytes=\\([0-9]*\\)-.*#\\1#p" |
	    sort -n
}
# requests KEY: how many ranges were asked for more than once, and requests.
requests() {
	echo "$(asked_ranges "$1" | uniq -d | wc -l) $(asked_ranges "$1" | wc -l)"
}
left_over() {
	find "$work/roots/A/.s3sync/tmp" -type f 2>/dev/null
	query A "SELECT CAST(key AS TEXT) FROM download"
}
# begun: a download of which something is on the disk.
begun() {
	[ "$(query A "SELECT count(*) FROM download WHERE done <> zeroblob(length(done))")" -ge 1 ]
}
# ends_whole NAME: after a further cycle all is there, and nothing is left over.
ends_whole() {
	no_faults
	sync_ A "${sized[@]}"
	expect 0 "$1: the next cycle ends it"
	agree "$1: it is whole" A
	check_empty "$1: nothing is left over" "$(left_over)"
}

# ---- sizes ------------------------------------------------------------------

for size in 0 $((part - 1)) $part $((part + 1)) $((2 * part)); do
	object "size$size" "$size"
done
# A hole in a file is made of zeros, as any other content.
truncate -s $((4 * part)) "$work/object"
printf end | dd of="$work/object" bs=1 seek=$((3 * part)) conv=notrunc status=none
remote_put holes "$work/object"
sync_ A "${sized[@]}"
expect 0 "sizes around the threshold, and holes"
agree "all are whole" A
is "ranges are asked for from the threshold on, but where one is the whole" \
    "0 0 0 $part $part $part $((2 * part)) $((3 * part))" \
    "$(asked_ranges | tr '\n' ' ' | sed 's/ $//')"
check_empty "nothing is left over" "$(left_over)"
quiet "and it is quiet" A

sync_ A --part-size 4M
expect 2 "a part size that S3 does not know is refused"
expect_text err "from 5M to 5G" "with what may be"

# ---- the connection is cut at each request ----------------------------------

# In one cycle: the request is tried again.
for fault in reset-before reset-after "reset-at=3000000"; do
	for n in $(seq $parts); do
		key=cut-${fault%=*}-$n
		object "$key" $((parts * part))
		faults "GET nth=$n times=1 $fault"
		sync_ A "${sized[@]}"
		[ "$status" = 0 ] || show_last
		got="$status $(requests "$key") $(left_over)"
		[ "$got" = "0 1 $((parts + 1)) " ] ||
		    tap_not_ok "$fault at request $n" "$got"
		rm "$work/roots/A/$key"
		remote_delete "$key"
		no_faults
	done
	tap_ok "$fault at each of $parts requests: one is sent twice"
done

# The same where it is not tried again: the cycle fails, the next one ends it.
for fault in status=500 reset-at=3000000; do
	for n in 1 4 $parts; do
		key=failed-${fault%=*}-$n
		object "$key" $((parts * part))
		faults "GET nth=$n times=1 $fault"
		sync_ A "${sized[@]}" --attempts 1
		expect 1 "$fault at request $n, without a second attempt: it fails"
		ends_whole "$key"
		is "$key: only the range that failed was asked for twice" \
		    "1 $((parts + 1))" "$(requests "$key")"
		rm "$work/roots/A/$key"
		remote_delete "$key"
	done
done

# ---- kill -9 at each request ------------------------------------------------

# recorded COUNT: so many ranges are on the disk, and in the manifest.
recorded() {
	local done_ i
	done_=$(query A "SELECT hex(done) FROM download" 2>/dev/null) || return
	for ((i = 0; i < 8; i++)); do
		set -- "$1" $((${2:-0} + (16#${done_:-0} >> i & 1)))
	done
	[ "$2" -ge "$1" ]
}
# kill_at N JOBS: kill -9 while the N-th request waits for its reply.
kill_at() {
	local pid
	faults "GET nth=$1 times=1 hang=60"
	"$bin/s3sync" sync "$(root A)" "s3://$bucket/$prefix" \
	    --endpoint-url "$endpoint" --state "$(state A)" --settle 0 \
	    "${sized[@]}" --jobs "$2" >/dev/null 2>"$work/err" </dev/null &
	pid=$!
	if [ "$2" = 1 ]; then
		eventually 20 recorded $(($1 - 1))
	else
		eventually 20 recorded $((parts - 1))
	fi || tap_not_ok "killed at request $1 of $2 at once: all others are recorded" \
	    "$(query A "SELECT hex(done) FROM download"); $(cat "$work/err")"
	kill -9 $pid
	wait $pid 2>/dev/null
}
for jobs in 1 32; do
	for n in $(seq $parts); do
		key=killed-$jobs-$n
		object "$key" $((parts * part))
		kill_at "$n" $jobs
		is "$key: no part of it is seen" "" "$(ls "$work/roots/A/$key" 2>/dev/null)"
		no_faults
		sync_ A "${sized[@]}"
		[ "$status" = 0 ] || show_last
		is "$key: only the range that was under way is asked for again" \
		    "0 0 $parts " "$status $(requests "$key") $(left_over)"
		check "$key: it is whole" cmp -s "$work/object" "$work/roots/A/$key"
		rm "$work/roots/A/$key"
		remote_delete "$key"
	done
done

# ---- told to stop -----------------------------------------------------------

object stopped $((parts * part))
faults "GET nth=5 times=1 hang=60"
start_daemon A "${sized[@]}"
check "a daemon fetches" eventually 20 begun
began=$SECONDS
kill "$daemon_pid"
wait "$daemon_pid"
check "told to stop, it does within 5 s" [ $((SECONDS - began)) -le 6 ]
ends_whole "told to stop"
is "what had come was not fetched again" "0 $parts" "$(requests stopped)"

# ---- what may have changed in between ---------------------------------------

# leave_begun KEY: some of it is on the disk.
leave_begun() {
	object "$1" $((parts * part))
	faults "GET nth=5 times=1 status=500"
	sync_ A "${sized[@]}" --attempts 1
	check "$1: some of it is on the disk" begun
	no_faults
	asked_reset
}

leave_begun replaced
object replaced $((parts * part))
ends_whole "replaced since"
is "none of the old one is used" "0 $parts" "$(requests replaced)"

object between $((parts * part))
cp "$work/object" "$work/before"
head -c $((parts * part)) /dev/urandom >"$work/object"
faults "GET nth=4 times=1 hang=60"
"$bin/s3sync" sync "$(root A)" "s3://$bucket/$prefix" --attempts 3 \
    --endpoint-url "$endpoint" --state "$(state A)" --settle 0 --timeout 8s \
    "${sized[@]}" --jobs 2 >/dev/null 2>"$work/err" </dev/null &
pid=$!
check "between two ranges" eventually 20 begun
remote_put between "$work/object"
wait $pid
status=$?
expect 1 "replaced between two ranges: exit status 1"
check "no mixture is seen" [ ! -e "$work/roots/A/between" ]
check_empty "what there was is dropped" "$(left_over)"
ends_whole "replaced between two ranges"

leave_begun deleted
remote_delete deleted
sync_ A "${sized[@]}"
expect 0 "deleted since: exit status 0"
check_empty "deleted since: what there was is dropped" "$(left_over)"

leave_begun taken
echo mine >"$work/roots/A/taken"
sync_ A "${sized[@]}"
is "a file of that name since: it is left alone" mine "$(cat "$work/roots/A/taken")"
check_empty "what there was is dropped" "$(left_over)"
rm "$work/roots/A/taken"
ends_whole "and without it"

leave_begun removed
rm "$work"/roots/A/.s3sync/tmp/*
ends_whole "the temporary file was removed"
is "all of it is fetched anew" "0 $parts" "$(requests removed)"

leave_begun forgotten
rm "$(state A)"*
ends_whole "the manifest was lost"

leave_begun others
touch "$work/roots/A/.s3sync/tmp/get-0123456789abcdef"
ends_whole "a temporary file that no row names"

# ---- servers ----------------------------------------------------------------

object whole $((parts * part))
asked_reset
faults "GET no-ranges"
sync_ A "${sized[@]}"
expect 0 "a server without ranges"
agree "it is whole" A
check_empty "nothing is left over" "$(left_over)"
no_faults

object corrupt $((parts * part))
faults "GET nth=3 times=1 corrupt"
sync_ A "${sized[@]}"
expect 1 "a corrupt range: exit status 1"
check "it is not seen" [ ! -e "$work/roots/A/corrupt" ]
check_empty "and of no further use" "$(left_over)"
ends_whole "a corrupt range"

# ---- ETags of parts ---------------------------------------------------------

prefix=joined/
machine U V
# joined KEY SIZE PART: an object of parts of that size.
joined() {
	head -c "$2" /dev/urandom >"$work/roots/U/$1"
	sync_ U --multipart-threshold 5M --part-size "$3"
}
# has KEY: V has what U has.
has() {
	cmp -s "$work/roots/U/$1" "$work/roots/V/$1"
}
echo small >"$work/roots/U/small" # by which V learns that ETags are MD5s
sync_ U
sync_ V
joined ours $((parts * part)) 5M
faults "GET key=*ours nth=3 times=1 corrupt"
sync_ V "${sized[@]}"
expect 1 "a corrupt range of an object of parts: exit status 1"
expect_text err "the content in parts, " "it is told from what the ETag says"
check "it is not seen" [ ! -e "$work/roots/V/ours" ]
no_faults
sync_ V "${sized[@]}"
expect 0 "it comes anew"
check "and is whole" has ours
quiet "and it is quiet" V
joined others $((9 * mib)) 8M
sync_ V "${sized[@]}"
expect 0 "parts as others cut them, and as many as ours, are known, too"
check "it is whole" has others
joined more $((26 * mib)) 8M
faults "GET key=*more nth=3 times=1 corrupt"
sync_ V "${sized[@]}"
expect 1 "and those that make other numbers of them: damage is seen"
check "it is not seen" [ ! -e "$work/roots/V/more" ]
no_faults
asked_reset
sync_ V "${sized[@]}"
expect 0 "it comes anew"
check "and is whole" has more
is "in ranges that are its parts" "0 8388608 16777216 25165824" \
    "$(asked_ranges more | xargs)"
joined unheard $((9 * mib)) 6M
sync_ V "${sized[@]}"
expect 1 "parts that nobody cuts so are doubted"
sync_ V "${sized[@]}"
expect 0 "and taken, when they come twice the same"
check "it is whole" has unheard
quiet "and it is quiet" V
joined single $((5 * mib + 1)) 5M
sync_ V --part-size 5M
expect 0 "what was sent in parts may come as a whole"
check "and is whole" has single

# ---- a full disk ------------------------------------------------------------

disk() { # SIZE
	mount -t tmpfs -o "size=$1,mode=755" disk "$work/roots/D"
}
mkdir "$work/roots/D"
prefix=full/
disk 30m
object vast $((parts * part))
object b-small 100000
sync_ D "${sized[@]}"
expect 1 "no room for it: exit status 1"
expect_text err "The download of vast failed: no room for $((parts * part)) bytes" \
    "it is said"
expect_text err "Downloaded from S3: b-small" "what is smaller comes"
check_empty "no part of it is there" "$(find "$work/roots/D/.s3sync/tmp" -type f)"
mount -o remount,size=60m,mode=755 disk "$work/roots/D"
sync_ D "${sized[@]}"
expect 0 "with room it comes"
agree "all agree" D
umount "$work/roots/D"
tap_end
