//! `strongroom audit verify`.

use std::path::Path;

use anyhow::{Result, bail};
use strongroom_api::vault::v1::{AuditProblem, VerifyAuditLogRequest, VerifyAuditLogResponse};

use super::head;
use crate::cli::ArchiveKeys;
use crate::client::{Connection, long};
use crate::output::{Format, printable};

/// # Errors
/// Also when the log could be read but has been changed; the problems are then on standard output.
pub(super) async fn run(
    vault: &Connection,
    anchor: Option<&Path>,
    keys: &ArchiveKeys,
    format: Format,
) -> Result<()> {
    let mut request = VerifyAuditLogRequest::default();
    if let Some(file) = anchor {
        let head = head::read(file, keys).await?;
        request.anchor_sequence = head.sequence;
        request.anchor_mac = head.mac;
        request.anchor_chain = head.chain;
    }
    let anchor_sequence = request.anchor_sequence;
    let answer = vault.answer(vault.audit().verify_audit_log(long(request))).await?;
    format
        .message("strongroom.vault.v1.VerifyAuditLogResponse", &answer, || text(&answer, anchor_sequence))?;
    // Both must agree: an answer that contradicts itself is not a success.
    if answer.ok && answer.problems.is_empty() {
        return Ok(());
    }
    bail!("the audit log does not verify: {}", counted(answer.problems.len()))
}

/// The problems, or the verified extent. An `anchor_sequence` of 0 means no anchor.
fn text(answer: &VerifyAuditLogResponse, anchor_sequence: i64) -> String {
    if !answer.ok || !answer.problems.is_empty() {
        return answer.problems.iter().map(problem).collect();
    }
    let VerifyAuditLogResponse { events, first_sequence, last_sequence, mac, .. } = answer;
    let anchor = match anchor_sequence {
        0 => String::new(),
        _ if !answer.note.is_empty() => format!("\n{}", printable(&answer.note)),
        sequence => format!(", the head stored at {sequence} matches"),
    };
    format!("ok: {events} events, {first_sequence} to {last_sequence}, {}{anchor}\n", printable(mac))
}

fn problem(problem: &AuditProblem) -> String {
    format!("{}  {}  {}\n", problem.sequence, printable(&problem.reason), printable(&problem.message))
}

fn counted(problems: usize) -> String {
    match problems {
        0 => "the vault gave no reason".to_owned(),
        1 => "1 problem".to_owned(),
        // The vault names at most this many.
        100.. => "100 problems or more".to_owned(),
        several => format!("{several} problems"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_problem_has_a_line() {
        let problem = |sequence| AuditProblem { sequence, reason: "EDITED".into(), message: "a\nb".into() };
        let answer = VerifyAuditLogResponse { problems: vec![problem(7), problem(9)], ..Default::default() };
        assert_eq!(text(&answer, 0), "7  EDITED  a\\nb\n9  EDITED  a\\nb\n");
        assert_eq!(text(&VerifyAuditLogResponse::default(), 0), "");
        assert_eq!([1, 2, 100].map(counted), ["1 problem", "2 problems", "100 problems or more"]);
    }

    #[test]
    fn a_whole_log_says_what_was_checked() {
        let answer = VerifyAuditLogResponse {
            ok: true,
            events: 3,
            first_sequence: 1,
            last_sequence: 3,
            mac: "ab".into(),
            ..VerifyAuditLogResponse::default()
        };
        assert_eq!(text(&answer, 0), "ok: 3 events, 1 to 3, ab\n");
        assert_eq!(text(&answer, 2), "ok: 3 events, 1 to 3, ab, the head stored at 2 matches\n");
    }
}
