-- Ids are text (UUIDv7 where we make them), times are microseconds since the Unix epoch, and clock and
-- randomness come from the service: so nearly every statement is the same text on both engines.
-- Columns that order or bound pages compare by bytes ("C"), whatever the database's locale.

-- Rows that grant access carry a code over their columns (`row_mac`, by the version `row_kid` of the key "rows") and the id
-- of their last change, which that change's audit event has too. No foreign key changes or removes such a row: it would
-- leave it without its code.

-- The root key itself is never here: only what recognises it.
CREATE TABLE root_keys (
    id TEXT COLLATE "C" PRIMARY KEY,
    check_value BYTEA NOT NULL,
    create_time BIGINT NOT NULL
);

CREATE TABLE keys (
    id TEXT COLLATE "C" PRIMARY KEY,
    purpose TEXT NOT NULL,
    create_time BIGINT NOT NULL
);

-- `destroy_approved`: somebody else approved a destruction of what is still needed. `state_mac` is a code under the root key
-- over state and times: no key of the ring can vouch for the ring. `import_time`: it came with
-- another vault's ring, and never sealed anything here.
CREATE TABLE key_versions (
    kid TEXT PRIMARY KEY,
    key_id TEXT NOT NULL REFERENCES keys (id),
    number BIGINT NOT NULL,
    state TEXT NOT NULL,
    root_key_id TEXT NOT NULL,
    wrapped TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    state_time BIGINT NOT NULL,
    import_time BIGINT,
    destroy_time BIGINT,
    destroy_approved BOOLEAN NOT NULL DEFAULT FALSE,
    state_mac BYTEA NOT NULL,
    UNIQUE (key_id, number)
);
CREATE UNIQUE INDEX key_versions_primary ON key_versions (key_id) WHERE state = 'primary';

-- `revision` counts the changes of the ring: whoever holds it open sees here whether it is still the stored one.
-- `deployment_mac` is a code under the root key over the deployment's id.
CREATE TABLE key_ring (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    revision BIGINT NOT NULL,
    deployment_id TEXT NOT NULL,
    deployment_mac BYTEA NOT NULL
);
INSERT INTO key_ring (id, revision, deployment_id, deployment_mac) VALUES (1, 1, '', '');

-- What columns outside the vault hold, as last reported; a version that holds nothing stands with 0, so that
-- every report leaves its time.
CREATE TABLE key_census (
    source TEXT NOT NULL,
    column_name TEXT NOT NULL,
    key_id TEXT NOT NULL REFERENCES keys (id),
    kid TEXT NOT NULL REFERENCES key_versions (kid),
    value_count BIGINT NOT NULL,
    time BIGINT NOT NULL,
    PRIMARY KEY (source, column_name, key_id, kid)
);
CREATE INDEX key_census_by_kid ON key_census (kid);

-- Archives that need a version; without a time they hold it until released. The version may be unknown here, until a ring
-- that has it is merged. `is_open`: the archive is being made, and nobody knows yet what it needs.
CREATE TABLE key_pins (
    archive_id TEXT NOT NULL,
    kid TEXT NOT NULL,
    expire_time BIGINT,
    is_open BOOLEAN NOT NULL,
    PRIMARY KEY (archive_id, kid)
);
CREATE INDEX key_pins_by_kid ON key_pins (kid);

-- The one manifest that was signed for each archive; a row stays when the archive is gone.
CREATE TABLE manifest_signatures (
    archive_id TEXT PRIMARY KEY,
    sha256 BYTEA NOT NULL,
    kid TEXT NOT NULL,
    signature BYTEA NOT NULL,
    time BIGINT NOT NULL
);

-- Refused retirements that another person may approve; consumed by the retirement that they let through.
CREATE TABLE key_requests (
    id TEXT COLLATE "C" PRIMARY KEY,
    kid TEXT NOT NULL REFERENCES key_versions (kid),
    action TEXT NOT NULL,
    requester TEXT NOT NULL,
    requester_person TEXT NOT NULL,
    approver TEXT NOT NULL,
    approver_person TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    expire_time BIGINT NOT NULL,
    consume_time BIGINT,
    row_kid TEXT NOT NULL,
    row_mac BYTEA NOT NULL,
    change_id TEXT NOT NULL
);
CREATE INDEX key_requests_by_kid ON key_requests (kid, action, requester_person);

