-- SPDX-License-Identifier: MIT
-- Requests of every kind in a run, and what they cost on the wire.

DROP VIEW run_view;
ALTER TABLE run RENAME TO run_before;

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

INSERT INTO run (
  id, started_ns, ended_ns, outcome, local_keys, remote_keys, uploaded,
  downloaded, adopted, bytes_up, bytes_down, failed, waiting, blocked,
  differing, list_requests, get_requests, put_requests, retries,
  survey_ns, transfer_ns, error
) SELECT
  id, started_ns, ended_ns, outcome, local_keys, remote_keys, uploaded,
  downloaded, adopted, bytes_up, bytes_down, failed, waiting, blocked,
  differing, list_requests, get_requests, put_requests, retries,
  survey_ns, transfer_ns, error
FROM run_before;
DROP TABLE run_before;

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
