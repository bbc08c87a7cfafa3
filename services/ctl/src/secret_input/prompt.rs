//! Asks for a secret at a terminal, which does not show it. A new secret must be typed twice, because nobody can see a
//! mistake.

use anyhow::{Context as _, Result, ensure};
use strongroom_crypto::SecretBytes;

use crate::output;

/// The purpose of the secret.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// To be stored.
    NewSecret,
    /// To protect something.
    NewPassphrase,
    /// To open something, which detects a mistake.
    Known,
}

/// One line, without an echo; a new secret twice.
///
/// # Errors
/// When nothing was typed, or the two inputs differ.
pub(super) fn ask(kind: Kind) -> Result<SecretBytes> {
    let (question, again) = match kind {
        Kind::NewSecret => ("secret (hidden): ", Some("repeat the secret: ")),
        Kind::NewPassphrase => ("new passphrase (hidden): ", Some("repeat the passphrase: ")),
        Kind::Known => ("passphrase or key (hidden): ", None),
    };
    let secret = line(question)?;
    ensure!(!secret.expose().is_empty(), "nothing was typed; nothing was changed");
    if let Some(again) = again {
        let is_same = line(again)?.expose() == secret.expose();
        ensure!(is_same, "the two are not the same; nothing was changed");
    }
    Ok(secret)
}

fn line(question: &str) -> Result<SecretBytes> {
    output::prompt(question);
    let line = rpassword::read_password().context("cannot read from the terminal")?;
    Ok(SecretBytes::new(line.into_bytes()))
}
