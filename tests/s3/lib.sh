# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Requests through src/s3 and what came of them: source this file from a test
# in tests/s3/. It starts nothing by itself; server_start does.
#
#   ask [OPTION...] <<<REQUESTS    s3client's answers, in $work/out
#   answer NAME PATTERN            some line of them is like this
#   answers NAME NUMBER PATTERN    so many lines are
# shellcheck source=tests/cli/lib.sh
. "${srcdir:-.}/tests/cli/lib.sh"

# shellcheck disable=SC2120 # options may be none
ask() {
	timeout 120 "$bin/tests/s3/s3client" --endpoint "$endpoint" \
	    --bucket "$bucket" "$@" >"$work/out" 2>"$work/err"
}

# only RULE...: these faults, and no others.
only() {
	no_faults
	faults "$@" >/dev/null
}

like() { # PATTERN: those lines of the answers
	local line
	while IFS= read -r line; do
		# shellcheck disable=SC2053 # a pattern
		[[ $line == $1 ]] && printf '%s\n' "$line"
	done <"$work/out"
}
answers() { # NAME NUMBER PATTERN
	if [ "$(like "$3" | wc -l)" = "$2" ]; then
		tap_ok "$1"
	else
		tap_not_ok "$1" "not $2 lines like: $3
$(cat "$work/out" "$work/err")"
	fi
}
answer() { # NAME PATTERN
	answers "$1" 1 "$2"
}
