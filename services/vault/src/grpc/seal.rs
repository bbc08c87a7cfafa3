//! `SealService`.

use strongroom_api::vault::v1::seal_service_server::SealService;
use strongroom_api::vault::v1::{
    UnwrapFileKeyRequest, UnwrapFileKeyResponse, WrapFileKeyRequest, WrapFileKeyResponse,
};
use strongroom_crypto::FILE_KEY_BYTES;
use strongroom_runtime::Caller;
use tonic::{Request, Response, async_trait};

use super::{Answer, Api, fields};
use crate::crypto::WrappedFileKey;
use crate::error::{Error, Result};

/// More than the number of vaults that one archive is sealed to.
const MAX_STANZAS: usize = 8;
/// Maximum length of a wrapped key in an archive's header, in bytes.
const MAX_WRAPPED: usize = 1024;

#[async_trait]
impl SealService for Api {
    async fn wrap_file_key(&self, request: Request<WrapFileKeyRequest>) -> Answer<WrapFileKeyResponse> {
        let caller = Caller::of(&request)?;
        let WrapFileKeyRequest { file_key, archive_id } = request.into_inner();
        let archive_id = fields::optional(&archive_id, |id| fields::id("archive_id", id))?;
        let file_key: &[u8; FILE_KEY_BYTES] = file_key.as_ref().try_into().map_err(|_| Error::Field {
            field: "file_key",
            problem: format!("has {} bytes; must have {FILE_KEY_BYTES}", file_key.len()),
        })?;
        let wrapped = self.0.seals.wrap(&caller, file_key, &archive_id).await?;
        let root_key_id = wrapped.root_key_id.to_string();
        Ok(Response::new(WrapFileKeyResponse { root_key_id, wrapped: wrapped.wrapped.into() }))
    }

    async fn unwrap_file_key(&self, request: Request<UnwrapFileKeyRequest>) -> Answer<UnwrapFileKeyResponse> {
        let caller = Caller::of(&request)?;
        let stanzas = request.into_inner().stanzas;
        check_count(stanzas.len())?;
        let stanzas = fields::each("stanzas", &stanzas, |_, stanza| {
            wrapped_file_key(&stanza.root_key_id, &stanza.wrapped)
        })?;
        let file_key = self.0.seals.unwrap(&caller, &stanzas).await?;
        Ok(Response::new(UnwrapFileKeyResponse { file_key: file_key.expose().to_vec().into() }))
    }
}

fn check_count(count: usize) -> Result<()> {
    let refuse = |problem: String| Err(Error::Field { field: "stanzas", problem });
    match count {
        0 => refuse("must not be empty".into()),
        1..=MAX_STANZAS => Ok(()),
        _ => refuse(format!("has {count} stanzas; at most {MAX_STANZAS} are allowed")),
    }
}

fn wrapped_file_key(root_key_id: &str, wrapped: &[u8]) -> Result<WrappedFileKey> {
    let refuse = |field, problem: String| Err(Error::Field { field, problem });
    let Ok(root_key_id) = root_key_id.parse() else {
        return refuse("root_key_id", "must be 16 lower-case hexadecimal digits".into());
    };
    match wrapped.len() {
        0 => refuse("wrapped", "must not be empty".into()),
        bytes if bytes > MAX_WRAPPED => {
            refuse("wrapped", format!("has {bytes} bytes; at most {MAX_WRAPPED} are allowed"))
        }
        _ => Ok(WrappedFileKey { root_key_id, wrapped: wrapped.to_vec() }),
    }
}
