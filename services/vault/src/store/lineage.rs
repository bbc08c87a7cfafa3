//! Tokens and their issuers: a token is accepted only while every issuer above it is.

use std::collections::BTreeMap;

use super::token::{Remaining, TokenRow};

/// Maximum number of issuers above a token: checking a token means checking them all.
pub(crate) const MAX_LINKS: usize = 8;

/// Reason why a token is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The token itself is missing, revoked, expired or stale.
    Itself,
    /// An issuer above it has ended, or had ended before it was reissued: `token:<id>`, or an `identity:<name>` that is
    /// no longer configured.
    Through(String),
    /// It has more issuers than are allowed.
    TooLong,
}

/// Tokens with all their issuers that are in the database.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lineages(BTreeMap<String, TokenRow>);

impl Lineages {
    pub(super) fn of(rows: impl IntoIterator<Item = TokenRow>) -> Self {
        Self(rows.into_iter().map(|row| (row.id.clone(), row)).collect())
    }

    /// The token with this id.
    pub(crate) fn token(&self, id: &str) -> Option<&TokenRow> {
        self.0.get(id)
    }

    /// The reason why the token is not accepted at `now`; `None` if it is. `knows` tells which identities are
    /// configured.
    pub(crate) fn ended(&self, id: &str, now: i64, knows: impl Fn(&str) -> bool) -> Option<Ended> {
        self.ended_without(id, None, now, &knows)
    }

    /// The issuer at the top of the token's chain, or the token itself.
    pub(crate) fn root(&self, id: &str) -> Option<&TokenRow> {
        let mut token = self.0.get(id)?;
        for _ in 0..MAX_LINKS {
            match self.issuer_of(token) {
                Some(above) => token = above,
                None => break,
            }
        }
        Some(token)
    }

    /// Earliest expiry of the token and its issuers.
    pub(crate) fn expire_time(&self, id: &str) -> Option<i64> {
        let mut earliest: Option<i64> = None;
        let mut token = self.0.get(id);
        for _ in 0..=MAX_LINKS {
            let Some(row) = token else { break };
            earliest = earliest.into_iter().chain(row.expire_time).min();
            token = self.issuer_of(row);
        }
        earliest
    }

    /// Number of issuers above the token.
    pub(crate) fn links(&self, id: &str) -> usize {
        let mut links = 0;
        let mut token = self.0.get(id);
        while let Some(row) = token.filter(|row| !row.issuer.is_empty() && links <= MAX_LINKS) {
            links += 1;
            token = self.issuer_of(row);
        }
        links
    }

    /// Whether `issuer` is the token `id` itself or above it.
    pub(super) fn goes_back_to(&self, id: &str, issuer: &str) -> bool {
        let mut token = self.0.get(id);
        for _ in 0..=MAX_LINKS {
            match token {
                Some(row) if row.id == issuer => return true,
                Some(row) => token = self.issuer_of(row),
                None => return false,
            }
        }
        false
    }

    /// Whether revoking `revoked` would end the last token that must remain.
    pub(super) fn loses_last(&self, remaining: &Remaining<'_>, revoked: &str, now: i64) -> bool {
        let is_one = |row: &&TokenRow| {
            let accepted = row.service.is_empty() || row.service == remaining.service;
            row.role == remaining.role && row.selectors == "{}" && row.expire_time.is_none() && accepted
        };
        let knows = |identity: &str| remaining.identities.iter().any(|known| known == identity);
        let some = |without| {
            self.0
                .values()
                .filter(is_one)
                .any(|row| self.ended_without(&row.id, without, now, &knows).is_none())
        };
        some(None) && !some(Some(revoked))
    }

    /// The same as [`Lineages::ended`], as if the token `revoked` had ended.
    fn ended_without(
        &self,
        id: &str,
        revoked: Option<&str>,
        now: i64,
        knows: &impl Fn(&str) -> bool,
    ) -> Option<Ended> {
        let Some(mut token) = self.0.get(id) else { return Some(Ended::Itself) };
        for links in 0..=MAX_LINKS {
            if token.has_ended(now) || revoked == Some(&token.id) {
                return Some(if links == 0 { Ended::Itself } else { Ended::Through(token.principal()) });
            }
            let issuer = &token.issuer;
            if issuer.is_empty() {
                return None;
            }
            if links == MAX_LINKS {
                break;
            }
            match self.issuer_of(token) {
                Some(above) if above.has_cut(token.issue_time) => {
                    return Some(Ended::Through(above.principal()));
                }
                Some(above) => token = above,
                None if token.issuer_token().is_none() && knows(issuer) => return None,
                None => return Some(Ended::Through(issuer.clone())),
            }
        }
        Some(Ended::TooLong)
    }

