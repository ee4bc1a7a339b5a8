#!/bin/bash
# SPDX-License-Identifier: MIT
# The test server keeps its own promises: README.md beside this file, line by
# line, tried with curl, and with aws and rclone where they are installed.
set -u
s3testd=$PWD/tests/server/s3testd
cd "${srcdir:-.}" || exit
. tests/tap.sh

command -v curl >/dev/null || tap_skip_all "curl is not installed"
dir=$(mktemp -d)
server_pid=
trap 'server_stop 2>/dev/null; rm -rf "$dir"' EXIT

# What the environment says about AWS is about somebody's real account.
for name in "${!AWS_@}"; do
	unset "$name"
done
export AWS_EC2_METADATA_DISABLED=true
export AWS_CONFIG_FILE=$dir/none AWS_SHARED_CREDENTIALS_FILE=$dir/none

# server_start [OPTION]...: serves until server_stop. Sets server_url.
server_start() {
	local tries=0
	rm -f "$dir/port" "$dir/pid"
	"$s3testd" --port 0 --port-file "$dir/port" --pid-file "$dir/pid" \
	    "$@" >"$dir/server.log" 2>&1 &
	server_pid=$!
	while [ ! -s "$dir/port" ]; do
		tries=$((tries + 1))
		if [ $tries -gt 200 ] || ! kill -0 "$server_pid"; then
			cat "$dir/server.log" >&2
			return 1
		fi
		sleep 0.05
	done 2>/dev/null
	server_url=http://127.0.0.1:$(cat "$dir/port")
}

# Ends the server; its exit status.
server_stop() {
	kill "$server_pid" && wait "$server_pid"
}

# server_ask METHOD PATH [CURL-ARGUMENT]...: the control API.
server_ask() {
	local method=$1 path=$2
	shift 2
	curl -sS --fail-with-body -X "$method" "$@" "$server_url/_test/$path"
}

# server_faults RULES: these and no others from now on.
server_faults() {
	server_ask DELETE faults
	server_ask POST faults --data-binary "$1"
}

# server_count KIND: how many requests of this kind there were.
server_count() {
	server_ask GET counts | sed "s/.*\"$1\":\([0-9]*\).*/\1/"
}

# s3 PATH [CURL-ARGUMENT]...: an unsigned request; head and body in $dir/said,
# its status in $status, curl's own in $failed.
s3() {
	local path=$1
	shift
	: >"$dir/said"
	: >"$dir/head"
	status=$(curl -sS -m 20 -o "$dir/said" -D "$dir/head" \
	    -w '%{http_code}' "$@" "$server_url$path" 2>"$dir/why")
	failed=$?
}

# signed PATH [CURL-ARGUMENT]...: the same with curl's SigV4, which is sound
# for plain paths and sorted, encoded queries.
signed() {
	local path=$1
	shift
	s3 "$path" --aws-sigv4 "aws:amz:us-east-1:s3" -u testkey:testsecret \
	    -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' "$@"
}

# is NAME WHAT WANTED: tells both where they differ.
is() {
	if [ "$2" = "$3" ]; then
		tap_ok "$1"
	else
		tap_not_ok "$1" "got '$2', not '$3'"
	fi
}

# answers NAME STATUS [TEXT]: what the last request was answered.
answers() {
	if [ "$status" = "$2" ] &&
	    cat "$dir/head" "$dir/said" | tr -d '\r' | grep -qF -- "${3:-}"
	then
		tap_ok "$1"
	else
		tap_not_ok "$1" "got $status ($(cat "$dir/why")), not $2 $3:
$(cat "$dir/head" "$dir/said" | head -c 2000)"
	fi
}

# breaks NAME STATUS: curl itself failed, so.
breaks() {
	is "$1" "$failed" "$2"
}

header() {
	tr -d '\r' <"$dir/head" | sed -n "s/^$1: //Ip"
}

keys() {
	grep -o '<Key>[^<]*' "$dir/said" | sed 's/<Key>//'
}

element() {
	grep -o "<$1>[^<]*" "$dir/said" | sed "s/<$1>//;q"
}

# put KEY TEXT: past all checks.
put() {
	server_ask PUT "object/demo/$1" --data-binary "$2" "${@:3}"
}

# list [QUERY]: a page of what is below p/.
list() {
	s3 "/demo?list-type=2&prefix=p/&${1:-}"
}

# as_query TEXT: encoded.
as_query() {
	sed 's/+/%2B/g; s,/,%2F,g; s/=/%3D/g' <<<"$1"
}

md5() {
	md5sum | cut -d' ' -f1
}

# ---- signatures: the vectors that AWS publishes ----

