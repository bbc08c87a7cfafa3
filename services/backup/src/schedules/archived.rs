//! Schedules in archives: `schedules.json`, which every complete archive has. A complete restore adds those whose names
//! are not taken. They are paused, because an operator has to decide whether this deployment is the one that continues.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use strongroom_store::Kind;

use super::MOST;
use super::rules::{Rules, is_name};
use crate::assembly::OwnRecords;
use crate::backups::record::to_json;
use crate::error::Result;
use crate::store::{ScheduleRow, Store};

/// Maximum size of a document that is read, in bytes: the maximum number of schedules, each with rules of maximum
/// length.
pub(crate) const MAX_BYTES: u64 = 2 << 20;

/// A schedule without its creator and due time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Archived {
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) rules: Rules,
}

#[derive(Serialize, Deserialize)]
struct Document {
    schedules: Vec<Archived>,
}

/// This service's database as a source of records for archives.
pub(crate) struct Records(pub(crate) Arc<dyn Store>);

#[async_trait]
impl OwnRecords for Records {
    async fn schedules(&self) -> Result<Option<Vec<u8>>> {
        let mut schedules = Vec::new();
        for row in self.0.schedules().await? {
            schedules.push(Archived { rules: Rules::of(&row)?, name: row.name });
        }
        Ok((!schedules.is_empty()).then(|| to_json(&Document { schedules }).into_bytes()))
    }
}

/// The valid schedules of a document, up to the maximum number; anything else was not written by this service.
pub(crate) fn read(document: &[u8]) -> Vec<Archived> {
    let Ok(Document { schedules }) = serde_json::from_slice(document) else { return Vec::new() };
    let is_good = |schedule: &Archived| is_name(&schedule.name) && schedule.rules.check().is_ok();
    schedules.into_iter().take(MOST).filter(is_good).collect()
}

/// Adds a schedule from an archive, paused, unless its name is taken or the maximum number is reached.
///
/// # Errors
/// The store's errors.
pub(crate) async fn bring_back(
    store: &dyn Store,
    archived: &Archived,
    (creator, now): (&str, i64),
) -> Result<()> {
    if store.schedules().await?.len() >= MOST {
        tracing::warn!(name = archived.name, "a schedule of the archive is left out: there are {MOST}");
        return Ok(());
    }
    let row = ScheduleRow {
        name: archived.name.clone(),
        rules: to_json(&archived.rules),
        creator: creator.to_owned(),
        // Resuming it provides one.
        delegation: Vec::new(),
        create_time: now,
        paused: true,
        orphan_time: Some(now),
        due_time: i64::MAX,
        start_time: i64::MAX,
        reason: String::new(),
        problem: String::new(),
        verifying_time: None,
        revision: 1,
    };
    match store.create_schedule(&row).await {
        Err(error) if error.kind() == Kind::Unique => Ok(()),
        ended => Ok(ended?),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use strongroom_testkit::TestDb;

    use super::*;
    use crate::store::open;

    fn nightly() -> Archived {
        let rules = Rules { cron: "0 3 * * *".into(), time_zone: "Europe/Berlin".into(), ..Rules::default() };
        Archived { name: "nightly".into(), rules }
    }

    #[tokio::test]
    async fn a_schedule_comes_back_paused_unless_it_has_a_namesake() {
        for database in TestDb::each() {
            let store = open(&database.url()).await.unwrap();
            assert_eq!(Records(Arc::clone(&store)).schedules().await.unwrap(), None);
            bring_back(store.as_ref(), &nightly(), ("token:a", 7)).await.unwrap();
            let row = store.schedule("nightly").await.unwrap().unwrap();
            assert!(row.paused && row.orphan_time == Some(7) && row.creator == "token:a", "{row:?}");
            let other = Archived { rules: Rules { cron: "@hourly".into(), ..Rules::default() }, ..nightly() };
            bring_back(store.as_ref(), &other, ("token:b", 8)).await.unwrap();
            assert_eq!(store.schedule("nightly").await.unwrap(), Some(row));
            let document = Records(Arc::clone(&store)).schedules().await.unwrap().unwrap();
            assert_eq!(read(&document), [nightly()]);
        }
    }

    #[test]
    fn what_this_service_has_not_written_is_left_out() {
        let many = vec![nightly(); 10_000];
        assert_eq!(read(to_json(&Document { schedules: many }).as_bytes()).len(), MOST);
        let bad = [
            Archived { name: "../x".into(), ..nightly() },
            Archived { rules: Rules { cron: "never".into(), ..Rules::default() }, ..nightly() },
            Archived { rules: Rules { jitter: -1, cron: "@daily".into(), ..Rules::default() }, ..nightly() },
            Archived {
                rules: Rules { timeout: Some(1), cron: "@daily".into(), ..Rules::default() },
                ..nightly()
            },
        ];
        for one in bad {
            let document = to_json(&Document { schedules: vec![one, nightly()] });
            assert_eq!(read(document.as_bytes()), [nightly()]);
        }
        assert_eq!(read(b"{}"), []);
        assert_eq!(read(b"\0"), []);
    }
}
