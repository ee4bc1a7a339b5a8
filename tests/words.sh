#!/bin/bash
# SPDX-License-Identifier: MIT
# What CONVENTIONS.md bans is not there.
set -u
cd "${srcdir:-.}" || exit
. tests/tap.sh

mapfile -t c_files < <(find include src tests -name '*.[ch]' ! -name sql.h)
mapfile -t all_files < <(find bootstrap quickstart runtests configure.ac \
    Makefile.am build-aux .ci include src schema migrations tests man etc \
    -type f ! -name sql.h \
    -regex '.*\.\([ch]\|sh\|sql\|awk\|am\|ac\|conf\|in\|[1-8]\)' \
    -o -path bootstrap -o -path quickstart -o -path runtests \
    -o -path tests/setup -o -path .ci/run 2>/dev/null |
    grep -vE '/(tap-driver|install)\.sh$')

without() {
	grep -L "$1" "${all_files[@]}"
}

banned='strcpy|strncpy|strcat|strncat|sprintf|vsprintf|strtok|gets|atoi|atol'
banned="$banned|atoll|access|localtime|gmtime|asctime|ctime"

check_empty "each file names its licence" \
    "$(without 'SPDX-License-Identifier: MIT')"
check_empty "no banned function is called" \
    "$(grep -nE "\<($banned)\(" "${c_files[@]}")"
check_empty "nothing is left to be done" \
    "$(grep -nE '\<(TOD[O]|FIXM[E]|XX[X])\>' "${all_files[@]}")"
check_empty "no struct is hidden behind a typedef" \
    "$(grep -nE '^[[:space:]]*typedef (struct|union|enum)' "${c_files[@]}")"
check_empty "no line is longer than 100 columns" \
    "$(grep -nE '^.{101}' "${c_files[@]}")"
check_empty "no space ends a line" \
    "$(grep -nE '[[:space:]]$' "${all_files[@]}")"
tap_end
