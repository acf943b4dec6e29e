//! Which products are compared: squares, the three products of dense layers, and everything long and thin.

/// C (m×n) ← A·B over k steps. `ta` and `tb` mark an operand that is stored transposed; all memory is row-major.
pub struct Shape {
    /// What it stands for; unique within the grid.
    pub name: String,
    /// Rows of C.
    pub m: usize,
    /// Columns of C.
    pub n: usize,
    /// Length of the sums.
    pub k: usize,
    /// A is stored k×m.
    pub ta: bool,
    /// B is stored n×k.
    pub tb: bool,
}

/// The sizes that a grid is made of.
struct Grid<'a> {
    /// Sides of square products.
    squares: &'static [usize],
    /// Inputs and outputs of dense layers.
    layers: &'a [(usize, usize)],
    /// Mini-batches of each layer.
    batches: &'static [usize],
    /// m, n and k of tall, wide, deep and odd products.
    others: &'static [(usize, usize, usize)],
}

/// Everything.
const FULL: Grid<'static> = Grid {
    squares: &[16, 31, 32, 48, 64, 96, 100, 128, 192, 256, 384, 511, 512, 768, 1000, 1024, 2048],
    layers: &[(784, 512), (512, 256), (256, 128), (128, 10), (4096, 4096)],
    batches: &[1, 2, 4, 8, 16, 32, 64, 128, 256, 1024],
    others: &[
        (4096, 64, 64),
        (4096, 16, 256),
        (2048, 32, 512),
        (10_000, 10, 100),
        (64, 4096, 64),
        (16, 4096, 256),
        (32, 2048, 512),
        (10, 10_000, 100),
        (64, 64, 8192),
        (16, 16, 16_384),
        (256, 256, 4096),
        (512, 512, 16),
        (1024, 1024, 4),
        (2048, 2048, 1),
        (37, 41, 29),
        (5, 7, 3),
        (127, 129, 255),
        (333, 77, 501),
    ],
};

/// A sample of it that takes a minute or two.
const QUICK: Grid<'static> = Grid {
    squares: &[16, 31, 64, 256, 512, 1000],
    layers: &[(784, 512), (128, 10)],
    batches: &[1, 8, 64, 256],
    others: &[(4096, 64, 64), (64, 4096, 64), (64, 64, 8192), (512, 512, 16), (37, 41, 29)],
};

/// The shapes of the full or of the quick grid, or of all batches of `layers` if there are any.
pub fn shapes(quick: bool, layers: &[(usize, usize)]) -> Vec<Shape> {
    let grid = match layers {
        [] if quick => QUICK,
        [] => FULL,
        layers => Grid { squares: &[], layers, others: &[], ..FULL },
    };
    let squares = grid.squares.iter().map(|&n| Shape::plain(format!("square {n}"), (n, n, n)));
    let layers =
        grid.layers.iter().flat_map(|&layer| grid.batches.iter().flat_map(move |&batch| products(layer, batch)));
    let others = grid.others.iter().map(|&(m, n, k)| Shape::plain(format!("{} {m}x{n}x{k}", kind(m, n, k)), (m, n, k)));
    squares.chain(layers).chain(others).collect()
}

/// What training a dense layer multiplies: X is batch×inputs, W inputs×outputs (or stored outputs×inputs: `forward-t`),
/// dZ batch×outputs.
fn products((inputs, outputs): (usize, usize), batch: usize) -> [Shape; 4] {
    let shape = |kind, (m, n, k), ta, tb| {
        let name = format!("{kind} {inputs}-{outputs} b{batch}");
        Shape { ta, tb, ..Shape::plain(name, (m, n, k)) }
    };
    [
        shape("forward", (batch, outputs, inputs), false, false),
        shape("forward-t", (batch, outputs, inputs), false, true),
        shape("dX", (batch, inputs, outputs), false, true),
        shape("dW", (inputs, outputs, batch), true, false),
    ]
}

/// The side that is eight times any other gives its name to the shape; `flat` has few steps of k.
fn kind(m: usize, n: usize, k: usize) -> &'static str {
    let dominates = |x, y, z| x >= 8 * usize::max(y, z);
    match () {
        () if dominates(m, n, k) => "tall",
        () if dominates(n, m, k) => "wide",
        () if dominates(k, m, n) => "deep",
        () if 8 * k <= m.min(n) => "flat",
        () => "odd",
    }
}

impl Shape {
    /// Both operands stored as they are multiplied.
    fn plain(name: String, (m, n, k): (usize, usize, usize)) -> Self {
        Self { name, m, n, k, ta: false, tb: false }
    }

    /// Floating-point operations: a multiply–add is two.
    pub fn flops(&self) -> f64 {
        2.0 * self.m as f64 * self.n as f64 * self.k as f64
    }

    /// How A and B are stored, in the letters of BLAS: N as they are, T transposed.
    pub fn layout(&self) -> &'static str {
        match (self.ta, self.tb) {
            (false, false) => "NN",
            (false, true) => "NT",
            (true, false) => "TN",
            (true, true) => "TT",
        }
    }
}
