//! The table cell that a sealed value belongs to. It is authenticated with the value, so that write access to
//! the database is not enough to make one row's secret appear in another.

use crate::{Kid, Purpose, aad};

/// The cell of one value. The value opens only there.
///
/// For a value under a caller key, the table is `caller`, the column is the key's id, and the row is the
/// caller's own AAD, in lower-case hexadecimal because it can be any bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell<'a> {
    /// The purpose of the key that seals this value.
    pub purpose: Purpose,
    /// Table name.
    pub table: &'a str,
    /// Column name.
    pub column: &'a str,
    /// Row id, assigned by us (UUIDv7); no other row of the table ever has it.
    pub row: &'a str,
}

impl Cell<'_> {
    /// The data authenticated with a value that the version `kid` seals in `format`.
    pub(crate) fn aad(&self, format: &str, kid: Kid) -> Vec<u8> {
        let (purpose, kid) = (self.purpose.as_str(), kid.to_string());
        aad::encode(&[format, purpose, self.table, self.column, self.row, &kid])
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_documented_bytes() {
        let cell = Cell { purpose: Purpose::Page, table: "t", column: "", row: "42" };
        let kid = "00000000000000ff".parse().unwrap();
        let expected: &[u8] = b"\0\0\0\x04srv1\0\0\0\x04page\0\0\0\x01t\0\0\0\0\0\0\0\x0242\
            \0\0\0\x1000000000000000ff";
        assert_eq!(cell.aad("srv1", kid), expected);
    }
}
