//! Files of the MNIST layout, whatever they hold.

use super::memory::{Slow, bounded};
use arbitrary::Arbitrary;
use roofline::nn::idx::{ImagesRef, check_counts, parse_images, parse_labels, read_images, read_labels};

/// Bytes that are held at most for each byte of a file: a buffer of twice as many as arrived, beside the one before it.
const MAX_MULTIPLE: usize = 4;

#[derive(Arbitrary, Debug)]
pub struct Plan<'a> {
    step: u8,
    /// The header is made to promise what follows it.
    honest: bool,
    file: &'a [u8],
}

impl Plan<'_> {
    /// Panics unless all readers agree, and what they accept is the file.
    pub fn run(&self) {
        let mut file = self.file.to_vec();
        if self.honest && file.len() > 16 {
            let count = (file.len() - 16) as u32;
            file[..4].copy_from_slice(&0x803_u32.to_be_bytes());
            file[4..8].copy_from_slice(&count.to_be_bytes());
            file[8..16].copy_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1]);
        }
        self.check_images(&file);
        self.check_labels(&file);
    }

    fn check_images(&self, file: &[u8]) {
        let read = bounded(file.len(), MAX_MULTIPLE, || read_images(Slow::new(file, self.step)));
        match (parse_images(file), read) {
            (Ok(parsed), Ok(read)) => {
                assert!(parsed == ImagesRef::from(&read));
                let dims = [parsed.count(), parsed.rows(), parsed.cols()];
                assert_eq!(dims.iter().product::<usize>(), parsed.pixels().len());
                assert_eq!(encoded(0x803, &dims, parsed.pixels()), file);
                assert_eq!(check_counts(&read, parsed.pixels()).is_ok(), dims[1] * dims[2] == 1);
            }
            (Err(parsed), Err(read)) => assert_eq!(parsed.to_string(), read.to_string()),
            (parsed, read) => panic!("{parsed:?} in memory, {read:?} read"),
        }
    }

    fn check_labels(&self, file: &[u8]) {
        let read = bounded(file.len(), MAX_MULTIPLE, || read_labels(Slow::new(file, self.step)));
        match (parse_labels(file), read) {
            (Ok(parsed), Ok(read)) => {
                assert_eq!(parsed, read);
                assert_eq!(encoded(0x801, &[parsed.len()], parsed), file);
            }
            (Err(parsed), Err(read)) => assert_eq!(parsed.to_string(), read.to_string()),
            (parsed, read) => panic!("{parsed:?} in memory, {read:?} read"),
        }
    }
}

fn encoded(magic: u32, dims: &[usize], data: &[u8]) -> Vec<u8> {
    let words = [magic].into_iter().chain(dims.iter().map(|&dim| dim as u32));
    words.flat_map(u32::to_be_bytes).chain(data.iter().copied()).collect()
}
