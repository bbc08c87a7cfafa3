//! Exports as Gatwy writes them, and other files.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;

/// Our own sample, in the form written by Gatwy's route `GET /export` of connections: `shared` is a number.
const SAMPLE: &str = include_str!("../../tests/gatwy-connections.json");

fn read(json: &str) -> Result<Connections> {
    Connections::read(json.as_bytes())
}

fn ids(groups: &[Group]) -> Vec<String> {
    groups.iter().map(|group| group.id.to_string()).collect()
}

#[test]
fn the_sample_is_read_with_parents_first() {
    let read = read(SAMPLE).unwrap();
    assert_eq!(ids(&read.groups), ["\"g-lab\"", "\"g-prod\"", "\"g-prod-db\"", "\"g-prod-db-eu\""]);
    let connection = &read.connections[0];
    assert_eq!(
        (connection.host.as_str(), connection.port, connection.shared),
        ("10.0.4.11", Some(22), Some(true))
    );
    assert_eq!(connection.group_id, Some(Id::Text("g-prod-db-eu".into())));
    assert_eq!((read.connections.len(), &read.connections[3].username), (4, &None));
    let shared: Vec<_> = read.connections.iter().map(|connection| connection.shared).collect();
    assert_eq!(shared, [Some(true), Some(true), Some(false), Some(false)]);
    let booleans =
        SAMPLE.replace("\"shared\": 1", "\"shared\": true").replace("\"shared\": 0", "\"shared\": false");
    assert_eq!(self::read(&booleans).unwrap(), read);
}

#[test]
fn what_cannot_be_taken_is_refused_by_name() {
    let group =
        |more: &str| format!(r#"{{"version":1,"groups":[{{"id":"a","name":"A"{more}}}],"connections":[]}}"#);
    let connection = |fields: &str| format!(r#"{{"version":1,"groups":[],"connections":[{{{fields}}}]}}"#);
    for (json, expected) in [
        (SAMPLE.replace("\"version\": 1", "\"version\": 2"), "version 2"),
        (SAMPLE.replace("\"version\": 1,", ""), "missing field `version`"),
        (SAMPLE.replace("\"host\": \"10.0.4.11\"", "\"host\": \" \""), "the host of connections[0] is empty"),
        (SAMPLE.replace("\"port\": 22,", "\"port\": 0,"), "the port of connections[0] is 0"),
        (SAMPLE.replace("\"port\": 22,", "\"port\": 70000,"), "70000"),
        (SAMPLE.replace("\"host\"", "\"tags\""), "unknown field `tags`"),
        (SAMPLE.replace("\"shared\": 1", "\"shared\": 2"), "`shared` is 2, not 0 or 1"),
        (SAMPLE.replace("\"shared\": 1", "\"shared\": \"1\""), "neither 0, 1 nor a boolean"),
        (SAMPLE.replace("\"id\": \"c-2\"", "\"id\": \"c-1\""), "the id \"c-1\" of connections[1]"),
        (
            SAMPLE.replace("\"groupId\": \"g-lab\"", "\"groupId\": \"g-none\""),
            "\"g-none\", and no group has that id",
        ),
        (
            SAMPLE.replace("\"parentId\": \"g-prod\"", "\"parentId\": \"g-gone\""),
            "\"g-gone\", and no group has that id",
        ),
        (SAMPLE.replace("\"parentId\": null", "\"parentId\": \"g-prod-db-eu\""), "is inside itself"),
        (group(",\"parentId\":\"a\""), "the group \"a\" is inside itself"),
        (group(",\"id\":\"b\""), "duplicate field `id`"),
        (group(",\"name2\":1"), "unknown field `name2`"),
        (group(&format!(",\"{}\":1", "x".repeat(5000))), "unknown field `xxx"),
        (group("").replace("\"A\"", "\"\""), "the name of groups[0] is empty"),
        (group("").replace("\"id\":\"a\"", "\"id\":\"\""), "the id of groups[0] is empty"),
        (group("").replace("\"id\":\"a\"", "\"id\":true"), "an id is neither"),
        (connection(r#""id":1,"name":"x","protocol":"ssh""#), "missing field `host`"),
        (SAMPLE[..SAMPLE.len() / 2].to_owned(), "ends early"),
        (format!("{SAMPLE}1"), "trailing characters"),
        ("[".repeat(1000), "form of version 1"),
        (" ".repeat(17 << 20), "more than 16777216 bytes"),
    ] {
        let error = read(&json).unwrap_err().to_string();
        assert!(error.len() < 1000, "{error}");
        assert!(error.contains(expected), "{error:?} does not say {expected:?}");
    }
}

#[test]
fn deep_trees_are_ordered_and_long_circles_found() {
    let tree = |parent: &dyn Fn(i64) -> Option<i64>| {
        let group = |id: i64| Group {
            id: Id::Number(id),
            name: "x".to_owned(),
            parent_id: parent(id).map(Id::Number),
            sort_order: None,
        };
        order::parents_first((0..20_000).map(group).collect())
    };
    let ordered = tree(&|id| (id < 19_999).then_some(id + 1)).unwrap();
    assert_eq!((&ordered[0].id, &ordered[19_999].id), (&Id::Number(19_999), &Id::Number(0)));
    assert!(tree(&|id| Some((id + 1) % 20_000)).is_err());
    let wide = tree(&|_| None).unwrap();
    assert_eq!((&wide[0].id, &wide[19_999].id), (&Id::Number(0), &Id::Number(19_999)));
}
