//! Limits of a server, with reasons.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use rustix::process::{Resource, getrlimit};

/// Descriptors reserved for databases, sources, staged files and logs. Two database pools take about 50.
const RESERVED: u64 = 256;
/// Maximum number of connections, however many descriptors there are: an idle one takes about 40 KiB with TLS.
const MOST_CONNECTIONS: u64 = 2048;
/// Minimum number of connections: a process with hardly any descriptors reports the shortage itself when it occurs.
const FEWEST_CONNECTIONS: u64 = 16;

/// Calls per processor; they mostly wait for a commit that many of them share.
const CALLS_A_PROCESSOR: usize = 176;

/// Limits of one server. With them, a process uses less than 128 MiB more than when it is idle, however many callers it
/// has.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Maximum number of concurrent connections of all peers together. There is no limit per address: behind a NAT, a
    /// proxy or a Kubernetes service, all callers share one address. By default half of the free descriptors (`dev`
    /// runs two servers), at most 2,048.
    pub connections: usize,
    /// How long a new connection may stay silent before HTTP/2's preface, or take for its TLS handshake.
    pub greeting: Duration,
    /// How long a connection may take until its first call.
    pub first_call: Duration,
    /// Age at which a connection is asked to end after its running calls, so that replicas behind one address share the
    /// load. Up to a tenth is added at random, once per process, so that replicas that start together do not end their
    /// connections together.
    pub connection_age: Duration,
    /// Maximum number of concurrent calls on a connection.
    pub streams: u32,
    /// How long a request may stall while it is received.
    pub receive_idle: Duration,
    /// How long it may take to receive in total: 5 MiB, the longest request, in one minute is 700 kbit/s.
    pub receive_total: Duration,
    /// Bytes of requests in progress that one principal may hold: three batches of the largest size. It takes four
    /// principals to use up [`Self::process_bytes`].
    pub principal_bytes: usize,
    /// Bytes of requests in progress that all principals together may hold.
    pub process_bytes: usize,
    /// Maximum number of unary calls in progress. A principal alone gets at most three quarters of them; the last
    /// quarter is for principals with few calls. By default 176 per processor: on two processors, a principal alone
    /// gets 264, about as many as saturate the vault. More would only wait for each other, and longer.
    pub calls: usize,
    /// Maximum number of concurrent streams, shared in the same way. The jobs behind them have their own limits.
    pub streamed: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let age = Duration::from_secs(30 * 60);
        Self {
            connections: connections(getrlimit(Resource::Nofile).current),
            greeting: Duration::from_secs(10),
            first_call: Duration::from_secs(60),
            connection_age: age + age.mul_f64(0.1 * fraction()),
            streams: 256,
            receive_idle: Duration::from_secs(10),
            receive_total: Duration::from_secs(60),
            principal_bytes: 16 << 20,
            process_bytes: 64 << 20,
            calls: CALLS_A_PROCESSOR * std::thread::available_parallelism().map_or(1, usize::from),
            streamed: 128,
        }
    }
}

fn connections(descriptors: Option<u64>) -> usize {
    let free = descriptors.map_or(u64::MAX, |descriptors| descriptors.saturating_sub(RESERVED));
    let connections = (free / 2).clamp(FEWEST_CONNECTIONS, MOST_CONNECTIONS);
    usize::try_from(connections).unwrap_or(usize::MAX)
}

/// A random number from 0 to 1. Nothing secret depends on it.
fn fraction() -> f64 {
    f64::from(RandomState::new().hash_one(0) as u32) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_keep_their_descriptors() {
        for (descriptors, expected) in [
            (Some(1024), 384),
            (Some(1_048_576), 2048),
            (None, 2048),
            (Some(300), 22),
            (Some(64), 16),
            (Some(0), 16),
        ] {
            assert_eq!(connections(descriptors), expected, "{descriptors:?}");
        }
    }

    #[test]
    fn ages_differ_by_a_tenth() {
        let ages: Vec<u64> = (0..50).map(|_| Limits::default().connection_age.as_secs()).collect();
        assert!(ages.iter().all(|age| (1800..=1980).contains(age)), "{ages:?}");
        assert!(ages.iter().any(|age| *age != ages[0]), "they end together: {ages:?}");
    }
}
