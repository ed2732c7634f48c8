-- Format 1. Never edited once released: a later format adds a file of its own beside this one.

CREATE TABLE tenants (
    key     INTEGER PRIMARY KEY,
    id      TEXT NOT NULL UNIQUE,
    name    TEXT NOT NULL,
    created INTEGER NOT NULL,
    history TEXT NOT NULL,                  -- random; another one makes every index of the tenant start afresh
    seq     INTEGER NOT NULL DEFAULT 0      -- the last position given in that history
) STRICT;

CREATE TABLE sources (
    key    INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL REFERENCES tenants (key),
    id     TEXT NOT NULL,
    UNIQUE (tenant, id)
) STRICT;

CREATE TABLE connections (
    key          INTEGER PRIMARY KEY AUTOINCREMENT,
    id           TEXT NOT NULL UNIQUE,
    tenant       INTEGER NOT NULL REFERENCES tenants (key),
    connector    TEXT NOT NULL,
    provider     TEXT NOT NULL,
    auth         TEXT NOT NULL,
    owner        TEXT,                      -- a subject; NULL: the workspace
    name         TEXT NOT NULL,
    account      TEXT NOT NULL,
    account_name TEXT NOT NULL,
    workspace    TEXT,
    source       INTEGER NOT NULL REFERENCES sources (key),
    audience     TEXT NOT NULL,             -- JSON array
    settings     TEXT NOT NULL,             -- JSON object
    state        TEXT NOT NULL,
    created      INTEGER NOT NULL,
    ceiling      TEXT,                      -- of the last grant; outlives it, so that a withdrawal widens nothing
    trusted      INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX connections_of_tenant ON connections (tenant, created);
CREATE INDEX connections_of_source ON connections (source);

CREATE TABLE grants (
    connection INTEGER PRIMARY KEY REFERENCES connections (key) ON DELETE CASCADE,
    body       TEXT NOT NULL                -- JSON
) STRICT;

-- Documents: what they say is the source's, who may read them is each connection's.

CREATE TABLE documents (
    key       INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant    INTEGER NOT NULL,
    source    INTEGER NOT NULL REFERENCES sources (key),
    id        TEXT NOT NULL,
    revision  TEXT,
    kind      TEXT NOT NULL,
    title     TEXT NOT NULL,
    folded    TEXT NOT NULL,                -- the title as it is looked up: trimmed, lower case
    truncated INTEGER NOT NULL,
    url       TEXT,
    created   INTEGER,
    updated   INTEGER,
    authors   TEXT NOT NULL,                -- JSON array
    container TEXT,
    metadata  TEXT NOT NULL,                -- JSON object
    content   BLOB NOT NULL,                -- the index's ContentHash
    changed   INTEGER NOT NULL,             -- when the content last changed here
    recipe    INTEGER REFERENCES recipes (key),  -- of the stored chunks
    current   INTEGER NOT NULL DEFAULT 0,   -- the stored chunks were made from `content`
    UNIQUE (source, id)
) STRICT;
CREATE INDEX documents_by_chunks ON documents (tenant, current, recipe, changed);
CREATE INDEX documents_by_title ON documents (tenant, folded);

CREATE TABLE texts (
    document INTEGER PRIMARY KEY REFERENCES documents (key) ON DELETE CASCADE,
    form     TEXT NOT NULL,
    text     TEXT NOT NULL
) STRICT;

-- Access lists are shared by everything of a connection that has the same.
CREATE TABLE acls (
    key        INTEGER PRIMARY KEY AUTOINCREMENT,
    connection INTEGER NOT NULL REFERENCES connections (key) ON DELETE CASCADE,
    hash       BLOB NOT NULL,
    UNIQUE (connection, hash)
) STRICT;

CREATE TABLE acl_entries (
    connection INTEGER NOT NULL,
    kind       INTEGER NOT NULL,
    id         TEXT NOT NULL,
    acl        INTEGER NOT NULL REFERENCES acls (key) ON DELETE CASCADE,
    level      INTEGER NOT NULL,
    PRIMARY KEY (connection, kind, id, acl)
) STRICT, WITHOUT ROWID;
CREATE INDEX acl_entries_of_acl ON acl_entries (acl, kind, id);

CREATE TABLE acl_inherits (
    connection INTEGER NOT NULL,
    container  TEXT NOT NULL,
    acl        INTEGER NOT NULL REFERENCES acls (key) ON DELETE CASCADE,
    PRIMARY KEY (connection, container, acl)
) STRICT, WITHOUT ROWID;
CREATE INDEX acl_inherits_of_acl ON acl_inherits (acl, container);

-- "This connection lists this document, and says that these may read it."
CREATE TABLE attestations (
    document   INTEGER NOT NULL REFERENCES documents (key) ON DELETE CASCADE,
    connection INTEGER NOT NULL REFERENCES connections (key) ON DELETE CASCADE,
    stream     TEXT NOT NULL,               -- that listed it last
    sweep      INTEGER NOT NULL,            -- in which it was listed last
    acl        INTEGER REFERENCES acls (key),   -- NULL: unknown, so invisible
    PRIMARY KEY (document, connection)
) STRICT, WITHOUT ROWID;
CREATE INDEX attestations_by_acl ON attestations (connection, acl, document);
CREATE INDEX attestations_of_acl ON attestations (acl);
CREATE INDEX attestations_by_sweep ON attestations (connection, stream, sweep);

CREATE TABLE containers (
    connection INTEGER NOT NULL REFERENCES connections (key) ON DELETE CASCADE,
    id         TEXT NOT NULL,
    kind       TEXT NOT NULL,
    name       TEXT NOT NULL,
    folded     TEXT NOT NULL,
    parent     TEXT,
    acl        INTEGER REFERENCES acls (key),
    PRIMARY KEY (connection, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX containers_by_acl ON containers (acl);
CREATE INDEX containers_by_name ON containers (connection, folded);

-- Groups and people mean something in their source only. Where two connections differ, the later word counts.
CREATE TABLE groups (
    key        INTEGER PRIMARY KEY AUTOINCREMENT,
    source     INTEGER NOT NULL REFERENCES sources (key),
    connection INTEGER NOT NULL REFERENCES connections (key) ON DELETE CASCADE,
    id         TEXT NOT NULL,
    word       INTEGER NOT NULL,            -- grows with each change: a later word is a greater number
    UNIQUE (connection, id)
) STRICT;
CREATE INDEX groups_of_source ON groups (source, id, word);

CREATE TABLE members (
    kind  INTEGER NOT NULL,
    id    TEXT NOT NULL,
    grp   INTEGER NOT NULL REFERENCES groups (key) ON DELETE CASCADE,
    PRIMARY KEY (grp, kind, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_by_principal ON members (kind, id, grp);

CREATE TABLE people (
    source     INTEGER NOT NULL REFERENCES sources (key),
    connection INTEGER NOT NULL REFERENCES connections (key) ON DELETE CASCADE,
    user       TEXT NOT NULL,
    email      TEXT,
    name       TEXT,
    active     INTEGER NOT NULL,
    word       INTEGER NOT NULL,
    PRIMARY KEY (source, user, connection)
) STRICT, WITHOUT ROWID;
CREATE INDEX people_by_email ON people (source, email);
CREATE INDEX people_of_connection ON people (connection);

-- An admin's word on whose a provider's user is, where the provider tells no addresses. It counts before the source's.
CREATE TABLE ties (
    source INTEGER NOT NULL REFERENCES sources (key),
    user   TEXT NOT NULL,
    email  TEXT NOT NULL,                   -- lower case
    by     TEXT NOT NULL,                   -- a subject
    at     INTEGER NOT NULL,
    PRIMARY KEY (source, user)
) STRICT, WITHOUT ROWID;
CREATE INDEX ties_by_email ON ties (source, email);

CREATE TABLE words (last INTEGER NOT NULL) STRICT;
INSERT INTO words VALUES (0);

CREATE TABLE streams (
    connection INTEGER NOT NULL REFERENCES connections (key) ON DELETE CASCADE,
    stream     TEXT NOT NULL,
    source     INTEGER NOT NULL REFERENCES sources (key),
    cursor     TEXT,
    generation INTEGER NOT NULL DEFAULT 0,
    committed  TEXT,                        -- JSON: what the last commit answered
    sweep      INTEGER NOT NULL DEFAULT 0,
    sweeping   INTEGER NOT NULL DEFAULT 0,
    fence      INTEGER NOT NULL DEFAULT 0,
    until      INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (connection, stream)
) STRICT, WITHOUT ROWID;
CREATE INDEX streams_of_source ON streams (source, stream);

-- Chunks, and the order in which documents' chunks changed.

CREATE TABLE recipes (key INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;

CREATE TABLE chunks (
    key      INTEGER PRIMARY KEY AUTOINCREMENT,
    document INTEGER NOT NULL REFERENCES documents (key) ON DELETE CASCADE,
    ordinal  INTEGER NOT NULL,
    first    INTEGER NOT NULL,
    last     INTEGER NOT NULL,
    scale    REAL NOT NULL,
    heading  TEXT NOT NULL,                 -- JSON array
    text     TEXT NOT NULL,
    vector   BLOB NOT NULL                  -- one signed byte a dimension
) STRICT;
CREATE INDEX chunks_of_document ON chunks (document, ordinal);

CREATE TABLE history (
    document INTEGER PRIMARY KEY,           -- also of one that is gone
    tenant   INTEGER NOT NULL,
    seq      INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX history_by_seq ON history (tenant, seq);

-- The journal. The columns of an invocation beside its plan follow from its entries, in the same transaction.

CREATE TABLE invocations (
    key        INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT NOT NULL UNIQUE,
    tenant     TEXT NOT NULL,
    connection TEXT NOT NULL,
    caller     TEXT NOT NULL,               -- JSON
    subject    TEXT NOT NULL,
    connector  TEXT NOT NULL,
    standing   TEXT NOT NULL,               -- JSON
    length     INTEGER NOT NULL,            -- entries
    state      TEXT NOT NULL,
    ended      INTEGER NOT NULL DEFAULT 0,
    planned    INTEGER NOT NULL,
    changed    INTEGER NOT NULL,
    expires    INTEGER,
    hold       TEXT,                        -- hash of the last hold's request
    fence      INTEGER NOT NULL,
    until      INTEGER NOT NULL
) STRICT;
CREATE INDEX invocations_of_tenant ON invocations (tenant, state, key);

CREATE TABLE entries (
    invocation INTEGER NOT NULL REFERENCES invocations (key),
    seq        INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    event      TEXT NOT NULL,               -- JSON
    PRIMARY KEY (invocation, seq)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER entries_are_not_changed BEFORE UPDATE ON entries
BEGIN SELECT raise(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER entries_are_not_deleted BEFORE DELETE ON entries
BEGIN SELECT raise(ABORT, 'the journal is append-only'); END;

CREATE TABLE bodies (
    connection TEXT NOT NULL,
    hash       TEXT NOT NULL,
    size       INTEGER NOT NULL,
    nonce      BLOB NOT NULL,
    ciphertext BLOB NOT NULL,
    PRIMARY KEY (connection, hash)
) STRICT;

CREATE TABLE sent (
    connection TEXT NOT NULL,
    at         INTEGER NOT NULL,
    invocation INTEGER NOT NULL REFERENCES invocations (key),
    call       INTEGER NOT NULL,
    UNIQUE (invocation, call)
) STRICT;
CREATE INDEX sent_by_time ON sent (connection, at);

-- Sealed secrets and wrapped keys: ciphertext only. An empty tenant is the operator, an empty connection the whole tenant.

CREATE TABLE secrets (
    connection INTEGER NOT NULL REFERENCES connections (key) ON DELETE CASCADE,
    slot       TEXT NOT NULL,
    sealed     TEXT NOT NULL,               -- JSON: everything but the bytes
    nonce      BLOB NOT NULL,
    ciphertext BLOB NOT NULL,
    generation INTEGER NOT NULL,
    PRIMARY KEY (connection, slot)
) STRICT, WITHOUT ROWID;

CREATE TABLE refreshes (
    connection INTEGER NOT NULL REFERENCES connections (key) ON DELETE CASCADE,
    slot       TEXT NOT NULL,
    holder     TEXT NOT NULL,
    fence      INTEGER NOT NULL,
    until      INTEGER NOT NULL,
    PRIMARY KEY (connection, slot)
) STRICT, WITHOUT ROWID;

CREATE TABLE clients (
    tenant     TEXT NOT NULL,
    provider   TEXT NOT NULL,
    sealed     TEXT NOT NULL,
    nonce      BLOB NOT NULL,
    ciphertext BLOB NOT NULL,
    generation INTEGER NOT NULL,
    PRIMARY KEY (tenant, provider)
) STRICT, WITHOUT ROWID;

CREATE TABLE data_keys (
    tenant     TEXT NOT NULL,
    connection TEXT NOT NULL,
    id         TEXT NOT NULL,
    nonce      BLOB NOT NULL,
    ciphertext BLOB NOT NULL,
    PRIMARY KEY (tenant, connection)
) STRICT, WITHOUT ROWID;

CREATE TABLE buckets (
    key     TEXT PRIMARY KEY,
    millis  INTEGER NOT NULL,               -- the window that `slices` divides
    slices  TEXT NOT NULL,                  -- JSON: [number, drawn] of each slice that counts
    blocked INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE connectors (
    id        TEXT PRIMARY KEY,
    version   TEXT NOT NULL,
    digest    TEXT NOT NULL,
    size      INTEGER NOT NULL,
    at        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Conversations with the agent.

CREATE TABLE turns (
    key          INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant       TEXT NOT NULL,
    subject      TEXT NOT NULL,
    conversation TEXT NOT NULL,
    body         TEXT NOT NULL              -- JSON
) STRICT;
CREATE INDEX turns_of_conversation ON turns (tenant, conversation, key);

-- Accounts.

CREATE TABLE api_keys (
    id      TEXT PRIMARY KEY,
    hash    BLOB NOT NULL,
    tenant  TEXT,                           -- NULL: the operator's
    label   TEXT NOT NULL,
    created INTEGER NOT NULL,
    revoked INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE users (
    tenant  TEXT NOT NULL REFERENCES tenants (id),
    subject TEXT NOT NULL,
    name    TEXT NOT NULL,
    emails  TEXT NOT NULL,                  -- JSON array
    roles   TEXT NOT NULL,                  -- JSON array
    PRIMARY KEY (tenant, subject)
) STRICT, WITHOUT ROWID;

CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
