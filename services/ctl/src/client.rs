//! Connecting to the services: addresses, tokens and certificates from the environment, and a deadline for each call.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use strongroom_api::backup::v1::backup_service_client::BackupServiceClient;
use strongroom_api::backup::v1::drill_service_client::DrillServiceClient;
use strongroom_api::backup::v1::restore_service_client::RestoreServiceClient;
use strongroom_api::backup::v1::schedule_service_client::ScheduleServiceClient;
use strongroom_api::backup::v1::tables_service_client::TablesServiceClient;
use strongroom_api::status::v1::status_service_client::StatusServiceClient;
use strongroom_api::vault::v1::audit_service_client::AuditServiceClient;
use strongroom_api::vault::v1::credential_service_client::CredentialServiceClient;
use strongroom_api::vault::v1::crypto_service_client::CryptoServiceClient;
use strongroom_api::vault::v1::key_service_client::KeyServiceClient;
use strongroom_api::vault::v1::person_service_client::PersonServiceClient;
use strongroom_api::vault::v1::reference_service_client::ReferenceServiceClient;
use strongroom_api::vault::v1::restore_grant_service_client::RestoreGrantServiceClient;
use strongroom_api::vault::v1::seal_service_client::SealServiceClient;
use strongroom_api::vault::v1::token_service_client::TokenServiceClient;
use strongroom_runtime::client::{AuthorizedChannel, Bearer, Target};
use strongroom_runtime::secret_file;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_client::HealthClient;

use crate::error::{CallFailed, Local, Refused};

/// Time limit for a single answer. Streams have no such limit here; the server ends them.
const DEADLINE: Duration = Duration::from_secs(30);

/// Time limit for work that grows with the audit log.
const LONG_DEADLINE: Duration = Duration::from_secs(3600);

/// Prefix of every token.
const TOKEN_PREFIX: &str = "srt_";

/// Number of resources requested per page of a list.
pub(crate) const PAGE_SIZE: i32 = 500;

/// Vaults of earlier releases answer with pages larger than tonic's 4 MiB.
const MAX_MESSAGE: usize = 64 << 20;

/// A service to call.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Service {
    /// Secrets, tokens, the audit log.
    Vault,
    /// Archives.
    Backup,
}

impl Service {
    /// The variable that holds its address.
    pub(crate) fn variable(self) -> &'static str {
        match self {
            Self::Vault => "STRONGROOM_VAULT_URL",
            Self::Backup => "STRONGROOM_BACKUP_URL",
        }
    }

    fn default_url(self) -> &'static str {
        match self {
            Self::Vault => "http://127.0.0.1:7601",
            Self::Backup => "http://127.0.0.1:7602",
        }
    }

    /// Its name in sentences.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Vault => "the vault",
            Self::Backup => "the backup service",
        }
    }
}

/// Environment variables of the process, or of a test.
pub(crate) struct Environment<L>(L);

impl Environment<fn(&str) -> Option<OsString>> {
    /// The process's own environment.
    pub(crate) fn of_process() -> Self {
        Self(|name| std::env::var_os(name))
    }
}

impl<L: Fn(&str) -> Option<OsString>> Environment<L> {
    /// The value of a variable that is set and not empty.
    fn text(&self, name: &str) -> Result<Option<String>> {
        let Some(value) = self.0(name).filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        // The value may be a secret, so it is not repeated.
        value.into_string().map(Some).ok().with_context(|| format!("{name} is not valid UTF-8"))
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.0(name).filter(|value| !value.is_empty()).map(PathBuf::from)
    }

    /// The address of `service`, and how to trust it.
    pub(crate) fn target(&self, service: Service) -> Result<Target> {
        let url = self.text(service.variable())?;
        Ok(self.trusting(url.unwrap_or_else(|| service.default_url().to_owned())))
    }

    /// `url` with the certificates that the environment names.
    pub(crate) fn trusting(&self, url: String) -> Target {
        Target {
            url,
            ca_file: self.path("STRONGROOM_CA_FILE"),
            cert_file: self.path("STRONGROOM_CERT_FILE"),
            key_file: self.path("STRONGROOM_KEY_FILE"),
            plaintext: self.0("STRONGROOM_PLAINTEXT").is_some_and(|value| value == "true"),
        }
    }

