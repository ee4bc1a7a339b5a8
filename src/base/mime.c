/* SPDX-License-Identifier: MIT */
/* Media types by extension: a sorted array, searched by bisection. */
#include "base/mime.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/path.h"

#define FILE_MAX ((size_t)4 << 20)
#define EXTENSION_MAX 64
#define BLANK " \t\r"

struct known {
	char *extension; /* lower case, without the first '.' */
	char *type;
	size_t order;    /* the later wins */
};

struct mime {
	struct known *items; /* sorted by extension; each once */
	size_t count, room;
};

/* In the form of mime.types. */
static const char everybody[] =
    "application/gzip gz tgz\n"
    "application/json json map\n"
    "application/pdf pdf\n"
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet xlsx\n"
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document "
    "docx\n"
    "application/wasm wasm\n"
    "application/xml xml\n"
    "application/zip zip\n"
    "application/zstd zst\n"
    "audio/flac flac\n"
    "audio/mpeg mp3\n"
    "audio/ogg ogg opus\n"
    "font/woff2 woff2\n"
    "image/avif avif\n"
    "image/gif gif\n"
    "image/jpeg jpg jpeg\n"
    "image/png png\n"
    "image/svg+xml svg\n"
    "image/tiff tif tiff\n"
    "image/vnd.microsoft.icon ico\n"
    "image/webp webp\n"
    "text/css css\n"
    "text/csv csv\n"
    "text/html html htm\n"
    "text/javascript js mjs\n"
    "text/markdown md\n"
    "text/plain txt log text\n"
    "video/mp4 mp4\n"
    "video/webm webm\n";

static int compare(const void *a, const void *b)
{
	const struct known *x = a, *y = b;
	int order = strcmp(x->extension, y->extension);

	return order != 0 ? order : (x->order > y->order) - (x->order < y->order);
}

static void release(struct known *known)
{
	free(known->extension);
	free(known->type);
}

/* Of equal extensions the last one stays. */
static void sort(struct mime *m)
{
	size_t kept = 0;

	if (m->count > 0)
		qsort(m->items, m->count, sizeof(*m->items), compare);
	for (size_t i = 0; i < m->count; i++) {
		if (i + 1 < m->count && strcmp(m->items[i].extension,
		    m->items[i + 1].extension) == 0)
			release(&m->items[i]);
		else
			m->items[kept++] = m->items[i];
	}
	m->count = kept;
	for (size_t i = 0; i < kept; i++)
		m->items[i].order = 0;
}

static char *lower(const char *text, size_t len)
{
	char *copy = alloc_bytes(len + 1);

	for (size_t i = 0; i < len; i++)
		copy[i] = (char)tolower((unsigned char)text[i]);
	copy[len] = '\0';
	return copy;
}

/* It is to stand in a header line. */
static bool is_type(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	return memchr(text, '/', len) != NULL;
}

static void add(struct mime *m, const char *type, size_t type_len,
    const char *extension, size_t len)
{
	struct known *known;

	if (len > EXTENSION_MAX)
		return;
	ALLOC_GROW(m->items, m->count + 1, m->room);
	known = &m->items[m->count];
	known->extension = lower(extension, len);
	known->type = alloc_copy(type, type_len + 1);
	known->type[type_len] = '\0';
	known->order = ++m->count;
}

static void add_line(struct mime *m, const char *line, const char *end)
{
	const char *type = line + strspn(line, BLANK), *p;
	size_t type_len = strcspn(type, BLANK "\n"), len;

	if (type >= end || *type == '#' || !is_type(type, type_len))
		return;
	for (p = type + type_len; p < end; p += len) {
		p += strspn(p, BLANK);
		len = strcspn(p, BLANK "\n");
		if (len == 0 || *p == '#')
			return;
		add(m, type, type_len, p, len);
	}
}

static void read_text(struct mime *m, const char *text)
{
	while (*text) {
		const char *end = text + strcspn(text, "\n");

		add_line(m, text, end);
		text = end + (*end != '\0');
	}
	sort(m);
}

struct mime *mime_new(void)
{
	struct mime *m = alloc_zero(1, sizeof(*m));

	read_text(m, everybody);
	return m;
}

int mime_read_file(struct mime *m, const char *path, struct error *err)
{
	char *text = NULL;
	size_t len;

	if (fs_read_file(path, FILE_MAX, ERROR_LOCAL, &text, &len, err) < 0)
		return -1;
	read_text(m, text);
	free(text);
	return 0;
}

struct mime *mime_load(void)
{
	struct mime *m = mime_new();
	const char *home = getenv("HOME");
	struct error absent = ERROR_INIT;
	char path[4096];

	mime_read_file(m, "/etc/mime.types", &absent);
	if (home && *home && snprintf(path, sizeof(path), "%s/.mime.types",
	    home) < (int)sizeof(path))
		mime_read_file(m, path, &absent);
	return m;
}

void mime_free(struct mime *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->count; i++)
		release(&m->items[i]);
	free(m->items);
	free(m);
}

static const char *find(const struct mime *m, const char *extension, size_t len)
{
	char text[EXTENSION_MAX + 1];
	size_t low = 0, high = m->count;

	if (len > EXTENSION_MAX)
		return NULL;
	for (size_t i = 0; i < len; i++)
		text[i] = (char)tolower((unsigned char)extension[i]);
	text[len] = '\0';
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(text, m->items[middle].extension);

		if (order == 0)
			return m->items[middle].type;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* A name that begins with its only '.' is hidden, and has no extension. */
const char *mime_find(const struct mime *m, const char *path, size_t len)
{
	const char *end = path + len, *p = path + path_parent_len(path, len);
	const char *type = NULL;

	if (p < end && *p == '/')
		p++;
	while (!type && p < end && (p = memchr(p + 1, '.', (size_t)(end - p - 1))))
		type = find(m, p + 1, (size_t)(end - p - 1));
	return type ? type : MIME_UNKNOWN;
}
