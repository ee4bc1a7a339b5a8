#!/bin/bash
# SPDX-License-Identifier: MIT
# No shell script of the tree gives shellcheck anything to say.
set -u
cd "${srcdir:-.}" || exit
. tests/tap.sh

command -v shellcheck >/dev/null ||
    tap_skip_all "shellcheck is not installed"

for script in bootstrap quickstart runtests .ci/run tests/setup \
    tests/*.sh tests/*/*.sh tests/*/run; do
	[ -e "$script" ] || continue
	check "shellcheck $script" \
	    shellcheck --external-sources --source-path=SCRIPTDIR "$script"
done
tap_end
