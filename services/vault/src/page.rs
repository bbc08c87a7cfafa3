//! The vault's part of the status page: key versions with their census, re-encryption, certificates.

mod kept;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use strongroom_crypto::State;
use strongroom_runtime::Metrics;
use strongroom_runtime::admin::Sections;
use strongroom_runtime::admin::content::{Block, Cell, Section, Tone};

use crate::bootstrap::Vault;
use crate::error::Result;
use crate::store::KeyVersionRow;
use kept::Kept;

/// Age in seconds from which the census shows its age.
const OLD: u64 = 10;
const KEYS: &str = "Key census";
const REENCRYPTION: &str = "Re-encryption";

/// The vault's sections of the page.
pub(crate) struct Page {
    vault: Arc<Vault>,
    metrics: Metrics,
    /// Kept because the census reads whole tables.
    census: Kept<Section>,
}

impl Page {
    pub(crate) fn new(vault: Arc<Vault>, metrics: Metrics) -> Self {
        Self { vault, metrics, census: Kept::new() }
    }

    async fn keys(&self) -> Section {
        let vault = Arc::clone(&self.vault);
        let read = || async move {
            census(&vault).await.unwrap_or_else(|error| Section::unreadable(KEYS, &error.to_string()))
        };
        let Some((age, mut section)) = self.census.get(read).await else {
            return Section::unreadable(KEYS, "the census is not complete yet; reload the page in a while");
        };
        if age.as_secs() >= OLD {
            let note = format!("Counted {} s ago; a new census is being taken.", age.as_secs());
            section.blocks.push(Block::Note(note));
        }
        section
    }

    async fn reencryption(&self) -> Result<Section> {
        let Some(job) = self.vault.store.running_reencrypt().await? else {
            return Ok(Section { title: REENCRYPTION, blocks: vec![Block::Note("None is running.".into())] });
        };
        let progress = Cell::Progress { done: job.rows_done, total: job.rows_done + job.rows_left };
        let facts = vec![("Rows", progress), ("Began", Cell::Time(Some(job.start_time)))];
        Ok(Section { title: REENCRYPTION, blocks: vec![Block::Facts(facts)] })
    }

    fn certificates(&self) -> Option<Section> {
        let now = self.metrics.certificates()?;
        let facts = vec![("Expires", Cell::Time(now.not_after.checked_mul(1_000_000)))];
        Some(Section { title: "Certificate", blocks: vec![Block::Facts(facts)] })
    }
}

#[async_trait]
impl Sections for Page {
    async fn sections(&self) -> Vec<Section> {
        let (keys, run) = tokio::join!(self.keys(), self.reencryption());
        let run = run.unwrap_or_else(|error| Section::unreadable(REENCRYPTION, &error.to_string()));
        [keys, run].into_iter().chain(self.certificates()).collect()
    }
}

/// Key versions and the number of values that need each.
async fn census(vault: &Vault) -> Result<Section> {
    let versions = vault.keys.versions().await?;
    let census = vault.ledger.census("").await?;
    let mut values: BTreeMap<&str, i64> = BTreeMap::new();
    for count in &census.counts {
        *values.entry(&count.kid).or_default() += count.value_count;
    }
    let mut pins: BTreeMap<&str, i64> = BTreeMap::new();
    for pin in &census.pins {
        *pins.entry(&pin.kid).or_default() += 1;
    }
    let of = |counts: &BTreeMap<&str, i64>, kid: &str| counts.get(kid).copied().unwrap_or(0);
    let rows = versions.iter().map(|version| {
        vec![
            Cell::text(version.key_id.as_str()),
            Cell::Number(version.number),
            Cell::Code(version.kid.clone()),
            state(version),
            Cell::Number(of(&values, &version.kid)),
            Cell::Number(of(&pins, &version.kid)),
            Cell::Time(Some(version.create_time)),
        ]
    });
    let headings = vec!["Key", "Version", "Id", "State", "Values", "Archives", "Made"];
    Ok(Section { title: KEYS, blocks: vec![Block::Table { headings, rows: rows.collect() }] })
}

fn state(version: &KeyVersionRow) -> Cell {
    let tone = match version.state {
        State::Primary => Tone::Good,
        State::DecryptOnly | State::Destroyed => Tone::Quiet,
        State::Disabled | State::Scheduled => Tone::Fair,
    };
    Cell::State(tone, version.state.as_str().to_owned())
}
