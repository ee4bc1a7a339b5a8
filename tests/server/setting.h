/* SPDX-License-Identifier: MIT */
/* What is set for buckets as a whole: documents that tests give, for all
 * buckets alike. */
#ifndef SERVER_SETTING_H
#define SERVER_SETTING_H

#include <stdbool.h>

struct request;
struct bucket_settings;

struct bucket_settings *settings_new(void);
void settings_free(struct bucket_settings *s);

/* Is a setting asked for? */
bool setting_is_asked(const struct request *r);
void setting_get(struct request *r);
/* The request's text is the document of setting ${name} from now on; empty:
 * there is none. -1: no such setting. */
int setting_set(struct request *r, const char *name);

#endif
