//! Outputs that fail, and writers that are abandoned.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use strongroom_archive::{ArchiveWriter, Compression, Error, Limits};

use crate::sample;

/// Accepts this many bytes and then fails like a client that disconnected.
#[derive(Clone)]
struct Leaving {
    received: Arc<Mutex<Vec<u8>>>,
    patience: usize,
}

impl Write for Leaving {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut received = self.received.lock().unwrap();
        if received.len() + bytes.len() > self.patience {
            return Err(io::Error::new(io::ErrorKind::ConnectionReset, "the client left"));
        }
        received.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn export(out: Leaving) -> Result<(), Error> {
    let mut writer = ArchiveWriter::create(out, Limits::V1, Compression::default());
    for table in sample::two_tables() {
        writer.write_schema(&table.schema)?;
        writer.start_table(&table.schema, None)?;
        writer.write_rows(table.rows.join(",\n").as_bytes(), table.rows.len() as u64)?;
        writer.finish_table()?;
    }
    writer.finish(sample::head()).map(drop)
}

#[test]
fn the_receivers_own_error_comes_out_wherever_it_happens() {
    let whole = Leaving { received: Arc::default(), patience: usize::MAX };
    export(whole.clone()).unwrap();
    let length = whole.received.lock().unwrap().len();
    for patience in 0..length {
        let sink = Leaving { received: Arc::default(), patience };
        let error = export(sink.clone()).unwrap_err();
        let Error::Sink(error) = error else { panic!("after {patience} bytes: {error}") };
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(error.to_string(), "the client left");
        let received = sink.received.lock().unwrap();
        assert!(whole.received.lock().unwrap().starts_with(&received));
    }
}

#[test]
fn a_writer_that_is_given_up_leaves_no_archive() {
    let sink = Leaving { received: Arc::default(), patience: usize::MAX };
    let mut writer = ArchiveWriter::create(sink.clone(), Limits::V1, Compression::default());
    writer.write_ring(b"{}").unwrap();
    writer.start_table(&sample::two_tables()[0].schema, None).unwrap();
    drop(writer);
    let received = sink.received.lock().unwrap();
    assert!(!received.is_empty());
    assert!(!received.windows(4).any(|window| window == b"PK\x05\x06"));
}
