#!/bin/bash
# SPDX-License-Identifier: MIT
# Each header compiles alone, and twice in one file.
set -u
cd "${srcdir:-.}" || exit
. tests/tap.sh

read -ra flags <<<"${test_cflags:--D_GNU_SOURCE -std=gnu11 -Wall -Wextra}"

compiles() {
	printf '#include "%s"\n' "$1" "$1" |
	    "${CC:-cc}" "${flags[@]}" -Werror -fsyntax-only \
	    -Iinclude -Isrc -x c -
}

for header in include/*/*.h src/*/*_internal.h; do
	[ -e "$header" ] || continue
	header=${header#*/}
	said=$(compiles "$header" 2>&1)
	check_empty "$header compiles alone" "$said"
done
tap_end
