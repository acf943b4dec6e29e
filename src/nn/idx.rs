//! Reader of the IDX files of the MNIST layout: one file of images, one of labels.
//!
//! The format is the one that Y. LeCun, C. Cortes and C. J. C. Burges describe with their MNIST database of handwritten
//! digits: a header of big-endian `u32`, then bytes, the last index varying fastest.
//!
//! ```text
//! images   00000803 │ count │ rows │ cols │ count × rows × cols pixels
//! labels   00000801 │ count │ count labels
//!              │ └─ number of dimensions
//!              └─── type of the items: 08 = unsigned byte
//! ```
//!
//! A header may lie. Sizes are products of checked steps, and memory follows the bytes that arrived, not those promised:
//! the buffer is at most 64 KiB or twice what was read, whichever is more. Sixteen bytes that promise terabytes end as
//! [`IdxError::Truncated`] at once.
//!
//! The readers take any [`Read`], so that a decompressor can stand in front. They read to the end of the stream: there
//! it verifies its checksum, and there trailing bytes show.
//!
//! [`parse_images`] and [`parse_labels`] take a whole file that is in memory already, such as a memory map of it, and copy
//! nothing: the pages that nobody looks at are never read from the disk.

use std::fmt;
use std::io::{self, Read};

/// Unsigned bytes (`08`) in three dimensions (`03`).
const IMAGES_MAGIC: u32 = 0x0000_0803;

/// Unsigned bytes (`08`) in one dimension (`01`).
const LABELS_MAGIC: u32 = 0x0000_0801;

/// Bytes of memory for data of which nothing has arrived yet: 64 KiB, the capacity of a pipe on Linux.
const CHUNK: usize = 64 * 1024;

/// Why a stream is not the IDX file that was asked for. Sizes count from the start of the file.
///
/// ```
/// use roofline::nn::idx::read_labels;
///
/// let error = read_labels(&b"\0\0\x08\x01\0\0\0\x03\x07\x02"[..]).unwrap_err();
/// assert_eq!(error.to_string(), "truncated IDX file: 11 bytes expected, 10 found");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum IdxError {
    /// The reader failed; a decompressor reports damaged data this way.
    Io(io::Error),
    /// The stream ends inside the header or the data.
    Truncated {
        /// Bytes that the header asks for; the size of the header where that itself is cut.
        expected: usize,
        /// Bytes that there are.
        found: usize,
    },
    /// The first four bytes belong to another kind of file.
    WrongMagic {
        /// The magic number of the kind that was asked for.
        expected: u32,
        /// The magic number of the file.
        found: u32,
    },
    /// A dimension is zero: there is nothing to train on.
    Empty {
        /// Count, rows and columns; the last two are 1 for labels.
        dims: [u32; 3],
    },
    /// The product of the dimensions is more than any allocation can hold.
    Overflow {
        /// Count, rows and columns; the last two are 1 for labels.
        dims: [u32; 3],
    },
    /// The file goes on after its data.
    TrailingBytes {
        /// Bytes that the header asks for.
        expected: usize,
    },
    /// There is no memory for the data that arrived.
    AllocationFailed {
        /// Bytes of the buffer that was refused.
        bytes: usize,
    },
    /// Images and labels that do not belong together.
    CountMismatch {
        /// Number of images.
        images: usize,
        /// Number of labels.
        labels: usize,
    },
}

impl fmt::Display for IdxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "cannot read IDX file: {error}"),
            Self::Truncated { expected, found } => {
                write!(f, "truncated IDX file: {expected} bytes expected, {found} found")
            }
            Self::WrongMagic { expected, found } => {
                write!(f, "wrong IDX magic: {expected:#010x} expected, {found:#010x} found")
            }
            Self::Empty { dims: [n, rows, cols] } => write!(f, "empty IDX file: {n} items of {rows} x {cols}"),
            Self::Overflow { dims: [n, rows, cols] } => {
                write!(f, "IDX file too large for memory: {n} items of {rows} x {cols}")
            }
            Self::TrailingBytes { expected } => {
                write!(f, "trailing bytes in IDX file: {expected} bytes expected, more found")
            }
            Self::AllocationFailed { bytes } => write!(f, "cannot allocate {bytes} bytes for an IDX file"),
            Self::CountMismatch { images, labels } => write!(f, "{images} images, but labels for {labels}"),
        }
    }
}

impl std::error::Error for IdxError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for IdxError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Grey images of one size, one byte per pixel, in memory of their own. [`read_images`] is the only way to one, so that always
/// `pixels().len() == count() * rows() * cols()`, and none of them is zero.
#[derive(Clone, PartialEq, Eq)]
pub struct Images {
    count: usize,
    rows: usize,
    cols: usize,
    pixels: Vec<u8>,
}

