//! Data sets: classes and values, split, normalisation, batches from memory and from mapped files.

use crate::files::{self, ImageFile};
use proptest::prelude::*;
use roofline::nn::idx::{ImagesRef, parse_images};
use roofline::nn::{Batch, Dataset, ImageSet, Labels, MiniBatches, Mlp, Normalization, Source};
use roofline::{Activation, Element, Error, Exec, Mat, MatRef};

/// Rows 0 … m of one column that is the row, so that a part tells which rows it has.
fn numbered(labels: Vec<usize>, classes: usize) -> Dataset<f64> {
    Dataset::new(Mat::from_fn(labels.len(), 1, |i, _| i as f64), labels, classes).unwrap()
}

fn numbers(data: &Dataset<f64>) -> Vec<usize> {
    (0..data.len()).map(|i| data.x().get(i, 0).unwrap() as usize).collect()
}

fn bits<T: Element>(x: MatRef<'_, T>) -> Vec<u64> {
    (0..x.rows() * x.cols()).map(|at| x.get(at / x.cols(), at % x.cols()).unwrap().to_f64().to_bits()).collect()
}

#[test]
fn what_is_not_finite_is_refused_with_its_place() {
    for (bad, text) in [(f64::NAN, "NaN"), (f64::INFINITY, "inf"), (f64::NEG_INFINITY, "-inf")] {
        let x = |at: (usize, usize)| Mat::from_fn(3, 4, |i, j| if (i, j) == at { bad } else { 1.0 });
        let good = || x((9, 9));
        for at in [(0, 0), (1, 3), (2, 2)] {
            let wanted = |what| format!("{what} of a data set: element {at:?} is {text}, it must be finite");
            assert_eq!(Dataset::new(x(at), vec![0; 3], 1).unwrap_err().to_string(), wanted("inputs"));
            assert_eq!(Dataset::with_values(x(at), good()).unwrap_err().to_string(), wanted("inputs"));
            assert_eq!(Dataset::with_values(good(), x(at)).unwrap_err().to_string(), wanted("values"));
        }
    }
    let large = Dataset::new(Mat::from_fn(1, 2, |_, j| [1.0, 1e300][j]), vec![0], 1).unwrap();
    assert!(matches!(large.cast::<f32>(), Err(Error::NotFinite { row: 0, col: 1, .. })));
}

#[test]
fn values_have_the_shape_of_the_examples() {
    let zeros = Mat::<f32>::zeros;
    assert_eq!(
        Dataset::with_values(zeros(3, 2), zeros(2, 5)).unwrap_err().to_string(),
        "values of a data set (a row for each example): expected 3×5, found 2×5"
    );
    for (x, y) in [((0, 2), (0, 1)), ((3, 0), (3, 1)), ((3, 2), (3, 0))] {
        let error = Dataset::with_values(zeros(x.0, x.1), zeros(y.0, y.1)).unwrap_err();
        assert!(matches!(error, Error::OutOfRange { value: 0.0, .. }), "{error}");
    }
    let data = Dataset::with_values(zeros(3, 2), zeros(3, 5)).unwrap();
    assert_eq!((data.len(), data.inputs(), data.outputs(), data.classes(), data.labels().len()), (3, 2, 5, 0, 0));
    assert!(matches!(data.y(), Labels::Values(y) if (y.rows(), y.cols()) == (3, 5)));
    let data = Dataset::new(zeros(3, 2), vec![0, 1, 1], 4).unwrap();
    assert_eq!((data.outputs(), data.classes()), (4, 4));
    assert!(matches!(data.y(), Labels::Classes([0, 1, 1])));
}

proptest! {
    /// Every example once; of each class within 1 of its share, and as many in all as were asked for.
    #[test]
    fn a_split_is_stratified(labels in prop::collection::vec(0_usize..6, 2..200), part in 0.0..1.0, seed: u64) {
        let m = labels.len();
        let count = 1 + (part * (m - 1) as f64) as usize;
        let (first, second) = numbered(labels.clone(), 6).split(count, seed).unwrap();
        prop_assert_eq!((first.len(), second.len()), (count, m - count));
        let mut all = [numbers(&first), numbers(&second)].concat();
        for part in [&first, &second] {
            let own: Vec<usize> = numbers(part).iter().map(|&i| labels[i]).collect();
            prop_assert_eq!(own, part.labels());
        }
        all.sort_unstable();
        prop_assert_eq!(all, (0..m).collect::<Vec<_>>());
        let of = |labels: &[usize], class| labels.iter().filter(|&&label| label == class).count() as f64;
        for class in 0..6 {
            let share = of(&labels, class) * count as f64 / m as f64;
            prop_assert!((of(first.labels(), class) - share).abs() < 1.0);
        }
    }
}

