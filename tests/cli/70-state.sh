#!/bin/bash
# SPDX-License-Identifier: MIT
# s3sync-state: what it shows, in which forms, and of which manifests.
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"

# state_ FLAG...: about the manifest of machine A.
state_() {
	run "$bin/s3sync-state" --state "$(state A)" "$@"
}
# on_terminal FLAG...: as its user sees it.
on_terminal() {
	run script -qec "'$bin/s3sync-state' --state '$(state A)' $*" /dev/null
	tr -d '\r' <"$work/out" >"$work/shown"
}
# json PATH: of the object in out; of line N's object with json PATH N.
json() {
	sed -n "${2:-1}p" "$work/out" >"$work/object"
	sqlite3 :memory: \
	    "SELECT json_extract(CAST(readfile('$work/object') AS TEXT), '$1')"
}
sql() {
	sqlite3 "$(state A)" "$1"
}

# ---- nothing to show --------------------------------------------------------

state_ status
expect 3 "no manifest is status 3"
expect_text err "there is no manifest $(state A)" "and is named"
is "none is made" "" "$(ls -A "$work/state")"

echo "not a database, but 30 bytes" >"$(state A)"
state_ ls
expect 3 "what is no manifest is status 3"
expect_text err "is not a manifest" "and is told so"
is "it is left as it is" "not a database, but 30 bytes" "$(cat "$(state A)")"
rm "$(state A)"

run "$bin/s3sync-state"
expect 2 "without configuration there is nothing to show"
run "$bin/s3sync-state" --help
expect 0 "--help"
expect_text out "pending" "--help names the commands"
run "$bin/s3sync-state" --version
expect 0 "--version"

# ---- a manifest with one of everything --------------------------------------

etag=d41d8cd98f00b204e9800998ecf8427e
sqlite3 "$(state A)" <"$srcdir/schema/schema.sql"
sql "INSERT INTO meta VALUES ('pair', 'extracted'),
	('root_path', '/srv/extracted'), ('bucket', 'contentextract'),
	('prefix', 'extract/'), ('endpoint', 'https://example.net');
    INSERT INTO entry VALUES
	(CAST('download/b' AS BLOB), 2, 1, 1500, 1700000000123456789, 2, 3, 1500,
	    1700000001000, 'abc-2', NULL),
	(CAST('download/a' AS BLOB), 1, 0, 0, 1700000000123456789, 2, 3, 0, NULL,
	    x'$etag', NULL),
	(CAST('download' AS BLOB), 1, 0, 10, 1700000000123456789, 2, 3, 10, NULL, NULL,
	    x'00112233445566778899aabbccddeeff'),
	(x'7a0aff', 1, 0, 10, 1700000000123456789, 2, 3, 10, NULL, NULL, NULL);
    INSERT INTO pending VALUES
	(CAST('new' AS BLOB), 'upload', 'new-local', NULL, 20, 1700000000123456789, 2, 3,
	    NULL, NULL, NULL, 3, 4000000000000000000, 1, 'AccessDenied (403)'),
	(CAST('two' AS BLOB), 'none', 'different', '10 bytes here, 30 there', 10, 1, 2, 3,
	    30, 1700000001000, x'$etag', 0, 0, 1, NULL);
    INSERT INTO run (id, started_ns, ended_ns, outcome, downloaded, uploaded,
	bytes_down, list_requests, get_requests, put_requests, retries,
	wire_up, wire_down, failed, error)
    VALUES (1, 1700000000000000000, 1700000001500000000, 'done', 5, 3, 2048, 1,
	5, 4, 1, 3072, 4096, 0, NULL),
	(2, 1700000060000000000, 1700000061000000000, 'failed', 0, 0, 0, 0, 0,
	0, 0, 0, 0, 1, 'the listing: no answer');"
before=$(md5sum "$(state A)")

state_ status
expect 0 "status"
is "status is one page" "extracted
  root      /srv/extracted
  remote    s3://contentextract/extract/ at https://example.net
  manifest  $(state A)
  now       nobody is at work
  agreed    4 keys, 1.5 KiB; of 1, sizes are equal and contents were not compared
  pending   2 keys
          1 different           10 B  different on both sides; left alone
          1 new-local           20 B  new here; 1 failed" \
    "$(grep -v -e 'last run' -e '^            ' "$work/out")"
expect_text out "last run  2023-11-14T22:14:20.000Z, " "it tells of the last run"
expect_text out "failed in 1.0 s" "and how it ended"
expect_text out "the listing: no answer" "and why"
run "$bin/s3sync-state" --state "$(state A)"
expect_text out "pending   2 keys" "status is what is shown unasked"

