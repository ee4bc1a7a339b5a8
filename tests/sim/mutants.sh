#!/bin/bash
# SPDX-License-Identifier: MIT
# Takes out one guard after another, and sees whether the simulator and the
# unit tests on it miss it. Not part of `make check`: it takes some minutes.
#
#   tests/sim/mutants.sh [WORLDS [NAME]...]
set -u
source=$(cd "$(dirname "$0")/../.." && pwd)
worlds=${1:-3000}
shift $(($# > 0))
wanted=("$@")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unit_tests="tests/unit/test_listing tests/unit/test_survey
    tests/unit/test_transfer"
survivors=0

build() {
	# shellcheck disable=SC2086
	make -C "$work/build" -j"$(nproc)" $unit_tests tests/sim/sim \
	    >"$work/log" 2>&1
}

prepare() {
	tar -C "$source" --exclude=./.git --exclude='./build' \
	    --exclude='./build-tests' --exclude='./check-*' -cf - . |
	    tar -C "$work" -xf -
	mkdir "$work/build"
	if ! (cd "$work" && ./bootstrap && cd build &&
	    ../configure CFLAGS='-O1 -g') >"$work/log" 2>&1 || ! build; then
		tail "$work/log" >&2
		exit 1
	fi
}

# simulated: the first broken promise that the simulator finds.
simulated() {
	local seed said
	for ((seed = 1; seed < worlds; seed += 100)); do
		if ! said=$(timeout 300 "$work/build/tests/sim/sim" \
		    --seed $seed --runs 100 2>/dev/null); then
			said=$(sed -n 's/^# seed /seed /p' <<<"$said" | head -1)
			echo "${said:-seed $seed or so: a crash}"
			return
		fi
	done
}

# tested: the first unit test that fails, where no world does.
tested() {
	local test
	for test in $unit_tests; do
		if ! timeout 300 "$work/build/$test" >"$work/log" 2>&1; then
			echo "${test##*/}, and no world of $worlds"
			return
		fi
	done
}

# mutant NAME FILE PERL: what is found when PERL changes FILE.
mutant() {
	local file=$work/$2 found
	[ ${#wanted[@]} -eq 0 ] || [[ " ${wanted[*]} " == *" $1 "* ]] || return
	cp -p "$file" "$work/kept"
	perl -0pi -e "$3" "$file"
	if cmp -s "$file" "$work/kept"; then
		echo "$1: nothing to change in $2"
		survivors=$((survivors + 1))
	elif ! build; then
		echo "$1: does not build"
		survivors=$((survivors + 1))
	else
		found=$(simulated)
		[ -n "$found" ] || found=$(tested)
		echo "$1: ${found:-NOT FOUND}"
		[ -n "$found" ] || survivors=$((survivors + 1))
	fi
	cp "$work/kept" "$file"
}

prepare
mutant unconditional-put src/sync/transfer_upload.c \
    's/if_none_match = true/if_none_match = false/'
mutant unconditional-get src/sync/transfer_download.c \
    's/if_match = &j->remote.etag/if_match = NULL/'
mutant no-look-at-the-last-bytes src/sync/transfer_upload.c \
    's/offset \+ got >= j->local.size/false/'
mutant look-before-the-last-bytes src/sync/transfer_upload.c \
    's/= (ops->read_at\(j->reader, offset, buf)/= ops->read_check(j->reader, &j->local, err) < 0 ? -1 : \1/; s/offset \+ got >= j->local.size/false/'
mutant no-look-after-hashing src/sync/transfer_upload.c \
    's/\tops->read_check\(j->reader, &j->local, &j->error\);\n//'
mutant no-md5 src/sync/transfer_content.c \
    's/(int transfer_content_judge\(.*?\{\n)/\1\treturn 0;\n/s'
mutant damaged-is-agreed src/sync/transfer_content.c \
    's/transfer_job_damaged\(j, &j->error\);/transfer_job_agreed(j);/'
mutant one-look-is-enough src/sync/transfer_content.c \
    's/is_lasting\(j, err\) &&//; s/DOUBTS_MIN 3/DOUBTS_MIN 1/'
mutant nothing-is-recalled src/sync/transfer_content.c \
    's/\tj->known = true;\n//'
mutant parts-are-not-compared src/sync/transfer_content.c \
    's/j->verified \|\| j->etag_not_md5 \|\| !j->parts_matter/true/'
mutant any-size-of-parts-fits src/sync/transfer_content.c \
    's/found = fits\(j, sizes\[i\], err\)/found = fits(j, sizes[i], err) >= 0/'
mutant nothing-is-looked-at src/sync/bucket_careful.c \
    's/if \(capability_protects\(.*?\)\)\)/if (true)/s'
mutant what-is-seen-is-overwritten src/sync/bucket_careful.c \
    's/g->if_match == NULL && found != NULL/false/'
mutant rejected-is-written-at-once src/sync/bucket_careful.c \
    's/\t\tlook\(g\);\n\t\treturn;/\t\twrite_now(g);\n\t\treturn;/'
mutant the-condition-is-sent-for-ever src/sync/bucket_careful.c \
    's/g->sends = !g->rejected && /g->sends = /'
mutant unknown-is-trusted src/sync/capability.c \
    's/verdict == CAPABILITY_UNKNOWN && c->trusting/verdict == CAPABILITY_UNKNOWN/'
mutant ignored-is-trusted src/sync/capability.c \
    's/return verdict == CAPABILITY_HONOURED \|\|/return verdict != CAPABILITY_REJECTED ||/'
mutant a-probe-is-for-ever src/sync/capability.c \
    's/GOOD_FOR_NS : GOOD_FOR_PART_NS\)/INT64_MAX : INT64_MAX)/'
mutant a-probe-is-not-recorded-first src/sync/probe.c \
    's/\tif \(record\(p, key, err\) < 0\)\n\t\treturn -1;\n//'
mutant a-killed-probe-is-left src/sync/probe.c \
    's/\t\t\tstatus = remove_left\(p, err\);/\t\t\tstatus = record(p, "", err);/'
mutant a-copy-is-left src/sync/probe.c \
    's/if \(gone && p->copy_may_be_there\)/if (false)/'
mutant one-attempt-is-enough src/sync/probe.c \
    's/(\tcase S3_CHANGED:\n)(\tcase S3_REJECTED:\n\t\treturn CAPABILITY_REJECTED;)/\1\t\treturn CAPABILITY_HONOURED;\n\2/'
mutant not-read-back src/sync/transfer_content.c \
    's/memcmp\(md5, j->md5, sizeof\(md5\)\) == 0/true/'
mutant unsettled-is-sent src/sync/transfer_upload.c \
    's/j->unsettled = .*?;/j->unsettled = false;/s'
mutant unpublished-is-agreed src/sync/transfer_download.c \
    's/if \(p->error.kind == ERROR_NONE\)/if (true)/'
mutant racy-is-forgotten src/sync/transfer_download.c \
    's/j->racy = p->racy;//'
mutant hash-goes-on-after-a-restart src/sync/transfer_download.c \
    's/\t\ttransfer_content_reset\(j\);\n//g'
mutant ranges-of-whatever-is-there src/sync/transfer_ranges.c \
    's/\.if_match = &j->remote.etag,\n\t\t//'
mutant nothing-is-synced src/sync/transfer_ranges.c \
    's/\tj->t->request->tree->ops->write_sync\(.*?;/\t(void)j;/s'
mutant a-lost-file-has-its-ranges src/sync/transfer_ranges.c \
    's/\tif \(!r->was_kept\)\n\t\tmemset.*?;\n//'
mutant begun-is-never-dropped src/sync/transfer.c \
    's/\ttransfer_ranges_tidy\(&t\);\n//'
mutant damaged-is-gone-on-with src/sync/transfer_ranges.c \
    's/\tr->keep = is_of_use\(r\);/\tr->keep = true;/'
mutant slow-to-stop src/sync/transfer.c \
    's/STOP_GRACE_NS \(3/STOP_GRACE_NS (30/'
mutant unknown-is-absent src/sync/survey.c \
    's/parent_unknown\(s, met\) \? SIDE_UNKNOWN : SIDE_ABSENT/SIDE_ABSENT/'
mutant no-holds-by-parents src/sync/survey.c \
    's/\thold_by_parents\(s, met, p\);\n//'
mutant no-probe src/sync/survey.c \
    's/\thold_by_probe\(s, met, link\);\n//'
mutant no-names-blocked src/sync/survey.c \
    's/if \(verdict != PATH_OK\)/if (false)/'
mutant nothing-is-done src/sync/survey.c \
    's/\t\tfinish_by_suffix\(s, met\);/\t\t;/'
mutant size-does-not-count src/sync/survey.c \
    's/CONTENT_DIFFERENT : CONTENT_SAME_SIZE/CONTENT_SAME_SIZE : CONTENT_SAME_SIZE/'
mutant a-key-is-its-own-parent src/sync/survey.c \
    's/link->key_len < met->key_len &&/true &&/'
mutant first-hold-wins src/sync/survey.c \
    's/decide\(&held\).row == decide\(&free\).row ..\n.*?\)\)/p->input.hold != HOLD_NONE)/s'
mutant base-of-a-symlink-is-dropped src/sync/survey.c \
    's/return met->remote \? SIDE_ABSENT : SIDE_PRESENT/return met->remote || met->entry ? SIDE_ABSENT : SIDE_PRESENT/'
mutant stopped-is-done src/sync/survey.c \
    's/return error_set\(s->err, ERROR_STOPPED, "stopped"\);/return 0;/'
mutant order-is-not-checked src/sync/listing.c \
    's/l->last.len > 0 && path_compare/false && path_compare/'
mutant prefix-is-not-checked src/sync/listing.c \
    's/memcmp\(o->key, b->prefix, b->prefix_len\) != 0/false/'
mutant a-cut-listing-is-complete src/sync/listing.c \
    's/if \(page->token == NULL\)\n.*?;/if (page->token == NULL)\n\t\treturn 0;/s; s/if \(page->truncated\)\n\t\tl->token/if (page->token != NULL)\n\t\tl->token/'
mutant a-failed-listing-is-complete src/sync/listing.c \
    's/\t\tl->error = result->error;/\t\tl->complete = true;\n\t\treturn;/'
mutant publish-clobbers tests/sim/sim_tree.c \
    's/if \(sim_tree_find\(t, p->key, p->key_len\) != NULL\) \{\n\t\terror_set/if (false) {\n\t\terror_set/'
echo "$survivors survived"
[ $survivors -eq 0 ]