-- Runs of the re-encryption; the lease says which process works on the running one.
CREATE TABLE reencrypt_jobs (
    id TEXT COLLATE "C" PRIMARY KEY,
    state TEXT NOT NULL,
    rows_per_second BIGINT NOT NULL,
    rows_done BIGINT NOT NULL,
    rows_left BIGINT NOT NULL,
    start_time BIGINT NOT NULL,
    end_time BIGINT,
    lease_owner TEXT NOT NULL,
    lease_until BIGINT NOT NULL
);
CREATE UNIQUE INDEX reencrypt_jobs_running ON reencrypt_jobs (state) WHERE state = 'running';

CREATE TABLE credentials (
    id TEXT COLLATE "C" PRIMARY KEY,
    display_name TEXT COLLATE "C" NOT NULL,
    provider TEXT COLLATE "C" NOT NULL,
    secret TEXT NOT NULL,
    preview TEXT NOT NULL,
    active BOOLEAN NOT NULL,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    last_used_time BIGINT,
    expire_time BIGINT,
    revision BIGINT NOT NULL,
    labels TEXT NOT NULL,
    secret_time BIGINT NOT NULL,
    deactivate_time BIGINT,
    row_kid TEXT NOT NULL,
    row_mac BYTEA NOT NULL,
    change_id TEXT NOT NULL
);
CREATE INDEX credentials_by_provider ON credentials (provider, id);
CREATE INDEX credentials_by_name ON credentials (display_name, id);

-- Credentials that were deleted, so that a restore does not bring them back unless somebody names them.
CREATE TABLE credential_tombstones (
    id TEXT PRIMARY KEY,
    display_name TEXT NOT NULL,
    provider TEXT NOT NULL,
    delete_time BIGINT NOT NULL
);

-- An index of `credentials.labels`: what it says is not authenticated.
CREATE TABLE credential_labels (
    credential_id TEXT COLLATE "C" NOT NULL REFERENCES credentials (id) ON DELETE CASCADE,
    name TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (credential_id, name)
);
CREATE INDEX credential_labels_by_value ON credential_labels (name, value, credential_id);

-- A credential's secret before its last rotation, until its grace is over; at most one.
CREATE TABLE credential_versions (
    id TEXT COLLATE "C" PRIMARY KEY,
    credential_id TEXT COLLATE "C" NOT NULL UNIQUE REFERENCES credentials (id) ON DELETE CASCADE,
    secret TEXT NOT NULL,
    preview TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    expire_time BIGINT NOT NULL,
    row_kid TEXT NOT NULL,
    row_mac BYTEA NOT NULL,
    change_id TEXT NOT NULL
);
CREATE INDEX credential_versions_by_expiry ON credential_versions (expire_time);

-- Re-encryption changes every row of a page at once. Where the page has room for all the new rows, no index
-- hears of them (HOT); else each row is entered anew in every index, and that is nearly half of the work: three
-- of six WAL records a row are the indexes'. Walking 200,000 credentials took one connection 41,000 rows a
-- second with full pages and 69,000 with half-full ones. The price is a table of twice the size.
ALTER TABLE credentials SET (fillfactor = 50);
ALTER TABLE credential_versions SET (fillfactor = 50);

-- What was asked for once (AIP-155). `digest` is keyed: a weak secret cannot be guessed from it.
CREATE TABLE requests (
    principal TEXT COLLATE "C" NOT NULL,
    method TEXT COLLATE "C" NOT NULL,
    request_id TEXT COLLATE "C" NOT NULL,
    digest TEXT NOT NULL,
    result_id TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    PRIMARY KEY (principal, method, request_id)
);
CREATE INDEX requests_by_time ON requests (create_time);

