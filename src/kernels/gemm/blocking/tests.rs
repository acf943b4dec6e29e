//! The plans of products by their shapes, for register files of AVX2 and AVX-512.

use super::super::is_few_dots;
use super::*;
use core::ptr;

const AVX512: usize = 32;
const AVX2: usize = 8;

/// A product of row-major operands, or of transposed ones.
fn product(m: usize, n: usize, k: usize, [ta, tb, tc]: [bool; 3]) -> Product<f32> {
    let strides = |rows: usize, cols: usize, transposed: bool| {
        if transposed { (1, rows as isize) } else { (cols as isize, 1) }
    };
    Product::to_plan((m, n, k), [strides(m, k, ta), strides(k, n, tb), strides(m, n, tc)])
}

const PLAIN: [bool; 3] = [false; 3];

#[test]
fn large_products_are_packed_and_use_the_whole_register_file() {
    let plan = GemmPlan::new(&mut product(1024, 1024, 1024, PLAIN), AVX512);
    let found = (plan.tile, plan.packing, plan.path);
    assert_eq!(found, (Tile { rows: 6, vectors: 4 }, Packing::OnTheWay, GemmPath::Tiles));
    assert_eq!(GemmPlan::new(&mut product(1024, 1024, 1024, PLAIN), AVX2).tile, Tile { rows: 6, vectors: 1 });
}

#[test]
fn small_batches_read_the_weights_in_place() {
    for batch in 1..=16 {
        let plan = GemmPlan::new(&mut product(batch, 512, 784, PLAIN), AVX512);
        let found = (plan.packing, plan.path, plan.scatter);
        assert_eq!(found, (Packing::InPlace, GemmPath::Tiles, false), "forward at batch {batch}: {plan:?}");
        // dX: the weights are W and C is m×784; either dot products, or W on the side that is never packed.
        let mut dx = product(batch, 784, 512, [false, true, false]);
        let plan = GemmPlan::new(&mut dx, AVX512);
        assert!(plan.path == GemmPath::Dots || dx.m == 784, "dX at batch {batch}: {plan:?}");
    }
}

/// Rows of A and bytes of B from which a copy of B pays.
#[test]
fn b_is_packed_from_these_sizes() {
    let packing = |(m, n, k), registers| GemmPlan::new(&mut product(m, n, k, PLAIN), registers).packing;
    let packed = |shape, registers| packing(shape, registers) != Packing::InPlace;
    // Narrow tiles: 32 rows and 64 KiB.
    let narrow = [(31, 128, 128), (32, 128, 127), (32, 128, 128)];
    assert_eq!(narrow.map(|shape| packed(shape, AVX2)), [false, false, true]);
    // Rows 4 KiB apart: 256 rows, beyond 2 MiB 32.
    let aliased = [(255, 1024, 512), (256, 1024, 512), (31, 1024, 513), (32, 1024, 513)];
    assert_eq!(aliased.map(|shape| packed(shape, AVX512)), [false, true, false, true]);
    // Others: 256 rows and 2 MiB.
    let others = [(255, 1040, 505), (256, 1040, 504), (256, 1040, 505)];
    assert_eq!(others.map(|shape| packed(shape, AVX512)), [false, false, true]);
}

/// Rows of A and bytes of B from which it pays where vectors of B lie on two cache lines: by its stride, or by its address.
#[test]
fn b_within_cache_lines_is_packed_sooner() {
    let packing = |mut p: Product<f32>| GemmPlan::new(&mut p, AVX512).packing;
    let by_stride = [(95, 256, 129), (96, 256, 128), (96, 257, 128)].map(|shape| {
        let (m, n, k) = shape;
        packing(product(m, n, k, PLAIN))
    });
    assert_eq!(by_stride, [Packing::InPlace, Packing::InPlace, Packing::OnTheWay]);
    let by_address = [0, 16, 64].map(|address| {
        let mut p = product(96, 256, 128, PLAIN);
        p.b.ptr = ptr::without_provenance(address);
        packing(p)
    });
    assert_eq!(by_address, [Packing::InPlace, Packing::OnTheWay, Packing::InPlace]);
}

/// As many whole strips as 8 MiB hold, 6 or 8 rows of 512 steps each.
#[test]
fn kept_rows_take_8_mib_at_most() {
    let rows = |m, n| {
        let p = &mut product(m, n, 1024, [true, false, false]);
        let plan = GemmPlan::new(p, AVX512);
        assert!(plan.packed_a(p) * size_of::<f32>() <= (8 << 20) + 64 * m, "{plan:?}");
        (plan.tile.rows, plan.kept_rows(p))
    };
    assert_eq!([(8192, 512), (8192, 560), (1024, 512)].map(|(m, n)| rows(m, n)), [(6, 4092), (8, 4096), (6, 1024)]);
}

