//! Carries the requests to S3 over HTTP/1.1, and limits what a server can do: how long it takes, how long it is silent,
//! and how much it sends.
//!
//! A TCP connection has five seconds; name look-up, connection and TLS handshake together have ten. A request fails if
//! the server accepts and sends nothing for half a minute. Up to 4 MiB of a part can be in the operating system's send
//! buffer, where no progress is seen, so a link must carry about 1 Mbit/s. A part as a whole may take as long as it
//! needs.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode, header};
use http_body::Body;
use http_body_util::{BodyExt as _, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody,
    HttpService,
};
use strongroom_runtime::tls::HttpsConnector;

use super::watched::{Progress, Sent, Taken};
use crate::error::Result;

const CONNECT: Duration = Duration::from_secs(5);
/// Idle connections are closed before a server or a firewall closes them.
const IDLE: Duration = Duration::from_secs(15);
/// Maximum number of bytes of a refusal. Its code is at the beginning.
const REFUSAL_BYTES: usize = 64 << 10;
/// Maximum number of bytes of an answer about objects; a thousand keys of maximum length, escaped, are about 7 MiB.
const ANSWER_BYTES: u64 = 16 << 20;
/// The address of the credentials service of an AWS machine.
const INSTANCE: &str = "169.254.169.254";

/// The reason why a request failed. Every [`HttpError`] created here has it as its cause.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("{0}")]
    Away(String),
    #[error("{0}")]
    NoCredentials(String),
    #[error("HTTP {status} {code}")]
    Refused { status: u16, code: String },
    #[error("the answer is not one of S3's")]
    Foreign,
}

impl From<Failure> for HttpError {
    /// The kind is one that `object_store` does not retry.
    fn from(failure: Failure) -> Self {
        Self::new(HttpErrorKind::Unknown, failure)
    }
}

/// Makes the clients of one destination: for S3, and for the services that provide credentials.
#[derive(Clone)]
pub(super) struct Connector {
    client: Client<HttpsConnector, Sent>,
    silence: Duration,
}

impl Connector {
    pub(super) fn create(ca_file: Option<PathBuf>, silence: Duration) -> Result<Self> {
        let connector = HttpsConnector::create(ca_file, CONNECT)?;
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE)
            .pool_timer(TokioTimer::new())
            .build(connector);
        Ok(Self { client, silence })
    }

    async fn send(&self, request: HttpRequest) -> std::result::Result<HttpResponse, Failure> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        let progress = Arc::new(Progress::begin());
        let (is_range, is_post) =
            (request.headers().contains_key(header::RANGE), request.method() == Method::POST);
        let is_listing = request.uri().query().is_some_and(|query| query.contains("list-type=2"));
        let request = request.map(|body| Sent::new(body, Arc::clone(&progress)));
        let answered = progress.watch(self.silence, self.client.request(request)).await;
        let response = match answered {
            Some(Ok(response)) => response,
            Some(Err(error)) => return Err(away(&host, &chain(&error))),
            None => return Err(away(&host, &format!("no answer for {} s", self.silence.as_secs()))),
        };
        let (parts, body) = response.into_parts();
        let limit = if is_range { u64::MAX } else { ANSWER_BYTES };
        let body = Taken::new(body, self.silence, limit);
        if !parts.status.is_success() {
            return Err(refusal(parts.status, body).await);
        }
        let body =
            if is_post || is_listing { read(body, is_listing).await? } else { HttpResponseBody::new(body) };
        Ok(HttpResponse::from_parts(parts, body))
    }
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connector")
    }
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait::async_trait]
impl HttpService for Connector {
    async fn call(&self, request: HttpRequest) -> std::result::Result<HttpResponse, HttpError> {
        self.send(request).await.map_err(HttpError::from)
    }
}

fn away(host: &str, why: &str) -> Failure {
    if host == INSTANCE {
        return Failure::NoCredentials(
            "there are none: neither a credentials_file nor the environment has any, and this is not a machine of AWS".into(),
        );
    }
    Failure::Away(format!("{host}: {why}"))
}

/// The chain of causes; the last one says most.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

async fn refusal<B: Body<Data = Bytes> + Unpin>(status: StatusCode, body: Taken<B>) -> Failure {
    let body = Limited::new(body, REFUSAL_BYTES).collect().await;
    let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    Failure::Refused { status: status.as_u16(), code: code(&body) }
}

/// S3 starts a successful answer before it knows whether an upload can be completed. An answer other than a listing
/// would be mistaken for an empty listing.
async fn read<B: Body<Data = Bytes> + Unpin>(
    body: Taken<B>,
    is_listing: bool,
) -> std::result::Result<HttpResponseBody, Failure> {
    let body = body.collect().await.map_err(|_| Failure::Away("its answer ended early".into()))?.to_bytes();
    if holds(&body, b"<Error>") {
        return Err(Failure::Refused { status: StatusCode::OK.as_u16(), code: code(&body) });
    }
    if is_listing && !holds(&body, b"<ListBucketResult") {
        return Err(Failure::Foreign);
    }
    Ok(body.into())
}

fn holds(body: &Bytes, text: &[u8]) -> bool {
    body.windows(text.len()).any(|window| window == text)
}

/// The text of `<Code>`, limited to valid characters: letters and digits.
fn code(body: &Bytes) -> String {
    let text = String::from_utf8_lossy(body);
    let code = text.split_once("<Code>").map_or("", |(_, rest)| rest);
    code.chars().take_while(char::is_ascii_alphanumeric).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_known_by_its_code_and_nothing_else_of_it() {
        for (body, expected) in [
            ("<Error><Code>SlowDown</Code><Message>hunter2</Message></Error>", "SlowDown"),
            ("<Error><Code>a\nb</Code></Error>", "a"),
            ("<html>503</html>", ""),
            ("", ""),
        ] {
            assert_eq!(code(&Bytes::from_static(body.as_bytes())), expected);
        }
        assert_eq!(code(&Bytes::from(format!("<Code>{}", "a".repeat(1000)))).len(), 64);
    }
}
