//! Rows with columns whose text is parsed into an enum.
//!
//! sqlx's derive can do this too (`try_from`), but its feature `derive` compiles both drivers, SQLite and
//! aws-lc a second time for the build host.

use sqlx::{ColumnIndex, Decode, Row, Type};

/// Implements `FromRow` for a struct on both engines: first the columns used as they are, then those whose
/// text is parsed.
#[macro_export]
macro_rules! from_row {
    ($row:ident { $($plain:ident),+ } parsed { $($parsed:ident),+ }) => {
        $crate::from_row!(@ sqlx::sqlite::SqliteRow, $row { $($plain),+ } parsed { $($parsed),+ });
        $crate::from_row!(@ sqlx::postgres::PgRow, $row { $($plain),+ } parsed { $($parsed),+ });
    };
    (@ $engine:ty, $row:ident { $($plain:ident),+ } parsed { $($parsed:ident),+ }) => {
        impl sqlx::FromRow<'_, $engine> for $row {
            fn from_row(row: &$engine) -> sqlx::Result<Self> {
                Ok(Self {
                    $($plain: sqlx::Row::try_get(row, stringify!($plain))?,)+
                    $($parsed: $crate::parsed_column(row, stringify!($parsed))?,)+
                })
            }
        }
    };
}

/// The value of `column`, parsed from its text; called by [`from_row!`](crate::from_row).
///
/// # Errors
/// [`sqlx::Error::ColumnDecode`] for a text that does not parse.
pub fn parsed_column<'r, R, T>(row: &'r R, column: &'static str) -> sqlx::Result<T>
where
    R: Row,
    &'static str: ColumnIndex<R>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    T: TryFrom<String, Error: Into<sqlx::error::BoxDynError>>,
{
    let text: String = row.try_get(column)?;
    T::try_from(text)
        .map_err(|source| sqlx::Error::ColumnDecode { index: column.to_owned(), source: source.into() })
}
