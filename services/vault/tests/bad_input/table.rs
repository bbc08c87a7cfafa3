//! The table: for every method a request that is good, and for every field of it a rule.
//!
//! `$words` in a request are what the fixture has made (see there). A method stands here twice where one good request
//! cannot hold all its fields.

use crate::rules::*;

pub(crate) struct Row {
    pub(crate) method: &'static str,
    /// As proto3 JSON.
    pub(crate) request: &'static str,
    /// The reason with which the good request is refused for what there is just now; empty when it is done.
    pub(crate) ends: &'static str,
    pub(crate) fields: &'static [(&'static str, Rule)],
}

const fn row(
    method: &'static str,
    request: &'static str,
    ends: &'static str,
    fields: &'static [(&'static str, Rule)],
) -> Row {
    Row { method, request, ends, fields }
}

/// Methods that are refused whatever they are sent: they are not built yet.
pub(crate) const UNBUILT: &[&str] = &[
    "source.v1.SourceService/AbortStage",
    "source.v1.SourceService/CommitStage",
    "source.v1.SourceService/StageTables",
];

const ETAGGED: &[(&str, Rule)] = &[("id", ID), ("etag", ETAG)];
const OPENING: &[(&str, Rule)] = &[("key_id", KEY_ID), ("ciphertext", CIPHERTEXT), ("aad", AAD)];
const OPENING_ITEMS: &[(&str, Rule)] = &[
    ("items", ITEMS),
    ("items[1].key_id", KEY_ID),
    ("items[1].ciphertext", CIPHERTEXT),
    ("items[1].aad", AAD),
];
const PAGES: (&str, Rule) = ("page_size", PAGE_SIZE);
const PAGE: (&str, Rule) = ("page_token", PAGE_TOKEN);

