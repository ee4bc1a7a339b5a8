#!/bin/bash
# SPDX-License-Identifier: MIT
# What moves while a cycle runs: files that grow, shrink, change, are replaced
# or vanish while they are read, names that are taken before a download gets
# them, objects that are not what the listing said. Nothing torn appears
# anywhere, nothing is overwritten, and the next cycle converges.
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC2119
. "${srcdir:-.}/tests/cli/lib.sh"

if ! own_server; then
	tap_skip_all "only the test server waits on command"
fi
server_start
machine A

# begin_sync [FLAG...]: a cycle of A, left running; end_sync: until it is over.
begin_sync() {
	asked_reset
	(sync_ A "$@"; exit "$status") &
	sync_pid=$!
}
end_sync() {
	wait "$sync_pid"
	status=$?
}
# has_asked KIND COUNT: so many requests are under way, or were.
has_asked() {
	[ "$(asked "$1")" -ge "$2" ]
}
letters() { # LETTER COUNT
	head -c "$2" /dev/zero | tr '\0' "$1"
}
pending() { # KEY
	query A "SELECT action || '|' || reason FROM pending
	    WHERE key = CAST('$1' AS BLOB)"
}

# The server is known by now: what is counted from here on are uploads.
echo first >"$work/roots/A/first"
sync_ A
rm "$work/roots/A/first"
remote_delete first

# ---- while a file is read ---------------------------------------------------

# More than the sockets hold, so that the end of it is still to be read.
large=15000000
for key in grows shrinks changes touched replaced vanishes becomes-dir \
    dir-moves/file; do
	mkdir -p "$(dirname "$work/roots/A/$key")"
	letters a $large >"$work/roots/A/$key"
done
letters a $large >"$work/roots/A/stays"
letters b $large >"$work/replacement"
faults "PUT upload-delay=3000"
begin_sync
check "all uploads are under way" eventually 20 has_asked PUT 9
echo more >>"$work/roots/A/grows"
truncate -s $((large - 1)) "$work/roots/A/shrinks"
printf b | dd of="$work/roots/A/changes" conv=notrunc status=none
touch -d '2001-01-01' "$work/roots/A/touched"
mv "$work/replacement" "$work/roots/A/replaced"
rm "$work/roots/A/vanishes" "$work/roots/A/becomes-dir"
mkdir "$work/roots/A/becomes-dir"
mv "$work/roots/A/dir-moves" "$work/roots/A/dir-moved"
end_sync
expect 1 "files that change while they are sent: exit status 1"
is "only what stayed is there" stays "$(remote_list | cut -f1)"
while read -r key why; do
	expect_text err "The upload of $key waits for the next cycle: $why" "$key"
done <<'END'
grows the file grew from 15000000 to 15000005 bytes
shrinks the file shrank while it was sent
changes the file was modified
touched the file was modified
replaced the file was replaced
vanishes the file vanished
becomes-dir the file was replaced
dir-moves/file the file vanished
END
no_faults
sync_ A
expect 0 "the next cycle sends what is there"
agree "all agree" A
quiet "and it is quiet" A

# Small files are sent from memory: what is there is what was hashed.
for i in $(seq 10); do
	letters a 200000 >"$work/roots/A/small$i"
done
faults "PUT upload-delay=2000"
begin_sync
check "all uploads are under way" eventually 20 has_asked PUT 10
for i in $(seq 10); do
	letters b 100000 | dd of="$work/roots/A/small$i" conv=notrunc status=none
done
end_sync
no_faults
torn=''
for key in $(remote_list | cut -f1 | grep small); do
	remote_get "$key" >"$work/object"
	cmp -s "$work/object" <(letters a 200000) || torn+=" $key"
done
check_empty "of small files nothing torn is there either" "$torn"
sync_ A
expect 0 "the next cycle finds them changed since, and overwrites nothing"
is "and says so" "none|local-changed" "$(pending small1)"
quiet "and it is quiet" A
rm "$work/roots/A"/small*
sync_ A
agree "without them all agree" A

# ---- between the look at a file and its upload ------------------------------

mkdir "$work/roots/A/early"
for key in grows vanishes becomes-fifo becomes-link becomes-dir unlucky; do
	echo "$key" >"$work/roots/A/early/$key"
done
faults "LIST delay=2000"
begin_sync
check "the listing is under way" eventually 20 has_asked LIST 1
sleep 0.5 # the scan is over by now
cd "$work/roots/A/early" || exit
echo more >>grows
rm vanishes becomes-*
mkfifo becomes-fifo
ln -s grows becomes-link
mkdir becomes-dir
cd - >/dev/null || exit
remote_put early/unlucky "$work/port"
end_sync
no_faults
expect 1 "files that change after they were looked at: exit status 1"
is "what is there then is sent" "early/grows
early/unlucky" "$(remote_list | cut -f1 | grep early)"
is "whole" "grows
more" "$(remote_get early/grows)"
expect_text err "The upload of early/vanishes waits for the next cycle: the file vanished" \
    "what vanished is no failure"