impl Images {
    /// Number of images.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Height of each image in pixels.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Width of each image in pixels.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// All pixels: a row-major matrix of `count` rows and `rows · cols` columns, one image per row.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }
}

/// Images in memory of somebody else, such as a memory map. [`parse_images`] and [`Images`] give one; sizes agree as there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ImagesRef<'a> {
    count: usize,
    rows: usize,
    cols: usize,
    pixels: &'a [u8],
}

impl<'a> ImagesRef<'a> {
    /// Number of images.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Height of each image in pixels.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Width of each image in pixels.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// All pixels, as [`Images::pixels`] has them.
    pub fn pixels(&self) -> &'a [u8] {
        self.pixels
    }
}

impl<'a> From<&'a Images> for ImagesRef<'a> {
    fn from(images: &'a Images) -> Self {
        let Images { count, rows, cols, ref pixels } = *images;
        Self { count, rows, cols, pixels }
    }
}

/// Shows the shape; the pixels of a training set would fill a terminal for hours.
impl fmt::Debug for Images {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, "Images", ImagesRef::from(self))
    }
}

impl fmt::Debug for ImagesRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, "ImagesRef", *self)
    }
}

fn show(f: &mut fmt::Formatter<'_>, name: &str, images: ImagesRef<'_>) -> fmt::Result {
    let ImagesRef { count, rows, cols, .. } = &images;
    f.debug_struct(name).field("count", count).field("rows", rows).field("cols", cols).finish_non_exhaustive()
}

/// Reads a file of images (magic number `00000803`) to its end.
///
/// ```
/// use roofline::nn::idx::read_images;
///
/// // Magic number, 2 images of 1 row and 3 columns, their pixels.
/// let file = b"\0\0\x08\x03\0\0\0\x02\0\0\0\x01\0\0\0\x03abcdef";
/// let images = read_images(&file[..])?;
/// assert_eq!((images.count(), images.rows(), images.cols()), (2, 1, 3));
/// assert_eq!(images.pixels(), b"abcdef");
/// # Ok::<(), roofline::nn::idx::IdxError>(())
/// ```
///
/// # Errors
///
/// Any variant of [`IdxError`] but `CountMismatch`.
pub fn read_images(reader: impl Read) -> Result<Images, IdxError> {
    let ([count, rows, cols], pixels) = read_idx(reader, IMAGES_MAGIC)?;
    Ok(Images { count, rows, cols, pixels })
}

/// Reads a file of labels (magic number `00000801`) to its end. Any byte is a label here.
///
/// ```
/// use roofline::nn::idx::read_labels;
///
/// // Magic number, 3 labels.
/// let file = b"\0\0\x08\x01\0\0\0\x03\x07\x02\x01";
/// assert_eq!(read_labels(&file[..])?, [7, 2, 1]);
/// # Ok::<(), roofline::nn::idx::IdxError>(())
/// ```
///
/// # Errors
///
/// Any variant of [`IdxError`] but `CountMismatch`.
pub fn read_labels(reader: impl Read) -> Result<Vec<u8>, IdxError> {
    let (_, labels) = read_idx(reader, LABELS_MAGIC)?;
    Ok(labels)
}

/// The images of a whole file (magic number `00000803`), which stay where they are. The header is checked against the
/// bytes that there are: no other byte is touched.
///
/// ```
/// use roofline::nn::idx::parse_images;
///
/// let file = b"\0\0\x08\x03\0\0\0\x02\0\0\0\x01\0\0\0\x03abcdef";
/// let images = parse_images(file)?;
/// assert_eq!((images.count(), images.rows(), images.cols()), (2, 1, 3));
/// assert_eq!(images.pixels().as_ptr(), file[16..].as_ptr());
/// # Ok::<(), roofline::nn::idx::IdxError>(())
/// ```
///
/// # Errors
///
/// Any variant of [`IdxError`] but `Io`, `AllocationFailed` and `CountMismatch`.
pub fn parse_images(file: &[u8]) -> Result<ImagesRef<'_>, IdxError> {
    let ([count, rows, cols], pixels) = parse_idx(file, IMAGES_MAGIC)?;
    Ok(ImagesRef { count, rows, cols, pixels })
}

/// The labels of a whole file (magic number `00000801`), which stay where they are.
///
/// ```
/// use roofline::nn::idx::parse_labels;
///
/// assert_eq!(parse_labels(b"\0\0\x08\x01\0\0\0\x03\x07\x02\x01")?, [7, 2, 1]);
/// # Ok::<(), roofline::nn::idx::IdxError>(())
/// ```
///
/// # Errors
///
/// As [`parse_images`].
pub fn parse_labels(file: &[u8]) -> Result<&[u8], IdxError> {
    Ok(parse_idx(file, LABELS_MAGIC)?.1)
}

