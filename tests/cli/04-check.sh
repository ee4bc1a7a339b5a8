#!/bin/bash
# SPDX-License-Identifier: MIT
# s3sync check: each single thing that may be wrong has its line, what to do,
# and its exit status. Nothing is written but the check's own keys, and they
# are removed again. No secret is ever shown.
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"

server_start
machine A
for name in one three two; do
	echo $name >"$work/file"
	remote_put $name "$work/file"
done

# What the check says is kept: secrets are looked for in the end.
check_() { # A [FLAG...]
	command_ check "$@"
	cat "$work/out" "$work/err" >>"$work/said"
}
# says NAME VERDICT ITEM TEXT: a line of what was found.
says() {
	if grep -E "^  $2 +$3: " "$work/out" | grep -qF -- "$4"; then
		tap_ok "$1"
	else
		tap_not_ok "$1" "no '$2 $3: $4'; $(show_last)"
	fi
}
advises() { # NAME TEXT
	if grep -E '^             ' "$work/out" | grep -qF -- "$2"; then
		tap_ok "$1"
	else
		tap_not_ok "$1" "no advice '$2'; $(show_last)"
	fi
}
# fresh: a pair of which no manifest knows.
fresh() {
	echo "--state $work/state/fresh.db"
}
statement() { # ACTION RESOURCE
	echo "{\"Effect\":\"Allow\",\"Action\":\"$1\",\"Resource\":\"$2\""
}
objects="arn:aws:s3:::$bucket/$prefix*"
# untouched NAME: neither side of A, nor beside the manifest.
snapshot() {
	# but for the memory that SQLite's readers and writers share
	find "$work/roots" "$work/state" ! -name '*-shm' \
	    -printf '%p %s %T@ %i\n' | sort
	remote_list
}
untouched() {
	check_empty "$1" "$(diff <(echo "$before") <(snapshot))"
}

# ---- all is well -------------------------------------------------------------

# Ceph's gateway ignores conditions on completions, of which is warned.
well=0
own_server || well=1

before=$(snapshot)
check_ A
expect $well "all is well: exit status $well"
is "nothing has failed" "" "$(grep '^  failed' "$work/out")"
says "credentials: which, and where from" ok credentials \
    "te… from the environment"
says "the server" ok endpoint "$endpoint answers"
says "the clock" ok clock "within 1 s"
says "the listing" ok LIST "3 keys"
for item in DELETE PUT GET "large uploads" "aborting them"; do
	says "$item" ok "$item" allowed
done
says "no manifest yet" ok manifest "the first cycle makes $(state A)"
says "no marker yet" ok marker "the first cycle makes"
says "what it wrote" ok written "below s3://$bucket/$prefix.s3sync/check-"
untouched "nothing is left, on either side"

# json_of SQL: from the one object that --json gives.
json_of() {
	sqlite3 :memory: "SELECT $1 FROM (SELECT CAST(readfile('$work/out')
	    AS TEXT) AS j)"
}
check_ A --json
expect $well "--json"
is "it is one object, in one line" 1 "$(wc -l <"$work/out")"
is "an item each" 26 "$(json_of "json_array_length(j, '\$.checks')")"
is "of its status" $well "$(json_of "json_extract(j, '\$.status')")"
is "each with a verdict" 26 "$(json_of "(SELECT count(*) FROM
    json_each(j, '\$.checks') WHERE json_extract(value, '\$.verdict')
    IN ('ok', 'hint', 'warning', 'failed', 'skipped'))")"

if ! own_server; then
	tap_end
	exit 0
fi

# Nothing but its own keys is written, nothing at all with --read-only.
writes() { # of the log: methods that write, and not below .s3sync/check-
	curl -sS "$endpoint/_test/log" | grep -E '^(PUT|POST|DELETE) ' |
	    grep -vE "$bucket/$prefix\.s3sync/check-[0-9a-f]{16}(\.copy)? "
}
asked_reset
check_ A
check_empty "only keys of its own are written" "$(writes)"
check "some are" [ "$(asked PUT)" -gt 3 ]
asked_reset
check_ A --read-only
expect 0 "--read-only: exit status 0"
check_empty "nothing is written" "$(curl -sS "$endpoint/_test/log" |
    grep -E '^(PUT|POST|DELETE) ')"
says "what would be is skipped" skipped PUT "not tried: --read-only"
says "what can be read is" ok GET allowed
says "and it says so" ok written nothing
asked_reset
check_ A --probe no
check_empty "probe = no: nothing is written" \
    "$(curl -sS "$endpoint/_test/log" | grep -E '^(PUT|POST|DELETE) ')"
