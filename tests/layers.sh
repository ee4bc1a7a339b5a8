#!/bin/bash
# SPDX-License-Identifier: MIT
# The layers hold: includes point down, in no circle; each library is used in
# one place; an object file exports only names that begin with its module's.
set -u
objects=$PWD
cd "${srcdir:-.}" || exit
. tests/tap.sh

# below LAYER: the layers whose headers it may include.
below() {
	case $1 in
	base) echo "base" ;;
	s3) echo "base s3" ;;
	manifest) echo "base manifest" ;;
	sync) echo "base s3 manifest sync" ;;
	cmd) echo "base s3 manifest sync cmd" ;;
	esac
}

# "FILE INCLUDED", a line for each #include "INCLUDED".
includes() {
	grep -ro --include='*.[ch]' '^# *include ".*"' include src |
	    sed 's/:.*"\(.*\)"/ \1/' | grep -v '/sql\.h$'
}

upward() {
	includes | while read -r file included; do
		layer=$(cut -d/ -f2 <<<"$file")
		case " $(below "$layer") " in
		*" ${included%%/*} "*) ;;
		*) echo "$file includes $included" ;;
		esac
	done
}

private() {
	includes | while read -r file included; do
		case $included in
		*_internal.h)
			layer=$(cut -d/ -f2 <<<"$file")
			[ "$layer" = "${included%%/*}" ] ||
			    echo "$file includes $included"
			;;
		esac
	done
}

circles() {
	includes | sed -n 's,^[a-z]*/\(.*\.h\) ,\1 ,p' |
	    { tsort >/dev/null; } 2>&1
}

# elsewhere HEADER LAYER: files outside LAYER that include <HEADER...>.
elsewhere() {
	grep -rl --include='*.[ch]' "^# *include <$1" include src |
	    grep -v "^[a-z]*/$2/"
}

# An s3/credentials.o exports credentials_* or s3_credentials_*; a program main.
exports() {
	local object layer module
	find "$objects/src" -name '*.o' | while read -r object; do
		layer=$(basename "$(dirname "$object")")
		module=$(basename "$object" .o)
		nm --defined-only --extern-only --format=posix "$object" |
		    awk '{ print $1 }' |
		    grep -Ev "^((${layer}_)?${module}(_|\$)|main\$|__)" |
		    sed "s,^,$layer/$module exports ,"
	done
}

check_empty "includes point down the layers only" "$(upward)"
check_empty "an _internal.h stays in its layer" "$(private)"
check_empty "headers include each other in no circle" "$(circles)"
check_empty "only the manifest layer sees SQLite" \
    "$(elsewhere sqlite3 manifest)"
check_empty "only the s3 layer sees libcurl" "$(elsewhere curl/ s3)"
check_empty "only the s3 layer sees libxml2" "$(elsewhere libxml/ s3)"
check_empty "only base/ini sees inih" "$(elsewhere ini.h base)"
check_empty "a module exports only names of its own" "$(exports)"
tap_end
