/* SPDX-License-Identifier: MIT */
/* Faults by script: the rules' grammar, and which of them fire. */
#include "faults.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "text.h"

#define NUMBER_MAX (INT64_C(1) << 50)
#define EFFECTS_MAX 8

/* ---- the grammar: one row for each word ---- */

enum form {
	FORM_WORD,   /* WORD */
	FORM_NUMBER, /* WORD=N */
	FORM_MAYBE,  /* WORD or WORD=N; 1 unless told */
	FORM_SIGNED, /* WORD=N or WORD=-N */
	FORM_TEXT,   /* WORD=TEXT */
};

struct rule {
	struct rule *next;
	char *line; /* as given */
	char *kind;
	char *key;                                      /* glob; NULL: any */
	int64_t nth, every, times, percent, page, seed; /* 0: not asked */
	int64_t seen, fired;
	struct effect {
		const struct effect_word *word;
		int64_t number;
		char text[FAULT_CODE_MAX];
	} effects[EFFECTS_MAX];
	size_t n_effects;
};

static const struct condition_word {
	const char *word;
	size_t number; /* offset in struct rule */
} condition_words[] = {
	{ "nth", offsetof(struct rule, nth) },
	{ "every", offsetof(struct rule, every) },
	{ "times", offsetof(struct rule, times) },
	{ "percent", offsetof(struct rule, percent) },
	{ "page", offsetof(struct rule, page) },
	{ "seed", offsetof(struct rule, seed) },
};

#define WORD(text, shape) .word = text, .form = FORM_##shape
#define NUMBER(field) .number = offsetof(struct fault, field), .scale = 1
#define TEXT(field) .text = offsetof(struct fault, field) + 1
#define FLAG(field) .flag = offsetof(struct fault, field) + 1
#define ANSWER(value) .answer = FAULT_ANSWER_##value
#define PAGE(value) .page = FAULT_PAGE_##value

