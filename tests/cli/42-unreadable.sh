#!/bin/bash
# SPDX-License-Identifier: MIT
# What this user cannot read or write, and what is no file: one key's matter,
# which stops no other. What could not be looked at is never taken for absent.
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC2119
. "${srcdir:-.}/tests/cli/lib.sh"

server_start
machine A
mkdir "$work/roots/A/dir"
for key in fine secret dir/known dir/lost; do
	echo "$key" >"$work/roots/A/$key"
done
echo from-far >"$work/from-far"
as_nobody A

pending() { # KEY
	query A "SELECT action || '|' || reason || '|' || ifnull(detail, '')
	    FROM pending WHERE key = CAST('$1' AS BLOB)"
}

# ---- a file -----------------------------------------------------------------

chmod 000 "$work/roots/A/secret"
sync_ A
expect 1 "a file that cannot be read: exit status 1"
expect_text err "The upload of secret failed: cannot open the file: Permission denied" \
    "it says which, and why"
expect_text err "Uploaded to S3: fine" "the others go on"
is "it will be tried again" "upload|new-local|" "$(pending secret)"
chmod 644 "$work/roots/A/secret"
sync_ A
expect 0 "then it can be read"
agree "all agree" A
quiet "and it is quiet" A

# ---- a directory ------------------------------------------------------------

# unreadable MODE: known files are lost on both sides of dir, new ones appear.
unreadable() {
	rm "$work/roots/A/fine" "$work/roots/A/dir/lost"
	remote_delete dir/known
	remote_put "dir/new$1" "$work/from-far"
	chmod "$1" "$work/roots/A/dir"
	sync_ A
	expect 1 "a directory of mode $1: exit status 1"
	expect_text err "Downloaded from S3: fine" "mode $1: the others go on"
	expect_text err "1 downloaded, ⬆️  0 uploaded" \
	    "mode $1: nothing in it is taken for absent"
}
readable() { # MODE
	quiet "mode $1: it stays so without a word" A 1
	chmod 755 "$work/roots/A/dir"
	sync_ A
	expect 0 "mode $1: then it can be read"
	agree "mode $1: all agree" A
	quiet "mode $1: and it is quiet" A
}

# It cannot be opened: one row for all that is known of it.
unreadable 000
expect_text err "Left alone, waiting (unknown): dir/: Permission denied" \
    "mode 000: the directory is named"
is "mode 000: and recorded" "none|unknown|Permission denied" "$(pending dir/)"
is "mode 000: what was known has no row" "" "$(pending dir/known)"
is "mode 000: what is new has one" \
    "none|unknown|a directory above it was not entered" "$(pending dir/new000)"
readable 000

# Its names can be read, and no more: what is named is unknown, the rest absent
# but out of reach.
unreadable 444
expect_text err "Left alone, waiting (unknown): dir/known: Permission denied" \
    "mode 444: each file is named"
is "mode 444: and recorded" "none|unknown|Permission denied" \
    "$(pending dir/known)"
readable 444

# It cannot be written.
chmod 555 "$work/roots/A/dir"
rm -f "$work/roots/A/fine"
remote_put dir/new555 "$work/from-far"
sync_ A
expect 1 "a directory that cannot be written: exit status 1"
expect_text err "The download of dir/new555 failed: cannot give the file its name: Permission denied" \
    "it says which file, and why"
expect_text err "Downloaded from S3: fine" "the others go on"
check_empty "nothing half-done is left" "$(find "$work/roots/A/.s3sync/tmp" -type f)"
chmod 755 "$work/roots/A/dir"
sync_ A
expect 0 "then it can be written"
agree "all agree" A
quiet "and it is quiet" A

# ---- the program's own directory --------------------------------------------

chmod 000 "$work/roots/A/.s3sync/tmp"
sync_ A
expect 3 "a root whose own directory is somebody else's: exit status 3"
expect_text err ".s3sync/tmp: cannot be read; let this user read and write it" \
    "it says what to do"
chmod 755 "$work/roots/A/.s3sync/tmp"

# ---- no files ---------------------------------------------------------------

mkdir "$work/roots/A/odd"
mkfifo "$work/roots/A/odd/fifo"
(cd "$work/roots/A/odd" &&
    perl -MSocket -e 'socket(S, PF_UNIX, SOCK_STREAM, 0) &&
        bind(S, sockaddr_un("socket")) || die $!')
rm "$work/roots/A/fine"
mkfifo "$work/roots/A/fine"
sync_ A
expect 0 "a FIFO and a socket do not fail the cycle"
expect_text err "odd/fifo: a FIFO" "the FIFO is named"
expect_text err "odd/socket: a socket" "and the socket"
is "both are blocked" "none|blocked-type|a FIFO none|blocked-type|a socket" \
    "$(pending odd/fifo) $(pending odd/socket)"
is "one in a file's place stays" "none|blocked-type|a FIFO" "$(pending fine)"
is "and the object, too" fine "$(remote_get fine)"
quiet "and it is quiet" A
rm -r "$work/roots/A/fine" "$work/roots/A/odd"
sync_ A
expect 0 "without them all is restored"
agree "all agree" A
quiet "and it is quiet" A
tap_end
