//! Foreign texts on an operator's terminal: their control characters are shown, never executed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use e2e::{Dev, Finished, at_a_terminal, finish, program, source, tool};
use strongroom_testkit::TestDb;

const PATIENCE: Duration = Duration::from_secs(60);

/// Erases lines, paints a success, sets the clipboard, hides and reorders the following text.
const PAINTED: &str =
    "\x1b[2K\x1b[1A\rok: signed\x1b]52;c;Y2xp\x07\u{9b}8m\u{7f}\u{202e}\u{2066}\u{200b}\u{feff}";

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn offline(arguments: &[&str]) -> Finished {
    finish(program("strongroom").args(arguments), b"", PATIENCE)
}

/// Fails unless the painted text is visible in a form that does not affect a terminal.
fn is_shown(finished: &Finished) {
    let said = finished.said();
    is_harmless(&said, &finished.line);
    assert!(is_painted(&said), "{}: {said:?}", finished.line);
}

fn is_painted(said: &str) -> bool {
    [r"\u{1b}[2K", r"\u001b[2K", r"\u{202e}", r"\u202e"].iter().any(|spelling| said.contains(spelling))
}

fn is_harmless(said: &str, line: &str) {
    for character in said.chars() {
        let obeyed = character < ' ' && character != '\n' || ('\u{7f}'..='\u{9f}').contains(&character);
        let unseen = matches!(character,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
        assert!(!obeyed && !unseen, "{line} prints {character:?}: {said:?}");
    }
}

/// Runs Python, which writes files that our own programs would refuse to write.
fn python(script: &str, arguments: &[&str]) -> Option<()> {
    tool::run(tool::tool("python3")?, &[&["-c", script][..], arguments].concat());
    Some(())
}

#[test]
fn arguments_and_file_names_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let named = folder.path().join(PAINTED);
    for command in ["inspect", "verify"] {
        is_shown(&offline(&["archive", command, text(&named)]));
    }
    fs::write(&named, "neither an archive nor a key").unwrap();
    let file = text(&named);
    is_shown(&offline(&["archive", "verify", file]));
    is_shown(&offline(&["archive", "open", file, "--table", PAINTED]));
    is_shown(&offline(&["archive", "verify", file, "--signer", file]));
    is_shown(&offline(&["archive", "verify", file, "--identity", file, "--passphrase-file", file]));
    is_shown(&offline(&["import", "geb", file, "--passphrase-file", file]));
    is_shown(&offline(&["key", "new-root", "--out", file]));
    is_shown(&offline(&["dev", "--data-dir", file]));
    is_shown(&offline(&[PAINTED]));
    is_shown(&offline(&["credential", "list", "--active", PAINTED]));
    is_shown(&offline(&["archive", "reseal", file, "--out", "x", "--recipient", PAINTED]));
}

/// The painted text as a TOML string.
fn quoted() -> String {
    let escaped = |character: char| match character {
        ' '..='~' => character.to_string(),
        other => format!("\\u{:04x}", u32::from(other)),
    };
    format!("\"{}\"", PAINTED.chars().map(escaped).collect::<String>())
}

#[test]
fn a_configuration_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let (file, data) = (folder.path().join("config.toml"), folder.path().join("data"));
    let quoted = quoted();
    for config in [
        format!("[vault]\n{quoted} = 1\n"),
        format!("[{quoted}]\nx = 1\n"),
        format!("[vault]\n\"listen{}\" = 1\n", &quoted[1..quoted.len() - 1]),
        format!("[[sources]]\nname = {quoted}\nkind = \"sqlite\"\nurl = \"sqlite:x\"\n"),
        format!("[vault]\nlisten = \"{PAINTED}\n"),
        PAINTED.to_owned(),
    ] {
        fs::write(&file, &config).unwrap();
        let mut dev = program("strongroom");
        dev.args(["dev", "--config", text(&file), "--data-dir", text(&data)]);
        let finished = finish(dev.env("STRONGROOM_LOG", "off"), b"", PATIENCE);
        assert_ne!(finished.code, Some(0), "{config}");
        is_shown(&finished);
    }
}

