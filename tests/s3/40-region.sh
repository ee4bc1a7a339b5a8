#!/bin/bash
# SPDX-License-Identifier: MIT
# The bucket is in another region: how that is found, once, and kept to.
# shellcheck source=tests/s3/lib.sh
. "${srcdir:-.}/tests/s3/lib.sh"

server_start --region eu-west-1

ask --in-flight 4 <<E
put a 4096 new
put b 3000000 new
put c 0 new
put d 4096 new
run
get a
get b
list
run
region
usage
E
answers "a region that the error names is where all goes on" 7 "* done 200 *"
answer "a large upload is sent whole" "get b done 200 1 * size=3000000 begun=1"
answer "and it is known from then on" "region eu-west-1, asked 0 times"
answer "each request that was under way was asked again once" \
    "usage list=1 get=2 head=0 put=8 retries=4"

ask --debug <<<list
expect_no_text err warning "nobody is bothered where no region was configured"
ask --region ap-south-1 --debug <<<list
answer "a region that is configured is corrected" "list * done 200 2 *"
expect_text err "bucket '$bucket' is in eu-west-1, not in ap-south-1: set \
region = eu-west-1" "and that is told"
ask --begin-in eu-west-1 <<<list
answer "what is remembered is asked first" "list * done 200 1 *"
ask --begin-in ap-south-1 <<E
list
run
region
E
answer "what is remembered wrong is corrected" "list * done 200 2 *"
answer "by what is right" "region eu-west-1, asked 0 times"
ask --begin-in "x/y" <<<list
answer "what cannot be a region is not remembered" "list * done 200 2 *"

only "ANY status=400 code=InvalidRegionName"
ask --region mars-1 <<<list
answer "a server that knows other regions says which" "list * refused 400 1 \
bucket: the server has no region mars-1 (HTTP 400 InvalidRegionName*): As the *"

only "ANY times=1 status=301 code=PermanentRedirect bucket-region=eu-west-1"
ask <<<"get a"
answer "a region that the reply's head names will do" "get a done 200 2 *"
only "ANY times=1 status=307 code=TemporaryRedirect bucket-region=eu-west-1"
ask <<<"put e 3000000 new"
answer "so for an upload" "put e done 200 2 *"
only "GET times=1 status=400 code=IllegalLocationConstraintException \
bucket-region=eu-west-1"
ask <<<"get a"
answer "so with a status of 400" "get a done 200 2 *"

only "LIST times=1 status=301 code=PermanentRedirect" \
    "HEAD_BUCKET status=400 code=X bucket-region=eu-west-1"
ask <<E
list
run
region
E
answer "where no reply names it the bucket is asked" "list * done 200 3 *"
answer "with one HEAD" "region eu-west-1, asked 1 times"
only "LIST times=1 status=301 code=PermanentRedirect" \
    "HEAD_BUCKET nth=3 status=403 code=X bucket-region=eu-west-1" \
    "HEAD_BUCKET times=2 status=503"
ask --attempts 5 <<E
list
run
region
E
answer "which is tried again like any other" "list * done 200 5 *"
answer "as often as it takes" "region eu-west-1, asked 3 times"
only "LIST status=301 code=PermanentRedirect" \
    "HEAD_BUCKET status=301 code=PermanentRedirect"
ask <<<list
answer "where nobody knows the region it ends with what to do" \
    "list * refused 301 2 bucket: bucket '$bucket' is in another region, and \
was asked for in us-east-1 (HTTP 301*): set region to the bucket's own"

# A server that contradicts itself.
only "ANY status=301 code=PermanentRedirect bucket-region=ap-south-1"
asked_reset
ask <<E
get a
run
get b
run
region
E
answer "what leads to where it is again is not followed" \
    "get a refused 301 2 bucket: *"
answer "and so for the next" "get b refused 301 1 bucket: *"
is "with few requests" 3 "$(asked GET)"
only "ANY status=301 code=PermanentRedirect bucket-region=ap-south-1" \
    "ANY every=2 status=301 code=PermanentRedirect bucket-region=sa-east-1"
asked_reset
ask <<E
get a
run
get b
run
get c
run
E
answers "what leads around in circles is left" 3 "get ? refused 301 [12] *"
is "after one round" 4 "$(asked GET)"
only "ANY status=301 code=PermanentRedirect bucket-region=../evil"
ask <<<"get a"
answer "what cannot be a region is not followed" "get a refused 301 1 *"

# Regions of other servers' own naming are found by the same rule.
for name in garage auto my_own; do
	rm "$work/port"
	server_start --region $name
	ask <<-E
	put a 4096 new
	run
	get a
	run
	region
	E
	answers "a region named $name is found" 2 "* done 200 *"
	answer "at the same address" "region $name, asked 0 times"
done

tap_end
