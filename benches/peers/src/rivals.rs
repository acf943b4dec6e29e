//! The contestants that are Rust crates, and ours. All run on the rayon pool that the caller is a worker of, which has as
//! many threads as the run allows.

use crate::problem::{Operand, Problem, Rival};
use crate::run::cores;
use faer::linalg::matmul::matmul;
use faer::traits::ComplexField;
use faer::{Accum, Par};
use gemmkit::GemmScalar;
use roofline::{Element, Exec, Mat};
use rten_gemm::{GemmExecutor, GemmInputA, GemmInputB, GemmOptions};
use rten_tensor::{Matrix, NdTensorView};

/// An element type with the names that it has elsewhere.
pub trait Real: Element {
    /// CBLAS function.
    const CBLAS: &'static str;

    /// The crates that multiply this type on so many threads.
    fn crates(threads: usize) -> Vec<Box<dyn Rival<Self>>>;
}

impl Real for f32 {
    const CBLAS: &'static str = "cblas_sgemm";

    fn crates(threads: usize) -> Vec<Box<dyn Rival<f32>>> {
        let mut crates = generic(threads, matrixmultiply::sgemm);
        crates.push(Box::new(Rten(GemmExecutor::new())));
        crates
    }
}

impl Real for f64 {
    const CBLAS: &'static str = "cblas_dgemm";

    fn crates(threads: usize) -> Vec<Box<dyn Rival<f64>>> {
        generic(threads, matrixmultiply::dgemm)
    }
}

/// The crates that have both types.
fn generic<T: Element + GemmScalar + ComplexField>(
    threads: usize,
    matrixmultiply: StridedGemm<T>,
) -> Vec<Box<dyn Rival<T>>> {
    let mut crates: Vec<Box<dyn Rival<T>>> =
        vec![Box::new(Gemm::new(threads)), Box::new(Gemmkit::new(threads)), Box::new(Faer::new(threads))];
    if threads == 1 {
        crates.push(Box::new(MatrixMultiply(matrixmultiply)));
    }
    crates
}

/// The rivals among the dependencies.
pub const CRATES: [&str; 5] = ["gemm", "gemmkit", "faer", "matrixmultiply", "rten-gemm"];

/// Version of a dependency, which `Cargo.toml` pins.
pub fn version(name: &str) -> &'static str {
    let mut lines = include_str!("../Cargo.toml").lines();
    let pinned = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(" = ")?.split_once("\"="));
    pinned.and_then(|(_, version)| version.split('"').next()).expect("it is pinned")
}

/// This crate: `Exec::sequential()`, or `Exec::default().with_threads(n)`.
pub struct Ours(pub Exec);

impl<T: Element> Rival<T> for Ours {
    fn name(&self) -> &str {
        "roofline"
    }

    fn gemm(&self, problem: &Problem<T>, c: &mut Mat<T>) {
        let (a, b) = (problem.a.view(), problem.b.view());
        self.0.gemm(T::ONE, a, b, T::ZERO, c.as_mut()).expect("shapes agree");
    }
}

/// `gemm`: `Parallelism::None`, or `Parallelism::Rayon(n)`; it has a threshold of its own.
struct Gemm(gemm::Parallelism);

impl Gemm {
    /// On so many threads.
    fn new(threads: usize) -> Self {
        Self(if threads == 1 { gemm::Parallelism::None } else { gemm::Parallelism::Rayon(threads) })
    }
}

impl<T: Element> Rival<T> for Gemm {
    fn name(&self) -> &str {
        "gemm"
    }

    fn gemm(&self, problem: &Problem<T>, c: &mut Mat<T>) {
        let (m, n, k) = (problem.shape.m, problem.shape.n, problem.shape.k);
        let (a, b, [rsa, csa], [rsb, csb]) =
            (problem.a.ptr(), problem.b.ptr(), problem.a.strides(), problem.b.strides());
        let (c, rsc) = (c.as_mut_slice().as_mut_ptr(), n as isize);
        let (zero, one) = (T::ZERO, T::ONE);
        // SAFETY: the strides are those of checked views of the same memory; C is m×n and row-major. The crate takes the
        // column stride first, and its alpha scales C.
        unsafe {
            gemm::gemm(m, n, k, c, 1, rsc, false, a, csa, rsa, b, csb, rsb, zero, one, false, false, false, self.0);
        }
    }
}

/// `gemmkit`: `Parallelism::Serial`, `Rayon(n)`, or for all cores `Rayon(0)`, its own choice by the size of the product.
struct Gemmkit(gemmkit::Parallelism);

