/* SPDX-License-Identifier: MIT */
/*
 * Globs, compiled to sets of bytes. Stars are matched greedily with one point
 * to return to, first between names and then within one, so that the time is
 * at most the product of the lengths, whatever the glob.
 */
#include "sync/filter.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/digest.h"

/* One place in a glob: any run of bytes, or one byte of a set. */
struct atom {
	bool star;
	uint32_t set[8];
};

/* What stands between two slashes. */
struct segment {
	size_t first, count; /* atoms */
	bool any_depth;      /* "**": any number of names, none among them */
};

struct pattern {
	bool include;
	bool dir_only; /* had a trailing '/' */
	bool anchored; /* has another '/': for the whole key, else for a name */
	struct atom *atom;
	size_t atom_count, atom_room;
	struct segment *segment;
	size_t segment_count, segment_room;
	char *text; /* as given */
};

struct filter {
	struct pattern *pattern;
	size_t count, room;
	char hash[2 * DIGEST_SHA256_SIZE + 1];
};

struct filter *filter_new(void)
{
	return alloc_zero(1, sizeof(struct filter));
}

static void pattern_release(struct pattern *p)
{
	free(p->atom);
	free(p->segment);
	free(p->text);
}

void filter_free(struct filter *f)
{
	if (f == NULL)
		return;
	for (size_t i = 0; i < f->count; i++)
		pattern_release(&f->pattern[i]);
	free(f->pattern);
	free(f);
}

/* Compiling. A glob is parsed from ${at} to ${end}. */

struct parser {
	const char *at, *end;
	struct pattern *pattern;
	const char *problem; /* why the glob is none */
};

static void set_add(struct atom *a, unsigned char byte)
{
	a->set[byte / 32] |= UINT32_C(1) << byte % 32;
}

static void set_add_range(struct atom *a, unsigned char from, unsigned char to)
{
	for (int byte = from; byte <= to; byte++)
		set_add(a, (unsigned char)byte);
}

static void set_invert(struct atom *a)
{
	for (size_t i = 0; i < 8; i++)
		a->set[i] = ~a->set[i];
}

static bool set_has(const struct atom *a, unsigned char byte)
{
	return a->set[byte / 32] >> byte % 32 & 1;
}

static const struct {
	const char *name;
	int (*is)(int c);
} byte_class[] = {
	{ "alnum", isalnum },
	{ "alpha", isalpha },
	{ "blank", isblank },
	{ "cntrl", iscntrl },
	{ "digit", isdigit },
	{ "graph", isgraph },
	{ "lower", islower },
	{ "print", isprint },
	{ "punct", ispunct },
	{ "space", isspace },
	{ "upper", isupper },
	{ "xdigit", isxdigit },
};

/* The "[:name:]" at ${p}, ASCII whatever the locale. False: no such class. */
static bool add_byte_class(struct atom *a, const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(byte_class) / sizeof(byte_class[0]);
	     i++) {
		if (strlen(byte_class[i].name) != len ||
		    memcmp(byte_class[i].name, name, len) != 0)
			continue;
		for (int c = 0; c < 128; c++) {
			if (byte_class[i].is(c))
				set_add(a, (unsigned char)c);
		}
		return true;
	}
	return false;
}

/* If ${p} is at "[:name:]": adds it and moves past it. A "[:" without its
 * ":]" is two ordinary bytes. */
static bool parse_byte_class(struct parser *p, struct atom *a)
{
	const char *name = p->at + 2;
	const char *close;

	if (p->end - p->at < 2 || p->at[0] != '[' || p->at[1] != ':')
		return false;
	close = memchr(name, ']', (size_t)(p->end - name));
	if (close == NULL || close == name || close[-1] != ':')
		return false;
	if (!add_byte_class(a, name, (size_t)(close - 1 - name)))
		p->problem = "no such [:class:]";
	p->at = close + 1;
	return true;
}

/* One byte of a set, perhaps escaped. */
static unsigned char parse_set_byte(struct parser *p)
{
	if (*p->at == '\\')
		p->at++;
	if (p->at == p->end) {
		p->problem = "'[' without ']'";
		return 0;
	}
	return (unsigned char)*p->at++;
}

