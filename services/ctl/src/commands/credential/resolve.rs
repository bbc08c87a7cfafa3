//! Operators name a credential by its id or, if it is unique, by its display name.

use anyhow::{Result, bail};
use strongroom_api::vault::v1::{Credential, ListCredentialsRequest};

use super::list::list_credentials;
use crate::client::{Connection, PAGE_SIZE};
use crate::error::{Local, Refused};
use crate::output::printable;

/// The id of the credential that `given` names. A text in the form of an id is used without asking the vault, so that a
/// token without the right to list credentials can still name them.
///
/// # Errors
/// When no credential or more than one has that name; the latter are listed.
pub(crate) async fn resolve(vault: &Connection, given: &str) -> Result<String> {
    if is_id(given) {
        return Ok(given.to_owned());
    }
    let request =
        ListCredentialsRequest { name_prefix: given.to_owned(), page_size: PAGE_SIZE, ..Default::default() };
    choose(given, list_credentials(vault, request).await?)
}

fn choose(given: &str, candidates: Vec<Credential>) -> Result<String> {
    let mut ids = ids_of(given, candidates);
    let name = printable(given);
    match (ids.pop(), ids.is_empty()) {
        (Some(id), true) => Ok(id),
        (Some(last), false) => {
            ids.push(last);
            let sentence =
                format!("several credentials are called \"{name}\"; name one by its id: {}", ids.join(", "));
            bail!(Refused::new(Local::NameAmbiguous, sentence))
        }
        (None, _) => {
            let sentence = format!(
                "no credential has the id or the name \"{name}\"; `strongroom credential list` shows them"
            );
            bail!(Refused::new(Local::CredentialNotFound, sentence))
        }
    }
}

/// The ids of the credentials with exactly this name.
pub(super) fn ids_of(name: &str, candidates: Vec<Credential>) -> Vec<String> {
    candidates.into_iter().filter(|one| one.display_name == name).map(|one| one.id).collect()
}

/// The text form of a UUID (RFC 9562 §4).
fn is_id(text: &str) -> bool {
    let digits_and_dashes = |(place, byte): (usize, u8)| match place {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    text.len() == 36 && text.bytes().enumerate().all(digits_and_dashes)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn named(id: &str, name: &str) -> Credential {
        Credential { id: id.into(), display_name: name.into(), ..Default::default() }
    }

    #[test]
    fn a_name_must_be_whole_and_unique() {
        let all =
            vec![named("1", "OpenAI"), named("2", "OpenAI Backup"), named("3", "Twin"), named("4", "Twin")];
        assert_eq!(choose("OpenAI", all.clone()).unwrap(), "1");
        let error = choose("Open", all.clone()).unwrap_err().to_string();
        assert!(error.contains("\"Open\""), "{error}");
        let error = choose("Twin", all).unwrap_err().to_string();
        assert!(error.ends_with("3, 4"), "{error}");
    }

    #[test]
    fn ids_are_told_from_names() {
        assert!(is_id("0192f3a0-7b1c-7def-8abc-0123456789ab"));
        for name in
            ["", "OpenAI", "0192f3a0-7b1c-7def-8abc-0123456789a", "0192f3a0-7b1c-7def-8abc+0123456789ab"]
        {
            assert!(!is_id(name), "{name}");
        }
    }
}
