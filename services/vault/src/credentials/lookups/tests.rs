//! Tests with a table that records the keys and selections of its look-ups.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Mutex;

use strongroom_store::Error as StoreError;
use tokio::sync::Semaphore;

use super::*;

type Asked = Arc<Mutex<Vec<(Vec<u32>, Vec<String>)>>>;

/// Finds even numbers and returns their doubles; the number 99 is an error.
struct Doubles {
    asked: Asked,
    open: Arc<Semaphore>,
}

#[async_trait]
impl Table for Doubles {
    type Key = u32;
    type Found = u32;

    async fn find(&self, keys: &[u32], selection: &Selectors) -> Result<BTreeMap<u32, u32>> {
        self.open.acquire().await.unwrap().forget();
        self.asked.lock().unwrap().push((keys.to_vec(), selection.providers.clone()));
        if keys.contains(&99) {
            return Err(StoreError::Url("refused"));
        }
        Ok(keys.iter().filter(|key| *key % 2 == 0).map(|key| (*key, key * 2)).collect())
    }
}

struct Bench {
    lookups: Arc<Lookups<Doubles>>,
    asked: Asked,
    open: Arc<Semaphore>,
}

impl Bench {
    fn new() -> Self {
        let (asked, open) = (Asked::default(), Arc::new(Semaphore::new(0)));
        let table = Doubles { asked: Arc::clone(&asked), open: Arc::clone(&open) };
        Self { lookups: Arc::new(Lookups::new(table)), asked, open }
    }

    /// Looks up in a separate task, and lets it run until it blocks.
    async fn ask(&self, key: u32, provider: &str) -> tokio::task::JoinHandle<Result<Option<u32>, Error>> {
        let lookups = Arc::clone(&self.lookups);
        let selection = Arc::new(Selectors { providers: vec![provider.into()], ..Selectors::default() });
        let asking = tokio::spawn(async move { lookups.get(key, &selection).await });
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        asking
    }
}

#[tokio::test]
async fn lookups_that_wait_share_a_statement_with_those_of_their_selection_only() {
    let bench = Bench::new();
    let mut asking = vec![bench.ask(2, "a").await];
    for (key, provider) in [(4, "a"), (5, "a"), (4, "b"), (4, "a"), (6, "b")] {
        asking.push(bench.ask(key, provider).await);
    }
    bench.open.add_permits(3);
    let mut found = Vec::new();
    for one in asking {
        found.push(one.await.unwrap().unwrap());
    }
    assert_eq!(found, [Some(4), Some(8), None, Some(8), Some(8), Some(12)]);
    let asked = |keys: &[u32], provider: &str| (keys.to_vec(), vec![provider.to_owned()]);
    assert_eq!(*bench.asked.lock().unwrap(), [asked(&[2], "a"), asked(&[4, 5], "a"), asked(&[4, 6], "b")]);
}

#[tokio::test]
async fn a_failed_statement_fails_its_callers_and_the_next_one_works() {
    let bench = Bench::new();
    bench.open.add_permits(2);
    let failed = bench.ask(99, "a").await.await.unwrap();
    assert!(matches!(failed, Err(Error::Lookup(_))));
    assert_eq!(bench.ask(2, "a").await.await.unwrap().unwrap(), Some(4));
}
