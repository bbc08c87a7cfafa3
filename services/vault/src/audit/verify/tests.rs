//! Every way to change a log, each reported once. The same on real databases: `tests/service/audit/chain.rs`.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::store::NewEvent;
use crate::store::chain::tests::audit_ring;

/// A log of `count` events and its head.
fn log(ring: &KeyRing, count: i64) -> (Vec<ChainedRow>, AuditHead) {
    let key = ChainKey::primary(ring).unwrap();
    let mut mac = START.to_vec();
    let mut rows = Vec::new();
    for sequence in 1..=count {
        let event = NewEvent { time: sequence, target: format!("t{sequence}"), ..NewEvent::default() };
        mac = key.event_code(&mac, sequence, &event).to_vec();
        rows.push(ChainedRow {
            sequence,
            event,
            key_kid: Some(key.kid().to_string()),
            mac: Some(mac.clone()),
        });
    }
    let head = AuditHead {
        sequence: count,
        time: Some(count),
        mac: Some(mac),
        key_kid: Some(key.kid().to_string()),
    };
    (rows, head)
}

fn verify(ring: &KeyRing, rows: Vec<ChainedRow>, head: AuditHead, anchor: Option<Anchor>) -> Verification {
    let mut verifier = Verifier::new(ring, anchor);
    verifier.begin(Some(head), None);
    for row in rows {
        verifier.event(row);
    }
    verifier.finish().unwrap()
}

fn swap(rows: &mut [ChainedRow], a: usize, b: usize) {
    rows.swap(a - 1, b - 1);
    rows[a - 1].sequence = a as i64;
    rows[b - 1].sequence = b as i64;
}

fn forged(sequence: i64, like: &ChainedRow) -> ChainedRow {
    let event = NewEvent { target: format!("forged {sequence}"), ..like.event.clone() };
    ChainedRow { sequence, event, key_kid: like.key_kid.clone(), mac: Some(vec![7; 32]) }
}

/// Inserts forged events at `places` and renumbers the following ones.
fn insert(rows: &mut Vec<ChainedRow>, places: &[i64]) {
    for &place in places {
        let row = forged(place, &rows[0]);
        rows.insert(place as usize - 1, row);
        for row in &mut rows[place as usize..] {
            row.sequence += 1;
        }
    }
}

type Change = fn(&mut Vec<ChainedRow>);

