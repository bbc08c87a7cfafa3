//! The progress bar of an export, on standard error; hidden where that is no terminal.

use std::time::Duration;

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use strongroom_api::backup::v1::export_backup_response::Progress as Rows;

use crate::output::printable;

const TEMPLATE: &str = "{spinner} [{bar:24}] {pos}/{len} tables  {prefix}  {msg}";

pub(super) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    pub(super) fn start() -> Self {
        let style =
            ProgressStyle::with_template(TEMPLATE).expect("the template is a constant that is tested");
        let bar = ProgressBar::new(0).with_style(style);
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar }
    }

    pub(super) fn rows(&self, progress: &Rows) {
        self.bar.set_length(progress.tables_total.try_into().unwrap_or(0));
        self.bar.set_position(progress.tables_done.try_into().unwrap_or(0));
        let rows = HumanCount(progress.rows.try_into().unwrap_or(0));
        self.bar.set_prefix(format!("{rows} rows  {}", printable(&progress.table)));
    }

    pub(super) fn bytes(&self, bytes: u64) {
        let seconds = self.bar.elapsed().as_secs_f64().max(0.001);
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            reason = "a figure to look at"
        )]
        let rate = (bytes as f64 / seconds) as u64;
        self.bar.set_message(format!("{}  {}/s", HumanBytes(bytes), HumanBytes(rate)));
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_one() {
        let progress = Progress::start();
        progress.rows(&Rows { table: "t".into(), tables_done: 1, tables_total: 3, rows: 10 });
        progress.bytes(4096);
        assert_eq!((progress.bar.position(), progress.bar.length()), (1, Some(3)));
        assert!(progress.bar.message().starts_with("4.00 KiB"));
    }
}
