//! GEMM: C ← α·A·B + β·C over strided views.

mod grid;
mod packed;

pub use packed::PackedB;

use crate::backend::Backend;
use crate::buffer::with_workspace;
use crate::element::Element;
use crate::error::Error;
use crate::exec::Exec;
use crate::kernels::activation::Activation;
use crate::kernels::gemm::{
    Bias, Dots, Finish, GemmPath, GemmPlan, Nest, Operand, Output, Product, is_few_dots, is_small, multiply_small,
};
use crate::matrix::{Layout, MatMut, MatRef};
use crate::parallel;
use grid::{grid, unit_of_columns};

/// Multiply–adds that take about 2.5 µs: see [`Exec::parts`].
const QUANTUM: usize = 1 << 17;
/// Steps of k below which it is C that takes the time. What a core fetches ahead, behind the rows that it writes, another one then gets back: two
/// cores of Granite Rapids, which are far apart, took 1.1 to 1.5 times as long as one over 256×128×8 and 512×256×2, 0.75 times over 512×256×8.
const WRITING_STEPS: usize = 16;
/// Multiply–adds of a training step that pays as late as one of such a product: the fork in 512×256×8, none in 784×256×2.
const CHAIN_OF_WRITING: usize = 12;

/// C ← alpha·A·B + beta·C on the default [`Exec`]. See [`Exec::gemm`].
///
/// # Errors
/// As [`Exec::gemm`].
pub fn gemm<T: Element>(alpha: T, a: MatRef<'_, T>, b: MatRef<'_, T>, beta: T, c: MatMut<'_, T>) -> Result<(), Error> {
    Exec::default().gemm(alpha, a, b, beta, c)
}

/// The products of an element type as functions of this crate, compiled once and by its profile: generic ones would be compiled with each
/// crate that calls them, which takes a minute.
pub trait Multiply: Sized {
    /// [`Exec::multiply_generic`].
    ///
    /// # Errors
    /// As there.
    ///
    /// # Safety
    /// As there.
    unsafe fn multiply(exec: &Exec, product: &mut Product<Self>, ahead: Option<usize>) -> Result<(), Error>;
}

macro_rules! multiply {
    ($($t:ident),*) => {$(
        impl Multiply for $t {
            unsafe fn multiply(exec: &Exec, product: &mut Product<Self>, ahead: Option<usize>) -> Result<(), Error> {
                // SAFETY: the caller's debt.
                unsafe { exec.multiply_generic(product, ahead) }
            }
        }
    )*};
}

multiply!(f32, f64);

/// What follows a product while its result is still in registers: C ← g(α·A·B + β·C + bias).
#[derive(Clone, Copy, Debug)]
pub struct Epilogue<'a, T> {
    /// Added to every row of C: one value per column.
    pub bias: Option<&'a [T]>,
    /// Applied to every element after the bias.
    pub activation: Activation,
    /// Multiplies every element by f′(z) last, given the activation f and its outputs f(z), a matrix of the shape of C: the
    /// step of back-propagation dZ⁽ˡ⁻¹⁾ = dZ⁽ˡ⁾·W⁽ˡ⁾ᵀ ⊙ g′(Z⁽ˡ⁻¹⁾). Only where [`Activation::output_determines_gradient`].
    pub gradient: Option<(Activation, MatRef<'a, T>)>,
}

/// The product of operands whose shapes agree.
fn checked<T: Element>(
    alpha: T,
    a: MatRef<'_, T>,
    (b_rows, b_cols, b): (usize, usize, Operand<T>),
    beta: T,
    c: &mut MatMut<'_, T>,
    epilogue: Epilogue<'_, T>,
) -> Result<Product<T>, Error> {
    let (m, n, k) = (c.rows(), c.cols(), a.cols());
    if a.rows() != m {
        return Err(Error::Shape {
            what: "gemm: A (rows of C × rows of B)",
            expected: (m, b_rows),
            found: (a.rows(), k),
        });
    }
    if (b_rows, b_cols) != (k, n) {
        return Err(Error::Shape {
            what: "gemm: B (columns of A × columns of C)",
            expected: (k, n),
            found: (b_rows, b_cols),
        });
    }
    let bias = match epilogue.bias {
        Some(bias) if bias.len() != n => {
            return Err(Error::Length {
                what: "gemm: bias (one value per column of C)",
                expected: n,
                found: bias.len(),
            });
        }
        Some(bias) => Bias::PerColumn(bias.as_ptr()),
        None => Bias::None,
    };
    let gradient = match epilogue.gradient {
        Some((_, output)) if (output.rows(), output.cols()) != (m, n) => {
            return Err(Error::Shape {
                what: "gemm: outputs for the gradient (as C)",
                expected: (m, n),
                found: (output.rows(), output.cols()),
            });
        }
        Some((activation, _)) if !activation.output_determines_gradient() => {
            return Err(Error::NoGradientFromOutput { activation });
        }
        Some((activation, output)) => Some((activation, operand(output))),
        None => None,
    };
    Ok(Product {
        m,
        n,
        k,
        alpha,
        a: operand(a),
        b,
        beta,
        c: Output { ptr: c.as_mut_ptr(), row: c.row_stride(), col: c.col_stride() },
        finish: Finish { bias, activation: epilogue.activation, gradient },
        panels_from: None,
        column_sums: None,
    })
}

