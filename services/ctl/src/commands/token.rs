//! `strongroom token`.

mod first;

use anyhow::{Context as _, Result};
use strongroom_api::vault::v1::{IssueTokenRequest, ListTokensRequest, RevokeTokenRequest, Token};
use strongroom_runtime::Selectors;
use strongroom_runtime::selectors::text as selector;

use crate::cli::{IssueToken, TokenCommand};
use crate::client::{self, Connection, PAGE_SIZE, unary};
use crate::output::{Format, Table, key_values, message};
use crate::time::{shown, to_wire};

const TOKEN: &str = "strongroom.vault.v1.Token";

pub(super) async fn run(command: TokenCommand, format: Format) -> Result<()> {
    match command {
        TokenCommand::Issue(issue) => issue_token(&client::vault()?, issue, format).await,
        // The one that needs no vault: it comes before there is one.
        TokenCommand::New { out } => first::create(&out, format),
        TokenCommand::List => {
            let tokens = list(&client::vault()?).await?;
            format.list(TOKEN, &tokens, || table(&tokens))
        }
        TokenCommand::Revoke { id } => revoke(&client::vault()?, id, format).await,
    }
}

async fn revoke(vault: &Connection, id: String, format: Format) -> Result<()> {
    let answer = vault.answer(vault.tokens().revoke_token(unary(RevokeTokenRequest { id }))).await?;
    let token = answer.token.context("the vault answered without a token")?;
    format.message(TOKEN, &token, || details(&token))
}

async fn issue_token(vault: &Connection, issue: IssueToken, format: Format) -> Result<()> {
    let expire_time = issue.expires.map(to_wire);
    let request =
        IssueTokenRequest { name: issue.name, role: issue.role, expire_time, selectors: issue.selectors };
    let answer = vault.answer(vault.tokens().issue_token(unary(request))).await?;
    format.message("strongroom.vault.v1.IssueTokenResponse", &answer, || {
        let token = answer.token.as_ref().map(details).unwrap_or_default();
        token + &key_values([("secret", answer.secret.as_str())])
    })?;
    if let Some(missing) = answer.token.as_ref().and_then(unreached) {
        message(&format!("it reaches no {missing}: no --select names any"));
    }
    message("keep the secret now: it is not shown again");
    Ok(())
}

/// Sorts of which a narrowed token reaches nothing. An omitted selector is easily taken for no limit.
fn unreached(token: &Token) -> Option<String> {
    let selectors = Selectors::from_proto(&token.selectors).ok()?;
    let sorts = [
        ("credentials", selectors.names_credentials()),
        ("references", selectors.names_references()),
        ("caller keys", selectors.names_keys()),
    ];
    let missing: Vec<_> = sorts.into_iter().filter(|(_, named)| !named).map(|(sort, _)| sort).collect();
    (!missing.is_empty()).then(|| missing.join(" and no "))
}

async fn list(vault: &Connection) -> Result<Vec<Token>> {
    let mut request = ListTokensRequest { page_size: PAGE_SIZE, ..Default::default() };
    let mut tokens = Vec::new();
    loop {
        let page = vault.answer(vault.tokens().list_tokens(unary(request.clone()))).await?;
        tokens.extend(page.tokens);
        if page.next_page_token.is_empty() {
            return Ok(tokens);
        }
        request.page_token = page.next_page_token;
    }
}

fn details(token: &Token) -> String {
    key_values([
        ("id", token.id.clone()),
        ("name", token.name.clone()),
        ("role", token.role.clone()),
        ("reaches", reaches(token)),
        ("issuer", token.issuer.clone()),
        ("created", shown(token.create_time.as_ref())),
        ("expires", shown(token.expire_time.as_ref())),
        ("last used", shown(token.last_used_time.as_ref())),
        ("revoked", shown(token.revoke_time.as_ref())),
    ])
}

fn table(tokens: &[Token]) -> Table {
    let mut table =
        Table::new(&["ID", "NAME", "ROLE", "REACHES", "CREATED", "EXPIRES", "LAST USED", "REVOKED"]);
    for token in tokens {
        table.row([
            &token.id,
            &token.name,
            &token.role,
            &reaches(token),
            &shown(token.create_time.as_ref()),
            &shown(token.expire_time.as_ref()),
            &shown(token.last_used_time.as_ref()),
            &shown(token.revoke_time.as_ref()),
        ]);
    }
    table
}

fn reaches(token: &Token) -> String {
    if token.selectors.is_empty() {
        return "everything".to_owned();
    }
    token.selectors.iter().map(selector::shown).collect::<Vec<_>>().join(", ")
}
