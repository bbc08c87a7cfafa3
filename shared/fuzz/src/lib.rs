//! Fuzzing on the stable toolchain: feeds a target with mutated inputs until its time is over. Only for dev-dependencies.
//!
//! A target is a function from bytes to an [`Outcome`]; it panics when an invariant is broken. The input that caused the panic, or
//! that ran for longer than [`PATIENCE`], is printed in hex, so that it can become a test.
//!
//! The stable toolchain gives no feedback about covered code, so the outcome takes its place: an input whose outcome was not seen
//! before joins the pool that is mutated. Parsers with an own message for each fault are explored well by that; the coverage that it
//! reaches is in docs/decisions/fuzzing.md.

mod mutate;
mod random;
mod watch;

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use mutate::mutate;
pub use random::Random;
use watch::Watch;

/// What a target made of an input: accepted, or refused with this message. Digits and quoted text are ignored when outcomes are
/// compared.
pub type Outcome = Result<(), String>;

/// Maximum time for one input.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Longest input that is tried, in bytes.
const LONGEST: usize = 64 << 10;
/// Most inputs in the pool.
const POOL: usize = 2_000;

/// Most outcomes that are told apart.
const OUTCOMES: usize = 20_000;

/// What a run has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Inputs that were tried.
    pub inputs: u64,
    /// Different outcomes among them.
    pub outcomes: usize,
}

/// Mutates `seeds` and passes them to `target`, for 20 seconds where `STRONGROOM_LONG` is set, and for a quarter of a second
/// elsewhere. The short form tries the same inputs in each run, in their order; the long form others each time, unless
/// `STRONGROOM_FUZZ_SEED` names the number that an earlier run has printed.
///
/// # Panics
/// When the target panics or does not return, and when no seed is accepted: then the target refuses too early to test anything.
#[expect(clippy::print_stdout, reason = "the counts are what a long run reports")]
pub fn fuzz(name: &str, seeds: &[&[u8]], target: impl Fn(&[u8]) -> Outcome) -> Run {
    let is_long = std::env::var_os("STRONGROOM_LONG").is_some();
    let time = if is_long { Duration::from_secs(20) } else { Duration::from_millis(250) };
    let mut session = Session {
        name,
        target,
        watch: Watch::start(name),
        seen: HashSet::new(),
        run: Run { inputs: 0, outcomes: 0 },
    };
    let mut pool: Vec<Vec<u8>> = seeds.iter().map(|seed| seed.to_vec()).collect();
    let accepted = pool.iter().filter(|seed| session.is_accepted(seed)).count();
    assert!(accepted > 0, "fuzzing {name}: the target refuses every seed");

    let seed = first_number(is_long);
    let mut random = Random::new(seed);
    let begin = Instant::now();
    while begin.elapsed() < time {
        let input = mutate(&pool, &mut random, LONGEST);
        if session.is_new(&input) && pool.len() < POOL {
            pool.push(input);
        }
    }
    let run = session.run;
    println!("fuzzing {name}: {} inputs, {} outcomes, STRONGROOM_FUZZ_SEED={seed}", run.inputs, run.outcomes);
    run
}

fn first_number(is_long: bool) -> u64 {
    let given = std::env::var("STRONGROOM_FUZZ_SEED").ok().and_then(|text| text.parse().ok());
    given.unwrap_or_else(|| if is_long { Random::fresh_seed() } else { 1 })
}

struct Session<'a, T> {
    name: &'a str,
    target: T,
    watch: Watch,
    seen: HashSet<String>,
    run: Run,
}

impl<T: Fn(&[u8]) -> Outcome> Session<'_, T> {
    fn is_accepted(&mut self, input: &[u8]) -> bool {
        let outcome = self.outcome(input);
        self.note(&outcome);
        outcome.is_ok()
    }

    fn is_new(&mut self, input: &[u8]) -> bool {
        let outcome = self.outcome(input);
        self.note(&outcome)
    }

    fn outcome(&mut self, input: &[u8]) -> Outcome {
        self.run.inputs += 1;
        self.watch.begin(input);
        let outcome = catch_unwind(AssertUnwindSafe(|| (self.target)(input)));
        self.watch.end();
        outcome.unwrap_or_else(|_| {
            panic!("fuzzing {}: the target panicked for the input {}", self.name, hex(input))
        })
    }

    fn note(&mut self, outcome: &Outcome) -> bool {
        let text = match outcome {
            Ok(()) => String::new(),
            Err(message) => kind(message),
        };
        let is_new = self.seen.len() < OUTCOMES && self.seen.insert(text);
        self.run.outcomes = self.seen.len();
        is_new
    }
}

/// A message without the parts that differ from input to input: digits, and what is quoted.
fn kind(message: &str) -> String {
    let outside = message.split(['"', '`', '\'']).step_by(2);
    outside.flat_map(str::chars).filter(|char| !char.is_ascii_digit()).take(200).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_target_is_found_and_its_input_is_named() {
        let target = |input: &[u8]| {
            assert!(!input.starts_with(b"\x7f"), "broken");
            Ok(())
        };
        let found = catch_unwind(|| fuzz("broken", &[b"abc"], target));
        let message = found.expect_err("the target panics");
        let message = message.downcast_ref::<String>().map(String::as_str).unwrap_or_default();
        assert!(message.contains("for the input 7f"), "{message}");
    }

    #[test]
    fn inputs_with_other_outcomes_are_developed() {
        // Three steps, each of which only the outcome of the one before makes likely.
        let target = |input: &[u8]| match input {
            [b'a', b'b', b'c', ..] => Err("three".to_owned()),
            [b'a', b'b', ..] => Err("two".to_owned()),
            [b'a', ..] => Err("one".to_owned()),
            _ => Ok(()),
        };
        assert_eq!(fuzz("steps", &[b"xyz"], target).outcomes, 4);
    }

    #[test]
    fn a_target_that_refuses_everything_is_no_test() {
        assert!(catch_unwind(|| fuzz("closed", &[b"a"], |_: &[u8]| Err("no".to_owned()))).is_err());
    }
}
