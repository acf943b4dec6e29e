//! Small products of operands that are read where they lie: tiles as in tile.rs, in one function for all rows, without the
//! choices, loops and hints that large products need.

use super::Product;
use super::blocking::{NARROW_REGISTERS, most_rows, small_vectors};
use super::epilogue::Rest;
use super::steps::{Ahead, At, Steps, Way};
use super::tile::{self, Kind, LOW, Last, MASKED, PLAIN, SHIFTED, Update, fits, load, write};
use crate::element::Element;
use crate::simd::{Kernel, Simd, Token};
use core::ptr;

/// Computes a product that [`is_small`](super::is_small).
///
/// # Safety
/// What whoever makes a `Nest` owes.
pub(crate) unsafe fn multiply_small<T: Element>(token: Token, p: &Product<T>) {
    if is_latent(p) {
        return multiply_latent(token, p);
    }
    let vectors = small_vectors(p, T::registers(token));
    let mut from = 0;
    while from < p.n {
        let left = p.n - from;
        let vectors = vectors.min(left.div_ceil(T::LANES));
        let cols = left.min(vectors * T::LANES);
        macro_rules! widths {
            ($($v:literal: $($kind:ident $code:ident),*;)*) => {
                match (vectors, tile::edge::<T>(vectors, vectors * T::LANES - cols, token.halves_are_cheap())) {
                    $($(($v, Kind::$kind) => T::dispatch(token, Columns::<T, $v, $code> { p, from, cols }),)*)*
                    _ => unreachable!("no code for {vectors} vectors"),
                }
            };
        }
        widths!(
            1: Plain PLAIN, Masked MASKED, Low LOW;
            2: Plain PLAIN, Shifted SHIFTED, Low LOW;
            3: Plain PLAIN, Shifted SHIFTED, Low LOW;
            4: Plain PLAIN, Shifted SHIFTED;
        );
        from += cols;
    }
}

/// Sums of a small product of one or two vectors of C: one FMA chain each would wait for itself.
pub(super) const CHAINS: usize = 4;
/// Steps of k from which more chains gain more than their sum takes.
const CHAIN_STEPS: usize = 16;

/// Whether a small product has so few vectors of C that the latency of their FMAs is its time.
pub(super) fn is_latent<T: Element>(p: &Product<T>) -> bool {
    p.m * p.n.div_ceil(T::LANES) <= 2 && p.k >= CHAIN_STEPS
}

/// Computes a product that [`is_latent`].
fn multiply_latent<T: Element>(token: Token, p: &Product<T>) {
    // All of C at once, or where registers are few, a vector.
    let is_narrow = T::registers(token) <= NARROW_REGISTERS;
    let (high, wide) = if is_narrow { (1, T::LANES) } else { (p.m, p.n) };
    for i in (0..p.m).step_by(high) {
        for j in (0..p.n).step_by(wide) {
            let cols = wide.min(p.n - j);
            let (vectors, is_whole) = (cols.div_ceil(T::LANES), cols.is_multiple_of(T::LANES));
            macro_rules! sizes {
                ($($r:literal $v:literal $edge:ident),*) => {
                    match (high, vectors, is_whole) {
                        $(
                            ($r, $v, true) => T::dispatch(token, Latent::<T, $r, $v, PLAIN> { p, at: (i, j), cols }),
                            ($r, $v, false) => T::dispatch(token, Latent::<T, $r, $v, $edge> { p, at: (i, j), cols }),
                        )*
                        _ => unreachable!("no code for {high} rows and {vectors} vectors"),
                    }
                };
            }
            sizes!(1 1 MASKED, 1 2 SHIFTED, 2 1 MASKED);
        }
    }
}

/// R rows and V vectors of C, each the sum of [`CHAINS`]; only [`multiply_latent`] makes one.
struct Latent<'a, T, const R: usize, const V: usize, const KIND: u8> {
    p: &'a Product<T>,
    at: (usize, usize),
    cols: usize,
}

