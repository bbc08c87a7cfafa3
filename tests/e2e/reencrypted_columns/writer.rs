//! The running application: it constantly changes values and remembers the last one of each row.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use e2e::Operator;
use strongroom_testkit::TestDb;

use super::gateway::aad;
use super::sealer::Sealer;

/// Number of rows in a transaction, in any order.
const TOGETHER: usize = 20;

/// Writes until `stop` is set, and returns the last written texts by id.
pub(super) fn write(
    database: &TestDb,
    operator: &Operator,
    servers: i64,
    stop: &AtomicBool,
) -> HashMap<i64, String> {
    let mut sealer = Sealer::new(operator);
    let (mut last, mut step) = (HashMap::new(), 0_i64);
    while !stop.load(Ordering::SeqCst) {
        let mut rows = Vec::new();
        while rows.len() < TOGETHER {
            step += 1;
            let id = 1 + step.wrapping_mul(7_919) % servers;
            if rows.iter().all(|(other, _)| *other != id) {
                rows.push((id, format!("{id}-{step}")));
            }
        }
        let values: Vec<_> = rows.iter().map(|(id, text)| (aad(*id), text.clone())).collect();
        let sealed = sealer.seal(&values);
        let updates: String = rows
            .iter()
            .zip(sealed)
            .map(|((id, _), value)| format!("UPDATE servers SET bearer = '{value}' WHERE id = {id};\n"))
            .collect();
        database.run(&format!("BEGIN;\n{updates}COMMIT;"));
        last.extend(rows);
    }
    last
}