    fn issuer_of(&self, token: &TokenRow) -> Option<&TokenRow> {
        self.0.get(token.issuer_token()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(id: &str, issuer: &str) -> TokenRow {
        TokenRow {
            id: id.into(),
            issuer: issuer.into(),
            role: "admin".into(),
            selectors: "{}".into(),
            ..TokenRow::default()
        }
    }

    fn ended(rows: &[TokenRow], id: &str) -> Option<Ended> {
        Lineages::of(rows.to_vec()).ended(id, 10, |identity| identity == "identity:known")
    }

    #[test]
    fn a_token_ends_with_each_of_its_issuers() {
        let mut rows = vec![token("a", ""), token("b", "token:a"), token("c", "token:b")];
        assert_eq!(ended(&rows, "c"), None);
        rows[0].expire_time = Some(10);
        assert_eq!(ended(&rows, "c"), Some(Ended::Through("token:a".into())));
        assert_eq!(ended(&rows, "a"), Some(Ended::Itself));
        rows[0].expire_time = Some(11);
        rows[1].revoke_time = Some(1);
        assert_eq!((ended(&rows, "a"), ended(&rows, "b")), (None, Some(Ended::Itself)));
        assert_eq!(ended(&rows, "c"), Some(Ended::Through("token:b".into())));
    }

    #[test]
    fn a_stale_token_is_none_until_it_is_reissued() {
        let mut rows = vec![token("a", ""), token("b", "token:a")];
        rows[0].stale_time = Some(1);
        assert_eq!(ended(&rows, "a"), Some(Ended::Itself));
        assert_eq!(ended(&rows, "b"), Some(Ended::Through("token:a".into())));
        rows[0].stale_time = None;
        assert_eq!((ended(&rows, "a"), ended(&rows, "b")), (None, None));
    }

    #[test]
    fn what_was_issued_before_a_cut_has_ended() {
        let mut rows = vec![token("a", ""), token("b", "token:a"), token("c", "token:b")];
        (rows[0].cut_time, rows[1].issue_time, rows[2].issue_time) = (Some(5), 5, 6);
        assert_eq!(ended(&rows, "a"), None);
        assert_eq!(ended(&rows, "b"), Some(Ended::Through("token:a".into())));
        assert_eq!(ended(&rows, "c"), Some(Ended::Through("token:a".into())));
        rows[1].issue_time = 6;
        assert_eq!((ended(&rows, "b"), ended(&rows, "c")), (None, None));
    }

    #[test]
    fn a_chain_expires_with_the_first_of_it() {
        let mut rows = vec![token("a", ""), token("b", "token:a"), token("c", "token:b")];
        let expiry = |rows: &[TokenRow]| Lineages::of(rows.to_vec()).expire_time("c");
        assert_eq!(expiry(&rows), None);
        (rows[0].expire_time, rows[2].expire_time) = (Some(50), Some(70));
        assert_eq!(expiry(&rows), Some(50));
    }

    #[test]
    fn an_issuer_that_is_missing_is_no_root() {
        assert_eq!(ended(&[token("b", "token:a")], "b"), Some(Ended::Through("token:a".into())));
        assert_eq!(ended(&[], "b"), Some(Ended::Itself));
        assert_eq!(ended(&[token("b", "identity:known")], "b"), None);
        assert_eq!(ended(&[token("b", "identity:gone")], "b"), Some(Ended::Through("identity:gone".into())));
        assert_eq!(ended(&[token("b", "system")], "b"), Some(Ended::Through("system".into())));
    }

    #[test]
    fn circles_and_long_chains_are_refused() {
        assert_eq!(ended(&[token("a", "token:b"), token("b", "token:a")], "a"), Some(Ended::TooLong));
        let mut rows = vec![token("0", "")];
        rows.extend((1..=9).map(|at| token(&at.to_string(), &format!("token:{}", at - 1))));
        assert_eq!((ended(&rows, "8"), ended(&rows, "9")), (None, Some(Ended::TooLong)));
        assert_eq!(Lineages::of(rows.clone()).links("8"), MAX_LINKS);
        rows[0].issuer = "identity:known".into();
        assert_eq!((ended(&rows, "7"), ended(&rows, "8")), (None, Some(Ended::TooLong)));
    }

    #[test]
    fn the_last_one_is_found_whatever_takes_it_away() {
        let remaining = Remaining { role: "admin", service: "vault", identities: &[] };
        let loses = |rows: &[TokenRow], id: &str| Lineages::of(rows.to_vec()).loses_last(&remaining, id, 10);
        let mut rows = vec![token("a", ""), token("b", "token:a")];
        assert!(loses(&rows, "a"), "its descendant goes with it");
        assert!(!loses(&rows, "b"));
        rows[1].issuer = String::new();
        assert!(!loses(&rows, "a"));
        for narrowed in [
            TokenRow { expire_time: Some(99), ..token("b", "") },
            TokenRow { selectors: "{\"keys\":[]}".into(), ..token("b", "") },
            TokenRow { service: "backup".into(), ..token("b", "") },
            TokenRow { role: "operator".into(), ..token("b", "") },
            TokenRow { revoke_time: Some(1), ..token("b", "") },
            token("b", "identity:known"),
        ] {
            assert!(loses(&[token("a", ""), narrowed.clone()], "a"), "{narrowed:?}");
        }
        assert!(!loses(&[], "a"), "what was not there is not lost");
    }
}
