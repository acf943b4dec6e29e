//! The records of a file, each within a limit: the only place that names the crate `csv`.

use super::{CsvError, Options};
use crate::error::Error;
use csv::{ByteRecord, ErrorKind, Reader, ReaderBuilder};
use std::io::{self, Read};

/// One record after the other. A record that never ends is given up after as many bytes as it may have and a buffer of them.
pub(super) struct Records<R> {
    reader: Reader<Limited<R>>,
    limit: usize,
    /// The last record.
    pub(super) record: ByteRecord,
    /// How many there were: its row.
    pub(super) row: usize,
}

impl<R: Read> Records<R> {
    pub(super) fn new(reader: R, options: &Options) -> Result<Self, CsvError> {
        if matches!(options.delimiter, b'"' | b'\r' | b'\n') {
            let (what, value) = ("CSV: delimiter (code of the byte)", f64::from(options.delimiter));
            return Err(Error::OutOfRange { what, value, allowed: "neither a quote nor a line end" }.into());
        }
        let limited = Limited { reader, given: 0, allowed: u64::MAX };
        let mut builder = ReaderBuilder::new();
        // Ragged records are refused here, with their row.
        builder.has_headers(false).flexible(true).delimiter(options.delimiter);
        let limit = options.limits.record_bytes;
        Ok(Self { reader: builder.from_reader(limited), limit, record: ByteRecord::new(), row: 0 })
    }

    /// Reads the next record; `false` at the end of the file.
    pub(super) fn advance(&mut self) -> Result<bool, CsvError> {
        let start = self.reader.position().byte();
        let end = start.saturating_add(self.limit as u64);
        self.reader.get_mut().allowed = end;
        let result = self.reader.read_byte_record(&mut self.record);
        // Where the reader gave up, all that it gave was used, more than is allowed.
        if self.reader.position().byte() > end {
            return Err(CsvError::TooLarge { what: "bytes of a record", row: self.row + 1, limit: self.limit });
        }
        let more = result.map_err(|error| match error.into_kind() {
            ErrorKind::Io(error) => CsvError::Io(error),
            other => CsvError::Io(io::Error::other(format!("{other:?}"))),
        })?;
        self.row += usize::from(more);
        Ok(more)
    }
}

/// Bytes of the mark with which some programs begin a file in UTF-8, and one more: the crate `csv` removes a mark that comes whole, and
/// takes one that comes alone for the end of the file.
const MARK_AND_MORE: usize = 4;

/// A reader that gives up when asked for more after it has given more than is allowed. It is asked only when what it gave is used
/// up: a record may begin within what it gave, and is longer than its limit if it goes on after it.
struct Limited<R> {
    reader: R,
    given: u64,
    allowed: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.given > self.allowed {
            return Err(io::Error::other("the record is too long"));
        }
        let least = if self.given == 0 { MARK_AND_MORE.min(buf.len()) } else { 1 };
        let mut filled = 0;
        while filled < least {
            match self.reader.read(&mut buf[filled..]) {
                Ok(0) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(count) if count > buf.len() - filled => {
                    return Err(io::Error::other("reader claims more bytes than it has room for"));
                }
                Ok(count) => filled += count,
                Err(error) => return Err(error),
            }
        }
        self.given += filled as u64;
        Ok(filled)
    }
}