/// A change, and the problems that a verification must report.
type Case = (&'static str, Change, &'static [(i64, &'static str)]);

const CASES: &[Case] = &[
    ("nothing", |_| {}, &[]),
    ("edited", |rows| rows[4].event.target = "x".into(), &[(5, "EDITED")]),
    ("first edited", |rows| rows[0].event.target = "x".into(), &[(1, "EDITED")]),
    ("last edited", |rows| rows[19].event.target = "x".into(), &[(20, "EDITED")]),
    (
        "two edited",
        |rows| {
            rows[4].event.target = "x".into();
            rows[5].event.target = "y".into();
        },
        &[(5, "EDITED"), (6, "EDITED")],
    ),
    ("code edited", |rows| rows[4].mac = Some(vec![1; 32]), &[(5, "EDITED")]),
    ("removed", |rows| drop(rows.remove(4)), &[(5, "MISSING")]),
    ("first removed", |rows| drop(rows.remove(0)), &[(1, "MISSING")]),
    ("range removed", |rows| drop(rows.drain(4..9)), &[(5, "MISSING")]),
    ("neighbours swapped", |rows| swap(rows, 5, 6), &[(5, "SWAPPED"), (6, "SWAPPED")]),
    ("swapped over one", |rows| swap(rows, 5, 7), &[(5, "SWAPPED"), (7, "SWAPPED")]),
    ("swapped far", |rows| swap(rows, 3, 15), &[(3, "SWAPPED"), (15, "SWAPPED")]),
    ("swapped at the end", |rows| swap(rows, 18, 19), &[(18, "SWAPPED"), (19, "SWAPPED")]),
    (
        "swapped without codes",
        |rows| {
            let event = rows[4].event.clone();
            rows[4].event = std::mem::replace(&mut rows[9].event, event);
        },
        &[(5, "SWAPPED"), (10, "SWAPPED")],
    ),
    ("inserted", |rows| insert(rows, &[5]), &[(5, "INSERTED"), (21, "HEAD_MISMATCH")]),
    (
        "two inserted",
        |rows| insert(rows, &[5, 6]),
        &[(5, "INSERTED"), (6, "INSERTED"), (22, "HEAD_MISMATCH")],
    ),
    (
        "inserted apart",
        |rows| insert(rows, &[5, 12]),
        &[(5, "INSERTED"), (12, "INSERTED"), (22, "HEAD_MISMATCH")],
    ),
    ("appended", |rows| rows.push(forged(21, &rows[0])), &[(21, "EDITED"), (21, "HEAD_MISMATCH")]),
    ("put before", |rows| rows.insert(0, forged(0, &rows[0])), &[(0, "INSERTED")]),
    (
        "removed and renumbered",
        |rows| {
            rows.drain(4..6);
            rows.iter_mut().skip(4).for_each(|row| row.sequence -= 2);
        },
        &[(5, "MISSING"), (19, "TAIL_CUT")],
    ),
    ("tail cut", |rows| rows.truncate(18), &[(19, "TAIL_CUT")]),
    ("emptied", Vec::clear, &[(1, "TAIL_CUT")]),
    ("code removed", |rows| rows[4].mac = None, &[(5, "UNCHAINED")]),
    ("key unknown", |rows| rows[4].key_kid = Some("0".repeat(16)), &[(5, "UNCHAINED")]),
    (
        "a removed and an edited one",
        |rows| {
            rows[9].event.actor = "x".into();
            rows.remove(4);
        },
        &[(5, "MISSING"), (10, "EDITED")],
    ),
];

#[test]
fn every_change_is_named_once() {
    let ring = audit_ring();
    for (name, change, expected) in CASES {
        let (mut rows, head) = log(&ring, 20);
        change(&mut rows);
        let found = verify(&ring, rows, head, None);
        let named: Vec<_> =
            found.problems.iter().map(|problem| (problem.sequence, problem.reason.as_str())).collect();
        assert_eq!(named, *expected, "{name}: {:#?}", found.problems);
    }
}

#[test]
fn an_anchored_head_finds_what_the_own_head_hides() {
    let ring = audit_ring();
    let (rows, head) = log(&ring, 20);
    let anchor = Anchor { chain: String::new(), sequence: 20, mac: head.mac.clone().unwrap() };
    // The end is cut off and the head set back: the log alone looks complete.
    let (cut, cut_head) = log_cut(&rows, 15);
    assert_eq!(verify(&ring, cut.clone(), cut_head.clone(), None).problems, []);
    let found = verify(&ring, cut, cut_head, Some(anchor.clone()));
    assert_eq!((found.problems.len(), found.problems[0].reason.as_str()), (1, "TAIL_CUT"));
    assert_eq!(found.problems[0].sequence, 16);

    assert_eq!(verify(&ring, rows.clone(), head.clone(), Some(anchor)).problems, []);
    let other = Anchor { chain: String::new(), sequence: 12, mac: vec![3; 32] };
    let found = verify(&ring, rows, head, Some(other));
    assert_eq!((found.problems[0].sequence, found.problems[0].reason.as_str()), (12, "ANCHOR_MISMATCH"));
}

fn log_cut(rows: &[ChainedRow], last: i64) -> (Vec<ChainedRow>, AuditHead) {
    let rows = rows[..last as usize].to_vec();
    let mac = rows.last().unwrap().mac.clone();
    (rows, AuditHead { sequence: last, time: Some(last), mac, key_kid: None })
}

#[test]
fn a_log_of_rubbish_is_answered_with_a_hundred_problems() {
    let ring = audit_ring();
    let (mut rows, head) = log(&ring, 1000);
    rows.iter_mut().for_each(|row| row.event.actor = "x".into());
    let found = verify(&ring, rows, head, None);
    assert_eq!((found.events, found.problems.len()), (1000, 100));
}

#[test]
fn a_forged_checkpoint_is_found() {
    let ring = audit_ring();
    let key = ChainKey::primary(&ring).unwrap();
    let (rows, head) = log(&ring, 20);
    let genuine = CheckpointRow::new(&key, 10, rows[9].mac.clone(), 77, 10);
    let cases = [
        (genuine.clone(), &[][..]),
        (CheckpointRow { removed: 9, ..genuine.clone() }, &[(10, "EDITED")][..]),
        (CheckpointRow { mac: vec![1; 32], ..genuine }, &[(10, "EDITED"), (11, "EDITED")][..]),
    ];
    for (checkpoint, expected) in cases {
        let mut verifier = Verifier::new(&ring, None);
        verifier.begin(Some(head.clone()), Some(checkpoint));
        rows[10..].iter().cloned().for_each(|row| verifier.event(row));
        let found = verifier.finish().unwrap();
        let named: Vec<_> =
            found.problems.iter().map(|problem| (problem.sequence, problem.reason.as_str())).collect();
        assert_eq!(named, expected);
    }
}
