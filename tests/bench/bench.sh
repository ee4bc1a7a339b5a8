#!/bin/bash
# SPDX-License-Identifier: MIT
# Measures what the design promises, side by side with others, in one run.
#
#   tests/bench/bench.sh [cycle] [small] [large] [link] [tls]     (all)
#
#   KEYS="10000 100000 1000000"   sizes of the no-change cycle
#   FILES=20000                   small files (4 KB)
#   LARGE_MIB=2048                one large file; 16 of a 16th of it
#   LINKS="1gbit 2500mbit"        rates at which link does what large does
#   BENCH_ENDPOINT=URL            a real server for small and large (keys
#                                 testkey, testsecret) instead of s3testd
#   BENCH_DIR=DIR                 where it works
#   OTHERS="rclone s5cmd aws"     in small and large, where they are installed
#
# CPU is user + system time of the client's process; memory is its peak.
set -u
bin=${S3SYNC_BIN:-$PWD}
runs=${RUNS:-3}
read -ra others <<<"${OTHERS-rclone s5cmd aws}"
work=$(mktemp -d "${BENCH_DIR:-${TMPDIR:-/tmp}}/s3sync-bench.XXXXXX")
export AWS_ACCESS_KEY_ID=testkey AWS_SECRET_ACCESS_KEY=testsecret
unset AWS_CA_BUNDLE AWS_ENDPOINT_URL AWS_PROFILE AWS_SESSION_TOKEN
export AWS_DEFAULT_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true
# Without this aws sends bodies in a form that s3testd does not speak.
export AWS_REQUEST_CHECKSUM_CALCULATION=when_required
export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null
export RCLONE_CONFIG=/dev/null RCLONE_S3_PROVIDER=Other \
    RCLONE_S3_ACCESS_KEY_ID=testkey RCLONE_S3_SECRET_ACCESS_KEY=testsecret \
    RCLONE_S3_REGION=us-east-1
server=

clean_up() {
	[ -z "$server" ] || kill "$server" 2>/dev/null
	wait 2>/dev/null
	rm -rf "$work"
}
trap clean_up EXIT

# serve [OPTION...]: a server of its own; sets $endpoint.
serve() {
	[ -z "$server" ] || { kill "$server"; wait "$server" 2>/dev/null; }
	rm -f "$work/port"
	"$bin/tests/server/s3testd" --port-file "$work/port" --threads 2 "$@" \
	    >/dev/null 2>&1 &
	server=$!
	until [ -s "$work/port" ]; do sleep 0.05; done
	endpoint=${scheme:-http}://127.0.0.1:$(cat "$work/port")
	export RCLONE_S3_ENDPOINT=$endpoint
}

# serve_objects: the real server where there is one; sets $endpoint.
serve_objects() { # [OPTION...]
	if [ -z "${BENCH_ENDPOINT:-}" ]; then
		serve --bucket bench "$@"
		return
	fi
	endpoint=$BENCH_ENDPOINT
	export RCLONE_S3_ENDPOINT=$endpoint
	s3_curl -X PUT "$endpoint/bench" >/dev/null
}

s3_curl() {
	curl -sS --aws-sigv4 aws:amz:us-east-1:s3 --user testkey:testsecret \
	    -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' "$@"
}

# timed COMMAND...: sets wall, cpu (s), peak (MB); the output is in $work/out.
timed() {
	/usr/bin/time -o "$work/time" -f '%e %U %S %M' "$@" \
	    >"$work/out" 2>&1 </dev/null || {
		echo "failed: $*" >&2
		tail -n 5 "$work/out" >&2
		exit 1
	}
	read -r wall cpu peak < <(awk '{ printf "%.2f %.2f %.1f\n",
	    $1, $2 + $3, $4 / 1024 }' "$work/time")
}

calc() {
	awk "BEGIN { printf \"${2:-%.2f}\", $1 }"
}
median() {
	printf '%s\n' "$@" | sort -n | sed -n "$((($# + 1) / 2))p"
}

