//! `strongroom key census`: the values and archives that need each version.

use anyhow::Result;
use strongroom_api::vault::v1::{GetKeyCensusRequest, GetKeyCensusResponse};

use crate::client::{Connection, long};
use crate::output::{Format, Table};
use crate::time::shown;

pub(super) async fn show(vault: &Connection, name: Option<String>, format: Format) -> Result<()> {
    let request = long(GetKeyCensusRequest { key_id: name.unwrap_or_default() });
    let census = vault.answer(vault.keys().get_key_census(request)).await?;
    format.message("strongroom.vault.v1.GetKeyCensusResponse", &census, || text(&census))
}

fn text(census: &GetKeyCensusResponse) -> String {
    let mut counts = Table::new(&["KEY", "KID", "COLUMN", "SOURCE", "VALUES", "COUNTED"]);
    for count in &census.counts {
        let source = if count.source.is_empty() { "the vault" } else { &count.source };
        let (values, time) = (count.values.to_string(), shown(count.time.as_ref()));
        counts.row([&count.key_id, &count.kid, &count.column, source, &values, &time]);
    }
    if census.pins.is_empty() {
        return counts.to_string();
    }
    let mut pins = Table::new(&["ARCHIVE", "NEEDS KID", "UNTIL"]);
    for pin in &census.pins {
        let expiry = shown(pin.expire_time.as_ref());
        let until = if expiry.is_empty() { "it is deleted" } else { &expiry };
        pins.row([&pin.archive_id, &pin.kid, until]);
    }
    format!("{counts}\n{pins}")
}

#[cfg(test)]
mod tests {
    use strongroom_api::vault::v1::{KeyCensusCount, KeyPin};

    use super::*;

    #[test]
    fn counts_come_first_then_archives() {
        let count = KeyCensusCount { kid: "k".into(), values: 3, ..Default::default() };
        let mut census = GetKeyCensusResponse { counts: vec![count], pins: Vec::new() };
        assert!(!text(&census).contains("ARCHIVE"));
        census.pins.push(KeyPin { archive_id: "a".into(), kid: "k".into(), expire_time: None });
        let text = text(&census);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].contains("the vault  3"), "{text}");
        assert_eq!((lines[2], lines.len()), ("", 5), "{text}");
        assert!(lines[4].ends_with("it is deleted"), "{text}");
    }
}
