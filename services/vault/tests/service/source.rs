//! The vault as a source of backups.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use strongroom_api::source::v1::ReadSnapshotRequest;
use strongroom_api::source::v1::read_snapshot_response::Message;
use strongroom_crypto::Token;
use strongroom_testkit::requests::credential;
use tonic::Code;

use crate::support::TestVault;

#[tokio::test]
async fn the_source_hands_out_ciphertext_from_one_snapshot() {
    for vault in TestVault::each().await {
        let mut admin = vault.admin().await;
        admin.create(credential("One")).await;
        let mut source = admin.source.clone();
        let request = ReadSnapshotRequest { groups: vec!["audit".into()], ..Default::default() };
        let mut stream = source.read_snapshot(request).await.unwrap().into_inner();
        let mut tables = Vec::new();
        let mut text = String::new();
        let mut ended = false;
        admin.create(credential("Two")).await;
        while let Some(message) = stream.message().await.unwrap() {
            match message.message.unwrap() {
                Message::Begun(begun) => assert_eq!(begun.kids.len(), 1),
                Message::Rows(rows) => text.push_str(std::str::from_utf8(&rows.json).unwrap()),
                Message::TableEnd(end) => tables.push((end.name, end.rows)),
                Message::End(_) => ended = true,
            }
        }
        assert!(ended, "a whole snapshot says so");
        let names: Vec<_> = tables.iter().map(|(name, _)| name.as_str()).collect();
        let expected = "credentials credential_labels credential_versions credential_tombstones credential_references credential_fallbacks \
             api_tokens audit_logs audit_checkpoints";
        assert_eq!(names.join(" "), expected);
        assert_eq!(tables[0].1, 1, "what came after the snapshot is not in it");
        assert!(text.contains("srv1.") && !text.contains("sk-the-secret"));
        assert!(
            text.contains("\"hash\"") && text.contains("\"introspect_hash\""),
            "the row's MAC covers both columns"
        );
        let token = Token::parse(vault.admin_token().await.trim()).unwrap();
        let hash = token.introspect_hash();
        for form in [hex::encode(hash), BASE64.encode(hash)] {
            assert!(!text.contains(&form), "the hash for introspection must not be in an archive");
        }
        assert!(text.contains(&hex::encode(token.hash())) || text.contains(&BASE64.encode(token.hash())));
    }
}

#[tokio::test]
async fn a_table_without_its_group_is_refused_and_not_left_out() {
    let vault = TestVault::sqlite().await;
    let admin = vault.admin().await;
    let read = async |groups: &[&str]| {
        let tables = ["credentials", "audit_logs"].map(str::to_owned).to_vec();
        let groups = groups.iter().map(|group| (*group).to_owned()).collect();
        let request = ReadSnapshotRequest { groups, tables, ..Default::default() };
        admin.source.clone().read_snapshot(request).await
    };
    let refused = read(&[]).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(refused.message(), "tables[1]: belongs to the group \"audit\"; include that group too");
    let mut stream = read(&["audit"]).await.unwrap().into_inner();
    let Some(Message::Begun(begun)) = stream.message().await.unwrap().unwrap().message else {
        panic!("begun comes first")
    };
    let names: Vec<_> = begun.tables.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(names, ["credentials", "audit_logs"]);
}
