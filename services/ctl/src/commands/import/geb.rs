//! `strongroom import geb`: Gatwy's backup file, verified, listed and unpacked.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use strongroom_import::{Contents, Form, Geb, Unpacked};

use crate::cli::ImportGeb;
use crate::input::Input;
use crate::output::{Format, Table, int64, key_values, message};
use crate::secret_input;

/// Number of recordings above which Gatwy refuses its own file.
const GATWY_READS: usize = 1000;

pub(super) fn run(import: &ImportGeb, format: Format) -> Result<()> {
    let passphrase = secret_input::text(&import.passphrase_file)?;
    let input = Input::of(&import.file)?;
    let file = input.open()?;
    let named = || input.name();
    let mut geb = Geb::open(file, &passphrase).with_context(named)?;
    let out = import.out.as_deref();
    let unpacked = out.map(|out| geb.unpack(out, import.with_master_key)).transpose().with_context(named)?;
    let contents = geb.contents();
    if contents.recordings.len() > GATWY_READS {
        message(&format!(
            "Gatwy itself does not restore this backup: it reads at most {GATWY_READS} recordings"
        ));
    }
    format.document(&document(contents, unpacked.as_ref()), || text(contents, unpacked.as_ref()))
}

fn document(contents: &Contents, unpacked: Option<&Unpacked>) -> Value {
    let recordings = contents.recordings.iter().enumerate().map(|(place, recording)| {
        let decrypted = form(unpacked, place).map(|form| form == Form::Opened);
        json!({ "name": recording.name, "bytes": int64(recording.bytes), "decrypted": decrypted })
    });
    json!({
        "ok": true,
        "exportedAt": contents.exported_at,
        "databaseBytes": int64(contents.database_bytes),
        "recordings": recordings.collect::<Vec<_>>(),
        "database": unpacked.map(|unpacked| unpacked.database.display().to_string()),
        "masterKey": unpacked.and_then(|unpacked| Some(unpacked.master_key.as_ref()?.display().to_string())),
    })
}

fn text(contents: &Contents, unpacked: Option<&Unpacked>) -> String {
    let bytes: u64 = contents.recordings.iter().map(|recording| recording.bytes).sum();
    let mut lines = vec![
        ("ok", "every byte is as written by Gatwy".to_owned()),
        ("exported", contents.exported_at.clone()),
        ("database", format!("{} bytes", contents.database_bytes)),
        ("recordings", format!("{}, {bytes} bytes", contents.recordings.len())),
    ];
    if let Some(unpacked) = unpacked {
        lines.push(("unpacked", unpacked.database.display().to_string()));
        lines.extend(unpacked.recordings.iter().map(|folder| ("unpacked", folder.display().to_string())));
        lines.extend(unpacked.master_key.iter().map(|path| ("master key", path.display().to_string())));
    }
    let mut text = key_values(lines);
    if !contents.recordings.is_empty() {
        text.push('\n');
        text.push_str(&table(contents, unpacked).to_string());
    }
    text
}

fn table(contents: &Contents, unpacked: Option<&Unpacked>) -> Table {
    let mut table = Table::new(&["RECORDING", "BYTES", "WRITTEN"]);
    for (place, recording) in contents.recordings.iter().enumerate() {
        let written = match form(unpacked, place) {
            Some(Form::Opened) => "decrypted",
            Some(Form::AsStored) => "as stored",
            None => "",
        };
        table.row([recording.name.as_str(), &recording.bytes.to_string(), written]);
    }
    table
}

fn form(unpacked: Option<&Unpacked>, place: usize) -> Option<Form> {
    unpacked?.forms.get(place).copied()
}
