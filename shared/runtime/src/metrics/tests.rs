use std::time::Duration;

use tonic::Code;

use super::*;
use crate::rpc::OTHER;

fn text(metrics: &Metrics) -> String {
    String::from_utf8(metrics.text()).expect("it is text")
}

#[test]
fn two_services_in_one_process_count_apart() {
    let (one, two) = (Metrics::new(), Metrics::new());
    one.counter("strongroom_test_total", "A test.").inc();
    assert!(text(&one).contains("strongroom_test_total 1"), "{}", text(&one));
    assert!(!text(&two).contains("strongroom_test_total"));
    for metrics in [&one, &two] {
        assert!(text(metrics).contains("strongroom_build_info{version=\""), "{}", text(metrics));
        assert!(text(metrics).contains("process_resident_memory_bytes"), "{}", text(metrics));
    }
}

#[test]
fn calls_are_counted_by_known_methods_only() {
    let metrics = Metrics::new();
    let rpc = Rpc::new(&metrics, &["strongroom.status.v1.StatusService"]);
    let known = "strongroom.status.v1.StatusService/GetStatus";
    assert_eq!(rpc.method("/strongroom.status.v1.StatusService/GetStatus"), known);
    assert_eq!(rpc.method("/strongroom.vault.v1.KeyService/CreateKey"), OTHER, "another service's");
    for method in [known, rpc.method(known), "an invention"] {
        rpc.begin(method);
        rpc.end(method, Code::NotFound, Duration::from_millis(3));
    }
    rpc.begin(known);
    let text = text(&metrics);
    for line in [
        "strongroom_rpc_calls_total{code=\"NOT_FOUND\",method=\"strongroom.status.v1.StatusService/GetStatus\"} 2",
        "strongroom_rpc_calls_total{code=\"NOT_FOUND\",method=\"_OTHER\"} 1",
        "strongroom_rpc_in_flight{method=\"strongroom.status.v1.StatusService/GetStatus\"} 1",
        "strongroom_rpc_duration_seconds_bucket{method=\"_OTHER\",le=\"0.0025\"} 0",
        "strongroom_rpc_duration_seconds_bucket{method=\"_OTHER\",le=\"0.005\"} 1",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(!text.contains("invention") && !text.contains("Watch"), "{text}");
}

#[test]
fn sampled_numbers_are_read_at_each_scrape() {
    let metrics = Metrics::new();
    metrics.publish_certificates(|| Certificates { not_after: 1_900_000_000, reloads: 2, failed_reloads: 1 });
    let text = text(&metrics);
    for line in [
        "# TYPE strongroom_tls_certificate_expiry_timestamp_seconds gauge",
        "strongroom_tls_certificate_expiry_timestamp_seconds 1900000000",
        "strongroom_tls_certificate_reloads_total{outcome=\"success\"} 2",
        "strongroom_tls_certificate_reloads_total{outcome=\"failed\"} 1",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert_eq!(metrics.certificates().map(|now| now.reloads), Some(2));
}