#[test]
fn a_split_is_seeded_and_shuffled() {
    let data = numbered((0..90).map(|i| i / 30).collect(), 3);
    let parts = |seed| {
        let (first, second) = data.split(31, seed).unwrap();
        (numbers(&first), numbers(&second))
    };
    assert_eq!(parts(1), parts(1));
    assert_ne!(parts(1), parts(2));
    assert!(!parts(1).0.is_sorted() && !parts(1).1.is_sorted());
    // The shares are 10.33 each: the lowest class has the odd one.
    let (first, _) = data.split(31, 4).unwrap();
    assert_eq!([0, 1, 2].map(|class| first.labels().iter().filter(|&&label| label == class).count()), [11, 10, 10]);
    for count in [0, 90, 91, usize::MAX] {
        assert!(matches!(data.split(count, 1), Err(Error::OutOfRange { .. })), "{count}");
    }
}

#[test]
fn values_go_with_their_examples() {
    let x = Mat::from_fn(40, 3, |i, j| (10 * i + j) as f32);
    let data = Dataset::with_values(x, Mat::from_fn(40, 2, |i, j| -((10 * i + j) as f32))).unwrap();
    let agree = |x: MatRef<'_, f32>, y: Labels<'_, f32>| {
        let Labels::Values(y) = y else { panic!("classes") };
        assert_eq!(x.rows(), y.rows());
        for (i, j) in (0..x.rows()).flat_map(|i| [(i, 0), (i, 1)]) {
            assert_eq!(x.get(i, j).unwrap(), -y.get(i, j).unwrap());
        }
        x.rows()
    };
    let (first, second) = data.split(15, 3).unwrap();
    assert_eq!((agree(first.x(), first.y()), agree(second.x(), second.y())), (15, 25));
    assert_eq!(agree(data.head(7).x(), data.head(7).y()), 7);
    let mut batches = MiniBatches::new(&data, 16).unwrap();
    batches.shuffle(1, 1);
    let mut sizes = Vec::new();
    while let Some(batch) = batches.next_batch() {
        assert!(batch.labels().is_empty());
        sizes.push(agree(batch.x, batch.y));
    }
    assert_eq!(sizes, [16, 16, 8]);
}

#[test]
fn normalisation_is_that_of_the_training_set() {
    let exec = Exec::default();
    // Plain columns, one far from 0, one constant 0.1 (whose mean must not round), one of tiny numbers whose squares vanish.
    let value = |i: usize, j: usize, shift: f32| match j {
        0 => (i * 37 % 101) as f32 / 7.0 + shift,
        1 => 10_000.0 + (i * 53 % 97) as f32,
        2 => 0.1 + shift,
        _ => 1e-30 * i as f32,
    };
    let set = |m: usize, shift| Dataset::new(Mat::from_fn(m, 4, |i, j| value(i, j, shift)), vec![0; m], 1).unwrap();
    let (mut train, mut dev) = (set(1000, 0.0), set(77, 3.0));
    let normalization = Normalization::fit(&exec, &train).unwrap();
    let (mut expected, column) = ([(0.0, 0.0); 4], |j| (0..1000).map(move |i| f64::from(value(i, j, 0.0))));
    for (j, expected) in expected.iter_mut().enumerate() {
        let mean = column(j).sum::<f64>() / 1000.0;
        let variance = column(j).map(|x| (x - mean).powi(2)).sum::<f64>() / 1000.0;
        *expected = (mean, if j >= 2 { 1.0 } else { variance });
        assert!((f64::from(normalization.mean()[j]) - mean).abs() <= 1e-6 * mean, "μ of column {j}");
        assert!((f64::from(normalization.variance()[j]) - expected.1).abs() <= 1e-5 * expected.1, "σ² of column {j}");
    }
    normalization.apply(&mut train).unwrap();
    normalization.apply(&mut dev).unwrap();
    for (data, shift) in [(&train, 0.0), (&dev, 3.0)] {
        for (i, j) in (0..data.len()).flat_map(|i| (0..4).map(move |j| (i, j))) {
            let (mean, variance) = expected[j];
            let wanted = (f64::from(value(i, j, shift)) - mean) / variance.sqrt();
            let found = f64::from(data.x().get(i, j).unwrap());
            // Column 1 loses 10⁴/28 of its digits to μ.
            assert!((found - wanted).abs() < 1e-4, "({i}, {j}): {found} instead of {wanted}");
        }
    }
    assert!((0..1000).all(|i| train.x().get(i, 2) == Some(0.0)), "a constant column is 0 exactly");

    // The same numbers, as a file would keep them, on the matrix of a prediction.
    let kept = Normalization::new(normalization.mean().to_vec(), normalization.variance().to_vec()).unwrap();
    let mut x = Mat::from_fn(77, 4, |i, j| value(i, j, 3.0));
    kept.apply_to(x.as_mut()).unwrap();
    assert_eq!(bits(x.as_ref()), bits(dev.x()));
}

