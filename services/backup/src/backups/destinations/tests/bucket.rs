//! Failures of buckets.

use http::Method;
use strongroom_testkit::Authority;
use strongroom_testkit::s3::{Effect, Fault};

use super::*;

/// The reason and the message of the first failure.
fn problem<T>(result: Stored<T>) -> (&'static str, String) {
    let error = result.err().unwrap();
    let message = error.to_string();
    assert!(message.starts_with("destination offsite: "), "{message}");
    for secret in [KEYS.0, KEYS.1, "the secret of", "X-Amz-Signature"] {
        assert!(!message.contains(secret), "{message}");
    }
    (error.reason(), message)
}

#[tokio::test]
async fn every_part_and_object_has_a_checksum_and_all_parts_but_the_last_are_equal() {
    let fixture = Fixture::bucket().await;
    let parts = [part(&content(5 * MIB)), part(&content(5 * MIB)), part(b"rest")];
    fixture.stored(KEY, &parts).await.unwrap();
    fixture.destination.put_small("a.json", Bytes::from_static(b"{}")).await.unwrap();
    let requests = fixture.s3().requests();
    let sent: Vec<_> = requests.iter().filter(|request| request.is_content()).collect();
    assert_eq!(sent.iter().map(|request| request.length()).collect::<Vec<_>>(), [5 << 20, 5 << 20, 4, 2]);
    for request in sent {
        assert_eq!(request.header("x-amz-checksum-sha256").unwrap().len(), 44, "{request:?}");
        // The body is signed, so nobody can exchange it in transit.
        assert_eq!(request.header("x-amz-content-sha256").unwrap().len(), 64, "{request:?}");
    }
    let begun = requests.iter().find(|request| request.query.starts_with("uploads")).unwrap();
    assert_eq!(begun.header("x-amz-checksum-algorithm"), Some("SHA256"));
}

#[tokio::test]
async fn a_part_is_signed_with_the_credentials_that_are_in_the_file_when_it_is_sent() {
    let fixture = Fixture::bucket().await;
    let (destination, s3) = (&fixture.destination, fixture.s3());
    let file = fixture.folder.path().join("credentials");
    let upload = destination.begin(KEY).await.unwrap();
    let first = destination.put_part(KEY, &upload, 0, 0, part(&content(5 * MIB))).await.unwrap();

    // While the file is being written, the previous credentials apply.
    write_private(&file, "[default]\naws_access_key_id =");
    destination.put_part(KEY, &upload, 0, 0, part(&content(5 * MIB))).await.unwrap();

    s3.accept_only(KEYS.0, "second-secret-key");
    let refused = destination.put_part(KEY, &upload, 1, 5 << 20, part(b"x")).await;
    assert_eq!(problem(refused).0, "DESTINATION_DENIED");
    let renewed = S3::credentials((KEYS.0, "second-secret-key")) + "aws_session_token = second\n";
    write_private(&file, renewed);
    let second = destination.put_part(KEY, &upload, 1, 5 << 20, part(b"x")).await.unwrap();
    destination.complete(KEY, &upload, &[first, second], (5 << 20) + 1).await.unwrap();

    let requests = s3.requests();
    let sent = requests.iter().filter(|request| request.is_content());
    let tokens: Vec<_> = sent.map(|request| request.header("x-amz-security-token")).collect();
    assert_eq!(tokens, [None, None, None, Some("second")]);
}

