//! A passphrase protects files that anybody may copy: an attacker with the file guesses as fast as scrypt permits.

use anyhow::{Result, ensure};
use zxcvbn::{Score, zxcvbn};

use crate::error::{Local, Refused};

/// How much of a passphrase is checked: the time of the estimate grows with the square of the length.
const LOOKED_AT: usize = 100;

/// # Errors
/// For a passphrase that 10^10 guesses can find. With age's scrypt, a guess takes about a second of processor time, so
/// a thousand rented processors need four months. The message gives the estimate's reason, and nothing of the
/// passphrase.
pub(super) fn refuse_guessable(passphrase: &str) -> Result<()> {
    let looked_at: String = passphrase.chars().take(LOOKED_AT).collect();
    let estimate = zxcvbn(&looked_at, &[]);
    let warning = estimate.feedback().and_then(|feedback| feedback.warning());
    let reason = warning.map(|warning| format!(" ({})", warning.to_string().trim_end_matches('.')));
    let reason = reason.unwrap_or_default();
    let sentence = format!(
        "the passphrase is too easy to guess{reason}; take five or more words that were chosen at random"
    );
    ensure!(estimate.score() >= Score::Four, Refused::new(Local::PassphraseGuessable, sentence));
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_guessable_passphrase_is_refused_with_the_reason() {
        for guessable in ["password1", "hunter2", "qwertyuiop", "2024-01-01", "aaaaaaaaaaaaaaaa", "x"] {
            let refused = refuse_guessable(guessable).unwrap_err().to_string();
            assert!(refused.contains("too easy to guess") && !refused.contains(guessable), "{refused}");
        }
        let refused = refuse_guessable("password1").unwrap_err().to_string();
        assert!(refused.contains('('), "{refused}");
        for fine in ["correct horse battery staple", "wolf-lamp-cedar-quiet-41"] {
            refuse_guessable(fine).unwrap();
        }
    }
}
