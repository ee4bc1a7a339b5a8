#!/bin/bash
# SPDX-License-Identifier: MIT
# What goes wrong for a while is tried again, and what was done is not lost.
# shellcheck source=tests/s3/lib.sh
. "${srcdir:-.}/tests/s3/lib.sh"

server_start
small=b765d6a6cb42156c975a76ef58451580 # the MD5 of 4096 bytes
ask <<E
put small 4096
put large 3000000
E

# recovers NAME ATTEMPTS RULE: GET, PUT and LIST, each after that trouble.
recovers() {
	only "${3//KIND/GET}" "${3//KIND/PUT}" "${3//KIND/LIST}"
	ask --idle-ms 1000 <<E
get small
put new 4096
list
E
	answer "GET recovers from $1" \
	    "get small done 200 $2 $small size=4096 begun=*"
	answer "PUT recovers from $1" "put new done 200 $2 $small"
	answer "LIST recovers from $1" \
	    "list  done 200 $2 count=? truncated=0 token=- *"
}
recovers "500" 2 'KIND times=1 status=500'
recovers "500, three times" 4 'KIND times=3 status=500 code=InternalError'
recovers "502" 2 'KIND times=1 status=502'
recovers "503" 2 'KIND times=1 status=503 code=ServiceUnavailable'
recovers "504" 2 'KIND times=1 status=504'
recovers "RequestTimeout" 2 'KIND times=1 status=400 code=RequestTimeout'
recovers "a conflict" 2 'KIND times=1 status=409 code=OperationAborted'
recovers "a reset" 2 'KIND times=1 reset-before'
recovers "a reply that is lost" 2 'KIND times=1 reset-after'
recovers "a reply cut in its head" 2 'KIND times=1 header-reset-at=20'
recovers "silence" 2 'KIND times=1 hang=20'
recovers "SlowDown" 2 'KIND times=1 status=503 code=SlowDown'
recovers "429" 2 'KIND times=1 status=429'
recovers "408" 2 'KIND times=1 status=408'
recovers "509" 2 'KIND times=1 status=509'
for code in RequestLimitExceeded ThrottlingException BandwidthLimitExceeded \
    PriorRequestNotComplete IncompleteBody BadDigest \
    XAmzContentSHA256Mismatch ConditionalRequestConflict InternalErrors; do
	recovers "400 $code" 2 "KIND times=1 status=400 code=$code"
done
recovers "a page of HTML" 2 'KIND times=1 html'
recovers "an error after 200" 2 'KIND times=1 body-error code=InternalError'

# gives_up NAME RULE PATTERN: after all attempts, a GET and a LIST.
gives_up() {
	only "$2"
	ask --idle-ms 200 <<E
get small
list
E
	answer "GET gives up on $1" "get small failed * 4 network: $3 begun=*"
	answer "LIST gives up on $1" "list  failed * 4 *: $3"
}
gives_up "500" 'ANY status=500' \
    "the server has trouble (HTTP 500*, 4 attempts)*"
gives_up "a reset" 'ANY reset-before' \
    "the connection to 127.0.0.1:* broke (*, 4 attempts)*"
gives_up "silence" 'ANY hang=20' \
    "127.0.0.1:* does not answer (the server fell silent, 4 attempts)*"
gives_up "HTML" 'ANY html' \
    "the reply *: check that $endpoint is an S3 server*"

only 'GET status=500'
ask --attempts 1 <<<"get small"
answer "one attempt is one" "get small failed 500 1 network: *"
only 'GET status=403 code=Whatever'
ask <<<"get small"
answer "nothing else is tried again" "get small denied 403 1 denied: *"

# ---- bytes ------------------------------------------------------------------

only 'GET key=large times=2 reset-at=1000000'
ask <<<"get large"
answer "a GET cut short begins again" \
    "get large done 200 3 * size=3000000 begun=3"
only 'GET wrong-length=7'
ask <<<"get small"
answer "a GET shorter than it says is not done" \
    "get small failed 200 4 network: * size=4096 begun=4"
for rule in truncate-xml reset-at=50 no-token; do
	only "LIST times=1 $rule"
	ask <<<"list  max=1"
	answer "LIST recovers from $rule" "list  done 200 2 count=1 truncated=1 *"
done
only 'LIST truncate-xml'
ask <<<"list "
answer "a page that is always cut short is not believed" "list  failed 200 4 \
bucket: the listing cannot be believed: it is cut short (HTTP 200, request *, 4 attempts)*"
only 'PUT times=1 upload-reset-at=1000000'
ask <<<"put cut 3000000 new"
answer "a PUT cut short begins again" "put cut done 200 2 *"
only 'LIST no-encoding page-max=1'
ask <<<"list "
answer "a server that encodes nothing is understood" \
    "list  done 200 1 count=1 truncated=1 *"
