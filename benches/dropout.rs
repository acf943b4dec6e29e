//! `cargo bench --bench dropout`: dropout in place, alone and with an activation, one thread: ns an element, GB/s, and the share of the
//! bandwidth of a pass in place over as much memory.

mod common;

use common::{alternate, is_test, is_wanted, read_modify_write, values};
use roofline::{Activation, Dropout, Element, Exec, Isa};
use std::hint::black_box;

fn main() {
    for isa in Isa::available().filter(|&isa| isa != Isa::Portable) {
        let exec = Exec::sequential().with_isa(isa).expect("it is available");
        for len in [4096, 65_536, 1 << 20, 10_000_000] {
            if !is_test() || len < 1 << 20 {
                table::<f32>(&exec, len);
                table::<f64>(&exec, len);
            }
        }
    }
}

fn table<T: Element>(exec: &Exec, len: usize) {
    let name = format!("{} {} {len}", exec.isa(), T::NAME);
    if !is_wanted(&name) {
        return;
    }
    let dropout = Dropout { keep_prob: 0.8, seed: 1, step: 1 };
    let mut x: [Vec<T>; 4] = [(); 4].map(|()| values(len, 1).into_iter().map(T::from_f64).collect());
    let [plain, with_relu, relu, with_tanh] = &mut x;
    let mut memory = vec![1.0_f32; len * size_of::<T>() / 4];
    let mut plain = || exec.dropout_inplace(dropout, black_box(plain)).expect("a probability");
    let mut with_relu = || {
        exec.activation_dropout_inplace(Activation::Relu, dropout, black_box(with_relu)).expect("a probability");
    };
    let mut relu = || exec.relu_inplace(black_box(relu)).expect("never fails");
    let mut with_tanh = || {
        exec.activation_dropout_inplace(Activation::Tanh, dropout, black_box(with_tanh)).expect("a probability");
    };
    let mut pass = || read_modify_write(&mut memory);
    let times = alternate(&mut [&mut plain, &mut with_relu, &mut relu, &mut with_tanh, &mut pass]);
    let bytes = (2 * len * size_of::<T>()) as f64;
    let limit = bytes / times[4] / 1e9;
    for (kernel, time) in ["dropout", "relu + dropout", "relu", "tanh + dropout"].into_iter().zip(times) {
        let (ns, rate) = (time / len as f64 * 1e9, bytes / time / 1e9);
        println!(
            "{name:24} {kernel:15} {ns:7.3} ns/element {rate:7.1} GB/s {:6.1} % of {limit:.1}",
            100.0 * rate / limit
        );
    }
}
