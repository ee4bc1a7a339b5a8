#!/bin/bash
# SPDX-License-Identifier: MIT
# Nothing is overwritten, whatever the server does with conditional writes: it
# is found out once, before the first write, on keys that are removed again;
# where a condition does not protect, the key is looked for just before.
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC2119
. "${srcdir:-.}/tests/cli/lib.sh"

server_start
machine A

# begin_sync [FLAG...]: a cycle of A, left running; end_sync: until it is over.
begin_sync() {
	"$bin/s3sync" sync "$(root A)" "s3://$bucket/$prefix" \
	    --endpoint-url "$endpoint" --state "$(state A)" "$@" \
	    >"$work/out" 2>"$work/err" </dev/null &
	sync_pid=$!
}
end_sync() {
	wait "$sync_pid" 2>/dev/null
	status=$?
}
meta() { # A NAME
	query "$1" "SELECT value FROM meta WHERE name = '$2'"
}
# verdict WORD: of A's manifest; "" where it has none.
verdict() {
	meta A capabilities | tr ' ' '\n' | sed -n "s/^$1=//p"
}
# own_keys: those below the prefix that are the program's own.
own_keys() {
	remote_list | cut -f1 | grep -F .s3sync/
}
# forget: as if the server had never been met.
forget() {
	rm -f "$(state A)"*
}
pending_is() { # A COUNT
	[ "$(query "$1" "SELECT count(*) FROM pending")" = "$2" ]
}

# Another writer is faster: after the survey, and before the upload of a file
# that is too young still. A large one goes up in parts.
rival() { # NAME [FLAG...]
	local name=$1
	shift
	echo ours >"$work/roots/A/rival"
	outrun "$name" "$@"
}
large_rival() { # NAME [FLAG...]
	local name=$1
	shift
	head -c 6000000 /dev/zero >"$work/roots/A/rival"
	outrun "$name, in parts" --multipart-threshold 5M --part-size 5M "$@"
}
outrun() { # NAME [FLAG...]
	local name=$1
	shift
	echo theirs >"$work/theirs"
	begin_sync --settle 3 "$@"
	check "$name: the upload waits" eventually 20 pending_is A 1
	remote_put rival "$work/theirs"
	end_sync
	expect 1 "$name: somebody was faster: exit status 1"
	is "$name: their object is not overwritten" theirs \
	    "$(remote_get rival)"
	rm "$work/roots/A/rival"
	remote_delete rival
	sync_ A
	expect 0 "$name: and without both files all is well"
}

# ---- on any server ----------------------------------------------------------

words="put_new put_same put_body complete_new complete_same copy_new copy_same
    delete_same"
echo one >"$work/roots/A/one"
sync_ A --verbose
expect 0 "the first cycle that writes"
agree "all agree" A
check_empty "no key of the program's own is left" "$(own_keys)"
for word in $words; do
	case $(verdict "$word") in
	honoured | ignored | rejected)
		tap_ok "the server is known: $word is $(verdict "$word")"
		;;
	*) tap_not_ok "$word is known" "$(meta A capabilities)" ;;
	esac
done
run "$bin/s3sync-state" --state "$(state A)"
expect_text out "  server    probed 20" "s3sync-state shows when"
expect_text out "PUT If-None-Match" "and what"
run "$bin/s3sync-state" --state "$(state A)" --json
expect_text out "\"put_new\":\"$(verdict put_new)\"" "in JSON, too"
rival "as this server is"
large_rival "as this server is"
quiet "a cycle that writes nothing asks LIST only" A

if ! own_server; then
	tap_end
	exit
fi

# ---- once, and no more ------------------------------------------------------

# asked_probe: how many of the last requests were a probe's.
asked_probe() {
	curl -sS "$endpoint/_test/log" | grep -cF "/.s3sync/probe-"
}
# new_files COUNT: new ones in A's root.
new_files() {
	local i
	for ((i = 0; i < $1; i++)); do
		echo "file $RANDOM" >"$work/roots/A/new$RANDOM$i"
	done
}