state_ status --json
is "status as JSON is one line" 1 "$(wc -l <"$work/out")"
is "JSON: root" /srv/extracted "$(json '$.root')"
is "JSON: agreed" 4,3,1,1520 "$(json '$.agreed.keys'),$(json \
    '$.agreed.synced'),$(json '$.agreed.assumed'),$(json '$.agreed.bytes')"
is "JSON: pending" new-local,1 \
    "$(json '$.pending[1].reason'),$(json '$.pending[1].failing')"
is "JSON: last run" 2,failed \
    "$(json '$.last_run.id'),$(json '$.last_run.outcome')"
is "JSON: nobody is at work" 0,0 "$(json '$.running'),$(json '$.in_use')"

# ---- ls ---------------------------------------------------------------------

state_ ls
is "ls: keys in order, one a line whatever they hold" \
    'download
download/a
download/b
z\x0a\xff' "$(cat "$work/out")"
state_ ls --prefix download/
is "ls: those that begin so" "download/a
download/b" "$(cat "$work/out")"
state_ ls --prefix=download
is "ls: the prefix itself may be a key" 3 "$(wc -l <"$work/out")"
state_ ls --prefix nothing
expect 0 "ls: none is no failure"
is "ls: none" "" "$(cat "$work/out")"

state_ ls --long
is "ls: fields between tabs, exact" "assumed|1500|2023-11-14T22:13:20.123Z|abc-2|download/b" \
    "$(sed -n 3p "$work/out" | tr '\t' '|')"
expect_text out $'\t-\tdownload' "ls: what is not there is a dash"
on_terminal ls --long
expect_text shown "assumed   1.5 KiB  2023-11-14T22:13:20+0000  abc-2 " \
    "ls: for people, sizes are rounded"

state_ ls --json
is "ls: an object a line" 4 "$(wc -l <"$work/out")"
is "ls: JSON has the exact times" 1700000000123456789 "$(json '$.mtime_ns' 2)"
is "ls: JSON has the ETag as it was sent" $etag "$(json '$.etag' 2)"
is "ls: JSON has the checksum" 00112233445566778899aabbccddeeff \
    "$(json '$.md5' 1)"
is "ls: a key that is not UTF-8 comes exactly, too" 7a0aff \
    "$(json '$.key_base64' 4 | base64 -d | od -An -tx1 | tr -d ' ')"

# ---- pending ----------------------------------------------------------------

state_ pending
is "pending: fields between tabs" "upload|new-local|3|2096-10-02T07:06:40.000Z|AccessDenied (403)|-|new
none|different|0|-|-|10 bytes here, 30 there|two" "$(tr '\t' '|' <"$work/out")"
state_ pending --reason different
is "pending: of one reason" two "$(cut -f7 "$work/out")"
state_ pending --prefix n
is "pending: those that begin so" new "$(cut -f7 "$work/out")"
on_terminal pending
expect_text shown "failed 3 times, next try in " "pending: people are told of tries"
state_ pending --json
is "pending: JSON" "planned||20|" "$(json '$.class')|$(json \
    '$.detail')|$(json '$.local.size')|$(json '$.remote')"
is "pending: JSON of the other" "differing|30|$etag" "$(json '$.class' \
    2)|$(json '$.remote.size' 2)|$(json '$.remote.etag' 2)"

# ---- runs -------------------------------------------------------------------

state_ runs
is "runs: newest first, fields between tabs" "2|2023-11-14T22:14:20.000Z|2023-11-14T22:14:21.000Z|failed|0|0|0|1|0|0|0|0|0|-|the listing: no answer
1|2023-11-14T22:13:20.000Z|2023-11-14T22:13:21.500Z|done|5|3|0|0|0|0|0|3072|4096|1 list, 5 get, 4 put, 1 again|-" \
    "$(tr '\t' '|' <"$work/out")"
state_ runs --limit 1
is "runs: as many as are asked for" 2 "$(cut -f1 "$work/out")"
on_terminal runs
expect_text shown "     1  2023-11-14T22:13:20+0000     1.5 s  done " \
    "runs: for people"
expect_text shown "3.0 KiB   4.0 KiB  1 list, 5 get, 4 put, 1 again" \
    "with what they cost"
state_ runs --json
is "runs: JSON" "2048|1" "$(json '$.bytes_down' 2)|$(json '$.failed' 1)"
is "runs: JSON of requests" "5|0|1|4096" "$(json '$.get_requests' 2)|$(json \
    '$.upload_part_requests' 2)|$(json '$.retries' 2)|$(json '$.wire_down' 2)"
is "nothing was written" "$before" "$(md5sum "$(state A)")"

# ---- somebody is at work, or was --------------------------------------------

sql "INSERT INTO run (id, started_ns, outcome)
    VALUES (3, 1700000120000000000, 'running')"
state_ runs --limit 1
is "a run without an end and without a process was killed" killed \
    "$(cut -f4 "$work/out")"
