//! Builds the client of one bucket from the configuration and the environment.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use object_store::RetryConfig;
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey as Key, Checksum};

use super::credentials::FileCredentials;
use super::transport::Connector;
use crate::config::DestinationConfig;
use crate::error::Result;

/// Variables that are read from the environment: credentials and the region. The endpoint, and unsigned payloads, can
/// only be configured.
const FROM_ENVIRONMENT: [Key; 9] = [
    Key::AccessKeyId,
    Key::SecretAccessKey,
    Key::Token,
    Key::WebIdentityTokenFile,
    Key::RoleArn,
    Key::RoleSessionName,
    Key::ContainerCredentialsRelativeUri,
    Key::ContainerCredentialsFullUri,
    Key::ContainerAuthorizationTokenFile,
];

/// Does not connect.
pub(super) fn store(
    config: &DestinationConfig,
    bucket: String,
    silence: Duration,
    environment: impl Iterator<Item = (OsString, OsString)>,
) -> Result<AmazonS3> {
    let connector = Connector::create(config.ca_file.clone(), silence)?;
    let mut builder = AmazonS3Builder::new()
        .with_http_connector(connector)
        .with_checksum_algorithm(Checksum::SHA256)
        // One request per object returns a status for each; not every service knows bulk deletion.
        .with_disable_bulk_delete(true)
        .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() });
    builder = from_environment(builder, environment, config.credentials_file.is_none());
    if let Some(region) = &config.region {
        builder = builder.with_region(region);
    }
    if let Some(path) = &config.credentials_file {
        builder = builder.with_credentials(Arc::new(FileCredentials::load(path.clone())?));
    }
    builder = addressed(builder, config, &bucket).with_bucket_name(bucket);
    builder.build().map_err(|_| config.refused("the environment's credentials for S3 are incomplete"))
}

fn from_environment(
    mut builder: AmazonS3Builder,
    environment: impl Iterator<Item = (OsString, OsString)>,
    credentials: bool,
) -> AmazonS3Builder {
    for (name, value) in environment {
        let Some((name, value)) = name.to_str().zip(value.to_str()) else { continue };
        if !name.starts_with("AWS_") || value.is_empty() {
            continue;
        }
        let Ok(key) = name.to_ascii_lowercase().parse::<Key>() else { continue };
        let is_region = matches!(key, Key::Region | Key::DefaultRegion);
        if is_region || credentials && FROM_ENVIRONMENT.contains(&key) {
            builder = builder.with_config(key, value);
        }
    }
    builder
}

/// If a bucket has its own host name, `object_store` expects that host as its endpoint.
fn addressed(builder: AmazonS3Builder, config: &DestinationConfig, bucket: &str) -> AmazonS3Builder {
    let builder = builder.with_virtual_hosted_style_request(!config.path_style);
    match &config.endpoint {
        None => builder,
        Some(endpoint) if config.path_style => builder.with_endpoint(endpoint),
        Some(endpoint) => {
            let (scheme, host) = endpoint.split_once("://").unwrap_or(("https", endpoint));
            builder.with_endpoint(format!("{scheme}://{bucket}.{}", host.trim_end_matches('/')))
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_environment_gives_credentials_and_nothing_that_the_configuration_decides() {
        let config =
            serde_json::json!({ "name": "d", "url": "s3://bucket", "endpoint": "https://s3.example.com" });
        let config: DestinationConfig = serde_json::from_value(config).unwrap();
        let environment = [
            ("AWS_ACCESS_KEY_ID", "AK"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_SESSION_TOKEN", "token"),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ENDPOINT_URL", "http://elsewhere"),
            ("AWS_SKIP_SIGNATURE", "true"),
            ("AWS_UNSIGNED_PAYLOAD", "true"),
            ("AWS_CHECKSUM_ALGORITHM", "crc64nvme"),
        ];
        let environment = environment.map(|(name, value)| (name.into(), value.into())).into_iter();
        let store = store(&config, "bucket".into(), Duration::from_secs(1), environment).unwrap();
        let credential = store.credentials().get_credential().await.unwrap();
        assert_eq!((&*credential.key_id, credential.token.as_deref()), ("AK", Some("token")));
        let shown = format!("{store:?}");
        for expected in ["https://bucket.s3.example.com", "eu-west-1", "SHA256", "sign_payload: true"] {
            assert!(shown.contains(expected), "{shown}");
        }
        assert!(shown.contains("skip_signature: false") && !shown.contains("elsewhere"), "{shown}");
        assert!(!shown.contains("secret\""), "{shown}");
    }

    #[test]
    fn half_of_the_credentials_is_refused() {
        let config = serde_json::json!({ "name": "d", "url": "s3://bucket" });
        let config: DestinationConfig = serde_json::from_value(config).unwrap();
        let environment = [("AWS_ACCESS_KEY_ID".into(), "AK".into())].into_iter();
        let error = store(&config, "bucket".into(), Duration::from_secs(1), environment).unwrap_err();
        assert!(error.to_string().contains("destination d: the environment's credentials"), "{error}");
    }
}
