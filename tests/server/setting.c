/* SPDX-License-Identifier: MIT */
/* Versioning, lifecycle and their like. */
#include "setting.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "reply.h"
#include "request.h"

/* What is said where none is given: a document, or an error. */
static const struct {
	const char *name; /* the query parameter */
	const char *document, *code, *message;
} kinds[] = {
	{ "versioning", "<VersioningConfiguration/>", NULL, NULL },
	{ "lifecycle", NULL, "NoSuchLifecycleConfiguration",
	    "The lifecycle configuration does not exist" },
	{ "encryption", NULL, "ServerSideEncryptionConfigurationNotFoundError",
	    "The server side encryption configuration was not found" },
	{ "object-lock", NULL, "ObjectLockConfigurationNotFoundError",
	    "Object Lock configuration does not exist for this bucket" },
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

struct bucket_settings {
	pthread_mutex_t lock;
	char *documents[KINDS]; /* NULL: none */
};

struct bucket_settings *settings_new(void)
{
	struct bucket_settings *s = alloc_zero(1, sizeof(*s));

	pthread_mutex_init(&s->lock, NULL);
	return s;
}

void settings_free(struct bucket_settings *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < KINDS; i++)
		free(s->documents[i]);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static size_t find_asked(const struct request *r)
{
	size_t i = 0;

	while (i < KINDS && !request_param(r, kinds[i].name))
		i++;
	return i;
}

bool setting_is_asked(const struct request *r)
{
	return strcmp(r->method, "GET") == 0 && r->key_len == 0 &&
	    find_asked(r) < KINDS;
}

void setting_get(struct request *r)
{
	size_t i = find_asked(r);
	struct bucket_settings *s = r->server->settings;
	const char *document;

	pthread_mutex_lock(&s->lock);
	document = s->documents[i] ? s->documents[i] : kinds[i].document;
	if (document) {
		reply_xml(r, 200);
		strbuf_adds(&r->body, document);
	} else {
		reply_error_as(r, 404, kinds[i].code, kinds[i].message, NULL);
	}
	pthread_mutex_unlock(&s->lock);
}

int setting_set(struct request *r, const char *name)
{
	struct bucket_settings *s = r->server->settings;
	size_t i = 0;

	while (i < KINDS && strcmp(kinds[i].name, name) != 0)
		i++;
	if (i == KINDS)
		return -1;
	pthread_mutex_lock(&s->lock);
	free(s->documents[i]);
	s->documents[i] = r->text.len > 0
	    ? alloc_string(strbuf_text(&r->text))
	    : NULL;
	pthread_mutex_unlock(&s->lock);
	return 0;
}
