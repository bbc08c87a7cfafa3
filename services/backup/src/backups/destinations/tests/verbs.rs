//! Operations of every destination.

use super::*;

#[tokio::test]
async fn parts_become_one_object_that_is_read_back_in_any_range() {
    for fixture in Fixture::all().await {
        let (destination, whole) = (&fixture.destination, content(12 * MIB));
        let parts = [part(&whole[..5 * MIB]), part(&whole[5 * MIB..10 * MIB]), part(&whole[10 * MIB..])];
        let object = fixture.stored(KEY, &parts).await.unwrap();
        assert_eq!(object.size, 12 << 20);
        assert_eq!(destination.head(KEY).await.unwrap(), Some(object.clone()));
        for range in [0..object.size, 0..1, 5_000_000..6_000_001, object.size - 1..object.size, 7..7] {
            let bytes = read(destination, range.clone(), Some(&object.etag)).await.unwrap();
            assert!(bytes == whole[range.start as usize..range.end as usize], "{range:?}");
        }
    }
}

#[tokio::test]
async fn parts_may_come_in_any_order_and_twice() {
    for fixture in Fixture::all().await {
        let (destination, whole) = (&fixture.destination, content(11 * MIB));
        let (first, second) = (part(&whole[..5 * MIB]), part(&whole[5 * MIB..]));
        let upload = destination.begin(KEY).await.unwrap();
        let late = destination.put_part(KEY, &upload, 1, 5 << 20, second.clone()).await.unwrap();
        destination.put_part(KEY, &upload, 0, 0, part(&content(5 * MIB + 1)[1..])).await.unwrap();
        let early = destination.put_part(KEY, &upload, 0, 0, first).await.unwrap();
        destination.complete(KEY, &upload, &[early, late], 11 << 20).await.unwrap();
        assert!(read(destination, 0..11 << 20, None).await.unwrap() == whole);
    }
}

#[tokio::test]
async fn an_unfinished_upload_is_neither_seen_nor_left_after_its_abort() {
    for fixture in Fixture::all().await {
        let destination = &fixture.destination;
        let upload = destination.begin(KEY).await.unwrap();
        destination.put_part(KEY, &upload, 0, 0, part(&content(5 * MIB))).await.unwrap();
        assert_eq!(destination.head(KEY).await.unwrap(), None);
        assert_eq!(sidecars(destination).await, Vec::<String>::new());
        destination.abort(KEY, &upload).await.unwrap();
        destination.abort(KEY, &upload).await.unwrap();
        let error = destination.put_part(KEY, &upload, 1, 0, part(b"x")).await.unwrap_err();
        assert_eq!(error.reason(), "UPLOAD_MISSING", "{error}");
        let error = destination.complete(KEY, &upload, &[], 0).await.unwrap_err();
        assert_eq!(error.reason(), "UPLOAD_MISSING", "{error}");
        let left = std::fs::read_dir(fixture.files()).map(Iterator::count).unwrap_or_default();
        assert_eq!(left, 0);
    }
}

#[tokio::test]
async fn a_completion_may_be_repeated_and_an_object_of_another_size_is_never_left() {
    for fixture in Fixture::all().await {
        let destination = &fixture.destination;
        let upload = destination.begin(KEY).await.unwrap();
        let ids = [destination.put_part(KEY, &upload, 0, 0, part(b"12345")).await.unwrap()];
        let error = destination.complete(KEY, &upload, &ids, 6).await.unwrap_err();
        assert_eq!(error.reason(), "OBJECT_SHORT", "{error}");
        assert!(error.to_string().contains("5 bytes were found instead of 6"), "{error}");
        assert_eq!(destination.head(KEY).await.unwrap(), None);

        let upload = destination.begin(KEY).await.unwrap();
        let ids = [destination.put_part(KEY, &upload, 0, 0, part(b"12345")).await.unwrap()];
        let object = destination.complete(KEY, &upload, &ids, 5).await.unwrap();
        assert_eq!(destination.complete(KEY, &upload, &ids, 5).await.unwrap(), object);
        // A wrong expected size must not delete an object that is already complete.
        let error = destination.complete(KEY, &upload, &ids, 6).await.unwrap_err();
        assert_eq!(error.reason(), "OBJECT_SHORT", "{error}");
        assert_eq!(destination.head(KEY).await.unwrap(), Some(object));
    }
}

