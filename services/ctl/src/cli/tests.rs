use clap::CommandFactory as _;

use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once("strongroom").chain(line.split(' ')))
}

#[test]
fn the_tree_is_consistent() {
    Cli::command().debug_assert();
}

/// Every command line of the design.
const CONTRACT: &[&str] = &[
    "demo",
    "demo --keep",
    "dev --data-dir d --config f --vault-listen 127.0.0.1:0 --backup-listen [::1]:7602",
    "status",
    "credential create OpenAI --provider openai --secret-file - --label a=b --label c=d=e \
     --expires 2030-01-01T00:00:00Z --allow-duplicate",
    "credential list --provider openai --active false --name-prefix O --label a=b --expiring-within 30d",
    "credential get ID",
    "credential activate ID",
    "credential deactivate ID",
    "credential delete ID",
    "credential delete ID --yes",
    "credential reveal ID",
    "credential reveal ID --previous",
    "credential rotate ID --secret-file - --grace 1h",
    "credential rollback ID",
    "credential update ID --name N --label a=b --allow-duplicate",
    "credential update ID --expires never",
    "credential update ID --expires 90d",
    "credential stats",
    "reference bind endpoint 7 ID --needs-provider openai",
    "reference bind endpoint 7 --via provider_template/2 --fallback ID --fallback ID2",
    "reference release endpoint 7",
    "reference resolve endpoint 7",
    "reference reassign --from ID --to ID2",
    "reference list --credential ID",
    "token issue ci --role operator --expires 2030-01-01T00:00:00+02:00",
    "token issue ci --role gateway --select provider=openai --select label.env=staging --select kind=*",
    "token new --out F",
    "token list",
    "token revoke T --yes",
    "token issue ci --role operator --expires 90d",
    "token issue ci --role operator --service backup --out F",
    "token renew",
    "token renew --out F --force",
    "token reissue T --out F",
    "person enrol Ada --token T",
    "person enrol Ada --identity spiffe://a/b",
    "person list",
    "person remove Ada",
    "person requests",
    "person approve R",
    "key new-root --out F",
    "key list",
    "key create gateway",
    "key rotate gateway",
    "key reencrypt --rate 500",
    "source reencrypt gateway",
    "source reencrypt gateway --rate 500",
    "key census gateway",
    "key census",
    "key disable 0123456789abcdef",
    "key enable 0123456789abcdef",
    "key destroy 0123456789abcdef --after 7d --yes",
    "key undo 0123456789abcdef",
    "key approve R",
    "key requests",
    "key export-public --out F --force",
    "audit list --event credential.* --actor a --target t --since 12h --limit 5",
    "audit head",
    "audit watch --event credential.* --after 7",
    "audit verify --head F",
    "audit verify --head F --identity I --passphrase-file P",
    "audit prune --before 2029-01-01T00:00:00Z",
    "audit prune --older-than 90d",
    "audit prune --before 52w --yes",
    "completion bash",
    "completion zsh",
    "completion fish",
    "backup export --out - --include audit --include gateway_logs --since 30d --tables a,b --plain",
    "backup verify F",
    "tables export --tables a,b --out F --force",
    "tables export --tables a --tables b --out -",
    "tables import F",
    "tables import - --dry-run",
    "backup create --include audit --since 30d --tables a,b --passphrase-file P",
    "backup create --plain --destination offsite --destination local --no-wait",
    "backup list",
    "backup list --deleted",
    "backup list --state failed --state creating",
    "backup get 0197e0a1-0000-7000-8000-00000000000a",
    "backup watch 0197e0a1-0000-7000-8000-00000000000a",
    "backup download 0197e0a1-0000-7000-8000-00000000000a --out F",
    "backup download 0197e0a1-0000-7000-8000-00000000000a --out - --destination offsite --resume --force",
    "backup verify 0197e0a1-0000-7000-8000-00000000000a --destination offsite",
    "backup estimate",
    "backup estimate --include audit --tables a,b",
    "backup delete 0197e0a1-0000-7000-8000-00000000000a",
    "backup delete 0197e0a1-0000-7000-8000-00000000000a --yes",
    "backup undelete 0197e0a1-0000-7000-8000-00000000000a",
    "backup hold 0197e0a1-0000-7000-8000-00000000000a",
    "backup unhold 0197e0a1-0000-7000-8000-00000000000a",
    "backup scan",
    "backup scan --destination offsite",
    "restore plan F",
    "restore plan 0197e0a1-0000-7000-8000-00000000000a --mode replace --sources a,b --tables c,d --accept-cascade \
     --accept-pause --accept-undecryptable --from-deployment ID --signer S",
    "restore plan F --mode into-empty --create-tables",
    "restore plan F --mode merge",
    "restore plan F --mode merge --rows a=7,9 --rows b=[7,8]",
    "restore apply 0198e0a1-0000-7000-8000-00000000000a",
    "restore apply 0198e0a1-0000-7000-8000-00000000000a --confirm gateway --max-pause 500ms",
    "restore list",
    "restore get 0198e0a1-0000-7000-8000-00000000000a",
    "restore rollback 0198e0a1-0000-7000-8000-00000000000a",
    "restore rollback 0198e0a1-0000-7000-8000-00000000000a --discard-changes --yes",
    "source list",
    "archive inspect F",
    "archive verify F",
    "archive inspect F --identity I --passphrase-file -",
    "archive verify F --passphrase-file P --signer S",
    "archive open F --table T",
    "archive open F --out D --identity I",
    "archive reseal F --out G --identity I --force",
    "recovery create --out F --passphrase-file P --signer S",
    "backup export --out - --passphrase-file P",
    "backup export --out -",
    "backup export --out F --force",
    "import geb F --passphrase-file P --out D --with-master-key",
    "import geb F --passphrase-file -",
    "import promptgate F --app-key-file K --dry-run",
];

