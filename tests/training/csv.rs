//! `roofline::nn::csv` on good files and hostile files.

use roofline::nn::Labels;
use roofline::nn::csv::{Column, CsvError, Header, LabelKind, Limits, Options, Table, read, read_inputs};
use std::error::Error;
use std::io::{self, ErrorKind, Read};

fn table(text: &str, options: &Options) -> Table<f64> {
    read(text.as_bytes(), options).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

/// The message of a file that must not load.
fn refusal(text: impl AsRef<[u8]>, options: &Options) -> String {
    read::<f32>(text.as_ref(), options).expect_err("a damaged file loads").to_string()
}

fn values(table: &Table<f64>) -> Vec<f64> {
    let x = table.data.x();
    (0..x.rows()).flat_map(|i| (0..x.cols()).map(move |j| x.get(i, j).unwrap())).collect()
}

fn kind(kind: LabelKind) -> Options {
    Options { kind, ..Options::default() }
}

#[test]
fn header_or_not() {
    let with = "width,height,kind\n1,2,b\n3,-4.5e1,a\n";
    let without = &with[with.find('1').unwrap()..];
    let options = |header| Options { header, ..Options::default() };
    for (text, header, names) in [
        (with, Header::Auto, true),
        (with, Header::Present, true),
        (without, Header::Auto, false),
        (without, Header::Absent, false),
    ] {
        let found = table(text, &options(header));
        assert_eq!(values(&found), [1.0, 2.0, 3.0, -45.0], "{header:?}");
        assert_eq!((found.data.labels(), &found.classes[..]), (&[1, 0][..], &["a".to_owned(), "b".to_owned()][..]));
        assert_eq!(found.inputs, if names { vec!["width", "height"] } else { vec![] });
    }
    // A number among the inputs makes a row of data; pandas leaves the name of the first column empty.
    assert_eq!(refusal("width,2,b\n1,2,a\n", &Options::default()), "row 1, column 1: \"width\" is not a number");
    assert_eq!(table(",height,kind\n1,2,a\n", &Options::default()).inputs, ["", "height"]);
    // Empty cells are not names.
    assert_eq!(refusal(",,a\n1,2,a\n", &Options::default()), "row 1, column 1: \"\" is empty");
    // Stated, even numbers are names.
    assert_eq!(table("1,2,3\n4,5,6\n", &options(Header::Present)).inputs, ["1", "2"]);
    assert!(refusal(with, &options(Header::Absent)).starts_with("row 1, column 1: \"width\""));
}

#[test]
fn the_label_is_any_column() {
    let text = "a,b,c\n1,2,3\n4,5,6\n";
    for (label, label_at) in [
        (Column::Last, 2),
        (Column::Index(0), 0),
        (Column::Index(1), 1),
        (Column::Name("a".into()), 0),
        (Column::Name("c".into()), 2),
    ] {
        let found = table(text, &Options { label, ..kind(LabelKind::Values) });
        let names: Vec<&str> =
            ["a", "b", "c"].into_iter().enumerate().filter(|e| e.0 != label_at).map(|e| e.1).collect();
        assert_eq!(found.inputs, names);
        let row = |first: f64| (0..3).filter(move |&j| j != label_at).map(move |j| first + j as f64);
        assert_eq!(values(&found), row(1.0).chain(row(4.0)).collect::<Vec<_>>());
        let Labels::Values(y) = found.data.y() else { panic!("classes") };
        assert_eq!([y.get(0, 0), y.get(1, 0)], [1.0, 4.0].map(|first| Some(first + label_at as f64)));
    }
    // A name means a header, whatever it looks like.
    let named = |name: &str| Options { label: Column::Name(name.into()), ..kind(LabelKind::Values) };
    assert_eq!(table("1,2\n3,4\n", &named("1")).inputs, ["2"]);
    assert_eq!(
        refusal(text, &named("d\n")),
        "no column for the label: none called \"d\\n\" among the 3 of the CSV file"
    );
    assert_eq!(refusal("a,a\n1,2\n", &named("a")), "two columns are called \"a\"");
    let index = Options { label: Column::Index(3), ..Options::default() };
    assert_eq!(refusal(text, &index), "no column for the label: none of index 3 among the 3 of the CSV file");
}

#[test]
fn kinds_of_labels() {
    let names = table("1,no\n2,yes\n3, no \n4,10\n5,2\n", &Options::default());
    assert_eq!((names.data.labels(), names.data.classes()), (&[2, 3, 2, 0, 1][..], 4));
    assert_eq!(names.classes, ["10", "2", "no", "yes"], "in the order of bytes");

    let known = kind(LabelKind::KnownNames(vec!["yes".into(), "no".into(), "maybe".into()]));
    let found = table("1,no\n2,yes\n", &known);
    assert_eq!((found.data.labels(), found.data.classes()), (&[1, 0][..], 3));
    assert_eq!(refusal("1,no\n2,perhaps\n", &known), "row 2, column 2: \"perhaps\" is not a known class");

    let integers = table("1,4\n2,0\n", &kind(LabelKind::Integers));
    assert_eq!((integers.data.labels(), integers.data.classes(), integers.classes.len()), (&[4, 0][..], 5, 0));
    for cell in ["-1", "1.0", "x", "99999999999999999999999"] {
        let wanted = format!("row 1, column 2: {cell:?} is not a class index");
        assert_eq!(refusal(format!("1,{cell}\n"), &kind(LabelKind::Integers)), wanted);
    }
    let regression = table("1,-0.5\n2,1e3\n", &kind(LabelKind::Values));
    assert_eq!((regression.data.outputs(), regression.data.classes()), (1, 0));
    assert_eq!(refusal("1,2\n1,x\n", &kind(LabelKind::Values)), "row 2, column 2: \"x\" is not a number");
}

#[test]
fn inputs_without_labels() {
    let options = Options { label: Column::Name("kind".into()), ..Options::default() };
    for (text, names) in [("a,b\n1,2\n3,4\n", &["a", "b"][..]), ("1,2\n3,4\n", &[])] {
        let (x, found) = read_inputs::<f64>(text.as_bytes(), &options).unwrap();
        assert_eq!((x.rows(), x.cols(), x.as_slice()), (2, 2, &[1.0, 2.0, 3.0, 4.0][..]));
        assert_eq!(found, names);
    }
    let one = read_inputs::<f64>(&b"a\n7\n"[..], &options).unwrap().0;
    assert_eq!((one.rows(), one.as_slice()), (1, &[7.0][..]));
    let refusal = |text: &str| read_inputs::<f64>(text.as_bytes(), &options).unwrap_err().to_string();
    assert_eq!(refusal("a,b\n1,x\n"), "row 2, column 2 (\"b\"): \"x\" is not a number");
    assert_eq!(refusal("a,b\n"), "the CSV file has a header, but no rows");
    assert_eq!(refusal("1,2\n1\n"), "row 2 has 1 cells, the first row has 2");
    // A number in the last column makes a row of data, as in any other.
    assert_eq!(refusal("a,3\n1,2\n"), "row 1, column 1: \"a\" is not a number");
}

#[test]
fn cells_are_quoted_with_row_and_column() {
    let with = |cell: &str| format!("length,width,kind\n1,2,a\n3,{cell},b\n");
    for (cell, message) in [
        ("abc", "\"abc\" is not a number"),
        ("", "\"\" is empty"),
        ("  ", "\"  \" is empty"),
        ("nan", "\"nan\" is not finite"),
        ("NaN", "\"NaN\" is not finite"),
        ("-inf", "\"-inf\" is not finite"),
        ("1e400", "\"1e400\" is not finite"),
        ("1e39", "\"1e39\" is beyond the range of the type"),
        ("1 2", "\"1 2\" is not a number"),
        ("0x10", "\"0x10\" is not a number"),
        ("\"1,5\"", "\"1,5\" is not a number"),
        ("\u{1b}[31m", "\"\\u{1b}[31m\" is not a number"),
    ] {
        let wanted = format!("row 3, column 2 (\"width\"): {message}");
        assert_eq!(refusal(with(cell), &Options::default()), wanted);
    }
    let long = refusal(with(&"ü".repeat(1000)), &Options::default());
    assert_eq!(long, format!("row 3, column 2 (\"width\"): \"{}\"… is not a number", "ü".repeat(40)));
    assert_eq!(refusal(b"1,\xff\n", &Options::default()), "row 1, column 2: \"\u{fffd}\" is not text in UTF-8");
    assert_eq!(refusal(b"1,a\n\xff,a\n", &Options::default()), "row 2, column 1: \"\u{fffd}\" is not a number");
    assert_eq!(refusal("1,a\n2,\n", &Options::default()), "row 2, column 2: \"\" is empty");
}

#[test]
fn ragged_empty_and_header_only() {
    let default = Options::default();
    assert_eq!(refusal("1,2,a\n1,2\n", &default), "row 2 has 2 cells, the first row has 3");
    assert_eq!(refusal("a,b\n1,x\n1,2,x\n", &default), "row 3 has 3 cells, the first row has 2");
    for nothing in ["", "\n\n\r\n"] {
        assert_eq!(refusal(nothing, &default), "the CSV file is empty");
    }
    for header in ["a,b,c", "a,b,c\n", "a,b,c\r\n\r\n"] {
        assert_eq!(refusal(header, &default), "the CSV file has a header, but no rows");
    }
    for column in ["a\n", "1\n2\n", "kind\na\n"] {
        assert_eq!(refusal(column, &default), "the CSV file has one column: a label, but no inputs");
    }
}

#[test]
fn quotes_line_ends_delimiters_and_marks() {
    let wanted = [1.0, 2.5, 3.0, 4.0];
    for (text, delimiter) in [
        ("1,2.5,x\r\n3,4,y\r\n", b','),
        ("1,2.5,x\n\n3,4,y", b','),
        ("\"1\",\"2.5\",\"x\"\n3,4,y\n", b','),
        (" 1 ; +2.5 ; x\n3;4;y\n", b';'),
        ("1\t2.5\tx\n3\t4\ty\n", b'\t'),
        ("\u{feff}1,2.5,x\n3,4,y\n", b','),
    ] {
        let found = table(text, &Options { delimiter, ..Options::default() });
        assert_eq!(values(&found), wanted, "{text:?}");
        assert_eq!(found.classes, ["x", "y"]);
    }
    let quoted = table("\"a, \"\"b\"\"\",kind\n1,\"x\ny\"\n", &Options::default());
    assert_eq!((&quoted.inputs[0][..], &quoted.classes[0][..]), ("a, \"b\"", "x\ny"));
    for delimiter in [b'"', b'\n', b'\r'] {
        let error = read::<f32>(&b"1,2\n"[..], &Options { delimiter, ..Options::default() }).unwrap_err();
        assert!(matches!(error, CsvError::Data(_)), "{error}");
        assert_eq!(error.source().unwrap().to_string(), error.to_string());
    }
}

/// Gives `pattern` again and again, `step` bytes at a time, without end; counts what it gave.
struct Endless<'a> {
    pattern: &'a [u8],
    step: usize,
    given: usize,
}

