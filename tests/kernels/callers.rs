//! Who calls does not matter: 64 threads at once, threads with small stacks, pools of one thread, holders of a lock, tasks of a pool
//! within tasks of a pool, and the child of a process that called before.

#![cfg(feature = "parallel")]

use crate::common::Float;
use crate::operations::case::Place;
use crate::operations::{Operation, operations};
use roofline::{Exec, Mat, MatRef};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

/// The stack of a thread that others made small: a sixteenth of what Rust gives.
const SMALL_STACK: usize = 256 << 10;

/// A small case and one that is cut for threads.
const CASES: [u64; 2] = [1, 6];

/// Runs `f`, and fails rather than wait for ever: after ten minutes of this process, which may be stopped for a while or run under
/// sanitizers.
fn within_ten_minutes<R: Send + 'static>(f: impl FnOnce() -> R + Send + 'static) -> R {
    let (sender, receiver) = mpsc::channel();
    let worker = thread::spawn(move || sender.send(f()));
    for _ in 0..6000 {
        match receiver.recv_timeout(Duration::from_millis(100)) {
            Ok(result) => return result,
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                std::panic::resume_unwind(worker.join().expect_err("it did not send"));
            }
        }
    }
    panic!("a call does not return");
}

/// What each kernel gives on one thread.
struct Expected<T> {
    operations: Vec<Operation<T>>,
    digests: Vec<[[u8; 32]; 2]>,
}

impl<T: Float> Expected<T> {
    fn new() -> Self {
        let (operations, exec) = (operations::<T>(), Exec::sequential());
        let digests = operations.iter().map(|operation| Self::run(operation, &exec)).collect();
        Self { operations, digests }
    }

    fn run(operation: &Operation<T>, exec: &Exec) -> [[u8; 32]; 2] {
        CASES.map(|number| exec.region(|| operation.digest(exec, number, Place::Offset(0))))
    }

    /// Every `step`-th kernel from `first` on gives the same on `exec`.
    fn check(&self, exec: &Exec, first: usize, step: usize) {
        for (operation, expected) in self.operations.iter().zip(&self.digests).skip(first).step_by(step) {
            assert!(Self::run(operation, exec) == *expected, "{} on {exec:?}", operation.name);
        }
    }
}

/// Eight threads start at each eighth kernel, so that all kernels run beside each other.
#[test]
fn sixty_four_threads_call_every_kernel_at_once() {
    fn check<T: Float>() {
        let expected = Expected::<T>::new();
        thread::scope(|scope| {
            for caller in 0..64 {
                let expected = &expected;
                let exec = Exec::default().with_threads(1 + caller % 3).unwrap();
                scope.spawn(move || expected.check(&exec, caller % 8, 8));
            }
        });
    }
    check::<f32>();
    check::<f64>();
}

/// Every kernel, and the longest sums: no stack grows with an operand.
#[test]
fn small_stacks() {
    fn check<T: Float>() {
        let expected = Expected::<T>::new();
        let k = 100_000;
        let (a, b, mut c) = (vec![T::ONE; 3 * k], vec![T::ONE; k * 40], Mat::zeros(3, 40));
        let mut calls = || {
            [Exec::sequential(), Exec::default().with_threads(3).unwrap()].iter().for_each(|exec| {
                expected.check(exec, 0, 1);
                let (a, b) = (MatRef::from_slice(&a, 3, k).unwrap(), MatRef::from_slice(&b, k, 40).unwrap());
                exec.gemm(T::ONE, a, b, T::ZERO, c.as_mut()).unwrap();
                assert!(c.as_slice().iter().all(|x| x.to_f64() == k as f64));
            });
        };
        thread::scope(|scope| {
            let builder = thread::Builder::new().stack_size(SMALL_STACK);
            builder.spawn_scoped(scope, &mut calls).unwrap().join().unwrap();
        });
    }
    check::<f32>();
    check::<f64>();
}

