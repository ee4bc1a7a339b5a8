#!/bin/bash
# SPDX-License-Identifier: MIT
# The configuration file: its errors, its places, and who has the say. No
# server: which one would be asked shows in the message that it is not there.
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"

machine a b
config=$work/s3sync.conf

# plan_with [ARGUMENT...]: the configuration is standard input.
plan_with() {
	cat >"$config"
	run "$bin/s3sync" plan --config "$config" "$@"
}
# refused NAME TEXT: the last run ended with 2 and said so; $config stands for
# the file's name.
refused() {
	if [ "$status" = 2 ] && grep -qF -- "$2" "$work/err"; then
		tap_ok "$1"
	else
		tap_not_ok "$1" "expected '$2'; $(show_last)"
	fi
}
# asks NAME PORT: the last run went as far as to that port of loopback.
asks() {
	if [ "$status" = 3 ] && grep -qF "127.0.0.1:$2 " "$work/err"; then
		tap_ok "$1"
	else
		tap_not_ok "$1" "expected 127.0.0.1:$2; $(show_last)"
	fi
}
pair() { # NAME [LINE...]
	printf '[pair %s]\nlocal = %s\nremote = s3://bucket/%s\nstate = %s\n' \
	    "$1" "$(root "$1")" "$1" "$(state "$1")"
	shift
	printf '%s\n' attempts=1 "$@"
}

# ---- errors name file and line ----------------------------------------------

plan_with < <(pair a "jbos = 3")
refused "an unknown key" "$config:6: there is no key 'jbos'; did you mean 'jobs'?"
plan_with < <(pair a "jobs = 3" "jobs = 4")
refused "a repeated key" "$config:7: 'jobs' is given twice"
plan_with < <(pair a "interval = soon")
refused "a bad value" "$config:6: interval: 'soon' is not a duration"
plan_with < <(pair a "just words")
refused "a line of another form" "$config:6: "
plan_with < <(printf '[defaults]\n[piar x]\n')
refused "an unknown section" "$config:2: there is no section [piar x]"
plan_with < <(printf '[pair x]\nlocal = relative/path\n')
refused "a relative path" "$config:2: local: 'relative/path' is a relative path"
plan_with < <(printf '[pair x]\nlocal = /x\n')
refused "half a pair" "$config:1: [pair x]: 'remote' is not set"
plan_with < <(printf '[pair x]\nremote = bucket/x\n')
refused "a bad address" "$config:2: remote: 'bucket/x' is not an address"
plan_with < <(pair a; pair b | sed 's/b\.db/a.db/')
refused "two pairs, one manifest" "is also that of pair a"
plan_with nobody </dev/null
refused "no pairs" "$config has no pairs"
plan_with nobody < <(pair a; pair b)
refused "an unknown pair" "there is no pair 'nobody': $config has these pairs: a, b"
run "$bin/s3sync" plan --config "$work/absent.conf"
refused "no such file" "$work/absent.conf"
plan_with < <(pair a "env_file = $work/absent.env")
refused "no such env_file" "$work/absent.env"
mkfifo "$work/pipe"
run timeout 10 "$bin/s3sync" plan --config "$work/pipe"
refused "a pipe without a writer" "$work/pipe is a pipe that nobody writes to"
pair a "env_file = $work/pipe" >"$config"
run timeout 10 "$bin/s3sync" plan --config "$config"
refused "as env_file, too" "$work/pipe is a pipe that nobody writes to"
AWS_SHARED_CREDENTIALS_FILE=$work/pipe run timeout 10 env \
    -u AWS_ACCESS_KEY_ID -u AWS_SECRET_ACCESS_KEY "$bin/s3sync" plan \
    --state "$work/state/pipe.db" "$(root a)" s3://bucket/a
refused "as the file of credentials, too" \
    "$work/pipe is a pipe that nobody writes to"
run "$bin/s3sync" plan --config <(pair a) nobody
refused "but one with a writer is read" "has these pairs: a"

# ---- who has the say --------------------------------------------------------

echo 'export AWS_ENDPOINT_URL="http://127.0.0.1:1"' >"$work/vars"
chmod 600 "$work/vars"
plan_with < <(pair a "env_file = $work/vars")
asks "a variable of env_file" 1
export AWS_ENDPOINT_URL=http://127.0.0.1:2
run "$bin/s3sync" plan --config "$config"
asks "wins over it: the environment" 2
plan_with < <(printf '[defaults]\nendpoint_url = http://127.0.0.1:3\n'; pair a)
asks "wins over that: [defaults]" 3
echo 'endpoint_url = http://127.0.0.1:4' >>"$config"
run "$bin/s3sync" plan --config "$config"
asks "wins over that: the pair" 4
run "$bin/s3sync" plan --config "$config" --endpoint-url http://127.0.0.1:5
asks "wins over that: a flag" 5
unset AWS_ENDPOINT_URL

plan_with b < <(pair a "endpoint_url = http://127.0.0.1:6"
    pair b "endpoint_url = http://127.0.0.1:7")
asks "one pair of two" 7
expect_no_text err "127.0.0.1:6" "and not the other"
run "$bin/s3sync" plan --config "$config"
asks "without a name, both" 6
expect_text err "127.0.0.1:7" "the second, too"
run "$bin/s3sync" plan --config "$config" a nobody
refused "with a wrong name, none" "there is no pair 'nobody'"

# A pair of the command line has the file's defaults.
plan_with "$(root a)" s3://bucket/a \
    < <(printf '[defaults]\nendpoint_url = http://127.0.0.1:8\nattempts = 1\n')
asks "LOCAL s3://BUCKET/PREFIX has the defaults" 8

# ---- secrets ----------------------------------------------------------------

# shellcheck disable=SC2016
printf 'AWS_ACCESS_KEY_ID=AKIA\nAWS_SECRET_ACCESS_KEY=$(whoami)hunter2\n' \
    >"$work/vars"
plan_with < <(pair a "env_file = $work/vars")
refused "a command in env_file is not run" "$work/vars:2"
expect_no_text err hunter2 "and what stands there is not shown"
plan_with < <(pair a "endpoint_url = http://user:hunter2@127.0.0.1:1")
refused "a password in a URL" "must not hold a user or a password"
expect_no_text err hunter2 "it is not shown"

# ---- places -----------------------------------------------------------------

if [ -e /etc/s3sync/s3sync.conf ]; then
	tap_skip "the user's own file" "this machine has a file of its own"
else
	mkdir -p "$XDG_CONFIG_HOME/s3sync"
	pair a "endpoint_url = http://127.0.0.1:9" \
	    >"$XDG_CONFIG_HOME/s3sync/s3sync.conf"
	run "$bin/s3sync" plan
	asks "the user's own file" 9
fi

# ---- the example, with all that it has commented out ------------------------

sed 's/^#\([a-z_]* = \)/\1/' "$srcdir/etc/s3sync.conf" >"$config"
mkdir -p "$work/aws"
printf '[photos]\naws_access_key_id = x\naws_secret_access_key = x\n' \
    >"$AWS_SHARED_CREDENTIALS_FILE"
check "the example has all keys" [ "$(grep -c ' = ' "$config")" -gt 20 ]
run "$bin/s3sync" plan --config "$config" --env-file /dev/null \
    --local "$work/absent" --state "$work/state/x.db"
expect 3 "the example is a good configuration"
expect_text err "$work/absent" "of which only the root is missing"
tap_end
