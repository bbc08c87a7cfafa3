//! Requests that do not end, are too many, or are slow.

use std::sync::atomic::Ordering;
use std::time::Duration;

use strongroom_api::source::v1::{CommitStageRequest, DescribeSourceRequest};
use strongroom_runtime::server::Limits;
use strongroom_runtime::status::reason_of;
use tonic::Code;
use tonic::codec::CompressionEncoding;
use tonic_types::StatusExt as _;

use crate::server::{
    COMMIT, DESCRIBE, HEALTH, READ, Raw, RawCall, STAGE, Server, header, limits, unknown_field,
};

/// A principal may have three of this size in progress here.
const LENGTH: usize = 300 << 10;

/// For tests in which nothing reaches its deadline, however busy the machine is.
fn patient() -> Limits {
    Limits { receive_idle: Duration::from_secs(60), receive_total: Duration::from_secs(60), ..limits() }
}

async fn hold(raw: &mut Raw, calls: usize) -> Vec<RawCall> {
    let mut held = Vec::new();
    for _ in 0..calls {
        held.push(raw.begin(COMMIT, LENGTH, LENGTH - 1).await);
    }
    held
}

#[tokio::test]
async fn unfinished_requests_are_refused_beyond_the_budget_and_others_are_served() {
    let server = Server::start(limits()).await;
    let mut attacker = server.raw("attacker").await;
    let mut held = hold(&mut attacker, 3).await;
    // Announcing more is enough: nothing is buffered for a refused request.
    let refused = attacker.begin(COMMIT, LENGTH, 0).await;
    let (code, message, _) = refused.status().await;
    assert_eq!(code, Code::ResourceExhausted, "{message}");
    assert!(message.contains("1024 KiB"), "{message}");
    server.assert_serves("somebody").await;
    server.assert_serves("attacker").await;
    for call in held.drain(..) {
        let (code, message, time) = call.status().await;
        assert_eq!(code, Code::DeadlineExceeded, "{message}");
        assert!(message.contains("nothing more arrived for 0.5 s"), "{message}");
        assert!(time < Duration::from_secs(3), "{time:?}");
    }
    let mut again = hold(&mut attacker, 3).await;
    assert!(again[2].is_open_after(Duration::from_millis(100)).await, "the budget is given back");
}

#[tokio::test]
async fn all_principals_together_have_a_budget() {
    let server = Server::start(patient()).await;
    let mut held = Vec::new();
    for token in ["a", "b"] {
        held.push((hold(&mut server.raw(token).await, 3).await, token));
    }
    let mut last = server.raw("c").await;
    let one = last.begin(COMMIT, 200 << 10, 0).await;
    let two = last.begin(COMMIT, LENGTH, 0).await;
    let (code, message, _) = two.status().await;
    assert_eq!(code, Code::ResourceExhausted, "{message}");
    assert!(message.contains("as many requests as it has room for"), "{message}");
    server.assert_serves("c").await;
    drop(one);
}

#[tokio::test]
async fn a_refusal_says_when_to_try_again() {
    let server = Server::start(patient()).await;
    let mut attacker = server.raw("t").await;
    let _held = hold(&mut attacker, 3).await;
    // They have been sent, but must also be received.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let request = CommitStageRequest { stage_id: "x".repeat(LENGTH) };
    let refusal = server.client("t").commit_stage(request.clone()).await.unwrap_err();
    assert_eq!((refusal.code(), &*reason_of(&refusal)), (Code::ResourceExhausted, "REQUEST_BYTES"));
    assert_eq!(refusal.get_details_retry_info().unwrap().retry_delay, Some(Duration::from_secs(1)));
    server.client("u").commit_stage(request).await.unwrap();
}

