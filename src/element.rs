//! [`Element`]: the two floating-point types that every kernel is written for.

use crate::backend::Foreign;
use crate::gemm::Multiply;
use crate::kernels::math::Constants;
use crate::simd::Dispatch;
use core::fmt::{Debug, Display, LowerExp};
use core::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub};

/// `f32` or `f64`. Sealed: the kernels know no other element type.
///
/// ```
/// use roofline::Element;
/// fn half<T: Element>(x: T) -> T { x * T::from_f64(0.5) }
/// assert_eq!(half(3.0_f32), 1.5);
/// ```
pub trait Element:
    Dispatch
    + Constants
    + Foreign
    + Multiply
    + Copy
    + Default
    + PartialOrd
    + Debug
    + Display
    + LowerExp
    + Send
    + Sync
    + Add<Output = Self>
    + AddAssign
    + Sub<Output = Self>
    + Mul<Output = Self>
    + MulAssign
    + Div<Output = Self>
    + Neg<Output = Self>
    + 'static
{
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// Elements of one 64-byte vector: 16 for `f32`, 8 for `f64`.
    const LANES: usize;
    /// Unit roundoff u = ε/2 (Higham 2002, §2.1).
    const UNIT_ROUNDOFF: f64;
    /// Name of the type, as Rust spells it.
    const NAME: &'static str;

    /// The nearest value of this type.
    fn from_f64(x: f64) -> Self;
    /// The same value in `f64` (exact).
    fn to_f64(self) -> f64;
}

macro_rules! element {
    ($($t:ident),*) => {$(
        impl Element for $t {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const LANES: usize = 64 / size_of::<$t>();
            const UNIT_ROUNDOFF: f64 = $t::EPSILON as f64 / 2.0;
            const NAME: &'static str = stringify!($t);

            #[inline]
            fn from_f64(x: f64) -> Self {
                x as $t
            }
            #[inline]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
        }
    )*};
}

element!(f32, f64);
