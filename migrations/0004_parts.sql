-- SPDX-License-Identifier: MIT
-- Parts without their MD5: it is made when it is asked for, which is seldom.

ALTER TABLE part RENAME TO part_before;

-- Their parts that the server has.
CREATE TABLE part (
  key      BLOB    NOT NULL,
  number   INTEGER NOT NULL CHECK (number BETWEEN 1 AND 10000),
  checksum BLOB, -- of the upload's kind, NULL if it has none
  r_etag   ANY     NOT NULL, -- as in entry
  PRIMARY KEY (key, number)
) STRICT, WITHOUT ROWID;

INSERT INTO part (key, number, checksum, r_etag)
  SELECT key, number, checksum, r_etag FROM part_before;
DROP TABLE part_before;
