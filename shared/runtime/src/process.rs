//! One entry point for every binary: protection against memory dumps, the TLS provider, logs, the async runtime, the
//! exit code.
//!
//! Secrets are in this process's memory while they are used. No core dump contains them, other processes of the same
//! user cannot read them through ptrace or /proc, and programs started from here gain no privileges. They can still be
//! swapped out: locking memory (mlock) needs unsafe code, which this project forbids. Encrypt the swap, or have none,
//! which is the default in Kubernetes.

use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, setrlimit};

use crate::printable::printable_lines;
use crate::telemetry::{self, LogConfig, TelemetryConfig};

/// The name, logs and traces of a process.
#[derive(Debug, Clone)]
pub struct Observed {
    /// The program's name in traces.
    pub name: &'static str,
    /// Log configuration.
    pub log: LogConfig,
    /// Trace configuration.
    pub telemetry: TelemetryConfig,
    /// Reports a problem that the operator should know about but that is not a failure.
    pub warn: fn(&str),
}

/// Runs a service to its end: reads its configuration, then runs `main`. An error is printed as one sentence and sets
/// the exit code to 1.
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

/// Writes a log line. For services.
pub fn log_warning(problem: &str) {
    tracing::warn!("{problem}");
}

/// Runs `main` to its end. `report` prints the error and returns the exit code.
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

/// Cargo features are additive: a dependency could enable a second provider, and rustls would then panic at its first
/// use unless one has been chosen.
pub fn install_tls_provider() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// Call this before there are threads: each thread inherits `no_new_privs` from its creator. A kernel or sandbox that
/// refuses is worth a log line, not an exit: the service is no weaker than without hardening. Returns these lines.
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
        // A core limit of 0 does not stop a kernel that pipes dumps to a program; this does.
        let dumpable = set_dumpable_behavior(DumpableBehavior::NotDumpable);
        expect("core dumps and ptrace cannot be disabled", dumpable);
        let privileges = rustix::thread::set_no_new_privs(true);
        expect("gaining new privileges cannot be disabled", privileges);
    }
    problems
}

#[expect(clippy::print_stderr, reason = "the operator reads it there, also without logs")]
fn failed(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("error: {}", printable_lines(&error.to_string()));
    ExitCode::FAILURE
}
