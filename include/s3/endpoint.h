/* SPDX-License-Identifier: MIT */
/*
 * Where a bucket lives: from endpoint_url, region, bucket and addressing to
 * the parts of a URL. Pure: nothing is resolved or asked.
 */
#ifndef S3_ENDPOINT_H
#define S3_ENDPOINT_H

#include <stdbool.h>

#include "base/error.h"
#include "s3/s3.h"

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
 * ${url} NULL means AWS in ${region}, and ${region} NULL means us-east-1. With
 * AUTO a given endpoint is addressed by path; AWS by host name unless the
 * bucket's name cannot be one label of it. An IP address has no subdomains:
 * there the path is used whatever was asked for. What cannot be addressed is
 * ERROR_CONFIG and says why.
 */
int endpoint_init(struct endpoint *e, const char *url, const char *region,
    const char *bucket, enum s3_addressing addressing, struct error *err);
void endpoint_release(struct endpoint *e);

/* Of all host names of AWS in ${region}, by its partition: "amazonaws.com". */
const char *endpoint_aws_suffix(const char *region);

#endif
