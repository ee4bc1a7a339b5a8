#!/bin/bash
# SPDX-License-Identifier: MIT
# Objects as they are: media types, times as others write them, storage classes
# and archives, encryption, checksums, ETags that are no MD5s.
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC2016,SC2119
. "${srcdir:-.}/tests/cli/lib.sh"

server_start
a=$(root A) b=$(root B)
export HOME=$work/home
mkdir "$HOME"

# anew PREFIX: two empty machines there.
anew() {
	rm -rf "$a" "$b" "$work"/state/*
	machine A B
	prefix=$1
}
# header_of KEY NAME: of a GET's reply; the own server tells tests all.
header_of() {
	if own_server; then
		curl -sS -D "$work/head" -o /dev/null \
		    "$endpoint/_test/object/$bucket/$prefix$1"
	else
		s3_request GET "$prefix$1" -D "$work/head" -o /dev/null
	fi
	tr -d '\r' <"$work/head" | sed -n "s/^$2: //Ip"
}

# ---- media types ------------------------------------------------------------

anew types/
echo 'text/x-own own' >"$HOME/.mime.types"
for name in page.HTML image.png archive.tar.gz data.json notes.txt Makefile \
    .hidden file.own queue.txt.completed; do
	echo "$name" >"$a/$name"
done
sync_ A
expect 0 "files of all types"
is "go by their extension" "text/html image/png application/gzip
application/json text/plain text/x-own" \
    "$(for name in page.HTML image.png archive.tar.gz data.json notes.txt \
        file.own; do
	header_of "$name" content-type
    done | paste -sd'  \n')"
is "or are bytes" 3 "$(for name in Makefile .hidden queue.txt.completed; do
	header_of "$name" content-type
    done | grep -c '^application/octet-stream$')"
is "and have no encoding" "" "$(header_of archive.tar.gz content-encoding)"
echo anything >"$a/all.png"
sync_ A --content-type 'text/x-all;charset=utf-8'
is "or to the one that is given" 'text/x-all;charset=utf-8' \
    "$(header_of all.png content-type)"
echo none >"$a/none.html"
sync_ A --content-type none
is "or as the server likes" "" "$(header_of none.html content-type |
    grep html)"
sync_ B
agree "which is nothing to the files" A B

# ---- times ------------------------------------------------------------------

anew times/
echo rclone >"$work/object"
now=$(date +%s)
time_of() { # HEADER VALUE: what B makes of it
	remote_delete time
	rm -f "$b/time"
	sync_ B # forgets it
	s3_request PUT "${prefix}time" -T "$work/object" -H "$1: $2" \
	    >/dev/null
	sync_ B
	stat -c %.9Y "$b/time"
}
is "rclone's time counts" 1600000000.123456789 \
    "$(time_of x-amz-meta-mtime 1600000000.123456789)"
is "s3fs's" 1600000001.000000000 "$(time_of x-amz-meta-mtime 1600000001)"
is "DataSync's" 1595002920.000000001 \
    "$(time_of x-amz-meta-file-mtime 1595002920000000001ns)"
is "s3cmd's" 1600000003.000000000 "$(time_of x-amz-meta-s3cmd-attrs \
    atime:1/ctime:2/gid:0/gname:root/mode:33188/mtime:1600000003/uid:0)"
is "gsutil's" 1600000004.000000000 \
    "$(time_of x-amz-meta-goog-reserved-file-mtime 1600000004)"
uploaded=$(time_of x-amz-meta-mtime soon)
check "else that of the upload" [ "${uploaded%.*}" -ge $((now - 5)) ]

# With rclone itself.
if command -v rclone >/dev/null; then
	anew rclone/
	rclone_() {
		rclone --config /dev/null --s3-provider Other \
		    --s3-access-key-id testkey --s3-secret-access-key testsecret \
		    --s3-endpoint "$endpoint" --s3-region us-east-1 \
		    --s3-no-check-bucket "$@"
	}
	mkdir "$work/theirs"
	echo "by rclone" >"$work/theirs/theirs"
	touch -d '2026-03-04 05:06:07.123456789 UTC' "$work/theirs/theirs"
	rclone_ copy "$work/theirs" ":s3:$bucket/$prefix" 2>"$work/err"
	sync_ A
	expect 0 "what rclone uploaded"
	is "has its time here" 1772600767.123456789 \
	    "$(stat -c %.9Y "$a/theirs")"
	echo "by s3sync" >"$a/ours"
	touch -d '2025-01-02 03:04:05.987654321 UTC' "$a/ours"
	sync_ A
	mkdir "$work/back"
	rclone_ copy ":s3:$bucket/$prefix" "$work/back" 2>"$work/err"
	is "and the other way" "1735787045.987654321 1772600767.123456789" \
	    "$(stat -c %.9Y "$work/back/ours" "$work/back/theirs" |
	        paste -sd' ')"
	check "rclone sees no difference" rclone_ check "$a" \
	    ":s3:$bucket/$prefix" --exclude '.s3sync/**'
else
	tap_skip "with rclone itself" "it is not installed"
fi

# ---- storage classes and the like -------------------------------------------

anew class/
echo standard >"$a/standard"
sync_ A --storage-class STANDARD
expect 0 "a storage class that every server has"
for i in 1 2 3; do
	echo "checked $i" >"$a/checked$i"
done
head -c 3000000 /dev/urandom >"$a/large"
: >"$a/empty"
sync_ A --checksum sha256
expect 0 "with a checksum"
sync_ B --checksum sha256
expect 0 "which is checked on the way back"
agree "all agree" A B

if ! own_server; then
	tap_end
	exit
fi

echo cold >"$a/cold"
sync_ A --storage-class STANDARD_IA --sse aws:kms \
    --sse-kms-key-id alias/mine --acl bucket-owner-full-control
expect 0 "class, encryption, key and ACL"
is "are sent" "STANDARD_IA aws:kms alias/mine bucket-owner-full-control" \
    "$(for name in storage-class server-side-encryption \
        server-side-encryption-aws-kms-key-id acl; do
	header_of cold "x-amz-$name"
    done | paste -sd' ')"
is "an ETag that is said to be no MD5 is believed" "1" "$(query A \
    "SELECT count(md5) FROM entry WHERE key = CAST('cold' AS BLOB)")"
sync_ A --storage-class GLACIR
expect 0 "another server may have other classes" # none is sent now
run "$bin/s3sync" sync "$a" "s3://$bucket/$prefix" --storage-class GLACIR
expect 2 "AWS has not"
expect_text err "GLACIR" "which is said"
echo refused >"$a/refused"
sync_ A --storage-class GLACIR
expect 1 "what the server refuses fails"
expect_text err InvalidStorageClass "and tells why"
rm "$a/refused"
sync_ A

# ---- requester pays ---------------------------------------------------------

anew payer/
echo paid >"$a/paid"
faults "ANY requester-pays"
sync_ A
expect 3 "a bucket whose requester pays"
sync_ A --requester-pays yes
expect 0 "is open to one who says so"
sync_ B --requester-pays yes
expect 0 "in all requests"
no_faults
agree "all agree" A B

# ---- object lock ------------------------------------------------------------

anew lock/
for i in $(seq 40); do
	echo "locked $i" >"$a/locked$i"
done
head -c 400000 /dev/urandom >"$a/locked"
asked_reset
faults "PUT object-lock" "UPLOAD_PART object-lock"
sync_ A
expect 0 "a bucket with object lock gets Content-MD5"
check "learned once" [ "$(asked PUT)" -lt 80 ]
echo again >"$a/again"
asked_reset
sync_ A --checksum crc64nvme
expect 0 "or a checksum"
is "at once" 1 "$(asked PUT)"
no_faults
agree "all agree" A

# ---- checksums --------------------------------------------------------------

for kind in crc32c sha256 crc64nvme; do
	anew "$kind/"
	echo small >"$a/small"
	head -c 3000000 /dev/urandom >"$a/large"
	: >"$a/empty"
	sync_ A --checksum "$kind"
	expect 0 "$kind: uploads"
	check "$kind: the server has it" \
	    [ -n "$(s3_request GET "${prefix}large" -o /dev/null \
	        -D - -H 'x-amz-checksum-mode: ENABLED' |
	        grep -i "^x-amz-checksum-$kind")" ]
	# The ETag tells nothing, the checksum all.
	faults "GET kms" "GET key=*large corrupt"
	remote_list >/dev/null
	sync_ B --checksum "$kind"
	expect 1 "$kind: a damaged download"
	check "$kind: is not published" test ! -e "$b/large"
	expect_text err "checksum is not what the server says" \
	    "$kind: and why is said"
	no_faults
	faults "GET key=*large times=2 reset-at=1500000"
	sync_ B --checksum "$kind"
	expect 0 "$kind: it is tried again, even if it is cut off"
	no_faults
	agree "$kind: all agree" A B
done
echo lied >"$a/lied"
faults "PUT key=*lied wrong-checksum"
sync_ A --checksum crc64nvme
expect 1 "a server that has another checksum than was sent"
expect_text err "checksum of what was sent is another" "is not believed"
is "nor is the object taken for agreed" "none|damaged" \
    "$(query A "SELECT action, reason FROM pending")"
no_faults

# ---- ETags that are no MD5s, and do not say so ------------------------------

# etags A: what has it learned?
etags() {
	query "$1" "SELECT value FROM meta WHERE name = 'etag_is_md5'"
}
# opaque COUNT: as many of A's files, uploaded by somebody else.
opaque() {
	local i
	faults "PUT opaque-etag"
	for i in $(seq "$1"); do
		echo "opaque $i" >"$work/object"
		remote_put "opaque$i" "$work/object"
	done
	no_faults
}

anew mixed/
echo plain >"$a/plain"
sync_ A
is "ETags are seen to be MD5s" yes "$(etags A)"
faults "PUT opaque-etag"
for i in $(seq 20); do
	echo "content $i" >"$a/opaque$i"
done
asked_reset
sync_ A --jobs 1
expect 0 "then others come (default encryption)"
is "the first is read back, and then that is known" "1 no" \
    "$(asked GET) $(etags A)"
is "MD5s are kept beside such ETags" 20 "$(query A "SELECT count(md5)
    FROM entry")"
no_faults
quiet "A is quiet" A
rm "$a/opaque1"
sync_ A
expect 0 "what was lost comes back"
sync_ B
expect 1 "a machine that has seen MD5s only takes the others for damaged"
expect_text err "etags = opaque" "and is told what to do if they are not"
is "none of them is published" 1 "$(find "$b" -name .s3sync -prune -o -type f \
    -print | wc -l)"
sync_ B --etags opaque
expect 0 "it may be told"
check_empty "then both have the same" "$(diff -r -x .s3sync "$a" "$b")"

anew encrypted/
faults "PUT opaque-etag"
echo first >"$a/first"
asked_reset
sync_ A
expect 0 "a bucket whose first object has such an ETag"
is "is known at once" "1 no" "$(asked GET) $(etags A)"
no_faults
opaque 5
sync_ B
expect 1 "a machine that only downloads from it"
is "cannot know" "" "$(etags B)"
sync_ B
sync_ B
expect 0 "until several objects came twice, the same both times"
is "then it does" no "$(etags B)"
sync_ A
check_empty "and both have the same" "$(diff -r -x .s3sync "$a" "$b")"

anew proven/
faults "PUT opaque-etag"
echo with >"$a/with"
asked_reset
sync_ A --checksum crc64nvme
expect 0 "where a checksum proves it"
is "nothing is read back" "0 no" "$(asked GET) $(etags A)"
no_faults
sync_ B --checksum crc64nvme
expect 0 "nor is it refused"
is "and that is learned" no "$(etags B)"

# A transfer that is really damaged, by a server that does not look.
anew damaged/
echo good >"$a/good"
sync_ A
for i in 1 2 3; do
	faults "GET key=*good corrupt"
	sync_ B --attempts 1
	expect 1 "a damaged download, time $i"
	check "is not published" test ! -e "$b/good"
done
no_faults
sync_ B
agree "until it is whole" A B

# ---- archives ---------------------------------------------------------------

# archive KEY CLASS [RESTORE]: its object as S3 has it.
archive() {
	curl -sS --fail-with-body -X PUT --data-binary "content of $1" \
	    -H "x-amz-storage-class: $2" ${3:+-H "x-amz-restore: $3"} \
	    "$endpoint/_test/object/$bucket/$prefix$1" >/dev/null
}
reasons() { # A
	query "$1" "SELECT key || ' ' || reason || ' ' || detail
	    FROM pending_view" | paste -sd,
}
done_='ongoing-request="false", expiry-date="Fri, 21 Dec 2040 00:00:00 GMT"'
anew archives/
echo here >"$a/here"
sync_ A
asked_reset
quiet "a bucket without archives" A
is "is listed once" 1 "$(asked LIST)"
archive asleep GLACIER
archive deep DEEP_ARCHIVE
archive waking GLACIER 'ongoing-request="true"'
archive awake GLACIER "$done_"
asked_reset
sync_ A
expect 1 "archived objects wait"
is "the listing was asked once more" 2 "$(asked LIST)"
is "what is restored is fetched" "content of awake" "$(cat "$a/awake")"
is "of the others it is told what they wait for" \
    "asleep archived archived: restore it first,deep archived archived: restore it first,waking archived a restore is in progress" \
    "$(reasons A)"
run "$bin/s3sync-state" --state "$(state A)" pending
expect_text out "restore it first" "s3sync-state tells it"
expect_text out "restore is in progress" "this, too"
quiet "they wait quietly" A 1
archive waking GLACIER "$done_"
archive asleep GLACIER 'ongoing-request="true"'
sync_ A
is "later they are fetched" "content of waking" "$(cat "$a/waking")"
is "or wait for something else" \
    "asleep archived a restore is in progress,deep archived archived: restore it first" \
    "$(reasons A)"
faults "LIST reject-attributes"
asked_reset
sync_ B
expect 1 "a server that does not tell is no obstacle"
is "it is asked, refuses, and is asked as before" 3 "$(asked LIST)"
is "what it calls archived waits" 4 "$(query B "SELECT count(*) FROM pending
    WHERE reason = 'archived'")"
no_faults

anew tiers/
echo "in a tier" >"$work/object"
remote_put tiered "$work/object"
faults "GET key=*tiered status=403 code=InvalidObjectState"
sync_ A
expect 1 "an object whose listing does not tell that it is archived"
is "waits as well" "tiered archived archived: restore it first" "$(reasons A)"
check "and is asked for again in an hour" [ 1 = "$(query A "SELECT next_at_ns
    BETWEEN unixepoch() * 1000000000 + 3590000000000
    AND unixepoch() * 1000000000 + 3601000000000 FROM pending")" ]
quiet "not sooner" A 1
no_faults
sqlite3 "$(state A)" "UPDATE pending SET next_at_ns = 1"
sync_ A
expect 0 "then it comes"
agree "all agree" A

tap_end
