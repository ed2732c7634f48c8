-- Format 3: why a connection is in its state, attempts to connect, what the embedder is told, and which master key wraps.

ALTER TABLE connections ADD COLUMN reason TEXT;        -- for a person who can act on it
ALTER TABLE connections ADD COLUMN checked INTEGER;    -- when the service last said whose account it is
UPDATE connections SET state = 'active' WHERE state = 'live';

CREATE TABLE links (
    id      TEXT PRIMARY KEY,               -- hash of what stands in the link
    tenant  TEXT NOT NULL,
    state   TEXT UNIQUE,                    -- hash of the `state` that a provider is to bring back; NULL: it waits for none
    expires INTEGER NOT NULL,
    version INTEGER NOT NULL,               -- compared and swapped
    body    TEXT NOT NULL                   -- JSON
) STRICT, WITHOUT ROWID;
CREATE INDEX links_by_expiry ON links (expires);

CREATE TABLE events (
    key    INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant TEXT NOT NULL,
    at     INTEGER NOT NULL,
    kind   TEXT NOT NULL,
    body   TEXT NOT NULL                    -- JSON
) STRICT;
CREATE INDEX events_of_tenant ON events (tenant, key);

ALTER TABLE data_keys ADD COLUMN master TEXT;          -- NULL: the first one
CREATE INDEX data_keys_by_master ON data_keys (master);
