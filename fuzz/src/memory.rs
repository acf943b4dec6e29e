//! Memory that a parser takes, by the allocator that counts.

use crate::counting::HELD;
use std::io::{self, Read};

/// Bytes that a reader has at once, however short its file is: buffers, and tables of their first size.
const BASE: usize = 256 << 10;

/// Runs `parse` on a file of `len` bytes, and fails where it holds more than `factor` times as many at a time.
#[track_caller]
pub fn bounded<R>(len: usize, factor: usize, parse: impl FnOnce() -> R) -> R {
    let (before, _) = HELD.get();
    HELD.set((before, before));
    let result = parse();
    let taken = HELD.get().1 - before;
    assert!(taken <= factor * len + BASE, "{taken} bytes for a file of {len}");
    result
}

/// A reader of a few bytes at a time.
pub struct Slow<'a> {
    file: &'a [u8],
    step: usize,
}

impl<'a> Slow<'a> {
    /// Between 1 and 256 bytes at a time.
    pub fn new(file: &'a [u8], step: u8) -> Self {
        Self { file, step: 1 + step as usize }
    }
}

impl Read for Slow<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let end = self.step.min(buf.len());
        self.file.read(&mut buf[..end])
    }
}
