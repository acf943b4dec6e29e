//! Files of finished trials: resumed after any cut, refused where they are of another search.

use super::{COARSE_TO_FINE, csv, go_on, objective, one, run, search};
use core::sync::atomic::{AtomicUsize, Ordering};
use roofline::nn::tuner::{Parallelism, Row, Search, Space, Strategy, Trial, TunerError};
use roofline::{Error, Exec};

#[test]
fn resuming_after_every_byte_gives_the_same_table() {
    for strategy in [Strategy::Grid { points: 1 }, Strategy::Random { trials: 6 }, COARSE_TO_FINE] {
        let search = search(strategy, 13);
        let whole = run(&search);
        let (text, table) = (csv(&whole), whole.to_string());
        for cut in 0..=text.len() {
            let prefix = &text.as_bytes()[..cut];
            let mut results = search.read_csv(prefix).unwrap();
            let rows = prefix.iter().filter(|&&byte| byte == b'\n').count().saturating_sub(1);
            assert_eq!(results.rows().len(), rows, "{strategy} cut at byte {cut}");
            for row in results.rows() {
                let same =
                    whole.rows().iter().find(|other| other.trial().to_string() == row.trial().to_string()).unwrap();
                assert_eq!((row.score(), row.error()), (same.score(), same.error()));
            }
            let calls = AtomicUsize::new(0);
            let counted = |trial: &Trial<'_>| {
                calls.fetch_add(1, Ordering::Relaxed);
                objective(trial)
            };
            results.run(Exec::sequential(), Parallelism::OneAfterAnother, counted, go_on);
            assert_eq!(calls.into_inner(), search.trials() - rows);
            assert_eq!((csv(&results), results.to_string()), (text.clone(), table.clone()), "cut at byte {cut}");
        }
    }
}

#[test]
fn rows_are_read_in_any_order_and_with_either_line_end() {
    let search = search(COARSE_TO_FINE, 14);
    let text = csv(&run(&search));
    let (header, rows) = text.split_once('\n').unwrap();
    let mut rows: Vec<&str> = rows.lines().collect();
    rows.sort_by_key(|row| row.len());
    for end in ["\n", "\r\n"] {
        let shuffled: String = [header].iter().chain(&rows).flat_map(|row| [*row, end]).collect();
        assert_eq!(csv(&search.read_csv(shuffled.as_bytes()).unwrap()), text);
    }
}

/// As many hyperparameters as there may be, with names as long as they may be.
#[test]
fn the_longest_lines_are_read() {
    let names = (0..100).map(|i| format!("{i:𝑥>100}"));
    let space = names.fold(Space::builder(), |space, name| space.linear(&name, 0.0, 1.0));
    let search = one(space, Strategy::Random { trials: 2 }, 17);
    let mut results = search.results();
    results.run(Exec::sequential(), Parallelism::OneAfterAnother, |_| Ok::<f64, Error>(0.5), go_on);
    let text = csv(&results);
    assert!(text.find('\n').unwrap() > 98 * 400);
    assert_eq!(csv(&search.read_csv(text.as_bytes()).unwrap()), text);
}

#[test]
fn other_searches_are_refused() {
    let text = csv(&run(&search(COARSE_TO_FINE, 15)));
    let refusal = |other: &Search| match other.read_csv(text.as_bytes()).unwrap_err() {
        TunerError::Csv { line, problem } => (line, problem),
        error => panic!("{error}"),
    };
    let (line, problem) = refusal(&search(COARSE_TO_FINE, 16));
    assert_eq!((line, problem.as_str()), (2, "the seed is \"15\", in this search it is \"16\""));
    let (line, problem) = refusal(&search(Strategy::Random { trials: 18 }, 15));
    assert!(line == 2 && problem.contains("\"coarse to fine 3x6 best 2 factor 0.5\"") && problem.contains("random 18"));
    let wider = Space::builder().log10("learning_rate", -4.0, 1.0).one_minus_log10("beta1", -3.0, -1.0);
    let wider = wider.integer("units, first layer", 4, 40).choice("activation", ["relu", "the \"leaky\" one", "a,b"]);
    let (line, problem) = refusal(&one(wider.linear("warm_up", -1.5, 5.0), COARSE_TO_FINE, 15));
    assert!(line == 2 && problem.starts_with("learning_rate is \"") && problem.contains("another space"), "{problem}");
    let (line, problem) = refusal(&one(Space::builder().linear("x", 0.0, 1.0), COARSE_TO_FINE, 15));
    assert!(line == 1 && problem.contains("trial,x,score") && problem.contains("learning_rate"), "{problem}");
}

