/* SPDX-License-Identifier: MIT */
/* Which conditional writes a server honours, tried on keys of our own. */
#include "sync/probe.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/path.h"

#define META_MAX ((size_t)4096)
#define META_RECORD "capabilities"
#define META_LEFT "probe" /* "KEY" or "KEY UPLOAD-ID"; "": nothing is left */
#define KEY_BEGIN PATH_RESERVED "/probe-"
#define KEY_DIGITS 16
#define KEY_MAX 64
#define COPY_SUFFIX ".copy"
#define WAIT_NS (200 * CLOCK_MS)
#define STOP_GRACE_NS CLOCK_SECOND         /* for what is under way */
#define CLEAN_GRACE_NS (2 * CLOCK_SECOND) /* and then to clean up */

static const char body[] =
    "s3sync tries here what this server does; this object may be deleted.\n";
#define BODY_SIZE ((int64_t)sizeof(body) - 1)

/* What is tried: with it the write is to be done, or not. */
enum attempt { ATTEMPT_PLAIN, ATTEMPT_NEW, ATTEMPT_OTHER, ATTEMPT_SAME,
	ATTEMPT_DAMAGED };

struct probe {
	const struct probe_request *request;
	char key[KEY_MAX];  /* written to in all ways */
	char copy[KEY_MAX]; /* what is copied from */
	char *upload_id;    /* NULL: none is open */
	bool may_be_there, copy_may_be_there;

	bool there; /* the object, with this ETag */
	struct etag etag;
	unsigned char etag_room[ETAG_MAX];
	char token[S3_MULTIPART_TOKEN_SIZE];
	struct s3_part part; /* of the upload; number 0: not sent */
	unsigned char part_room[ETAG_MAX];

	/* of the request under way */
	struct probe_content content;
	bool answered;
	enum s3_outcome outcome;
	int http_status;
	struct error error;
	struct etag written;
	unsigned char written_room[ETAG_MAX];

	int64_t give_up_ns; /* mono, after we were stopped; 0: we were not */
	bool refused;       /* no other request can succeed either */
	bool barred;        /* no object can be put */
	struct error lost;  /* why an answer is missing that the probe needs */
};

/*
 * Requests, one at a time
 */

static void answered(void *arg, const struct s3_result *result)
{
	struct probe *p = arg;

	p->answered = true;
	p->outcome = result->outcome;
	p->http_status = result->http_status;
	p->error = result->error;
	p->written = result->etag;
	signature_etag_keep(&p->written, p->written_room);
}

static void created(void *arg, const struct s3_result *result,
    const char *upload_id)
{
	struct probe *p = arg;

	if (result->outcome == S3_DONE)
		p->upload_id = alloc_string(upload_id);
	answered(p, result);
}

static void check_stop(struct probe *p)
{
	const volatile sig_atomic_t *stop = p->request->stop;
	int64_t now_ns = clock_mono_ns(), until_ns = p->request->until_ns;

	if (p->give_up_ns == 0 && ((stop != NULL && *stop != 0) ||
	        (until_ns != 0 && now_ns >= until_ns)))
		p->give_up_ns = now_ns + STOP_GRACE_NS;
}

static enum s3_outcome answer(struct probe *p)
{
	struct bucket *b = p->request->bucket;
	struct error error = ERROR_INIT;

	for (p->answered = false; !p->answered;) {
		check_stop(p);
		if ((p->give_up_ns != 0 && clock_mono_ns() >= p->give_up_ns) ||
		    error.kind != ERROR_NONE)
			b->ops->abort_all(b);
		b->ops->wait(b, WAIT_NS, &error);
	}
	if (error.kind != ERROR_NONE)
		p->error = error;
	p->refused = p->refused || p->outcome == S3_REFUSED;
	if (p->lost.kind == ERROR_NONE &&
	    (p->outcome == S3_REFUSED || p->outcome == S3_ABORTED ||
	        p->error.kind == ERROR_NETWORK))
		p->lost = p->error;
	return p->outcome;
}

static ssize_t read_body(void *arg, int64_t offset, void *buf, size_t len,
    struct error *err)
{
	int64_t left = BODY_SIZE - offset;

