//! Random access returns the same bytes as the plaintext, at every position.

use std::io::{BufReader, Cursor, Read, Seek, SeekFrom};

use strongroom_age::{Error, Header, SealedFile};

use crate::{CHUNK, identities, noise, seal, two_recipients};

#[test]
fn every_place_is_the_plaintexts() {
    for length in [0, 1, CHUNK, 2 * CHUNK, 2 * CHUNK + 100] {
        let plaintext = noise(length);
        let sealed = seal(&plaintext, &two_recipients());
        let (mut file, mut expected) = (open(Cursor::new(sealed)).unwrap(), Cursor::new(plaintext));
        let mut at = 7_u64;
        for round in 0..150_i64 {
            at = at.wrapping_mul(48_271) % 2_147_483_647;
            let seek = match round % 3 {
                0 => SeekFrom::Start(at % (length as u64 + 20)),
                1 => SeekFrom::End(-((at % (length as u64 + 1)) as i64)),
                _ => SeekFrom::Current((at % 1000) as i64),
            };
            assert_eq!(file.seek(seek).unwrap(), expected.seek(seek).unwrap());
            let (mut found, mut wanted) = (vec![0; 3000], vec![0; 3000]);
            let read = read_fully(&mut file, &mut found);
            assert_eq!(read, read_fully(&mut expected, &mut wanted), "{length}: {seek:?}");
            assert_eq!(found, wanted, "{length}: {seek:?}");
        }
        assert!(file.seek(SeekFrom::End(-(length as i64) - 1)).is_err());
        assert_eq!(file.seek(SeekFrom::Start(u64::MAX)).unwrap(), u64::MAX);
        assert_eq!(file.read(&mut [0]).unwrap(), 0);
    }
}

fn read_fully(reader: &mut impl Read, buffer: &mut [u8]) -> usize {
    let mut read = 0;
    loop {
        match reader.read(&mut buffer[read..]).unwrap() {
            0 => return read,
            more => read += more,
        }
    }
}

fn open<R: Read + Seek>(mut sealed: R) -> Result<SealedFile<R>, Error> {
    let unlocked = Header::read(&mut BufReader::new(&mut sealed))?.unlock(&identities())?;
    SealedFile::open(sealed, &unlocked)
}