impl Read for Endless<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = buf.len().min(self.step);
        for (at, byte) in buf[..count].iter_mut().enumerate() {
            *byte = self.pattern[(self.given + at) % self.pattern.len()];
        }
        self.given += count;
        Ok(count)
    }
}

#[test]
fn what_never_ends_is_given_up() {
    let limits = Limits { record_bytes: 100_000, columns: 1000, rows: 500, classes: 10 };
    let options = Options { limits, ..Options::default() };
    for (pattern, what, most) in [
        (&b"1"[..], "bytes of a record", 120_000),
        (b",", "bytes of a record", 120_000),
        (b"\"", "bytes of a record", 120_000),
        (b"\"a", "bytes of a record", 120_000),
        (b"\n", "bytes of a record", 120_000),
        (b"1,a\n", "rows", 20_000),
    ] {
        for step in [1, 1000, usize::MAX] {
            let mut endless = Endless { pattern, step, given: 0 };
            let error = read::<f32>(&mut endless, &options).unwrap_err();
            assert!(matches!(error, CsvError::TooLarge { what: found, .. } if found == what), "{pattern:?}: {error}");
            assert!(endless.given < most, "{pattern:?}: {} bytes were read", endless.given);
        }
    }
}

#[test]
fn limits_are_exact() {
    // Two records of 9 bytes with their line ends, and the last one of 8.
    let text = "1.00,2,a\n1.00,2,b\n1.00,2,a";
    let with = |limits| Options { limits, ..Options::default() };
    let limit = |record_bytes, columns, rows, classes| with(Limits { record_bytes, columns, rows, classes });
    assert_eq!(table(text, &limit(9, 3, 3, 2)).data.len(), 3);
    for (options, message) in [
        (limit(8, 3, 3, 2), "row 1: more bytes of a record than the limit of 8"),
        (limit(9, 2, 3, 2), "row 1: more columns than the limit of 2"),
        (limit(9, 3, 2, 2), "row 3: more rows than the limit of 2"),
        (limit(9, 3, 3, 1), "row 2, column 3: \"b\" is one class more than the limit"),
    ] {
        assert_eq!(refusal(text, &options), message);
    }
    assert!(read::<f32>(text.as_bytes(), &limit(8, 3, 3, 2)).unwrap_err().source().is_none());
    // A mark of UTF-8 counts as bytes of a record that nothing ends.
    let marked = "\u{feff}1,2,a";
    assert_eq!(table(marked, &limit(8, 3, 1, 1)).data.len(), 1);
    assert_eq!(refusal(marked, &limit(7, 3, 1, 1)), "row 1: more bytes of a record than the limit of 7");
    let integers = Options { kind: LabelKind::Integers, ..limit(9, 3, 3, 4) };
    assert_eq!(table("1,3\n", &integers).data.classes(), 4);
    assert_eq!(refusal("1,4\n", &integers), "row 1, column 2: \"4\" is not below the limit of classes");
}

