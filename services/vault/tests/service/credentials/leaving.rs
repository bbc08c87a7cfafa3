//! Clients that leave at any moment of a call: no connection keeps the transaction that the call was about to begin.
//! Otherwise, the statements of the connection's next user would never be committed, or would be refused.

use std::time::{Duration, Instant};

use strongroom_api::vault::v1::ListCredentialsRequest;
use strongroom_testkit::requests::{credential, secret_of};
use tokio::task::JoinSet;

use crate::support::TestVault;

/// Number of calls whose clients leave, and of different moments at which they do.
const CALLS: u32 = 800;
const MOMENTS: u32 = 80;
const MOMENT: Duration = Duration::from_micros(50);

#[tokio::test]
async fn a_client_that_leaves_leaves_no_transaction() {
    for vault in TestVault::each().await {
        let mut admin = vault.admin().await;
        let id = admin.create(credential("One")).await.id;
        for call in 0..CALLS {
            let mut clients = admin.clone();
            let left = tokio::spawn(async move {
                let _ = clients.credentials.list_credentials(ListCredentialsRequest::default()).await;
            });
            let until = Instant::now() + MOMENT * (call % MOMENTS);
            while Instant::now() < until {
                tokio::task::yield_now().await;
            }
            left.abort();
        }
        let mut writing = JoinSet::new();
        for number in 0..40 {
            let (mut clients, id) = (admin.clone(), id.clone());
            writing.spawn(async move {
                let _ = clients.create(credential(&number.to_string())).await;
                assert_eq!(clients.reveal(&id).await.unwrap(), secret_of("One"));
            });
        }
        while let Some(written) = writing.join_next().await {
            written.unwrap();
        }
        assert_eq!(vault.number("SELECT count(*) FROM credentials"), 41);
        let revealed = "SELECT count(*) FROM audit_logs WHERE event = 'credential.revealed'";
        assert_eq!(vault.number(revealed), 40, "a plaintext has left without its event");
    }
}
