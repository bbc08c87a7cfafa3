//! The guide's example of a service as a source: written in another language, exported, staged, committed and rolled
//! back.

use std::io::Read as _;
use std::process::{Child, Stdio};

use e2e::{Archive, Deployment, free_port, repository, tool};
use strongroom_api::source::v1::source_service_client::SourceServiceClient;
use strongroom_api::source::v1::stage::State;
use strongroom_api::source::v1::stage_tables_request::{Begin, Message, Rows, TableEnd};
use strongroom_api::source::v1::{
    AbortStageRequest, CommitStageRequest, GetStageRequest, ReadSnapshotRequest, RestoreMode,
    RollbackStageRequest, Stage, StageTablesRequest, Table, read_snapshot_response,
};
use strongroom_runtime::client::{AuthorizedChannel, Bearer, Target};
use strongroom_testkit::{TestDb, write_private};
use tonic::Status;

const STAGE: &str = "01a22600-0000-7000-8000-000000000001";
const TOKEN: &str = "srt_0123456789ABabcdefghijklmnopqrstuvwxyz013H2puy";

/// The example service as a running process.
pub(crate) struct Gateway {
    process: Child,
    pub(crate) database: TestDb,
    folder: tempfile::TempDir,
    url: String,
}

impl Gateway {
    /// `None` if Python lacks grpcio-tools.
    pub(crate) fn start() -> Option<Self> {
        tool::python_with("python-grpc-tools-protoc")?;
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let database = TestDb::sqlite();
        database.run(
            "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, avatar BLOB, score REAL);
             INSERT INTO users VALUES (1, 'Zoë', x'00ff', 3.0), (2, 'b', NULL, 1e16)",
        );
        write_private(folder.path().join("gateway.token"), TOKEN);
        let listen = format!("127.0.0.1:{port}");
        let process = spawn(&listen, &database, folder.path());
        Some(Self { process, database, folder, url: format!("http://{listen}") })
    }

