/* SPDX-License-Identifier: MIT */
/* Objects as files: the body, then a trailer of lines that tell the rest. */
#include "disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/strbuf.h"
#include "text.h"

#define STAGED ".staged"
#define TRAILER_MAX (64 << 10)
#define LENGTH_LEN 9 /* the trailer ends in its length: "00001234\n" */
#define PATH_ROOM 4096

static void object_path(char out[PATH_ROOM], const char *dir,
    const char *bucket, const struct object *o)
{
	unsigned char hash[DIGEST_SHA256_SIZE];
	char hex[2 * DIGEST_SHA256_SIZE + 1];

	digest_once(DIGEST_SHA256, object_key(o), o->key_len, hash);
	digest_hex(hash, sizeof(hash), hex);
	snprintf(out, PATH_ROOM, "%s/%s/%.2s/%s", dir, bucket, hex, hex + 2);
}

int disk_make_bucket(const char *dir, const char *bucket, struct error *err)
{
	char path[PATH_ROOM];

	for (unsigned i = 0; i < 256; i++) {
		snprintf(path, sizeof(path), "%s/%s/%02x", dir, bucket, i);
		if (fs_make_dirs(path, 0777, err) < 0)
			return -1;
	}
	return 0;
}

int disk_stage(const char *dir, struct object *o)
{
	static atomic_uint_fast64_t serial;
	char path[PATH_ROOM];

	snprintf(path, sizeof(path), "%s/%s/%" PRIuFAST64, dir, STAGED,
	    atomic_fetch_add(&serial, 1));
	o->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (o->fd < 0)
		return -1;
	o->staged_path = alloc_string(path);
	return 0;
}