/// A turned product packs Xᵀ again for all rows of Wᵀ that go through scratch memory together: worth it for few rows of X.
#[test]
fn weights_are_packed_once_for_a_large_batch() {
    let turned = |m| GemmPlan::new(&mut product(m, 4096, 4096, [false, true, false]), AVX512).swapped;
    assert_eq!([64, 256, 512, 1024].map(turned), [true, true, false, false]);
}

/// A block of B takes as much memory with few steps as with many.
#[test]
fn blocks_of_few_steps_are_wider() {
    let nc = |k| GemmPlan::new(&mut product(4096, 4096, k, [true, false, false]), AVX512).nc;
    assert_eq!([512, 1024, 256, 128, 64, 33].map(nc), [384, 384, 768, 1536, 3072, 3072]);
}

/// Few steps of a B that is copied before: a block that half of an L1 holds, where half of an L2 holds C.
#[test]
fn shallow_blocks_stay_in_l1() {
    let nc = |m, n, k| {
        let plan = GemmPlan::new(&mut product(m, n, k, [false, true, false]), AVX512);
        (plan.packing, plan.tile.vectors, plan.nc)
    };
    let before = |vectors, nc| (Packing::Before, vectors, nc);
    assert_eq!([nc(32, 784, 32), nc(8, 1024, 10), nc(32, 784, 128)], [before(4, 128), before(6, 384), before(2, 32)]);
    assert_eq!(
        [nc(256, 1024, 32), nc(257, 1024, 32), nc(256, 512, 129)],
        [before(4, 128), before(4, 3072), before(4, 1152)]
    );
}

#[test]
fn blocks_of_b_are_as_many_whole_panels_as_fit() {
    fn check<T: Element>() {
        for vectors in 1..=tile::WIDEST {
            let (width, most) = (vectors * T::LANES, if vectors <= 2 { 384 << 10 } else { 768 << 10 });
            let nc = columns_of_a_block::<T>(Tile { rows: 1, vectors });
            let bytes = |columns: usize| columns * kc::<T>() * size_of::<T>();
            assert!(nc.is_multiple_of(width), "{nc} columns in panels of {width}");
            assert!(bytes(nc) <= most && bytes(nc + width) > most, "{nc} columns in panels of {width}");
        }
    }
    check::<f32>();
    check::<f64>();
}

/// Where columns are cut anywhere, a panel and one vector more are shared out as evenly as there are tiles for.
#[test]
fn no_vector_is_left_alone() {
    let widths = |most, cols: usize| {
        let panels = tile::whole_panels::<f32>(most, cols);
        let (mut rest, mut left) = ([0; 3], cols.div_ceil(16) - panels * most);
        for wide in &mut rest {
            *wide = if left > 0 { tile::next_width(most, left) } else { 0 };
            left -= *wide;
        }
        assert_eq!(left, 0);
        (panels, rest)
    };
    assert_eq!((widths(4, 16 * 9), widths(4, 16 * 8 + 1)), ((1, [3, 2, 0]), (1, [3, 2, 0])));
    assert_eq!((widths(4, 16 * 8), widths(4, 16 * 10)), ((2, [0; 3]), (2, [2, 0, 0])));
    assert_eq!((widths(6, 16 * 7), widths(12, 16 * 13)), ((0, [4, 3, 0]), (0, [8, 3, 2])));
    // Of two vectors nothing is gained.
    assert_eq!((widths(2, 16 * 3), widths(1, 16 * 2), widths(4, 15)), ((1, [1, 0, 0]), (2, [0; 3]), (0, [1, 0, 0])));
}

