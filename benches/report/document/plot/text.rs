//! What a text measures, and how numbers read.

use std::fmt::Write;

/// Width of a text in a font of `size`, estimated from above: the advance widths of DejaVu Sans, which is among the widest of the fonts that
/// browsers take for `sans-serif`.
pub(crate) fn width(text: &str, size: f64) -> f64 {
    text.chars().map(advance).sum::<f64>() * size
}

/// In units of the font size.
fn advance(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | '\'' | '|' => 0.30,
        ' ' | ',' | '.' | '-' | 'f' | 't' | 'r' | '(' | ')' | '/' | ':' | ';' | 'I' | '!' => 0.42,
        'm' | 'w' | 'M' | 'W' | '%' | '@' | '—' => 1.0,
        '0'..='9' | 'a'..='z' | '·' => 0.64,
        _ => 0.84,
    }
}

/// For XML: text and attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // XML 1.0 has no others.
            c if c < ' ' && !matches!(c, '\n' | '\t') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A coordinate: at most one decimal.
///
/// # Panics
/// For NaN and infinities, which no picture may contain.
pub(crate) fn coordinate(x: f64) -> String {
    assert!(x.is_finite(), "a coordinate is {x}");
    let rounded = (10.0 * x).round() / 10.0;
    if rounded == 0.0 { "0".into() } else { rounded.to_string() }
}

/// Three significant digits, and thin groups of thousands: `0.0123`, `4.56`, `118`, `12 840`; `1.28e9` where that is long.
pub(crate) fn number(x: f64) -> String {
    if !x.is_finite() {
        return "–".into();
    }
    if x == 0.0 {
        return "0".into();
    }
    if !(1e-4..1e7).contains(&x.abs()) {
        return format!("{x:.2e}");
    }
    let decimals = (2 - x.abs().log10().floor() as i32).clamp(0, 9) as usize;
    let text = format!("{x:.decimals$}");
    let (whole, rest) = text.split_once('.').map_or((text.as_str(), ""), |(whole, rest)| (whole, rest));
    let digits = whole.trim_start_matches('-');
    let mut grouped = String::from(if x < 0.0 { "−" } else { "" });
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 && digits.len() > 4 {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    if !rest.is_empty() {
        // Writing into text does not fail.
        let _ = write!(grouped, ".{rest}");
    }
    grouped
}

/// Trims the zeros that [`number`] keeps: labels of axes.
pub(crate) fn tick(x: f64) -> String {
    let text = number(x);
    let (number, exponent) = text.split_at(text.find('e').unwrap_or(text.len()));
    let number = if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number };
    format!("{number}{exponent}")
}

/// `85 %`.
pub(crate) fn percent(share: f64) -> String {
    if share.is_finite() { format!("{:.0}\u{202f}%", 100.0 * share) } else { "–".into() }
}

/// `31.2 ns`, `4.50 µs`, `1.20 ms`, `3.00 s`.
pub(crate) fn seconds(x: f64) -> String {
    let units = [(1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")];
    let (unit, name) = units.into_iter().find(|(unit, _)| x.abs() >= *unit).unwrap_or((1e-9, "ns"));
    format!("{}\u{202f}{name}", number(x / unit))
}

/// `32 KiB`, `1 MiB`.
pub(crate) fn bytes(count: usize) -> String {
    let units = [(1_usize << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let (unit, name) = units.into_iter().find(|(unit, _)| count >= *unit).unwrap_or((1, "B"));
    format!("{}\u{202f}{name}", tick(count as f64 / unit as f64))
}

/// `1 thread`, `2 threads`.
pub(crate) fn threads(count: usize) -> String {
    format!("{count} thread{}", if count == 1 { "" } else { "s" })
}
