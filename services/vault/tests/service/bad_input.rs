//! Bad input: every field of every request of the vault, empty, too long and wrong. The test walks the descriptor set,
//! so a new method or field fails here until the table says what it refuses.

mod call;
mod fixture;
mod rules;
mod table;
mod value;
mod walk;

use std::collections::BTreeSet;

use serde_json::Value;
use strongroom_runtime::status::reason_of;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use fixture::Fixture;
use rules::{Rule, Verdict};
use table::{Row, STREAMED, TABLE};
use value::{Bad, Sort, put, sample};

#[test]
fn every_field_has_a_row() {
    let pool = walk::pool();
    let built = walk::methods(&pool).into_iter().filter(|(name, _)| !STREAMED.contains(&name.as_str()));
    let mut wanted = BTreeSet::new();
    for (name, method) in built {
        wanted.insert(name.clone());
        wanted.extend(walk::paths(&method.input()).iter().map(|path| format!("{name} {path}")));
    }
    let mut rows = BTreeSet::new();
    for row in TABLE {
        rows.insert(row.method.to_owned());
        for (path, _) in row.fields {
            assert!(rows.insert(format!("{} {path}", row.method)), "{} {path} stands twice", row.method);
        }
    }
    let without: Vec<_> = wanted.difference(&rows).collect();
    let unknown: Vec<_> = rows.difference(&wanted).collect();
    assert!(without.is_empty() && unknown.is_empty(), "without a row: {without:#?}, unknown: {unknown:#?}");
}

#[tokio::test]
async fn the_good_requests_are_good() {
    for mut fixture in Fixture::each().await {
        for row in TABLE {
            let answer = fixture.call(row.method, fixture.request(row.method, row.request)).await;
            let reason = answer.as_ref().err().map(reason_of).unwrap_or_default();
            assert_eq!(reason, row.ends, "{}: {answer:?}", row.method);
            fixture.renew().await;
        }
    }
}

#[tokio::test]
async fn bad_input_is_refused_with_its_field_named() {
    for mut fixture in Fixture::each().await {
        let mut wrong = Vec::new();
        for row in TABLE {
            for (path, rule) in row.fields {
                wrong.extend(check_field(&mut fixture, row, path, rule).await);
            }
        }
        assert!(wrong.is_empty(), "{} of the table are not so:\n{}", wrong.len(), wrong.join("\n"));
    }
}

/// The deviations from the rule.
async fn check_field(fixture: &mut Fixture, row: &Row, path: &str, rule: &Rule) -> Vec<String> {
    let field = walk::field_at(&fixture.method(row.method).input(), path);
    let mut wrong = Vec::new();
    for (sort, verdict) in [(Sort::Empty, rule.empty), (Sort::Long, rule.long), (Sort::Wrong, rule.wrong)] {
        let values = match verdict {
            Verdict::Refused(values) => values.to_vec(),
            _ => sample(&field, path, sort).into_iter().collect(),
        };
        for bad in values {
            if let Err(problem) = check_value(fixture, row, path, verdict, bad).await {
                wrong.push(format!("{} {path}, {sort:?} {bad:?}: {problem}", row.method));
            }
        }
    }
    wrong
}

async fn check_value(
    fixture: &mut Fixture,
    row: &Row,
    path: &str,
    verdict: Verdict,
    bad: Bad,
) -> Result<(), String> {
    let mut request = fixture.request(row.method, row.request);
    put(&mut request, path, bad);
    let answer = fixture.call(row.method, request).await;
    if !matches!(&answer, Err(status) if status.code() == Code::InvalidArgument) {
        fixture.renew().await;
    }
    let named = named_field(path, &answer)?;
    let expected = match verdict {
        Verdict::Refused(_) => Some(path.to_owned()),
        Verdict::Elsewhere(other) => Some(beside(path, other)),
        Verdict::Taken(_) => None,
    };
    match (named, expected) {
        (Some(Named::Verdict), Some(_)) => Ok(()),
        (Some(Named::Field(named)), Some(expected)) if named == expected => Ok(()),
        (None, None) => Ok(()),
        (named, _) => {
            Err(format!("{}; {answer:.200?}", named.map_or("taken".into(), |named| format!("{named:?}"))))
        }
    }
}

/// The path of the field `other` next to the one at `path`.
fn beside(path: &str, other: &str) -> String {
    path.rsplit_once('.').map_or(other.to_owned(), |(above, _)| format!("{above}.{other}"))
}

/// The subject of a refusal.
#[derive(Debug)]
enum Named {
    Field(String),
    /// Verdicts of a check only have room for a reason.
    Verdict,
}