#[tokio::test]
async fn a_server_that_is_away_for_a_moment_is_not_noticed() {
    for effect in
        [Effect::Refuse(503, "SlowDown"), Effect::Refuse(429, ""), Effect::Wait(Duration::from_millis(100))]
    {
        let fixture = Fixture::bucket().await;
        for method in [Method::POST, Method::PUT, Method::HEAD, Method::GET, Method::DELETE] {
            fixture.s3().fail(Fault::always(effect).of(method).times(2));
        }
        let object = fixture.stored(KEY, &[part(&content(5 * MIB)), part(b"x")]).await.unwrap();
        let bytes = read(&fixture.destination, 0..object.size, Some(&object.etag)).await.unwrap();
        assert_eq!(bytes.len(), 5 * MIB + 1);
        fixture.destination.delete(KEY).await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_stays_away_is_unavailable_and_the_next_run_works() {
    let fixture = Fixture::bucket().await;
    fixture.s3().fail(Fault::always(Effect::Refuse(503, "SlowDown")));
    let (reason, message) = problem(fixture.stored(KEY, &[part(b"x")]).await);
    assert_eq!(reason, "DESTINATION_UNAVAILABLE");
    assert!(
        message.contains(KEY) && message.contains("503 SlowDown") && message.contains("try again"),
        "{message}"
    );
    assert_eq!(problem(fixture.destination.check().await).0, "DESTINATION_UNAVAILABLE");
    fixture.s3().heal();
    fixture.stored(KEY, &[part(b"x")]).await.unwrap();
}

#[tokio::test]
async fn a_server_that_says_nothing_or_is_not_there_is_unavailable() {
    let fixture = Fixture::bucket().await;
    fixture.s3().fail(Fault::always(Effect::Silence).of(Method::PUT));
    let (reason, message) = problem(fixture.stored(KEY, &[part(&content(9 * MIB))]).await);
    assert_eq!(reason, "DESTINATION_UNAVAILABLE", "{message}");
    let fixture = Fixture::bucket().await;
    drop(fixture.s3);
    let (reason, message) = problem(fixture.destination.head(KEY).await);
    assert_eq!(reason, "DESTINATION_UNAVAILABLE");
    assert!(message.contains("127.0.0.1") && message.contains("refused"), "{message}");
}

#[tokio::test]
async fn a_slow_server_is_not_taken_for_a_silent_one() {
    let fixture = Fixture::bucket().await;
    let whole = content(6 * MIB);
    let object = fixture.stored(KEY, &[part(&whole)]).await.unwrap();
    // The reader takes longer over each piece than a server may be silent.
    let mut pieces = fixture.destination.read(KEY, 0..object.size, Some(&object.etag)).await.unwrap();
    let mut bytes = pieces.try_next().await.unwrap().unwrap().to_vec();
    tokio::time::sleep(2 * HASTY.silence).await;
    while let Some(piece) = pieces.try_next().await.unwrap() {
        bytes.extend_from_slice(&piece);
    }
    assert!(bytes == whole);
}

#[tokio::test]
async fn an_answer_that_was_cut_is_continued_and_without_an_etag_an_error() {
    let fixture = Fixture::bucket().await;
    let whole = content(6 * MIB);
    let object = fixture.stored(KEY, &[part(&whole)]).await.unwrap();
    fixture.s3().fail(Fault::always(Effect::Cut(MIB)).of(Method::GET));
    let bytes = read(&fixture.destination, 1..object.size, Some(&object.etag)).await.unwrap();
    assert!(bytes == whole[1..]);
    let gets = fixture.s3().requests().iter().filter(|request| request.method == Method::GET).count();
    assert!(gets >= 6, "{gets}");
    let (reason, message) = problem(read(&fixture.destination, 0..object.size, None).await);
    assert_eq!(reason, "DESTINATION_UNAVAILABLE");
    assert!(message.contains("ended early"), "{message}");
}

#[tokio::test]
async fn an_object_that_changes_while_it_is_read_is_refused_also_where_conditions_are_ignored() {
    for ignores in [false, true] {
        let fixture = Fixture::bucket().await;
        let before = fixture.stored(KEY, &[part(&content(6 * MIB))]).await.unwrap();
        fixture.s3().fail(Fault::always(Effect::Cut(MIB)).of(Method::GET).times(1));
        if ignores {
            fixture.s3().fail(Fault::always(Effect::IgnoreCondition).of(Method::GET));
        }
        let mut pieces = fixture.destination.read(KEY, 0..before.size, Some(&before.etag)).await.unwrap();
        pieces.try_next().await.unwrap().unwrap();
        fixture.stored(KEY, &[part(&content(6 * MIB + 1)[1..])]).await.unwrap();
        let rest: Stored<Vec<Bytes>> = pieces.try_collect().await;
        assert_eq!(problem(rest).0, "OBJECT_CHANGED", "ignores: {ignores}");
    }
}

#[tokio::test]
async fn a_lost_answer_does_not_lose_the_object() {
    let fixture = Fixture::bucket().await;
    fixture.s3().fail(Fault::always(Effect::LoseAnswer).of(Method::POST).containing("uploadId").times(1));
    fixture.s3().fail(Fault::always(Effect::LoseAnswer).of(Method::PUT).times(1));
    let object = fixture.stored(KEY, &[part(b"12345")]).await.unwrap();
    assert_eq!(object.size, 5);
    assert_eq!(read(&fixture.destination, 0..5, Some(&object.etag)).await.unwrap(), b"12345");
}

#[tokio::test]
async fn a_refused_delete_says_so_and_other_refusals_are_about_access() {
    let fixture = Fixture::bucket().await;
    fixture.stored(KEY, &[part(b"x")]).await.unwrap();
    fixture.s3().fail(Fault::always(Effect::Refuse(403, "AccessDenied")).of(Method::DELETE));
    let (reason, message) = problem(fixture.destination.delete(KEY).await);
    assert_eq!(reason, "DELETE_REFUSED");
    assert!(message.contains("403 AccessDenied") && message.contains("retention"), "{message}");
    assert!(fixture.destination.head(KEY).await.unwrap().is_some());

    fixture.s3().heal();
    for (status, code) in [(403, "ExpiredToken"), (400, "ExpiredToken"), (403, "SignatureDoesNotMatch")] {
        fixture.s3().fail(Fault::always(Effect::Refuse(status, code)));
        for result in [fixture.destination.delete(KEY).await, fixture.destination.check().await] {
            let (reason, message) = problem(result);
            assert_eq!(reason, "DESTINATION_DENIED");
            assert!(message.contains(code) && message.contains("credentials"), "{message}");
        }
        assert_eq!(problem(fixture.stored(KEY, &[part(b"x")]).await).0, "DESTINATION_DENIED");
        fixture.s3().heal();
    }
}

#[tokio::test]
async fn each_refusal_has_its_reason() {
    let fixture = Fixture::bucket().await;
    for (status, code, reason) in [
        (507, "XMinioStorageFull", "DESTINATION_FULL"),
        (403, "QuotaExceeded", "DESTINATION_FULL"),
        (404, "NoSuchBucket", "DESTINATION_MISSING"),
        (301, "PermanentRedirect", "DESTINATION_FAILED"),
        (400, "AuthorizationHeaderMalformed", "DESTINATION_FAILED"),
        (400, "InvalidRequest", "DESTINATION_FAILED"),
        (403, "", "DESTINATION_DENIED"),
        (401, "Unauthorized", "DESTINATION_DENIED"),
    ] {
        fixture.s3().fail(Fault::always(Effect::Refuse(status, code)).of(Method::PUT));
        let put = fixture.destination.put_small("a.json", Bytes::from_static(b"x")).await;
        assert_eq!(problem(put).0, reason, "{status} {code}");
        fixture.s3().heal();
    }
    // S3 starts a successful answer before it finds that an upload cannot be completed.
    for (code, reason) in
        [("InvalidPart", "DESTINATION_FAILED"), ("InternalError", "DESTINATION_UNAVAILABLE")]
    {
        fixture.s3().fail(Fault::always(Effect::Refuse(200, code)).of(Method::POST).containing("uploadId"));
        assert_eq!(problem(fixture.stored(KEY, &[part(b"x")]).await).0, reason, "{code}");
        fixture.s3().heal();
    }
    // The server is not an S3 service.
    fixture.s3().fail(Fault::always(Effect::Refuse(200, "")).of(Method::GET));
    assert_eq!(problem(fixture.destination.check().await).0, "DESTINATION_FAILED");
}

#[tokio::test]
async fn only_the_configured_authorities_are_trusted_as_they_are_at_each_connection() {
    let (right, wrong) = (Authority::new("right"), Authority::new("wrong"));
    let (s3, folder) = (S3::start_tls(&right).await, tempfile::tempdir().unwrap());
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, wrong.pem()).unwrap();
    let destination = bucket_at(&s3, &folder, BUCKET, Some(file.clone()));
    let (reason, message) = problem(destination.check().await);
    assert_eq!(reason, "DESTINATION_UNAVAILABLE");
    assert!(message.contains("localhost") && message.contains("certificate"), "{message}");
    std::fs::write(&file, right.pem() + &wrong.pem()).unwrap();
    destination.put_small("a.json", Bytes::from_static(b"{}")).await.unwrap();
    assert_eq!(destination.read_small("a.json", 2).await.unwrap().unwrap(), "{}");
}

#[tokio::test]
async fn a_missing_bucket_is_named_by_every_verb() {
    let fixture = Fixture::bucket().await;
    let missing = bucket_at(fixture.s3(), &fixture.folder, "elsewhere", None);
    assert_eq!(problem(missing.check().await).0, "DESTINATION_MISSING");
    let (reason, message) = problem(missing.head(KEY).await);
    assert_eq!(reason, "DESTINATION_MISSING");
    assert!(message.contains("the bucket does not exist; create it"), "{message}");
    assert_eq!(problem(missing.sidecars().try_collect::<Vec<_>>().await).0, "DESTINATION_MISSING");
}

#[tokio::test]
async fn without_credentials_nothing_is_created_and_the_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("credentials");
    let config =
        DestinationConfig { credentials_file: Some(file.clone()), ..config(&format!("s3://{BUCKET}")) };
    let refused = || Destination::create(&config, HASTY).err().unwrap().to_string();
    assert!(refused().contains(file.to_str().unwrap()), "{}", refused());
    write_private(&file, "[default]\naws_access_key_id = AK\n");
    assert!(refused().contains("no aws_secret_access_key"), "{}", refused());
}