#[test]
fn short_reads_change_nothing_and_errors_pass_through() {
    struct Drip<'a>(&'a [u8], bool);
    impl Read for Drip<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(ErrorKind::Interrupted.into());
            }
            let len = buf.len().min(1);
            self.0.read(&mut buf[..len])
        }
    }
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::new(ErrorKind::ConnectionReset, "cable cut"))
        }
    }
    /// Gives so many bytes, then claims one more than there is room for.
    struct Liar(usize);
    impl Read for Liar {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            if self.0 == 0 {
                return Ok(buf.len() + 1);
            }
            self.0 -= 1;
            buf[0] = b'1';
            Ok(1)
        }
    }
    for good in 0..6 {
        let error = read::<f64>(Liar(good), &Options::default()).unwrap_err();
        assert!(matches!(&error, CsvError::Io(inner) if inner.to_string().contains("more bytes than")), "{error}");
    }
    let text = "a,b,kind\n1,2,x\n\"3\",4,\"y z\"\n";
    let found = read::<f64>(Drip(text.as_bytes(), false), &Options::default()).unwrap();
    assert_eq!((values(&found), &found.classes[..]), (vec![1.0, 2.0, 3.0, 4.0], &["x".to_owned(), "y z".into()][..]));
    for cut in 0..text.len() {
        let error = read::<f64>(text.as_bytes()[..cut].chain(Broken), &Options::default()).unwrap_err();
        assert!(matches!(&error, CsvError::Io(inner) if inner.to_string() == "cable cut"), "{cut}: {error}");
        assert_eq!(error.source().unwrap().to_string(), "cable cut");
    }
}