for word in $words; do
	is "all is honoured: $word" honoured "$(verdict "$word")"
done
new_files 3
asked_reset
sync_ A
is "a later cycle does not probe again" 0 "$(asked_probe)"
is "and looks for nothing" "1 3" "$(asked LIST) $(asked PUT)"
forget
asked_reset
plan_ A
is "a plan does not probe" "0 0" "$(asked PUT) $(asked DELETE)"
sync_ A
is "nor does a cycle that adopts" "0 0" "$(asked PUT) $(asked DELETE)"
new_files 1
asked_reset
sync_ A
is "the first write does, with eighteen requests" "18 20" \
    "$(asked_probe) $(asked total)"
expect_no_text err "warning" "of which nobody hears where all is honoured"
forget
new_files 1
asked_reset
sync_ A --probe no
expect 0 "probe = no"
is "probe = no: nothing is probed" 0 "$(asked_probe)"
is "nor looked for" "1 1" "$(asked LIST) $(asked PUT)"
rival "probe = no" --probe no

for kind in crc32c sha256 crc64nvme; do
	forget
	new_files 1
	sync_ A --checksum $kind
	expect 0 "checksum = $kind"
	is "checksum = $kind: all is known" 8 \
	    "$(meta A capabilities | tr ' ' '\n' | grep -c =honoured)"
done

# Credentials that may only read, and nothing that they could write.
machine B
faults "PUT deny" "DELETE deny" "COPY deny" "CREATE_UPLOAD deny"
asked_reset
sync_ B
expect 0 "who only downloads needs to write nothing"
is "and asks for nothing else" "0 0" "$(asked PUT) $(asked DELETE)"
no_faults

# ---- what is not honoured ---------------------------------------------------

declare -A verdicts=([ignore-conditions]=ignored [reject-conditions]=rejected)
# not_honoured KIND "WORD..." EFFECT: this by itself, on new files.
not_honoured() {
	local kind=$1 words=$2 effect=$3 verdict=${verdicts[$3]} word
	forget
	no_faults
	faults "$kind $effect"
	new_files 2
	asked_reset
	sync_ A
	lists=$(asked LIST)
	expect 0 "$kind $effect: exit status 0"
	for word in $words; do
		is "$kind $effect: $word is $verdict" "$verdict" \
		    "$(verdict "$word")"
	done
	is "$kind $effect: the others are honoured" \
	    $((8 - $(wc -w <<<"$words"))) \
	    "$(meta A capabilities | tr ' ' '\n' | grep -c =honoured)"
	check_empty "$kind $effect: nothing of it is left" "$(own_keys)"
	agree "$kind $effect: all agree" A
}
for effect in ignore-conditions reject-conditions; do
	not_honoured PUT "put_new put_same" $effect
	expect_text err "(of single uploads: ${verdicts[$effect]}; of uploads in parts: honoured)" \
	    "PUT $effect: it is told once"
	is "PUT $effect: each key is looked for" 3 "$lists"
	new_files 2
	asked_reset
	sync_ A
	expect_no_text err "If-None-Match" "PUT $effect: and no more"
	is "PUT $effect: later cycles look, too" "3 2" \
	    "$(asked LIST) $(asked PUT)"
	curl -sS "$endpoint/_test/log" | grep '^PUT PUT' >"$work/puts"
	if [ $effect = ignore-conditions ]; then
		expect_text puts "If-None-Match" \
		    "the condition goes along all the same"
	else
		expect_no_text puts "If-None-Match" \
		    "the condition is left out"
	fi
	rival "PUT $effect"
	quiet "PUT $effect: a quiet cycle asks LIST only" A

	not_honoured COMPLETE_UPLOAD "complete_new complete_same" $effect
	expect_text err "(of single uploads: honoured; of uploads in parts: ${verdicts[$effect]})" \
	    "COMPLETE_UPLOAD $effect: it is told"
	is "COMPLETE_UPLOAD $effect: single uploads need no look" 1 "$lists"
	large_rival "COMPLETE_UPLOAD $effect"
	not_honoured COPY "copy_new copy_same" $effect
	expect_no_text err "If-None-Match" \
	    "COPY $effect: as nothing is copied, nobody hears of it"
	not_honoured DELETE delete_same $effect
	expect_no_text err "If-None-Match" \
	    "DELETE $effect: as nothing is deleted, nobody hears of it"
