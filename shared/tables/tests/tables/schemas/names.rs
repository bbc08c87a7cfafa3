//! Names of the objects in random schemas.

use strongroom_fuzz::Random;

/// Generates names that are unique in the schema; most of them need quotes.
#[derive(Default)]
pub struct Names(usize);

impl Names {
    pub fn next(&mut self, random: &mut Random, what: &str) -> String {
        self.0 += 1;
        let number = self.0;
        match random.below(14) {
            0 => format!("{} {number}", what.to_uppercase()),
            1 => format!("the \"{what}\" {number}"),
            2 => format!("select.{what}{number}"),
            3 => format!("größe_{what}_{number}"),
            4 => format!("it's {what} {number}"),
            5 => format!("{what}\\{number}"),
            6 => format!("{number}$ 100%_{what}, (x)"),
            // The maximum length in PostgreSQL.
            7 => format!("{:x<63}", format!("{what}_{number}_")),
            _ => format!("{what}_{number}"),
        }
    }
}

/// A quoted SQL identifier.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