fn operand<T: Element>(view: MatRef<'_, T>) -> Operand<T> {
    Operand { ptr: view.as_ptr(), row: view.row_stride(), col: view.col_stride() }
}

impl<T> Default for Epilogue<'_, T> {
    fn default() -> Self {
        Self { bias: None, activation: Activation::Identity, gradient: None }
    }
}

impl Exec {
    /// C ← alpha·A·B + beta·C with A m×k, B k×n, C m×n, any strides. As in BLAS, `beta` = 0 does not read C (it may hold
    /// NaN), and `alpha` = 0 or k = 0 does not read A or B.
    ///
    /// # Errors
    /// [`Error::Shape`]; what the [`Backend`] cannot do.
    pub fn gemm<T: Element>(
        &self,
        alpha: T,
        a: MatRef<'_, T>,
        b: MatRef<'_, T>,
        beta: T,
        c: MatMut<'_, T>,
    ) -> Result<(), Error> {
        self.gemm_with(alpha, a, b, beta, c, Epilogue::default())
    }

    /// C ← g(alpha·A·B + beta·C + bias): [`Exec::gemm`] with an epilogue.
    ///
    /// # Errors
    /// [`Error::Shape`], also of the outputs for the gradient; [`Error::Length`] of the bias;
    /// [`Error::NoGradientFromOutput`]; what the [`Backend`] cannot do.
    pub fn gemm_with<T: Element>(
        &self,
        alpha: T,
        a: MatRef<'_, T>,
        b: MatRef<'_, T>,
        beta: T,
        mut c: MatMut<'_, T>,
        epilogue: Epilogue<'_, T>,
    ) -> Result<(), Error> {
        let mut product = checked(alpha, a, (b.rows(), b.cols(), operand(b)), beta, &mut c, epilogue)?;
        // SAFETY: the views' addresses were checked at construction, and the borrow of C is unique.
        unsafe { self.product(&mut product) }
    }

    /// C ← alpha·A·B + beta·C and `sums` ← 1ᵀ·B, the sum of each column of B: the gradients dW = Aᵀ·dZ and db of a layer, in
    /// one pass over dZ where C is row-major. On every [`Backend`] the sums are ours.
    ///
    /// # Errors
    /// As [`Exec::gemm`]; [`Error::Length`] unless there is a sum for each column.
    ///
    /// ```
    /// use roofline::{Exec, Mat};
    /// let (x, dz) = (Mat::from_fn(3, 2, |i, j| (i + j) as f32), Mat::from_fn(3, 1, |i, _| i as f32));
    /// let (mut dw, mut db) = (Mat::zeros(2, 1), [0.0]);
    /// Exec::default().gemm_column_sums(1.0, x.as_ref().t(), dz.as_ref(), 0.0, dw.as_mut(), &mut db)?;
    /// assert_eq!((dw.as_slice(), db), (&[5.0, 8.0][..], [3.0]));
    /// # Ok::<(), roofline::Error>(())
    /// ```
    pub fn gemm_column_sums<T: Element>(
        &self,
        alpha: T,
        a: MatRef<'_, T>,
        b: MatRef<'_, T>,
        beta: T,
        mut c: MatMut<'_, T>,
        sums: &mut [T],
    ) -> Result<(), Error> {
        let operands = (b.rows(), b.cols(), operand(b));
        let mut product = checked(alpha, a, operands, beta, &mut c, Epilogue::default())?;
        if sums.len() != product.n {
            return Err(Error::Length { what: "gemm: column sums", expected: product.n, found: sums.len() });
        }
        let (one, whole, to) = (T::ONE, product, sums.as_mut_ptr());
        let is_plain = !product.is_column_major() && !is_small(&product, T::registers(self.token()));
        let is_fused = self.backend() == Backend::Native && alpha != T::ZERO && product.m > 0 && is_plain;
        product.column_sums = is_fused.then_some(to);
        // SAFETY: the views' addresses were checked at construction, the borrows of C and of the sums are unique.
        unsafe {
            self.product(&mut product)?;
            match product.column_sums {
                Some(_) => Ok(()),
                None => self.with_backend(Backend::Native)?.product(&mut whole.sums(&one, T::ZERO, to)),
            }
        }
    }

