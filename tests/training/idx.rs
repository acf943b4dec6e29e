//! `roofline::nn::idx` on good files, hostile files, and through the file support of the examples.

use crate::counting::{ALLOCATIONS, HELD};
use crate::files::{self, ImageFile};
use flate2::{Compression, write::GzEncoder};
use roofline::nn::idx::{IdxError, check_counts, parse_images, parse_labels, read_images, read_labels};
use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

const IMAGES_MAGIC: u32 = 0x0803;
const LABELS_MAGIC: u32 = 0x0801;

/// The memory that data may take before any of it has arrived.
const CHUNK: usize = 64 * 1024;

fn file(header: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes: Vec<u8> = header.iter().flat_map(|word| word.to_be_bytes()).collect();
    bytes.extend_from_slice(data);
    bytes
}

fn small_images() -> Vec<u8> {
    file(&[IMAGES_MAGIC, 3, 2, 4], &(0..24).collect::<Vec<u8>>())
}

fn small_labels() -> Vec<u8> {
    file(&[LABELS_MAGIC, 3], &[7, 0, 255])
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A stream that gives at most `step` bytes at a time and is interrupted before each time. `greedy` says whether it was
/// ever asked for more than the reader's memory bound allows: as much again as was given, or one chunk.
struct Drip<'a> {
    bytes: &'a [u8],
    step: usize,
    interrupted: bool,
    given: usize,
    greedy: bool,
}

impl<'a> Drip<'a> {
    fn new(bytes: &'a [u8], step: usize) -> Self {
        Self { bytes, step, interrupted: false, given: 0, greedy: false }
    }
}

impl Read for Drip<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.interrupted = !self.interrupted;
        if self.interrupted {
            return Err(ErrorKind::Interrupted.into());
        }
        self.greedy |= buf.len() > CHUNK.max(self.given);
        let want = buf.len().min(self.step);
        let count = self.bytes.read(&mut buf[..want])?;
        self.given += count;
        Ok(count)
    }
}

#[test]
fn good_files() {
    let images = read_images(&small_images()[..]).unwrap();
    assert_eq!((images.count(), images.rows(), images.cols()), (3, 2, 4));
    assert_eq!(images.pixels(), (0..24).collect::<Vec<u8>>());
    assert_eq!(format!("{images:?}"), "Images { count: 3, rows: 2, cols: 4, .. }");
    assert_eq!(read_labels(&small_labels()[..]).unwrap(), [7, 0, 255]);
}

#[test]
fn parsed_in_place() {
    let (file, labels) = (small_images(), small_labels());
    let images = parse_images(&file).unwrap();
    assert_eq!((images.count(), images.rows(), images.cols()), (3, 2, 4));
    assert_eq!(images.pixels().as_ptr_range(), file[16..].as_ptr_range(), "no copy");
    assert_eq!(format!("{images:?}"), "ImagesRef { count: 3, rows: 2, cols: 4, .. }");
    assert_eq!(parse_labels(&labels).unwrap().as_ptr_range(), labels[8..].as_ptr_range());
    let owned = read_images(&file[..]).unwrap();
    assert_eq!(images, (&owned).into());
}

/// Every file, however damaged, is to the parsers what it is to the readers.
#[test]
fn parsers_refuse_what_readers_refuse() {
    let (images, labels) = (small_images(), small_labels());
    let mut files: Vec<Vec<u8>> = Vec::new();
    for (file, header) in [(&images, 16), (&labels, 8)] {
        files.extend((0..=file.len()).map(|cut| file[..cut].to_vec()));
        for extra in [1, 2, 1000] {
            files.push([&file[..], &vec![0; extra]].concat());
        }
        // Every bit of the header: other magic numbers, other dimensions, some of them huge.
        for bit in 0..8 * header {
            let mut file = file.to_vec();
            file[bit / 8] ^= 1 << (bit % 8);
            files.push(file);
        }
    }
    for dims in [[3_300_000_000, 10, 100], [u32::MAX, 46_341, 46_340], [u32::MAX; 3], [1 << 31, 1 << 31, 4], [5, 0, 28]]
    {
        files.push(file(&[IMAGES_MAGIC, dims[0], dims[1], dims[2]], &[1; 100]));
    }
    files.extend([u32::MAX, 0].map(|count| file(&[LABELS_MAGIC, count], &[0; 1000])));
    let mut refused = 0;
    for file in &files {
        match (parse_images(file), read_images(&file[..])) {
            (Ok(parsed), Ok(read)) => assert_eq!(parsed, (&read).into()),
            (parsed, read) => assert_eq!(parsed.unwrap_err().to_string(), read.unwrap_err().to_string(), "{file:?}"),
        }
        match (parse_labels(file), read_labels(&file[..])) {
            (Ok(parsed), Ok(read)) => assert_eq!(parsed, read),
            (parsed, read) => {
                refused += 1;
                assert_eq!(parsed.unwrap_err().to_string(), read.unwrap_err().to_string(), "{file:?}");
            }
        }
    }
    assert_eq!(refused, files.len() - 1, "one file of labels is good");
}

