//! Compares retention with a model written only from the text of `RetentionPolicy`, over random histories.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeSet, HashSet};

use jiff::civil::Date;

use super::*;

const HOUR: i64 = 3600 * 1_000_000;

/// xorshift64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

fn history(random: &mut Random) -> Vec<Candidate> {
    let mut time = 1_790_000_000_000_000;
    let gap = [HOUR, 20 * HOUR, 24 * HOUR, 200 * HOUR][random.below(4) as usize];
    let count = random.below(60);
    let made = (0..count).map(|at| {
        time -= 1 + gap * random.below(3) as i64 + random.below(1_000_000) as i64;
        Candidate {
            id: at.to_string(),
            file_name: String::new(),
            etag: String::new(),
            create_time: time,
            verified: [None, None, Some(true), Some(false)][random.below(4) as usize],
            held: random.below(10) == 0,
            needed: random.below(20) == 0,
        }
    });
    made.collect()
}

fn date(candidate: &Candidate, zone: &TimeZone) -> Date {
    Timestamp::from_microsecond(candidate.create_time).unwrap().to_zoned(zone.clone()).date()
}

/// The year, and a number within it.
type Period<'a> = &'a dyn Fn(&Candidate) -> (i16, i8);

/// The ids that stay, computed by quantifiers instead of a walk.
fn model(policy: Policy, zone: &TimeZone, all: &[Candidate]) -> HashSet<String> {
    let good: Vec<&Candidate> = all.iter().filter(|one| one.verified != Some(false)).collect();
    let mut stay = HashSet::new();
    let periods: [(usize, Period<'_>); 3] = [
        (policy.daily, &|one| (date(one, zone).year(), 0)),
        (policy.weekly, &|one| {
            let week = date(one, zone).iso_week_date();
            (week.year(), week.week())
        }),
        (policy.monthly, &|one| (date(one, zone).year(), date(one, zone).month())),
    ];
    for (at, (count, period)) in periods.iter().enumerate() {
        // A day is also identified by its number within the year.
        let key = |one: &Candidate| {
            let day = if at == 0 { date(one, zone).day_of_year() } else { 0 };
            (period(one), day)
        };
        let all_periods: BTreeSet<_> = good.iter().map(|one| key(one)).collect();
        for wanted in all_periods.iter().rev().take(*count) {
            let newest = good.iter().filter(|one| key(one) == *wanted).max_by_key(|one| one.create_time);
            stay.insert(newest.unwrap().id.clone());
        }
    }
    let floor = policy.min.max(1);
    stay.extend(good.iter().take(floor).map(|one| one.id.clone()));
    if good.len() < floor {
        stay.extend(all.iter().map(|one| one.id.clone()));
    }
    let verified = all.iter().filter(|one| one.verified == Some(true)).max_by_key(|one| one.create_time);
    stay.extend(verified.map(|one| one.id.clone()));
    stay.extend(all.iter().filter(|one| one.held || one.needed).map(|one| one.id.clone()));
    stay
}

#[test]
fn what_stays_is_what_the_sentences_say() {
    let mut random = Random(0x5eed);
    for round in 0..3000 {
        let history = history(&mut random);
        let [daily, weekly, monthly, min] = [(); 4].map(|()| random.below(6) as usize);
        let policy = Policy { daily, weekly, monthly, min };
        let name = ["UTC", "Europe/Berlin", "America/New_York", "Pacific/Apia"][random.below(4) as usize];
        let zone = TimeZone::get(name).unwrap();
        let fates = decide(policy, &zone, &history);
        let stay: HashSet<String> = history
            .iter()
            .zip(&fates)
            .filter(|(_, fate)| !fate.goes)
            .map(|(one, _)| one.id.clone())
            .collect();
        assert_eq!(stay, model(policy, &zone, &history), "round {round}: {policy:?}, {name}, {history:?}");
        assert!(fates.iter().all(|fate| !fate.reasons.is_empty()));
    }
}

#[test]
fn what_goes_once_never_would_have_stayed() {
    let mut random = Random(7);
    for _ in 0..500 {
        let history = history(&mut random);
        let policy = Policy { daily: 3, weekly: 2, monthly: 2, min: 2 };
        let once = decide(policy, &TimeZone::UTC, &history);
        let left: Vec<Candidate> =
            history.iter().zip(&once).filter(|(_, fate)| !fate.goes).map(|(one, _)| one.clone()).collect();
        assert!(decide(policy, &TimeZone::UTC, &left).iter().all(|fate| !fate.goes), "{history:?}");
    }
}