vectors() {
	local scope sent key=AKIAIOSFODNN7EXAMPLE
	sent=20130524T000000Z
	scope=${sent%T*}/us-east-1/s3/aws4_request
	server_start --access-key $key --bucket examplebucket \
	    --secret-key wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY
	server_faults "ANY skew=$((1369353600 - $(date +%s)))"

	# vector NAME STATUS TARGET HEADERS SIGNATURE [CURL-ARGUMENT]...
	vector() {
		s3 "$3" --path-as-is -H "x-amz-date: $sent" "${@:6}" \
		    -H 'Host: examplebucket.s3.amazonaws.com' \
		    -H "Authorization: AWS4-HMAC-SHA256 Credential=$key/$scope,SignedHeaders=$4,Signature=$5"
		answers "$1" "$2" ""
	}
	local empty=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
	local hash='x-amz-content-sha256'
	printf 'Welcome to Amazon S3.' >"$dir/welcome"
	vector "AWS's example of PUT is accepted" 200 \
	    '/test%24file.text' \
	    "date;host;$hash;x-amz-date;x-amz-storage-class" \
	    98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd \
	    -T "$dir/welcome" -H 'Date: Fri, 24 May 2013 00:00:00 GMT' \
	    -H 'x-amz-storage-class: REDUCED_REDUNDANCY' \
	    -H "$hash: $(sha256sum <"$dir/welcome" | cut -d' ' -f1)"
	server_ask PUT object/examplebucket/test.txt -T "$dir/welcome"
	local get="host;range;$hash;x-amz-date"
	local right=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41
	vector "AWS's example of GET is accepted" 206 /test.txt "$get" \
	    "$right" -H 'Range: bytes=0-9' -H "$hash: $empty"
	vector "AWS's example of GET lifecycle is accepted" 404 \
	    '/?lifecycle' "host;$hash;x-amz-date" \
	    fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543 \
	    -H "$hash: $empty"
	vector "AWS's example of GET Bucket is accepted" 200 \
	    '/?max-keys=2&prefix=J' "host;$hash;x-amz-date" \
	    34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7 \
	    -H "$hash: $empty"
	vector "its query in another order is the same" 200 \
	    '/?prefix=J&max-keys=2' "host;$hash;x-amz-date" \
	    34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7 \
	    -H "$hash: $empty"
	vector "another signature is refused" 403 /test.txt "$get" \
	    "${right%1}2" -H 'Range: bytes=0-9' -H "$hash: $empty"
	vector "another path is refused" 403 /test.txt2 "$get" \
	    "$right" -H 'Range: bytes=0-9' -H "$hash: $empty"
	vector "another header value is refused" 403 /test.txt "$get" \
	    "$right" -H 'Range: bytes=0-8' -H "$hash: $empty"
	vector "another method is refused" 403 /test.txt "$get" \
	    "$right" -H 'Range: bytes=0-9' -H "$hash: $empty" -X DELETE
	vector "an unsigned x-amz header is refused" 403 /test.txt "$get" \
	    "$right" -H 'Range: bytes=0-9' -H "$hash: $empty" \
	    -H 'x-amz-meta-more: 1'
	answers "and named" 403 '<HeadersNotSigned>x-amz-meta-more<'
	vector "signed headers out of order are refused" 403 /test.txt \
	    "range;host;$hash;x-amz-date" \
	    "$right" -H 'Range: bytes=0-9' -H "$hash: $empty"
	server_stop
	is "SIGTERM ends it with status 0" $? 0
}

# ---- who may ask ----

identity() {
	server_start --bucket demo
	signed /demo
	answers "curl's signature is accepted" 200 '<Name>demo</Name>'
	s3 /demo
	answers "an unsigned request is refused" 403 '<Code>AccessDenied<'
	signed /demo -u other:testsecret
	answers "an unknown key is refused" 403 '<Code>InvalidAccessKeyId<'
	signed /demo -u testkey:other
	answers "a wrong secret is refused" 403 '<Code>SignatureDoesNotMatch<'
	check "and the right one is not told" \
	    bash -c "! grep -q testsecret '$dir/said'"
	signed /demo --aws-sigv4 aws:amz:eu-west-1:s3
	answers "a wrong region is refused" 400 '<Region>us-east-1</Region>'
	answers "as malformed" 400 '<Code>AuthorizationHeaderMalformed<'
	signed /demo -H 'x-amz-date: 20200101T000000Z'
	answers "an old request is refused" 403 '<Code>RequestTimeTooSkewed<'
	answers "and hears the time" 403 "<ServerTime>$(date -u +%Y-)"
	signed /demo -H 'Authorization: Basic eDp5'
	answers "another scheme is refused" 400 AuthorizationHeaderMalformed
	s3 /demo --aws-sigv4 aws:amz:us-east-1:s3 -u testkey:testsecret
	answers "the payload's hash must be told" 400 x-amz-content-sha256
	printf hello >"$dir/hello"
	s3 /demo/a --aws-sigv4 aws:amz:us-east-1:s3 -u testkey:testsecret \
	    -T "$dir/hello" -H "x-amz-content-sha256: $(sha256sum \
	    <"$dir/hello" | cut -d' ' -f1)"
	answers "a body with its hash is stored" 200
	s3 /demo/b --aws-sigv4 aws:amz:us-east-1:s3 -u testkey:testsecret \
	    -T "$dir/hello" -H "x-amz-content-sha256: $(sha256sum \
	    </dev/null | cut -d' ' -f1)"
	answers "a body with another's is not" 400 XAmzContentSHA256Mismatch
	signed /demo/b
	answers "(it is not there)" 404 '<Code>NoSuchKey<'
	signed /demo/a -H 'Host: localhost'
	answers "any name of loopback is path style" 200 hello
	signed /a -H 'Host: demo.localhost'
	answers "BUCKET.localhost is virtual-host style" 200 hello
	signed /a -H 'Host: demo.s3.us-east-1.amazonaws.com'
	answers "BUCKET.s3.REGION, too" 200 hello
	is "counts are by kind" "$(server_count PUT) $(server_count GET)" \
	    "2 4"
	server_stop
	server_start --bucket demo --session-token t0ken
	signed /demo
	answers "a session token must be sent" 400 '<Code>InvalidToken<'
	signed /demo -H 'x-amz-security-token: t0ken'
	answers "and be the right one" 200
	server_stop
}

# ---- one object ----