-- A consumer's reference outlives its credential: it is then bound to nothing. A reference that goes through another names
-- it in `via_…` and holds no credential of its own. `fallbacks` are ids of credentials, in order, joined by blanks.
CREATE TABLE credential_references (
    kind TEXT COLLATE "C" NOT NULL,
    consumer TEXT COLLATE "C" NOT NULL,
    credential_id TEXT COLLATE "C",
    needs_provider TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    via_kind TEXT COLLATE "C" NOT NULL,
    via_consumer TEXT COLLATE "C" NOT NULL,
    fallbacks TEXT NOT NULL,
    row_kid TEXT NOT NULL,
    row_mac BYTEA NOT NULL,
    change_id TEXT NOT NULL,
    PRIMARY KEY (kind, consumer)
);
CREATE INDEX credential_references_by_credential ON credential_references (credential_id, kind, consumer);
CREATE INDEX credential_references_by_via ON credential_references (via_kind, via_consumer);

-- An index of `credential_references.fallbacks`: what it says is not authenticated.
CREATE TABLE credential_fallbacks (
    kind TEXT COLLATE "C" NOT NULL,
    consumer TEXT COLLATE "C" NOT NULL,
    position BIGINT NOT NULL,
    credential_id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (kind, consumer, position),
    FOREIGN KEY (kind, consumer) REFERENCES credential_references (kind, consumer) ON DELETE CASCADE
);
CREATE INDEX credential_fallbacks_by_credential ON credential_fallbacks (credential_id, kind, consumer);

-- `selectors` is what a token is narrowed to, as JSON; an empty object means everything. `introspect_hash` is SHA-256 of
-- what a service sends to ask about a token, so that neither the database nor an archive holds what the vault is asked with.
-- `service` is the only one that accepts the token; empty means both. `break_glass`: made by whoever had
-- the database and the root key. `issuer` is not a foreign key: a token whose issuer is missing is refused. `person` is the
-- issuer's, or, of an `enrolled` token, its own; that one acts for its person once it was `renewed`. What it issued up to
-- `cut_time` has ended. `stale_time`: a restore brought it, and it authenticates nobody until it is reissued.
CREATE TABLE api_tokens (
    id TEXT COLLATE "C" PRIMARY KEY,
    hash BYTEA NOT NULL UNIQUE,
    name TEXT COLLATE "C" NOT NULL,
    role TEXT NOT NULL,
    issuer TEXT COLLATE "C" NOT NULL,
    create_time BIGINT NOT NULL,
    expire_time BIGINT,
    last_used_time BIGINT,
    revoke_time BIGINT,
    selectors TEXT NOT NULL,
    introspect_hash BYTEA UNIQUE,
    service TEXT NOT NULL,
    break_glass BOOLEAN NOT NULL,
    person TEXT NOT NULL,
    enrolled BOOLEAN NOT NULL,
    renewed BOOLEAN NOT NULL,
    issue_time BIGINT NOT NULL,
    cut_time BIGINT,
    stale_time BIGINT,
    row_kid TEXT NOT NULL,
    row_mac BYTEA NOT NULL,
    change_id TEXT NOT NULL
);
CREATE INDEX api_tokens_by_time ON api_tokens (create_time, id);

-- Who may approve. A person who was removed stays, so that nobody becomes the first again.
CREATE TABLE people (
    id TEXT COLLATE "C" PRIMARY KEY,
    name TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    remove_time BIGINT,
    enroller TEXT NOT NULL,
    row_kid TEXT NOT NULL,
    row_mac BYTEA NOT NULL,
    change_id TEXT NOT NULL
);

-- Whose an identity of the configuration is. A token's person is in its own row.
CREATE TABLE person_identities (
    principal TEXT COLLATE "C" PRIMARY KEY,
    person TEXT NOT NULL,
    row_kid TEXT NOT NULL,
    row_mac BYTEA NOT NULL,
    change_id TEXT NOT NULL
);