	(void)arg;
	(void)err;
	if ((int64_t)len > left)
		len = (size_t)left;
	memcpy(buf, body + offset, len);
	return (ssize_t)len;
}

static const struct etag *match_of(const struct probe *p, enum attempt how)
{
	static const unsigned char zeros[DIGEST_MD5_SIZE];
	static const struct etag other = { zeros, sizeof(zeros), true };

	if (how == ATTEMPT_OTHER)
		return &other;
	return how == ATTEMPT_SAME ? &p->etag : NULL;
}

void probe_content_fill(struct probe_content *content, struct bucket *b,
    enum s3_checksum checksum, struct s3_put *put)
{
	digest_once(DIGEST_SHA256, body, (size_t)BODY_SIZE, content->sha256);
	digest_once(DIGEST_MD5, body, (size_t)BODY_SIZE, content->md5);
	if (checksum != S3_CHECKSUM_NONE)
		digest_once(s3_checksum_digest(checksum), body,
		    (size_t)BODY_SIZE, content->checksum);
	put->size = BODY_SIZE;
	put->sha256 = b->ops->signs_payload(b) ? content->sha256 : NULL;
	put->md5 = content->md5;
	put->checksum = checksum != S3_CHECKSUM_NONE ? content->checksum :
	    NULL;
	put->read = read_body;
}

static enum s3_outcome send_body(struct probe *p, enum attempt how,
    const char *upload_id)
{
	struct bucket *b = p->request->bucket;
	struct s3_put put = {
		.key = p->key,
		.key_len = strlen(p->key),
		.if_match = match_of(p, how),
		.if_none_match = how == ATTEMPT_NEW,
		.upload_id = upload_id,
		.part_number = upload_id != NULL,
		.mtime_ns = INT64_MIN,
		.done = answered,
		.arg = p,
	};

	probe_content_fill(&p->content, b, p->request->checksum, &put);
	if (how == ATTEMPT_DAMAGED) {
		p->content.sha256[0] ^= 1;
		put.sha256 = p->content.sha256;
		put.md5 = put.checksum = NULL;
		put.is_trial = true;
	}
	b->ops->put(b, &put);
	return answer(p);
}

static enum s3_outcome send_delete(struct probe *p, const char *key,
    enum attempt how)
{
	struct bucket *b = p->request->bucket;
	const struct s3_delete delete = {
		.key = key,
		.key_len = strlen(key),
		.if_match = match_of(p, how),
		.done = answered,
		.arg = p,
	};

	b->ops->delete(b, &delete);
	return answer(p);
}

static enum s3_outcome send_copy(struct probe *p, const char *from,
    const char *key, enum attempt how)
{
	struct bucket *b = p->request->bucket;
	const struct s3_copy copy = {
		.from = from,
		.from_len = strlen(from),
		.key = key,
		.key_len = strlen(key),
		.if_match = match_of(p, how),
		.if_none_match = how == ATTEMPT_NEW,
		.done = answered,
		.arg = p,
	};

	b->ops->copy(b, &copy);
	return answer(p);
}

static enum s3_outcome send_create(struct probe *p)
{
	struct bucket *b = p->request->bucket;
	const struct s3_multipart_create create = {
		.key = p->key,
		.key_len = strlen(p->key),
		.token = p->token,
		.mtime_ns = INT64_MIN,
		.done = created,
		.arg = p,
	};

	s3_multipart_token(p->token);
	b->ops->create(b, &create);
	return answer(p);
}

static enum s3_outcome send_complete(struct probe *p, enum attempt how)
{
	struct bucket *b = p->request->bucket;
	const struct s3_multipart_complete complete = {
		.key = p->key,
		.key_len = strlen(p->key),
		.upload_id = p->upload_id,
		.token = p->token,
		.parts = &p->part,
		.count = 1,
		.if_match = match_of(p, how),
		.if_none_match = how == ATTEMPT_NEW,
		.done = answered,
		.arg = p,
	};

	b->ops->complete(b, &complete);
	return answer(p);
}

static enum s3_outcome send_abort(struct probe *p)
{
	struct bucket *b = p->request->bucket;
	const struct s3_multipart_abort abort = {
		.key = p->key,
		.key_len = strlen(p->key),
		.upload_id = p->upload_id,
		.done = answered,
		.arg = p,
	};