    /// Whether a token is set.
    fn has_token(&self) -> Result<bool> {
        Ok(self.text("STRONGROOM_TOKEN")?.is_some() || self.path("STRONGROOM_TOKEN_FILE").is_some())
    }

    /// Whether a client certificate is set, which can identify the caller.
    fn has_certificate(&self) -> bool {
        self.path("STRONGROOM_CERT_FILE").is_some()
    }

    /// The token to send. None is needed with a certificate.
    fn token(&self) -> Result<Bearer> {
        if let Some(token) = self.text("STRONGROOM_TOKEN")? {
            return bearer(&token).context("STRONGROOM_TOKEN");
        }
        let Some(file) = self.path("STRONGROOM_TOKEN_FILE") else {
            if self.has_certificate() {
                return Ok(Bearer::none());
            }
            let sentence = "no token: set STRONGROOM_TOKEN_FILE to a file that holds one, or STRONGROOM_TOKEN; or set \
                 STRONGROOM_CERT_FILE and STRONGROOM_KEY_FILE to a certificate that the vault knows";
            bail!(Refused::new(Local::TokenMissing, sentence));
        };
        let named = || format!("the token in STRONGROOM_TOKEN_FILE {}", file.display());
        let token = secret_file::read_text(&file).with_context(named)?;
        bearer(&token).with_context(named)
    }
}

/// Refuses text that is not a token: another file, such as one with a root key, must not be sent over the network.
fn bearer(text: &str) -> Result<Bearer> {
    let bearer = Bearer::new(text)?;
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if !text.starts_with(TOKEN_PREFIX) {
        bail!("it is not a token: a token begins with {TOKEN_PREFIX}");
    }
    Ok(bearer)
}

/// A connection to the vault that is configured in the environment.
pub(crate) fn vault() -> Result<Connection> {
    connect(Service::Vault)
}

/// [`vault`], if the environment has a token or a certificate.
pub(crate) fn vault_if_allowed() -> Result<Option<Connection>> {
    let environment = Environment::of_process();
    (environment.has_token()? || environment.has_certificate()).then(vault).transpose()
}

/// A connection to the backup service that is configured in the environment.
pub(crate) fn backup() -> Result<Connection> {
    connect(Service::Backup)
}

fn connect(service: Service) -> Result<Connection> {
    let environment = Environment::of_process();
    Connection::new(service, &environment.target(service)?, environment.token()?)
}

/// A connection to a service with the caller's token. It connects at the first call.
pub(crate) struct Connection {
    service: Service,
    url: String,
    channel: AuthorizedChannel,
}

impl Connection {
    /// # Errors
    /// When the address is invalid, or a certificate cannot be read.
    pub(crate) fn new(service: Service, target: &Target, token: Bearer) -> Result<Self> {
        let channel = target.authorized(token)?;
        Ok(Self { service, url: target.url.clone(), channel })
    }

    /// Waits for a unary call; turns a refusal into the sentence that an operator reads.
    pub(crate) async fn answer<T>(
        &self,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T> {
        Ok(call.await.map_err(|status| self.failed(&status))?.into_inner())
    }

    /// The sentence for `status` from this service.
    pub(crate) fn failed(&self, status: &Status) -> CallFailed {
        CallFailed::new(status, self.service.name(), &self.url, self.service.variable())
    }

    /// The address as it was given: `http://…`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The service.
    pub(crate) fn service(&self) -> Service {
        self.service
    }

    pub(crate) fn status(&self) -> StatusServiceClient<AuthorizedChannel> {
        StatusServiceClient::new(self.channel.clone())
    }

    pub(crate) fn health(&self) -> HealthClient<AuthorizedChannel> {
        HealthClient::new(self.channel.clone())
    }

    pub(crate) fn credentials(&self) -> CredentialServiceClient<AuthorizedChannel> {
        CredentialServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE)
    }

