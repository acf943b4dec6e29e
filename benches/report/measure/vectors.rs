//! Functions that compute each element by itself, and the sum of a slice.

use super::passes::Operation;
use super::{Case, Effort, Group, Limit, on};
use crate::common::values;
use crate::document::names::{LENGTH, SWEPT};
use roofline::{Dropout, Element, Exec, Isa, Reduction};
use std::hint::black_box;

/// y ← f(x); gradients take x for dy too, a read more, from memory that is at hand.
type Function<T> = fn(&Exec, &[T], &mut [T]) -> Result<(), roofline::Error>;

/// A function, and its operations an element in f32 and f64, an FMA counting as two: a count of what the kernels do, without moves,
/// comparisons and bit operations.
struct Entry<T> {
    family: &'static str,
    name: &'static str,
    flops: (f64, f64),
    function: Function<T>,
}

fn entries<T: Element>() -> Vec<Entry<T>> {
    macro_rules! entries {
        ($($family:literal: $($plain:ident $single:literal $double:literal),*; $($gradient:ident $s:literal $d:literal),*;)*) => {
            vec![$(
                $(Entry {
                    family: $family,
                    name: stringify!($plain),
                    flops: ($single, $double),
                    function: |exec, x, y| exec.$plain(x, y),
                },)*
                $(Entry {
                    family: $family,
                    name: stringify!($gradient),
                    flops: ($s, $d),
                    function: |exec, x, y| exec.$gradient(x, x, y),
                },)*
            )*]
        };
    }
    let mut entries = entries! {
        "activation": relu 1.0 1.0, leaky_relu 2.0 2.0, sigmoid 37.0 48.0, tanh 27.0 58.0, elu 36.0 47.0, gelu 54.0 108.0,
            gelu_tanh 58.0 69.0, silu 38.0 49.0, softplus 45.0 69.0;
            relu_grad 1.0 1.0, sigmoid_grad 31.0 42.0, tanh_grad 33.0 44.0, elu_grad 27.0 38.0, gelu_grad 66.0 101.0,
            gelu_tanh_grad 97.0 108.0, silu_grad 64.0 75.0, softplus_grad 38.0 49.0;
        "elementwise": exp 25.0 36.0, exp_m1 35.0 46.0, log 31.0 33.0, ln_1p 36.0 38.0, erf 23.0 105.0, erfc 78.0 117.0; ;
    };
    entries.push(Entry {
        family: "dropout",
        name: "dropout",
        flops: (1.0, 1.0),
        function: |exec, x, y| exec.dropout(Dropout { keep_prob: 0.8, seed: 1, step: 1 }, x, y),
    });
    entries
}

pub(super) fn groups(effort: Effort) -> Vec<Group> {
    let lengths: Vec<usize> = effort.choose(
        vec![1 << 10],
        vec![1 << 12, LENGTH, 1 << 22],
        vec![1 << 10, 1 << 12, 1 << 14, LENGTH, 1 << 18, 1 << 20, 1 << 23],
        vec![1 << 10, 1 << 12, 1 << 14, LENGTH, 1 << 18, 1 << 20, 1 << 22, 1 << 23, 1 << 25],
    );
    let mut groups = vec![
        Group::new("functions, f32", || every::<f32>(on(Isa::best(), 1), LENGTH)),
        Group::new("functions, f64", || every::<f64>(on(Isa::best(), 1), LENGTH)),
    ];
    let swept = lengths.into_iter().map(|len| {
        Group::new(format!("functions, {len} elements"), move || {
            let is_new = |case: &Case| case.kernel.family == "reduce" || len != LENGTH;
            some(on(Isa::best(), 1), len).into_iter().filter(is_new).collect()
        })
    });
    groups.extend(swept);
    if effort.choose(false, false, false, true) {
        for isa in Isa::available().skip(1) {
            groups.push(Group::new(format!("functions, {isa}"), move || every::<f32>(on(isa, 1), LENGTH)));
        }
        groups.push(Group::new("functions in memory, f32", || every::<f32>(on(Isa::best(), 1), 1 << 23)));
    }
    let threads = Exec::default().threads();
    if threads > 1 {
        let len = effort.choose(1 << 10, 1 << 20, 1 << 20, 1 << 20);
        groups.push(Group::new(format!("functions, {threads} threads"), move || some(on(Isa::best(), threads), len)));
    }
    groups
}

/// All functions on one length.
fn every<T: Element>(exec: Exec, len: usize) -> Vec<Case> {
    entries::<T>().into_iter().map(|entry| case(exec, len, entry)).collect()
}

/// Those that are measured on many lengths.
fn some(exec: Exec, len: usize) -> Vec<Case> {
    let swept = entries::<f32>().into_iter().filter(|entry| SWEPT.contains(&entry.name));
    let mut cases: Vec<Case> = swept.map(|entry| case(exec, len, entry)).collect();
    let x: Vec<f32> = values(len, 1).into_iter().map(|x| x as f32).collect();
    let (flops, bytes) = (len as f64, 4.0 * len as f64);
    let limit = Limit::Pass(Operation::Read, 4 * len);
    cases.push(Case::new::<f32>(exec, ("reduce", "sum"), &[len], (flops, bytes), limit, move || {
        black_box(exec.reduce(Reduction::Sum, black_box(&x)).expect("not empty"));
    }));
    cases
}

fn case<T: Element>(exec: Exec, len: usize, entry: Entry<T>) -> Case {
    let Entry { family, name, flops, function } = entry;
    // Logarithms give NaN for the negative ones, in the same time.
    let x: Vec<T> = values(len, 1).into_iter().map(|x| T::from_f64(8.0 * x)).collect();
    let mut y = x.clone();
    let held = 2 * len * size_of::<T>();
    let flops = if size_of::<T>() == 4 { flops.0 } else { flops.1 };
    let work = (flops * len as f64, held as f64);
    let limit = Limit::Either(Operation::Update, held);
    Case::new::<T>(exec, (family, name), &[len], work, limit, move || {
        function(&exec, black_box(&x), &mut y).expect("equal lengths");
    })
}
