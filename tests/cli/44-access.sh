#!/bin/bash
# SPDX-License-Identifier: MIT
# Credentials that are missing or refused, a bucket that is not there or not
# ours, a server that is down: each says what to do, and nothing moves. No
# secret is ever shown.
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC2119
. "${srcdir:-.}/tests/cli/lib.sh"

if ! own_server; then
	tap_skip_all "only the test server has known credentials and errors"
fi
server_start
machine A
echo one >"$work/roots/A/one"
echo two >"$work/roots/A/two"
sync_ A
agree "a first cycle" A
rm "$work/roots/A/one"
echo three >"$work/roots/A/three"

# What programs say is kept: secrets are looked for in the end.
keep_words() {
	cat "$work/out" "$work/err" >>"$work/said"
}
# stopped NAME TEXT [FLAG...]: a cycle of A that does not run, and why.
stopped() {
	local name=$1 text=$2
	shift 2
	remember A
	sync_ A --attempts 2 --verbose --json "$@"
	expect 3 "$name: exit status 3"
	expect_text err "$text" "$name: it says what to do"
	unchanged "$name: nothing moves"
	keep_words
}

# ---- credentials ------------------------------------------------------------

key=$AWS_ACCESS_KEY_ID secret=$AWS_SECRET_ACCESS_KEY
unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
stopped "no credentials" "no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment or in the file that env_file names"
export AWS_ACCESS_KEY_ID=$key
stopped "no secret" \
    "AWS_ACCESS_KEY_ID is set but AWS_SECRET_ACCESS_KEY is not: set both"
export AWS_SECRET_ACCESS_KEY=""
stopped "an empty secret" \
    "AWS_ACCESS_KEY_ID is set but AWS_SECRET_ACCESS_KEY is not: set both"
unset AWS_ACCESS_KEY_ID
export AWS_SECRET_ACCESS_KEY=hunter2
stopped "no key id" \
    "AWS_SECRET_ACCESS_KEY is set but AWS_ACCESS_KEY_ID is not: set both"
export AWS_ACCESS_KEY_ID=$key
stopped "a wrong secret" "check AWS_SECRET_ACCESS_KEY"
AWS_SECRET_ACCESS_KEY="hunter2 "
stopped "a blank after the secret" \
    "AWS_SECRET_ACCESS_KEY holds a blank or a character that no key has"
AWS_SECRET_ACCESS_KEY=$'hunter2\nx-evil: 1'
stopped "a line break in the secret" "AWS_SECRET_ACCESS_KEY holds a blank"
AWS_SECRET_ACCESS_KEY=hunter2
AWS_ACCESS_KEY_ID=AKIAOFSOMEBODYELSE
stopped "a wrong key id" "the server does not know AWS_ACCESS_KEY_ID"
AWS_ACCESS_KEY_ID=$key AWS_SECRET_ACCESS_KEY=$secret
export AWS_SESSION_TOKEN=hunter2token
stopped "a wrong session token" "set new credentials"
unset AWS_SESSION_TOKEN

unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
printf 'export AWS_ACCESS_KEY_ID=%s\nAWS_SECRET_ACCESS_KEY=hunter2\n' "$key" \
    >"$work/env"
chmod 600 "$work/env"
stopped "a wrong secret in env_file" "check AWS_SECRET_ACCESS_KEY" \
    --env-file "$work/env"
printf 'AWS_ACCESS_KEY_ID=%s\nAWS_SECRET_ACCESS_KEY hunter2\n' "$key" \
    >"$work/env"
sync_ A --env-file "$work/env"
expect 2 "an env_file that is none: exit status 2"
expect_text err "$work/env:2: only KEY=value" "its line is named"
keep_words
printf '# a comment\nexport AWS_ACCESS_KEY_ID="%s"\nAWS_SECRET_ACCESS_KEY=%s\n' \
    "$key" "'$secret'" >"$work/env"
sync_ A --env-file "$work/env" --verbose
expect 0 "a good env_file: the cycle runs"
keep_words
export AWS_ACCESS_KEY_ID=$key AWS_SECRET_ACCESS_KEY=$secret
agree "all agree" A
quiet "and it is quiet" A
rm "$work/roots/A/one"
echo four >"$work/roots/A/four"

# ---- the bucket -------------------------------------------------------------

