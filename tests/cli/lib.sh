# shellcheck shell=bash disable=SC2034,SC2119,SC2120 # for those who source it
# SPDX-License-Identifier: MIT
# Scenarios: source this file from a test in tests/cli/. It starts a server,
# gives each "machine" a root and a manifest, runs the programs as their user
# would, and compares both trees and the manifest.
#
# VERBOSE=1 shows what each command said, KEEP=1 leaves the files.
#
# The server is the project's own (s3testd), or, with S3SYNC_TEST_ENDPOINT set
# to an address, whatever real server is there (keys testkey, testsecret).
#
#   machine A            roots/A and state/A.db
#   sync_ A [FLAG...]    one cycle; sets $status; $work/out, $work/err
#   expect STATUS NAME   the last command's exit status
#   expect_text FILE TEXT NAME
#   remember A [B...], unchanged NAME  nothing has moved in between
#   agree NAME A [B...]  trees, bucket and manifests say the same
#   quiet NAME A         a further cycle asks only LIST and writes no key
srcdir=${srcdir:-.}
# shellcheck source=../tap.sh
. "$srcdir/tests/tap.sh"

umask 022
export LC_ALL=C.UTF-8 TZ=UTC
work=$(mktemp -d "${TMPDIR:-/tmp}/s3sync-test.XXXXXX")
bin=${S3SYNC_BIN:-$PWD}
bucket=test-$$-$RANDOM
prefix=data/
status=
endpoint=
user=() # the programs run as another one: see as_nobody
export AWS_ACCESS_KEY_ID=testkey AWS_SECRET_ACCESS_KEY=testsecret
# What else this machine's AWS tools know stays out of it.
for name in $(compgen -e AWS_) http_proxy https_proxy HTTPS_PROXY \
    all_proxy ALL_PROXY no_proxy NO_PROXY; do
	case $name in
	AWS_ACCESS_KEY_ID | AWS_SECRET_ACCESS_KEY) ;;
	*) unset "$name" ;;
	esac
done
export AWS_CONFIG_FILE=$work/aws/config AWS_EC2_METADATA_DISABLED=true
export AWS_SHARED_CREDENTIALS_FILE=$work/aws/credentials
export XDG_CONFIG_HOME=$work/config XDG_STATE_HOME=$work/xdg-state
mkdir "$work/roots" "$work/state"

clean_up() {
	local pid
	for pid in $(jobs -p); do
		kill "$pid" 2>/dev/null
	done
	wait 2>/dev/null
	chmod -R u+rwx "$work" 2>/dev/null
	if [ -n "${KEEP:-}" ]; then
		echo "# kept: $work"
	else
		rm -rf "$work"
	fi
}
trap clean_up EXIT

# own_mounts SCRIPT: begins SCRIPT anew where it may mount what it likes, unseen
# by others.
own_mounts() {
	local unshare=(unshare --mount)
	[ -z "${S3SYNC_TEST_MOUNTS:-}" ] || return 0
	[ "$(id -u)" = 0 ] || unshare+=(--map-root-user)
	"${unshare[@]}" true 2>/dev/null ||
	    tap_skip_all "this user may not mount anything here"
	rm -rf "$work"
	S3SYNC_TEST_MOUNTS=1 exec "${unshare[@]}" bash "$1"
}

# ---- the server -------------------------------------------------------------

# Is this the project's own server, which does as it is told?
own_server() {
	[ -z "${S3SYNC_TEST_ENDPOINT:-}" ]
}

# server_start [OPTION...]
server_start() {
	if ! own_server; then
		endpoint=$S3SYNC_TEST_ENDPOINT
		s3_request PUT "" >/dev/null
		return
	fi
	# shellcheck disable=SC2094
	"$bin/tests/server/s3testd" --port-file "$work/port" --bucket "$bucket" "$@" \
	    >"$work/server.log" 2>&1 &
	for _ in $(seq 200); do
		[ -s "$work/port" ] && break
		sleep 0.02
	done
	endpoint=http://127.0.0.1:$(cat "$work/port")
}