done

# Ceph's gateway of 2021 refuses an If-Match that holds.
forget
no_faults
faults "PUT key=*.s3sync* nth=4 status=412 code=PreconditionFailed"
new_files 1
sync_ A
is "an If-Match that is never true is no good" rejected "$(verdict put_same)"
no_faults

# ---- the window that remains ------------------------------------------------

# window NAME EXPECTED: a rival writes after the look, while we send.
window() {
	head -c 100000 /dev/zero | tr '\0' o >"$work/roots/A/window"
	echo theirs >"$work/theirs"
	faults "PUT key=*window upload-delay=2000"
	asked_reset
	begin_sync --settle 0
	check "$1: the upload is under way" eventually 20 is_sending
	awkward_put window "$work/theirs"
	end_sync
	is "$1: in the end there is" "$2" \
	    "$(remote_get window | cut -c1-6)"
	rm "$work/roots/A/window"
	remote_delete window
	no_faults
}
is_sending() {
	[ "$(asked PUT)" -ge 1 ]
}
is_sending_parts() {
	[ "$(asked UPLOAD_PART)" -ge 1 ]
}
sync_ A
window "a condition that is honoured has no window" theirs
forget
faults "PUT ignore-conditions"
new_files 1
sync_ A
expect_text err "what another writer puts there after that look" \
    "the window is told of where there is one"
faults "PUT ignore-conditions"
window "where it is ignored, the look was too early" oooooo


# In parts the look comes after the parts.
forget
no_faults
faults "COMPLETE_UPLOAD ignore-conditions"
new_files 1
sync_ A
head -c 6000000 /dev/zero >"$work/roots/A/window"
faults "UPLOAD_PART key=*window delay=1500"
asked_reset
begin_sync --settle 0 --multipart-threshold 5M --part-size 5M
check "parts are under way" eventually 20 is_sending_parts
awkward_put window "$work/theirs"
end_sync
expect 1 "an object that appears while parts are sent: exit status 1"
is "it is seen before they are put together" theirs "$(remote_get window)"
is "so they are not, and the upload is ended" "0 1" \
    "$(asked COMPLETE_UPLOAD) $(asked ABORT_UPLOAD)"
rm "$work/roots/A/window"
remote_delete window
no_faults

# ---- where it cannot be cleaned up again ------------------------------------

forget
faults "DELETE deny"
new_files 2
asked_reset
sync_ A
expect 0 "DELETE denied: exit status 0"
is "DELETE denied: nothing is made that could not be removed" 1 \
    "$(asked_probe)"
expect_text err "for want of s3:DeleteObject on $prefix.s3sync/" \
    "DELETE denied: it is told why"
is "DELETE denied: each key is looked for" 3 "$(asked LIST)"
check_empty "DELETE denied: nothing is left" "$(own_keys)"
new_files 1
asked_reset
sync_ A
is "DELETE denied: later cycles look, and do not try" "2 0" \
    "$(asked LIST) $(asked_probe)"
run "$bin/s3sync-state" --state "$(state A)"
expect_text out "cannot, for want of s3:DeleteObject" "s3sync-state shows it"
no_faults
rival "DELETE denied"

forget
faults "PUT key=*.s3sync* deny"
new_files 1
asked_reset
sync_ A
expect 0 "PUT to .s3sync/ denied: exit status 0"
is "PUT to .s3sync/ denied: two tries" 2 "$(asked_probe)"
expect_text err "for want of s3:PutObject on $prefix.s3sync/" \
    "PUT to .s3sync/ denied: it is told why"
