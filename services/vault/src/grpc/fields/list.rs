//! Repeated fields: a refusal names the element by its index, as `kids[1]` or `selectors[0].label`.

use std::collections::BTreeSet;

use strongroom_api::vault::v1 as proto;
use strongroom_api::vault::v1::selector::Selector as Kind;
use strongroom_runtime::Selectors;
use strongroom_runtime::identity::{MAX_NAME, MAX_NAMES};

use super::{key_id, kid, kind, labels, provider, refuse};
use crate::error::{Error, Result};

const MAX_SELECTORS: usize = 32;
/// More than the maximum number of versions in a ring.
const MAX_KIDS: usize = 10_000;

/// Applies `parse` to each element. Its refusal names a field of the element, or `""` if the element itself is the
/// value.
pub(in crate::grpc) fn each<T, O>(
    list: &'static str,
    given: &[T],
    parse: impl Fn(&'static str, &T) -> Result<O>,
) -> Result<Vec<O>> {
    let place = |(at, one): (usize, &T)| parse("", one).map_err(|error| placed(list, at, error));
    given.iter().enumerate().map(place).collect()
}

fn placed(list: &str, at: usize, error: Error) -> Error {
    match error {
        Error::Field { field: "", problem } => Error::Element { field: format!("{list}[{at}]"), problem },
        Error::Field { field, problem } => Error::Element { field: format!("{list}[{at}].{field}"), problem },
        other => other,
    }
}

/// At most 10,000 key versions; duplicates are removed.
pub(in crate::grpc) fn kids(field: &'static str, given: &[String]) -> Result<BTreeSet<String>> {
    if given.len() > MAX_KIDS {
        return refuse(field, format!("has {} kids; at most {MAX_KIDS} are allowed", given.len()));
    }
    Ok(each(field, given, |field, one| kid(field, one))?.into_iter().collect())
}

/// 1 to 100 names of a certificate.
pub(in crate::grpc) fn names(field: &'static str, given: Vec<String>) -> Result<Vec<String>> {
    if given.is_empty() || given.len() > MAX_NAMES {
        return refuse(field, format!("has {} names; 1 to {MAX_NAMES} are allowed", given.len()));
    }
    let check = |_, name: &String| match name.len() {
        1..=MAX_NAME => Ok(()),
        _ => refuse("", format!("must have 1 to {MAX_NAME} bytes")),
    };
    each(field, &given, check)?;
    Ok(given)
}

/// At most 32 selectors, each with the syntax of the value that it selects.
pub(crate) fn selectors(field: &'static str, given: &[proto::Selector]) -> Result<Selectors> {
    if given.len() > MAX_SELECTORS {
        return refuse(field, format!("has {} selectors; at most {MAX_SELECTORS} are allowed", given.len()));
    }
    each(field, given, |_, one| check_selector(one))?;
    Selectors::from_proto(given).or_else(|problem| refuse(field, problem))
}

fn check_selector(given: &proto::Selector) -> Result<()> {
    match &given.selector {
        Some(Kind::Label(label)) => match label.split_once('=') {
            Some((name, value)) => labels("label", [(name.to_owned(), value.to_owned())]).map(drop),
            None => refuse("label", "must be name=value"),
        },
        Some(Kind::Provider(name)) => provider("provider", name).map(drop),
        Some(Kind::ReferenceKind(pattern)) if pattern == "*" => Ok(()),
        Some(Kind::ReferenceKind(pattern)) => {
            kind("reference_kind", pattern.strip_suffix('*').unwrap_or(pattern)).map(drop)
        }
        Some(Kind::Key(key)) => key_id("key", key).map(drop),
        None => refuse("", "must say what it selects"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_is_named_by_its_place() {
        let kids = ["0123456789abcdef".to_owned(), "x".to_owned()];
        let refused = super::kids("kids", &kids).map(drop);
        assert!(matches!(refused, Err(Error::Element { field, .. }) if field == "kids[1]"));
        let given = [proto::Selector { selector: Some(Kind::Label("env".into())) }];
        let refused = selectors("selectors", &given).map(drop);
        assert!(matches!(refused, Err(Error::Element { field, .. }) if field == "selectors[0].label"));
    }
}
