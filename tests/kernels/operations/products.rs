//! Products.

use super::Operation;
use super::case::{Case, Matrix};
use crate::common::Float;
use roofline::{Activation, Epilogue, Error, Exec, PackedB};

/// m, n and k: within one block of k, over several, and enough to be cut for threads.
fn sizes<T: Float>(case: &mut Case<T>) -> (usize, usize, usize) {
    if case.is_large() {
        return (40 + case.below(160), 60 + case.below(200), 240 + case.below(100));
    }
    let k = if case.below(4) == 0 { 380 + case.below(900) } else { case.below(90) };
    (case.rows, case.cols, k)
}

/// A, B and C of some shape, β and α.
struct Product<T> {
    a: Matrix<T>,
    b: Matrix<T>,
    c: Matrix<T>,
    alpha: T,
    beta: T,
}

impl<T: Float> Product<T> {
    fn new(case: &mut Case<T>) -> Self {
        let (m, n, k) = sizes(case);
        let [alpha, beta] = [case.pick([1.0, -0.5, 0.3]), case.pick([0.0, 1.0, -1.7])].map(T::from_f64);
        let (a, b) = (case.matrix(m, k), case.matrix(k, n));
        let c = if beta == T::ZERO { case.room_for(m, n) } else { case.matrix(m, n) };
        Self { a, b, c, alpha, beta }
    }
}

fn plain<T: Float>(exec: &Exec, case: &mut Case<T>) -> Result<(), Error> {
    let Product { a, b, mut c, alpha, beta } = Product::new(case);
    exec.gemm(alpha, a.view(), b.view(), beta, c.view_mut())?;
    case.keep_matrix(&c);
    Ok(())
}

fn with_epilogue<T: Float>(exec: &Exec, case: &mut Case<T>) -> Result<(), Error> {
    let Product { a, b, mut c, alpha, beta } = Product::new(case);
    let (bias, outputs) = (case.values(c.cols), case.matrix(c.rows, c.cols));
    let (activation, of_gradient) = (case.pick(Activation::ALL), case.pick(Activation::ALL));
    let has_gradient = of_gradient.output_determines_gradient() && case.below(2) == 0;
    let gradient = has_gradient.then(|| (of_gradient, outputs.view()));
    let epilogue = Epilogue { bias: Some(&bias), activation, gradient };
    exec.gemm_with(alpha, a.view(), b.view(), beta, c.view_mut(), epilogue)?;
    case.keep_matrix(&c);
    Ok(())
}

fn with_column_sums<T: Float>(exec: &Exec, case: &mut Case<T>) -> Result<(), Error> {
    let Product { a, b, mut c, alpha, beta } = Product::new(case);
    let mut sums = case.room(c.cols);
    exec.gemm_column_sums(alpha, a.view(), b.view(), beta, c.view_mut(), &mut sums)?;
    case.keep_matrix(&c);
    case.keep(&sums);
    Ok(())
}

fn packed<T: Float>(exec: &Exec, case: &mut Case<T>) -> Result<(), Error> {
    let Product { a, b, mut c, alpha, beta } = Product::new(case);
    let panels = PackedB::new(exec, b.view());
    exec.gemm_packed(alpha, a.view(), &panels, beta, c.view_mut(), Epilogue::default())?;
    case.keep_matrix(&c);
    Ok(())
}

fn by_addresses<T: Float>(exec: &Exec, case: &mut Case<T>) -> Result<(), Error> {
    let Product { a, b, mut c, alpha, beta } = Product::new(case);
    let (m, n, k) = (c.rows, c.cols, a.cols);
    let ((rsa, csa), (rsb, csb), (rsc, csc)) = (a.strides, b.strides, c.strides);
    let (pa, pb, pc) = (a.memory.as_ptr(), b.memory.as_ptr(), c.memory.as_mut_ptr());
    // SAFETY: pointers, shapes and strides describe three matrices that exist.
    unsafe { exec.gemm_raw(m, n, k, alpha, pa, rsa, csa, pb, rsb, csb, beta, pc, rsc, csc)? };
    case.keep_matrix(&c);
    Ok(())
}

pub fn all<T: Float>() -> Vec<Operation<T>> {
    vec![
        Operation { name: "gemm", run: plain },
        Operation { name: "gemm_with", run: with_epilogue },
        Operation { name: "gemm_column_sums", run: with_column_sums },
        Operation { name: "gemm_packed", run: packed },
        Operation { name: "gemm_raw", run: by_addresses },
    ]
}
