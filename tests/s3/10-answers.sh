#!/bin/bash
# SPDX-License-Identifier: MIT
# Every way in which a request can end that only a server of our own shows, and
# what is said about it.
# shellcheck source=tests/s3/lib.sh
. "${srcdir:-.}/tests/s3/lib.sh"

server_start
small=b765d6a6cb42156c975a76ef58451580 # the MD5 of 4096 bytes
ask <<E
put small 4096
put large 3000000
run
put small 4096 same=$small
E
answers "the same object is replaced" 2 "put small done 200 1 $small"

ask --virtual --endpoint "http://localhost:${endpoint##*:}" <<E
get small
put k/a%20b+c 77
list k/
E
answers "a bucket may be part of the host's name" 3 "* done 200 1 *"

# ---- what we are told, and by whom ------------------------------------------

ask --secret not-the-secret <<<"get small"
answer "a wrong secret is refused" "get small refused 403 1 credentials: \
credentials refused (HTTP 403 SignatureDoesNotMatch, request *): check \
AWS_SECRET_ACCESS_KEY*"
is "the secret is not shown" 0 \
    "$(cat "$work/out" "$work/err" | grep -c not-the-secret)"
ask --bucket nosuch <<<"list "
answer "a missing bucket is refused" "list  refused 404 1 bucket: bucket \
'nosuch' does not exist at $endpoint (HTTP 404 NoSuchBucket, request *): create \
it or correct the remote"
ask --endpoint http://127.0.0.1:1 --attempts 2 <<<"list "
answer "no server is told" "list  failed 0 2 network: cannot connect to \
127.0.0.1:1 (Connection refused, 2 attempts): check that the server runs*"
ask --endpoint http://nosuch.invalid --attempts 2 <<<"list "
answer "no such host is told" "list  failed 0 2 network: the name of \
nosuch.invalid:80 cannot be resolved *"
ask --bucket 'a/b' <<<"list "
answer "an impossible bucket is told" "'a/b' is not the name of a bucket"

only 'ANY deny'
ask <<E
list
get small
put new 5
E
answer "a denied LIST is the bucket's failure" "list  denied 403 1 bucket: \
these credentials may not list bucket '$bucket' *: grant s3:ListBucket on it"
answer "a denied GET is the key's failure" \
    "get small denied 403 1 denied: *: grant s3:GetObject size=0 begun=0"
answer "a denied PUT is the key's failure" \
    "put new denied 403 1 denied: *: grant s3:PutObject"

only 'ANY archived'
ask <<<"get small"
answer "an archived object is told" "get small archived 403 1 remote: the \
object is archived *: restore it before it can be read size=0 begun=0"

only 'ANY reject-conditions'
ask <<<"put new 5 new"
answer "a server without conditions is told" "put new rejected 501 1 remote: \
the server cannot write under a condition *"

only 'ANY ignore-conditions'
ask <<<"get small same=ffff"
answer "If-Match is checked even where the server does not" \
    "get small changed 412 1 changed: * size=0 begun=0"

only 'ANY kms'
ask <<E
put kms 4096
run
get kms
E
answer "a PUT's ETag may be no MD5" "put kms done 200 1 * not-md5"
answer "a GET's ETag may be no MD5" "get kms done 200 1 * not-md5 size=4096 *"

only 'GET status=418 code=Teapot'
ask <<<"get small"
answer "anything else is told as it came" "get small failed 418 1 remote: the \
server refuses the request (HTTP 418 Teapot, request *): *"
no_faults

# ---- callbacks say stop -----------------------------------------------------

ask <<E
put broken-0 4096 break=0
put broken-1 4096 break=4095
put broken-2 3000000 break=2999999
put lie 100 lie
get large stop=1
get small refuse
run
get broken-0
get broken-1
get broken-2
get lie
get small
E
answers "a PUT that cannot be read to the end is aborted" 3 \
    "put broken-? aborted 0 1 changed: it changed"
answers "and the server has none of it" 3 "get broken-? absent 404 *"
answer "a body that is not what was signed is refused" "put lie failed 400 2 \
changed: what arrived is not what was announced *"
answer "and the server has none of it, either" "get lie absent 404 *"
answer "a GET can be stopped while it runs" \
    "get large aborted 0 1 no-space: the disk is full size=* begun=1"
answer "a GET can be stopped before it begins" \
    "get small aborted 0 1 blocked: not wanted size=0 begun=1"
answer "the next GET is none the worse" "get small done 200 1 *"

# ---- stopping ---------------------------------------------------------------

only 'GET hang=30'
before=$SECONDS
ask --in-flight 2 <<E
get small
put one 3
put two 3
put three 3
abort
run
put four 3
E
answer "an abort ends what hangs" "get small aborted 0 1 stopped: *"
answer "what was answered stays answered" "put one done 200 1 *"
answers "an abort ends what waits" 2 "put t* aborted 0 * stopped: *"
answer "a request after an abort is done" "put four done 200 1 *"
ask --in-flight 2 <<E
get small
get large
put one 3 chain=3
quit
E
answers "each request is answered when all is freed" 6 \
    "* aborted 0 * stopped: *"
check "and all of that at once" [ $((SECONDS - before)) -lt 20 ]

tap_end
