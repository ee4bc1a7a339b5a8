#!/bin/bash
# SPDX-License-Identifier: MIT
# The documents tell the truth: README.md's map names every source, and only
# files that exist; man pages are well-formed; every option is in its page.
set -u
build=$PWD
cd "${srcdir:-.}" || exit
. tests/tap.sh

# The map's entries as DIRECTORY/NAME; those of the top level as ./NAME.
map() {
	awk '/^## The map/ { map = 1 }
	    map && /^```/ { if (inside++) exit; next }
	    !inside { next }
	    /^[^ ]/ { directory = $1; next }
	    { print directory $1 }' README.md
}

# entry FILE: the map's entry that FILE belongs to.
entry() {
	local module=${1##*/}
	module=${module%.*}
	case $1 in
	include/* | src/*)
		module=${1#*/}
		module=${module%.*}
		echo "${module%_internal}"
		;;
	tests/unit/test_*)
		grep -xE "[a-z0-9]+/${module#test_}" <<<"$map" ||
		    echo "?/${module#test_}"
		;;
	tests/server/*.[ch] | tests/sim/*.[ch])
		module=${1%.*}
		echo "${module%_internal}"
		;;
	*/*) echo "$1" ;;
	*) echo "./$1" ;;
	esac
}

# In a checkout, whoever owns it, its files; in a release, none.
tracked() {
	[ ! -e .git ] || git -c safe.directory='*' ls-files \
	    --cached --others --exclude-standard | while read -r file; do
		[ ! -e "$file" ] || echo "$file"
	done
}

unnamed() {
	local file name
	tracked | while read -r file; do
		for name in $(entry "$file"); do
			grep -qxF -- "$name" <<<"$map" ||
			    echo "$file: no line for ${name##*/}"
		done
	done | sort -u
}

# A module needs one of its files; anything else is itself. Dotfiles are not
# part of a release.
unreal() {
	local name
	while read -r name; do
		case $name in
		./.*) [ ! -e .git ] || [ -e "$name" ] ;;
		base/* | s3/* | manifest/* | sync/* | cmd/*)
			[ -e "include/$name.h" ] || [ -e "src/$name.c" ]
			;;
		*) [ -e "$name" ] || [ -e "$name.c" ] ;;
		esac || echo "$name"
	done <<<"$map"
}

# PROGRAM's options, and those of s3sync that are keys of its configuration.
flags() {
	"$build/$1" --help | sed -n 's/^ *--\([a-z-]*\).*/\1/p'
}
keys() {
	"$build/s3sync" --help | sed -n '/s3sync.conf/,$p' |
	    sed -n 's/^ *--\([a-z-]*\).*/\1/p' | tr - _
}

# Those of standard input that no line of FILE is about: lacking FORM FILE,
# with NAME in FORM.
lacking() {
	local name
	while read -r name; do
		grep -qE -- "${1//NAME/$name}" "$2" || echo "$name"
	done
}

map=$(map)
check_empty "the map of README.md names every file" "$(unnamed 2>&1)"
check_empty "the map names only what exists" "$(unreal)"
check_empty "the map names nothing twice" "$(sort <<<"$map" | uniq -d)"

for page in man/*.[1-8]; do
	[ -e "$page" ] || continue
	if command -v mandoc >/dev/null; then
		check "$page is well-formed" mandoc -T lint -W warning "$page"
	else
		tap_skip "$page is well-formed" "mandoc is not installed"
	fi
done
check_empty "every key is in s3sync.conf(5)" \
    "$(keys | lacking '^\.It Cm NAME( |$)' man/s3sync.conf.5)"
check_empty "every key is in the example" \
    "$(keys | lacking '^#?NAME = ' etc/s3sync.conf)"
check_empty "every other option is in s3sync(1)" \
    "$(flags s3sync | grep -vxF "$(keys | tr _ -)" |
        lacking '^\.It Fl Fl NAME( |$)' man/s3sync.1)"
check_empty "every option of s3sync-state is in its page" \
    "$(flags s3sync-state |
        lacking '^\.It Fl Fl NAME( |$)' man/s3sync-state.1)"
check "there are keys" [ "$(keys | wc -l)" -gt 20 ]
tap_end
