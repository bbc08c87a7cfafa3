//! The configuration that the chart writes: the services understand it, and it says what the values say.

use std::time::Duration;

use e2e::chart::{Chart, Volume, containers, object, values};
use e2e::{finish, program};
use serde_json::json;

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn both_services_understand_their_configuration() {
    let Some(chart) = Chart::open() else { return };
    let objects = chart.render(&values(json!({})));
    for service in ["vault", "backup"] {
        let deployment = object(&objects, "Deployment", &format!("strongroom-{service}"));
        let container = &containers(&objects, deployment)[0];
        let Volume::ConfigMap { files, .. } = &container.mount("/etc/strongroom/config").volume else {
            panic!("the configuration is a ConfigMap")
        };
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        std::fs::write(&file, &files[&format!("{service}.toml")]).unwrap();
        let mut command = program(&format!("strongroom-{service}"));
        let said = finish(command.arg("--config").arg(file), b"", PATIENCE).failed_with(1);
        assert_eq!(said, "");
    }
}
