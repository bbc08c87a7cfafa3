//! Refused imports: each names its reason and changes nothing.

use strongroom_api::backup::v1::import_tables_request::{Chunk, End, Header, Message};
use strongroom_api::vault::v1::AuditOutcome;
use strongroom_runtime::status::reason_of;
use strongroom_testkit::TestDb;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::{ours, replaced, users};
use crate::support::database::{folder, run};
use crate::support::tables::{Moving, chunks, counts, end, header, reasons};
use crate::support::{FakeVault, LOGS, Service};

fn named(status: &Status) -> (Code, String) {
    (status.code(), reason_of(status))
}

fn field(status: &Status) -> Option<String> {
    let details = status.get_error_details();
    details
        .bad_request()
        .and_then(|bad| bad.field_violations.first().map(|violation| violation.field.clone()))
}

const ROW: &str = "{\"id\":1,\"name\":\"Ada\"}";

#[tokio::test(flavor = "multi_thread")]
async fn documents_that_are_invalid_or_too_large() {
    let service = Service::usual("verify_row_limit_bytes = 1000\nupload_limit_bytes = 2000000").await;
    let folder = service.folder.path().to_owned();
    let mut client = Moving::of(&service);
    let (document, _) = client.export(&["users"]).await.unwrap();
    run(&folder, "DELETE FROM users").await;
    let with = |from: &str, to: &str| replaced(&document, from, to);
    let deep = "[".repeat(100_000);
    for (document, code, reason, part) in [
        (document[..document.len() - 5].to_vec(), Code::InvalidArgument, "DOCUMENT_INVALID", "ends early"),
        (b"{\"users\":[]}".to_vec(), Code::InvalidArgument, "DOCUMENT_INVALID", "neither a table document"),
        (b"PK\x03\x04".to_vec(), Code::InvalidArgument, "DOCUMENT_INVALID", "neither a table document"),
        (b"age-encryption.org/v1\n".to_vec(), Code::InvalidArgument, "DOCUMENT_INVALID", "an age file"),
        (with("_tables\":1", "_tables\":2"), Code::InvalidArgument, "DOCUMENT_INVALID", "version 2"),
        (with("\"rows\"", "\"rows\":[],\"rows\""), Code::InvalidArgument, "DOCUMENT_INVALID", "twice"),
        (
            with("\"name\":\"Ada\"", "\"name\":1,\"name\":2"),
            Code::InvalidArgument,
            "DOCUMENT_INVALID",
            "row 1 of table \"users\"",
        ),
        (
            with("\"name\":\"Ada\"", "\"other\":1"),
            Code::InvalidArgument,
            "DOCUMENT_INVALID",
            "no column \"other\"",
        ),
        (
            with("Ada", &"x".repeat(2000)),
            Code::FailedPrecondition,
            "DOCUMENT_LIMIT",
            "verify_row_limit_bytes",
        ),
        (with("\"Ada\"", &deep), Code::FailedPrecondition, "DOCUMENT_LIMIT", "row 1 of table \"users\""),
        (with("\"users\":", "\"nothing\":"), Code::InvalidArgument, "DOCUMENT_INVALID", "another name"),
    ] {
        for dry_run in [true, false] {
            let refused = client.import(&document, dry_run).await.unwrap_err();
            assert_eq!(named(&refused), (code, reason.to_owned()), "{part}: {refused:?}");
            assert!(refused.message().contains(part), "{part}: {}", refused.message());
        }
    }
    let large = vec![b' '; 2_100_000];
    let refused = client.import(&large, false).await.unwrap_err();
    assert_eq!(field(&refused).as_deref(), Some("chunk.data"), "{refused:?}");
    assert_eq!((users(&folder).await, ours(&folder).await), (String::new(), vec![]));
    let failed = service.vault.wait_for("tables.imported").await;
    assert_eq!(failed.outcome(), AuditOutcome::Failed);
    service.stop().await.unwrap();
}

