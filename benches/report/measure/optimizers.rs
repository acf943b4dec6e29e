//! Optimizer updates.

use super::passes::Operation;
use super::{Case, Effort, Group, Limit, on};
use crate::common::values;
use roofline::{AdamState, Exec, Isa, MomentumState, RmsPropState};

pub(super) fn groups(effort: Effort) -> Vec<Group> {
    let lengths: Vec<usize> = effort.choose(
        vec![1 << 10],
        vec![1 << 16, 1 << 21],
        vec![1 << 12, 1 << 16, 235_146, 1 << 22],
        vec![1 << 10, 1 << 12, 1 << 14, 1 << 16, 235_146, 1 << 20, 1 << 22, 10_000_000],
    );
    let one = on(Isa::best(), 1);
    let mut groups: Vec<Group> =
        lengths.into_iter().map(|len| Group::new(format!("optim {len}"), move || updates(one, len))).collect();
    let threads = Exec::default().threads();
    if threads > 1 {
        let len = effort.choose(1 << 10, 1 << 21, 1 << 22, 1 << 22);
        groups.push(Group::new(format!("optim {len}, {threads} threads"), move || {
            updates(on(Isa::best(), threads), len)
        }));
    }
    groups
}

fn updates(exec: Exec, len: usize) -> Vec<Case> {
    const RATE: f64 = 1e-3;
    let equal = "equal lengths";
    let (mut momentum, mut nesterov) = (MomentumState::new(len), MomentumState::new(len));
    let (mut rmsprop, mut adam, mut adamw) = (RmsPropState::new(len), AdamState::new(len), AdamState::new(len));
    let on = (exec, len);
    vec![
        case(on, ("sgd", 4.0), 0, move |w, dw| exec.sgd(w, dw, RATE).expect(equal)),
        case(on, ("momentum", 7.0), 1, move |w, dw| exec.momentum(w, dw, &mut momentum, RATE).expect(equal)),
        case(on, ("nesterov", 12.0), 1, move |w, dw| exec.nesterov(w, dw, &mut nesterov, RATE).expect(equal)),
        case(on, ("rmsprop", 12.0), 1, move |w, dw| exec.rmsprop(w, dw, &mut rmsprop, RATE).expect(equal)),
        case(on, ("adam", 15.0), 2, move |w, dw| exec.adam(w, dw, &mut adam, RATE).expect(equal)),
        case(on, ("adamw", 15.0), 2, move |w, dw| exec.adamw(w, dw, &mut adamw, RATE, 1e-2).expect(equal)),
    ]
}

/// A rule that does so many operations a parameter: w is read and written, dw read, each moment read and written.
fn case(
    (exec, len): (Exec, usize),
    (name, flops): (&str, f64),
    moments: usize,
    mut update: impl FnMut(&mut [f32], &[f32]) + 'static,
) -> Case {
    let dw: Vec<f32> = values(len, 1).into_iter().map(|x| 1e-2 * x as f32).collect();
    let mut w = dw.clone();
    let work = (flops * len as f64, (4 * len * (3 + 2 * moments)) as f64);
    let limit = Limit::Either(Operation::Update, 4 * len * (2 + moments));
    Case::new::<f32>(exec, ("optim", name), &[len], work, limit, move || update(&mut w, &dw))
}
