//! Mini-batches: a shuffled order of the examples, cut into pieces.

use super::dataset::Dataset;
use super::image_set::ImageSet;
use super::labels::Labels;
use super::random::{Purpose, Stream};
use crate::element::Element;
use crate::error::Error;
use crate::matrix::{Mat, MatRef};

/// A mini-batch: X, and what each of its rows should give.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a, T> {
    /// Examples, one a row.
    pub x: MatRef<'a, T>,
    /// Their classes or values.
    pub y: Labels<'a, T>,
}

impl<'a, T: Element> Batch<'a, T> {
    /// Number of examples.
    #[expect(clippy::len_without_is_empty, reason = "a batch is never empty")]
    pub fn len(&self) -> usize {
        self.x.rows()
    }

    /// The classes; nothing where the examples have values instead.
    pub fn labels(&self) -> &'a [usize] {
        match self.y {
            Labels::Classes(classes) => classes,
            Labels::Values(_) => &[],
        }
    }
}

/// What [`MiniBatches`] draws from: a borrow of a [`Dataset`] or of an [`ImageSet`], which convert to it.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a, T: Element> {
    /// Examples in memory.
    Dataset(&'a Dataset<T>),
    /// Images that stay bytes.
    Images(&'a ImageSet<'a, T>),
}

impl<'a, T: Element> From<&'a Dataset<T>> for Source<'a, T> {
    fn from(data: &'a Dataset<T>) -> Self {
        Source::Dataset(data)
    }
}

impl<'a, T: Element> From<&'a ImageSet<'a, T>> for Source<'a, T> {
    fn from(images: &'a ImageSet<'a, T>) -> Self {
        Source::Images(images)
    }
}

impl<'a, T: Element> Source<'a, T> {
    /// Number of examples, inputs, and values of an example (0 with classes).
    fn sizes(self) -> (usize, usize, usize) {
        match self {
            Source::Dataset(data) => {
                let values = if data.classes() == 0 { data.outputs() } else { 0 };
                (data.len(), data.inputs(), values)
            }
            Source::Images(images) => (images.len(), images.inputs(), 0),
        }
    }

    fn labels(self) -> &'a [usize] {
        match self {
            Source::Dataset(data) => data.labels(),
            Source::Images(images) => images.labels(),
        }
    }

    /// The inputs of these examples, and their values where they have some.
    fn gather(self, indices: &[usize], x: &mut [T], values: &mut [T]) {
        match self {
            Source::Dataset(data) => {
                data.gather_x(indices, x);
                data.gather_values(indices, values);
            }
            Source::Images(images) => images.gather_x(indices, x),
        }
    }
}

/// The mini-batches of an epoch: a shuffled order cut into pieces of one size, the last one smaller where the size does
/// not divide m; no example is left out. Each is gathered into the same memory.
///
/// An epoch is a matter of (seed, number) alone, and a batch of its place in the epoch: a run that stopped goes on where it was.
///
/// ```
/// use roofline::Mat;
/// use roofline::nn::{Dataset, MiniBatches};
/// let data = Dataset::new(Mat::from_fn(10, 1, |i, _| i as f32), (0..10).collect(), 10)?;
/// let mut batches = MiniBatches::new(&data, 4)?;
/// batches.shuffle(1, 3);
/// batches.next_batch();
/// let (at, second) = (batches.position(), batches.next_batch().expect("3 batches").labels().to_vec());
///
/// let mut later = MiniBatches::new(&data, 4)?;
/// later.shuffle(1, 3);
/// later.seek(at)?;
/// assert_eq!(later.next_batch().expect("3 batches").labels(), second);
/// # Ok::<(), roofline::Error>(())
/// ```
#[derive(Debug)]
pub struct MiniBatches<'a, T: Element> {
    source: Source<'a, T>,
    size: usize,
    order: Vec<usize>,
    next: usize,
    x: Mat<T>,
    labels: Vec<usize>,
    /// Without columns where the examples have classes.
    values: Mat<T>,
}

impl<'a, T: Element> MiniBatches<'a, T> {
    /// Batches of `size` examples of `&`[`Dataset`] or `&`[`ImageSet`], in the order of the data until [`MiniBatches::shuffle`].
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for `size` = 0.
    pub fn new(data: impl Into<Source<'a, T>>, size: usize) -> Result<Self, Error> {
        if size == 0 {
            return Err(Error::OutOfRange { what: "mini-batch size", value: 0.0, allowed: "at least 1" });
        }
        let source = data.into();
        let (m, inputs, values) = source.sizes();
        let size = size.min(m);
        let labels = vec![0; if values == 0 { size } else { 0 }];
        let (x, values) = (Mat::zeros(size, inputs), Mat::zeros(size, values));
        Ok(Self { source, size, order: (0..m).collect(), next: 0, x, labels, values })
    }

    /// Begins an epoch in an order that (`seed`, `epoch`) alone decide.
    pub fn shuffle(&mut self, seed: u64, epoch: u64) {
        // From the order of the data: an epoch does not depend on those before it.
        self.order.iter_mut().enumerate().for_each(|(i, index)| *index = i);
        Stream::new(seed, Purpose::Order, epoch).shuffle(&mut self.order);
        self.next = 0;
    }

    /// Examples of a mini-batch, but for the last one of an epoch.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Mini-batches of an epoch.
    pub fn count(&self) -> usize {
        self.order.len().div_ceil(self.size)
    }

    /// How many mini-batches of the epoch have been given: the index of the next one.
    pub fn position(&self) -> usize {
        self.next.div_ceil(self.size)
    }

    /// Makes mini-batch `position` of the epoch the next one; [`MiniBatches::count`] is its end.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for a position beyond the end.
    pub fn seek(&mut self, position: usize) -> Result<(), Error> {
        if position > self.count() {
            let (what, value) = ("position in the epoch", position as f64);
            return Err(Error::OutOfRange { what, value, allowed: "at most the number of mini-batches" });
        }
        self.next = (position * self.size).min(self.order.len());
        Ok(())
    }

    /// The next mini-batch, `None` at the end of the epoch.
    pub fn next_batch(&mut self) -> Option<Batch<'_, T>> {
        let indices = &self.order[self.next..];
        let indices = &indices[..indices.len().min(self.size)];
        if indices.is_empty() {
            return None;
        }
        let len = indices.len();
        let (x, values) = (&mut self.x, &mut self.values);
        let (inputs, outputs) = (x.cols(), values.cols());
        self.source.gather(indices, &mut x.as_mut_slice()[..len * inputs], &mut values.as_mut_slice()[..len * outputs]);
        let labels = self.source.labels();
        self.labels.iter_mut().zip(indices).for_each(|(label, &i)| *label = labels[i]);
        self.next += len;
        let y = match outputs {
            0 => Labels::Classes(&self.labels[..len]),
            _ => Labels::Values(first_rows(&self.values, len)),
        };
        Some(Batch { x: first_rows(&self.x, len), y })
    }
}

fn first_rows<T: Element>(mat: &Mat<T>, len: usize) -> MatRef<'_, T> {
    mat.as_ref().row_range(0, len).expect("a batch is at most as large as its memory")
}