    /// Runs a product whose shapes agree, on the backend of this `Exec`.
    ///
    /// # Errors
    /// Where the backend cannot take the operands: nothing was computed.
    ///
    /// # Safety
    /// Every element of A, B and the bias is readable, C is writable and of no other use meanwhile.
    pub(crate) unsafe fn product<T: Element>(&self, product: &mut Product<T>) -> Result<(), Error> {
        // SAFETY: the caller's debt; any plan is right for an operand with strides.
        unsafe { T::multiply(self, product, None) }
    }

    /// Runs a product by the plan for it, or on another backend. Column sums that the plan has no place for are left out, and taken from the
    /// product.
    ///
    /// # Errors
    /// As [`Exec::product`].
    ///
    /// # Safety
    /// As [`Exec::product`]; where B was packed ahead, its panels are `ahead` vectors wide.
    #[inline(always)]
    unsafe fn multiply_generic<T: Element>(&self, product: &mut Product<T>, ahead: Option<usize>) -> Result<(), Error> {
        if product.m == 0 || product.n == 0 {
            return Ok(());
        }
        if product.alpha == T::ZERO {
            product.k = 0;
        }
        if product.k == 0 {
            // An empty sum is 0, also ∞ times.
            product.alpha = T::ONE;
        } else if self.backend() != Backend::Native {
            // SAFETY: the caller's debt.
            return unsafe { self.foreign_product(product) };
        }
        if ahead.is_none() && product.is_column_major() {
            *product = product.swapped();
        }
        // SAFETY: the caller's debt.
        unsafe {
            if is_small(product, T::registers(self.token())) {
                multiply_small(self.token(), product)
            } else {
                self.multiply_large(product, ahead)
            }
        }
        Ok(())
    }

    /// Runs a product that is not small by the plan for it. A function of its own, whose registers small products need not save.
    ///
    /// # Safety
    /// As [`Exec::multiply_generic`].
    #[inline(never)]
    unsafe fn multiply_large<T: Element>(&self, product: &mut Product<T>, ahead: Option<usize>) {
        let effort = product.effort();
        let parts = match product.k < WRITING_STEPS {
            true => self.parts_of_moving(effort, QUANTUM, effort.saturating_mul(CHAIN_OF_WRITING)),
            false => self.parts(effort, QUANTUM),
        };
        if parts == 1 && is_few_dots(product) {
            T::dispatch(self.token(), Dots::all(product));
            return;
        }
        let registers = T::registers(self.token());
        let mut plan = match ahead {
            Some(vectors) => GemmPlan::packed_ahead(product, vectors, registers),
            None => GemmPlan::not_small(product, registers),
        };
        product.column_sums = product.column_sums.filter(|_| !plan.swapped && plan.path == GemmPath::Tiles);
        // Whole units multiply so fast that outer products are not work that mostly stores (256×128×4 `f32` 1.6 times as fast).
        let stores = plan.path == GemmPath::Outer && self.token().halves_are_cheap();
        let token = if stores { self.token().for_stores() } else { self.token() };
        let run = |product: &Product<T>, plan: &GemmPlan| {
            with_workspace(plan.workspace(product), |workspace| T::dispatch(token, Nest { product, plan, workspace }));
        };
        if parts == 1 {
            run(product, &plan);
            return;
        }
        plan.parts = grid::<T>(product, &plan, (self.threads(), parts), self.is_chained());
        let (m, n, width) = (product.m, product.n, unit_of_columns(product, &plan));
        let (high, wide) = plan.parts;
        self.for_each(high * wide, |index| {
            let rows = parallel::part(m, plan.tile.rows, high, index % high);
            let cols = parallel::part(n, width, wide, index / high);
            run(&product.block(rows, cols), &plan);
        });
    }

