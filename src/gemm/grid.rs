//! How a product is cut for the threads: along the rows or along the columns of C.

use crate::element::Element;
use crate::kernels::gemm::{GemmPlan, Packing, Product};

/// Steps of k up to which C rather goes by rows.
const STEPS_BY_ROWS: usize = 64;

/// How many parts along the rows and along the columns of C: columns, so that no part of B is packed twice; rows where threads would wait for
/// columns longer than copies of B take, where nothing is packed, B is no larger than caches and they come out more even, or where a tall C
/// is most of the memory: what a core fetches ahead behind its part of a row is taken from the core that writes there.
pub(super) fn grid<T: Element>(
    product: &Product<T>,
    plan: &GemmPlan,
    (threads, parts): (usize, usize),
    is_chained: bool,
) -> (usize, usize) {
    if parts == 1 {
        return (1, 1);
    }
    let high = product.m.div_ceil(plan.tile.rows);
    let width = unit_of_columns(product, plan);
    let wide = product.n.div_ceil(width);
    // The largest part, as a share of an even one.
    let excess =
        |units: usize, unit: usize, len: usize| (units.div_ceil(parts) * unit) as f64 * parts as f64 / len as f64;
    let is_mostly_c = product.k <= STEPS_BY_ROWS && !plan.scatter;
    let is_large = |a: usize, b: usize| a.saturating_mul(b) >= LARGE_BYTES / size_of::<T>();
    let is_mostly_b = product.n > product.m && is_large(product.k, product.n);
    let copies = matches!(plan.packing, Packing::Before | Packing::OnTheWay);
    // A few parts for each thread, or one where each of them copies or reads much.
    let rows_of_a_part = match copies {
        true => ROWS_OF_A_COPY,
        false if is_large(product.k, product.n) => product.m,
        false => 1,
    };
    let columns_of_a_part = match plan.streams_b() || is_large(product.m, product.k) {
        true if copies => plan.nc,
        true => product.n,
        false => 1,
    };
    let few = |len: usize, least: usize| parts.min(threads * (len / least / threads).max(1));
    let (by_rows, by_columns) = (high.min(few(product.m, rows_of_a_part)), wide.min(few(product.n, columns_of_a_part)));
    let goes_by_columns = match plan.packing {
        _ if plan.packs_a && high >= parts => false,
        _ if is_mostly_c && high >= 4 * parts => false,
        // In a training step A are the weights then, and each core reads the rows that it updated.
        Packing::Before | Packing::OnTheWay if is_chained && plan.swapped && high >= parts => false,
        Packing::Before | Packing::OnTheWay if wide / 4 < threads && wide < high => {
            let copying = 1.0 + (COPY_ROWS * by_rows) as f64 / product.m as f64;
            let idling = (wide.div_ceil(threads) * width) as f64 * threads as f64 / product.n as f64;
            READING_A * idling <= copying
        }
        Packing::Before | Packing::OnTheWay => true,
        _ if is_mostly_b => wide >= parts || wide >= high,
        _ if product.m > product.n && product.k < product.n && high >= parts => false,
        Packing::InPlace | Packing::Ahead => excess(wide, width, product.n) <= excess(high, plan.tile.rows, product.m),
    };
    if goes_by_columns { (1, by_columns) } else { (by_rows, 1) }
}

/// Rows that are multiplied in the time that it takes to copy B, which every part of the rows does for itself.
const COPY_ROWS: usize = 14;
/// Rows that are worth a copy of B, where there are more parts than threads. (Eight copies for two threads: 256×784×256 with Wᵀ took 1.35 times as
/// long as two halves of the columns.)
const ROWS_OF_A_COPY: usize = 16 * COPY_ROWS;
/// What it takes more where parts of the columns all read A.
const READING_A: f64 = 1.04;

/// Bytes of an A or B that every core better reads a part of than all (48×1000×1000 `f32` twice as fast on two cores of Granite Rapids, 96×784×1024
/// 1.4 times, 128×784×512 1.1 times; 256×784×256, whose B is smaller, would lose 6 %), or if it needs all, reads once: two parts instead of
/// eight made 64×64×8192 1.5 times as fast, 768×768×768 1.2, 1024×512×784 1.13, 1×4096×4096, of whose B one reads runs of 8 KiB then instead of
/// 2, 1.1 to 1.6.
const LARGE_BYTES: usize = 1 << 20;