	b->ops->abort(b, &abort);
	return answer(p);
}

/*
 * What is left, and how it is removed
 */

/* The keys are known before they are made, and forgotten when removed. */
static int record(struct probe *p, const char *left, struct error *err)
{
	if (p->request->manifest == NULL)
		return 0;
	if (manifest_meta_set(p->request->manifest, META_LEFT, left, err) < 0)
		return -1;
	return manifest_commit(p->request->manifest, err);
}

static int record_upload(struct probe *p, struct error *err)
{
	struct strbuf left = STRBUF_INIT(META_MAX);
	int status;

	strbuf_addf(&left, "%s %s", p->key, p->upload_id);
	status = record(p, strbuf_text(&left), err);
	strbuf_release(&left);
	return status;
}

static void set_keys(struct probe *p, const char *key)
{
	snprintf(p->key, sizeof(p->key), "%s", key);
	snprintf(p->copy, sizeof(p->copy), "%s" COPY_SUFFIX, key);
}

/* Only what a probe can have recorded is ever deleted. */
static bool is_own_key(const char *key, size_t len)
{
	size_t begin = strlen(KEY_BEGIN);

	return len == begin + KEY_DIGITS &&
	    memcmp(key, KEY_BEGIN, begin) == 0 &&
	    strspn(key + begin, "0123456789abcdef") >= KEY_DIGITS;
}

static void forget_upload(struct probe *p)
{
	free(p->upload_id);
	p->upload_id = NULL;
	p->part.number = 0;
}

static bool is_gone(enum s3_outcome outcome)
{
	return outcome == S3_DONE || outcome == S3_ABSENT;
}

/* Was all removed? If not, p->error says why. */
static bool remove_all(struct probe *p)
{
	bool gone;

	if (p->give_up_ns != 0)
		p->give_up_ns = clock_mono_ns() + CLEAN_GRACE_NS;
	gone = p->upload_id == NULL || is_gone(send_abort(p));
	if (gone && p->may_be_there)
		gone = is_gone(send_delete(p, p->key, ATTEMPT_PLAIN));
	if (gone && p->copy_may_be_there)
		gone = is_gone(send_delete(p, p->copy, ATTEMPT_PLAIN));
	return gone;
}

/* 1: what cannot be removed now stays recorded, for the next cycle. */
static int remove_left(struct probe *p, struct error *err)
{
	if (remove_all(p))
		return record(p, "", err);
	log_warning("cannot remove %s%s, which a probe has left: %s; the next "
	    "cycle tries again", p->request->bucket->prefix, p->key,
	    p->error.text);
	return 1;
}

/* After a kill: from the record. 1: it is still needed. */
static int clean_up(struct probe *p, struct error *err)
{
	struct strbuf left = STRBUF_INIT(META_MAX);
	char *text, *upload_id;
	int status = manifest_meta_get(p->request->manifest, META_LEFT, &left,
	    err) < 0 ? -1 : 0;

	text = strbuf_detach(&left);
	if (status == 0 && text != NULL && *text != '\0') {
		upload_id = strchr(text, ' ');
		if (upload_id != NULL)
			*upload_id++ = '\0';
		if (is_own_key(text, strlen(text))) {
			set_keys(p, text);
			p->may_be_there = p->copy_may_be_there = true;
			if (upload_id != NULL)
				p->upload_id = alloc_string(upload_id);
			status = remove_left(p, err);
		} else {
			status = record(p, "", err);
		}
		forget_upload(p);
	}
	free(text);
	return status;
}

/*
 * Attempts
 */

static bool is_over(const struct probe *p)
{
	return p->lost.kind != ERROR_NONE || p->give_up_ns != 0 || p->barred;
}

/* The object is this one now, whoever wrote it. */
static void is_there_now(struct probe *p)
{
	p->etag = p->written;
	signature_etag_keep(&p->etag, p->etag_room);
	p->there = p->etag.len > 0;
}

