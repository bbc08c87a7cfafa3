//! `strongroom source`.

use anyhow::Result;
use strongroom_api::backup::v1::{ListSourcesRequest, Source};

use crate::cli::SourceCommand;
use crate::client::{self, unary};
use crate::output::{Format, Table};

pub(super) async fn run(command: SourceCommand, format: Format) -> Result<()> {
    let SourceCommand::List = command;
    let backup = client::backup()?;
    let answer = backup.answer(backup.backups().list_sources(unary(ListSourcesRequest {}))).await?;
    format.list("strongroom.backup.v1.Source", &answer.sources, || table(&answer.sources))
}

fn table(sources: &[Source]) -> Table {
    let mut table = Table::new(&["SOURCE", "KIND", "TABLE", "OPTIONAL GROUP"]);
    for source in sources {
        for of_source in &source.tables {
            table.row([&source.name, &source.kind, &of_source.name, &of_source.group]);
        }
        if source.tables.is_empty() {
            table.row([&source.name, &source.kind, "", &source.group]);
        }
    }
    table
}
