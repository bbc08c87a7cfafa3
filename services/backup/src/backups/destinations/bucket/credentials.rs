//! Credentials from a file in the format of `~/.aws/credentials`, read for each request: when they are renewed, the
//! file is replaced, and the next part is signed with the new ones.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use object_store::CredentialProvider;
use object_store::aws::AwsCredential;
use strongroom_runtime::secret_file;
use zeroize::Zeroizing;

use crate::error::{Error, Result};

const SECTION: &str = "[default]";

/// The file, and the credentials last read from it.
pub(super) struct FileCredentials {
    path: PathBuf,
    last: Mutex<Arc<AwsCredential>>,
}

impl std::fmt::Debug for FileCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FileCredentials({})", self.path.display())
    }
}

impl FileCredentials {
    /// # Errors
    /// [`Error::Runtime`] for a file that cannot be read or that others can read, [`Error::Config`] for one without
    /// credentials.
    pub(super) fn load(path: PathBuf) -> Result<Self> {
        let last = Mutex::new(Arc::new(read(&path)?));
        Ok(Self { path, last })
    }
}

#[async_trait::async_trait]
impl CredentialProvider for FileCredentials {
    type Credential = AwsCredential;

    /// If the file cannot be used now, because it is being written, the previous credentials stay in use.
    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let path = self.path.clone();
        let read = tokio::task::spawn_blocking(move || read(&path)).await;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match read.unwrap_or_else(|error| Err(error.into())) {
            Ok(credential) => *last = Arc::new(credential),
            Err(error) => tracing::warn!(%error, "the previous credentials stay in use"),
        }
        Ok(Arc::clone(&last))
    }
}

fn read(path: &Path) -> Result<AwsCredential> {
    let text = Zeroizing::new(secret_file::read_text(path)?);
    parse(&text)
        .map_err(|problem| Error::Config(format!("the credentials file {}: {problem}", path.display())))
}

fn parse(text: &str) -> std::result::Result<AwsCredential, String> {
    let lines = text.lines().map(str::trim).skip_while(|line| *line != SECTION).skip(1);
    let section = lines.take_while(|line| !line.starts_with('['));
    let pairs =
        section.filter_map(|line| line.split_once('=')).map(|(key, value)| (key.trim(), value.trim()));
    let value = |wanted: &str| {
        let mut pairs = pairs.clone().filter(|(key, value)| *key == wanted && !value.is_empty());
        pairs.next().map(|(_, value)| value.to_owned())
    };
    let needed = |key: &str| value(key).ok_or_else(|| format!("its section {SECTION} has no {key}"));
    Ok(AwsCredential {
        key_id: needed("aws_access_key_id")?,
        secret_key: needed("aws_secret_access_key")?,
        token: value("aws_session_token"),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_section_default_is_read_and_no_other() {
        let text = "[old]\naws_access_key_id = no\n\n# now\n[default]\n aws_access_key_id = AK\n\
            aws_secret_access_key=s3/cr=et+\nregion = x\n[other]\naws_session_token = no\n";
        let found = parse(text).unwrap();
        assert_eq!((found.key_id.as_str(), found.secret_key.as_str()), ("AK", "s3/cr=et+"));
        assert_eq!(found.token, None);
        let with_token = text.replace("region = x", "aws_session_token = t");
        assert_eq!(parse(&with_token).unwrap().token.as_deref(), Some("t"));
    }

    #[test]
    fn a_file_without_credentials_is_refused_without_repeating_it() {
        for (text, missing) in [
            ("", "aws_access_key_id"),
            ("aws_access_key_id = AK\naws_secret_access_key = hunter2", "aws_access_key_id"),
            ("[default]\naws_access_key_id = AK\naws_secret_access_key =", "aws_secret_access_key"),
        ] {
            let problem = parse(text).unwrap_err();
            assert!(problem.contains(missing) && !problem.contains("hunter2"), "{problem}");
        }
    }
}
