/* SPDX-License-Identifier: MIT */
/* One request: its target, its parameters, whose bucket and which key. */
#include "request.h"

#include <inttypes.h>
#include <microhttpd.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "reply.h"
#include "text.h"

#define TEXT_BODY_MAX (8 << 20)
#define HEADERS_MAX (64 << 10)
#define CONTROL "/_test/"
#define IDENTITY "/_identity/"
#define REPLY_MAX (1 << 30)

static void parse_params(struct request *r, const char *query)
{
	size_t count = 1;
	char *rest, *field;

	for (const char *c = query; *c; c++)
		count += *c == '&';
	r->params = alloc_zero(count, sizeof(*r->params));
	rest = r->param_text = alloc_string(query);
	while ((field = strsep(&rest, "&"))) {
		struct param *p = &r->params[r->n_params];
		char *equals = strchr(field, '=');

		if (!*field)
			continue;
		p->name = field;
		p->value = equals ? equals + 1 : field + strlen(field);
		if (equals)
			*equals = '\0';
		p->name_len = text_unescape(p->name, strlen(p->name), true);
		p->value_len = text_unescape(p->value, strlen(p->value), true);
		r->n_params++;
	}
}

struct request *request_new(struct server *server, const char *target)
{
	static atomic_uint_fast64_t serial;
	struct request *r = alloc_zero(1, sizeof(*r));

	r->server = server;
	snprintf(r->id, sizeof(r->id), "%016" PRIX64,
	    (uint64_t)atomic_fetch_add(&serial, 1));
	r->target = alloc_string(target);
	r->path_len = strcspn(target, "?");
	r->object_fd = -1;
	r->is_control = text_begins(target, CONTROL);
	r->is_identity = text_begins(target, IDENTITY);
	strbuf_init(&r->text, TEXT_BODY_MAX);
	strbuf_init(&r->headers, HEADERS_MAX);
	strbuf_init(&r->body, REPLY_MAX);
	parse_params(r, target[r->path_len] ? target + r->path_len + 1 : "");
	return r;
}

/* The bucket's part of a Host header: what stands before ".localhost" or
 * ".s3." (or ".s3-fips." and its like); 0: none. */
static size_t host_bucket_len(const char *host)
{
	size_t len = strcspn(host, ":");
	const char *s3 = strstr(host, ".s3");
	const char *local = ".localhost";
	size_t local_len = strlen(local);

	if (s3 && strchr(".-", s3[strlen(".s3")]))
		return (size_t)(s3 - host);
	if (len > local_len &&
	    memcmp(host + len - local_len, local, local_len) == 0)
		return len - local_len;
	return 0;
}

static void set_key(struct request *r, const char *raw, size_t len)
{
	r->key = alloc_bytes(len + 1);
	memcpy(r->key, raw, len);
	r->key_len = text_unescape(r->key, len, false);
}

static void set_bucket(struct request *r, const char *raw, size_t len)
{
	if (len >= sizeof(r->bucket_name))
		len = sizeof(r->bucket_name) - 1;
	memcpy(r->bucket_name, raw, len);
	text_unescape(r->bucket_name, len, false);
}

void request_route(struct request *r)
{
	const char *host = request_header(r, "Host");
	size_t host_len = host ? host_bucket_len(host) : 0;
	const char *path = r->target, *end = path + r->path_len;
	const char *slash;

	path += *path == '/';
	if (r->is_control) {
		path = r->target + strlen(CONTROL);
	} else if (r->is_identity) {
		path = r->target + strlen(IDENTITY);
	} else if (host_len > 0) {
		set_bucket(r, host, host_len);
	} else {
		slash = memchr(path, '/', (size_t)(end - path));
		if (!slash)
			slash = end;
		set_bucket(r, path, (size_t)(slash - path));
		path = slash < end ? slash + 1 : end;
	}
	set_key(r, path, (size_t)(end - path));
	r->bucket = store_bucket(r->server->store, r->bucket_name);
}

void request_free(struct request *r)
{
	reply_clear(r);
	strbuf_release(&r->headers);
	strbuf_release(&r->body);
	strbuf_release(&r->text);
	digest_free(r->sha256);
	digest_free(r->checksum);
	digest_free(r->md5);
	object_unref(r->staged);
	free(r->target);
	free(r->params);
	free(r->param_text);
	free(r->key);
	free(r);
}

const char *request_header(const struct request *r, const char *name)
{
	return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND,
	    name);
}

const struct param *request_param(const struct request *r, const char *name)
{
	for (size_t i = 0; i < r->n_params; i++)
		if (strcmp(r->params[i].name, name) == 0)
			return &r->params[i];
	return NULL;
}