# s3_request METHOD KEY [CURL OPTION...]: KEY of [A-Za-z0-9/._-] only.
s3_request() {
	local method=$1 key=$2
	shift 2
	curl -sS --fail-with-body -X "$method" --path-as-is \
	    --aws-sigv4 aws:amz:us-east-1:s3 --user testkey:testsecret \
	    -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' "$@" \
	    "$endpoint/$bucket${key:+/$key}"
}

# Below the prefix, as another program would.
remote_put() { # KEY FILE
	s3_request PUT "$prefix$1" -T "$2" >/dev/null
}
remote_get() { # KEY
	s3_request GET "$prefix$1"
}
remote_delete() { # KEY
	s3_request DELETE "$prefix$1" >/dev/null
}

# remote_list: "KEY<TAB>SIZE<TAB>ETAG" a line, in order, without the prefix.
remote_list() {
	local token='' page
	while :; do
		page=$(s3_list_page "$token") || return
		printf '%s\n' "$page" | sed 's/<Contents>/\n&/g' |
		    grep '<Key>' | list_lines
		token=$(printf '%s' "$page" | sed -n \
		    's/.*<NextContinuationToken>\([^<]*\)<.*/\1/p')
		[ -n "$token" ] || return 0
	done
}

s3_list_page() { # TOKEN
	local query="list-type=2&prefix=${prefix//\//%2F}"
	[ -z "$1" ] || query="continuation-token=$(url_encode "$1")&$query"
	curl -sS --fail-with-body --aws-sigv4 aws:amz:us-east-1:s3 \
	    --user testkey:testsecret \
	    -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' \
	    "$endpoint/$bucket?$query"
}

