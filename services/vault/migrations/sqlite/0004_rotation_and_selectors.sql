-- A credential's secret before its last rotation, until its grace is over; at most one.
CREATE TABLE credential_versions (
    id TEXT PRIMARY KEY,
    credential_id TEXT NOT NULL UNIQUE REFERENCES credentials (id) ON DELETE CASCADE,
    secret TEXT NOT NULL,
    preview TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    expire_time BIGINT NOT NULL
);
CREATE INDEX credential_versions_by_expiry ON credential_versions (expire_time);

-- What was asked for once (AIP-155). `digest` is keyed: a weak secret cannot be guessed from it.
CREATE TABLE requests (
    principal TEXT NOT NULL,
    method TEXT NOT NULL,
    request_id TEXT NOT NULL,
    digest TEXT NOT NULL,
    result_id TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    PRIMARY KEY (principal, method, request_id)
);
CREATE INDEX requests_by_time ON requests (create_time);

-- A reference that goes through another names it here and holds no credential of its own.
ALTER TABLE credential_references ADD COLUMN via_kind TEXT NOT NULL DEFAULT '';
ALTER TABLE credential_references ADD COLUMN via_consumer TEXT NOT NULL DEFAULT '';
CREATE INDEX credential_references_by_via ON credential_references (via_kind, via_consumer);

CREATE TABLE credential_fallbacks (
    kind TEXT NOT NULL,
    consumer TEXT NOT NULL,
    position BIGINT NOT NULL,
    credential_id TEXT NOT NULL REFERENCES credentials (id) ON DELETE CASCADE,
    PRIMARY KEY (kind, consumer, position),
    FOREIGN KEY (kind, consumer) REFERENCES credential_references (kind, consumer) ON DELETE CASCADE
);
CREATE INDEX credential_fallbacks_by_credential ON credential_fallbacks (credential_id, kind, consumer);

-- What a token is narrowed to, as JSON; an empty object means everything.
ALTER TABLE api_tokens ADD COLUMN selectors TEXT NOT NULL DEFAULT '{}';
