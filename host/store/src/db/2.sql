-- Format 2: who signed a connector, and the version of it that waits for consent.

ALTER TABLE connectors ADD COLUMN publisher TEXT;  -- hex of the public key; NULL: unsigned, by an operator's word

ALTER TABLE connectors ADD COLUMN removed INTEGER NOT NULL DEFAULT 0;  -- whose it was stays known
CREATE VIEW live_connectors AS SELECT * FROM connectors WHERE NOT removed;

CREATE TABLE waiting_connectors (
    id        TEXT PRIMARY KEY REFERENCES connectors (id) ON DELETE CASCADE,
    version   TEXT NOT NULL,
    digest    TEXT NOT NULL,
    size      INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    publisher TEXT
) STRICT, WITHOUT ROWID;
