-- Format 4: the audit chains; bodies under short names, with when they were kept last; tenants that are gone.

CREATE TABLE chains (
    key  INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,              -- the tenant's id; empty: the host's own
    seq  INTEGER NOT NULL,                  -- of the newest link
    hash BLOB NOT NULL                      -- of the newest link
) STRICT;

-- A link stands for an entry (`invocation`, `entry`) or for a note (`at`, `note`).
CREATE TABLE audit (
    chain      INTEGER NOT NULL,
    seq        INTEGER NOT NULL,            -- from 1, without gaps
    hash       BLOB NOT NULL,
    invocation INTEGER,
    entry      INTEGER,
    at         INTEGER,
    note       TEXT,                        -- JSON
    PRIMARY KEY (chain, seq)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN SELECT raise(ABORT, 'the audit chain is append-only'); END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
BEGIN SELECT raise(ABORT, 'the audit chain is append-only'); END;

CREATE TABLE heads (
    chain     INTEGER PRIMARY KEY REFERENCES chains (key),
    seq       INTEGER NOT NULL,
    hash      BLOB NOT NULL,
    at        INTEGER NOT NULL,
    public    BLOB NOT NULL,                -- the key that signed
    signature BLOB NOT NULL
) STRICT;

CREATE TABLE named_bodies (
    key        INTEGER PRIMARY KEY,
    connection INTEGER NOT NULL REFERENCES connections (key) ON DELETE CASCADE,
    hash       BLOB NOT NULL,
    kept       INTEGER NOT NULL,            -- when it was handed over last
    nonce      BLOB NOT NULL,
    ciphertext BLOB NOT NULL
) STRICT;
INSERT INTO named_bodies (connection, hash, kept, nonce, ciphertext)
    SELECT c.key, coalesce(CASE WHEN length(b.hash) = 64 THEN unhex(b.hash) END, CAST(b.hash AS BLOB)),
        unixepoch() * 1000, b.nonce, b.ciphertext
    FROM bodies b JOIN connections c ON c.id = b.connection;
DROP TABLE bodies;
ALTER TABLE named_bodies RENAME TO bodies;
CREATE UNIQUE INDEX bodies_by_name ON bodies (connection, hash);

ALTER TABLE tenants ADD COLUMN removed INTEGER;        -- its id is never given again: the journal has it
