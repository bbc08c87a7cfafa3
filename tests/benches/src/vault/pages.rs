//! Pages of 100 credentials at both ends of a long list.

use std::time::Instant;

use strongroom_api::vault::v1::ListCredentialsRequest;
use strongroom_api::vault::v1::credential_service_client::CredentialServiceClient;
use strongroom_runtime::client::AuthorizedChannel;
use strongroom_store::Engine;

use super::server::BenchVault;
use super::{Plan, median};

const PAGE: i32 = 100;
const REPEATS: usize = 21;

pub(super) async fn measure(vaults: &[BenchVault], plan: Plan) {
    for vault in vaults {
        fill(vault, plan.credentials);
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

/// Rows as the vault writes them, ids ascending like UUIDv7; the secrets open nowhere.
fn fill(vault: &BenchVault, credentials: u32) {
    let numbers = match vault.database.url().engine() {
        Engine::Sqlite(_) => format!(
            "(WITH RECURSIVE counter (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counter WHERE n < {credentials})
              SELECT n FROM counter) AS numbers"
        ),
        Engine::Postgres(_) => format!("generate_series(1, {credentials}) AS numbers (n)"),
    };
    let id = match vault.database.url().engine() {
        Engine::Sqlite(_) => "printf('ff%08d-0000-7000-8000-000000000000', n)",
        Engine::Postgres(_) => "'ff' || lpad(n::text, 8, '0') || '-0000-7000-8000-000000000000'",
    };
    vault.database.run(&format!(
        "INSERT INTO credentials (id, display_name, provider, secret, preview, active, create_time, update_time, revision)
         SELECT {id}, 'Credential ' || n, 'openai', 'srv1.0000000000000000.' || n, 'sk-...123', TRUE, n, n, 1
         FROM {numbers}"
    ));
    vault.database.run("ANALYZE");
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

/// Walks the list in the biggest pages; where the last of them begins.
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
