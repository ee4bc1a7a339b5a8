/* SPDX-License-Identifier: MIT */
/* ListObjectsV2 (and the first version of it), with all that can be wrong
 * with a page. */
#ifndef SERVER_LIST_H
#define SERVER_LIST_H

#include <stdint.h>

struct request;

void list_objects(struct request *r);
/* Which page of a listing is asked for: 1 without a continuation token. */
int64_t list_page_number(const struct request *r);

#endif