# ours: one cycle of s3sync on $root, $remote, $state.
ours() {
	timed "$bin/s3sync" sync "$root" "$remote" --endpoint-url "$endpoint" \
	    --state "$state" --settle 0 --log-level warning --json
}
# said MEMBER: of the summary of the last cycle.
said() {
	tail -n 1 "$work/out" | sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p"
}
asked() {
	curl -sS "$endpoint/_test/counts" | tr ',{}' '\n' |
	    sed -n "s/^\"$1\":\([0-9]*\)$/\1/p"
}

bench_cycle() {
	local keys i walls raws cpus
	echo "== the cycle in which nothing changed (66-byte keys)"
	echo "   s3sync sync ROOT s3://big; raw_list: its LIST requests alone"
	for keys in ${KEYS:-10000 100000 1000000}; do
		root=$work/tree state=$work/state.db remote=s3://big
		mkdir "$root"
		"$bin/tests/server/s3testd" --synthetic-names "$keys:66:0" \
		    --synthetic-tree "$root" >/dev/null
		serve --synthetic "big:$keys:66:0"
		ours # adopts what both have
		printf '%9d keys: rebuild %s s, %s MB, %s GET + PUT, manifest %s B/key\n' \
		    "$keys" "$wall" "$peak" "$(($(asked GET) + $(asked PUT)))" \
		    "$(calc "$(stat -c %s "$state") / $keys" %.0f)"
		ours
		walls=() raws=() cpus=()
		for i in $(seq "$runs"); do
			curl -sS -X POST "$endpoint/_test/counts/reset" >/dev/null
			ours
			requests="$(asked LIST) LIST, $(asked HEAD) HEAD, $(asked GET) GET, $(asked PUT) PUT"
			walls+=("$(calc "$(said survey_ms) / 1000" %.3f)")
			cpus+=("$cpu")
			timed "$bin/tests/bench/raw_list" "$endpoint" big ""
			raws+=("$(cut -d' ' -f2 "$work/out")")
		done
		ours
		printf '%9d keys: %s; client CPU %s µs/key; survey %s s, raw LIST %s s, ratio %s; peak %s MB\n' \
		    "$keys" "$requests" \
		    "$(calc "$(median "${cpus[@]}") * 1e6 / $keys")" \
		    "$(median "${walls[@]}")" "$(median "${raws[@]}")" \
		    "$(calc "$(median "${walls[@]}") / $(median "${raws[@]}")")" \
		    "$peak"
		# A page costs a real server 20 ms and more.
		if [ "$keys" -le 100000 ]; then
			serve --synthetic "big:$keys:66:0" --latency-ms 20 \
			    --port "${endpoint##*:}"
			ours
			walls=("$(calc "$(said survey_ms) / 1000" %.3f)")
			timed "$bin/tests/bench/raw_list" "$endpoint" big ""
			raws=("$(cut -d' ' -f2 "$work/out")")
			printf '%9d keys, 20 ms a page: survey %s s, raw LIST %s s, ratio %s\n' \
			    "$keys" "${walls[0]}" "${raws[0]}" \
			    "$(calc "${walls[0]} / ${raws[0]}")"
		fi
		rm -rf "$root" "$state"*
	done
}

# row NAME FILES: of what was timed last.
row() {
	printf '   %-8s %8s files/s %8s ms CPU/file %8s MB peak   (%s s, %s CPU s)\n' \
	    "$1" "$(calc "$2 / $wall" %.0f)" "$(calc "$cpu * 1000 / $2" %.3f)" \
	    "$peak" "$wall" "$cpu"
}

have() {
	command -v "$1" >/dev/null
}

