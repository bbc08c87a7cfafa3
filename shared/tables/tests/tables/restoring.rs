//! Rows of one database are restored into another one, by a role that only owns it.
//!
//! Needs `TEST_DATABASE_URL`: a superuser's URL on a server where databases and roles may be created; and `pg_dump` in the
//! server's version. The superuser creates and inspects databases; it restores nothing.
mod again;
mod archive;
mod cascades;
mod chinook;
mod created;
mod dying_servers;
mod effects;
mod empty;
mod ended;
mod exchanged;
mod from_sqlite;
mod full_disks;
mod functions;
mod generated;
mod in_use;
mod meanwhile;
mod owned;
mod private;
mod refusals;
mod restore;
mod rights;
mod rolled_back;
mod shapes;
mod swapping;
