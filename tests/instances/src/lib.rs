//! Kernels that many tests, examples and benches use, compiled once: those of the trainer for `f32` and those of gradient checks for
//! `f64`. (Products are functions of the library.)
//!
//! A program takes the instances of generic functions from the crates below it where both are built at `opt-level = 1`, as the profile
//! `dev` is (`-Z share-generics`, rustc's default there), and compiles only what it does not find: an example a tenth of what it did.
//! Programs name this crate to be linked with it; nobody calls what is in it. Release builds share nothing, so it is empty there.
#![cfg(debug_assertions)]

use roofline::nn::{Dataset, GradientReport, MiniBatches, Mlp, Optimizer, gradient_check};
use roofline::{Error, MatRef};

/// The trainer.
///
/// # Errors
/// Of the calls.
pub fn training(net: &mut Mlp<f32>, optimizer: &mut Optimizer<f32>, data: &Dataset<f32>) -> Result<f64, Error> {
    let mut batches = MiniBatches::new(data, 1)?;
    let mut loss = 0.0;
    while let Some(batch) = batches.next_batch() {
        net.forward(batch.x)?;
        net.backward(batch.x, batch.y)?;
        net.update(optimizer)?;
        loss += net.loss(batch.x, batch.y)?;
    }
    Ok(loss)
}

/// Gradient checks.
///
/// # Errors
/// Of the calls.
pub fn checks(net: &mut Mlp<f64>, x: MatRef<'_, f64>, labels: &[usize]) -> Result<GradientReport, Error> {
    gradient_check(&mut net.objective(x, labels))
}