is "PUT to .s3sync/ denied: the key is looked for" 2 "$(asked LIST)"
agree "PUT to .s3sync/ denied: all agree" A
no_faults

# ---- killed, stopped, cut off -----------------------------------------------

# Somebody else's keys, though they look like ours.
awkward_put .s3sync/probe-notes "$work/theirs"
awkward_put .s3sync/probe-0123456789abcdef "$work/theirs"
foreign=$(own_keys)

hangs() { # KIND COUNT
	[ "$(asked "$1")" -ge "$2" ]
}
for kind in PUT COMPLETE_UPLOAD COPY DELETE; do
	forget
	nth=1
	[ $kind != PUT ] || nth=2
	[ $kind != DELETE ] || nth=2
	faults "$kind key=*.s3sync* nth=$nth times=1 hang=30"
	new_files 1
	asked_reset
	begin_sync --settle 0
	check "$kind hangs" eventually 20 hangs $kind $nth
	kill -9 $sync_pid
	end_sync
	no_faults
	check "killed then: something is left" [ "$(own_keys)" != "$foreign" ]
	check "and recorded" [ -n "$(meta A probe)" ]
	rm "$work/roots/A"/new*
	remote_list | cut -f1 | grep '^new' | while read -r key; do
		remote_delete "$key"
	done
	asked_reset
	sync_ A
	expect 0 "the next cycle has nothing to write"
	is "but removes what was left, and only that" "$foreign" "$(own_keys)"
	[ $kind != COMPLETE_UPLOAD ] ||
	    is "an upload in parts, too" 1 "$(asked ABORT_UPLOAD)"
	expect_no_text err ".s3sync" "nobody hears of such keys"
	is "nor are they pending" 0 "$(query A "SELECT count(*) FROM pending")"
	quiet "and it is quiet" A
done

faults "COPY times=1 hang=30"
new_files 1
asked_reset
begin_sync --settle 0
check "COPY hangs" eventually 20 hangs COPY 1
began=$SECONDS
kill -TERM $sync_pid
end_sync
no_faults
expect 143 "stopped then: exit status 143"
check "within five seconds" [ $((SECONDS - began)) -le 5 ]
is "nothing is left" "$foreign" "$(own_keys)"
check_empty "nor recorded" "$(meta A probe)"

forget
faults "PUT key=*.s3sync* reset-before"
new_files 1
sync_ A --attempts 2
expect 0 "no answer to a probe: the cycle runs"
expect_text err "could not be tried, and is tried again in the next cycle" \
    "and says what it does not know"
is "nothing is left" "$foreign" "$(own_keys)"
is "nothing is recorded" "" "$(meta A capabilities)"
no_faults
new_files 1
sync_ A
is "the next cycle knows" honoured "$(verdict put_new)"
forget
faults "COPY status=500 code=InternalError"
new_files 1
sync_ A --attempts 2
expect_no_text err "tried" "where copies have no answer, nobody need know"
is "they stay unknown" "honoured honoured unknown" \
    "$(verdict put_new) $(verdict complete_new) $(verdict copy_new)"
is "nothing is left" "$foreign" "$(own_keys)"
no_faults

for key in $foreign; do
	remote_delete "$key"
done

# ---- a server that changes its mind -----------------------------------------

faults "PUT reject-conditions"
new_files 2
sync_ A --jobs 1
expect 0 "conditions are rejected of a sudden: exit status 0"
agree "the uploads are made, after a look" A
is "and the record is not believed any more" "" "$(meta A capabilities)"
new_files 1
sync_ A
is "the next cycle that writes asks anew" rejected "$(verdict put_new)"
no_faults
new_files 1
faults "PUT key=*new* status=409 code=ConditionalRequestConflict times=1"
sync_ A
expect 0 "a conflict that passes is none"
no_faults
tap_end