impl Gemmkit {
    /// On so many threads.
    fn new(threads: usize) -> Self {
        Self(match threads {
            1 => gemmkit::Parallelism::Serial,
            n if n == cores() => gemmkit::Parallelism::Rayon(0),
            n => gemmkit::Parallelism::Rayon(n),
        })
    }
}

impl<T: Element + GemmScalar> Rival<T> for Gemmkit {
    fn name(&self) -> &str {
        "gemmkit"
    }

    fn gemm(&self, problem: &Problem<T>, c: &mut Mat<T>) {
        let (m, n, k) = (problem.shape.m, problem.shape.n, problem.shape.k);
        let ([rsa, csa], [rsb, csb]) = (problem.a.strides(), problem.b.strides());
        let a = gemmkit::MatRef::new(problem.a.stored().as_slice(), m, k, rsa, csa);
        let b = gemmkit::MatRef::new(problem.b.stored().as_slice(), k, n, rsb, csb);
        let c = gemmkit::MatMut::from_row_major(c.as_mut_slice(), m, n);
        gemmkit::gemm(<T as Element>::ONE, a, b, <T as Element>::ZERO, c, self.0);
    }
}

/// `faer`: `Par::Seq`, or `Par::rayon(n)`.
struct Faer(Par);

impl Faer {
    /// On so many threads.
    fn new(threads: usize) -> Self {
        Self(if threads == 1 { Par::Seq } else { Par::rayon(threads) })
    }
}

impl<T: Element + ComplexField> Rival<T> for Faer {
    fn name(&self) -> &str {
        "faer"
    }

    fn gemm(&self, problem: &Problem<T>, c: &mut Mat<T>) {
        let (m, n) = (c.rows(), c.cols());
        let c = faer::MatMut::from_row_major_slice_mut(c.as_mut_slice(), m, n);
        let [a, b] = [&problem.a, &problem.b].map(|operand| {
            let mat = operand.stored();
            let view = faer::MatRef::from_row_major_slice(mat.as_slice(), mat.rows(), mat.cols());
            if operand.is_transposed() { view.transpose() } else { view }
        });
        matmul(c, Accum::Replace, a, b, <T as Element>::ONE, self.0);
    }
}

/// `sgemm` and `dgemm` of `matrixmultiply`.
type StridedGemm<T> =
    unsafe fn(usize, usize, usize, T, *const T, isize, isize, *const T, isize, isize, T, *mut T, isize, isize);

/// `matrixmultiply`: one thread only; its threads are a pool of its own that an environment variable sizes once.
struct MatrixMultiply<T>(StridedGemm<T>);

impl<T: Element> Rival<T> for MatrixMultiply<T> {
    fn name(&self) -> &str {
        "matrixmultiply"
    }

    fn gemm(&self, problem: &Problem<T>, c: &mut Mat<T>) {
        let (m, n, k) = (problem.shape.m, problem.shape.n, problem.shape.k);
        let (a, b, [rsa, csa], [rsb, csb]) =
            (problem.a.ptr(), problem.b.ptr(), problem.a.strides(), problem.b.strides());
        let (c, rsc) = (c.as_mut_slice().as_mut_ptr(), n as isize);
        // SAFETY: the strides are those of checked views of the same memory; C is m×n and row-major.
        unsafe { (self.0)(m, k, n, T::ONE, a, rsa, csa, b, rsb, csb, T::ZERO, c, rsc, 1) }
    }
}

/// `rten-gemm`, f32 only: as many threads as the current pool has. Operands are not packed beforehand.
struct Rten(GemmExecutor);

impl Rival<f32> for Rten {
    fn name(&self) -> &str {
        "rten-gemm"
    }

    fn gemm(&self, problem: &Problem<f32>, c: &mut Mat<f32>) {
        let (a, b) = (matrix(&problem.a), matrix(&problem.b));
        let (a, b) = (GemmInputA::Unpacked(a), GemmInputB::Unpacked(b));
        self.0.gemm(c.as_mut_slice(), a, b, GemmOptions::default()).expect("shapes agree");
    }
}

/// An operand as `rten-gemm` takes it.
fn matrix(operand: &Operand<f32>) -> Matrix<'_, f32> {
    let mat = operand.stored();
    let view = NdTensorView::from_data([mat.rows(), mat.cols()], mat.as_slice());
    if operand.is_transposed() { view.transposed() } else { view }
}
