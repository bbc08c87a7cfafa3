//! Fuzzing of configuration files and of the addresses in them.

use strongroom_fuzz::fuzz;

use super::*;
use crate::config::DestinationUrl;

#[test]
fn files() {
    let sample = include_bytes!("../../../../../../deploy/config/backup.toml");
    let small = b"[app]\nname = 'App'\n[[sources]]\nname = 's'\nkind = 'sqlite'\nurl = 'sqlite:a'\n[[destinations]]\nname = 'd'\nurl = 's3://bucket/p'\n";
    fuzz("configuration", &[sample, small], |text| {
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