says "and that is why" skipped PUT "not tried: probe = no"
untouched "nothing is left"

# A cycle may run before, and a daemon meanwhile.
sync_ A
expect 0 "a cycle"
before=$(snapshot)
check_ A
expect 0 "after a cycle: exit status 0"
says "the manifest" ok manifest "$(state A), 3 keys"
says "the marker" ok marker "the one that the manifest knows"
untouched "nothing is touched"
start_daemon A
eventually 10 grep -q "S3 sync completed" "$work/A.log"
check_ A
expect 0 "beside a daemon: exit status 0"
says "it is named" ok manifest "process $daemon_pid keeps it in sync"
kill "$daemon_pid"
wait "$daemon_pid"
# What a cycle has found out is not tried again.
echo up >"$(root A)/up"
sync_ A
before=$(snapshot)
asked_reset
check_ A
says "conditions that a cycle tried" ok conditions \
    "(tried on $(date -u +%Y-%m-%d))"
check "they are not tried again" [ "$(asked PUT)" -le 2 ]

# What does not depend on each other is asked at once, and told in order.
items() {
	sed -n 's/^  [a-z]* *\([a-zA-Z -]*\): .*/\1/p' "$work/out"
}
items >"$work/items"
faults "ANY delay=200"
asked_reset
check_ A
is "a slow server: the order of the report is the same" "$(cat "$work/items")" \
    "$(items)"
is "all items are there" 26 "$(wc -l <"$work/items")"
check "nine questions are asked at once" [ "$(asked max_in_flight)" -ge 9 ]
no_faults

# What a check that was killed has left.
leave() { # NAME AGE-IN-SECONDS
	curl -sS -X PUT --data-binary x -H \
	    "x-test-mtime-ms: $((($(date +%s) - $2) * 1000))" \
	    "$endpoint/_test/object/$bucket/$prefix.s3sync/$1"
}
leave check-0123456789abcdef 120
leave check-0123456789abcdef.copy 120
leave check-00000000deadbeef 5
leave check-notes.txt 120
leave probe-0123456789abcdef 120
check_ A
expect 0 "after a kill: exit status 0"
says "what was left is removed" ok written "2 more removed"
is "what is not its own stays, and what may be of another that runs" \
    "check-00000000deadbeef check-notes.txt probe-0123456789abcdef" \
    "$(remote_list | sed -n 's/^\.s3sync\/\([^	]*\).*/\1/p' | xargs)"
for name in check-00000000deadbeef check-notes.txt probe-0123456789abcdef; do
	remote_delete .s3sync/$name
done
faults "PUT delay=3000"
"$bin/s3sync" check "$(root A)" "s3://$bucket/$prefix" --endpoint-url \
    "$endpoint" --state "$work/state/fresh.db" >/dev/null 2>&1 &
pid=$!
eventually 5 sh -c "curl -sS $endpoint/_test/counts |
    grep -q '\"in_flight\":1'"
sleep 0.3
kill -9 $pid
wait $pid 2>/dev/null
no_faults
check_empty "kill -9: whatever is left is a key of its own" \
    "$(diff <(echo "$before") <(snapshot) | grep '^[<>]' |
    grep -v '^> \.s3sync/check-')"
for name in $(remote_list | sed -n 's/^\(\.s3sync\/[^	]*\).*/\1/p'); do
	remote_delete "$name"
done

# ---- the local side ----------------------------------------------------------

run "$bin/s3sync" check "$work/nowhere" "s3://$bucket/$prefix" \
    --endpoint-url "$endpoint" --state "$work/state/fresh.db"
expect 3 "no root: exit status 3"
says "it is named" failed root "$work/nowhere: no such directory"
advises "and what to do" "create it or correct the local path"
says "the bucket is looked at all the same" ok PUT allowed
check "no root is made" [ ! -e "$work/nowhere" ]
echo file >"$work/file"
run "$bin/s3sync" check "$work/file" "s3://$bucket/$prefix" \
    --endpoint-url "$endpoint" --state "$work/state/fresh.db"
expect 3 "a root that is a file: exit status 3"
says "it says so" failed root "not a directory"