bench_small() {
	local files=${FILES:-20000} tool
	echo "== $files files of 4 KB, 32 at once"
	serve_objects
	root=$work/up
	mkdir "$root"
	head -c $((files * 4096)) /dev/urandom | (cd "$root" &&
	    split -b 4096 -a 5 -d - f && for d in $(seq -w 0 99); do
		mkdir "d$d" && mv f???"$d" "d$d/"
	    done)
	echo " up"
	remote=s3://bench/ours/ state=$work/up.db
	ours
	row s3sync "$files"
	for tool in "${others[@]}"; do
		! have "$tool" || { small_up "$tool" && row "$tool" "$files"; }
	done
	echo " down"
	root=$work/down state=$work/down.db
	mkdir "$root"
	ours
	row s3sync "$files"
	diff -r -x .s3sync "$work/up" "$work/down" || exit 1
	for tool in "${others[@]}"; do
		! have "$tool" || { small_down "$tool" && row "$tool" "$files"; }
	done
	rm -rf "$work/up" "$work"/down*
}
small_up() {
	case $1 in
	rclone) timed rclone copy --exclude '/.s3sync/**' --transfers 32 \
	    --checkers 32 "$work/up" :s3:bench/rclone ;;
	s5cmd) timed s5cmd --endpoint-url "$endpoint" --numworkers 32 cp \
	    --exclude '*.s3sync*' "$work/up/" s3://bench/s5cmd/ ;;
	aws) timed aws --endpoint-url "$endpoint" s3 sync --only-show-errors \
	    --exclude '.s3sync/*' "$work/up" s3://bench/aws ;;
	esac
}
small_down() {
	case $1 in
	rclone) timed rclone copy --transfers 32 --checkers 32 \
	    :s3:bench/rclone "$work/down-rclone" ;;
	s5cmd) timed s5cmd --endpoint-url "$endpoint" --numworkers 32 cp \
	    's3://bench/s5cmd/*' "$work/down-s5cmd/" ;;
	aws) timed aws --endpoint-url "$endpoint" s3 sync --only-show-errors \
	    s3://bench/aws "$work/down-aws" ;;
	esac
}

