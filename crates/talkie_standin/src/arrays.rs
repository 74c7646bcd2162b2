//! Writes `.npz` archives as NumPy's `savez` does: nothing is compressed.

use std::{
    fs::File,
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
};

use npyz::{DType, NpyWriter, Serialize, WriteOptions, WriterBuilder as _};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use crate::{Error, head::Vector};

/// An archive in the making.
pub(crate) struct Archive {
    path: PathBuf,
    zip: ZipWriter<BufWriter<File>>,
}

impl Archive {
    pub(crate) fn create(path: &Path) -> Result<Self, Error> {
        let file = File::create(path).map_err(Error::at(path))?;
        Ok(Self { path: path.into(), zip: ZipWriter::new(BufWriter::new(file)) })
    }

    pub(crate) fn floats(
        &mut self,
        name: &str,
        shape: &[usize],
        values: impl IntoIterator<Item = f32>,
    ) -> Result<(), Error> {
        self.array(name, shape, "<f4", |writer| values.into_iter().try_for_each(|value| writer.push(&value)))
    }

    /// Three values for each vertex.
    pub(crate) fn vectors(&mut self, name: &str, vectors: &[Vector]) -> Result<(), Error> {
        self.floats(name, &[vectors.len(), 3], vectors.as_flattened().iter().copied())
    }

    pub(crate) fn integers(&mut self, name: &str, values: &[i32]) -> Result<(), Error> {
        self.array(name, &[values.len()], "<i4", |writer| values.iter().try_for_each(|value| writer.push(value)))
    }

    /// Byte strings of one width, padded with zeros; the longest fills it.
    pub(crate) fn strings(&mut self, name: &str, values: &[&str]) -> Result<(), Error> {
        let width = values.iter().map(|value| value.len()).max().unwrap_or_default();
        self.array(name, &[values.len()], &format!("|S{width}"), |writer: &mut NpyWriter<[u8], _>| {
            values.iter().try_for_each(|value| writer.push(value.as_bytes()))
        })
    }

    fn array<T: Serialize + ?Sized>(
        &mut self,
        name: &str,
        shape: &[usize],
        kind: &str,
        fill: impl FnOnce(&mut NpyWriter<T, &mut ZipWriter<BufWriter<File>>>) -> io::Result<()>,
    ) -> Result<(), Error> {
        let failed = |reason: io::Error| Error::File { path: self.path.clone(), source: reason };
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        let kind = kind.parse().map_err(|error| failed(io::Error::other(format!("array {name}: {error}"))))?;
        let shape: Vec<u64> = shape.iter().map(|size| *size as u64).collect();
        self.zip
            .start_file(npyz::npz::file_name_from_array_name(name), options)
            .map_err(io::Error::from)
            .and_then(|()| {
                let writer = WriteOptions::new().dtype(DType::Plain(kind)).shape(&shape).writer(&mut self.zip);
                let mut writer = writer.begin_nd()?;
                fill(&mut writer)?;
                writer.finish()
            })
            .map_err(failed)
    }

    pub(crate) fn finish(self) -> Result<(), Error> {
        let file = self.zip.finish().map_err(io::Error::from).and_then(|mut file| file.flush());
        file.map_err(Error::at(&self.path))
    }
}