/* "[...]", ${p} past the '['. A ']' that comes first stands for itself, and
 * so does a '-' that is first, last or after a range. */
static void parse_set(struct parser *p, struct atom *a)
{
	bool inverted = p->at < p->end && (*p->at == '!' || *p->at == '^');
	const char *first = p->at + inverted;

	p->at = first;
	while (p->problem == NULL) {
		unsigned char from, to;

		if (p->at == p->end) {
			p->problem = "'[' without ']'";
			return;
		}
		if (*p->at == ']' && p->at > first)
			break;
		if (parse_byte_class(p, a))
			continue;
		from = to = parse_set_byte(p);
		if (p->end - p->at >= 2 && p->at[0] == '-' && p->at[1] != ']') {
			p->at++;
			to = parse_set_byte(p);
		}
		set_add(a, from); /* even where the range is empty: "z-a" */
		set_add_range(a, from, to);
	}
	p->at++;
	if (inverted)
		set_invert(a);
}

static void parse_atom(struct parser *p)
{
	struct pattern *pat = p->pattern;
	struct atom *a;

	ALLOC_GROW(pat->atom, pat->atom_count + 1, pat->atom_room);
	a = &pat->atom[pat->atom_count++];
	memset(a, 0, sizeof(*a));
	switch (*p->at++) {
	case '*':
		a->star = true;
		while (p->at < p->end && *p->at == '*')
			p->at++;
		break;
	case '?':
		set_invert(a);
		break;
	case '[':
		parse_set(p, a);
		break;
	case '\\':
		if (p->at == p->end || *p->at == '/') {
			p->problem = "a '\\' that escapes nothing";
			return;
		}
		set_add(a, (unsigned char)*p->at++);
		break;
	default:
		set_add(a, (unsigned char)p->at[-1]);
	}
}

static struct segment *add_segment(struct pattern *pat)
{
	struct segment *s;

	ALLOC_GROW(pat->segment, pat->segment_count + 1, pat->segment_room);
	s = &pat->segment[pat->segment_count++];
	s->first = pat->atom_count;
	s->count = 0;
	s->any_depth = false;
	return s;
}

static void parse_segment(struct parser *p)
{
	struct segment *s = add_segment(p->pattern);
	const char *start = p->at;

	while (p->problem == NULL && p->at < p->end && *p->at != '/') {
		parse_atom(p);
		s->count++;
	}
	if (p->at == start)
		p->problem = "an empty name between slashes";
	s->any_depth = p->pattern->anchored && p->at - start >= 2 &&
	    s->count == 1 && p->pattern->atom[s->first].star;
}

static void parse_glob(struct parser *p)
{
	struct pattern *pat = p->pattern;

	if (p->at < p->end && *p->at == '!') {
		pat->include = !pat->include;
		p->at++;
	}
	if (p->at < p->end && p->end[-1] == '/') {
		pat->dir_only = true;
		p->end--;
	}
	if (p->at == p->end) {
		p->problem = "it is empty";
		return;
	}
	pat->anchored = memchr(p->at, '/', (size_t)(p->end - p->at)) != NULL;
	if (*p->at == '/')
		p->at++;
	parse_segment(p);
	while (p->problem == NULL && p->at < p->end) {
		p->at++;
		parse_segment(p);
	}
	/* A final "**" is everything below, not the directory itself. */
	if (p->problem == NULL &&
	    pat->segment[pat->segment_count - 1].any_depth) {
		p->at = "*";
		p->end = p->at + 1;
		parse_segment(p);
	}
}

/* Spaces at the end count only when escaped. */
static size_t trimmed_length(const char *glob)
{
	size_t len = 0;

	for (size_t i = 0; glob[i] != '\0'; i++) {
		if (glob[i] == '\\' && glob[i + 1] != '\0')
			len = ++i + 1;
		else if (glob[i] != ' ')
			len = i + 1;
	}
	return len;
}

int filter_add(struct filter *f, bool include, const char *glob,
    struct error *err)
{
	struct pattern pattern = { .include = include };
	struct parser p = { .at = glob,
		.end = glob + trimmed_length(glob),
		.pattern = &pattern };

