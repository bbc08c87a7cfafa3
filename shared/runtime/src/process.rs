//! One entry for every binary: the TLS provider, logs, the async runtime, the exit code.

use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

use crate::printable::printable_lines;

/// Runs `main` to its end. An error is printed in one sentence and makes the exit code 1.
pub fn run<E: std::fmt::Display>(main: impl Future<Output = Result<(), E>>) -> ExitCode {
    run_with_code(main, |_| 1)
}

/// The same where the error has its exit code.
pub fn run_with_code<E: std::fmt::Display>(
    main: impl Future<Output = Result<(), E>>,
    code: impl Fn(&E) -> u8,
) -> ExitCode {
    install_tls_provider();
    init_logs();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error, 1),
    };
    match runtime.block_on(main) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error, code(&error)),
    }
}

/// Features are additive: a dependency could bring a second provider, and rustls would then panic at its
/// first use unless one was chosen.
pub fn install_tls_provider() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// JSON lines on standard error; `STRONGROOM_LOG` selects levels (`info` by default).
fn init_logs() {
    let filter = EnvFilter::try_from_env("STRONGROOM_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let _ = tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}

#[expect(clippy::print_stderr, reason = "the operator reads it there, also without logs")]
fn failed(error: &dyn std::fmt::Display, code: u8) -> ExitCode {
    eprintln!("error: {}", printable_lines(&error.to_string()));
    ExitCode::from(code)
}