#[tokio::test]
async fn a_compressed_request_is_served_and_counts_as_what_it_becomes() {
    let server = Server::start(patient()).await;
    let client = |token: &str| server.client(token).send_compressed(CompressionEncoding::Gzip);
    let small = CommitStageRequest { stage_id: "x".repeat(1000) };
    client("t").commit_stage(small).await.unwrap();

    // On the wire it takes a few hundred bytes.
    let request = CommitStageRequest { stage_id: format!("wait{}", "x".repeat(LENGTH)) };
    let mut waiting = Vec::new();
    for _ in 0..2 {
        let (mut client, request) = (client("t"), request.clone());
        waiting.push(tokio::spawn(async move { client.commit_stage(request).await }));
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    // If not refused, it would be answered at once.
    let more = CommitStageRequest { stage_id: "x".repeat(LENGTH) };
    let refusal = client("t").commit_stage(more).await.unwrap_err();
    assert_eq!(reason_of(&refusal), "REQUEST_BYTES");
    client("u").commit_stage(CommitStageRequest { stage_id: "x".into() }).await.unwrap();
    server.gate.add_permits(2);
    for call in waiting {
        call.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_request_that_is_too_large_is_refused_with_its_limit() {
    let roomy = Limits { principal_bytes: 32 << 20, process_bytes: 64 << 20, ..patient() };
    let server = Server::start(roomy).await;
    let request = CommitStageRequest { stage_id: "x".repeat(5 << 20) };
    for encoding in [None, Some(CompressionEncoding::Gzip)] {
        let mut client = server.client("t");
        if let Some(encoding) = encoding {
            client = client.send_compressed(encoding);
        }
        let refusal = client.commit_stage(request.clone()).await.unwrap_err();
        assert_eq!(refusal.code(), Code::ResourceExhausted, "{encoding:?}: {refusal}");
        assert_eq!(reason_of(&refusal), "REQUEST_TOO_LARGE");
        assert!(refusal.message().contains("4194304 bytes"), "{refusal}");
    }
}

#[tokio::test]
async fn metadata_that_is_too_large_is_refused_with_the_limit() {
    let server = Server::start(patient()).await;
    let mut request = tonic::Request::new(CommitStageRequest { stage_id: "x".into() });
    request.metadata_mut().insert("x-long", "y".repeat(20 << 10).parse().unwrap());
    let refusal = server.client("t").commit_stage(request).await.unwrap_err();
    assert_eq!(refusal.code(), Code::ResourceExhausted, "{refusal}");
    assert_eq!(reason_of(&refusal), "METADATA_TOO_LARGE");
    assert!(refusal.message().contains("16384 bytes"), "{refusal}");
}

/// Complete requests also take memory while they are processed.
#[tokio::test]
async fn a_request_counts_until_it_is_answered() {
    let server = Server::start(patient()).await;
    let request = CommitStageRequest { stage_id: format!("wait{}", "x".repeat(LENGTH)) };
    let mut waiting = Vec::new();
    for _ in 0..3 {
        let (mut client, request) = (server.client("t"), request.clone());
        waiting.push(tokio::spawn(async move { client.commit_stage(request).await }));
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    // If not refused, it would be answered at once.
    let more = CommitStageRequest { stage_id: "x".repeat(LENGTH) };
    let refusal = server.client("t").commit_stage(more).await.unwrap_err();
    assert_eq!(reason_of(&refusal), "REQUEST_BYTES");
    server.gate.add_permits(4);
    for call in waiting {
        call.await.unwrap().unwrap();
    }
    server.client("t").commit_stage(request).await.unwrap();
}

#[tokio::test]
async fn a_request_that_crawls_is_ended_too() {
    let server = Server::start(limits()).await;
    let call = server.raw("t").await.begin(COMMIT, LENGTH, 1).await;
    let (code, message, _) = call.crawl(Duration::from_millis(100)).await;
    assert_eq!(code, Code::DeadlineExceeded, "{message}");
    assert!(message.contains("not complete after 2 s"), "{message}");
}

/// A complete message does not complete the request.
#[tokio::test]
async fn a_request_without_its_end_is_ended() {
    let server = Server::start(limits()).await;
    let mut call = server.raw("t").await.call(COMMIT).await;
    call.send(&header(0), false).await;
    assert_eq!(call.status().await.0, Code::DeadlineExceeded);
}

#[tokio::test]
async fn a_stream_must_begin_and_may_then_take_its_time() {
    let server = Server::start(limits()).await;
    let mut raw = server.raw("t").await;
    let (code, message, _) = raw.begin(STAGE, 100, 1).await.status().await;
    assert_eq!(code, Code::DeadlineExceeded, "{message}");
    let mut patient = raw.begin(STAGE, 0, 0).await;
    assert!(patient.is_open_after(Duration::from_millis(2500)).await, "its handler has the say now");
    patient.send(&header(0), true).await;
    assert_eq!(patient.status().await.0, Code::Ok);
}

/// Data that a stream's handler has not read waits in the stream's window, so the window counts.
#[tokio::test]
async fn streams_count_with_their_windows() {
    let server = Server::start(patient()).await;
    let mut raw = server.raw("t").await;
    let mut first = raw.begin(STAGE, 0, 0).await;
    let (code, message, _) = raw.begin(STAGE, 0, 0).await.status().await;
    assert_eq!(code, Code::ResourceExhausted, "{message}");
    for _ in 0..20 {
        first.send(&header(LENGTH), false).await;
        first.send(&unknown_field(LENGTH), false).await;
    }
    first.send(&header(LENGTH), false).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let (code, message, _) = raw.begin(COMMIT, LENGTH, 0).await.status().await;
    assert_eq!(code, Code::ResourceExhausted, "a message that a stream has begun counts: {message}");
}

#[tokio::test]
async fn streams_of_answers_count_as_well() {
    let server = Server::start(patient()).await;
    let mut raw = server.raw("t").await;
    let mut first = raw.call(READ).await;
    first.send(&header(0), true).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut second = raw.call(READ).await;
    second.send(&header(0), true).await;
    assert_eq!(second.status().await.0, Code::ResourceExhausted);
}

/// Four answers, of which the client reads ten bytes each.
#[tokio::test]
async fn answers_that_nobody_takes_count() {
    let server = Server::start(patient()).await;
    server.answer.store(LENGTH, Ordering::Relaxed);
    let mut idle = server.raw_with_window("idle", 10).await;
    let mut held = Vec::new();
    for _ in 0..4 {
        let mut call = idle.call(DESCRIBE).await;
        call.send(&header(0), true).await;
        held.push(call);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut more = idle.call(DESCRIBE).await;
    more.send(&header(0), true).await;
    assert_eq!(more.status().await.0, Code::ResourceExhausted);
    let mut others = server.client("somebody");
    for _ in 0..20 {
        crate::server::assert_serves(&mut others).await;
    }
    drop((held, idle));
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.assert_serves("idle").await;
}

#[tokio::test]
async fn health_checks_are_short_and_few() {
    let server = Server::start(patient()).await;
    let mut raw = server.raw("").await;
    let (code, message, _) = raw.begin(HEALTH, 2000, 0).await.status().await;
    assert_eq!(code, Code::ResourceExhausted, "{message}");
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(raw.begin(HEALTH, 10, 0).await);
    }
    let (code, message, _) = raw.begin(HEALTH, 0, 0).await.status().await;
    assert_eq!(code, Code::ResourceExhausted, "{message}");
    let mut other = server.raw("").await;
    let mut check = other.call(HEALTH).await;
    check.send(&header(0), true).await;
    assert_eq!(check.status().await.0, Code::Ok);
    drop(held);
}

#[tokio::test]
async fn many_calls_one_after_the_other_leave_nothing_behind() {
    let server = Server::start(limits()).await;
    let mut client = server.client("t");
    for _ in 0..20 {
        client.commit_stage(CommitStageRequest { stage_id: "x".repeat(LENGTH) }).await.unwrap();
        client.describe_source(DescribeSourceRequest {}).await.unwrap();
    }
}
