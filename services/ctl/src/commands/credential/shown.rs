//! Credentials for people.

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use strongroom_api::vault::v1::Credential;
use strongroom_runtime::{Clock as _, SystemClock};

use crate::output::{Format, Table, key_values};
use crate::time::shown;

pub(super) const CREDENTIAL: &str = "strongroom.vault.v1.Credential";

pub(super) fn print_one(format: Format, credential: Option<Credential>) -> Result<()> {
    let credential = credential.context("the vault answered without a credential")?;
    format.message(CREDENTIAL, &credential, || details(&credential))
}

pub(super) fn details(credential: &Credential) -> String {
    key_values([
        ("id", credential.id.clone()),
        ("name", credential.display_name.clone()),
        ("provider", credential.provider.clone()),
        ("preview", credential.preview.clone()),
        ("active", active(credential).to_owned()),
        ("labels", joined(credential.labels.iter().map(|(key, value)| format!("{key}={value}")))),
        ("used by", used_by(credential)),
        ("created", shown(credential.create_time.as_ref())),
        ("updated", shown(credential.update_time.as_ref())),
        ("last used", shown(credential.last_used_time.as_ref())),
        ("secret set", shown(credential.secret_time.as_ref())),
        ("inactive since", shown(credential.deactivate_time.as_ref())),
        ("expires", shown(credential.expire_time.as_ref())),
        ("previous secret until", shown(credential.previous_expire_time.as_ref())),
        ("etag", credential.etag.clone()),
    ])
}

/// One row per credential.
pub(in crate::commands) fn table(credentials: &[Credential]) -> Table {
    let mut table = Table::new(&["ID", "NAME", "PROVIDER", "PREVIEW", "ACTIVE", "EXPIRES", "USED BY"]);
    for credential in credentials {
        table.row([
            &credential.id,
            &credential.display_name,
            &credential.provider,
            &credential.preview,
            active(credential),
            &shown(credential.expire_time.as_ref()),
            &used_by(credential),
        ]);
    }
    table
}

/// An expired credential is refused to its consumers like an inactive one, so it is never shown as usable.
fn active(credential: &Credential) -> &'static str {
    let now = Timestamp::from_microsecond(SystemClock.now_micros()).unwrap_or_default();
    match credential.active {
        false => "no",
        true if expires_by(credential, now) => "expired",
        true => "yes",
    }
}

/// Whether it expires at or before `time`.
pub(super) fn expires_by(credential: &Credential, time: Timestamp) -> bool {
    credential.expire_time.is_some_and(|expires| expires.seconds <= time.as_second())
}

fn used_by(credential: &Credential) -> String {
    joined(credential.reference_counts.iter().map(|(kind, count)| format!("{count} {kind}")))
}

/// Sorted, because protobuf maps have no order.
fn joined(parts: impl Iterator<Item = String>) -> String {
    let mut parts: Vec<String> = parts.collect();
    parts.sort();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_in_a_table() {
        let credential = Credential {
            id: "1".into(),
            display_name: "OpenAI".into(),
            provider: "openai".into(),
            preview: "sk-...123".into(),
            active: true,
            reference_counts: [("endpoint".to_owned(), 2), ("a_kind".to_owned(), 1)].into(),
            ..Default::default()
        };
        let table = table(&[credential]).to_string();
        assert!(table.ends_with("sk-...123  yes     -        1 a_kind, 2 endpoint\n"), "{table}");
    }

    #[test]
    fn an_expired_credential_is_not_shown_as_usable() {
        let at = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        let credential = |active, expire_time| Credential { active, expire_time, ..Default::default() };
        let now = SystemClock.now_micros() / 1_000_000;
        assert_eq!(active(&credential(true, None)), "yes");
        assert_eq!(active(&credential(true, at(now + 60))), "yes");
        assert_eq!(active(&credential(true, at(now))), "expired");
        assert_eq!(active(&credential(false, at(now))), "no");
    }
}
