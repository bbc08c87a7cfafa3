//! A problem that is looked for again and again, and is said once until it changes.

/// What was said last.
#[derive(Default)]
pub(crate) struct Said(Option<String>);

impl Said {
    /// The problem as it is `now`, if there is one that was not said yet.
    pub(crate) fn news(&mut self, now: Option<String>) -> Option<&str> {
        let is_new = self.0 != now;
        self.0 = now;
        self.0.as_deref().filter(|_| is_new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_said_once_until_it_changes() {
        let mut said = Said::default();
        let rounds = ["", "a", "a", "b", "b", "", "b"];
        let news = rounds.map(|now| {
            let now = (!now.is_empty()).then(|| now.to_owned());
            said.news(now).map(str::to_owned)
        });
        assert_eq!(news.map(Option::unwrap_or_default), ["", "a", "", "b", "", "", "b"]);
    }
}