#[test]
fn the_contract_parses() {
    for line in CONTRACT {
        let tidy = line.split_whitespace().collect::<Vec<_>>().join(" ");
        let cli = parse(&tidy).unwrap_or_else(|error| panic!("{tidy}: {error}"));
        assert_eq!(cli.output, Format::Text, "{tidy}");
        for placed in [format!("-o json {tidy}"), format!("{tidy} -o json")] {
            assert_eq!(parse(&placed).unwrap().output, Format::Json, "{placed}");
        }
    }
}

/// Examples in help texts can be typed as they are.
#[test]
fn the_examples_parse() {
    let (mut commands, mut seen) = (vec![Cli::command()], 0);
    while let Some(command) = commands.pop() {
        let shown = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        for example in shown.lines().filter_map(|line| line.strip_prefix("  strongroom ")) {
            let typed = example.split(" | ").next().unwrap_or_default();
            let typed = typed.replace('…', "e0a1-0000-7000-8000-00000000000a");
            // Quoted text is one word.
            let quoted = |(at, part): (usize, &str)| {
                if at % 2 == 1 { part.replace(' ', "_") } else { part.to_owned() }
            };
            let typed: String = typed.split('\'').enumerate().map(quoted).collect();
            parse(&typed).unwrap_or_else(|error| panic!("{example}: {error}"));
            seen += 1;
        }
        commands.extend(command.get_subcommands().cloned());
    }
    assert!(seen > 20, "only {seen} examples were found");
}

#[test]
fn wrong_usage_is_refused() {
    for line in [
        "credential",
        "credential create OpenAI --provider openai",
        "credential create OpenAI --provider openai --secret sk-123",
        "credential update ID",
        "credential list --active yes",
        "credential create N --provider p --secret-file - --label novalue",
        "credential create N --provider p --secret-file - --expires tomorrow",
        "audit list --since yesterday",
        "audit list --limit 0",
        "reference bind endpoint 7",
        "reference bind endpoint 7 ID --via provider_template/2",
        "reference bind endpoint 7 --via provider_template",
        "reference reassign --from ID",
        "token issue ci --role gateway --select env=staging",
        "token issue ci --role gateway --service vaults",
        "person enrol Ada",
        "person enrol Ada --token T --identity dns:a",
        "token renew --force",
        "token reissue",
        "credential rotate ID",
        "credential rotate ID --secret-file - --grace soon",
        "key destroy 0123456789abcdef --after 7",
        "key reencrypt --rate 0",
        "key disable kid",
        "audit watch --after -1",
        "audit prune",
        "audit prune --before 2029-01-01T00:00:00Z --older-than 90d",
        "backup export",
        "backup verify",
        "backup export --out - --plain --passphrase-file P",
        "backup export --out - --recipient age1nonsense",
        "backup create --plain --passphrase-file P",
        "backup create --destination",
        "backup list --state kept",
        "backup list --state failed --deleted",
        "backup get",
        "backup get backup.zip.age",
        "backup download 0197e0a1-0000-7000-8000-00000000000a",
        "backup estimate --since 30d",
        "backup delete",
        "backup verify F --yes",
        "restore plan",
        "restore plan F --mode append",
        "restore plan F --rows t=[1",
        "restore apply plan-1",
        "restore apply 0198e0a1-0000-7000-8000-00000000000a --max-pause long",
        "restore get",
        "restore rollback latest --yes",
        "archive open F",
        "archive reseal F",
        "recovery create --out F",
        "import geb F",
        "import geb F --passphrase-file P --with-master-key",
        "import promptgate F",
        "-o yaml credential stats",
    ] {
        let error = parse(line).map(|_| ()).expect_err(line);
        assert_eq!(error.exit_code(), 2, "{line}");
    }
}

#[test]
fn the_help_says_what_an_operator_must_know() {
    let help = Cli::command().render_long_help().to_string();
    for name in ["STRONGROOM_VAULT_URL", "STRONGROOM_TOKEN_FILE", "STRONGROOM_CA_FILE", "Exit codes"] {
        assert!(help.contains(name), "{name}");
    }
    let mut command = Cli::command();
    let create = command.find_subcommand_mut("credential").unwrap().find_subcommand_mut("create");
    let help = create.unwrap().render_long_help().to_string();
    assert!(help.contains("one line feed at the end of a text is not part of it"), "{help}");
}
