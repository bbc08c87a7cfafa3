//! Resolves an id or a name to a token.

use anyhow::{Result, bail};
use strongroom_api::vault::v1::Token;

use crate::error::{Local, Refused};

/// The id of the token with the id `named`, or of the only unrevoked token with that name.
pub(super) fn id_of(tokens: &[Token], named: &str) -> Result<String> {
    if tokens.iter().any(|token| token.id == named) {
        return Ok(named.to_owned());
    }
    let with_name = tokens.iter().filter(|token| token.name == named && token.revoke_time.is_none());
    match with_name.collect::<Vec<_>>().as_slice() {
        [] => {
            let sentence =
                format!("no token has the id or the name {named:?}; `strongroom token list` shows them all");
            bail!(Refused::new(Local::TokenNotFound, sentence))
        }
        [one] => Ok(one.id.clone()),
        several => {
            let ids = several.iter().map(|token| token.id.as_str()).collect::<Vec<_>>().join(", ");
            let sentence =
                format!("{} tokens have the name {named:?}; give the id of one: {ids}", several.len());
            bail!(Refused::new(Local::NameAmbiguous, sentence))
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn token(id: &str, name: &str) -> Token {
        Token { id: id.into(), name: name.into(), ..Token::default() }
    }

    #[test]
    fn a_name_is_as_good_as_an_id_where_it_is_unique() {
        let mut tokens = [token("a1", "ci"), token("a2", "ci"), token("a3", "a1"), token("a4", "staging")];
        let meant = |tokens: &[Token], named: &str| id_of(tokens, named).map_err(|error| error.to_string());
        assert_eq!(meant(&tokens, "a1").unwrap(), "a1", "the id goes first");
        assert_eq!(meant(&tokens, "staging").unwrap(), "a4");
        let several = meant(&tokens, "ci").unwrap_err();
        assert!(several.contains("a1, a2"), "{several}");
        assert!(meant(&tokens, "none").unwrap_err().contains("token list"));
        tokens[0].revoke_time = Some(Default::default());
        assert_eq!(meant(&tokens, "ci").unwrap(), "a2", "the other one is over");
    }
}