/// The field that an answer refuses; `None` if the call succeeds, or is refused because of the vault's contents.
fn named_field(path: &str, answer: &Result<Value, Status>) -> Result<Option<Named>, String> {
    match answer {
        Ok(answer) => named_item(path, answer),
        Err(status) if status.code() == Code::InvalidArgument => named_violation(status).map(Some),
        Err(status) => match status.code() {
            Code::NotFound | Code::FailedPrecondition | Code::AlreadyExists | Code::PermissionDenied => {
                Ok(None)
            }
            code => Err(format!("{code:?}: {}", status.message())),
        },
    }
}

/// There must be exactly one violation, which the message and the metadata also name, and it must be small enough for a
/// trailer.
fn named_violation(status: &Status) -> Result<Named, String> {
    let violations =
        status.get_details_bad_request().map(|request| request.field_violations).unwrap_or_default();
    let [violation] = violations.as_slice() else { return Err(format!("{status:?} names no field")) };
    let info = status.get_details_error_info().ok_or("it has no reason")?;
    let small = status.details().len() < 4096;
    let told = status.message() == format!("{}: {}", violation.field, violation.description);
    if !small || !told || info.metadata.get("field") != Some(&violation.field) {
        return Err(format!("{} bytes of details: {status:?}", status.details().len()));
    }
    Ok(Named::Field(violation.field.clone()))
}

/// A bad item of a batch fails alone: the item before it succeeds.
fn named_item(path: &str, answer: &Value) -> Result<Option<Named>, String> {
    let Some((list, _)) = path.split_once("[1].").filter(|(list, _)| *list == "items") else {
        return Ok(None);
    };
    if let Some(verdicts) = answer["verdicts"].as_array() {
        let reason = verdicts[walk::ELEMENT]["reason"].as_str().unwrap_or_default();
        assert_eq!(verdicts[0]["decryptable"], true, "{answer}");
        let of_a_field = ["INVALID_FIELD", "CIPHERTEXT_INVALID", "KEY_VERSION_NOT_FOUND"];
        return Ok(of_a_field.contains(&reason).then_some(Named::Verdict));
    }
    let status = |at: usize| &answer["results"][at]["status"];
    assert!(status(0)["code"].is_null(), "{answer}");
    if status(walk::ELEMENT)["code"] != i32::from(Code::InvalidArgument) {
        return Ok(None);
    }
    let message = status(walk::ELEMENT)["message"].as_str().unwrap_or_default();
    let (field, _) = message.split_once(": ").ok_or("its status names no field")?;
    Ok(Some(Named::Field(format!("{list}[{}].{field}", walk::ELEMENT))))
}

/// The rows whose requests have a field with this name, and the field's path.
fn rows_with(name: &str) -> Vec<(&'static Row, &'static str)> {
    let paths = TABLE.iter().flat_map(|row| row.fields.iter().map(move |(path, _)| (row, *path)));
    paths.filter(|(_, path)| path.rsplit('.').next() == Some(name)).collect()
}

#[tokio::test]
async fn a_stale_etag_is_aborted_wherever_there_is_one() {
    let rows = rows_with("etag");
    assert!(rows.len() >= 6, "the walk finds them");
    for mut fixture in Fixture::each().await {
        for (row, path) in &rows {
            let mut request = fixture.request(row.method, row.request);
            put(&mut request, path, Bad::Text("\"1000000\""));
            let stale = fixture.call(row.method, request).await.unwrap_err();
            assert_eq!(
                (stale.code(), reason_of(&stale).as_str()),
                (Code::Aborted, "ETAG_MISMATCH"),
                "{}",
                row.method
            );
            let same = fixture.request(row.method, row.request);
            fixture.call(row.method, same).await.expect("nothing was changed, so the etag is still good");
            fixture.renew().await;
        }
    }
}

#[tokio::test]
async fn the_same_request_id_is_done_once_wherever_there_is_one() {
    let rows = rows_with("request_id");
    assert!(rows.len() >= 2, "the walk finds them");
    for mut fixture in Fixture::each().await {
        for (row, path) in &rows {
            let request = fixture.request(row.method, row.request);
            let first = fixture.call(row.method, request.clone()).await.unwrap();
            let again = fixture.call(row.method, request.clone()).await.unwrap();
            assert_eq!(first, again, "{}", row.method);
            let mut other = request;
            put(&mut other, "secret", Bad::Bytes(9));
            let refused = fixture.call(row.method, other).await.unwrap_err();
            assert_eq!(reason_of(&refused), "REQUEST_ID_REUSED", "{}", row.method);
            assert!(
                matches!(named_violation(&refused), Ok(Named::Field(named)) if named == *path),
                "{refused:?}"
            );
            fixture.renew().await;
        }
    }
}