	parse_glob(&p);
	if (p.problem != NULL) {
		pattern_release(&pattern);
		return error_set(err, ERROR_CONFIG, "the glob '%s': %s", glob,
		    p.problem);
	}
	pattern.text = alloc_string(glob);
	ALLOC_GROW(f->pattern, f->count + 1, f->room);
	f->pattern[f->count++] = pattern;
	return 0;
}

/* Matching. */

static bool match_name(const struct atom *atom, size_t count, const char *name,
    size_t len)
{
	size_t i = 0, at = 0, retry_i = 0, retry_at = 0;

	while (at < len) {
		if (i < count && atom[i].star) {
			retry_i = ++i;
			retry_at = at;
		} else if (i < count &&
		    set_has(&atom[i], (unsigned char)name[at])) {
			i++;
			at++;
		} else if (retry_i > 0) {
			i = retry_i;
			at = ++retry_at;
		} else {
			return false;
		}
	}
	while (i < count && atom[i].star)
		i++;
	return i == count;
}

static size_t name_end(const char *key, size_t len, size_t at)
{
	const char *slash = memchr(key + at, '/', len - at);

	return slash != NULL ? (size_t)(slash - key) : len;
}

/* As match_name, with names in the place of bytes. */
static bool match_path(const struct pattern *p, const char *key, size_t len)
{
	size_t i = 0, at = 0, retry_i = 0, retry_at = 0;

	while (at <= len) {
		const struct segment *s = &p->segment[i];
		size_t end = name_end(key, len, at);

		if (i < p->segment_count && s->any_depth) {
			retry_i = ++i;
			retry_at = at;
		} else if (i < p->segment_count &&
		    match_name(p->atom + s->first, s->count, key + at,
			end - at)) {
			i++;
			at = end + 1;
		} else if (retry_i > 0) {
			i = retry_i;
			at = retry_at = name_end(key, len, retry_at) + 1;
		} else {
			return false;
		}
	}
	return i == p->segment_count;
}

bool filter_excludes(const struct filter *f, const char *key, size_t len,
    bool is_dir)
{
	const char *slash = memrchr(key, '/', len);
	const char *name = slash != NULL ? slash + 1 : key;

	for (size_t i = f->count; i-- > 0;) {
		const struct pattern *p = &f->pattern[i];

		if (p->dir_only && !is_dir)
			continue;
		if (p->anchored ? match_path(p, key, len)
				: match_name(p->atom, p->atom_count, name,
				      (size_t)(key + len - name)))
			return !p->include;
	}
	return false;
}

/* Is ${dir}, or any directory above it, excluded? */
static bool excludes_dir(const struct filter *f, const char *dir, size_t len)
{
	for (size_t end = 0; end < len; end++) {
		end = name_end(dir, len, end);
		if (filter_excludes(f, dir, end, true))
			return true;
	}
	return false;
}

bool filter_excludes_key(const struct filter *f, struct filter_memo *memo,
    const char *key, size_t len)
{
	const char *slash = memrchr(key, '/', len);
	size_t dir_len = slash != NULL ? (size_t)(slash - key) : 0;
	bool excluded;

	if (memo->valid && memo->dir_len == dir_len &&
	    memcmp(memo->dir, key, dir_len) == 0) {
		excluded = memo->excluded;
	} else {
		excluded = excludes_dir(f, key, dir_len);
		memo->valid = dir_len <= sizeof(memo->dir);
		if (memo->valid) {
			memcpy(memo->dir, key, dir_len);
			memo->dir_len = dir_len;
			memo->excluded = excluded;
		}
	}
	return excluded || filter_excludes(f, key, len, false);
}

const char *filter_hash(struct filter *f)
{
	unsigned char sum[DIGEST_SHA256_SIZE];
	struct digest *d = digest_new(DIGEST_SHA256);

	for (size_t i = 0; i < f->count; i++) {
		const struct pattern *p = &f->pattern[i];

		digest_update(d, p->include ? "+" : "-", 1);
		digest_update(d, p->text, strlen(p->text) + 1);
	}
	digest_final(d, sum);
	digest_free(d);
	digest_hex(sum, sizeof(sum), f->hash);
	return f->hash;
}
