//! The elementary functions and activations: what they are called, their oracle, and how far they may be off.

use super::oracle;
use super::twofold::Wide;
use roofline::{Element, Error, Exec};

/// Bounds in ULP, by the precision that each function promises.
const CLOSE: Limits = Limits { f32: 1.0, f64: 1.0, unfused: 2.0 };
/// One f32 ULP, but in f64 the coefficients have fewer digits to spare.
const FAIR: Limits = Limits { f32: 1.0, f64: 3.0, unfused: 3.0 };
const GOOD: Limits = Limits { f32: 2.0, f64: 3.0, unfused: 4.0 };
/// Without FMA the low half of x² is lost, which tails multiply by x².
const TAIL: Limits = Limits { f32: 3.0, f64: 3.0, unfused: 2000.0 };
const SUM: Limits = Limits { f32: 4.0, f64: 4.0, unfused: 6.0 };
const SUM_AND_TAIL: Limits = Limits { f32: 4.0, f64: 4.0, unfused: 2000.0 };

/// Greatest errors in ULP: with FMA, and on `Portable` without it.
#[derive(Clone, Copy)]
pub struct Limits {
    pub f32: f64,
    pub f64: f64,
    pub unfused: f64,
}

/// Below 2⁻⁶ errors are counted in ULP of 2⁻⁶: beside the zero of the derivative, where two terms cancel.
pub const FLOOR: i32 = -6;
/// No such floor.
pub const NONE: i32 = i32::MIN;

pub type Run<T> = fn(&Exec, &[T], &mut [T]) -> Result<(), Error>;

#[derive(Clone, Copy)]
pub struct Function<T> {
    pub name: &'static str,
    pub run: Run<T>,
    pub oracle: fn(f64) -> Wide,
    pub limits: Limits,
    pub floor: i32,
}

/// All of them. Gradients are taken with dy = 1.
pub fn functions<T: Element>() -> [Function<T>; 20] {
    macro_rules! plain {
        ($name:ident, $limits:expr) => {
            Function {
                name: stringify!($name),
                run: |exec, x, y| exec.$name(x, y),
                oracle: oracle::$name,
                limits: $limits,
                floor: NONE,
            }
        };
    }
    macro_rules! gradient {
        ($name:ident, $oracle:ident, $limits:expr, $floor:expr) => {
            Function {
                name: stringify!($name),
                run: |exec, x, y| exec.$name(x, &vec![T::ONE; x.len()], y),
                oracle: oracle::$oracle,
                limits: $limits,
                floor: $floor,
            }
        };
    }
    [
        plain!(exp, CLOSE),
        plain!(log, CLOSE),
        plain!(exp_m1, FAIR),
        plain!(ln_1p, FAIR),
        plain!(erf, GOOD),
        plain!(erfc, TAIL),
        plain!(sigmoid, GOOD),
        plain!(tanh, GOOD),
        plain!(silu, GOOD),
        plain!(softplus, GOOD),
        plain!(elu, FAIR),
        plain!(gelu, SUM_AND_TAIL),
        plain!(gelu_tanh, SUM_AND_TAIL),
        gradient!(sigmoid_grad, sigmoid_grad, SUM, NONE),
        gradient!(tanh_grad, tanh_grad, SUM, NONE),
        gradient!(elu_grad, elu_grad, CLOSE, NONE),
        gradient!(softplus_grad, sigmoid, GOOD, NONE),
        gradient!(silu_grad, silu_grad, SUM, FLOOR),
        gradient!(gelu_grad, gelu_grad, SUM_AND_TAIL, NONE),
        gradient!(gelu_tanh_grad, gelu_tanh_grad, SUM_AND_TAIL, FLOOR),
    ]
}