echo "not a database" >"$work/state/foreign.db"
check_ A --state "$work/state/foreign.db"
expect 3 "a file that is no manifest: exit status 3"
says "it is named" failed manifest "$work/state/foreign.db"
says "the bucket is looked at all the same" ok PUT allowed
is "it is left as it is" "not a database" "$(cat "$work/state/foreign.db")"
check_ A --state "$(state A)" --endpoint-url "${endpoint/127.0.0.1/localhost}"
expect 3 "the manifest of another pair: exit status 3"
says "it says so" failed manifest "belongs to another pair"
advises "and what to do" "give this pair a state file of its own"
head -c 6000 "$(state A)" >"$work/state/cut.db"
check_ A --state "$work/state/cut.db"
expect 3 "a damaged manifest: exit status 3"
check "it is named" grep -q "^  failed   manifest: .*cut.db" "$work/out"
cp "$(state A)" "$work/state/newer.db"
sqlite3 "$work/state/newer.db" "PRAGMA user_version = 99" >/dev/null
check_ A --state "$work/state/newer.db"
expect 3 "a manifest of a newer program: exit status 3"
check "it is named" grep -q "^  failed   manifest: .*newer" "$work/out"
cp "$(state A)" "$work/state/other.db"
sqlite3 "$work/state/other.db" "UPDATE meta SET value =
    '00000000-0000-4000-8000-000000000000' WHERE name = 'root_marker'"
check_ A --state "$work/state/other.db"
expect 3 "another root's marker: exit status 3"
says "it says so" failed marker "carries the marker of another root"
machine B
cp "$(state A)" "$work/state/B.db"
check_ B --state "$work/state/B.db"
expect 0 "a root made anew: exit status 0"
says "it says what comes" hint marker "lost its marker"
rm "$work/state"/{foreign,cut,newer,other,B}.db*

# ---- who asks ----------------------------------------------------------------

key=$AWS_ACCESS_KEY_ID secret=$AWS_SECRET_ACCESS_KEY
unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
check_ A --verbose
expect 3 "no credentials: exit status 3"
says "it says so" failed credentials "no credentials: set AWS_ACCESS_KEY_ID"
expect_text err "no credentials from keys of profile default" \
    "--verbose tells where there are none"
says "the server is looked at all the same" ok endpoint "$endpoint answers"
says "and the manifest" ok manifest "$(state A)"
export AWS_ACCESS_KEY_ID=$key
check_ A
expect 3 "half of them: exit status 3"
says "it says so" failed credentials "AWS_SECRET_ACCESS_KEY is not: set both"
export AWS_SECRET_ACCESS_KEY=hunter2hunter2
check_ A --verbose
expect 3 "a wrong secret: exit status 3"
says "it says so" failed signature "credentials refused"
advises "and what to do" "check AWS_SECRET_ACCESS_KEY"
AWS_ACCESS_KEY_ID=AKIAOFSOMEBODYELSE
check_ A
expect 3 "a key that nobody knows: exit status 3"
says "which is shown in part" ok credentials "AKIA…ELSE from"
says "it says so" failed signature "credentials refused"
advises "and what to do" "the server does not know AWS_ACCESS_KEY_ID"
AWS_ACCESS_KEY_ID=$key AWS_SECRET_ACCESS_KEY=$secret
AWS_CREDENTIAL_EXPIRATION=$(date -u -d '2 hours' +%Y-%m-%dT%H:%M:%SZ) \
    check_ A
says "when they end" ok credentials "good for 1:59:"
faults "LIST status=400 code=ExpiredToken"
check_ A
expect 3 "an expired token: exit status 3"
says "it says so" failed signature "the session token is no longer good"
advises "and what to do" "set new credentials"
no_faults
check_ A --sign no
expect 3 "unsigned, where that is not allowed: exit status 3"
says "it says so" ok credentials "requests are not signed"
says "the listing" failed LIST "the public may not list"
advises "and what to do" "sign, or let a policy of the bucket grant everybody"
advises "with the statement" '"Effect":"Allow","Principal":"*","Action":'

# ---- where -------------------------------------------------------------------

run "$bin/s3sync" check "$(root A)" "s3://no-such-bucket/$prefix" \
    --endpoint-url "$endpoint" --state "$work/state/fresh.db"
expect 3 "no such bucket: exit status 3"
says "it says so" failed bucket "'no-such-bucket' does not exist"
advises "and what to do" "create it or correct the remote"
check_ A --region eu-west-1
expect 0 "a wrong region: exit status 0"
says "it says so" hint region "the bucket is in us-east-1, not in eu-west-1"
advises "and what to do" "set region"
says "all the rest is looked at" ok PUT allowed
for skew in 300 -300; do
	faults "ANY skew=$skew"
	check_ A
	expect 1 "a clock off by $skew s: exit status 1"
	says "it says so" warning clock "s $([ $skew -gt 0 ] && echo behind ||
	    echo ahead of) that of the server"
	advises "and what to do" "timedatectl set-ntp true"
	no_faults
