//! Any bytes: an `Err` that says what is wrong, or a run that goes.

use super::{data, network, small};
use roofline::nn::checkpoint::{Checkpoint, CheckpointError};
use roofline::nn::{MiniBatches, Optimizer, Penalty, Rule};
use roofline::{Element, Error, Exec};

/// A safetensors file with this header.
fn file(header: &str, tensors: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), tensors].concat()
}

/// Header and tensors of a file.
fn parts(bytes: &[u8]) -> (&str, &[u8]) {
    let (len, rest) = bytes.split_at(8);
    let (header, tensors) = rest.split_at(u64::from_le_bytes(len.try_into().unwrap()) as usize);
    (std::str::from_utf8(header).unwrap(), tensors)
}

/// The small file, with one text of its header replaced by another.
#[track_caller]
fn with(from: &str, to: &str) -> Vec<u8> {
    let bytes = small::<f32>(Rule::adam()).to_bytes().unwrap();
    let (header, tensors) = parts(&bytes);
    assert_eq!(header.matches(from).count(), 1, "{from} in {header}");
    file(&header.replace(from, to), tensors)
}

#[track_caller]
fn refused<T: Element>(bytes: &[u8]) -> CheckpointError {
    match Checkpoint::<T>::from_bytes(bytes) {
        Err(error) => error,
        Ok(checkpoint) => panic!("{checkpoint:?}"),
    }
}

#[track_caller]
fn message(bytes: &[u8]) -> String {
    refused::<f32>(bytes).to_string()
}

/// What was read can be written, and trains.
fn goes<T: Element>(checkpoint: &Checkpoint<T>) {
    checkpoint.to_bytes().unwrap();
    let data = data::<T>();
    let mut net = checkpoint.network(Exec::sequential()).unwrap();
    let mut optimizer = checkpoint.optimizer().unwrap();
    let mut batches = MiniBatches::new(&data, 5).unwrap();
    if let Some(position) = checkpoint.position {
        let _ = position.seek(&mut batches);
    }
    // The end of an epoch is a place to begin at, too.
    let Some(batch) = batches.next_batch() else { return };
    net.forward(batch.x).unwrap();
    if net.output().name() == "softmax" {
        net.backward(batch.x, batch.y).unwrap();
        net.update(&mut optimizer).unwrap();
    }
}

#[test]
fn every_truncation_is_refused() {
    let bytes = small::<f64>(Rule::momentum()).to_bytes().unwrap();
    for len in 0..bytes.len() {
        let error = refused::<f64>(&bytes[..len]);
        assert!(matches!(error, CheckpointError::NotSafetensors { .. }), "{len}: {error}");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert!(matches!(refused::<f64>(&longer), CheckpointError::NotSafetensors { .. }));
}

/// Each byte of a small file with each bit flipped, all bits flipped, and as each of a few characters that JSON is made of.
#[test]
fn every_flip_is_refused_or_goes() {
    let bytes = small::<f32>(Rule::momentum()).to_bytes().unwrap();
    let (mut accepted, mut refused) = (0, 0);
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        let flips = (0..8).map(|bit| bytes[at] ^ (1 << bit)).chain([!bytes[at]]);
        for byte in flips.chain(*b"09-.,:e\"\\{}[] ").filter(|&byte| byte != bytes[at]) {
            changed[at] = byte;
            match Checkpoint::<f32>::from_bytes(&changed) {
                Ok(checkpoint) => {
                    goes(&checkpoint);
                    accepted += 1;
                }
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    refused += 1;
                }
            }
        }
    }
    // Most flips of numbers are good numbers, most of the header none.
    assert!(accepted > 1000 && refused > 10_000, "{accepted} {refused}");
}