/// No file makes it panic: every truncation and every flipped bit gives a table or an error.
#[test]
fn damage_never_panics() {
    let text = "length,width,kind\n1.5,2,setosa\r\n\"3\",-4e1,\"versi,color\"\n5,6,setosa\n".as_bytes();
    let all = [LabelKind::Names, LabelKind::Integers, LabelKind::Values, LabelKind::KnownNames(vec!["setosa".into()])];
    for options in all.map(kind) {
        for cut in 0..text.len() {
            let _ = read::<f32>(&text[..cut], &options);
        }
        for bit in 0..8 * text.len() {
            let mut damaged = text.to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            if let Ok(table) = read::<f32>(&damaged[..], &options) {
                assert!(table.data.len() <= 5 && table.data.inputs() >= 1);
            }
        }
    }
}

/// A byte order mark is none of the first name, however few bytes come at a time.
#[test]
fn a_byte_order_mark_may_come_in_pieces() {
    let file = b"\xef\xbb\xbflength,species\n5.1,setosa\n";
    for step in 1..=4 {
        let pieces = file
            .chunks(step)
            .fold(Box::new(io::empty()) as Box<dyn Read>, |before, piece| Box::new(before.chain(piece)));
        assert_eq!(read::<f32>(pieces, &Options::default()).unwrap().inputs, ["length"], "{step} at a time");
    }
}
