//! Meaning of a driver error, in wording that is safe to leave this process.
//!
//! A database's message can repeat a value or a piece of SQL. It is therefore shown only for error classes whose messages
//! name objects and resources; for other classes only the class is shown. A server's HINT is advice and is shown too. Its
//! DETAIL is never shown, because servers put values there. For the same reason the driver's error is not kept as a source: a
//! log that prints the chain of causes would print it.

use std::fmt;
use std::io;

use sqlx::postgres::PgDatabaseError;

use crate::kind::Kind;
use crate::postgres::{codes, functions};

/// Maximum length of a text taken from a server, in characters.
const LONGEST: usize = 400;

/// A failed statement or connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    kind: Kind,
    text: String,
}

impl Fault {
    /// What the caller can do about it.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn of(error: &sqlx::Error) -> Self {
        let (kind, text) = match error {
            sqlx::Error::Database(database) => match database.try_downcast_ref::<PgDatabaseError>() {
                Some(error) => postgres(error),
                None => sqlite(sqlite_code(error), database.message()),
            },
            sqlx::Error::Io(source) if is_end(source) => (
                Kind::Unavailable,
                format!(
                    "the server has ended the connection ({source}): it was stopped or killed, or its disk \
                     is full; check that it runs and has room, then try again"
                ),
            ),
            sqlx::Error::Io(source) => (Kind::Unavailable, source.to_string()),
            sqlx::Error::Tls(source) => (Kind::Precondition, format!("TLS: {source}")),
            sqlx::Error::Configuration(source) => (Kind::Precondition, source.to_string()),
            sqlx::Error::WorkerCrashed => {
                (Kind::Unavailable, "the reading thread ended; try again".to_owned())
            }
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
                (Kind::Internal, "the database sent a value of an unexpected type".to_owned())
            }
            _ => (Kind::Internal, "the database sent an unexpected answer".to_owned()),
        };
        Self { kind, text }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Fault {}

/// Whether the server died during an operation. The reason (disk full, out of memory, killed) is only in the server's own
/// log.
fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

/// The SQLSTATE of a PostgreSQL error.
pub(crate) fn sqlstate(error: &sqlx::Error) -> Option<&str> {
    Some(error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()?.code())
}

/// The extended result code of a SQLite error; 0 for any other error.
pub(crate) fn sqlite_code(error: &sqlx::Error) -> i32 {
    let code = error.as_database_error().and_then(|error| error.code());
    code.and_then(|code| code.parse().ok()).unwrap_or(0)
}

/// Whether SQLite cannot run a statement against the current schema: a function, table or column is missing.
pub(crate) fn is_sqlite_error(error: &sqlx::Error) -> bool {
    const ERROR: i32 = 1;
    sqlite_code(error) == ERROR
}

fn postgres(error: &PgDatabaseError) -> (Kind, String) {
    let (code, hint) = (error.code(), error.hint());
    let kind = postgres_kind(code, hint.unwrap_or_default());
    let mut text = if names_objects_only(code) {
        format!("{} (SQLSTATE {code})", cut(error.message()))
    } else {
        format!("the server reports SQLSTATE {code}")
    };
    // With RAISE, a function written by the database's owner can set the hint.
    if let Some(hint) = hint.filter(|_| !code.starts_with("P0")) {
        text.push_str(&format!("; hint: {}", cut(hint)));
    }
    if let Some(function) = unnamed_in(error) {
        text.push_str(&format!(
            "; {function}: ALTER FUNCTION … SET search_path = … lets it find the objects that it names without a schema"
        ));
    }
    // In the read-only transaction of an export, only a standby's recovery conflicts cause these errors; in other transactions,
    // deadlocks too.
    if code.starts_with("40") {
        text.push_str(
            "; try again; if it happens often on a standby, set hot_standby_feedback = on there or raise \
             max_standby_streaming_delay",
        );
    }
    (kind, text)
}

/// The function that failed a name lookup: the first one in the server's context. Other context lines may repeat SQL.
fn unnamed_in(error: &PgDatabaseError) -> Option<String> {
    let context = error.r#where().filter(|_| functions::is_unnamed(error.code()))?;
    let named = |line: &&str| line.starts_with("SQL function ") || line.starts_with("PL/pgSQL function ");
    context.lines().find(named).map(cut)
}

fn postgres_kind(code: &str, hint: &str) -> Kind {
    match code {
        // A pooler reports this when it refuses a parameter that it does not know.
        codes::PROTOCOL_VIOLATION => Kind::Precondition,
        // The lock table is full, and only a larger one helps. The setting's name is the same in every language.
        codes::OUT_OF_MEMORY if hint.contains("max_locks_per_transaction") => Kind::Precondition,
        codes::DISK_FULL | codes::CONFIGURATION_LIMIT_EXCEEDED => Kind::Precondition,
        codes::DATABASE_DROPPED | codes::INVALID_CATALOG_NAME => Kind::NotFound,
        codes::INSUFFICIENT_PRIVILEGE => Kind::Permission,
        codes::LOCK_NOT_AVAILABLE | codes::OBJECT_IN_USE => Kind::Unavailable,
        _ => match code.get(..2) {
            Some("08" | "40" | "53" | "57") => Kind::Unavailable,
            Some("0A" | "54" | "55") => Kind::Precondition,
            Some("28") => Kind::Permission,
            _ => Kind::Internal,
        },
    }
}