objects() {
	s3 /demo/x -T "$dir/hello" -H 'x-amz-meta-mtime: 12.5' \
	    -H 'X-Amz-Meta-Two: b' -H 'Content-Type: text/x-test'
	answers "PUT answers the MD5" 200 "ETag: \"$(md5 <"$dir/hello")\""
	s3 /demo/x
	answers "GET gives the body" 200 hello
	is "with its ETag" "$(header etag)" "\"$(md5 <"$dir/hello")\""
	is "its type" "$(header content-type)" text/x-test
	is "its metadata" "$(header x-amz-meta-mtime)$(header x-amz-meta-two)" \
	    12.5b
	s3 /demo/x -I
	answers "HEAD gives the same head" 200 'Content-Length: 5'
	s3 /demo/x -r 1-2
	answers "a range is 206" 206 'Content-Range: bytes 1-2/5'
	is "of those bytes" "$(cat "$dir/said")" el
	s3 /demo/x -r -2
	is "the last two" "$(cat "$dir/said")" lo
	s3 /demo/x -r 3-
	is "from the third on" "$(cat "$dir/said")" lo
	s3 /demo/x -r 3-99
	is "no more than there is" "$(cat "$dir/said")" lo
	s3 /demo/x -r 5-
	answers "behind the end is 416" 416 'Content-Range: bytes */5'
	s3 /demo/x -H 'If-None-Match: *'
	answers "GET If-None-Match: * is 304" 304
	s3 /demo/x -H "If-Match: \"$(md5 <"$dir/hello")\""
	answers "GET If-Match is 200" 200
	s3 /demo/x -H 'If-Match: "0"'
	answers "GET If-Match another is 412" 412 PreconditionFailed
	s3 /demo/x -T "$dir/hello" -H 'If-None-Match: *'
	answers "PUT If-None-Match: * over it is 412" 412 PreconditionFailed
	s3 /demo/x -T "$dir/hello" -H 'If-None-Match: *' -H 'Expect:'
	answers "with the body sent at once, too" 412 PreconditionFailed
	s3 /demo/y -T "$dir/hello" -H 'If-None-Match: *'
	answers "beside it, 200" 200
	s3 /demo/y -T "$dir/hello" -H 'If-None-Match: "0"'
	answers "PUT If-None-Match of an ETag is 501" 501 NotImplemented
	s3 /demo/y -T "$dir/hello" -H 'If-Match: "0"'
	answers "PUT If-Match another is 412" 412
	s3 /demo/z -T "$dir/hello" -H 'If-Match: "0"'
	answers "PUT If-Match of nothing is 404" 404 NoSuchKey
	s3 /demo/y -X DELETE -H 'If-Match: "0"'
	answers "DELETE If-Match another is 412" 412
	s3 /demo/z -X DELETE -H 'If-Match: "0"'
	answers "DELETE If-Match of nothing is 404" 404 NoSuchKey
	s3 /demo/y -X DELETE -H "If-Match: \"$(md5 <"$dir/hello")\""
	answers "DELETE If-Match is 204" 204
	s3 /demo/y -X DELETE
	answers "DELETE of nothing is 204" 204
	s3 /demo/y -T "$dir/hello" -H 'Content-MD5: XrY7u+Ae7tCTyyK7j1rNww=='
	answers "a wrong Content-MD5 is 400" 400 '<Code>BadDigest<'
	s3 /demo/y
	answers "(it is not there)" 404
	s3 /demo/y -T - -H 'Transfer-Encoding: chunked' <"$dir/hello"
	answers "a body of unknown length is 411" 411 MissingContentLength
	s3 "/demo/$(printf 'k%.0s' {1..1025})" -T "$dir/hello"
	answers "a key of 1025 bytes is 400" 400 KeyTooLongError
	s3 "/demo/$(printf 'k%.0s' {1..1024})" -T "$dir/hello"
	answers "a key of 1024 bytes is not" 200
	s3 /demo/%FF -T "$dir/hello"
	answers "a key that is not UTF-8 is 400" 400 InvalidURI
	s3 /nowhere/x
	answers "no such bucket is 404" 404 NoSuchBucket
	s3 /demo/x -T "$dir/hello" -H 'x-amz-storage-class: GLACIER'
	s3 /demo/x
	answers "what is archived cannot be read" 403 InvalidObjectState
	server_ask PUT object/demo/restored -T "$dir/hello" \
	    -H 'x-amz-storage-class: GLACIER' -H \
	    'x-amz-restore: ongoing-request="false", expiry-date="some day"'
	server_ask PUT object/demo/restoring -T "$dir/hello" \
	    -H 'x-amz-storage-class: DEEP_ARCHIVE' \
	    -H 'x-amz-restore: ongoing-request="true"'
	s3 /demo/restored
	answers "unless it was restored" 200 hello
	is "which is said" "$(header x-amz-restore | cut -c1-23)" \
	    'ongoing-request="false"'
	s3 /demo/restoring
	answers "whole" 403 InvalidObjectState
	s3 '/demo?list-type=2&prefix=restor'
	is "a listing tells of it on demand" \
	    "$(grep -c RestoreStatus "$dir/said")" 0
	s3 '/demo?list-type=2&prefix=restor' \
	    -H 'x-amz-optional-object-attributes: RestoreStatus'
	is "of both" "$(grep -o '<IsRestoreInProgress>[a-z]*' "$dir/said" |
	    sort | paste -sd' ')" \
	    "<IsRestoreInProgress>false <IsRestoreInProgress>true"
	is "and of an end" "$(grep -o '<RestoreExpiryDate>' "$dir/said" |
	    wc -l)" 1
	hello_crc32c=mnG7TA==
	s3 /demo/sum -T "$dir/hello" -H "x-amz-checksum-crc32c: $hello_crc32c"
	is "a checksum is repeated" "$(header x-amz-checksum-crc32c)" \
	    "$hello_crc32c"
	s3 /demo/sum
	is "told on demand" "$(header x-amz-checksum-crc32c)" ""
	s3 /demo/sum -H 'x-amz-checksum-mode: ENABLED'
	is "of the whole" "$(header x-amz-checksum-crc32c)" "$hello_crc32c"
	s3 /demo/sum -H 'x-amz-checksum-mode: ENABLED' -H 'Range: bytes=0-1'
	is "only" "$(header x-amz-checksum-crc32c)" ""
	s3 /demo/sum -T "$dir/hello" -H 'x-amz-checksum-crc32c: AAAAAA=='
	answers "a wrong checksum is 400" 400 '<Code>BadDigest<'
	s3 /demo/sum -T "$dir/hello" -H 'x-amz-checksum-crc64nvme: AAAA'
	answers "so is none" 400 '<Code>InvalidRequest<'
	s3 /demo/acl -T "$dir/hello" -H 'x-amz-acl: public-read' \
	    -H 'x-amz-server-side-encryption: aws:kms' \
	    -H 'x-amz-server-side-encryption-aws-kms-key-id: alias/k'
	answers "canned ACLs and keys are taken" 200
	s3 /demo/acl
	is "an ACL is not told" "$(header x-amz-acl)" ""
	is "but with which key" \
	    "$(header x-amz-server-side-encryption-aws-kms-key-id)" alias/k
	server_ask GET object/demo/acl -o /dev/null -D "$dir/head"
	is "but to tests" "$(header x-amz-acl)" public-read
	s3 /demo/acl -T "$dir/hello" -H 'x-amz-acl: everybody'
	answers "others are not" 400 InvalidArgument
	s3 /demo/x -T "$dir/hello" -H 'x-amz-storage-class: OLD'
	answers "an unknown storage class is 400" 400 InvalidStorageClass
	s3 /demo/x -T "$dir/hello" -H 'x-amz-server-side-encryption: aws:kms'
	is "with KMS, the ETag is no MD5" "$(header etag | md5 |
	    grep -c "$(md5 <"$dir/hello")")" 0
	# half a body: Content-Length says 5, the connection ends after 3
	printf 'PUT /demo/half HTTP/1.1\r\nHost: l\r\nContent-Length: 5\r\n\r\nhal' |
	    timeout 5 bash -c "exec 3<>/dev/tcp/127.0.0.1/${server_url##*:}; cat >&3"
	s3 /demo/half
	answers "half a body makes no object" 404
	s3 /new-bucket -X PUT
	answers "a bucket can be made" 200
	s3 /new-bucket -X PUT
	answers "once" 409 BucketAlreadyOwnedByYou
	s3 /Bad_Bucket -X PUT
	answers "under a good name" 400 InvalidBucketName
	s3 /
	answers "and is listed" 200 '<Name>new-bucket</Name>'
	s3 '/demo?location'
	answers "GetBucketLocation answers" 200 '<LocationConstraint'
	s3 /demo -I
	answers "HeadBucket answers" 200 'x-amz-bucket-region: us-east-1'
	s3 /demo?acl
	answers "what is not there is 501" 501 NotImplemented
}

