//! The Helm chart as a cluster receives it. Helm renders it; this module finds the objects, their containers, and the
//! files that the containers see.

mod pod;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::call::{Finished, finish};
use crate::program::repository;
use crate::tool::{folder_of, tool};

pub use pod::{Container, Mount, SecretFile, Variable, Volume, containers};

/// The release name and the namespace of everything that is rendered here.
pub const RELEASE: &str = "strongroom";

const PATIENCE: Duration = Duration::from_secs(60);

/// Helm writes only YAML.
const YAML_TO_JSON: &str = "import json, sys, yaml
documents = yaml.load_all(sys.stdin, Loader=yaml.CSafeLoader)
json.dump([document for document in documents if document], sys.stdout)";

/// The chart and the tools that read it.
#[derive(Debug, Clone)]
pub struct Chart {
    /// The folder of helm, kubectl, and a Python with kubernetes-validate.
    tools: PathBuf,
    folder: PathBuf,
}

impl Chart {
    /// The chart of this repository. If the tools are not installed, reports that and returns `None`.
    ///
    /// # Panics
    /// If they are missing in CI.
    #[must_use]
    pub fn open() -> Option<Self> {
        // Not the first ones on the PATH: a machine's own helm may be older.
        tool("kubernetes-validate")?;
        let tools = folder_of("kubernetes-validate")?;
        if !tools.join("helm").is_file() {
            return tool("helm 4 beside kubernetes-validate").and(None);
        }
        Some(Self { tools, folder: repository().join("helm/strongroom") })
    }

    /// The chart in another folder: a changed copy.
    #[must_use]
    pub fn at(&self, folder: &Path) -> Self {
        Self { folder: folder.to_owned(), ..self.clone() }
    }

    /// The chart's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A command for one of the tools: `helm`, `kubectl`, or `python3` with kubernetes-validate and its dependencies.
    #[must_use]
    pub fn tool(&self, name: &str) -> Command {
        Command::new(self.tools.join(name))
    }

    /// The objects rendered for `values` at an install, including hooks.
    ///
    /// # Panics
    /// If it does not render.
    #[must_use]
    pub fn render(&self, values: &Value) -> Vec<Value> {
        let yaml = self.template(values).succeeded().stdout;
        let json =
            finish(self.tool("python3").args(["-c", YAML_TO_JSON]), &yaml, PATIENCE).succeeded().stdout;
        serde_json::from_slice(&json).unwrap()
    }

    /// Helm's message about values that it must refuse.
    ///
    /// # Panics
    /// If helm renders them.
    #[must_use]
    pub fn refusal(&self, values: &Value) -> String {
        let finished = self.template(values);
        assert_eq!(finished.code, Some(1), "{values} is refused\n{}", finished.said());
        finished.stderr
    }

    /// `helm template` to its end.
    #[must_use]
    pub fn template(&self, values: &Value) -> Finished {
        self.helm(&["template", RELEASE], values)
    }

    /// A helm command with the chart and `values`.
    ///
    /// # Panics
    /// If helm does not end.
    #[must_use]
    pub fn helm(&self, arguments: &[&str], values: &Value) -> Finished {
        let mut helm = self.tool("helm");
        helm.args(arguments).arg(&self.folder).args(["--namespace", RELEASE, "--values", "-"]);
        finish(&mut helm, yaml(values).as_bytes(), PATIENCE)
    }
}

/// Values as YAML: JSON with all characters beyond ASCII escaped, because YAML reads some as line breaks and refuses
/// others.
fn yaml(values: &Value) -> String {
    let mut text = String::new();
    for character in values.to_string().chars() {
        match u32::from(character) {
            0x20..=0x7e => text.push(character),
            number @ ..=0xffff => text.push_str(&format!("\\u{number:04x}")),
            number => text.push_str(&format!("\\U{number:08x}")),
        }
    }
    text
}

/// The values of a minimal install, with `changes`.
#[must_use]
pub fn values(changes: Value) -> Value {
    let mut values = json!({
        "vault": { "rootKey": { "existingSecret": "strongroom-root-key" } },
        "tokens": { "existingSecret": "strongroom-tokens" },
    });
    merge(&mut values, changes);
    values
}

/// Merges `changes` into `values` like helm: objects key by key, anything else as a whole.
pub fn merge(values: &mut Value, changes: Value) {
    match (values, changes) {
        (Value::Object(values), Value::Object(changes)) => {
            for (key, change) in changes {
                merge(values.entry(key).or_insert(Value::Null), change);
            }
        }
        (value, change) => *value = change,
    }
}

/// The object of `kind` with the name `name`.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn object<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let found = of_kind(objects, kind).find(|object| object["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("no {kind} {name} is rendered"))
}

/// All objects of `kind`.
pub fn of_kind<'a>(objects: &'a [Value], kind: &str) -> impl Iterator<Item = &'a Value> {
    objects.iter().filter(move |object| object["kind"] == kind)
}

/// The pod spec of an object that is a pod or creates pods.
#[must_use]
pub fn pod_spec(object: &Value) -> Option<&Value> {
    match object["kind"].as_str()? {
        "Pod" => Some(&object["spec"]),
        "Deployment" => Some(&object["spec"]["template"]["spec"]),
        _ => None,
    }
}

fn elements(list: &Value) -> &[Value] {
    list.as_array().map_or(&[], Vec::as_slice)
}
