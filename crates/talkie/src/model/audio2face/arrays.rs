//! Arrays of a bundle: `.npz` archives, read strictly.
//!
//! The official reader takes whatever bytes it finds for 32-bit floats. Here type, order and shape are checked, claims of a
//! header are compared with the bytes that are there before anything is allocated, and every number is finite.

use std::{
    fmt,
    io::{Cursor, Read as _},
    path::{Path, PathBuf},
};

use npyz::{DType, NpyFile, Order, TypeChar};
use zip::{ZipArchive, result::ZipError};

use crate::model::BundleError;

/// The largest array that is read, in bytes. The greatest official one, the skin basis of a regression bundle, has 201 MB.
const GREATEST: u64 = 1 << 31;

/// A dimension that an array is expected to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    /// Exactly so many.
    Is(usize),
    /// Any number but zero.
    Any,
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Is(length) => write!(f, "{length}"),
            Self::Any => f.write_str("at least 1"),
        }
    }
}

/// An array of 32-bit floats, the last dimension fastest.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Floats {
    /// Dimensions.
    pub(super) shape: Vec<usize>,
    /// Values.
    pub(super) values: Vec<f32>,
}

/// An `.npz` archive.
pub(super) struct Arrays {
    path: PathBuf,
    archive: ZipArchive<Cursor<Vec<u8>>>,
}

impl Arrays {
    /// Opens an archive from its bytes; `path` is only for messages.
    pub(super) fn open(path: &Path, bytes: Vec<u8>) -> Result<Self, BundleError> {
        let archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| BundleError::File {
            path: path.to_owned(),
            reason: format!("not an .npz archive: {error}"),
        })?;
        Ok(Self { path: path.to_owned(), archive })
    }

    /// Whether there is an array of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.archive.index_for_name(&member(name)).is_some()
    }

    /// Floats of this shape, all of them finite; 16-bit and 64-bit floats are converted.
    pub(super) fn floats(&mut self, name: &str, shape: &[Length]) -> Result<Floats, BundleError> {
        let bytes = self.bytes(name, "floats")?;
        let (file, found) = self.header(name, &bytes)?;
        self.expect_shape(name, &found, shape)?;
        let values: Vec<f32> = match (file.kind, file.item) {
            (TypeChar::Float, 4) => self.convert(name, file, |value: f32| value)?,
            (TypeChar::Float, 8) => self.convert(name, file, |value: f64| value as f32)?,
            (TypeChar::Float, 2) => self.convert(name, file, half::f16::to_f32)?,
            (kind, size) => return Err(self.wrong(name, described(kind, size), "floats".into())),
        };
        match values.iter().position(|value| !value.is_finite()) {
            Some(at) => Err(self.wrong(name, format!("{} at index {at}", values[at]), "finite numbers".into())),
            None => Ok(Floats { shape: found, values }),
        }
    }

    /// 32-bit integers in one dimension.
    pub(super) fn integers(&mut self, name: &str) -> Result<Vec<i32>, BundleError> {
        let bytes = self.bytes(name, "integers")?;
        let (file, found) = self.header(name, &bytes)?;
        self.expect_shape(name, &found, &[Length::Any])?;
        match (file.kind, file.item) {
            (TypeChar::Int, 4) => self.convert(name, file, |value: i32| value),
            (TypeChar::Int, 8) => {
                let wide = self.convert(name, file, |value: i64| value)?;
                wide.into_iter()
                    .map(i32::try_from)
                    .collect::<Result<_, _>>()
                    .map_err(|_| self.wrong(name, "a greater number".into(), "integers of 32 bits".into()))
            }
            (kind, size) => Err(self.wrong(name, described(kind, size), "integers of 32 bits".into())),
        }
    }

    /// Byte strings of a fixed width, padded with zeros at the right, in one dimension.
    pub(super) fn strings(&mut self, name: &str) -> Result<Vec<String>, BundleError> {
        let bytes = self.bytes(name, "byte strings")?;
        let (file, found) = self.header(name, &bytes)?;
        self.expect_shape(name, &found, &[Length::Any])?;
        if file.kind != TypeChar::ByteStr {
            return Err(self.wrong(name, described(file.kind, file.item), "byte strings".into()));
        }
        let raw = self.convert(name, file, |value: Vec<u8>| value)?;
        raw.into_iter()
            .map(|mut text| {
                text.truncate(text.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1));
                String::from_utf8(text).map_err(|_| self.wrong(name, "other bytes".into(), "names in UTF-8".into()))
            })
            .collect()
    }

    /// An error about an array of this file.
    pub(super) fn wrong(&self, name: &str, found: String, expected: String) -> BundleError {
        BundleError::Array { path: self.path.clone(), array: name.into(), found, expected }
    }

    fn bytes(&mut self, name: &str, expected: &str) -> Result<Vec<u8>, BundleError> {
        let path = self.path.clone();
        let wrong = |found: String, expected: String| BundleError::Array {
            path: path.clone(),
            array: name.into(),
            found,
            expected,
        };
        let mut found = match self.archive.by_name(&member(name)) {
            Ok(found) => found,
            Err(ZipError::FileNotFound) => return Err(wrong("missing".into(), expected.into())),
            Err(error) => return Err(wrong(format!("unreadable ({error})"), expected.into())),
        };
        // What is stored says how long it is before it is unpacked; a deflated byte gives a thousand at most.
        let claimed = found.size();
        if claimed > GREATEST || claimed / 1100 > found.compressed_size() {
            let found = format!("{claimed} bytes, from {} in the archive", found.compressed_size());
            return Err(wrong(found, format!("at most {GREATEST} bytes that are there")));
        }
        let mut bytes = Vec::with_capacity(claimed as usize);
        match found.by_ref().take(claimed + 1).read_to_end(&mut bytes) {
            Ok(length) if length as u64 == claimed => Ok(bytes),
            Ok(length) => Err(wrong(format!("{length} bytes"), format!("{claimed} bytes, as the archive says"))),
            Err(error) => Err(wrong(format!("unreadable ({error})"), expected.into())),
        }
    }

    /// An array whose header agrees with the bytes that are there, and its dimensions.
    fn header<'a>(&self, name: &str, bytes: &'a [u8]) -> Result<(Npy<'a>, Vec<usize>), BundleError> {
        let unreadable = |error: String| self.wrong(name, format!("unreadable ({error})"), "an .npy array".into());
        let Some(start) = data_start(bytes) else {
            let expected = format!("at most {} bytes", bytes.len());
            return Err(self.wrong(name, "a header that claims too much".into(), expected));
        };
        let file = NpyFile::new(bytes).map_err(|error| unreadable(error.to_string()))?;
        let DType::Plain(kind) = file.dtype() else {
            return Err(self.wrong(name, "records".into(), "a plain array".into()));
        };
        let shape: Vec<usize> = file.shape().iter().map(|length| *length as usize).collect();
        if file.order() == Order::Fortran && shape.iter().filter(|length| **length > 1).count() > 1 {
            return Err(self.wrong(name, "stored column after column".into(), "row after row".into()));
        }
        let claimed =
            kind.num_bytes().and_then(|item| shape.iter().try_fold(item, |all, length| all.checked_mul(*length)));
        let there = bytes.len() - start;
        if claimed.is_none_or(|claimed| claimed > there) {
            let found = format!("{shape:?} of {}", described(kind.type_char(), kind.size_field()));
            return Err(self.wrong(name, found, format!("at most {there} bytes, which are there")));
        }
        Ok((Npy { file, kind: kind.type_char(), item: kind.size_field() }, shape))
    }

    fn expect_shape(&self, name: &str, found: &[usize], expected: &[Length]) -> Result<(), BundleError> {
        let fits = found.len() == expected.len()
            && found.iter().zip(expected).all(|(found, expected)| match expected {
                Length::Is(length) => found == length,
                Length::Any => *found > 0,
            });
        if fits {
            return Ok(());
        }
        let expected: Vec<String> = expected.iter().map(Length::to_string).collect();
        Err(self.wrong(name, format!("of shape {found:?}"), format!("shape [{}]", expected.join(", "))))
    }

    fn convert<T: npyz::Deserialize, U>(
        &self,
        name: &str,
        npy: Npy<'_>,
        convert: impl Fn(T) -> U,
    ) -> Result<Vec<U>, BundleError> {
        let unreadable = |error: String| self.wrong(name, format!("unreadable ({error})"), "an .npy array".into());
        let values = npy.file.data::<T>().map_err(|error| unreadable(error.to_string()))?;
        values
            .map(|value| value.map(&convert))
            .collect::<Result<_, _>>()
            .map_err(|error: std::io::Error| unreadable(error.to_string()))
    }
}

