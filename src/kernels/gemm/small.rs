//! Small products of operands that are read where they lie: tiles as in tile.rs, in one function for all rows, without the
//! choices, loops and hints that large products need.

use super::Product;
use super::blocking::{most_rows, small_vectors};
use super::epilogue::Rest;
use super::steps::{Ahead, At, Steps, Way};
use super::tile::{self, Kind, LOW, MASKED, PLAIN, Update, fits, write};
use crate::element::Element;
use crate::simd::{Kernel, Simd, Token};
use core::ptr;

/// Computes a product that [`is_small`](super::is_small).
///
/// # Safety
/// What whoever makes a `Nest` owes.
pub(crate) unsafe fn multiply_small<T: Element>(token: Token, p: &Product<T>) {
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
            2: Plain PLAIN, Masked MASKED, Low LOW;
            3: Plain PLAIN, Masked MASKED, Low LOW;
            4: Plain PLAIN, Masked MASKED;
        );
        from += cols;
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
        let last = simd.first(cols - (V - 1) * T::LANES);
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
    last: S::M,
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
