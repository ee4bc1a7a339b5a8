#!/bin/bash
# SPDX-License-Identifier: MIT
# A server that fails, lies, hangs or cuts off: nothing is lost, nothing is
# believed that should not be, and the next cycle converges.
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC2119
. "${srcdir:-.}/tests/cli/lib.sh"

if ! own_server; then
	tap_skip_all "only the test server fails on command"
fi
server_start
machine A B
for i in $(seq 30); do
	echo "content $i" >"$work/roots/A/file$i"
done
head -c 1000000 /dev/urandom >"$work/roots/A/large"
sync_ A
agree "a first cycle without faults" A

# nothing_moves NAME TEXT: a listing that is refused or not to be believed.
nothing_moves() {
	echo new >"$work/roots/A/not-to-be-sent"
	rm "$work/roots/A/file7"
	sync_ A --attempts 2
	expect 3 "$1: exit status 3"
	expect_text err "$2" "$1: it says why"
	is "$1: nothing was sent, nothing fetched" "00" "$(asked GET)$(asked PUT)"
	no_faults
	rm "$work/roots/A/not-to-be-sent"
	sync_ A
}

# With pages of 1000 keys, a listing of two pages.
for i in $(seq 1100); do
	echo "$i" >"$work/roots/A/many$i"
done
sync_ A
expect 0 "more keys than a page holds"
for fault in unordered loop no-token outside-prefix duplicate-key; do
	asked_reset
	faults "LIST $fault"
	nothing_moves "$fault" "believed"
done
asked_reset
faults "LIST truncate-xml"
nothing_moves "truncated XML" "listing"
asked_reset
faults "LIST html"
nothing_moves "HTML with status 200" "HTML"
asked_reset
faults "LIST deny"
nothing_moves "AccessDenied on LIST" "AccessDenied"
asked_reset
faults "LIST status=500 code=InternalError"
nothing_moves "500 on every LIST" "InternalError"
asked_reset
faults "LIST page=2 status=503 code=ServiceUnavailable"
nothing_moves "the second page is never had" "ServiceUnavailable"
faults "LIST empty-page nth=1"
quiet "an empty page in the middle is legal" A
no_faults

# One key's failure is one key's failure.
echo good >"$work/roots/A/good"
echo bad >"$work/roots/A/denied"
faults "PUT key=*denied deny"
sync_ A
expect 1 "AccessDenied on one PUT: exit status 1"
expect_text err "Uploaded to S3: good" "the others go on"
is "it is recorded, with a backoff" "upload|new-local|1|1" "$(query A "SELECT
    action, reason, attempts, next_at_ns > since_ns FROM pending")"
expect_text err "denied" "the log names it"
no_faults
sync_ A
expect 0 "and then it succeeds"
agree "all agree" A

faults "GET key=*file3 deny"
sync_ B
expect 1 "AccessDenied on one GET: exit status 1"
check "nothing is there under its name" test ! -e "$work/roots/B/file3"
no_faults
sync_ B
expect 0 "and then it succeeds"
agree "both agree" A B

# again CONDITION: machine B fetches all anew, with a fault that passes.
again() {
	rm -rf "$work/roots/B" "$work/state/B.db"*
	mkdir "$work/roots/B"
	faults "$@"
	sync_ B
	expect 0 "$1: exit status 0"
	no_faults
	agree "$1: all agree" A B
}
again "GET every=3 times=20 reset-before"
again "GET every=3 times=20 status=503 code=SlowDown"
again "GET every=3 times=20 reset-at=3"
again "GET key=*large times=3 reset-at=500000"
again "LIST times=2 reset-at=1000"
again "LIST times=2 truncate-xml"

# What arrives is not what was promised: never published.
for fault in corrupt wrong-etag short; do
	rm -rf "$work/roots/B" "$work/state/B.db"*
	mkdir "$work/roots/B"
	faults "GET key=*file5 $fault"
	sync_ B --attempts 2
	expect 1 "GET $fault: exit status 1"
	check "GET $fault: nothing is there under its name" \
	    test ! -e "$work/roots/B/file5"
	no_faults
	sync_ B
	expect 0 "GET $fault: the next cycle fetches it"
done
agree "all agree" A B

# Uploads.
for fault in reset-before reset-after upload-reset-at=100000 \
    'status=500 code=InternalError' 'status=409 code=ConditionalRequestConflict'; do
	name=$(echo "$fault" | tr -dc 'a-z0-9')
	head -c 400000 /dev/urandom >"$work/roots/A/up-$name"
	echo small >"$work/roots/A/up-small-$name"
	faults "PUT key=*up-* times=2 $fault"
	sync_ A
	no_faults
	expect 0 "PUT $fault: exit status 0"
	agree "PUT $fault: all agree" A
done
echo precious >"$work/roots/A/wrong"
faults "PUT key=*wrong wrong-etag"
sync_ A
expect 1 "PUT with a wrong ETag: exit status 1"
expect_text err "wrong" "PUT with a wrong ETag: the log names the key"
is "it is not taken for agreed" "none|damaged" \
    "$(query A "SELECT action, reason FROM pending")"
no_faults
sync_ A
expect 0 "the listing shows the right one: agreed"
agree "all agree" A

# A reply that never comes, and one that comes a byte at a time.
echo hangs >"$work/roots/A/hangs"
faults "PUT key=*hangs times=1 hang=30" "LIST times=1 hang=30"
sync_ A --timeout 1s
expect 0 "a server that hangs is asked again"
no_faults
agree "all agree" A

# ETags that are no MD5.
echo kms >"$work/roots/A/kms"
faults "ANY key=*kms kms"
sync_ A
expect 0 "an ETag that is no MD5 is no damage"
is "the MD5 is kept beside it" 1 "$(query A "SELECT count(md5) FROM entry
    WHERE key = CAST('kms' AS BLOB)")"
no_faults

# Archived objects wait.
rm -rf "$work/roots/B" "$work/state/B.db"*
mkdir "$work/roots/B"
faults "ANY key=*file9 archived"
sync_ B
expect 1 "an archived object waits"
is "and says so" "none|archived" "$(query B "SELECT action, reason FROM pending
    WHERE key = CAST('file9' AS BLOB)")"
no_faults

# The clock is off.
asked_reset
faults "ANY skew=40000"
sync_ B
expect 0 "a clock that is hours off is corrected by the server's"
refused() {
	curl -sS "$endpoint/_test/log" | grep -c ' 403 '
}
is "which costs one request" 1 "$(refused)"
asked_reset
echo later >"$work/roots/B/later"
sync_ B
expect_text err "s behind that of" "the next cycle says so, too"
is "but knows it from the manifest" 0 "$(refused)"
asked_reset
no_faults
sync_ B
expect 0 "a clock that was set meanwhile is noticed"
is "which costs one request again" 1 "$(refused)"
is "and nothing is known of it any more" 0 "$(query B "SELECT value FROM meta
    WHERE name = 'clock_offset_ms'")"
quiet "nor asked" B
# Half an hour in steps that no signature fails for.
for skew in 600 1200 1800; do
	faults "ANY skew=$skew"
	for i in $(seq 20); do
		echo "$skew" >"$work/roots/B/drift$skew-$i"
	done
	asked_reset
	sync_ B
	is "a clock that drifts is followed: $skew s" 0 "$(refused)"
	no_faults
done
no_faults
tap_end
