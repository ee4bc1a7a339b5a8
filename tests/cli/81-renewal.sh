#!/bin/bash
# SPDX-License-Identifier: MIT
# Temporary credentials end while files move: others are got in time, or when
# the server refuses those that are there. Transfers go on; a request is tried
# at most once more. If the others are refused, too, that is the end.
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC2016,SC2119,SC2317
. "${srcdir:-.}/tests/cli/lib.sh"

identity_start
machine A B
role=arn:aws:iam::123456789012:role/writer
files=60

printf '[base]\naws_access_key_id = %s\naws_secret_access_key = %s\n' \
    "$key" "$secret" >"$AWS_SHARED_CREDENTIALS_FILE"
echo web-token >"$work/token"
printf '{"accessToken": "sso-token", "expiresAt": "%s"}' \
    "$(date -u -d '+1 hour' +%FT%TZ)" \
    >"$HOME/.aws/sso/cache/$(printf corp | sha1sum | cut -c1-40).json"
cat >"$work/give" <<END
#!/bin/sh
curl -sS '$endpoint/_identity/container' |
    sed 's/^{/{"Version":1,/; s/"Token"/"SessionToken"/'
END
chmod +x "$work/give"
cat >"$AWS_CONFIG_FILE" <<END
[profile role]
role_arn = $role
source_profile = base
[profile web]
role_arn = $role
web_identity_token_file = $work/token
[profile sso]
sso_session = corp
sso_account_id = 123
sso_role_name = r
[sso-session corp]
sso_start_url = https://corp.awsapps.com/start
sso_region = eu-west-1
[profile process]
credential_process = $work/give
END

# with PROVIDER COMMAND...: with what it needs, and nothing else.
with() {
	local provider=$1
	shift
	case $provider in
	container)
		AWS_CONTAINER_CREDENTIALS_FULL_URI=$endpoint/_identity/container \
		    "$@"
		;;
	instance)
		AWS_EC2_METADATA_DISABLED=false \
		    AWS_EC2_METADATA_SERVICE_ENDPOINT=$endpoint/_identity/imds \
		    "$@"
		;;
	*)
		"$@" --profile "$provider"
		;;
	esac
}
batch=0
files_of() { # MACHINE
	local i
	batch=$((batch + 1))
	for ((i = 0; i < files; i++)); do
		echo "$1 $RANDOM $i" >"$(root "$1")/$1$batch-$i"
	done
}
moved() { # KIND COUNT: so many requests of this kind were made
	[ "$(asked "$1")" -ge "$2" ]
}
# during KIND PROVIDER COMMAND...: sync_ A with PROVIDER; the command runs when
# a third of the files is on its way.
during() {
	local kind=$1 provider=$2
	shift 2
	with "$provider" sync_ A --jobs 4 --attempts 3 --timeout 5s \
	    --log-level debug --multipart-threshold 5M --part-size 5M &
	eventually 20 moved "$kind" $((files / 3))
	"$@"
	wait $!
}
# The exit status is in the other shell: what it printed is here.
finished() { # NAME
	check "$1: the cycle ended well" grep -q 'S3 sync completed' "$work/err"
	expect_no_text err "error:" "$1: without an error"
	expect_no_text err "failed" "$1: without a failure"
	cat "$work/out" "$work/err" >>"$work/said"
}
# tries NAME KIND: no object was asked for more often than twice, and all
# together cost at most one request more for each that was under way.
tries() {
	local most all
	most=$(curl -sS "$endpoint/_test/log" | awk -v kind="$2" \
	    '$2 == kind && ++n[$3] > m { m = n[$3] } END { print m + 0 }')
	all=$(asked "$2")
	check "$1: no request is made three times (most: $most)" \
	    [ "$most" -le 2 ]
	check "$1: $all requests for $files files, 4 at once" \
	    [ "$all" -le $((files + 4)) ]
}

# ---- refused in the middle ---------------------------------------------------------

# The server is known by now: what is counted from here on are uploads.
echo first >"$(root A)/Afirst"
with role sync_ A

