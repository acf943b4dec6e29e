//! L3: the trainer. It stands on the operations of the crate alone, proves their gradients and measures what mini-batches
//! cost.
//!
//! Names follow the course notes, transposed: one example per **row**.
//!
//! | name | shape | |
//! |---|---|---|
//! | m | | examples in a mini-batch |
//! | n⁽ˡ⁾ | | units of layer l, n⁽⁰⁾ the inputs |
//! | X = A⁽⁰⁾ | m × n⁽⁰⁾ | inputs |
//! | W⁽ˡ⁾, b⁽ˡ⁾ | n⁽ˡ⁻¹⁾ × n⁽ˡ⁾, n⁽ˡ⁾ | parameters of layer l |
//! | Z⁽ˡ⁾ = A⁽ˡ⁻¹⁾·W⁽ˡ⁾ + b⁽ˡ⁾ | m × n⁽ˡ⁾ | |
//! | γ⁽ˡ⁾, β⁽ˡ⁾ | n⁽ˡ⁾ | of batch norm, in place of b⁽ˡ⁾ |
//! | A⁽ˡ⁾ = g⁽ˡ⁾(Z⁽ˡ⁾) | m × n⁽ˡ⁾ | activations; of the last layer Ŷ, probabilities or values |
//!
//! W⁽ˡ⁾ᵀ is what is stored, units × inputs: see [`Mlp`].
//!
//! A training step is three verbs:
//!
//! ```
//! use roofline::nn::{Dataset, MiniBatches, Mlp, Optimizer};
//! use roofline::{Activation, Mat};
//!
//! // Is the first coordinate above the second?
//! let x = Mat::from_fn(64, 2, |i, j| ((i * (3 + 4 * j)) % 17) as f32 / 17.0 - 0.5);
//! let labels = (0..64).map(|i| (x.as_slice()[2 * i] > x.as_slice()[2 * i + 1]) as usize).collect();
//! let data = Dataset::new(x, labels, 2)?;
//!
//! let mut net = Mlp::<f32>::builder(2).dense(16, Activation::Tanh).softmax(2).seed(1).build()?;
//! let mut optimizer = Optimizer::adam(0.05);
//! let mut batches = MiniBatches::new(&data, 16)?;
//! for epoch in 0..50 {
//!     batches.shuffle(1, epoch);
//!     while let Some(batch) = batches.next_batch() {
//!         net.forward(batch.x)?;
//!         net.backward(batch.x, batch.labels())?;
//!         net.update(&mut optimizer)?;
//!     }
//! }
//! assert!(net.accuracy(&data)? > 0.9);
//! # Ok::<(), roofline::Error>(())
//! ```
#![forbid(unsafe_code)]

mod average;
mod batches;
#[cfg(feature = "checkpoint")]
pub mod checkpoint;
#[cfg(feature = "csv")]
pub mod csv;
mod dataset;
mod diagnosis;
mod gradient_check;
pub mod idx;
mod image_set;
mod init;
mod labels;
mod mlp;
mod normalization;
mod optimizer;
mod random;
mod regime;
mod rule;
mod schedule;
mod split;
mod text;
pub mod tuner;

pub use average::ExponentialAverage;
pub use batches::{Batch, MiniBatches, Source};
pub use dataset::Dataset;
pub use diagnosis::{Diagnosis, Finding};
pub use gradient_check::{Differentiable, GradientReport, LayerCheck, Verdict, gradient_check};
pub use image_set::ImageSet;
pub use init::Init;
pub use labels::Labels;
pub use mlp::{Architecture, Hidden, Mlp, MlpBuilder, Objective, Output, Penalty, Tensor};
pub use normalization::Normalization;
pub use optimizer::Optimizer;
pub use regime::Regime;
pub use rule::Rule;
pub use schedule::{Progress, Schedule};
