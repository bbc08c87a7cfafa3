//! `strongroom token`.

mod first;
mod named;
mod secret;

use anyhow::{Context as _, Result};
use strongroom_api::vault::v1::{
    IssueTokenRequest, ListTokensRequest, ReissueTokenRequest, RenewTokenRequest, RevokeTokenRequest, Token,
};
use strongroom_runtime::Selectors;
use strongroom_runtime::selectors::text as selector;
use strongroom_runtime::{Clock as _, SystemClock};

use super::confirmation;
use crate::cli::{Confirmation, IssueToken, SecretFile, TokenCommand};
use crate::client::{self, Connection, PAGE_SIZE, unary};
use crate::output::{Format, Table, key_values, message};
use crate::time::{shown, to_wire};
use secret::Place;

const TOKEN: &str = "strongroom.vault.v1.Token";
const NO_TOKEN: &str = "the vault answered without a token";

pub(super) async fn run(command: TokenCommand, format: Format) -> Result<()> {
    match command {
        TokenCommand::Issue(issue) => issue_token(&client::vault()?, issue, format).await,
        // Needs no vault: the token exists before the vault.
        TokenCommand::New { out } => first::create(&out, format),
        TokenCommand::List => {
            let tokens = list(&client::vault()?).await?;
            format.list(TOKEN, &tokens, || table(&tokens))
        }
        TokenCommand::Revoke { token, confirmation } => revoke(&token, &confirmation, format).await,
        TokenCommand::Renew(file) => renew(&client::vault()?, file, format).await,
        TokenCommand::Reissue { id, file } => reissue(&client::vault()?, id, file, format).await,
    }
}

async fn revoke(named: &str, given: &Confirmation, format: Format) -> Result<()> {
    let asks = confirmation::is_needed(given)?;
    let vault = client::vault()?;
    let tokens = list(&vault).await?;
    let id = named::id_of(&tokens, named)?;
    if let Some(token) = tokens.iter().find(|token| asks && token.id == id) {
        let loss = "all services refuse it, and every token that descends from it, within five seconds";
        confirmation::ask(&format!("{}{loss}", details(token)), "revoke it")?;
    }
    let answer = vault.answer(vault.tokens().revoke_token(unary(RevokeTokenRequest { id }))).await?;
    let token = answer.token.context(NO_TOKEN)?;
    format.message(TOKEN, &token, || details(&token))
}

async fn issue_token(vault: &Connection, issue: IssueToken, format: Format) -> Result<()> {
    let expires = issue.expires.map(|until| until.resolve(SystemClock.now_micros())).transpose()?;
    let place = Place::open(issue.file)?;
    let request = IssueTokenRequest {
        name: issue.name,
        role: issue.role,
        expire_time: expires.map(to_wire),
        selectors: issue.selectors,
        service: issue.service.unwrap_or_default(),
    };
    let answer = vault.answer(vault.tokens().issue_token(unary(request))).await?;
    let token = answer.token.context(NO_TOKEN)?;
    place.put(&token, &answer.secret, format)?;
    if let Some(missing) = unreached(&token) {
        message(&format!("it reaches no {missing}: no --select names any"));
    }
    Ok(())
}

async fn renew(vault: &Connection, file: SecretFile, format: Format) -> Result<()> {
    let place = Place::open(file)?;
    let answer = vault.answer(vault.tokens().renew_token(unary(RenewTokenRequest {}))).await?;
    place.put(&answer.token.context(NO_TOKEN)?, &answer.secret, format)
}

async fn reissue(vault: &Connection, id: String, file: SecretFile, format: Format) -> Result<()> {
    let place = Place::open(file)?;
    let answer = vault.answer(vault.tokens().reissue_token(unary(ReissueTokenRequest { id }))).await?;
    place.put(&answer.token.context(NO_TOKEN)?, &answer.secret, format)
}

/// Sorts of which a restricted token reaches nothing. A missing selector is easily mistaken for no limit.
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
        ("service", service(token).to_owned()),
        ("issuer", token.issuer.clone()),
        ("person", person(token)),
        ("created", shown(token.create_time.as_ref())),
        ("expires", shown(token.expire_time.as_ref())),
        ("last used", shown(token.last_used_time.as_ref())),
        ("revoked", revoked(token)),
    ])
}

fn table(tokens: &[Token]) -> Table {
    let mut table = Table::new(&[
        "ID",
        "NAME",
        "ROLE",
        "REACHES",
        "SERVICE",
        "ISSUER",
        "PERSON",
        "CREATED",
        "EXPIRES",
        "LAST USED",
        "REVOKED",
    ]);
    for token in tokens {
        table.row([
            &token.id,
            &token.name,
            &token.role,
            &reaches(token),
            service(token),
            &token.issuer,
            &person(token),
            &shown(token.create_time.as_ref()),
            &shown(token.expire_time.as_ref()),
            &shown(token.last_used_time.as_ref()),
            &revoked(token),
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

fn service(token: &Token) -> &str {
    if token.service.is_empty() { "both" } else { &token.service }
}

/// The person that it belongs to, and whether it acts for that person yet.
fn person(token: &Token) -> String {
    if token.renewal_due { format!("{} (not renewed)", token.person) } else { token.person.clone() }
}

/// When it was revoked, or the issuer with which it ended, or that it must be reissued.
fn revoked(token: &Token) -> String {
    let now = SystemClock.now_micros() / 1_000_000;
    let is_over = token.expire_time.is_some_and(|time| time.seconds <= now);
    if token.revoke_time.is_none() && token.stale_time.is_some() {
        return if is_over { "stale and expired".to_owned() } else { "stale: reissue it".to_owned() };
    }
    if token.revoke_time.is_some() || token.ended_through.is_empty() {
        return shown(token.revoke_time.as_ref());
    }
    format!("through {}", token.ended_through)
}
