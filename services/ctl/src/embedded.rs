//! Both services in this process, as `dev` and `demo` run them.
//!
//! They speak gRPC over loopback, each with its own token, exactly as two processes would. The backup service is
//! stopped first: it records the end of running exports in the vault.

mod health;
mod settings;
mod tokens;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, anyhow};
use strongroom_runtime::client::{Bearer, Target};
use strongroom_runtime::server::{TlsConfig, listen};
use strongroom_runtime::{Shutdown, SystemClock, admin};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(crate) use settings::{RECOVERY_KEY, Settings};

use crate::client::{Connection, Environment, Service};
use crate::files;

/// Both services, running and answering.
pub(crate) struct Embedded {
    vault: Running,
    backup: Running,
}

/// One service in its own task.
struct Running {
    service: Service,
    target: Target,
    stop: Shutdown,
    task: JoinHandle<Result<()>>,
}

impl Embedded {
    /// Starts both and waits until they answer. Creates `data_dir` if it is missing.
    ///
    /// # Errors
    /// One sentence that says why one of them could not start; the other is then stopped.
    pub(crate) async fn start(mut settings: Settings, data_dir: &Path) -> Result<Self> {
        // Both ports first: a port in use is the most likely failure, and nothing has happened yet.
        let (vault, backup) = (&settings.vault, &settings.backup.backup);
        let vault_listener = listen(vault.listen, vault.tls.as_ref(), vault.plaintext).await?;
        let backup_listener = listen(backup.listen, backup.tls.as_ref(), backup.plaintext).await?;
        let vault_admin = admin_listener(settings.vault_admin()?).await?;
        let backup_admin = admin_listener(settings.backup_admin()?).await?;
        files::create_private_dir(data_dir)?;
        settings.complete(data_dir)?;
        let admin_token_file = settings.vault.admin_token_file.clone().unwrap_or_default();
        let mut vault = Running::vault(settings.vault, vault_listener, vault_admin)?;
        vault.until_healthy().await?;

        let backup = &mut settings.backup.backup;
        if Settings::is_unset(backup) {
            backup.vault = vault.target.clone();
        }
        if backup.token_file.is_none() {
            let token_file = data_dir.join("backup.token");
            tokens::ensure(&vault.connection(&admin_token_file)?, &token_file).await?;
            backup.token_file = Some(token_file);
        }
        let mut backup = Running::backup(settings.backup, backup_listener, backup_admin)?;
        backup.until_healthy().await?;
        Ok(Self { vault, backup })
    }

    /// Connection settings of the vault.
    pub(crate) fn vault(&self) -> &Target {
        &self.vault.target
    }

    /// Connection settings of the backup service.
    pub(crate) fn backup(&self) -> &Target {
        &self.backup.target
    }

    /// Serves until `shutdown`, then stops both.
    ///
    /// # Errors
    /// The reason why either of them ended before `shutdown`.
    pub(crate) async fn serve_until(mut self, shutdown: &Shutdown) -> Result<()> {
        let ended = tokio::select! {
            () = shutdown.begun() => Ok(()),
            ended = self.vault.ended() => Err(ended),
            ended = self.backup.ended() => Err(ended),
        };
        let stopped = self.stop().await;
        ended.and(stopped)
    }

    /// Stops both and waits for their end.
    pub(crate) async fn stop(self) -> Result<()> {
        let backup = self.backup.stop().await;
        let vault = self.vault.stop().await;
        backup.and(vault)
    }
}

impl Running {
    fn vault(
        config: strongroom_vault::VaultConfig,
        listener: TcpListener,
        admin: Option<TcpListener>,
    ) -> Result<Self> {
        let target = target(listener.local_addr()?, config.tls.as_ref());
        let stop = Shutdown::new();
        let serving = strongroom_vault::serve(config, listener, admin, Arc::new(SystemClock), stop.clone());
        let task = tokio::spawn(async move { Ok(serving.await?) });
        Ok(Self { service: Service::Vault, target, stop, task })
    }

    fn backup(
        config: strongroom_backup::Config,
        listener: TcpListener,
        admin: Option<TcpListener>,
    ) -> Result<Self> {
        let target = target(listener.local_addr()?, config.backup.tls.as_ref());
        let stop = Shutdown::new();
        let serving = strongroom_backup::serve(config, listener, admin, Arc::new(SystemClock), stop.clone());
        let task = tokio::spawn(async move { Ok(serving.await?) });
        Ok(Self { service: Service::Backup, target, stop, task })
    }

    async fn until_healthy(&mut self) -> Result<()> {
        let target = self.target.clone();
        let service = self.service;
        tokio::select! {
            healthy = health::wait(&target, service) => healthy,
            ended = self.ended() => Err(ended),
        }
    }

    /// Waits for an unexpected end, and returns its reason.
    async fn ended(&mut self) -> anyhow::Error {
        match (&mut self.task).await {
            Ok(Err(error)) => error,
            Ok(Ok(())) => anyhow!("{} ended unexpectedly", self.service.name()),
            Err(panic) => anyhow!("{} failed: {panic}", self.service.name()),
        }
    }

    async fn stop(mut self) -> Result<()> {
        // If it ended unexpectedly, it has already reported the reason.
        if self.task.is_finished() {
            return Ok(());
        }
        self.stop.begin();
        (&mut self.task).await?
    }

    fn connection(&self, token_file: &Path) -> Result<Connection> {
        let token = files::read_token(token_file)?;
        Connection::new(self.service, &self.target, Bearer::new(&token)?)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.begin();
    }
}

async fn admin_listener(address: Option<SocketAddr>) -> Result<Option<TcpListener>> {
    match address {
        Some(address) => Ok(Some(admin::listen(address).await?)),
        None => Ok(None),
    }
}

/// How this process reaches a service that listens on `address`. The certificate of a TLS service is checked for
/// `localhost` against the file in STRONGROOM_CA_FILE, as in a client's call.
fn target(address: SocketAddr, tls: Option<&TlsConfig>) -> Target {
    if tls.is_some() {
        return Environment::of_process().trusting(format!("https://localhost:{}", address.port()));
    }
    let reachable = match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => format!("127.0.0.1:{}", v4.port()),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => format!("[::1]:{}", v6.port()),
        given => given.to_string(),
    };
    // The service is in this process, and its listen address was already allowed.
    Target { url: format!("http://{reachable}"), plaintext: true, ..Target::default() }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn every_address_is_reached_from_this_machine() {
        for (listening, url) in [
            ("0.0.0.0:1", "http://127.0.0.1:1"),
            ("[::]:1", "http://[::1]:1"),
            ("[::1]:1", "http://[::1]:1"),
            ("192.0.2.1:1", "http://192.0.2.1:1"),
        ] {
            assert_eq!(target(listening.parse().unwrap(), None).url, url);
        }
    }
}