#[test]
fn hostile_files_are_refused() {
    let search = one(Space::builder().linear("x", 0.0, 1.0).choice("c", ["a"]), Strategy::Grid { points: 3 }, 7);
    const HEADER: &str = "seed,strategy,round,trial,x,c,score,error\n";
    let refusal = |rows: &str| match search.read_csv(format!("{HEADER}{rows}").as_bytes()).unwrap_err() {
        TunerError::Csv { line, problem } => format!("{line}: {problem}"),
        error => panic!("{error}"),
    };
    let cases = [
        ("7,grid 3,0,0,0.0,a,1\n", "2: 7 columns, in this search there are 8"),
        ("7,grid 3,0,0,0.0,a,1,,\n", "2: 9 columns"),
        ("\n", "2: 1 columns"),
        ("7,grid 3,0,0,0.0,a,NaN,\n", "2: the score is \"NaN\", it must be a finite number"),
        ("7,grid 3,0,0,0.0,a,-inf,\n", "2: the score is \"-inf\""),
        ("7,grid 3,0,0,0.0,a,1e999,\n", "2: the score is \"1e999\""),
        ("7,grid 3,0,0,0.0,a,0x10,\n", "2: the score is \"0x10\""),
        ("7,grid 3,0,0,0.0,a,,\n", "2: a row has either a score or an error"),
        ("7,grid 3,0,0,0.0,a,1,x\n", "2: a row has either a score or an error"),
        ("7,grid 3,0,3,0.0,a,1,\n", "2: the trial is \"3\", it must be a whole number below 3"),
        ("7,grid 3,0,-1,0.0,a,1,\n", "2: the trial is \"-1\""),
        ("7,grid 3,99999999999999999999,0,0.0,a,1,\n", "2: the round is \"99999999999999999999\""),
        ("7,grid 3,0,0,NaN,a,1,\n", "2: x is \"NaN\", in this search it is \"0.0\""),
        ("7,grid 3,0,0,1e400,a,1,\n", "2: x is \"1e400\""),
        ("7,grid 3,0,0,0.0,b,1,\n", "2: c is \"b\", in this search it is \"a\""),
        ("7,grid 3,0,0,0.0,a,1,\n7,grid 3,0,0,0.0,a,1,\n", "3: trial 0 of round 0 is in line 2 already"),
        ("7,grid 3,0,0,0.0,\"a,1,\n", "2: a quotation mark that is not closed"),
        ("7,grid 3,0,0,0.0,\"a\"b,1,\n", "2: text behind the quoted field \"a\""),
        ("7,grid 3,0,0,0.0,a\"b,1,\n", "2: a quotation mark within the field"),
    ];
    for (rows, problem) in cases {
        assert!(refusal(rows).starts_with(problem), "{rows:?}: {}", refusal(rows));
    }
    assert!(refusal(&"x".repeat(1 << 20)).ends_with("longer than 65536 bytes"));
    let bytes = [HEADER.as_bytes(), b"\xff\n"].concat();
    assert!(search.read_csv(&bytes[..]).unwrap_err().to_string().contains("not UTF-8"));
    assert!(search.read_csv(&b"foreign"[..]).is_err() && search.read_csv(&b""[..]).unwrap().rows().is_empty());
    // Numbers that mean the same are the same.
    let rows = format!("{HEADER}7,\"grid 3\",0,1,5e-1,a,1e308,\n");
    assert_eq!(search.read_csv(rows.as_bytes()).unwrap().rows()[0].score(), Some(1e308));
}

#[test]
fn later_rounds_need_the_earlier_ones() {
    let search = search(COARSE_TO_FINE, 17);
    let text = csv(&run(&search));
    let without: String =
        text.lines().enumerate().filter(|(i, _)| *i != 4).map(|(_, row)| format!("{row}\n")).collect();
    let error = search.read_csv(without.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("a trial of round 1, but only 5 of the 6 trials before it"), "{error}");
    // A score that was changed moves the box of the rounds after it.
    let best = run(&search).rows()[..6].iter().filter_map(Row::score).fold(f64::INFINITY, f64::min);
    let changed = text.replacen(&format!(",{best:?},"), ",1e9,", 1);
    assert_ne!(changed, text);
    assert!(search.read_csv(changed.as_bytes()).is_err());
}

#[test]
fn errors_of_the_reader_pass_through() {
    struct Broken;
    impl std::io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("cable cut"))
        }
    }
    let search = search(COARSE_TO_FINE, 1);
    let error = search.read_csv(std::io::BufReader::new(Broken)).unwrap_err();
    assert!(matches!(error, TunerError::Io(_)) && error.to_string().contains("cable cut"));
}
