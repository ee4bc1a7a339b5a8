/* SPDX-License-Identifier: MIT */
/* s3sync-state ls: the keys that are agreed, as they stream by. */
#include "cmd/state.h"

#include <string.h>

#include "base/clock.h"
#include "base/digest.h"

static const char *state_name(const struct manifest_entry *entry)
{
	return entry->state == MANIFEST_SYNCED ? "synced" : "assumed";
}

static void print_json(const struct state_view *view,
    const struct manifest_entry *entry)
{
	json_t *object = state_json(view);
	char etag[ETAG_MAX + 1], md5[2 * DIGEST_MD5_SIZE + 1];

	signature_etag_text(&entry->remote.etag, etag);
	if (entry->md5 != NULL)
		digest_hex(entry->md5, DIGEST_MD5_SIZE, md5);
	json_put_key(object, entry->key, entry->key_len);
	json_put_text(object, "state", state_name(entry));
	json_put_bool(object, "racy", entry->flags & MANIFEST_FLAG_RACY);
	json_put_int(object, "size", entry->local.size);
	json_put_time(object, "mtime", entry->local.mtime_ns);
	json_put_int(object, "mtime_ns", entry->local.mtime_ns);
	json_put_int(object, "remote_size", entry->remote.size);
	json_put_time(object, "remote_mtime",
	    entry->remote.mtime_ms != SIGNATURE_MTIME_UNKNOWN
		? entry->remote.mtime_ms * CLOCK_MS
		: 0);
	json_put_text(object, "etag", etag[0] != '\0' ? etag : NULL);
	json_put_text(object, "md5", entry->md5 != NULL ? md5 : NULL);
	json_print(view->out, object);
}

static void print_details(const struct state_view *view,
    const struct manifest_entry *entry)
{
	char size[STATE_TEXT_MAX], time[STATE_TEXT_MAX], etag[ETAG_MAX + 1];

	signature_etag_text(&entry->remote.etag, etag);
	if (etag[0] == '\0')
		snprintf(etag, sizeof(etag), "-");
	state_size(view, entry->local.size, size);
	state_time(view, entry->local.mtime_ns, time);
	if (view->form == STATE_FOR_PEOPLE)
		fprintf(view->out, "%-7s  %8s  %s  %-32s  ", state_name(entry),
		    size, time, etag);
	else
		fprintf(view->out, "%s\t%s\t%s\t%s\t", state_name(entry), size,
		    time, etag);
}

static void print_entry(const struct state_view *view,
    const struct manifest_entry *entry)
{
	if (view->form == STATE_AS_JSON) {
		print_json(view, entry);
		return;
	}
	if (view->details)
		print_details(view, entry);
	state_print_key(view->out, entry->key, entry->key_len);
	fputc('\n', view->out);
}

int state_ls(const struct state_view *view, struct error *err)
{
	size_t prefix_len = strlen(view->prefix);
	struct manifest_reader *r =
	    manifest_reader_entries(view->manifest, NULL, 0);
	struct manifest_entry entry;
	int rc;

	manifest_reader_seek(r, view->prefix, prefix_len);
	while ((rc = manifest_reader_entry(r, &entry, err)) > 0 &&
	    entry.key_len >= prefix_len &&
	    memcmp(entry.key, view->prefix, prefix_len) == 0 &&
	    !ferror(view->out))
		print_entry(view, &entry);
	manifest_reader_free(r);
	return rc < 0 ? -1 : 0;
}
