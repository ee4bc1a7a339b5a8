#!/bin/bash
# SPDX-License-Identifier: MIT
# Random requests, encoded and signed once more by botocore: all the same.
#
#   SEED=N    other ones
# shellcheck source=tests/s3/lib.sh
. "${srcdir:-.}/tests/s3/lib.sh"

python=
for candidate in python3 /usr/bin/python3; do
	if "$candidate" -c 'import botocore.auth' 2>/dev/null; then
		python=$candidate
		break
	fi
done
[ -n "$python" ] || tap_skip_all "botocore (python3-botocore) is not installed"

token='FwoGZXIvYXdzEJr//////////wEaDKo+/=='
"$python" "$srcdir/tests/s3/botocore_server.py" "$work/port" mars-1 "$token" \
    2>"$work/server.log" &
eventually 20 test -s "$work/port"
endpoint=http://127.0.0.1:$(cat "$work/port")

# Any bytes but NUL, percent-encoded where s3client's lines need it; those with
# a meaning somewhere come most.
awk -v seed="${SEED:-1}" '
    function byte() {
        if (rand() < 0.4)
            return substr("/./..//++%%  &&==??##~~::;;@@,,\"\"<>()*!", \
                1 + int(rand() * 40), 1)
        return sprintf("%c", 33 + int(rand() * 94))
    }
    function key(   text, n) {
        for (n = 1 + int(rand() * 20); n > 0; n--)
            if (rand() < 0.2)
                text = text sprintf("%%%02X", 1 + int(rand() * 255))
            else
                text = text escaped(byte())
        return text
    }
    function escaped(c) {
        return c == "%" ? "%25" : c == " " ? "%20" : c == "=" ? "%3D" : c
    }
    BEGIN {
        srand(seed)
        for (i = 0; i < 300; i++) {
            print "put " key(), int(rand() * 3000), rand() < 0.5 ? "new" : ""
            print "get " key(), rand() < 0.5 ? \
                "same=0123456789abcdef0123456789abcdef-17" : ""
            print "list " key(), "max=" 1 + int(rand() * 1000), "after=" key()
            print "list " key(), "token=" key()
            print "delete " key()
            print "copy " key(), "from=" key(), "new"
        }
    }' </dev/null | sed 's/ *$//' >"$work/requests"
is "1800 requests" 1800 "$(wc -l <"$work/requests")"

ask --region mars-1 --session-token "$token" --attempts 1 <"$work/requests"
answers "are signed as botocore signs them" 1800 "* done 20[04] 1*"
check_empty "and it has nothing to say" "$(cat "$work/server.log")"

server=$endpoint
endpoint="$server/base%20path//here/"
head -n 60 "$work/requests" >"$work/some"
ask --region mars-1 --session-token "$token" --attempts 1 <"$work/some"
answers "a path of the endpoint's own goes before all of them" 60 \
    "* done 20[04] 1*"
check_empty "encoded once" "$(cat "$work/server.log")"
endpoint=$server

# The test can fail.
ask --region mars-2 --session-token "$token" --attempts 1 <<<"get a"
answer "another region is noticed" "get a refused 403 1 credentials: *"
ask --region mars-1 --session-token "$token" --secret other --attempts 1 \
    <<<"get a"
answer "another secret is noticed" "get a refused 403 1 credentials: *"

tap_end
