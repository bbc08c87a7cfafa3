//! Tests on an address other than loopback: each in its own network namespace.

use std::process::Command;
use std::time::Duration;

use crate::call::finish;
use crate::tool;

/// Set if a test runs in its own network.
const INSIDE: &str = "STRONGROOM_TEST_IN_ITS_OWN_NETWORK";
const PATIENCE: Duration = Duration::from_secs(240);

/// Returns true in a network that has only loopback and `address`. Elsewhere, runs the test of this name in such a
/// network, in a separate process, and returns false if it has passed. Also returns false, and reports that, if the
/// test cannot run on this machine.
///
/// # Panics
/// If the test fails there.
#[must_use]
pub fn is_own(test: &str, address: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let (Some(_), Some(mut unshare)) = (tool::tool("ip"), tool::tool("unshare")) else { return false };
    let may = Command::new("unshare").args(["--net", "ip", "link", "set", "lo", "up"]).output().unwrap();
    if !may.status.success() {
        tool::skipped("a test in a network of its own: this machine does not allow it");
        return false;
    }
    // A dummy interface if the kernel supports one; otherwise the loopback interface carries the address as well.
    let script = format!(
        "set -e; ip link set lo up
         if ip link add strong0 type dummy 2>/dev/null; then ip link set strong0 up; else link=lo; fi
         ip addr add {address}/32 dev ${{link:-strong0}}
         exec \"$0\" --exact --nocapture {test}"
    );
    unshare.args(["--net", "bash", "-c", &script]).arg(std::env::current_exe().unwrap()).env(INSIDE, "1");
    let run = finish(&mut unshare, b"", PATIENCE).succeeded();
    assert!(run.text().contains("1 passed"), "{}", run.said());
    false
}
