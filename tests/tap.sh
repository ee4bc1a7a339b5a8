# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# The Test Anything Protocol for shell tests: source this file, call `check`
# for each claim and `tap_end` last.

tap_count=0

# tap_ok NAME: the claim holds. tap_not_ok NAME [WHY]: it does not.
tap_ok() {
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1"
}

tap_not_ok() {
	tap_count=$((tap_count + 1))
	echo "not ok $tap_count - $1"
	[ -z "${2:-}" ] || printf '%s\n' "$2" | sed 's/^/# /'
}

# tap_skip NAME WHY: the claim cannot be tried here.
tap_skip() {
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1 # SKIP $2"
}

# tap_skip_all WHY: no claim of this file can be tried here.
tap_skip_all() {
	echo "1..0 # SKIP $1"
	exit 0
}

# check NAME COMMAND...: the command succeeds; else its output is shown.
check() {
	local name=$1 said
	shift
	if said=$("$@" 2>&1 </dev/null); then
		tap_ok "$name"
	else
		tap_not_ok "$name" "status $? of: $*
$said"
	fi
}

# check_empty NAME TEXT: a search for faults found none.
check_empty() {
	if [ -z "$2" ]; then
		tap_ok "$1"
	else
		tap_not_ok "$1" "$2"
	fi
}

tap_end() {
	echo "1..$tap_count"
}
