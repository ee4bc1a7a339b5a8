#!/bin/bash
# SPDX-License-Identifier: MIT
# The pipeline that s3sync was made for: two daemons, each with a root of its
# own on one prefix, a cycle a second; files and queue files made on both.
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC2119
. "${srcdir:-.}/tests/cli/lib.sh"

server_start
machine dashboard worker
dash=$(root dashboard)
work_root=$(root worker)
queue=image_edit_prompt_for_v3.txt

start_daemon dashboard --interval 1s --done-suffixes ".completed .failed"
dashboard_pid=$daemon_pid
start_daemon worker --interval 1s --done-suffixes ".completed .failed"
worker_pid=$daemon_pid

# made WHERE KEY: a file that says of itself whether it is whole.
made() {
	local file
	file=$1/$2
	mkdir -p "$(dirname "$file")"
	head -c "$((RANDOM * 8))" /dev/urandom | base64 >"$file.making"
	(cat "$file.making" && md5sum <"$file.making") >"$(dirname "$file")/temp_$$"
	rm "$file.making"
	mv "$(dirname "$file")/temp_$$" "$file"
}
# torn ROOT: names of files that are not whole.
torn() {
	find "$1" -name .s3sync -prune -o -name 'temp_*' -prune -o -type f \
	    -name '*.dat' -print | while IFS= read -r file; do
		[ "$(head -n -1 "$file" | md5sum)" = "$(tail -n 1 "$file")" ] ||
		    echo "$file"
	done
}
seen_torn=''

for round in 1 2 3 4 5; do
	made "$dash" "download/page_000$round/image_v$round.dat"
	made "$work_root" "generated/video_$round.dat"
	echo never >"$dash/temp_upload_$round"
	echo "edit $round" >"$dash/prompts_$round.txt"
	seen_torn+=$(torn "$dash"; torn "$work_root")
	sleep 0.7
	seen_torn+=$(torn "$dash"; torn "$work_root")
done
echo "make it blue" >"$dash/$queue"
check "a queue file reaches the worker" \
    eventually 60 test -e "$work_root/$queue"
mv "$work_root/$queue" "$work_root/$queue.completed"
check "its completion reaches the dashboard" \
    eventually 60 test -e "$dash/$queue.completed"
echo "make it red" >"$dash/second.txt"
check "a second one reaches the worker" \
    eventually 60 test -e "$work_root/second.txt"
mv "$work_root/second.txt" "$work_root/second.txt.failed"
check "its failure reaches the dashboard" \
    eventually 60 test -e "$dash/second.txt.failed"
sleep 2.5
check "what is completed does not come back to the worker" \
    test ! -e "$work_root/$queue"
check "nor what has failed" test ! -e "$work_root/second.txt"

everything_is_there() {
	local round
	for round in 1 2 3 4 5; do
		cmp "$dash/generated/video_$round.dat" \
		    "$work_root/generated/video_$round.dat" &&
		    cmp "$dash/download/page_000$round/image_v$round.dat" \
		        "$work_root/download/page_000$round/image_v$round.dat" &&
		    cmp "$dash/prompts_$round.txt" \
		        "$work_root/prompts_$round.txt" || return
	done
}
check "all files have crossed, whole" eventually 60 everything_is_there
sums() { (cd "$1" && find . -name .s3sync -prune -o -type f ! -name 'temp_*' \
    ! -name "$queue" ! -name second.txt -print0 | sort -z | xargs -0 md5sum); }
before=$(sums "$dash")
find "$work_root" -mindepth 1 -delete
check "a root that was emptied is restored" eventually 60 everything_is_there
check "and marked again" test -s "$work_root/.s3sync/root"
expect_text "$work/worker.log" "was emptied or made anew" \
    "the log says that it was emptied"
same_sums() { [ "$(sums "$work_root")" = "$before" ]; }
check "all of it, and nothing else" eventually 60 same_sums
is "nothing was overwritten on the other machine" "$before" "$(sums "$dash")"
is "no file was ever seen half-written" "" "$seen_torn"
is "temp_* was never sent" "" "$(remote_list | grep temp_)"

kill -TERM "$dashboard_pid" "$worker_pid"
SECONDS=0
wait "$dashboard_pid"
is "SIGTERM ends a daemon with 128+15" 143 $?
wait "$worker_pid"
is "and the other" 143 $?
check "within 5 seconds" test $SECONDS -le 5

for line in "S3 bidirectional sync initialized for $dash <-> s3://$bucket/$prefix" \
    "Uploaded to S3: prompts_1.txt" \
    "Downloaded from S3: generated/video_1.dat" \
    "S3 sync completed: ⬇️  "; do
	expect_text "$work/dashboard.log" "$line" "logged: ${line:0:30}"
done
sync_ dashboard --done-suffixes ".completed .failed"
expect 0 "one more cycle on the dashboard"
quiet "and it is quiet" dashboard
tap_end
