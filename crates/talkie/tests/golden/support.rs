//! Golden files: reading them, and telling how far a result is from them.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    error::Error,
    fs::File,
    io::Read as _,
    path::Path,
};

use npyz::{NpyFile, Order};
use serde_json::Value;

/// What a group returns: an error means that the file could not be run at all.
pub type GroupResult = Result<(), Box<dyn Error>>;

/// The dimensions of an array and its values, row after row.
type Shaped<'a, T> = (&'a [usize], &'a [T]);

/// One `X.json` and the arrays of the `X.npz` beside it, if there is one.
pub struct GoldenFile {
    /// The file name without its extension: the group.
    pub stem: String,
    /// The whole JSON document.
    pub json: Value,
    arrays: BTreeMap<String, Array>,
    asked_for: RefCell<BTreeSet<String>>,
}

struct Array {
    shape: Vec<usize>,
    values: Values,
}

enum Values {
    F32(Vec<f32>),
    I32(Vec<i32>),
}

impl GoldenFile {
    pub fn open(json: &Path) -> Result<Self, Box<dyn Error>> {
        let stem = json.file_stem().and_then(|stem| stem.to_str()).ok_or("a file name that is not UTF-8")?.to_owned();
        let document = serde_json::from_reader(std::io::BufReader::new(File::open(json)?))?;
        let npz = json.with_extension("npz");
        let arrays = if npz.exists() { read_npz(&npz)? } else { BTreeMap::new() };
        Ok(Self { stem, json: document, arrays, asked_for: RefCell::default() })
    }

    /// The entries of `cases`; an error if there is no such list or it is empty.
    pub fn cases(&self) -> Result<&[Value], Box<dyn Error>> {
        match self.json["cases"].as_array() {
            Some(cases) if !cases.is_empty() => Ok(cases),
            _ => Err(format!("{}: no cases", self.stem).into()),
        }
    }

    /// Whether there is an array of this name.
    pub fn has(&self, name: &str) -> bool {
        self.arrays.contains_key(name)
    }

    /// Shape and values of an array of floats, row after row.
    pub fn array_f32(&self, name: &str) -> Result<Shaped<'_, f32>, Box<dyn Error>> {
        match self.array(name)? {
            Array { shape, values: Values::F32(values) } => Ok((shape, values)),
            Array { .. } => Err(format!("{}: array {name:?} holds integers; expected floats", self.stem).into()),
        }
    }

    /// Shape and values of an array of integers, row after row.
    pub fn array_i32(&self, name: &str) -> Result<Shaped<'_, i32>, Box<dyn Error>> {
        match self.array(name)? {
            Array { shape, values: Values::I32(values) } => Ok((shape, values)),
            Array { .. } => Err(format!("{}: array {name:?} holds floats; expected integers", self.stem).into()),
        }
    }

    fn array(&self, name: &str) -> Result<&Array, Box<dyn Error>> {
        self.asked_for.borrow_mut().insert(name.to_owned());
        self.arrays.get(name).ok_or_else(|| format!("{}: no array {name:?}", self.stem).into())
    }

    /// Outputs of the reference that nobody looked at.
    pub fn never_compared(&self) -> Vec<&str> {
        let asked_for = self.asked_for.borrow();
        let is_output = |name: &&String| name.starts_with("out_") && !asked_for.contains(*name);
        self.arrays.keys().filter(is_output).map(String::as_str).collect()
    }
}

fn read_npz(path: &Path) -> Result<BTreeMap<String, Array>, Box<dyn Error>> {
    let mut archive = zip::ZipArchive::new(File::open(path)?)?;
    let mut arrays = BTreeMap::new();
    for index in 0..archive.len() {
        let mut member = archive.by_index(index)?;
        let name = member.name()?.trim_end_matches(".npy").to_owned();
        let mut bytes = Vec::new();
        member.read_to_end(&mut bytes)?;
        let array = read_npy(&bytes).map_err(|error| format!("{}: {name}: {error}", path.display()))?;
        arrays.insert(name, array);
    }
    Ok(arrays)
}

fn read_npy(bytes: &[u8]) -> Result<Array, Box<dyn Error>> {
    let file = NpyFile::new(bytes)?;
    let shape: Vec<usize> = file.shape().iter().map(|length| *length as usize).collect();
    if file.order() != Order::C && shape.len() > 1 {
        return Err("column after column; expected row after row".into());
    }
    let values = match file.try_data::<f32>() {
        Ok(floats) => Values::F32(floats.collect::<Result<_, _>>()?),
        Err(file) => Values::I32(file.into_vec()?),
    };
    Ok(Array { shape, values })
}

