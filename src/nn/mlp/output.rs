//! [`Output`]: what the last layer gives and what it learns.

use super::super::labels::Labels;
use crate::element::Element;
use crate::error::Error;
use crate::exec::Exec;
use crate::matrix::{Mat, MatMut, MatRef};
use crate::softmax::Targets;
use core::fmt;

/// What the last layer makes of its logits Z, with the cost that belongs to it. Of all three dZ = (Ŷ − Y)/m.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Output {
    /// Probabilities of classes that exclude each other, with cross-entropy: J = (1/m)·Σ −y·ln ŷ.
    Softmax,
    /// Probabilities of classes that do not, ŷ = σ(z), with binary cross-entropy: J = (1/m)·Σ −y·ln ŷ − (1 − y)·ln(1 − ŷ), summed
    /// over the outputs.
    Sigmoid,
    /// Values, ŷ = z, with the squared error: J = (1/m)·Σ ½‖ŷ − y‖².
    Linear,
}

impl Output {
    /// Lower-case name: the method of the builder.
    pub const fn name(self) -> &'static str {
        match self {
            Output::Softmax => "softmax",
            Output::Sigmoid => "sigmoid",
            Output::Linear => "linear",
        }
    }

    /// Ŷ of the logits.
    pub(super) fn values<T: Element>(self, exec: &Exec, z: &[T], y: &mut [T], units: usize) -> Result<(), Error> {
        match self {
            Output::Softmax => {
                let m = z.len() / units;
                exec.softmax(MatRef::from_slice(z, m, units)?, MatMut::from_slice(y, m, units)?)
            }
            Output::Sigmoid => exec.sigmoid(z, y),
            Output::Linear => {
                y.copy_from_slice(z);
                Ok(())
            }
        }
    }

    /// J without a penalty, and dZ. `space` is for classes as values.
    pub(super) fn cost<T: Element>(
        self,
        exec: &Exec,
        z: MatRef<'_, T>,
        labels: Labels<'_, T>,
        dz: MatMut<'_, T>,
        space: &mut Mat<T>,
    ) -> Result<f64, Error> {
        match (self, labels) {
            (Output::Softmax, Labels::Classes(classes)) => exec.softmax_cross_entropy(z, classes, dz),
            (Output::Softmax, Labels::Values(y)) => exec.softmax_cross_entropy_with(z, Targets::Probabilities(y), dz),
            (Output::Sigmoid, Labels::Values(y)) => exec.sigmoid_cross_entropy(z, y, dz),
            (Output::Sigmoid, Labels::Classes(classes)) if z.cols() == 1 => {
                exec.sigmoid_cross_entropy(z, zeros_and_ones(classes, z.rows(), space)?, dz)
            }
            (Output::Sigmoid, Labels::Classes(_)) => Err(Error::Labels {
                output: "sigmoid",
                learns: "a row of values an example, classes where it is one unit",
            }),
            (Output::Linear, Labels::Values(y)) => exec.squared_error(z, y, dz),
            (Output::Linear, Labels::Classes(_)) => {
                Err(Error::Labels { output: "linear", learns: "a row of values an example, no classes" })
            }
        }
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Classes 0 and 1 as a column of values.
fn zeros_and_ones<'a, T: Element>(classes: &[usize], m: usize, space: &'a mut Mat<T>) -> Result<MatRef<'a, T>, Error> {
    if classes.len() != m {
        return Err(Error::Length { what: "labels (one an example)", expected: m, found: classes.len() });
    }
    if let Some(index) = classes.iter().position(|&class| class > 1) {
        return Err(Error::Label { index, label: classes[index], classes: 2 });
    }
    if space.rows() < m {
        *space = Mat::zeros(m, 1);
    }
    for (to, &class) in space.as_mut_slice().iter_mut().zip(classes) {
        *to = if class == 1 { T::ONE } else { T::ZERO };
    }
    space.as_ref().row_range(0, m)
}
