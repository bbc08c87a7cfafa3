//! Checks destinations for mistakes.

use std::collections::HashSet;
use std::net::IpAddr;

use http::Uri;
use strongroom_runtime::is_loopback_host;

use super::is_plain;
use crate::config::{DestinationConfig, DestinationUrl};
use crate::error::{Error, Result};

/// Refuses invalid destinations. Opens nothing.
pub(super) fn check(destinations: &[DestinationConfig]) -> Result<()> {
    let mut names = HashSet::new();
    for (at, destination) in destinations.iter().enumerate() {
        let name = destination.name.as_str();
        if name.is_empty() || name.len() > 60 || !name.bytes().all(is_plain) {
            return Err(Error::Config(format!(
                "destinations[{at}]: the name {name:?} must have 1 to 60 characters a-z, 0-9, _ and -"
            )));
        }
        if !names.insert(name) {
            return Err(Error::Config(format!(
                "two destinations are called {name:?}; give each its own name"
            )));
        }
        check_destination(destination).map_err(|problem| destination.refused(&problem))?;
    }
    Ok(())
}

fn check_destination(destination: &DestinationConfig) -> std::result::Result<(), String> {
    match DestinationUrl::parse(&destination.url)? {
        DestinationUrl::Folder(_) => check_folder(destination),
        DestinationUrl::Bucket { .. } => check_bucket(destination),
    }
}

/// Refuses options that do not apply to a folder, because they would have no effect.
fn check_folder(destination: &DestinationConfig) -> std::result::Result<(), String> {
    let given = [
        ("endpoint", destination.endpoint.is_some()),
        ("region", destination.region.is_some()),
        ("path_style", destination.path_style),
        ("credentials_file", destination.credentials_file.is_some()),
        ("ca_file", destination.ca_file.is_some()),
        ("plaintext", destination.plaintext),
    ];
    match given.into_iter().find(|(_, given)| *given) {
        Some((option, _)) => Err(format!("{option} does not apply to a folder")),
        None => Ok(()),
    }
}

fn check_bucket(destination: &DestinationConfig) -> std::result::Result<(), String> {
    if let Some(region) = &destination.region
        && (region.is_empty() || region.len() > 60 || !region.bytes().all(is_plain))
    {
        return Err(format!("the region {region:?} must have 1 to 60 characters a-z, 0-9, _ and -"));
    }
    match &destination.endpoint {
        Some(endpoint) => check_endpoint(destination, endpoint),
        None if destination.plaintext => Err("plaintext has no effect without an endpoint".into()),
        None => Ok(()),
    }
}

fn check_endpoint(destination: &DestinationConfig, endpoint: &str) -> std::result::Result<(), String> {
    let wrong = || format!("the endpoint {endpoint:?} is not of the form https://HOST or https://HOST:PORT");
    let url: Uri = endpoint.parse().map_err(|_| wrong())?;
    let host = url.host().filter(|host| !host.is_empty()).ok_or_else(wrong)?;
    let is_bare = matches!(url.path(), "" | "/") && url.query().is_none();
    let has_user = url.authority().is_some_and(|authority| authority.as_str().contains('@'));
    if !matches!(url.scheme_str(), Some("http" | "https")) || !is_bare || has_user {
        return Err(wrong());
    }
    if url.scheme_str() == Some("http") && !destination.plaintext && !is_loopback_host(host) {
        return Err(format!(
            "the endpoint {endpoint} is not encrypted: use https://, or plaintext = true if the network encrypts by \
             itself"
        ));
    }
    if host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() && !destination.path_style {
        return Err(format!("the endpoint {endpoint} is an IP address, so it needs path_style = true"));
    }
    Ok(())
}