# ---- listings ----

all_pages() {
	local token=
	while :; do
		s3 "/demo?list-type=2&$1${token:+&continuation-token=}$token"
		keys
		[ "$(element IsTruncated)" = true ] || break
		token=$(as_query "$(element NextContinuationToken)")
	done
}

listings() {
	local name all
	server_ask POST 'bucket?bucket=order'
	for name in a a%2Fb a-b a.b 'a%20b' %C3%A4 A %F0%9F%98%80 %EE%80%80; do
		server_ask PUT "object/order/$name" -d ''
	done
	s3 '/order?list-type=2&encoding-type=url'
	is "keys come in the order of their bytes" "$(keys | tr '\n' ' ')" \
	    "A a a+b a-b a.b a/b %C3%A4 %EE%80%80 %F0%9F%98%80 "
	s3 '/order?list-type=2&delimiter=/'
	answers "a delimiter rolls up" 200 \
	    '<CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes>'
	is "what lies below" "$(keys | grep -c /)" 0
	s3 '/order?list-type=2&start-after=a.b'
	is "start-after excludes itself" "$(keys | head -1)" a/b
	put 'q/%01%26%3C' x
	s3 '/demo?list-type=2&prefix=q/'
	answers "without encoding, XML's rules" 200 '<Key>q/&#x1;&amp;&lt;</Key>'
	s3 '/demo?list-type=2&prefix=q/&encoding-type=url'
	answers "with it, percents" 200 '<Key>q/%01%26%3C</Key>'
	for name in $(seq -w 25); do
		put "p/$name" "$name"
	done
	all=$(seq -w 25 | sed 's,^,p/,')
	is "pages make the whole" "$(all_pages 'prefix=p/&max-keys=4')" "$all"
	is "by a delimiter, too" "$(all_pages \
	    'prefix=p/&max-keys=4&delimiter=/')" "$all"
	s3 '/demo?prefix=p/&max-keys=20'
	answers "the first version of LIST works" 200 \
	    '<NextMarker>p/20</NextMarker>'
	s3 '/demo?prefix=p/&marker=p/20'
	is "and goes on" "$(keys | head -1)" p/21
	list max-keys=0
	answers "max-keys=0 is an empty page" 200 '<IsTruncated>false<'
	list max-keys=x
	answers "max-keys=x is 400" 400 InvalidArgument
	list continuation-token=x
	answers "an unknown token is 400" 400 InvalidArgument
	is "the dump is the same" "$(server_ask GET 'objects?bucket=demo' |
	    grep '^p/' | head -1)" "p/01 2 $(printf 01 | md5)"
	put p/wish x -H 'x-test-mtime-ms: 1000000000123' \
	    -H "x-test-etag: $(printf 'e%.0s' {1..300})"
	list
	answers "a test can wish for a time" 200 \
	    '<LastModified>2001-09-09T01:46:40.123Z<'
	answers "and an ETag" 200 "&quot;$(printf 'e%.0s' {1..300})&quot;"
	server_ask DELETE object/demo/p/wish
}

# ---- multipart ----

