//! The progress bar of a re-encryption, on standard error; hidden where that is no terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use strongroom_api::vault::v1::ReencryptResponse;

const TEMPLATE: &str = "{spinner} [{bar:24}] {human_pos}/{human_len} rows  {per_sec}  {eta} left";

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

    pub(super) fn rows(&self, run: &ReencryptResponse) {
        let total = run.rows_done.saturating_add(run.rows_left);
        self.bar.set_length(total.try_into().unwrap_or(0));
        self.bar.set_position(run.rows_done.try_into().unwrap_or(0));
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
    fn what_is_done_and_left_is_the_whole() {
        let progress = Progress::start();
        progress.rows(&ReencryptResponse { rows_done: 10, rows_left: 30, done: false });
        assert_eq!((progress.bar.position(), progress.bar.length()), (10, Some(40)));
        progress.rows(&ReencryptResponse { rows_done: i64::MAX, rows_left: 1, done: false });
    }
}