/// Checks that there is one label per image.
///
/// ```
/// use roofline::nn::idx::{check_counts, read_images};
///
/// let images = read_images(&b"\0\0\x08\x03\0\0\0\x02\0\0\0\x01\0\0\0\x01ab"[..])?;
/// check_counts(&images, &[4, 2])?;
/// assert_eq!(check_counts(&images, &[4]).unwrap_err().to_string(), "2 images, but labels for 1");
/// # Ok::<(), roofline::nn::idx::IdxError>(())
/// ```
///
/// # Errors
///
/// [`IdxError::CountMismatch`] with both counts.
pub fn check_counts<'a>(images: impl Into<ImagesRef<'a>>, labels: &[u8]) -> Result<(), IdxError> {
    let (images, labels) = (images.into().count, labels.len());
    if images == labels { Ok(()) } else { Err(IdxError::CountMismatch { images, labels }) }
}

/// Reads a whole file with the given magic number: dimensions, ones where it has fewer, and data.
fn read_idx(reader: impl Read, magic: u32) -> Result<([usize; 3], Vec<u8>), IdxError> {
    let mut source = Source { reader, found: 0 };
    let Header { dims, bytes, total } = source.header(magic)?;
    Ok((dims, source.data(bytes, total)?))
}

/// As [`read_idx`], of a file in memory: its data, where they are.
fn parse_idx(file: &[u8], magic: u32) -> Result<([usize; 3], &[u8]), IdxError> {
    let mut source = Source { reader: file, found: 0 };
    let Header { dims, bytes, total: expected } = source.header(magic)?;
    match source.reader.len() {
        found if found < bytes => Err(IdxError::Truncated { expected, found: file.len() }),
        found if found > bytes => Err(IdxError::TrailingBytes { expected }),
        _ => Ok((dims, source.reader)),
    }
}

/// What a header promises: dimensions, bytes of data, and bytes of the whole file.
struct Header {
    dims: [usize; 3],
    bytes: usize,
    total: usize,
}

/// A reader and the number of bytes it has given.
struct Source<R> {
    reader: R,
    found: usize,
}

impl<R: Read> Source<R> {
    /// Fills `buf`; `expected` is the size to report when the file ends before.
    fn fill(&mut self, mut buf: &mut [u8], expected: usize) -> Result<(), IdxError> {
        while !buf.is_empty() {
            match self.reader.read(buf) {
                Ok(0) => return Err(IdxError::Truncated { expected, found: self.found }),
                Ok(n) => {
                    let lie = || io::Error::other("reader claims more bytes than it has room for");
                    buf = buf.get_mut(n..).ok_or_else(lie)?;
                    self.found += n;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// The next integer of a header of `header` bytes.
    fn word(&mut self, header: usize) -> Result<u32, IdxError> {
        let mut word = [0; 4];
        self.fill(&mut word, header)?;
        Ok(u32::from_be_bytes(word))
    }

    /// A header with the given magic number.
    fn header(&mut self, magic: u32) -> Result<Header, IdxError> {
        let rank = (magic & 0xff) as usize;
        let header = 4 * (1 + rank);
        let found = self.word(header)?;
        if found != magic {
            return Err(IdxError::WrongMagic { expected: magic, found });
        }
        let mut dims = [1; 3];
        for dim in &mut dims[..rank] {
            *dim = self.word(header)?;
        }
        if dims.contains(&0) {
            return Err(IdxError::Empty { dims });
        }
        let product = dims.iter().try_fold(1_usize, |product, &dim| product.checked_mul(usize::try_from(dim).ok()?));
        let bytes = product.filter(|&bytes| isize::try_from(bytes).is_ok()).ok_or(IdxError::Overflow { dims })?;
        // Lossless: none is zero, so each is at most their product `bytes`.
        Ok(Header { dims: dims.map(|dim| dim as usize), bytes, total: header + bytes })
    }

    /// The `bytes` of data that end a file of `total`, and nothing after them.
    fn data(&mut self, bytes: usize, total: usize) -> Result<Vec<u8>, IdxError> {
        let mut data = Vec::new();
        while data.len() < bytes {
            let start = data.len();
            let grown = bytes.min(CHUNK.max(2 * start));
            if data.try_reserve_exact(grown - start).is_err() {
                return Err(IdxError::AllocationFailed { bytes: grown });
            }
            data.resize(grown, 0);
            self.fill(&mut data[start..], total)?;
        }
        match self.fill(&mut [0], total) {
            Ok(()) => Err(IdxError::TrailingBytes { expected: total }),
            Err(IdxError::Truncated { .. }) => Ok(data),
            Err(error) => Err(error),
        }
    }
}
