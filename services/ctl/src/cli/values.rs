//! Option values that are more than text.

use serde_json::value::RawValue;
use strongroom_age::{PublicKey, SealError};
use strongroom_api::backup::v1::{ChosenRows, RetentionPolicy};
use uuid::Uuid;

/// `K=V`; the value may be empty and may contain further `=`.
pub(super) fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}

/// `KIND/CONSUMER`; the consumer may contain further `/`.
pub(super) fn consumer(text: &str) -> Result<String, String> {
    match text.split_once('/') {
        Some((kind, consumer)) if !kind.is_empty() && !consumer.is_empty() => Ok(text.to_owned()),
        _ => Err("expected KIND/CONSUMER, such as provider_template/2".to_owned()),
    }
}

/// `TABLE=KEY,KEY`. A key that is a JSON array has several columns, or contains commas.
pub(super) fn chosen_rows(text: &str) -> Result<ChosenRows, String> {
    let found = text.split_once('=').filter(|(table, keys)| !table.is_empty() && !keys.is_empty());
    let (table, keys) = found.ok_or("expected TABLE=KEY,KEY, such as users=7,9")?;
    let keys: Vec<Vec<String>> = if keys.starts_with('[') {
        let wrong =
            |_| "expected JSON arrays with commas between them, such as members=[7,\"de\"],[9,\"de\"]";
        let keys: Vec<Vec<Box<RawValue>>> = serde_json::from_str(&format!("[{keys}]")).map_err(wrong)?;
        keys.iter().map(|key| key.iter().map(|value| column_text(value)).collect()).collect()
    } else {
        keys.split(',').map(|key| vec![key.to_owned()]).collect()
    };
    let keys = keys.into_iter().map(|key| serde_json::json!(key).to_string()).collect();
    Ok(ChosenRows { table: table.to_owned(), keys })
}

/// The characters of a JSON string, or the digits of a number, however many.
fn column_text(value: &RawValue) -> String {
    serde_json::from_str(value.get()).unwrap_or_else(|_| value.get().to_owned())
}

/// `daily=N,weekly=N,monthly=N,min=N`, each part optional.
pub(super) fn keep(text: &str) -> Result<RetentionPolicy, String> {
    let mut policy = RetentionPolicy::default();
    for part in text.split(',') {
        let wrong =
            || format!("expected daily=N,weekly=N,monthly=N,min=N, such as daily=7,weekly=4; found {part:?}");
        let (name, count) = part.split_once('=').ok_or_else(wrong)?;
        let count = count.parse().ok().filter(|count| *count > 0).ok_or_else(wrong)?;
        let place = match name {
            "daily" => &mut policy.daily,
            "weekly" => &mut policy.weekly,
            "monthly" => &mut policy.monthly,
            "min" => &mut policy.min,
            _ => return Err(wrong()),
        };
        if std::mem::replace(place, count) != 0 {
            return Err(format!("{name} is given twice"));
        }
    }
    Ok(policy)
}

/// `age1…` or `age1pq1…`.
pub(super) fn recipient(text: &str) -> Result<PublicKey, SealError> {
    text.parse()
}

/// The id of a key version, in lower case.
pub(super) fn kid(text: &str) -> Result<String, String> {
    if text.len() == 16 && text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Ok(text.to_ascii_lowercase());
    }
    Err("invalid key version id: expected 16 hex digits; see `strongroom key list`".to_owned())
}

/// The id of a stored backup, in the form that the service compares.
pub(crate) fn backup_id(text: &str) -> Result<String, String> {
    uuid(text)
        .ok_or_else(|| "invalid id of a backup: expected a UUID; see `strongroom backup list`".to_owned())
}

/// The id of a restore or a plan, in the same form.
pub(super) fn restore_id(text: &str) -> Result<String, String> {
    uuid(text)
        .ok_or_else(|| "invalid id of a restore: expected a UUID; see `strongroom restore list`".to_owned())
}

/// The id of a drill, in the same form.
pub(super) fn drill_id(text: &str) -> Result<String, String> {
    uuid(text).ok_or_else(|| "invalid id of a drill: expected a UUID; see `strongroom drill list`".to_owned())
}

fn uuid(text: &str) -> Option<String> {
    Uuid::try_parse(text).ok().filter(|_| text.len() == 36).map(|id| id.to_string())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn labels_split_at_the_first_sign() {
        assert_eq!(label("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert_eq!(label("a="), Ok(("a".into(), String::new())));
        assert!(label("a").is_err() && label("=b").is_err());
    }

    #[test]
    fn consumers_have_a_kind() {
        assert!(consumer("endpoint/a/b").is_ok());
        assert!(consumer("endpoint").is_err() && consumer("/7").is_err() && consumer("endpoint/").is_err());
    }

    #[test]
    fn chosen_rows_have_keys_of_one_column_or_more() {
        let keys = |text: &str| chosen_rows(text).map(|rows| (rows.table, rows.keys));
        assert_eq!(keys("t=7,a b"), Ok(("t".into(), vec!["[\"7\"]".into(), "[\"a b\"]".into()])));
        let pairs = vec!["[\"7\",\"d,e\"]".into(), "[\"123456789012345678901234567890\"]".into()];
        assert_eq!(keys("t=[7,\"d,e\"],[123456789012345678901234567890]"), Ok(("t".into(), pairs)));
        for wrong in ["t", "t=", "=7", "t=[7", "t=[7],8"] {
            assert!(chosen_rows(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn ids_of_backups_have_one_form() {
        let id = "0197e0a1-0000-7000-8000-00000000000a";
        assert_eq!(backup_id(&id.to_uppercase()).as_deref(), Ok(id));
        for wrong in
            ["", "backup.zip", "0197e0a1000070008000000000000a", "{0197e0a1-0000-7000-8000-00000000000a}"]
        {
            assert!(backup_id(wrong).unwrap_err().contains("backup list"), "{wrong}");
            assert!(restore_id(wrong).unwrap_err().contains("restore list"), "{wrong}");
        }
    }

    #[test]
    fn key_version_ids_have_sixteen_digits() {
        assert_eq!(kid("0123456789ABCDEF"), Ok("0123456789abcdef".into()));
        for wrong in ["", "0123456789abcde", "0123456789abcdeg", "0123456789abcdef0", "é123456789abcde"] {
            let problem = kid(wrong).expect_err(wrong);
            assert!(problem.contains("16 hex digits") && problem.contains("key list"), "{problem}");
        }
    }
}
