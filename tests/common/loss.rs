//! Costs of outputs that do not depend on each other, and their slopes, in `f64`.

use super::{Float, oracle as exact};
use roofline::{Error, Exec, MatMut, MatRef};

/// One of the two.
pub type Loss<T> = fn(&Exec, MatRef<'_, T>, MatRef<'_, T>, MatMut<'_, T>) -> Result<f64, Error>;

/// By name.
pub fn losses<T: Float>() -> [(&'static str, Loss<T>); 2] {
    [
        ("sigmoid_cross_entropy", |exec, z, y, dz| exec.sigmoid_cross_entropy(z, y, dz)),
        ("squared_error", |exec, z, y, dz| exec.squared_error(z, y, dz)),
    ]
}

/// −y·ln σ(z) − (1 − y)·ln(1 − σ(z)) with −ln σ(z) = softplus(−z), and σ(z) − y; or ½(z − y)² and z − y.
pub fn oracle(name: &str, z: f64, y: f64) -> (f64, f64) {
    if name == "squared_error" {
        return ((z - y).powi(2) / 2.0, z - y);
    }
    let ln = |z: f64| exact::softplus(z).to_f64();
    let times = |share: f64, cost: f64| if share == 0.0 { 0.0 } else { share * cost };
    (times(y, ln(-z)) + times(1.0 - y, ln(z)), exact::sigmoid(z).to_f64() - y)
}