#[test]
fn short_reads_and_interruptions_change_nothing() {
    for step in [1, 2, 3, 5, 100] {
        assert_eq!(read_images(Drip::new(&small_images(), step)).unwrap().pixels().len(), 24, "step {step}");
        assert_eq!(read_labels(Drip::new(&small_labels(), step)).unwrap(), [7, 0, 255], "step {step}");
    }
}

#[test]
fn sizes_around_the_chunks_survive() {
    for len in [CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 1, 4 * CHUNK, 4 * CHUNK + 1] {
        let data: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
        let bytes = file(&[LABELS_MAGIC, len as u32], &data);
        let mut drip = Drip::new(&bytes, 10_000);
        let (allocations, (before, _)) = (ALLOCATIONS.get(), HELD.get());
        HELD.set((before, before));
        let labels = read_labels(&mut drip).unwrap();
        let (allocations, taken) = (ALLOCATIONS.get() - allocations, HELD.get().1 - before);
        assert!(labels == data, "{len} bytes");
        assert!(!drip.greedy, "{len} bytes: buffer grew ahead of the data");
        // It doubles, and is copied where it grows.
        assert!(allocations <= 4 && taken <= 2 * len, "{len} bytes: {allocations} allocations, {taken} bytes");
    }
}

#[test]
fn every_truncation_is_reported() {
    fn assert_truncated(result: Result<impl std::fmt::Debug, IdxError>, len: usize, cut: usize, header: usize) {
        let wanted = if cut < header { header } else { len };
        match result {
            Err(IdxError::Truncated { expected, found }) => assert_eq!((expected, found), (wanted, cut)),
            other => panic!("cut at {cut}: {other:?}"),
        }
    }
    let (images, labels) = (small_images(), small_labels());
    for cut in 0..images.len() {
        assert_truncated(read_images(&images[..cut]), images.len(), cut, 16);
    }
    for cut in 0..labels.len() {
        assert_truncated(read_labels(&labels[..cut]), labels.len(), cut, 8);
    }
}

#[test]
fn every_truncation_of_a_gzip_file_is_an_error() {
    let packed = gzip(&small_images());
    for cut in 0..packed.len() {
        let result = files::gunzip(&packed[..cut]).map_err(IdxError::from).and_then(read_images);
        assert!(matches!(result, Err(IdxError::Io(_) | IdxError::Truncated { .. })), "{cut}");
    }
}

#[test]
fn wrong_magic() {
    let error = read_images(&small_labels()[..]).unwrap_err();
    assert!(matches!(error, IdxError::WrongMagic { expected: IMAGES_MAGIC, found: LABELS_MAGIC }));
    let error = read_labels(&small_images()[..]).unwrap_err();
    assert!(matches!(error, IdxError::WrongMagic { expected: LABELS_MAGIC, found: IMAGES_MAGIC }));
    // The four bytes suffice; what would follow does not matter.
    assert!(matches!(read_images(&[0x1f, 0x8b, 8, 0][..]), Err(IdxError::WrongMagic { found: 0x1f8b_0800, .. })));
}

#[test]
fn lying_headers_cost_no_memory() {
    // 3.3 TB, and the largest product below isize::MAX bytes that three u32 can form on 64 bits.
    for dims in [[3_300_000_000, 10, 100], [u32::MAX, 1, 1], [u32::MAX, 46_341, 46_340]] {
        let [count, rows, cols] = dims;
        let bytes = file(&[IMAGES_MAGIC, count, rows, cols], &[]);
        let mut drip = Drip::new(&bytes, 1000);
        let error = read_images(&mut drip).unwrap_err();
        match usize::BITS {
            64 => assert!(matches!(error, IdxError::Truncated { found: 16, .. }), "{dims:?}: {error}"),
            _ => assert!(matches!(error, IdxError::Overflow { .. }), "{dims:?}: {error}"),
        }
        assert!(!drip.greedy, "{dims:?}");
    }
    let bytes = file(&[LABELS_MAGIC, u32::MAX], &[0; 1000]);
    let mut drip = Drip::new(&bytes, 1000);
    assert!(read_labels(&mut drip).is_err());
    assert!(!drip.greedy);
}