static const struct effect_word {
	const char *word;
	enum form form;
	size_t number; /* offset in struct fault, where scale is not 0 */
	int64_t scale;
	size_t text; /* 1 + offset of a text in struct fault, of FORM_TEXT */
	size_t flag; /* 1 + offset of a bool in struct fault */
	enum fault_answer answer;
	enum fault_page page;
	int status;
	const char *code;
} effect_words[] = {
	{ WORD("reset-before", WORD), ANSWER(RESET_BEFORE) },
	{ WORD("reset-after", WORD), ANSWER(RESET_AFTER) },
	{ WORD("reset-at", NUMBER), NUMBER(cut_at) },
	{ WORD("header-reset-at", NUMBER), NUMBER(cut_header_at) },
	{ WORD("upload-reset-at", NUMBER), NUMBER(cut_upload_at) },
	{ WORD("status", NUMBER), NUMBER(status), ANSWER(STATUS) },
	{ WORD("code", TEXT), TEXT(code) },
	{ WORD("bucket-region", TEXT), TEXT(region) },
	{ WORD("retry-after", NUMBER), NUMBER(retry_after_s) },
	{ WORD("amz-retry-after", NUMBER), NUMBER(amz_retry_after_ms) },
	{ WORD("late", WORD), FLAG(late) },
	{ WORD("body-error", WORD), ANSWER(BODY_ERROR) },
	{ WORD("html", WORD), ANSWER(HTML) },
	{ WORD("deny", WORD), ANSWER(STATUS), .status = 403,
	    .code = "AccessDenied" },
	{ WORD("hang", NUMBER), .number = offsetof(struct fault, wait_ms),
	    .scale = 1000, ANSWER(HANG) },
	{ WORD("delay", NUMBER), NUMBER(wait_ms) },
	{ WORD("upload-delay", NUMBER), NUMBER(upload_wait_ms) },
	{ WORD("upload-trickle", NUMBER), NUMBER(upload_bytes_per_s) },
	{ WORD("trickle", NUMBER), NUMBER(bytes_per_s) },
	{ WORD("skew", SIGNED), NUMBER(skew_s) },
	{ WORD("truncate-xml", WORD), PAGE(TRUNCATE_XML) },
	{ WORD("unordered", WORD), PAGE(UNORDERED) },
	{ WORD("loop", WORD), PAGE(LOOP) },
	{ WORD("no-token", WORD), PAGE(NO_TOKEN) },
	{ WORD("outside-prefix", WORD), PAGE(OUTSIDE_PREFIX) },
	{ WORD("duplicate-key", WORD), PAGE(DUPLICATE_KEY) },
	{ WORD("empty-page", WORD), PAGE(EMPTY) },
	{ WORD("no-encoding", WORD), PAGE(NO_ENCODING) },
	{ WORD("page-max", NUMBER), NUMBER(page_max) },
	{ WORD("wrong-etag", WORD), FLAG(wrong_etag) },
	{ WORD("no-etag", WORD), FLAG(no_etag) },
	{ WORD("ignore-conditions", WORD), FLAG(ignore_conditions) },
	{ WORD("reject-conditions", WORD), FLAG(reject_conditions) },
	{ WORD("corrupt", WORD), FLAG(corrupt) },
	{ WORD("damage", WORD), FLAG(damage) },
	{ WORD("unchecked", WORD), FLAG(unchecked) },
	{ WORD("short", MAYBE), NUMBER(short_by) },
	{ WORD("wrong-length", MAYBE), NUMBER(long_by) },
	{ WORD("kms", WORD), FLAG(kms) },
	{ WORD("opaque-etag", WORD), FLAG(opaque_etag) },
	{ WORD("wrong-checksum", WORD), FLAG(wrong_checksum) },
	{ WORD("object-lock", WORD), FLAG(object_lock) },
	{ WORD("requester-pays", WORD), FLAG(requester_pays) },
	{ WORD("reject-attributes", WORD), FLAG(reject_attributes) },
	{ WORD("archived", WORD), FLAG(archived) },
	{ WORD("no-ranges", WORD), FLAG(no_ranges) },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int parse_number(enum form form, const char *value, int64_t *number)
{
	bool minus = form == FORM_SIGNED && value && *value == '-';

	if (form == FORM_WORD || form == FORM_TEXT)
		return (form == FORM_TEXT) == (value != NULL) ? 0 : -1;
	if (form == FORM_MAYBE && !value) {
		*number = 1;
		return 0;
	}
	*number = value ? text_number(value + minus, NUMBER_MAX) : -1;
	if (*number < 0)
		return -1;
	if (minus)
		*number = -*number;
	return 0;
}

static int parse_condition(struct rule *r, const struct condition_word *word,
    const char *value)
{
	int64_t *number = (int64_t *)((char *)r + word->number);

	return parse_number(FORM_NUMBER, value, number);
}

static int parse_effect(struct rule *r, const struct effect_word *word,
    const char *value)
{
	struct effect *effect = &r->effects[r->n_effects];

	if (r->n_effects == EFFECTS_MAX ||
	    parse_number(word->form, value, &effect->number) < 0)
		return -1;
	if (word->form == FORM_TEXT)
		snprintf(effect->text, sizeof(effect->text), "%s", value);
	effect->word = word;
	r->n_effects++;
	return 0;
}

static int parse_word(struct rule *r, char *word)
{
	char *value = strchr(word, '=');

	if (value)
		*value++ = '\0';
	if (strcmp(word, "key") == 0 && value && !r->key) {
		text_unescape(value, strlen(value), false);
		r->key = alloc_string(value);
		return 0;
	}
	for (size_t i = 0; i < COUNT(condition_words); i++)
		if (strcmp(condition_words[i].word, word) == 0)
			return parse_condition(r, &condition_words[i], value);
	for (size_t i = 0; i < COUNT(effect_words); i++)
		if (strcmp(effect_words[i].word, word) == 0)
			return parse_effect(r, &effect_words[i], value);
	return -1;
}

/* Where the line is wrong, *err says so. */
static struct rule *parse_rule(const char *line, struct error *err)
{
	struct rule *r = alloc_zero(1, sizeof(*r));
	char *copy = alloc_string(line), *rest = copy, *word;

	r->line = alloc_string(line);
	while ((word = strsep(&rest, " \t"))) {
		if (!*word)
			continue;
		if (!r->kind) {
			r->kind = alloc_string(word);
		} else if (parse_word(r, word) < 0) {
			error_set(err, ERROR_USAGE, "'%s' in '%s'", word, line);
			break;
		}
	}
	if (!word && r->n_effects == 0)
		error_set(err, ERROR_USAGE, "'%s' says not what happens", line);
	free(copy);
	return r;
}

/* ---- the rules in force ---- */

struct faults {
	pthread_mutex_t lock;
	bool (*is_kind)(const char *name);
	struct rule *rules;
	atomic_int count;
};

struct faults *faults_new(bool (*is_kind)(const char *name))
{
	struct faults *f = alloc_zero(1, sizeof(*f));

	f->is_kind = is_kind;
	pthread_mutex_init(&f->lock, NULL);
	return f;
}

static void free_rules(struct rule *rule)
{
	while (rule) {
		struct rule *next = rule->next;

		free(rule->line);
		free(rule->kind);
		free(rule->key);
		free(rule);
		rule = next;
	}
}

void faults_free(struct faults *f)
{
	if (!f)
		return;
	free_rules(f->rules);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

int faults_add(struct faults *f, const char *text, struct error *err)
{
	char *copy = alloc_string(text), *rest = copy, *line;
	struct rule *added = NULL, **end = &added;
	int count = 0;

	error_clear(err);
	while (err->kind == ERROR_NONE && (line = strsep(&rest, "\n"))) {
		line += strspn(line, " \t");
		if (!*line || *line == '#')
			continue;
		*end = parse_rule(line, err);
		if (err->kind == ERROR_NONE && strcmp((*end)->kind, "ANY") &&
		    !f->is_kind((*end)->kind))
			error_set(err, ERROR_USAGE,
			    "'%s' is no kind of request", (*end)->kind);
		end = &(*end)->next;
		count++;
	}
	free(copy);
	if (err->kind != ERROR_NONE) {
		free_rules(added);
		return -1;
	}
	pthread_mutex_lock(&f->lock);
	for (end = &f->rules; *end; end = &(*end)->next)
		;
	*end = added;
	atomic_fetch_add(&f->count, count);
	pthread_mutex_unlock(&f->lock);
	return 0;
}

void faults_clear(struct faults *f)
{
	pthread_mutex_lock(&f->lock);
	free_rules(f->rules);
	f->rules = NULL;
	atomic_store(&f->count, 0);
	pthread_mutex_unlock(&f->lock);
}

void faults_print(struct faults *f, struct strbuf *out)
{
	pthread_mutex_lock(&f->lock);
	for (const struct rule *r = f->rules; r; r = r->next)
		strbuf_addf(out, "%" PRId64 " of %" PRId64 ": %s\n", r->fired,
		    r->seen, r->line);
	pthread_mutex_unlock(&f->lock);
}

bool faults_any(struct faults *f)
{
	return atomic_load(&f->count) > 0;
}

/* 0..99, the same sequence for the same seed. */
static int64_t draw(struct rule *r)
{
	uint64_t x = (uint64_t)r->seed * 1000003 + (uint64_t)r->seen;

	x ^= x >> 33;
	x *= UINT64_C(0xff51afd7ed558ccd);
	x ^= x >> 33;
	x *= UINT64_C(0xc4ceb9fe1a85ec53);
	return (int64_t)((x ^ x >> 33) % 100);
}

static bool is_named(const struct rule *r, const char *key)
{
	return !r->key || fnmatch(r->key, key, 0) == 0;
}

static bool is_met(const struct rule *r, const char *kind, const char *key,
    int64_t page)
{
	return (strcmp(r->kind, "ANY") == 0 || strcmp(r->kind, kind) == 0) &&
	    is_named(r, key) && (r->page == 0 || r->page == page);
}

static bool fires(struct rule *r)
{
	r->seen++;
	if ((r->nth && r->seen != r->nth) ||
	    (r->every && r->seen % r->every != 0) ||
	    (r->times && r->fired >= r->times) ||
	    (r->percent && draw(r) >= r->percent))
		return false;
	r->fired++;
	return true;
}

static void apply(const struct effect *effect, struct fault *fault)
{
	const struct effect_word *word = effect->word;
	char *base = (char *)fault;

	if (word->scale)
		*(int64_t *)(base + word->number) =
		    effect->number * word->scale;
	if (word->flag)
		*(bool *)(base + word->flag - 1) = true;
	if (word->answer)
		fault->answer = word->answer;
	if (word->page)
		fault->page = word->page;
	if (word->status)
		fault->status = word->status;
	if (word->code)
		snprintf(fault->code, sizeof(fault->code), "%s", word->code);
	if (word->text)
		memcpy(base + word->text - 1, effect->text, FAULT_CODE_MAX);
}

void faults_match(struct faults *f, const char *kind, const char *key,
    int64_t page, struct fault *fault)
{
	*fault = (struct fault)FAULT_NONE;
	if (!faults_any(f))
		return;
	pthread_mutex_lock(&f->lock);
	for (struct rule *r = f->rules; r; r = r->next) {
		if (!is_met(r, kind, key, page) || !fires(r))
			continue;
		for (size_t i = 0; i < r->n_effects; i++)
			apply(&r->effects[i], fault);
	}
	pthread_mutex_unlock(&f->lock);
}

static bool makes_archived(const struct rule *r)
{
	for (size_t i = 0; i < r->n_effects; i++)
		if (strcmp(r->effects[i].word->word, "archived") == 0)
			return true;
	return false;
}

bool faults_archived(struct faults *f, const char *key)
{
	bool found = false;

	if (!faults_any(f))
		return false;
	pthread_mutex_lock(&f->lock);
	for (const struct rule *r = f->rules; r && !found; r = r->next)
		found = makes_archived(r) && is_named(r, key);
	pthread_mutex_unlock(&f->lock);
	return found;
}
