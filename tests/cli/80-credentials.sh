#!/bin/bash
# SPDX-License-Identifier: MIT
# Credentials are found where the AWS tools find them, in their order; what is
# there but does not work is named, with what to do. The server stands in for
# STS, SSO, a container's and an instance's endpoint. No secret is ever shown.
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC2016,SC2119,SC2317
. "${srcdir:-.}/tests/cli/lib.sh"

identity_start
machine A
role=arn:aws:iam::123456789012:role/reader

config() { # LINE...
	printf '%s\n' "$@" >"$AWS_CONFIG_FILE"
}
credentials() { # LINE...
	printf '%s\n' "$@" >"$AWS_SHARED_CREDENTIALS_FILE"
}
keys_of() { # PROFILE: those of the server
	printf '[%s]\naws_access_key_id = %s\naws_secret_access_key = %s\n' \
	    "$1" "$key" "$secret"
}
forget() {
	rm -f "$AWS_CONFIG_FILE" "$AWS_SHARED_CREDENTIALS_FILE"
	identity reset
	no_faults
}
# A cycle of A, all of whose words are kept.
try() {
	sync_ A --verbose --attempts 2 --timeout 2s "$@"
	cat "$work/out" "$work/err" >>"$work/said"
}
# works NAME SOURCE [FLAG...]: a cycle with credentials from there.
works() {
	local name=$1 source=$2
	shift 2
	date +%N >"$(root A)/$RANDOM$RANDOM"
	try "$@"
	expect 0 "$name: the cycle runs"
	expect_text err "credentials found: $source" "$name: it says where from"
	agree "$name: all agree" A
}
# broken NAME TEXT [FLAG...]: exit status 3, in bounded time.
broken() {
	local name=$1 text=$2 began=$SECONDS
	shift 2
	try "$@"
	expect 3 "$name: exit status 3"
	expect_text err "$text" "$name: it says what to do"
	check "$name: it takes no more than 12 s" \
	    [ $((SECONDS - began)) -le 12 ]
}
# stands_in NAME KIND SOURCE BROKEN-TEXT HANGING-TEXT [FLAG...]: one that asks
# the server: whose replies are good, malformed, refused, late.
stands_in() {
	local name=$1 kind=$2 source=$3 wrong=$4 late=$5 body
	shift 5
	works "$name" "$source" "$@"
	for body in '{' 'null' '<html>hush-body</html>' \
	    '{"Version":1,"AccessKeyId":"hush-a"}' \
	    '<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>hush-a</AccessKeyId>' \
	    '<!DOCTYPE x [<!ENTITY e "hush">]><AssumeRoleResponse/>'; do
		identity "body $body"
		broken "$name, malformed" "$wrong" "$@"
	done
	identity reset
	faults "$kind status=403 code=AccessDenied"
	broken "$name, refused" "$wrong" "$@"
	no_faults
	faults "$kind hang=60"
	broken "$name, silent" "$late" "$@"
	no_faults
	faults "$kind reset-before"
	broken "$name, cut off" "$wrong" "$@"
	no_faults
	works "$name, well again" "$source" "$@"
}

# ---- files ------------------------------------------------------------------

credentials "$(keys_of default)" "$(keys_of other)"
works "the default profile" \
    "profile 'default' of $AWS_SHARED_CREDENTIALS_FILE"
works "another profile" "profile 'other' of" --profile other
export AWS_PROFILE=other
works "AWS_PROFILE" "profile 'other' of"
unset AWS_PROFILE
export AWS_DEFAULT_PROFILE=other
works "AWS_DEFAULT_PROFILE" "profile 'other' of"
unset AWS_DEFAULT_PROFILE
broken "a profile that is not there" \
    "profile 'none' is neither in $AWS_SHARED_CREDENTIALS_FILE nor in $AWS_CONFIG_FILE" \
    --profile none
printf '[pair p]\nlocal = %s\nremote = s3://%s/%s\nprofile = other\n' \
    "$(root A)" "$bucket" "$prefix" >"$work/conf"
run "$bin/s3sync" sync --config "$work/conf" --endpoint-url "$endpoint" \
    --state "$(state A)" --verbose
expect 0 "a profile in the configuration: the cycle runs"
expect_text err "profile 'other' of" "its keys are taken"
forget
config "$(keys_of 'profile two words')"
works "keys in the config file" "profile 'two words' of $AWS_CONFIG_FILE" \
    --profile "two words"
