/* SPDX-License-Identifier: MIT */
/* What is asked of buckets as such. */
#ifndef SERVER_BUCKET_H
#define SERVER_BUCKET_H

#include <stdbool.h>

struct request;

bool bucket_is_name(const char *name); /* 3 to 63 of a-z 0-9 . - */
void bucket_create(struct request *r);
void bucket_head(struct request *r);
void bucket_location(struct request *r);
void bucket_list(struct request *r);

#endif