/// An array whose header was read.
struct Npy<'a> {
    file: NpyFile<&'a [u8]>,
    kind: TypeChar,
    /// Bytes of one value.
    item: u64,
}

/// Where the values of an `.npy` array begin, if the reader may be trusted with its header: it multiplies dimensions and follows
/// brackets without asking how many there are.
fn data_start(bytes: &[u8]) -> Option<usize> {
    // Magic, version, length of the header (two bytes in version 1, else four), the text of a Python dictionary.
    let length = |range: core::ops::Range<usize>| {
        bytes.get(range).map(|bytes| bytes.iter().rev().fold(0usize, |all, byte| all << 8 | usize::from(*byte)))
    };
    let start: usize = if bytes.get(6) == Some(&1) { 10 } else { 12 };
    let end = start.checked_add(length(8..start)?)?;
    let text = bytes.get(start..end)?;
    let brackets = text.iter().filter(|byte| b"([{".contains(byte)).count();
    let numbers = text.split(|byte| !byte.is_ascii_digit()).filter(|digits| !digits.is_empty());
    let product = numbers
        .map(|digits| {
            digits.iter().try_fold(0u64, |all, digit| all.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
        })
        .try_fold(1u64, |all, number| all.checked_mul(number?.max(1)));
    (text.len() < 1 << 16 && brackets < 32 && product.is_some()).then_some(end)
}

fn member(name: &str) -> String {
    npyz::npz::file_name_from_array_name(name)
}

fn described(kind: TypeChar, size: u64) -> String {
    match kind {
        TypeChar::Float => format!("floats of {} bits", 8 * size),
        TypeChar::Int => format!("integers of {} bits", 8 * size),
        TypeChar::Uint => format!("unsigned integers of {} bits", 8 * size),
        TypeChar::ByteStr => format!("byte strings of {size} characters"),
        TypeChar::UnicodeStr => format!("strings of {size} characters"),
        _ => "another type".into(),
    }
}