#[test]
fn products_beyond_memory() {
    // The last wraps to 0 in 64 bits, the one before exceeds isize::MAX but not usize::MAX.
    for dims in [[u32::MAX; 3], [u32::MAX, u32::MAX, 1], [1 << 31, 1 << 31, 1 << 2]] {
        let [count, rows, cols] = dims;
        let error = read_images(&file(&[IMAGES_MAGIC, count, rows, cols], &[1; 100])[..]).unwrap_err();
        assert!(matches!(error, IdxError::Overflow { dims: found } if found == dims), "{error}");
    }
}

#[test]
fn zero_dimensions() {
    for dims in [[0, 28, 28], [5, 0, 28], [5, 28, 0], [u32::MAX, u32::MAX, 0], [0, 0, 0]] {
        let [count, rows, cols] = dims;
        let error = read_images(&file(&[IMAGES_MAGIC, count, rows, cols], &[])[..]).unwrap_err();
        assert!(matches!(error, IdxError::Empty { dims: found } if found == dims), "{error}");
    }
    let error = read_labels(&file(&[LABELS_MAGIC, 0], &[])[..]).unwrap_err();
    assert!(matches!(error, IdxError::Empty { dims: [0, 1, 1] }), "{error}");
}

#[test]
fn trailing_byte() {
    let (mut images, mut labels) = (small_images(), small_labels());
    images.push(0);
    labels.push(0);
    assert!(matches!(read_images(&images[..]), Err(IdxError::TrailingBytes { expected: 40 })));
    assert!(matches!(read_labels(&labels[..]), Err(IdxError::TrailingBytes { expected: 11 })));
}

#[test]
fn count_mismatch() {
    let images = read_images(&small_images()[..]).unwrap();
    assert!(check_counts(&images, &[0; 3]).is_ok());
    for count in [0, 2, 4] {
        let error = check_counts(&images, &vec![0; count]).unwrap_err();
        assert!(matches!(error, IdxError::CountMismatch { images: 3, labels } if labels == count), "{error}");
    }
}

#[test]
fn errors_of_the_reader_pass_through() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::new(ErrorKind::ConnectionReset, "cable cut"))
        }
    }
    struct Liar;
    impl Read for Liar {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            Ok(buf.len() + 1)
        }
    }
    let images = small_images();
    // In the magic number, in the dimensions, in the data, and where the end should be.
    for good in [0, 2, 9, 30, 40] {
        let error = read_images(images[..good].chain(Broken)).unwrap_err();
        assert!(matches!(&error, IdxError::Io(inner) if inner.kind() == ErrorKind::ConnectionReset), "{error}");
        assert_eq!(error.source().unwrap().to_string(), "cable cut");
        assert!(error.to_string().contains("cable cut"));
    }
    assert!(matches!(read_labels(Liar), Err(IdxError::Io(_))));
}

#[test]
fn messages_carry_the_numbers() {
    let dims = [11, 22, 33];
    let cases: [(IdxError, &[&str]); 7] = [
        (IdxError::Truncated { expected: 47_040_016, found: 123 }, &["47040016", "123"]),
        (IdxError::WrongMagic { expected: 0x803, found: 0x1f8b_0808 }, &["0x00000803", "0x1f8b0808"]),
        (IdxError::Empty { dims }, &["11", "22", "33"]),
        (IdxError::Overflow { dims }, &["11", "22", "33"]),
        (IdxError::TrailingBytes { expected: 60_008 }, &["60008"]),
        (IdxError::AllocationFailed { bytes: 65_536 }, &["65536"]),
        (IdxError::CountMismatch { images: 60_000, labels: 59_999 }, &["60000", "59999"]),
    ];
    for (error, numbers) in cases {
        let text = error.to_string();
        assert!(numbers.iter().all(|number| text.contains(number)), "{text}");
        assert!(error.source().is_none());
    }
}

#[test]
fn gzip_round_trip() {
    let plain = small_images();
    let (first, second) = plain.split_at(21);
    let members = [gzip(first), gzip(second)].concat();
    for bytes in [plain.clone(), gzip(&plain), members] {
        let images = read_images(files::gunzip(&bytes[..]).unwrap()).unwrap();
        assert_eq!(images, read_images(&plain[..]).unwrap());
    }
}