#[rustfmt::skip]
pub(crate) const TABLE: &[Row] = &[
    row("vault.v1.AuditService/CloseAuditOperations",
        r#"{"startedEvent": "backup.export_started", "endedEvent": "backup.exported", "instance": "here",
            "startedBefore": "2020-01-01T00:00:00Z"}"#, "",
        &[("started_event", SERVICE_EVENT), ("ended_event", SERVICE_EVENT), ("instance", OPTIONAL_TEXT),
          ("started_before", TIME)]),
    row("vault.v1.AuditService/GetAuditHead", "{}", "", &[]),
    row("vault.v1.AuditService/ListAuditEvents",
        r#"{"event": "credential.*", "actor": "system", "target": "chat", "since": "2020-01-01T00:00:00Z",
            "until": "2999-01-01T00:00:00Z", "pageSize": 10}"#, "",
        &[("event", EVENT_FILTER), ("actor", TEXT_FILTER), ("target", TARGET_FILTER), ("since", TIME), ("until", TIME),
          PAGES, PAGE]),
    row("vault.v1.AuditService/PruneAuditLog", r#"{"before": "2020-01-01T00:00:00Z"}"#, "",
        &[("before", PRUNE_BEFORE)]),
    row("vault.v1.AuditService/RecordAuditEvent",
        r#"{"event": {"sequence": 7, "time": "2020-01-01T00:00:00Z", "actor": "token:somebody", "via": "x",
            "event": "backup.exported", "target": "a.zip", "metadata": {"size_bytes": "7"},
            "traceId": "0123456789abcdef0123456789abcdef", "outcome": "AUDIT_OUTCOME_SUCCESS",
            "operationId": "$uuid"}}"#, "",
        &[("event", GIVEN), ("event.sequence", SET_BY_VAULT), ("event.time", SET_BY_VAULT),
          ("event.actor", OPTIONAL_TEXT), ("event.via", SET_BY_VAULT), ("event.event", SERVICE_EVENT),
          ("event.target", OPTIONAL_TARGET), ("event.metadata", METADATA), ("event.trace_id", TRACE_ID),
          ("event.outcome", OUTCOME), ("event.operation_id", OPTIONAL_TEXT)]),
    row("vault.v1.AuditService/VerifyAuditLog",
        r#"{"anchorSequence": 1, "anchorMac": "0000000000000000000000000000000000000000000000000000000000000000"}"#, "",
        &[("anchor_sequence", ANCHOR_SEQUENCE), ("anchor_mac", ANCHOR_MAC)]),
    row("vault.v1.AuditService/WatchAuditEvents", r#"{"event": "key.*", "afterSequence": 0}"#, "",
        &[("event", EVENT_FILTER), ("after_sequence", AFTER_SEQUENCE)]),

    row("vault.v1.CredentialService/ActivateCredential", r#"{"id": "$credential", "etag": "$etag"}"#, "", ETAGGED),
    row("vault.v1.CredentialService/CreateCredential",
        r#"{"displayName": "One", "provider": "openai", "secret": "c2stc2VjcmV0", "labels": {"env": "dev"},
            "expireTime": "2999-01-01T00:00:00Z", "requestId": "$uuid"}"#, "",
        &[("display_name", TEXT), ("provider", PROVIDER), ("secret", SECRET), ("labels", LABELS),
          ("expire_time", EXPIRY), ("request_id", REQUEST_ID)]),
    row("vault.v1.CredentialService/DeactivateCredential", r#"{"id": "$credential", "etag": "$etag"}"#, "", ETAGGED),
    row("vault.v1.CredentialService/DeleteCredential",
        r#"{"id": "$credential", "etag": "$etag", "blockIfReferenced": false}"#, "",
        &[("id", ID), ("etag", ETAG), ("block_if_referenced", FLAG)]),
    row("vault.v1.CredentialService/GetCredential", r#"{"id": "$credential"}"#, "", &[("id", ID)]),
    row("vault.v1.CredentialService/GetCredentialStats", "{}", "", &[]),
    row("vault.v1.CredentialService/ListCredentials",
        r#"{"provider": "openai", "active": true, "namePrefix": "O", "labels": {"env": "dev"}, "pageSize": 10}"#, "",
        &[("provider", PROVIDER_FILTER), ("active", FLAG), ("name_prefix", TEXT_FILTER), ("labels", LABELS),
          PAGES, PAGE]),
    row("vault.v1.CredentialService/RevealCredential", r#"{"id": "$credential", "previous": true}"#, "",
        &[("id", ID), ("previous", FLAG)]),
    row("vault.v1.CredentialService/RollbackCredential", r#"{"id": "$credential", "etag": "$etag"}"#, "", ETAGGED),
    row("vault.v1.CredentialService/RotateCredential",
        r#"{"id": "$credential", "etag": "$etag", "secret": "c2stc2VjcmV0", "grace": "60s", "requestId": "$uuid"}"#, "",
        &[("id", ID), ("etag", ETAG), ("secret", SECRET), ("grace", GRACE), ("request_id", REQUEST_ID)]),
    row("vault.v1.CredentialService/UpdateCredential",
        r#"{"credential": {"id": "$credential", "etag": "$etag", "displayName": "Two", "labels": {"env": "dev"},
            "expireTime": "2999-01-01T00:00:00Z"}, "updateMask": "*"}"#, "",
        &[("credential", GIVEN), ("credential.id", ID), ("credential.display_name", TEXT),
          ("credential.provider", SET_BY_VAULT), ("credential.preview", SET_BY_VAULT),
          ("credential.active", SET_BY_VAULT), ("credential.labels", LABELS),
          ("credential.reference_counts", SET_BY_VAULT), ("credential.create_time", SET_BY_VAULT),
          ("credential.update_time", SET_BY_VAULT), ("credential.last_used_time", SET_BY_VAULT),
          ("credential.expire_time", EXPIRY), ("credential.previous_expire_time", SET_BY_VAULT),
          ("credential.etag", ETAG), ("update_mask", MASK)]),

    row("vault.v1.CryptoService/BatchDecrypt",
        r#"{"items": [{"keyId": "$key", "ciphertext": "$ciphertext", "aad": "cm93"}]}"#, "", OPENING_ITEMS),
    row("vault.v1.CryptoService/BatchEncrypt",
        r#"{"items": [{"keyId": "$key", "plaintext": "c2VjcmV0", "aad": "cm93"}]}"#, "",
        &[("items", ITEMS), ("items[1].key_id", KEY_ID), ("items[1].plaintext", PLAINTEXT), ("items[1].aad", NEW_AAD)]),
    row("vault.v1.CryptoService/BatchGenerateDataKey",
        r#"{"items": [{"keyId": "$key", "aad": "cm93", "sealedOnly": true}]}"#, "",
        &[("items", ITEMS), ("items[1].key_id", KEY_ID), ("items[1].aad", NEW_AAD), ("items[1].sealed_only", FLAG)]),
    row("vault.v1.CryptoService/BatchRewrap",
        r#"{"items": [{"keyId": "$key", "ciphertext": "$ciphertext", "aad": "cm93"}]}"#, "", OPENING_ITEMS),
    row("vault.v1.CryptoService/CheckDecryptable",
        r#"{"items": [{"keyId": "$key", "ciphertext": "$ciphertext", "aad": "cm93"}]}"#, "",
        &[("items", CHECKED_ITEMS), ("items[1].key_id", KEY_ID), ("items[1].ciphertext", CIPHERTEXT),
          ("items[1].aad", AAD)]),
    row("vault.v1.CryptoService/Decrypt",
        r#"{"keyId": "$key", "ciphertext": "$ciphertext", "aad": "cm93"}"#, "", OPENING),
    row("vault.v1.CryptoService/Encrypt", r#"{"keyId": "$key", "plaintext": "c2VjcmV0", "aad": "cm93"}"#, "",
        &[("key_id", KEY_ID), ("plaintext", PLAINTEXT), ("aad", NEW_AAD)]),
    row("vault.v1.CryptoService/ExportSigningKey", "{}", "", &[]),
    row("vault.v1.CryptoService/GenerateDataKey", r#"{"keyId": "$key", "aad": "cm93", "sealedOnly": true}"#, "",
        &[("key_id", KEY_ID), ("aad", NEW_AAD), ("sealed_only", FLAG)]),
    row("vault.v1.CryptoService/Rewrap",
        r#"{"keyId": "$key", "ciphertext": "$ciphertext", "aad": "cm93"}"#, "", OPENING),
    row("vault.v1.CryptoService/SignManifest", r#"{"manifest": "e30="}"#, "", &[("manifest", MANIFEST)]),

    row("vault.v1.KeyService/ApproveKeyRequest", r#"{"id": "$uuid"}"#, "KEY_REQUEST_NOT_FOUND", &[("id", ID)]),
    row("vault.v1.KeyService/CreateKey", r#"{"keyId": "k-$uuid"}"#, "", &[("key_id", KEY_ID)]),
    row("vault.v1.KeyService/DestroyKeyVersion", r#"{"kid": "$kid", "after": "7200s"}"#, "KEY_VERSION_STATE",
        &[("kid", KID), ("after", DESTROY_AFTER)]),
    row("vault.v1.KeyService/DisableKeyVersion", r#"{"kid": "$kid"}"#, "KEY_CENSUS_STALE", &[("kid", KID)]),
    row("vault.v1.KeyService/EnableKeyVersion", r#"{"kid": "$kid"}"#, "", &[("kid", KID)]),
    row("vault.v1.KeyService/ExportKeyRing", "{}", "", &[]),
    row("vault.v1.KeyService/GetKeyCensus", r#"{"keyId": "$key"}"#, "", &[("key_id", KEY_ID_FILTER)]),
    row("vault.v1.KeyService/ListKeyRequests", "{}", "", &[]),
    row("vault.v1.KeyService/ListKeyVersions", "{}", "", &[]),
    row("vault.v1.KeyService/NarrowKeyPins",
        r#"{"archiveId": "$uuid", "kids": ["$kid"], "expireTime": "2999-01-01T00:00:00Z"}"#, "",
        &[("archive_id", ID), ("kids", KIDS), ("kids[1]", KID), ("expire_time", EXPIRY)]),
    row("vault.v1.KeyService/PinKeyVersions",
        r#"{"archiveId": "$uuid", "expireTime": "2999-01-01T00:00:00Z"}"#, "",
        &[("archive_id", ID), ("expire_time", EXPIRY)]),
    row("vault.v1.KeyService/Reencrypt", r#"{"rowsPerSecond": 1000}"#, "", &[("rows_per_second", ROWS_PER_SECOND)]),
    row("vault.v1.KeyService/ReleaseKeyPins", r#"{"archiveId": "$uuid"}"#, "", &[("archive_id", ID)]),
    row("vault.v1.KeyService/ReportKeyCensus",
        r#"{"keyId": "k-census", "column": "servers.secret", "source": "gateway", "values": {"$census": 3}}"#, "",
        &[("key_id", KEY_ID), ("column", COLUMN), ("source", TEXT), ("values", CENSUS), ("count_time", COUNT_TIME)]),
    row("vault.v1.KeyService/RotateKey", r#"{"keyId": "page"}"#, "", &[("key_id", KEY_ID)]),
    row("vault.v1.KeyService/UndoDestroyKeyVersion", r#"{"kid": "$kid"}"#, "KEY_VERSION_STATE", &[("kid", KID)]),

    row("vault.v1.ReferenceService/BindReference",
        r#"{"kind": "endpoint", "consumer": "chat", "credentialId": "$credential", "needsProvider": "openai",
            "fallbackCredentialIds": ["$other"]}"#, "",
        &[("kind", KIND), ("consumer", TEXT), ("credential_id", ID), ("needs_provider", OPTIONAL_PROVIDER),
          ("fallback_credential_ids", FALLBACKS), ("fallback_credential_ids[1]", ID)]),
    row("vault.v1.ReferenceService/BindReference", r#"{"kind": "endpoint", "consumer": "new", "via": "endpoint/$bound"}"#, "",
        &[("via", VIA)]),
    row("vault.v1.ReferenceService/ListReferences",
        r#"{"credentialId": "$credential", "kind": "endpoint", "pageSize": 10}"#, "",
        &[("credential_id", ID_FILTER), ("kind", KIND_FILTER), PAGES, PAGE]),
    row("vault.v1.ReferenceService/ReassignReferences",
        r#"{"fromCredentialId": "$credential", "toCredentialId": "$other"}"#, "",
        &[("from_credential_id", ID), ("to_credential_id", ID)]),
    row("vault.v1.ReferenceService/ReleaseReference", r#"{"kind": "endpoint", "consumer": "$bound"}"#, "",
        &[("kind", KIND), ("consumer", TEXT)]),
    row("vault.v1.ReferenceService/ResolveReference", r#"{"kind": "endpoint", "consumer": "$bound"}"#, "",
        &[("kind", KIND), ("consumer", TEXT)]),

    row("vault.v1.TokenService/IntrospectToken", r#"{"token": "srt_none"}"#, "", &[("token", TOKEN)]),
    row("vault.v1.TokenService/IssueToken",
        r#"{"name": "one", "role": "gateway", "expireTime": "2999-01-01T00:00:00Z",
            "selectors": [{"label": "env=dev"}]}"#, "",
        &[("name", TEXT), ("role", ROLE), ("expire_time", EXPIRY), ("selectors", SELECTORS), ("selectors[1]", SELECTOR),
          ("selectors[1].label", LABEL_SELECTOR), ("selectors[1].provider", PROVIDER),
          ("selectors[1].reference_kind", KIND_SELECTOR), ("selectors[1].key", KEY_ID)]),
    row("vault.v1.TokenService/ListTokens", r#"{"pageSize": 10}"#, "", &[PAGES, PAGE]),
    row("vault.v1.TokenService/RevokeToken", r#"{"id": "nobody"}"#, "TOKEN_NOT_FOUND", &[("id", ID)]),

    row("source.v1.SourceService/DescribeSource", "{}", "", &[]),
    row("source.v1.SourceService/ReadSnapshot",
        r#"{"groups": ["audit"], "tables": ["credentials"], "since": "2020-01-01T00:00:00Z"}"#, "",
        &[("groups", NAMES), ("groups[1]", NAME), ("tables", NAMES), ("tables[1]", NAME), ("since", TIME)]),
];