only 'GET trickle=2000'
ask --idle-ms 1000 <<<"get small"
answer "slow is not silent" "get small done 200 1 * size=4096 begun=1"

# ---- a reply is lost --------------------------------------------------------

only 'PUT times=1 reset-after'
ask <<E
put lost 4096 new
run
usage
E
answer "a PUT whose reply was lost is known as ours" "put lost done 200 3 $small"
answer "one HEAD told" "usage list=0 get=0 head=1 put=2 retries=2"
only 'PUT times=1 status=500 late'
ask <<<"put lost-2 4096 new"
answer "so it is after a 500" "put lost-2 done 200 3 $small"
only 'PUT key=lost-3 times=1 reset-after'
ask <<E
put warm 5
run
put lost-3 4096 new
E
answer "so it is where libcurl sent it again" "put lost-3 done 200 ? $small"
only 'PUT times=1 reset-after'
ask <<<"put lost-4 0 new"
answer "so it is with an empty file" "put lost-4 done 200 3 d41d8cd9*"
only 'PUT times=1 reset-after'
ask <<<"put lost-3 77 same=$small"
answer "so it is when something is replaced" "put lost-3 done 200 3 *"
only 'PUT times=1 status=500'
ask <<<"put lost 77 new"
answer "what was there before is not ours" "put lost exists 412 3 *"
only 'PUT times=1 reset-after' 'PUT kms'
ask <<<"put lost-5 4096 new"
answer "so it is where the ETag tells nothing" "put lost-5 done 200 3 *"
only 'PUT times=1 reset-after' 'HEAD deny'
ask <<<"put lost-6 4096 new"
answer "where nothing may be read nobody can tell" "put lost-6 failed 403 3 denied: the \
reply to an upload was lost, and so was the question what is there now: *"

# ---- patience ---------------------------------------------------------------

ms() { # milliseconds since some start
	echo $(($(date +%s%N) / 1000000))
}
only 'GET times=1 status=503 code=SlowDown retry-after=1'
start=$(ms)
ask <<<"get small"
check "Retry-After is honoured" [ $(($(ms) - start)) -ge 1000 ]
only 'GET times=1 status=503 code=SlowDown amz-retry-after=1500'
start=$(ms)
ask <<<"get small"
check "so is x-amz-retry-after" [ $(($(ms) - start)) -ge 1500 ]
only 'GET times=1 status=503 code=SlowDown amz-retry-after=3600000'
start=$(ms)
ask <<<"get small"
answer "which is granted within 5 s" "get small done 200 2 *"
check "of our own wait" [ $(($(ms) - start)) -lt 9000 ]
only 'GET key=small status=503 code=SlowDown retry-after=1'
ask --attempts 2 <<E
get small
put other 5 chain=20
E
answers "others go on while one waits" 21 "put other done 200 1 *"
answer "and it has its turn, twice as often as one that fails" \
    "get small failed 503 3 network: the server is \
busy and asks for fewer requests (HTTP 503 SlowDown, *): lower jobs, or try *"
is "the last answer is of the one that waited" "get small" \
    "$(tail -n 1 "$work/out" | cut -c1-9)"
only 'GET hang=20'
start=$(ms)
ask --idle-ms 300 --attempts 1 <<<"get small"
check "silence is waited for, as long as told" [ $(($(ms) - start)) -ge 300 ]

# ---- a quota of retries -----------------------------------------------------

# Keys that fail for ever, among others that do not: 500 tokens are 35 retries,
# and each that is served adds one token.
only 'GET key=poison* status=500'
for i in $(seq 60); do
	echo "get poison-$i"
	for _ in 1 2 3 4 5; do
		echo "get small"
	done
done >"$work/requests"
start=$(ms)
{
	cat "$work/requests"
	echo run
	echo usage
} | ask --in-flight 32 --attempts 8
answers "keys that fail for ever fail" 60 "get poison-* failed 500 *"
answers "and nobody else" 300 "get small done 200 1 *"
retries=$(sed -n 's/^usage .* retries=//p' "$work/out")
echo "# 60 keys that fail for ever cost $retries retries, not 420"
check "they are not asked for 8 times each" [ "$retries" -le 200 ]
check "and given up after 30 s at the latest" [ $(($(ms) - start)) -lt 35000 ]

