//! Fuzzing of the requests that begin restores, as encoded messages.

use prost_reflect::prost::Message as _;
use strongroom_fuzz::{Outcome, fuzz};

use super::*;

fn outcome<T>(result: Result<T>) -> Outcome {
    result.map(drop).map_err(|error| error.to_string())
}

#[test]
fn plans() {
    let rows =
        proto::ChosenRows { table: "users".into(), keys: vec!["[\"7\"]".into(), "[\"8\",\"a\"]".into()] };
    let request = proto::PlanRestoreRequest {
        archive: Some(Archive::BackupId("01a226b5-5d7f-7284-af18-0b81e19be388".into())),
        mode: proto::RestoreMode::Merge.into(),
        sources: vec!["gateway".into()],
        tables: vec!["users".into()],
        rows: vec![rows],
        revive_ids: vec!["01a226b5-5d7f-7284-af18-0b81e19be388".into()],
        ..Default::default()
    };
    fuzz("restore plan", &[&request.encode_to_vec()], |wire| {
        let request = proto::PlanRestoreRequest::decode(wire).map_err(|error| error.to_string())?;
        outcome(parse_plan(request, "token:a"))
    });
    let signer = format!("# ours\n0123456789abcdef {}\n", "ab".repeat(32));
    fuzz("signer file", &[signer.as_bytes()], |text| outcome(parse_signers(&String::from_utf8_lossy(text))));
}
