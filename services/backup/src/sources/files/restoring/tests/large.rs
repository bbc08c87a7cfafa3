//! Many files, and a large one.

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use strongroom_tables::load::Mode;

use super::{Archive, RESTORE, Set, file};
use crate::sources::WantedFile;

const MANY: usize = 5_000;

#[test]
fn five_thousand_files_are_quick() {
    let set = Set::create(&[]);
    let path = |at: usize| format!("folder{}/file{at}", at % 50);
    for at in 0..MANY {
        set.write(&path(at), if at % 2 == 0 { "old" } else { "same" });
    }
    let files = (0..MANY).map(|at| {
        let (mut wanted, content) = file(path(at), "same");
        wanted.mode = Some(0o600);
        wanted.modified_at = jiff::Timestamp::new(1_577_836_800, 5).ok();
        (wanted, content)
    });
    let archive = Archive::create(Mode::Replace, files);
    let before = set.tree();
    let begin = Instant::now();
    archive.stage(&set, RESTORE).unwrap();
    let staged = begin.elapsed();
    let swapped = set.target().swap(RESTORE).unwrap();
    let taken = begin.elapsed();
    assert_eq!((swapped.changes.changed, swapped.changes.kept), (2_500, 2_500));
    assert!(taken < Duration::from_secs(60), "staged in {staged:?}, all in {taken:?}");
    set.target().roll_back(RESTORE, false).unwrap();
    assert_eq!(set.tree(), before);
}

/// 3 GB of zeros, with a text at the start, one in the middle and one at the end.
struct Sparse {
    at: u64,
}

const BYTES: u64 = 3_000_000_007;
const TEXTS: [(u64, &[u8]); 3] = [(0, b"front"), (1_500_000_001, b"middle"), (BYTES - 4, b"back")];

impl std::io::Read for Sparse {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = (buffer.len() as u64).min(BYTES - self.at) as usize;
        buffer[..length].fill(0);
        for (from, text) in TEXTS {
            for (offset, byte) in (from..).zip(text) {
                if (self.at..self.at + length as u64).contains(&offset) {
                    buffer[(offset - self.at) as usize] = *byte;
                }
            }
        }
        self.at += length as u64;
        Ok(length)
    }
}

/// In a separate process, so that no other test uses its memory.
#[test]
fn a_large_sparse_file_stays_sparse_and_takes_little_memory() {
    let name = "sources::files::restoring::tests::large::a_large_sparse_file";
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{errors}");
}

fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn restore(set: &Set, wanted: (WantedFile, Vec<u8>), content: &mut dyn Read) {
    let archive = Archive::create(Mode::IntoEmpty, [wanted]);
    let fingerprint = set.target().fingerprint().unwrap();
    let mut stage = set.target().stage(&archive.wanted, &fingerprint, RESTORE).unwrap();
    stage.add(0, content).unwrap();
    stage.keep().unwrap();
    set.target().swap(RESTORE).unwrap();
}

#[test]
#[ignore = "run by the one above"]
fn a_large_sparse_file() {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut content = Sparse { at: 0 };
    loop {
        let read = content.read(&mut buffer).unwrap();
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
    }
    let mut wanted = file("large", "");
    (wanted.0.bytes, wanted.0.sha256) = (BYTES, hex::encode(hash.finalize()));
    let set = Set::create(&[]);
    // Code that runs for the first time also loads pages of the program into memory.
    restore(&Set::create(&[]), file("small", ""), &mut std::io::empty());
    let before = peak_kib();
    restore(&set, wanted, &mut Sparse { at: 0 });
    let more = peak_kib() - before;
    assert!(more < 8 << 10, "{more} KiB");
    let live = fs::metadata(set.at("large")).unwrap();
    assert_eq!(live.len(), BYTES);
    assert!(live.blocks() * 512 < 1 << 20, "{} blocks", live.blocks());
    use std::os::unix::fs::FileExt as _;
    let file = fs::File::open(set.at("large")).unwrap();
    for (at, text) in TEXTS {
        let mut read = vec![0; text.len()];
        file.read_exact_at(&mut read, at).unwrap();
        assert_eq!(read, text);
    }
}
