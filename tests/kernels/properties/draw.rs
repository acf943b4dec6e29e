//! Arguments: mostly such that they go together, now and then anything.

use crate::common::{Float, Rng, sequential_execs};
use core::fmt::Debug;
use roofline::{Activation, Dropout, Error, Exec, MatMut, MatRef, Reduction};

/// Elements of the memory behind views.
const MEMORY: usize = 300;

/// Draws arguments of one call.
pub struct Draw {
    rng: Rng,
    rows: usize,
    cols: usize,
}

impl Draw {
    pub fn new(mut rng: Rng) -> Self {
        let (rows, cols) = (rng.below(9), rng.below(20));
        Self { rng, rows, cols }
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.rng.below(n) == 0
    }

    fn pick<V: Copy>(&mut self, of: &[V]) -> V {
        of[self.rng.below(of.len())]
    }

    pub fn exec(&mut self) -> Exec {
        let exec = self.pick(&sequential_execs());
        let threads = self.pick(&[1, 1, 2, 3, usize::MAX]);
        exec.with_threads(threads).unwrap_or(exec)
    }

    /// Any constant of an optimizer, a normalisation or a probability.
    pub fn constant(&mut self) -> f64 {
        let any = self.rng.value();
        self.pick(&[0.0, 0.5, 0.9, 1.0, 1e-8, any, -1.0, 1e300, 5e-324, f64::NAN, f64::INFINITY])
    }

    pub fn count(&mut self) -> u64 {
        let any = self.rng.bits();
        self.pick(&[0, 1, 15, any, u64::MAX - 1, u64::MAX])
    }

    pub fn activation(&mut self) -> Activation {
        self.pick(&Activation::ALL)
    }

    pub fn reduction(&mut self) -> Reduction {
        self.pick(&Reduction::ALL)
    }

    pub fn dropout(&mut self) -> Dropout {
        Dropout { keep_prob: self.constant(), seed: self.count(), step: self.count() }
    }

    pub fn number<T: Float>(&mut self) -> T {
        let any: f64 = self.rng.value();
        let special = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, 1e38, -1e-40, 5e-324, 0.0, -0.0];
        T::from_f64(if self.one_in(12) { self.pick(&special) } else { 3.0 * any })
    }

    fn numbers<T: Float>(&mut self, len: usize) -> Vec<T> {
        (0..len).map(|_| self.number()).collect()
    }

    /// `len`, or another one.
    fn near(&mut self, len: usize) -> usize {
        if self.one_in(12) { self.rng.below(30) } else { len }
    }

    /// A slice with an element for each of the matrix.
    pub fn slice<T: Float>(&mut self) -> Vec<T> {
        let len = self.near(self.rows * self.cols);
        self.numbers(len)
    }

    /// A slice with an element a row.
    pub fn of_rows<T: Float>(&mut self) -> Vec<T> {
        let len = self.near(self.rows);
        self.numbers(len)
    }

    /// A slice with an element a column.
    pub fn of_columns<T: Float>(&mut self) -> Vec<T> {
        let len = self.near(self.cols);
        self.numbers(len)
    }

    pub fn labels(&mut self) -> Vec<usize> {
        let (len, classes) = (self.near(self.rows), self.cols.max(1));
        (0..len)
            .map(|_| if self.one_in(60) { self.pick(&[classes, usize::MAX]) } else { self.rng.below(classes) })
            .collect()
    }

    /// Memory for views.
    pub fn memory<T: Float>(&mut self) -> Vec<T> {
        self.numbers(MEMORY)
    }

    /// Sizes and strides: rows and columns with gaps or turned, mostly; elements that repeat, up to the ends of the types.
    pub fn layout(&mut self) -> (usize, usize, isize, isize) {
        let (rows, cols) = (self.near(self.rows), self.near(self.cols));
        let (inner, sign) = (self.pick(&[1, 1, 1, 2]), self.pick(&[1, 1, -1]));
        let outer = (inner * cols.max(rows).max(1) + self.rng.below(3)) as isize * sign;
        let inner = inner as isize;
        // Sizes of which only overflowing copies could be made, so that no test asks for memory that may be there.
        let huge = self.pick(&[1 << 62, usize::MAX - 1, usize::MAX]);
        match self.rng.below(24) {
            0 => (rows, cols, 0, self.pick(&[0, 1])),
            1 => (huge, cols, 0, self.pick(&[0, 1, 2])),
            2 => (rows, huge, self.pick(&[0, 1, isize::MIN]), 0),
            3 => (huge, self.pick(&[0, 0, 1]), self.pick(&[0, isize::MIN, isize::MAX]), 1),
            4 => (self.pick(&[0, 0, 1]), huge, 1, self.pick(&[0, isize::MIN, 1])),
            5..12 => (rows, cols, inner, outer),
            _ => (rows, cols, outer, inner),
        }
    }

    /// A view of any such layout that the memory has room for.
    pub fn view<'a, T: Float>(&mut self, memory: &'a [T]) -> MatRef<'a, T> {
        loop {
            let (rows, cols, row, col) = self.layout();
            if let Ok(view) = MatRef::from_slice_with_strides(memory, rows, cols, row, col) {
                return view;
            }
        }
    }

    /// Runs `f` on an output matrix, and checks what it wrote.
    #[track_caller]
    pub fn matrix_out<T: Float, R: Debug>(&mut self, f: impl FnOnce(&mut Self, MatMut<'_, T>) -> Result<R, Error>) {
        let before = self.memory::<T>();
        let mut memory = before.clone();
        loop {
            let (rows, cols, row, col) = self.layout();
            let Ok(view) = MatMut::from_slice_with_strides(&mut memory, rows, cols, row, col) else { continue };
            let result = f(self, view);
            let mut written = vec![false; MEMORY];
            // Without an overlap a view of the memory is small, or empty.
            if result.is_ok() && rows > 0 && cols > 0 {
                let place = |at: usize, len: usize, stride: isize| {
                    (if stride < 0 { len - 1 - at } else { at }) * stride.unsigned_abs()
                };
                (0..rows)
                    .for_each(|i| (0..cols).for_each(|j| written[place(i, rows, row) + place(j, cols, col)] = true));
            }
            return check(&result, &before, &memory, |at| written[at]);
        }
    }

    /// Runs `f` on an output slice with these numbers, and checks that an `Err` wrote nothing.
    #[track_caller]
    pub fn out<T: Float, R: Debug>(
        &mut self,
        before: Vec<T>,
        f: impl FnOnce(&mut Self, &mut [T]) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let mut memory = before.clone();
        let result = f(self, &mut memory);
        check(&result, &before, &memory, |_| result.is_ok());
        result
    }
}

/// Fails where something was written that should not be.
#[track_caller]
fn check<T: Float, R: Debug>(result: &Result<R, Error>, before: &[T], after: &[T], may_change: impl Fn(usize) -> bool) {
    if let Err(error) = result {
        assert!(!error.to_string().is_empty());
    }
    let changed = (0..before.len()).find(|&at| before[at].bits() != after[at].bits() && !may_change(at));
    assert_eq!(changed, None, "{result:?}: an element that no output has");
}
