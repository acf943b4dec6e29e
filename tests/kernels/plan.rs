//! `Exec::plan`: decisions as data, and that they depend on shape and strides alone.

use roofline::{Exec, GemmPath, GemmStrides, Isa, Packing};

/// Batches that an MLP trains with, against the layers of one.
const LAYERS: [(usize, usize); 4] = [(784, 512), (512, 256), (256, 128), (128, 10)];

#[test]
fn weights_are_read_in_place_at_small_batches() {
    for exec in Isa::available().map(|isa| Exec::sequential().with_isa(isa).unwrap()) {
        for (inputs, outputs) in LAYERS {
            for batch in [1, 2, 4, 8, 16] {
                let plan = exec.plan::<f32>(batch, outputs, inputs, GemmStrides::row_major(outputs, inputs));
                assert_eq!((plan.packing, plan.scatter), (Packing::InPlace, false), "{batch}x{outputs}: {plan:?}");
            }
        }
    }
}

#[test]
fn transposed_weights_are_dot_products_at_small_batches_and_packed_at_large_ones() {
    let plan = |batch| {
        let strides = GemmStrides::row_major(784, 512).with_b_transposed(512);
        Exec::sequential().plan::<f32>(batch, 784, 512, strides)
    };
    assert!([1, 2, 4, 8].iter().all(|&batch| plan(batch).path == GemmPath::Dots));
    assert_eq!((plan(256).path, plan(256).packing), (GemmPath::Tiles, Packing::Before));
    assert_eq!(plan(8).to_string(), "dots, in place");
    assert!(plan(256).to_string().ends_with(", packed before"), "{}", plan(256));
}

#[test]
fn a_transposed_result_turns_the_product() {
    let row_major = GemmStrides::row_major(300, 200);
    let plan = Exec::sequential().plan::<f64>(100, 300, 200, GemmStrides { c: (1, 100), ..row_major });
    assert!(plan.swapped && !plan.scatter);
}

#[test]
#[cfg(feature = "parallel")]
fn parts_grow_with_work_and_threads() {
    let parts = |threads, n| {
        let exec = Exec::sequential().with_threads(threads).unwrap();
        exec.plan::<f32>(n, n, n, GemmStrides::row_major(n, n)).parts
    };
    assert_eq!(parts(1, 1024), (1, 1));
    assert_eq!(parts(2, 60), (1, 1));
    // Whole vectors of columns, or rows where those come out less even: seven vectors, 17 tiles.
    assert_eq!([128, 256].map(|n| parts(2, n)), [(1, 2); 2]);
    assert_eq!(parts(2, 100), (2, 1));
    // Threads have up to four parts each, so that the fastest takes more, but one where each part reads all of a large A.
    assert_eq!([500, 1024].map(|n| parts(4, n)), [(1, 8), (1, 4)]);
    assert!(parts(8, 512).0 * parts(8, 512).1 >= 8);
}

/// dW of a layer goes by its inputs, so that a core writes lines that follow each other, and is then updated there. X·W goes by its outputs,
/// so that a core reads half of W: lines that both have read are slow to write.
#[cfg(feature = "parallel")]
#[test]
fn gradients_of_small_batches_go_by_rows() {
    let exec = Exec::default().with_threads(2).unwrap();
    for batch in [1, 8, 16, 64, 128] {
        let plan = exec.plan::<f32>(784, 256, batch, GemmStrides::row_major(256, batch).with_a_transposed(784));
        assert_eq!(plan.parts, (2, 1), "batch {batch}");
        let forward = exec.plan::<f32>(batch, 256, 784, GemmStrides::row_major(256, 784));
        assert_eq!(forward.parts, (1, 2), "batch {batch}");
    }
}

/// `usize::MAX` rows of nothing, and zero sizes, are planned like anything else.
#[test]
fn extreme_shapes_have_plans() {
    for (m, n, k) in [(0, 0, 0), (1, 1, 0), (usize::MAX, 1, 1), (usize::MAX, usize::MAX, usize::MAX)] {
        for exec in [Exec::sequential(), Exec::default()] {
            let plan = exec.plan::<f64>(m, n, k, GemmStrides { a: (0, 0), b: (0, 0), c: (0, 0) });
            assert!(plan.parts.0 * plan.parts.1 >= 1 && plan.kc == 384, "{plan:?}");
        }
    }
}

#[test]
fn sizes_at_the_end_of_their_type_have_a_plan() {
    let (exec, huge) = (Exec::default(), usize::MAX);
    for (m, n, k) in
        [(huge, huge, huge), (1, huge, 1), (huge, 1, huge), (3, huge - 1, 600), (1, 1, huge), (0, huge, huge)]
    {
        for strides in
            [GemmStrides::row_major(n, k), GemmStrides { b: (1, isize::MIN), ..GemmStrides::row_major(n, k) }]
        {
            let plan = exec.plan::<f32>(m, n, k, strides);
            assert!(plan.parts.0 * plan.parts.1 >= 1, "{plan:?}");
        }
    }
}
