//! Promise 5: after the first step, a training step allocates nothing. One test only: the counter is of the process.

use roofline::nn::idx::parse_images;
use roofline::nn::{Dataset, ImageSet, Labels, MiniBatches, Mlp, MlpBuilder, Normalization, Optimizer, Penalty};
use roofline::{Activation, AdamState, Affine, AffineGradient, Dropout, Exec, Isa, Mat, Reduction, Statistics};
use roofline_instances as _;
use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: hands everything to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's debt.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's debt.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(f: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    f();
    ALLOCATIONS.load(Ordering::Relaxed) - before
}

/// The allocations of some epochs after the first one.
fn train(net: MlpBuilder<f32>, exec: Exec, values: Option<&Mat<f32>>, epochs: u64) -> usize {
    let x = Mat::<f32>::from_fn(100, 40, |i, j| ((i * 31 + j * 17) % 29) as f32 / 29.0);
    let data = Dataset::new(x, (0..100).map(|i| i % 10).collect(), 10).unwrap();
    let mut net = net.exec(exec).build().unwrap();
    let mut optimizer = Optimizer::adam(0.01);
    let mut batches = MiniBatches::new(&data, 32).unwrap();
    let mut epoch = |number| {
        batches.shuffle(1, number);
        while let Some(batch) = batches.next_batch() {
            net.forward(batch.x).unwrap();
            let labels = match values {
                None => Labels::Classes(batch.labels()),
                Some(values) => Labels::Values(values.as_ref().row_range(0, batch.labels().len()).unwrap()),
            };
            net.backward(batch.x, labels).unwrap();
            net.update(&mut optimizer).unwrap();
        }
    };
    epoch(0);
    allocations(|| (1..=epochs).for_each(&mut epoch))
}

/// Batches of images that stay bytes, converted and normalised on the way.
fn gather(exec: Exec, epochs: u64) -> usize {
    let header = [0x0803_u32, 100, 6, 7].into_iter().flat_map(|word| word.to_be_bytes());
    let file: Vec<u8> = header.chain((0..4200).map(|at| (at % 251) as u8)).collect();
    let mut set = ImageSet::<f32>::new(parse_images(&file).unwrap(), &[0; 100], 1, 255).unwrap();
    set.normalize(&Normalization::fit_images(&exec, &set).unwrap()).unwrap();
    let mut batches = MiniBatches::new(&set, 32).unwrap();
    let mut epoch = |number| {
        batches.shuffle(1, number);
        while let Some(batch) = batches.next_batch() {
            black_box(batch);
        }
    };
    epoch(0);
    allocations(|| (1..=epochs).for_each(&mut epoch))
}

#[test]
fn nothing_is_allocated_after_the_first_step() {
    assert!(allocations(|| drop(black_box(Box::new(1)))) > 0, "the counter counts");
    for isa in Isa::available() {
        let exec = Exec::sequential().with_isa(isa).unwrap();
        let plain = Mlp::<f32>::builder(40).dense(33, Activation::Relu).dense(20, Activation::Tanh);
        assert_eq!(train(plain.clone().softmax(10), exec, None, 5), 0, "training on {isa}");
        let all = Mlp::<f32>::builder(40).dense(33, Activation::Gelu).batch_norm().dropout(0.8);
        let all = all.dense(20, Activation::Relu).batch_norm().dense(20, Activation::Silu).dropout(0.5);
        let (values, column) = (Mat::zeros(32, 7), Mat::zeros(32, 1));
        assert_eq!(
            train(all.clone().softmax(10).penalty(Penalty::L2(0.1)), exec, None, 5),
            0,
            "with everything on {isa}"
        );
        assert_eq!(
            train(all.clone().sigmoid(7).penalty(Penalty::L1(0.1)), exec, Some(&values), 5),
            0,
            "sigmoid on {isa}"
        );
        assert_eq!(train(all.linear(7), exec, Some(&values), 5), 0, "linear on {isa}");
        assert_eq!(train(plain.sigmoid(1), exec, Some(&column), 5), 0, "logistic on {isa}");
        assert_eq!(gather(exec, 5), 0, "batches of bytes on {isa}");

        let (a, b) = (Mat::<f64>::zeros(140, 300), Mat::<f64>::zeros(300, 1024));
        let (mut c, mut state) = (Mat::zeros(140, 1024), AdamState::new(140 * 300));
        let (mut w, mut y) = (vec![0.0; 140 * 300], c.clone());
        let (long, mut long_y, mut lse) = (Mat::zeros(1, 100_000), Mat::<f64>::zeros(1, 100_000), vec![0.0; 140]);
        let (mut sums, mut of_rows, mut of_columns) = (vec![0.0; 1024], Statistics::new(140), Statistics::new(1024));
        let (ones, mut dbeta) = ([1.0; 140], [0.0; 140]);
        let affine = Affine { gamma: &ones, beta: &ones, epsilon: 1e-5 };
        let mut step = || {
            exec.gemm(1.0, a.as_ref(), b.as_ref(), 0.0, c.as_mut()).unwrap();
            exec.softmax(c.as_ref(), y.as_mut()).unwrap();
            exec.softmax(c.as_ref().t(), y.as_mut().t()).unwrap();
            exec.softmax_grad(c.as_ref().t(), c.as_ref().t(), y.as_mut().t()).unwrap();
            exec.log_softmax(long.as_ref(), long_y.as_mut()).unwrap();
            exec.softmax_inplace(long_y.as_mut()).unwrap();
            exec.logsumexp(c.as_ref(), &mut lse).unwrap();
            exec.reduce_columns(Reduction::Sum, c.as_ref(), &mut sums).unwrap();
            exec.reduce_rows(Reduction::Norm2, c.as_ref(), &mut lse).unwrap();
            exec.batch_norm(c.as_ref().t(), affine, &mut of_rows, y.as_mut().t()).unwrap();
            exec.layer_norm(c.as_ref().t(), affine, &mut of_columns, y.as_mut().t()).unwrap();
            for by_column in [true, false] {
                let gradient = AffineGradient { gamma: &mut lse, beta: &mut dbeta };
                let (pair, dx) = ((c.as_ref().t(), c.as_ref().t()), y.as_mut().t());
                if by_column {
                    exec.batch_norm_grad(pair, affine, &of_rows, dx, gradient).unwrap();
                } else {
                    exec.layer_norm_grad(pair, affine, &of_columns, dx, gradient).unwrap();
                }
            }
            exec.dropout_inplace(Dropout { keep_prob: 0.5, seed: 1, step: 1 }, c.as_mut_slice()).unwrap();
            exec.relu_inplace(c.as_mut_slice()).unwrap();
            exec.adam(&mut w, a.as_slice(), &mut state, 0.1).unwrap();
        };
        step();
        assert_eq!(allocations(step), 0, "packed product and vector kernels on {isa}");
    }
}