#[test]
fn foreign_files_say_what_they_are() {
    assert_eq!(message(b""), "not a whole safetensors file: 0 bytes are less than the length of a header");
    assert_eq!(
        message(b"\x89PNG\r\n\x1a\n and so on"),
        "not a whole safetensors file: its header should have 727905341920923785 bytes, 10 are there"
    );
    assert_eq!(message(&file("[]", &[])), "not a whole safetensors file: its header does not begin with {");
    let tensor = r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
    let expected = "a safetensors file with 1 tensors, but no checkpoint: its metadata have no `roofline`";
    assert_eq!(message(&file(tensor, &[0; 8])), expected);
    assert_eq!(
        message(&file(tensor, &[0; 7])),
        "not a whole safetensors file: its tensors should have 8 bytes, 7 are there"
    );
    assert_eq!(
        message(&with(r#"\"version\":2"#, r#"\"version\":1"#)),
        "a checkpoint of format version 1, this program reads version 2"
    );
    // A later version may have anything else.
    let later = r#"{"__metadata__":{"roofline":"{\"version\":3,\"layers\":[]}"}}"#;
    assert!(matches!(refused::<f32>(&file(later, &[])), CheckpointError::Version { expected: 2, found: 3 }));
    let bytes = small::<f64>(Rule::Sgd).to_bytes().unwrap();
    assert_eq!(message(&bytes), "the checkpoint has numbers of type \"f64\", f32 was asked for");
}

#[test]
fn headers_that_lie_about_lengths_are_refused() {
    let bytes = small::<f32>(Rule::Sgd).to_bytes().unwrap();
    for len in [0, 1, bytes.len() as u64 - 7, 16 << 20, 100_000_000, u64::MAX - 8, u64::MAX] {
        let mut changed = bytes.clone();
        changed[..8].copy_from_slice(&len.to_le_bytes());
        assert!(matches!(refused::<f32>(&changed), CheckpointError::NotSafetensors { .. }), "{len}");
    }
    let large = " ".repeat((16 << 20) + 1).replacen(' ', "{", 1);
    let found = message(&file(&large, &[]));
    assert_eq!(found, "not a whole safetensors file: its header has 16777217 bytes, 16777216 are allowed");
    assert!(message(&file(&large[1..], &[])).ends_with("does not begin with {"), "the longest that is looked at");
    // Ends whose sum with the header is that of the file, modulo 2⁶⁴.
    let half = 1_u64 << 63;
    let [first, second] = [half, 0_u64.wrapping_sub(200)];
    let wrapping = format!(
        r#"{{"a":{{"dtype":"U8","shape":[{first}],"data_offsets":[0,{first}]}},"b":{{"dtype":"U8","shape":[{}],"data_offsets":[{first},{second}]}}}}"#,
        second - first,
    );
    for len in 0..400 {
        let error = refused::<f32>(&file(&wrapping, &vec![0; len]));
        assert!(matches!(error, CheckpointError::NotSafetensors { .. }), "{error}");
    }
    let product = r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,0]}}"#;
    assert!(matches!(refused::<f32>(&file(product, &[])), CheckpointError::NotSafetensors { .. }));
    let nested = format!(r#"{{"a":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert!(matches!(refused::<f32>(&file(&nested, &[])), CheckpointError::NotSafetensors { .. }));
}

