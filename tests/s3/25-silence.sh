#!/bin/bash
# SPDX-License-Identifier: MIT
# An attempt during which nothing moves ends after the idle timeout and at most
# a quarter of it more, whatever was asked; one that is slow does not.
# shellcheck source=tests/s3/lib.sh
. "${srcdir:-.}/tests/s3/lib.sh"

idle_ms=2000
# What the kernels still pass on to each other, and a machine that is busy.
most_ms=$((idle_ms * 16 / 10))

server_start
ask <<E
put small 4096
put large 3000000
E

ms() { # milliseconds since some start
	echo $(($(date +%s%N) / 1000000))
}

# alone FILE REQUEST...: one attempt of each; answers in $work/FILE, how long it
# took in $work/FILE.ms.
alone() {
	local file=$1 start
	shift
	start=$(ms)
	printf '%s\n' "$@" | timeout 60 "$bin/tests/s3/s3client" \
	    --endpoint "$endpoint" --bucket "$bucket" --idle-ms $idle_ms \
	    --attempts 1 >"$work/$file" 2>"$work/$file.err"
	echo $(($(ms) - start)) >"$work/$file.ms"
}

# together FILE REQUEST[|REQUEST]...: all at once, each in $work/FILE-I.
together() {
	local file=$1 i=0 row requests asking=()
	shift
	for row; do
		IFS='|' read -r -a requests <<<"$row"
		alone "$file-$i" "${requests[@]}" &
		asking[i++]=$!
	done
	wait "${asking[@]}"
}

# ended NAME FILE TEXT: the last answer there says so.
ended() {
	if tail -n 1 "$work/$2" | grep -q -- "$3"; then
		tap_ok "$1"
	else
		tap_not_ok "$1" "$(cat "$work/$2"*)"
	fi
	echo "# after $(cat "$work/$2.ms") ms"
}
in_time() { # MS
	[ "$1" -ge $idle_ms ] && [ "$1" -lt $most_ms ]
}

# ---- silence ----------------------------------------------------------------

# NAME|KEY|WHAT THE SERVER DOES|REQUEST...
silent=(
	"a LIST|list/|LIST hang=30|list list/"
	"a GET|small|GET hang=30|get small"
	"a DELETE|gone|DELETE hang=30|delete gone"
	"a PUT of nothing|empty|PUT hang=30|put empty 0"
	"a small PUT|tiny|PUT hang=30|put tiny 4096"
	"a large PUT|big|PUT hang=30|put big 3000000"
	"a PUT that is answered too late|late|PUT delay=30000|put late 3000000"
	"a small PUT of which a part is taken|cut-1|PUT upload-trickle=1|put cut-1 200000"
	"a large PUT of which a part is taken|cut-2|PUT upload-trickle=1|put cut-2 3000000"
	"a part|part|UPLOAD_PART hang=30|upload part|run|part part 3000000 number=1"
)
requests=()
for row in "${silent[@]}"; do
	IFS='|' read -r _ key rule request <<<"$row"
	faults "${rule/ / key=$key }" >/dev/null
	requests+=("$request")
done
together silent "${requests[@]}"
for i in "${!silent[@]}"; do
	ended "${silent[i]%%|*} ends" "silent-$i" 'the server fell silent'
	check "in time" in_time "$(cat "$work/silent-$i.ms")"
done
no_faults

# ---- what is slow moves ------------------------------------------------------

# Bodies of the first two wait in the kernel's buffers, beyond the timeout.
faults 'PUT key=slow upload-trickle=150000' \
    'UPLOAD_PART key=slow-part upload-trickle=150000' \
    'GET key=large trickle=600000' 'GET key=small trickle=800' >/dev/null
slow=("put slow 900000" "upload slow-part|run|part slow-part 900000 number=1"
	"get large" "get small")
together slow "${slow[@]}"
for i in "${!slow[@]}"; do
	ended "slow is not silent: ${slow[i]##*|}" "slow-$i" ' done 200 1 '
	check "and it was slow" \
	    [ "$(cat "$work/slow-$i.ms")" -gt $((2 * idle_ms)) ]
done

tap_end
