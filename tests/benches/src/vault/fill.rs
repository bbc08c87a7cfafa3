//! Many credentials, sealed as the vault seals them but written directly into its table: through the service, each
//! would cost a durable commit.

use strongroom_crypto::{Cell, KeyRing, Purpose};
use strongroom_testkit::{Planted, TestDb};

use super::server::{BenchVault, VALUE};

/// Rows per statement.
const ROWS: u32 = 5000;
/// Adds `count` credentials, numbered from 0.
pub(super) async fn credentials(vault: &BenchVault, count: u32) {
    let ring = vault.ring().await;
    for first in (0..count).step_by(ROWS as usize) {
        vault.database.run(&insert(&ring, &vault.database, first..count.min(first + ROWS)));
    }
    vault.database.run("ANALYZE");
}

/// The credential's id: ascending, and greater than every UUIDv7.
pub(super) fn id(number: u32) -> String {
    format!("ff{number:08}-0000-7000-8000-000000000000")
}

fn insert(ring: &KeyRing, database: &TestDb, numbers: std::ops::Range<u32>) -> String {
    let mut sql = Planted::INSERT.to_owned();
    for number in numbers {
        let (id, comma) = (id(number), if sql.len() == Planted::INSERT.len() { "" } else { "," });
        let cell = Cell { purpose: Purpose::Credential, table: "credentials", column: "secret", row: &id };
        let secret = ring.seal("credential", &cell, &VALUE).unwrap();
        let (name, time) = (format!("Credential {number}"), i64::from(number));
        let row =
            Planted { id: &id, name: &name, provider: "openai", secret: &secret, preview: "sk-...123", time };
        sql.push_str(comma);
        sql.push_str(&row.values(ring, database));
    }
    sql
}