for provider in role web sso process container instance; do
	files_of A
	asked_reset
	faults "PUT delay=20"
	during PUT $provider identity expire
	no_faults
	finished "$provider, expired during uploads"
	tries "$provider" PUT
	agree "$provider: all agree" A
	expect_text err "credentials renewed:" "$provider: they are renewed"
done

# Whatever the server calls it: one more request, and STS is asked once.
for fault in "status=400 code=InvalidToken" \
    "status=400 code=TokenRefreshRequired" "status=401 code=Unauthorized" \
    "status=403 code=InvalidAccessKeyId"; do
	files_of A
	asked_reset
	faults "PUT nth=$((files / 2)) $fault"
	with role sync_ A --jobs 4 --log-level debug
	no_faults
	finished "${fault#*=}"
	is "${fault#*=}: one request more" $((files + 1)) "$(asked PUT)"
	is "${fault#*=}: STS is asked once more" 2 "$(asked STS)"
done
agree "all agree" A

# A file in parts, of which some are under way.
head -c 40M /dev/zero | openssl enc -aes-128-ctr -nosalt -K 00 -iv 00 \
    >"$(root A)/large" 2>/dev/null
asked_reset
faults "UPLOAD_PART delay=300"
files=6
during UPLOAD_PART role identity expire
no_faults
finished "a file in parts"
check "of 8 parts, 4 at once, few are sent twice ($(asked UPLOAD_PART) sent)" \
    [ $(($(asked UPLOAD_PART) > 8 && $(asked UPLOAD_PART) <= 12)) = 1 ]
is "it is the same there" "$(md5sum <"$(root A)/large")" \
    "$(remote_get large | md5sum)"
rm "$(root A)/large"
remote_delete large
with role sync_ A
files=60

find "$(root A)" -type f -name "A*" -delete
files=$(remote_list | wc -l)
asked_reset
faults "GET delay=10"
during GET role identity revoke
no_faults
finished "unknown from one moment to the next, during downloads"
tries "downloads" GET
agree "all agree" A
files=60

# ---- and so are the others ---------------------------------------------------------

began=$SECONDS
files_of A
identity same
asked_reset
faults "PUT delay=20"
during PUT role identity expire
no_faults
expect_text err "the session token is no longer good (HTTP 400 ExpiredToken" \
    "the same ones again: that is the end"
check "STS was not asked over and over ($(asked STS))" [ "$(asked STS)" -le 4 ]
refused=$(curl -sS "$endpoint/_test/log" |
    awk '$2 == "PUT" && $4 == 400 { n++ } END { print n + 0 }')
check "nor the bucket ($refused refusals)" \
    [ $((refused >= 1 && refused <= 8)) = 1 ]
identity reset

faults "PUT status=400 code=ExpiredToken"
asked_reset
with role sync_ A --jobs 4
expect 3 "whatever is shown is refused: exit status 3"
check "and each request was tried twice at most ($(asked PUT))" \
    [ "$(asked PUT)" -le 8 ]
check "for which STS was asked twice ($(asked STS))" [ "$(asked STS)" -le 3 ]
no_faults
check "all that took no time" [ $((SECONDS - began)) -le 20 ]

files_of A
asked_reset
faults "PUT delay=20"
during PUT role eval 'faults "STS status=403 code=AccessDenied"
    identity expire'
no_faults
expect_text err "and there are no others: role of profile 'role': STS does not give role $role (HTTP 403 AccessDenied)" \
    "no others: both are told"
files_of A
faults "PUT delay=20"
asked_reset
during PUT role eval 'faults "STS hang=60"
    identity expire'
no_faults
expect_text err "and there are no others: role of profile 'role': STS, by AWS_ENDPOINT_URL_STS: 127.0.0.1" \
    "no reply: it is told in the end"
with role sync_ A
expect 0 "and the next cycle is well"
agree "all agree" A

# ---- files that change ---------------------------------------------------------------

printf '[base]\naws_access_key_id = %s\naws_secret_access_key = %s\n' \
    "$key" "$secret" >"$work/right"