faults "LIST deny"
stopped "the listing denied" "grant s3:ListBucket on it"
no_faults
faults "LIST page=1 status=404 code=NoSuchBucket"
stopped "the bucket is gone" \
    "bucket '$bucket' does not exist at $endpoint"
no_faults
run "$bin/s3sync" sync "$(root A)" "s3://nosuchbucket/$prefix" \
    --endpoint-url "$endpoint" --state "$(state new)"
expect 3 "no such bucket: exit status 3"
expect_text err "bucket 'nosuchbucket' does not exist at $endpoint" "it is named"
rm "$(state new)"*

# Credentials that may do one thing and not another.
echo five >"$work/roots/A/five"
faults "PUT deny"
sync_ A
expect 1 "uploads denied: exit status 1"
expect_text err "The upload of five failed: these credentials may not write it" \
    "the key is named"
expect_text err "grant s3:PutObject" "and the permission"
expect_text err "Downloaded from S3: one" "downloads go on"
no_faults
rm "$work/roots/A/one" "$work/roots/A/two"
faults "GET deny"
sync_ A
expect 1 "downloads denied: exit status 1"
expect_text err "The download of one failed: these credentials may not read it" \
    "the key is named"
expect_text err "grant s3:GetObject" "and the permission"
expect_text err "Uploaded to S3: five" "uploads go on"
no_faults
sync_ A
expect 0 "with all permissions all is done"
agree "all agree" A

# They are refused, or the bucket vanishes, in the middle of a cycle.
for fault in "status=403 code=ExpiredToken" "status=404 code=NoSuchBucket"; do
	for i in $(seq 50); do
		echo "$fault $i" >"$work/roots/A/${fault##*=}$i"
	done
	faults "PUT nth=10 times=1 $fault"
	asked_reset
	sync_ A --jobs 2
	expect 3 "$fault under way: exit status 3"
	check "no request is made after it" [ "$(asked PUT)" -le 12 ]
	no_faults
	sync_ A
	expect 0 "and the next cycle goes on"
	agree "all agree" A
done

# ---- the server -------------------------------------------------------------

rm "$work/roots/A/one"
echo six >"$work/roots/A/six"
# elsewhere NAME URL TEXT: of which no manifest knows.
elsewhere() {
	remember A
	run "$bin/s3sync" sync "$(root A)" "s3://$bucket/$prefix" \
	    --endpoint-url "$2" --state "$work/state/new.db" --attempts 2
	expect 3 "$1: exit status 3"
	expect_text err "$3" "$1: it says what to do"
	unchanged "$1: nothing moves"
	keep_words
	rm -f "$work/state/new.db"*
}
elsewhere "nothing listens" http://127.0.0.1:9 \
    "cannot connect to 127.0.0.1:9 (Connection refused, 2 attempts): check that the server runs, and the endpoint"
elsewhere "a name that is none" http://s3.example.invalid \
    "the name of s3.example.invalid:80 cannot be resolved"
elsewhere "https where http is spoken" "https${endpoint#http}" \
    "check that it speaks https"
stopped "another server than the manifest knows" \
    "its endpoint is '$endpoint', not 'http://127.0.0.1:9'; give this pair a state file of its own (--state), or correct the endpoint" \
    --endpoint-url http://127.0.0.1:9

# It goes down in the middle of a cycle.
for i in $(seq 60); do
	echo "down $i" >"$work/roots/A/down$i"
done
faults "PUT every=1 reset-before"
asked_reset
sync_ A --jobs 2 --attempts 1
expect 3 "the server is gone under way: exit status 3"
expect_text err "16 transfers in a row failed: the connection to" "it says so"
check "not every key is tried" [ "$(query A "SELECT count(*) FROM pending
    WHERE attempts > 0")" -lt 20 ]
no_faults
sync_ A
expect 0 "and the next cycle goes on"
agree "all agree" A
quiet "and it is quiet" A

# ---- secrets ----------------------------------------------------------------

check "much was said" [ "$(wc -l <"$work/said")" -gt 30 ]
for word in hunter2 "$secret"; do
	check_empty "nowhere is a secret shown" "$(grep -F "$word" "$work/said")"
	check_empty "nor kept" "$(grep -rlaF "$word" "$work/state")"
done
tap_end