done
faults "ANY skew=7200"
check_ A
expect 1 "a clock that signatures do not outlive: exit status 1"
says "it says so" failed clock "s behind that of the server"
says "all the rest is looked at" ok LIST works
no_faults
seconds=$SECONDS
run "$bin/s3sync" check "$(root A)" "s3://$bucket/$prefix" \
    --endpoint-url http://127.0.0.1:9 --state "$work/state/fresh.db"
expect 3 "nothing listens: exit status 3"
says "it says so" failed endpoint "cannot connect to 127.0.0.1:9"
advises "and what to do" "check that the server runs"
says "the root is looked at all the same" ok root "can be read and written"
run "$bin/s3sync" check "$(root A)" "s3://$bucket/$prefix" --endpoint-url \
    "https${endpoint#http}" --state "$work/state/fresh.db"
expect 3 "https where http is spoken: exit status 3"
says "it says so" failed endpoint "TLS with"
advises "and what to do" "check that it speaks https"
run "$bin/s3sync" check "$(root A)" "s3://$bucket/$prefix" --endpoint-url \
    http://s3.example.invalid --state "$work/state/fresh.db"
expect 3 "a name that is none: exit status 3"
says "it says so" failed endpoint "the name of s3.example.invalid"
faults "ANY hang=60"
check_ A
expect 3 "a server that hangs: exit status 3"
says "it says so" failed endpoint "does not answer"
check "within seconds" [ $((SECONDS - seconds)) -le 14 ]
no_faults
faults "ANY html"
check_ A
expect 3 "a web page: exit status 3"
says "it says so" failed endpoint "an HTML page"
advises "and what to do" "is an S3 server"
no_faults

# ---- what is allowed ---------------------------------------------------------

# denied STATUS ITEM VERDICT ACTION RULE...: a permission that is missing.
denied() {
	local expected=$1 item=$2 verdict=$3 action=$4 resource=$objects
	shift 4
	[ "$item" != LIST ] || resource=arn:aws:s3:::$bucket
	faults "$@"
	# shellcheck disable=SC2046
	check_ A $(fresh)
	no_faults
	expect "$expected" "$item denied: exit status $expected"
	says "it says so" "$verdict" "$item" "these credentials may not"
	advises "and what to do" "grant $action"
	advises "with the statement" "$(statement "$action" "$resource")"
}
before=$(snapshot)
denied 3 LIST failed s3:ListBucket "LIST deny"
says "PUT is tried all the same" ok PUT allowed
advises "the statement is for the prefix" \
    '"Condition":{"StringLike":{"s3:prefix":"data/*"}}'
denied 1 GET failed s3:GetObject "GET deny"
denied 1 PUT failed s3:PutObject "PUT deny"
says "GET is tried on an object that is there" ok GET allowed
faults "PUT deny"
check_ A --acl public-read --sse aws:kms
no_faults
advises "what an ACL and a key take besides" "acl = public-read takes s3:PutObjectAcl, too; sse = aws:kms takes kms:GenerateDataKey"
denied 1 DELETE warning s3:DeleteObject "DELETE deny"
says "PUT is told from an upload in parts" ok PUT "allowed, as far as"
denied 1 "large uploads" failed s3:PutObject "CREATE_UPLOAD deny"
denied 1 "resuming them" warning s3:ListMultipartUploadParts "LIST_PARTS deny"
denied 1 "aborting them" warning s3:AbortMultipartUpload "ABORT_UPLOAD deny"
says "none is begun" skipped "large uploads" "could not be removed again"
denied 1 DELETE warning s3:DeleteObject "DELETE deny" "ABORT_UPLOAD deny"
says "nothing is put" skipped PUT "could not be removed again"
untouched "and nothing is left"
faults "PUT hang=60"
seconds=$SECONDS
# shellcheck disable=SC2046
check_ A $(fresh)
expect 1 "PUT without an answer: exit status 1"
check "it says so" grep -qE \
    '^  failed +PUT: (no answer in time|127.0.0.1:[0-9]+ does not answer)' \
    "$work/out"
check "within seconds" [ $((SECONDS - seconds)) -le 12 ]
no_faults
faults "PUT deny"
# shellcheck disable=SC2046
check_ A $(fresh) --json
is "statements are JSON in JSON" "$objects" "$(json_of "(SELECT
    json_extract(value, '\$.statement.Resource') FROM
    json_each(j, '\$.checks') WHERE json_extract(value, '\$.name') = 'put')")"
