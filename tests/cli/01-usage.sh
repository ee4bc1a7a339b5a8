#!/bin/bash
# SPDX-License-Identifier: MIT
# The command line: help, what is refused, and in which words.
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"

s3sync() {
	run "$bin/s3sync" "$@"
}
# refused NAME TEXT [ARGUMENT...]: exit 2, nothing on standard output.
refused() {
	local name=$1 text=$2
	shift 2
	s3sync "$@"
	if [ "$status" = 2 ] && [ ! -s "$work/out" ] &&
	    grep -qF -- "$text" "$work/err"; then
		tap_ok "$name"
	else
		tap_not_ok "$name" "expected '$text'; $(show_last)"
	fi
}

refused "no command: usage" "usage: s3sync"
s3sync --help
expect 0 "--help"
expect_text out "  plan " "it lists the commands"
expect_text out "--endpoint-url URL" "and the options"
is "it says nothing on standard error" "" "$(cat "$work/err")"
s3sync -V
expect 0 "-V"
check "it is a version" grep -qE '^s3sync [0-9]+\.[0-9]+\.[0-9]+$' "$work/out"

"$bin/s3sync" --help >/dev/full 2>"$work/err"
is "standard output that cannot be written is a failure" 3 $?
expect_text err "standard output cannot be written" "and it says so"

refused "an unknown command" "there is no command 'snyc'; did you mean 'sync'?" \
    snyc
refused "an unknown option" \
    "there is no option --endpiont-url; did you mean 'endpoint_url'?" \
    sync --endpiont-url x
refused "an unknown letter" "there is no option -x" sync -x
refused "letters together" "there is no option -qv" sync -qv
refused "a value for what takes none" "--json takes no value" sync --json=yes
refused "no value for what takes one" "--jobs needs a value" sync --jobs
refused "a bad value" "--jobs: 'lots' is not a whole number from 1 to 1024" \
    sync --jobs lots
refused "a mode of later versions" "--mode: 'update'" sync --mode update
refused "no pair at all" "no LOCAL s3://BUCKET/PREFIX is given" sync
refused "a directory alone" "there is no pair './tree'" sync ./tree
refused "an address alone" "LOCAL s3://BUCKET/PREFIX" sync s3://bucket/x
refused "the wrong way round" "LOCAL s3://BUCKET/PREFIX" \
    sync s3://bucket/x ./tree
refused "one too many" "LOCAL s3://BUCKET/PREFIX" sync a s3://bucket/x b
refused "one slash" "'s3:/bucket/x' does not begin with s3://" \
    plan tree s3:/bucket/x
refused "no bucket" "'s3:///x' names no bucket" plan tree s3:///x
refused "the address of a web page" "name the server with endpoint_url" \
    plan tree https://bucket.s3.amazonaws.com/x
refused "a manifest below the root" "lies inside the local root" \
    plan "$work" s3://bucket/x --state "$work/sub/x.db"
refused "a log below the root" "s3sync.log lies inside the local root" \
    plan "$work" s3://bucket/x --log-file "$work/sub/s3sync.log"

# Where both forms of a flag and of its name are understood, the cycle begins,
# and fails because nothing listens.
for form in "--endpoint-url http://127.0.0.1:9" \
    "--endpoint-url=http://127.0.0.1:9" "--endpoint_url=http://127.0.0.1:9"; do
	# shellcheck disable=SC2086
	s3sync $form plan --attempts=1 "$work/roots" s3://bucket/x
	expect 3 "$form"
	expect_text err "127.0.0.1:9" "it is followed"
done
s3sync --attempts 1 --endpoint-url http://127.0.0.1:9 plan -- \
    "$work/roots" s3://bucket/x
expect 3 "-- ends the options"
tap_end