# all_by_curl up|hashed-up|down|hashed-down COUNT: as many transfers at once. Up
# with an unsigned payload, which nothing checks, or with its SHA-256, as s3sync
# sends it. What comes down is brought to the disk, as s3sync does, and hashed
# with MD5, or not.
all_by_curl() {
	local i pid pids=()
	for i in $(seq "$2"); do
		case $1 in
		*up) upload_by_curl "$1" "$i" & ;;
		*down) download_by_curl "$1" "$i" & ;;
		esac
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || return
	done
	case $1 in
	*down) sync "$work"/curl/* ;;
	esac
}
download_by_curl() { # down|hashed-down NUMBER
	curl -sSfk --aws-sigv4 aws:amz:us-east-1:s3 \
	    --user testkey:testsecret \
	    -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' \
	    -o "$work/curl/f$2" "$endpoint/bench/curl/f$2" || return
	[ "$1" = down ] || openssl md5 "$work/curl/f$2"
}
upload_by_curl() { # up|hashed-up NUMBER
	local payload=UNSIGNED-PAYLOAD
	[ "$1" = up ] ||
	    payload=$(openssl sha256 -r "$work/src/f$2" | cut -d' ' -f1)
	curl -sSfk --speed-limit 1 --speed-time 20 \
	    --aws-sigv4 aws:amz:us-east-1:s3 --user testkey:testsecret \
	    -H "x-amz-content-sha256: $payload" \
	    -T "$work/src/f$2" "$endpoint/bench/curl/f$2"
}
export -f all_by_curl upload_by_curl download_by_curl

# large_by TOOL up|down|hashed-up|hashed-down COUNT: into bench/TOOL, from there
# to $work/TOOL.
large_by() {
	local tool=$1 direction=$2
	mkdir -p "$work/$tool"
	case $tool-$direction in
	s3sync-up) # by a pair that knows its server, as all but the first do
		root=$work/ours state=$work/up.db remote=s3://bench/s3sync/
		rm -rf "$root" "$state"*
		mkdir "$root"
		echo "$RANDOM" >"$root/small"
		ours
		ln "$work"/src/f* "$root"
		ours
		;;
	s3sync-down)
		root=$work/s3sync state=$work/down.db remote=s3://bench/s3sync/
		rm -rf "$state"*
		ours
		;;
	curl-*) work=$work endpoint=$endpoint timed bash -c \
	    "all_by_curl $direction $3" ;;
	rclone-up) timed env -u AWS_CA_BUNDLE rclone copy --exclude "/.s3sync/**" --transfers 16 \
	    --ca-cert "$work/cert.pem" "$work/src" :s3:bench/rclone ;;
	rclone-down) timed env -u AWS_CA_BUNDLE rclone copy --transfers 16 --multi-thread-streams 8 \
	    --ca-cert "$work/cert.pem" :s3:bench/rclone "$work/rclone" ;;
	aws-up) timed aws --endpoint-url "$endpoint" s3 cp --recursive \
	    --only-show-errors --exclude '.s3sync/*' "$work/src" s3://bench/aws ;;
	aws-down) timed aws --endpoint-url "$endpoint" s3 cp --recursive \
	    --only-show-errors s3://bench/aws "$work/aws" ;;
	s5cmd-up) timed s5cmd --endpoint-url "$endpoint" --no-verify-ssl cp \
	    --exclude '*.s3sync*' "$work/src/" s3://bench/s5cmd/ ;;
	s5cmd-down) timed s5cmd --endpoint-url "$endpoint" --no-verify-ssl cp \
	    's3://bench/s5cmd/*' "$work/s5cmd/" ;;
	esac
}

# large_case COUNT MIB: rows for each tool; ours against curl by the median.
large_case() {
	local count=$1 mib=$2 direction tool i mine theirs hashed gib
	gib=$(calc "$count * $mib / 1024" %.3f)
	rm -rf "$work/src"
	mkdir "$work/src"
	for i in $(seq "$count"); do
		head -c $((mib << 20)) /dev/urandom >"$work/src/f$i"
	done
	for direction in up down; do
		mine=() theirs=() hashed=()
		for i in $(seq "$runs"); do
			[ "$direction" = down ] || clear_bucket
			rm -rf "$work/s3sync" "$work/curl"
			large_by s3sync $direction "$count"
			mine+=("$wall")
			[ "$i" != 1 ] || large_row s3sync
			large_by curl $direction "$count"
			theirs+=("$wall")
			[ "$i" != 1 ] || large_row curl
			rm -rf "$work/curl"
			large_by curl hashed-$direction "$count"
			hashed+=("$wall")
		done
		large_ratio curl "${theirs[@]}"
		large_ratio "curl that hashes, too" "${hashed[@]}"
		[ "$direction" = up ] ||
		    diff -r -x .s3sync "$work/ours" "$work/s3sync" || exit 1
		for tool in "${others[@]}"; do
			! have "$tool" || { large_by "$tool" $direction "$count" &&
			    large_row "$tool"; }
		done
	done
	rm -rf "$work"/{src,ours,s3sync,curl,rclone,aws,s5cmd}
}
large_ratio() { # NAME SECONDS...
	local name=$1
	shift
	printf ' %s %d × %d MiB %-4s rate of s3sync against %s: %s (medians: %s s, %s s)\n' \
	    "$scheme" "$count" "$mib" "$direction" "$name" \
	    "$(calc "$(median "$@") / $(median "${mine[@]}")")" \
	    "$(median "${mine[@]}")" "$(median "$@")"
}
large_row() {
	printf '   %-5s %2d × %d MiB %-4s %-8s %8s MiB/s %8s CPU s/GiB %8s MB peak\n' \
	    "$scheme" "$count" "$mib" "$direction" "$1" \
	    "$(calc "$gib * 1024 / $wall" %.0f)" "$(calc "$cpu / $gib")" "$peak"
}
# A server that begins anew where it is ours: what others left takes room.
clear_bucket() {
	local tool i
	serve_objects "${serve_with[@]}"
	[ -n "${BENCH_ENDPOINT:-}" ] || return
	for tool in s3sync curl rclone aws s5cmd; do
		for i in small $(seq -f f%.0f 16); do
			s3_curl -X DELETE "$endpoint/bench/$tool/$i"
		done
	done
}

bench_large() {
	local mib=${LARGE_MIB:-2048} scheme serve_with
	echo "== large files, against as many parallel transfers by curl"
	openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=127.0.0.1 \
	    -addext subjectAltName=IP:127.0.0.1 -keyout "$work/key.pem" \
	    -out "$work/cert.pem" 2>/dev/null
	for scheme in http https; do
		serve_with=()
		if [ $scheme = https ]; then
			[ -z "${BENCH_ENDPOINT:-}" ] || continue
			serve_with=(--tls-cert "$work/cert.pem" --tls-key
			    "$work/key.pem")
			export AWS_CA_BUNDLE=$work/cert.pem
		fi
		large_case 1 "$mib"
		large_case 16 $((mib / 16))
	done
	unset AWS_CA_BUNDLE
}

# The same where the network is what takes the time: loopback of a namespace of
# its own, shaped to such a rate.
bench_link() {
	local rate
	if ! unshare -n true 2>/dev/null || ! have tc || ! have ip; then
		echo "== large files over a link: needs root, ip and tc; left out"
		return
	fi
	for rate in ${LINKS:-1gbit 2500mbit}; do
		echo "== loopback shaped to $rate"
		OTHERS='' BENCH_ENDPOINT='' LARGE_MIB=${LARGE_MIB:-1024} \
		    unshare -n bash -c "shaped $rate '$0'"
	done
}
shaped() { # RATE SCRIPT
	ip link set lo up &&
	    tc qdisc add dev lo root tbf rate "$1" burst 1mb latency 50ms &&
	    exec bash "$2" large
}
export -f shaped

# Connections with the CAs of the system, as users have them, and ours.
bench_tls() {
	local i scheme cpus tls='' plain count=64
	local system=/etc/ssl/certs/ca-certificates.crt
	echo "== $count connections at once: client CPU (target < 150 ms more with TLS)"
	echo "   s3client, $count GET of 4 KB in flight; CAs: $(grep -c BEGIN \
	    $system) of the system and one"
	openssl req -x509 -newkey rsa:2048 -nodes -keyout "$work/key.pem" \
	    -out "$work/cert.pem" -days 2 -subj /CN=localhost \
	    -addext subjectAltName=DNS:localhost 2>/dev/null
	cat "$system" "$work/cert.pem" >"$work/ca.pem"
	for scheme in http https; do
		if [ $scheme = http ]; then
			serve --bucket bench
		else
			serve --bucket bench --tls-cert "$work/cert.pem" \
			    --tls-key "$work/key.pem"
		fi
		endpoint=$scheme://localhost:${endpoint##*:}
		{
			echo put small 4096 new
			echo run
		} | client >/dev/null
		echo "GET delay=500" | curl -sS --cacert "$work/cert.pem" \
		    --data-binary @- "$endpoint/_test/faults" >/dev/null
		cpus=()
		for i in $(seq "$runs"); do
			yes "get small" | head -n $count >"$work/asked"
			/usr/bin/time -o "$work/time" -f '%U %S' \
			    "$bin/tests/s3/s3client" --bucket bench \
			    --endpoint "$endpoint" --ca-bundle "$work/ca.pem" \
			    --in-flight $count <"$work/asked" >"$work/out"
			[ "$(grep -c '^get small done 200 1 ' "$work/out")" = $count ] || exit 1
			cpus+=("$(awk '{ print ($1 + $2) * 1000 }' "$work/time")")
		done
		i=$(curl -sS --cacert "$work/cert.pem" "$endpoint/_test/counts" |
		    sed 's/.*"max_in_flight":\([0-9]*\).*/\1/')
		[ "$i" = $count ] || exit 1
		printf '   %-6s %s ms CPU, median of %s\n' $scheme \
		    "$(median "${cpus[@]}")" "${#cpus[@]}"
		[ $scheme = http ] && plain=$(median "${cpus[@]}") ||
		    tls=$(median "${cpus[@]}")
	done
	printf '   TLS costs %s ms, %s ms a connection\n' \
	    "$(calc "$tls - $plain" %.0f)" "$(calc "($tls - $plain) / $count")"
}
client() {
	"$bin/tests/s3/s3client" --bucket bench --endpoint "$endpoint" \
	    --ca-bundle "$work/ca.pem"
}

parts=("$@")
[ $# -gt 0 ] || parts=(cycle small large link tls)
echo "$(nproc) × $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1), Linux $(uname -r), $(date -u +%F)"
for part in "${parts[@]}"; do
	"bench_$part"
done
