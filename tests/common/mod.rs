//! What the tests share: values, distances, ways to run a call, memory layouts and oracles.

#![allow(dead_code, unused_macros, reason = "each test crate uses a part of it")]

pub mod dropout;
pub mod functions;
pub mod gemm;
pub mod loss;
pub mod norm;
pub mod optim;
pub mod oracle;
pub mod reduce;
pub mod softmax;
pub mod strided;
pub mod twofold;
pub mod ulp;

use roofline::{Element, Error, Exec, Isa};

/// Makes a test of each generic function for `f32` and one for `f64`.
macro_rules! both_types {
    ($($name:ident),* $(,)?) => {
        mod single {
            $(#[test] fn $name() { super::$name::<f32>() })*
        }
        mod double {
            $(#[test] fn $name() { super::$name::<f64>() })*
        }
    };
}

/// An element whose bits can be compared.
pub trait Float: Element {
    /// A NaN that no operation makes: what lies where nobody may read or write.
    const CANARY: Self;

    /// The bits, widened.
    fn bits(self) -> u64;
}

impl Float for f32 {
    const CANARY: f32 = f32::from_bits(0x7fc0_beef);

    fn bits(self) -> u64 {
        self.to_bits().into()
    }
}

impl Float for f64 {
    const CANARY: f64 = f64::from_bits(0x7ff8_0000_dead_beef);

    fn bits(self) -> u64 {
        self.to_bits()
    }
}

pub fn is_nan<T: Float>(x: T) -> bool {
    x.to_f64().is_nan()
}

/// The bits that a call promises: NaN payloads are free.
pub fn promised_bits<T: Float>(x: T) -> u64 {
    if is_nan(x) { u64::MAX } else { x.bits() }
}

/// Floating-point numbers between `a` and `b`, counting one end: 0 for equal numbers, for −0 and +0, and for two NaN;
/// `u64::MAX` for a NaN and a number.
pub fn ulp_distance<T: Float>(a: T, b: T) -> u64 {
    match (is_nan(a), is_nan(b)) {
        (true, true) => 0,
        (false, false) => place(a).abs_diff(place(b)),
        _ => u64::MAX,
    }
}

/// The place of a number in the order of all numbers; ±0 are at 0.
fn place<T: Float>(x: T) -> i64 {
    let sign = 1_u64 << (8 * size_of::<T>() - 1);
    let magnitude = (x.bits() & !sign) as i64;
    if x.bits() & sign == 0 { magnitude } else { -magnitude }
}

/// SplitMix64 (Steele, Lea and Flood 2014): the same values on every machine.
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// An integer of `0..end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.bits() % end as u64) as usize
    }

    /// Uniform on [−1, 1), every bit of the mantissa in use: sums of products are inexact.
    pub fn value<T: Element>(&mut self) -> T {
        T::from_f64((self.bits() >> 11) as f64 / (1_u64 << 52) as f64 - 1.0)
    }

    /// An integer of −8..=8, as a float.
    pub fn integer<T: Element>(&mut self) -> T {
        T::from_f64(self.below(17) as f64 - 8.0)
    }

    pub fn values<T: Element>(&mut self, len: usize) -> Vec<T> {
        (0..len).map(|_| self.value()).collect()
    }
}

/// Every instruction set of this machine, on this thread.
pub fn sequential_execs() -> Vec<Exec> {
    Isa::available().map(|isa| Exec::sequential().with_isa(isa).expect("it is available")).collect()
}

/// Thread counts that split work evenly and unevenly, and more than this machine may have.
pub const THREADS: [usize; 6] = [1, 2, 3, 5, 8, 16];

/// Every instruction set of this machine on every number of [`THREADS`] that the build allows.
pub fn execs() -> Vec<Exec> {
    let threads = |exec: Exec| THREADS.into_iter().filter_map(move |threads| exec.with_threads(threads).ok());
    sequential_execs().into_iter().flat_map(threads).collect()
}

/// Whether `isa` multiplies and adds with one rounding, and so promises the bits of all others that do.
pub fn has_fma(isa: Isa) -> bool {
    isa != Isa::Portable || cfg!(any(target_arch = "aarch64", target_feature = "fma"))
}

/// Every instruction set of this machine that promises the same bits, on this thread.
pub fn fma_execs() -> Vec<Exec> {
    sequential_execs().into_iter().filter(|exec| has_fma(exec.isa())).collect()
}

/// Promise 2: results with FMA have the same bits; without it, whatever the number of threads.
pub fn assert_same_bits<T: Float>(what: &str, results: &[(Exec, Vec<T>)]) {
    for fused in [true, false] {
        let mut group = results.iter().filter(|(exec, _)| has_fma(exec.isa()) == fused);
        let Some((first, expected)) = group.next() else { continue };
        for (exec, found) in group {
            assert_eq!(expected.len(), found.len());
            let differs = |&i: &usize| promised_bits(expected[i]) != promised_bits(found[i]);
            if let Some(i) = (0..found.len()).find(differs) {
                panic!("{what}, element {i}: {:e} by {first:?}, {:e} by {exec:?}", expected[i], found[i]);
            }
        }
    }
}

/// Σ x with the errors of its additions summed beside it (Neumaier 1974), as exact as an oracle of `f64` for `f64` must be.
pub fn exact_sum(x: &[f64]) -> f64 {
    let (mut sum, mut errors) = (0.0_f64, 0.0);
    for &x in x {
        let next = sum + x;
        errors += if sum.abs() >= x.abs() { (sum - next) + x } else { (x - next) + sum };
        sum = next;
    }
    sum + errors
}

/// The message of an error says what was wrong, with the numbers.
#[track_caller]
pub fn assert_mentions(error: &Error, parts: &[&str]) {
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "`{text}` does not mention `{part}`");
    }
}
