//! Reports a recurring problem once until it changes.

/// The last reported problem.
#[derive(Default)]
pub(crate) struct Said(Option<String>);

impl Said {
    /// The problem `now`, if it differs from the last one.
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