curl -sS "$endpoint/_identity/container" >"$work/given"
field() {
	sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$work/given"
}
cat >"$AWS_SHARED_CREDENTIALS_FILE" <<END
[base]
aws_access_key_id = $(field AccessKeyId)
aws_secret_access_key = $(field SecretAccessKey)
aws_session_token = $(field Token)
END
files_of A
asked_reset
faults "PUT delay=20"
during PUT base eval 'cp "$work/right" "$AWS_SHARED_CREDENTIALS_FILE"
    identity expire'
no_faults
finished "a credentials file that was written anew"
tries "a credentials file" PUT
agree "all agree" A

# ---- ahead of time -------------------------------------------------------------------

# They last 4 s, so that others are looked for after 2; STS does not answer at
# first, and the transfers do not wait for it.
identity "lifetime 4"
files=200
files_of A
asked_reset
faults "PUT delay=100" "STS nth=2 delay=1000"
with role sync_ A --jobs 4 --log-level debug
expect 0 "they end while files move: the cycle runs"
no_faults
cat "$work/out" "$work/err" >>"$work/said"
check "they were renewed ($(grep -c 'credentials renewed' "$work/err"))" \
    [ "$(grep -c 'credentials renewed' "$work/err")" -ge 2 ]
is "no request was refused" "$files" "$(asked PUT)"
agree "all agree" A

# A daemon, between whose cycles they end. When STS is down that is told in
# time, and only once for each.
identity "lifetime 6"
with role start_daemon B --interval 500ms --log-level debug
eventually 30 grep -q "credentials renewed" "$work/B.log"
check "a daemon renews them between cycles" \
    grep -q "credentials renewed" "$work/B.log"
faults "STS status=403 code=AccessDenied"
eventually 30 grep -q "expire soon, and cannot be renewed" "$work/B.log"
check "and tells when it cannot" \
    grep -q "warning.*credentials expire soon, and cannot be renewed: role of profile 'role': STS does not give role" "$work/B.log"
eventually 30 grep -q "and there are no others" "$work/B.log"
is "once" 1 "$(grep -c "expire soon" "$work/B.log")"
no_faults
files=5
files_of A
with role sync_ A
eventually 30 diff -rq -x .s3sync "$(root A)" "$(root B)"
agree "well again, it goes on" A B
kill -TERM "$daemon_pid"
wait "$daemon_pid"
cat "$work/B.log" "$work/B.out" "$work/B.err" >>"$work/said"

# One that hangs is no reason to hang when it is time to go.
identity "lifetime 4"
faults "STS nth=2 hang=60"
with role start_daemon B --interval 500ms --timeout 1h
eventually 20 moved STS 2
began=$SECONDS
kill -TERM "$daemon_pid"
wait "$daemon_pid"
check "SIGTERM while others are looked for" [ $((SECONDS - began)) -le 3 ]
faults "STS hang=60"
with role start_daemon B --interval 500ms --timeout 1h
asked_reset
eventually 20 moved STS 1
began=$SECONDS
kill -TERM "$daemon_pid"
wait "$daemon_pid"
check "SIGTERM while the first are looked for" [ $((SECONDS - began)) -le 3 ]
no_faults
identity reset

# ---- no core file -----------------------------------------------------------------------

identity reset
(
	cd "$work" || exit
	ulimit -c unlimited
	rm "$work/B.log"
	with role start_daemon B --interval 1h
	eventually 20 grep -q "S3 sync completed" "$work/B.log"
	grep "^Max core file size" "/proc/$daemon_pid/limits" >"$work/limits"
	kill -ABRT "$daemon_pid"
	wait "$daemon_pid"
	echo $? >"$work/ended"
) 2>/dev/null
is "it is killed by a signal that dumps core" 134 "$(cat "$work/ended")"
is "and may dump none" "Max core file size 0 0 bytes" \
    "$(tr -s ' ' <"$work/limits" | sed 's/ *$//')"
check_empty "nor is there one" "$(find "$work" -name 'core*' -type f)"

# ---- secrets -------------------------------------------------------------------------

check "much was said" [ "$(wc -l <"$work/said")" -gt 300 ]
for word in "$secret" issued-secret issued-token sso-token web-token; do
	check_empty "'$word' is nowhere shown" "$(grep -F "$word" "$work/said")"
	check_empty "nor kept" "$(grep -rlaF "$word" "$work/state")"
done
tap_end
