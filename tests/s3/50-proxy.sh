#!/bin/bash
# SPDX-License-Identifier: MIT
# Proxies, as curl knows them; and AWS itself, which stands behind one here.
# shellcheck source=tests/s3/lib.sh
. "${srcdir:-.}/tests/s3/lib.sh"

command -v openssl >/dev/null || tap_skip_all "openssl is not installed"

# proxy_start [OPTION...]: sets $proxy; its log is $work/proxy.log.
proxy_start() {
	[ -z "${proxy_pid:-}" ] || kill "$proxy_pid"
	: >"$work/proxy.log"
	rm -f "$work/proxy.port"
	"$bin/tests/server/proxytestd" --port-file "$work/proxy.port" \
	    --log "$work/proxy.log" "$@" 2>>"$work/server.log" &
	proxy_pid=$!
	for _ in $(seq 200); do
		[ -s "$work/proxy.port" ] && break
		sleep 0.02
	done
	proxy=127.0.0.1:$(cat "$work/proxy.port")
}
# through NAME=VALUE... OPTION...: what requests say with these variables.
through() {
	local settings=()
	while [[ ${1:-} == *=* ]]; do
		settings+=("$1")
		shift
	done
	env "${settings[@]}" timeout 60 "$bin/tests/s3/s3client" \
	    --bucket "$bucket" "$@" >"$work/out" 2>"$work/err"
	cat "$work/out" "$work/err" >>"$work/said"
}
logged() { # PATTERN
	grep -c -- "$1" "$work/proxy.log"
}