multipart() {
	local id xml
	head -c 6000 /dev/zero >"$dir/part"
	s3 '/demo/mp?uploads' -X POST -H 'x-amz-meta-a: b'
	answers "an upload begins" 200 '<UploadId>'
	id=$(element UploadId)
	s3 "/demo/mp?partNumber=2&uploadId=$id" -T "$dir/hello"
	answers "parts come in any order" 200
	s3 "/demo/mp?partNumber=1&uploadId=$id" -T "$dir/part"
	s3 "/demo/mp?uploadId=$id&max-parts=1"
	answers "parts are listed, page by page" 200 \
	    '<NextPartNumberMarker>1<'
	s3 '/demo?uploads&prefix=m'
	answers "uploads are listed" 200 "<UploadId>$id</UploadId>"
	s3 /demo/mp
	answers "it is not there yet" 404
	xml="<Part><PartNumber>1</PartNumber><ETag>\"$(md5 <"$dir/part")\"</ETag></Part>"
	xml="$xml<Part><PartNumber>2</PartNumber><ETag>&quot;$(md5 \
	    <"$dir/hello")&quot;</ETag></Part>"
	s3 "/demo/mp?uploadId=$id" -d "<C>${xml/PartNumber>2/PartNumber>3}</C>"
	answers "a part that is not there is 400" 400 InvalidPart
	s3 "/demo/mp?uploadId=$id" -d '<C></C>'
	answers "no part at all is 400" 400 MalformedXML
	s3 "/demo/mp?uploadId=$id" -d "<C>$xml</C>" -H 'If-None-Match: *'
	answers "it completes" 200 "$(
	    cat <(md5sum "$dir/part") <(md5sum "$dir/hello") |
	    cut -c1-32 | tr -d '\n' | sed 's/../\\x&/g' |
	    { read -r hex; printf %b "$hex"; } | md5)-2"
	s3 /demo/mp
	is "whole" "$(md5 <"$dir/said")" \
	    "$(cat "$dir/part" "$dir/hello" | md5)"
	is "with its metadata" "$(header x-amz-meta-a)" b
	s3 "/demo/mp?uploadId=$id" -d "<C>$xml</C>"
	answers "it completes once" 404 NoSuchUpload
	s3 '/demo/mp?uploads' -X POST
	id=$(element UploadId)
	s3 "/demo/mp?partNumber=1&uploadId=$id" -T "$dir/hello"
	s3 "/demo/mp?uploadId=$id" -d "<C><Part><PartNumber>1</PartNumber><ETag>$(
	    md5 <"$dir/hello")</ETag></Part></C>" -H 'If-None-Match: *'
	answers "not over another object, if so asked" 412
	s3 "/demo/mp?uploadId=$id" -X DELETE
	answers "an upload can be abandoned" 204
	s3 "/demo/mp?partNumber=1&uploadId=$id" -T "$dir/hello"
	answers "then it is gone" 404 NoSuchUpload
}

# ---- faults ----

log_last() {
	server_ask GET log | tail -1
}

network_faults() {
	server_faults 'PUT reset-before'
	s3 /demo/f -T "$dir/hello"
	breaks "reset-before cuts" 56
	is "and is logged" "$(log_last)" 'PUT PUT demo/f cut'
	server_faults 'PUT reset-after'
	s3 /demo/f2 -T "$dir/hello"
	breaks "reset-after cuts" 56
	server_faults ''
	s3 /demo/f
	answers "before: nothing is done" 404
	s3 /demo/f2
	answers "after: it is done" 200 hello
	server_faults 'GET reset-at=3'
	s3 /demo/f2
	breaks "reset-at cuts the body" 18
	is "at that byte" "$(cat "$dir/said")" hel
	server_faults 'GET header-reset-at=40'
	s3 /demo/f2
	check "header-reset-at cuts the header" test "$failed" -ne 0
	is "at that byte" "$(wc -c <"$dir/head")" 40
	head -c 3000000 /dev/zero >"$dir/large"
	server_faults 'PUT upload-reset-at=100000'
	s3 /demo/f3 -T "$dir/large"
	check "upload-reset-at cuts the upload" test "$failed" -ne 0
	server_faults 'PUT upload-delay=60000'
	truncate -s 30000000 "$dir/larger"
	signed /demo/f3 -T "$dir/larger" -m 1 -w '%{size_upload}'
	breaks "upload-delay waits" 28
	check "the body stays on the way" test "$status" -lt 25000000
	server_faults 'PUT upload-delay=300'
	signed /demo/delayed -T "$dir/larger"
	answers "and then comes whole" 200
	server_faults 'PUT upload-trickle=200000'
	signed /demo/dripped -T "$dir/large" -m 1
	breaks "upload-trickle is slow" 28
	head -c 100000 /dev/zero >"$dir/drops"
	signed /demo/dripped -T "$dir/drops"
	answers "and takes it whole" 200
	server_faults ''
	s3 /demo/f3
	answers "nothing is stored" 404
	server_faults 'GET hang=60'
	s3 /demo/f2 -m 1
	breaks "hang hangs" 28
	server_faults 'GET delay=300'
	is "delay waits" "$(time_of /demo/f2 0.3 5)" yes
	put trickled "$(head -c 300 /dev/zero | tr '\0' x)"
	server_faults 'GET trickle=500'
	is "trickle drips" "$(time_of /demo/trickled 0.4 5)" yes
	is "everything" "$(wc -c <"$dir/said")" 300
	server_faults 'GET wrong-length'
	s3 /demo/f2
	breaks "wrong-length promises more" 18
	server_faults 'GET short=2'
	s3 /demo/f2
	is "short gives less" "$failed $(cat "$dir/said")" "0 hel"
	server_faults 'GET corrupt'
	s3 /demo/f2
	is "corrupt gives something else" "$(wc -c <"$dir/said") $(grep -c \
	    hello "$dir/said")" "5 0"
}

