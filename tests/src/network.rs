//! Tests on an address that is not loopback: each in a network namespace of its own.

use std::process::Command;
use std::time::Duration;

use crate::call::finish;
use crate::tool;

/// Set where a test runs in its own network.
const INSIDE: &str = "STRONGROOM_TEST_IN_ITS_OWN_NETWORK";
const PATIENCE: Duration = Duration::from_secs(240);

/// True in a network that has loopback and `address` alone. Elsewhere runs the test of this name there, in a process of its
/// own, and returns false when it has passed, or cannot run here, which a sentence says.
///
/// # Panics
/// When the test fails there.
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
    // A dummy interface where the kernel has one; the loopback interface carries the address as well.
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
