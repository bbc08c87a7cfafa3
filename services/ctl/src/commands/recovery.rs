//! `strongroom recovery`: creates the key that opens archives when the vault is lost, to be kept in a safe.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use strongroom_age::{HybridIdentity, PublicKey, X25519Identity, lock_identity};
use zeroize::Zeroizing;

use super::archive::Signer;
use super::key::public;
use crate::cli::{CreateRecovery, RecoveryCommand};
use crate::client;
use crate::error::{Local, Refused};
use crate::files;
use crate::output::{Format, key_values, message};
use crate::secret_input;

const NO_SIGNER: &str = "the vault's signing key is unknown (neither STRONGROOM_TOKEN_FILE nor --signer is set): create FILE.signer later \
     with `strongroom key export-public --out FILE.signer`";

pub(super) async fn run(command: RecoveryCommand, format: Format) -> Result<()> {
    let RecoveryCommand::Create(create) = command;
    let CreateRecovery { out, passphrase_file, post_quantum, signer } = create;
    let (page_file, signer_file) = (beside(&out, "txt"), beside(&out, "signer"));
    for file in [&out, &page_file, &signer_file] {
        let sentence = || format!("{} already exists", file.display());
        ensure!(file.symlink_metadata().is_err(), Refused::new(Local::FileExists, sentence()));
    }
    let passphrase = secret_input::new_passphrase(&passphrase_file)?;
    let signer = signer_lines(signer.as_deref()).await?;
    let (public, secret) = generate(post_quantum);
    let recipient = public.to_string();

    files::create_private_bytes(&out, &lock_identity(&public, &secret, passphrase)?)?;
    let name = out.file_name().unwrap_or_default().to_string_lossy();
    files::create_private(&page_file, page(&name, &public, signer.is_some()).trim_end())?;
    if let Some(lines) = &signer {
        files::create_private(&signer_file, lines.trim_end())?;
    }
    let (out, page) = (out.display().to_string(), page_file.display().to_string());
    format.document(
        &json!({"recipient": recipient, "out": out, "page": page, "hasSigner": signer.is_some()}),
        || key_values([("recipient", recipient.as_str()), ("out", out.as_str()), ("page", page.as_str())]),
    )?;
    if signer.is_none() {
        message(NO_SIGNER);
    }
    message("store these files in a safe, the passphrase in another place, and neither on a server");
    Ok(())
}

/// A new key: its public half, and the private half as text.
fn generate(post_quantum: bool) -> (PublicKey, Zeroizing<String>) {
    if post_quantum {
        let identity = HybridIdentity::generate();
        return (PublicKey::Hybrid(Box::new(identity.recipient())), identity.to_text());
    }
    let identity = X25519Identity::generate();
    (PublicKey::X25519(identity.recipient()), identity.to_text())
}

/// `FILE.suffix`.
fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

/// The signing key's public halves, from the file or the vault; `None` if there is neither.
async fn signer_lines(file: Option<&Path>) -> Result<Option<String>> {
    if let Some(file) = file {
        return Ok(Some(Signer::read_file(file)?.lines()));
    }
    match client::vault_if_allowed()? {
        Some(vault) => public::fetch(&vault).await.map(Some).context("the vault's signing key"),
        None => Ok(None),
    }
}

/// Instructions for the key, for a reader who has never heard of it.
fn page(name: &str, public: &PublicKey, has_signer: bool) -> String {
    let since = if public.is_post_quantum() { " since version 1.3" } else { "" };
    let recipient = public;
    let signer = if has_signer { format!(" --signer {name}.signer") } else { String::new() };
    format!(
        "A recovery key for sealed archives

It opens backup archives (*.zip.age) when the vault, its database or its root key is lost. The file {name} holds its
private half under a passphrase. The file, the passphrase and an archive together reveal the archive's
content; columns that the application encrypts stay encrypted without the root key.

Its public half, which is not secret:

{recipient}

Now:
1. Put the public half into the backup service's configuration, and start the service again:

   [seal]
   recovery_recipients = [\"{recipient}\"]

2. Store {name} and this page in a safe, the passphrase in another place, and neither on a server.
3. Test it, now and once a year, with a new archive:

   strongroom archive verify ARCHIVE --identity {name} --passphrase-file -{signer}

When everything else is lost, the program age (https://age-encryption.org){since} opens the archive. The result is
an ordinary ZIP of JSON files.

   age -d -i {name} -o backup.zip ARCHIVE
   unzip backup.zip

It does not open archives that were sealed before it was configured; `strongroom archive reseal` makes copies that it
opens.
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_what_is_needed() {
        let (public, _) = generate(false);
        let page = page("recovery.key", &public, true);
        for needed in [
            "age -d -i recovery.key",
            &format!("recovery_recipients = [\"{public}\"]"),
            "--signer recovery.key.signer",
        ] {
            assert!(page.contains(needed), "{needed}");
        }
        assert_eq!(beside(Path::new("a/k.age"), "txt"), Path::new("a/k.age.txt"));
    }
}
