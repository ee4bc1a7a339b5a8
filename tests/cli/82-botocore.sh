#!/bin/bash
# SPDX-License-Identifier: MIT
# Whose credentials are used: those that botocore would use, in cases written
# out and in random files.
#
#   SEED=N    other files
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC2119
. "${srcdir:-.}/tests/cli/lib.sh"

python=
for candidate in python3 /usr/bin/python3; do
	if "$candidate" -c 'import botocore' 2>/dev/null; then
		python=$(command -v "$candidate")
		break
	fi
done
[ -n "$python" ] ||
    tap_skip_all "botocore (python3-botocore) is not installed"

identity_start
# What one of them is given, the other is given, too.
identity same
mkdir "$work/files"
"$python" "$srcdir/tests/cli/botocore_credentials.py" "$bin/s3sync" \
    "$work/files" "$endpoint" "${SEED:-1}" 150 >"$work/cases" 2>"$work/err"
check "all cases were tried" [ "$(grep -c "$(printf '\t')" "$work/cases")" -gt 180 ]
check_empty "without trouble" "$(cat "$work/err")"
while IFS=$'\t' read -r name theirs ours; do
	[ -n "$ours" ] || continue
	is "$name: $(cut -c1-20 <<<"$theirs")" "$theirs" "$ours"
done < <(grep -v '^#' "$work/cases")
check "there are cases with credentials" \
    [ "$(cut -f2 "$work/cases" | grep -c AKIA)" -gt 40 ]
tap_end