credentials '[default]' "aws_access_key_id = $key"
broken "half a key" \
    "$AWS_SHARED_CREDENTIALS_FILE has aws_access_key_id but not aws_secret_access_key: set both"
credentials '[default]' 'hush-line'
try
expect 2 "a line that is none is a fault of configuration"
expect_text err "$AWS_SHARED_CREDENTIALS_FILE:2: it is no [section]" \
    "which says where"
credentials '[default]' "aws_access_key_id = $key" \
    'aws_secret_access_key = hush secret'
broken "a blank in a secret" "aws_secret_access_key holds a blank"
credentials '[default]' "aws_access_key_id = $key" \
    "aws_secret_access_key = $secret" \
    "aws_session_token = hush$(head -c 6000 /dev/zero | tr '\0' x)"
broken "a session token of 6000 bytes is sent whole, and refused" \
    "the session token is no longer good (HTTP 400 InvalidToken"
forget
config '[profile x]' 'login_session = arn:aws:iam::1:user/x'
broken "aws login" "credential_process = aws configure export-credentials" \
    --profile x
forget
broken "nothing anywhere" \
    "profile 'default' has none in $AWS_SHARED_CREDENTIALS_FILE and $AWS_CONFIG_FILE; instance metadata: AWS_EC2_METADATA_DISABLED"

# ---- the environment ---------------------------------------------------------

credentials '[wrong]' 'aws_access_key_id = AKIAWRONG' \
    'aws_secret_access_key = hush-wrong' "$(keys_of right)"
export AWS_ACCESS_KEY_ID=$key AWS_SECRET_ACCESS_KEY=$secret
works "the environment" "the environment"
export AWS_PROFILE=wrong
works "the environment is before AWS_PROFILE" "the environment"
unset AWS_PROFILE
broken "a profile that is asked for is before the environment" \
    "the server does not know AWS_ACCESS_KEY_ID" --profile wrong
AWS_ACCESS_KEY_ID=AKIAWRONG
works "and so is one that works" "profile 'right' of" --profile right
AWS_ACCESS_KEY_ID=$key
export AWS_CREDENTIAL_EXPIRATION=2020-01-01T00:00:00Z
broken "keys that say they expired" \
    "AWS_CREDENTIAL_EXPIRATION says that they expired at 2020-01-01T00:00:00Z: set new ones"
AWS_CREDENTIAL_EXPIRATION=soon
broken "keys that say nonsense" "AWS_CREDENTIAL_EXPIRATION is no time like"
AWS_CREDENTIAL_EXPIRATION=$(date -u -d '+1 hour' +%FT%T+00:00)
works "keys that say they are good" "the environment"
unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_CREDENTIAL_EXPIRATION
forget

# ---- a role -------------------------------------------------------------------

credentials "$(keys_of base)"
config '[profile role]' "role_arn = $role" 'source_profile = base' \
    'external_id = ext ernal' 'role_session_name = me@here' \
    'duration_seconds = 1234'
identity "external-id ext ernal"
works "a role" "role $role of profile 'role', assumed by profile 'base' of" \
    --profile role
curl -sS "$endpoint/_test/identity" >"$work/asked"
for line in Action=AssumeRole "RoleArn=$role" "ExternalId=ext ernal" \
    RoleSessionName=me@here DurationSeconds=1234; do
	check "STS was asked with $line" grep -qxF "$line" "$work/asked"
done
identity "external-id another"
broken "a role that is not for us" \
    "STS does not give role $role (HTTP 403 AccessDenied): User is not authorized" \
    --profile role
identity reset
stands_in "STS" STS "role $role of profile 'role'" "role of profile 'role': " \
    "did not answer within 2000 ms" --profile role
config '[profile role]' "role_arn = $role" 'source_profile = role2' \
    '[profile role2]' "role_arn = $role-2" 'source_profile = base'
works "a chain of roles" \
    "role $role of profile 'role', assumed by role $role-2 of profile 'role2', assumed by profile 'base' of" \
    --profile role
config '[profile role]' "role_arn = $role" 'source_profile = role2' \
    '[profile role2]' "role_arn = $role-2" 'source_profile = role'
broken "a circle of roles" \
    "source_profile goes in a circle: role -> role2 -> role" --profile role
config '[profile self]' "role_arn = $role" 'source_profile = self'
credentials "$(keys_of self)"
works "a profile that assumes its own role" "role $role of profile 'self'" \
    --profile self
