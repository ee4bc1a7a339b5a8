/* SPDX-License-Identifier: MIT */
/*
 * INI files. inih splits KEY = VALUE; its defaults are lenient (continued
 * lines, inline comments, lines and section names cut at a fixed length), so
 * Debian's run-time switches turn that off, and the reader that feeds it
 * checks each line and tells of sections.
 */
#include "base/ini.h"

#include <ini.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/strbuf.h"

#define FILE_MAX ((size_t)1 << 20)
#define LINE_LENGTH_MAX ((size_t)4096)
#define BLANKS " \t\r\v\f"

struct reader {
	const char *next; /* the rest of the text */
	const char *end;
	int line;
	char *section;
	char **seen; /* "SECTION]KEY" of each key so far */
	size_t seen_count;
	size_t seen_room;
	bool failed;

	ini_section_fn *on_section;
	ini_key_fn *on_key;
	bool (*repeatable)(const char *key);
	void *arg;
	struct error *err;
};

static int check_length(const struct reader *r, const char *line, size_t len)
{
	if (len > LINE_LENGTH_MAX)
		return error_set(r->err, ERROR_CONFIG,
		    "the line is longer than %zu bytes", LINE_LENGTH_MAX);
	if (memchr(line, '\0', len) != NULL)
		return error_set(r->err, ERROR_CONFIG,
		    "the line contains a NUL byte");
	return 0;
}

/* ${line} begins with '['. */
static int read_section(struct reader *r, const char *line)
{
	size_t name = strcspn(line + 1, "]");
	const char *rest = line + 1 + name;

	if (name == 0 || *rest != ']' || rest[1 + strspn(rest + 1, BLANKS)])
		return error_set(r->err, ERROR_CONFIG,
		    "expected [SECTION] and nothing after it");
	free(r->section);
	r->section = alloc_copy(line + 1, name + 1);
	r->section[name] = '\0';
	if (r->on_section == NULL)
		return 0;
	return r->on_section(r->arg, r->section, r->line, r->err);
}

/* ${line} is NUL-terminated and has no newline. */
static int check_line(struct reader *r, const char *line)
{
	line += strspn(line, BLANKS);
	if (*line == '\0' || *line == ';' || *line == '#')
		return 0;
	if (*line == '[')
		return read_section(r, line);
	if (*line == '=' || line[strcspn(line, "=:")] != '=')
		return error_set(r->err, ERROR_CONFIG,
		    "expected [SECTION], KEY = VALUE or a comment");
	return 0;
}

/* inih's fgets(): the next line, of which ${room} has been made to suffice. */
static char *read_line(char *room, int size, void *stream)
{
	struct reader *r = stream;
	const char *newline;
	size_t len;

	(void)size;
	if (r->failed || r->next == r->end)
		return NULL;
	r->line++;
	newline = memchr(r->next, '\n', (size_t)(r->end - r->next));
	len = (size_t)((newline != NULL ? newline : r->end) - r->next);
	r->failed = check_length(r, r->next, len) < 0;
	if (r->failed)
		return NULL;
	memcpy(room, r->next, len);
	room[len] = '\0';
	r->next = newline != NULL ? newline + 1 : r->end;
	r->failed = check_line(r, room) < 0;
	return r->failed ? NULL : room;
}

static int note_key(struct reader *r, const char *key)
{
	struct strbuf id = STRBUF_INIT(2 * LINE_LENGTH_MAX);
	size_t i;

	if (r->repeatable != NULL && r->repeatable(key))
		return 0;
	strbuf_addf(&id, "%s]%s", r->section, key);
	for (i = 0; i < r->seen_count; i++)
		if (strcmp(r->seen[i], strbuf_text(&id)) == 0)
			break;
	if (i < r->seen_count) {
		strbuf_release(&id);
		return error_set(r->err, ERROR_CONFIG, "'%s' is given twice",
		    key);
	}
	ALLOC_GROW(r->seen, r->seen_count + 1, r->seen_room);
	r->seen[r->seen_count++] = strbuf_detach(&id);
	return 0;
}

/* inih wants 1 for success. Its section name may be cut: ours is not. */
static int take_key(void *user, const char *section, const char *key,
    const char *value)
{
	struct reader *r = user;

	(void)section;
	r->failed = note_key(r, key) < 0 ||
	    r->on_key(r->arg, r->section, key, value, r->line, r->err) < 0;
	return !r->failed;
}

static void configure_inih(void)
{
	ini_allow_bom = false; /* skipped before */
	ini_allow_multiline = false;
	ini_allow_inline_comments = false;
	ini_use_stack = false;
	ini_max_line = ini_initial_alloc = (int)LINE_LENGTH_MAX + 3;
}

static int read_text(struct reader *r)
{
	static const char bom[] = "\xef\xbb\xbf";
	int rc;

	if ((size_t)(r->end - r->next) >= strlen(bom) &&
	    memcmp(r->next, bom, strlen(bom)) == 0)
		r->next += strlen(bom);
	configure_inih();
	rc = ini_parse_stream(read_line, r, take_key, r);
	if (rc < 0)
		alloc_failed();
	if (rc > 0 && !r->failed)
		return error_set(r->err, ERROR_CONFIG, "inih refuses the line");
	return r->failed ? -1 : 0;
}

int ini_read(const char *path, ini_section_fn *section, ini_key_fn *key,
    bool (*repeatable)(const char *key), void *arg, struct error *err)
{
	struct reader r = {
		.on_section = section,
		.on_key = key,
		.repeatable = repeatable,
		.arg = arg,
		.err = err,
	};
	char *text;
	size_t len, i;
	int rc;

	if (fs_read_file(path, FILE_MAX, ERROR_CONFIG, &text, &len, err) < 0)
		return -1;
	r.next = text;
	r.end = text + len;
	r.section = alloc_string("");
	rc = read_text(&r);
	if (rc < 0)
		error_prefix(err, "%s:%d", path, r.line);
	for (i = 0; i < r.seen_count; i++)
		free(r.seen[i]);
	free(r.seen);
	free(r.section);
	free(text);
	return rc;
}
