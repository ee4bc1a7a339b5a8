/* SPDX-License-Identifier: MIT */
/*
 * Walks every combination of inputs, and holds decide() against the tables of
 * doc/sync-model.md, which it reads: document and code carry the same rows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sync/decide.h"

#define ROWS_MAX 64

struct documented {
	int row;
	char cells[7][64]; /* 1..6: as in the table's columns */
};

static struct documented table[ROWS_MAX], holds[ROWS_MAX];
static int table_len, hold_len;

/* "| 5 | any | 0 | = | . | download | missing-local |" */
static int split(char *line, struct documented *out)
{
	int cell = 0;
	char *save = NULL;

	for (char *p = strtok_r(line, "|\n", &save); p != NULL && cell < 7;
	     p = strtok_r(NULL, "|\n", &save)) {
		while (*p == ' ')
			p++;
		snprintf(out->cells[cell], sizeof(out->cells[cell]), "%s", p);
		for (size_t n = strlen(out->cells[cell]);
		     n > 0 && out->cells[cell][n - 1] == ' '; n--)
			out->cells[cell][n - 1] = '\0';
		cell++;
	}
	out->row = (int)strtol(out->cells[0], NULL, 10);
	return cell;
}

static int read_document(void **state)
{
	const char *srcdir = getenv("srcdir");
	char path[4096], line[1024];
	FILE *in;

	(void)state;
	snprintf(path, sizeof(path), "%s/doc/sync-model.md",
	    srcdir != NULL ? srcdir : ".");
	in = fopen(path, "r");
	if (in == NULL)
		return -1;
	while (fgets(line, sizeof(line), in) != NULL) {
		struct documented row;

		if (line[0] != '|' || line[2] < '0' || line[2] > '9')
			continue;
		switch (split(line, &row)) {
		case 7:
			table[table_len++] = row;
			break;
		case 4:
			holds[hold_len++] = row;
			break;
		default:
			break;
		}
	}
	fclose(in);
	return 0;
}

static const char side_signs[SIDE_COUNT] = { '?', '0', '=', '!', '+' };
static const char *const content_words[CONTENT_COUNT] = { "equal",
	"same-size", "different" };
static const char *const hold_words[HOLD_COUNT] = { "none", "name", "type",
	"done", "archived", "damaged" };

static int cell_is(const char *cell, const char *word)
{
	return strcmp(cell, ".") == 0 || strcmp(cell, word) == 0;
}

static const struct documented *documented_row(const struct decide_input *in)
{
	const char local[2] = { side_signs[in->local], '\0' };
	const char remote[2] = { side_signs[in->remote], '\0' };
	const char *base = in->base == BASE_NONE ? "none" : "any";

	for (int i = 0; i < table_len; i++)
		if (cell_is(table[i].cells[1], base) &&
		    cell_is(table[i].cells[2], local) &&
		    cell_is(table[i].cells[3], remote) &&
		    cell_is(table[i].cells[4], content_words[in->content]))
			return &table[i];
	return NULL;
}

/* A base and '+', or no base and '=' or '!', cannot be. */
static int possible(const struct decide_input *in)
{
	const enum decide_side sides[] = { in->local, in->remote };

	for (int i = 0; i < 2; i++) {
		if (sides[i] == SIDE_PRESENT && in->base != BASE_NONE)
			return 0;
		if ((sides[i] == SIDE_SAME || sides[i] == SIDE_CHANGED) &&
		    in->base == BASE_NONE)
			return 0;
	}
	return 1;
}

static void for_each_input(void (*check)(const struct decide_input *in))
{
	struct decide_input in = { .policy = { .mode = MODE_EXISTENCE } };

	for (in.local = 0; in.local < SIDE_COUNT; in.local++)
		for (in.remote = 0; in.remote < SIDE_COUNT; in.remote++)
			for (in.base = 0; in.base < BASE_COUNT; in.base++)
				for (in.content = 0;
				     in.content < CONTENT_COUNT; in.content++)
					for (in.hold = 0; in.hold < HOLD_COUNT;
					     in.hold++)
						if (possible(&in))
							check(&in);
}

static void matches_document(const struct decide_input *in)
{
	const struct documented *row = documented_row(in);
	struct decision d = decide(in);
	const struct documented *hold = NULL;

	assert_non_null(row);
	for (int i = 0; i < hold_len; i++)
		if (strcmp(holds[i].cells[1], hold_words[in->hold]) == 0 &&
		    strstr(holds[i].cells[2], row->cells[5]) != NULL)
			hold = &holds[i];
	if (hold != NULL) {
		assert_int_equal(d.row, hold->row);
		assert_int_equal(d.action, ACTION_NONE);
		assert_string_equal(decide_reason_name(d.reason),
		    hold->cells[3]);
		return;
	}
	assert_int_equal(d.row, row->row);
	assert_string_equal(decide_action_name(d.action), row->cells[5]);
	assert_string_equal(decide_reason_name(d.reason), row->cells[6]);
}

static void every_combination_is_decided_as_documented(void **state)
{
	(void)state;
	assert_int_equal(table_len, 16);
	assert_int_equal(hold_len, 5);
	for_each_input(matches_document);
}

static int seen[32];

static void see(const struct decide_input *in)
{
	seen[decide(in).row] = 1;
}

static void every_documented_row_is_reached(void **state)
{
	(void)state;
	for_each_input(see);
	for (int i = 0; i < table_len; i++)
		assert_true(seen[table[i].row]);
	for (int i = 0; i < hold_len; i++)
		assert_true(seen[holds[i].row]);
}

static void keeps_the_promises(const struct decide_input *in)
{
	struct decision d = decide(in);

	/* Rule 0, and never over something that is there. */
	if (in->local == SIDE_UNKNOWN || in->remote == SIDE_UNKNOWN)
		assert_int_equal(d.action, ACTION_NONE);
	if (d.action == ACTION_UPLOAD)
		assert_int_equal(in->remote, SIDE_ABSENT);
	if (d.action == ACTION_DOWNLOAD)
		assert_int_equal(in->local, SIDE_ABSENT);
	if (d.action == ACTION_FORGET)
		assert_true(in->local == SIDE_ABSENT &&
		    in->remote == SIDE_ABSENT);
	if (d.action == ACTION_ADOPT)
		assert_true(in->content != CONTENT_DIFFERENT &&
		    d.adopt_as == (in->content == CONTENT_EQUAL ?
		        BASE_SYNCED : BASE_ASSUMED));
}

static void existence_mode_never_overwrites(void **state)
{
	(void)state;
	for_each_input(keeps_the_promises);
}

static void names_are_read_back(void **state)
{
	(void)state;
	for (int i = 0; i < ACTION_COUNT; i++)
		assert_int_equal(decide_action_parse(decide_action_name(i)), i);
	for (int i = 0; i < REASON_COUNT; i++)
		assert_int_equal(decide_reason_parse(decide_reason_name(i)), i);
	assert_int_equal(decide_action_parse("overwrite"), -1);
	assert_int_equal(decide_reason_parse(""), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_combination_is_decided_as_documented),
		cmocka_unit_test(every_documented_row_is_reached),
		cmocka_unit_test(existence_mode_never_overwrites),
		cmocka_unit_test(names_are_read_back),
	};

	return cmocka_run_group_tests_name("decide", tests, read_document,
	    NULL);
}
