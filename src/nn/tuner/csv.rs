//! Finished trials as comma-separated values, out and in.
//!
//! ```text
//! seed,strategy,round,trial,learning_rate,activation,score,error
//! 7,random 20,0,0,0.0123…,relu,0.071…,
//! 7,random 20,0,1,0.9871…,tanh,,the score is NaN
//! ```
//!
//! Fields are quoted as in RFC 4180, lines end with LF or CRLF, and a record is one line: no name holds a line break. The
//! reader is our own since a run may be killed while it writes: a last line without its line feed must be told from a whole
//! one that happens to parse, and a general reader does not tell.
//!
//! Numbers are written in as many digits as reading them back takes. That a file is of this search needs no description of the
//! space: the points of all rows are drawn again, and must be the same.

use super::error::TunerError;
use super::results::Results;
use super::search::Search;
use super::space::{Axis, Scale};
use super::trial::Row;
use crate::exec::Exec;
use std::collections::BTreeMap;
use std::io::{self, BufRead, Read, Write};

/// Columns before the hyperparameters.
pub(super) const BEFORE: [&str; 4] = ["seed", "strategy", "round", "trial"];
/// Columns behind them.
pub(super) const AFTER: [&str; 2] = ["score", "error"];

/// Bytes of a line. Ours have at most 100 names of 100 characters of 4 bytes, and an error of 1000.
const MOST_BYTES: u64 = 64 * 1024;

impl Row<'_> {
    /// Writes the row as a line of the file, in one piece.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_csv(&self, mut out: impl Write) -> io::Result<()> {
        let (trial, search) = (self.trial(), self.trial().search());
        let (round, index) = trial.key();
        let before = [search.seed().to_string(), search.strategy().to_string(), round.to_string(), index.to_string()];
        let values = trial.values().map(|(axis, coordinate)| axis.scale.text(coordinate));
        let after =
            [self.score().map_or(String::new(), |score| format!("{score:?}")), self.error().unwrap_or("").into()];
        out.write_all(line(before.into_iter().chain(values).chain(after)).as_bytes())
    }
}

impl Results<'_> {
    /// Writes the header and all rows.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_csv(&self, mut out: impl Write) -> io::Result<()> {
        out.write_all(header(self.search()).as_bytes())?;
        self.rows().iter().try_for_each(|row| row.write_csv(&mut out))
    }
}

impl Search {
    /// Reads finished trials, in any order, so that [`Results::run`] runs only the others.
    ///
    /// A last line without a line feed, as a killed run leaves, is not read: its trial runs again. Before more rows are
    /// appended, write what was read into a new file, else the next row would continue that line.
    ///
    /// # Errors
    /// [`TunerError::Io`] of the reader; [`TunerError::Csv`], with the line, for anything that this search does not write:
    /// another seed, strategy or space, columns too few or too many, numbers that are none, a trial that is there twice.
    ///
    /// ```
    /// use roofline::nn::tuner::{Search, Space, Strategy};
    /// let search = Search::new(Space::builder().linear("x", 0.0, 1.0).build()?, Strategy::Grid { points: 3 }, 7)?;
    /// let results = search.read_csv(&b"seed,strategy,round,trial,x,score,error\n7,grid 3,0,2,1.0,0.25,\n"[..])?;
    /// assert_eq!((results.rows().len(), results.rows()[0].score()), (1, Some(0.25)));
    ///
    /// let error = search.read_csv(&b"seed,strategy,round,trial,x,score,error\n8,grid 3,0,2,1.0,0.25,\n"[..]).unwrap_err();
    /// assert_eq!(error.to_string(), "line 2 of the trials: the seed is \"8\", in this search it is \"7\"");
    /// # Ok::<(), roofline::nn::tuner::TunerError>(())
    /// ```
    pub fn read_csv(&self, reader: impl BufRead) -> Result<Results<'_>, TunerError> {
        let mut lines = Lines { reader, number: 0 };
        let mut records = BTreeMap::new();
        if lines.read_header(&header(self))? {
            while let Some(text) = lines.next()? {
                let line = lines.number;
                let record = self.record(line, &text).map_err(|problem| TunerError::Csv { line, problem })?;
                let (round, trial) = record.key;
                if let Some(Record { line: first, .. }) = records.insert(record.key, record) {
                    let problem = format!("trial {trial} of round {round} is in line {first} already");
                    return Err(TunerError::Csv { line, problem });
                }
            }
        }
        let mut results = self.results();
        for round in 0..self.strategy().rounds() {
            let records = records.range((round, 0)..(round + 1, 0)).map(|(_, record)| record);
            self.restore(&mut results, round, records)?;
        }
        Ok(results)
    }

    /// Adds the rows of one round; those before it are there.
    fn restore<'a, 'r>(
        &'a self,
        results: &mut Results<'a>,
        round: usize,
        records: impl Iterator<Item = &'r Record>,
    ) -> Result<(), TunerError> {
        let (needed, found) = (round * self.round_trials(), results.rows().len());
        let region = self.region(round, results.rows());
        let mut rows = Vec::new();
        for Record { line, key: (_, index), values, outcome } in records {
            let refuse = |problem| TunerError::Csv { line: *line, problem };
            if found < needed {
                let problem = format!("a trial of round {round}, but only {found} of the {needed} trials before it");
                return Err(refuse(problem));
            }
            let trial = self.trial(round, *index, &region, Exec::default());
            for ((axis, coordinate), text) in trial.values().zip(values) {
                check_value(axis, coordinate, text).map_err(refuse)?;
            }
            rows.push(Row::new(trial, outcome.clone()));
        }
        results.add(&mut rows);
        Ok(())
    }

    /// A line as a record of this search; its values are not checked yet.
    fn record(&self, line: usize, text: &str) -> Result<Record, String> {
        let mut fields = split(text)?;
        let expected = BEFORE.len() + self.space().axes().len() + AFTER.len();
        if fields.len() != expected {
            return Err(format!("{} columns, in this search there are {expected}", fields.len()));
        }
        for (what, found, own) in
            [("seed", &fields[0], self.seed().to_string()), ("strategy", &fields[1], self.strategy().to_string())]
        {
            if *found != own {
                return Err(format!("the {what} is {found:?}, in this search it is {own:?}"));
            }
        }
        let round = below("round", &fields[2], self.strategy().rounds())?;
        let index = below("trial", &fields[3], self.round_trials())?;
        let values = fields.drain(BEFORE.len()..expected - AFTER.len()).collect();
        let outcome = match &fields[BEFORE.len()..] {
            [score, error] if score.is_empty() != error.is_empty() => {
                if score.is_empty() {
                    Err(error.clone())
                } else {
                    Ok(finite(score)?)
                }
            }
            _ => return Err("a row has either a score or an error".into()),
        };
        Ok(Record { line, key: (round, index), values, outcome })
    }
}