#[test]
fn what_no_cache_holds_is_streamed() {
    let plan = |m, n, k| GemmPlan::new(&mut product(m, n, k, PLAIN), AVX512);
    let blocks = |plan: GemmPlan| (plan.packing, plan.kc, plan.nc);
    // Whole rows of B in one block: 33 panels of 4 vectors.
    assert_eq!([1, 4].map(|m| blocks(plan(m, 2064, 2048))), [(Packing::InPlace, 8, 33 * 64); 2]);
    assert_eq!([5, 31].map(|m| blocks(plan(m, 2064, 2048))), [(Packing::InPlace, 16, 33 * 64); 2]);
    assert_eq!([32, 128].map(|m| blocks(plan(m, 2048, 2048))), [(Packing::OnTheWay, 256, 768); 2]);
    assert_eq!(blocks(plan(129, 2048, 2048)), (Packing::OnTheWay, 512, 384));
    assert_eq!([1, 2].map(|m| plan(m, 1024, 512).kc), [8, 512]);
    assert_eq!([(31, 2048, 2047), (31, 1024, 512), (128, 1023, 512)].map(|(m, n, k)| plan(m, n, k).kc), [512; 3]);
    assert_eq!([32, 128, 129].map(|m| plan(m, 1024, 512).kc), [256, 256, 512]);
    let shapes = [(2048, 2048, 32), (2048, 2048, 4), (2048, 2048, 33), (2047, 2048, 32)];
    assert_eq!(shapes.map(|(m, n, k)| plan(m, n, k).streams_c), [true, true, false, false]);
    assert_eq!([(4095, 2048, 1), (4096, 2048, 1)].map(|(m, n, k)| plan(m, n, k).streams_c), [false, true]);
    assert!(GemmPlan::packed_ahead(&product(2048, 2048, 32, PLAIN), 4, AVX512).streams_c);
}

#[test]
fn few_steps_are_outer_products_of_b_where_it_lies() {
    let found = |m, n, k, registers| {
        let plan = GemmPlan::new(&mut product(m, n, k, PLAIN), registers);
        (plan.path, plan.packing)
    };
    assert_eq!(found(784, 4096, 4, AVX2), (GemmPath::Outer, Packing::InPlace));
    assert_eq!(found(784, 512, 5, AVX512).0, GemmPath::Tiles);
    // The tiles write past the caches, outer products do not.
    assert_eq!(found(2048, 2048, 4, AVX512).0, GemmPath::Tiles);
}

#[test]
fn tiles_fit_the_shape() {
    let tile = |m, n, k, registers| {
        let Tile { rows, vectors } = GemmPlan::new(&mut product(m, n, k, PLAIN), registers).tile;
        (rows, vectors)
    };
    // Short chains use half of the accumulators, but on AVX2.
    assert_eq!([(512, 8), (16, 8), (512, 9)].map(|(n, k)| tile(784, n, k, AVX512)), [(4, 4), (8, 1), (6, 4)]);
    assert_eq!(tile(784, 512, 8, AVX2), (6, 1));
    // Ten columns do not pay for more than a vector; where all columns fit, a tile may have 8 rows.
    assert_eq!((tile(64, 10, 128, AVX512), tile(64, 48, 128, AVX512)), ((8, 1), (8, 3)));
    assert_eq!([10, 512].map(|n| panel_vectors::<f32>(n, AVX512)), [1, 4]);
}

#[test]
fn rows_of_a_transposed_a_share_lines() {
    for (n, transposed, rows, vectors) in [(784, true, 8, 3), (784, false, 6, 4), (512, true, 6, 4)] {
        let plan = GemmPlan::new(&mut product(256, n, 64, [transposed, false, false]), AVX512);
        assert_eq!(plan.tile, Tile { rows, vectors }, "{n} columns, transposed: {transposed}");
    }
}

/// Few columns and little work: what is small, and the tiles of what is.
#[test]
fn small_products_are_planned_by_rows_and_columns() {
    let small = |m, n, k| is_small(&product(m, n, k, PLAIN), AVX512);
    // Columns; work; depth of dense rows; a width that is half idle, by rows and by steps.
    assert_eq!([small(3, 64, 10), small(3, 65, 10)], [true, false]);
    assert_eq!([small(32, 32, 32), small(33, 32, 32)], [true, false]);
    assert_eq!([small(10, 16, 64), small(10, 16, 65)], [true, false]);
    assert_eq!([small(8, 8, 128), small(8, 7, 128), small(9, 8, 128)], [true, false, false]);
    assert_eq!([small(100, 10, 16), small(100, 10, 17)], [true, false]);
    // Tiny whatever the width, up to one block of steps; a vector of columns up to four; a column until it is a dot product.
    assert_eq!([small(1, 2, 256), small(1, 2, 257), small(0, 9, 513)], [true, false, true]);
    assert_eq!([small(1, 1, 31), small(1, 1, 32)], [true, false]);
    assert_eq!(
        [small(2, 16, 2048), small(2, 16, 2049), small(1, 17, 600), small(3, 16, 600)],
        [true, false, false, false]
    );
    assert_eq!([small(1, 8, 600), small(1, 7, 600)], [true, false]);
    // Not where B or C lies otherwise, nor outer products.
    assert!(
        [[true, false, false], [false, true, false], [false, false, true]]
            .map(|transposed| is_small(&product(9, 9, 9, transposed), AVX512))
            == [true, false, false]
    );
    assert_eq!([small(9, 64, 4), small(9, 64, 5)], [true; 2]);
    assert_eq!([63, 64].map(|n| is_small(&product(9, n, 4, PLAIN), AVX2)), [true, false]);

    let tile = |m, n, k, registers| {
        let Tile { rows, vectors } = GemmPlan::new(&mut product(m, n, k, PLAIN), registers).tile;
        (rows, vectors)
    };
    assert_eq!([tile(31, 10, 9, AVX512), tile(9, 50, 9, AVX512), tile(5, 33, 9, AVX512)], [(8, 1), (6, 4), (5, 3)]);
    assert_eq!([tile(31, 33, 9, AVX2), tile(2, 33, 9, AVX2), tile(1, 33, 9, AVX2)], [(6, 1), (2, 2), (1, 3)]);
    let wide = Product::<f64>::to_plan((5, 40, 9), [(9, 1), (40, 1), (40, 1)]);
    assert_eq!(small_vectors(&wide, AVX512), 3, "of 5");
}

