//! Waiting until a service answers.

use std::time::Duration;

use anyhow::{Result, bail};
use strongroom_runtime::client::Target;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::client::Service;

/// Time limit for a start: the database can be far away, or the machine busy.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);
/// Time limit for one try: a bound socket that is not served yet accepts connections but does not answer.
const ONE_TRY: Duration = Duration::from_secs(1);

/// Polls until the answer is SERVING.
///
/// # Errors
/// The last answer, if SERVING has not arrived within a minute.
pub(super) async fn wait(target: &Target, service: Service) -> Result<()> {
    let mut client = HealthClient::new(target.channel()?);
    let mut last = "no answer yet".to_owned();
    let asking = async {
        loop {
            match check(&mut client).await {
                Ok(()) => return,
                Err(answer) => last = answer,
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    if tokio::time::timeout(PATIENCE, asking).await.is_err() {
        bail!("{} at {} is not ready after {} s: {last}", service.name(), target.url, PATIENCE.as_secs());
    }
    Ok(())
}

async fn check(client: &mut HealthClient<Channel>) -> Result<(), String> {
    let asked = client.check(HealthCheckRequest { service: String::new() });
    let answer = tokio::time::timeout(ONE_TRY, asked).await.map_err(|_| "no answer".to_owned())?;
    match answer {
        Ok(answer) if answer.get_ref().status() == ServingStatus::Serving => Ok(()),
        Ok(_) => Err("it is not serving".to_owned()),
        Err(status) => Err(status.message().to_owned()),
    }
}