#[test]
fn tensors_that_do_not_fit_are_named() {
    let name = |from: &str, to: &str| message(&with(from, to));
    let gamma = r#""layers.0.gamma":{"dtype":"F32","shape":[2]"#;
    assert_eq!(
        name(gamma, r#""layers.0.gamma":{"dtype":"I32","shape":[2]"#),
        "tensor \"layers.0.gamma\": expected f32 [2], found I32 [2]"
    );
    assert_eq!(
        name(gamma, r#""layers.0.gamma":{"dtype":"F32","shape":[1,2]"#),
        "tensor \"layers.0.gamma\": expected f32 [2], found f32 [1, 2]"
    );
    assert_eq!(
        name(r#""layers.0.gamma""#, r#""layers.0.bias""#),
        "tensor \"layers.0.gamma\": expected f32 [2], found nothing"
    );
    assert_eq!(
        name(r#""optimizer.v.layers.1.bias""#, r#""optimizer.v.layers.2.bias""#),
        "tensor \"optimizer.v.layers.1.bias\": expected f32 [2], found nothing"
    );
    // Without the optimizer, its tensors are too many.
    let bytes = small::<f32>(Rule::adam()).to_bytes().unwrap();
    let (header, tensors) = parts(&bytes);
    let start = header.find(r#"\"optimizer\":{"#).unwrap();
    let end = header.find(r#",\"plan\""#).unwrap();
    let without = format!(r#"{}\"optimizer\":null{}"#, &header[..start], &header[end..]);
    let expected = "tensor \"optimizer.s.layers.0.beta\": expected nothing, found f32 [2]";
    assert_eq!(message(&file(&without, tensors)), expected);
    // Networks of other sizes, up to those that no memory holds.
    for units in ["3", "0", "4294967296", "9223372036854775807", "18446744073709551615"] {
        let error = refused::<f32>(&with(r#"\"units\":2"#, &format!(r#"\"units\":{units}"#)));
        let is_right = matches!(error, CheckpointError::Tensor { .. } | CheckpointError::Refused(_));
        assert!(is_right, "{units}: {error}");
    }
    let layer = r#"{\"units\":4611686018427387904,\"activation\":\"relu\",\"batch_norm\":null,\"keep_prob\":1.0},"#;
    let many = with(r#"\"hidden\":["#, &format!(r#"\"hidden\":[{}"#, layer.repeat(300)));
    assert!(matches!(refused::<f32>(&many), CheckpointError::Refused(_)));
}

#[test]
fn descriptions_that_no_run_has_are_refused() {
    let changes = [
        (r#"\"activation\":\"tanh\""#, r#"\"activation\":\"than\""#),
        (r#"\"output\":\"softmax\""#, r#"\"output\":\"softmin\""#),
        (r#"\"kind\":\"l2\""#, r#"\"kind\":\"l3\""#),
        (r#"\"lambda\":0.25"#, r#"\"lambda\":-0.25"#),
        (r#"\"keep_prob\":0.5"#, r#"\"keep_prob\":0.0"#),
        (r#"\"keep_prob\":0.5"#, r#"\"keep_prob\":1.5"#),
        (r#"\"seed\":7"#, r#"\"seed\":7,\"seed\":7"#),
        (r#"\"seed\":7"#, r#"\"seed\":-7"#),
        (r#"\"seed\":7"#, r#"\"seed\":7,\"salt\":7"#),
        (r#"\"seed\":7,"#, ""),
        (r#"\"seed\":7,\"steps\":2"#, r#"\"seed\":7,\"steps\":9007199254740993"#),
        (r#"\"rule\":\"adam:"#, r#"\"rule\":\"eve:"#),
        (r#"beta1=0.9"#, r#"beta1=1.0"#),
        (r#"epsilon=1e-8"#, r#"epsilon=1e-58"#), // 0 in f32
        (r#"\"learning_rate\":0.1"#, r#"\"learning_rate\":-0.1"#),
        (r#"\"learning_rate\":0.1"#, r#"\"learning_rate\":1e999"#),
        (r#"\"l1\":0.0"#, r#"\"l1\":-1.0"#),
        (r#"\"clip_norm\":3.5"#, r#"\"clip_norm\":-3.5"#),
        (r#"[\"v\",\"s\"]"#, r#"[\"s\",\"v\"]"#),
        (r#"[\"v\",\"s\"]"#, r#"[\"v\"]"#),
        (r#"\"plan\":null"#, r#"\"plan\":{\"schedule\":\"zigzag\",\"learning_rate\":1.0,\"total_steps\":1}"#),
        (r#"\"classes\":["#, r#"\"classes\":[\"maybe\","#),
        (r#"\"count\":2"#, r#"\"count\":0"#),
        (r#"\"v\":\"0"#, r#"\"v\":\"x0"#),
        (r#"\"element\":\"f32\""#, r#"\"element\":\"f16\""#),
    ];
    for (from, to) in changes {
        let error = refused::<f32>(&with(from, to));
        let is_right = matches!(
            error,
            CheckpointError::Description { .. } | CheckpointError::Refused(_) | CheckpointError::Element { .. }
        );
        assert!(is_right, "{to}: {error}");
        let has_source = std::error::Error::source(&error).is_some();
        assert_eq!(has_source, matches!(error, CheckpointError::Refused(_)), "{to}");
    }
    // And none is written either.
    let tiny = Rule::adam().with("epsilon", 1e-58).unwrap();
    let net = network::<f32>(Penalty::None);
    let unsaved = Checkpoint::of(&net, Some(&Optimizer::new(tiny, 0.1))).unwrap().to_bytes();
    assert!(matches!(unsaved, Err(CheckpointError::Refused(Error::OutOfRange { what: "adam: epsilon", .. }))));
    // One step more than this is not exact in every reader of JSON.
    let most = with(r#"\"seed\":7,\"steps\":2"#, r#"\"seed\":7,\"steps\":9007199254740992"#);
    goes(&Checkpoint::<f32>::from_bytes(&most).unwrap());
}

#[test]
fn numbers_that_no_run_goes_on_from_are_refused() {
    let bytes = small::<f32>(Rule::rmsprop()).to_bytes().unwrap();
    let (header, tensors) = parts(&bytes);
    let place = |name: &str| {
        let entry = &header[header.find(&format!("\"{name}\"")).unwrap()..];
        let offsets = &entry[entry.find("data_offsets\":[").unwrap() + 15..];
        offsets[..offsets.find(',').unwrap()].parse::<usize>().unwrap()
    };
    let everywhere = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
    let squares = [f32::NAN, f32::INFINITY, -1.0];
    for (name, numbers) in [
        ("layers.0.weight", everywhere),
        ("layers.0.running_mean", everywhere),
        ("layers.0.running_variance", squares),
        ("optimizer.s.layers.1.bias", squares),
        ("normalization.mean", everywhere),
        ("normalization.variance", squares),
    ] {
        for number in numbers {
            let mut changed = tensors.to_vec();
            let at = place(name) + 4;
            changed[at..at + 4].copy_from_slice(&number.to_le_bytes());
            let error = refused::<f32>(&file(header, &changed));
            let is_right = match &error {
                CheckpointError::Number { name: found, index: 1, value } => {
                    found == name && value.to_bits() == f64::from(number).to_bits()
                }
                CheckpointError::Refused(_) => name.starts_with("normalization"),
                _ => false,
            };
            assert!(is_right, "{name} {number}: {error}");
        }
    }
}
