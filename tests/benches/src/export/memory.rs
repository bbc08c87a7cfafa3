//! Memory of other processes, from proc(5).
//!
//! Pages of the program itself do not count for a service: the first export reads some 9 MiB of them, which the kernel drops when it needs
//! memory.

use std::path::Path;

/// Bytes that the process holds now.
pub(crate) fn resident(pid: u32) -> u64 {
    field(pid, "VmRSS:").saturating_sub(field(pid, "RssFile:"))
}

/// Peak since [`forget_peak`]. Pages of the program stay once they are read, so those of the present are those of the
/// peak.
pub(crate) fn peak(pid: u32) -> u64 {
    field(pid, "VmHWM:").saturating_sub(field(pid, "RssFile:"))
}

/// Resets the peak (`clear_refs` of proc(5)).
pub(crate) fn forget_peak(pid: u32) {
    std::fs::write(format!("/proc/{pid}/clear_refs"), "5").unwrap();
}

/// Bytes that all processes of a group hold together.
pub(crate) fn of_group(group: u32) -> u64 {
    let processes = std::fs::read_dir("/proc").unwrap();
    processes.filter_map(|entry| in_group(&entry.ok()?.path(), group)).sum()
}

/// `None` instead of an error, because processes start and end meanwhile.
fn in_group(process: &Path, group: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(process.join("stat")).ok()?;
    // The command's name can contain any character; after it come the state, the parent and the group.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    if fields.nth(2)?.parse() != Ok(group) {
        return None;
    }
    let status = std::fs::read_to_string(process.join("status")).ok()?;
    parse(&status, "VmRSS:")
}

fn field(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    parse(&status, name).unwrap()
}

fn parse(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()? * 1024)
}
