/** The version of the tables below, kept in SQLite's `user_version`. */
export const catalogVersion = 2;

/**
 * The catalog's tables in version 1. Names are 32-byte blobs, times milliseconds since 1970, lengths and offsets bytes.
 * `chunks` has a number for each name, so that garbage collection can mark in a bitmap. A pack's number is never used
 * again: long-lived readers keep them. What `sources` knows of files is decimal text, as 64-bit numbers outgrow doubles.
 */
const firstSchema = `
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE packs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name BLOB NOT NULL UNIQUE,
  size INTEGER NOT NULL
) STRICT;

CREATE TABLE chunks (
  id INTEGER PRIMARY KEY,
  name BLOB NOT NULL UNIQUE,
  pack INTEGER NOT NULL,
  offset INTEGER NOT NULL,
  stored_length INTEGER NOT NULL,
  length INTEGER NOT NULL,
  crc32 INTEGER NOT NULL,
  method INTEGER NOT NULL,
  kind INTEGER NOT NULL
) STRICT;

CREATE INDEX chunks_by_pack ON chunks (pack);

CREATE TABLE images (
  id INTEGER PRIMARY KEY,
  uuid TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL UNIQUE,
  created INTEGER NOT NULL,
  next_number INTEGER NOT NULL
) STRICT;

CREATE TABLE snapshots (
  image INTEGER NOT NULL,
  number INTEGER NOT NULL,
  id BLOB NOT NULL UNIQUE,
  parent BLOB,
  root BLOB NOT NULL,
  size INTEGER NOT NULL,
  time INTEGER NOT NULL,
  message TEXT NOT NULL,
  author TEXT NOT NULL,
  described INTEGER NOT NULL,
  data_length INTEGER NOT NULL,
  added_length INTEGER NOT NULL,
  stored_length INTEGER NOT NULL,
  PRIMARY KEY (image, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE tags (
  image INTEGER NOT NULL,
  name TEXT NOT NULL,
  number INTEGER NOT NULL,
  PRIMARY KEY (image, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE leases (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  purpose TEXT NOT NULL,
  pid INTEGER NOT NULL,
  start_time INTEGER NOT NULL,
  boot_id TEXT NOT NULL,
  pid_namespace TEXT NOT NULL,
  root BLOB,
  created INTEGER NOT NULL
) STRICT;

CREATE TABLE sources (
  device TEXT NOT NULL,
  inode TEXT NOT NULL,
  size TEXT NOT NULL,
  modified TEXT NOT NULL,
  changed TEXT NOT NULL,
  format TEXT NOT NULL,
  root BLOB NOT NULL,
  PRIMARY KEY (device, inode)
) STRICT, WITHOUT ROWID;
`;

/**
 * What version 2 has besides. `overlays` has the layers of changes over an image, position 1 the lowest; all with one
 * `owner` (empty: the image's own) are one stack. The lowest has the content it lies on in `base` (a root) and the
 * snapshot's id and number; with a `number` of its own a layer is the last one of a snapshot that is being stored.
 * A `tag` without a number is the name of a transaction's savepoint, which ends with the layer.
 */
const overlaySchema = `
CREATE TABLE overlays (
  id TEXT PRIMARY KEY,
  image INTEGER NOT NULL,
  owner TEXT NOT NULL,
  position INTEGER NOT NULL,
  size INTEGER NOT NULL,
  created INTEGER NOT NULL,
  base BLOB,
  base_id BLOB,
  base_number INTEGER,
  number INTEGER,
  time INTEGER,
  message TEXT,
  author TEXT,
  tag TEXT,
  UNIQUE (image, owner, position)
) STRICT, WITHOUT ROWID;

ALTER TABLE leases ADD COLUMN image INTEGER;
ALTER TABLE leases ADD COLUMN owner TEXT;
ALTER TABLE leases ADD COLUMN socket TEXT;
`;

/** What makes each version out of the one before, the first out of nothing. */
export const catalogSteps: readonly string[] = [firstSchema, overlaySchema];
