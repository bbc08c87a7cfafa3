//! The page as HTML. Every text passes through [`escape`] here; there is no other way in.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::timeout;

use super::Sections;
use super::content::{Block, Cell, Mark, Section, Tone};
use super::style::CSS;
use crate::health::{Health, State};
use crate::printable::printable;

/// Time limit for the service's own sections: a page without them is better than none.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest text, in characters, that stays on one line on a wide screen.
const SHORT: usize = 24;

/// The whole page.
pub(super) async fn render(health: &Health, own: Option<&dyn Sections>) -> String {
    let mut sections = vec![dependencies(health)];
    match own {
        None => sections.push(Section::unreadable("Starting", "the service is not open yet")),
        Some(own) => match timeout(PATIENCE, own.sections()).await {
            Ok(own) => sections.extend(own),
            Err(_) => sections.push(Section::unreadable("Details", "the service did not answer in time")),
        },
    }
    document(health, &sections)
}

fn dependencies(health: &Health) -> Section {
    let rows = health.dependencies().into_iter().map(|dependency| {
        let tone = match dependency.state {
            State::Ok => Tone::Good,
            State::Starting => Tone::Quiet,
            State::Failing => Tone::Bad,
        };
        vec![
            Cell::text(dependency.name),
            Cell::State(tone, dependency.state.as_str().to_owned()),
            Cell::Time(Some(dependency.since)),
            Cell::Text(dependency.reason),
        ]
    });
    let headings = vec!["Dependency", "State", "Since", "Reason"];
    Section { title: "Dependencies", blocks: vec![Block::Table { headings, rows: rows.collect() }] }
}

fn document(health: &Health, sections: &[Section]) -> String {
    let name = match health.service() {
        "vault" => "Vault",
        "backup" => "Backup service",
        other => other,
    };
    let (tone, state) = match (health.is_stopping(), health.is_ready()) {
        (true, _) => (Tone::Fair, "stopping"),
        (false, true) => (Tone::Good, "ready"),
        (false, false) => (Tone::Bad, "not ready"),
    };
    let now = health.now();
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{name} ({state})</title>\n<style>{CSS}</style>\n</head>\n<body>\n<header>\n\
         <p class=\"brand\">Strongroom</p>\n<div class=\"title\"><h1>{name}</h1>",
        name = escape(name),
    );
    cell(&mut out, &Cell::State(tone, state.to_owned()), now);
    let _ = write!(out, "</div>\n<p class=\"lead\">Version {}, running since ", env!("CARGO_PKG_VERSION"));
    cell(&mut out, &Cell::Time(Some(health.start_time())), now);
    out.push_str("</p>\n</header>\n<main>\n");
    for part in sections {
        section(&mut out, part, now);
    }
    let _ = write!(
        out,
        "</main>\n<footer>As of {}. Times are UTC. Reload the page for a newer state.</footer>\n</body>\n</html>\n",
        moment(now)
    );
    out
}

fn section(out: &mut String, section: &Section, now: i64) {
    let _ = writeln!(out, "<section>\n<h2>{}</h2>", escape(section.title));
    for block in &section.blocks {
        match block {
            Block::Facts(facts) => {
                out.push_str("<dl>");
                for (name, value) in facts {
                    let _ = write!(out, "<dt>{}</dt><dd>", escape(name));
                    cell(out, value, now);
                    out.push_str("</dd>");
                }
                out.push_str("</dl>\n");
            }
            Block::Table { headings, rows } => table(out, headings, rows, now),
            Block::Note(text) => {
                let _ = writeln!(out, "<p class=\"note\">{}</p>", escape(text));
            }
        }
    }
    out.push_str("</section>\n");
}

/// On a narrow screen each row becomes a card, with the headings before the values. A column without any value is left
/// out: the reasons, while everything is healthy.
fn table(out: &mut String, headings: &[&str], rows: &[Vec<Cell>], now: i64) {
    let columns: Vec<(usize, &str, &str)> = headings
        .iter()
        .enumerate()
        .filter(|(column, _)| rows.iter().any(|row| row.get(*column).is_some_and(|cell| !is_empty(cell))))
        .map(|(column, heading)| (column, *heading, class_of_column(rows, column)))
        .collect();
    out.push_str("<table>\n<thead><tr>");
    for (_, heading, class) in &columns {
        let _ = write!(out, "<th scope=\"col\" class=\"{class}\">{}</th>", escape(heading));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        out.push_str("<tr>");
        for (column, heading, class) in &columns {
            let Some(value) = row.get(*column) else { continue };
            let empty = if is_empty(value) { " empty" } else { "" };
            let _ = write!(out, "<td class=\"{class}{empty}\" data-label=\"{}\">", escape(heading));
            cell(out, value, now);
            out.push_str("</td>");
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table>\n");
}

/// Numbers are right-aligned; long texts can break anywhere.
fn class_of_column(rows: &[Vec<Cell>], column: usize) -> &'static str {
    let mut cells = rows.iter().filter_map(|row| row.get(column));
    if cells.clone().any(|cell| matches!(cell, Cell::Number(_))) {
        return "number";
    }
    let is_long = |cell: &Cell| matches!(cell, Cell::Text(text) if text.chars().count() > SHORT);
    if cells.any(is_long) { "long" } else { "short" }
}

fn is_empty(cell: &Cell) -> bool {
    match cell {
        Cell::Text(text) | Cell::Code(text) => text.is_empty(),
        Cell::Time(time) => time.is_none(),
        Cell::Timeline(marks) => marks.is_empty(),
        Cell::Number(_) | Cell::State(..) | Cell::Progress { .. } => false,
    }
}

fn cell(out: &mut String, cell: &Cell, now: i64) {
    let _ = match cell {
        empty if is_empty(empty) => write!(out, "<span class=\"none\">–</span>"),
        Cell::Text(text) => write!(out, "<span>{}</span>", escape(text)),
        Cell::Code(text) => write!(out, "<code>{}</code>", escape(text)),
        Cell::Number(number) => write!(out, "<span>{}</span>", grouped(*number)),
        Cell::State(tone, text) => {
            write!(out, "<span class=\"state {}\">{}</span>", class_of(*tone), escape(text))
        }
        Cell::Time(time) => {
            let time = time.unwrap_or_default();
            let (at, ago) = (moment(time), age(time, now));
            let machine = at.replace(' ', "T");
            write!(out, "<time datetime=\"{machine}Z\"><span>{at}</span> <small>{ago}</small></time>")
        }
        Cell::Timeline(marks) => write!(out, "<span class=\"timeline\">{}</span>", timeline(marks)),
        Cell::Progress { done, total } => write!(
            out,
            "<span class=\"progress\"><progress max=\"{total}\" value=\"{done}\"></progress><span>{} of {}</span></span>",
            grouped(*done),
            grouped(*total),
        ),
    };
}

/// Each mark has a text that says the same as its colour and shape.
fn timeline(marks: &[Mark]) -> String {
    let mut out = String::new();
    for mark in marks {
        let (class, words) = (class_of(mark.tone), escape(&format!("{} {}", moment(mark.time), mark.text)));
        let _ =
            write!(out, "<i class=\"{class}\" role=\"img\" aria-label=\"{words}\" title=\"{words}\"></i>");
    }
    out
}

fn class_of(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "good",
        Tone::Fair => "fair",
        Tone::Bad => "bad",
        Tone::Quiet => "quiet",
    }
}

