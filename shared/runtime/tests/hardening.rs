//! What every process of Strongroom gives up at its start. In a process of its own, because it cannot be undone.
#![cfg(target_os = "linux")]

use std::process::ExitCode;

use rustix::process::{DumpableBehavior, Resource, dumpable_behavior, getrlimit};
use rustix::thread::no_new_privs;

#[test]
fn nothing_dumps_it_and_no_thread_gains_privileges() {
    let code = strongroom_runtime::process::run(async {
        let limit = getrlimit(Resource::Core);
        let dumpable = dumpable_behavior().map_err(|error| error.to_string())?;
        let here = no_new_privs().map_err(|error| error.to_string())?;
        let elsewhere = tokio::task::spawn_blocking(no_new_privs).await.map_err(|error| error.to_string())?;
        let found = (limit.current, limit.maximum, dumpable, here, elsewhere.ok());
        let expected = (Some(0), Some(0), DumpableBehavior::NotDumpable, true, Some(true));
        if found == expected { Ok(()) } else { Err(format!("{found:?}")) }
    });
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::SUCCESS), "standard error says what was found");
}
