//! Streams that end when the client stops reading.
//!
//! The source of a stream often holds a resource at others' expense: a snapshot keeps a database from cleaning up. A
//! separate task drives the source here, so that a client that stops reading, and therefore polls nothing, cannot hold
//! on to it.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Code, Status};

use crate::status::status;

/// Time limits of a stream.
#[derive(Debug, Clone, Copy)]
pub struct StreamLimits {
    /// How long the client may read nothing.
    pub idle: Duration,
    /// How long the stream may last in total.
    pub total: Duration,
}

/// A minute without a read, an hour in total.
impl Default for StreamLimits {
    fn default() -> Self {
        Self { idle: Duration::from_secs(60), total: Duration::from_secs(3600) }
    }
}

/// Items that may wait for the client.
const AHEAD: usize = 1;

/// `source` within `limits`. When a limit is reached, `source` is dropped at once, and the client gets
/// DEADLINE_EXCEEDED (reason `STREAM_LIMIT`, with `domain`) after the items that were waiting for it. Dropping the
/// returned stream drops `source` too. At most two items are read ahead.
pub fn limited<T: Send + 'static>(
    source: impl Stream<Item = Result<T, Status>> + Send + 'static,
    limits: StreamLimits,
    domain: &'static str,
) -> LimitedStream<T> {
    let (sender, items) = mpsc::channel(AHEAD);
    let end = Arc::new(OnceLock::new());
    let mut task = JoinSet::new();
    task.spawn(drive(source, limits, domain, sender, Arc::clone(&end)));
    LimitedStream { items, end, _task: task }
}

/// The stream that [`limited`] returns.
pub struct LimitedStream<T> {
    items: mpsc::Receiver<Result<T, Status>>,
    /// Why the task ended: `None` if the source ended. Unset if the task panicked.
    end: Arc<OnceLock<Option<Status>>>,
    /// Aborted when dropped.
    _task: JoinSet<()>,
}

async fn drive<T>(
    source: impl Stream<Item = Result<T, Status>>,
    limits: StreamLimits,
    domain: &str,
    sender: mpsc::Sender<Result<T, Status>>,
    end: Arc<OnceLock<Option<Status>>>,
) {
    // Always dropped before the client learns of the end.
    let reason = {
        let feeding = tokio::time::timeout(limits.total, feed(source, limits.idle, &sender));
        match feeding.await {
            Ok(Ok(())) => None,
            Ok(Err(Stalled)) => Some(format!(
                "the client read nothing for {} s, and the stream's source is held no longer; call again and \
                 read without a pause",
                limits.idle.as_secs_f32()
            )),
            Err(_) => {
                Some(format!("the stream lasted longer than {} s; ask for less", limits.total.as_secs_f32()))
            }
        }
    };
    let refusal = reason.map(|reason| status(Code::DeadlineExceeded, domain, "STREAM_LIMIT", &reason, &[]));
    let _ = end.set(refusal);
}

/// The client read nothing for too long.
struct Stalled;

async fn feed<T>(
    source: impl Stream<Item = Result<T, Status>>,
    idle: Duration,
    sender: &mpsc::Sender<Result<T, Status>>,
) -> Result<(), Stalled> {
    tokio::pin!(source);
    while let Some(item) = source.next().await {
        match tokio::time::timeout(idle, sender.send(item)).await {
            Ok(Ok(())) => {}
            // The client has left.
            Ok(Err(_)) => break,
            Err(_) => return Err(Stalled),
        }
    }
    Ok(())
}

impl<T> Stream for LimitedStream<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(item) = ready!(self.items.poll_recv(context)) {
            return Poll::Ready(Some(item));
        }
        // Reported once; a stream that ended in a panic must not look complete.
        let broken =
            "the stream broke off: the task that fills it died in the service; ask for the stream again";
        let failed = || Some(Status::internal(broken));
        let end = Arc::clone(&self.end);
        let told = end.get().cloned().unwrap_or_else(failed);
        self.end = Arc::new(OnceLock::from(None));
        Poll::Ready(told.map(Err))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::status::reason_of;

    /// Records that the source is dropped.
    struct Held(Arc<AtomicBool>);

    impl Drop for Held {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    fn numbers(held: Held, pause: Duration) -> impl Stream<Item = Result<u32, Status>> + Send {
        async_stream::stream! {
            let _held = held;
            for number in 0..100 {
                tokio::time::sleep(pause).await;
                yield Ok(number);
            }
        }
    }

    fn start(pause: Duration) -> (LimitedStream<u32>, Arc<AtomicBool>) {
        let dropped = Arc::new(AtomicBool::new(false));
        let limits = StreamLimits { idle: Duration::from_secs(60), total: Duration::from_secs(3600) };
        (limited(numbers(Held(Arc::clone(&dropped)), pause), limits, "test.strongroom"), dropped)
    }

    async fn assert_ended(mut stream: LimitedStream<u32>, message: &str) -> usize {
        let mut taken = 0;
        loop {
            match stream.next().await.unwrap() {
                Ok(_) => taken += 1,
                Err(status) => {
                    assert_eq!(
                        (status.code(), &*reason_of(&status)),
                        (Code::DeadlineExceeded, "STREAM_LIMIT")
                    );
                    assert!(status.message().contains(message), "{}", status.message());
                    assert!(stream.next().await.is_none(), "it is told once");
                    return taken;
                }
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_gets_everything() {
        let (mut stream, dropped) = start(Duration::from_secs(30));
        for number in 0..100 {
            assert_eq!(stream.next().await.unwrap().unwrap(), number);
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        assert!(stream.next().await.is_none());
        assert!(dropped.load(Ordering::SeqCst));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_stops_does_not_hold_the_source() {
        let (mut stream, dropped) = start(Duration::ZERO);
        stream.next().await.unwrap().unwrap();
        tokio::time::sleep(Duration::from_secs(59)).await;
        assert!(!dropped.load(Ordering::SeqCst));
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(dropped.load(Ordering::SeqCst), "the source is held for a client that takes nothing");
        assert!(assert_ended(stream, "read nothing for 60 s").await <= AHEAD);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_lasts_too_long_is_ended() {
        let (stream, dropped) = start(Duration::from_secs(70));
        let began = tokio::time::Instant::now();
        let taken = assert_ended(stream, "longer than 3600 s").await;
        assert_eq!((taken, began.elapsed().as_secs()), (51, 3600));
        assert!(dropped.load(Ordering::SeqCst));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_leaves_drops_the_source() {
        let (mut stream, dropped) = start(Duration::from_secs(50));
        stream.next().await.unwrap().unwrap();
        drop(stream);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(dropped.load(Ordering::SeqCst), "the source waits although nobody reads");
    }

    #[tokio::test]
    async fn a_source_that_panics_does_not_look_complete() {
        let source = async_stream::stream! {
            yield Ok(1);
            if true {
                panic!("a defect");
            }
        };
        let mut stream = limited(source, StreamLimits::default(), "test.strongroom");
        assert_eq!(stream.next().await.unwrap().unwrap(), 1);
        assert_eq!(stream.next().await.unwrap().unwrap_err().code(), Code::Internal);
        assert!(stream.next().await.is_none());
    }
}
