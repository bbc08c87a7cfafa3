//! Texts about restores.

use strongroom_api::backup::v1::{RestoreMode, RestoreState, RowChange};

pub(super) fn state(state: RestoreState) -> &'static str {
    match state {
        RestoreState::Unspecified => "",
        RestoreState::Planned => "planned",
        RestoreState::Refused => "refused",
        RestoreState::Applying => "applying",
        RestoreState::Applied => "applied",
        RestoreState::Failed => "failed",
        RestoreState::RollingBack => "rolling back",
        RestoreState::RolledBack => "rolled back",
        RestoreState::Resumable => "resumable",
    }
}

/// The mode as typed on the command line.
pub(super) fn mode(mode: RestoreMode) -> &'static str {
    match mode {
        RestoreMode::Unspecified => "",
        RestoreMode::IntoEmpty => "into-empty",
        RestoreMode::Merge => "merge",
        RestoreMode::Replace => "replace",
    }
}

pub(super) fn mode_explained(mode: RestoreMode) -> String {
    let means = match mode {
        RestoreMode::Unspecified => return String::new(),
        RestoreMode::IntoEmpty => "the tables must be empty",
        RestoreMode::Merge => "existing rows stay as they are, all others are added",
        RestoreMode::Replace => "the tables hold exactly the archive's rows afterwards",
    };
    format!("{} ({means})", self::mode(mode))
}

pub(super) fn change(change: RowChange) -> &'static str {
    match change {
        RowChange::Unspecified => "",
        RowChange::Created => "created",
        RowChange::Changed => "changed",
        RowChange::Deleted => "removed",
        RowChange::Conflict => "in conflict",
    }
}

/// The current phase; one of a later release keeps its own name.
pub(super) fn phase(phase: &str) -> &str {
    match phase {
        "receive" => "reading the archive",
        "verify" => "verifying",
        "stage" => "staging rows",
        "compare" => "comparing rows",
        "safety-backup" => "storing the safety backup",
        "swap" => "applying the difference",
        other => other,
    }
}

/// A completed step; one of a later release keeps its own name.
pub(super) fn step(step: &str) -> &str {
    match step {
        "safety-backup" => "the safety backup was stored",
        "staging" => "staging of rows began",
        "staged" => "all rows were staged",
        "swapping" => "applying the difference began",
        "swapped" => "the difference was applied",
        "rolling-back" => "rolling it back began",
        "rolled-back" => "it was rolled back",
        "discarded" => "everything staged was removed",
        "removed" => "staged and replaced rows were removed",
        other => other,
    }
}

/// The word, quoted for a shell if necessary.
pub(super) fn shell_word(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:@".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_the_word_that_was_meant() {
        for (word, written) in [
            ("gateway", "gateway"),
            ("Prompt Gate", "'Prompt Gate'"),
            ("", "''"),
            ("a'b", r"'a'\''b'"),
            ("$x", "'$x'"),
        ] {
            assert_eq!(shell_word(word), written);
        }
    }
}
