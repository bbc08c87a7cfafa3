//! Fuzzing: whatever is compressed, at every level and in any parts, comes back from another library.

use std::io::Read as _;

use flate2::read::DeflateDecoder;
use strongroom_fuzz::fuzz;

use super::*;

#[test]
fn every_stream_comes_back() {
    let seeds: [&[u8]; 5] = [
        b"\x01\x40{\"id\":1,\"name\":\"alpha\"},\n{\"id\":2,\"name\":\"beta\"},\n{\"id\":3,\"name\":\"alpha\"},\n",
        b"\x00\x01aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        b"\x09\xff\x00\xff\x10\x9c\x7f\x80\xfe\x01",
        b"\x05\x07abcabcabcabcabcabcabcabcabdabcabcabcabcabcabd",
        b"\x00\x00",
    ];
    fuzz("deflate", &seeds, |input| {
        let [level, part, content @ ..] = input else { return Err("short".to_owned()) };
        // Repeated, so that matches reach across pieces.
        let content = content.repeat(1 + usize::from(*part) % 7);
        let compression = Compression::level(level % 10).unwrap_or_default();
        let mut deflater = StreamDeflater::create(compression);
        let mut out = Vec::new();
        for part in content.chunks(1 + usize::from(*part) * 17) {
            deflater.write(part, &mut out).map_err(|error| error.to_string())?;
        }
        let totals = deflater.end(&mut out).map_err(|error| error.to_string())?;
        assert_eq!(totals, Totals { bytes: content.len() as u64, crc32: crc32fast::hash(&content) });
        let mut inflated = Vec::new();
        DeflateDecoder::new(out.as_slice()).read_to_end(&mut inflated).expect("a stream that can be read");
        assert!(inflated == content, "another content came back");
        Ok(())
    });
}
