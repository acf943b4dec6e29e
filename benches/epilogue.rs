//! `cargo bench --bench epilogue`: what an epilogue costs over the plain product, and what it saves against the product and
//! then a pass over its result. One thread; all in turn within a round. `-- --test` runs everything once.

mod common;

use common::{alternate, is_wanted, values};
use roofline::{Activation, Element, Epilogue, Exec, Mat};

/// Sides of square products.
const SIDES: [usize; 4] = [64, 128, 256, 512];

fn mat<T: Element>(n: usize, seed: u64) -> Mat<T> {
    let values = values(n * n, seed);
    Mat::from_fn(n, n, |i, j| T::from_f64(values[i * n + j]))
}

/// A line: plain, fused, and one after the other.
fn line<T: Element>(
    name: &str,
    n: usize,
    mut fused: impl FnMut(&Exec, &mut Mat<T>),
    mut pass: impl FnMut(&Exec, &mut Mat<T>),
) {
    let name = format!("{} {n:4} {name}", T::NAME);
    if !is_wanted(&name) {
        return;
    }
    let (exec, a, b) = (Exec::sequential(), mat::<T>(n, 1), mat::<T>(n, 2));
    let [mut c, mut d, mut e] = [(); 3].map(|()| Mat::zeros(n, n));
    let plain = |c: &mut Mat<T>| exec.gemm(T::ONE, a.as_ref(), b.as_ref(), T::ZERO, c.as_mut()).expect("shapes agree");
    let [alone, together, after] = alternate(&mut [&mut || plain(&mut c), &mut || fused(&exec, &mut d), &mut || {
        plain(&mut e);
        pass(&exec, &mut e);
    }]);
    let (cost, saved) = (100.0 * (together / alone - 1.0), 100.0 * (1.0 - together / after));
    println!("{name:32} {cost:6.1} % over the plain product   {saved:6.1} % less than product, then pass");
}

fn table<T: Element>() {
    for n in SIDES {
        let (a, b, outputs) = (mat::<T>(n, 1), mat::<T>(n, 2), mat::<T>(n, 3));
        let bias: Vec<T> = values(n, 4).into_iter().map(T::from_f64).collect();
        let run = |exec: &Exec, c: &mut Mat<T>, epilogue: Epilogue<'_, T>| {
            exec.gemm_with(T::ONE, a.as_ref(), b.as_ref(), T::ZERO, c.as_mut(), epilogue).expect("shapes agree");
        };
        let add_bias = |_: &Exec, c: &mut Mat<T>| {
            c.as_mut_slice().chunks_exact_mut(n).for_each(|row| row.iter_mut().zip(&bias).for_each(|(x, &b)| *x += b));
        };
        line("bias", n, |exec, c| run(exec, c, Epilogue { bias: Some(&bias), ..Epilogue::default() }), add_bias);
        for activation in Activation::ALL.into_iter().filter(|&f| f != Activation::Identity) {
            let epilogue = Epilogue { activation, ..Epilogue::default() };
            let pass = |exec: &Exec, c: &mut Mat<T>| {
                exec.activation_inplace(activation, c.as_mut_slice()).expect("any slice");
            };
            line(&format!("{activation:?}"), n, |exec, c| run(exec, c, epilogue), pass);
            if !activation.output_determines_gradient() {
                continue;
            }
            let epilogue = Epilogue { gradient: Some((activation, outputs.as_ref())), ..Epilogue::default() };
            let pass = |exec: &Exec, c: &mut Mat<T>| {
                exec.activation_grad_from_output_inplace(activation, outputs.as_slice(), c.as_mut_slice())
                    .expect("as many outputs");
            };
            line(&format!("{activation:?} gradient"), n, |exec, c| run(exec, c, epilogue), pass);
        }
        let mut sums = vec![T::ZERO; n];
        let fused = |exec: &Exec, c: &mut Mat<T>| {
            exec.gemm_column_sums(T::ONE, a.as_ref(), b.as_ref(), T::ZERO, c.as_mut(), &mut sums)
                .expect("shapes agree");
        };
        let mut sums = Mat::zeros(1, n);
        let ones = Mat::from_fn(1, n, |_, _| T::ONE);
        let pass = |exec: &Exec, _: &mut Mat<T>| {
            exec.gemm(T::ONE, ones.as_ref(), b.as_ref(), T::ZERO, sums.as_mut()).expect("shapes agree");
        };
        line("column sums", n, fused, pass);
    }
}

fn main() {
    println!("one thread, {}", Exec::sequential().isa());
    table::<f32>();
    table::<f64>();
}
