//! What the plans of the kernels share: lengths, numbers, layouts, and the ways to run a call.

use crate::common::strided::{Layout, Strided};
use crate::common::twofold::times_power;
use crate::common::{Float, Rng, assert_same_bits, sequential_execs};
use arbitrary::Arbitrary;
use core::fmt::Debug;
use roofline::Exec;

/// A length: short, and in one input of 64 long enough that threads share the work.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct Length {
    short: u8,
    fork: u8,
}

impl Length {
    pub fn is_long(self) -> bool {
        self.fork % 64 == 63
    }

    /// Up to 255 more than `long` if it is long, else up to 255.
    pub fn of(self, long: usize) -> usize {
        self.short as usize + if self.is_long() { long } else { 0 }
    }
}

/// Random numbers, some of them replaced.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct Numbers {
    seed: u64,
    size: Size,
    special: [Special; 3],
}

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
enum Size {
    Hundredths,
    Ones,
    Tens,
    /// All that the type has, subnormal ones too, each order of magnitude as likely.
    Any,
}

/// A number that is put somewhere, or none.
#[derive(Arbitrary, Clone, Copy, Debug)]
struct Special {
    at: u16,
    value: u8,
}

impl Numbers {
    /// As many, in an allocation of exactly their size.
    pub fn values<T: Float>(&self, len: usize) -> Box<[T]> {
        let mut rng = Rng::new(self.seed);
        let mut x: Box<[T]> = (0..len).map(|_| self.size.value(&mut rng)).collect();
        for special in self.special {
            if let Some(value) = special.number::<T>().filter(|_| len > 0) {
                x[special.at as usize % len] = value;
            }
        }
        x
    }

    /// As a matrix that lies in memory as it is told.
    pub fn matrix<T: Float>(&self, memory: &Memory, rows: usize, cols: usize) -> Strided<T> {
        let values = self.values(rows * cols);
        Strided::new(memory.layout(), rows, cols, |i, j| values[i * cols + j])
    }

    /// Whether they are what an error bound is stated for: at most 10 in magnitude, and none of them special.
    pub fn are_plain(&self) -> bool {
        self.size != Size::Any && self.special.iter().all(|special| special.number::<f64>().is_none())
    }
}

impl Size {
    fn value<T: Float>(self, rng: &mut Rng) -> T {
        match self {
            Size::Hundredths => T::from_f64(0.01 * rng.value::<f64>()),
            Size::Ones => rng.value(),
            Size::Tens => T::from_f64(10.0 * rng.value::<f64>()),
            Size::Any => {
                let (least, orders) = if T::LANES == 16 { (-149, 277) } else { (-1074, 2098) };
                T::from_f64(times_power(rng.value(), least + rng.below(orders) as i32))
            }
        }
    }
}

impl Special {
    fn number<T: Float>(self) -> Option<T> {
        let (least, most) = if T::LANES == 16 { (1e-45, f64::from(f32::MAX)) } else { (5e-324, f64::MAX) };
        let values = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, most, -most, least, -least, 1e-310, 0.0, -0.0];
        values.get(self.value as usize).map(|&x| T::from_f64(x))
    }
}

/// How a matrix lies in memory.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct Memory {
    by_columns: bool,
    gap: u8,
    pad: u8,
    flip_rows: bool,
    flip_cols: bool,
}

impl Memory {
    /// Half of the layouts have a unit stride, for most callers' have.
    pub fn layout(&self) -> Layout {
        let Memory { by_columns, gap, pad, flip_rows, flip_cols } = *self;
        Layout { by_columns, gap: [0, 0, 1, 2][gap as usize % 4], pad: pad as usize % 8, flip_rows, flip_cols }
    }
}

/// Every instruction set on this thread, and the best one on two and on three.
pub fn execs() -> Vec<Exec> {
    let threads = [2, 3].into_iter().filter_map(|threads| Exec::default().with_threads(threads).ok());
    sequential_execs().into_iter().chain(threads).collect()
}

/// What a call gives on all of [`execs`]: the same bits where that is promised.
pub fn results<T: Float>(what: &dyn Debug, run: impl Fn(Exec) -> Vec<T>) -> Vec<(Exec, Vec<T>)> {
    let results: Vec<_> = execs().into_iter().map(|exec| (exec, run(exec))).collect();
    assert_same_bits(&format!("{what:?}"), &results);
    results
}

/// Fails unless the numbers have the same bits, NaN aside.
#[track_caller]
pub fn assert_same<T: Float>(what: &dyn Debug, a: &[T], b: &[T]) {
    let exec = Exec::sequential();
    assert_same_bits(&format!("{what:?}"), &[(exec, a.to_vec()), (exec, b.to_vec())]);
}

/// Fails unless each result that a NaN goes into is one, and `is_nan` says of which elements that is so.
#[track_caller]
pub fn assert_nan<T: Float>(what: &dyn Debug, x: &[T], is_nan: impl Fn(usize) -> bool) {
    for (at, x) in x.iter().enumerate() {
        assert_eq!(x.to_f64().is_nan(), is_nan(at), "{what:?}: element {at} is {x:e}");
    }
}
