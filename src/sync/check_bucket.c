/* SPDX-License-Identifier: MIT */
/* Is the listing to be believed; and what is set for the bucket? */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/human.h"
#include "sync/check_internal.h"
#include "sync/listing.h"

#define KEYS_MAX 3000 /* three pages: seconds, not hours */
#define WAIT_NS (100 * CLOCK_MS)

/*
 * The settings are asked for while all else goes on
 */

static void setting_done(void *arg, const struct s3_result *result,
    const char *value)
{
	struct check_setting *setting = arg;

	check_answered(&setting->answer, result);
	if (value != NULL)
		setting->value = alloc_string(value);
}

void check_bucket_ask(struct check *c)
{
	for (int i = 0; i < S3_SETTING_COUNT; i++) {
		check_ask(c, &c->settings[i].answer);
		s3_setting_ask(c->s3, &(const struct s3_setting_ask){
		        .setting = (enum s3_setting)i,
		        .prefix = c->pair->prefix,
		        .prefix_len = strlen(c->pair->prefix),
		        .done = setting_done,
		        .arg = &c->settings[i],
		    });
	}
}

/*
 * The listing
 */

/* What a GET may be tried on, if nothing can be put. */
static void keep_smallest(struct check *c, const struct s3_object *o)
{
	if (o->archived || (c->smallest != NULL &&
	        o->sig.size >= c->smallest_size))
		return;
	free(c->smallest);
	c->smallest = alloc_zero(1, o->key_len + 1);
	memcpy(c->smallest, o->key, o->key_len);
	c->smallest_len = o->key_len;
	c->smallest_size = o->sig.size;
}

/* How many keys were seen; *step tells how that ended. */
static int64_t walk(struct check *c, enum listing_step *step,
    struct error *err)
{
	struct listing *l = listing_start(c->bucket);
	struct s3_object o;
	int64_t seen = 0;

	while ((*step = listing_next(l, &o, err)) == LISTING_WAIT ||
	    (*step == LISTING_OBJECT && seen < KEYS_MAX)) {
		if (*step == LISTING_OBJECT) {
			keep_smallest(c, &o);
			seen++;
		} else if (check_is_over(c)) {
			error_set(err, ERROR_NETWORK, "no answer in time");
			*step = LISTING_FAILED;
			break;
		} else if (c->bucket->ops->wait(c->bucket, WAIT_NS, err) < 0) {
			*step = LISTING_FAILED;
			break;
		}
	}
	listing_free(l);
	return seen;
}

static void check_order(struct check *c)
{
	struct error err = ERROR_INIT;
	enum listing_step step;
	int64_t seen = walk(c, &step, &err);
	char count[HUMAN_MAX];

	human_count(seen, count);
	check_tell(c, CHECK_LIST, CHECK_OK, NULL, NULL, step == LISTING_END ?
	    "works: %s keys" : "works: at least %s keys", count);
	if (step == LISTING_FAILED)
		check_tell_error(c, CHECK_ORDER, CHECK_FAILED, &err, NULL);
	else
		check_tell(c, CHECK_ORDER, CHECK_OK, NULL, NULL,
		    "the keys seen are in order");
}

static void check_encoding(struct check *c)
{
	if (c->url_encoded)
		check_tell(c, CHECK_ENCODING, CHECK_OK, NULL, NULL,
		    "encoding-type=url is honoured: any key can be listed");
	else
		check_tell(c, CHECK_ENCODING, CHECK_HINT, "use no control "
		    "characters in names of files", NULL, "encoding-type=url "
		    "is ignored: keys with control characters cannot be "
		    "listed");
}

struct after {
	const struct check *check;
	struct check_answer answer;
	bool honoured;
};

static void after_done(void *arg, const struct s3_result *result,
    struct s3_page *page)
{
	struct after *after = arg;
	const struct check *c = after->check;
	size_t skip = c->bucket->prefix_len;

	check_answered(&after->answer, result);
	after->honoured = page != NULL && page->count > 0 &&
	    page->objects[0].key_len == skip + c->second_len &&
	    memcmp(page->objects[0].key + skip, c->second,
	        c->second_len) == 0;
	s3_page_free(page);
}

