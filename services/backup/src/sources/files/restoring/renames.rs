//! Renames that leave either the whole old file or the whole new one, and never none.
//!
//! Two files change places by one call. If a file system does not support that call, the old file first gets a second
//! name beside its slot, and the new one is then renamed over it, which is also atomic. A crash between the steps
//! leaves that second name, which [`settle`] removes.

use std::io;

use rustix::fs::{AtFlags, RenameFlags, linkat, renameat, renameat_with};
use rustix::io::Errno;

use super::moment;
use super::place::{Place, sync};

/// Exchanges the entries at `live` and in `slot`.
///
/// # Errors
/// `NotFound` if `live` does not exist.
pub(super) fn exchange(slot: &Place<'_>, live: &Place<'_>) -> io::Result<()> {
    match rename(slot, live, RenameFlags::EXCHANGE, "files.exchange") {
        Err(error) if is_unknown(&error) => exchange_by_link(slot, live),
        done => done,
    }
}

/// Renames to an unused name. `AlreadyExists` if it is used.
pub(super) fn rename_new(from: &Place<'_>, to: &Place<'_>) -> io::Result<()> {
    match rename(from, to, RenameFlags::NOREPLACE, "files.rename") {
        Err(error) if is_unknown(&error) => rename_new_by_link(from, to),
        done => done,
    }
}

/// Completes what a crash left of [`exchange`] or [`rename_new`] on systems without the atomic calls.
pub(super) fn settle(slot: &Place<'_>, live: Option<&Place<'_>>) -> io::Result<()> {
    let aside = aside(slot);
    let (in_slot, at_live) = (slot.look()?, live.map(Place::look).transpose()?.flatten());
    let Some(left) = aside.look()? else {
        let is_linked =
            matches!((&in_slot, &at_live), (Some(one), Some(other)) if one.facts.inode == other.facts.inode);
        return if is_linked { slot.remove_file() } else { Ok(()) };
    };
    let Some(in_slot) = in_slot else {
        return Ok(renameat(
            aside.folder.root().as_fd(),
            &aside.name,
            slot.folder.root().as_fd(),
            &slot.name,
        )?);
    };
    let was_moved = in_slot.kind.is_dir() || left.kind.is_dir();
    match live {
        Some(live) if was_moved && at_live.is_none() => rename_new(&aside, live),
        _ if was_moved => Err(io::Error::other(
            "the replaced object is beside its slot, and something else is in its place",
        )),
        _ => aside.remove_file(),
    }
}

/// Whether a crash has left something for [`settle`].
pub(super) fn is_unsettled(slot: &Place<'_>) -> io::Result<bool> {
    Ok(aside(slot).look()?.is_some())
}

/// Whether files in `folder` can be exchanged, by either method.
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
    if is_folder(slot)? || is_folder(live)? {
        // A folder cannot have a second name, and cannot replace a file: it is moved, and for a moment nothing is
        // there.
        renameat(folder, &live.name, slots, &aside.name)?;
    } else {
        linkat(folder, &live.name, slots, &aside.name, AtFlags::empty())?;
    }
    sync(slot.folder.root())?;
    moment::reached("files.linked")?;
    renameat(slots, &slot.name, folder, &live.name)?;
    moment::reached("files.replaced")?;
    Ok(renameat(slots, &aside.name, slots, &slot.name)?)
}

fn rename_new_by_link(from: &Place<'_>, to: &Place<'_>) -> io::Result<()> {
    let (from_folder, to_folder) = (from.folder.root().as_fd(), to.folder.root().as_fd());
    if is_folder(from)? {
        if to.look()?.is_some() {
            return Err(Errno::EXIST.into());
        }
        return Ok(renameat(from_folder, &from.name, to_folder, &to.name)?);
    }
    linkat(from_folder, &from.name, to_folder, &to.name, AtFlags::empty())?;
    moment::reached("files.linked")?;
    from.remove_file()
}

fn is_folder(place: &Place<'_>) -> io::Result<bool> {
    Ok(place.look()?.is_some_and(|seen| seen.kind.is_dir()))
}

/// The second name of a slot's file.
fn aside<'a>(slot: &'a Place<'_>) -> Place<'a> {
    let mut name = slot.name.clone();
    name.push(".old");
    Place::in_folder(slot.folder.root(), name)
}

/// Whether the kernel or the file system does not support a call or its flag.
fn is_unknown(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP))
}