expect_text err "early/becomes-fifo failed: it is a FIFO" "a FIFO is not waited for"
expect_text err "early/becomes-link failed: it is, or is reached through, a symlink" \
    "a symlink is not followed"
expect_text err "early/becomes-dir failed: it is a directory" "nor a directory read"
expect_text err "early/unlucky waits for the next cycle: the bucket has an object of this key by now" \
    "another machine was faster"
is "its object is not replaced" "$(cat "$work/port")" \
    "$(remote_get early/unlucky)"
sync_ A
expect 0 "the next cycle sees it all"
is "what is left" "early/becomes-fifo|none|blocked-type
early/becomes-link|none|blocked-type
early/unlucky|none|different" "$(query A "SELECT CAST(key AS TEXT), action, reason
    FROM pending")"
quiet "and it is quiet" A
rm -r "$work/roots/A/early"
sync_ A
agree "without them all agree" A

# ---- a name that is taken before a download gets it -------------------------

for key in file small large-file dir link parent/below loop/below; do
	letters c 1000 >"$work/object"
	[ $key != large-file ] || letters c 600000 >"$work/object"
	remote_put "taken/$key" "$work/object"
done
letters c 1000 >"$work/object"
remote_put taken/free "$work/object"
remote_put taken/replaced "$work/object"
remote_put taken/deleted "$work/object"
mkdir "$work/outside"
faults "GET delay=1500"
begin_sync
check "all downloads are under way" eventually 20 has_asked GET 10
mkdir -p "$work/roots/A/taken"
cd "$work/roots/A/taken" || exit
echo mine >file
: >small
echo mine >large-file
mkdir dir
ln -s "$work/outside/link" link
echo mine >parent
ln -s "$work/outside" loop
cd - >/dev/null || exit
end_sync
expect 1 "names that are taken: exit status 1"
is "what was there by then is untouched" "file:mine
large-file:mine
parent:mine
small:" "$(cd "$work/roots/A/taken" &&
    for key in file large-file parent small; do
	echo "$key:$(cat $key)"
    done)"
check_empty "nothing came through a symlink" "$(ls -A "$work/outside")"
expect_text err "The download of taken/file waits for the next cycle: something has the name already" \
    "it says why"
expect_text err "taken/parent" "and of a parent that is a file"
is "the others are there" "$(cat "$work/object")" "$(cat "$work/roots/A/taken/free")"
check_empty "nothing half-done is left" "$(find "$work/roots/A/.s3sync/tmp" -type f)"
no_faults
sync_ A
expect 0 "the next cycle sees it all"
is "each for its own reason" "taken/dir|blocked-type|a directory has this name, here or in the bucket
taken/file|different|
taken/large-file|different|
taken/link|blocked-type|a symlink
taken/loop|blocked-type|a symlink
taken/loop/below|blocked-type|a parent directory is a file or an object
taken/parent|blocked-type|a directory has this name, here or in the bucket
taken/parent/below|blocked-type|a parent directory is a file or an object
taken/small|different|" "$(query A "SELECT CAST(key AS TEXT), reason, detail
    FROM pending ORDER BY CAST(key AS TEXT)")"
quiet "and it is quiet" A
rm -r "$work/roots/A/taken"
sync_ A
agree "without them all is restored" A
quiet "and it is quiet" A

# ---- an object that is not what the listing said ----------------------------

rm -r "$work/roots/A/taken"
letters d 2000 >"$work/object"
faults "LIST delay=2000"
begin_sync
check "the listing is under way" eventually 20 has_asked LIST 1
sleep 0.5
remote_put taken/replaced "$work/object"
remote_delete taken/deleted
end_sync
no_faults
expect 1 "objects that change after they were listed: exit status 1"
expect_text err "The download of taken/deleted waits for the next cycle: the object is gone" \
    "the one that is gone is named"
expect_text err "The download of taken/replaced waits for the next cycle: the object is another one by now" \
    "and the one that was replaced"
check "neither is there" test ! -e "$work/roots/A/taken/replaced" \
    -a ! -e "$work/roots/A/taken/deleted"
sync_ A
expect 0 "the next cycle fetches what is there"
agree "all agree" A
quiet "and it is quiet" A

# ---- the root itself --------------------------------------------------------

rm -r "$work/roots/A/taken"
faults "GET delay=1500"
begin_sync --jobs 4
check "downloads are under way" eventually 20 has_asked GET 4
rm -rf "$work/roots/A"
end_sync
no_faults
expect 1 "the root is removed under way: exit status 1"
check "no further downloads are begun" [ "$(asked GET)" -le 8 ]
check "it is not made again" test ! -e "$work/roots/A"
sync_ A
expect 3 "the next cycle does not run without it"
mkdir "$work/roots/A"
sync_ A
expect 0 "made anew, all is restored"
agree "all agree" A
quiet "and it is quiet" A
tap_end
