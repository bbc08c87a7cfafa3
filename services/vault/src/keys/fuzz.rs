//! Fuzzing of `keys/ring.json`: an archive's ring comes from a file that anybody can have written.
#![expect(clippy::unwrap_used, reason = "tests")]

use strongroom_crypto::RootKey;
use strongroom_fuzz::fuzz;

use super::archived::ArchivedRing;

#[test]
fn rings_of_archives() {
    let root = RootKey::parse(&format!("base64:{}=", "A".repeat(43))).unwrap();
    let seed = format!(
        r#"{{"root_key_id":"{}","deployment_id":"01a22e92-4fc8-7462-8a2d-9b7ece0692ee","versions":[
        {{"kid":"0123456789abcdef","key_id":"credentials","purpose":"credential","number":1,"state":"primary",
          "create_time":"2026-01-31T12:00:00Z","state_time":"2026-01-31T12:00:00Z"}},
        {{"kid":"0123456789abcdee","key_id":"gateway","purpose":"caller","number":3,"state":"destroyed",
          "create_time":"2026-01-31T12:00:00.000001Z","state_time":"2026-01-31T12:00:00Z","destroy_time":"2027-01-31T12:00:00Z"}}],
        "mac":"{}"}}"#,
        root.id(),
        "00".repeat(32)
    );
    fuzz("ring.json", &[seed.as_bytes()], |json| {
        let ring = ArchivedRing::parse(json).map_err(|error| error.to_string())?;
        assert!(
            ring.authenticate(&[&root]).is_err() || ring.root_key_id != root.id(),
            "a forged ring is authentic"
        );
        Ok(())
    });
}
