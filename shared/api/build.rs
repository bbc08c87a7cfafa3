//! Generates clients, servers and two pieces of code from the protos: a table of the permission that each
//! method requires, and `Debug` implementations that hide the fields marked `secret`. protox compiles the
//! protos, so protoc is not needed.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use prost::Message as _;
use prost_reflect::{DescriptorPool, ExtensionDescriptor, FieldDescriptor, MessageDescriptor, Value};

const PROTO_ROOT: &str = "../../proto";

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    println!("cargo:rerun-if-changed={PROTO_ROOT}");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut compiler = protox::Compiler::new([PROTO_ROOT])?;
    compiler.include_imports(true).include_source_info(true);
    for file in proto_files(Path::new(PROTO_ROOT))? {
        compiler.open_file(file)?;
    }
    let descriptors = compiler.encode_file_descriptor_set();
    fs::write(out.join("descriptors.bin"), &descriptors)?;
    let pool = DescriptorPool::decode(descriptors.as_slice())?;

    let secret = extension(&pool, "strongroom.auth.v1.secret")?;
    let has_secret = |message: &MessageDescriptor| message.fields().any(|field| is_secret(&secret, &field));
    let redacted: Vec<MessageDescriptor> = pool.all_messages().filter(has_secret).collect();
    fs::write(out.join("redacted.rs"), redacting_debugs(&secret, &redacted)?)?;
    fs::write(out.join("permissions.rs"), permission_table(&pool)?)?;

    let set = prost_reflect::prost_types::FileDescriptorSet::decode(descriptors.as_slice())?;
    let mut builder = tonic_prost_build::configure().bytes(".").build_transport(false);
    for message in &redacted {
        builder = builder.skip_debug([format!(".{}", message.full_name())]);
    }
    builder.compile_fds(set)?;
    Ok(())
}

fn proto_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(proto_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Whether a field has the option `secret`.
fn is_secret(option: &ExtensionDescriptor, field: &FieldDescriptor) -> bool {
    matches!(field.options().get_extension(option).as_ref(), Value::Bool(true))
}

/// Replaces the `Debug` that prost derives, which prints all fields whatever their options
/// (tokio-rs/prost#861).
fn redacting_debugs(option: &ExtensionDescriptor, messages: &[MessageDescriptor]) -> Result<String> {
    let mut code = String::new();
    for message in messages {
        let path = rust_path(message);
        writeln!(code, "impl std::fmt::Debug for {path} {{")?;
        writeln!(code, "    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {{")?;
        writeln!(code, "        f.debug_struct({:?})", message.name())?;
        for field in message.fields() {
            let name = field.name();
            if is_secret(option, &field) {
                writeln!(code, "            .field({name:?}, &\"[redacted]\")")?;
            } else {
                writeln!(code, "            .field({name:?}, &self.{name})")?;
            }
        }
        writeln!(code, "            .finish()\n    }}\n}}")?;
    }
    Ok(code)
}

/// `strongroom.vault.v1.IssueTokenResponse` → `crate::vault::v1::IssueTokenResponse`. Only top-level messages
/// contain secrets.
fn rust_path(message: &MessageDescriptor) -> String {
    let package = message.package_name().trim_start_matches("strongroom.").replace('.', "::");
    format!("crate::{package}::{}", message.name())
}

fn extension(pool: &DescriptorPool, name: &str) -> Result<ExtensionDescriptor> {
    let found = pool.get_extension_by_name(name);
    found.ok_or_else(|| format!("the option {name} is gone").into())
}

fn permission_table(pool: &DescriptorPool) -> Result<String> {
    let extension = extension(pool, "strongroom.auth.v1.permission")?;
    let mut code = String::from("&[\n");
    for service in pool.services() {
        for method in service.methods() {
            let options = method.options();
            let Value::String(permission) = options.get_extension(&extension).into_owned() else {
                return Err("the permission option is a string".into());
            };
            let path = format!("/{}/{}", service.full_name(), method.name());
            writeln!(code, "    ({path:?}, {permission:?}),")?;
        }
    }
    code.push(']');
    Ok(code)
}
