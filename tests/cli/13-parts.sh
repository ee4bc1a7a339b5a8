#!/bin/bash
# SPDX-License-Identifier: MIT
# Large files go up in parts: cut or killed at any request they end whole, and
# at most one part is sent twice.
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC2119
. "${srcdir:-.}/tests/cli/lib.sh"

mib=1048576
server_start --log 2000

# up A [FLAG...]: one cycle, with small parts.
up() {
	sync_ "$1" --part-size 5M --multipart-threshold 5M "${@:2}"
}
# up_start A [FLAG...]: the same in the background; sets $pid.
up_start() {
	"$bin/s3sync" sync "$(root "$1")" "s3://$bucket/$prefix" \
	    --endpoint-url "$endpoint" --state "$(state "$1")" --settle 0 \
	    --part-size 5M --multipart-threshold 5M "${@:2}" </dev/null \
	    >"$work/out" 2>"$work/err" &
	pid=$!
}
content() { # SIZE FILE
	head -c "$1" /dev/urandom >"$2"
}
same() { # NAME KEY FILE
	check "$1" cmp -s <(remote_get "$2") "$3"
}
uploads() { # how many are open in the bucket
	s3_list_uploads | grep -o '<UploadId>' | wc -l
}
s3_list_uploads() {
	curl -sS --fail-with-body --aws-sigv4 aws:amz:us-east-1:s3 \
	    --user testkey:testsecret \
	    -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' \
	    "$endpoint/$bucket?uploads="
}
begun() { # A: rows of transfers that were begun
	query "$1" "SELECT (SELECT count(*) FROM upload) || ' ' ||
	    (SELECT count(*) FROM part)"
}

# ---- sizes ------------------------------------------------------------------

machine A B
content $((5 * mib - 1)) "$(root A)/below"
content $((5 * mib)) "$(root A)/exactly"
content $((5 * mib + 1)) "$(root A)/above"
content $((10 * mib)) "$(root A)/two"
: >"$(root A)/empty"
truncate -s $((22 * mib)) "$(root A)/sparse"
printf x | dd of="$(root A)/sparse" bs=1 seek=$((11 * mib)) conv=notrunc 2>/dev/null
up A
expect 0 "files of all sizes go up"
for file in below exactly above two empty sparse; do
	same "whole: $file" "$file" "$(root A)/$file"
done
remote_list >"$work/remote"
check "below the threshold the ETag is an MD5" \
    grep -q "below	.*	[0-9a-f]\{32\}$" "$work/remote"
check "from it on it is one of parts" \
    grep -q "exactly	.*	[0-9a-f]\{32\}-1$" "$work/remote"
check "the last part may be one byte" \
    grep -q "above	.*	[0-9a-f]\{32\}-2$" "$work/remote"
is "nothing remains that was begun" "0 0" "$(begun A)"
is "nor in the bucket" 0 "$(uploads)"
quiet "and the next cycle is quiet" A
sync_ B
expect 0 "another machine fetches them"
check "they are the same" diff -r -x .s3sync "$(root A)" "$(root B)"
quiet "and quiet" B

# ---- killed at random moments: on any server --------------------------------

machine K
content $((41 * mib)) "$(root K)/killed"
seen=0
for _ in $(seq 12); do
	up_start K
	sleep "0.$(printf %03d $((RANDOM % 500)))"
	kill -9 $pid 2>/dev/null
	wait $pid 2>/dev/null
	[ ! -e "$(state K)" ] || [ "$(begun K)" = "0 0" ] || seen=$((seen + 1))
done
up K
expect 0 "killed at random moments, it ends well (begun before: $seen times)"
same "and whole" killed "$(root K)/killed"
is "nothing remains that was begun" "0 0" "$(begun K)"
quiet "and the next cycle is quiet" K

if ! own_server; then
	tap_end
	exit
fi

# ---- cut at every request in turn -------------------------------------------