#[test]
fn bad_normalisations_are_refused_and_leave_the_data_alone() {
    let text = |result: Result<Normalization<f32>, Error>| result.unwrap_err().to_string();
    let length = "normalisation: variances (one a mean): expected 2 elements, found 1";
    assert_eq!(text(Normalization::new(vec![0.0; 2], vec![1.0])), length);
    for variance in [-1.0, f32::NAN, f32::INFINITY] {
        assert!(text(Normalization::new(vec![0.0], vec![variance])).contains(&format!("is {variance}")));
    }
    assert!(text(Normalization::new(vec![0.0, f32::NAN], vec![1.0; 2])).contains("(0, 1) is NaN"));
    // The variance of such numbers is beyond f32.
    let wide = Dataset::new(Mat::from_fn(2, 1, |i, _| [1e30_f32, -1e30][i]), vec![0; 2], 1).unwrap();
    assert!(matches!(Normalization::fit(&Exec::default(), &wide), Err(Error::OutOfRange { .. })));

    let narrow = Normalization::new(vec![0.0_f32; 2], vec![1.0, 1e-30]).unwrap();
    let mut data = Dataset::new(Mat::from_fn(2, 2, |i, _| [1.0, 1e30][i]), vec![0; 2], 1).unwrap();
    let before = bits(data.x());
    let error = narrow.apply(&mut data).unwrap_err();
    assert_eq!(error.to_string(), "normalised inputs: element (1, 1) is inf, it must be finite");
    assert_eq!(bits(data.x()), before);
    let mut nan = Mat::from_fn(1, 2, |_, j| [f32::NAN, 1.0][j]);
    assert!(matches!(narrow.apply_to(nan.as_mut()), Err(Error::NotFinite { row: 0, col: 0, .. })));
    assert!(matches!(narrow.apply_to(Mat::zeros(1, 3).as_mut()), Err(Error::Length { expected: 2, found: 3, .. })));
}

/// A file of images with every pixel value, and labels for it.
fn image_file(count: usize) -> (Vec<u8>, Vec<u8>) {
    let header = [0x0803, count as u32, 5, 7].into_iter().flat_map(|word| word.to_be_bytes());
    let pixels = (0..count * 35).map(|at| (at * at / 3 + at % 251) as u8);
    (header.chain(pixels).collect(), (0..count).map(|i| (i * 7 % 10) as u8).collect())
}

