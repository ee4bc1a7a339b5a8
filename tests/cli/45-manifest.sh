#!/bin/bash
# SPDX-License-Identifier: MIT
# The manifest: lost, old, damaged, foreign, in use, or where it cannot be
# written. It is never repaired silently, never a reason to transfer what both
# sides have, and what is said to do about it works.
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC2119
. "${srcdir:-.}/tests/cli/lib.sh"

server_start
machine A B
mkdir "$work/roots/A/sub"
for i in $(seq 300); do
	echo "content $i" >"$work/roots/A/sub/a-rather-long-name-of-a-file-$i"
done
sync_ A
agree "a first cycle" A

# move_away A: as the messages say.
move_away() {
	rm -rf "$work/aside"
	mkdir "$work/aside"
	mv "$(state "$1")"* "$work/aside"
}
put_back() { # A
	rm -f "$(state "$1")"*
	mv "$work/aside"/* "$work/state"
}
# moved A: uploads, downloads, adoptions of the last cycle.
moved() {
	query "$1" "SELECT uploaded, downloaded, adopted FROM run
	    ORDER BY id DESC LIMIT 1"
}
# bytes A: of the manifest and its log, which may be made, but empty.
bytes() {
	md5sum <"$(state "$1")"
	cat "$(state "$1")-wal" 2>/dev/null | md5sum
}

# ---- lost, or old -----------------------------------------------------------

move_away A
remember B
sync_ A
expect 0 "lost: exit status 0"
is "lost: all is adopted" "0|0|300" "$(moved A)"
unchanged "lost: without a transfer"
agree "lost: all agree" A
quiet "lost: and it is quiet" A

cp "$(state A)" "$work/old"
rm "$work/roots/A/sub/a-rather-long-name-of-a-file-1"
remote_delete sub/a-rather-long-name-of-a-file-1
echo new >"$work/roots/A/new"
sync_ A
rm "$(state A)"*
cp "$work/old" "$(state A)"
sync_ A
expect 0 "an old copy: exit status 0"
is "an old copy: what came since is adopted" "0|0|1" "$(moved A)"
agree "an old copy: all agree" A
quiet "an old copy: and it is quiet" A

# ---- not to be used ---------------------------------------------------------

# refused NAME TEXT...: the manifest of A, as it is now; is left as it is.
refused() {
	local name=$1 text before
	shift
	before=$(bytes A)
	remember B
	sync_ A
	expect 3 "$name: exit status 3"
	for text; do
		expect_text err "$text" "$name: it says '${text:0:40}'"
	done
	unchanged "$name: nothing moves"
	plan_ A
	expect 3 "$name: nor is there a plan"
	is "$name: it is left as it is" "$before" "$(bytes A)"
}
# rebuilt NAME: after the advice to move it away was followed.
rebuilt() {
	move_away A
	remember B
	sync_ A
	expect 0 "$name: moved away, the cycle runs"
	unchanged "$name: without a transfer"
	agree "$1: all agree" A
	quiet "$1: and it is quiet" A
}
away="move $(state A), $(state A)-wal and $(state A)-shm away together; the next cycle adopts what both sides have, without transfers"

cp "$(state A)" "$work/good"
size=$(stat -c %s "$work/good")
# becomes [SQL]: the manifest of A is standard input, or the good one changed.
becomes() {
	rm -rf "$(state A)"*
	if [ $# = 0 ]; then
		cat >"$(state A)"
	else
		cp "$work/good" "$(state A)"
		sqlite3 "$(state A)" "$1" >/dev/null
	fi
}
own="give this pair a \`state\` file of its own"

seq 1000 | becomes
refused "not a database" "$(state A) is not a manifest: it is no SQLite database" \
    "$away"
head -c 60 "$work/good" | becomes
refused "cut to 60 bytes" "$(state A) is not a manifest" "$away"
rebuilt "not a database"
for keep in 4096 $((size / 2 / 4096 * 4096)) $((size - 1)); do
	head -c "$keep" "$work/good" | becomes
	refused "cut to $keep of $size bytes" \
	    "the manifest $(state A) is damaged" "$away"
done
rebuilt "damaged"
for page in 1 7 $((size / 4096 - 1)); do
	becomes "SELECT 1"
	dd if=/dev/zero of="$(state A)" bs=4096 seek="$page" count=1 \
	    conv=notrunc status=none
	before=$(md5sum "$(state A)")
	for cycle in first second; do
		sync_ A
		expect 3 "page $page lost, $cycle cycle: exit status 3"
		expect_text err "the manifest $(state A) is damaged" \
		    "page $page lost, $cycle cycle: it says so"
	done
	is "page $page lost: it is left as it is" "$before" "$(md5sum "$(state A)")"
done
becomes "DROP TABLE pending"
refused "a table is not there" "the manifest $(state A) is damaged" "$away"
becomes "PRAGMA user_version = 99"
refused "newer" "was written by a newer s3sync (version 99" \
    "upgrade this one, or give the pair another \`state\` file"
becomes "PRAGMA application_id = 7"
refused "another program's" "it is another program's SQLite database" "$own"
becomes "UPDATE meta SET value = 'elsewhere' WHERE name = 'bucket'"
refused "another bucket's" "its bucket is 'elsewhere', not '$bucket'" \
    "give this pair a state file of its own (--state), or correct the bucket"
becomes "UPDATE meta SET value = 'else/' WHERE name = 'prefix'"
refused "another prefix's" "its prefix is 'else/', not '$prefix'" \
    "give this pair a state file of its own (--state), or correct the prefix"
becomes "SELECT 1"
echo "frames" >"$(state A)-wal"
rm "$(state A)"
remember B
sync_ A
expect 3 "its log without it: exit status 3"
expect_text err "$(state A) is missing or empty, but its log $(state A)-wal is there: put the manifest back, or move the log away too" \
    "its log without it: it says so"
unchanged "its log without it: nothing moves"
rm "$(state A)-wal"
mkdir "$(state A)"
sync_ A
expect 3 "a directory: exit status 3"
expect_text err "$(state A) is a directory, not a manifest" "a directory: it says so"
rmdir "$(state A)"
: | becomes
sync_ A
expect 0 "an empty file is as good as none"
agree "all agree" A
quiet "and it is quiet" A

# A daemon follows when it is moved away.
becomes "DELETE FROM run"
dd if=/dev/zero of="$(state A)" bs=4096 seek=$((size / 4096 - 1)) count=1 \
    conv=notrunc status=none
start_daemon A --interval 300ms
check "a daemon says it" eventually 10 grep -qF "$away" "$work/A.log"
move_away A
check "and goes on as soon as it was moved away" \
    eventually 10 grep -q "S3 sync completed" "$work/A.log"
kill "$daemon_pid"
wait "$daemon_pid"
agree "all agree" A
quiet "and it is quiet" A

# ---- in use -----------------------------------------------------------------

start_daemon A --interval 300ms
check "a daemon runs" eventually 10 grep -q "S3 sync completed" "$work/A.log"
remember A
sync_ A
expect 3 "a sync beside it: exit status 3"
expect_text err "the manifest $(state A) is in use by process $daemon_pid; one s3sync at a time can keep a pair in sync" \
    "it names the manifest and the process"
run "$bin/s3sync" daemon "$(root A)" "s3://$bucket/$prefix" \
    --endpoint-url "$endpoint" --state "$(state A)"
expect 3 "a second daemon: exit status 3"
expect_text err "is in use by process $daemon_pid" "for the same reason"
run "$bin/s3sync" sync "$(root A)" "s3://$bucket/$prefix" \
    --endpoint-url "$endpoint" --state "$work/roots/../state/./A.db"
expect 3 "under another name of it, too"
plan_ A
expect 0 "a plan may look at it"
run "$bin/s3sync-state" --state "$(state A)" status
expect 0 "and so may s3sync-state"
unchanged "nothing moves"
kill -KILL "$daemon_pid"
wait "$daemon_pid" 2>/dev/null
sync_ A
expect 0 "the lock dies with its process"
quiet "and it is quiet" A

echo racing >"$work/roots/A/racing"
for i in 1 2 3 4 5 6; do
	"$bin/s3sync" sync "$(root A)" "s3://$bucket/$prefix" --settle 0 \
	    --endpoint-url "$endpoint" --state "$(state A)" \
	    2>"$work/race$i" </dev/null &
	racers[i]=$!
done
why=''
for i in 1 2 3 4 5 6; do
	wait "${racers[i]}"
	case $?:$(cat "$work/race$i") in
	0:* | 3:*"is in use by process"*) ;;
	*) why+="$i: $(cat "$work/race$i")" ;;
	esac
done
check_empty "of many at once each syncs, or says that another does" "$why"
is "one has sent the file" 1 "$(cat "$work"/race? | grep -c "Uploaded to S3: racing")"
agree "all agree" A
quiet "and it is quiet" A

# ---- a plan changes nothing -------------------------------------------------

echo planned >"$work/roots/A/planned"
rm "$work/roots/A/new"
remote_put from-far "$work/roots/A/planned"
sync_ B
rm "$work/roots/B/new"
files() { # A: all of its state but SQLite's locks, and our own in its root
	find "$work/state" ! -name '*-shm' -printf '%p %s %T@\n'
	md5sum "$(state "$1")" "$(state "$1")-wal"
	find "$(root "$1")/.s3sync" -printf '%p %s %T@ %C@\n'
}
before=$(files A)
remember A
plan_ A
expect 0 "plan: exit status 0"
expect_text out "upload    new-local" "it says what would go up"
expect_text out "download  new-remote" "and down"
expect_text out "download  missing-local" "and be restored"
unchanged "nothing moves, and no row is written"
is "not a byte of the manifest changes" "$before" "$(files A)"
machine D
plan_ D
expect 0 "a plan where nothing ever was"
is "makes nothing" "" \
    "$(ls -A "$work/roots/D"; find "$work/state" -name 'D*')"
sync_ A
agree "what was planned is done" A

# ---- where it cannot be written ---------------------------------------------

machine C
mkdir "$work/closed"
chmod 555 "$work/closed"
as_nobody C
sync_ C
agree "another user" C
remember C
sync_ C --state "$work/closed/C.db"
expect 3 "a directory that cannot be written: exit status 3"
expect_text err "the manifest $work/closed/C.db cannot be written; give the pair a \`state\` file where this user may write" \
    "it names the manifest, and says what to do"
sync_ C --state "$work/closed/sub/C.db"
expect 3 "one that cannot be made: exit status 3"
expect_text err "$work/closed/sub" "it is named"
sync_ C --state /proc/no/C.db
expect 3 "one that never can be made: exit status 3"
sync_ C --state "$work/err/C.db"
expect 3 "one that is a file: exit status 3"
expect_text err "$work/err" "it is named"
cp "$(state C)" "$work/closed/C.db"
chmod 444 "$work/closed/C.db"
sync_ C --state "$work/closed/C.db"
expect 3 "a manifest that may only be read: exit status 3"
expect_text err "$work/closed/C.db" "it is named"
chmod 755 "$work/state"
chmod 444 "$(state C)"
sync_ C
expect 3 "even where its directory may be written: exit status 3"
expect_text err "give the pair another \`state\` file" "it says what to do"
chmod 000 "$(state C)"
sync_ C
expect 3 "one that may not even be read: exit status 3"
expect_text err "cannot open the manifest $(state C): Permission denied" \
    "it says so"
chmod 644 "$(state C)"
unchanged "nothing has moved"
quiet "and it is quiet" C
chmod 755 "$work/closed"
tap_end