# time_of PATH LEAST MOST: does it take so many seconds?
time_of() {
	local begin=$EPOCHREALTIME
	s3 "$1"
	awk "BEGIN { t = $EPOCHREALTIME - $begin
	    print ((t >= $2 && t <= $3) ? \"yes\" : t) }"
}

settings() {
	s3 '/demo?versioning'
	answers "no versioning" 200 '<VersioningConfiguration/>'
	s3 '/demo?lifecycle'
	answers "no lifecycle" 404 NoSuchLifecycleConfiguration
	s3 '/demo?encryption'
	answers "no encryption" 404 \
	    ServerSideEncryptionConfigurationNotFoundError
	s3 '/demo?object-lock'
	answers "no object lock" 404 ObjectLockConfigurationNotFoundError
	server_ask POST 'setting?name=lifecycle' --data-binary '<L>7</L>'
	s3 '/demo?lifecycle'
	answers "lifecycle as a test wants it" 200 '<L>7</L>'
	server_ask POST 'setting?name=lifecycle' --data-binary ''
	s3 '/demo?lifecycle'
	answers "and none again" 404
	s3 '/demo?lifecycle' -X PUT
	answers "others cannot set it" 501
	server_faults 'LIFECYCLE deny'
	s3 '/demo?lifecycle'
	answers "it is a kind of its own" 403 AccessDenied
	s3 '/demo?versioning'
	answers "only that" 200
	server_ask DELETE faults
}

answer_faults() {
	server_faults 'GET status=503 code=SlowDown retry-after=7'
	s3 /demo/f2
	answers "status and code" 503 '<Code>SlowDown</Code>'
	is "retry-after" "$(header retry-after)" 7
	server_faults 'PUT status=500 late'
	s3 /demo/late -T "$dir/hello"
	answers "late answers an error" 500 InternalError
	s3 /demo/late
	answers "of what was done" 200 hello
	server_faults 'GET body-error code=InternalError'
	s3 /demo/f2
	answers "body-error is 200" 200 '<Error><Code>InternalError</Code>'
	server_faults 'LIST html'
	list
	answers "html is HTML" 200 '<!DOCTYPE html>'
	server_faults 'GET key=f? deny'
	s3 /demo/f2
	answers "deny is 403 for that key" 403 AccessDenied
	s3 /demo/late
	answers "and no other" 200
	server_faults 'GET status=301 code=PermanentRedirect bucket-region=mars-1'
	s3 /demo/f2
	answers "bucket-region names another" 301 '<Endpoint>elsewhere.invalid<'
	is "bucket-region" "$(header x-amz-bucket-region)" mars-1
	server_faults 'GET skew=86400'
	s3 /demo/f2
	is "skew shifts the clock" "$(header date | cut -c1-16)" \
	    "$(LC_ALL=C date -u -d tomorrow '+%a, %d %b %Y')"
	server_faults 'PUT damage'
	s3 /demo/damaged -T "$dir/hello" -H "Content-MD5: $(openssl md5 \
	    -binary "$dir/hello" | base64)"
	answers "a damaged body is not the announced one" 400 BadDigest
	server_faults 'PUT damage unchecked'
	s3 /demo/damaged -T "$dir/hello" -H "Content-MD5: $(openssl md5 \
	    -binary "$dir/hello" | base64)"
	is "unchecked, it is kept" "$(header etag)" \
	    "\"$({ printf i; tail -c +2 "$dir/hello"; } | md5)\""
	server_faults 'PUT wrong-etag'
	s3 /demo/f2 -T "$dir/hello"
	is "wrong-etag is wrong" "$(header etag |
	    grep -c "$(md5 <"$dir/hello")")" 0
	server_faults 'PUT kms'
	s3 /demo/kms -T "$dir/hello"
	is "kms says so" "$(header x-amz-server-side-encryption)" aws:kms
	is "and has no MD5" "$(header etag |
	    grep -cE '^"[0-9a-f]{32}"$') $(header etag |
	    grep -c "$(md5 <"$dir/hello")")" "1 0"
	server_faults 'PUT opaque-etag'
	s3 /demo/opaque -T "$dir/hello"
	is "opaque-etag has no MD5, and does not say so" "$(header etag |
	    grep -cE '^"[0-9a-f]{32}"$') $(header etag |
	    grep -c "$(md5 <"$dir/hello")") $(header x-amz-server-side-encryption)" \
	    "1 0 "
	server_faults 'PUT wrong-checksum'
	s3 /demo/sum -T "$dir/hello" -H "x-amz-checksum-crc32c: $hello_crc32c"
	is "wrong-checksum is wrong" "$status $(header x-amz-checksum-crc32c |
	    grep -cF "$hello_crc32c")" "200 0"
	server_faults 'PUT object-lock'
	s3 /demo/lock -T "$dir/hello"
	answers "object-lock wants a checksum" 400 \
	    'Content-MD5 OR x-amz-checksum- HTTP header is required'
	s3 /demo/lock -T "$dir/hello" \
	    -H "x-amz-checksum-crc32c: $hello_crc32c"
	answers "any will do" 200
	s3 /demo/lock -T "$dir/hello" -H "Content-MD5: $(openssl md5 -binary \
	    "$dir/hello" | base64)"
	answers "an MD5, too" 200
	server_faults 'ANY requester-pays'
	s3 /demo/lock
	answers "requester-pays wants an offer" 403 AccessDenied
	s3 /demo/lock -H 'x-amz-request-payer: requester'
	answers "to pay" 200
	server_faults 'LIST reject-attributes'
	s3 '/demo?list-type=2' \
	    -H 'x-amz-optional-object-attributes: RestoreStatus'
	answers "reject-attributes refuses" 501 NotImplemented
	s3 '/demo?list-type=2'
	answers "only those" 200
	server_faults 'ANY key=arch* archived'
	put arch1 x
	s3 /demo/arch1
	answers "archived cannot be read" 403 InvalidObjectState
	s3 '/demo?list-type=2&prefix=arch'
	answers "and is listed so" 200 '<StorageClass>GLACIER<'
	server_faults 'GET key=f2 no-ranges'
	s3 /demo/f2 -r 1-2
	answers "no-ranges gives all of it" 200 'Content-Length: 5'
	server_faults 'PUT ignore-conditions'
	s3 /demo/f2 -T "$dir/hello" -H 'If-None-Match: *'
	answers "ignore-conditions ignores" 200
	server_faults 'PUT reject-conditions'
	s3 /demo/f2 -T "$dir/hello" -H 'If-None-Match: *'
	answers "reject-conditions refuses" 501 '<Header>If-None-Match<'
	s3 /demo/f2 -T "$dir/hello"
	answers "only those" 200
}

