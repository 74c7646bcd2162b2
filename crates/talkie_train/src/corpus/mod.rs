//! The corpus: speech whose phones are known in time.
//!
//! Recordings of one's own, with alignments or captured motion, lie in a folder that the recipe names. All other items are
//! made by the scripts in `corpus/*.py` ([`synthesis`]). All are verified against their own sound ([`timing`], [`lint`]),
//! counted ([`manifest`]) and read here.

pub mod capture;
pub mod lint;
pub mod manifest;
mod recordings;
pub mod synthesis;
pub mod textgrid;
pub mod timing;

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use talkie::audio::AudioClip;
use talkie::metrics::conditions::Condition;
use talkie::metrics::{Alignment, AlignmentError};

use crate::config::Recipe;
use crate::teacher::Prosody;
use capture::{Capture, CaptureError};
use textgrid::TextGridError;

/// Samples per second of every item.
pub const RATE: f64 = 16_000.0;

/// One utterance: its sound and what is said in it.
#[derive(Debug, Clone)]
pub struct Item {
    /// File name without ending.
    pub name: String,
    /// Index into [`Recipe::sources`].
    pub source: usize,
    /// 16 kHz mono in -1..=1.
    pub samples: Vec<f32>,
    /// Speaker and phones, the source's delay taken out.
    pub said: Alignment,
    /// How each phone stands out.
    pub prosody: Vec<Prosody>,
    /// What the speaker's face did; the teacher's place is taken by it.
    pub capture: Option<Capture>,
}

impl Item {
    /// Length of the sound in seconds.
    pub fn seconds(&self) -> f64 {
        self.samples.len() as f64 / RATE
    }

    /// The same as it sounds under other circumstances.
    pub fn heard(&self, condition: Condition) -> Self {
        Self { samples: condition.apply(&self.samples, &self.name), ..self.clone() }
    }
}

/// All items, in those to learn from and those to validate with.
#[derive(Debug, Default)]
pub struct Corpus {
    /// Learned from.
    pub training: Vec<Item>,
    /// Never learned from: whole speakers, and some utterances of the others.
    pub validation: Vec<Item>,
    /// Left out because of [`lint::faults`].
    pub refused: Vec<Refused>,
}

/// An item that is not learned from.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    /// Index into [`Recipe::sources`].
    pub source: usize,
    /// File name without ending.
    pub name: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Why the corpus cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CorpusError {
    /// A folder or file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// An item's description is broken.
    #[error("{path}: {source}")]
    Alignment {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: AlignmentError,
    },
    /// Captured motion is broken.
    #[error("{path}: {source}")]
    Capture {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: CaptureError,
    },
    /// A TextGrid is broken.
    #[error("{path}: {source}")]
    TextGrid {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: TextGridError,
    },
    /// A sound is broken, or nothing says what its speaker does.
    #[error("{path}: {reason}")]
    Recording {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// There is nothing to learn from.
    #[error("no items under {0}; make them with `talkie_train data`")]
    Empty(PathBuf),
}

/// Reads a sound of any rate into 16 kHz mono.
fn read_sound(path: &Path) -> Result<Vec<f32>, CorpusError> {
    let broken = |reason: String| CorpusError::Recording { path: path.into(), reason };
    let bytes = std::fs::read(path).map_err(|source| CorpusError::Read { path: path.into(), source })?;
    let clip = AudioClip::decode(bytes).map_err(|error| broken(error.to_string()))?;
    clip.to_speech().map_err(|error| broken(error.to_string()))
}

/// Reads one item: `NAME.json` and `NAME.wav` or `NAME.ogg` beside it.
///
/// # Errors
/// Unreadable or broken files.
pub fn read_item(description: &Path, source: usize, late_ms: f64) -> Result<Item, CorpusError> {
    let read = |source| CorpusError::Read { path: description.into(), source };
    let json = std::fs::read_to_string(description).map_err(read)?;
    let mut said =
        Alignment::from_json(&json).map_err(|source| CorpusError::Alignment { path: description.into(), source })?;
    let sound = ["wav", "ogg"].map(|ending| description.with_extension(ending));
    let sound = sound.iter().find(|path| path.exists()).unwrap_or(&sound[0]);
    let samples = read_sound(sound)?;
    let late = late_ms / 1e3;
    for phone in &mut said.phones {
        phone.start = (phone.start - late).max(0.0);
        phone.end = (phone.end - late).max(0.0);
    }
    said.phones.retain(|phone| phone.end > phone.start);
    timing::end_with_the_sound(&samples, &mut said.phones);
    let name = description.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let prosody = Prosody::measure(&samples, RATE, &said.phones);
    Ok(Item { name, source, samples, said, prosody, capture: None })
}

/// Descriptions in a folder, sorted; an absent folder is empty.
pub fn descriptions(folder: &Path) -> Result<Vec<PathBuf>, CorpusError> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let read = |source| CorpusError::Read { path: folder.into(), source };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(read)? {
        let path = entry.map_err(read)?.path();
        if path.extension().is_some_and(|ending| ending == "json") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

impl Corpus {
    /// Reads every item of every source of a recipe.
    ///
    /// # Errors
    /// Broken files, or no items at all.
    pub fn load(recipe: &Recipe) -> Result<Self, CorpusError> {
        let mut this = Self::default();
        for (source, settings) in recipe.sources.iter().enumerate() {
            let items: Vec<Item> = match &settings.recordings {
                Some(folder) => recordings::read(folder, source, settings)?,
                None => {
                    let paths = descriptions(&recipe.items(&settings.name))?;
                    paths.par_iter().map(|path| read_item(path, source, settings.late_ms)).collect::<Result<_, _>>()?
                }
            };
            for (index, item) in items.into_iter().enumerate() {
                let faults = lint::faults(&item);
                if !faults.is_empty() {
                    let reason = faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
                    this.refused.push(Refused { source, name: item.name, reason });
                    continue;
                }
                let speaker = &item.said.speaker;
                let held_out = recipe.training.held_out_speakers.iter().any(|name| speaker.starts_with(name.as_str()));
                if held_out || index % recipe.training.held_out_every == 0 {
                    this.validation.push(item);
                } else {
                    this.training.push(item);
                }
            }
        }
        if this.training.is_empty() {
            return Err(CorpusError::Empty(recipe.folder.join("corpus")));
        }
        Ok(this)
    }

    /// Minutes of training speech of a source.
    pub fn minutes(&self, source: usize) -> f64 {
        let seconds: f64 = self.training.iter().filter(|item| item.source == source).map(Item::seconds).sum();
        seconds / 60.0
    }
}
