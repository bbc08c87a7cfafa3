//! Rows of one database in another one, put there by a role that owns it and nothing more.
//!
//! Needs `TEST_DATABASE_URL`: a superuser's URL on a server where databases and roles may be made; and `pg_dump` of its
//! version. The superuser makes databases and looks; it restores nothing.
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
