-- Ids are text (UUIDv7 where we make them), times are microseconds since the Unix epoch, and clock and
-- randomness come from the service: so nearly every statement is the same text on both engines.

-- The root key itself is never here: only what recognises it.
CREATE TABLE root_keys (
    id TEXT PRIMARY KEY,
    check_value BLOB NOT NULL,
    create_time BIGINT NOT NULL
);

CREATE TABLE keys (
    id TEXT PRIMARY KEY,
    purpose TEXT NOT NULL,
    create_time BIGINT NOT NULL
);

CREATE TABLE key_versions (
    kid TEXT PRIMARY KEY,
    key_id TEXT NOT NULL REFERENCES keys (id),
    number BIGINT NOT NULL,
    state TEXT NOT NULL,
    root_key_id TEXT NOT NULL,
    wrapped TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    UNIQUE (key_id, number)
);

CREATE TABLE credentials (
    id TEXT PRIMARY KEY,
    display_name TEXT NOT NULL,
    provider TEXT NOT NULL,
    secret TEXT NOT NULL,
    preview TEXT NOT NULL,
    active BOOLEAN NOT NULL,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    last_used_time BIGINT,
    expire_time BIGINT,
    revision BIGINT NOT NULL
);
CREATE INDEX credentials_by_provider ON credentials (provider, id);
CREATE INDEX credentials_by_name ON credentials (display_name, id);

CREATE TABLE credential_labels (
    credential_id TEXT NOT NULL REFERENCES credentials (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (credential_id, name)
);
CREATE INDEX credential_labels_by_value ON credential_labels (name, value, credential_id);

-- A consumer's reference outlives its credential: it is then bound to nothing.
CREATE TABLE credential_references (
    kind TEXT NOT NULL,
    consumer TEXT NOT NULL,
    credential_id TEXT REFERENCES credentials (id) ON DELETE SET NULL,
    needs_provider TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    PRIMARY KEY (kind, consumer)
);
CREATE INDEX credential_references_by_credential ON credential_references (credential_id, kind, consumer);

CREATE TABLE api_tokens (
    id TEXT PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    issuer TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    expire_time BIGINT,
    last_used_time BIGINT,
    revoke_time BIGINT
);
CREATE INDEX api_tokens_by_time ON api_tokens (create_time, id);

-- `key_kid` and `mac` chain the events; they are empty on events written before the chain began. INTEGER, because SQLite
-- then has no index for the primary key: the table itself is in its order, and so are equal entries of the other indexes.
CREATE TABLE audit_logs (
    sequence INTEGER PRIMARY KEY,
    time BIGINT NOT NULL,
    actor TEXT NOT NULL,
    via TEXT NOT NULL,
    event TEXT NOT NULL,
    target TEXT NOT NULL,
    metadata TEXT NOT NULL,
    trace_id TEXT NOT NULL,
    outcome TEXT NOT NULL,
    operation_id TEXT,
    key_kid TEXT,
    mac BLOB
);
-- An operation has each of its events once. Reveals and decrypts belong to none, so they do not touch this index.
CREATE UNIQUE INDEX audit_logs_by_operation ON audit_logs (operation_id, event) WHERE operation_id IS NOT NULL;
CREATE INDEX audit_logs_by_event ON audit_logs (event);
CREATE INDEX audit_logs_by_actor ON audit_logs (actor);
CREATE INDEX audit_logs_by_target ON audit_logs (target);

-- The one row that every append locks, last in its transaction: the sequence has no gaps.
CREATE TABLE audit_head (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    sequence BIGINT NOT NULL,
    time BIGINT,
    mac BLOB
);
INSERT INTO audit_head (id, sequence) VALUES (1, 0);
