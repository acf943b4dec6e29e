//! `cargo bench --bench gemm`: GFLOP/s, share of the FMA peak that the same rounds measured, ratio to `matrixmultiply`.
//! A word filters the shapes (`-- 512`), as criterion does; `-- --test` checks results only.

mod common;

use common::{alternate, is_test, is_wanted, values};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use roofline::{Element, Exec, GemmPlan, GemmStrides, Mat, MatRef};
use std::hint::black_box;
use std::time::Duration;

/// C (m×n) ← A·B over k steps; `t` marks an operand that is stored transposed.
struct Shape {
    kind: &'static str,
    m: usize,
    n: usize,
    k: usize,
    ta: bool,
    tb: bool,
}

/// Squares, then the three products of dense layers at mini-batches of 1 to 256.
fn shapes() -> Vec<Shape> {
    let square = |n| Shape { kind: "square", m: n, n, k: n, ta: false, tb: false };
    let mut shapes: Vec<Shape> = [16, 31, 64, 100, 128, 256, 512, 1000, 1024].map(square).into();
    for (inputs, outputs) in [(784, 512), (512, 256), (128, 10)] {
        for batch in [1, 8, 64, 256] {
            shapes.push(Shape { kind: "forward", m: batch, n: outputs, k: inputs, ta: false, tb: false });
            shapes.push(Shape { kind: "dX", m: batch, n: inputs, k: outputs, ta: false, tb: true });
            shapes.push(Shape { kind: "dW", m: inputs, n: outputs, k: batch, ta: true, tb: false });
        }
    }
    shapes
}

impl Shape {
    fn name<T: Element>(&self) -> String {
        format!("{} {} {}x{}x{}", T::NAME, self.kind, self.m, self.n, self.k)
    }

    fn plan<T: Element>(&self, exec: &Exec) -> GemmPlan {
        let mut strides = GemmStrides::row_major(self.n, self.k);
        if self.ta {
            strides = strides.with_a_transposed(self.m);
        }
        if self.tb {
            strides = strides.with_b_transposed(self.k);
        }
        exec.plan::<T>(self.m, self.n, self.k, strides)
    }

    fn flops(&self) -> u64 {
        2 * (self.m * self.n * self.k) as u64
    }

    fn operands<T: Element>(&self) -> (Mat<T>, Mat<T>) {
        let mat = |rows: usize, cols: usize, transposed: bool, seed| {
            let (rows, cols) = if transposed { (cols, rows) } else { (rows, cols) };
            let values = values(rows * cols, seed);
            Mat::from_fn(rows, cols, |i, j| T::from_f64(values[i * cols + j]))
        };
        (mat(self.m, self.k, self.ta, 1), mat(self.k, self.n, self.tb, 2))
    }
}

fn view<T: Element>(mat: &Mat<T>, transposed: bool) -> MatRef<'_, T> {
    if transposed { mat.as_ref().t() } else { mat.as_ref() }
}

/// The rival: C ← A·B by `matrixmultiply` on one thread.
trait Rival: Element {
    fn product(shape: &Shape, a: &Mat<Self>, b: &Mat<Self>, c: &mut Mat<Self>);
}

macro_rules! rival {
    ($t:ident, $gemm:ident) => {
        impl Rival for $t {
            fn product(shape: &Shape, a: &Mat<$t>, b: &Mat<$t>, c: &mut Mat<$t>) {
                let (va, vb) = (view(a, shape.ta), view(b, shape.tb));
                let (pa, pb, pc) = (a.as_slice().as_ptr(), b.as_slice().as_ptr(), c.as_mut_slice().as_mut_ptr());
                let [ra, ca, rb, cb] = [va.row_stride(), va.col_stride(), vb.row_stride(), vb.col_stride()];
                let (m, k, n) = (shape.m, shape.k, shape.n);
                // SAFETY: the strides are those of checked views of the same memory; C is m×n and row-major.
                unsafe { matrixmultiply::$gemm(m, k, n, 1.0, pa, ra, ca, pb, rb, cb, 0.0, pc, n as isize, 1) }
            }
        }
    };
}

rival!(f32, sgemm);
rival!(f64, dgemm);

/// One line: verifies against the rival, then times both and the peak in turn.
fn line<T: Rival>(shape: &Shape) -> Option<f64> {
    let name = shape.name::<T>();
    if !is_wanted(&name) {
        return None;
    }
    let exec = Exec::sequential();
    let (a, b) = shape.operands::<T>();
    let (mut c, mut d) = (Mat::zeros(shape.m, shape.n), Mat::zeros(shape.m, shape.n));
    let mut ours =
        || exec.gemm(T::ONE, view(&a, shape.ta), view(&b, shape.tb), T::ZERO, c.as_mut()).expect("shapes agree");
    let mut theirs = || T::product(shape, &a, &b, &mut d);
    let mut peak = Vec::new();
    let mut measure_peak = || peak.push(exec.fma_peak::<T>(1));
    let [time, rival, _] = alternate(&mut [&mut ours, &mut theirs, &mut measure_peak]);
    let tolerance = 4.0 * T::UNIT_ROUNDOFF * shape.k as f64;
    for (x, y) in c.as_slice().iter().zip(d.as_slice()) {
        assert!((x.to_f64() - y.to_f64()).abs() <= tolerance, "{name}: {x} against {y}");
    }
    peak.sort_by(f64::total_cmp);
    let (gflops, peak) = (shape.flops() as f64 / time / 1e9, peak[peak.len() / 2]);
    println!(
        "{name:28} {gflops:8.1} GFLOP/s {:6.1} % of {peak:5.1} {:6.2} x matrixmultiply   {}",
        100.0 * gflops / peak,
        rival / time,
        shape.plan::<T>(&exec)
    );
    Some(rival / time)
}

fn table<T: Rival>() {
    let ratios: Vec<f64> = shapes().iter().filter_map(line::<T>).collect();
    if !ratios.is_empty() && !is_test() {
        let mean = (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp();
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let ahead = ratios.iter().filter(|&&ratio| ratio >= 1.0).count();
        println!("{}: geometric mean {mean:.2}, least {least:.2}, ahead on {ahead} of {}\n", T::NAME, ratios.len());
    }
}

fn gemm(c: &mut Criterion) {
    println!("one thread, {}", Exec::sequential().isa());
    table::<f32>();
    table::<f64>();
    let mut group = c.benchmark_group("gemm on all threads");
    group.sample_size(10).warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(600));
    for n in [256, 512, 1024] {
        let (a, b) = (Mat::<f32>::zeros(n, n), Mat::<f32>::zeros(n, n));
        let mut out = Mat::zeros(n, n);
        group.throughput(Throughput::ElementsAndBytes {
            elements: 2 * (n as u64).pow(3),
            bytes: 16 * (n as u64).pow(2),
        });
        group.bench_function(format!("f32 square {n}"), |bencher| {
            bencher.iter(|| roofline::gemm(1.0, black_box(a.as_ref()), b.as_ref(), 0.0, out.as_mut()));
        });
    }
    group.finish();
}

criterion_group!(benches, gemm);
criterion_main!(benches);
