//! The chain of MACs, and changes that break it.

use strongroom_api::vault::v1::VerifyAuditLogRequest;
use strongroom_testkit::requests::credential;
use tonic::Code;

use super::{head, problems, verify, with_events};
use crate::support::TestVault;

const COLUMNS: &str =
    "time, actor, via, event, target, metadata, trace_id, outcome, operation_id, key_kid, mac";

#[tokio::test]
async fn a_whole_log_verifies_from_its_first_event() {
    for vault in TestVault::each().await {
        let (mut clients, last) = with_events(&vault).await;
        let anchor = head(&mut clients).await;
        assert_eq!(anchor.mac.len(), 64);
        let found = verify(&mut clients, Some(&anchor)).await;
        assert!(found.ok, "{:?}", found.problems);
        assert_eq!((found.first_sequence, found.last_sequence, found.events), (1, last, last));
        assert_eq!(found.mac, anchor.mac);
        let events = clients.events("audit.verified").await;
        assert_eq!((events.len(), events[0].metadata["problems"].as_str()), (1, "0"));
    }
}

#[tokio::test]
async fn every_change_behind_the_vaults_back_is_named() {
    let swap = "UPDATE audit_logs SET sequence = -4 WHERE sequence = 4;
         UPDATE audit_logs SET sequence = 4 WHERE sequence = 8;
         UPDATE audit_logs SET sequence = 8 WHERE sequence = -4";
    let insert = format!(
        "UPDATE audit_logs SET sequence = -sequence WHERE sequence >= 5;
         UPDATE audit_logs SET sequence = 1 - sequence WHERE sequence < 0;
         INSERT INTO audit_logs (sequence, {COLUMNS}) SELECT 5, {COLUMNS} FROM audit_logs WHERE sequence = 3;
         UPDATE audit_head SET sequence = sequence + 1"
    );
    let cases = [
        ("UPDATE audit_logs SET actor = 'token:other' WHERE sequence = 4", vec![(4, "EDITED")]),
        ("DELETE FROM audit_logs WHERE sequence = 4", vec![(4, "MISSING")]),
        (swap, vec![(4, "SWAPPED"), (8, "SWAPPED")]),
        (insert.as_str(), vec![(5, "INSERTED")]),
    ];
    for (sql, expected) in cases {
        for vault in TestVault::each().await {
            let (mut clients, _) = with_events(&vault).await;
            vault.run(sql);
            let found = verify(&mut clients, None).await;
            assert!(!found.ok);
            assert_eq!(problems(&found), expected, "{sql}: {:?}", found.problems);
            assert_eq!(verify(&mut clients, None).await.problems, found.problems, "the log went on");
        }
    }
}

#[tokio::test]
async fn a_cut_tail_is_found_by_an_anchored_head() {
    for vault in TestVault::each().await {
        let (mut clients, last) = with_events(&vault).await;
        let anchor = head(&mut clients).await;
        let cut = last - 3;
        vault.run(&format!(
            "DELETE FROM audit_logs WHERE sequence > {cut};
             UPDATE audit_head SET sequence = {cut},
                mac = (SELECT mac FROM audit_logs WHERE sequence = {cut})"
        ));
        let found = verify(&mut clients, Some(&anchor)).await;
        assert_eq!(problems(&found), [(cut + 1, "TAIL_CUT")]);
        // Further events are appended: another event now has that sequence.
        for number in 0..5 {
            clients.create(credential(&format!("Later {number}"))).await;
        }
        let found = verify(&mut clients, Some(&anchor)).await;
        assert_eq!(problems(&found), [(last, "ANCHOR_MISMATCH")]);
    }
}

#[tokio::test]
async fn bad_anchors_name_their_field() {
    let vault = TestVault::sqlite().await;
    let mut clients = vault.admin().await;
    for (anchor_sequence, anchor_mac, field) in [
        (-1, "00", "anchor_sequence"),
        (0, "00", "anchor_sequence"),
        (1, "", "anchor_mac"),
        (1, "zz", "anchor_mac"),
    ] {
        let request =
            VerifyAuditLogRequest { anchor_sequence, anchor_mac: anchor_mac.into(), ..Default::default() };
        let refused = clients.audit.verify_audit_log(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(refused.message().starts_with(field), "{}", refused.message());
    }
}
