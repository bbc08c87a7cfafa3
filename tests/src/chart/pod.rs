//! Containers as described by their pods' manifests.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{elements, of_kind, pod_spec};

/// A container with the files that it sees.
#[derive(Debug, Clone)]
pub struct Container {
    /// Its name in the pod.
    pub name: String,
    /// Its image.
    pub image: String,
    /// The program: `command` of the manifest.
    pub command: Vec<String>,
    /// Its arguments, with `$(NAME)` as in the manifest; see [`Self::arguments`] for the expanded ones.
    pub args: Vec<String>,
    /// Its environment, in order; see [`Self::environment`].
    pub env: Vec<(String, Variable)>,
    /// Its mounted volumes.
    pub mounts: Vec<Mount>,
}

/// The value of an environment variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Variable {
    /// This text.
    Text(String),
    /// A field of the pod, such as `metadata.uid`.
    Field(String),
    /// Anything else: the manifest's `valueFrom`.
    Other(Value),
}

/// A volume at a path.
#[derive(Debug, Clone)]
pub struct Mount {
    /// Its path in the container.
    pub path: String,
    /// Whether the container cannot write to it.
    pub read_only: bool,
    /// The volume's name in the pod; equal names denote the same volume.
    pub name: String,
    /// The mounted volume.
    pub volume: Volume,
}

/// A volume.
#[derive(Debug, Clone)]
pub enum Volume {
    /// Files of a ConfigMap, by name; empty if the chart does not render the ConfigMap.
    ConfigMap {
        /// Name of the ConfigMap.
        name: String,
        /// File names and contents.
        files: BTreeMap<String, String>,
    },
    /// Files of Secrets.
    Secrets {
        /// The files and their sources.
        files: Vec<SecretFile>,
        /// Their mode, as a number: 0o440.
        mode: u32,
    },
    /// Fields of the pod as files: name and field.
    Pod(Vec<(String, String)>),
    /// An empty folder.
    Empty,
    /// A volume claim, by name.
    Claim(String),
    /// Anything else, as in the manifest.
    Other(Value),
}

/// One file from a Secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretFile {
    /// The Secret.
    pub secret: String,
    /// Its key; if empty, all keys, each under its own name.
    pub key: String,
    /// The file's name; empty if the key is empty.
    pub path: String,
}

/// The containers of a pod, or of an object that creates pods: init containers first, in order.
///
/// # Panics
/// If `owner` creates no pods.
#[must_use]
pub fn containers(objects: &[Value], owner: &Value) -> Vec<Container> {
    let pod = pod_spec(owner).unwrap_or_else(|| panic!("{} makes no pods", owner["kind"]));
    let all = elements(&pod["initContainers"]).iter().chain(elements(&pod["containers"]));
    all.map(|manifest| container(objects, pod, manifest)).collect()
}

impl Container {
    /// Its environment; `field` returns the pod's fields.
    ///
    /// # Panics
    /// If a variable has another source.
    #[must_use]
    pub fn environment(&self, field: impl Fn(&str) -> String) -> Vec<(String, String)> {
        let value = |variable: &Variable| match variable {
            Variable::Text(text) => text.clone(),
            Variable::Field(name) => field(name),
            Variable::Other(source) => panic!("only Kubernetes knows this value: {source}"),
        };
        self.env.iter().map(|(name, variable)| (name.clone(), value(variable))).collect()
    }

    /// Its arguments, with the variables of `environment` expanded.
    #[must_use]
    pub fn arguments(&self, environment: &[(String, String)]) -> Vec<String> {
        let expand = |argument: &String| {
            environment
                .iter()
                .fold(argument.clone(), |text, (name, value)| text.replace(&format!("$({name})"), value))
        };
        self.args.iter().map(expand).collect()
    }

    /// The mount at `path`.
    ///
    /// # Panics
    /// If nothing is mounted there.
    #[must_use]
    pub fn mount(&self, path: &str) -> &Mount {
        let found = self.mounts.iter().find(|mount| mount.path == path);
        found.unwrap_or_else(|| panic!("{}: nothing is mounted at {path}", self.name))
    }
}