/// What needs no plan has the one that it would get.
#[test]
fn few_dots_are_planned_as_dots() {
    let (mut found, few) = ([0, 0], |m, n, k, transposed| is_few_dots(&product(m, n, k, transposed)));
    assert_eq!([few(4, 10, 32, [false, true, false]), few(5, 10, 32, [false, true, false])], [true, false]);
    assert_eq!([few(4, 10, 31, [false, true, false]), few(4, 10, 32, PLAIN)], [false, false]);
    // More than a block of k for more than a row.
    assert_eq!([1, 2].map(|m| few(m, 10, 1025, [false, true, false])), [true, false]);
    for (m, n, k) in
        (1..6).flat_map(|m| [1, 2, 10, 64].map(move |n| (m, n))).flat_map(|(m, n)| [31, 32, 500].map(|k| (m, n, k)))
    {
        for bits in 0..8 {
            let mut product = product(m, n, k, [0, 1, 2].map(|operand| bits >> operand & 1 == 1));
            let is_few = !product.is_column_major() && is_few_dots(&product) && !is_small(&product, AVX512);
            found[usize::from(is_few)] += 1;
            assert!(
                !is_few || GemmPlan::new(&mut product, AVX512).to_string() == "dots, in place",
                "{m}x{n}x{k} {bits}"
            );
        }
    }
    assert!(found.into_iter().all(|count| count > 20), "{found:?}");
}

#[test]
fn a_column_major_result_swaps_the_operands() {
    let mut product = product(300, 200, 100, [false, false, true]);
    let plan = GemmPlan::new(&mut product, AVX512);
    assert_eq!((product.m, product.n, plan.swapped, plan.scatter), (200, 300, true, false));
}

/// One output: its column is a row, of dot products forward and of tiles for dW.
#[test]
fn a_result_of_one_column_is_planned_as_a_row() {
    for (m, k, transposed, path) in [(300, 64, false, GemmPath::Dots), (64, 300, true, GemmPath::Tiles)] {
        let mut product = product(m, 1, k, [transposed, false, false]);
        let plan = GemmPlan::new(&mut product, AVX512);
        assert_eq!((product.m, product.n, plan.path, plan.scatter), (1, m, path, false));
    }
    let path = |k| GemmPlan::new(&mut product(1, 1, k, PLAIN), AVX512).path;
    assert_eq!([31, 32].map(path), [GemmPath::Tiles, GemmPath::Dots]);
}