/// `2030-01-31 12:00:00`, in UTC.
fn moment(micros: i64) -> String {
    let Ok(time) = Timestamp::from_microsecond(micros) else { return "an impossible time".to_owned() };
    time.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// `3 min ago`, in its largest unit.
fn age(time: i64, now: i64) -> String {
    let apart = SignedDuration::from_micros(now.saturating_sub(time));
    let (seconds, future) = (apart.as_secs().unsigned_abs(), apart.is_negative());
    let (count, unit) = match seconds {
        0..=59 => (seconds, "s"),
        60..=3599 => (seconds / 60, "min"),
        3600..=86_399 => (seconds / 3600, "h"),
        _ => (seconds / 86_400, "d"),
    };
    if future { format!("in {count} {unit}") } else { format!("{count} {unit} ago") }
}

/// `1,234,567`.
fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if number < 0 {
        out.push('-');
    }
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Text for an element or a quoted attribute. Invisible characters and those that reorder text are made visible first.
fn escape(text: &str) -> String {
    let text = printable(text);
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_texts_stay_texts() {
        let hostile = "</span><script>alert(\"1\")</script>'&\u{202e}\u{1b}";
        let shown =
            "&lt;/span&gt;&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&#39;&amp;\\u{202e}\\u{1b}";
        let health = Health::new("test", &[], std::sync::Arc::new(crate::clock::SystemClock));
        let cells =
            || vec![Cell::text(hostile), Cell::Code(hostile.into()), Cell::State(Tone::Bad, hostile.into())];
        let blocks = vec![
            Block::Note(hostile.into()),
            Block::Facts(vec![("fact", Cell::text(hostile))]),
            Block::Table { headings: vec!["a", "b", "c"], rows: vec![cells()] },
        ];
        let html = document(&health, &[Section { title: "Hostile", blocks }]);
        assert_eq!(html.matches(shown).count(), 5, "{html}");
        assert!(
            !html.contains("<script") && !html.contains('\u{202e}') && !html.contains('\u{1b}'),
            "{html}"
        );
    }

    #[test]
    fn a_timeline_says_in_words_what_it_shows() {
        let mark = |tone, text: &str| Mark { time: 1_700_000_000_000_000, tone, text: text.to_owned() };
        let html = timeline(&[mark(Tone::Good, "stored"), mark(Tone::Bad, "failed: \"<b>\"")]);
        assert!(
            html.contains("<i class=\"good\" role=\"img\" aria-label=\"2023-11-14 22:13:20 stored\""),
            "{html}"
        );
        assert!(html.contains("failed: &quot;&lt;b&gt;&quot;") && !html.contains("<b>"), "{html}");
    }

    #[test]
    fn a_column_without_values_is_left_out() {
        let health = Health::new("test", &[], std::sync::Arc::new(crate::clock::SystemClock));
        let row = |reason: &str| vec![Cell::text("a"), Cell::text(reason), Cell::Time(None)];
        let of = |rows| {
            let blocks = vec![Block::Table { headings: vec!["Name", "Reason", "Ended"], rows }];
            document(&health, &[Section { title: "Table", blocks }])
        };
        let (well, ill) = (of(vec![row(""), row("")]), of(vec![row(""), row("broken")]));
        assert!(well.contains(">Name<") && !well.contains("Reason"), "{well}");
        assert!(ill.contains(">Reason<") && ill.contains("broken") && !ill.contains("Ended"), "{ill}");
    }

    #[test]
    fn numbers_and_times_are_for_people() {
        for (number, shown) in
            [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567"), (-1000, "-1,000")]
        {
            assert_eq!(grouped(number), shown);
        }
        for (seconds, shown) in
            [(0, "0 s ago"), (59, "59 s ago"), (60, "1 min ago"), (7200, "2 h ago"), (-90, "in 1 min")]
        {
            assert_eq!(age(0, seconds * 1_000_000), shown);
        }
        assert_eq!(age(0, 3 * 86_400_000_000), "3 d ago");
        assert_eq!(moment(1_700_000_000_000_000), "2023-11-14 22:13:20");
    }
}
