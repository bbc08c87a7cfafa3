//! Every mistake that makes a configuration invalid, with its message.

#![expect(clippy::unwrap_used, reason = "tests")]

mod fuzz;

use std::io::Write as _;

use serde_json::Value;

use super::*;
use crate::config::WITHOUT_RECOVERY;

const KEY: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
const APP: &str = "app = { name = 'App' }\n";

fn post_quantum_key() -> String {
    strongroom_age::HybridIdentity::generate().recipient().to_string()
}

/// Reads a file as the process does, without its environment.
fn read(text: &str) -> strongroom_runtime::Result<Config> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    strongroom_runtime::config::load_with(Some(file.path()), std::iter::empty())
}

fn problem(text: &str) -> String {
    check(&read(&format!("{APP}{text}")).unwrap()).unwrap_err().to_string()
}

/// Asserts that each text is refused with its message.
fn refuses<'a>(cases: impl IntoIterator<Item = (String, &'a str)>) {
    for (text, expected) in cases {
        let found = problem(&text);
        assert!(found.contains(expected), "{text}\n{found}");
    }
}

/// A source with `rest` among its fields.
fn source(rest: &str) -> String {
    format!("[[sources]]\nname = 's'\nkind = 'sqlite'\nurl = 'sqlite:a'\n{rest}")
}

#[test]
fn a_whole_file_is_accepted_and_the_vaults_sections_are_skipped() {
    let text = r#"
        [app]
        name = "PromptGate"
        url = "https://gateway.example.com"
        [vault]
        listen = "127.0.0.1:7601"
        [log]
        level = "info"
        [backup.vault]
        ca_file = "/etc/ca.pem"
        [[sources]]
        name = "gateway"
        kind = "postgres"
        url = "postgres://gateway:hunter2@db/gateway"
        exclude = ["migrations"]
        [[sources.encrypted_columns]]
        column = "mcp_servers.bearer"
        key = "gateway"
        aad = "{table}/{column}/{id}"
        [[sources.optional]]
        name = "gateway_logs"
        tables = ["gateway_logs"]
        time_column = "created_at"
    "#;
    let config = read(text).unwrap();
    check(&config).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
    assert_eq!(config.backup.vault_target().url, "http://127.0.0.1:7601");
    assert_eq!(config.backup.listen.port(), 7602);
}

#[test]
fn each_mistake_in_a_source_has_its_sentence() {
    let twice = format!("{}{}", source(""), source(""));
    let files = |rest: &str| format!("[[sources]]\nname = 's'\nkind = 'files'\npath = 'p'\n{rest}");
    let part = "[[sources.optional]]\nname = 'part'\n";
    let group = "[[sources.optional]]\nname = 'logs'\ntables = ['l']\n";
    refuses([
        (twice, "two sources are called \"s\""),
        (source("").replace("'s'", "'vault'"), "the vault is part of every backup"),
        (source("").replace("'sqlite'", "'files'"), "has a path, no url"),
        (source("path = 'p'"), "path does not apply to sources of kind sqlite"),
        (files("").replace("path = 'p'", ""), "needs a path"),
        (files("").replace("'s'", "'a/b'"), "made of a-z"),
        (files("exclude = ['l']"), "exclude does not apply to sources of kind files"),
        (files("restore_owner = 'app'"), "restore_owner \"app\" is not of the form user:group"),
        (files("restore_owner = 'app:'"), "is not of the form user:group"),
        (files("restore_owner = 'app:app:app'"), "is not of the form user:group"),
        (source("restore_owner = 'a:a'"), "restore_owner does not apply to sources of kind sqlite"),
        (files(group), "is the whole directory"),
        (files(&format!("{part}{}", part.replace("part", "rest"))), "one optional group as a whole"),
        (source("url_file = 'b'"), "either url or url_file"),
        (source("").replace("url = 'sqlite:a'", ""), "either url or url_file"),
        (source("schemas = ['a']"), "schemas does not apply to sources of kind sqlite"),
        (source("").replace("'sqlite'", "'grpc'"), "needs a token_file"),
        (source("exclude = ['l', '']"), "source s: exclude[1] is empty"),
        (format!("{}{}", source(""), source("").replace("'s'", "''")), "sources[1]: the name \"\""),
    ]);
}