no_faults

# ---- what the server does ----------------------------------------------------

faults "ANY ignore-conditions"
# shellcheck disable=SC2046
check_ A $(fresh)
expect 1 "conditions ignored: exit status 1"
says "it says so" warning conditions "ignored: PUT If-None-Match"
advises "and what follows" "CONDITIONAL WRITES"
no_faults
faults "ANY reject-conditions"
# shellcheck disable=SC2046
check_ A $(fresh)
expect 1 "conditions rejected: exit status 1"
says "it says so" warning conditions "rejected: PUT If-None-Match"
says "PUT is allowed all the same" ok PUT allowed
no_faults
faults "LIST page=1 unordered"
check_ A
expect 3 "a listing out of order: exit status 3"
says "it says so" failed "listing order" "its keys are not in order"
no_faults
faults "LIST no-encoding"
check_ A
expect 0 "encoding-type ignored: exit status 0"
says "it says so" hint encoding "encoding-type=url is ignored"
no_faults
untouched "nothing is left"

# setting NAME XML: what all buckets have.
setting() {
	curl -sS --fail-with-body --data-binary "$2" \
	    "$endpoint/_test/setting?name=$1"
}
setting versioning '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>'
setting encryption '<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>'
setting object-lock '<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>30</Days></DefaultRetention></Rule></ObjectLockConfiguration>'
rule() { # FILTER
	setting lifecycle "<LifecycleConfiguration><Rule><Status>Enabled</Status>$1<AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule></LifecycleConfiguration>"
}
rule "<Filter><Prefix>dat</Prefix></Filter>"
check_ A
expect 0 "what is set for the bucket: exit status 0"
says "versioning" ok versioning "on:"
says "what then stays" ok written "but for the versions"
says "encryption" ok encryption "aws:kms"
says "object lock" hint "object lock" "GOVERNANCE"
says "lifecycle" ok lifecycle "after 7 days"
for filter in "<Filter><Prefix>other/</Prefix></Filter>" \
    "<Prefix>data/x</Prefix>" \
    "<Filter><And><Prefix>data/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter>"; do
	rule "$filter"
	check_ A
	says "a rule that does not cover the prefix" hint lifecycle "no rule"
done
faults "VERSIONING deny" "LIFECYCLE deny" "OBJECT_LOCK status=501 code=NotImplemented"
check_ A
expect 0 "settings that may not be seen: exit status 0"
says "which permission tells" skipped versioning \
    "cannot be told without s3:GetBucketVersioning"
says "or that the server does not" skipped "object lock" "does not tell"
no_faults
before=$(snapshot)

# ---- several pairs, and roots that cannot be written -------------------------

mkdir -p "$work/config/s3sync"
cat >"$work/config/s3sync/s3sync.conf" <<EOF
[defaults]
endpoint_url = $endpoint
[pair good]
local = $(root A)
remote = s3://$bucket/$prefix
state = $(state A)
[pair bad]
local = $work/nowhere
remote = s3://$bucket/other/
state = $work/state/bad.db
EOF
run "$bin/s3sync" check
expect 3 "two pairs: the worst counts"
expect_text out "good: all is well" "one"
expect_text out "bad: 1 failed" "and the other"
says "where they are written" ok configuration "s3sync.conf"
run "$bin/s3sync" check good
expect 0 "one of them"
run "$bin/s3sync" check nobody
expect 2 "a pair that is not there: exit status 2"

as_nobody A
[ "$(id -u)" != 0 ] || chown 65534:65534 "$work"/state/*
before=$(snapshot)
chmod a-w "$(root A)"
check_ A
chmod u+w "$(root A)"
expect 1 "a root that cannot be written: exit status 1"
says "it says so" warning root "nothing can be downloaded"
advises "and what to do" "let this user write"
chmod 500 "$work/state"
check_ A --state "$work/state/fresh.db"
chmod 700 "$work/state"
expect 3 "no place for the manifest: exit status 3"
says "it says so" failed manifest "fresh.db cannot be made"
untouched "nothing was touched"

# ---- secrets -----------------------------------------------------------------

check "much was said" [ "$(wc -l <"$work/said")" -gt 500 ]
for word in hunter2 "$secret" "$key"; do
	check_empty "nowhere is a secret shown" "$(grep -F "$word" "$work/said")"
done
tap_end
