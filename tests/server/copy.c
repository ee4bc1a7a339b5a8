/* SPDX-License-Identifier: MIT */
/* CopyObject: the body and what is stored with it, under another key. */
#include "copy.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "reply.h"
#include "request.h"
#include "store.h"
#include "text.h"
#include "verb.h"

#define HEADERS_MAX ((size_t)32 << 10)
#define SOURCE_MAX ((size_t)4096)

/* "/BUCKET/KEY", percent-encoded; the first '/' may lack. *fd is the body's
 * file, or -1. */
static struct object *find_source(struct request *r, int *fd)
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
		    source.buf + bucket_len + 1, len - bucket_len - 1, fd);
	strbuf_release(&source);
	return o;
}

static int append_file(struct object *to, int fd, int64_t size)
{
	static const size_t step = (size_t)1 << 16;
	char *buf = alloc_bytes(step);
	int64_t at = 0;
	ssize_t n;

	while (at < size && (n = pread(fd, buf, step, at)) > 0) {
		if (n > size - at)
			n = (ssize_t)(size - at);
		if (store_append(to, buf, (size_t)n) < 0)
			break;
		at += n;
	}
	free(buf);
	return at == size ? 0 : -1;
}

static int append_bytes(struct object *to, const struct object *source)
{
	const unsigned char *bytes;
	size_t n;

	for (int64_t from = 0; from < source->size; from += (int64_t)n) {
		n = object_bytes(source, from, &bytes);
		if (store_append(to, bytes, n) < 0)
			return -1;
	}
	return 0;
}

/* A staged object with the body of ${source}; NULL: no room. */
static struct object *stage_copy(struct request *r,
    const struct object *source, int fd)
{
	struct strbuf headers = STRBUF_INIT(HEADERS_MAX);
	struct object *to;

	strbuf_add(&headers, object_headers(source), source->headers_len);
	to = store_stage(r->server->store, r->key, r->key_len, &headers,
	    source->size);
	strbuf_release(&headers);
	if (to && (object_is_in_file(source)
		? append_file(to, fd, source->size)
		: append_bytes(to, source)) < 0) {
		object_unref(to);
		return NULL;
	}
	return to;
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
	int fd = -1;
	struct object *source = find_source(r, &fd);
	struct condition condition;

	if (!source) {
		reply_error(r, "NoSuchKey", NULL);
		return;
	}
	if (verb_write_condition(r, &condition) == 0) {
		r->staged = stage_copy(r, source, fd);
		if (!r->staged)
			reply_error(r, "InternalError", NULL);
		else if (verb_store(r, source->etag, &condition) == 0)
			reply_copied(r, source->etag);
	}
	object_unref(source);
	if (fd >= 0)
		close(fd);
}