url_encode() {
	local i c
	for ((i = 0; i < ${#1}; i++)); do
		c=${1:i:1}
		case $c in
		[A-Za-z0-9._~-]) printf %s "$c" ;;
		*) printf '%%%02X' "'$c" ;;
		esac
	done
}

list_lines() {
	local line key size etag
	while IFS= read -r line; do
		key=${line#*<Key>} key=${key%%</Key>*}
		size=${line#*<Size>} size=${size%%</Size>*}
		etag=${line#*<ETag>} etag=${etag%%</ETag>*}
		etag=${etag//&quot;/} etag=${etag//&#34;/} etag=${etag//\"/}
		key=${key//&lt;/<} key=${key//&gt;/>} key=${key//&amp;/"&"}
		printf '%s\t%s\t%s\n' "${key#"$prefix"}" "$size" "$etag"
	done
}

# The own server's controls: faults RULE..., no_faults, asked KIND, asked_log.
faults() {
	printf '%s\n' "$@" |
	    curl -sS --fail-with-body --data-binary @- "$endpoint/_test/faults"
}
no_faults() {
	curl -sS -X DELETE "$endpoint/_test/faults" >/dev/null
}
asked() { # KIND: how many since the last asked_reset
	curl -sS "$endpoint/_test/counts" | tr ',{}' '\n' |
	    sed -n "s/^\"$1\":\([0-9]*\)$/\1/p"
}
asked_reset() {
	curl -sS -X POST "$endpoint/_test/counts/reset" >/dev/null
}
# identity_start: a server that stands in for those who give out credentials,
# and an environment without any. Sets $key and $secret, the server's own.
identity_start() {
	own_server ||
	    tap_skip_all "only the test server gives out credentials"
	server_start
	export HOME=$work/home
	mkdir -p "$work/aws" "$HOME/.aws/sso/cache"
	key=$AWS_ACCESS_KEY_ID secret=$AWS_SECRET_ACCESS_KEY
	unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
	export AWS_ENDPOINT_URL_STS=$endpoint/_identity/sts
	export AWS_ENDPOINT_URL_SSO=$endpoint/_identity/sso
	export AWS_ENDPOINT_URL_SSO_OIDC=$endpoint/_identity/oidc
}
# identity COMMAND...: to those of it that give out credentials.
identity() {
	printf '%s\n' "$@" |
	    curl -sS --fail-with-body --data-binary @- "$endpoint/_test/identity"
}
# awkward_put KEY-PERCENT-ENCODED FILE: any key, below the prefix.
awkward_put() {
	curl -sS --fail-with-body --path-as-is -X PUT --data-binary "@$2" \
	    "$endpoint/_test/object/$bucket/$prefix$1" >/dev/null
}

# ---- machines ---------------------------------------------------------------

machine() {
	local name
	for name; do
		mkdir -p "$work/roots/$name"
	done
}
root() { # A
	echo "$work/roots/$1"
}
state() { # A
	echo "$work/state/$1.db"
}

# run COMMAND...: sets $status, keeps both outputs.
run() {
	"${user[@]}" "$@" >"$work/out" 2>"$work/err" </dev/null
	status=$?
}

# as_nobody A...: from here on the programs run without root's powers, as the
# owner of these machines. Who is not root has none to drop.
as_nobody() {
	local name
	[ "$(id -u)" = 0 ] || return 0
	user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
	chmod 711 "$work"
	chown 65534:65534 "$work/state"
	for name; do
		chown -R 65534:65534 "$(root "$name")"
	done
	mkdir "$work/bin"
	cp "$bin/s3sync" "$bin/s3sync-state" "$work/bin"
	bin=$work/bin
}

# command_ COMMAND A [FLAG...]: s3sync on machine A.
command_() {
	local command=$1 name=$2
	shift 2
	run "$bin/s3sync" "$command" "$(root "$name")" "s3://$bucket/$prefix" \
	    --endpoint-url "$endpoint" --state "$(state "$name")" --settle 0 \
	    "$@"
}
sync_() {
	command_ sync "$@"
}
plan_() {
	command_ plan "$@"
}
# start_daemon A [FLAG...]: in the background; sets $daemon_pid; log in
# $work/A.log
start_daemon() {
	local name=$1
	shift
	"$bin/s3sync" daemon "$(root "$name")" "s3://$bucket/$prefix" \
	    --endpoint-url "$endpoint" --state "$(state "$name")" --settle 0 \
	    --log-file "$work/$name.log" "$@" </dev/null \
	    >"$work/$name.out" 2>"$work/$name.err" &
	daemon_pid=$!
}
# eventually SECONDS COMMAND...: until it succeeds.
eventually() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}
query() { # A SQL
	sqlite3 -readonly "$(state "$1")" "$2"
}

# ---- claims -----------------------------------------------------------------

show_last() {
	echo "status $status"
	sed 's/^/out: /' "$work/out"
	sed 's/^/err: /' "$work/err"
}
expect() { # STATUS NAME
	[ -z "${VERBOSE:-}" ] || show_last | sed 's/^/# /'
	if [ "$status" = "$1" ]; then
		tap_ok "$2"
	else
		tap_not_ok "$2" "expected status $1; $(show_last)"
	fi
}
expect_text() { # FILE TEXT NAME: out, err, or a path; a fixed string
	local file=$1
	[ -e "$file" ] || file=$work/$1
	if grep -qF -- "$2" "$file"; then
		tap_ok "$3"
	else
		tap_not_ok "$3" "no '$2' in $1:
$(cat "$file")"
	fi
}
expect_no_text() { # FILE TEXT NAME
	local file=$1
	[ -e "$file" ] || file=$work/$1
	if grep -qF -- "$2" "$file"; then
		tap_not_ok "$3" "'$2' in $1:
$(cat "$file")"
	else
		tap_ok "$3"
	fi
}
is() { # NAME EXPECTED GOT
	if [ "$2" = "$3" ]; then
		tap_ok "$1"
	else
		tap_not_ok "$1" "expected: $2
got:      $3"
	fi
}

# tree_find A FIND-ACTION...: the files of a root that can be synced.
tree_find() {
	local name=$1
	shift
	find "$(root "$name")" -name .s3sync -prune -o -type f ! -name 'temp_*' \
	    "$@"
}
# tree_list A: "KEY<TAB>SIZE<TAB>MD5", as remote_list prints objects.
tree_list() {
	paste <(tree_find "$1" -printf '%P\t%s\n' | LC_ALL=C sort) \
	    <(tree_find "$1" -printf '%P\t%p\0' | LC_ALL=C sort -z |
	        cut -z -f2 | xargs -0r md5sum | cut -c1-32)
}

# What the manifest holds of each side, and what the disk shows.
manifest_local() { # A
	query "$1" "SELECT CAST(key AS TEXT) || char(9) || l_size || char(9) ||
	    l_mtime_ns || char(9) || l_ino FROM entry ORDER BY key"
}
disk_local() { # A
	tree_find "$1" -printf '%P\t%s\t%T@\t%i\n' |
	    sed 's/\.\([0-9]\{9\}\)0\t/\1\t/' | LC_ALL=C sort
}
manifest_remote() { # A
	query "$1" "SELECT key || char(9) || r_size || char(9) || r_etag
	    FROM entry_view ORDER BY CAST(key AS BLOB)"
}

# agree NAME A [B...]: every file is an object and the reverse, contents are
# equal (by MD5, all ETags here are), and each manifest knows exactly that.
agree() {
	local name=$1 machine why=''
	shift
	remote_list | LC_ALL=C sort >"$work/remote"
	for machine; do
		tree_list "$machine" >"$work/tree"
		why+=$(diff "$work/remote" "$work/tree" |
		    sed "s/^/bucket and tree $machine: /")
		why+=$(diff <(manifest_local "$machine" | LC_ALL=C sort) \
		    <(disk_local "$machine") |
		    sed "s/^/manifest and tree $machine: /")
		why+=$(diff <(manifest_remote "$machine" | LC_ALL=C sort) \
		    "$work/remote" | sed "s/^/manifest $machine and bucket: /")
	done
	check_empty "$name" "$why"
}

# everything A [B...]: on both sides, and in the manifests of keys.
everything() {
	local machine table
	remote_list
	for machine; do
		find "$(root "$machine")" \
		    -printf '%p\t%y\t%m\t%s\t%T@\t%C@\t%i\n' | LC_ALL=C sort
		for table in entry pending; do
			[ ! -e "$(state "$machine")" ] ||
			    query "$machine" ".dump $table"
		done
	done
}
remember() { # A [B...]
	remembered=("$@")
	everything "$@" >"$work/before" 2>&1
	! own_server || asked_reset
}
unchanged() { # NAME
	local why
	everything "${remembered[@]}" >"$work/after" 2>&1
	why=$(diff "$work/before" "$work/after")
	if own_server && [ "$(asked GET)$(asked PUT)" != 00 ]; then
		why+="asked: $(curl -sS "$endpoint/_test/counts")"
	fi
	check_empty "$1" "$why"
}

# quiet NAME A [STATUS]: one more cycle: LIST only, no row of a key written.
quiet() {
	local name=$1 machine=$2 expected=${3:-0} before after why='' run
	before=$(query "$machine" ".dump entry" ; query "$machine" ".dump pending")
	! own_server || asked_reset
	sync_ "$machine"
	[ "$status" = "$expected" ] || why+="$(show_last)"$'\n'
	after=$(query "$machine" ".dump entry" ; query "$machine" ".dump pending")
	[ "$before" = "$after" ] ||
	    why+=$(diff <(echo "$before") <(echo "$after"))$'\n'
	run=$(query "$machine" "SELECT uploaded, downloaded, adopted,
	    get_requests, put_requests FROM run ORDER BY id DESC LIMIT 1")
	[ "$run" = "0|0|0|0|0" ] || why+="run: $run"$'\n'
	if own_server && [ "$(asked GET)$(asked PUT)$(asked HEAD)" != 000 ]; then
		why+="asked: $(curl -sS "$endpoint/_test/counts")"
	fi
	check_empty "$name" "$why"
}
