//! A plan for people: its subject, its effects and who waits, the reasons against it, and how to apply it.

use indicatif::HumanBytes;
use strongroom_api::backup::v1::{
    Restore, RestoreMode, RestorePlan, RestoreRefusal, RestoreState, SealedTexts, SourcePlan, VerifyOutcome,
};

use super::{rows, words};
use crate::commands::backup::with_reason;
use crate::commands::levels;
use crate::output::{key_values, printable};
use crate::time::{shown, shown_length};

pub(super) fn text(restore: &Restore) -> String {
    let plan = restore.plan.clone().unwrap_or_default();
    let mut text = key_values(head(restore));
    text.extend(plan.sources.iter().map(|one| source(one, restore.mode())));
    text.extend(plan.warnings.iter().map(|warning| format!("\nwarning: {}\n", printable(warning))));
    text.push_str(&verification(&plan));
    text.push_str(&refusals(&plan));
    text.push_str(&format!("\n{}", key_values(end(restore))));
    text
}

/// What is restored, and how.
pub(super) fn head(restore: &Restore) -> Vec<(&'static str, String)> {
    let mut head = vec![
        ("archive", restore.file_name.clone()),
        ("made", shown(restore.archive_time.as_ref())),
        ("archive id", restore.archive_id.clone()),
    ];
    if !restore.backup_id.is_empty() {
        head.push(("backup", restore.backup_id.clone()));
    }
    head.push(("mode", words::mode_explained(restore.mode())));
    head
}

fn source(source: &SourcePlan, mode: RestoreMode) -> String {
    let name = printable(&source.source);
    let engine = if source.engine.is_empty() { &source.kind } else { &source.engine };
    let mut text = format!("\nsource {name} ({})\n{}", printable(engine), rows::table(source));
    text.push_str(&rows::examples(source));
    text.push_str(&key_values(waits(source, mode)));
    let bytes = u64::try_from(source.needed_bytes).unwrap_or(0);
    text.push_str(&format!("space needed: {} in addition to the live rows\n", HumanBytes(bytes)));
    text.extend(source.warnings.iter().map(|warning| format!("warning: {}\n", printable(warning))));
    text
}

/// Who waits while the difference is applied.
fn waits(source: &SourcePlan, mode: RestoreMode) -> Vec<(&'static str, String)> {
    if source.files.is_some() {
        return vec![("who waits", "nobody: each file changes by one rename".to_owned())];
    }
    let writers = match &source.writers_wait {
        Some(wait) => format!("about {}", shown_length(Some(wait))),
        None if mode == RestoreMode::IntoEmpty => "while the rows are loaded".to_owned(),
        None => "not estimated".to_owned(),
    };
    let readers = if source.readers_wait { "as long as writers" } else { "no" };
    let mut waits = vec![("writers wait", writers), ("readers wait", readers.to_owned())];
    if source.readers_wait && !source.readers_wait_remedy.is_empty() {
        waits.push(("avoid that with", source.readers_wait_remedy.clone()));
    }
    waits
}

/// Levels that did not pass, and sealed values and texts; empty if there are none.
fn verification(plan: &RestorePlan) -> String {
    let mut text = String::new();
    let bad: Vec<_> = plan.levels.iter().filter(|level| level.outcome() != VerifyOutcome::Passed).collect();
    if !bad.is_empty() {
        text.push_str(&format!("\n{}", levels::table(bad)));
    }
    let mut values = String::new();
    if plan.values > 0 {
        values.push_str(&format!("sealed values: {}", rows::count(plan.values)));
        if plan.values_undecryptable > 0 {
            values
                .push_str(&format!(", of which {} cannot be opened", rows::count(plan.values_undecryptable)));
        }
        values.push('\n');
    }
    values.extend(plan.sealed_texts.iter().map(sealed_texts));
    if !values.is_empty() {
        text.push_str(&format!("\n{values}"));
    }
    text
}

fn sealed_texts(texts: &SealedTexts) -> String {
    let SealedTexts { table, column, count } = texts;
    let count = rows::count(*count);
    let line = format!(
        "texts that look sealed: {count} in {table}.{column}, a column that is not declared as encrypted"
    );
    format!("{}\n", printable(&line))
}

fn refusals(plan: &RestorePlan) -> String {
    if plan.refusals.is_empty() {
        return String::new();
    }
    let lines = plan.refusals.iter().map(|one| format!("refused: {}\n", refusal(one)));
    format!("\n{}", lines.collect::<String>())
}

/// `SOURCE: MESSAGE [REASON]`.
pub(super) fn refusal(refusal: &RestoreRefusal) -> String {
    let said = with_reason(&refusal.message, &refusal.reason);
    let source = if refusal.source.is_empty() { String::new() } else { format!("{}: ", refusal.source) };
    printable(&format!("{source}{said}")).into_owned()
}

fn end(restore: &Restore) -> Vec<(&'static str, String)> {
    let plan = ("plan", restore.id.clone());
    match restore.state() {
        RestoreState::Planned => vec![
            plan,
            ("can be applied until", shown(restore.expire_time.as_ref())),
            ("apply it with", apply_command(restore)),
        ],
        other => vec![plan, ("state", words::state(other).to_owned())],
    }
}

/// The command to type next.
pub(super) fn apply_command(restore: &Restore) -> String {
    let confirm = match &*restore.confirm {
        "" => String::new(),
        name => format!(" --confirm {}", words::shell_word(name)),
    };
    format!("strongroom restore apply {}{confirm}", restore.id)
}
