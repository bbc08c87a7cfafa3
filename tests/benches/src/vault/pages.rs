//! Pages of 100 credentials at both ends of a long list.

use std::time::Instant;

use strongroom_api::vault::v1::ListCredentialsRequest;
use strongroom_api::vault::v1::credential_service_client::CredentialServiceClient;
use strongroom_runtime::client::AuthorizedChannel;

use super::server::BenchVault;
use super::{Plan, median};

const PAGE: i32 = 100;
const REPEATS: usize = 21;

pub(super) async fn measure(vaults: &[BenchVault], plan: Plan) {
    for vault in vaults {
        let mut client = CredentialServiceClient::new(vault.channel());
        let first = page_time(&mut client, "").await;
        let token = token_of_last_page(&mut client).await;
        let last = page_time(&mut client, &token).await;
        println!(
            "page of {PAGE} of {} credentials on {:<12} first {first:>6.2} ms, last {last:>6.2} ms (budget 5)",
            plan.credentials, vault.name
        );
    }
}

/// Median milliseconds.
async fn page_time(client: &mut CredentialServiceClient<AuthorizedChannel>, token: &str) -> f64 {
    let mut times = Vec::new();
    for _ in 0..REPEATS {
        let request =
            ListCredentialsRequest { page_size: PAGE, page_token: token.into(), ..Default::default() };
        let began = Instant::now();
        client.list_credentials(request).await.unwrap();
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    median(times)
}

/// Reads the list in the largest pages and returns the token of the last one.
async fn token_of_last_page(client: &mut CredentialServiceClient<AuthorizedChannel>) -> String {
    let mut token = String::new();
    loop {
        let request =
            ListCredentialsRequest { page_size: 1000, page_token: token.clone(), ..Default::default() };
        let next = client.list_credentials(request).await.unwrap().into_inner().next_page_token;
        if next.is_empty() {
            return token;
        }
        token = next;
    }
}
