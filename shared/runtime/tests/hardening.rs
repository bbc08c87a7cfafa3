//! The privileges that every Strongroom process gives up at its start. Runs in its own process, because this cannot be
//! undone.
#![cfg(target_os = "linux")]

use std::process::ExitCode;

use rustix::process::{DumpableBehavior, Resource, dumpable_behavior, getrlimit};
use rustix::thread::no_new_privs;
use strongroom_runtime::Error;
use strongroom_runtime::process::{Observed, log_warning, run};
use strongroom_runtime::telemetry::{LogConfig, TelemetryConfig};

#[test]
fn nothing_dumps_it_and_no_thread_gains_privileges() {
    let observed = || Observed {
        name: "test",
        log: LogConfig::default(),
        telemetry: TelemetryConfig::default(),
        warn: log_warning,
    };
    let main = async {
        let limit = getrlimit(Resource::Core);
        let dumpable = dumpable_behavior().map_err(|error| Error::Config(error.to_string()))?;
        let here = no_new_privs().map_err(|error| Error::Config(error.to_string()))?;
        let elsewhere = tokio::task::spawn_blocking(no_new_privs)
            .await
            .map_err(|error| Error::Config(error.to_string()))?;
        let found = (limit.current, limit.maximum, dumpable, here, elsewhere.ok());
        let expected = (Some(0), Some(0), DumpableBehavior::NotDumpable, true, Some(true));
        if found == expected { Ok(()) } else { Err(Error::Config(format!("{found:?}"))) }
    };
    let code = run(|| Ok(()), |()| observed(), |()| main);
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::SUCCESS), "standard error says what was found");
}