#[tokio::test]
async fn small_objects_are_replaced_and_read_within_their_limit() {
    for fixture in Fixture::all().await {
        let destination = &fixture.destination;
        assert_eq!(destination.read_small("a.json", 10).await.unwrap(), None);
        for text in ["first", "", "0123456789"] {
            destination.put_small("a.json", Bytes::from_static(text.as_bytes())).await.unwrap();
            assert_eq!(destination.read_small("a.json", 10).await.unwrap().unwrap(), text);
        }
        let error = destination.read_small("a.json", 9).await.unwrap_err();
        assert_eq!(error.reason(), "OBJECT_TOO_LARGE", "{error}");
    }
}

#[tokio::test]
async fn only_top_level_sidecars_are_listed() {
    for fixture in Fixture::all().await {
        let destination = &fixture.destination;
        // More than one page of S3.
        let mut expected: Vec<String> = (0..1005).map(|number| format!("{number:04}.json")).collect();
        destination.put_small(KEY, Bytes::from_static(b"x")).await.unwrap();
        std::fs::create_dir(fixture.files().join("below")).unwrap();
        for name in expected.iter().map(String::as_str).chain(["below/0.json", "a b.json", "b.jsonx"]) {
            std::fs::write(fixture.files().join(name), "{}").unwrap();
        }
        expected.sort();
        assert_eq!(sidecars(destination).await, expected);
    }
}

#[tokio::test]
async fn deleting_may_be_repeated() {
    for fixture in Fixture::all().await {
        let destination = &fixture.destination;
        fixture.stored(KEY, &[part(b"x")]).await.unwrap();
        destination.delete(KEY).await.unwrap();
        assert_eq!(destination.head(KEY).await.unwrap(), None);
        destination.delete(KEY).await.unwrap();
        let error = read(destination, 0..1, None).await.unwrap_err();
        assert_eq!(error.reason(), "OBJECT_MISSING", "{error}");
    }
}

#[tokio::test]
async fn an_object_that_changed_is_refused() {
    for fixture in Fixture::all().await {
        let destination = &fixture.destination;
        let before = fixture.stored(KEY, &[part(b"before")]).await.unwrap();
        fixture.stored(KEY, &[part(b"after!")]).await.unwrap();
        for range in [0..6, 3..3] {
            let error = read(destination, range, Some(&before.etag)).await.unwrap_err();
            assert_eq!(error.reason(), "OBJECT_CHANGED", "{error}");
        }
        assert_eq!(read(destination, 0..6, None).await.unwrap(), b"after!");
    }
}

#[tokio::test]
async fn a_range_beyond_the_end_is_never_a_short_answer() {
    for fixture in Fixture::all().await {
        fixture.stored(KEY, &[part(b"12345")]).await.unwrap();
        for range in [0..6, 5..6, 100..101] {
            assert!(read(&fixture.destination, range.clone(), None).await.is_err(), "{range:?}");
        }
    }
}

#[tokio::test]
async fn names_that_lead_elsewhere_are_refused_before_anything_is_reached() {
    for fixture in Fixture::all().await {
        let destination = &fixture.destination;
        for key in ["../x", "/etc/passwd", "a/b", ".x", ""] {
            let errors = [
                destination.begin(key).await.unwrap_err(),
                destination.put_small(key, Bytes::new()).await.unwrap_err(),
                destination.delete(key).await.unwrap_err(),
                destination.head(key).await.unwrap_err(),
                destination.abort(key, "00").await.unwrap_err(),
            ];
            assert!(errors.iter().all(|error| error.reason() == "OBJECT_NAME"), "{key}");
        }
        assert!(fixture.s3.is_none_or(|s3| s3.requests().is_empty()));
    }
}

#[test]
fn destinations_have_names_and_keep_their_order() {
    let named = |name: &str| DestinationConfig { name: name.into(), ..config("file:///srv") };
    let destinations = Destinations::create(&[named("b"), named("a")]).unwrap();
    let names: Vec<_> = destinations.all().iter().map(|destination| destination.name.as_str()).collect();
    assert_eq!(names, ["b", "a"]);
    assert!(destinations.get("a").is_ok() && destinations.get("c").is_err());
}

#[tokio::test]
async fn a_destination_that_works_passes_its_check() {
    for fixture in Fixture::all().await {
        fixture.destination.check().await.unwrap();
    }
}