int disk_append(struct object *o, const void *bytes, size_t len)
{
	const char *from = bytes;

	while (len > 0) {
		ssize_t n = write(o->fd, from, len);

		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0) {
			from += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

int disk_seal(struct object *o)
{
	struct strbuf trailer = STRBUF_INIT(TRAILER_MAX);
	const char *name, *value;
	size_t at = 0;
	int result;

	strbuf_adds(&trailer, "\nkey ");
	text_escape(&trailer, TEXT_PATH, object_key(o), o->key_len);
	strbuf_addf(&trailer, "\netag %s\nmtime_ms %" PRId64 "\nclass %s\n",
	    o->etag, o->mtime_ms, o->storage_class);
	while ((name = text_next_pair(object_headers(o), o->headers_len, &at,
		    &value))) {
		strbuf_addf(&trailer, "%s: ", name);
		text_escape(&trailer, TEXT_URI, value, strlen(value));
		strbuf_addc(&trailer, '\n');
	}
	strbuf_addf(&trailer, "%08zu\n", trailer.len + LENGTH_LEN);
	result = disk_append(o, strbuf_text(&trailer), trailer.len);
	strbuf_release(&trailer);
	return result;
}

int disk_publish(const char *dir, const char *bucket, struct object *o)
{
	char path[PATH_ROOM];

	object_path(path, dir, bucket, o);
	if (rename(o->staged_path, path) < 0)
		return -1;
	free(o->staged_path);
	o->staged_path = NULL;
	close(o->fd);
	o->fd = -1;
	return 0;
}

int disk_remove(const char *dir, const char *bucket, const struct object *o)
{
	char path[PATH_ROOM];

	object_path(path, dir, bucket, o);
	return unlink(path);
}

int disk_open(const char *dir, const char *bucket, const struct object *o)
{
	char path[PATH_ROOM];

	object_path(path, dir, bucket, o);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* ---- reading a directory at start ---- */

/* The file's trailer, NUL-terminated, and where it begins; NULL: none. */
static char *read_trailer(int fd, int64_t *begins)
{
	char length_text[LENGTH_LEN];
	int64_t length;
	struct stat st;
	char *trailer;

	if (fstat(fd, &st) < 0 ||
	    pread(fd, length_text, LENGTH_LEN, st.st_size - LENGTH_LEN) !=
		LENGTH_LEN)
		return NULL;
	length_text[LENGTH_LEN - 1] = '\0';
	length = text_number(length_text, TRAILER_MAX);
	if (length < LENGTH_LEN || length > st.st_size)
		return NULL;
	*begins = st.st_size - length;
	trailer = alloc_zero(1, (size_t)length + 1);
	if (pread(fd, trailer, (size_t)length, *begins) == length)
		return trailer;
	free(trailer);
	return NULL;
}

static struct object *parse_trailer(char *trailer, int64_t size)
{
	struct strbuf headers = STRBUF_INIT(TRAILER_MAX);
	char *rest = trailer, *line, *value, *key = NULL;
	const char *etag = "", *class = NULL;
	int64_t mtime_ms = 0;
	struct object *o = NULL;
	size_t key_len = 0;

	while ((line = strsep(&rest, "\n"))) {
		value = strchr(line, ' ');
		if (!value)
			continue;
		*value++ = '\0';
		if (strcmp(line, "key") == 0) {
			key = value;
			key_len = text_unescape(key, strlen(key), false);
		} else if (strcmp(line, "etag") == 0) {
			etag = value;
		} else if (strcmp(line, "mtime_ms") == 0) {
			mtime_ms = text_number(value, INT64_MAX / 10);
		} else if (strcmp(line, "class") == 0) {
			class = object_storage_class(value);
		} else {
			line[strlen(line) - 1] = '\0';
			text_unescape(value, strlen(value), false);
			text_pair(&headers, line, value);
		}
	}
	if (key && class) {
		o = object_new(key, key_len, strbuf_text(&headers), headers.len,
		    size, false);
		object_set_etag(o, etag);
		o->mtime_ms = mtime_ms;
		o->storage_class = class;
	}
	strbuf_release(&headers);
	return o;
}

static struct object *load_object(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct object *o = NULL;
	int64_t size = 0;
	char *trailer;

	if (fd < 0)
		return NULL;
	trailer = read_trailer(fd, &size);
	if (trailer)
		o = parse_trailer(trailer, size);
	free(trailer);
	close(fd);
	return o;
}

/* Calls ${each} with the path of every entry of a directory. */
static int each_entry(const char *path,
    int (*each)(void *arg, const char *path, const char *name,
	struct error *err),
    void *arg, struct error *err)
{
	DIR *dir = opendir(path);
	char child[PATH_ROOM + 256];
	struct dirent *entry;
	int result = 0;

	if (!dir)
		return error_sys(err, ERROR_LOCAL, errno, "%s", path);
	while (result == 0 && (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(child, sizeof(child), "%s/%s", path, entry->d_name);
		result = each(arg, child, entry->d_name, err);
	}
	closedir(dir);
	return result;
}

struct loading {
	void (*each_bucket)(void *arg, const char *bucket, int64_t created_ms);
	void (*each_object)(void *arg, struct object *o);
	void *arg;
};

static int remove_staged(void *arg, const char *path, const char *name,
    struct error *err)
{
	(void)arg;
	(void)name;
	if (unlink(path) < 0)
		return error_sys(err, ERROR_LOCAL, errno, "%s", path);
	return 0;
}

static int load_file(void *arg, const char *path, const char *name,
    struct error *err)
{
	struct loading *loading = arg;
	struct object *o = load_object(path);

	(void)name;
	if (!o)
		return error_set(err, ERROR_LOCAL, "%s is no stored object",
		    path);
	loading->each_object(loading->arg, o);
	return 0;
}

static int load_part(void *arg, const char *path, const char *name,
    struct error *err)
{
	(void)name;
	return each_entry(path, load_file, arg, err);
}

static int load_bucket(void *arg, const char *path, const char *name,
    struct error *err)
{
	struct loading *loading = arg;
	struct stat st;

	if (strcmp(name, STAGED) == 0)
		return each_entry(path, remove_staged, NULL, err);
	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return error_set(err, ERROR_LOCAL, "%s is no bucket", path);
	loading->each_bucket(loading->arg, name, st.st_ctim.tv_sec * 1000);
	return each_entry(path, load_part, arg, err);
}

int disk_load(const char *dir,
    void (*each_bucket)(void *arg, const char *bucket, int64_t created_ms),
    void (*each_object)(void *arg, struct object *o), void *arg,
    struct error *err)
{
	struct loading loading = { each_bucket, each_object, arg };
	char staged[PATH_ROOM];

	snprintf(staged, sizeof(staged), "%s/%s", dir, STAGED);
	if (fs_make_dirs(staged, 0777, err) < 0)
		return -1;
	return each_entry(dir, load_bucket, &loading, err);
}