# requests KIND: done, whole and well, since the last asked_reset.
requests() {
	curl -sS "$endpoint/_test/log" |
	    grep -c "^$1 [^ ]* [^ ]* 20[0-9]" || true
}
# A machine of its own for each case, with 40 MiB in 8 parts.
content $((40 * mib)) "$work/forty"
number=0
fresh() {
	number=$((number + 1))
	name=C$number
	machine $name
	mkdir "$(root $name)/$name"
	ln "$work/forty" "$(root $name)/$name/big"
	no_faults
	asked_reset
}
drop() {
	rm -rf "$(root "$name")"
	remote_delete "$name/big"
}
problems=
# whole: what must be true at the end of each case.
whole() {
	local sent
	[ "$status" = 0 ] || problems+="$1: $(show_last)"$'\n'
	cmp -s <(remote_get "$name/big") "$work/forty" ||
	    problems+="$1: not whole"$'\n'
	sent=$(requests 'PUT UPLOAD_PART')
	[ "$sent" -le 9 ] || problems+="$1: $sent parts sent"$'\n'
	[ "$(begun "$name")" = "0 0" ] || problems+="$1: rows remain"$'\n'
}
cases=0
each_request() { # "KIND NTH", one a line
	echo LIST 1
	echo CREATE_UPLOAD 1
	for i in $(seq 8); do
		echo UPLOAD_PART "$i"
	done
	echo COMPLETE_UPLOAD 1
}
while read -r kind nth; do
	for cut in reset-before reset-after; do
		fresh
		faults "$kind key=*$name* nth=$nth times=1 $cut" \
		    "$kind key=$prefix nth=$nth times=1 $cut" >/dev/null
		up "$name"
		whole "$cut at $kind $nth"
		cases=$((cases + 1))
		drop
	done
done < <(each_request)
no_faults
check_empty "cut before and after each request in turn: $cases cases" "$problems"

# ---- killed at every request in turn ----------------------------------------

problems=
cases=0
fired() { # has the fault been met?
	curl -sS "$endpoint/_test/faults" | grep -q '^[1-9][0-9]* of'
}
while read -r kind nth; do
	for how in hang=30 delay=30000; do
		fresh
		faults "$kind key=*$name* nth=$nth times=1 $how" >/dev/null
		[ "$kind" != LIST ] ||
		    faults "LIST nth=1 times=1 $how" >/dev/null
		up_start "$name"
		eventually 20 fired || problems+="$how $kind $nth: not met"$'\n'
		[ "$how" = hang=30 ] || sleep 0.05
		kill -9 $pid
		wait $pid 2>/dev/null
		no_faults
		up "$name"
		whole "killed at $kind $nth, $how"
		cases=$((cases + 1))
		drop
	done
done < <(each_request)
check_empty "killed at each request in turn: $cases cases" "$problems"

# ---- what changes meanwhile -------------------------------------------------

# stranded KIND NTH: a cycle that was killed at that request.
stranded() {
	fresh
	faults "$1 key=*$name* nth=$2 times=1 hang=30" >/dev/null
	up_start "$name"
	eventually 20 fired
	kill -9 $pid
	wait $pid 2>/dev/null
	no_faults
}
# Ends what the cases above may have left: an upload whose beginning nobody
# heard of belongs to nobody.
close_uploads() {
	{ s3_list_uploads; echo; } | sed 's/<Upload>/\n&/g' | sed -n \
	    's#.*<Key>\([^<]*\)</Key><UploadId>\([^<]*\)<.*#\1?uploadId=\2#p' |
	    while read -r upload; do
		s3_request DELETE "$upload" >/dev/null
	done
}
close_uploads
stranded UPLOAD_PART 5
is "a killed upload stays open" 1 "$(uploads)"
rm "$(root "$name")/$name/big"
content $((12 * mib)) "$(root "$name")/$name/big"
up "$name"
expect 0 "the file changed meanwhile"
same "it is sent as it is now" "$name/big" "$(root "$name")/$name/big"
is "and the old upload is aborted" 0 "$(uploads)"
quiet "quiet" "$name"

stranded UPLOAD_PART 5
rm "$(root "$name")/$name/big"
up "$name"
expect 0 "the file is gone meanwhile"
is "its upload is aborted" 0 "$(uploads)"
is "and forgotten" "0 0" "$(begun "$name")"
quiet "quiet" "$name"

stranded UPLOAD_PART 5
close_uploads
up "$name"
expect 0 "the server lost the upload: it begins anew"
same "and is whole" "$name/big" "$work/forty"
is "nothing remains" 0 "$(uploads)"