/// Puts painted text where the vault itself would not accept it, like an attacker with access to the database.
const PAINT_THE_VAULT: &str = "
import json, sqlite3, sys
file, painted = sys.argv[1:]
database = sqlite3.connect(file, timeout=20)
database.execute('UPDATE credentials SET display_name = ?1 || id, provider = ?1, preview = ?1', (painted,))
database.execute('UPDATE credential_labels SET name = ?1, value = ?1', (painted,))
database.execute('UPDATE credential_references SET kind = ?1, consumer = ?1', (painted,))
database.execute('UPDATE api_tokens SET name = ?1 WHERE role = ?2', (painted, 'auditor'))
painted_json = json.dumps({painted: painted})
database.execute('UPDATE audit_logs SET metadata = ?1, target = ?2, actor = ?2 WHERE event = ?3',
                 (painted_json, painted, 'credential.created'))
database.commit()
";

#[test]
fn everything_in_a_vault_is_shown() {
    let dev = Dev::start("");
    let admin = &dev.admin;
    let create =
        ["credential", "create", "One", "--provider", "openai", "--label", "a=b", "--secret-file", "-"];
    let id = admin.feed(&[&create[..], &["-o", "json"]].concat(), b"secret").succeeded().json();
    let id = id["id"].as_str().unwrap().to_owned();
    let _ = admin.run(&["reference", "bind", "endpoint", "chat", &id]).succeeded();
    let _ = admin.issue("auditor");
    if python(PAINT_THE_VAULT, &[text(&dev.data().join("vault.db")), PAINTED]).is_none() {
        return;
    }
    for command in [&["credential", "stats"][..], &["audit", "list"]] {
        is_shown(&admin.run(command));
        is_shown(&admin.run(&[command, &["-o", "json"]].concat()));
    }
    // Painted rows that grant access can no longer be opened; the messages about them are harmless.
    for command in [
        &["credential", "list"][..],
        &["credential", "get", &id],
        &["credential", "deactivate", &id],
        &["reference", "list"],
        &["token", "list"],
    ] {
        let finished = admin.run(command);
        is_harmless(&finished.said(), &finished.line);
        assert!(!is_painted(&finished.said()), "{}", finished.said());
    }

    // Texts that a service repeats in its refusal, and texts that the command itself repeats.
    is_shown(&admin.run(&["backup", "export", "--out", "-", "--tables", PAINTED]));
    is_shown(&admin.run(&["backup", "export", "--out", "-", "--include", PAINTED]));
    is_harmless(&admin.run(&["credential", "get", PAINTED]).said(), "a name with control characters");
    is_shown(&admin.run(&["credential", "get", "\u{202e}\u{200b}"]));
    is_shown(
        &admin
            .feed(&["credential", "create", PAINTED, "--provider", PAINTED, "--secret-file", PAINTED], b"x"),
    );
    let unseen = "One\u{202e}\u{200b}";
    let create = ["credential", "create", unseen, "--provider", "openai", "--secret-file", "-"];
    is_shown(&admin.feed(&create, b"secret"));
    is_shown(&admin.feed(&create, b"secret"));
}

/// Forged archives: the first arguments are a real archive and the folder for the forged ones.
const PAINT_ARCHIVES: &str = r#"
import hashlib, json, struct, sys, zipfile, zlib
real, folder, painted = sys.argv[1:]
# As FORMAT.md, section 2, has it: whatever differs is refused before anything of it is shown.
def write(name, manifest, entries):
    out, central = b'', b''
    def add(path, data, packed):
        nonlocal out, central
        path, crc, none = path.encode(), zlib.crc32(data), 0xffffffff
        deflate = zlib.compressobj(wbits=-15)
        body = deflate.compress(data) + deflate.flush() if packed else data
        flags = (8 if packed else 0) | (0 if path.isascii() else 0x800)
        kind = struct.pack('<HHI', flags, 8 if packed else 0, 0x210000)
        sizes = struct.pack('<QQ', len(data), len(body))
        extra = struct.pack('<HH', 1, 16)
        central += b'PK\x01\x02' + struct.pack('<HH', 3 << 8 | 45, 45) + kind
        central += struct.pack('<IIIHHHHHII', crc, none, none, len(path), 20, 0, 0, 0, 0o100644 << 16, len(out))
        central += path + extra + sizes
        out += b'PK\x03\x04' + struct.pack('<H', 45) + kind
        out += struct.pack('<IIIHH', 0 if packed else crc, none, none, len(path), 20) + path + extra
        out += (bytes(16) if packed else sizes) + body
        out += b'PK\x07\x08' + struct.pack('<I', crc) + struct.pack('<QQ', len(body), len(data)) if packed else b''
    for path, data in entries.items():
        add(path, data, True)
    manifest = {**manifest, 'zip_sha256': hashlib.sha256(out).hexdigest()}
    add('manifest.json', json.dumps(manifest).encode(), False)
    count = len(entries) + 1
    end = b'PK\x05\x06' + struct.pack('<HHHHIIH', 0, 0, count, count, len(central), len(out), 0)
    with open(folder + '/' + name, 'wb') as file:
        file.write(out + central + end)
