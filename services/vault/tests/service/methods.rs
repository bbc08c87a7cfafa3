//! Every method of the vault, from the descriptor set: each must have a permission, a selector rule and a decision
//! about the audit log. A method that is new in the protos fails here until all three are decided.

use std::collections::BTreeSet;

use strongroom_api::PERMISSIONS;
use strongroom_api::vault::v1::selector::Selector as Kind;
use strongroom_api::vault::v1::{ListAuditEventsRequest, Selector};
use strongroom_runtime::client::AuthorizedChannel;
use strongroom_runtime::status::reason_of;
use strongroom_testkit::requests::{TokenBuilder as _, events, token};
use tonic::{Code, Request, Status};

use crate::support::TestVault;
use Audit::{Event, Free};
use Rule::{Bound, Refused};

/// The effect of selectors on a method.
#[derive(Clone, Copy, PartialEq)]
enum Rule {
    /// The method checks the selectors itself.
    Bound,
    /// Refused, because the method would bypass the selectors.
    Refused,
}

/// The event of a successful call.
enum Audit {
    /// This event, committed with the change or before anything leaves.
    Event(&'static str),
    /// No event, with the reason why that is right.
    Free(#[expect(dead_code, reason = "named for the reader")] &'static str),
}

const READS: Audit = Free("shows no secret and changes nothing");

#[rustfmt::skip]
const DECIDED: &[(&str, Rule, Audit)] = &[
    ("vault.v1.AuditService/CloseAuditOperations", Refused, Free("the event is the one it is given")),
    ("vault.v1.AuditService/GetAuditHead", Refused, READS),
    ("vault.v1.AuditService/ListAuditEvents", Refused, READS),
    ("vault.v1.AuditService/PruneAuditLog", Refused, Event("audit.pruned")),
    ("vault.v1.AuditService/RecordAuditEvent", Refused, Free("the event is the one it is given")),
    ("vault.v1.AuditService/VerifyAuditLog", Refused, Event("audit.verified")),
    ("vault.v1.AuditService/WatchAuditEvents", Refused, READS),
    ("vault.v1.CredentialService/ActivateCredential", Bound, Event("credential.activated")),
    ("vault.v1.CredentialService/CreateCredential", Bound, Event("credential.created")),
    ("vault.v1.CredentialService/DeactivateCredential", Bound, Event("credential.deactivated")),
    ("vault.v1.CredentialService/DeleteCredential", Bound, Event("credential.deleted")),
    ("vault.v1.CredentialService/GetCredential", Bound, READS),
    ("vault.v1.CredentialService/GetCredentialStats", Bound, READS),
    ("vault.v1.CredentialService/ListCredentials", Bound, READS),
    ("vault.v1.CredentialService/RevealCredential", Bound, Event("credential.revealed")),
    ("vault.v1.CredentialService/RollbackCredential", Bound, Event("credential.rolled_back")),
    ("vault.v1.CredentialService/RotateCredential", Bound, Event("credential.rotated")),
    ("vault.v1.CredentialService/UpdateCredential", Bound, Event("credential.updated")),
    ("vault.v1.CryptoService/BatchDecrypt", Bound, Event("crypto.decrypted")),
    ("vault.v1.CryptoService/BatchEncrypt", Bound, Free("nothing leaves that the caller did not bring")),
    ("vault.v1.CryptoService/BatchGenerateDataKey", Bound, Event("crypto.data_key_generated")),
    ("vault.v1.CryptoService/BatchRewrap", Bound, Event("crypto.rewrapped")),
    ("vault.v1.CryptoService/CheckDecryptable", Refused, Event("crypto.checked")),
    ("vault.v1.CryptoService/Decrypt", Bound, Event("crypto.decrypted")),
    ("vault.v1.CryptoService/Encrypt", Bound, Free("nothing leaves that the caller did not bring")),
    ("vault.v1.CryptoService/ExportSigningKey", Bound, Free("public halves")),
    ("vault.v1.CryptoService/GenerateDataKey", Bound, Event("crypto.data_key_generated")),
    ("vault.v1.CryptoService/Rewrap", Bound, Event("crypto.rewrapped")),
    ("vault.v1.CryptoService/SignManifest", Refused, Event("crypto.manifest_signed")),
    ("vault.v1.CryptoService/SignSidecar", Refused, Event("crypto.sidecar_signed")),
    ("vault.v1.KeyService/ApproveKeyRequest", Refused, Event("key.request_approved")),
    ("vault.v1.KeyService/CreateKey", Refused, Event("key.created")),
    ("vault.v1.KeyService/DestroyKeyVersion", Refused, Event("key.version_scheduled")),
    ("vault.v1.KeyService/DisableKeyVersion", Refused, Event("key.version_disabled")),
    ("vault.v1.KeyService/EnableKeyVersion", Refused, Event("key.version_enabled")),
    ("vault.v1.KeyService/ExportKeyRing", Refused, Event("key.ring_exported")),
    ("vault.v1.KeyService/GetKeyCensus", Refused, READS),
    ("vault.v1.KeyService/InspectRing", Refused, READS),
    ("vault.v1.KeyService/ListKeyRequests", Refused, READS),
    ("vault.v1.KeyService/ListKeyVersions", Refused, READS),
    ("vault.v1.KeyService/MergeKeyRing", Refused, Event("key.ring_merged")),
    ("vault.v1.KeyService/NarrowKeyPins", Refused, Event("key.pins_narrowed")),
    ("vault.v1.KeyService/PinKeyVersions", Refused, Event("key.pinned")),
    ("vault.v1.KeyService/Reencrypt", Refused, Event("key.reencrypted")),
    ("vault.v1.KeyService/ReleaseKeyPins", Refused, Event("key.pins_released")),
    ("vault.v1.KeyService/ReportKeyCensus", Refused, Event("key.census_reported")),
    ("vault.v1.KeyService/RotateKey", Refused, Event("key.rotated")),
    ("vault.v1.KeyService/UndoDestroyKeyVersion", Refused, Event("key.version_unscheduled")),
    ("vault.v1.PersonService/ApprovePersonRequest", Refused, Event("person.enrolled")),
    ("vault.v1.PersonService/EnrolPerson", Refused, Event("person.request_opened")),
    ("vault.v1.PersonService/ListPeople", Refused, READS),
    ("vault.v1.PersonService/ListPersonRequests", Refused, READS),
    ("vault.v1.PersonService/RemovePerson", Refused, Event("person.removed")),
    ("vault.v1.ReferenceService/BindReference", Bound, Event("reference.bound")),
    ("vault.v1.ReferenceService/ListReferences", Bound, READS),
    ("vault.v1.ReferenceService/ReassignReferences", Bound, Event("reference.reassigned")),
    ("vault.v1.ReferenceService/ReleaseReference", Bound, Event("reference.released")),
    ("vault.v1.ReferenceService/ResolveReference", Bound, Event("reference.resolved")),
    ("vault.v1.SealService/UnwrapFileKey", Refused, Event("archive.key_unwrapped")),
    ("vault.v1.SealService/WrapFileKey", Refused, Event("archive.key_wrapped")),
    ("vault.v1.TokenService/CheckDelegation", Refused, READS),
    ("vault.v1.TokenService/IntrospectIdentity", Refused, READS),
    ("vault.v1.TokenService/IntrospectToken", Refused, READS),
    ("vault.v1.TokenService/IssueToken", Bound, Event("token.issued")),
    ("vault.v1.TokenService/ListTokens", Refused, READS),
    ("vault.v1.TokenService/ReissueToken", Refused, Event("token.reissued")),
    ("vault.v1.TokenService/RenewToken", Bound, Event("token.renewed")),
    ("vault.v1.TokenService/RevokeToken", Refused, Event("token.revoked")),
    ("status.v1.StatusService/GetStatus", Bound, READS),
    ("source.v1.SourceService/AbortStage", Refused, Free("drops what nobody sees")),
    ("source.v1.SourceService/CommitStage", Refused, Event("restore.applied")),
    ("source.v1.SourceService/DescribeSource", Refused, READS),
    ("source.v1.SourceService/GetStage", Refused, READS),
    ("source.v1.SourceService/ReadSnapshot", Refused, Free("ciphertext; the export around it has its events")),
    ("source.v1.SourceService/RollbackStage", Refused, Event("restore.taken_back")),
    ("source.v1.SourceService/StageTables", Refused, Free("nothing is live; the commit has the event")),
    ("vault.v1.RestoreGrantService/IssueRestoreGrant", Refused, Event("restore.granted")),
    ("vault.v1.RestoreGrantService/ReencryptArchived", Refused, Event("crypto.sealed_anew")),
];

/// The methods that a narrowed token can call.
pub(crate) fn bound() -> impl Iterator<Item = &'static str> {
    DECIDED.iter().filter(|(_, rule, _)| *rule == Bound).map(|(method, _, _)| *method)
}

#[test]
fn every_method_is_decided() {
    let described = PERMISSIONS.iter().filter_map(|(path, permission)| {
        assert!(!permission.is_empty(), "{path} has no permission");
        path.strip_prefix("/strongroom.").filter(|method| !method.starts_with("backup."))
    });
    let decided: BTreeSet<&str> = DECIDED.iter().map(|(method, _, _)| *method).collect();
    assert_eq!(described.collect::<BTreeSet<_>>(), decided);
    assert_eq!(decided.len(), DECIDED.len(), "no method is decided twice");
}

#[test]
fn every_event_decided_is_one_that_the_code_writes() {
    let mut code = String::new();
    read_sources(concat!(env!("CARGO_MANIFEST_DIR"), "/src").as_ref(), &mut code);
    for (method, _, audit) in DECIDED {
        if let Event(event) = audit {
            assert!(code.contains(&format!("\"{event}\"")), "{method}: nothing writes {event}");
        }
    }
}

fn read_sources(folder: &std::path::Path, code: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_sources(&path, code);
        } else {
            code.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

/// Calls `method` with an empty request.
async fn call(channel: &AuthorizedChannel, method: &str) -> Result<(), Status> {
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await.map_err(|error| Status::unknown(error.to_string()))?;
    let path = format!("/strongroom.{method}").parse().unwrap();
    grpc.unary(Request::new(()), path, tonic_prost::ProstCodec::<(), ()>::default()).await.map(|_| ())
}

#[tokio::test]
async fn a_narrowed_token_reaches_only_what_its_selectors_bind() {
    let vault = TestVault::sqlite().await;
    let mut admin = vault.admin().await;
    let openai = Selector { selector: Some(Kind::Provider("openai".into())) };
    let narrowed = admin.issue(token("admin").selectors([openai])).await.unwrap();
    let channel = vault.authorized(&narrowed.secret);
    // A renewal ends the secret that this walk uses, so it comes last.
    let (renewals, others): (Vec<_>, Vec<_>) =
        DECIDED.iter().partition(|(method, _, _)| method.ends_with("/RenewToken"));
    for (method, rule, _) in others.into_iter().chain(renewals) {
        let answer = call(&channel, method).await;
        let refused = matches!(&answer, Err(status) if status.code() == Code::PermissionDenied
            && reason_of(status) == "PERMISSION_MISSING");
        assert_eq!(refused, *rule == Refused, "{method}: {answer:?}");
    }
    let denied = ListAuditEventsRequest { page_size: 1000, ..events("access.denied") };
    let denied = admin.audit.list_audit_events(denied).await.unwrap().into_inner().events.len();
    let expected = DECIDED.iter().filter(|(_, rule, _)| *rule == Refused).count();
    assert_eq!(denied, expected, "each refusal is in the log");
}
