//! What the examples of a batch should give: a class each, or values.

use crate::element::Element;
use crate::matrix::MatRef;

/// Y of the course notes, one example a row.
///
/// Functions that take it take what converts to it too: `net.backward(x, &classes[..])`.
#[derive(Clone, Copy, Debug)]
pub enum Labels<'a, T> {
    /// A class index for each example: what a softmax output learns.
    Classes(&'a [usize]),
    /// A row of values for each example, m × n⁽ᴸ⁾: probabilities for softmax, 0 or 1 (or between) for sigmoid outputs, any number for
    /// linear ones.
    Values(MatRef<'a, T>),
}

impl<T: Element> Labels<'_, T> {
    /// Number of examples.
    #[expect(clippy::len_without_is_empty, reason = "a batch is never empty")]
    pub fn len(&self) -> usize {
        match self {
            Labels::Classes(classes) => classes.len(),
            Labels::Values(values) => values.rows(),
        }
    }
}

impl<'a, T> From<&'a [usize]> for Labels<'a, T> {
    fn from(classes: &'a [usize]) -> Self {
        Labels::Classes(classes)
    }
}

impl<'a, T, const M: usize> From<&'a [usize; M]> for Labels<'a, T> {
    fn from(classes: &'a [usize; M]) -> Self {
        Labels::Classes(classes)
    }
}

impl<'a, T> From<&'a Vec<usize>> for Labels<'a, T> {
    fn from(classes: &'a Vec<usize>) -> Self {
        Labels::Classes(classes)
    }
}

impl<'a, T> From<MatRef<'a, T>> for Labels<'a, T> {
    fn from(values: MatRef<'a, T>) -> Self {
        Labels::Values(values)
    }
}
