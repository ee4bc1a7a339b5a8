#!/bin/bash
# SPDX-License-Identifier: MIT
# One name, two addresses: both are used, and one of them may be dead.
# shellcheck source=tests/s3/lib.sh
. "${srcdir:-.}/tests/s3/lib.sh"
own_mounts "$0"

cat >"$work/hosts" <<E
127.0.0.1 localhost s3.test
127.0.0.2 s3.test
E
if ! mount --bind "$work/hosts" /etc/hosts ||
    [ "$(getent ahostsv4 s3.test | grep -c STREAM)" != 2 ]; then
	tap_skip_all "names are not looked up in /etc/hosts here"
fi

# serve ADDRESS PORT: a server with objects of its own; sets $endpoint, $server.
serve() {
	rm -f "$work/port"
	server_start --address "$1" --port "$2"
	server=$!
	endpoint=http://${1/::1/[::1]}:$(cat "$work/port")
	for i in $(seq 64); do
		echo "put $i 1000 new"
	done | timeout 60 "$bin/tests/s3/s3client" --endpoint "$endpoint" \
	    --bucket "$bucket" --in-flight 64 >/dev/null
	echo "GET delay=100" | curl -sS --data-binary @- \
	    "$endpoint/_test/faults" >/dev/null
	asked_reset
}
connections() { # ADDRESS: those with requests since the last reset
	curl -sS "http://$1:$port/_test/counts" |
	    sed 's/.*"connections":\([0-9]*\).*/\1/'
}

serve 127.0.0.1 0
port=${endpoint##*:}
serve 127.0.0.2 "$port"
second=$server
endpoint=http://s3.test:$port

for i in $(seq 64); do
	echo "get $i"
done >"$work/all"
ask --in-flight 64 <"$work/all"
answers "one name, two addresses: all is there" 64 "* done 200 1 *"
one=$(connections 127.0.0.1) two=$(connections 127.0.0.2)
is "64 requests at once, 64 connections" 64 "$((one + two))"
check "each address has its share (here $one and $two)" \
    test $((one >= 12 && two >= 12)) = 1

kill -STOP "$second"
head -n 8 "$work/all" | timeout 120 "$bin/tests/s3/s3client" \
    --endpoint "$endpoint" --bucket "$bucket" --idle-ms 400 --attempts 24 \
    >"$work/out" 2>"$work/err"
answers "an address that falls silent does not stop the others" 8 \
    "* done 200 *"
kill -CONT "$second"

kill "$second"
wait "$second" 2>/dev/null
ask --in-flight 64 <"$work/all"
answers "one where nobody listens is passed over at once" 64 "* done 200 1 *"

serve ::1 0
if [ -s "$work/port" ]; then
	ask <<-E
	put over/IPv6 4096 new
	run
	get over/IPv6
	list
	E
	answers "an IPv6 address, in brackets" 3 "* done 200 1 *"
	ask --virtual <<<list
	answer "has no subdomains" "list * done 200 1 *"
	endpoint=http://s3.test:$port
else
	tap_skip "an IPv6 address, in brackets" "this machine has none"
fi

machine A
cycle() {
	run "$bin/s3sync" sync "$(root A)" "s3://$bucket/data/" --settle 0 \
	    --endpoint-url "$endpoint" --state "$(state A)"
}
for i in $(seq 64); do
	echo "$i" >"$work/roots/A/$i"
done
cycle
expect 0 "a cycle goes on with the address that is left"
is "and is whole" 64 "$(query A 'SELECT count(*) FROM entry')"

tap_end