#[test]
fn damaged_gzip_is_an_io_error() {
    let packed = gzip(&small_images());
    // The last eight bytes are checksum and length: the damage shows only after the last pixel.
    for at in packed.len() - 8..packed.len() {
        let mut damaged = packed.clone();
        damaged[at] ^= 1;
        assert!(matches!(read_images(files::gunzip(&damaged[..]).unwrap()), Err(IdxError::Io(_))), "byte {at}");
    }
}

#[test]
fn digits_of_the_examples() {
    let (images, labels) = files::digits().unwrap();
    assert_eq!((images.count(), images.rows(), images.cols()), (1797, 8, 8));
    assert_eq!(images.pixels().iter().max(), Some(&16));
    let counts: [usize; 10] = std::array::from_fn(|digit| labels.iter().filter(|&&l| usize::from(l) == digit).count());
    assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
    assert_eq!(labels[0], 0);
    assert_eq!(images.pixels()[..8], [0, 0, 5, 13, 9, 1, 0, 0]);
}

/// A fresh folder for one test, with the four files of a set: training files plain, test files gzipped.
fn folder(test: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("idx").join(test);
    if dir.exists() {
        std::fs::remove_dir_all(&dir).unwrap();
    }
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("train-images-idx3-ubyte"), small_images()).unwrap();
    std::fs::write(dir.join("train-labels-idx1-ubyte"), small_labels()).unwrap();
    let images = file(&[IMAGES_MAGIC, 1, 2, 4], &[9; 8]);
    std::fs::write(dir.join("t10k-images-idx3-ubyte.gz"), gzip(&images)).unwrap();
    std::fs::write(dir.join("t10k-labels-idx1-ubyte.gz"), gzip(&file(&[LABELS_MAGIC, 1], &[5]))).unwrap();
    dir
}

/// The message of a folder that must not load.
fn refusal(dir: &Path) -> String {
    files::load(dir).err().expect("a damaged folder loads").to_string()
}

#[test]
fn folder_loads() {
    let set = files::load(&folder("good")).unwrap();
    assert_eq!((set.train_images.images().count(), set.train_labels.len()), (3, 3));
    assert_eq!((set.test_images.images().pixels(), &set.test_labels[..]), (&[9; 8][..], &[5][..]));
    // What is plain is mapped, what is packed cannot be.
    assert!(matches!((&set.train_images, &set.test_images), (ImageFile::Mapped(_), ImageFile::Read(_))));
    assert_eq!(set.train_images.images().pixels(), (0..24).collect::<Vec<u8>>());
}

#[test]
fn gzip_is_known_by_its_content() {
    let dir = folder("content");
    std::fs::write(dir.join("train-images-idx3-ubyte"), gzip(&small_images())).unwrap();
    std::fs::write(dir.join("t10k-labels-idx1-ubyte.gz"), file(&[LABELS_MAGIC, 1], &[5])).unwrap();
    assert_eq!(files::load(&dir).unwrap().test_labels, [5]);
}

#[test]
fn folder_errors_name_the_files() {
    let dir = folder("missing");
    std::fs::remove_file(dir.join("t10k-labels-idx1-ubyte.gz")).unwrap();
    for tried in ["t10k-labels-idx1-ubyte", "t10k-labels-idx1-ubyte.gz"] {
        let path = dir.join(tried).display().to_string();
        assert!(refusal(&dir).split(' ').any(|word| word == path), "{}", refusal(&dir));
    }

    let dir = folder("truncated");
    std::fs::write(dir.join("train-images-idx3-ubyte"), &small_images()[..39]).unwrap();
    let path = dir.join("train-images-idx3-ubyte").display().to_string();
    assert_eq!(refusal(&dir), format!("{path}: truncated IDX file: 40 bytes expected, 39 found"));

    let dir = folder("counts");
    std::fs::write(dir.join("train-labels-idx1-ubyte"), file(&[LABELS_MAGIC, 2], &[1, 2])).unwrap();
    let (images, labels) = (dir.join("train-images-idx3-ubyte"), dir.join("train-labels-idx1-ubyte"));
    let wanted = format!("{} and {}: 3 images, but labels for 2", images.display(), labels.display());
    assert_eq!(refusal(&dir), wanted);

    let dir = folder("sizes");
    let images = file(&[IMAGES_MAGIC, 1, 4, 2], &[9; 8]);
    std::fs::write(dir.join("t10k-images-idx3-ubyte.gz"), gzip(&images)).unwrap();
    assert!(refusal(&dir).contains("2 x 4") && refusal(&dir).contains("4 x 2"), "{}", refusal(&dir));
}
