//! The limits themselves: FMA chains on several threads, and plain passes over memory.
//!
//! A pass is plain code, compiled for each instruction set; which of them is fastest at stores differs between machines, so the best counts.

use roofline::{Element, Exec};
use std::hint::black_box;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// What a pass does with memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Read,
    Write,
    /// Read, modify, write in place: bytes count both ways.
    Update,
}

/// Passes over memory of each thread's own.
pub(crate) struct Pass {
    operation: Operation,
    /// One for each thread.
    memory: Vec<Mutex<Vec<f32>>>,
    variants: Vec<Variant>,
}

/// The loops of one instruction set.
#[derive(Clone, Copy)]
struct Variant {
    write: fn(&mut [f32], f32),
    update: fn(&mut [f32]),
}

#[inline(always)]
fn write(memory: &mut [f32], value: f32) {
    for x in memory {
        *x = value;
    }
}

#[inline(always)]
fn update(memory: &mut [f32]) {
    for x in memory {
        *x = -*x;
    }
}

/// The loops with a feature of the CPU, for which the compiler then makes vectors.
#[cfg(target_arch = "x86_64")]
macro_rules! variant {
    ($feature:tt) => {{
        #[target_feature(enable = $feature)]
        fn write_all(memory: &mut [f32], value: f32) {
            write(memory, value);
        }
        #[target_feature(enable = $feature)]
        fn update_all(memory: &mut [f32]) {
            update(memory);
        }
        std::arch::is_x86_feature_detected!($feature).then_some(Variant {
            // SAFETY: this is made only where the CPU has the feature.
            write: |memory, value| unsafe { write_all(memory, value) },
            // SAFETY: as above.
            update: |memory| unsafe { update_all(memory) },
        })
    }};
}

/// Of all instruction sets that the machine has.
fn variants() -> Vec<Variant> {
    let plain = Variant { write: |memory, value| write(memory, value), update: |memory| update(memory) };
    #[cfg(target_arch = "x86_64")]
    let better: Vec<Variant> = [variant!("avx512f"), variant!("avx2")].into_iter().flatten().collect();
    #[cfg(not(target_arch = "x86_64"))]
    let better = Vec::new();
    if better.is_empty() { vec![plain] } else { better }
}

impl Operation {
    /// In reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Operation::Read => "read",
            Operation::Write => "write",
            Operation::Update => "update",
        }
    }
}

impl Pass {
    /// Over `bytes` in all, a part for each thread.
    pub(crate) fn new(operation: Operation, bytes: usize, threads: usize) -> Self {
        let len = (bytes / size_of::<f32>() / threads).max(1);
        let memory = (0..threads).map(|_| Mutex::new(vec![1.0; len])).collect();
        Self { operation, memory, variants: variants() }
    }

    /// The best of the variants; of all threads together.
    pub(crate) fn gb_per_s(&mut self) -> f64 {
        if self.operation == Operation::Read {
            return self.rate(|memory| Exec::sequential().read_bandwidth(memory, 1));
        }
        let rates: Vec<f64> =
            self.variants.iter().map(|&variant| self.rate(|memory| self.repeat(variant, memory))).collect();
        rates.into_iter().fold(0.0, f64::max)
    }

    fn rate(&self, one: impl Fn(&mut Vec<f32>) -> f64 + Sync) -> f64 {
        together(self.memory.len(), |thread| one(&mut self.memory[thread].lock().expect("no pass panics")))
    }

    /// GB/s of one thread over about as much time as [`Exec::read_bandwidth`].
    fn repeat(&self, variant: Variant, memory: &mut [f32]) -> f64 {
        let bytes = size_of_val(memory);
        let repetitions = (64_000_000 / bytes).max(1);
        let start = Instant::now();
        for _ in 0..repetitions {
            match self.operation {
                Operation::Read | Operation::Write => (variant.write)(black_box(&mut *memory), black_box(1.0)),
                Operation::Update => (variant.update)(black_box(&mut *memory)),
            }
        }
        let ways = if self.operation == Operation::Update { 2.0 } else { 1.0 };
        ways * (bytes * repetitions) as f64 / start.elapsed().as_secs_f64() / 1e9
    }
}

/// GFLOP/s of FMA chains on so many threads at once.
pub(crate) fn fma<T: Element>(exec: Exec, threads: usize) -> f64 {
    together(threads, |_| exec.fma_peak::<T>(1))
}

/// The sum of what so many threads of the pool measure at the same time: each waits for the others before it begins.
fn together(threads: usize, one: impl Fn(usize) -> f64 + Sync) -> f64 {
    if threads == 1 {
        return one(0);
    }
    let (waiting, rates) = (AtomicUsize::new(threads), Mutex::new(0.0));
    rayon::broadcast(|context| {
        if context.index() >= threads {
            return;
        }
        waiting.fetch_sub(1, Ordering::Relaxed);
        while waiting.load(Ordering::Relaxed) > 0 {
            std::hint::spin_loop();
        }
        let rate = one(context.index());
        *rates.lock().expect("no measurement panics") += rate;
    });
    rates.into_inner().expect("no measurement panics")
}
