//! One GEMM call, drawn from bytes and checked against the oracle, and another form of it.

use super::operands::{Memory, assert_same};
use crate::common::gemm::Case;
use crate::common::strided::Strided;
use crate::common::{Float, Rng, exact_sum, sequential_execs};
use arbitrary::Arbitrary;
use roofline::{Activation, Element, Epilogue, Exec, PackedB};

/// Rows and columns, and mostly k, are at most this.
const MOST: usize = 80;
/// Multiply–adds from which a call forks: 2 · `GRAIN` of `src/gemm.rs`.
const FORKING_WORK: usize = 1 << 25;
/// Multiply–adds up to which all elements are checked.
const MOST_CHECKED: usize = 1 << 16;

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
    form: Form,
    isa: u8,
    threads: u8,
}

/// Another form of the same call.
#[derive(Arbitrary, Clone, Debug)]
enum Form {
    /// By pointers, without an epilogue.
    Raw,
    /// B is packed ahead, twice.
    Packed,
    ColumnSums,
    /// Times the gradient of an activation, whose outputs lie in memory like this.
    Gradient(u8, Memory),
}

#[derive(Arbitrary, Clone, Debug)]
enum Depth {
    Short(u8),
    /// So many steps from the end of the first or second block of k.
    Block {
        second: bool,
        steps: i8,
    },
    /// One value in 256: enough of k that threads share the work.
    Fork(u8),
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
        // What is checked takes longer than the product.
        if case.c.rows * case.c.cols * case.a.cols > MOST_CHECKED {
            case.verify_sample(&execs, 20, &mut rng);
        } else {
            case.verify(&execs);
        }
        for exec in execs {
            match &self.form {
                Form::Raw => check_raw(&case, exec),
                Form::Packed => check_packed(&case, exec, &mut rng),
                Form::ColumnSums => check_column_sums(&case, exec),
                Form::Gradient(activation, memory) => check_gradient(&case, exec, (*activation, memory), &mut rng),
            }
        }
    }

    fn case<T: Float>(&self, rng: &mut Rng) -> Case<T> {
        let (m, n) = (self.rows as usize % (MOST + 1), self.cols as usize % (MOST + 1));
        let shape = (m, n, self.depth.steps::<T>(m * n));
        let layouts = [0, 1, 2].map(|operand| self.memory[operand].layout());
        let mut case = Case::new(shape, layouts, rng).scaled(self.alpha.value(), self.beta.value(), rng);
        case.activation = [Activation::Identity, Activation::Relu, Activation::Sigmoid, Activation::Tanh]
            [self.activation as usize % 4];
        case.bias = self.bias.then(|| rng.values(n));
        if let Some(special) = &self.special {
            special.put_into(if special.in_b { &mut case.b } else { &mut case.a });
        }
        case
    }
}

/// Pointers give the bits that views give.
fn check_raw<T: Float>(case: &Case<T>, exec: Exec) {
    let plain = Case { bias: None, activation: Activation::Identity, ..case.clone() };
    let (expected, found) = (plain.run(exec), plain.run_raw(exec));
    assert_same(&(&plain, exec), &expected.to_vec(), &found.to_vec());
    assert!(found.gaps_untouched(), "{plain:?} on {exec:?}, raw");
}

/// A packed B gives a product within the bound, after a `repack` the same bits.
fn check_packed<T: Float>(case: &Case<T>, exec: Exec, rng: &mut Rng) {
    let mut packed = PackedB::new(&exec, case.b.view());
    let run = |packed: &PackedB<T>| {
        let (mut c, activation) = (case.c.clone(), case.activation);
        let epilogue = Epilogue { bias: case.bias.as_deref(), activation, gradient: None };
        exec.gemm_packed(case.alpha, case.a.view(), packed, case.beta, c.view_mut(), epilogue).expect("it fits");
        c
    };
    let found = run(&packed);
    let (m, n) = (found.rows, found.cols);
    for at in (0..m * n).take(40).map(|_| rng.below(m * n)) {
        let place = (at / n, at % n);
        case.check_element(exec, &found, place, case.expected(place.0, place.1));
    }
    assert!(found.gaps_untouched(), "{case:?} on {exec:?}, packed");
    packed.repack(&exec, case.b.view()).expect("as before");
    assert_same(&(case, exec), &found.to_vec(), &run(&packed).to_vec());
}

/// The product has the bits that it has alone, and the sums are those of B within (k + 2)·u·Σ|b|.
fn check_column_sums<T: Float>(case: &Case<T>, exec: Exec) {
    let plain = Case { bias: None, activation: Activation::Identity, ..case.clone() };
    let (mut c, mut sums) = (case.c.clone(), vec![T::CANARY; case.c.cols].into_boxed_slice());
    let (a, b) = (case.a.view(), case.b.view());
    exec.gemm_column_sums(case.alpha, a, b, case.beta, c.view_mut(), &mut sums).expect("it fits");
    assert_same(&(case, exec), &plain.run(exec).to_vec(), &c.to_vec());
    assert!(c.gaps_untouched(), "{case:?} on {exec:?}, column sums");
    for (j, sum) in sums.iter().enumerate() {
        let column: Vec<f64> = (0..case.b.rows).map(|p| case.b.get(p, j).to_f64()).collect();
        let size: f64 = column.iter().map(|b| b.abs()).sum();
        let (sum, exact) = (sum.to_f64(), if size.is_finite() { exact_sum(&column) } else { column.iter().sum() });
        let bound = (column.len() + 2) as f64 * T::UNIT_ROUNDOFF * size;
        let agrees = sum == exact || (sum - exact).abs() <= bound || sum.is_nan() && exact.is_nan();
        assert!(agrees, "{case:?} on {exec:?}: sum {sum:e} of column {j}, not {exact:e}");
    }
}

/// The gradient as epilogue is, to the bit, the product and then the pass over it.
fn check_gradient<T: Float>(case: &Case<T>, exec: Exec, (activation, memory): (u8, &Memory), rng: &mut Rng) {
    let known: Vec<_> = Activation::ALL.into_iter().filter(|f| f.output_determines_gradient()).collect();
    let (activation, (m, n)) = (known[activation as usize % known.len()], (case.c.rows, case.c.cols));
    let outputs = Strided::new(memory.layout(), m, n, |_, _| rng.value());
    let (mut c, mut expected) = (case.c.clone(), case.run(exec).to_vec());
    exec.activation_grad_from_output_inplace(activation, &outputs.to_vec(), &mut expected).expect("one shape");
    let gradient = Some((activation, outputs.view()));
    let epilogue = Epilogue { bias: case.bias.as_deref(), activation: case.activation, gradient };
    exec.gemm_with(case.alpha, case.a.view(), case.b.view(), case.beta, c.view_mut(), epilogue).expect("one shape");
    assert_same(&(case, exec, activation), &expected, &c.to_vec());
    assert!(c.gaps_untouched(), "{case:?} on {exec:?}, gradient");
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
