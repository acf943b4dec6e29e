//! [`ImageSet`]: images that stay bytes, for data that do not fit in memory.

use super::dataset::{Dataset, check_labels};
use super::idx::ImagesRef;
use super::normalization::Normalization;
use super::split::split;
use crate::element::Element;
use crate::error::Error;
use crate::matrix::{Mat, MatMut};
use crate::norm::Statistics;
use core::fmt;

/// Images and a class for each, the pixels where they lie: in a memory map of a file, for one. [`MiniBatches`](super::MiniBatches)
/// takes the pixels of a batch from there, divides them by `white` and normalises them on the way into its own memory. What is in
/// memory for each image is its class and its place, 16 bytes; of the file, what the system chose to keep.
///
/// Batches have the same bits as those of [`Dataset::from_images`], normalised alike.
///
/// ```
/// use roofline::nn::idx::parse_images;
/// use roofline::nn::{ImageSet, MiniBatches};
///
/// // This would be a memory map.
/// let file = b"\0\0\x08\x03\0\0\0\x02\0\0\0\x01\0\0\0\x03\0\x10\x08\x04\0\x10";
/// let set = ImageSet::<f32>::new(parse_images(file)?, &[1, 0], 2, 16)?;
/// let mut batches = MiniBatches::new(&set, 1)?;
/// batches.next_batch();
/// let second = batches.next_batch().expect("two images");
/// assert_eq!((second.x.get(0, 0), second.x.get(0, 2), second.labels()), (Some(0.25), Some(1.0), &[0][..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ImageSet<'a, T> {
    images: ImagesRef<'a>,
    /// Place of each example among the images.
    places: Vec<usize>,
    labels: Vec<usize>,
    classes: usize,
    white: u8,
    normalization: Option<Normalization<T>>,
}

impl<'a, T: Element> ImageSet<'a, T> {
    /// All images, inputs pixel/`white` in [0, 1] for a white pixel of that value, and a class below `classes` for each.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] without classes or for `white` = 0; [`Error::Length`], [`Error::Label`].
    pub fn new(images: impl Into<ImagesRef<'a>>, labels: &[u8], classes: usize, white: u8) -> Result<Self, Error> {
        if white == 0 {
            return Err(Error::OutOfRange { what: "value of a white pixel", value: 0.0, allowed: "at least 1" });
        }
        let images = images.into();
        let labels: Vec<usize> = labels.iter().map(|&label| usize::from(label)).collect();
        check_labels(&labels, images.count(), classes)?;
        let places = (0..images.count()).collect();
        Ok(Self { images, places, labels, classes, white, normalization: None })
    }

    /// Normalises the inputs of every batch.
    ///
    /// # Errors
    /// [`Error::Length`] unless it is of as many columns; [`Error::NotFinite`] where a pixel would not stay finite.
    pub fn normalize(&mut self, normalization: &Normalization<T>) -> Result<(), Error> {
        // Normalisation is monotonic: if the least and the greatest pixel stay finite in each column, all do.
        let extremes = Mat::from_fn(2, self.inputs(), |i, _| T::from_f64(255.0 * i as f64 / f64::from(self.white)));
        normalization.check(extremes.as_ref())?;
        self.normalization = Some(normalization.clone());
        Ok(())
    }

    /// As [`Dataset::split`]; the parts share the pixels.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] unless 0 < `count` < m.
    pub fn split(&self, count: usize, seed: u64) -> Result<(Self, Self), Error> {
        let (first, second) = split(self.len(), Some((&self.labels, self.classes)), count, seed)?;
        Ok((self.select(&first), self.select(&second)))
    }

    fn select(&self, indices: &[usize]) -> Self {
        let of = |from: &[usize]| indices.iter().map(|&i| from[i]).collect();
        let (places, labels) = (of(&self.places), of(&self.labels));
        Self { places, labels, normalization: self.normalization.clone(), ..*self }
    }

    /// The first `count` examples, or all where there are fewer; at least one.
    #[must_use]
    pub fn head(&self, count: usize) -> Self {
        self.select(&(0..count.clamp(1, self.len())).collect::<Vec<_>>())
    }

    /// All examples as they would be in batches, in memory.
    pub fn to_dataset(&self) -> Dataset<T> {
        let mut x = Mat::zeros(self.len(), self.inputs());
        self.gather_x(&(0..self.len()).collect::<Vec<_>>(), x.as_mut_slice());
        Dataset::new(x, self.labels.clone(), self.classes).expect("checked when the set was made")
    }

    /// The class of each example.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// Number of examples, m ≥ 1.
    #[expect(clippy::len_without_is_empty, reason = "a data set is never empty")]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Number of inputs, n⁽⁰⁾ = rows · columns of an image.
    pub fn inputs(&self) -> usize {
        self.images.rows() * self.images.cols()
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The inputs of these examples, one after the other; `to` has room for no more and no fewer.
    pub(super) fn gather_x(&self, indices: &[usize], to: &mut [T]) {
        let (inputs, white) = (self.inputs(), T::from_f64(f64::from(self.white)));
        for (row, &i) in to.chunks_exact_mut(inputs).zip(indices) {
            let pixels = &self.images.pixels()[self.places[i] * inputs..][..inputs];
            for (x, &pixel) in row.iter_mut().zip(pixels) {
                // Vectors of any instruction set divide at the speed of memory, a table of 256 quotients takes 1.3 times as long.
                *x = T::from_f64(f64::from(pixel)) / white;
            }
        }
        if let Some(normalization) = &self.normalization {
            let x = MatMut::from_slice(to, indices.len(), inputs);
            x.and_then(|x| normalization.apply_checked(x)).expect("as many columns as the normalisation");
        }
    }

    /// μ and σ² of each input before normalisation, from exact sums of pixels and of their squares:
    /// μ = Σp/(m·white), σ² = (m·Σp² − (Σp)²)/(m·white)².
    pub(super) fn statistics(&self) -> Statistics<T> {
        let inputs = self.inputs();
        let (mut sums, mut squares) = (vec![0_u64; inputs], vec![0_u64; inputs]);
        let mut places = self.places.clone();
        places.sort_unstable();
        for place in places {
            let pixels = &self.images.pixels()[place * inputs..][..inputs];
            for ((sum, square), &pixel) in sums.iter_mut().zip(&mut squares).zip(pixels) {
                *sum += u64::from(pixel);
                *square += u64::from(u16::from(pixel).pow(2));
            }
        }
        let m = self.len() as u128;
        let whole = self.len() as f64 * f64::from(self.white);
        let mut statistics = Statistics::new(inputs);
        for (j, (&sum, &square)) in sums.iter().zip(&squares).enumerate() {
            let spread = m * u128::from(square) - u128::from(sum).pow(2);
            statistics.mean[j] = T::from_f64(sum as f64 / whole);
            statistics.variance[j] = T::from_f64(spread as f64 / (whole * whole));
        }
        statistics
    }
}

/// Shows the sizes.
impl<T: Element> fmt::Debug for ImageSet<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut show = f.debug_struct("ImageSet");
        show.field("len", &self.len()).field("images", &self.images).field("classes", &self.classes);
        show.field("normalized", &self.normalization.is_some()).finish_non_exhaustive()
    }
}
