#!/bin/bash
# SPDX-License-Identifier: MIT
# Keys that cannot be paths, paths that cannot be keys, files where directories
# are needed: blocked and reported, never touched, never a failed cycle.
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC2119
. "${srcdir:-.}/tests/cli/lib.sh"

if ! own_server; then
	tap_skip_all "only the test server stores such keys for us"
fi
server_start
machine A
echo outside >"$work/roots/outside"
echo x >"$work/x"
long=$(printf 'k%.0s' $(seq 300))
deep=$(printf 'dir/%.0s' $(seq 260))

# pending KEY: "action|reason|detail" of a row.
pending() {
	query A "SELECT action || '|' || reason FROM pending
	    WHERE key = CAST('$1' AS BLOB)"
}

awkward_put 'fine.txt' "$work/x"
for key in '../x' '..' '%2Fx' 'a//b' 'a/./b' 'a/../fine.txt' "$long" \
    'control%01%0A%1Fbytes' 'bad%FFbytes' 'nul-is-not%C0%80allowed' \
    '.s3sync/root' 'sub/.s3sync/x'; do
	awkward_put "$key" "$work/x"
done
: >"$work/empty"
awkward_put 'marker/' "$work/empty"
sync_ A
expect 0 "keys that cannot be paths do not fail the cycle"
is "what can come down has come down" "control
fine.txt" "$(find "$work/roots/A" -name .s3sync -prune -o -type f -printf '%P\n' |
    sed 's/control.*/control/' | grep -v bytes | sort)"
for key in '../x' '..' '/x' 'a//b' 'a/./b' 'a/../fine.txt' "$long" 'marker/'; do
	is "blocked: ${key:0:20}" "none|blocked-name" "$(pending "$key")"
done
is "not UTF-8 is blocked" 2 "$(query A "SELECT count(*) FROM pending
    WHERE hex(key) LIKE '626164FF%' OR hex(key) LIKE '%C080%'")"
is "our own names are not seen" 0 "$(query A "SELECT count(*) FROM pending
    WHERE CAST(key AS TEXT) LIKE '%.s3sync%'")"
is "the file outside is as it was" outside "$(cat "$work/roots/outside")"
expect_text err 'a//b' "the log names them"
expect_text err 'control\x01\x0a\x1fbytes' "control bytes cannot break a line"
quiet "and then it is quiet" A

printf 'x' >"$work/roots/A/$(printf 'lo\377cal')"
mkdir "$work/roots/A/$(printf 'dir\377')"
echo x >"$work/roots/A/$(printf 'dir\377')/below"
ln -s /etc/passwd "$work/roots/A/link"
ln -s nowhere "$work/roots/A/dangling"
ln -s /etc "$work/roots/A/linked-dir"
mkfifo "$work/roots/A/fifo"
awkward_put 'linked-dir/new-file' "$work/x"
awkward_put 'link' "$work/x"
sync_ A
expect 0 "names that cannot be keys do not fail the cycle"
is "a file whose name is not UTF-8 is blocked" "none|blocked-name" \
    "$(query A "SELECT action || '|' || reason FROM pending
        WHERE hex(key) = hex('lo') || 'FF' || hex('cal')")"
is "so is a directory, once for all below it" "none|blocked-type" \
    "$(query A "SELECT action || '|' || reason FROM pending
        WHERE hex(key) LIKE hex('dir') || 'FF%'")"
for key in link dangling linked-dir fifo linked-dir/new-file; do
	is "not a file: $key" "none|blocked-type" "$(pending $key)"
done
check "nothing came through a symlink" test ! -e /etc/new-file
quiet "and then it is quiet" A

# A file where a directory is needed, and the reverse.
echo file >"$work/roots/A/t1"
mkdir "$work/roots/A/t2"
echo below >"$work/roots/A/t2/below"
awkward_put 't1/below' "$work/x"
awkward_put 't2' "$work/x"
awkward_put 'both' "$work/x"
awkward_put 'both/below' "$work/x"
awkward_put 'both-between' "$work/x"
awkward_put 'folder' "$work/empty"
awkward_put 'folder/below' "$work/x"
sync_ A
expect 0 "types that clash do not fail the cycle"
is "what is on disk stays: a file" file "$(cat "$work/roots/A/t1")"
is "what is on disk stays: a directory" below "$(cat "$work/roots/A/t2/below")"
is "the object below the file is blocked" "none|blocked-type" \
    "$(pending t1/below)"
is "a file is not sent where objects need a directory" "none|blocked-type" \
    "$(pending t1)"
is "the object of the directory's name is blocked" "none|blocked-type" \
    "$(pending t2)"
is "nothing is sent below an object" "none|blocked-type" "$(pending t2/below)"
is "on neither disk: the object with content wins" x "$(cat "$work/roots/A/both")"
is "on neither disk: what is below it is blocked" "none|blocked-type" \
    "$(pending both/below)"
is "an empty object gives way to what is below it" x \
    "$(cat "$work/roots/A/folder/below")"
is "it is a folder marker" "none|blocked-type" "$(pending folder)"
quiet "and then it is quiet" A

# The longest key there is: 1024 bytes with the prefix.
room=$((1024 - ${#prefix}))
fits=${deep:0:$((room - 4))}file
fits=${fits//\/file/Xfile}
mkdir -p "$work/roots/A/$(dirname "$fits")"
echo deep >"$work/roots/A/$fits"
echo deeper >"$work/roots/A/${fits}s"
sync_ A
expect 0 "a key of 1024 bytes and one of 1025"
is "1024 bytes fit" 1 "$(query A "SELECT count(*) FROM entry
    WHERE length(key) = $room")"
is "1025 do not" "none|blocked-name" "$(pending "${fits}s")"
quiet "and then it is quiet" A
tap_end
