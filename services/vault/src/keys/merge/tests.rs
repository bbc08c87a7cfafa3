//! Every pair of states, with a ring state that is newer than this vault's or equally old.

use super::*;
use strongroom_crypto::WrappedVersion;

const STATES: [State; 5] =
    [State::Primary, State::DecryptOnly, State::Disabled, State::Scheduled, State::Destroyed];
const NOW: i64 = 100;

fn strictness(state: State) -> usize {
    STATES.iter().position(|other| *other == state).unwrap()
}

fn version(root: &RootKey, state: State) -> WrappedVersion {
    let version = KeyVersion::create(root, "payments", Purpose::Caller, 1);
    let wrapped = if state == State::Destroyed { String::new() } else { version.wrapped.clone() };
    WrappedVersion { state, wrapped, ..version }
}

fn archived(version: &WrappedVersion, state_time: i64) -> ArchivedVersion {
    let destroy_time = (version.state == State::Scheduled).then_some(state_time + 50);
    ArchivedVersion { version: version.clone(), create_time: 1, state_time, destroy_time }
}

fn row(version: &WrappedVersion, state_time: i64) -> KeyVersionRow {
    KeyVersionRow {
        number: i64::from(version.number),
        destroy_approved: false,
        import_time: None,
        ..added(&archived(version, state_time), 1, NOW)
    }
}

fn ring(root: &RootKey, versions: Vec<ArchivedVersion>) -> ArchivedRing {
    let mut ring = ArchivedRing::of(&[], root, "deployment", |_| true).unwrap();
    ring.versions = versions;
    ring
}

#[test]
fn no_pair_of_states_loosens_anything() {
    let root = RootKey::generate();
    for here in STATES {
        for there in STATES {
            for newer in [false, true] {
                let known = version(&root, here);
                let live = KeyVersionRow { state: here, ..row(&known, NOW) };
                let wrapped = if there == State::Destroyed { String::new() } else { known.wrapped.clone() };
                let theirs = WrappedVersion { state: there, wrapped, ..known };
                let state_time = if newer { NOW + 1 } else { NOW };
                let merged =
                    plan(std::slice::from_ref(&live), &ring(&root, vec![archived(&theirs, state_time)]), NOW);
                let what = format!("{here} here, {there} there, newer: {newer}");
                let retires = strictness(there) >= strictness(State::Disabled);
                if here == State::Primary {
                    let untouched = merged.as_ref().is_ok_and(|(merge, _)| merge.changed.is_empty());
                    assert_eq!(untouched, !(newer && retires), "{what}");
                    continue;
                }
                let (merge, _) = merged.unwrap();
                assert!(merge.added.is_empty(), "{what}");
                let state = merge.changed.first().map_or(here, |row| row.state);
                assert!(strictness(state) >= strictness(here), "{what}: {state}");
                let disables = newer && retires && here == State::DecryptOnly;
                assert_eq!(state, if disables { State::Disabled } else { here }, "{what}");
                for row in &merge.changed {
                    assert_eq!(row.wrapped, live.wrapped, "{what}: nothing is destroyed");
                    assert_eq!((row.number, row.create_time), (live.number, live.create_time), "{what}");
                }
            }
        }
    }
}

#[test]
fn what_is_new_here_opens_only_or_less() {
    let root = RootKey::generate();
    for there in STATES {
        let theirs = version(&root, there);
        let own = version(&root, State::Primary);
        let live = [KeyVersionRow { number: 7, state: State::Primary, ..row(&own, NOW) }];
        let (merge, merged) = plan(&live, &ring(&root, vec![archived(&theirs, 1)]), NOW).unwrap();
        let [new] = merge.added.as_slice() else { panic!("{there}: {merge:?}") };
        assert!(strictness(new.state) >= strictness(State::DecryptOnly), "{there}: {}", new.state);
        assert_eq!(new.state == State::Destroyed, there == State::Destroyed, "{there}");
        assert_eq!((new.number, new.destroy_time, merged.added), (8, None, 1), "{there}");
    }
    let bare = WrappedVersion { wrapped: String::new(), ..version(&root, State::Disabled) };
    let (merge, merged) = plan(&[], &ring(&root, vec![archived(&bare, 1)]), NOW).unwrap();
    assert!(merge.added.is_empty() && merged.without_bytes == 1, "nobody knows its bytes");
}

/// MACs of an archive's rows must never be valid for rows here.
#[test]
fn keys_of_rows_and_of_the_log_are_not_merged() {
    let root = RootKey::generate();
    for (key, purpose) in [("rows", Purpose::Rows), ("audit", Purpose::Audit), ("page", Purpose::Page)] {
        let theirs = KeyVersion::create(&root, key, purpose, 1);
        let (merge, merged) = plan(&[], &ring(&root, vec![archived(&theirs, 1)]), NOW).unwrap();
        assert!(merge.added.is_empty() && merged.without_bytes == 0, "{purpose}");
    }
}