/// A number of a JSON document as the reference used it: rounded to single precision.
pub fn number(value: &Value, key: &str) -> Result<f32, Box<dyn Error>> {
    value[key].as_f64().map(|number| number as f32).ok_or_else(|| format!("no number {key:?} in {value}").into())
}

/// A whole number that is not negative.
pub fn count(value: &Value, key: &str) -> Result<usize, Box<dyn Error>> {
    let count = value[key].as_u64().and_then(|number| usize::try_from(number).ok());
    count.ok_or_else(|| format!("no count {key:?} in {value}").into())
}

/// A text.
pub fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str, Box<dyn Error>> {
    value[key].as_str().ok_or_else(|| format!("no text {key:?} in {value}").into())
}

/// A list of numbers, rounded to single precision.
pub fn numbers(value: &Value, key: &str) -> Result<Vec<f32>, Box<dyn Error>> {
    let list = value[key].as_array().and_then(|list| list.iter().map(|item| item.as_f64().map(|n| n as f32)).collect());
    list.ok_or_else(|| format!("no numbers {key:?} in {value}").into())
}

/// A list of whole numbers.
pub fn integers(value: &Value, key: &str) -> Result<Vec<i64>, Box<dyn Error>> {
    let list = value[key].as_array().and_then(|list| list.iter().map(Value::as_i64).collect());
    list.ok_or_else(|| format!("no integers {key:?} in {value}").into())
}

/// The comparisons of one file.
#[derive(Default)]
pub struct Report {
    comparisons: usize,
    /// The comparison that came closest to its tolerance: what, error, tolerance.
    closest: Option<(String, f64, f64)>,
    failures: Vec<String>,
    remarks: Vec<String>,
}

impl Report {
    /// Compares two lists of numbers; every difference must be at most `tolerance`. The text `case` names what is
    /// compared, for instance `tolerance_1: weights`.
    pub fn compare(&mut self, case: &str, got: &[f32], want: &[f32], tolerance: f64) {
        self.comparisons += 1;
        if got.len() != want.len() {
            return self.fail(case, format!("{} values; expected {}", got.len(), want.len()));
        }
        let mut largest = 0.0_f64;
        let mut at = 0;
        for (index, (got, want)) in got.iter().zip(want).enumerate() {
            let difference = (f64::from(*got) - f64::from(*want)).abs();
            if !difference.is_finite() {
                return self.fail(case, format!("value {index} is {got}; expected {want}"));
            }
            if difference > largest {
                (largest, at) = (difference, index);
            }
        }
        let share = |error: f64, tolerance: f64| if error == 0.0 { 0.0 } else { error / tolerance };
        let is_closer = |(_, error, limit): &(String, f64, f64)| share(largest, tolerance) >= share(*error, *limit);
        if self.closest.as_ref().is_none_or(is_closer) {
            self.closest = Some((case.to_owned(), largest, tolerance));
        }
        if largest > tolerance {
            let (got, want) = (got[at], want[at]);
            self.fail(case, format!("value {at} is {got}; expected {want} (off by {largest:.3e} > {tolerance:.1e})"));
        }
    }

    /// Compares what has to be the same: integers, flags, names.
    pub fn equal<T: PartialEq + core::fmt::Debug>(&mut self, case: &str, got: T, want: T) {
        self.comparisons += 1;
        if got != want {
            self.fail(case, format!("{got:?}; expected {want:?}"));
        }
    }

    /// A case went wrong.
    pub fn fail(&mut self, case: &str, why: impl core::fmt::Display) {
        self.failures.push(format!("{case}: {why}"));
    }

    /// Something a reader of the log should know, though it is no failure.
    pub fn remark(&mut self, text: impl Into<String>) {
        self.remarks.push(text.into());
    }

    /// Prints the line of this file and what went wrong; whether all went well.
    pub fn print(&self, stem: &str) -> bool {
        let closest = match &self.closest {
            Some((case, error, tolerance)) => format!("largest error {error:.2e} of {tolerance:.2e} allowed ({case})"),
            None => "nothing but exact comparisons".into(),
        };
        let verdict = if self.failures.is_empty() { "ok    " } else { "FAILED" };
        println!("{verdict} {stem:<22} {:>5} comparisons, {closest}", self.comparisons);
        self.remarks.iter().for_each(|remark| println!("         note: {remark}"));
        self.failures.iter().for_each(|failure| println!("         {failure}"));
        self.failures.is_empty() && self.comparisons > 0
    }
}
