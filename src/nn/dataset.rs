//! [`Dataset`]: examples in memory, with a class or values each.

use super::idx::ImagesRef;
use super::image_set::ImageSet;
use super::labels::Labels;
use super::split::split;
use crate::element::Element;
use crate::error::Error;
use crate::matrix::{Mat, MatMut, MatRef};

/// Examples X, one a row (m × n⁽⁰⁾), with the class of each, or with a row of values of each (m × n⁽ᴸ⁾): what a regression, or a
/// network with several yes-or-no outputs, learns. Every number in it is finite.
///
/// ```
/// use roofline::Mat;
/// use roofline::nn::Dataset;
/// let x = || Mat::from_fn(4, 2, |i, j| (i + j) as f64);
/// let (dev, train) = Dataset::new(x(), vec![0, 1, 0, 1], 2)?.split(2, 7)?;
/// assert_eq!(dev.labels().iter().sum::<usize>(), 1); // one of each class in both parts
/// assert_eq!(train.labels().iter().sum::<usize>(), 1);
///
/// let regression = Dataset::with_values(x(), Mat::from_fn(4, 1, |i, _| 2.0 * i as f64))?;
/// assert_eq!(regression.outputs(), 1);
/// # Ok::<(), roofline::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Dataset<T> {
    x: Mat<T>,
    y: Y<T>,
}

/// Y of a data set.
#[derive(Clone, Debug)]
enum Y<T> {
    Classes { labels: Vec<usize>, classes: usize },
    Values(Mat<T>),
}

impl<T: Element> Dataset<T> {
    /// `x` is m × n⁽⁰⁾, `labels` has one class index below `classes` for each row.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] without examples, inputs or classes; [`Error::Length`], [`Error::Label`]; [`Error::NotFinite`] for
    /// NaN or an infinity in `x`.
    pub fn new(x: Mat<T>, labels: Vec<usize>, classes: usize) -> Result<Self, Error> {
        check_shape(&x)?;
        check_labels(&labels, x.rows(), classes)?;
        check_finite("inputs of a data set", &x)?;
        Ok(Self { x, y: Y::Classes { labels, classes } })
    }

    /// `x` is m × n⁽⁰⁾, `y` is m × n⁽ᴸ⁾: the values that the outputs should have.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] without examples, inputs or values; [`Error::Shape`] unless both have as many rows;
    /// [`Error::NotFinite`] for NaN or an infinity in either.
    pub fn with_values(x: Mat<T>, y: Mat<T>) -> Result<Self, Error> {
        check_shape(&x)?;
        at_least_one("number of values of an example", y.cols())?;
        if y.rows() != x.rows() {
            let (expected, found) = ((x.rows(), y.cols()), (y.rows(), y.cols()));
            return Err(Error::Shape { what: "values of a data set (a row for each example)", expected, found });
        }
        check_finite("inputs of a data set", &x)?;
        check_finite("values of a data set", &y)?;
        Ok(Self { x, y: Y::Values(y) })
    }