/// Class 22 repeats values, class 23 keys, class P0 a function author's text; a syntax error repeats SQL.
fn names_objects_only(code: &str) -> bool {
    const CLASSES: [&str; 14] =
        ["08", "0A", "25", "28", "3D", "3F", "40", "42", "53", "54", "55", "57", "58", "XX"];
    code != codes::SYNTAX_ERROR && CLASSES.iter().any(|class| code.starts_with(class))
}

/// Classifies result codes (<https://www.sqlite.org/rescode.html>): the low byte is the class.
fn sqlite(code: i32, message: &str) -> (Kind, String) {
    const READONLY_ROLLBACK: i32 = 776;
    const IOERR_SHORT_READ: i32 = 522;
    let (kind, text) = match (code & 0xff, code) {
        (5 | 6, _) => (Kind::Unavailable, "another program holds the database; try again later".to_owned()),
        (_, READONLY_ROLLBACK) => (Kind::Precondition, HOT_JOURNAL.to_owned()),
        (8 | 14, _) => (Kind::Precondition, CANNOT_OPEN.to_owned()),
        (_, IOERR_SHORT_READ) => (Kind::Internal, "the file is shorter than its header says".to_owned()),
        (10, _) => (Kind::Unavailable, "the system reports a read or write error".to_owned()),
        (11, _) => (Kind::Internal, "the file is damaged; `PRAGMA integrity_check` says where".to_owned()),
        (26, _) => {
            (Kind::Precondition, "the file is not a SQLite database, or it is an encrypted one".to_owned())
        }
        (13, _) => (Kind::Precondition, "the disk is full".to_owned()),
        (17, _) => (Kind::Unavailable, "its schema was changed meanwhile; try again".to_owned()),
        (7, _) => (Kind::Unavailable, "SQLite is out of memory".to_owned()),
        (18, _) => (Kind::Precondition, "a value is larger than SQLite can read".to_owned()),
        (1, _) if sqlite_names_objects_only(message) => (Kind::Internal, cut(message)),
        _ => (Kind::Internal, "SQLite reports an error".to_owned()),
    };
    (kind, format!("{text} (SQLite code {code})"))
}

const HOT_JOURNAL: &str = "a crash left a journal beside the file that must be rolled back first, and this service \
    only reads: start the application, or open the database once with a tool that may write to it";

const CANNOT_OPEN: &str = "SQLite cannot open the file or the -wal and -shm files beside it: this service must be \
    able to read them, and a database in WAL mode can only be read while the application has it open or where this \
    service may write to its folder";

/// Whether a message of the generic error code names only what the schema lacks.
fn sqlite_names_objects_only(message: &str) -> bool {
    const STARTS: [&str; 7] = [
        "no such collation sequence",
        "no such function",
        "no such module",
        "no such table",
        "unknown function",
        "unsafe use of",
        "malformed JSON",
    ];
    STARTS.iter().any(|start| message.starts_with(start))
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permanent_errors_are_not_called_transient_ones() {
        let hint = "You might need to increase max_locks_per_transaction.";
        for (code, hint, kind) in [
            ("53200", hint, Kind::Precondition),
            ("53200", "", Kind::Unavailable),
            ("53300", "", Kind::Unavailable),
            ("53400", "", Kind::Precondition),
            ("08P01", "", Kind::Precondition),
            ("08006", "", Kind::Unavailable),
            ("28P01", "", Kind::Permission),
            ("3D000", "", Kind::NotFound),
            ("40001", "", Kind::Unavailable),
            ("42501", "", Kind::Permission),
            ("54011", "", Kind::Precondition),
            ("57P03", "", Kind::Unavailable),
            ("XX001", "", Kind::Internal),
        ] {
            assert_eq!(postgres_kind(code, hint), kind, "{code}");
        }
        for (code, kind) in [
            (5, Kind::Unavailable),
            (261, Kind::Unavailable),
            (776, Kind::Precondition),
            (264, Kind::Precondition),
            (1544, Kind::Precondition),
            (14, Kind::Precondition),
            (522, Kind::Internal),
            (266, Kind::Unavailable),
            (11, Kind::Internal),
            (26, Kind::Precondition),
        ] {
            assert_eq!(sqlite(code, "").0, kind, "{code}");
        }
    }

    #[test]
    fn values_and_sql_are_not_repeated() {
        assert!(!names_objects_only("22P02") && !names_objects_only("42601") && !names_objects_only("P0001"));
        assert!(!sqlite(1, "near \"sk-hidden\": syntax error").1.contains("hidden"));
        assert!(sqlite(1, "no such function: app_fold").1.contains("app_fold"));
        assert_eq!(cut(&"é".repeat(LONGEST + 1)).chars().count(), LONGEST + 1);
    }
}