const TEAMS: &str = "
    CREATE TABLE teams (id INTEGER PRIMARY KEY, slug TEXT UNIQUE NOT NULL, size INTEGER CHECK (size < 10));
    INSERT INTO teams VALUES (1, 'a', 1), (2, 'b', 2);
    CREATE TABLE members (id INTEGER PRIMARY KEY, team INTEGER REFERENCES teams (id));
    INSERT INTO members VALUES (1, 1)";

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_the_tables_do_not_take() {
    let folder = folder().await;
    run(folder.path(), TEAMS).await;
    let service = Service::start(folder, FakeVault::start().await, "", LOGS).await;
    let folder = service.folder.path().to_owned();
    let mut client = Moving::of(&service);
    let (teams, _) = client.export(&["teams"]).await.unwrap();
    let (members, _) = client.export(&["members"]).await.unwrap();
    let (keyless, _) = client.export(&["empty"]).await.unwrap();
    let (all, _) = client.export(&["teams", "users"]).await.unwrap();
    let (team, name) = ("{\"id\":2,\"slug\":\"b\",\"size\":2}", "\"type\":\"TEXT\"");
    for (document, reason, table) in [
        (replaced(&teams, team, "{\"id\":3,\"slug\":\"b\",\"size\":2}"), "CONSTRAINT_VIOLATED", "teams"),
        (replaced(&teams, team, "{\"id\":3,\"slug\":null,\"size\":2}"), "CONSTRAINT_VIOLATED", "teams"),
        (replaced(&teams, team, "{\"id\":3,\"slug\":\"c\",\"size\":20}"), "CONSTRAINT_VIOLATED", "teams"),
        (replaced(&teams, team, "{\"id\":1,\"slug\":\"c\",\"size\":2}"), "CONSTRAINT_VIOLATED", "teams"),
        (replaced(&teams, team, "{\"id\":3,\"slug\":\"c\",\"size\":\"x\"}"), "CONSTRAINT_VIOLATED", "teams"),
        (replaced(&teams, team, "{\"id\":\"3\",\"slug\":\"c\",\"size\":2}"), "VALUE_REFUSED", "teams"),
        (replaced(&teams, team, "{\"id\":3,\"slug\":[\"c\"],\"size\":2}"), "VALUE_REFUSED", "teams"),
        (replaced(&teams, name, "\"type\":\"BLOB\""), "COLUMN_TYPE", "teams"),
        (
            replaced(
                &replaced(&teams, "{\"name\":\"size\"", "{\"name\":\"width\""),
                "\"size\":1",
                "\"width\":1",
            ),
            "COLUMN_MISSING",
            "teams",
        ),
        (replaced(&members, "\"team\":1}", "\"team\":7}").to_vec(), "DANGLING_REFERENCE", "members"),
        (keyless, "NO_KEY", "empty"),
        (replaced(&all, "\"name\":\"Ada\"", "\"name\":null"), "CONSTRAINT_VIOLATED", "users"),
    ] {
        // Otherwise some of the rows would already exist.
        run(&folder, "DELETE FROM users; DELETE FROM members; DELETE FROM teams WHERE id > 2").await;
        let document = if reason == "COLUMN_MISSING" {
            replaced(&document, "\"size\":2}", "\"width\":2}")
        } else {
            document
        };
        let dry = client.import(&document, true).await.unwrap();
        let done = client.import(&document, false).await.unwrap();
        for answer in [&dry, &done] {
            assert_eq!(reasons(answer), [reason], "{answer:?}");
            assert_eq!(answer.refusals[0].table, table, "{answer:?}");
            assert!(
                counts(answer)
                    .iter()
                    .all(|(_, [_, created, kept, conflicts])| created + kept + conflicts == 0)
            );
        }
        let message = &dry.refusals[0].message;
        assert_eq!(message, &done.refusals[0].message);
        let is_double = std::str::from_utf8(&document).unwrap().contains("{\"id\":1,\"slug\":\"c\"");
        assert_eq!(is_double, message.ends_with("some have the same values in the key id"), "{message}");
        assert_eq!(users(&folder).await, "", "{reason}: of several tables none has changed");
        assert!(ours(&folder).await.is_empty(), "{reason}: {:?}", ours(&folder).await);
    }
    let teams = "SELECT group_concat(id || slug || size) FROM teams";
    assert_eq!(super::text(&folder, teams).await, "1a1,2b2");
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_no_database_takes() {
    let other = TestDb::sqlite();
    other.run("CREATE TABLE orders (id INTEGER PRIMARY KEY)");
    let source =
        format!("{LOGS}\n[[sources]]\nname = 'shop'\nkind = 'sqlite'\nurl = '{}'\n", other.url_text());
    let service = Service::start(folder().await, FakeVault::start().await, "", &source).await;
    let folder = service.folder.path().to_owned();
    let mut client = Moving::of(&service);
    let (several, trailer) = client.export(&["orders", "users"]).await.unwrap();
    assert_eq!(trailer.tables[1].source, "shop");
    let refused = client.import(&several, true).await.unwrap_err();
    assert_eq!(named(&refused), (Code::FailedPrecondition, "SEVERAL_DATABASES".to_owned()));
    assert!(refused.message().contains("\"orders\" of shop"), "{}", refused.message());
    let (orders, _) = client.export(&["orders"]).await.unwrap();
    let refused = client.import(&orders, false).await.unwrap_err();
    assert_eq!(named(&refused), (Code::FailedPrecondition, "NO_RESTORE_URL".to_owned()));
    let (users_only, _) = client.export(&["users"]).await.unwrap();
    run(&folder, "DROP TABLE users").await;
    let refused = client.import(&users_only, true).await.unwrap_err();
    assert_eq!(named(&refused), (Code::FailedPrecondition, "TABLE_MISSING".to_owned()));
    let credentials = String::from_utf8(users_only).unwrap().replace("\"users\"", "\"credentials\"");
    let refused = client.import(credentials.as_bytes(), true).await.unwrap_err();
    assert_eq!(named(&refused), (Code::FailedPrecondition, "NO_DATABASE".to_owned()), "{refused:?}");
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_of_every_request() {
    let service = Service::usual("").await;
    let mut client = Moving::of(&service);
    for (tables, expected) in [
        (vec![], "tables"),
        (vec!["users", ""], "tables[1]"),
        (vec!["nothing"], "tables[0]"),
        (vec!["users", "credentials"], "tables[1]"),
    ] {
        let refused = client.export(&tables).await.unwrap_err();
        assert_eq!(
            (refused.code(), field(&refused).as_deref()),
            (Code::InvalidArgument, Some(expected)),
            "{tables:?}"
        );
    }
    let body = ROW.as_bytes();
    let chunk =
        |number, offset, data: &'static [u8]| Message::Chunk(Chunk { number, offset, data: data.into() });
    let named = |file_name: &str| Message::Header(Header { dry_run: true, file_name: file_name.into() });
    let wrong = Message::End(End { sha256: "00".repeat(32) });
    for (messages, expected) in [
        (vec![end(body)], "header"),
        (vec![header(true), header(true)], "header"),
        (vec![named(""), end(body)], "header.file_name"),
        (vec![named("a/b"), end(body)], "header.file_name"),
        (vec![named("a\0"), end(body)], "header.file_name"),
        (vec![named(&"x".repeat(256)), end(body)], "header.file_name"),
        (vec![header(true), chunk(1, 0, b"x")], "chunk.number"),
        (vec![header(true), chunk(0, 1, b"x")], "chunk.offset"),
        (vec![header(true), chunk(0, 0, b"")], "chunk.data"),
        (vec![header(true), end(b"")], "end"),
        (vec![header(true), chunk(0, 0, b"x")], "end"),
        ([vec![header(true)], chunks(body), vec![wrong]].concat(), "end.sha256"),
    ] {
        let refused = client.send(messages).await.unwrap_err();
        assert_eq!(
            (refused.code(), field(&refused).as_deref()),
            (Code::InvalidArgument, Some(expected)),
            "{refused:?}"
        );
    }
    for (permission, is_export) in [("tables.import", true), ("tables.export", false)] {
        let mut other = Moving::with(&service, &[permission]);
        let refused = match is_export {
            true => other.export(&["users"]).await.map(drop),
            false => other.import(body, true).await.map(drop),
        };
        assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);
    }
    service.stop().await.unwrap();
}
