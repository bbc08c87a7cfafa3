//! Tokens of an SQL statement, as far as needed to understand a schema without its application.
//!
//! SQLite's pragmas describe nearly everything about a schema, except which collations the columns name and which module a
//! virtual table uses.

/// A piece of SQL between white space and comments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A keyword, number or bare identifier.
    Word(String),
    /// A quoted identifier or a string, without its quotes.
    Quoted(String),
    /// Any other character.
    Other(char),
}

impl Token {
    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(self, Self::Word(found) if found.eq_ignore_ascii_case(word))
    }

    /// A name or string.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Word(text) | Self::Quoted(text) => Some(text),
            Self::Other(_) => None,
        }
    }
}

/// Splits `sql`. Unclosed tokens end with the statement; SQLite never stores such a statement.
pub(super) fn tokens(sql: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            _ if rest.starts_with("--") => (None, rest.find('\n').unwrap_or(rest.len())),
            _ if rest.starts_with("/*") => (None, rest[2..].find("*/").map_or(rest.len(), |end| end + 4)),
            '\'' | '"' | '`' => quoted(rest, first),
            '[' => {
                let end = rest.find(']').unwrap_or(rest.len());
                (Some(Token::Quoted(rest[1..end].to_owned())), (end + 1).min(rest.len()))
            }
            _ if is_word(first) => {
                let end = rest.find(|other| !is_word(other)).unwrap_or(rest.len());
                (Some(Token::Word(rest[..end].to_owned())), end)
            }
            _ if first.is_ascii_whitespace() => (None, 1),
            other => (Some(Token::Other(other)), other.len_utf8()),
        };
        tokens.extend(token);
        rest = &rest[length..];
    }
    tokens
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_' || character == '$' || !character.is_ascii()
}

/// A quote within is doubled.
fn quoted(rest: &str, quote: char) -> (Option<Token>, usize) {
    let mut text = String::new();
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        if character != quote {
            text.push(character);
        } else if characters.next_if(|(_, next)| *next == quote).is_some() {
            text.push(quote);
        } else {
            return (Some(Token::Quoted(text)), at + 1);
        }
    }
    (Some(Token::Quoted(text)), rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_strings_and_comments_are_told_apart() {
        let sql = "CREATE/*x*/TABLE/*/ it's */ \"a \"\"b\" (c TEXT collate[my one], -- collate no\n d DEFAULT 'it''s', é$1)";
        let found: Vec<String> = tokens(sql).iter().map(|token| format!("{token:?}")).collect();
        let expected = "Word(\"CREATE\") Word(\"TABLE\") Quoted(\"a \\\"b\") Other('(') Word(\"c\") Word(\"TEXT\") \
            Word(\"collate\") Quoted(\"my one\") Other(',') Word(\"d\") Word(\"DEFAULT\") Quoted(\"it's\") Other(',') \
            Word(\"é$1\") Other(')')";
        assert_eq!(found.join(" "), expected);
        for open in ["'a", "\"", "[a", "/* a", "--", "`é"] {
            tokens(open);
        }
    }
}
