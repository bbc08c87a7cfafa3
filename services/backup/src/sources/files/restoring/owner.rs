//! The owner of restored files.
//!
//! Names are those of the host, or of the container's image, which may have none: numbers always work.

use std::fmt;

use nix::unistd::{Group, User};
use rustix::fs::{Gid, Uid, fchown};
use rustix::process::{getegid, geteuid, getgroups};

/// A user and a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) user: u32,
    pub(super) group: u32,
}

impl fmt::Display for Owner {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}:{}", self.user, self.group)
    }
}

impl Owner {
    /// Parses `user:group`, each a name or a number.
    ///
    /// # Errors
    /// The part that the host does not know, for display.
    pub(super) fn resolve(text: &str) -> Result<Self, String> {
        let (user, group) =
            text.split_once(':').ok_or_else(|| format!("{text:?} is not of the form user:group"))?;
        let of_user = |name: &str| Ok(User::from_name(name)?.map(|user| user.uid.as_raw()));
        let of_group = |name: &str| Ok(Group::from_name(name)?.map(|group| group.gid.as_raw()));
        Ok(Self { user: number("user", user, of_user)?, group: number("group", group, of_group)? })
    }

    /// Whether this process may change the owner of files to this one.
    pub(super) fn may_be_given(self) -> bool {
        if may_give_away() {
            return true;
        }
        let is_ours = getegid().as_raw() == self.group
            || getgroups().is_ok_and(|groups| groups.iter().any(|group| group.as_raw() == self.group));
        geteuid().as_raw() == self.user && is_ours
    }

    /// Makes it the owner of an open file or folder.
    pub(super) fn give(self, file: impl rustix::fd::AsFd) -> std::io::Result<()> {
        Ok(fchown(file, Some(Uid::from_raw(self.user)), Some(Gid::from_raw(self.group)))?)
    }
}

/// The number of this process's user.
pub(super) fn own_user() -> u32 {
    geteuid().as_raw()
}

fn number(what: &str, text: &str, by_name: impl Fn(&str) -> nix::Result<Option<u32>>) -> Result<u32, String> {
    // The system call takes the largest number as "unchanged".
    if let Ok(number) = text.parse::<u32>()
        && number != u32::MAX
    {
        return Ok(number);
    }
    match by_name(text) {
        Ok(Some(number)) => Ok(number),
        Ok(None) => Err(format!("there is no {what} {text:?} here")),
        Err(error) => Err(format!("the {what} {text:?} cannot be looked up: {error}")),
    }
}

#[cfg(target_os = "linux")]
fn may_give_away() -> bool {
    use rustix::thread::{CapabilitySet, capabilities};

    capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::CHOWN))
}

#[cfg(not(target_os = "linux"))]
fn may_give_away() -> bool {
    geteuid().is_root()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_found_and_others_named() {
        assert_eq!(Owner::resolve("root:root").unwrap(), Owner { user: 0, group: 0 });
        assert_eq!(Owner::resolve("1234:root").unwrap(), Owner { user: 1234, group: 0 });
        assert_eq!(Owner::resolve("nobody-here:0").unwrap_err(), "there is no user \"nobody-here\" here");
        assert_eq!(Owner::resolve("0:4294967295").unwrap_err(), "there is no group \"4294967295\" here");
        assert!(Owner::resolve("root").is_err());
    }
}
