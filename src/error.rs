//! [`Error`]: one variant per kind of bad input, the numbers in the message.

use crate::activation::Activation;
use crate::backend::Backend;
use crate::simd::Isa;
use core::fmt;

/// Why a call was refused. Nothing was computed, and no output was touched.
///
/// ```
/// use roofline::{MatRef, Error};
/// let error = MatRef::from_slice(&[1.0_f32; 5], 2, 3).unwrap_err();
/// assert_eq!(error, Error::TooShort { what: "matrix", needed: 6, found: 5 });
/// assert_eq!(error.to_string(), "matrix needs 6 elements, the slice has 5");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// Two shapes that must agree do not.
    Shape {
        /// What was called and how the shapes depend on each other.
        what: &'static str,
        /// Rows and columns that were needed.
        expected: (usize, usize),
        /// Rows and columns that were found.
        found: (usize, usize),
    },
    /// Two lengths that must agree do not.
    Length {
        /// Which argument.
        what: &'static str,
        /// Elements that were needed.
        expected: usize,
        /// Elements that were found.
        found: usize,
    },
    /// A slice is too short for the view that was asked for.
    TooShort {
        /// Which argument.
        what: &'static str,
        /// Elements that were needed.
        needed: usize,
        /// Elements that were found.
        found: usize,
    },
    /// The addresses of a view do not fit in memory.
    Overflow {
        /// Rows of the view.
        rows: usize,
        /// Columns of the view.
        cols: usize,
        /// Elements from row to row.
        row_stride: isize,
        /// Elements from column to column.
        col_stride: isize,
    },
    /// There is no memory for what a call keeps meanwhile: above all for copies of operands whose columns lie apart, which may repeat
    /// elements and then be larger than any memory.
    WorkingMemory {
        /// Elements that were needed, or the greatest `usize` where they are more.
        elements: usize,
    },
    /// Two elements of an output view share an address.
    SelfOverlap {
        /// Rows of the view.
        rows: usize,
        /// Columns of the view.
        cols: usize,
        /// Elements from row to row.
        row_stride: isize,
        /// Elements from column to column.
        col_stride: isize,
    },
    /// A number is outside its range.
    OutOfRange {
        /// Which argument.
        what: &'static str,
        /// What it was.
        value: f64,
        /// What it must be.
        allowed: &'static str,
    },
    /// A matrix holds NaN or an infinity.
    NotFinite {
        /// Which matrix.
        what: &'static str,
        /// Row of the first such element, counted from 0.
        row: usize,
        /// Column of it, counted from 0.
        col: usize,
        /// What it is.
        value: f64,
    },
    /// A class index is not below the number of classes.
    Label {
        /// Which example.
        index: usize,
        /// Its label.
        label: usize,
        /// Number of classes.
        classes: usize,
    },
    /// The parts of a network do not go together.
    Network {
        /// Which layer, counted from 1; 0 are the inputs.
        layer: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// The output of a network does not learn labels of this kind.
    Labels {
        /// Which output: `softmax`, `sigmoid` or `linear`.
        output: &'static str,
        /// What it learns.
        learns: &'static str,
    },
    /// The gradient of an activation was asked for from its output, which does not determine it.
    NoGradientFromOutput {
        /// Which one.
        activation: Activation,
    },
    /// Only the kernels of this crate can do it.
    NativeOnly {
        /// What was called.
        what: &'static str,
        /// The backend that was chosen.
        backend: Backend,
    },
    /// An operand was packed for one instruction set and used on another.
    PackedFor {
        /// What it was packed for.
        packed: Isa,
        /// What the call runs on.
        used: Isa,
    },
    /// This machine does not have the instruction set.
    UnavailableIsa {
        /// Which one.
        isa: Isa,
        /// The best that it has.
        best: Isa,
    },
    /// No instruction set has this name.
    UnknownIsa {
        /// The name.
        name: String,
    },
    /// This build does not have the backend: it needs the feature of the same name.
    UnavailableBackend {
        /// Which one.
        backend: Backend,
    },
    /// No backend has this name.
    UnknownBackend {
        /// The name.
        name: String,
    },
    /// A text does not say what it should.
    Unreadable {
        /// What it should say.
        what: &'static str,
        /// The text.
        text: String,
        /// How it is written.
        expected: &'static str,
    },
    /// The backend cannot take an operand that lies in memory like this.
    UnsupportedStrides {
        /// Which backend.
        backend: Backend,
        /// `A`, `B` or `C`.
        operand: &'static str,
        /// Rows of the operand.
        rows: usize,
        /// Columns of the operand.
        cols: usize,
        /// Elements from row to row.
        row_stride: isize,
        /// Elements from column to column.
        col_stride: isize,
    },
    /// A trial has no hyperparameter of this name and kind.
    Hyperparameter {
        /// The name.
        name: String,
        /// What it was to be: a number, a whole number, a choice.
        wanted: &'static str,
    },
    /// More than one thread was asked for in a build without the feature `parallel`.
    NotParallel {
        /// Threads asked for.
        threads: usize,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Shape { what, expected, found } => {
                write!(f, "{what}: expected {}×{}, found {}×{}", expected.0, expected.1, found.0, found.1)
            }
            Error::Length { what, expected, found } => write!(f, "{what}: expected {expected} elements, found {found}"),
            Error::TooShort { what, needed, found } => {
                write!(f, "{what} needs {needed} elements, the slice has {found}")
            }
            Error::Overflow { rows, cols, row_stride, col_stride } => {
                write!(
                    f,
                    "a {rows}×{cols} view with strides ({row_stride}, {col_stride}) does not fit in the address space"
                )
            }
            Error::WorkingMemory { elements } => {
                write!(f, "no memory for {elements} elements, copies of operands or partial results")
            }
            Error::SelfOverlap { rows, cols, row_stride, col_stride } => write!(
                f,
                "output overlaps itself: strides ({row_stride}, {col_stride}) give two elements of a {rows}×{cols} view one address"
            ),
            Error::OutOfRange { what, value, allowed } => write!(f, "{what} is {value}, it must be {allowed}"),
            Error::NotFinite { what, row, col, value } => {
                write!(f, "{what}: element ({row}, {col}) is {value}, it must be finite")
            }
            Error::Label { index, label, classes } => {
                write!(f, "label {label} of example {index} is not below the number of classes, {classes}")
            }
            Error::Network { layer, what } => write!(f, "layer {layer} of the network: {what}"),
            Error::Labels { output, learns } => write!(f, "a {output} output learns {learns}"),
            Error::NoGradientFromOutput { activation } => write!(
                f,
                "the output of {activation} does not determine its gradient: keep its input, for activation_grad_inplace"
            ),
            Error::NativeOnly { what, backend } => {
                write!(f, "{what} runs on the backend native only, not on {backend}")
            }
            Error::PackedFor { packed, used } => write!(f, "B was packed for {packed}, but the call runs on {used}"),
            Error::UnavailableIsa { isa, best } => {
                write!(f, "this machine has no {isa}; the best that it has is {best}")
            }
            Error::UnknownIsa { name } => {
                write!(f, "no instruction set is called `{name}`; there are avx512, avx2, portable")
            }
            Error::UnavailableBackend { backend } => {
                write!(f, "the backend {backend} was asked for, but roofline was built without the feature `{backend}`")
            }
            Error::UnknownBackend { name } => {
                write!(f, "no backend is called `{name}`; there are native, matrixmultiply, blas")
            }
            Error::Unreadable { what, text, expected } => write!(f, "{what} cannot be `{text}`; write {expected}"),
            Error::UnsupportedStrides { backend, operand, rows, cols, row_stride, col_stride } => write!(
                f,
                "{backend} cannot take {operand}: strides ({row_stride}, {col_stride}) of a {rows}×{cols} view; one must be 1, \
                 the other at least the elements that are contiguous and at most 2147483647"
            ),
            Error::Hyperparameter { name, wanted } => {
                write!(f, "no hyperparameter of the search space is called `{name}` and is {wanted}")
            }
            Error::NotParallel { threads } => {
                write!(f, "{threads} threads were asked for, but roofline was built without the feature `parallel`")
            }
        }
    }
}

impl std::error::Error for Error {}
