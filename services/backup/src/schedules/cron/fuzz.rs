//! Fuzzing of cron expressions: each that is accepted has due times in order, which the search in the other direction confirms.

use strongroom_fuzz::fuzz;

use super::*;

/// 2026-03-28T00:00:00Z, the day before the clocks change in Europe.
const FROM: i64 = 1_774_656_000_000_000;

#[test]
fn expressions() {
    let seeds: [&[u8]; 6] = [
        b"0 3 * * *",
        b"*/15 8-18 * * 1-5",
        b"30 2 29 2 *",
        b"@daily",
        b"0 0 L * *",
        b"5,35 1-3/2 1,15 JAN-MAR MON#2",
    ];
    fuzz("cron", &seeds, |text| {
        let text = String::from_utf8_lossy(text);
        let zone = zone("Europe/Berlin")?;
        let cron = Cron::parse(&text, zone)?;
        let mut last = FROM;
        for _ in 0..3 {
            let Some(next) = cron.after(last) else { return Err("never due".to_owned()) };
            assert!(next > last, "{text:?} is due at {next} after {last}");
            assert_eq!(cron.until(next), Some(next), "{text:?}");
            last = next;
        }
        Ok(())
    });
}
