//! Fuzzing of configuration files and of the addresses in them.

use strongroom_fuzz::fuzz;

use super::*;
use crate::config::DestinationUrl;

#[test]
fn files() {
    let sample = include_bytes!("../../../../../../deploy/config/backup.toml");
    let small = b"[app]\nname = 'App'\n[[sources]]\nname = 's'\nkind = 'sqlite'\nurl = 'sqlite:a'\n[[destinations]]\nname = 'd'\nurl = 's3://bucket/p'\n";
    let whole = br#"
        app = { name = 'App' }
        [[sources]]
        name = 'db'
        kind = 'postgres'
        url = 'postgres://u@h/d'
        table_prefix = 'a_'
        exclude = ['t']
        migrations_table = 'm'
        optional = [{ name = 'logs', tables = ['l'], time_column = 'at' }]
        encrypted_columns = [{ column = 'c.s', key = 'k', aad = '{table}/{id}' }]
        [[sources]]
        name = 'files'
        kind = 'files'
        path = '/f'
        restore_owner = 'u:g'
        optional = [{ name = 'all' }]
        [[sources]]
        name = 'service'
        kind = 'grpc'
        url = 'https://h:1'
        token_file = '/t'
        [[destinations]]
        name = 'bucket'
        url = 's3://bucket/p'
        endpoint = 'http://127.0.0.1:9000'
        path_style = true
        region = 'r'
        [[destinations]]
        name = 'folder'
        url = 'file:///f'
        "#;
    fuzz("configuration", &[sample, small, whole], |text| {
        let text = String::from_utf8_lossy(text);
        let config = read(&text).map_err(|error| error.to_string())?;
        check(&config).map_err(|error| error.to_string())
    });
}

#[test]
fn addresses() {
    let seeds: [&[u8]; 3] =
        [b"s3://bucket/prefix/x", b"file:///var/lib/strongroom/backups", b"file:///a%20b"];
    fuzz("destination", &seeds, |text| DestinationUrl::parse(&String::from_utf8_lossy(text)).map(drop));
}