echo 4711 >"$(state A).lock"
flock "$(state A).lock" sleep 60 &
holder=$!
eventually 5 sh -c "! flock -n '$(state A).lock' true"
state_ status
expect_text out "now       a cycle is running (process 4711)" \
    "a run with a process goes on"
state_ runs --limit 1
is "runs says so, too" running "$(cut -f4 "$work/out")"
sql "UPDATE run SET ended_ns = started_ns, outcome = 'done' WHERE id = 3"
state_ status
expect_text out "now       between two cycles (process 4711)" \
    "a daemon that waits"
kill $holder
wait $holder 2>/dev/null

# ---- wrong command lines ----------------------------------------------------

state_ lss
expect 2 "no such command"
expect_text err "did you mean 'ls'?" "a command that is near"
state_ pending --reason diferent
expect 2 "no such reason"
expect_text err "did you mean 'different'?" "a reason that is near"
state_ ls --limit 3
expect 2 "a flag of another command"
for limit in x -1 3x ''; do
	state_ runs --limit "$limit"
	expect 2 "--limit '$limit'"
done

# ---- output that cannot be written ------------------------------------------

sql "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
	LIMIT 50000)
    INSERT INTO entry SELECT CAST(printf('many/%08d', i) AS BLOB), 1, 0, i, i,
	i, i, i, NULL, NULL, NULL FROM n"
state_ ls --prefix many/
is "ls streams" 50000 "$(wc -l <"$work/out")"
"$bin/s3sync-state" --state "$(state A)" ls 2>"$work/err" | head -n 1 >"$work/out"
is "a reader that has seen enough ends it" 141 "${PIPESTATUS[0]}"
is "without a word" "" "$(cat "$work/err")"
(
	trap '' PIPE
	"$bin/s3sync-state" --state "$(state A)" ls 2>"$work/err"
	echo $? >"$work/status"
) | head -n 1 >"$work/out"
is "also where SIGPIPE is ignored" 141 "$(cat "$work/status")"
is "without a word again" "" "$(cat "$work/err")"
"$bin/s3sync-state" --state "$(state A)" ls >/dev/full 2>"$work/err"
is "a full disk is a failure" 3 $?
expect_text err "cannot be written" "and is told"

# ---- pairs of a configuration -----------------------------------------------

mkdir -p "$work/config/s3sync"
cat >"$work/config/s3sync/s3sync.conf" <<END
[defaults]
endpoint_url = http://127.0.0.1:9
[pair first]
local = $work/roots/first
remote = s3://bucket/first
state = $(state A)
env_file = $work/not/for/this/user
[pair second]
local = $work/roots/second
remote = s3://bucket/second
state = $(state B)
[pair third]
local = $work/roots/third
remote = s3://bucket/third
state = $(state C)
END
sqlite3 "$(state C)" <"$srcdir/schema/schema.sql"
run "$bin/s3sync-state" pending
expect 3 "one manifest of three is missing"
expect_text err "second: there is no manifest" "it is named"
is "the others are shown" "==> first <==
new
two

==> third <==" "$(cut -f7 "$work/out")"
run "$bin/s3sync-state" pending first
expect 0 "one pair by name"
is "no heading then" new "$(head -n 1 "$work/out" | cut -f7)"
run "$bin/s3sync-state" status third --json
is "the pair's name in JSON" third "$(json '$.pair')"
is "no run yet" "" "$(json '$.last_run')"
run "$bin/s3sync-state" status fourth
expect 2 "no such pair"
run "$bin/s3sync-state" --config "$work/nowhere.conf" status
expect 2 "no such configuration"
run "$bin/s3sync-state" --config "$work/config/s3sync/s3sync.conf" ls third
expect 0 "a configuration by name"

# ---- what a real cycle has left ---------------------------------------------

# shellcheck disable=SC2119
server_start
machine R
for i in 1 2 3; do
	echo $i >"$(root R)/file-$i"
done
sync_ R
expect 0 "a cycle"
run "$bin/s3sync-state" --state "$(state R)" ls
is "the keys that it made agree" "file-1
file-2
file-3" "$(cat "$work/out")"
run "$bin/s3sync-state" --state "$(state R)" status --json
is "its counts" "3|0|3|done" "$(json '$.agreed.keys')|$(json \
    '$.pending_keys')|$(json '$.last_run.uploaded')|$(json \
    '$.last_run.outcome')"
start_daemon R --interval 1s
eventually 10 sh -c "'$bin/s3sync-state' --state '$(state R)' status |
    grep -q 'process $daemon_pid'"
is "the daemon is seen at work" 0 $?
kill -TERM "$daemon_pid"
wait "$daemon_pid"
run "$bin/s3sync-state" --state "$(state R)" status
expect_text out "nobody is at work" "and gone"

tap_end