static bool make_object(struct probe *p)
{
	if (p->there)
		return true;
	p->may_be_there = true;
	p->barred = send_body(p, ATTEMPT_PLAIN, NULL) != S3_DONE;
	if (!p->barred)
		is_there_now(p);
	return p->there;
}

static bool make_copy(struct probe *p)
{
	if (p->copy_may_be_there)
		return true;
	p->copy_may_be_there = true;
	return send_copy(p, p->key, p->copy, ATTEMPT_PLAIN) == S3_DONE;
}

static bool make_upload(struct probe *p)
{
	if (p->upload_id == NULL && (send_create(p) != S3_DONE ||
	        record_upload(p, &p->lost) < 0))
		return false;
	if (p->part.number > 0)
		return true;
	if (send_body(p, ATTEMPT_PLAIN, p->upload_id) != S3_DONE)
		return false;
	p->part = (struct s3_part){
		.number = 1,
		.size = BODY_SIZE,
		.etag = p->written,
		.checksum = p->request->checksum != S3_CHECKSUM_NONE ?
		    p->content.checksum : NULL,
	};
	signature_etag_keep(&p->part.etag, p->part_room);
	return true;
}

/* All that ${write} needs: an object to be in its way, and a source. */
static bool prepare(struct probe *p, enum capability_write write)
{
	if (is_over(p) || !make_object(p))
		return false;
	switch (write) {
	case CAPABILITY_COMPLETE:
		return make_upload(p);
	case CAPABILITY_COPY:
		return make_copy(p);
	case CAPABILITY_PUT:
	case CAPABILITY_DELETE:
	case CAPABILITY_WRITES:
		break;
	}
	return true;
}

static enum s3_outcome attempt_complete(struct probe *p, enum attempt how)
{
	enum s3_outcome outcome = send_complete(p, how);

	/* Some servers spoil an upload whose completion they refused. */
	if (outcome == S3_ABSENT) {
		forget_upload(p);
		if (!prepare(p, CAPABILITY_COMPLETE))
			return S3_FAILED;
		outcome = send_complete(p, how);
	}
	if (is_gone(outcome))
		forget_upload(p);
	return outcome;
}

static enum s3_outcome attempt(struct probe *p, enum capability_write write,
    enum attempt how)
{
	enum s3_outcome outcome = S3_FAILED;

	switch (write) {
	case CAPABILITY_PUT:
		p->may_be_there = true;
		outcome = send_body(p, how, NULL);
		break;
	case CAPABILITY_COMPLETE:
		outcome = attempt_complete(p, how);
		break;
	case CAPABILITY_COPY:
		outcome = send_copy(p, p->copy, p->key, how);
		break;
	case CAPABILITY_DELETE:
		outcome = send_delete(p, p->key, how);
		if (outcome == S3_DONE)
			p->there = p->may_be_there = false;
		return outcome;
	case CAPABILITY_WRITES:
		break;
	}
	if (outcome == S3_DONE)
		is_there_now(p);
	else if (outcome == S3_FAILED &&
	    (p->http_status == 0 || p->http_status >= 500))
		p->there = false; /* or it is, as something else */
	return outcome;
}

/* The condition does not hold, so nothing should be written; does it hold,
 * the write should be done. */
static enum capability_verdict judge(struct probe *p,
    enum capability_write write, enum capability_condition condition)
{
	if (!prepare(p, write))
		return CAPABILITY_UNKNOWN;
	switch (attempt(p, write,
	    condition == CAPABILITY_NEW ? ATTEMPT_NEW : ATTEMPT_OTHER)) {
	case S3_DONE:
		return CAPABILITY_IGNORED;
	case S3_REJECTED:
		return CAPABILITY_REJECTED;
	case S3_EXISTS:
	case S3_CHANGED:
		break;
	case S3_ABSENT:
	case S3_ARCHIVED:
	case S3_DENIED:
	case S3_REFUSED:
	case S3_FAILED:
	case S3_ABORTED:
		return CAPABILITY_UNKNOWN;
	}
	if (condition == CAPABILITY_NEW)
		return CAPABILITY_HONOURED;
	if (!prepare(p, write))
		return CAPABILITY_UNKNOWN;
	/* Ceph 16 compares the ETag with its quotes, and finds no equal. */
	switch (attempt(p, write, ATTEMPT_SAME)) {
	case S3_DONE:
		return CAPABILITY_HONOURED;
	case S3_CHANGED:
	case S3_REJECTED:
		return CAPABILITY_REJECTED;
	case S3_EXISTS:
	case S3_ABSENT:
	case S3_ARCHIVED:
	case S3_DENIED:
	case S3_REFUSED:
	case S3_FAILED:
	case S3_ABORTED:
		break;
	}
	return CAPABILITY_UNKNOWN;
}

