#!/bin/bash
# SPDX-License-Identifier: MIT
# The root: absent, unreadable, another one, moved, or made anew. Nothing is
# transferred until it is surely the one that the manifest knows.
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC2119
. "${srcdir:-.}/tests/cli/lib.sh"

server_start
machine A B
mkdir "$work/roots/A/sub"
echo one >"$work/roots/A/one"
echo two >"$work/roots/A/sub/two"
sync_ A
agree "a first cycle" A

# stopped NAME MACHINE TEXT...: a cycle that does not run, and why.
stopped() {
	local name=$1 machine=$2 text
	shift 2
	remember "$machine"
	sync_ "$machine"
	expect 3 "$name: exit status 3"
	for text; do
		expect_text err "$text" "$name: it says '$text'"
	done
	unchanged "$name: nothing moves"
}
epoch() {
	query A "SELECT value FROM meta WHERE name = 'epoch'"
}
marker() { # MACHINE
	cat "$work/roots/$1/.s3sync/root"
}

# ---- no such root, or not a directory ---------------------------------------

mv "$work/roots/A" "$work/roots/elsewhere"
stopped "no root" A "$work/roots/A: no such directory" \
    "create it or correct the local path"
echo file >"$work/roots/A"
stopped "a file" A "$work/roots/A: not a directory; correct the local path"
is "a file: it stays" file "$(cat "$work/roots/A")"
rm "$work/roots/A"
mkfifo "$work/roots/A"
stopped "a FIFO" A "$work/roots/A: not a directory; correct the local path"
rm "$work/roots/A"
ln -s nowhere "$work/roots/A"
stopped "a symlink that leads nowhere" A \
    "$work/roots/A: a symbolic link that leads nowhere"
rm "$work/roots/A"
run "$bin/s3sync" sync "$work/roots/A" "s3://$bucket/$prefix" \
    --endpoint-url "$endpoint" --state "$work/new/new.db"
expect 3 "a root that never was: exit status 3"
expect_text err "$work/roots/A: no such directory" "it says so"
check "and none is made" test ! -e "$work/roots/A"
check "nor anything for a manifest" test ! -e "$work/new"

# ---- moved ------------------------------------------------------------------

ln -s elsewhere "$work/roots/A"
quiet "a symlink to the root is the root" A
rm "$work/roots/A"
mv "$work/roots/elsewhere" "$work/roots/A"
quiet "back at its place, it is the same" A
mv "$work/roots/A" "$work/roots/moved"
run "$bin/s3sync" sync "$work/roots/moved" "s3://$bucket/$prefix" \
    --endpoint-url "$endpoint" --state "$(state A)" --settle 0
expect 0 "moved with its marker, it goes on"
is "without a transfer" "0|0|0" "$(query A "SELECT uploaded, downloaded,
    adopted FROM run ORDER BY id DESC LIMIT 1")"
mv "$work/roots/moved" "$work/roots/A"
agree "all agree" A
quiet "and it is quiet" A
is "none of this raised the epoch" "" "$(epoch)"

# ---- emptied, or made anew --------------------------------------------------

rm -r "$work/roots/A/one" "$work/roots/A/sub"
sync_ A
expect 0 "emptied, its marker left"
agree "all is restored" A
before=$(marker A)
rm -r "$work/roots/A"
mkdir "$work/roots/A"
sync_ A
expect 0 "made anew on the same device"
expect_text err "$work/roots/A has lost its marker" \
    "it says what it takes it for"
agree "all is restored, and nothing deleted" A
is "the epoch is raised" 1 "$(epoch)"
is "it has its marker again" "$before" "$(marker A)"
quiet "and it is quiet" A
rm -r "$work/roots/A/.s3sync"
sync_ A
expect 0 "only the marker is lost"
quiet "and it is quiet" A

# ---- another root -----------------------------------------------------------

sync_ B
agree "a second machine" A B
mv "$work/roots/A" "$work/roots/C"
mv "$work/roots/B" "$work/roots/A"
echo theirs >"$work/roots/A/theirs"
stopped "another root's marker" A \
    "$work/roots/A carries the marker of another root" \
    "correct 'local', or give the pair a state file of its own"
rm "$work/roots/A/theirs"
mv "$work/roots/A" "$work/roots/B"
mv "$work/roots/C" "$work/roots/A"
quiet "each at its place: quiet" A
quiet "and the other one" B

# ---- a marker that is none --------------------------------------------------

for text in "" "no marker" "${before%?}" "$before$before"; do
	echo -n "$text" >"$work/roots/A/.s3sync/root"
	stopped "a marker of ${#text} bytes" A \
	    "$work/roots/A/.s3sync/root: not a marker of this program" \
	    "remove it if the directory is the right one"
done
rm "$work/roots/A/.s3sync/root"
mkdir "$work/roots/A/.s3sync/root"
stopped "a directory for a marker" A \
    "$work/roots/A/.s3sync/root: not a marker of this program"
rmdir "$work/roots/A/.s3sync/root"
sync_ A
expect 0 "removed, as the message says"
quiet "it goes on without a transfer" A

# ---- a root that this user may not read, or not write -----------------------

machine D
chmod 555 "$work/roots/D"
as_nobody D
sync_ D
expect 3 "a root that cannot be written at first: exit status 3"
expect_text err "$work/roots/D/.s3sync/root" "it names the marker"
expect_text err "let this user write" "and says what to do"
chmod 755 "$work/roots/D"
sync_ D
expect 0 "it is filled as soon as it can be"
agree "all agree" D
for mode in 000 444 111; do
	chmod $mode "$work/roots/D"
	stopped "mode $mode" D "$work/roots/D: permission denied" \
	    "let this user read, write and search the directory"
done
chmod 755 "$work/roots/D"
chmod 000 "$work/roots/D/.s3sync/root"
stopped "an unreadable marker" D "$work/roots/D/.s3sync/root: cannot be read; let this user read it"
chmod 644 "$work/roots/D/.s3sync/root"
quiet "then it is quiet" D

rm -r "$work/roots/D/one" "$work/roots/D/sub"
echo more >"$work/roots/D/more"
chmod 555 "$work/roots/D" "$work/roots/D/.s3sync" "$work/roots/D/.s3sync/tmp"
! own_server || asked_reset
sync_ D --jobs 1
expect 1 "later it cannot be written: exit status 1"
expect_text err "Uploaded to S3: more" "uploads go on"
expect_text err "$work/roots/D/.s3sync/tmp: Permission denied" \
    "it says what cannot be written"
! own_server || is "the first download is the last" 1 "$(asked GET)"
is "it is recorded" "download|missing-local|1
download|missing-local|0" "$(query D "SELECT action, reason, attempts
    FROM pending")"
chmod 755 "$work/roots/D" "$work/roots/D/.s3sync" "$work/roots/D/.s3sync/tmp"
sync_ D
expect 0 "then it can be"
agree "all agree" D
quiet "and it is quiet" D
tap_end
