/* SPDX-License-Identifier: MIT */
/* Transfers that were begun and not ended, as rows. */
#include "manifest/resume.h"

#include "manifest/manifest_internal.h"

int manifest_resume_any(struct manifest *m, struct error *err)
{
	sqlite3_stmt *s = m->statements[STATEMENT_RESUME_ANY];
	int rc = db_step(&m->db, s, err);

	if (rc > 0)
		rc = sqlite3_column_int(s, 0);
	sqlite3_reset(s);
	return rc;
}

/* ---- uploads ---- */

int manifest_resume_upload_put(struct manifest *m,
    const struct manifest_upload *upload)
{
	sqlite3_stmt *s;

	if (manifest_write_drop(m, STATEMENT_PARTS_DROP, upload->key,
	    upload->key_len) < 0)
		return -1;
	s = manifest_write_begin(m, STATEMENT_UPLOAD_PUT);
	if (s == NULL)
		return -1;
	manifest_row_bind_upload(s, upload);
	return manifest_write_end(m, s);
}

int manifest_resume_upload_drop(struct manifest *m, const char *key,
    size_t key_len)
{
	return manifest_write_drop(m, STATEMENT_PARTS_DROP, key, key_len) |
	    manifest_write_drop(m, STATEMENT_UPLOAD_DROP, key, key_len);
}

int manifest_resume_part_put(struct manifest *m, const char *key,
    size_t key_len, const struct manifest_part *part)
{
	sqlite3_stmt *s = manifest_write_begin(m, STATEMENT_PART_PUT);

	if (s == NULL)
		return -1;
	manifest_row_bind_part(s, key, key_len, part);
	return manifest_write_end(m, s);
}

int manifest_resume_upload_find(struct manifest *m, const char *key,
    size_t key_len, struct manifest_upload *out, struct error *err)
{
	sqlite3_stmt *s = m->statements[STATEMENT_UPLOAD_FIND];
	int rc;

	manifest_row_bind_key(s, key, key_len);
	rc = db_step(&m->db, s, err);
	if (rc > 0 && !manifest_row_upload(s, manifest_found(m), out))
		rc = db_damaged(&m->db, err, "an upload is far too long");
	sqlite3_reset(s);
	return rc;
}

int manifest_resume_uploads(struct manifest *m,
    void (*each)(void *arg, const struct manifest_upload *upload), void *arg,
    struct error *err)
{
	sqlite3_stmt *s = m->statements[STATEMENT_UPLOADS];
	struct manifest_upload upload;
	int rc;

	while ((rc = db_step(&m->db, s, err)) > 0) {
		if (!manifest_row_upload(s, manifest_found(m), &upload)) {
			rc = db_damaged(&m->db, err,
			    "an upload is far too long");
			break;
		}
		each(arg, &upload);
	}
	sqlite3_reset(s);
	return rc;
}

int manifest_resume_parts(struct manifest *m, const char *key, size_t key_len,
    void (*each)(void *arg, const struct manifest_part *part), void *arg,
    struct error *err)
{
	sqlite3_stmt *s = m->statements[STATEMENT_PARTS];
	struct manifest_part part;
	int rc;

	manifest_row_bind_key(s, key, key_len);
	while ((rc = db_step(&m->db, s, err)) > 0) {
		if (!manifest_row_part(s, manifest_found(m), &part)) {
			rc = db_damaged(&m->db, err, "a part is far too long");
			break;
		}
		each(arg, &part);
	}
	sqlite3_reset(s);
	return rc;
}

/* ---- downloads ---- */

int manifest_resume_download_put(struct manifest *m,
    const struct manifest_download *download)
{
	sqlite3_stmt *s = manifest_write_begin(m, STATEMENT_DOWNLOAD_PUT);

	if (s == NULL)
		return -1;
	manifest_row_bind_download(s, download);
	return manifest_write_end(m, s);
}

int manifest_resume_download_drop(struct manifest *m, const char *key,
    size_t key_len)
{
	return manifest_write_drop(m, STATEMENT_DOWNLOAD_DROP, key, key_len);
}

int manifest_resume_download_find(struct manifest *m, const char *key,
    size_t key_len, struct manifest_download *out, struct error *err)
{
	sqlite3_stmt *s = m->statements[STATEMENT_DOWNLOAD_FIND];
	int rc;

	manifest_row_bind_key(s, key, key_len);
	rc = db_step(&m->db, s, err);
	if (rc > 0 && !manifest_row_download(s, manifest_found(m), out))
		rc = db_damaged(&m->db, err, "a download is far too long");
	sqlite3_reset(s);
	return rc;
}

int manifest_resume_downloads(struct manifest *m,
    void (*each)(void *arg, const struct manifest_download *download),
    void *arg, struct error *err)
{
	sqlite3_stmt *s = m->statements[STATEMENT_DOWNLOADS];
	struct manifest_download download;
	int rc;

	while ((rc = db_step(&m->db, s, err)) > 0) {
		if (!manifest_row_download(s, manifest_found(m), &download)) {
			rc = db_damaged(&m->db, err,
			    "a download is far too long");
			break;
		}
		each(arg, &download);
	}
	sqlite3_reset(s);
	return rc;
}
