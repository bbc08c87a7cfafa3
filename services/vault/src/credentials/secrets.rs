//! Opening a stored secret that was read a moment ago: a re-encryption may have sealed it anew meanwhile, and the
//! version that the earlier text names may be out of use by now. So it is read once more before that is an error.

use strongroom_crypto::{Error as CryptoError, Purpose, SecretBytes};
use strongroom_runtime::Caller;

use crate::credentials::secret_place;
use crate::error::{Error, Result};
use crate::rotation::version_place;
use crate::store::VersionRow;
use crate::vault::Vault;

impl Vault {
    /// The current secret of a credential, whose row had `sealed`.
    pub(crate) async fn open_secret(&self, caller: &Caller, id: &str, sealed: &str) -> Result<SecretBytes> {
        let place = secret_place(id);
        let opened = self.open_value(Purpose::Credential, &place, sealed).await;
        if !is_out_of_use(&opened) {
            return opened;
        }
        let row = self.credential_row(caller, id).await?;
        self.open_value(Purpose::Credential, &place, &row.secret).await
    }

    /// The secret before the last rotation.
    pub(crate) async fn open_version(&self, version: &VersionRow) -> Result<SecretBytes> {
        let opened = self.try_version(version).await;
        if !is_out_of_use(&opened) {
            return opened;
        }
        let again = self.previous_version(&version.credential_id).await?;
        self.try_version(&again).await
    }

    async fn try_version(&self, version: &VersionRow) -> Result<SecretBytes> {
        self.open_value(Purpose::Credential, &version_place(&version.id), &version.secret).await
    }
}

fn is_out_of_use(opened: &Result<SecretBytes>) -> bool {
    matches!(opened, Err(Error::Crypto(CryptoError::Unusable { .. })))
}
