//! Files that are made to take memory take a small multiple of their length.

use crate::counting::HELD;
use roofline::nn::checkpoint::Checkpoint;

/// Most bytes that reading takes for each byte of a file.
const MAX_MULTIPLE: usize = 16;

/// A file of about a million bytes whose header repeats one text.
fn bomb(start: &str, repeated: &str, end: &str) -> Vec<u8> {
    let header = format!("{start}{}{end}", repeated.repeat(1_000_000 / repeated.len()));
    [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat()
}

#[test]
fn memory_is_a_small_multiple_of_the_file() {
    let tensor = r#""dtype":"F32","shape":[0],"data_offsets":[0,0]"#;
    let described = |text: &str| format!(r#"{{"__metadata__":{{"roofline":"{{\"version\":2,{text}"#);
    let bombs = [
        bomb(r#"{"a":["#, "0,", "0]}"),
        bomb(r#"{"a":["#, "[],", "[]]}"),
        bomb("{", r#""":1,"#, r#""":1}"#),
        bomb("{", &format!(r#""":{{{tensor}}},"#), r#""":1}"#),
        bomb(r#"{"a":{"dtype":"F32","shape":["#, "0,", r#"0],"data_offsets":[0,0]}}"#),
        bomb(r#"{"__metadata__":{"#, r#""":"","#, r#""":""}}"#),
        bomb(&described(r#"\"classes\":["#), r#"\"\","#, r#"\"\"]}"}}"#),
        bomb(&described(r#"\"configuration\":["#), "0,", r#"0]}"}}"#),
    ];
    for (i, bytes) in bombs.iter().enumerate() {
        let (before, _) = HELD.get();
        HELD.set((before, before));
        let result = Checkpoint::<f32>::from_bytes(bytes);
        let taken = HELD.get().1 - before;
        assert!(result.is_err(), "bomb {i}");
        assert!(taken <= MAX_MULTIPLE * bytes.len(), "bomb {i}: {taken} bytes for {}", bytes.len());
        println!("bomb {i}: {:.1}", taken as f64 / bytes.len() as f64);
    }
}
