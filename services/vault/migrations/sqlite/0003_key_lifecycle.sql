-- Counts the changes of the ring: whoever holds it open sees here whether it is still the stored one.
CREATE TABLE ring_revision (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    revision BIGINT NOT NULL
);
INSERT INTO ring_revision (id, revision) VALUES (1, 1);

-- `destroy_approved`: somebody else approved a destruction of what is still needed.
ALTER TABLE key_versions ADD COLUMN destroy_time BIGINT;
ALTER TABLE key_versions ADD COLUMN destroy_approved BOOLEAN NOT NULL DEFAULT FALSE;
CREATE UNIQUE INDEX key_versions_primary ON key_versions (key_id) WHERE state = 'primary';

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

-- Archives that need a version; without a time they hold it until released.
CREATE TABLE key_pins (
    archive_id TEXT NOT NULL,
    kid TEXT NOT NULL REFERENCES key_versions (kid),
    expire_time BIGINT,
    PRIMARY KEY (archive_id, kid)
);
CREATE INDEX key_pins_by_kid ON key_pins (kid);

-- Refused retirements that a second principal may approve; consumed by the retirement that they let through.
CREATE TABLE key_requests (
    id TEXT PRIMARY KEY,
    kid TEXT NOT NULL REFERENCES key_versions (kid),
    action TEXT NOT NULL,
    requester TEXT NOT NULL,
    approver TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    expire_time BIGINT NOT NULL,
    consume_time BIGINT
);
CREATE INDEX key_requests_by_kid ON key_requests (kid, action, requester);

-- Runs of the re-encryption; the lease says which process works on the running one.
CREATE TABLE reencrypt_jobs (
    id TEXT PRIMARY KEY,
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
