/* SPDX-License-Identifier: MIT */
/* Every SQL statement on the manifest's rows. */
#include "manifest/manifest_internal.h"

#define LOCAL_COLUMNS "l_size, l_mtime_ns, l_ctime_ns, l_ino"
#define REMOTE_COLUMNS "r_size, r_mtime_ms, r_etag"
#define ENTRY_COLUMNS \
	"key, state, flags, " LOCAL_COLUMNS ", " REMOTE_COLUMNS ", md5"
#define PENDING_COLUMNS                                                   \
	"key, action, reason, detail, " LOCAL_COLUMNS ", " REMOTE_COLUMNS \
	", attempts, next_at_ns, since_ns, error"
#define RUN_COLUMNS                                                     \
	"id, started_ns, ended_ns, outcome, local_keys, remote_keys, "  \
	"uploaded, downloaded, adopted, bytes_up, bytes_down, failed, " \
	"waiting, blocked, differing, list_requests, get_requests, "    \
	"put_requests, head_requests, delete_requests, copy_requests, " \
	"create_upload_requests, upload_part_requests, "                \
	"complete_upload_requests, abort_upload_requests, "             \
	"list_parts_requests, retries, wire_up, wire_down, "            \
	"survey_ns, transfer_ns, error"

#define UPLOAD_COLUMNS \
	"key, upload_id, token, part_size, checksum, " LOCAL_COLUMNS \
	", started_ns"
#define DOWNLOAD_COLUMNS \
	"key, " REMOTE_COLUMNS ", part_size, name, done, started_ns"

static const char *const statements[STATEMENT_COUNT] = {
	[STATEMENT_BEGIN] = "BEGIN",
	[STATEMENT_COMMIT] = "COMMIT",
	[STATEMENT_ROLLBACK] = "ROLLBACK",
	[STATEMENT_META_GET] = "SELECT value FROM meta WHERE name = ?1",
	[STATEMENT_META_SET] =
	    "INSERT INTO meta VALUES (?1, ?2)"
	    " ON CONFLICT DO UPDATE SET value = excluded.value"
	    " WHERE value <> excluded.value",
	[STATEMENT_ENTRY_PUT] = "REPLACE INTO entry (" ENTRY_COLUMNS ") VALUES"
				" (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11)",
	[STATEMENT_ENTRY_DROP] = "DELETE FROM entry WHERE key = ?1",
	[STATEMENT_ENTRY_FIND] =
	    "SELECT " ENTRY_COLUMNS " FROM entry WHERE key = ?1",
	[STATEMENT_ENTRY_FROM] =
	    "SELECT " ENTRY_COLUMNS " FROM entry WHERE key >= ?1 ORDER BY key",
	[STATEMENT_ENTRY_TOTALS] = "SELECT count(*) FILTER (WHERE state = 1),"
				   " count(*) FILTER (WHERE state = 2),"
				   " coalesce(sum(l_size), 0) FROM entry",
	[STATEMENT_PENDING_PUT] =
	    "REPLACE INTO pending (" PENDING_COLUMNS ") VALUES"
	    " (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15)",
	[STATEMENT_PENDING_DROP] = "DELETE FROM pending WHERE key = ?1",
	[STATEMENT_PENDING_FIND] =
	    "SELECT " PENDING_COLUMNS " FROM pending WHERE key = ?1",
	[STATEMENT_PENDING_FROM] = "SELECT " PENDING_COLUMNS
				   " FROM pending WHERE key >= ?1 ORDER BY key",
	[STATEMENT_PENDING_COUNTS] =
	    "SELECT action, reason, count(*), sum(coalesce("
	    " iif(action = 'download', r_size, l_size), r_size, 0)),"
	    " count(*) FILTER (WHERE attempts > 0)"
	    " FROM pending GROUP BY action, reason ORDER BY action, reason",
	[STATEMENT_RUN_KILLED] =
	    "UPDATE run SET outcome = 'killed'"
	    " WHERE ended_ns IS NULL AND outcome <> 'killed'",
	[STATEMENT_RUN_BEGIN] =
	    "INSERT INTO run (started_ns, outcome) VALUES (?1, 'running')",
	[STATEMENT_RUN_END] =
	    "REPLACE INTO run (" RUN_COLUMNS
	    ") VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,"
	    "?16,?17,?18,?19,?20,?21,?22,?23,?24,?25,?26,?27,?28,?29,?30,"
	    "?31,?32)",
	[STATEMENT_RUN_FORGET] =
	    "DELETE FROM run WHERE id <= (SELECT max(id) FROM run) - 1000",
	[STATEMENT_RUNS] =
	    "SELECT " RUN_COLUMNS " FROM run ORDER BY id DESC LIMIT ?1",
	[STATEMENT_RESUME_ANY] = "SELECT EXISTS (SELECT 1 FROM upload)"
				 " OR EXISTS (SELECT 1 FROM download)",
	[STATEMENT_UPLOAD_PUT] = "REPLACE INTO upload (" UPLOAD_COLUMNS
				 ") VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)",
	[STATEMENT_UPLOAD_DROP] = "DELETE FROM upload WHERE key = ?1",
	[STATEMENT_UPLOAD_FIND] =
	    "SELECT " UPLOAD_COLUMNS " FROM upload WHERE key = ?1",
	[STATEMENT_UPLOADS] =
	    "SELECT " UPLOAD_COLUMNS " FROM upload ORDER BY key",
	[STATEMENT_PART_PUT] =
	    "REPLACE INTO part (key, number, r_etag, checksum)"
	    " VALUES (?1,?2,?3,?4)",
	[STATEMENT_PARTS_DROP] = "DELETE FROM part WHERE key = ?1",
	[STATEMENT_PARTS] =
	    "SELECT number, r_etag, checksum FROM part WHERE key = ?1"
	    " ORDER BY number",
	[STATEMENT_DOWNLOAD_PUT] = "REPLACE INTO download (" DOWNLOAD_COLUMNS
				   ") VALUES (?1,?2,?3,?4,?5,?6,?7,?8)",
	[STATEMENT_DOWNLOAD_DROP] = "DELETE FROM download WHERE key = ?1",
	[STATEMENT_DOWNLOAD_FIND] =
	    "SELECT " DOWNLOAD_COLUMNS " FROM download WHERE key = ?1",
	[STATEMENT_DOWNLOADS] =
	    "SELECT " DOWNLOAD_COLUMNS " FROM download ORDER BY key",
};

/* All at open: each test that opens a manifest tries each statement. */
int manifest_statement_prepare(struct manifest *m, struct error *err)
{
	for (int i = 0; i < STATEMENT_COUNT; i++)
		if (db_prepare(&m->db, statements[i], &m->statements[i], err) <
		    0)
			return -1;
	return 0;
}
