//! The meaning of system errors for a folder.

use std::io::{self, ErrorKind};
use std::path::Path;

use super::Problem;

pub(super) fn of(error: &io::Error, folder: &Path) -> Problem {
    match error.kind() {
        ErrorKind::NotFound if folder.is_dir() => Problem::ObjectMissing,
        ErrorKind::NotFound | ErrorKind::NotADirectory => Problem::Missing("folder"),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Problem::Full(error.to_string()),
        ErrorKind::ReadOnlyFilesystem => Problem::ReadOnly,
        ErrorKind::PermissionDenied => Problem::Denied(error.to_string()),
        // These occur with a network file system.
        ErrorKind::TimedOut
        | ErrorKind::StaleNetworkFileHandle
        | ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable
        | ErrorKind::NetworkDown => Problem::Unavailable(error.to_string()),
        _ => Problem::Failed(error.to_string()),
    }
}

/// A file that can be read but not deleted is protected, by an attribute or by its folder's mode.
pub(super) fn of_deletion(error: &io::Error, folder: &Path) -> Problem {
    match of(error, folder) {
        Problem::Denied(why) => Problem::DeleteRefused(why),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_of_the_system_has_its_reason() {
        let (there, missing) = (Path::new("/"), Path::new("/not-mounted"));
        for (code, folder, reason) in [
            (2, there, "OBJECT_MISSING"),
            (2, missing, "DESTINATION_MISSING"),
            (13, there, "DESTINATION_DENIED"),
            (28, there, "DESTINATION_FULL"),
            (122, there, "DESTINATION_FULL"),
            (30, there, "DESTINATION_READ_ONLY"),
            (116, there, "DESTINATION_UNAVAILABLE"),
            (5, there, "DESTINATION_FAILED"),
        ] {
            let error = io::Error::from_raw_os_error(code);
            assert_eq!(of(&error, folder).reason(), reason, "{error}");
        }
        let denied = io::Error::from_raw_os_error(1);
        assert_eq!(of_deletion(&denied, there).reason(), "DELETE_REFUSED");
    }
}
