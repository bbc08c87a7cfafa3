//! Clients in other languages: the protos compile for them, and the guide's clients run as written.

use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::{Dev, Finished, PATIENCE, finish, repository, tool};
use prost_reflect::DescriptorPool;
use strongroom_runtime::client::{Bearer, Target};
use tonic::Code;
use tonic::codec::CompressionEncoding;

const SECRET: &[u8] = b"sk-live-0123456789abcdef";

/// All protos, as paths below `proto`.
fn protos() -> Vec<String> {
    let root = repository().join("proto");
    let (mut folders, mut found) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "proto") {
                found.push(path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found
}

fn files_below(folder: &Path, extension: &str) -> usize {
    let entries = folder.read_dir().into_iter().flatten().map(|entry| entry.unwrap().path());
    let count = |path: PathBuf| match path.is_dir() {
        true => files_below(&path, extension),
        false => usize::from(path.extension().is_some_and(|found| found == extension)),
    };
    entries.map(count).sum()
}

#[test]
fn the_protos_compile_for_six_languages() {
    let Some(mut protoc) = tool::tool("protoc") else { return };
    let (folder, protos) = (tempfile::tempdir().unwrap(), protos());
    assert!(protos.len() > 20, "{protos:?}");
    let version = tool::run(tool::tool("protoc").unwrap(), &["--version"]).text();
    assert!(version.starts_with("libprotoc 3.21."), "{version}: tests/run brings Debian's");
    let languages =
        [("cpp", "cc"), ("java", "java"), ("csharp", "cs"), ("python", "py"), ("php", "php"), ("ruby", "rb")];
    for (language, _) in languages {
        let out = folder.path().join(language);
        std::fs::create_dir(&out).unwrap();
        protoc.arg(format!("--{language}_out={}", out.display()));
    }
    // Without this option, C# puts all files into one folder, where two names collide.
    protoc.arg("--csharp_opt=base_namespace=Strongroom");
    protoc.arg("-I").arg(repository().join("proto")).args(&protos);
    let _ = tool::run(protoc, &[]);
    for (language, extension) in languages {
        let made = files_below(&folder.path().join(language), extension);
        assert!(made >= protos.len(), "{language}: {made} files of {} protos", protos.len());
    }
}

/// Without managed mode: the protos contain the options for each language.
#[test]
fn buf_generates_go_and_typescript() {
    let Some(mut buf) = tool::tool("buf") else { return };
    let (Some(_), Some(_)) = (tool::tool("protoc-gen-go"), tool::tool("protoc-gen-go-grpc")) else { return };
    let Some(typescript) = typescript() else { return };
    let folder = tempfile::tempdir().unwrap();
    let template = serde_json::json!({"version": "v2", "plugins": [
        {"local": "protoc-gen-go", "out": "go", "opt": "module=strongroom.internal/gen/go"},
        {"local": "protoc-gen-go-grpc", "out": "go", "opt": "module=strongroom.internal/gen/go"},
        {"local": typescript.join(".bin/protoc-gen-es"), "out": "es", "opt": "target=ts"},
    ]});
    buf.current_dir(folder.path()).arg("generate").arg(repository().join("proto"));
    let _ = tool::run(buf, &["--template", &template.to_string()]);
    assert!(folder.path().join("go/strongroom/backup/v1/backup_grpc.pb.go").exists());
    let made = files_below(&folder.path().join("es"), "ts");
    assert!(made >= protos().len(), "{made} files");
}

/// The folder of the npm packages, which tests/run brings; without them like [`tool::tool`].
fn typescript() -> Option<PathBuf> {
    let _ = tool::tool("node")?;
    let python = tool::python_with("python-grpc-tools-protoc")?;
    let tools = Path::new(python.get_program()).parent()?.parent()?;
    let folder = tools.join("clients/node_modules");
    if folder.join(".bin/tsc").exists() {
        return Some(folder);
    }
    tool::tool("tsc").map(|_| folder)
}

/// A platform with one credential, which is bound to the consumer `endpoint/chat`.
fn platform() -> Dev {
    let dev = Dev::start("");
    let id = dev.admin.create_credential("One", "openai", SECRET);
    let _ = dev.admin.run(&["reference", "bind", "endpoint", "chat", &id]).succeeded();
    dev
}

fn example(name: &str) -> PathBuf {
    repository().join("docs/integrating").join(name)
}

/// Checks the output of a client that has used a key and taken a backup, and the archive that it wrote.
fn is_done(dev: &Dev, finished: Finished, out: &Path) {
    let said = finished.succeeded().text();
    assert!(said.contains(&format!("a key of openai: {} bytes", SECRET.len())), "{said}");
    assert!(said.contains("tables, "), "{said}");
    let identity = dev.path("data/recovery.key");
    let (out, identity) = (out.to_str().unwrap(), identity.to_str().unwrap());
    let _ = dev.admin.run(&["archive", "verify", out, "--identity", identity]).succeeded();
}

/// Checks that the client prints the service's refusal on standard error and writes nothing.
fn is_refused(finished: &Finished, out: &Path) {
    assert_eq!(finished.code, Some(1), "{finished:?}");
    let said = &finished.stderr;
    assert!(said.starts_with("there is no reference endpoint/nobody"), "{said}");
    assert!(!out.exists());
}

fn addresses(dev: &Dev) -> [String; 2] {
    let (vault, backup) = dev.ports();
    [format!("127.0.0.1:{vault}"), format!("127.0.0.1:{backup}")]
}

#[test]
fn the_python_client_runs() {
    if tool::tool("python-grpc-tools-protoc").is_none() {
        return;
    }
    let dev = platform();
    let ([vault, backup], token) = (addresses(&dev), dev.path("data/admin.token"));
    let run = |reference: &str, out: &Path| {
        let mut python = tool::python_with("python-grpc-tools-protoc").unwrap();
        python.arg(example("client.py")).args(["--vault", &vault, "--backup", &backup]);
        python.arg("--token-file").arg(&token).args(["--reference", reference]);
        python.arg("--out").arg(out).arg("--protos").arg(repository().join("proto"));
        finish(&mut python, b"", PATIENCE)
    };
    let (out, none) = (dev.path("python.zip.age"), dev.path("none.zip.age"));
    is_done(&dev, run("endpoint/chat", &out), &out);
    is_refused(&run("endpoint/nobody", &none), &none);
}

#[test]
fn the_typescript_client_runs() {
    let Some(modules) = typescript() else { return };
    let dev = platform();
    let ([vault, backup], token) = (addresses(&dev), dev.path("data/admin.token"));
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(&modules, folder.path().join("node_modules")).unwrap();
    std::fs::copy(example("client.ts"), folder.path().join("client.ts")).unwrap();
    let mut compiler = Command::new(modules.join(".bin/tsc"));
    compiler.current_dir(folder.path()).args(["--strict", "--module", "nodenext", "--target", "es2022"]);
    let _ = finish(compiler.arg("client.ts"), b"", PATIENCE).succeeded();
    let run = |reference: &str, out: &Path| {
        let mut node = tool::tool("node").unwrap();
        node.current_dir(folder.path()).args(["client.js", &vault, &backup]).arg(&token);
        node.arg(reference).arg(out).arg(repository().join("proto"));
        finish(&mut node, b"", PATIENCE)
    };
    let (out, none) = (dev.path("node.zip.age"), dev.path("none.zip.age"));
    is_done(&dev, run("endpoint/chat", &out), &out);
    is_refused(&run("endpoint/nobody", &none), &none);
}

/// A client library compresses either every request or none.
#[tokio::test]
async fn every_service_takes_compressed_requests() {
    let dev = Dev::start("");
    let pool = DescriptorPool::decode(strongroom_api::DESCRIPTORS).unwrap();
    let mut paths: Vec<String> = pool
        .services()
        .flat_map(|service| service.methods().map(|method| method.full_name().to_owned()).collect::<Vec<_>>())
        .collect();
    paths.push("grpc.health.v1.Health.Check".to_owned());
    assert!(paths.len() > 80, "{paths:?}");
    for path in paths {
        // The vault serves all source methods.
        let is_backup = path.contains(".backup.");
        let url = if is_backup { &dev.admin.backup_url } else { &dev.admin.vault_url };
        let target = Target { url: url.clone(), ..Target::default() };
        let channel = target.authorized(Bearer::new(&dev.admin.token).unwrap()).unwrap();
        let mut client = tonic::client::Grpc::new(channel).send_compressed(CompressionEncoding::Gzip);
        client.ready().await.unwrap();
        let (service, method) = path.rsplit_once('.').unwrap();
        let path = format!("/{service}/{method}").parse().unwrap();
        // An empty message, valid for any type.
        let request = tonic::Request::new(tokio_stream::once(()));
        let codec = tonic_prost::ProstCodec::<(), ()>::default();
        if let Err(refused) = client.streaming(request, path, codec).await {
            assert_ne!(refused.code(), Code::Unimplemented, "{service}/{method}: {refused}");
        }
    }
}
