use serde_json::json;

use super::*;

fn table(namespace: &str, default: &str) -> TableSchema {
    let table = json!({
        "name": "invoices", "source": "s", "engine": "postgres", "namespace": namespace, "table": "invoices",
        "primary_key": ["no"], "columns": [{"name": "no", "type": "text", "nullable": false, "default": default}],
    });
    serde_json::from_value(table).unwrap()
}

fn sequence(namespace: &str, name: &str, owner: Option<&str>) -> Sequence {
    let owner = owner.map(|table| json!({"namespace": namespace, "table": table, "column": "no"}));
    let mut sequence = json!({"namespace": namespace, "name": name, "last_value": 1, "is_called": true});
    if let Some(owner) = owner {
        sequence["owner"] = owner;
    }
    serde_json::from_value(sequence).unwrap()
}

#[test]
fn a_table_has_the_sequences_that_it_owns_or_takes_numbers_from() {
    let prefixed = table("public", "('INV-'::text || nextval('public.inv_no'::regclass))");
    let odd = table("public", "nextval('\"Odd\".\"No 1\"'::regclass)");
    let own = table("public", "nextval('public.other'::regclass)");
    let lite = table("", "");
    for (sequence, table, has) in [
        (sequence("public", "inv_no", None), &prefixed, true),
        (sequence("public", "inv_no2", None), &prefixed, false),
        (sequence("public", "no", None), &prefixed, false),
        (sequence("other", "inv_no", None), &prefixed, false),
        (sequence("Odd", "No 1", None), &odd, true),
        (sequence("public", "seq", Some("invoices")), &own, true),
        (sequence("public", "other", Some("orders")), &own, false),
        (sequence("", "invoices", None), &lite, true),
        (sequence("", "orders", None), &lite, false),
    ] {
        assert_eq!(is_of_table(&sequence, table), has, "{sequence:?} {table:?}");
    }
}