config '[profile role]' "role_arn = $role" 'source_profile = gone'
broken "a source that is not there" \
    "role of profile 'role': its source_profile 'gone' is neither in" \
    --profile role
config '[profile role]' "role_arn = $role"
broken "a role and nobody to assume it" \
    "neither source_profile nor credential_source says who assumes it" \
    --profile role
config '[profile role]' "role_arn = $role" 'source_profile = self' \
    'mfa_serial = arn:aws:iam::1:mfa/x'
broken "a role that wants a code" "mfa_serial" --profile role
config '[profile role]' "role_arn = $role" 'credential_source = Environment'
broken "a role by an empty environment" \
    "its credential_source 'Environment' has none" --profile role
export AWS_ACCESS_KEY_ID=$key AWS_SECRET_ACCESS_KEY=$secret
works "a role by the environment" \
    "role $role of profile 'role', assumed by the environment" --profile role
AWS_SECRET_ACCESS_KEY=hush-wrong
broken "a role by a wrong secret" "HTTP 403 SignatureDoesNotMatch" \
    --profile role
unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
config '[profile role]' "role_arn = $role" 'credential_source = EcsContainer'
export AWS_CONTAINER_CREDENTIALS_FULL_URI=$endpoint/_identity/container
works "a role by a container" "role $role of profile 'role', assumed by container credentials at" \
    --profile role
unset AWS_CONTAINER_CREDENTIALS_FULL_URI
config '[profile role]' "role_arn = $role" 'source_profile = base' \
    'services = here' '[services here]' 'sts =' \
    "  endpoint_url = $endpoint/_identity/sts"
credentials "$(keys_of base)"
unset AWS_ENDPOINT_URL_STS
works "STS by the profile's services" "role $role of profile 'role'" \
    --profile role
export AWS_ENDPOINT_URL_STS=http://127.0.0.1:9
broken "an STS that is not there" \
    "STS, by AWS_ENDPOINT_URL_STS: cannot connect to 127.0.0.1:9: Connection refused" \
    --profile role
AWS_ENDPOINT_URL_STS=$endpoint/_identity/sts
forget

# ---- web identity --------------------------------------------------------------

echo web-token >"$work/token"
export AWS_WEB_IDENTITY_TOKEN_FILE=$work/token AWS_ROLE_ARN=$role
export AWS_ROLE_SESSION_NAME=pod
stands_in "web identity" STS "role $role, assumed by the token in $work/token" \
    "web identity: " "did not answer within 2000 ms"
check "STS was asked for this session" eval \
    'curl -sS "$endpoint/_test/identity" | grep -qxF RoleSessionName=pod'
faults "STS times=1 status=400 code=IDPCommunicationError"
works "web identity, an identity provider that was busy" "role $role"
no_faults
echo hush-token >"$work/token"
broken "a token that is not trusted" \
    "web identity: the token in $work/token: STS does not give role $role (HTTP 400 InvalidIdentityToken"
: >"$work/token"
broken "an empty token" "$work/token holds no token"
rm "$work/token"
broken "no token" "cannot open $work/token: No such file"
credentials "$(keys_of right)"
works "a profile that is asked for is before the token" \
    "profile 'right' of" --profile right
unset AWS_ROLE_ARN
broken "a token for no role" "says which role it is for"
unset AWS_WEB_IDENTITY_TOKEN_FILE AWS_ROLE_SESSION_NAME
echo web-token >"$work/token"
config '[profile web]' "role_arn = $role" \
    "web_identity_token_file = $work/token"
works "web identity of a profile" "role $role, assumed by the token in" \
    --profile web
forget

# ---- SSO -----------------------------------------------------------------------

# logged_in NAME SECONDS TOKEN: as `aws sso login` leaves it.
logged_in() {
	printf '{"accessToken": "%s", "expiresAt": "%s", "region": "x"}' "$3" \
	    "$(date -u -d "$2 seconds" +%FT%TZ)" \
	    >"$HOME/.aws/sso/cache/$(printf %s "$1" | sha1sum | cut -c1-40).json"
}
config '[profile sso]' 'sso_session = corp' 'sso_account_id = 123' \
    'sso_role_name = Read Only' '[sso-session corp]' \
    'sso_start_url = https://corp.awsapps.com/start' 'sso_region = eu-west-1'
broken "SSO, not logged in" \
    "SSO of profile 'sso': nobody has logged in: run \`aws sso login --profile sso\`" \
    --profile sso
