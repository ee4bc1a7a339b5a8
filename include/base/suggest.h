/* SPDX-License-Identifier: MIT */
/* "Did you mean ...?": the known word that a mistyped one is closest to. */
#ifndef BASE_SUGGEST_H
#define BASE_SUGGEST_H

#include <stddef.h>

/* A search: init with the word, offer each known one, ask for the best. */
struct suggest {
	const char *word;
	const char *best; /* one of those offered; NULL: none is near */
	size_t distance;  /* of the best */
};

void suggest_init(struct suggest *s, const char *word);
void suggest_offer(struct suggest *s, const char *known);
/* "; did you mean 'X'?" into ${out}, or nothing; returns ${out}. */
#define SUGGEST_MAX 96
const char *suggest_text(const struct suggest *s, char out[SUGGEST_MAX]);

#endif