server_start
port=${endpoint##*:}
direct=$endpoint
proxy_start --map "s3.test=$port"
named=http://s3.test:$port

through http_proxy="http://$proxy" --endpoint "$named" <<E
put a%20/b 4096 new
put large 3000000 new
run
get a%20/b
get large
list
E
answers "http through a proxy" 5 "* done 200 1 *"
is "which is asked for whole addresses" 2 \
    "$(logged "^GET http://s3.test:$port/$bucket/")"
through HTTP_PROXY="http://$proxy" --endpoint "$direct" <<<list
answer "HTTP_PROXY in capitals is nobody's" "list * done 200 1 *"
is "nobody was asked there" 5 "$(wc -l <"$work/proxy.log")"
through all_proxy="$proxy" --endpoint "$named" <<<list
answer "all_proxy is for all" "list * done 200 1 *"
through http_proxy="http://$proxy" no_proxy=127.0.0.1,other.test \
    --endpoint "$direct" <<<list
answer "no_proxy exempts" "list * done 200 1 *"
through http_proxy="http://$proxy" NO_PROXY='*' --endpoint "$direct" <<<list
answer "and everybody" "list * done 200 1 *"
is "nobody asked the proxy" 6 "$(wc -l <"$work/proxy.log")"

proxy_start --map "s3.test=$port" --user 'me:hush w%t'
through http_proxy="http://me:hush%20w%25t@$proxy" --endpoint "$named" <<<list
answer "a proxy that wants credentials gets them" "list * done 200 1 *"
through http_proxy="http://me:hush%20wrong@$proxy" --endpoint "$named" <<<list
answer "wrong ones are refused" "list * refused 407 1 network: the proxy \
$proxy wants credentials (HTTP 407): put them into http_proxy, as *"
through http_proxy="ftp://me:hush@$proxy" --endpoint "$named" <<<list
answer "what is no proxy's address is told" "http_proxy is not the URL of a \
proxy (its value is not shown)*"
proxy_start
through http_proxy="http://me:hush@$proxy" --endpoint "$named" --attempts 2 \
    <<<list
answer "a proxy that does not find the server is tried again" \
    "list * failed 502 2 network: *"
through http_proxy=http://127.0.0.1:1 --endpoint "$named" --attempts 2 <<<list
answer "and one that is not there" "list * failed 0 2 network: the proxy \
127.0.0.1:1 cannot be reached (*, 2 attempts): correct http_proxy, or name \
s3.test:$port in no_proxy*"
unreachable() { # NAME VARIABLE URL HOST
	through "$2=$3" --endpoint "$named" --attempts 1 <<<list
	answer "$1" "list * failed 0 1 network: the proxy $4 cannot be reached \
(*): correct $2, or name s3.test:$port in no_proxy*"
}
unreachable "or has no address" http_proxy http://me:hush@proxy.invalid:1 \
    proxy.invalid:1
unreachable "one without a scheme" http_proxy me:hush@127.0.0.1:1 127.0.0.1:1
unreachable "SOCKS that is not there" all_proxy socks5h://me:hush@127.0.0.1:1 \
    127.0.0.1:1
unreachable "or has no address, either" ALL_PROXY socks5://proxy.invalid:1 \
    proxy.invalid:1
unreachable "of the usual port" all_proxy socks4a://proxy.invalid proxy.invalid
through http_proxy=http://127.0.0.1:2 no_proxy=127.0.0.1 \
    --endpoint http://127.0.0.1:1 --attempts 1 <<<list
answer "where none is used none is to blame" \
    "list * failed 0 1 network: cannot connect to 127.0.0.1:1 *"

# ---- AWS --------------------------------------------------------------------

openssl req -x509 -newkey rsa:2048 -nodes -keyout "$work/key.pem" \
    -out "$work/cert.pem" -days 2 -subj /CN=AWS -addext "subjectAltName=\
DNS:*.s3.us-east-1.amazonaws.com,DNS:*.s3.eu-west-1.amazonaws.com,\
DNS:s3.eu-west-1.amazonaws.com,DNS:s3.us-east-1.amazonaws.com,\
DNS:*.s3-fips.dualstack.eu-west-1.amazonaws.com,\
DNS:*.s3-accesspoint.eu-west-1.amazonaws.com" 2>/dev/null
# region NAME: a server there; sets $port.
region() {
	rm "$work/port"
	server_start --region "$1" --tls-cert "$work/cert.pem" \
	    --tls-key "$work/key.pem" --bucket myap-123456789012 \
	    --bucket with.dots
	port=${endpoint##*:}
}
region us-east-1
east=$port
curl -sS -k --data-binary @- "https://127.0.0.1:$east/_test/faults" <<E
ANY status=301 code=PermanentRedirect bucket-region=eu-west-1
E
region eu-west-1
proxy_start --map "*.us-east-1.amazonaws.com=$east" \
    --map "*.eu-west-1.amazonaws.com=$port" --user me:hush
aws() {
	: >"$work/proxy.log"
	through https_proxy="http://me:hush@$proxy" --aws \
	    --ca-bundle "$work/cert.pem" "$@"
}
hosts() {
	sed 's/^CONNECT \(.*\):443 200$/\1/' "$work/proxy.log" | sort -u |
	    tr '\n' ' '
}

aws --in-flight 1 <<E
put a 4096 new
put large 3000000 new
get large
get a
list
run
region
E
answers "a bucket of AWS, wherever it is" 5 "* done 200 *"
answer "is found" "region eu-west-1, asked 0 times"
is "by its region, and asked at its own host" \
    "$bucket.s3.eu-west-1.amazonaws.com $bucket.s3.us-east-1.amazonaws.com " \
    "$(hosts)"
aws --region eu-west-1 <<<list
answer "with its region it is asked there at once" "list * done 200 1 *"
is "and only there" "$bucket.s3.eu-west-1.amazonaws.com " "$(hosts)"
aws --begin-in eu-west-1 <<<list
is "so where it is remembered" "$bucket.s3.eu-west-1.amazonaws.com " "$(hosts)"
aws --bucket with.dots <<<list
answer "a name with dots goes into the path" "list * done 200 2 *"
is "in both regions" \
    "s3.eu-west-1.amazonaws.com s3.us-east-1.amazonaws.com " "$(hosts)"
aws --fips --dualstack --region eu-west-1 <<<list
answer "FIPS over IPv6" "list * done 200 1 *"
is "has a host of its own" \
    "$bucket.s3-fips.dualstack.eu-west-1.amazonaws.com " "$(hosts)"
aws --bucket arn:aws:s3:eu-west-1:123456789012:accesspoint/myap <<<list
answer "an access point" "list * done 200 1 *"
is "has one, too" \
    "myap-123456789012.s3-accesspoint.eu-west-1.amazonaws.com " "$(hosts)"
through HTTPS_PROXY="http://me:hush@$proxy" no_proxy=.amazonaws.com --aws \
    --region mars-1 --attempts 1 <<<list
answer "no_proxy exempts a domain" "list * failed 0 1 network: *"

through https_proxy="http://$proxy" --aws <<<list
answer "a proxy that wants credentials says so" "list * refused 407 1 network: \
the proxy $proxy wants credentials (HTTP 407): put them into https_proxy, as *"
proxy_start --refuse 403
through https_proxy="http://$proxy" --aws <<<list
answer "one that forbids it is told from S3" "list * refused 403 1 network: \
the proxy $proxy refuses to connect to $bucket.s3.us-east-1.amazonaws.com:443 \
(HTTP 403): have it allowed there, or name the server in no_proxy*"
proxy_start --refuse 504
through https_proxy="http://$proxy" --aws --attempts 2 <<<list
answer "one in trouble is asked again" "list * failed 504 2 network: the proxy \
$proxy does not connect to *"

# The programs: the file behind the environment names the proxy.
proxy_start --map "*.eu-west-1.amazonaws.com=$port" --user me:hush
echo "https_proxy=http://me:hush@$proxy" >"$work/env"
chmod 600 "$work/env"
machine A
echo one >"$work/roots/A/one"
for _ in 1 2; do
	run "$bin/s3sync" sync "$(root A)" "s3://$bucket/data/" --region \
	    eu-west-1 --ca-bundle "$work/cert.pem" --env-file "$work/env" \
	    --state "$(state A)" --settle 0 --verbose
	cat "$work/out" "$work/err" >>"$work/said"
done
expect 0 "env_file may name the proxy"
is "the manifest knows AWS, whatever the region" https://s3.amazonaws.com \
    "$(query A "SELECT value FROM meta WHERE name = 'endpoint'")"
query A .dump >>"$work/said"
expect_no_text said hush "no password was ever shown"

tap_end
