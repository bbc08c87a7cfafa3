//! Fuzzing of the fields that callers send: selectors, names, labels, ids, etags, filters.

use prost_reflect::prost::Message as _;
use strongroom_api::vault::v1 as proto;
use strongroom_api::vault::v1::selector::Selector as Kind;
use strongroom_fuzz::{Outcome, fuzz};

use super::list::selectors;
use super::{
    column, etag, event_filter, filter, id, introspect_hash, kid, kind, labels, provider, request_id, role,
    service, target, text, trace_id,
};

fn outcome<T, E: ToString>(result: Result<T, E>) -> Outcome {
    result.map(drop).map_err(|error| error.to_string())
}

/// As encoded messages of `IssueToken`.
#[test]
fn selectors_of_tokens() {
    let select = [
        Kind::Label("env=staging".into()),
        Kind::Provider("openai".into()),
        Kind::ReferenceKind("wrapper_*".into()),
        Kind::Key("gateway".into()),
    ];
    let selectors_of = |kind: Kind| proto::Selector { selector: Some(kind) };
    let request =
        proto::IssueTokenRequest { selectors: select.map(selectors_of).to_vec(), ..Default::default() };
    fuzz("selectors", &[&request.encode_to_vec()], |wire| {
        let request = proto::IssueTokenRequest::decode(wire).map_err(|error| error.to_string())?;
        outcome(selectors("selectors", &request.selectors))
    });
}

#[test]
fn fields_of_requests() {
    let seeds: [&[u8]; 8] = [
        b"openai",
        b"0123456789abcdef",
        b"env=staging",
        b"\"7\"",
        b"orders.secret",
        b"credential.*",
        b"0af7651916cd43dd8448eb211c80319c",
        b"01a22e92-4fc8-7462-8a2d-9b7ece0692ee",
    ];
    fuzz("vault fields", &seeds, |bytes| {
        let given = String::from_utf8_lossy(bytes);
        let (name, value) = given.split_once('=').unwrap_or((&given, ""));
        let outcomes = [
            outcome(provider("provider", &given)),
            outcome(kind("kind", &given)),
            outcome(kid("kid", &given)),
            outcome(labels("labels", [(name.to_owned(), value.to_owned())])),
            outcome(etag("etag", &given)),
            outcome(id("id", &given)),
            outcome(request_id("request_id", &given)),
            outcome(column("column", &given)),
            outcome(event_filter("event", &given)),
            outcome(trace_id("trace_id", &given)),
            outcome(text("name", &given)),
            outcome(filter("name", &given)),
            outcome(target("target", &given)),
            outcome(role("role", &given)),
            outcome(service("service", &given)),
            outcome(introspect_hash("token_sha256", bytes)),
        ];
        // No text suits every field: the fields that accept it tell the inputs apart.
        let accepted = outcomes.iter().map(|one| if one.is_ok() { '+' } else { '-' });
        outcomes[0].clone().map_err(|_| accepted.collect())
    });
}