-- What one person asks for and another one may approve; consumed by the approval.
CREATE TABLE person_requests (
    id TEXT COLLATE "C" PRIMARY KEY,
    action TEXT NOT NULL,
    name TEXT NOT NULL,
    person TEXT NOT NULL,
    subject TEXT NOT NULL,
    subject_hash TEXT NOT NULL,
    requester TEXT NOT NULL,
    requester_person TEXT NOT NULL,
    approver TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    expire_time BIGINT NOT NULL,
    consume_time BIGINT,
    row_kid TEXT NOT NULL,
    row_mac BYTEA NOT NULL,
    change_id TEXT NOT NULL
);

-- A restore of this vault, from its first staged row until it cannot be taken back any more; what is `done` keeps its grant from
-- being used again. `terms` is what the grant allows and `statement` the grant itself, which every step checks again: nobody can
-- change what a stage does. `ring` is the archive's. `previous_deployment`: which one the vault was before the restore.
CREATE TABLE restore_stages (
    id TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    terms TEXT NOT NULL,
    statement BYTEA NOT NULL,
    ring BYTEA NOT NULL,
    tables TEXT NOT NULL,
    report TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    expire_time BIGINT NOT NULL,
    commit_time BIGINT,
    previous_deployment TEXT
);

-- Rows of an archive beside the live ones, as JSON, each with the code that it had in the archive.
CREATE TABLE restore_rows (
    stage_id TEXT NOT NULL REFERENCES restore_stages (id) ON DELETE CASCADE,
    table_name TEXT NOT NULL,
    row_key TEXT NOT NULL,
    content TEXT NOT NULL,
    PRIMARY KEY (stage_id, table_name, row_key)
);

-- What a committed restore has replaced: `content` is the row before it, NULL for one that it made. `change_id` is what it gave the
-- row that stands there now, NULL where it removed it. The code is over all of it, so that nobody else's row is put back.
CREATE TABLE restore_undo (
    stage_id TEXT NOT NULL REFERENCES restore_stages (id) ON DELETE CASCADE,
    table_name TEXT NOT NULL,
    row_key TEXT NOT NULL,
    content TEXT,
    change_id TEXT,
    row_kid TEXT NOT NULL,
    row_mac BYTEA NOT NULL,
    PRIMARY KEY (stage_id, table_name, row_key)
);

-- `key_kid` and `mac` chain the events.
CREATE TABLE audit_logs (
    sequence BIGINT PRIMARY KEY,
    time BIGINT NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    via TEXT NOT NULL,
    event TEXT COLLATE "C" NOT NULL,
    target TEXT COLLATE "C" NOT NULL,
    metadata TEXT NOT NULL,
    trace_id TEXT NOT NULL,
    outcome TEXT NOT NULL,
    operation_id TEXT,
    key_kid TEXT,
    mac BYTEA
);
-- An operation has each of its events once. Reveals and decrypts belong to none, so they do not touch this index.
CREATE UNIQUE INDEX audit_logs_by_operation ON audit_logs (operation_id, event) WHERE operation_id IS NOT NULL;
CREATE INDEX audit_logs_by_event ON audit_logs (event, sequence);
CREATE INDEX audit_logs_by_actor ON audit_logs (actor, sequence);
CREATE INDEX audit_logs_by_target ON audit_logs (target, sequence);

-- The one row that every append locks, last in its transaction: the sequence has no gaps. `key_kid`: which key version made
-- the head's code. `chain` names the log: random, and the same for ever.
CREATE TABLE audit_head (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    chain TEXT NOT NULL DEFAULT '',
    sequence BIGINT NOT NULL,
    time BIGINT,
    mac BYTEA,
    key_kid TEXT
);
INSERT INTO audit_head (id, sequence) VALUES (1, 0);

-- Where older events were removed: the chain goes on from `mac`, the code of event `sequence`. `code` is a code
-- over the row itself, made with the key version `key_kid`.
CREATE TABLE audit_checkpoints (
    sequence BIGINT PRIMARY KEY,
    mac BYTEA NOT NULL,
    time BIGINT NOT NULL,
    removed BIGINT NOT NULL,
    key_kid TEXT NOT NULL,
    code BYTEA NOT NULL
);