/// Panels up to which parts need not be whole ones, where B is not copied. Halves of more gain nothing, and of 1×4096×4096 `f32`, whose rows lie
/// 16 KiB apart, lose 10 %.
const FEW_PANELS: usize = 8;
/// Rows up to which they need not either: with more, parts of the rows have whole panels, which multiply faster.
const FEW_ROWS: usize = 64;

/// Columns that a part is a multiple of.
pub(super) fn unit_of_columns<T: Element>(product: &Product<T>, plan: &GemmPlan) -> usize {
    let panel = plan.tile.vectors * T::LANES;
    let is_small = product.m <= FEW_ROWS && product.n <= FEW_PANELS * panel;
    if plan.packing == Packing::InPlace && is_small { T::LANES } else { panel }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::Exec;
    use crate::gemm::{GemmStrides, to_plan};

    /// By columns, so that B is packed once, but for the reasons that are given.
    #[test]
    fn parts_are_columns_or_rows() {
        fn cut(
            shape: (usize, usize, usize),
            strides: GemmStrides,
            threads: (usize, usize),
            is_chained: bool,
        ) -> (usize, usize) {
            const AVX512: usize = 32;
            let mut product = to_plan::<f32>(shape, strides);
            let plan = GemmPlan::new(&mut product, AVX512);
            grid(&product, &plan, threads, is_chained)
        }
        for (shape, parts, expected) in [
            // C is most of the memory, and high.
            ((784, 1024, 64), 2, (2, 1)),
            ((784, 1024, 65), 2, (1, 2)),
            ((42, 4096, 64), 2, (1, 2)),
            // B is read in place: whichever comes out more even, of 43 tiles by 5 panels and of 50 by 10.
            ((258, 304, 600), 2, (2, 1)),
            ((300, 600, 100), 2, (1, 2)),
            // B is so large that every core reads a part of it, however uneven.
            ((48, 1000, 256), 2, (2, 1)),
            ((48, 1000, 1000), 2, (1, 2)),
            // Parts as wide as a panel are too few.
            ((4096, 256, 784), 8, (8, 1)),
            // C is higher than wide, and B wider than high.
            ((600, 256, 255), 2, (2, 1)),
            ((600, 256, 256), 2, (1, 2)),
            ((600, 256, 400), 2, (1, 2)),
            ((256, 256, 100), 2, (1, 2)),
            // B is copied, but has too few columns.
            ((10_000, 10, 784), 8, (8, 1)),
        ] {
            let (_, n, k) = shape;
            assert_eq!(cut(shape, GemmStrides::row_major(n, k), (parts, parts), false), expected, "{shape:?}");
        }
        // Wᵀ, which every part of the rows would copy.
        for (shape, is_chained, expected) in [
            ((256, 256, 784), false, (1, 4)),
            ((4096, 256, 784), false, (8, 1)),
            // Turned: columns are examples, rows are units, whose weights a core has in a training step.
            ((128, 256, 784), false, (1, 2)),
            ((128, 256, 784), true, (2, 1)),
        ] {
            let (_, n, k) = shape;
            let strides = GemmStrides::row_major(n, k).with_b_transposed(k);
            assert_eq!(cut(shape, strides, (2, 8), is_chained), expected, "{shape:?} with Wᵀ");
        }
        // One part a thread where more would all read, or copy, much.
        let plain = |(m, n, k): (usize, usize, usize)| cut((m, n, k), GemmStrides::row_major(n, k), (2, 8), false);
        assert_eq!([(1, 4096, 4096), (64, 64, 8192), (1024, 512, 784)].map(plain), [(1, 2), (2, 1), (1, 2)]);
        assert_eq!([(768, 768, 768), (768, 1536, 768), (32, 2048, 512)].map(plain), [(1, 2), (1, 4), (1, 8)]);
        // 77 columns are one panel and a part of one.
        assert_eq!(plain((333, 77, 501)), (2, 1));
        let (strides, threads) = (GemmStrides::row_major(77, 501), usize::MAX);
        assert_eq!(cut((333, 77, 501), strides, (threads, 8), false), (8, 1), "as many threads as there are numbers");
        // Whoever computes some columns copies all of Xᵀ.
        let strides = GemmStrides::row_major(1024, 1024).with_a_transposed(1024);
        assert_eq!(cut((1024, 1024, 1024), strides, (2, 8), false), (4, 1));
        for (m, n) in [(0, 1000), (1000, 0)] {
            let plan = Exec::default().plan::<f32>(m, n, 1000, GemmStrides::row_major(n, 1000));
            assert_eq!(plan.parts, (1, 1), "{m} rows, {n} columns");
        }
    }
}
