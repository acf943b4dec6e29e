//! Reductions of slices, rows and columns, with any layout.

use super::operands::{Length, Memory, Numbers, results};
use crate::common::reduce::{MAX_SUM_ROUNDOFFS, check};
use crate::common::strided::Strided;
use crate::common::{Float, exact_sum, is_nan};
use arbitrary::Arbitrary;
use roofline::{Exec, Reduction};

/// Enough elements that threads share them: see `QUANTUM` of `src/reduce.rs`.
const FORKING: usize = 2 << 17;

#[derive(Arbitrary, Clone, Debug)]
pub struct Plan {
    double: bool,
    reduction: u8,
    rows: u8,
    cols: Length,
    x: Numbers,
    y: Numbers,
    memory: Memory,
}

impl Plan {
    /// Panics unless results are right.
    pub fn run(&self) {
        if self.double { self.run_as::<f64>() } else { self.run_as::<f32>() }
    }

    fn run_as<T: Float>(&self) {
        let reduction = Reduction::ALL[self.reduction as usize % Reduction::ALL.len()];
        let cols = self.cols.of(FORKING);
        let rows = if self.cols.is_long() { 1 } else { self.rows as usize % 40 };
        let x = self.x.matrix::<T>(&self.memory, rows, cols);
        let (values, n) = (x.to_vec(), rows + cols);
        for (exec, found) in results(self, |exec| reduced(exec, reduction, &x)) {
            let check = |x: &[T], found: T| {
                assert!(!x.iter().any(|&x| is_nan(x)) || is_nan(found), "{self:?}: NaN is lost");
                let is_undefined = x.is_empty() && found.bits() == T::CANARY.bits();
                if self.x.are_plain() && !is_undefined {
                    check(&exec, reduction, x, found);
                }
            };
            found[n..].iter().take(1).for_each(|&found| check(&values, found));
            if cols > 0 {
                values.chunks(cols).zip(&found).for_each(|(row, &found)| check(row, found));
            }
            for j in (0..cols).take(40) {
                let column: Vec<T> = (0..rows).map(|i| x.get(i, j)).collect();
                check(&column, found[rows + j]);
            }
        }
        self.check_places(&values, &x);
        self.check_dot(&values);
        results(self, |exec| moments(exec, &x));
    }

    /// The first of the greatest, or the first NaN.
    fn check_places<T: Float>(&self, values: &[T], x: &Strided<T>) {
        let exec = Exec::sequential();
        let first = |row: &[T], wins: fn(T, T) -> bool| {
            let better = |best: usize, j: usize| if wins(row[j], row[best]) { j } else { best };
            row.iter().position(|&x| is_nan(x)).unwrap_or_else(|| (0..row.len()).fold(0, better))
        };
        assert_eq!(exec.argmax(values).is_ok(), !values.is_empty());
        if values.is_empty() {
            return;
        }
        assert_eq!(exec.argmax(values), Ok(first(values, |a, b| a > b)), "{self:?}");
        assert_eq!(exec.argmin(values), Ok(first(values, |a, b| a < b)), "{self:?}");
        let mut found = vec![usize::MAX; x.rows];
        exec.argmax_rows(x.view(), &mut found).expect("there are columns");
        let expected: Vec<usize> = values.chunks(x.cols).map(|row| first(row, |a, b| a > b)).collect();
        assert_eq!(found, expected, "{self:?}");
    }

    fn check_dot<T: Float>(&self, x: &[T]) {
        let y = self.y.values::<T>(x.len());
        let products: Vec<f64> = x.iter().zip(&y).map(|(x, y)| x.to_f64() * y.to_f64()).collect();
        let size = products.iter().map(|p| p.abs()).sum::<f64>();
        for (exec, found) in results(self, |exec| vec![exec.dot(x, &y).expect("one length")]) {
            if self.x.are_plain() && self.y.are_plain() {
                let (found, exact) = (found[0].to_f64(), exact_sum(&products));
                let bound = MAX_SUM_ROUNDOFFS * T::UNIT_ROUNDOFF * size;
                assert!((found - exact).abs() <= bound, "{self:?} {exec:?}: {found} not {exact}");
            }
        }
    }
}

/// By rows, by columns, and all at once: canaries and nothing, where nothing has no value.
fn reduced<T: Float>(exec: Exec, reduction: Reduction, x: &Strided<T>) -> Vec<T> {
    let of_nothing = [Reduction::Mean, Reduction::Max, Reduction::Min].contains(&reduction);
    let (mut rows, mut columns) = (vec![T::CANARY; x.rows], vec![T::CANARY; x.cols]);
    let by_rows = exec.reduce_rows(reduction, x.view(), &mut rows);
    assert_eq!(by_rows.is_err(), of_nothing && x.cols == 0 && x.rows > 0, "{by_rows:?}");
    let by_columns = exec.reduce_columns(reduction, x.view(), &mut columns);
    assert_eq!(by_columns.is_err(), of_nothing && x.rows == 0 && x.cols > 0, "{by_columns:?}");
    rows.append(&mut columns);
    rows.extend(exec.reduce(reduction, &x.to_vec()));
    rows
}

/// Means and variances by rows, by columns and of all.
fn moments<T: Float>(exec: Exec, x: &Strided<T>) -> Vec<T> {
    let [mut of_rows, mut of_columns] = [x.rows, x.cols].map(|len| [vec![T::CANARY; len], vec![T::CANARY; len]]);
    let [mean, variance] = &mut of_rows;
    let by_rows = exec.moments_rows(x.view(), mean, variance);
    assert_eq!(by_rows.is_err(), x.cols == 0 && x.rows > 0, "{by_rows:?}");
    let [mean, variance] = &mut of_columns;
    let by_columns = exec.moments_columns(x.view(), mean, variance);
    assert_eq!(by_columns.is_err(), x.rows == 0 && x.cols > 0, "{by_columns:?}");
    let all = exec.moments(&x.to_vec()).map(|(mean, variance)| vec![mean, variance]).unwrap_or_default();
    [of_rows.concat(), of_columns.concat(), all].concat()
}