#[test]
fn each_mistake_in_a_group_has_its_sentence() {
    let group = "[[sources.optional]]\nname = 'logs'\ntables = ['l']\n";
    refuses([
        (source(&format!("{group}{group}")), "optional group \"logs\" is named twice: by s and by s"),
        (source(&group.replace("logs", "audit")), "named twice: by vault and by s"),
        (source(&group.replace("logs", "Logs")), "optional[0] \"Logs\" needs a name"),
        (source(&group.replace("'l'", "")), "has no tables"),
        (source(&group.replace("'l'", "'l', ''")), "source s: optional[0].tables[1] is empty"),
        (source(&format!("exclude = ['l']\n{group}")), "both excluded and in the optional group"),
    ]);
}

#[test]
fn each_mistake_in_encrypted_columns_has_its_sentence() {
    let columns = (0..901).map(|at| format!("{{ column = 't.c{at}', key = 'k', aad = 'a' }}, "));
    let many_columns = format!("encrypted_columns = [{}]", columns.collect::<String>());
    refuses([
        (
            source("encrypted_columns = [{ column = 'c', key = 'k', aad = 'a' }]"),
            "encrypted_columns[0] \"c\" needs",
        ),
        (source("encrypted_columns = [{ column = 't.c', key = 'k', aad = '{id' }]"), "has a { without"),
        (source(&many_columns), "901 encrypted columns are declared; at most 900 are allowed in all"),
    ]);
}

/// A destination with `rest` among its fields.
fn destination(url: &str, rest: &str) -> String {
    format!("[[destinations]]\nname = 'd'\nurl = '{url}'\n{rest}\n")
}

#[test]
fn each_mistake_in_a_destination_has_its_sentence() {
    let folder = |rest: &str| destination("file:///srv", rest);
    let bucket = |rest: &str| destination("s3://bucket/prefix", rest);
    let url = |url: &str| destination(url, "");
    refuses([
        (format!("{}{}", folder(""), bucket("")), "two destinations are called \"d\""),
        (folder("").replace("'d'", "''"), "destinations[0]: the name \"\""),
        (folder("").replace("'d'", "'D'"), "must have 1 to 60 characters a-z"),
        (folder("").replace("'d'", &format!("'{}'", "d".repeat(61))), "must have 1 to 60 characters"),
        (url("/srv"), "destination d: the url \"/srv\" is not understood"),
        (url("gs://bucket"), "it must be file:///FOLDER, or s3://BUCKET/PREFIX"),
        (url("file://srv/backups"), "not an absolute path"),
        (url("file:///srv/../etc"), "not an absolute path without .."),
        (url("s3://"), "\"\" is not a bucket"),
        (url("s3://Bucket"), "its name has 3 to 63 characters"),
        (url("s3://key:secret@bucket"), "is not a bucket"),
        (url("s3://bucket/a//b"), "empty parts are not allowed"),
        (url("s3://bucket/../b"), "the prefix \"../b\""),
        (url("s3://bucket/a b"), "the prefix \"a b\""),
        (folder("endpoint = 'https://s3'"), "endpoint does not apply to a folder"),
        (folder("region = 'r'"), "region does not apply to a folder"),
        (folder("path_style = true"), "path_style does not apply to a folder"),
        (folder("credentials_file = 'c'"), "credentials_file does not apply to a folder"),
        (folder("ca_file = 'c'"), "ca_file does not apply to a folder"),
        (folder("plaintext = true"), "plaintext does not apply to a folder"),
        (bucket("region = 'eu west'"), "the region \"eu west\""),
        (bucket("plaintext = true"), "plaintext has no effect without an endpoint"),
        (bucket("endpoint = 's3.example.com'"), "is not of the form https://HOST"),
        (bucket("endpoint = 'ftp://s3.example.com'"), "is not of the form https://HOST"),
        (bucket("endpoint = 'https://s3.example.com/path'"), "is not of the form https://HOST"),
        (bucket("endpoint = 'https://user@s3.example.com'"), "is not of the form https://HOST"),
        (bucket("endpoint = 'http://minio:9000'"), "use https://, or plaintext = true"),
        (bucket("endpoint = 'http://127.0.0.1:9000'"), "needs path_style = true"),
    ]);
}

