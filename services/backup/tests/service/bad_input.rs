//! Bad input: every field of every request, empty, too long and wrong. A new method or field in the protos fails here
//! until it is decided.

mod drills;
mod restores;
mod schedules;
mod sources;
mod stored;

use std::collections::BTreeSet;

use prost_reflect::DescriptorPool;
use prost_types::Timestamp;
use strongroom_age::X25519Identity;
use strongroom_api::backup::v1::export_backup_request::Seal;
use strongroom_api::backup::v1::{ExportBackupRequest, PassphraseSeal, RecipientSeal};
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::support::{Service, plain};

/// The methods and the fields of their requests. An empty list selects everything, a missing time sets no limit, and
/// both values of `plain` are valid. All other fields are tested below, those of stored backups in `stored`.
const DECIDED: &[(&str, &[&str])] = &[
    ("ExportBackup", &["include", "tables", "since", "plain", "passphrase", "recipients"]),
    ("ListSources", &[]),
    // In `sources`.
    ("ReencryptSource", &["source", "rows_per_second"]),
    (
        "CreateBackup",
        &["include", "tables", "since", "plain", "passphrase", "recipients", "destinations", "request_id"],
    ),
    ("GetBackup", &["id"]),
    // A page size above 1,000 is cut to 1,000.
    ("ListBackups", &["states", "page_size", "page_token"]),
    ("WatchBackup", &["id"]),
    ("DeleteBackup", &["id", "etag"]),
    ("UndeleteBackup", &["id"]),
    ("HoldBackup", &["id"]),
    ("ReleaseBackup", &["id"]),
    ("DownloadBackup", &["id", "offset", "etag", "destination"]),
    ("VerifyStoredBackup", &["id", "destination"]),
    ("EstimateBackup", &["include", "tables"]),
    ("ScanBackups", &["destinations"]),
    // In `verify::upload`.
    ("VerifyBackup", &["header", "chunk", "end"]),
    // In `crate::tables::refused`.
    ("ExportTables", &["tables"]),
    ("ImportTables", &["header", "chunk", "end"]),
    // In `restores`.
    ("UploadArchive", &["header", "chunk", "end"]),
    ("GetUpload", &["id"]),
    ("DeleteUpload", &["id"]),
    (
        "PlanRestore",
        &[
            "backup_id",
            "upload_id",
            "mode",
            "sources",
            "tables",
            "create_tables",
            "accept_cascade",
            "accept_pause",
            "accept_undecryptable",
            "from_deployment",
            "signer",
            "rows",
            // The vault decides about these fields.
            "revive_ids",
            "as_copy",
        ],
    ),
    ("ApplyRestore", &["id", "confirm", "max_pause", "grant"]),
    ("GetRestore", &["id"]),
    // A page size above 1,000 is cut to 1,000.
    ("ListRestores", &["page_size", "page_token"]),
    ("RollbackRestore", &["id", "discard_changes"]),
    // In `schedules`.
    (
        "CreateSchedule",
        &[
            "name",
            "cron",
            "time_zone",
            "jitter",
            "timeout",
            "include",
            "tables",
            "destinations",
            "retention",
            "verify_every",
            "drill_every",
        ],
    ),
    ("GetSchedule", &["name"]),
    ("ListSchedules", &[]),
    ("RunSchedule", &["name"]),
    ("PauseSchedule", &["name"]),
    ("ResumeSchedule", &["name"]),
    ("DeleteSchedule", &["name", "etag"]),
    ("PreviewRetention", &["name", "retention"]),
    // In `drills`.
    ("RunDrill", &["backup_id"]),
    ("GetDrill", &["id"]),
    // A page size above 1,000 is cut to 1,000.
    ("ListDrills", &["page_size", "page_token"]),
];

#[test]
fn every_field_is_decided() {
    let pool = DescriptorPool::decode(strongroom_api::DESCRIPTORS).unwrap();
    let mut described = BTreeSet::new();
    for service in pool.services().filter(|service| service.package_name() == "strongroom.backup.v1") {
        for method in service.methods() {
            let fields: Vec<_> = method.input().fields().map(|field| field.name().to_owned()).collect();
            described.insert((method.name().to_owned(), fields));
        }
    }
    let owned = |fields: &&[&str]| fields.iter().map(|field| (*field).to_owned()).collect();
    let decided = DECIDED.iter().map(|(method, fields)| ((*method).to_owned(), owned(fields)));
    assert_eq!(described, decided.collect::<BTreeSet<(String, Vec<String>)>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_refused_with_its_field_named() {
    let service = Service::usual("").await;
    let mut client = service.client();
    let long = "x".repeat(100_000);
    let many = vec!["logs".to_owned(); 10_001];
    let mut cases = vec![
        ("include", ExportBackupRequest { include: many.clone(), ..plain() }),
        ("tables", ExportBackupRequest { tables: many, ..plain() }),
    ];
    for name in ["", " ", "Logs", "logs\0", "a\nb", &long] {
        let names = vec!["logs".to_owned(), name.to_owned()];
        let tables = ExportBackupRequest { include: vec!["logs".into()], tables: names.clone(), ..plain() };
        cases.push(("include[1]", ExportBackupRequest { include: names, ..plain() }));
        cases.push(("tables[1]", tables));
    }
    for (seconds, nanos) in [
        (i64::MIN, 0),
        (i64::MAX, 0),
        (253_402_300_800, 0),
        (-62_135_596_801, 0),
        (0, -1),
        (0, 1_000_000_000),
    ] {
        let since = Some(Timestamp { seconds, nanos });
        cases.push(("since", ExportBackupRequest { since, ..plain() }));
    }
    let long = "p".repeat(1025);
    for text in ["", "\n", "a\0", "a\nb", &long] {
        let seal = Some(Seal::Passphrase(PassphraseSeal { text: text.into() }));
        cases.push(("passphrase.text", ExportBackupRequest { seal, ..plain() }));
    }
    let good = X25519Identity::generate().recipient().to_string();
    let many = (0..21).map(|_| X25519Identity::generate().recipient().to_string()).collect();
    let mixed = ["", "age1", " ", &good.to_uppercase(), &format!("{good} "), &good];
    let pairs = mixed.map(|bad| vec![good.clone(), bad.to_owned()]);
    let pairs = pairs.map(|age| ("recipients.age[1]", age));
    for (field, age) in pairs.into_iter().chain([("recipients.age", Vec::new()), ("recipients.age", many)]) {
        let seal = Some(Seal::Recipients(RecipientSeal { age }));
        cases.push((field, ExportBackupRequest { seal, ..plain() }));
    }
    for (field, request) in cases {
        let status = client.export_backup(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{field}: {}", status.message());
        let violations = status.get_details_bad_request().unwrap().field_violations;
        let named: Vec<_> = violations.iter().map(|violation| violation.field.as_str()).collect();
        assert_eq!(named, [field], "{}", status.message());
    }
    assert!(service.vault.events().is_empty(), "nothing was begun");
}
