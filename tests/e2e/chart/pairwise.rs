//! Sets of values that contain every pair of choices: most template mistakes need two values, rarely three.

use std::collections::BTreeSet;

use e2e::chart::{merge, values};
use serde_json::{Value, json};

/// A factor with the name and the values of each choice.
pub(crate) struct Factor {
    pub(crate) name: &'static str,
    pub(crate) choices: Vec<(&'static str, Value)>,
}

/// One choice for each factor.
pub(crate) struct Case {
    /// `factor=choice …`, for messages.
    pub(crate) name: String,
    pub(crate) values: Value,
}

/// A choice: the index of its factor, and its own index.
type Choice = (usize, usize);

/// Cases that contain every pair of choices of two factors.
pub(crate) fn cases(factors: &[Factor]) -> Vec<Case> {
    rows(&factors.iter().map(|factor| factor.choices.len()).collect::<Vec<_>>())
        .iter()
        .map(|row| case(factors, row))
        .collect()
}

fn case(factors: &[Factor], row: &[usize]) -> Case {
    let chosen = factors.iter().zip(row).map(|(factor, at)| (factor.name, &factor.choices[*at]));
    let name: Vec<String> =
        chosen.clone().map(|(factor, (choice, _))| format!("{factor}={choice}")).collect();
    let mut all = values(json!({}));
    for (_, (_, changes)) in chosen {
        merge(&mut all, changes.clone());
    }
    Case { name: name.join(" "), values: all }
}

/// Each row starts with a pair that is still missing, and takes for every other factor the choice that covers the most
/// missing pairs. The same factors always give the same rows.
fn rows(sizes: &[usize]) -> Vec<Vec<usize>> {
    let mut missing = all_pairs(sizes);
    let mut rows = Vec::new();
    while let Some(&(first, second)) = missing.first() {
        let mut chosen = vec![first, second];
        for factor in (0..sizes.len()).filter(|factor| ![first.0, second.0].contains(factor)) {
            let covered = |at: usize| {
                chosen.iter().filter(|other| missing.contains(&pair(**other, (factor, at)))).count()
            };
            let best = (0..sizes[factor]).max_by_key(|at| covered(*at)).unwrap();
            chosen.push((factor, best));
        }
        chosen.sort_unstable();
        missing.retain(|(one, other)| !(chosen.contains(one) && chosen.contains(other)));
        rows.push(chosen.into_iter().map(|(_, at)| at).collect());
    }
    rows
}

fn all_pairs(sizes: &[usize]) -> BTreeSet<(Choice, Choice)> {
    let choices: Vec<Choice> =
        sizes.iter().enumerate().flat_map(|(factor, size)| (0..*size).map(move |at| (factor, at))).collect();
    let mut pairs = BTreeSet::new();
    for one in &choices {
        for other in choices.iter().filter(|other| other.0 > one.0) {
            pairs.insert((*one, *other));
        }
    }
    pairs
}

fn pair(one: Choice, other: Choice) -> (Choice, Choice) {
    (one.min(other), one.max(other))
}

#[test]
fn every_pair_is_in_some_row() {
    for sizes in [vec![2, 2], vec![5, 4, 3, 3, 2, 2, 2], vec![3; 10]] {
        let rows = rows(&sizes);
        let mut missing = all_pairs(&sizes);
        for row in &rows {
            let chosen: Vec<Choice> = row.iter().copied().enumerate().collect();
            missing.retain(|(one, other)| !(chosen.contains(one) && chosen.contains(other)));
        }
        assert!(missing.is_empty(), "{sizes:?}: {missing:?}");
        let all: usize = sizes.iter().product();
        assert!(rows.len() <= all.min(40), "{sizes:?}: {} rows", rows.len());
    }
}
