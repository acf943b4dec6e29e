//! Threads: the same bits in and outside of regions, from many threads at once, within other pools, and from destructors.

#![cfg(feature = "parallel")]

use roofline::{Exec, Mat, MatMut, MatRef};
use std::cell::RefCell;
use std::sync::mpsc;
use std::thread;

fn matrix(rows: usize, cols: usize) -> Mat<f32> {
    Mat::from_fn(rows, cols, |i, j| ((i * 31 + j * 17) % 23) as f32 / 7.0 - 1.5)
}

fn product(exec: &Exec, a: MatRef<'_, f32>, b: MatRef<'_, f32>) -> Vec<u32> {
    let mut c = Mat::zeros(a.rows(), b.cols());
    exec.gemm(1.0, a, b, 0.0, c.as_mut()).unwrap();
    c.as_slice().iter().map(|x| x.to_bits()).collect()
}

/// In a region every call that is worth it is cut, so this is the way to cut small ones.
#[test]
fn regions_do_not_change_the_bits() {
    let (a, b) = (matrix(150, 90), matrix(90, 170));
    let expected = product(&Exec::sequential(), a.as_ref(), b.as_ref());
    for threads in [1, 2, 3, 5, 8, 16] {
        let exec = Exec::default().with_threads(threads).unwrap();
        exec.region(|| {
            for _ in 0..20 {
                assert!(product(&exec, a.as_ref(), b.as_ref()) == expected, "{threads} threads");
                exec.region(|| assert!(product(&exec, a.as_ref(), b.as_ref()) == expected, "a region within"));
            }
        });
        assert!(product(&exec, a.as_ref(), b.as_ref()) == expected, "after the region of {threads} threads");
    }
}

#[test]
fn many_threads_at_once() {
    let (a, b) = (matrix(120, 200), matrix(200, 140));
    let expected = product(&Exec::sequential(), a.as_ref(), b.as_ref());
    thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                let exec = Exec::default().with_threads(4).unwrap();
                exec.region(|| (0..5).for_each(|_| assert!(product(&exec, a.as_ref(), b.as_ref()) == expected)));
            });
        }
    });
}

/// A pool of one thread has no helpers to give, one of four has three; the caller is one of its workers.
#[test]
fn within_other_pools() {
    let (a, b) = (matrix(120, 400), matrix(400, 500));
    let expected = product(&Exec::sequential(), a.as_ref(), b.as_ref());
    for threads in [1, 4] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            assert_eq!(Exec::default().threads(), threads);
            for exec in [Exec::default(), Exec::default().with_threads(3).unwrap()] {
                exec.region(|| (0..10).for_each(|_| assert!(product(&exec, a.as_ref(), b.as_ref()) == expected)));
            }
        });
        let both = || {
            pool.join(
                || product(&Exec::default(), a.as_ref(), b.as_ref()),
                || product(&Exec::default(), a.as_ref(), b.as_ref()),
            )
        };
        assert!(both() == (expected.clone(), expected.clone()));
    }
}

/// The last part of a product can be one row of a tile, or a few columns: nothing behind C is touched.
#[test]
fn parts_that_are_smaller_than_a_tile() {
    for (threads, m, n, k) in [(101, 601, 210, 210), (64, 1000, 4035, 1), (64, 1000, 4035, 4)] {
        let (a, b, exec) = (matrix(m, k), matrix(k, n), Exec::default().with_threads(threads).unwrap());
        let expected = product(&Exec::sequential(), a.as_ref(), b.as_ref());
        let mut memory = vec![-7.0; (m + 8) * n];
        let (c, behind) = memory.split_at_mut(m * n);
        let view = MatMut::from_slice(c, m, n).unwrap();
        exec.region(|| exec.gemm(1.0, a.as_ref(), b.as_ref(), 0.0, view)).unwrap();
        assert!(c.iter().zip(&expected).all(|(x, bits)| x.to_bits() == *bits), "{m}x{n}x{k}");
        assert!(behind.iter().all(|&x| x == -7.0), "behind C of {m}x{n}x{k}");
    }
}

/// A thread that ends has no helpers any more; its destructors may still multiply.
#[test]
fn from_a_destructor() {
    struct Late(mpsc::Sender<Vec<u32>>);
    impl Drop for Late {
        fn drop(&mut self) {
            let (a, b) = (matrix(100, 100), matrix(100, 100));
            let exec = Exec::default().with_threads(2).unwrap();
            self.0.send(exec.region(|| product(&exec, a.as_ref(), b.as_ref()))).unwrap();
        }
    }
    thread_local!(static LATE: RefCell<Option<Late>> = const { RefCell::new(None) });
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || LATE.set(Some(Late(sender)))).join().unwrap();
    let (a, b) = (matrix(100, 100), matrix(100, 100));
    assert!(receiver.recv().unwrap() == product(&Exec::sequential(), a.as_ref(), b.as_ref()));
}
