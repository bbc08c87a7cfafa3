//! The chart and the programs fit together: the rendered containers run here, each in its image's root folder, with the
//! command, environment and mounted files of its manifest, under the names of the Services and at an address that is
//! not loopback.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;
use std::time::Duration;

use e2e::chart::{Chart, Container, RELEASE, Volume, containers, object, of_kind, pod_spec, values};
use e2e::image::Root;
use e2e::{Operator, PATIENCE, Service, eventually, finish, http, network, tool};
use serde_json::{Value, json};
use strongroom_testkit::Authority;

const ADDRESS: &str = "192.0.2.1";
const POD_UID: &str = "0f5b6a1c-2d3e-4f50-8a9b-c0d1e2f30415";

/// Contents of Secrets and ConfigMaps that the chart does not create, by name and key.
type Secrets = BTreeMap<(String, String), Vec<u8>>;

/// The requirements for running a pod here.
struct Cluster {
    objects: Vec<Value>,
    secrets: Secrets,
}

impl Cluster {
    fn of(chart: &Chart, changes: Value, mut secrets: Secrets) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let nobody = Operator { vault_url: String::new(), backup_url: String::new(), token: String::new() };
        for (command, secret, key) in [
            (["key", "new-root"], "strongroom-root-key", "root.key"),
            (["token", "new"], "strongroom-tokens", "admin.token"),
            (["token", "new"], "strongroom-tokens", "backup.token"),
        ] {
            let file = folder.path().join(key);
            let _ = nobody.run(&[&command[..], &["--out", file.to_str().unwrap()]].concat()).succeeded();
            secrets.insert((secret.into(), key.into()), std::fs::read(file).unwrap());
        }
        Self { objects: chart.render(&values(changes)), secrets }
    }

    /// The names of the Services, as the cluster's DNS would resolve them.
    fn hosts(&self) -> String {
        let services =
            of_kind(&self.objects, "Service").map(|service| service["metadata"]["name"].as_str().unwrap());
        let line = |name| {
            let qualified = format!("{name}.{RELEASE}");
            format!("{ADDRESS} {name} {qualified} {qualified}.svc {qualified}.svc.cluster.local\n")
        };
        services.map(line).collect()
    }

    /// The image's root folder with the files that `container` sees.
    fn mounted(&self, container: &Container) -> Root {
        let root = Root::of(container.command[0].trim_start_matches('/'));
        root.mount_for_group("/etc/hosts", self.hosts().as_bytes(), 0o644);
        for mount in &container.mounts {
            self.mount(&root, &mount.path, &mount.volume);
        }
        root
    }

    fn mount(&self, root: &Root, path: &str, volume: &Volume) {
        match volume {
            Volume::ConfigMap { files, .. } => {
                for (name, content) in files {
                    root.mount_for_group(&format!("{path}/{name}"), content.as_bytes(), 0o644);
                }
            }
            Volume::Secrets { files, mode } => {
                for file in files {
                    let content = self.secrets.get(&(file.secret.clone(), file.key.clone()));
                    let content =
                        content.unwrap_or_else(|| panic!("the chart asks for an unknown Secret: {file:?}"));
                    root.mount_for_group(&format!("{path}/{}", file.path), content, *mode);
                }
            }
            Volume::Pod(fields) => {
                for (name, field) in fields {
                    root.mount_for_group(&format!("{path}/{name}"), pod_field(field).as_bytes(), 0o440);
                }
            }
            Volume::Empty | Volume::Claim(_) => root.mount_empty(path),
            Volume::Other(manifest) => panic!("{path}: a volume that only a cluster has: {manifest}"),
        }
    }

    /// Starts the only container of a Deployment.
    fn start(&self, deployment: &str) -> Pod<'_> {
        let manifest = object(&self.objects, "Deployment", deployment);
        let container = containers(&self.objects, manifest).into_iter().next().unwrap();
        let root = self.mounted(&container);
        let service = Service::start(&mut as_in_manifest(&root, &container));
        Pod { spec: pod_spec(manifest).unwrap(), service, _root: root }
    }

    /// Runs the containers of `helm test`, each after the previous one has succeeded.
    fn test(&self) {
        let pod = of_kind(&self.objects, "Pod").next().unwrap();
        let steps = containers(&self.objects, pod);
        let root = self.mounted(&steps[0]);
        for step in &steps {
            let done = finish(&mut as_in_manifest(&root, step), b"", PATIENCE);
            assert_eq!(done.code, Some(0), "{}: {}", step.name, done.said());
        }
        assert!(steps.len() > 3, "it reveals and exports");
    }
}

