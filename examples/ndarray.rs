//! `cargo run --release --features ndarray --example ndarray`: arrays of `ndarray` through the kernels, without a copy. Power
//! iteration finds the greatest singular value of a part of an array, and every product runs on views.

use ndarray::{Array2, s};
use roofline::{Error, Exec, MatMut, MatRef};

const STEPS: usize = 100;

fn main() -> Result<(), Error> {
    // A Hilbert matrix; of it, every second row from the last upward, and all columns but the first.
    let hilbert = Array2::from_shape_fn((200, 80), |(i, j)| 1.0 / (i + j + 1) as f64);
    let part = hilbert.slice(s![..;-2, 1..]);
    let a = MatRef::try_from(part)?;
    println!("{a:?}");

    let exec = Exec::default();
    let (mut u, mut v) = (Array2::zeros((a.rows(), 1)), Array2::ones((a.cols(), 1)));
    let mut sigma = 0.0;
    for _ in 0..STEPS {
        exec.gemm(1.0, a, MatRef::try_from(&v)?, 0.0, MatMut::try_from(&mut u)?)?; // u ← A·v
        exec.gemm(1.0, a.t(), MatRef::try_from(&u)?, 0.0, MatMut::try_from(&mut v)?)?; // v ← Aᵀ·u
        let norm = v.iter().map(|x| x * x).sum::<f64>().sqrt();
        v /= norm;
        sigma = norm.sqrt(); // |AᵀA·v| = σ² where |v| = 1
    }
    println!("greatest singular value {sigma:.12}");

    // AᵀA·v = σ²·v
    let residual = part.t().dot(&part.dot(&v)) - &v * (sigma * sigma);
    println!("residual {:.1e}", residual.iter().map(|x| x * x).sum::<f64>().sqrt());
    Ok(())
}
