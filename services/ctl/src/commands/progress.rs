//! Progress bars on standard error; hidden unless that is a terminal, and removed when dropped.

use std::time::Duration;

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use strongroom_api::backup::v1::export_backup_response::Progress as Tables;
use strongroom_api::backup::v1::verify_backup_response::Progress as Verified;
use strongroom_api::backup::v1::{ReencryptSourceResponse, RestoreProgress};
use strongroom_api::vault::v1::ReencryptResponse;
use strongroom_runtime::printable;

use crate::output::message;

const EXPORT: &str = "{spinner} [{bar:24}] {pos}/{len} tables  {prefix}  {msg}";
const VERIFICATION: &str = "{spinner} [{bar:24}] {bytes}/{total_bytes}  {prefix}  {msg}";
const DOWNLOAD: &str = "{spinner} [{bar:24}] {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left  {prefix}";
const RESTORE: &str = "{spinner} [{bar:24}] {prefix}  {msg}";
const VALUES: &str = "{spinner} [{bar:24}] {human_pos}/{human_len} values  {per_sec}  {eta} left  {msg}";
const REENCRYPTION: &str = "{spinner} [{bar:24}] {human_pos}/{human_len} rows  {per_sec}  {eta} left";

pub(super) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    pub(super) fn of_export() -> Self {
        Self::start(EXPORT)
    }

    /// For the verification of a file of `size` bytes, which is sent first.
    pub(super) fn of_verification(size: u64) -> Self {
        let progress = Self::start(VERIFICATION);
        progress.show(0, size);
        progress.stage("sent");
        progress
    }

    /// For the verification of a file that the service has; its size is known once it has been read.
    pub(super) fn of_stored_verification() -> Self {
        let progress = Self::start(VERIFICATION);
        progress.stage("read");
        progress
    }

    /// For the download of a file of `size` bytes.
    pub(super) fn of_download(size: u64) -> Self {
        let progress = Self::start(DOWNLOAD);
        progress.show(0, size);
        progress
    }

    /// For the upload of a file of `size` bytes.
    pub(super) fn of_upload(size: u64) -> Self {
        let progress = Self::start(DOWNLOAD);
        progress.show(0, size);
        progress.stage("sent");
        progress
    }

    /// For a plan, or a restore that is being applied or rolled back.
    pub(super) fn of_restore() -> Self {
        Self::start(RESTORE)
    }

    /// `phase` is a text for people.
    pub(super) fn restored(&self, phase: &str, now: &RestoreProgress) {
        let count = |count: i64| u64::try_from(count).unwrap_or(0);
        let (rows, bytes) = (count(now.rows), count(now.bytes));
        let (text, done, total) = if now.rows_total > 0 {
            let total = count(now.rows_total);
            (format!("{}/{} rows", HumanCount(rows), HumanCount(total)), rows, total)
        } else if now.bytes_total > 0 {
            let total = count(now.bytes_total);
            (format!("{}/{}", HumanBytes(bytes), HumanBytes(total)), bytes, total)
        } else {
            (String::new(), 0, 0)
        };
        self.show(done, total);
        self.stage(phase);
        self.detail(&format!("{text}  {}", now.table));
    }

    /// Shows why a restore cannot continue now.
    pub(super) fn waits(&self, problem: &str) {
        self.bar.suspend(|| message(&format!("waiting: {problem}")));
    }

    /// For an interrupted download: the existing bytes are read first.
    pub(super) fn checking(&self) {
        self.stage("of the existing file read");
    }

    /// The download of the rest begins: the speed of reading says nothing about it.
    pub(super) fn goes_on(&self) {
        self.stage("");
        self.bar.reset_eta();
    }

    /// Shows the number of bytes of the file that have been received or sent.
    pub(super) fn received(&self, bytes: u64) {
        self.bar.set_position(bytes);
    }

    /// Shows the upload of the file, and then its entries, which are longer than the file.
    pub(super) fn verified(&self, now: &Verified) {
        if now.bytes_total == 0 {
            self.bar.set_position(now.bytes_received.try_into().unwrap_or(0));
            return;
        }
        self.show(now.bytes_verified, now.bytes_total);
        self.stage("verified");
        let values = HumanCount(now.values.try_into().unwrap_or(0));
        self.detail(&format!("{values} sealed values  {}", now.entry));
    }

    pub(super) fn of_reencryption() -> Self {
        Self::start(REENCRYPTION)
    }

    /// For values in a database.
    pub(super) fn of_values() -> Self {
        Self::start(VALUES)
    }

    pub(super) fn values(&self, now: &ReencryptSourceResponse) {
        self.show(now.values_done, now.values_done.saturating_add(now.values_left));
        self.detail(&now.column);
    }

    fn start(template: &str) -> Self {
        let style =
            ProgressStyle::with_template(template).expect("the template is a constant that is tested");
        let bar = ProgressBar::new(0).with_style(style);
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar }
    }

    pub(super) fn tables(&self, export: &Tables) {
        self.show(export.tables_done, export.tables_total);
        let count = |count: i64| HumanCount(count.try_into().unwrap_or(0));
        self.stage(&if export.file.is_empty() {
            format!("{} rows  {}", count(export.rows), export.table)
        } else {
            let (done, total) = (count(export.files_done), count(export.files_total));
            format!("{done}/{total} files  {}", export.file)
        });
    }

    pub(super) fn bytes(&self, bytes: u64) {
        let seconds = self.bar.elapsed().as_secs_f64().max(0.001);
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            reason = "a figure to look at"
        )]
        let rate = (bytes as f64 / seconds) as u64;
        self.detail(&format!("{}  {}/s", HumanBytes(bytes), HumanBytes(rate)));
    }

    pub(super) fn rows(&self, run: &ReencryptResponse) {
        self.show(run.rows_done, run.rows_done.saturating_add(run.rows_left));
    }

    fn show(&self, done: impl TryInto<u64>, total: impl TryInto<u64>) {
        self.bar.set_length(total.try_into().unwrap_or(0));
        self.bar.set_position(done.try_into().unwrap_or(0));
    }

    /// The bar writes to the terminal itself, so its texts are made printable here.
    fn stage(&self, text: &str) {
        self.bar.set_prefix(printable(text).into_owned());
    }

    fn detail(&self, text: &str) {
        self.bar.set_message(printable(text).into_owned());
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_counts_tables_and_bytes() {
        let progress = Progress::of_export();
        let table =
            Tables { table: "t".into(), tables_done: 1, tables_total: 3, rows: 10, ..Tables::default() };
        progress.tables(&table);
        progress.bytes(4096);
        assert_eq!((progress.bar.position(), progress.bar.length()), (1, Some(3)));
        assert!(progress.bar.message().starts_with("4.00 KiB"));
        assert_eq!(progress.bar.prefix(), "10 rows  t");
        let file = "r/a\u{1b}[2K\n\u{202e}".to_owned();
        progress.tables(&Tables { file, files_done: 1, files_total: 5000, ..table });
        assert_eq!(progress.bar.prefix(), r"1/5,000 files  r/a\u{1b}[2K\n\u{202e}");
    }

    #[test]
    fn a_verification_counts_what_is_sent_and_then_what_is_verified() {
        let progress = Progress::of_verification(1000);
        progress.verified(&Verified { bytes_received: 400, ..Verified::default() });
        assert_eq!((progress.bar.position(), progress.bar.length()), (400, Some(1000)));
        let entry = "tables/t\u{9b}.json".to_owned();
        progress.verified(&Verified {
            bytes_verified: 50,
            bytes_total: 9000,
            entry,
            values: 2000,
            bytes_received: 0,
        });
        assert_eq!((progress.bar.position(), progress.bar.length()), (50, Some(9000)));
        assert_eq!(progress.bar.message(), r"2,000 sealed values  tables/t\u{9b}.json");
    }

    #[test]
    fn a_download_goes_on_where_it_was() {
        let progress = Progress::of_download(1000);
        progress.checking();
        progress.received(400);
        progress.goes_on();
        assert_eq!((progress.bar.position(), progress.bar.length()), (400, Some(1000)));
        assert_eq!(progress.bar.prefix(), "");
        drop(Progress::of_stored_verification());
    }

    #[test]
    fn a_restore_counts_rows_or_bytes() {
        let progress = Progress::of_restore();
        let now =
            RestoreProgress { table: "t\u{1b}".into(), rows: 1000, rows_total: 4000, ..Default::default() };
        progress.restored("staging", &now);
        assert_eq!((progress.bar.position(), progress.bar.length()), (1000, Some(4000)));
        assert_eq!(progress.bar.message(), r"1,000/4,000 rows  t\u{1b}");
        progress
            .restored("verifying", &RestoreProgress { bytes: 1024, bytes_total: 2048, ..Default::default() });
        assert_eq!(progress.bar.message(), "1.00 KiB/2.00 KiB  ");
        progress.restored("comparing", &RestoreProgress { rows: -1, ..Default::default() });
        assert_eq!(progress.bar.position(), 0);
    }

    #[test]
    fn what_is_done_and_left_is_the_whole() {
        let progress = Progress::of_reencryption();
        progress.rows(&ReencryptResponse { rows_done: 10, rows_left: 30, done: false });
        assert_eq!((progress.bar.position(), progress.bar.length()), (10, Some(40)));
        progress.rows(&ReencryptResponse { rows_done: i64::MAX, rows_left: 1, done: false });
    }
}
