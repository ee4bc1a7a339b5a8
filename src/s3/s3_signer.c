/* SPDX-License-Identifier: MIT */
/* Who signs a bucket's requests, and what happens when the server refuses
 * those keys: nothing starts until there are others, and what was refused is
 * tried once more. */
#include "s3/s3_internal.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"

/* Until it is known what comes of it. */
#define FOREVER_NS (INT64_MAX / 4)

/* From the keyring's thread. */
static void on_change(void *arg)
{
	http_wake(((struct s3 *)arg)->http);
}

void s3_signer_make(struct s3 *s3)
{
	sigv4_free(s3->signer);
	s3->signer = s3->credentials.access_key ?
	    sigv4_new(&s3->credentials, s3->endpoint.region, "s3") : NULL;
}

static void take_keys(struct s3 *s3)
{
	s3_credentials_release(&s3->credentials);
	s3->signer_number = keyring_get(s3->keyring, &s3->credentials);
	s3_signer_make(s3);
}

void s3_signer_init(struct s3 *s3, const struct s3_options *options)
{
	assert((options->signing == S3_SIGNING_NONE) ==
	    (!options->credentials && !options->keyring));
	s3->keyring = options->keyring;
	if (s3->keyring) {
		keyring_watch(s3->keyring, on_change, s3);
		take_keys(s3);
	} else if (options->credentials) {
		s3_credentials_copy(&s3->credentials, options->credentials);
		s3_signer_make(s3);
	}
}

void s3_signer_release(struct s3 *s3)
{
	if (s3->keyring)
		keyring_watch(s3->keyring, NULL, NULL);
	sigv4_free(s3->signer);
	s3_credentials_release(&s3->credentials);
}

/* One that was refused: again, or that was its end. */
static void settle(struct slot *slot, enum keyring_answer answer,
    const struct error *why)
{
	struct s3_result result = *slot->refusal;

	if (answer == KEYRING_CHANGED) {
		free(slot->refusal);
		slot->refusal = NULL;
		slot->request->renewed = true;
		slot->due_ns = 0;
		return;
	}
	if (answer == KEYRING_FAILED)
		error_set(&result.error, ERROR_CREDENTIALS, "%s; and there "
		    "are no others: %s", slot->refusal->error.text, why->text);
	s3_complete(slot, &result, NULL);
}

void s3_signer_turn(struct s3 *s3)
{
	struct error why = ERROR_INIT;
	enum keyring_answer answer;

	if (!s3->keyring)
		return;
	if (keyring_number(s3->keyring) != s3->signer_number)
		take_keys(s3);
	if (!s3->renewing)
		return;
	answer = keyring_answer(s3->keyring, s3->refused_number, &why);
	if (answer == KEYRING_LOOKING)
		return;
	s3->renewing = false;
	for (size_t i = 0; i < s3->slot_count; i++)
		if (s3->slots[i].refusal)
			settle(&s3->slots[i], answer, &why);
}

bool s3_signer_renews(struct slot *slot, const struct s3_result *refusal)
{
	struct s3 *s3 = slot->s3;
	struct request *r = slot->request;

	if (!s3->keyring || r->renewed)
		return false;
	if (slot->signed_with != s3->signer_number) {
		r->renewed = true; /* there are others already */
		s3_try_again(slot, 0);
		return true;
	}
	slot->refusal = alloc_copy(refusal, sizeof(*refusal));
	s3_try_again(slot, FOREVER_NS);
	if (!s3->renewing) {
		s3->renewing = true;
		s3->refused_number = slot->signed_with;
		keyring_refuse(s3->keyring, s3->refused_number);
	}
	return true;
}