fn pod_field(name: &str) -> String {
    match name {
        "metadata.uid" => POD_UID.to_owned(),
        "metadata.name" => "strongroom-0".to_owned(),
        "status.podIP" => ADDRESS.to_owned(),
        name => panic!("the chart asks for {name} of the pod"),
    }
}

fn as_in_manifest(root: &Root, container: &Container) -> Command {
    let environment = container.environment(pod_field);
    let mut command = root.command();
    assert_eq!(container.command, [root.program.as_str()], "the image has one program");
    command.args(container.arguments(&environment)).envs(environment);
    command
}

/// A pod with its only container running.
struct Pod<'a> {
    spec: &'a Value,
    service: Service,
    _root: Root,
}

impl Pod<'_> {
    /// Sends the request of a probe in the manifest.
    fn probe(&self, name: &str) -> Option<http::Answer> {
        let container = &self.spec["containers"][0];
        let get = &container[name]["httpGet"];
        let ports = container["ports"].as_array().unwrap();
        let port = ports.iter().find(|port| port["name"] == get["port"]).unwrap();
        http::get(&format!("{ADDRESS}:{}", port["containerPort"]), get["path"].as_str().unwrap())
    }

    fn wait_until_ready(&self) {
        eventually("a pod is ready by itself", PATIENCE, || {
            let answer = self.probe("readinessProbe")?;
            (answer.status == 200).then_some(())
        });
        for probe in ["startupProbe", "livenessProbe"] {
            assert_eq!(self.probe(probe).map(|answer| answer.status), Some(200), "{probe}");
        }
    }

    /// Stops the pod within its grace period.
    fn stop(mut self) {
        let grace = Duration::from_secs(self.spec["terminationGracePeriodSeconds"].as_u64().unwrap());
        let began = std::time::Instant::now();
        let ended = self.service.terminate();
        assert!(ended.success() && began.elapsed() < grace, "{ended}\n{}", self.service.log());
    }
}

/// The chart, if this process may change its root folder and the chart's tools are installed.
fn chart() -> Option<Chart> {
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        assert!(std::env::var_os("CI").is_none(), "CI runs these tests as root");
        tool::skipped("the chart's containers did not run: that needs root");
        return None;
    }
    Chart::open()
}

fn run(cluster: &Cluster) {
    // The backup service starts first and waits for its vault.
    let backup = cluster.start("strongroom-backup");
    let vault = cluster.start("strongroom-vault");
    vault.wait_until_ready();
    backup.wait_until_ready();
    cluster.test();
    backup.stop();
    vault.stop();
}

#[test]
fn what_a_default_install_renders_becomes_ready_exports_and_stops() {
    let Some(chart) = chart() else { return };
    if network::is_own("cluster::what_a_default_install_renders_becomes_ready_exports_and_stops", ADDRESS) {
        run(&Cluster::of(&chart, json!({}), Secrets::new()));
    }
}

#[test]
fn so_does_an_install_with_certificates() {
    let Some(chart) = chart() else { return };
    if !network::is_own("cluster::so_does_an_install_with_certificates", ADDRESS) {
        return;
    }
    let authority = Authority::new("of the cluster");
    let mut secrets = Secrets::new();
    for service in ["vault", "backup"] {
        let name = format!("strongroom-{service}");
        let names = [name.clone(), format!("{name}.{RELEASE}"), format!("{name}.{RELEASE}.svc")];
        let certificate = authority.issue(&names.each_ref().map(String::as_str));
        for (key, pem) in [
            ("tls.crt", certificate.chain.as_str()),
            ("tls.key", certificate.key.as_str()),
            ("ca.crt", &authority.pem()),
        ] {
            secrets.insert((format!("{service}-tls"), key.to_owned()), pem.as_bytes().to_vec());
        }
    }
    let changes = json!({
        "tls": { "mode": "existingSecret", "existingSecrets": { "vault": "vault-tls", "backup": "backup-tls" } },
        "backup": {
            "config": { "concurrent_exports": 3 },
            "destinations": [{ "name": "nearby", "existingClaim": "backups" }],
        },
    });
    run(&Cluster::of(&chart, changes, secrets));
}
