-- The chain: which key version made the head's code.
ALTER TABLE audit_head ADD COLUMN key_kid TEXT;

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