    pub(crate) fn references(&self) -> ReferenceServiceClient<AuthorizedChannel> {
        ReferenceServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE)
    }

    pub(crate) fn tokens(&self) -> TokenServiceClient<AuthorizedChannel> {
        TokenServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE)
    }

    pub(crate) fn people(&self) -> PersonServiceClient<AuthorizedChannel> {
        PersonServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE)
    }

    pub(crate) fn keys(&self) -> KeyServiceClient<AuthorizedChannel> {
        KeyServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE)
    }

    pub(crate) fn crypto(&self) -> CryptoServiceClient<AuthorizedChannel> {
        CryptoServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE)
    }

    pub(crate) fn seals(&self) -> SealServiceClient<AuthorizedChannel> {
        SealServiceClient::new(self.channel.clone())
    }

    pub(crate) fn audit(&self) -> AuditServiceClient<AuthorizedChannel> {
        AuditServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE)
    }

    pub(crate) fn restores(&self) -> RestoreServiceClient<AuthorizedChannel> {
        RestoreServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE)
    }

    pub(crate) fn drills(&self) -> DrillServiceClient<AuthorizedChannel> {
        DrillServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE)
    }

    pub(crate) fn schedules(&self) -> ScheduleServiceClient<AuthorizedChannel> {
        ScheduleServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE)
    }

    pub(crate) fn tables(&self) -> TablesServiceClient<AuthorizedChannel> {
        TablesServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE)
    }

    pub(crate) fn restore_grants(&self) -> RestoreGrantServiceClient<AuthorizedChannel> {
        RestoreGrantServiceClient::new(self.channel.clone())
    }

    pub(crate) fn backups(&self) -> BackupServiceClient<AuthorizedChannel> {
        BackupServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE)
    }
}

/// A request for one answer, with a deadline that the service gets too.
pub(crate) fn unary<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(DEADLINE);
    request
}

/// [`unary`] for an answer that can take long.
pub(crate) fn long<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(LONG_DEADLINE);
    request
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn environment(pairs: &'static [(&str, &str)]) -> Environment<impl Fn(&str) -> Option<OsString>> {
        Environment(|name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into()))
    }

    #[test]
    fn addresses_have_defaults() {
        let unset = environment(&[("STRONGROOM_VAULT_URL", "")]);
        assert_eq!(unset.target(Service::Vault).unwrap().url, "http://127.0.0.1:7601");
        let set = environment(&[("STRONGROOM_BACKUP_URL", "https://b:1"), ("STRONGROOM_CA_FILE", "ca.pem")]);
        let target = set.target(Service::Backup).unwrap();
        assert_eq!((target.url.as_str(), target.ca_file), ("https://b:1", Some("ca.pem".into())));
    }

    #[test]
    fn a_token_is_wanted_and_never_repeated() {
        let error = environment(&[]).token().err().unwrap();
        assert!(error.to_string().contains("STRONGROOM_TOKEN_FILE"), "{error}");
        let error = environment(&[("STRONGROOM_TOKEN", "srt_\u{7f}hidden")]).token().err().unwrap();
        let shown = format!("{error:#}");
        assert!(shown.contains("STRONGROOM_TOKEN") && !shown.contains("hidden"), "{shown}");
        let error = environment(&[("STRONGROOM_TOKEN_FILE", "/nowhere/token")]).token().err().unwrap();
        assert!(error.to_string().contains("/nowhere/token"), "{error}");
    }

    #[test]
    fn a_certificate_stands_in_for_a_token() {
        let certified = environment(&[("STRONGROOM_CERT_FILE", "c"), ("STRONGROOM_KEY_FILE", "k")]);
        assert!(certified.token().is_ok() && !certified.has_token().unwrap());
        let broken = environment(&[("STRONGROOM_CERT_FILE", "c"), ("STRONGROOM_TOKEN_FILE", "/nowhere")]);
        assert!(broken.token().is_err(), "a token that is named is sent");
    }

    #[test]
    fn an_empty_token_is_called_empty() {
        for empty in [" ", "\u{feff}", "\r\n"] {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), empty).unwrap();
            let path = file.path().as_os_str().to_owned();
            let environment =
                Environment(move |name: &str| (name == "STRONGROOM_TOKEN_FILE").then(|| path.clone()));
            let error = format!("{:#}", environment.token().err().unwrap());
            assert!(error.contains("STRONGROOM_TOKEN_FILE") && error.contains("empty"), "{error}");
        }
    }
}
