//! Fuzzing of the fields that callers send: selectors, names, labels, page tokens.

use prost_reflect::prost::Message as _;
use strongroom_api::vault::v1 as proto;
use strongroom_api::vault::v1::selector::Selector as Kind;
use strongroom_fuzz::{Outcome, fuzz};

use super::list::selectors;
use super::{kid, kind, labels, provider};

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
fn names_and_labels() {
    fuzz("vault fields", &[b"openai", b"0123456789abcdef", b"env=staging", b"endpoint"], |text| {
        let text = String::from_utf8_lossy(text);
        let (name, value) = text.split_once('=').unwrap_or((&text, ""));
        let accepted = [
            outcome(provider("provider", &text)),
            outcome(kind("kind", &text)),
            outcome(kid("kid", &text)),
            outcome(labels("labels", [(name.to_owned(), value.to_owned())])),
        ];
        accepted.into_iter().reduce(Result::or).unwrap_or(Ok(()))
    });
}