/* A body that is not the announced one. Who compares it says 400, or, having
 * signed with the hash of what came, that the signature is wrong; should the
 * credentials be bad indeed, the next request tells. */
static enum capability_verdict judge_body(struct probe *p)
{
	const bool refused = p->refused;
	const struct error lost = p->lost;

	if (!prepare(p, CAPABILITY_PUT))
		return CAPABILITY_UNKNOWN;
	if (attempt(p, CAPABILITY_PUT, ATTEMPT_DAMAGED) == S3_DONE)
		return CAPABILITY_IGNORED;
	if (p->http_status == 0)
		return CAPABILITY_UNKNOWN;
	p->refused = refused;
	p->lost = lost;
	return p->http_status < 500 ? CAPABILITY_HONOURED : CAPABILITY_UNKNOWN;
}

/* The first PUT, where nothing is. */
static enum capability_verdict judge_first(struct probe *p,
    struct capability *c)
{
	enum s3_outcome outcome = attempt(p, CAPABILITY_PUT, ATTEMPT_NEW);

	if (outcome == S3_DENIED) {
		p->may_be_there = false;
		c->missing = "s3:PutObject";
		return CAPABILITY_UNKNOWN;
	}
	if (outcome == S3_EXISTS || outcome == S3_REJECTED)
		return make_object(p) ? CAPABILITY_REJECTED :
		    CAPABILITY_UNKNOWN;
	return judge(p, CAPABILITY_PUT, CAPABILITY_NEW);
}

static void judge_all(struct probe *p, struct capability *c)
{
	enum s3_outcome outcome = send_delete(p, p->key, ATTEMPT_PLAIN);

	if (outcome == S3_DENIED) {
		c->missing = "s3:DeleteObject";
		return;
	}
	if (!is_gone(outcome)) {
		p->lost = p->error;
		return;
	}
	c->verdicts[CAPABILITY_PUT][CAPABILITY_NEW] = judge_first(p, c);
	for (int w = 0; w < CAPABILITY_WRITES && c->missing == NULL; w++)
		for (int n = 0; n < CAPABILITY_CONDITIONS; n++)
			if (capability_word(w, n) != NULL &&
			    !(w == CAPABILITY_PUT && n == CAPABILITY_NEW))
				c->verdicts[w][n] = n == CAPABILITY_BODY ?
				    judge_body(p) :
				    judge(p, (enum capability_write)w,
					(enum capability_condition)n);
}

/*
 * The probe as a whole
 */

static void forget(struct capability *c)
{
	*c = (struct capability){ .trusting = c->trusting };
}

static void tell(const struct probe *p, const struct capability *c)
{
	struct strbuf text = STRBUF_INIT(META_MAX);

	for (int v = 0; v < CAPABILITY_VERDICTS; v++) {
		strbuf_clear(&text);
		capability_list(c, (enum capability_verdict)v, &text);
		if (text.len > 0)
			log_debug("%s: %s: %s", p->request->of,
			    capability_verdict_name(
			        (enum capability_verdict)v),
			    strbuf_text(&text));
	}
	strbuf_release(&text);
}