with zipfile.ZipFile(real) as archive:
    whole = {name: archive.read(name) for name in archive.namelist()}
manifest = json.loads(whole.pop('manifest.json'))
whole.pop('manifest.sig', None)
def changed(**fields):
    return {**manifest, **fields}
write('app.zip', changed(app_name=painted, app_url=painted, note=painted, producer=painted), whole)
write('engine.zip', changed(sources=[{**manifest['sources'][0], 'engine': painted, 'snapshot': painted}]), whole)
write('field.zip', changed(**{painted: 1}), whole)
write('version.zip', changed(format_version=painted), whole)
write('options.zip', changed(options={painted: painted}), whole)
for entry in manifest['entries']:
    if entry['kind'] == 'schema':
        schema = json.loads(whole[entry['name']])
        schema[painted] = 1
        whole[entry['name']] = json.dumps(schema).encode()
    elif entry['kind'] == 'table':
        whole[entry['name']] = json.dumps([{painted: painted}], ensure_ascii=False).encode()
    else:
        continue
    entry['bytes'] = len(whole[entry['name']])
    entry['sha256'] = hashlib.sha256(whole[entry['name']]).hexdigest()
write('schema.zip', manifest, whole)
"#;

/// A plain archive of a small database, and forged variants of it.
fn archives(dev: &Dev) -> Option<Vec<PathBuf>> {
    let real = dev.path("real.zip");
    let _ = dev.admin.run(&["backup", "export", "--plain", "--out", text(&real)]).succeeded();
    let folder = dev.path("painted");
    fs::create_dir(&folder).unwrap();
    python(PAINT_ARCHIVES, &[text(&real), text(&folder), PAINTED])?;
    Some(folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect())
}

#[test]
fn a_hostile_archive_is_shown() {
    let db = TestDb::sqlite();
    db.run("CREATE TABLE pages (id INTEGER PRIMARY KEY, body TEXT)");
    db.run("INSERT INTO pages VALUES (1, 'x')");
    let dev = Dev::start(&source("gateway", &db, &[]));
    let Some(archives) = archives(&dev) else { return };
    assert_eq!(archives.len(), 6);
    for archive in &archives {
        let mut all = String::new();
        for command in ["verify", "inspect"] {
            for more in [&[][..], &["-o", "json"]] {
                let finished = offline(&[&["archive", command, text(archive)], more].concat());
                is_harmless(&finished.said(), &finished.line);
                all += &finished.said();
            }
        }
        // Unknown fields, as of later versions, are skipped, so their names are never printed.
        assert!(is_painted(&all) || archive.ends_with("field.zip"), "{}: {all:?}", archive.display());
        is_harmless(&dev.admin.run(&["backup", "verify", text(archive)]).said(), "backup verify");
        let out = dev.path("out");
        is_harmless(
            &offline(&["archive", "open", text(archive), "--out", text(&out)]).said(),
            "archive open",
        );
        let _ = fs::remove_dir_all(&out);
    }

    // A table is data: raw bytes in a file or a pipe, escaped on a terminal.
    let schema = dev.path("painted/schema.zip");
    let open = ["archive", "open", text(&schema), "--table", "pages"];
    let piped = offline(&open).succeeded();
    assert!(piped.text().contains('\u{9b}'), "{piped:?}");
    let mut command = program("strongroom");
    let Some(shown) = at_a_terminal(command.args(open), &[""]) else { return };
    let shown = shown.succeeded().stderr;
    assert!(shown.contains(r"\u{9b}8m"), "{shown:?}");
    is_harmless(&shown, "archive open at a terminal");
}

#[test]
fn a_secret_is_bytes_for_a_pipe_and_text_for_a_terminal() {
    let dev = Dev::start("");
    let secret = format!("sk-live{PAINTED}\nend");
    let id = dev.admin.create_credential("One", "openai", secret.as_bytes());
    let reveal = ["credential", "reveal", &id];
    assert_eq!(dev.admin.run(&reveal).succeeded().stdout, secret.as_bytes());
    let Some(shown) = at_a_terminal(&dev.admin.command(&reveal), &[""]) else { return };
    let shown = shown.stderr;
    assert!(shown.contains(r"sk-live\u{1b}[2K") && shown.contains("\nend"), "{shown:?}");
    is_harmless(&shown, "reveal at a terminal");
}
