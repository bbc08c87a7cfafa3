//! Common tools can open the archive.
#![expect(clippy::print_stderr, reason = "a tool that is not there must be seen in the test's output")]

use std::io::Write;
use std::process::{Command, Stdio};

use strongroom_archive::Limits;

use crate::sample;

const PYTHON: &str = "
import json, sys, zipfile
archive = zipfile.ZipFile(sys.argv[1])
assert archive.testzip() is None
manifest = json.load(archive.open('manifest.json'))
names = [entry['name'] for entry in manifest['entries']] + ['manifest.json']
assert archive.namelist() == names, names
for entry in manifest['entries']:
    content = json.load(archive.open(entry['name']))
    if entry['kind'] == 'table':
        assert len(content) == manifest['tables'][entry['table']]
for info in archive.infolist():
    stored = info.filename == 'manifest.json'
    assert info.compress_type == (zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED)
    assert info.date_time == (1980, 1, 1, 0, 0, 0)
    assert info.external_attr >> 16 == 0o100644, oct(info.external_attr >> 16)
    assert not info.comment and not archive.comment
";

#[test]
fn unzip_python_and_others_accept_it() {
    let mut tables = sample::two_tables();
    for name in ["größe", "a/b", "..", "🔑", "Users"] {
        tables.push(sample::table(name, &["id"], &[r#"{"id":1}"#]));
    }
    // Long enough for every compression thread.
    let rows: Vec<String> = (0..60_000).map(|id| format!("{{\"id\":{id},\"name\":\"{id:050}\"}}")).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    tables.push(sample::table("long", &["id", "name"], &rows));
    let bytes = sample::write(&tables, Limits::V1).unwrap();
    let mut file = tempfile::Builder::new().suffix(".zip").tempfile().unwrap();
    file.write_all(&bytes).unwrap();
    let path = file.path().to_str().unwrap();
    run("unzip", &["-t", path]);
    run("7z", &["t", path]);
    run("bsdtar", &["-tf", path]);
    run("python3", &["-c", PYTHON, path]);
}

fn run(tool: &str, arguments: &[&str]) {
    let output = Command::new(tool).args(arguments).stdin(Stdio::null()).output();
    let output = match output {
        Ok(output) => output,
        Err(error) => {
            eprintln!("{tool} was not asked: it cannot be started ({error})");
            return;
        }
    };
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{tool}: {}", String::from_utf8_lossy(&said));
}
