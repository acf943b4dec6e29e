//! Elementwise work over whole arrays.

use super::math;
use crate::element::Element;
use crate::simd::slice::{Arrays, Lanewise};
use crate::simd::{Kernel, Simd};

/// outputs[i] = f(inputs[i]).
pub(crate) struct Sweep<T, F, const IN: usize, const OUT: usize> {
    pub(crate) arrays: Arrays<T, IN, OUT>,
    pub(crate) f: F,
}

impl<T: Element, F: Lanewise<T, IN, OUT>, const IN: usize, const OUT: usize> Kernel<T> for Sweep<T, F, IN, OUT> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        self.arrays.apply(simd, self.f);
    }
}

/// Elementary functions over arrays.
macro_rules! elementary {
    ($($(#[$doc:meta])* $name:ident: $function:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(crate) struct $name;

        impl<T: Element> Lanewise<T, 1, 1> for $name {
            #[inline(always)]
            fn apply<S: Simd<T>>(self, simd: S, [x]: [S::V; 1]) -> [S::V; 1] {
                [math::$function(simd, x)]
            }
        }
    )*};
}

elementary! {
    /// eˣ.
    Exp: exp;
    /// eˣ − 1.
    ExpM1: exp_m1;
    /// ln x.
    Log: log;
    /// ln(1 + x).
    Ln1p: ln_1p;
    /// erf x.
    Erf: erf;
    /// 1 − erf x.
    Erfc: erfc;
}

/// y + alpha·x.
#[derive(Clone, Copy)]
pub(crate) struct Axpy<T> {
    pub(crate) alpha: T,
}

impl<T: Element> Lanewise<T, 2, 1> for Axpy<T> {
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, [x, y]: [S::V; 2]) -> [S::V; 1] {
        [simd.fma(simd.splat(self.alpha), x, y)]
    }
}

/// y + alpha·sign x.
#[derive(Clone, Copy)]
pub(crate) struct AxpySign<T> {
    pub(crate) alpha: T,
}

impl<T: Element> Lanewise<T, 2, 1> for AxpySign<T> {
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, [x, y]: [S::V; 2]) -> [S::V; 1] {
        let zero = simd.splat(T::ZERO);
        let below = simd.select(simd.lt(x, zero), simd.splat(-self.alpha), zero);
        [simd.add(y, simd.select(simd.lt(zero, x), simd.splat(self.alpha), below))]
    }
}
