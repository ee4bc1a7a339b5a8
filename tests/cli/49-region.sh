#!/bin/bash
# SPDX-License-Identifier: MIT
# Where the bucket is: found, remembered by the manifest, corrected. And
# buckets of other kinds: access points, and those that cannot be synced.
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC2119
. "${srcdir:-.}/tests/cli/lib.sh"

if ! own_server; then
	tap_skip_all "only the test server is in the region it is told"
fi
server_start --region eu-west-1 --bucket myap-123456789012
machine A B
echo one >"$work/roots/A/one"

meta() { # NAME: what A's manifest knows
	query A "SELECT value FROM meta WHERE name = '$1'"
}
# asks NUMBER NAME: so many LIST in the last cycle.
asks() {
	is "$2" "$1" "$(asked LIST)"
	asked_reset
}

sync_ A
expect 0 "a bucket in another region is found"
asks 2 "after one request in vain"
is "and its region remembered" eu-west-1 "$(meta region)"
sync_ A
asks 1 "the next run begins there"
expect_no_text err region "without a word"
plan_ A
expect 0 "and so does a plan"
asks 1 "with one request"

sync_ A --region ap-south-1
expect 0 "a region that was set since is tried, and corrected"
expect_text err "bucket '$bucket' is in eu-west-1, not in ap-south-1: set \
region = eu-west-1" "which is told"
asks 2 "after one request in vain"
sync_ A --region ap-south-1
expect_no_text err "ap-south-1" "once: from then on it begins right"
asks 1 "with the first request"
sync_ A --region eu-west-1
asks 1 "the right one is right at once"
sqlite3 "$(state A)" "UPDATE meta SET value = 'sa-east-1' WHERE name = 'region'"
sync_ A --region eu-west-1
expect 0 "a wrong memory is no obstacle"
is "and corrects itself" eu-west-1 "$(meta region)"
asks 2 "after one request in vain"

# A manifest from when the region was part of the endpoint's identity is that
# of the same bucket; elsewhere an endpoint is what it is.
sqlite3 "$(state A)" "UPDATE meta SET value = 'https://s3.eu-west-1.amazonaws.com'
    WHERE name = 'endpoint'"
sync_ A
expect 3 "another server's manifest is refused"
expect_text err "its endpoint is 'https://s3.eu-west-1.amazonaws.com'" \
    "and says whose it is"
sqlite3 "$(state A)" "UPDATE meta SET value = '$endpoint'
    WHERE name = 'endpoint'"

faults "LIST status=301 code=PermanentRedirect bucket-region=mars-1" >/dev/null
sync_ A
expect 3 "a server that contradicts itself ends the cycle"
expect_text err "set region to the bucket's own" "with what to do"
is "the memory is of what was true" eu-west-1 "$(meta region)"
no_faults

# ---- access points ----------------------------------------------------------

arn=arn:aws:s3:eu-west-1:123456789012:accesspoint
through() { # ARN [FLAG...]: a cycle of B through that
	local remote=s3://$1
	shift
	run "$bin/s3sync" sync "$(root B)" "$remote" --endpoint-url \
	    "http://localhost:${endpoint##*:}" --state "$(state B)" \
	    --settle 0 "$@"
}
echo two >"$work/roots/B/two"
asked_reset
through "$arn/myap/data/" --region us-east-1
expect 0 "an access point is a bucket, in the region of its ARN"
is "asked there at once" 1 "$(asked LIST)"
is "and below its prefix" "data/two" "$(curl -sS \
    "$endpoint/_test/objects?bucket=myap-123456789012" | cut -d' ' -f1)"
through "$arn:myap/data/"
expect 3 "written in another way it is another remote for the manifest"
rm "$(state B)"
through "$arn:myap/data/"
expect 0 "but the same access point"

refuses() { # ARN TEXT NAME
	through "$1"
	expect 2 "$3 is refused"
	expect_text err "$2" "$3: it says what to do"
}
refuses "arn:aws:s3::123456789012:accesspoint/x.mrap/p" \
    "use the bucket in the nearest region" "a multi-region access point"
refuses "arn:aws:s3-object-lambda:us-east-1:1:accesspoint/x/p" \
    "use the access point beneath it" "an object lambda"
refuses "arn:aws:s3-outposts:us-east-1:1:outpost/op-1/accesspoint/x" \
    "use a bucket in a region" "an outpost"
refuses "data--use1-az4--x-s3/p" "is a directory bucket" "a directory bucket"
through "$arn/myap/data/" --use-fips-endpoint yes
expect 2 "AWS's endpoints are not those of another server"
expect_text err "an endpoint_url is used as it is: unset" \
    "and that is told"

tap_end
