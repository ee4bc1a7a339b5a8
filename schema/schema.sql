-- SPDX-License-Identifier: MIT
-- The manifest of one pair, whole, as the migrations leave it. Times are
-- since the epoch, in the unit that the name ends in; sizes are bytes.

PRAGMA application_id = 0x53335359; -- "S3SY"
PRAGMA user_version = 4;            -- the last migration

-- What the manifest belongs to and what is known of its two ends.
CREATE TABLE meta (
  name  TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The base: what both sides showed when they last held equal content. Keys
-- are bytes, in the order of S3 listings, relative to root and prefix.
CREATE TABLE entry (
  key        BLOB    NOT NULL PRIMARY KEY CHECK (length(key) BETWEEN 1 AND 1024),
  state      INTEGER NOT NULL CHECK (state IN (1, 2)), -- synced, assumed
  flags      INTEGER NOT NULL, -- 1: the file may have changed within one tick
  l_size     INTEGER NOT NULL,
  l_mtime_ns INTEGER NOT NULL,
  l_ctime_ns INTEGER NOT NULL,
  l_ino      INTEGER NOT NULL,
  r_size     INTEGER NOT NULL,
  r_mtime_ms INTEGER, -- LastModified; NULL until a listing shows it
  r_etag     ANY,     -- 16 bytes where it is 32 hex digits, else text
  md5        BLOB CHECK (length(md5) = 16) -- where known and not in r_etag
) STRICT, WITHOUT ROWID;

-- Keys that are not agreed: the plan, the retries and the conflicts. Made
-- anew by every survey, never taken for truth. A side that is NULL is absent.
CREATE TABLE pending (
  key        BLOB    NOT NULL PRIMARY KEY CHECK (length(key) > 0),
  action     TEXT    NOT NULL,
  reason     TEXT    NOT NULL,
  detail     TEXT,
  l_size     INTEGER,
  l_mtime_ns INTEGER,
  l_ctime_ns INTEGER,
  l_ino      INTEGER,
  r_size     INTEGER,
  r_mtime_ms INTEGER,
  r_etag     ANY,
  attempts   INTEGER NOT NULL, -- that failed with these signatures
  next_at_ns INTEGER NOT NULL, -- not before; 0: at once
  since_ns   INTEGER NOT NULL, -- first seen with this reason
  error      TEXT              -- of the last attempt
) STRICT, WITHOUT ROWID;

-- Uploads in parts that were begun, recorded before the first part is sent.
CREATE TABLE upload (
  key        BLOB    NOT NULL PRIMARY KEY CHECK (length(key) > 0),
  upload_id  TEXT    NOT NULL, -- the server's name for it
  token      TEXT    NOT NULL, -- in the object's metadata
  part_size  INTEGER NOT NULL CHECK (part_size > 0),
  checksum   TEXT    NOT NULL, -- the kind that goes with each part, or ''
  l_size     INTEGER NOT NULL, -- the file that it was begun with
  l_mtime_ns INTEGER NOT NULL,
  l_ctime_ns INTEGER NOT NULL,
  l_ino      INTEGER NOT NULL,
  started_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Their parts that the server has.
CREATE TABLE part (
  key      BLOB    NOT NULL,
  number   INTEGER NOT NULL CHECK (number BETWEEN 1 AND 10000),
  checksum BLOB, -- of the upload's kind, NULL if it has none
  r_etag   ANY     NOT NULL, -- as in entry
  PRIMARY KEY (key, number)
) STRICT, WITHOUT ROWID;

-- Downloads in ranges that were begun: the temporary file, and which ranges
-- of it are on the disk, a bit each.
CREATE TABLE download (
  key        BLOB    NOT NULL PRIMARY KEY CHECK (length(key) > 0),
  r_size     INTEGER NOT NULL, -- the object that it was begun with
  r_mtime_ms INTEGER,
  r_etag     ANY     NOT NULL,
  part_size  INTEGER NOT NULL CHECK (part_size > 0),
  name       TEXT    NOT NULL,
  done       BLOB    NOT NULL,
  started_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The last 1000 cycles. A run without an end is going on or was killed.
CREATE TABLE run (
  id                       INTEGER PRIMARY KEY,
  started_ns               INTEGER NOT NULL,
  ended_ns                 INTEGER,
  outcome                  TEXT    NOT NULL,
  local_keys               INTEGER NOT NULL DEFAULT 0,
  remote_keys              INTEGER NOT NULL DEFAULT 0,
  uploaded                 INTEGER NOT NULL DEFAULT 0,
  downloaded               INTEGER NOT NULL DEFAULT 0,
  adopted                  INTEGER NOT NULL DEFAULT 0,
  bytes_up                 INTEGER NOT NULL DEFAULT 0, -- of contents
  bytes_down               INTEGER NOT NULL DEFAULT 0,
  failed                   INTEGER NOT NULL DEFAULT 0,
  waiting                  INTEGER NOT NULL DEFAULT 0,
  blocked                  INTEGER NOT NULL DEFAULT 0,
  differing                INTEGER NOT NULL DEFAULT 0,
  list_requests            INTEGER NOT NULL DEFAULT 0, -- each attempt counts
  get_requests             INTEGER NOT NULL DEFAULT 0,
  put_requests             INTEGER NOT NULL DEFAULT 0,
  head_requests            INTEGER NOT NULL DEFAULT 0,
  delete_requests          INTEGER NOT NULL DEFAULT 0,
  copy_requests            INTEGER NOT NULL DEFAULT 0,
  create_upload_requests   INTEGER NOT NULL DEFAULT 0,
  upload_part_requests     INTEGER NOT NULL DEFAULT 0,
  complete_upload_requests INTEGER NOT NULL DEFAULT 0,
  abort_upload_requests    INTEGER NOT NULL DEFAULT 0,
  list_parts_requests      INTEGER NOT NULL DEFAULT 0,
  retries                  INTEGER NOT NULL DEFAULT 0,
  wire_up                  INTEGER NOT NULL DEFAULT 0, -- bytes, heads included
  wire_down                INTEGER NOT NULL DEFAULT 0,
  survey_ns                INTEGER NOT NULL DEFAULT 0,
  transfer_ns              INTEGER NOT NULL DEFAULT 0,
  error                    TEXT
) STRICT;

-- The same for people at a SQL prompt.
CREATE VIEW entry_view AS SELECT
  CAST(key AS TEXT) AS key,
  CASE state WHEN 1 THEN 'synced' ELSE 'assumed' END AS state,
  flags & 1 AS racy,
  l_size,
  strftime('%Y-%m-%dT%H:%M:%fZ', l_mtime_ns / 1e9, 'unixepoch') AS l_mtime,
  strftime('%Y-%m-%dT%H:%M:%fZ', l_ctime_ns / 1e9, 'unixepoch') AS l_ctime,
  l_ino,
  r_size,
  strftime('%Y-%m-%dT%H:%M:%fZ', r_mtime_ms / 1e3, 'unixepoch') AS r_mtime,
  iif(typeof(r_etag) = 'blob', lower(hex(r_etag)), r_etag) AS r_etag,
  iif(md5 IS NOT NULL, lower(hex(md5)), NULL) AS md5
FROM entry;

CREATE VIEW pending_view AS SELECT
  CAST(key AS TEXT) AS key,
  action,
  reason,
  detail,
  l_size,
  strftime('%Y-%m-%dT%H:%M:%fZ', l_mtime_ns / 1e9, 'unixepoch') AS l_mtime,
  r_size,
  strftime('%Y-%m-%dT%H:%M:%fZ', r_mtime_ms / 1e3, 'unixepoch') AS r_mtime,
  iif(typeof(r_etag) = 'blob', lower(hex(r_etag)), r_etag) AS r_etag,
  attempts,
  strftime('%Y-%m-%dT%H:%M:%fZ', nullif(next_at_ns, 0) / 1e9, 'unixepoch')
    AS next_at,
  strftime('%Y-%m-%dT%H:%M:%fZ', since_ns / 1e9, 'unixepoch') AS since,
  error
FROM pending;

CREATE VIEW run_view AS SELECT
  id,
  strftime('%Y-%m-%dT%H:%M:%fZ', started_ns / 1e9, 'unixepoch') AS started,
  strftime('%Y-%m-%dT%H:%M:%fZ', ended_ns / 1e9, 'unixepoch') AS ended,
  outcome,
  local_keys,
  remote_keys,
  uploaded,
  downloaded,
  adopted,
  failed,
  waiting,
  blocked,
  differing,
  list_requests + get_requests + put_requests + head_requests +
    delete_requests + copy_requests +
    create_upload_requests + upload_part_requests +
    complete_upload_requests + abort_upload_requests +
    list_parts_requests
    AS requests,
  retries,
  wire_up,
  wire_down,
  error
FROM run;