/// A line of the file.
struct Record {
    line: usize,
    key: (usize, usize),
    values: Vec<String>,
    outcome: Result<f64, String>,
}

fn below(what: &str, text: &str, count: usize) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number < count => Ok(number),
        _ => Err(format!("the {what} is {text:?}, it must be a whole number below {count}")),
    }
}

fn finite(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        _ => Err(format!("the score is {text:?}, it must be a finite number")),
    }
}

/// Whether `text` is the value at this coordinate.
fn check_value(axis: &Axis, coordinate: f64, text: &str) -> Result<(), String> {
    let same = match &axis.scale {
        Scale::Choice(names) => names[coordinate as usize] == text,
        scale => text.parse() == Ok(scale.value(coordinate)),
    };
    if same {
        return Ok(());
    }
    let own = axis.scale.text(coordinate);
    Err(format!("{} is {text:?}, in this search it is {own:?}: of another space, or rounded", axis.name))
}

fn header(search: &Search) -> String {
    line(BEFORE.into_iter().chain(search.space().names()).chain(AFTER).map(String::from))
}

/// Fields as a line, quoted where RFC 4180 asks for it.
fn line(fields: impl Iterator<Item = String>) -> String {
    let quoted = |field: String| {
        if field.contains([',', '"']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field }
    };
    let mut line = fields.map(quoted).collect::<Vec<_>>().join(",");
    line.push('\n');
    line
}

/// The fields of a line.
fn split(text: &str) -> Result<Vec<String>, String> {
    let (mut fields, mut rest) = (Vec::new(), text);
    loop {
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            None => {
                let (field, after) = rest.split_at(rest.find(',').unwrap_or(rest.len()));
                if field.contains('"') {
                    return Err(format!("a quotation mark within the field {field:?}"));
                }
                (field.to_string(), after)
            }
        };
        fields.push(field);
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None if after.is_empty() => return Ok(fields),
            None => return Err(format!("text behind the quoted field {:?}", fields[fields.len() - 1])),
        }
    }
}

/// A field behind its opening quotation mark, and what follows it.
fn unquote(mut rest: &str) -> Result<(String, &str), String> {
    let mut field = String::new();
    loop {
        let Some((part, after)) = rest.split_once('"') else {
            return Err("a quotation mark that is not closed".into());
        };
        field.push_str(part);
        match after.strip_prefix('"') {
            Some(next) => {
                field.push('"');
                rest = next;
            }
            None => return Ok((field, after)),
        }
    }
}

/// Lines with a bound on memory.
struct Lines<R> {
    reader: R,
    number: usize,
}

impl<R: BufRead> Lines<R> {
    /// Whether there is a header; a file that ends within it has no rows either.
    fn read_header(&mut self, own: &str) -> Result<bool, TunerError> {
        self.number = 1;
        let bytes = self.bytes()?;
        let (whole, own) = (bytes.ends_with(b"\n"), own.trim_end());
        let found = strip(&bytes);
        if whole && found == own.as_bytes() || !whole && own.as_bytes().starts_with(found) {
            return Ok(whole);
        }
        let found = String::from_utf8_lossy(found);
        let problem = format!("the columns are {found:?}, in this search they are {own:?}");
        Err(TunerError::Csv { line: 1, problem })
    }

    /// The next line with a line feed, without it.
    fn next(&mut self) -> Result<Option<String>, TunerError> {
        self.number += 1;
        let bytes = self.bytes()?;
        if !bytes.ends_with(b"\n") {
            return Ok(None);
        }
        let text = core::str::from_utf8(strip(&bytes));
        let text = text.map_err(|_| TunerError::Csv { line: self.number, problem: "not UTF-8".into() })?;
        Ok(Some(text.into()))
    }

    fn bytes(&mut self) -> Result<Vec<u8>, TunerError> {
        let mut bytes = Vec::new();
        self.reader.by_ref().take(MOST_BYTES).read_until(b'\n', &mut bytes)?;
        if bytes.len() as u64 == MOST_BYTES && !bytes.ends_with(b"\n") {
            let problem = format!("longer than {MOST_BYTES} bytes");
            return Err(TunerError::Csv { line: self.number, problem });
        }
        Ok(bytes)
    }
}

/// A line without its end.
fn strip(bytes: &[u8]) -> &[u8] {
    match bytes {
        [line @ .., b'\r', b'\n'] | [line @ .., b'\n' | b'\r'] => line,
        line => line,
    }
}