# A server that serves nobody for a while is asked by one after another.
only 'GET status=500'
asked_reset
{
	for i in $(seq 40); do
		echo "get small"
	done
	echo run
	echo usage
} | ask --in-flight 40 --attempts 8 &
asking=$!
asked_so_often() {
	[ "$(asked GET)" -ge "$1" ]
}
check "it is asked by all at first, and 35 times again" \
    eventually 5 asked_so_often 75
no_faults
wait $asking
answers "and then they are served, all of them" 40 "get small done 200 *"

# ---- few at once ------------------------------------------------------------

# outage SECONDS REQUESTS AFTER [OPTION...]: one GET is served, and then for so
# long nobody is; what goes wrong after that is AFTER.
outage() {
	local seconds=$1 requests=$2 after=$3
	shift 3
	no_faults
	asked_reset
	ask "$@" <<E &
get small
run
sleep 500
$requests
E
	asking=$!
	eventually 5 asked_so_often 1
	only 'ANY reset-before'
	sleep "$seconds"
	only "$after"
	wait $asking
}
outage 12 'get large' '' --in-flight 1 --attempts 8
answer "one request alone lives through 12 s, too" "get large done 200 *"
echo "# at the price of $(asked total) requests"
check "and asks seldom" [ "$(asked total)" -le 20 ]
told="warning: ${endpoint#*//} serves nobody, and is waited for, up to"
is "which is said once, and why" 1 \
    "$(grep -c "$told 30 s: the connection to .* broke" "$work/err")"
outage 5 'get large' '' --in-flight 1 --attempts 3 --patience-ms 3000
answer "what lasts longer than the patience ends it" \
    "get large failed 0 * network: the connection to * broke *"
is "which is said, too" 1 "$(grep -c "$told 3 s: " "$work/err")"
outage 1 'get large' '' --in-flight 1 --attempts 2 --patience-ms 0
answer "without patience nobody is waited for" \
    "get large failed 0 2 network: the connection to * broke *"
expect_no_text err "serves nobody" "and nothing said of that"
outage 3 "$(printf 'get small\n%.0s' 1 2 3 4 5 6 7)
get large" 'GET key=large times=1 status=500' --attempts 2
answer "attempts made in an outage do not count after it" "get large done 200 *"
answers "for anybody" 8 "get small done 200 *"
only 'ANY reset-before'
start=$(ms)
ask --in-flight 1 --attempts 8 <<<"get small"
took=$(($(ms) - start))
echo "# a server that never answered is given up after $took ms"
answer "who never served anybody is not waited for" \
    "get small failed 0 8 network: the connection to * broke (*, 8 attempts)*"
check "but for the attempts" [ $took -lt 10000 ]
only 'GET key=bad status=500'
asked_reset
start=$(ms)
ask --in-flight 1 <<E
get small
run
get bad
get small
E
answer "a key that fails alone fails after its attempts" \
    "get bad failed 500 4 network: the server has trouble (HTTP 500*, 4 attempts)*"
is "one question tells that it is the key" 1 "$(asked HEAD_BUCKET)"
check "it does not wait for anybody" [ $(($(ms) - start)) -lt 10000 ]
answers "and others are served after it" 2 "get small done 200 1 *"

# ---- clocks -----------------------------------------------------------------

only 'ANY skew=7200'
ask <<E
get small
run
get large
put warm 5
E
answer "a server's clock may be off" "get small done 200 2 *"
answer "which is learned once" "get large done 200 1 *"
is "and said once" 1 "$(grep -c "warning: this machine's clock is 7" "$work/err")"
no_faults
for hours in -30 30; do
	ask --clock-off $((hours * 3600)) <<E
get small
put clock 5
list
E
	answers "our clock may be off by $hours hours" 3 "* done 200 2 *"
done
only 'ANY status=403 code=RequestTimeTooSkewed'
ask <<<"list "
answer "what cannot be learned is told" "list  refused 403 2 credentials: the \
server refuses this machine's time, and its own too *: set the clocks of both *"

# ---- many -------------------------------------------------------------------

only 'ANY percent=10 seed=1 status=500' 'ANY percent=5 seed=2 reset-before' \
    'PUT percent=5 seed=3 reset-after' 'GET percent=5 seed=4 reset-at=99'
for i in $(seq 300); do
	echo "put many/$i $((i * 37)) new"
done >"$work/puts"
sed 's/^put \([^ ]*\) .*/get \1/' "$work/puts" >"$work/gets"
ask --in-flight 32 --attempts 10 <"$work/puts"
answers "300 PUTs come through all of that" 300 "put many/* done 200 *"
ask --in-flight 32 --attempts 10 <"$work/gets"
answers "300 GETs come through all of that" 300 "get many/* done 200 *"
answers "with the right bytes" 0 "*WRONG*"

tap_end