fn container(objects: &[Value], pod: &Value, manifest: &Value) -> Container {
    let mount = |mount: &Value| {
        let name = text(&mount["name"]);
        let volume = elements(&pod["volumes"]).iter().find(|volume| volume["name"] == name.as_str());
        let volume = volume.unwrap_or_else(|| panic!("there is no volume {name}"));
        Mount {
            path: text(&mount["mountPath"]),
            read_only: mount["readOnly"] == true,
            volume: self::volume(objects, volume),
            name,
        }
    };
    Container {
        name: text(&manifest["name"]),
        image: text(&manifest["image"]),
        command: elements(&manifest["command"]).iter().map(text).collect(),
        args: elements(&manifest["args"]).iter().map(text).collect(),
        env: elements(&manifest["env"]).iter().map(variable).collect(),
        mounts: elements(&manifest["volumeMounts"]).iter().map(mount).collect(),
    }
}

fn variable(manifest: &Value) -> (String, Variable) {
    let from = &manifest["valueFrom"];
    let value = match (manifest["value"].as_str(), from["fieldRef"]["fieldPath"].as_str()) {
        (Some(value), _) => Variable::Text(value.to_owned()),
        (None, Some(field)) => Variable::Field(field.to_owned()),
        (None, None) => Variable::Other(from.clone()),
    };
    (text(&manifest["name"]), value)
}

fn volume(objects: &[Value], manifest: &Value) -> Volume {
    if let Some(config) = manifest.get("configMap") {
        let name = text(&config["name"]);
        return Volume::ConfigMap { files: files_of(objects, &name, &config["items"]), name };
    }
    if let Some(secret) = manifest.get("secret") {
        let files = secret_files(&text(&secret["secretName"]), &secret["items"]);
        return Volume::Secrets { files, mode: mode(secret) };
    }
    if let Some(projected) = manifest.get("projected") {
        let secrets = elements(&projected["sources"]).iter().map(|source| &source["secret"]);
        let files = secrets.flat_map(|secret| secret_files(&text(&secret["name"]), &secret["items"]));
        return Volume::Secrets { files: files.collect(), mode: mode(projected) };
    }
    if let Some(pod) = manifest.get("downwardAPI") {
        let file = |item: &Value| (text(&item["path"]), text(&item["fieldRef"]["fieldPath"]));
        return Volume::Pod(elements(&pod["items"]).iter().map(file).collect());
    }
    if let Some(claim) = manifest.get("persistentVolumeClaim") {
        return Volume::Claim(text(&claim["claimName"]));
    }
    match manifest.get("emptyDir") {
        Some(_) => Volume::Empty,
        None => Volume::Other(manifest.clone()),
    }
}

fn files_of(objects: &[Value], config_map: &str, items: &Value) -> BTreeMap<String, String> {
    let found = of_kind(objects, "ConfigMap").find(|object| object["metadata"]["name"] == config_map);
    let Some(data) = found.and_then(|object| object["data"].as_object()) else { return BTreeMap::new() };
    let named = |key: &str| {
        let item = elements(items).iter().find(|item| item["key"] == key);
        item.map_or_else(|| items.is_null().then(|| key.to_owned()), |item| Some(text(&item["path"])))
    };
    data.iter().filter_map(|(key, content)| Some((named(key)?, text(content)))).collect()
}

fn secret_files(secret: &str, items: &Value) -> Vec<SecretFile> {
    let file = |key: &Value, path: &Value| SecretFile {
        secret: secret.to_owned(),
        key: text(key),
        path: text(path),
    };
    if items.is_null() {
        return vec![file(&Value::Null, &Value::Null)];
    }
    elements(items).iter().map(|item| file(&item["key"], &item["path"])).collect()
}

fn mode(manifest: &Value) -> u32 {
    // Kubernetes' default.
    manifest["defaultMode"].as_u64().map_or(0o644, |mode| u32::try_from(mode).unwrap())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
