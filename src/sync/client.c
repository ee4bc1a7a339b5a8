/* SPDX-License-Identifier: MIT */
/* From a pair to an S3 client. */
#include "sync/client.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define META_MAX 4096
/* For a server that is restarted, or a line that is away for a moment; it is
 * less than the interval of most daemons. */
#define PATIENCE_NS (30 * CLOCK_SECOND)

struct s3_credentials_request client_credentials(const struct conf_pair *pair)
{
	return (struct s3_credentials_request){
		.env = pair->env,
		.profile = pair->profile,
		.region = pair->region,
		.dualstack = pair->dualstack,
		.fips = pair->fips,
		.ca_bundle = pair->ca_bundle,
		.timeout_ns = pair->timeout_ns,
	};
}

/* What is uploaded is to look like this. */
static struct s3_properties properties_of(const struct conf_pair *pair,
    const struct mime *mime)
{
	return (struct s3_properties){
		.storage_class = pair->storage_class,
		.sse = pair->sse,
		.sse_kms_key_id = pair->sse_kms_key_id,
		.acl = pair->acl,
		.content_type =
		    strchr(pair->content_type, '/') ? pair->content_type : NULL,
		.mime = mime,
		.checksum = (enum s3_checksum)pair->checksum,
		.requester_pays = pair->requester_pays,
	};
}

struct s3_options client_options(const struct conf_pair *pair,
    struct keyring *keyring, const struct mime *mime)
{
	return (struct s3_options){
		.keyring = keyring,
		.endpoint_url = pair->endpoint_url,
		.region = pair->region,
		.bucket = pair->bucket,
		.prefix = pair->prefix,
		.addressing = (enum s3_addressing)pair->addressing,
		.dualstack = pair->dualstack,
		.fips = pair->fips,
		.accelerate = pair->accelerate,
		.signing = (enum s3_signing)pair->sign,
		.properties = properties_of(pair, mime),
		.ca_bundle = pair->ca_bundle,
		.env = pair->env,
		.in_flight = (size_t)pair->jobs,
		.attempts = (int)pair->attempts,
		.idle_timeout_ns = pair->timeout_ns,
		.patience_ns = PATIENCE_NS,
		.limit_up = pair->bwlimit_up,
		.limit_down = pair->bwlimit_down,
	};
}

const char *client_asked_region(const struct conf_pair *pair)
{
	return pair->region != NULL ? pair->region : "";
}

static int recall_region(const struct conf_pair *pair, struct s3 *s3,
    struct manifest *m, struct error *err)
{
	struct strbuf asked = STRBUF_INIT(META_MAX);
	struct strbuf found = STRBUF_INIT(META_MAX);
	int status = -1;

	if (manifest_meta_get(m, CLIENT_REGION_ASKED, &asked, err) >= 0 &&
	    manifest_meta_get(m, CLIENT_REGION, &found, err) >= 0) {
		if (found.len > 0 && strcmp(strbuf_text(&asked),
		    client_asked_region(pair)) == 0)
			s3_begin_in(s3, strbuf_text(&found));
		status = 0;
	}
	strbuf_release(&asked);
	strbuf_release(&found);
	return status;
}

int client_clock(struct manifest *m, int64_t *offset_ns, struct error *err)
{
	struct strbuf known_ms = STRBUF_INIT(META_MAX);
	int status = manifest_meta_get(m, CLIENT_CLOCK, &known_ms, err);

	*offset_ns = strtoll(strbuf_text(&known_ms), NULL, 10) * CLOCK_MS;
	strbuf_release(&known_ms);
	return status < 0 ? -1 : 0;
}

int client_recall(const struct conf_pair *pair, struct s3 *s3,
    struct manifest *m, struct error *err)
{
	int64_t offset_ns;

	if (client_clock(m, &offset_ns, err) < 0)
		return -1;
	s3_clock_assume_ns(s3, offset_ns);
	return recall_region(pair, s3, m, err);
}
