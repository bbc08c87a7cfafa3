//! Parts of the sources that an archive lacks: printed on standard error after success, so that nobody needs to look
//! for them in a manifest.

use serde_json::{Value, json};
use strongroom_api::backup::v1::LeftOut;
use strongroom_archive::manifest::SourceRecord;

use crate::output::{message, printable};

/// Maximum number of lines; the rest is counted.
const MOST: usize = 100;

/// Prints one line for each.
pub(super) fn say(left_out: &[LeftOut], total: i64) {
    lines(left_out, total).iter().for_each(|line| message(line));
}

/// [`say`] for a manifest.
pub(super) fn say_of(sources: &[SourceRecord]) {
    let mut left_out = Vec::new();
    for source in sources {
        left_out.extend(source.skipped.iter().take(MOST).map(|skipped| LeftOut {
            source: source.name.clone(),
            name: skipped.name.clone(),
            reason: skipped.reason.clone(),
        }));
    }
    let total: usize = sources.iter().map(|source| source.skipped.len()).sum();
    say(&left_out, i64::try_from(total).unwrap_or(i64::MAX));
}

/// For scripts.
pub(super) fn document(left_out: &[LeftOut]) -> Value {
    let one = |one: &LeftOut| json!({ "source": one.source, "name": one.name, "reason": one.reason });
    left_out.iter().map(one).collect()
}

fn lines(left_out: &[LeftOut], total: i64) -> Vec<String> {
    let line = |LeftOut { source, name, reason }: &LeftOut| {
        let name = if name.is_empty() { String::new() } else { format!(" {}", printable(name)) };
        format!("not in the archive: {}{name}: {}", printable(source), printable(reason))
    };
    let mut lines: Vec<String> = left_out.iter().take(MOST).map(line).collect();
    let more = total.saturating_sub(lines.len() as i64);
    if more > 0 {
        lines.push(format!("not in the archive: {more} more, which its manifest names"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_line_and_the_rest_is_counted() {
        let one = |name: &str| LeftOut { source: "a".into(), name: name.into(), reason: "is\na view".into() };
        let two = [one("posts\u{1b}"), one("")];
        let expected =
            ["not in the archive: a posts\\u{1b}: is\\na view", "not in the archive: a: is\\na view"];
        assert_eq!(lines(&two, 2), expected);
        assert_eq!(lines(&two, 5)[2], "not in the archive: 3 more, which its manifest names");
        assert_eq!(lines(&vec![one("x"); 500], 500).len(), MOST + 1);
    }
}
