//! The common parts of requests for archives: the selection and the seal.

use jiff::Timestamp;
use strongroom_age::{Passphrase, PublicKey};
use strongroom_api::backup::v1::create_backup_request::Seal as CreateSeal;
use strongroom_api::backup::v1::export_backup_request::Seal;
use zeroize::Zeroizing;

use crate::assembly::ArchiveRequest;
use crate::error::{Error, Result};
use crate::seal::SealChoice;

/// Maximum length of a list in a request.
const MAX_NAMES: usize = 10_000;
/// Maximum length of an id in bytes. Ours have 36.
const MAX_ID: usize = 64;
/// Maximum number of recipients of an archive.
const MAX_RECIPIENTS: usize = 20;
/// Maximum length of a passphrase in bytes.
const MAX_PASSPHRASE: usize = 1024;

/// `since` is `Some(None)` if it is not a valid time.
///
/// # Errors
/// [`Error::Field`].
pub(super) fn parse(
    include: Vec<String>,
    tables: Vec<String>,
    since: Option<Option<Timestamp>>,
) -> Result<ArchiveRequest> {
    check_names("include", &include)?;
    check_names("tables", &tables)?;
    let outside = || Error::field("since", "is not a time between the years 1 and 9999");
    let since = since.map(|time| time.ok_or_else(outside)).transpose()?;
    Ok(ArchiveRequest { include, tables, sets: Vec::new(), since })
}

/// # Errors
/// [`Error::Field`].
pub(super) fn parse_seal(seal: Option<Seal>) -> Result<SealChoice> {
    match seal {
        None | Some(Seal::Plain(false)) => Ok(SealChoice::Configured),
        Some(Seal::Plain(true)) => Ok(SealChoice::Plain),
        Some(Seal::Passphrase(seal)) => {
            parse_passphrase(&Zeroizing::new(seal.text)).map(SealChoice::Passphrase)
        }
        Some(Seal::Recipients(seal)) => parse_recipients(&seal.age).map(SealChoice::Recipients),
    }
}

fn parse_passphrase(text: &str) -> Result<Passphrase> {
    const FIELD: &str = "passphrase.text";
    if text.len() > MAX_PASSPHRASE {
        return Err(Error::field(
            FIELD,
            format!("has {} bytes; at most {MAX_PASSPHRASE} are allowed", text.len()),
        ));
    }
    if text.chars().any(char::is_control) {
        return Err(Error::field(FIELD, "must not contain control characters"));
    }
    Passphrase::new(text).map_err(|error| Error::field(FIELD, error.to_string()))
}

fn parse_recipients(given: &[String]) -> Result<Vec<PublicKey>> {
    const FIELD: &str = "recipients.age";
    let count = given.len();
    if !(1..=MAX_RECIPIENTS).contains(&count) {
        return Err(Error::field(FIELD, format!("has {count} recipients; must have 1 to {MAX_RECIPIENTS}")));
    }
    let mut recipients: Vec<PublicKey> = Vec::with_capacity(count);
    for (at, text) in given.iter().enumerate() {
        let parsed = text.parse();
        let recipient = parsed.map_err(|error| Error::element(FIELD, at, format!("{error}")))?;
        if recipients.contains(&recipient) {
            return Err(Error::element(FIELD, at, "is listed twice"));
        }
        recipients.push(recipient);
    }
    PublicKey::check_alike(&recipients).map_err(|problem| Error::field(FIELD, problem.to_string()))?;
    Ok(recipients)
}

/// # Errors
/// [`Error::Field`].
pub(super) fn check_names(field: &'static str, names: &[String]) -> Result<()> {
    if names.len() > MAX_NAMES {
        return Err(Error::field(field, format!("has more than {MAX_NAMES} names")));
    }
    match names.iter().position(String::is_empty) {
        Some(at) => Err(Error::element(field, at, "must not be empty")),
        None => Ok(()),
    }
}

/// The id of a stored backup: 1 to 64 letters, digits and hyphens.
///
/// # Errors
/// [`Error::Field`].
pub(super) fn check_id(id: &str) -> Result<()> {
    let plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if id.is_empty() || id.len() > MAX_ID || !plain {
        return Err(Error::field("id", "must be the id of a stored backup; see `strongroom backup list`"));
    }
    Ok(())
}

/// The choice of a seal in a request for a stored backup.
pub(super) fn of_create(seal: CreateSeal) -> Seal {
    match seal {
        CreateSeal::Plain(plain) => Seal::Plain(plain),
        CreateSeal::Passphrase(passphrase) => Seal::Passphrase(passphrase),
        CreateSeal::Recipients(recipients) => Seal::Recipients(recipients),
    }
}