/* What matters to uploads of what the bucket lacks. */
static void warn(const struct probe *p, const struct capability *c)
{
	static const char consequence[] = "before each such upload it is "
	    "looked whether the key is there by now; what another writer puts "
	    "there after that look, and before the upload ends, is lost (see "
	    "s3sync(1), CONDITIONAL WRITES)";
	const enum capability_verdict put =
	    c->verdicts[CAPABILITY_PUT][CAPABILITY_NEW];
	const enum capability_verdict complete =
	    c->verdicts[CAPABILITY_COMPLETE][CAPABILITY_NEW];

	if (c->missing != NULL)
		log_warning("which conditional writes %s honours cannot be "
		    "tried, for want of %s on %s" PATH_RESERVED "/: %s",
		    p->request->of, c->missing, p->request->bucket->prefix,
		    consequence);
	else if (put != CAPABILITY_HONOURED || complete != CAPABILITY_HONOURED)
		log_warning("%s does not honour each If-None-Match, as far as "
		    "could be found out (of single uploads: %s; of uploads in "
		    "parts: %s): %s", p->request->of,
		    capability_verdict_name(put),
		    capability_verdict_name(complete), consequence);
}

static int record_capability(const struct probe_request *request,
    const struct capability *c, struct error *err)
{
	struct strbuf text = STRBUF_INIT(META_MAX);
	int status;

	if (c->probed_ns != 0)
		capability_print(c, request->of, &text);
	status = manifest_meta_set(request->manifest, META_RECORD,
	    strbuf_text(&text), err);
	if (status == 0)
		status = manifest_commit(request->manifest, err);
	strbuf_release(&text);
	return status;
}

/* Nothing was found out, and it is known why. */
static bool is_lost(const struct probe *p, const struct capability *c)
{
	return c->verdicts[CAPABILITY_PUT][CAPABILITY_NEW] ==
	    CAPABILITY_UNKNOWN && p->lost.kind != ERROR_NONE;
}

static int probe(struct probe *p, struct capability *c, struct error *err)
{
	char key[KEY_MAX];

	snprintf(key, sizeof(key), KEY_BEGIN "%016" PRIx64, clock_random());
	set_keys(p, key);
	forget(c);
	if (record(p, key, err) < 0)
		return -1;
	judge_all(p, c);
	if (remove_left(p, err) < 0)
		return -1;
	if (p->give_up_ns != 0)
		return error_set(err, ERROR_STOPPED, "stopped");
	if (p->refused || p->lost.kind == ERROR_MANIFEST) {
		*err = p->lost;
		return -1;
	}
	if (is_lost(p, c)) {
		forget(c);
		log_warning("which conditional writes %s honours could not be "
		    "tried, and is tried again in the next cycle: %s",
		    p->request->of, p->lost.text);
		return 0;
	}
	c->probed_ns = clock_wall_ns();
	tell(p, c);
	warn(p, c);
	return record_capability(p->request, c, err);
}

int probe_recall(struct manifest *manifest, const char *of,
    struct capability *c, struct error *err)
{
	struct strbuf text = STRBUF_INIT(META_MAX);
	int status = manifest_meta_get(manifest, META_RECORD, &text, err) < 0 ?
	    -1 : 0;

	if (status == 0)
		capability_parse(strbuf_text(&text), of, c);
	strbuf_release(&text);
	return status;
}

int probe_run(const struct probe_request *request, struct capability *c,
    struct error *err)
{
	struct probe p = { .request = request };
	int left = clean_up(&p, err);
	int status = left < 0 ? -1 : 0;

	if (status == 0 && request->writes) {
		c->trusting = !request->allowed;
		if (!c->doubted)
			status = probe_recall(request->manifest, request->of, c,
			    err);
		if (status == 0 && left == 0 && request->allowed &&
		    capability_is_due(c, clock_wall_ns())) {
			p = (struct probe){ .request = request };
			status = probe(&p, c, err);
		}
	}
	forget_upload(&p);
	return status;
}

int probe_end(const struct probe_request *request, const struct capability *c,
    struct error *err)
{
	const struct capability nothing = { .probed_ns = 0 };

	if (!c->doubted || !request->allowed)
		return 0;
	return record_capability(request, &nothing, err);
}

int probe_try(const struct probe_request *request, const char *key,
    struct capability *c, struct error *err)
{
	struct probe p = { .request = request };
	bool removed;

	forget(c);
	set_keys(&p, key);
	judge_all(&p, c);
	removed = remove_all(&p);
	forget_upload(&p);
	if (!removed) {
		*err = p.error;
		return -1;
	}
	if (is_lost(&p, c)) {
		*err = p.lost;
		return 1;
	}
	c->probed_ns = clock_wall_ns();
	return 0;
}
