//! One GEMM call, drawn from bytes and checked against the oracle.

use crate::common::gemm::Case;
use crate::common::strided::{Layout, Strided};
use crate::common::{Float, Rng, sequential_execs};
use arbitrary::Arbitrary;
use roofline::{Activation, Element, Exec};

/// Rows and columns, and mostly k, are at most this.
const MOST: usize = 80;
/// Multiply–adds from which a call forks: 2 · `GRAIN` of `src/gemm.rs`.
const FORKING_WORK: usize = 1 << 25;

/// A call: shape, memory, factors, epilogue, and how it runs.
#[derive(Arbitrary, Clone, Debug)]
pub struct Plan {
    double: bool,
    seed: u64,
    rows: u8,
    cols: u8,
    depth: Depth,
    memory: [Memory; 3],
    alpha: Factor,
    beta: Factor,
    bias: bool,
    activation: u8,
    special: Option<Special>,
    isa: u8,
    threads: u8,
}

#[derive(Arbitrary, Clone, Debug)]
enum Depth {
    Short(u8),
    /// So many steps from the end of the first or second block of k.
    Block { second: bool, steps: i8 },
    /// One value in 256: enough of k that threads share the work.
    Fork(u8),
}

#[derive(Arbitrary, Clone, Debug)]
struct Memory {
    by_columns: bool,
    gap: u8,
    pad: u8,
    flip_rows: bool,
    flip_cols: bool,
}

#[derive(Arbitrary, Clone, Debug)]
enum Factor {
    Zero,
    NegativeZero,
    One,
    Two,
    MinusHalf,
    Sixteenths(i8),
}

/// A NaN or an infinity in A or B.
#[derive(Arbitrary, Clone, Debug)]
struct Special {
    in_b: bool,
    row: u8,
    col: u8,
    kind: u8,
}

impl Plan {
    /// Makes the call that the plan describes and panics unless its result is right.
    pub fn run(&self) {
        if self.double { self.run_as::<f64>() } else { self.run_as::<f32>() }
    }

    fn run_as<T: Float>(&self) {
        let mut rng = Rng::new(self.seed);
        let case = self.case::<T>(&mut rng);
        let isas = sequential_execs();
        let exec = isas[self.isa as usize % isas.len()];
        let exec = exec.with_threads(1 + self.threads as usize % 4).expect("the feature `parallel` is on");
        // The best instruction set runs too: its bits are to be the same.
        let execs = [Exec::sequential(), exec];
        if case.a.cols > 3 * 32 * T::LANES {
            case.verify_sample(&execs, 20, &mut rng);
        } else {
            case.verify(&execs);
        }
    }

    fn case<T: Float>(&self, rng: &mut Rng) -> Case<T> {
        let (m, n) = (self.rows as usize % (MOST + 1), self.cols as usize % (MOST + 1));
        let shape = (m, n, self.depth.steps::<T>(m * n));
        let layouts = [0, 1, 2].map(|operand| self.memory[operand].layout());
        let mut case = Case::new(shape, layouts, rng).scaled(self.alpha.value(), self.beta.value(), rng);
        case.activation =
            [Activation::Identity, Activation::Relu, Activation::Sigmoid, Activation::Tanh][self.activation as usize % 4];
        case.bias = self.bias.then(|| rng.values(n));
        if let Some(special) = &self.special {
            special.put_into(if special.in_b { &mut case.b } else { &mut case.a });
        }
        case
    }
}

impl Depth {
    fn steps<T: Element>(&self, elements: usize) -> usize {
        match *self {
            Depth::Short(k) => k as usize % (MOST + 1),
            Depth::Block { second, steps } => {
                let block = 32 * T::LANES * if second { 2 } else { 1 };
                block.saturating_add_signed(steps as isize)
            }
            // Where few elements share it, k would have to be too long.
            Depth::Fork(171) if elements >= 1 << 10 => FORKING_WORK / elements + 1,
            Depth::Fork(k) => k as usize,
        }
    }
}

impl Memory {
    /// Half of the layouts have a unit stride, for most callers' have.
    fn layout(&self) -> Layout {
        let Memory { by_columns, gap, pad, flip_rows, flip_cols } = *self;
        Layout { by_columns, gap: [0, 0, 1, 2][gap as usize % 4], pad: pad as usize % 8, flip_rows, flip_cols }
    }
}

impl Factor {
    fn value(&self) -> f64 {
        match *self {
            Factor::Zero => 0.0,
            Factor::NegativeZero => -0.0,
            Factor::One => 1.0,
            Factor::Two => 2.0,
            Factor::MinusHalf => -0.5,
            Factor::Sixteenths(x) => f64::from(x) / 16.0,
        }
    }
}

impl Special {
    fn put_into<T: Float>(&self, x: &mut Strided<T>) {
        if x.rows > 0 && x.cols > 0 {
            let value = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY][self.kind as usize % 3];
            x.set(self.row as usize % x.rows, self.col as usize % x.cols, T::from_f64(value));
        }
    }
}
