#!/bin/bash
# SPDX-License-Identifier: MIT
# LIST, GET and PUT of any key, on any server: also on a real one.
# shellcheck source=tests/s3/lib.sh
. "${srcdir:-.}/tests/s3/lib.sh"

server_start
small=b765d6a6cb42156c975a76ef58451580 # the MD5 of 4096 bytes

ask <<E
put small 4096 new
put empty 0 new
put large 3000000 new
run
get small
get small same=$small
get empty
get large
list
list sm
list nothing/
run
put small 5 new
put large 6 same=$small
get large same=ffff
get nothing
run
usage
E
answer "a PUT is done" "put small done 200 1 $small"
answer "a PUT of nothing is done" \
    "put empty done 200 1 d41d8cd98f00b204e9800998ecf8427e"
answer "a PUT of 3 MB is done" "put large done 200 1 *"
answers "a GET gives the bytes" 2 \
    "get small done 200 1 $small size=4096 begun=1"
answer "a GET of nothing begins, too" "get empty done 200 1 * size=0 begun=1"
answer "a GET of 3 MB gives the bytes" \
    "get large done 200 1 * size=3000000 begun=1"
answer "a LIST gives a page" \
    "list  done 200 1 count=3 truncated=0 token=- empty large small"
answer "a LIST is of a prefix" \
    "list sm done 200 1 count=1 truncated=0 token=- small"
answer "a LIST may be empty" \
    "list nothing/ done 200 1 count=0 truncated=0 token=-"
answer "a new object is never put over another" \
    "put small exists 412 1 exists: the bucket has an object of this key*"
answer "a changed object is not replaced" \
    "put large changed 412 1 changed: the object is another one*"
answer "a changed object is not read" \
    "get large changed 412 1 changed: * size=0 begun=0"
answer "what is not there is absent" "get nothing absent 404 1 changed: the \
object is gone (HTTP 404 NoSuchKey,*"
answer "requests are counted" "usage list=3 get=6 head=0 put=5 retries=0"

ask <<E
list  max=2
list  max=2 after=empty
E
answer "a page may be cut" \
    "list  done 200 1 count=2 truncated=1 token=[!-]* empty large"
answer "a page may begin later" \
    "list  done 200 1 count=2 truncated=0 token=- large small"
token=$(sed -n 's/.*truncated=1 token=\([^ ]*\) .*/\1/p' "$work/out")
ask <<<"list  max=2 token=$token"
answer "the token leads to the next page" \
    "list  done 200 1 count=1 truncated=0 token=- small"

# ---- ranges, copies, deletes ------------------------------------------------

ask <<E
get large range=0+10
get large range=1000000+70000
get large range=2999999+50
get large same=ffff range=0+10
get large range=3000000+1
copy copied from=small
run
get copied
delete empty
run
get empty
delete nothing
E
answer "a range from the beginning" \
    "get large done 206 1 * size=10 begun=1 at=0 of=3000000"
answer "a range from the middle" \
    "get large done 206 1 * size=70000 begun=1 at=1000000 of=3000000"
answer "a range past the end is as long as there is" \
    "get large done 206 1 * size=1 begun=1 at=2999999 of=3000000"
answer "a range of another object is refused" "get large changed 412 1 *"
answer "a range after the end is refused" "get large failed 416 1 *"
answer "a copy is made" "copy copied done 200 1 $small"
answer "a copy has the bytes" "get copied done 200 1 * size=4096 begun=1"
answer "an object is deleted" "delete empty done 20? 1"
answer "and gone" "get empty absent 404 1 *"
answer "to delete nothing is done, too" "delete nothing done 20? 1"

# ---- keys that are no plain text --------------------------------------------

keys=(a%20b a+b a%2520b %25 // /lead tail/ a//b ./a a/./b a/../b .. "~" "!'()*"
    "=" "a=b&c=d" "?" "q?x=1#f" "#" "&" ";" ":" "@" "\$" "," "[x]" "{x}" "|" "\\"
    "^" "\`" "<>" '"' %09 %0A %0D%0A %01%1F%7F "ü€" e%CC%81 %F0%9F%98%80)
for key in "${keys[@]}"; do
	echo "put k/$key 77 new"
done >"$work/puts"
sed 's/^put \([^ ]*\) .*/get \1/' "$work/puts" >"$work/gets"
ask <"$work/puts"
answers "any key can be written" ${#keys[@]} "put * done 200 1 *"
ask <"$work/gets"
answers "any key can be read" ${#keys[@]} "get * done 200 1 * size=77 *"
ask <<<"list k/"
answer "any key can be listed" "list k/ done 200 1 count=${#keys[@]} *"

# ---- many, one after the other ----------------------------------------------

ask <<E
put chained 100 chain=200
run
usage
E
answers "callbacks may submit requests" 201 "put chained done 200 1 *"

tap_end
