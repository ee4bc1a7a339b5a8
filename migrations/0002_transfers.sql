-- SPDX-License-Identifier: MIT
-- Transfers in parts, which outlive the process that began them.

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
  md5      BLOB    NOT NULL CHECK (length(md5) = 16), -- of what was sent
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