/// All batches of some epochs: bits and classes.
fn epochs<'a, T: Element>(data: impl Into<Source<'a, T>>, size: usize) -> Vec<(Vec<u64>, Vec<usize>)> {
    let mut batches = MiniBatches::new(data, size).unwrap();
    let (mut all, keep) = (Vec::new(), |batch: Batch<'_, T>| (bits(batch.x), batch.labels().to_vec()));
    for epoch in 0..3 {
        if epoch > 0 {
            batches.shuffle(5, epoch);
        }
        while let Some(batch) = batches.next_batch() {
            all.push(keep(batch));
        }
    }
    all
}

fn same_batches_from_bytes_as_from_memory<T: Element>(images: ImagesRef<'_>, labels: &[u8], white: u8) {
    let exec = Exec::default();
    let mut memory = Dataset::<T>::from_images(images, labels, 10, white).unwrap();
    for (i, j) in (0..memory.len()).flat_map(|i| (0..35).map(move |j| (i, j))) {
        let wanted = T::from_f64(f64::from(images.pixels()[i * 35 + j]) / f64::from(white));
        assert_eq!(memory.x().get(i, j), Some(wanted));
    }
    let mut bytes = ImageSet::<T>::new(images, labels, 10, white).unwrap();
    assert!(epochs(&memory, 16) == epochs(&bytes, 16), "plain");
    let normalization = Normalization::fit(&exec, &memory).unwrap();
    normalization.apply(&mut memory).unwrap();
    bytes.normalize(&normalization).unwrap();
    assert!(epochs(&memory, 16) == epochs(&bytes, 16), "normalised");
    assert_eq!(bits(bytes.to_dataset().x()), bits(memory.x()));
    let (memory, bytes) = (memory.split(30, 8).unwrap(), bytes.split(30, 8).unwrap());
    assert!(epochs(&memory.0, 7) == epochs(&bytes.0, 7) && epochs(&memory.1, 7) == epochs(&bytes.1, 7), "split");
    assert!(epochs(&memory.1.head(5), 2) == epochs(&bytes.1.head(5), 2), "head");
}

#[test]
fn batches_from_a_mapped_file_have_the_bits_of_those_in_memory() {
    let dir = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("data-mapped");
    std::fs::create_dir_all(&dir).unwrap();
    let (images, labels) = image_file(100);
    let label_file = [&[0, 0, 8, 1, 0, 0, 0, 100][..], &labels].concat();
    for part in ["train", "t10k"] {
        std::fs::write(dir.join(format!("{part}-images-idx3-ubyte")), &images).unwrap();
        std::fs::write(dir.join(format!("{part}-labels-idx1-ubyte")), &label_file).unwrap();
    }
    let set = files::load(&dir).unwrap();
    assert!(matches!(set.train_images, ImageFile::Mapped(_)));
    assert_eq!(set.test_images.images().pixels(), &images[16..]);
    for white in [255, 16, 1] {
        same_batches_from_bytes_as_from_memory::<f32>(set.train_images.images(), &set.train_labels, white);
        same_batches_from_bytes_as_from_memory::<f64>(set.train_images.images(), &set.test_labels, white);
    }
}

#[test]
fn the_digits_from_bytes_and_their_split() {
    let (images, labels) = files::digits().unwrap();
    let bytes = ImageSet::<f32>::new(&images, &labels, 10, 16).unwrap();
    let memory = Dataset::<f32>::from_images(&images, &labels, 10, 16).unwrap();
    assert!(epochs(&bytes, 64) == epochs(&memory, 64));
    let (dev, _) = memory.split(360, 1).unwrap();
    let counts: [usize; 10] = std::array::from_fn(|digit| dev.labels().iter().filter(|&&l| l == digit).count());
    // The shares, 35.66, 36.46, 35.46, 36.66, 36.26, 36.46, 36.26, 35.86, 34.86, 36.06, rounded down sum to 355. The five greatest
    // remainders are those of 7, 8, 3, 0, and of 1 and 5, which are equal: the lower one counts.
    assert_eq!(counts, [36, 37, 35, 37, 36, 36, 36, 36, 35, 36]);
}

/// pixel/white, rounded once, of every pixel and every white.
#[test]
fn inputs_are_quotients() {
    fn check<T: Element>(images: ImagesRef<'_>, white: u8) {
        let x = ImageSet::<T>::new(images, &[0], 1, white).unwrap().to_dataset();
        for pixel in 0..256 {
            let wanted = T::from_f64(pixel as f64 / f64::from(white));
            assert_eq!(x.x().get(0, pixel), Some(wanted), "{pixel}/{white} in {}", T::NAME);
        }
    }
    let header = [0x0803_u32, 1, 16, 16].into_iter().flat_map(|word| word.to_be_bytes());
    let file: Vec<u8> = header.chain(0..=255).collect();
    for white in 1..=255 {
        check::<f32>(parse_images(&file).unwrap(), white);
        check::<f64>(parse_images(&file).unwrap(), white);
    }
}

#[test]
fn statistics_of_bytes_are_exact() {
    let (images, labels) = image_file(90);
    let images = parse_images(&images).unwrap();
    let all = ImageSet::<f64>::new(images, &labels, 10, 255).unwrap();
    let (train, _) = all.split(60, 2).unwrap();
    let x = train.to_dataset();
    let normalization = Normalization::fit_images(&Exec::default(), &train).unwrap();
    for j in 0..35 {
        let column = || (0..60).map(|i| x.x().get(i, j).unwrap());
        let mean = column().sum::<f64>() / 60.0;
        let variance = column().map(|x| (x - mean).powi(2)).sum::<f64>() / 60.0;
        assert!(
            (normalization.mean()[j] - mean).abs() < 1e-15 && (normalization.variance()[j] - variance).abs() < 1e-15
        );
    }
}

#[test]
fn image_sets_refuse_what_data_sets_refuse() {
    let (file, labels) = image_file(10);
    let images = parse_images(&file).unwrap();
    for (labels, classes, white) in [(&labels[..9], 10, 255), (&labels, 9, 255), (&labels, 0, 255), (&labels, 10, 0)] {
        let set = ImageSet::<f32>::new(images, labels, classes, white).unwrap_err();
        assert_eq!(set, Dataset::<f32>::from_images(images, labels, classes, white).unwrap_err());
    }
    let mut set = ImageSet::<f32>::new(images, &labels, 10, 255).unwrap();
    assert!(set.normalize(&Normalization::new(vec![0.0; 34], vec![1.0; 34]).unwrap()).is_err());
    let overflowing = Normalization::new(vec![-3e38; 35], vec![1e-10; 35]).unwrap();
    assert!(matches!(set.normalize(&overflowing), Err(Error::NotFinite { .. })));
    assert!(matches!(set.split(10, 1), Err(Error::OutOfRange { .. })));
    assert_eq!(epochs(&set, 4), epochs(&Dataset::<f32>::from_images(images, &labels, 10, 255).unwrap(), 4));
}

#[test]
fn an_epoch_resumes_at_any_batch() {
    let data = numbered((0..23).collect(), 23);
    for size in [1, 5, 23, 100] {
        let mut batches = MiniBatches::new(&data, size).unwrap();
        batches.shuffle(4, 9);
        let mut whole = Vec::new();
        while let Some(batch) = batches.next_batch() {
            whole.push(batch.labels().to_vec());
            assert_eq!(batches.position(), whole.len());
        }
        assert_eq!(batches.count(), whole.len());
        for at in 0..=whole.len() {
            let mut later = MiniBatches::new(&data, size).unwrap();
            later.shuffle(4, 9);
            later.seek(at).unwrap();
            assert_eq!(later.position(), at);
            let mut rest = Vec::new();
            while let Some(batch) = later.next_batch() {
                rest.push(batch.labels().to_vec());
            }
            assert_eq!(rest, whole[at..], "size {size} from {at}");
        }
        for beyond in [whole.len() + 1, usize::MAX] {
            assert!(matches!(batches.seek(beyond), Err(Error::OutOfRange { .. })));
        }
    }
}

#[test]
fn accuracy_takes_images_as_bytes_and_refuses_values() {
    let pixels: Vec<u8> = (0..300 * 4_u32).map(|i| (i * 37 % 251) as u8).collect();
    let header = [0x803_u32, 300, 2, 2].map(u32::to_be_bytes).concat();
    let bytes = [header, pixels].concat();
    let labels: Vec<u8> = (0..300_u32).map(|i| (i * i % 3) as u8).collect();
    let images = ImageSet::<f32>::new(parse_images(&bytes).unwrap(), &labels, 3, 255).unwrap();
    let mut net = Mlp::<f32>::builder(4).dense(5, Activation::Tanh).softmax(3).seed(2).build().unwrap();
    let accuracy = net.accuracy(&images).unwrap();
    assert_eq!(accuracy, net.accuracy(&images.to_dataset()).unwrap());
    let right = (0..300).filter(|&i| {
        let y = net.predict(images.to_dataset().x().row_range(i, i + 1).unwrap()).unwrap();
        (0..3).all(|j| y.get(0, j) <= y.get(0, usize::from(labels[i])))
    });
    assert_eq!(accuracy, right.count() as f64 / 300.0);

    let values = Dataset::with_values(Mat::<f32>::zeros(3, 4), Mat::zeros(3, 3)).unwrap();
    let error = net.accuracy(&values).unwrap_err().to_string();
    assert!(error.contains("values have no accuracy"), "{error}");
}
