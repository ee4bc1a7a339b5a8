/* SPDX-License-Identifier: MIT */
/* Generated keys in strict byte order; a key is found by bisection. */
#include "synthetic.h"

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
#include "base/path.h"
#include "text.h"

#define FIXED_LEN 31 /* "d0000/s0000/file_000000000_" and ".ext" */
#define DIRECTORY_LEN 11
#define SIZE_LIMIT (INT64_C(1) << 30)

int synthetic_parse(const char *spec, struct synthetic *s, struct error *err)
{
	int64_t values[3] = { 0, 66, 0 };
	const int64_t limits[3] = { SYNTHETIC_COUNT_MAX, SYNTHETIC_KEY_MAX,
		SIZE_LIMIT };
	char *copy = alloc_string(spec), *rest = copy, *field;
	unsigned char md5[DIGEST_MD5_SIZE];
	int result = 0;

	for (int i = 0; i < 3 && (field = strsep(&rest, ":")); i++)
		values[i] = text_number(field, limits[i]);
	if (rest || values[0] < 0 || values[1] < FIXED_LEN || values[2] < 0)
		result = error_set(err, ERROR_USAGE,
		    "'%s' is not COUNT[:KEYLEN[:SIZE]] with COUNT <= %" PRId64
		    ", KEYLEN %d to %d",
		    spec, SYNTHETIC_COUNT_MAX, FIXED_LEN, SYNTHETIC_KEY_MAX);
	free(copy);
	if (result < 0)
		return -1;

	s->count = values[0];
	s->key_len = (size_t)values[1];
	s->size = values[2];
	s->bytes = alloc_bytes((size_t)s->size + 1);
	for (int64_t i = 0; i < s->size; i++)
		s->bytes[i] = (unsigned char)"s3testd\n"[i % 8];
	digest_once(DIGEST_MD5, s->bytes, (size_t)s->size, md5);
	digest_hex(md5, sizeof(md5), s->etag);
	return 0;
}

void synthetic_release(struct synthetic *s)
{
	free(s->bytes);
	s->bytes = NULL;
}

static uint64_t splitmix64(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static char *put_digits(char *at, int64_t value, int width)
{
	for (int i = width - 1; i >= 0; i--, value /= 10)
		at[i] = (char)('0' + value % 10);
	return at + width;
}

static char *put_text(char *at, const char *text, size_t len)
{
	memcpy(at, text, len);
	return at + len;
}

void synthetic_key(const struct synthetic *s, int64_t i,
    char out[SYNTHETIC_KEY_MAX + 1])
{
	static const char extensions[4][5] = { ".jpg", ".png", ".txt", ".bin" };
	uint64_t hash = splitmix64((uint64_t)i);
	char *end = out + s->key_len - 4;
	char *at = out;

	*at++ = 'd';
	at = put_digits(at, i / 10000, 4);
	at = put_text(at, "/s", 2);
	at = put_digits(at, i / 100 % 100, 4);
	at = put_text(at, "/file_", 6);
	at = put_digits(at, i, 9);
	*at++ = '_';
	for (unsigned shift = 0; at < end; shift = (shift + 4) & 63)
		*at++ = "0123456789abcdef"[hash >> shift & 15];
	at = put_text(at, extensions[hash >> 62], 4);
	*at = '\0';
}

int64_t synthetic_seek(const struct synthetic *s, const char *key, size_t len)
{
	int64_t low = 0, high = s->count;
	char probe[SYNTHETIC_KEY_MAX + 1];

	while (low < high) {
		int64_t middle = low + (high - low) / 2;

		synthetic_key(s, middle, probe);
		if (path_compare(probe, s->key_len, key, len) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int64_t synthetic_find(const struct synthetic *s, const char *key, size_t len)
{
	char probe[SYNTHETIC_KEY_MAX + 1];
	int64_t i;

	if (len != s->key_len)
		return -1;
	i = synthetic_seek(s, key, len);
	if (i == s->count)
		return -1;
	synthetic_key(s, i, probe);
	return memcmp(probe, key, len) == 0 ? i : -1;
}

void synthetic_print(const struct synthetic *s)
{
	char key[SYNTHETIC_KEY_MAX + 1];

	for (int64_t i = 0; i < s->count; i++) {
		synthetic_key(s, i, key);
		printf("%s\t%" PRId64 "\n", key, s->size);
	}
}

static int make_file(const struct synthetic *s, int dir_fd, const char *name,
    struct error *err)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
	    0644);
	int64_t done = 0;

	if (fd < 0)
		return error_sys(err, ERROR_LOCAL, errno, "%s", name);
	while (done < s->size) {
		ssize_t n =
		    write(fd, s->bytes + done, (size_t)(s->size - done));

		if (n < 0) {
			error_sys(err, ERROR_LOCAL, errno, "%s", name);
			close(fd);
			return -1;
		}
		done += n;
	}
	close(fd);
	return 0;
}

int synthetic_make_tree(const struct synthetic *s, const char *dir,
    struct error *err)
{
	struct strbuf path = STRBUF_INIT(8192);
	char key[SYNTHETIC_KEY_MAX + 1];
	int result = 0, dir_fd = -1;

	for (int64_t i = 0; i < s->count && result == 0; i++) {
		synthetic_key(s, i, key);
		if (i % 100 == 0) {
			strbuf_clear(&path);
			strbuf_addf(&path, "%s/%.*s", dir, DIRECTORY_LEN, key);
			result = fs_make_dirs(strbuf_text(&path), 0755, err);
			if (result < 0)
				break;
			if (dir_fd >= 0)
				close(dir_fd);
			dir_fd = open(strbuf_text(&path),
			    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			if (dir_fd < 0) {
				result = error_sys(err, ERROR_LOCAL, errno,
				    "%s", strbuf_text(&path));
				break;
			}
		}
		result = make_file(s, dir_fd, key + DIRECTORY_LEN + 1, err);
	}
	if (dir_fd >= 0)
		close(dir_fd);
	strbuf_release(&path);
	return result;
}
