#!/bin/bash
# SPDX-License-Identifier: MIT
# Which keys a pair is about, and when a file is ready: filters, settle, done
# suffixes. What is left out is never touched, on either side.
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC2119
. "${srcdir:-.}/tests/cli/lib.sh"

server_start
machine A B
a=$(root A)

# ---- filters ----------------------------------------------------------------

mkdir -p "$a/logs/deep" "$a/keep" "$a/cache"
for file in a.txt temp_1 keep/temp_2 logs/x.log logs/deep/y.log keep/z.log \
    cache/c1 cache/important; do
	echo "$file" >"$a/$file"
done
sync_ A --exclude '*.log' --include 'keep/*.log' --exclude '/cache/'
expect 0 "excluded files do not fail the cycle"
is "the last pattern that matches decides" "a.txt keep/z.log" \
    "$(remote_list | cut -f1 | paste -sd' ')"
is "what is excluded has no row" "a.txt|keep/z.log" \
    "$(query A "SELECT group_concat(CAST(key AS TEXT), '|') FROM entry")"
is "nor a pending one" 0 "$(query A "SELECT count(*) FROM pending")"

sync_ A --exclude 'keep/'
expect 0 "a filter that comes later"
is "brings what it lets in" "a.txt cache/c1 cache/important keep/z.log logs/deep/y.log logs/x.log" \
    "$(remote_list | cut -f1 | paste -sd' ')"
check "and deletes nothing here" test -e "$a/keep/z.log"
is "what it excludes is forgotten" 0 "$(query A "SELECT count(*) FROM entry
    WHERE CAST(key AS TEXT) LIKE 'keep/%'")"
rm "$a/keep/z.log"
sync_ A --exclude 'keep/'
check "what is excluded is not restored" test ! -e "$a/keep/z.log"
sync_ A
check "until it is no longer" test -e "$a/keep/z.log"
agree "without a filter all agree" A
sync_ A --include 'temp_*'
is "temp_* can be let in" 2 "$(remote_list | grep -c temp_)"
sync_ B
expect 0 "another machine, by default"
is "does not fetch it" 0 "$(find "$(root B)" -name 'temp_*' | wc -l)"
remote_delete temp_1
remote_delete keep/temp_2
sync_ A
quiet "and all is quiet" A

# ---- settle -----------------------------------------------------------------

echo young >"$a/young"
SECONDS=0
sync_ A --settle 2s
expect 0 "one cycle waits for a young file"
check "as long as settle says" test $SECONDS -ge 1
expect_text err "Uploaded to S3: young" "and sends it"

(for i in $(seq 30); do
	echo "line $i" >>"$a/growing"
	sleep 0.1
done) &
sync_ A --settle 1s
wait $!
expect 0 "a file that is still written is waited for"
is "and sent whole" "$(md5sum <"$a/growing")" \
    "$(remote_get growing | md5sum)"

start_daemon A --interval 1s --settle 3s
check "a daemon has begun" eventually 10 grep -q completed "$work/A.log"
echo fresh >"$a/fresh"
sleep 1.5
is "a daemon leaves a young file to a later cycle" "" "$(remote_list | grep fresh)"
check "and sends it then" eventually 15 grep -qF "Uploaded to S3: fresh" "$work/A.log"
kill "$daemon_pid"
wait "$daemon_pid"
quiet "and all is quiet" A
agree "all agree" A

# ---- done suffixes ----------------------------------------------------------

done_sync() {
	sync_ "$1" --done-suffixes '.completed .failed'
}
for key in q1 q2 q3 q4; do
	echo "$key" >"$a/$key.txt"
done
done_sync A
done_sync B
mv "$(root B)/q1.txt" "$(root B)/q1.txt.completed"
mv "$(root B)/q2.txt" "$(root B)/q2.txt.failed"
done_sync B
expect 0 "work that is done"
check "does not come back" test ! -e "$(root B)/q1.txt" -a ! -e "$(root B)/q2.txt"
is "its row says why" "none|done" "$(query B "SELECT action, reason FROM pending
    WHERE key = CAST('q1.txt' AS BLOB)")"
done_sync A
check "the other machine learns of it" test -e "$a/q1.txt.completed"
rm "$a/q1.txt"
done_sync A
check "and does not get it back either" test ! -e "$a/q1.txt"
remote_delete q2.txt
done_sync A
is "what is done is not sent again" "" "$(remote_list | grep -P 'q2.txt\t')"
echo again >"$a/q5.txt.completed"
echo again >"$a/q5.txt"
done_sync A
is "nor sent when its completion came first" "" "$(remote_list | grep -P 'q5.txt\t')"
rm "$a/q5.txt.completed"
remote_delete q5.txt.completed
done_sync A
is "when the completion is gone it is work again" 1 \
    "$(remote_list | grep -cP 'q5.txt\t')"
done_sync B
before=$(query B ".dump pending")
done_sync B
expect 0 "a further cycle"
is "writes no row of a key" "$before" "$(query B ".dump pending")"
tap_end
