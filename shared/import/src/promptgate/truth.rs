//! Boolean values as databases and their exports write them.

use serde_json::Value;

const TRUE: [&str; 6] = ["1", "t", "true", "y", "yes", "on"];
const FALSE: [&str; 7] = ["0", "f", "false", "n", "no", "off", ""];

/// True or false in one of the known forms; NULL is false, as in Laravel. `None` for anything else: a guess
/// must not activate a credential.
pub(super) fn of(value: &Value) -> Option<bool> {
    match value {
        Value::Null => Some(false),
        Value::Bool(truth) => Some(*truth),
        Value::Number(number) if number.as_f64() == Some(1.0) => Some(true),
        Value::Number(number) if number.as_f64() == Some(0.0) => Some(false),
        Value::String(text) => {
            let is_one_of = |words: &[&str]| words.iter().any(|word| text.trim().eq_ignore_ascii_case(word));
            if is_one_of(&TRUE) { Some(true) } else { is_one_of(&FALSE).then_some(false) }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_known_forms_are_true_or_false() {
        for value in [json!(true), json!(1), json!(1.0), json!("1"), json!("t"), json!("TRUE"), json!(" on ")]
        {
            assert_eq!(of(&value), Some(true), "{value}");
        }
        let false_forms = [
            json!(false),
            json!(0),
            json!(0.0),
            json!(-0.0),
            json!(null),
            json!("0"),
            json!("f"),
            json!("False"),
            json!("no"),
            json!(""),
            json!("off"),
        ];
        for value in false_forms {
            assert_eq!(of(&value), Some(false), "{value}");
        }
        for value in
            [json!(2), json!(-1), json!(0.5), json!("maybe"), json!("\\x01"), json!([1]), json!({"a": 1})]
        {
            assert_eq!(of(&value), None, "{value}");
        }
    }
}