logged_in corp -60 sso-token
broken "SSO, logged in too long ago" \
    "SSO of profile 'sso': the session has expired: run \`aws sso login --profile sso\`" \
    --profile sso
logged_in corp +3600 hush-token
broken "SSO, logged out elsewhere" \
    "the portal no longer knows the session: run \`aws sso login --profile sso\`" \
    --profile sso
logged_in corp +3600 sso-token
stands_in "SSO" SSO "SSO role Read Only in account 123, profile 'sso'" \
    "SSO of profile 'sso': " "did not answer within 2000 ms" --profile sso
echo '{"accessToken": "hush-token"' \
    >"$HOME/.aws/sso/cache/$(printf corp | sha1sum | cut -c1-40).json"
broken "SSO, a cache that is torn" "it is not a JSON object" --profile sso
# It came with a token to renew it; what else is in the file stays.
cache=$HOME/.aws/sso/cache/$(printf corp | sha1sum | cut -c1-40).json
renewable() { # SECONDS REFRESH-TOKEN
	printf '{"accessToken":"hush-old","expiresAt":"%s","clientId":"client","clientSecret":"client-secret","refreshToken":"%s","region":"kept"}' \
	    "$(date -u -d "$1 seconds" +%FT%TZ)" "$2" >"$cache"
	chmod 644 "$cache"
}
identity reset "refresh-token refresh-token"
renewable +600 refresh-token
works "SSO, renewed ahead of time" "SSO role Read Only" --profile sso
expect_text "$cache" '"accessToken":"sso-token"' "the new token is in the file"
expect_text "$cache" '"region":"kept"' "and what was there"
check "for its owner alone" [ "$(stat -c %a "$cache")" = 600 ]
expect_no_text "$cache" '"refreshToken":"refresh-token"' \
    "the token that renews is used up"
sed -i "s/\"expiresAt\":\"[^\"]*\"/\"expiresAt\":\"2020-01-01T00:00:00Z\"/" \
    "$cache"
works "SSO, renewed after it expired, with the next one" "SSO role Read Only" \
    --profile sso
renewable -60 used-up
broken "SSO, not to be renewed any more" \
    "the session has expired: run \`aws sso login --profile sso\`" --profile sso
identity reset
renewable +600 used-up
sed -i s/hush-old/sso-token/ "$cache"
works "SSO, not renewed, but good for a while" "SSO role Read Only" \
    --profile sso
renewable -60 refresh-token
faults "OIDC hang=60"
broken "SSO, renewed by nobody" "the session has expired" --profile sso
no_faults
config '[profile sso]' 'sso_account_id = 123' 'sso_role_name = r' \
    'sso_start_url = https://old.awsapps.com/start' 'sso_region = eu-west-1'
logged_in https://old.awsapps.com/start +3600 sso-token
works "SSO as it was configured of old" "SSO role r in account 123" \
    --profile sso
config '[profile sso]' 'sso_account_id = 123' 'sso_session = corp'
broken "SSO without a role" "sso_role_name is not set: see \`aws configure sso" \
    --profile sso
forget

# ---- a program -----------------------------------------------------------------

cat >"$work/give" <<'END'
#!/bin/bash
# What the container's endpoint gives, as a credential_process does.
case $1 in
"two words") ;;
*) echo "hush-stderr: $*" >/dev/null; exit 7 ;;
esac
curl -sS --max-time 30 "$2" | sed 's/^{/{"Version":1,/; s/"Token"/"SessionToken"/'
END
chmod +x "$work/give"
config '[profile p]' \
    "credential_process = '$work/give' \"two words\" $endpoint/_identity/container"
stands_in "a program" CONTAINER "credential_process of profile 'p'" \
    "credential_process of profile 'p': " "it did not end within 2000 ms" \
    --profile p
check_empty "one that was given up is gone" \
    "$(pgrep -f "$work/give" || true)"
config '[profile p]' "credential_process = $work/give three"
broken "a program that fails" \
    "credential_process of profile 'p': it ended with status 7" --profile p
config '[profile p]' "credential_process = $work/none"
broken "a program that is not there" "cannot run '$work/none'" --profile p
config '[profile p]' "credential_process = $work/give 'two"
broken "a quote that is not closed" "a quote in it is not closed" --profile p
config '[profile p]' 'credential_process = echo "{\"Version\":2}"'
broken "a version that is not known" "Version is not 1" --profile p
config '[profile p]' 'credential_process = echo $HOME; touch '"$work/shell"
broken "what only a shell would understand" "it is not a JSON object" \
    --profile p
