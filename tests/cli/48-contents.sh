#!/bin/bash
# SPDX-License-Identifier: MIT
# Files as they are: times, sizes, modes, links, names of every kind, many in
# one directory. What a machine gets is what another one had.
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC2016,SC2119
. "${srcdir:-.}/tests/cli/lib.sh"

server_start
a=$(root A) b=$(root B)

# anew PREFIX: two empty machines there.
anew() {
	rm -rf "$a" "$b" "$work"/state/*
	machine A B
	prefix=$1
}

# ---- times ------------------------------------------------------------------

anew times/
n=0
for time in '2026-03-04 05:06:07.123456789' '1970-01-01 00:00:00' \
    '1970-01-01 00:00:01.5' '1969-12-31 23:59:58.75' '1901-12-14' \
    '2001-09-09 01:46:40' '2038-01-19 03:14:08' '2106-02-07 06:28:16'; do
	n=$((n + 1))
	echo "$time" >"$a/time$n"
	touch -d "$time UTC" "$a/time$n"
done
sync_ A
sync_ B
expect 0 "files of all times"
times=$(cd "$a" && stat -c '%n %.9Y' time*)
is "come with their times" "$times" "$(cd "$b" && stat -c '%n %.9Y' time*)"
is "to the nanosecond" "time1 1772600767.123456789" "${times%%$'\n'*}"
is "before 1970, too" -1250000000 \
    "$(query B "SELECT l_mtime_ns FROM entry WHERE key = CAST('time4' AS BLOB)")"
quiet "A is quiet" A
quiet "B is quiet" B
echo "of a program that tells no time" >"$work/object"
remote_put other "$work/object"
sync_ B
check "an object without a time has that of its upload" \
    [ $(($(date +%s) - $(stat -c %Y "$b/other"))) -lt 60 ]
sync_ A
quiet "and all is quiet" A
# ---- sizes, modes, links ----------------------------------------------------

anew kinds/
mkdir "$a/kinds"
: >"$a/kinds/empty"
echo '#!/bin/sh' >"$a/kinds/program"
chmod 755 "$a/kinds/program"
echo private >"$a/kinds/private"
chmod 600 "$a/kinds/private"
echo linked >"$a/kinds/hard"
ln "$a/kinds/hard" "$a/kinds/link"
truncate -s 3000000 "$a/kinds/sparse"
mkdir -p "$a/kinds/an/empty/directory"
sync_ A
sync_ B
expect 0 "files of all kinds"
agree "come as they are" A B
quiet "A is quiet" A
quiet "B is quiet" B
is "modes follow the umask" "644 644" \
    "$(stat -c %a "$b/kinds/program" "$b/kinds/private" | paste -sd' ')"
check "an empty directory is not sent" test ! -e "$b/kinds/an"
rm "$b/kinds/empty"
sync_ B
check "an empty file is restored" test -f "$b/kinds/empty" -a ! -s "$b/kinds/empty"
remote_delete kinds/empty
sync_ B
expect_text err "Uploaded to S3: kinds/empty" "so is an empty object"
sync_ A
agree "all agree" A B

# ---- names ------------------------------------------------------------------

anew names/
mkdir -p "$a/names/'quoted \"dir\"'" "$a/names/ünï cödé/日本語"
cd "$a/names" || exit
for name in ' ' '  leading and trailing  ' '&amp;' '<b>&"x"<b>' "it's" 'a+b%20c' \
    '%41' '%' '100%' 'a=b&c=d' 'semi;colon' '#hash' 'q?x=1' 'back\slash' \
    'tab	tab' '*' '[x]' '{y}' '~' '-dash' '--' '...' '.hidden' 'a:b' 'a|b' '$HOME' \
    '`id`' '!bang' '@at' 'né' $'ne\u0301' '🙂' "'quoted \"dir\"'/below" \
    'ünï cödé/日本語/ファイル'; do
	echo "name: $name" >"./$name"
done
touch -- "$(printf 'n%.0s' $(seq 255))" $'line\nbreak' $'bell\a' $'escape\e[31m'
cd - >/dev/null || exit
count=$(find "$a/names" -type f -printf x | wc -c)
sync_ A
expect 0 "names of every kind"
is "all are sent" "$count" "$(query A "SELECT count(*) FROM entry
    WHERE CAST(key AS TEXT) LIKE 'names/%'")"
check_empty "none breaks a line of the log, or colours it" \
    "$(grep -aP '^break|[\x00-\x08\x0b-\x1f]' "$work/err")"
sync_ B --json
expect 0 "and all come down"
check_empty "as they are" "$(diff -r "$a/names" "$b/names")"
sed '1s/^/[/; $!s/$/,/; $s/$/]/' "$work/out" >"$work/array"
# of_lines SQL: of the objects in out.
of_lines() {
	sqlite3 :memory: "SELECT $1 FROM json_each(CAST(
	    readfile('$work/array') AS TEXT)) WHERE type = 'object'"
}
is "what is said of them is JSON, line by line" "$(wc -l <"$work/out")" \
    "$(of_lines "count(*)")"
is "with each key as it is" \
    "$(cd "$b" && find names -type f | LC_ALL=C sort)" \
    "$(of_lines "json_extract(value, '\$.key')" | grep . | LC_ALL=C sort)"
quiet "A is quiet" A
quiet "B is quiet" B

# ---- many files in one directory --------------------------------------------

# More than a page of the listing, a batch of the scan, and a commit hold.
anew many/
mkdir "$a/many"
(cd "$a/many" && seq -f 'file-%.0f' 2100 | split -l 1 -a 4 - part)
is "there are many" 2100 "$(find "$a/many" -type f | wc -l)"
sync_ A
expect 0 "many files in one directory"
sync_ B
agree "all come down" A B
quiet "A is quiet" A
quiet "B is quiet" B
tap_end
