//! Renames by which a file is wholly the old one or wholly the new one, and never away.
//!
//! Two files change places by one call. Where a file system does not know that call, the old file first gets a second name
//! beside its slot, and the new one is then renamed over it: also one moment. A crash between the steps leaves that second
//! name, which [`settle`] clears away.

use std::io;

use rustix::fs::{AtFlags, RenameFlags, linkat, renameat, renameat_with};
use rustix::io::Errno;

use super::moment;
use super::place::{Place, sync};

/// Lets what is at `live` and in `slot` change places.
///
/// # Errors
/// `NotFound` where nothing is at `live`.
pub(super) fn exchange(slot: &Place<'_>, live: &Place<'_>) -> io::Result<()> {
    match rename(slot, live, RenameFlags::EXCHANGE, "files.exchange") {
        Err(error) if is_unknown(&error) => exchange_by_link(slot, live),
        done => done,
    }
}

/// Renames to a name that nothing has. `AlreadyExists` where something has it.
pub(super) fn rename_new(from: &Place<'_>, to: &Place<'_>) -> io::Result<()> {
    match rename(from, to, RenameFlags::NOREPLACE, "files.rename") {
        Err(error) if is_unknown(&error) => rename_new_by_link(from, to),
        done => done,
    }
}

/// Ends what a crash left of [`exchange`] or [`rename_new`] without the calls that do them at once.
pub(super) fn settle(slot: &Place<'_>, live: Option<&Place<'_>>) -> io::Result<()> {
    let aside = aside(slot);
    let (in_slot, at_live) = (slot.look()?, live.map(Place::look).transpose()?.flatten());
    let Some(left) = aside.look()? else {
        let is_linked =
            matches!((&in_slot, &at_live), (Some(one), Some(other)) if one.facts.inode == other.facts.inode);
        return if is_linked { slot.remove_file() } else { Ok(()) };
    };
    if in_slot.is_none() {
        return Ok(renameat(
            aside.folder.root().as_fd(),
            &aside.name,
            slot.folder.root().as_fd(),
            &slot.name,
        )?);
    }
    match live {
        // A folder cannot have two names: it was moved.
        Some(live) if left.kind.is_dir() && at_live.is_none() => rename_new(&aside, live),
        _ if left.kind.is_dir() => Err(io::Error::other("a folder of a restore was left in two places")),
        _ => aside.remove_file(),
    }
}

/// Whether files in `folder` can change places, by either way.
pub(super) fn can_exchange(one: &Place<'_>, other: &Place<'_>) -> io::Result<bool> {
    drop((one.create_file()?, other.create_file()?));
    let done = exchange(one, other);
    one.remove_file()?;
    other.remove_file()?;
    match done {
        Ok(()) => Ok(true),
        Err(error) if is_unknown(&error) || Errno::from_io_error(&error) == Some(Errno::PERM) => Ok(false),
        Err(error) => Err(error),
    }
}

fn rename(from: &Place<'_>, to: &Place<'_>, flags: RenameFlags, place: &str) -> io::Result<()> {
    moment::reached(place)?;
    let (from_folder, to_folder) = (from.folder.root().as_fd(), to.folder.root().as_fd());
    Ok(renameat_with(from_folder, &from.name, to_folder, &to.name, flags)?)
}

fn exchange_by_link(slot: &Place<'_>, live: &Place<'_>) -> io::Result<()> {
    let aside = aside(slot);
    aside.remove_file()?;
    let (slots, folder) = (slot.folder.root().as_fd(), live.folder.root().as_fd());
    match linkat(folder, &live.name, slots, &aside.name, AtFlags::empty()) {
        Ok(()) => {}
        // A folder cannot have two names, and no file is at its place.
        Err(error) if live.look()?.is_some_and(|seen| seen.kind.is_dir()) => {
            tracing::debug!(%error, "a folder is moved aside");
            renameat(folder, &live.name, slots, &aside.name)?;
        }
        Err(error) => return Err(error.into()),
    }
    sync(slot.folder.root())?;
    moment::reached("files.linked")?;
    renameat(slots, &slot.name, folder, &live.name)?;
    moment::reached("files.replaced")?;
    Ok(renameat(slots, &aside.name, slots, &slot.name)?)
}

fn rename_new_by_link(from: &Place<'_>, to: &Place<'_>) -> io::Result<()> {
    let (from_folder, to_folder) = (from.folder.root().as_fd(), to.folder.root().as_fd());
    match linkat(from_folder, &from.name, to_folder, &to.name, AtFlags::empty()) {
        Ok(()) => {}
        Err(Errno::EXIST) => return Err(Errno::EXIST.into()),
        Err(error) if from.look()?.is_some_and(|seen| seen.kind.is_dir()) => {
            tracing::debug!(%error, "a folder is moved");
            return if to.look()?.is_none() {
                Ok(renameat(from_folder, &from.name, to_folder, &to.name)?)
            } else {
                Err(Errno::EXIST.into())
            };
        }
        Err(error) => return Err(error.into()),
    }
    moment::reached("files.linked")?;
    from.remove_file()
}

/// The second name of a slot's file.
fn aside<'a>(slot: &'a Place<'_>) -> Place<'a> {
    let mut name = slot.name.clone();
    name.push(".old");
    Place::in_folder(slot.folder.root(), name)
}

/// Whether the kernel or the file system does not know a call or its flag.
fn is_unknown(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP))
}
