//! The vault's part of the page for people: key versions with their census, re-encryption, certificates.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use strongroom_crypto::State;
use strongroom_runtime::Metrics;
use strongroom_runtime::admin::Sections;
use strongroom_runtime::admin::content::{Block, Cell, Section, Tone};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::bootstrap::Vault;
use crate::error::Result;
use crate::store::KeyVersionRow;

/// The census reads whole tables, so who reloads the page gets the last one for a while.
const KEPT: Duration = Duration::from_secs(10);
const KEYS: &str = "Key census";
const REENCRYPTION: &str = "Re-encryption";

/// The sections of a vault.
pub(crate) struct Page {
    vault: Arc<Vault>,
    metrics: Metrics,
    /// Held while they are made: many readers read the tables once.
    last: Mutex<Option<(Instant, Vec<Section>)>>,
}

impl Page {
    pub(crate) fn new(vault: Arc<Vault>, metrics: Metrics) -> Self {
        Self { vault, metrics, last: Mutex::default() }
    }

    async fn read(&self) -> Vec<Section> {
        let keys = self.keys().await.unwrap_or_else(|error| Section::unreadable(KEYS, &error.to_string()));
        let run = self.reencryption().await;
        let run = run.unwrap_or_else(|error| Section::unreadable(REENCRYPTION, &error.to_string()));
        vec![keys, run]
    }

    async fn keys(&self) -> Result<Section> {
        let versions = self.vault.keys.versions().await?;
        let census = self.vault.ledger.census("").await?;
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
        let mut last = self.last.lock().await;
        let mut sections = match last.as_ref() {
            Some((made, sections)) if made.elapsed() < KEPT => sections.clone(),
            _ => {
                let sections = self.read().await;
                *last = Some((Instant::now(), sections.clone()));
                sections
            }
        };
        sections.extend(self.certificates());
        sections
    }
}

fn state(version: &KeyVersionRow) -> Cell {
    let tone = match version.state {
        State::Primary => Tone::Good,
        State::DecryptOnly | State::Destroyed => Tone::Quiet,
        State::Disabled | State::Scheduled => Tone::Fair,
    };
    Cell::State(tone, version.state.as_str().to_owned())
}
