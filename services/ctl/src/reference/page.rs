//! The keys of the configuration as a page for operators.

use serde_json::Value;

/// The keys are between these lines; the text around them is written by hand.
const BEGIN: &str = "<!-- The keys, as the types of the configuration describe them. -->\n";
const END: &str = "<!-- The end of the keys. -->\n";

/// Width of a line of the page.
const WIDTH: usize = 118;

/// `page` with the keys of `file` in it.
pub(super) fn with_keys(page: &str, file: &Value) -> String {
    let (before, rest) = page.split_once(BEGIN).expect("the page says where its keys begin");
    let (_, after) = rest.split_once(END).expect("the page says where its keys end");
    let mut keys = String::new();
    for (name, section) in file["properties"].as_object().unwrap() {
        let (heading, table) = match section.get("items") {
            Some(element) => (format!("[[{name}]]"), element),
            None => (format!("[{name}]"), section),
        };
        keys.push_str(&format!("## `{heading}`\n\n{}\n", wrapped(&description(&heading, section), "")));
        for entry in entries(&Place::of_section(name, section), table, section) {
            keys.push_str(&entry.text());
        }
        keys.push('\n');
    }
    format!("{before}{BEGIN}\n{keys}{END}{after}")
}

/// A key as the page shows it.
pub(super) struct Entry<'a> {
    /// Its name below its section: `tls.cert_file`.
    name: String,
    pub(super) schema: &'a Value,
    required: bool,
    default: String,
    /// None if no variable can name it: in lists.
    pub(super) variable: Option<String>,
}

impl Entry<'_> {
    fn text(&self) -> String {
        let mut facts = vec![kind(&self.name, self.schema)];
        if self.required {
            facts.push("required".into());
        } else if !self.default.is_empty() {
            facts.push(format!("default `{}`", self.default));
        }
        facts.extend(self.variable.as_ref().map(|variable| format!("`{variable}`")));
        let text = description(&self.name, self.schema) + &meanings(&self.name, self.schema);
        format!("- **`{}`**: {}\\\n{}", self.name, facts.join("; "), wrapped(&text, "  "))
    }
}

/// The place of a table of keys in the file.
pub(super) struct Place {
    prefix: String,
    variable: Option<String>,
}

impl Place {
    pub(super) fn of_section(name: &str, section: &Value) -> Self {
        let variable =
            section.get("items").is_none().then(|| format!("STRONGROOM_{}__", name.to_uppercase()));
        Self { prefix: String::new(), variable }
    }

    fn below(&self, key: &str, is_list: bool) -> Self {
        let variable = self.variable.as_ref().filter(|_| !is_list);
        Self {
            prefix: format!("{}{key}.", self.prefix),
            variable: variable.map(|variable| format!("{variable}{}__", key.to_uppercase())),
        }
    }
}

/// The keys of `table`, each before the keys below it. A default is the one that `parent` has for the key, or else the
/// key's own.
pub(super) fn entries<'a>(place: &Place, table: &'a Value, parent: &'a Value) -> Vec<Entry<'a>> {
    let required = table["required"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut entries = Vec::new();
    for (key, schema) in table["properties"].as_object().unwrap() {
        let of_parent = parent["default"].get(key).filter(|one| !one.is_null());
        let is_value = schema["type"] != "array" && schema["type"] != "object";
        let variable = place.variable.as_ref().filter(|_| is_value);
        entries.push(Entry {
            name: format!("{}{key}", place.prefix),
            schema,
            required: required.iter().any(|one| one == key),
            default: of_parent.or_else(|| schema.get("default")).map(shown).unwrap_or_default(),
            variable: variable.map(|variable| format!("{variable}{}", key.to_uppercase())),
        });
        let (below, is_list) = schema.get("items").map_or((schema, false), |element| (element, true));
        if below.get("properties").is_some() {
            entries.extend(self::entries(&place.below(key, is_list), below, schema));
        }
    }
    entries
}

/// The description, which each key and each section must have.
fn description(name: &str, schema: &Value) -> String {
    let text = schema["description"].as_str().unwrap_or_default();
    assert!(text.len() > 10, "{name} has no description, or none that helps: {text:?}");
    assert!(!text.contains("[`"), "{name}: a link into the code helps no operator: {text:?}");
    text.to_owned()
}

/// The kind of value that a key takes.
fn kind(name: &str, schema: &Value) -> String {
    let bounds = match (&schema["minimum"], &schema["maximum"], &schema["exclusiveMinimum"]) {
        (Value::Number(low), Value::Number(high), _) => format!(" from {low} to {high}"),
        (Value::Number(low), ..) => format!(", {low} or more"),
        (.., Value::Number(low)) => format!(", more than {low}"),
        _ => String::new(),
    };
    let key = name.rsplit('.').next().unwrap_or(name);
    match schema["type"].as_str().unwrap_or("string") {
        "array" if schema["items"].get("properties").is_some() => "list of tables".into(),
        "array" if key.ends_with("_files") => "list of paths".into(),
        "array" => "list of strings".into(),
        "object" => "table".into(),
        "string" if key == "path" || key.ends_with("_file") || key.ends_with("_dir") => "path".into(),
        "string" if schema.get("oneOf").is_some() => {
            let values: Vec<_> = values(schema).map(|(value, _)| format!("`{value}`")).collect();
            values.join(" or ")
        }
        other => format!("{other}{bounds}"),
    }
}

/// A default as written in a file; empty for an empty value.
fn shown(default: &Value) -> String {
    match default {
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Bool(_) => default.to_string(),
        _ => String::new(),
    }
}

/// The values of an enumeration, each with its schema.
pub(super) fn values(schema: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let values = schema["oneOf"].as_array().map(Vec::as_slice).unwrap_or_default();
    values.iter().map(|one| (one["const"].as_str().unwrap(), one))
}

fn meanings(name: &str, schema: &Value) -> String {
    let meanings: Vec<_> =
        values(schema).map(|(value, one)| format!("`{value}`: {}", description(name, one))).collect();
    if meanings.is_empty() { String::new() } else { format!(" {}.", meanings.join("; ")) }
}

fn wrapped(text: &str, indent: &str) -> String {
    let mut lines = vec![indent.to_owned()];
    for word in text.split(' ') {
        let line = lines.last().unwrap();
        if line.chars().count() + word.chars().count() > WIDTH {
            lines.push(indent.to_owned());
        }
        let line = lines.last_mut().unwrap();
        if line.len() > indent.len() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.join("\n") + "\n"
}
