#!/bin/bash
# SPDX-License-Identifier: MIT
# The main job: a tree and a prefix brought into agreement, two machines.
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC2119
. "${srcdir:-.}/tests/cli/lib.sh"

server_start
machine A B
mkdir -p "$work/roots/A/download/page_0001" "$work/roots/A/empty-dir"
echo one >"$work/roots/A/one.txt"
: >"$work/roots/A/empty.txt"
head -c 300000 /dev/urandom >"$work/roots/A/download/page_0001/image_v5.png"
echo space >"$work/roots/A/a name with spaces & ümläuts+plus.txt"
echo partial >"$work/roots/A/temp_download.bin"

plan_ A
expect 0 "plan"
expect_text out "upload" "plan says what it would do"
is "plan makes no manifest" "" "$(ls "$work/state")"
check "plan leaves no marker" test ! -e "$work/roots/A/.s3sync"

sync_ A
expect 0 "first sync up"
expect_text err "S3 bidirectional sync initialized for $work/roots/A <-> s3://$bucket/$prefix" \
    "the line that says what is synced"
expect_text err "Uploaded to S3: download/page_0001/image_v5.png" \
    "a line for each upload"
expect_text err "S3 sync completed: ⬇️  0 downloaded, ⬆️  4 uploaded" \
    "the line that sums up"
agree "tree, bucket and manifest agree" A
quiet "a second cycle does nothing" A

sync_ B
expect 0 "a second machine comes down"
expect_text err "Downloaded from S3: download/page_0001/image_v5.png" \
    "a line for each download"
agree "both machines agree" A B
quiet "a second cycle does nothing there either" B
is "modification times travel" "$(stat -c %Y "$work/roots/A/one.txt")" \
    "$(stat -c %Y "$work/roots/B/one.txt")"

echo from-a >"$work/roots/A/made-on-a.txt"
mkdir "$work/roots/B/sub"
echo from-b >"$work/roots/B/sub/made-on-b.txt"
sync_ A
sync_ B
sync_ A
expect 0 "files made on both sides cross"
agree "both have both" A B

rm -r "$work/roots/A/download"
sync_ A
expect 0 "a lost directory is restored"
expect_text err "Downloaded from S3: download/page_0001/image_v5.png" \
    "it came from the bucket"
agree "all agree again" A B

remote_delete one.txt
sync_ B
expect_text err "Uploaded to S3: one.txt" "a lost object is restored"
sync_ A
quiet "A is quiet" A
quiet "B is quiet" B

echo changed-here >"$work/roots/A/one.txt"
sync_ A
expect 0 "a changed file is left alone"
is "the object is as it was" one "$(remote_get one.txt)"
is "the pending row says why" "none|local-changed" \
    "$(query A "SELECT action, reason FROM pending")"
quiet "and then it is quiet" A
tap_end
