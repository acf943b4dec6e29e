//! Where the images of the examples come from: a folder in the MNIST layout, plain or gzipped, or the digits beside
//! these sources. Plain files of images stay where they are, in a memory map: they may be larger than memory. Every error names the
//! file it is about.

use flate2::read::MultiGzDecoder;
use memmap2::Mmap;
use roofline::nn::idx::{self, IdxError, Images, ImagesRef};
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

/// A file of images that has been checked.
pub(crate) enum ImageFile {
    /// It was packed: here are its images.
    Read(Images),
    /// It is plain, and mapped.
    Mapped(Mmap),
}

impl ImageFile {
    /// The images, wherever they are.
    pub(crate) fn images(&self) -> ImagesRef<'_> {
        match self {
            Self::Read(images) => images.into(),
            Self::Mapped(file) => idx::parse_images(file).expect("checked when it was mapped"),
        }
    }

    /// Maps a plain file, and reads one that starts like gzip.
    fn open(file: File) -> Result<Self, IdxError> {
        // SAFETY: the bytes must not change while the map lives: who runs an example owes that nobody writes to its data
        // meanwhile, as for any file that is read twice. The map is read-only and its pages are only ever read as `u8`, for which
        // any value is valid. If somebody cuts the file short nevertheless, the system ends the process (SIGBUS).
        let map = unsafe { Mmap::map(&file)? };
        if map.starts_with(&GZIP_MAGIC) {
            return Ok(Self::Read(idx::read_images(gunzip(&map[..])?)?));
        }
        idx::parse_images(&map)?;
        Ok(Self::Mapped(map))
    }
}

/// Images of one size and their labels, some to train on and some to test with, as the files have them.
pub(crate) struct Set {
    pub(crate) train_images: ImageFile,
    pub(crate) train_labels: Vec<u8>,
    pub(crate) test_images: ImageFile,
    pub(crate) test_labels: Vec<u8>,
}

/// Reads the four files of the MNIST layout from a folder: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`,
/// `t10k-images-idx3-ubyte` and `t10k-labels-idx1-ubyte`, each with or without `.gz`.
pub(crate) fn load(dir: &Path) -> Result<Set, Box<dyn Error>> {
    let (train_images, train_labels) = load_part(dir, "train")?;
    let (test_images, test_labels) = load_part(dir, "t10k")?;
    let [train, test] =
        [train_images.images(), test_images.images()].map(|images| format!("{} x {}", images.rows(), images.cols()));
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
fn load_part(dir: &Path, part: &str) -> Result<(ImageFile, Vec<u8>), Box<dyn Error>> {
    let (images_path, file) = open(dir, &format!("{part}-images-idx3-ubyte"))?;
    let images = named(images_path.display(), file.map_err(IdxError::from).and_then(ImageFile::open))?;
    let (labels_path, file) = open(dir, &format!("{part}-labels-idx1-ubyte"))?;
    let labels = read_named(labels_path.display(), file, idx::read_labels)?;
    idx::check_counts(images.images(), &labels)
        .map_err(|error| format!("{} and {}: {error}", images_path.display(), labels_path.display()))?;
    Ok((images, labels))
}

/// One file, with or without `.gz`, and the path it was found at.
fn open(dir: &Path, name: &str) -> Result<(PathBuf, io::Result<File>), Box<dyn Error>> {
    let plain = dir.join(name);
    let packed = dir.join(format!("{name}.gz"));
    for path in [&plain, &packed] {
        match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            file => return Ok((path.clone(), file)),
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
    named(name, opened.and_then(gunzip).map_err(IdxError::from).and_then(read))
}

/// Puts the name of a file before its error.
fn named<T>(name: impl Display, result: Result<T, IdxError>) -> Result<T, Box<dyn Error>> {
    result.map_err(|error| format!("{name}: {error}").into())
}
