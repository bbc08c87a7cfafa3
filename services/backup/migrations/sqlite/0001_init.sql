-- The backup service's tables. Times are microseconds since the Unix epoch; rules for migrations are in ../README.md.

-- Processes that serve from this database. Each raises its number at every heartbeat until another one, its heir, has seen
-- it stand still. A dead one stays until its heir has ended what it left.
CREATE TABLE processes (
    id TEXT PRIMARY KEY,
    host TEXT NOT NULL,
    beat BIGINT NOT NULL,
    start_time BIGINT NOT NULL,
    heir TEXT NOT NULL
);
CREATE INDEX processes_by_heir ON processes (heir);

-- Operations that have not ended. The fencing number is raised when the owner, or its heir, is declared dead.
CREATE TABLE operations (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    owner TEXT NOT NULL REFERENCES processes (id),
    fence BIGINT NOT NULL,
    delegation BLOB NOT NULL,
    target TEXT NOT NULL,
    trace_id TEXT NOT NULL,
    start_time BIGINT NOT NULL
);
CREATE INDEX operations_by_owner ON operations (owner);

-- Stored backups. Selection, content, verification and progress are JSON, or empty.
CREATE TABLE backups (
    id TEXT PRIMARY KEY,
    file_name TEXT NOT NULL,
    state TEXT NOT NULL,
    creator TEXT NOT NULL,
    -- Of the caller and its request id: a repetition finds the backup of the first request.
    request TEXT UNIQUE,
    create_time BIGINT NOT NULL,
    end_time BIGINT,
    reason TEXT NOT NULL,
    problem TEXT NOT NULL,
    selection TEXT NOT NULL,
    content TEXT NOT NULL,
    hold BOOLEAN NOT NULL,
    delete_time BIGINT,
    purge_time BIGINT,
    verify_time BIGINT,
    verification TEXT NOT NULL,
    progress TEXT NOT NULL,
    revision BIGINT NOT NULL,
    record_revision BIGINT NOT NULL,
    -- The schedule that made it, and when its run was due; NULL for one that somebody asked for.
    schedule TEXT,
    due_time BIGINT,
    -- No run happens twice.
    UNIQUE (schedule, due_time)
);
CREATE INDEX backups_by_time ON backups (create_time, id);
CREATE INDEX backups_by_state ON backups (state, create_time, id);

CREATE INDEX backups_by_schedule ON backups (schedule, create_time, id);

-- Schedules. The rules are JSON. The delegation is of the creator, whose permissions runs use.
CREATE TABLE schedules (
    name TEXT PRIMARY KEY,
    rules TEXT NOT NULL,
    creator TEXT NOT NULL,
    delegation BLOB NOT NULL,
    create_time BIGINT NOT NULL,
    paused BOOLEAN NOT NULL,
    orphan_time BIGINT,
    due_time BIGINT NOT NULL,
    start_time BIGINT NOT NULL,
    reason TEXT NOT NULL,
    problem TEXT NOT NULL,
    -- Since when a backup of it is being verified.
    verifying_time BIGINT,
    revision BIGINT NOT NULL
);

-- Each backup in each destination.
CREATE TABLE backup_copies (
    backup_id TEXT NOT NULL REFERENCES backups (id) ON DELETE CASCADE,
    destination TEXT NOT NULL,
    position BIGINT NOT NULL,
    key TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    problem TEXT NOT NULL,
    upload_id TEXT NOT NULL,
    etag TEXT NOT NULL,
    recorded BIGINT NOT NULL,
    PRIMARY KEY (backup_id, destination)
);
CREATE INDEX backup_copies_by_state ON backup_copies (state);

-- Restore drills. The evidence is JSON, or empty until everything was checked.
CREATE TABLE drills (
    id TEXT PRIMARY KEY,
    backup_id TEXT NOT NULL,
    file_name TEXT NOT NULL,
    schedule TEXT,
    state TEXT NOT NULL,
    creator TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    end_time BIGINT,
    reason TEXT NOT NULL,
    problem TEXT NOT NULL,
    evidence TEXT NOT NULL
);
CREATE INDEX drills_by_time ON drills (create_time, id);
CREATE INDEX drills_by_schedule ON drills (schedule, create_time, id);
-- One runs at a time.
CREATE UNIQUE INDEX drills_running ON drills (state) WHERE state = 'running';

-- Places in which drills may have left a database.
CREATE TABLE drill_scratches (
    drill_id TEXT NOT NULL REFERENCES drills (id),
    kind TEXT NOT NULL,
    place TEXT NOT NULL,
    PRIMARY KEY (drill_id, kind)
);

-- Restores, from their plans to their ends. Request, plan, journal and progress are JSON, or empty.
CREATE TABLE restores (
    id TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    creator TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    expire_time BIGINT NOT NULL,
    rollback_time BIGINT,
    end_time BIGINT,
    reason TEXT NOT NULL,
    problem TEXT NOT NULL,
    request TEXT NOT NULL,
    plan TEXT NOT NULL,
    journal TEXT NOT NULL,
    progress TEXT NOT NULL,
    safety_backup TEXT NOT NULL,
    revision BIGINT NOT NULL
);
CREATE INDEX restores_by_time ON restores (create_time, id);
CREATE INDEX restores_by_state ON restores (state, create_time, id);

-- Sources that are changed now, each by one restore, or by the operation of one import of tables.
CREATE TABLE restore_targets (
    source TEXT PRIMARY KEY,
    restore_id TEXT NOT NULL
);
CREATE INDEX restore_targets_by_restore ON restore_targets (restore_id);

-- Archives that clients sent up to restore them. The files are in the staging folder of the host.
CREATE TABLE archive_uploads (
    id TEXT PRIMARY KEY,
    creator TEXT NOT NULL,
    file_name TEXT NOT NULL,
    host TEXT NOT NULL,
    size_bytes BIGINT NOT NULL,
    sha256 TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    expire_time BIGINT NOT NULL
);
CREATE INDEX archive_uploads_by_expiry ON archive_uploads (expire_time);
