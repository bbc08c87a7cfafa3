//! Values that no key opens: they stay unchanged, are counted and listed with their rows, and never shown.

use strongroom_testkit::TestDb;

use super::gateway::{Gateway, aad, number};

const SECRET: &str = "plain-text-that-nobody-has-sealed";

#[test]
fn values_that_do_not_open_stay_and_are_named_by_their_rows() {
    for database in TestDb::each() {
        let mut gateway = Gateway::create(database, 50);
        let before = gateway.values();
        gateway.database.run(&format!("UPDATE servers SET bearer = '{SECRET}' WHERE id = 3"));
        gateway.database.run(&format!("UPDATE servers SET bearer = 'srv1.{SECRET}.AAAA' WHERE id = 4"));
        // The value of another row.
        gateway.database.run(&format!("UPDATE servers SET bearer = '{}' WHERE id = 7", before[&8]));
        gateway.database.run("UPDATE servers SET bearer = '' WHERE id = 9");
        let (old, new) = gateway.rotate();
        let replica = gateway.site.start(None);
        let ended = replica.operator.run(&["source", "reencrypt", "gateway", "-o", "json"]);
        let sentence = ended.failed_with(1);
        assert!(sentence.contains("4 values of source gateway do not open"), "{sentence}");
        let answer = ended.json();
        let column = &answer["columns"][0];
        assert_eq!(column["column"], "servers.bearer", "{answer}");
        assert_eq!((number(&column["undecryptable"]), number(&column["valuesDone"])), (4, 46), "{answer}");
        let mut rows: Vec<(&str, &str)> = column["rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| (row["id"].as_str().unwrap(), row["kid"].as_str().unwrap_or_default()))
            .collect();
        // Values that can be judged without the vault come first.
        rows.sort_unstable();
        assert_eq!(rows, [("3", ""), ("4", ""), ("7", &*old), ("9", "")]);
        assert_eq!(number(&answer["valuesLeft"]), 2, "those that look sealed: {answer}");
        let left: Vec<_> = column["left"].as_array().unwrap().iter().map(|left| &left["kid"]).collect();
        assert_eq!(left.len(), 2, "{answer}");
        let said = ended.said();
        for text in [&said, &replica.service.log()] {
            assert!(!text.contains("plain-text") && !text.contains(&before[&8]), "{text}");
        }
        assert!(said.contains("row 7 does not open (CIPHERTEXT_INVALID)"), "{said}");
        let event = gateway.site.deployment.admin.events("source.reencrypted").remove(0);
        assert_eq!(
            (&event["outcome"], &event["metadata"]["undecryptable"]),
            (&"AUDIT_OUTCOME_FAILED".into(), &"4".into()),
            "{event}"
        );
        assert_eq!((gateway.census(&old), gateway.stored(&old)), (1, 1));
        let after = gateway.values();
        assert_eq!((&*after[&3], &*after[&9], &after[&7]), (SECRET, "", &before[&8]));
        assert!(after[&1].starts_with(&format!("srv1.{new}.")));
        let repaired: Vec<_> = [3, 4, 7, 9].map(|id| (aad(id), format!("{id}-0"))).into();
        for (id, value) in [3, 4, 7, 9].into_iter().zip(gateway.sealer.seal(&repaired)) {
            gateway.database.run(&format!("UPDATE servers SET bearer = '{value}' WHERE id = {id}"));
        }
        let again = replica.operator.json(&["source", "reencrypt", "gateway"]);
        assert_eq!(number(&again["valuesDone"]), 0, "{again}");
        gateway.assert_open(|id| format!("{id}-0"));
    }
}