    /// Its host and port.
    pub(crate) fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
    }

    pub(crate) fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Restarts it after [`Self::kill`].
    pub(crate) fn restart(&mut self) {
        let listen = self.address();
        self.process = spawn(listen, &self.database, self.folder.path());
    }

    fn client(&self) -> SourceServiceClient<AuthorizedChannel> {
        let target = Target { url: self.url.clone(), ..Target::default() };
        SourceServiceClient::new(target.authorized(Bearer::new(TOKEN).unwrap()).unwrap())
    }

    pub(crate) fn source(&self) -> String {
        let token = self.folder.path().join("gateway.token");
        let token = token.display();
        format!(
            "[[sources]]\nname = \"gateway\"\nkind = \"grpc\"\nurl = \"{}\"\nplaintext = true\ntoken_file = \"{token}\"\n",
            self.url
        )
    }

    /// The users in a snapshot of the service.
    async fn users(&self) -> String {
        let request = ReadSnapshotRequest { tables: vec!["users".into()], ..Default::default() };
        let mut stream = self.client().read_snapshot(request).await.unwrap().into_inner();
        let (mut text, mut whole) = (Vec::new(), false);
        while let Some(message) = stream.message().await.unwrap() {
            match message.message.unwrap() {
                read_snapshot_response::Message::Rows(rows) => text.extend(rows.json),
                read_snapshot_response::Message::End(_) => whole = true,
                _ => {}
            }
        }
        assert!(whole);
        String::from_utf8(text).unwrap()
    }

    /// Stages users, split into messages of a few bytes.
    async fn stage(&self, mode: RestoreMode, rows: &str, count: i64) -> Result<Stage, Status> {
        let begin = Begin { stage_id: STAGE.into(), mode: mode.into(), ..Default::default() };
        let table = Table { name: "users".into(), ..Default::default() };
        let parts = rows.as_bytes().chunks(7).map(|part| Message::Rows(Rows { json: part.to_vec().into() }));
        let messages = [Message::Begin(begin), Message::Table(table)].into_iter().chain(parts);
        let messages = messages.chain([Message::TableEnd(TableEnd { rows: count })]);
        let messages: Vec<_> =
            messages.map(|message| StageTablesRequest { message: Some(message) }).collect();
        let staged = self.client().stage_tables(tokio_stream::iter(messages)).await?;
        Ok(staged.into_inner().stage.unwrap())
    }

    async fn commit(&self) -> Stage {
        let request = CommitStageRequest { stage_id: STAGE.into() };
        self.client().commit_stage(request).await.unwrap().into_inner().stage.unwrap()
    }

    async fn roll_back(&self, discard_changes: bool) -> Result<Stage, Status> {
        let request = RollbackStageRequest { stage_id: STAGE.into(), discard_changes, ..Default::default() };
        Ok(self.client().rollback_stage(request).await?.into_inner().stage.unwrap())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(listen: &str, database: &TestDb, folder: &std::path::Path) -> Child {
    let mut process = tool::python_with("python-grpc-tools-protoc")
        .unwrap()
        .arg(repository().join("docs/integrating/gateway.py"))
        .args(["--listen", listen, "--database"])
        .arg(database.file().unwrap())
        .arg("--token-file")
        .arg(folder.join("gateway.token"))
        .arg("--protos")
        .arg(repository().join("proto"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = [0; 6];
    process.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
    assert_eq!(&ready, b"ready\n");
    process
}

const ARCHIVED: &str = r#"{"id":1,"name":"Zoë","avatar":{"$blob":"AP8="},"score":3.0},
{"id":3,"name":"new","avatar":null,"score":null}"#;

#[test]
fn the_example_is_exported() {
    let Some(gateway) = Gateway::start() else { return };
    let deployment = Deployment::start("sqlite:vault.db", &gateway.source());
    let file = deployment.path("gateway.zip");
    let export = ["backup", "export", "--plain", "--out", file.to_str().unwrap()];
    let _ = deployment.admin.run(&export).succeeded();
    let _ = deployment.admin.run(&["archive", "verify", file.to_str().unwrap()]).succeeded();
    let archive = Archive::at(&file);
    let users = archive.json("tables/users.json");
    assert_eq!(users[0]["avatar"]["$blob"], "AP8=");
    let entry = archive.entries().into_iter().find(|(name, _)| name == "tables/users.json").unwrap();
    let text = String::from_utf8(entry.1).unwrap();
    assert!(text.contains(r#""name":"Zoë""#) && text.contains(r#""score":1e16}"#), "{text}");
}

#[tokio::test]
async fn the_example_takes_rows_back_and_undoes_that() {
    let Some(gateway) = Gateway::start() else { return };
    let before = gateway.users().await;
    let refused = gateway.stage(RestoreMode::Replace, ARCHIVED, 3).await.unwrap_err();
    assert!(refused.message().contains("ROW_COUNT"), "{refused}");
    assert!(gateway.client().get_stage(GetStageRequest { stage_id: STAGE.into() }).await.is_err());

    let staged = gateway.stage(RestoreMode::Replace, ARCHIVED, 2).await.unwrap();
    let [users] = staged.tables.as_slice() else { panic!("{staged:?}") };
    assert_eq!((users.rows, users.created, users.changed, users.deleted), (2, 1, 0, 1));
    assert_eq!(gateway.users().await, before, "nothing is live");
    for _ in 0..2 {
        assert_eq!(gateway.commit().await.state(), State::Committed, "once more changes nothing");
        assert_eq!(gateway.users().await, ARCHIVED);
    }
    gateway.database.run("UPDATE users SET score = 3 WHERE id = 3");
    let refused = gateway.roll_back(false).await.unwrap_err();
    assert!(refused.message().contains("STAGE_CHANGED"), "{refused}");
    assert_eq!(gateway.roll_back(true).await.unwrap().state(), State::RolledBack);
    assert_eq!(gateway.users().await, before);
    let refused = gateway.stage(RestoreMode::Merge, ARCHIVED, 2).await.unwrap_err();
    assert!(refused.message().contains("STAGE_COMMITTED"), "{refused}");

    let mut client = gateway.client();
    client.abort_stage(AbortStageRequest { stage_id: STAGE.into(), ..Default::default() }).await.unwrap();
    gateway.stage(RestoreMode::IntoEmpty, ARCHIVED, 2).await.unwrap();
    let request = CommitStageRequest { stage_id: STAGE.into() };
    let refused = client.commit_stage(request).await.unwrap_err();
    assert!(refused.message().contains("NOT_EMPTY"), "{refused}");
    let other = ARCHIVED.replace("Zoë", "changed");
    gateway.stage(RestoreMode::Merge, &other, 2).await.unwrap();
    let [users] = <[_; 1]>::try_from(gateway.commit().await.tables).unwrap();
    assert_eq!((users.created, users.changed, users.deleted, users.kept), (1, 0, 0, 1));
    let now = gateway.users().await;
    assert!(now.contains("Zoë") && now.contains(r#""name":"new""#) && now.lines().count() == 3, "{now}");
}
