#!/bin/bash
# SPDX-License-Identifier: MIT
# Connections that are kept, and no longer than the server keeps them: one that
# turns out dead costs no attempt.
# shellcheck source=tests/s3/lib.sh
. "${srcdir:-.}/tests/s3/lib.sh"

# eight VERB: of eight keys at once.
eight() {
	local i
	for i in 1 2 3 4 5 6 7 8; do
		case $1 in
		put) echo "put key-$2-$i 4096 new" ;;
		get) echo "get key-$2-$i" ;;
		esac
	done
	echo run
}

server_start --idle-s 1
asked_reset
{
	eight put a
	eight get a
} | ask
is "connections are kept" 8 "$(asked connections)"

# The server hangs up after a second (it looks once in a while).
asked_reset
{
	eight put b
	echo sleep 3000
	eight get b
	eight put c
	echo usage
} | ask
answers "after a second of quiet requests succeed at once" 24 "* done 200 1 *"
answers "downloads, too" 8 "get key-b-* done 200 1 *"
answer "no retry is seen, nor counted" "usage list=0 get=8 head=0 put=16 retries=0"
is "on new connections" 16 "$(asked connections)"

# It hangs up at the very moment when something is sent.
for verb in put get; do
	only "${verb^^} key=key-cold-* every=2 times=4 reset-before"
	{
		eight put "warm-$verb"
		eight "$verb" cold
		echo usage
	} | ask
	answers "$verb: connections that die at that moment cost no attempt" 8 \
	    "$verb key-cold-* done 200 1 *"
	answer "$verb: what libcurl sent again is counted, and is no retry" \
	    "usage list=0 $([ $verb = get ] && echo get=12 head=0 put=8 ||
	        echo get=0 head=0 put=20) retries=0"
done

# A server that keeps them: we do not, as S3 would not.
no_faults
kill %1
wait
rm "$work/port"
server_start
{
	eight put d
	echo sleep 5000
	eight get d
} | ask
answers "after 5 s of quiet requests succeed, too" 8 "get * done 200 1 *"
is "and kept connections are not used any more" 16 "$(asked connections)"
tap_end
