//! Telling by its content whether something is what it was.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// What some bytes are, in 128 bits: files with the same hash have the same content. It is stable over versions
/// (BLAKE3, cut off).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentHash(pub [u8; 16]);

impl ContentHash {
    /// The hash of several parts in this order; where one ends and the next begins counts.
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(part);
            hasher.update(&(part.len() as u64).to_le_bytes());
        }
        Self::finished(&hasher)
    }

    /// The hash of all that a reader gives, as of one part.
    ///
    /// # Errors
    /// Those of the reader.
    pub fn of_reader(mut reader: impl io::Read) -> io::Result<Self> {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(&mut reader)?;
        let length = hasher.count();
        hasher.update(&length.to_le_bytes());
        Ok(Self::finished(&hasher))
    }

    /// The hash of the names and contents of all files of a folder, without those of folders in it: a model bundle.
    ///
    /// # Errors
    /// Those of reading.
    pub fn of_folder(folder: impl AsRef<Path>) -> io::Result<Self> {
        let entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
        let mut files = entries.collect::<io::Result<Vec<PathBuf>>>()?;
        files.retain(|file| file.is_file());
        files.sort();
        let mut hashes = Vec::with_capacity(2 * files.len());
        for file in files {
            let name = file.file_name().unwrap_or_default().as_encoded_bytes();
            hashes.extend([Self::of([name]), Self::of_reader(File::open(&file)?)?]);
        }
        Ok(Self::of(hashes.iter().map(|hash| hash.0.as_slice())))
    }

    fn finished(hasher: &blake3::Hasher) -> Self {
        let mut hash = [0; 16];
        hasher.finalize_xof().fill(&mut hash);
        Self(hash)
    }
}

impl core::fmt::Display for ContentHash {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
