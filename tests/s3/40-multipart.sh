#!/bin/bash
# SPDX-License-Identifier: MIT
# Uploads in parts, on any server: also on a real one.
# shellcheck source=tests/s3/lib.sh
. "${srcdir:-.}/tests/s3/lib.sh"

server_start
mib=1048576

ask <<E
upload big
run
part big $((5 * mib)) number=1 at=0
part big $((5 * mib)) number=2 at=$((5 * mib))
part big 77 number=3 at=$((10 * mib))
run
parts big
parts big after=2
run
complete big new
run
get big
get big range=$((5 * mib - 10))+20
list big
run
parts big
E
answer "an upload begins" "upload big done 200 1"
answers "its parts are sent" 3 "part big done 200 1 *"
answer "they are listed" "parts big done 200 1 count=3 next=0 \
1:$((5 * mib)):* 2:$((5 * mib)):* 3:77:*"
answer "or those after one of them" "parts big done 200 1 count=1 next=0 3:77:*"
answer "completed, it is an object" "complete big done 200 [12] *-3"
answer "with the bytes in order" \
    "get big done 200 1 *-3 size=$((10 * mib + 77)) begun=1"
answer "of which any range can be read" "get big done 206 1 * size=20 begun=1 \
at=$((5 * mib - 10)) of=$((10 * mib + 77))"
answer "the upload is gone then" "parts big absent 404 1 *"

ask <<E
upload big
run
part big 5 number=1
run
cancel big
run
parts big
E
answer "it can be cancelled" "cancel big done 204 1"
answer "then it is gone" "parts big absent 404 1 *"

ask <<E
upload small
run
part small 5 number=1
part small 6 number=2
run
complete small
run
cancel small
E
answer "parts may not be too small" "complete small failed 400 1 *"

ask <<E
upload one
run
part one 5 number=7
run
part one 6 number=7
run
complete one new
run
get one
E
answer "numbers may have gaps, and the last one sent counts" \
    "get one done 200 1 *-1 size=6 begun=1"

if ! own_server; then
	tap_end
	exit
fi

# ---- what a real server does not do on command, or not at all ---------------

ask <<E
upload big
run
part big 5 number=1
run
complete big new
run
complete big same=ffff
run
copy big from=one new
copy big from=one same=ffff
E
answer "it is never completed over another object" "complete big exists 412 1 *"
answer "nor over a changed one" "complete big changed 412 1 *"
answer "nothing is copied over another object" "copy big exists 412 1 *"
answer "nor over a changed one" "copy big changed 412 1 *"
only 'COMPLETE_UPLOAD no-etag'
ask <<E
upload bare
run
part bare 5 number=1
run
complete bare new
E
answer "an ETag that the reply lacks is asked for" "complete bare done 200 2 *-1"

begin() { # KEY: an upload with one part
	echo "upload $1"
	echo run
	echo "part $1 77 number=1"
	echo run
}
for rule in 'status=500' 'reset-before' 'body-error code=InternalError' 'html' \
    'reset-at=20'; do
	key=c-${rule//[^a-z]/}
	only "COMPLETE_UPLOAD times=1 $rule"
	ask < <(begin "$key"; echo "complete $key new")
	answer "a completion is tried again after $rule" \
	    "complete $key done 200 [123] *"
done
for rule in reset-after 'status=500 late' 'body-error code=InternalError late'; do
	key=l-${rule//[^a-z]/}
	only "COMPLETE_UPLOAD times=1 $rule"
	ask < <(begin "$key"; echo "complete $key new"; echo run; echo "get $key")
	answer "its lost reply is no conflict: $rule" "complete $key done 200 [23] *"
	answer "the object is there" "get $key done 200 1 * size=77 begun=1"
done
only 'COMPLETE_UPLOAD times=1 reset-before' \
    'COMPLETE_UPLOAD nth=2 status=404 code=NoSuchUpload'
ask < <(begin gone; echo "complete gone new")
answer "an upload that is gone, without an object, is gone" \
    "complete gone absent 404 [23] changed: the upload is gone*"
s3_request PUT taken --data other -H 'Expect:'
only 'COMPLETE_UPLOAD times=1 reset-before'
ask < <(begin taken; echo "complete taken new")
answer "what was there before is not ours" "complete taken exists 412 [23] *"
only 'COMPLETE_UPLOAD status=409 code=ConditionalRequestConflict'
ask < <(begin spoilt; echo "complete spoilt new")
answer "a completion against another writer's is not tried again" \
    "complete spoilt exists 409 1 exists: another writer is at this key*"
only 'CREATE_UPLOAD times=2 reset-after'
ask <<<"upload again"
answer "a beginning is tried again" "upload again done 200 3"
only 'UPLOAD_PART times=1 upload-reset-at=1000000'
ask <<E
upload cut
run
part cut 3000000 number=1
run
complete cut new
run
get cut
E
answer "a part that was cut is sent again" "part cut done 200 2 *"
answer "and whole" "get cut done 200 1 * size=3000000 begun=1"
only 'LIST_PARTS times=1 truncate-xml' 'LIST_PARTS nth=2 html'
ask < <(begin listed; echo "parts listed")
answer "parts are asked for again" \
    "parts listed done 200 * count=1 next=0 1:77:*"
for who in 'CREATE_UPLOAD s3:PutObject' 'UPLOAD_PART s3:PutObject' \
    'COMPLETE_UPLOAD s3:PutObject' 'ABORT_UPLOAD s3:AbortMultipartUpload' \
    'LIST_PARTS s3:ListMultipartUploadParts'; do
	only "${who% *} deny"
	ask < <(begin d; echo "parts d"; echo run; echo "complete d"; echo run
	    echo "cancel d")
	answer "${who% *} may be denied, and the remedy is told" \
	    "* d denied 403 1 *: grant ${who#* }*"
done
no_faults
ask <<E
put x 5
run
delete x same=ffff
run
get x
E
answer "a changed object is not deleted" "delete x changed 412 1 *"
answer "it is still there" "get x done 200 *"
tap_end