    /// Images as rows of pixels divided by `white`, the value of a white pixel, so that inputs lie in [0, 1]. All of them in
    /// memory, in `T`; see [`ImageSet`] where they do not fit.
    ///
    /// # Errors
    /// As [`Dataset::new`]; [`Error::OutOfRange`] for `white` = 0.
    pub fn from_images<'a>(
        images: impl Into<ImagesRef<'a>>,
        labels: &[u8],
        classes: usize,
        white: u8,
    ) -> Result<Self, Error> {
        Ok(ImageSet::new(images, labels, classes, white)?.to_dataset())
    }

    /// Two parts, `count` examples of a seeded shuffle and the others, neither of them empty. Every class goes to both in
    /// proportion: to the first part its share count·(its examples)/m, rounded down, and one more of the classes where that cut
    /// off most (largest remainders; of equal ones the lower class). Values without classes are just shuffled.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] unless 0 < `count` < m.
    pub fn split(&self, count: usize, seed: u64) -> Result<(Self, Self), Error> {
        let classes = match &self.y {
            Y::Classes { labels, classes } => Some((&labels[..], *classes)),
            Y::Values(_) => None,
        };
        let (first, second) = split(self.len(), classes, count, seed)?;
        Ok((self.select(&first), self.select(&second)))
    }

    /// The examples with these indices, in this order.
    fn select(&self, indices: &[usize]) -> Self {
        let rows_of = |from: &Mat<T>| {
            let mut rows = Mat::zeros(indices.len(), from.cols());
            gather(from, indices, rows.as_mut_slice());
            rows
        };
        let y = match &self.y {
            Y::Classes { labels, classes } => {
                Y::Classes { labels: indices.iter().map(|&i| labels[i]).collect(), classes: *classes }
            }
            Y::Values(values) => Y::Values(rows_of(values)),
        };
        Self { x: rows_of(&self.x), y }
    }

    /// The first `count` examples, or all where there are fewer; at least one.
    #[must_use]
    pub fn head(&self, count: usize) -> Self {
        self.select(&(0..count.clamp(1, self.len())).collect::<Vec<_>>())
    }

    /// The same data in another precision.
    ///
    /// # Errors
    /// [`Error::NotFinite`] for a number beyond the range of `U`.
    pub fn cast<U: Element>(&self) -> Result<Dataset<U>, Error> {
        let cast = |from: &Mat<T>| {
            let mut to = Mat::zeros(from.rows(), from.cols());
            to.as_mut_slice().iter_mut().zip(from.as_slice()).for_each(|(to, x)| *to = U::from_f64(x.to_f64()));
            to
        };
        match &self.y {
            Y::Classes { labels, classes } => Dataset::new(cast(&self.x), labels.clone(), *classes),
            Y::Values(values) => Dataset::with_values(cast(&self.x), cast(values)),
        }
    }

    /// The examples, m × n⁽⁰⁾.
    pub fn x(&self) -> MatRef<'_, T> {
        self.x.as_ref()
    }

    pub(super) fn x_mut(&mut self) -> MatMut<'_, T> {
        self.x.as_mut()
    }

    /// What the examples should give: a class each, or values.
    pub fn y(&self) -> Labels<'_, T> {
        match &self.y {
            Y::Classes { labels, .. } => Labels::Classes(labels),
            Y::Values(values) => Labels::Values(values.as_ref()),
        }
    }

    /// The class of each example; nothing where they have values instead.
    pub fn labels(&self) -> &[usize] {
        match &self.y {
            Y::Classes { labels, .. } => labels,
            Y::Values(_) => &[],
        }
    }

    /// Number of examples, m ≥ 1.
    #[expect(clippy::len_without_is_empty, reason = "a data set is never empty")]
    pub fn len(&self) -> usize {
        self.x.rows()
    }

    /// Number of inputs, n⁽⁰⁾.
    pub fn inputs(&self) -> usize {
        self.x.cols()
    }

    /// Number of classes; 0 where the examples have values instead.
    pub fn classes(&self) -> usize {
        match &self.y {
            Y::Classes { classes, .. } => *classes,
            Y::Values(_) => 0,
        }
    }

    /// Number of outputs that a network for these data needs, n⁽ᴸ⁾: the classes, or the values of an example.
    pub fn outputs(&self) -> usize {
        match &self.y {
            Y::Classes { classes, .. } => *classes,
            Y::Values(values) => values.cols(),
        }
    }

    /// The inputs of these examples, one after the other.
    pub(super) fn gather_x(&self, indices: &[usize], to: &mut [T]) {
        gather(&self.x, indices, to);
    }

    /// The values of these examples, one after the other; nothing where they have classes instead.
    pub(super) fn gather_values(&self, indices: &[usize], to: &mut [T]) {
        if let Y::Values(values) = &self.y {
            gather(values, indices, to);
        }
    }
}

/// Rows `indices` of a matrix, one after the other.
fn gather<T: Element>(from: &Mat<T>, indices: &[usize], to: &mut [T]) {
    let cols = from.cols();
    for (row, &i) in to.chunks_exact_mut(cols).zip(indices) {
        row.copy_from_slice(&from.as_slice()[i * cols..][..cols]);
    }
}

fn at_least_one(what: &'static str, len: usize) -> Result<(), Error> {
    if len > 0 { Ok(()) } else { Err(Error::OutOfRange { what, value: 0.0, allowed: "at least 1" }) }
}

fn check_shape<T: Element>(x: &Mat<T>) -> Result<(), Error> {
    at_least_one("number of examples", x.rows())?;
    at_least_one("number of inputs", x.cols())
}

/// One label below `classes` for each of m examples.
pub(super) fn check_labels(labels: &[usize], m: usize, classes: usize) -> Result<(), Error> {
    at_least_one("number of classes", classes)?;
    if labels.len() != m {
        return Err(Error::Length { what: "labels (one an example)", expected: m, found: labels.len() });
    }
    match labels.iter().position(|&label| label >= classes) {
        Some(index) => Err(Error::Label { index, label: labels[index], classes }),
        None => Ok(()),
    }
}

/// The first element that is NaN or infinite.
fn check_finite<T: Element>(what: &'static str, x: &Mat<T>) -> Result<(), Error> {
    match x.as_slice().iter().position(|x| !x.to_f64().is_finite()) {
        Some(at) => {
            let (row, col, value) = (at / x.cols(), at % x.cols(), x.as_slice()[at].to_f64());
            Err(Error::NotFinite { what, row, col, value })
        }
        None => Ok(()),
    }
}