/// A pool of one thread that also has a small stack.
#[test]
fn a_pool_of_one_thread_with_a_small_stack() {
    within_ten_minutes(|| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).stack_size(SMALL_STACK).build().unwrap();
        let expected = Expected::<f32>::new();
        pool.install(|| {
            expected.check(&Exec::default(), 0, 1);
            expected.check(&Exec::default().with_threads(4).unwrap(), 0, 1);
        });
    });
}

/// While its caller waits, a thread of the pool takes no other task: that one could want the same lock, and wait for ever.
#[test]
fn under_a_lock_that_every_task_takes() {
    within_ten_minutes(|| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build().unwrap();
        let (expected, lock) = (Expected::<f32>::new(), Mutex::new(0));
        pool.scope(|scope| {
            for task in 0..32 {
                let (expected, lock) = (&expected, &lock);
                scope.spawn(move |_| {
                    let mut done = lock.lock().unwrap();
                    expected.check(&Exec::default(), task % 16, 16);
                    *done += 1;
                });
            }
        });
        assert_eq!(lock.into_inner().unwrap(), 32);
    });
}

/// 100,000 tasks that call, each a task of one that waits: stolen tasks do not pile up on a small stack.
#[test]
fn a_hundred_thousand_nested_tasks_on_small_stacks() {
    /// The sum over tasks `from` to `to`, every thousandth of which brings helpers along.
    fn halve(exec: &Exec, from: usize, to: usize) -> f64 {
        if to - from == 1 {
            let call = || exec.dot(&[1.0; 3], &[0.0, 1.0, 0.0]).unwrap();
            return if from.is_multiple_of(1000) { exec.region(call) } else { call() };
        }
        let middle = from.midpoint(to);
        let (left, right) = rayon::join(|| halve(exec, from, middle), || halve(exec, middle, to));
        left + right
    }
    within_ten_minutes(|| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).stack_size(SMALL_STACK).build().unwrap();
        pool.install(|| {
            for exec in [Exec::default(), Exec::sequential()] {
                assert_eq!(halve(&exec, 0, 100_000), 100_000.0);
            }
        });
    });
}

/// The child has none of the threads of the pool; its calls return all the same, with the same bits.
#[cfg(target_os = "linux")]
#[test]
fn after_a_fork() {
    let (expected, a) = (Expected::<f32>::new(), Mat::from_fn(300, 300, |i, j| (i * 3 + j) as f32));
    let product = |exec: &Exec| {
        let mut c = Mat::zeros(300, 300);
        exec.gemm(1.0, a.as_ref(), a.as_ref(), 0.0, c.as_mut()).unwrap();
        c.as_slice().iter().map(|x| x.to_bits()).collect::<Vec<_>>()
    };
    let (two, default) = (Exec::default().with_threads(2).unwrap(), Exec::default());
    // The pool runs, and its threads wait for more.
    let bits = default.region(|| product(&two));
    let in_child = || {
        let agree = [Exec::sequential(), two, default].iter().all(|exec| exec.region(|| product(exec)) == bits);
        expected.check(&two, 0, 1);
        agree
    };
    for _ in 0..8 {
        // SAFETY: the child touches memory of its own only, and leaves by `_exit`; the C library lets it allocate.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: an ordinary call; the signal ends a child that waits for a thread that it has not.
            unsafe { libc::alarm(600) };
            let agree = std::panic::catch_unwind(std::panic::AssertUnwindSafe(in_child)).unwrap_or(false);
            // SAFETY: ends the child without what the parent would do at its end.
            unsafe { libc::_exit(if agree { 0 } else { 1 }) };
        }
        assert!(child > 0, "fork");
        let mut status = 0;
        // SAFETY: our child, and a place for its status.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!(status, 0, "the status of the child");
        assert!(default.region(|| product(&two)) == bits, "the parent goes on");
    }
}
