/* SPDX-License-Identifier: MIT */
/*
 * Where a bucket lives: from endpoint_url, region, bucket and the options of
 * AWS's endpoints to the parts of a URL. Pure: nothing is resolved or asked.
 * Source: the rule set that AWS publishes for S3; its test cases are ours
 * (tests/data/endpoint_cases.h).
 */
#ifndef S3_ENDPOINT_H
#define S3_ENDPOINT_H

#include <stdbool.h>

#include "base/error.h"
#include "s3/s3.h"

struct endpoint_options { /* all borrowed */
	const char *url;    /* NULL: AWS, by region */
	const char *region; /* NULL: us-east-1 */
	const char *bucket; /* a name, or the ARN of an access point */
	enum s3_addressing addressing;
	bool dualstack, fips, accelerate; /* of AWS alone */
};

struct endpoint {
	char *url;       /* without bucket: "https://s3.….amazonaws.com" */
	char *origin;    /* goes before the path: "https://b.s3.….com:8443" */
	char *host;      /* the Host header: as in origin, no default port */
	char *authority; /* host:port as connected to, for messages */
	char *path;      /* goes before "/" and the key: "/base/bucket" */
	char *region;    /* of the signature's scope */
	bool tls;
};

/*
 * With AUTO a given endpoint is addressed by path, AWS by host name. Where the
 * bucket's name cannot be part of the host's (an IP address has no subdomains,
 * a certificate's '*' is one label), the path is used whatever was asked for.
 * An access point is always in the host's name, and its ARN has the region.
 * What cannot be addressed, or needs a protocol of its own, is ERROR_CONFIG
 * and says what to do instead.
 */
int endpoint_init(struct endpoint *e, const struct endpoint_options *options,
    struct error *err);
void endpoint_release(struct endpoint *e);

/* Where another service of AWS is in ${region}, by the beginning of its host
 * name: "sts", "portal.sso", "oidc". The caller's. */
char *endpoint_of_service(const char *service, const char *region,
    bool dualstack, bool fips);
/* What ARNs in ${region} begin with, after "arn:": "aws". */
const char *endpoint_aws_partition(const char *region);
/* What names the same buckets whatever the region and the form of its address:
 * "https://s3.amazonaws.com" for all of AWS's but China's and others' of their
 * own kind; any other ${url} as it is. The caller's. */
char *endpoint_home(const char *url);

#endif
