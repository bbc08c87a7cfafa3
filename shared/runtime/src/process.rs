//! One entry for every binary: a process that cannot be dumped, the TLS provider, logs, the async runtime, the exit
//! code.
//!
//! Secrets are in this process's memory while they are used. No core dump contains them, no process of the same user
//! reads them through ptrace or /proc, and no program that is started from here gains privileges. They can still be
//! swapped out: locking memory (mlock) needs unsafe code, which this project forbids; encrypt the swap, or have none,
//! as Kubernetes does by default.

use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, setrlimit};

use crate::printable::printable_lines;
use crate::telemetry::{self, LogConfig, TelemetryConfig};

/// How a process names itself and what it says about itself.
#[derive(Debug, Clone)]
pub struct Observed {
    /// The program, in traces.
    pub name: &'static str,
    /// Its logs.
    pub log: LogConfig,
    /// Its traces.
    pub telemetry: TelemetryConfig,
    /// How it tells what its operator should know and what is no failure.
    pub warn: fn(&str),
}

/// Runs a service to its end: reads its configuration, then `main`. An error is printed in one sentence and makes the
/// exit code 1.
pub fn run<C, E, F>(
    load: impl FnOnce() -> Result<C, E>,
    observed: impl FnOnce(&C) -> Observed,
    main: impl FnOnce(C) -> F,
) -> ExitCode
where
    E: std::fmt::Display + From<crate::Error>,
    F: Future<Output = Result<(), E>>,
{
    match load() {
        Ok(config) => run_and_report(&observed(&config), main(config), |error| failed(error)),
        Err(error) => failed(&error),
    }
}

/// A line of the log. For services.
pub fn log_warning(problem: &str) {
    tracing::warn!("{problem}");
}

/// Runs `main` to its end. `report` says what failed, and gives the exit code.
pub fn run_and_report<E: From<crate::Error>>(
    observed: &Observed,
    main: impl Future<Output = Result<(), E>>,
    report: impl Fn(&E) -> ExitCode,
) -> ExitCode {
    install_tls_provider();
    let hardened = harden();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    let ended = runtime.block_on(async {
        let telemetry = telemetry::start(observed.name, &observed.log, &observed.telemetry)?;
        hardened.iter().for_each(|problem| tracing::warn!("{problem}"));
        if let Some(problem) = &telemetry.problem {
            (observed.warn)(problem);
        }
        let ended = main.await;
        telemetry.stop().await;
        ended
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report(&error),
    }
}

/// Features are additive: a dependency could bring a second provider, and rustls would then panic at its
/// first use unless one was chosen.
pub fn install_tls_provider() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// Before there are threads: each inherits `no_new_privs` from the one that starts it. A kernel or sandbox that
/// refuses is worth a line, not an end: the service is no weaker than without it. Returns these lines.
fn harden() -> Vec<String> {
    let mut problems = Vec::new();
    let mut expect = |problem: &str, result: rustix::io::Result<()>| {
        if let Err(error) = result {
            problems.push(format!("{problem}: {error}"));
        }
    };
    let nothing = Rlimit { current: Some(0), maximum: Some(0) };
    expect("core dumps cannot be limited", setrlimit(Resource::Core, nothing));
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        // A limit of 0 does not hold for a kernel that pipes dumps to a program; this does.
        let dumpable = set_dumpable_behavior(DumpableBehavior::NotDumpable);
        expect("core dumps and ptrace cannot be refused", dumpable);
        let privileges = rustix::thread::set_no_new_privs(true);
        expect("new privileges cannot be refused", privileges);
    }
    problems
}

#[expect(clippy::print_stderr, reason = "the operator reads it there, also without logs")]
fn failed(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("error: {}", printable_lines(&error.to_string()));
    ExitCode::FAILURE
}
