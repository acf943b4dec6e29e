//! Every picture is valid XML without NaN, and has its labels inside, beside one another.

use crate::document::page::{HALF, NARROW, WIDE};
use crate::document::plot::bars::{Bar, Bars};
use crate::document::plot::canvas::Canvas;
use crate::document::plot::chart::{Axis, Chart, Point, Series};
use crate::document::plot::heat::{Heat, SHADES, shade};
use crate::document::plot::scale::{Kind, Scale};
use crate::document::plot::text;
use crate::document::sections::{all, squares};
use crate::fixture;
use proptest::prelude::*;

/// Attributes that are coordinates or lengths.
const NUMBERS: [&str; 16] =
    ["x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "r", "rx", "width", "height", "points", "viewBox", "dx", "dy"];

/// A real parser takes it, and each of its numbers is finite and in the picture (a marker may cross the edge).
fn check(svg: &str, canvas: Option<&Canvas>) {
    let document = roxmltree::Document::parse(svg).unwrap_or_else(|error| panic!("{error}: {svg}"));
    assert_eq!(document.root_element().tag_name().name(), "svg");
    for node in document.descendants() {
        for attribute in node.attributes().filter(|attribute| NUMBERS.contains(&attribute.name())) {
            for number in attribute.value().split([' ', ',']).filter(|part| !part.ends_with('%')) {
                let number: f64 = number.parse().unwrap_or_else(|_| panic!("{attribute:?}"));
                let most = canvas.map_or(f64::MAX, |canvas| canvas.width.max(canvas.height) + 5.0);
                assert!((-5.0..=most).contains(&number), "{attribute:?}");
            }
        }
    }
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
}

fn check_canvas(canvas: &Canvas) {
    check(&canvas.svg(), Some(canvas));
    assert!(canvas.misplaced().is_empty(), "{:?}", canvas.misplaced());
}

#[test]
fn every_picture_of_a_report() {
    let mut pictures = 0;
    for figure in all(&fixture()).iter().flat_map(|section| &section.figures) {
        for canvas in [WIDE, HALF, NARROW].into_iter().filter_map(|width| figure.picture.draw(width)) {
            check(&canvas.svg(), Some(&canvas));
            assert!(canvas.misplaced().is_empty(), "{}, {} wide: {:?}", figure.title, canvas.width, canvas.misplaced());
            pictures += 1;
        }
    }
    assert!(pictures >= 3 * 15, "{pictures}");
}

#[test]
fn the_picture_that_stands_alone_has_style_and_background() {
    let chart = squares(&fixture(), "f32").expect("squares");
    let svg = chart.draw(760.0).standalone();
    check(&svg, None);
    assert!(svg.contains("<style>") && svg.contains("class=\"surface\"") && !svg.contains(":root"));
    assert!(svg.len() < 60_000, "{}", svg.len());
}

fn series(points: &[(f64, f64)]) -> Series {
    let point = |&(x, y): &(f64, f64)| Point { x, y, spread: Some((y / 2.0, 2.0 * y)), title: "<&\">'".into() };
    Series::line("a < b & \"c\"", 0, points.iter().map(point).collect())
}

fn chart(kinds: (Kind, Kind), points: &[(f64, f64)]) -> Chart {
    let mut chart = Chart::new("<&\">", Axis::new("x", kinds.0), Axis::new("y", kinds.1));
    chart.series.push(series(points));
    chart
}

const KINDS: [Kind; 3] = [Kind::Linear, Kind::Log, Kind::Log2];

#[test]
fn values_that_cannot_be_shown_are_left_out() {
    let nothing: &[(f64, f64)] = &[];
    let same = &[(3.0, 3.0), (3.0, 3.0)];
    let wild =
        &[(f64::NAN, 1.0), (1.0, f64::NAN), (f64::INFINITY, 2.0), (2.0, f64::NEG_INFINITY), (0.0, 0.0), (4.0, 5.0)];
    for x in KINDS {
        for y in KINDS {
            for points in [nothing, &[(1.0, 1.0)], same, wild] {
                let mut chart = chart((x, y), points);
                chart.limits = vec![(f64::NAN, "never seen".into())];
                check_canvas(&chart.draw(NARROW));
            }
        }
    }
}

/// Peaks of one thread and of two are as high where a neighbour has the other core.
#[test]
fn limits_of_one_height_have_names_beside_each_other() {
    for limits in [[5.0, 5.0], [5.0, 5.1], [5.1, 5.0], [1.0, 1.0], [9.0, 9.0]] {
        let mut chart = chart((Kind::Linear, Kind::Linear), &[(1.0, 1.0), (9.0, 9.0)]);
        chart.limits = limits.map(|height| (height, "FMA peak of 2 threads".into())).into();
        [WIDE, HALF, NARROW].into_iter().for_each(|width| check_canvas(&chart.draw(width)));
    }
}

#[test]
fn hover_texts_and_names_are_escaped() {
    let svg = chart((Kind::Linear, Kind::Linear), &[(1.0, 1.0)]).draw(400.0).svg();
    let document = roxmltree::Document::parse(&svg).unwrap();
    let texts: Vec<&str> = document.descendants().filter_map(|node| node.text()).collect();
    assert!(texts.contains(&"<&\">'") && texts.contains(&"a < b & \"c\""), "{texts:?}");
    assert_eq!(document.root_element().attribute("aria-label"), Some("<&\">"));
    assert_eq!(text::escape("a\u{1}b\n"), "a\u{fffd}b\n");
}

#[test]
fn bars_and_maps_take_any_value() {
    let bar =
        |value: f64| Bar { name: "name".into(), value, label: text::number(value), title: String::new(), colour: 0 };
    for values in [&[][..], &[0.0], &[f64::NAN, 1.0, f64::INFINITY], &[1e-300, 1e300]] {
        let (rows, legend) = (values.iter().copied().map(bar).collect(), vec![("one".into(), 0)]);
        check_canvas(&Bars { title: "bars".into(), unit: "s".into(), legend, whole: Some(1.0), rows }.draw(NARROW));
    }
    let cells =
        vec![vec![Some((0.5, "half".into())), None], vec![Some((7.0, "much".into())), Some((-1.0, "little".into()))]];
    let names = |count: usize| (0..count).map(|i| i.to_string()).collect::<Vec<_>>();
    let (x_title, y_title, legend) = ("x".into(), "y".into(), "%".into());
    check_canvas(
        &Heat { title: "map".into(), x_title, y_title, columns: names(2), rows: names(2), cells, legend }.draw(HALF),
    );
    assert_eq!([-1.0, 0.0, 0.05, 0.15, 0.999, 1.0, 7.0].map(shade), [0, 0, 0, 1, 9, 9, 9]);
    assert_eq!(SHADES, 10);
}

#[test]
fn a_misplaced_label_is_found() {
    use crate::document::plot::canvas::Anchor;
    let mut canvas = Canvas::new("labels", 100.0, 50.0);
    canvas.text((50.0, 20.0), Anchor::Middle, ("tick", 11.0), "good");
    canvas.text((0.0, 40.0), Anchor::End, ("tick", 11.0), "moved into the");
    assert!(canvas.misplaced().is_empty(), "{:?}", canvas.misplaced());
    canvas.text((52.0, 22.0), Anchor::Middle, ("tick", 11.0), "on the first");
    assert_eq!(canvas.misplaced().len(), 1);
    canvas.text((0.0, 51.0), Anchor::Start, ("tick", 11.0), "low");
    canvas.text((0.0, 30.0), Anchor::Start, ("tick", 11.0), "much too long for a picture of that width");
    assert_eq!(canvas.misplaced().len(), 3);
}

#[test]
fn numbers_read_well() {
    let read = [0.0, 0.01234, 0.5, 4.567, 45.67, 456.7, 1234.0, 12_345.6, -1_234_567.0].map(text::number);
    let thin = |text: &str| text.replace('_', "\u{202f}");
    assert_eq!(read, ["0", "0.0123", "0.500", "4.57", "45.7", "457", "1234", "12_346", "−1_234_567"].map(thin));
    assert_eq!([0.5, 4.0, 0.05, 1000.0, 2e9].map(text::tick), ["0.5", "4", "0.05", "1000", "2e9"]);
    assert_eq!(
        [3e-10, 4.5e-8, 1.2e-3, 61.0].map(text::seconds),
        ["0.300_ns", "45.0_ns", "1.20_ms", "61.0_s"].map(thin)
    );
    assert_eq!([512, 32 << 10, 1 << 20, 3 << 29].map(text::bytes), ["512_B", "32_KiB", "1_MiB", "1.5_GiB"].map(thin));
    assert_eq!([text::number(f64::NAN), text::percent(f64::INFINITY)], ["–", "–"]);
}

proptest! {
    #[test]
    fn any_data_give_a_good_chart(
        points in prop::collection::vec((1e-6..1e9_f64, 1e-6..1e9_f64), 0..20),
        x in 0..3_usize,
        y in 0..3_usize,
        width in 300.0..1200.0_f64,
    ) {
        check_canvas(&chart((KINDS[x], KINDS[y]), &points).draw(width));
    }

    #[test]
    fn ticks_grow_within_the_domain(low in 1e-6..1e6_f64, ratio in 1.01..1e6_f64, kind in 0..3_usize, count in 2..10_usize) {
        let first = if kind == 0 { 0.0 } else { low };
        let scale = Scale::new(KINDS[kind], (first, low * ratio), (10.0, 110.0));
        let ticks = scale.ticks(count);
        prop_assert!(ticks.windows(2).all(|pair| pair[0] < pair[1]));
        prop_assert!(ticks.iter().all(|&tick| scale.contains(tick)));
        prop_assert!(kind > 0 || (1..=2 * count + 2).contains(&ticks.len()), "{} of {count}", ticks.len());
        for place in ticks.iter().filter_map(|&tick| scale.map(tick)) {
            prop_assert!((10.0 - 1e-6..=110.0 + 1e-6).contains(&place));
        }
    }

    #[test]
    fn any_text_survives_escaping(any in "\\PC*") {
        let xml = format!("<a b=\"{0}\">{0}</a>", text::escape(&any));
        let document = roxmltree::Document::parse(&xml).unwrap();
        prop_assert_eq!(document.root_element().text().unwrap_or_default(), &any);
        prop_assert_eq!(document.root_element().attribute("b").unwrap_or_default(), &any);
    }
}
