//! Where the images of the examples come from: a folder in the MNIST layout, plain or gzipped, or the digits beside
//! these sources. Every error names the file it is about.

use flate2::read::MultiGzDecoder;
use roofline::nn::idx::{self, IdxError, Images};
use std::error::Error;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// The first two bytes of a gzip member (RFC 1952, section 2.3.1).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

const DIGITS_IMAGES: &[u8] = include_bytes!("../data/digits-images-idx3-ubyte.gz");
const DIGITS_LABELS: &[u8] = include_bytes!("../data/digits-labels-idx1-ubyte.gz");

/// `idx::read_images` or `idx::read_labels`.
type Reader<T> = fn(Box<dyn Read>) -> Result<T, IdxError>;

/// Images of one size and their labels, some to train on and some to test with, as the files have them.
pub(crate) struct Set {
    pub(crate) train_images: Images,
    pub(crate) train_labels: Vec<u8>,
    pub(crate) test_images: Images,
    pub(crate) test_labels: Vec<u8>,
}

/// Reads the four files of the MNIST layout from a folder: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`,
/// `t10k-images-idx3-ubyte` and `t10k-labels-idx1-ubyte`, each with or without `.gz`.
pub(crate) fn load(dir: &Path) -> Result<Set, Box<dyn Error>> {
    let (train_images, train_labels) = load_part(dir, "train")?;
    let (test_images, test_labels) = load_part(dir, "t10k")?;
    let [train, test] = [&train_images, &test_images].map(|images| format!("{} x {}", images.rows(), images.cols()));
    if train != test {
        let dir = dir.display();
        return Err(format!("{dir}: train-images-idx3-ubyte is of {train}, t10k-images-idx3-ubyte of {test}").into());
    }
    Ok(Set { train_images, train_labels, test_images, test_labels })
}

/// The optical digits in `examples/data`: 1,797 images of 8 x 8 pixels from 0 to 16, labels 0 to 9.
pub(crate) fn digits() -> Result<(Images, Vec<u8>), Box<dyn Error>> {
    let images = read_named("digits-images-idx3-ubyte.gz", Ok(DIGITS_IMAGES), idx::read_images)?;
    let labels = read_named("digits-labels-idx1-ubyte.gz", Ok(DIGITS_LABELS), idx::read_labels)?;
    idx::check_counts(&images, &labels).map_err(|error| format!("digits-*-ubyte.gz: {error}"))?;
    Ok((images, labels))
}

/// Decompresses what starts like gzip, one member after the other, and passes anything else through.
pub(crate) fn gunzip<'a>(mut reader: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut head = Vec::new();
    reader.by_ref().take(GZIP_MAGIC.len() as u64).read_to_end(&mut head)?;
    let gzipped = head == GZIP_MAGIC;
    let whole = io::Cursor::new(head).chain(reader);
    Ok(if gzipped { Box::new(MultiGzDecoder::new(whole)) } else { Box::new(whole) })
}

/// The images and labels of one part of a set, `train` or `t10k`.
fn load_part(dir: &Path, part: &str) -> Result<(Images, Vec<u8>), Box<dyn Error>> {
    let (images_path, images) = load_file(dir, &format!("{part}-images-idx3-ubyte"), idx::read_images)?;
    let (labels_path, labels) = load_file(dir, &format!("{part}-labels-idx1-ubyte"), idx::read_labels)?;
    idx::check_counts(&images, &labels)
        .map_err(|error| format!("{} and {}: {error}", images_path.display(), labels_path.display()))?;
    Ok((images, labels))
}

/// One file, with or without `.gz`, and the path it was found at.
fn load_file<T>(dir: &Path, name: &str, read: Reader<T>) -> Result<(PathBuf, T), Box<dyn Error>> {
    let plain = dir.join(name);
    let packed = dir.join(format!("{name}.gz"));
    for path in [&plain, &packed] {
        match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            file => return Ok((path.clone(), read_named(path.display(), file, read)?)),
        }
    }
    Err(format!("neither {} nor {} exists", plain.display(), packed.display()).into())
}

/// Reads what was opened, and puts its name before any error.
fn read_named<T>(
    name: impl Display,
    opened: io::Result<impl Read + 'static>,
    read: Reader<T>,
) -> Result<T, Box<dyn Error>> {
    let items = opened.and_then(gunzip).map_err(IdxError::from).and_then(read);
    items.map_err(|error| format!("{name}: {error}").into())
}
