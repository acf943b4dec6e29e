//! The masks of dropout, from a scalar generator.

use roofline::Dropout;

/// Philox4x32-7, word by word.
pub fn philox(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let ([mut a, mut b, mut c, mut d], [mut k0, mut k1]) = (counter, key);
    for _ in 0..7 {
        let (p, q) = (u64::from(a) * 0xd251_1f53, u64::from(c) * 0xcd9e_8d57);
        [a, b, c, d] = [(q >> 32) as u32 ^ b ^ k0, q as u32, (p >> 32) as u32 ^ d ^ k1, p as u32];
        (k0, k1) = (k0.wrapping_add(0x9e37_79b9), k1.wrapping_add(0xbb67_ae85));
    }
    [a, b, c, d]
}

/// Whether an element stays, as the module of the kernel tells it.
pub fn stays(dropout: Dropout, element: u64) -> bool {
    let (tile, v, lane) = (element / 64, element % 64 / 16, element % 16);
    let counter = 8 * tile + lane / 2;
    let word = philox(
        [counter as u32, (counter >> 32) as u32, dropout.step as u32, (dropout.step >> 32) as u32],
        [dropout.seed as u32, (dropout.seed >> 32) as u32],
    )[(lane % 2 + 2 * (v / 2)) as usize];
    let bits = if v % 2 == 0 { word >> 16 } else { word } as u16 as i16;
    f64::from(bits) < (dropout.keep_prob * 65536.0).round() - 32768.0
}
