/* SPDX-License-Identifier: MIT */
/* Edit distance between short words. */
#include "base/suggest.h"

#include <stdio.h>
#include <string.h>

#define WORD_MAX 40 /* longer words are nobody's typing mistake */

static size_t smallest(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

/* Levenshtein's, row by row; ${b} is at most WORD_MAX long. */
static size_t edit_distance(const char *a, const char *b)
{
	size_t row[WORD_MAX + 1];
	size_t len = strlen(b);
	size_t i, j, diagonal, above;

	for (j = 0; j <= len; j++)
		row[j] = j;
	for (i = 1; *a != '\0'; a++, i++) {
		diagonal = row[0];
		row[0] = i;
		for (j = 1; j <= len; j++) {
			above = row[j];
			row[j] = smallest(above + 1, row[j - 1] + 1,
			    diagonal + (*a != b[j - 1]));
			diagonal = above;
		}
	}
	return row[len];
}

void suggest_init(struct suggest *s, const char *word)
{
	s->word = word;
	s->best = NULL;
	s->distance = 0;
}

/* Near is: at most a third of the word is typed wrong. */
void suggest_offer(struct suggest *s, const char *known)
{
	size_t len = strlen(s->word);
	size_t distance;

	if (len > WORD_MAX || strlen(known) > WORD_MAX)
		return;
	distance = edit_distance(s->word, known);
	if (distance > (len + 2) / 3)
		return;
	if (s->best != NULL && distance >= s->distance)
		return;
	s->best = known;
	s->distance = distance;
}

const char *suggest_text(const struct suggest *s, char out[SUGGEST_MAX])
{
	out[0] = '\0';
	if (s->best != NULL)
		snprintf(out, SUGGEST_MAX, "; did you mean '%s'?", s->best);
	return out;
}