    /// How our kernels ([`Backend::Native`]) compute a product of this shape on this `Exec`, where B begins on a cache line.
    ///
    /// ```
    /// use roofline::{Exec, GemmStrides, Packing};
    /// let exec = Exec::sequential();
    /// // A mini-batch of 8 through a layer of 784 inputs and 512 outputs: the weights are read once, where they lie.
    /// let plan = exec.plan::<f32>(8, 512, 784, GemmStrides::row_major(512, 784));
    /// assert_eq!((plan.packing, plan.parts), (Packing::InPlace, (1, 1)));
    /// ```
    pub fn plan<T: Element>(&self, m: usize, n: usize, k: usize, strides: GemmStrides) -> GemmPlan {
        // No operand is longer, and sums of lengths do not overflow.
        let [m, n, k] = [m, n, k].map(|len| len.min(isize::MAX as usize));
        let mut product = to_plan::<T>((m, n, k), strides);
        let plan = GemmPlan::new(&mut product, T::registers(self.token()));
        let parts = if m > 0 && n > 0 { self.most_parts(product.effort(), QUANTUM) } else { 1 };
        GemmPlan { parts: grid::<T>(&product, &plan, (self.threads(), parts), false), ..plan }
    }
}

fn to_plan<T: Element>(shape: (usize, usize, usize), strides: GemmStrides) -> Product<T> {
    Product::to_plan(shape, [strides.a, strides.b, strides.c])
}

/// Row and column strides of the operands of a product, in elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GemmStrides {
    /// Of A, m×k.
    pub a: (isize, isize),
    /// Of B, k×n.
    pub b: (isize, isize),
    /// Of C, m×n.
    pub c: (isize, isize),
}

impl GemmStrides {
    /// All row-major and without gaps.
    pub fn row_major(n: usize, k: usize) -> Self {
        let (n, k) = (n as isize, k as isize);
        Self { a: (k, 1), b: (n, 1), c: (n, 1) }
    }

    /// With A stored as its transpose, k×m and row-major: Xᵀ in dW = Xᵀ·dZ.
    #[must_use]
    pub fn with_a_transposed(self, m: usize) -> Self {
        Self { a: (1, m as isize), ..self }
    }

    /// With B stored as its transpose, n×k and row-major: Wᵀ in dX = dZ·Wᵀ.
    #[must_use]
    pub fn with_b_transposed(self, k: usize) -> Self {
        Self { b: (1, k as isize), ..self }
    }
}

impl Exec {
    /// [`Exec::gemm`] on raw pointers: C (m×n) ← alpha·A (m×k)·B (k×n) + beta·C, element (i, j) of X at `x + i·rsx + j·csx`.
    ///
    /// # Errors
    /// [`Error::Overflow`] where an operand's addresses do not fit in memory, [`Error::SelfOverlap`] for C; what the
    /// [`Backend`] cannot do.
    ///
    /// # Safety
    /// Every element of A and B is readable and every element of C writable (readable too unless `beta` is 0) at its
    /// address, and C overlaps neither A nor B. An operand without elements, and A and B where `alpha` is 0, may be dangling.
    #[expect(clippy::too_many_arguments, reason = "the signature that callers of BLAS-like functions expect")]
    pub unsafe fn gemm_raw<T: Element>(
        &self,
        m: usize,
        n: usize,
        k: usize,
        alpha: T,
        a: *const T,
        rsa: isize,
        csa: isize,
        b: *const T,
        rsb: isize,
        csb: isize,
        beta: T,
        c: *mut T,
        rsc: isize,
        csc: isize,
    ) -> Result<(), Error> {
        let layouts = [(m, k, rsa, csa), (k, n, rsb, csb), (m, n, rsc, csc)]
            .map(|(rows, cols, row_stride, col_stride)| Layout { rows, cols, row_stride, col_stride });
        // One comparison for all: in the smallest products they count.
        if Layout::is_large(layouts.iter().fold(0, |bits, layout| bits | layout.bits())) {
            for layout in layouts {
                layout.extent::<T>()?;
            }
        }
        layouts[2].reject_overlap()?;
        let mut product = Product {
            m,
            n,
            k,
            alpha,
            a: Operand { ptr: a, row: rsa, col: csa },
            b: Operand { ptr: b, row: rsb, col: csb },
            beta,
            c: Output { ptr: c, row: rsc, col: csc },
            finish: Finish::NONE,
            panels_from: None,
            column_sums: None,
        };
        // SAFETY: the caller's debt.
        unsafe { self.product(&mut product) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strides_are_those_of_the_stored_operands() {
        let strides = GemmStrides::row_major(5, 7);
        assert_eq!(strides, GemmStrides { a: (7, 1), b: (5, 1), c: (5, 1) });
        assert_eq!(strides.with_a_transposed(3), GemmStrides { a: (1, 3), ..strides });
        assert_eq!(strides.with_b_transposed(7), GemmStrides { b: (1, 7), ..strides });
    }
}