#[test]
fn destinations_that_can_be_meant_are_accepted() {
    for (url, rest) in [
        ("file:///var/lib/strongroom/backups", ""),
        ("s3://bucket", ""),
        ("s3://bucket/", "region = 'eu-west-1'"),
        ("s3://my.bucket-1/a/b_c/", "endpoint = 'https://s3.example.com:9000'\nca_file = '/ca.pem'"),
        ("s3://bucket", "endpoint = 'http://localhost:9000'\npath_style = true\ncredentials_file = 'c'"),
        ("s3://bucket", "endpoint = 'http://minio:9000'\nplaintext = true"),
        ("s3://bucket", "endpoint = 'https://[::1]:9000'\npath_style = true"),
    ] {
        let seal = format!("[seal]\nwithout_recovery = '{WITHOUT_RECOVERY}'\n");
        let config = read(&format!("{APP}{seal}{}", destination(url, rest))).unwrap();
        assert!(check(&config).is_ok(), "{url} {rest}: {:?}", check(&config));
    }
}

#[test]
fn each_mistake_about_the_service_and_its_seal_has_its_sentence() {
    refuses([
        ("[backup]\nconcurrent_verifications = 0".to_owned(), "it must be from 1 to 100"),
        ("[backup]\nconcurrent_uploads = 0".to_owned(), "concurrent_uploads is 0; it must be from 1 to 1000"),
        ("[backup]\nverify_row_limit_bytes = 268435457".to_owned(), "it must be from 1 to 268435456"),
        ("[backup]\nverify_manifest_limit_bytes = 1".to_owned(), "it must be from 1048576 to 67108864"),
        ("[backup]\nverify_processor_seconds = 0".to_owned(), "verify_processor_seconds is 0"),
        ("[backup]\nstaging_limit_bytes = 0".to_owned(), "staging_limit_bytes is 0; it must be from 1"),
        ("[backup]\nupload_limit_bytes = 0".to_owned(), "upload_limit_bytes is 0; it must be from 1"),
        ("[backup]\nstall_seconds = 0".to_owned(), "stall_seconds is 0; it must be from 1 to 3600"),
        ("[backup]\ncompression_level = 10".to_owned(), "compression_level is 10"),
        ("[seal]\nrecovery_recipients = ['age1x']".to_owned(), "recovery_recipients[0] is not a recipient"),
        (
            format!("[seal]\nrecovery_recipients = ['{KEY}', '{KEY}']"),
            "recovery_recipients[1] is listed twice",
        ),
        (
            format!("[seal]\nrecovery_recipients = ['{KEY}', '{}']", post_quantum_key()),
            "recovery_recipients: post-quantum recipients",
        ),
        ("[seal]\nwithout_recovery = 'yes'".to_owned(), "I accept that without the root key nobody opens"),
        (
            format!("[seal]\nrecovery_recipients = ['{KEY}']\nwithout_recovery = '{WITHOUT_RECOVERY}'"),
            "both recovery_recipients and without_recovery",
        ),
    ]);
    assert!(check(&read("").unwrap()).unwrap_err().to_string().contains("[app] name is missing"));
    let long = format!("[app]\nname = '{}'", "a".repeat(101));
    let refused = check(&read(&long).unwrap()).unwrap_err().to_string();
    assert!(refused.contains("[app] name has 101 bytes"), "{refused}");
}

#[test]
fn unknown_kinds_and_fields_are_refused_by_name() {
    for (text, expected) in [
        ("[[sources]]\nname = 's'\nkind = 'mysql'", "unknown variant `mysql`"),
        ("[backup]\nlisten_on = 'x'", "unknown field `listen_on`"),
        ("[backups]", "unknown field `backups`"),
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn the_sample_configuration_is_understood() {
    check(&read(include_str!("../../../../../deploy/config/backup.toml")).unwrap()).unwrap();
}

#[test]
fn the_bounds_of_the_schema_are_those_that_are_checked() {
    let schema = schemars::schema_for!(BackupConfig);
    let keys = schema.get("properties").and_then(Value::as_object).unwrap();
    let mut checked = 0;
    for (key, bounds) in keys {
        let bound = |name: &str| bounds.get(name).and_then(Value::as_u64);
        let Some(low) = bound("minimum") else { continue };
        let accepted = |value: u64| {
            let seal = format!("[seal]\nwithout_recovery = '{WITHOUT_RECOVERY}'");
            read(&format!("{APP}{seal}\n[backup]\n{key} = {value}"))
                .is_ok_and(|config| check(&config).is_ok())
        };
        assert!(accepted(low) && low.checked_sub(1).is_none_or(|below| !accepted(below)), "{key}: {low}");
        if let Some(high) = bound("maximum") {
            assert!(accepted(high) && !accepted(high + 1), "{key}: {high}");
        }
        checked += 1;
    }
    assert_eq!(checked, 20, "numbers with bounds");
}