fresh
faults 'UPLOAD_PART nth=4 times=1 status=404 code=NoSuchUpload' >/dev/null
up "$name"
expect 0 "an upload that is lost under way begins anew"
same "and is whole" "$name/big" "$work/forty"
close_uploads

stranded UPLOAD_PART 5
echo rival >"$work/rival"
remote_put "$name/big" "$work/rival"
up "$name"
is "another object has the key meanwhile: it stays" rival \
    "$(remote_get "$name/big")"
is "and the upload is aborted" 0 "$(uploads)"
is "and forgotten" "0 0" "$(begun "$name")"

fresh
faults "COMPLETE_UPLOAD times=1 delay=1000" >/dev/null
up_start "$name"
eventually 20 fired
wait $pid
fresh
faults "UPLOAD_PART nth=8 times=1 delay=700" >/dev/null
up_start "$name"
eventually 20 fired
remote_put "$name/big" "$work/rival"
wait $pid
is "an object that comes before the completion stays" rival \
    "$(remote_get "$name/big")"
is "the upload is aborted" 0 "$(uploads)"

fresh
faults "UPLOAD_PART nth=8 times=1 delay=700" >/dev/null
rm "$(root "$name")/$name/big"
cp "$work/forty" "$(root "$name")/$name/big"
up_start "$name"
eventually 20 fired
printf y | dd of="$(root "$name")/$name/big" bs=1 seek=100 conv=notrunc 2>/dev/null
wait $pid
is "a file that changes before the completion makes no object" "" \
    "$(remote_list | grep "$name")"
is "the upload is aborted" 0 "$(uploads)"
up "$name"
expect 0 "the next cycle sends it"
same "as it is now" "$name/big" "$(root "$name")/$name/big"

# ---- checksums --------------------------------------------------------------

for kind in crc32c sha256 crc64nvme; do
	fresh
	faults "UPLOAD_PART nth=4 times=1 hang=30" >/dev/null
	up_start "$name" --checksum $kind
	eventually 20 fired
	kill -9 $pid
	wait $pid 2>/dev/null
	no_faults
	up "$name" --checksum $kind
	expect 0 "each part has a checksum, also after a death: $kind"
	same "all is whole" "$name/big" "$work/forty"
	stranded UPLOAD_PART 4
	up "$name" --checksum $kind
	expect 0 "what was begun without begins anew: $kind"
	is "and the old upload is aborted" 0 "$(uploads)"
done

# ---- what others began is theirs --------------------------------------------

close_uploads

machine M
content $((6 * mib)) "$(root M)/shared"
s3_request POST "${prefix}shared?uploads=" -H 'Content-Length: 0' >/dev/null
up M
expect 0 "another machine has begun the same key"
is "its upload is left alone" 1 "$(uploads)"

# ---- damage, refusal, stop --------------------------------------------------

# taught: a machine that has seen that this bucket's ETags are MD5s, and
# does not know yet what the server checks.
taught() {
	fresh
	mv "$(root "$name")/$name/big" "$work/later"
	echo small >"$(root "$name")/$name/small"
	up "$name"
	sqlite3 "$(state "$name")" \
	    "DELETE FROM meta WHERE name = 'capabilities'"
	mv "$work/later" "$(root "$name")/$name/big"
}
# damaged WHAT TEXT RULE... -- [FLAG...]: on the way to a server with these
# rules, once, then always; then the message has this text.
damaged() {
	local what=$1 text=$2 rules=()
	shift 2
	while [ "$1" != -- ]; do
		rules+=("$1")
		shift
	done
	shift
	taught
	faults "${rules[@]}" "UPLOAD_PART nth=3 times=1 damage" >/dev/null
	asked_reset
	up "$name" "$@"
	expect 0 "$what: a part that arrived damaged is sent again"
	same "$what: and all is whole" "$name/big" "$work/forty"
	is "$what: only it" 9 "$(curl -sS "$endpoint/_test/log" |
	    grep -c "^PUT UPLOAD_PART [^ ]*$name/big ")"
	taught
	faults "${rules[@]}" "UPLOAD_PART damage" >/dev/null
	up "$name" "$@"
	expect 1 "$what: one that always arrives damaged fails"
	expect_text err "$text" "$what: and it says so"
	is "$what: no object is made of it" "" \
	    "$(remote_list | grep "$name/big")"
}
checked="what arrived is not what was announced"
compared="is not what the server says it got"
damaged "by its SHA-256" "$checked" --
damaged "by its MD5, that went along" "$checked" -- --sign headers
damaged "by its CRC32C" "$checked" -- --sign headers --checksum crc32c
damaged "by its ETag, where SHA-256 is not looked at" "$compared" \
    "PUT unchecked" "UPLOAD_PART unchecked" --