static void ask_after(struct check *c, struct after *after)
{
	const struct s3_list list = {
		.start_after = c->first,
		.start_after_len = c->first_len,
		.max_keys = 1,
		.done = after_done,
		.arg = after,
	};

	if (c->second == NULL)
		return;
	check_ask(c, &after->answer);
	c->bucket->ops->list(c->bucket, &list);
}

static void tell_after(struct check *c, struct after *after)
{
	if (c->second == NULL) {
		check_tell(c, CHECK_START_AFTER, CHECK_SKIPPED, NULL, NULL,
		    "there are not two keys to try it with");
		return;
	}
	check_await(c, &after->answer);
	if (after->honoured)
		check_tell(c, CHECK_START_AFTER, CHECK_OK, NULL, NULL,
		    "honoured: a listing can begin anywhere");
	else if (after->answer.outcome == S3_DONE)
		check_tell(c, CHECK_START_AFTER, CHECK_HINT, NULL, NULL,
		    "ignored: a listing cannot begin anywhere");
	else
		check_tell_answer(c, CHECK_START_AFTER, CHECK_HINT,
		    &after->answer, "s3:ListBucket", CHECK_POLICY_LISTING);
}

void check_bucket(struct check *c)
{
	struct after after = { .check = c };

	if (!c->listable)
		return;
	ask_after(c, &after);
	check_order(c);
	check_encoding(c);
	tell_after(c, &after);
}

/*
 * What is set
 */

static void tell_versioning(struct check *c, const char *value)
{
	if (strcmp(value, "Enabled") == 0)
		check_tell(c, CHECK_VERSIONING, CHECK_OK, NULL, NULL,
		    "on: the bucket keeps what is deleted or replaced there");
	else
		check_tell(c, CHECK_VERSIONING, CHECK_OK, NULL, NULL,
		    "off: what is deleted or replaced in the bucket is gone");
}

static void tell_object_lock(struct check *c, const char *value)
{
	if (value[0] == '\0')
		check_tell(c, CHECK_OBJECT_LOCK, CHECK_OK, NULL, NULL, "off");
	else if (strcmp(value, "Enabled") == 0)
		check_tell(c, CHECK_OBJECT_LOCK, CHECK_OK, NULL, NULL,
		    "on, but objects are not locked unasked");
	else
		check_tell(c, CHECK_OBJECT_LOCK, CHECK_HINT, NULL, NULL,
		    "each new object is locked (%s): its versions stay until "
		    "that ends, whoever deletes it", value);
}

static void tell_encryption(struct check *c, const char *value)
{
	check_tell(c, CHECK_ENCRYPTION, CHECK_OK, NULL, NULL,
	    "%s unless an upload asks for another",
	    value[0] != '\0' ? value : "none");
}

static void tell_lifecycle(struct check *c, const char *value)
{
	if (value[0] != '\0')
		check_tell(c, CHECK_LIFECYCLE, CHECK_OK, NULL, NULL,
		    "uploads in parts that were not completed are removed "
		    "after %s days", value);
	else
		check_tell(c, CHECK_LIFECYCLE, CHECK_HINT, "add a lifecycle "
		    "rule with AbortIncompleteMultipartUpload, after 7 days "
		    "say", NULL, "no rule removes uploads in parts that were "
		    "never completed: what was sent of them is paid for");
}

void check_bucket_settings(struct check *c)
{
	static const struct {
		enum s3_setting setting;
		enum check_item item;
		void (*tell)(struct check *c, const char *value);
	} rows[] = {
		{ S3_SETTING_VERSIONING, CHECK_VERSIONING, tell_versioning },
		{ S3_SETTING_OBJECT_LOCK, CHECK_OBJECT_LOCK,
		    tell_object_lock },
		{ S3_SETTING_ENCRYPTION, CHECK_ENCRYPTION, tell_encryption },
		{ S3_SETTING_LIFECYCLE, CHECK_LIFECYCLE, tell_lifecycle },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct check_setting *s = &c->settings[rows[i].setting];

		check_await(c, &s->answer);
		if (s->value != NULL)
			rows[i].tell(c, s->value);
		else if (s->answer.outcome == S3_DENIED)
			check_tell(c, rows[i].item, CHECK_SKIPPED, NULL, NULL,
			    "cannot be told without %s",
			    s3_setting_permission(rows[i].setting));
		else
			check_tell(c, rows[i].item, CHECK_SKIPPED, NULL, NULL,
			    "this server does not tell");
	}
}