impl<T: Element, const R: usize, const V: usize, const KIND: u8> Kernel<T> for Latent<'_, T, R, V, KIND> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let Self { p, at: (i, j), cols } = self;
        let last = Last::new(simd, V, cols);
        let update = Update { alpha: p.alpha, beta: p.beta, bias: p.finish.bias.at(i, j), relu: p.finish.is_relu() };
        // acc[q]: steps q, q + 4, q + 8 …
        let mut acc = [[[simd.splat(T::ZERO); V]; R]; CHAINS];
        let mut k = 0;
        // SAFETY: whoever made the product owes that its elements are readable, and those of C writable.
        unsafe {
            while k < p.k {
                // Whole rounds without a branch.
                let count = CHAINS.min(p.k - k);
                for q in 0..CHAINS {
                    if count == CHAINS || q < count {
                        for v in 0..V {
                            let b = load::<T, S, V, KIND>(simd, p.b.at(k + q, j), v, last);
                            for r in 0..R {
                                acc[q][r][v] = simd.fma(simd.splat(*p.a.at(i + r, k + q)), b, acc[q][r][v]);
                            }
                        }
                    }
                }
                k += CHAINS;
            }
            for r in 0..R {
                for v in 0..V {
                    let (even, odd) = (simd.add(acc[0][r][v], acc[2][r][v]), simd.add(acc[1][r][v], acc[3][r][v]));
                    acc[0][r][v] = simd.add(even, odd);
                }
            }
            write::<T, S, R, V, KIND>(simd, last, (p.c.at(i, j), p.c.row), update, acc[0]);
        }
        if Rest::is_needed(&p.finish) {
            let (finish, ptr) = (p.finish.at(i, j), p.c.at(i, j));
            simd.call(Rest { finish, c: super::Output { ptr, ..p.c }, rows: R, cols });
        }
    }
}

/// `cols` columns of a small product from `from` on, in `V` vectors; only [`multiply_small`] makes one.
struct Columns<'a, T, const V: usize, const KIND: u8> {
    p: &'a Product<T>,
    from: usize,
    cols: usize,
}

impl<T: Element, const V: usize, const KIND: u8> Kernel<T> for Columns<'_, T, V, KIND> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let Self { p, from, cols } = self;
        let last = Last::new(simd, V, cols);
        let mut i = 0;
        macro_rules! heights {
            ($($r:literal)*) => {
                $(
                    while const { fits(S::REGISTERS, $r, V) } && next_rows(p.m - i, most_rows(S::REGISTERS, V)) == $r {
                        // SAFETY: whoever made the product owes that its elements are readable, and those of C writable.
                        unsafe { rows::<T, S, $r, V, KIND>(simd, last, p, (i, from)) };
                        i += $r;
                    }
                )*
            };
        }
        heights!(8 7 6 5 4 3 2 1);
        debug_assert_eq!(i, p.m, "there is a tile of one row for {V} vectors");
        if Rest::is_needed(&p.finish) {
            let (finish, ptr) = (p.finish.at(0, from), p.c.at(0, from));
            simd.call(Rest { finish, c: super::Output { ptr, ..p.c }, rows: p.m, cols });
        }
    }
}

/// Rows of the next tile where `left` are left: not 8 and then a single one, which would wait for its own sums, but 5 and 4.
#[inline(always)]
fn next_rows(left: usize, most: usize) -> usize {
    match left {
        _ if left <= most => left,
        _ if left < 2 * most => left.div_ceil(2),
        _ => most,
    }
}

/// The tile at row i and column j.
///
/// # Safety
/// Its rows of A and columns of B are readable over all of k, as is its bias, and its C is writable.
#[inline(always)]
unsafe fn rows<T: Element, S: Simd<T>, const R: usize, const V: usize, const KIND: u8>(
    simd: S,
    last: Last<S::M>,
    p: &Product<T>,
    (i, j): (usize, usize),
) {
    let at = At { a: p.a.at(i, 0), b: p.b.at(0, j), packed: ptr::null_mut() };
    let way = Way { a_row: p.a.row, a_k: p.a.col, b_k: p.b.row, fetches: Ahead::Nothing, ahead: 0 };
    let mut steps = Steps::<T, S, R, V, KIND>::new(simd, last, way, at);
    let update = Update { alpha: p.alpha, beta: p.beta, bias: p.finish.bias.at(i, j), relu: p.finish.is_relu() };
    // SAFETY: the caller's debt.
    unsafe {
        steps.add(p.k);
        write::<T, S, R, V, KIND>(simd, last, (p.c.at(i, j), p.c.row), update, steps.acc);
    }
}