/// The ways of the products of an MLP, forward, dX and dW: they decide the time, and dots or tiles the bits.
#[test]
fn each_product_of_a_layer_has_its_way() {
    let way = |m, n, k, transposed| {
        let plan = GemmPlan::new(&mut product(m, n, k, transposed), AVX512);
        (plan.path, plan.swapped)
    };
    let [tiles, turned] = [false, true].map(|swapped| (GemmPath::Tiles, swapped));
    let [dots, outer] = [GemmPath::Dots, GemmPath::Outer].map(|path| (path, false));
    for (inputs, outputs, batch, expected) in [
        (784, 512, 1, [tiles, dots, outer]),
        (784, 512, 8, [tiles, dots, tiles]),
        (784, 512, 16, [tiles, dots, tiles]),
        // From memory.
        (4096, 4096, 16, [tiles, turned, tiles]),
        (784, 512, 32, [tiles, turned, tiles]),
        (784, 512, 128, [tiles, turned, tiles]),
        (784, 512, 512, [tiles, tiles, tiles]),
        (512, 256, 8, [tiles, dots, tiles]),
        (512, 256, 32, [tiles, turned, tiles]),
        (512, 256, 128, [tiles, tiles, tiles]),
        (128, 10, 1, [tiles, dots, tiles]),
        (128, 10, 8, [tiles, tiles, tiles]),
        (128, 10, 16, [tiles, tiles, tiles]),
        (128, 10, 24, [tiles, tiles, turned]),
        (128, 10, 32, [tiles, tiles, turned]),
        // The scratch memory of a turned product takes longer than it saves.
        (32, 10, 24, [tiles, tiles, tiles]),
        (128, 10, 128, [dots, tiles, turned]),
    ] {
        let forward = way(batch, outputs, inputs, PLAIN);
        let dx = way(batch, inputs, outputs, [false, true, false]);
        let dw = way(inputs, outputs, batch, [true, false, false]);
        assert_eq!([forward, dx, dw], expected, "{batch} through {inputs} x {outputs}");
    }
}

/// Both operands stored by steps of k: the larger one is A, where no L2 holds it and C has a few vectors, unless its rows share sets of the caches
/// or rows of the smaller one are worth copies.
#[test]
fn deep_products_read_the_larger_operand_once() {
    let is_turned = |m, n, k| GemmPlan::new(&mut product(m, n, k, [true, false, false]), AVX512).swapped;
    let shapes =
        [(240, 784, 1025), (240, 784, 668), (784, 240, 4096), (240, 496, 1058), (64, 784, 1025), (63, 784, 1025)];
    assert_eq!(shapes.map(|(m, n, k)| is_turned(m, n, k)), [true, false, false, true, true, false]);
    assert_eq!(
        [(240, 1040, 1025), (240, 1024, 1025), (256, 784, 1025)].map(|(m, n, k)| is_turned(m, n, k)),
        [false; 3]
    );
    assert_eq!([(180, 1040, 1025), (180, 1024, 1025)].map(|(m, n, k)| is_turned(m, n, k)), [true, false]);
}

/// What becomes of the rows of a transposed A: by how far apart its steps lie, by the columns that read them and by the size of C.
#[test]
fn a_transposed_a_is_copied_or_read_by_few_steps() {
    let plan = |m, n, k| {
        let plan = GemmPlan::new(&mut product(m, n, k, [true, false, false]), AVX512);
        (plan.packs_a, plan.kc)
    };
    // 4 KiB apart: few columns, few steps at a time; more columns, or few steps in all.
    assert_eq!(
        [plan(1024, 256, 512), plan(1024, 128, 257), plan(1024, 128, 256)],
        [(false, 128), (false, 128), (false, 512)]
    );
    assert_eq!(
        [plan(1024, 257, 512), plan(1024, 512, 128), plan(1024, 511, 128)],
        [(true, 512), (true, 512), (false, 512)]
    );
    assert_eq!([plan(1040, 128, 512), plan(1040, 512, 512)], [(false, 512); 2]);
    // Any A, where B is wide and C large.
    let wide = [(342, 576, 128), (341, 576, 128), (342, 575, 128), (342, 576, 127), (256, 768, 128)];
    assert_eq!(wide.map(|(m, n, k)| plan(m, n, k).0), [true, false, false, false, true]);
    let f64_plan = |m, n, k| {
        let mut p = Product::<f64>::to_plan((m, n, k), [(1, m as isize), (n as isize, 1), (n as isize, 1)]);
        let plan = GemmPlan::new(&mut p, AVX512);
        (plan.packs_a, plan.kc)
    };
    assert_eq!([f64_plan(1024, 128, 512), f64_plan(1024, 136, 512)], [(false, 96), (true, 384)]);
}

/// The order of summation depends on the type, shape and strides, not on the instruction set.
#[test]
fn the_depth_of_a_block_does_not_depend_on_registers() {
    let shapes = [(1, 1, 1), (3, 1000, 70), (2048, 2048, 2048), (64, 2048, 2048), (20, 2048, 2048)];
    for registers in [4, AVX2, AVX512] {
        let plan = |(m, n, k)| GemmPlan::new(&mut product(m, n, k, PLAIN), registers);
        assert_eq!(shapes.map(|shape| plan(shape).kc), [512, 512, 512, 256, 16]);
    }
}