page_faults() {
	local token
	server_faults 'LIST truncate-xml'
	list
	is "truncate-xml cuts the page, not the reply" \
	    "$status $failed $(grep -c '</ListBucketResult>' "$dir/said")" \
	    "200 0 0"
	server_faults 'LIST unordered'
	list
	check "unordered is not in order" \
	    bash -c "! grep -o '<Key>[^<]*' '$dir/said' | LC_ALL=C sort -c"
	server_faults 'LIST duplicate-key'
	list
	is "duplicate-key has one twice" "$(keys | uniq -d)" p/25
	server_faults 'LIST outside-prefix'
	list
	is "outside-prefix has one outside" "$(keys | grep -vc '^p/')" 1
	server_faults 'LIST no-token'
	list max-keys=5
	is "no-token has none" "$(element IsTruncated) $(grep -c \
	    NextContinuationToken "$dir/said")" "true 0"
	server_faults 'LIST page=2 empty-page'
	is "empty-page loses nothing" "$(all_pages 'prefix=p/&max-keys=10' |
	    wc -l)" 25
	is "and is a page more" "$(server_ask GET log | grep -c \
	    'LIST demo/ 200.*max-keys=10')" 4
	server_faults 'LIST loop'
	list max-keys=5
	token=$(element NextContinuationToken)
	list "max-keys=5&continuation-token=$(as_query "$token")"
	is "loop goes round" "$(element NextContinuationToken)" "$token"
	server_faults 'LIST no-encoding'
	s3 '/demo?list-type=2&prefix=q/&encoding-type=url'
	is "no-encoding encodes nothing" "$(grep -c EncodingType \
	    "$dir/said") $(keys)" "0 q/&#x1;&amp;&lt;"
	server_faults 'LIST page-max=7'
	is "page-max makes more pages" "$(all_pages prefix=p/ | wc -l) $(
	    keys | wc -l)" "25 4"
}

rules() {
	server_faults $'# twice\nGET nth=2 status=500\nGET every=3 status=503'
	is "nth and every count" "$(for _ in 1 2 3 4 5 6; do
		s3 /demo/f2
		echo "$status"
	done | tr '\n' ' ')" "200 500 503 200 200 503 "
	is "rules tell how often they fired" "$(server_ask GET faults |
	    head -1)" "1 of 6: GET nth=2 status=500"
	server_faults 'GET times=1 key=*2 status=500'
	is "times ends it" "$(for _ in 1 2; do
		s3 /demo/f2
		echo "$status"
	done | tr '\n' ' ')" "500 200 "
	chances() {
		server_faults 'GET percent=50 seed=7 status=500'
		for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do
			s3 /demo/f2
			echo "$status"
		done
	}
	is "percent is the same each time" "$(chances)" "$(chances)"
	is "and meets some" "$(chances | sort -u | tr '\n' ' ')" "200 500 "
	for wrong in 'GET' 'GOT status=500' 'GET stauts=500' 'GET nth=x deny' \
	    'GET deny=1' 'GET delay'; do
		s3 /_test/faults --data-binary "$wrong"
		answers "'$wrong' is no rule" 400 "'"
	done
	server_faults ''
}

# A request hangs, and the server is asked to stop.
stopping() {
	local pid
	server_faults 'GET hang=60'
	server_ask POST counts/reset
	curl -s -m 60 "$server_url/demo/x" >/dev/null &
	pid=$!
	until [ "$(server_count GET)" = 1 ]; do
		sleep 0.05
	done
	server_ask POST stop
	wait "$pid"
	failed=$?
	check "what hangs is cut when the server ends" \
	    test $failed = 52 -o $failed = 56
	wait "$server_pid"
	is "which it does with status 0" $? 0
}

# ---- what is kept, what is made up ----

kept() {
	server_start --anonymous --dir "$dir/store" --bucket demo \
	    --part-size-min 1
	s3 '/demo/a/b%20c' -T "$dir/hello" -H 'x-amz-meta-k: v w'
	s3 /demo/empty -T /dev/null
	s3 /demo/gone -T "$dir/hello"
	s3 /demo/gone -X DELETE
	s3 '/demo/mp?uploads' -X POST
	local id xml
	id=$(element UploadId)
	s3 "/demo/mp?partNumber=1&uploadId=$id" -T "$dir/large"
	xml="<Part><PartNumber>1</PartNumber><ETag>$(md5 <"$dir/large")</ETag></Part>"
	s3 "/demo/mp?partNumber=2&uploadId=$id" -T "$dir/hello"
	xml="$xml<Part><PartNumber>2</PartNumber><ETag>$(md5 <"$dir/hello")</ETag></Part>"
	s3 "/demo/mp?uploadId=$id" -d "<C>$xml</C>"
	answers "with --dir, an upload completes" 200
	local before
	before=$(server_ask GET 'objects?bucket=demo')
	server_stop
	server_start --anonymous --dir "$dir/store"
	is "with --dir, objects survive" \
	    "$(server_ask GET 'objects?bucket=demo')" "$before"
	s3 '/demo/a/b%20c'
	answers "with their bytes" 200 hello
	is "and metadata" "$(header x-amz-meta-k)" "v w"
	s3 /demo/mp
	is "large ones, too" "$(md5 <"$dir/said")" \
	    "$(cat "$dir/large" "$dir/hello" | md5)"
	s3 /demo/mp -r 2999999-3000001
	is "and parts of them" "$(od -An -c "$dir/said" | tr -d ' ')" '\0he'
	s3 '/demo/copy' -X PUT -H 'x-amz-copy-source: /demo/a/b%20c'
	answers "a copy is made" 200
	s3 /demo/copy
	answers "of the bytes" 200 hello
	is "and the metadata" "$(header x-amz-meta-k)" "v w"
	s3 '/demo/copy' -X PUT -H 'x-amz-copy-source: /demo/mp' \
	    -H 'If-None-Match: *'
	answers "not over another object, if so asked" 412
	s3 '/demo/copy' -X PUT -H 'x-amz-copy-source: /demo/nothing'
	answers "nothing is copied from nothing" 404
	is "nothing stays staged" "$(find "$dir/store/.staged" -type f)" ""
	server_stop
}

