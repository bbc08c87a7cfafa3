//! A restore for people: its plan or outcome, the current contents, and what to do next.

use strongroom_api::backup::v1::{Restore, RestoreState, SourcePlan};

use super::{held, plan_text, rows, words};
use crate::commands::backup::with_reason;
use crate::output::{Table, key_values, printable};
use crate::time::{shown, shown_length};

pub(super) fn text(restore: &Restore) -> String {
    if matches!(restore.state(), RestoreState::Planned | RestoreState::Refused) {
        return plan_text::text(restore);
    }
    let mut text = key_values(head(restore));
    text.push_str(&planned_rows(restore));
    if !restore.steps.is_empty() {
        text.push_str(&format!("\n{}", steps(restore)));
    }
    text.push('\n');
    let has_ended =
        matches!(restore.state(), RestoreState::Applied | RestoreState::Failed | RestoreState::RolledBack);
    let label = if has_ended { "result" } else { "now" };
    text.extend(held::now(restore).iter().map(|line| format!("{label}: {line}\n")));
    text.extend(held::next(restore).iter().map(|line| format!("next: {line}\n")));
    text
}

fn head(restore: &Restore) -> Vec<(&'static str, String)> {
    let mut head = vec![("id", restore.id.clone()), ("state", words::state(restore.state()).to_owned())];
    if let Some(progress) = &restore.progress {
        let doing = [words::phase(&progress.phase), &progress.table];
        head.push(("doing", doing.join(" ").trim_end().to_owned()));
    }
    let problem = with_reason(&restore.problem, &restore.reason);
    if !problem.is_empty() {
        head.push(("problem", problem));
    }
    head.extend(plan_text::head(restore));
    head.push(("sources", restore.sources.join(", ")));
    head.push(("planned", format!("{} by {}", shown(restore.create_time.as_ref()), restore.creator)));
    if restore.end_time.is_some() {
        head.push(("ended", shown(restore.end_time.as_ref())));
    }
    if restore.paused.is_some() {
        head.push(("writers waited", shown_length(restore.paused.as_ref())));
    }
    if !restore.safety_backup_id.is_empty() {
        head.push(("safety backup", restore.safety_backup_id.clone()));
    }
    head
}

/// The planned changes by table, without example rows.
pub(super) fn planned_rows(restore: &Restore) -> String {
    let sources = restore.plan.iter().flat_map(|plan| &plan.sources);
    let text = |source: &SourcePlan| {
        format!("\nsource {}, as planned\n{}", printable(&source.source), rows::table(source))
    };
    sources.map(text).collect()
}

fn steps(restore: &Restore) -> Table {
    let mut table = Table::new(&["TIME", "SOURCE", "STEP"]);
    for step in &restore.steps {
        table.row([&*shown(step.time.as_ref()), &step.source, words::step(&step.step)]);
    }
    table
}
