#!/bin/bash
# SPDX-License-Identifier: MIT
# Disks that are not there, or full: a root whose disk is not mounted loses
# nothing, a full one takes no part of a file, and a manifest that cannot be
# written ends the cycle before more is done than it knows.
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC2119
. "${srcdir:-.}/tests/cli/lib.sh"

own_mounts "$0"
server_start

# disk DIRECTORY SIZE: mounts an empty one.
disk() {
	mkdir -p "$1"
	mount -t tmpfs -o "size=$2,mode=755" disk "$1"
}
resize() { # DIRECTORY SIZE
	mount -o "remount,size=$2,mode=755" disk "$1"
}

# ---- a root whose disk is not mounted ---------------------------------------

disk "$work/roots/A" 16m
mkdir "$work/roots/A/sub" "$work/aside"
for i in $(seq 20); do
	echo "content $i" >"$work/roots/A/sub/file$i"
done
sync_ A
agree "a root that is a disk" A

# stopped NAME: no cycle of A, as its disk seems not to be mounted.
stopped() {
	remember A
	sync_ A
	expect 3 "$1: exit status 3"
	expect_text err "$work/roots/A has no marker (.s3sync/root) and is on another device" \
	    "$1: it says why"
	expect_text err "is its disk not mounted? Mount it and run again" \
	    "$1: and what to do"
	unchanged "$1: nothing moves, no marker is made"
}
mount --move "$work/roots/A" "$work/aside"
stopped "not mounted"
echo "written into the mount point" >"$work/roots/A/stray"
stopped "not mounted, and not empty"
plan_ A
expect 3 "there is no plan either"
expect_text err "is its disk not mounted?" "for the same reason"
start_daemon A --interval 300ms
check "a daemon says it, too" eventually 10 grep -q "not mounted" "$work/A.log"
rm "$work/roots/A/stray"
mount --move "$work/aside" "$work/roots/A"
check "and goes on as soon as it is mounted" \
    eventually 10 grep -q "S3 sync completed" "$work/A.log"
kill "$daemon_pid"
wait "$daemon_pid"
agree "all agree" A
quiet "and it is quiet" A

disk "$work/aside" 1m
mount --move "$work/aside" "$work/roots/A"
stopped "another disk over it"
umount "$work/roots/A"
quiet "without it, it is quiet" A

# A root that has moved to another disk without its marker.
mkdir "$work/roots/B"
cp -r "$work/roots/A/sub" "$work/roots/B"
mount --move "$work/roots/A" "$work/aside"
cp -r "$work/roots/B/sub" "$work/roots/A"
stopped "moved to another disk, without its marker"
expect_text err "move $(state A), -wal and -shm away" "it says what to do then"
rm "$(state A)" "$(state A)-wal" "$(state A)-shm"
sync_ A
expect 0 "done as it says: exit status 0"
is "all is adopted" "0|0|20" "$(query A "SELECT uploaded, downloaded, adopted
    FROM run ORDER BY id DESC LIMIT 1")"
agree "all agree" A
quiet "and it is quiet" A
umount "$work/aside"

# A disk below the root is not part of it, and hides what was.
remember A
disk "$work/roots/A/sub" 1m
echo other >"$work/roots/A/sub/other"
sync_ A
expect 1 "a disk below the root: exit status 1"
expect_text err "sub/: on another file system" "it is named"
is "nothing is taken for absent" "0|0" "$(query A "SELECT uploaded, downloaded
    FROM run ORDER BY id DESC LIMIT 1")"
quiet "it stays so without a word" A 1
umount "$work/roots/A/sub"
sync_ A
unchanged "without it, all is as it was"
quiet "and it is quiet" A

# ---- the disk is full -------------------------------------------------------

# whole NAME A: each file is as its object, and no part of one is anywhere.
whole() {
	check_empty "$1" "$(comm -13 <(remote_list | LC_ALL=C sort) \
	    <(tree_list "$2"); find "$(root "$2")/.s3sync/tmp" -type f)"
}

prefix=full/
machine C
head -c 3000000 /dev/urandom >"$work/roots/C/a-vast"
head -c 700000 /dev/urandom >"$work/roots/C/medium"
for i in $(seq 60); do
	head -c 60000 /dev/urandom >"$work/roots/C/small$i"
done
sync_ C
disk "$work/roots/D" 2m
echo up >"$work/roots/D/zz-up"
asked_reset
sync_ D --jobs 4
expect 1 "a disk that becomes full: exit status 1"
expect_text err "The download of a-vast failed: no room for 3000000 bytes: No space left on device" \
    "the largest is not begun"
expect_text err "Downloaded from S3: small1" "smaller ones find room"
expect_text err "The download of small" "until there is none"
expect_text err "Uploaded to S3: zz-up" "uploads go on"
check "and no further downloads" [ "$(asked GET)" -lt 40 ]
whole "no part of a file is there" D
sync_ D --jobs 4
is "a full disk is not the key's failure: its pause does not grow" 1 \
    "$(query D "SELECT max(attempts) FROM pending")"
resize "$work/roots/D" 16m
sync_ D
expect 0 "with more room: exit status 0"
sync_ C
agree "all agree" C D
quiet "and it is quiet" D

# Room for less than a megabyte is not reserved, but found out by writing.
rm "$work/roots/D/"*
resize "$work/roots/D" 500k
sync_ D --jobs 2
expect 1 "full in the middle of a file: exit status 1"
expect_text err "The download of medium failed: cannot write the file: No space left on device" \
    "it is said"
whole "no part of it is there" D
resize "$work/roots/D" 16m
sync_ D
expect 0 "with more room: exit status 0"
agree "all agree" C D
quiet "and it is quiet" D
umount "$work/roots/D"

# ---- the manifest's disk is full --------------------------------------------

prefix=manifest/
machine E
disk "$work/state/small" 64k
state() {
	echo "$work/state/small/$1.db"
}
echo one >"$work/roots/E/one"
sync_ E
expect 3 "no room for a manifest: exit status 3"
expect_text err "$(state E)" "it is named"
expect_text err "make room" "and the remedy"
is "nothing is sent" "" "$(remote_list)"
resize "$work/state/small" 8m
sync_ E
expect 0 "with room it begins"
agree "all agree" E

# From no room at all to enough: somewhere in between it ends under way.
under_way=0
faults "PUT delay=200"
for room in 0 30 60 120; do
	mkdir "$work/roots/E/$room"
	for i in $(seq 100); do
		echo "$room $i" >"$work/roots/E/$room/$i"
	done
	used=$(du -sk "$work/state/small" | cut -f1)
	resize "$work/state/small" $((used + room))k
	sync_ E --jobs 12
	uploads=$(grep -c Uploaded "$work/err")
	resize "$work/state/small" 8m
	[ "$status" = 3 ] || break
	expect_text err "make room on its file system" \
	    "$room KiB, $uploads of 100 sent: it says what to do"
	[ "$uploads" = 0 ] || [ "$uploads" = 100 ] || under_way=1
	sync_ E --jobs 100
	expect 0 "$room KiB: with more it goes on"
	agree "$room KiB: all agree" E
done
no_faults
expect 0 "there was room enough in the end"
is "there was a cycle that sent nothing more, under way" 1 $under_way
agree "all agree" E
quiet "and it is quiet" E
umount "$work/state/small"
tap_end
