//! Labelled data and its mini-batches.

use super::idx::Images;
use super::random::{Purpose, Stream};
use crate::element::Element;
use crate::error::Error;
use crate::matrix::{Mat, MatRef};

/// Examples, one a row, with the class of each.
#[derive(Clone, Debug)]
pub struct Dataset<T> {
    x: Mat<T>,
    labels: Vec<usize>,
    classes: usize,
}

impl<T: Element> Dataset<T> {
    /// `x` is m × n⁽⁰⁾, `labels` has one class index below `classes` for each row.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] without examples, inputs or classes; [`Error::Length`], [`Error::Label`].
    pub fn new(x: Mat<T>, labels: Vec<usize>, classes: usize) -> Result<Self, Error> {
        for (what, len) in
            [("number of examples", x.rows()), ("number of inputs", x.cols()), ("number of classes", classes)]
        {
            if len == 0 {
                return Err(Error::OutOfRange { what, value: 0.0, allowed: "at least 1" });
            }
        }
        if labels.len() != x.rows() {
            return Err(Error::Length { what: "labels (one an example)", expected: x.rows(), found: labels.len() });
        }
        match labels.iter().position(|&label| label >= classes) {
            Some(index) => Err(Error::Label { index, label: labels[index], classes }),
            None => Ok(Self { x, labels, classes }),
        }
    }

    /// Images as rows of pixels divided by `white`, the value of a white pixel, so that inputs lie in [0, 1].
    ///
    /// # Errors
    /// As [`Dataset::new`]; [`Error::OutOfRange`] for `white` = 0.
    pub fn from_images(images: &Images, labels: &[u8], classes: usize, white: u8) -> Result<Self, Error> {
        if white == 0 {
            return Err(Error::OutOfRange { what: "value of a white pixel", value: 0.0, allowed: "at least 1" });
        }
        let (inputs, pixels) = (images.rows() * images.cols(), images.pixels());
        let x = Mat::from_fn(images.count(), inputs, |i, j| {
            T::from_f64(f64::from(pixels[i * inputs + j]) / f64::from(white))
        });
        Self::new(x, labels.iter().map(|&label| usize::from(label)).collect(), classes)
    }

    /// Two parts: the first `count` examples of a seeded shuffle, and the others.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] unless 0 < `count` < m.
    pub fn split(&self, count: usize, seed: u64) -> Result<(Self, Self), Error> {
        if count == 0 || count >= self.len() {
            let allowed = "above 0 and below the number of examples";
            return Err(Error::OutOfRange { what: "size of the first part", value: count as f64, allowed });
        }
        let mut order: Vec<usize> = (0..self.len()).collect();
        Stream::new(seed, Purpose::Split, 0).shuffle(&mut order);
        let (first, second) = order.split_at(count);
        Ok((self.select(first), self.select(second)))
    }

    /// The examples with these indices, in this order.
    fn select(&self, indices: &[usize]) -> Self {
        let inputs = self.inputs();
        let x = Mat::from_fn(indices.len(), inputs, |i, j| self.x.as_slice()[indices[i] * inputs + j]);
        Self { x, labels: indices.iter().map(|&i| self.labels[i]).collect(), classes: self.classes }
    }

    /// The first `count` examples, or all where there are fewer.
    #[must_use]
    pub fn head(&self, count: usize) -> Self {
        self.select(&(0..count.min(self.len())).collect::<Vec<_>>())
    }

    /// The same data in another precision.
    pub fn cast<U: Element>(&self) -> Dataset<U> {
        let x = Mat::from_fn(self.len(), self.inputs(), |i, j| {
            U::from_f64(self.x.as_slice()[i * self.inputs() + j].to_f64())
        });
        Dataset { x, labels: self.labels.clone(), classes: self.classes }
    }

    /// The examples, m × n⁽⁰⁾.
    pub fn x(&self) -> MatRef<'_, T> {
        self.x.as_ref()
    }

    /// The class of each example.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// Number of examples, m ≥ 1.
    #[expect(clippy::len_without_is_empty, reason = "a data set is never empty")]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Number of inputs, n⁽⁰⁾.
    pub fn inputs(&self) -> usize {
        self.x.cols()
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }
}

/// A mini-batch: X and the class of each of its rows.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a, T> {
    /// Examples, one a row.
    pub x: MatRef<'a, T>,
    /// Their classes.
    pub labels: &'a [usize],
}

/// The mini-batches of an epoch: a shuffled order cut into pieces of one size, the last one smaller where the size does
/// not divide m. Each is gathered into the same memory.
pub struct MiniBatches<'a, T> {
    data: &'a Dataset<T>,
    size: usize,
    order: Vec<usize>,
    next: usize,
    x: Mat<T>,
    labels: Vec<usize>,
}

impl<'a, T: Element> MiniBatches<'a, T> {
    /// Batches of `size` examples, in the order of the data until [`MiniBatches::shuffle`].
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for `size` = 0.
    pub fn new(data: &'a Dataset<T>, size: usize) -> Result<Self, Error> {
        if size == 0 {
            return Err(Error::OutOfRange { what: "mini-batch size", value: 0.0, allowed: "at least 1" });
        }
        let size = size.min(data.len());
        let (x, labels) = (Mat::zeros(size, data.inputs()), vec![0; size]);
        Ok(Self { data, size, order: (0..data.len()).collect(), next: 0, x, labels })
    }

    /// Begins an epoch in an order that (`seed`, `epoch`) alone decide.
    pub fn shuffle(&mut self, seed: u64, epoch: u64) {
        // From the order of the data: an epoch does not depend on those before it.
        self.order.iter_mut().enumerate().for_each(|(i, index)| *index = i);
        Stream::new(seed, Purpose::Order, epoch).shuffle(&mut self.order);
        self.next = 0;
    }

    /// Mini-batches of an epoch.
    pub fn count(&self) -> usize {
        self.order.len().div_ceil(self.size)
    }

    /// The next mini-batch, `None` at the end of the epoch.
    pub fn next_batch(&mut self) -> Option<Batch<'_, T>> {
        let indices = self.order.get(self.next..)?;
        let indices = &indices[..indices.len().min(self.size)];
        if indices.is_empty() {
            return None;
        }
        let inputs = self.data.inputs();
        let from = self.data.x.as_slice();
        let rows = self.x.as_mut_slice().chunks_exact_mut(inputs);
        for ((row, label), &i) in rows.zip(&mut self.labels).zip(indices) {
            row.copy_from_slice(&from[i * inputs..][..inputs]);
            *label = self.data.labels[i];
        }
        self.next += indices.len();
        let x = self.x.as_ref().row_range(0, indices.len()).ok()?;
        Some(Batch { x, labels: &self.labels[..indices.len()] })
    }
}