is "of which it knows" ignored "$(query "$name" "SELECT substr(value,
    instr(value, 'put_body=') + 9, 7) FROM meta WHERE name = 'capabilities'")"
damaged "by its ETag, where the checksum is not looked at" "$compared" \
    "PUT unchecked" "UPLOAD_PART unchecked" -- --sign headers --checksum crc32c
damaged "by its ETag, where no probe is allowed" "$compared" \
    "PUT unchecked" "UPLOAD_PART unchecked" -- --probe no

fresh
faults "UPLOAD_PART object-lock" >/dev/null
asked_reset
up "$name"
expect 0 "a server that wants MD5s with parts gets them"
check "without asking for each" [ "$(asked UPLOAD_PART)" -le 16 ]
same "and all is whole" "$name/big" "$work/forty"
no_faults
# spoilt TIMES CODE: the completion is refused so many times.
spoilt() {
	fresh
	faults "COMPLETE_UPLOAD key=*big times=$1 status=400 code=$2" >/dev/null
	asked_reset
	up "$name"
}
before=$(uploads)
spoilt 1 InvalidPart
expect 0 "an upload of which a part was lost begins anew"
same "and is whole" "$name/big" "$work/forty"
is "of the first one nothing is left" "$before" "$(uploads)"
spoilt 9 InvalidPart
expect 1 "once; then it is a failure"
is "which takes two attempts" 2 "$(curl -sS "$endpoint/_test/log" |
    grep -c "^POST CREATE_UPLOAD [^ ]*$name/big ")"
is "and leaves nothing that is paid for" "$before" "$(uploads)"
is "a daemon would wait before it tries again" "1 1" "$(query "$name" \
    "SELECT attempts || ' ' || (next_at_ns > 0) FROM pending")"
spoilt 1 EntityTooSmall
expect 1 "parts that are too small for the server are a failure"
expect_text err "raise part_size" "the remedy is told"
is "and nothing is left" "$before" "$(uploads)"
up "$name" --part-size 6M
expect 0 "with larger ones it goes"
same "and is whole" "$name/big" "$work/forty"
fresh
faults "CREATE_UPLOAD deny" >/dev/null
up "$name"
expect 1 "who may not begin an upload fails"
expect_text err "s3:PutObject" "and is told what is missing"
fresh
faults "LIST_PARTS deny" >/dev/null
up "$name"
expect 0 "who may not list parts can still send them"
fresh
faults "UPLOAD_PART key=*$name* nth=8 times=1 hang=30" >/dev/null
up_start "$name"
recorded() { # A
	[ "$(query "$1" "SELECT count(*) FROM part")" -ge 1 ]
}
check "parts are recorded while others are on their way" \
    eventually 20 recorded "$name"
kill -9 $pid
wait $pid 2>/dev/null
no_faults
faults "LIST_PARTS deny" >/dev/null
asked_reset
up "$name"
expect 0 "and go on with those that were recorded"
same "which are whole" "$name/big" "$work/forty"
check "and are not all sent again" \
    test "$(requests 'PUT UPLOAD_PART')" -lt 8
no_faults

fresh
faults "UPLOAD_PART nth=4 times=1 hang=30" >/dev/null
up_start "$name"
eventually 20 fired
start=$SECONDS
kill -TERM $pid
wait $pid
is "SIGTERM ends it" 143 $?
check "within 5 s" test $((SECONDS - start)) -le 5
no_faults
asked_reset
up "$name"
expect 0 "the next cycle goes on"
check "and sends only what is missing" \
    test "$(requests 'PUT UPLOAD_PART')" -le 5
same "it is whole" "$name/big" "$work/forty"
quiet "and quiet" "$name"
tap_end