check "no shell was asked" [ ! -e "$work/shell" ]
forget

# ---- a container ----------------------------------------------------------------

export AWS_CONTAINER_CREDENTIALS_FULL_URI=$endpoint/_identity/container
stands_in "a container" CONTAINER \
    "container credentials at 127.0.0.1" "container credentials: 127.0.0.1" \
    "did not answer within 2000 ms"
identity "authorization Bearer one"
broken "a container that wants to know who asks" \
    "check AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
export AWS_CONTAINER_AUTHORIZATION_TOKEN="Bearer one"
works "a container that is told" "container credentials"
export AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=$work/auth
printf 'Bearer two\n' >"$work/auth"
identity "authorization Bearer two"
works "a container that is told by a file" "container credentials"
printf 'Bearer two\r\nX-Evil: hush' >"$work/auth"
broken "a line break in it" "$work/auth holds a line break: it is no token"
rm "$work/auth"
broken "no such file" "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: cannot open"
unset AWS_CONTAINER_AUTHORIZATION_TOKEN AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE
AWS_CONTAINER_CREDENTIALS_FULL_URI=http://credentials.example/x
broken "a container's endpoint somewhere" \
    "AWS_CONTAINER_CREDENTIALS_FULL_URI leads to credentials.example: over http only this machine"
identity reset
export http_proxy=http://127.0.0.1:9
AWS_CONTAINER_CREDENTIALS_FULL_URI=$endpoint/_identity/container
no_proxy=127.0.0.1 works "no proxy is between" "container credentials"
unset http_proxy AWS_CONTAINER_CREDENTIALS_FULL_URI
forget

# ---- an instance ------------------------------------------------------------------

unset AWS_EC2_METADATA_DISABLED
export AWS_EC2_METADATA_SERVICE_ENDPOINT=$endpoint/_identity/imds/
stands_in "an instance" IMDS "role test-role of this instance (metadata)" \
    "instance metadata: " "did not answer within 1000 ms"
identity "imds v1"
works "an instance with version 1 only" "role test-role of this instance"
export AWS_EC2_METADATA_V1_DISABLED=true
broken "which is forbidden" "AWS_EC2_METADATA_V1_DISABLED forbids"
unset AWS_EC2_METADATA_V1_DISABLED
identity "imds norole"
broken "an instance without a role" "instance metadata: the instance has no role"
identity reset
faults "IMDS_TOKEN hang=60"
broken "a token that does not get here" "raise the instance's hop limit"
no_faults
identity 'body {"Code":"AssumeRoleUnauthorizedAccess","Message":"no trust"}'
broken "an instance whose role does not trust it" \
    "instance metadata: the keys of role test-role: AssumeRoleUnauthorizedAccess: no trust"
identity reset
AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:9
broken "an endpoint that is not there" \
    "instance metadata: cannot connect to 127.0.0.1:9: Connection refused"
unset AWS_EC2_METADATA_SERVICE_ENDPOINT
export AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE=IPv6
broken "no instance at all, by IPv6" "instance metadata: "
expect_text err "[fd00:ec2::254]" "by IPv6: there it was looked for"
AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE=IPv5
broken "a mode that is none" "is neither IPv4 nor IPv6"
unset AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE
export AWS_EC2_METADATA_DISABLED=true
forget

# ---- nobody ------------------------------------------------------------------------

broken "unsigned, where that is not allowed" "HTTP 403 AccessDenied" --sign no
kill %1
wait %1 2>/dev/null
rm "$work/port"
# As on any other server than the one that the manifest knows, it is new.
server_start --anonymous --bucket open
asked_reset
run "$bin/s3sync" sync "$(root A)" "s3://open/" --endpoint-url "$endpoint" \
    --state "$work/state/open.db" --settle 0 --sign no --probe no --verbose
expect 0 "unsigned, where that is allowed: the cycle runs"
check "all is there" [ "$(asked PUT)" = "$(find "$(root A)" -type f |
    grep -vc /.s3sync/)" ]

# ---- secrets -----------------------------------------------------------------------

check "much was said" [ "$(wc -l <"$work/said")" -gt 200 ]
for word in "$secret" hush issued-secret issued-token sso-token web-token \
    client-secret refresh-token \
    Bearer; do
	check_empty "'$word' is nowhere shown" "$(grep -F "$word" "$work/said")"
	check_empty "nor kept" "$(grep -rlaF "$word" "$work/state")"
done
tap_end