made_up() {
	local first
	server_start --anonymous --synthetic big:2000000:66:9 \
	    --bucket demo
	"$s3testd" --synthetic-names 2500:66:9 >"$dir/names"
	check "generated keys are in order" \
	    env LC_ALL=C sort -c "$dir/names"
	s3 '/big?list-type=2'
	is "they are listed" "$(keys)" "$(head -1000 "$dir/names" | cut -f1)"
	is "with their size" "$(element Size)" "$(head -1 "$dir/names" |
	    cut -f2)"
	first=$(keys | head -1)
	is "of 66 bytes each" "${#first}" 66
	s3 "/big/$first"
	is "GET gives what the ETag says" "\"$(md5 <"$dir/said")\"" \
	    "$(header etag)"
	s3 '/big?list-type=2&delimiter=/'
	is "directories roll up" "$(grep -o '<CommonPrefixes>' "$dir/said" |
	    wc -l)" 200
	s3 '/big?list-type=2&start-after=d0199/s0095'
	is "the last pages are found" "$(element IsTruncated)" false
	s3 "/big/$first" -X DELETE
	s3 "/big/${first}0" -T "$dir/hello"
	s3 '/big?list-type=2&max-keys=1'
	is "what is put and deleted shows" "$(keys)" "${first}0"
	s3 "/big/$first"
	answers "(it is gone)" 404
	"$s3testd" --synthetic-names 250:40:9 --synthetic-tree "$dir/tree"
	is "a tree has the same names" "$(cd "$dir/tree" &&
	    find . -type f | sed 's,^\./,,' | LC_ALL=C sort)" \
	    "$("$s3testd" --synthetic-names 250:40:9 | cut -f1)"
	is "and contents" "$(cat "$dir/tree/d0000/s0001/file_000000100_"* |
	    md5)" "$(printf 's3testd\ns' | md5)"
	server_stop
}

# ---- how it serves ----

serving() {
	local pids=()
	server_start --anonymous --bucket demo --latency-ms 300 --idle-s 1
	s3 /demo/x -T "$dir/hello"
	is "latency is for every request" "$(time_of /demo/x 0.3 5)" yes
	server_ask POST counts/reset
	for _ in 1 2 3 4 5 6 7 8; do
		curl -s "$server_url/demo/x" >/dev/null &
		pids+=($!)
	done
	wait "${pids[@]}"
	is "and they wait together" "$(server_count GET) $(( $(server_count \
	    max_in_flight) > 1 ))" "8 1"
	is "connections are counted" "$(server_count connections)" 8
	server_ask POST counts/reset
	s3 /demo/x --next -s -o /dev/null "$server_url/demo/x"
	is "they may be used again" "$(server_count GET) $(server_count \
	    connections)" "2 1"
	exec 3<>"/dev/tcp/127.0.0.1/${server_url##*:}"
	printf 'GET /demo/x HTTP/1.1\r\nHost: l\r\n\r\n' >&3
	is "an idle one is closed" "$(timeout 10 cat <&3 | grep -c hello)" 1
	exec 3>&-
	check "a port in use is refused" bash -c "! '$s3testd' --port \
	    ${server_url##*:}"
	check "--help names every option of README.md" bash -c "
	    grep -o -- '\`--[a-z-]*' tests/server/README.md | tr -d '\`' |
	    while read -r option; do
		'$s3testd' --help | grep -q -- \"  \$option\" || exit
	    done"
	server_stop
	if command -v openssl >/dev/null; then
		openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=l \
		    -addext subjectAltName=IP:127.0.0.1 \
		    -keyout "$dir/key.pem" -out "$dir/cert.pem" 2>/dev/null
		server_start --anonymous --bucket demo \
		    --tls-key "$dir/key.pem" --tls-cert "$dir/cert.pem"
		server_url=${server_url/http/https}
		s3 /demo --cacert "$dir/cert.pem"
		answers "https works" 200 '<Name>demo</Name>'
		server_stop
	else
		tap_skip "https works" "openssl is not installed"
	fi
}

# ---- others that speak S3, where they are installed ----

with_aws() {
	command -v aws >/dev/null || return 0
	aws() {
		AWS_ACCESS_KEY_ID=testkey AWS_SECRET_ACCESS_KEY=testsecret \
		    AWS_DEFAULT_REGION=us-east-1 command aws \
		    --endpoint-url "$server_url" "$@"
	}
	mkdir -p "$dir/up"
	printf 1 >"$dir/up/a +&(1)ä.txt"
	head -c 9000000 /dev/urandom >"$dir/up/large"
	check "aws s3 sync uploads" \
	    aws s3 sync --no-progress "$dir/up" s3://demo/up
	check "aws s3 sync downloads" \
	    aws s3 sync --no-progress s3://demo/up "$dir/down"
	check "the same" diff -r "$dir/up" "$dir/down"
	is "the large one in parts" "$(server_count UPLOAD_PART)" 2
	is "aws refuses to overwrite, if so asked" "$(aws s3api put-object \
	    --bucket demo --key up/large --if-none-match '*' 2>&1 |
	    grep -o PreconditionFailed)" PreconditionFailed
	check "aws deletes" aws s3 rm --recursive s3://demo/up
}

with_rclone() {
	command -v rclone >/dev/null || return 0
	cat >"$dir/rclone.conf" <<-CONF
	[t]
	type = s3
	provider = Other
	access_key_id = testkey
	secret_access_key = testsecret
	endpoint = $server_url
	region = us-east-1
	CONF
	rclone() {
		command rclone --config "$dir/rclone.conf" "$@"
	}
	mkdir -p "$dir/rc"
	for i in 1 2 3; do
		echo "$i" >"$dir/rc/a +&($i)ä.txt"
	done
	head -c 11000000 /dev/urandom >"$dir/rc/large"
	check "rclone uploads" rclone copy "$dir/rc" t:demo/rc \
	    --s3-upload-cutoff 6M --s3-chunk-size 5M
	check "rclone finds the same" rclone check "$dir/rc" t:demo/rc
	check "rclone downloads" rclone copy t:demo/rc "$dir/rc2"
	check "the same" diff -r "$dir/rc" "$dir/rc2"
}

# ---- in order ----

check_empty "it shares no code with the client it tests" \
    "$(grep -nE '#include "(s3|manifest|sync)/' tests/server/*.[ch])"
vectors
identity
server_start --anonymous --bucket demo --part-size-min 5000
objects
listings
multipart
network_faults
settings
answer_faults
page_faults
rules
stopping
kept
made_up
serving
server_start --bucket demo
with_aws
with_rclone
server_stop
server_pid=
tap_end
