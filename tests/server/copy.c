/* SPDX-License-Identifier: MIT */
/* CopyObject: the body and what is stored with it, under another key. */
#include "copy.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "parts.h"
#include "reply.h"
#include "request.h"
#include "text.h"
#include "verb.h"

#define HEADERS_MAX ((size_t)32 << 10)
#define SOURCE_MAX ((size_t)4096)

/* "/BUCKET/KEY", percent-encoded; the first '/' may lack. */
static struct object *find_source(struct request *r)
{
	struct strbuf source = STRBUF_INIT(SOURCE_MAX);
	size_t bucket_len = strlen(r->bucket_name), len;
	const char *header = request_header(r, "x-amz-copy-source");
	struct object *o = NULL;

	strbuf_adds(&source, *header == '/' ? header + 1 : header);
	if (source.len > 0)
		strbuf_truncate(&source,
		    text_unescape(source.buf, source.len, false));
	len = source.len;
	if (len > bucket_len + 1 && source.buf[bucket_len] == '/' &&
	    memcmp(source.buf, r->bucket_name, bucket_len) == 0)
		o = store_get(r->server->store, r->bucket,
		    source.buf + bucket_len + 1, len - bucket_len - 1, NULL);
	strbuf_release(&source);
	return o;
}

static void reply_copied(struct request *r, const char *etag)
{
	char date[CLOCK_ISO_MAX];

	clock_format_utc(r->now_ns, date);
	reply_xml(r, 200);
	strbuf_addf(&r->body,
	    "<CopyObjectResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/"
	    "\"><LastModified>%s</LastModified><ETag>&quot;%s&quot;</ETag>"
	    "</CopyObjectResult>",
	    date, etag);
}

void copy_object(struct request *r)
{
	struct strbuf headers = STRBUF_INIT(HEADERS_MAX);
	struct object *source = find_source(r);
	struct part whole = { 1, source };
	struct condition condition;

	if (!source) {
		reply_error(r, "NoSuchKey", NULL);
		goto out;
	}
	if (verb_write_condition(r, &condition) < 0)
		goto out;
	strbuf_add(&headers, object_headers(source), source->headers_len);
	r->staged = parts_join(r->server->store, r->key, r->key_len, &headers,
	    &whole, 1);
	if (!r->staged)
		reply_error(r, "InternalError", NULL);
	else if (verb_store(r, source->etag, &condition) == 0)
		reply_copied(r, source->etag);
out:
	if (source)
		object_unref(source);
	strbuf_release(&headers);
}
