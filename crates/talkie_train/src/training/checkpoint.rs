//! Checkpoints: weights, the optimiser's memory, and how far it got.

use std::path::{Path, PathBuf};

use burn::module::Module as _;
use burn::optim::ModuleOptimizer;
use burn::store::{ModuleRecord, RecordError};
use serde::{Deserialize, Serialize};

use super::Normalisation;
use crate::network::SpeechNetwork;

/// How far a training run got.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// Steps done.
    pub step: usize,
    /// Seconds they took, all runs together.
    pub seconds: f64,
    /// What features are normalised with.
    pub normalisation: Normalisation,
    /// Minutes learned from, per source.
    pub minutes: Vec<f64>,
    /// What it ran on, as people call it.
    #[serde(default)]
    pub hardware: String,
    /// What every validation found, in order.
    pub validation: Vec<Validation>,
}

/// What a validation found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// After which step.
    pub step: usize,
    /// After how many seconds of training.
    pub seconds: f64,
    /// The loss on what was learned from, smoothed.
    pub loss: f32,
    /// The loss on held-out speech.
    pub held_out: f32,
    /// What decides which network is best: greater is better.
    pub merit: f64,
    /// The [`Score`](talkie::metrics::Score) on recordings of people, if there were any.
    pub figures: Option<serde_json::Value>,
}

impl Progress {
    /// The validation that found the best network.
    pub fn best(&self) -> Option<&Validation> {
        self.validation.iter().max_by(|a, b| a.merit.total_cmp(&b.merit))
    }
}

/// A run that can go on.
#[derive(Clone)]
pub struct Checkpoint {
    /// How far it got.
    pub progress: Progress,
    /// The weights.
    pub network: SpeechNetwork,
    /// Their running mean over the steps, without gradients.
    pub average: SpeechNetwork,
    /// The optimiser's memory.
    pub optimiser: ModuleOptimizer,
}

impl core::fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Checkpoint").field("progress", &self.progress).finish_non_exhaustive()
    }
}

/// Why a checkpoint cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// A file cannot be written or read.
    #[error("checkpoint {path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The progress file is broken.
    #[error("checkpoint {path}: {source}")]
    Form {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The weights cannot be written, or are those of another network.
    #[error("checkpoint {path}: {source}; if the network's shape was changed, remove the folder and train anew")]
    Weights {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: RecordError,
    },
    /// There is none.
    #[error("no checkpoint in {0}; make one with `talkie_train train`")]
    Missing(PathBuf),
}

impl Checkpoint {
    /// Writes it. The progress comes last, so that its presence says that the rest is whole.
    ///
    /// # Errors
    /// Files that cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), CheckpointError> {
        let path = folder.join("progress.json");
        let file = |source| CheckpointError::File { path: path.clone(), source };
        std::fs::create_dir_all(folder).map_err(file)?;
        for (name, network) in [("network.bpk", &self.network), ("average.bpk", &self.average)] {
            let record = network.clone().into_record();
            replace(&folder.join(name), |partial| record.save(partial))?;
        }
        replace(&folder.join("optimiser.bpk"), |partial| self.optimiser.save(partial))?;
        let text = serde_json::to_string_pretty(&self.progress)
            .map_err(|source| CheckpointError::Form { path: path.clone(), source })?;
        std::fs::write(&path, text).map_err(file)
    }

    /// Reads it into a network and an optimiser of the same shape; `None` if there is none.
    ///
    /// # Errors
    /// Broken files, or weights of another network.
    pub fn load(
        folder: &Path,
        network: SpeechNetwork,
        optimiser: ModuleOptimizer,
    ) -> Result<Option<Self>, CheckpointError> {
        if !folder.join("progress.json").exists() {
            return Ok(None);
        }
        let (_, average) = Self::load_network(folder, "average.bpk", network.valid())?;
        let (progress, network) = Self::load_network(folder, "network.bpk", network)?;
        let path = folder.join("optimiser.bpk");
        let optimiser = optimiser.load(&path).map_err(|source| CheckpointError::Weights { path, source })?;
        Ok(Some(Self { progress, network, average, optimiser }))
    }

    /// Keeps a network apart as the best one so far.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn save_best(folder: &Path, network: &SpeechNetwork) -> Result<(), CheckpointError> {
        std::fs::create_dir_all(folder).map_err(|source| CheckpointError::File { path: folder.into(), source })?;
        let record = network.clone().into_record();
        replace(&folder.join("best.bpk"), |partial| record.save(partial))
    }

    /// Reads the best network.
    ///
    /// # Errors
    /// No checkpoint, broken files, or weights of another network.
    pub fn load_best(folder: &Path, network: SpeechNetwork) -> Result<(Progress, SpeechNetwork), CheckpointError> {
        Self::load_network(folder, "best.bpk", network)
    }

    fn load_network(
        folder: &Path,
        file: &str,
        network: SpeechNetwork,
    ) -> Result<(Progress, SpeechNetwork), CheckpointError> {
        let path = folder.join("progress.json");
        if !path.exists() {
            return Err(CheckpointError::Missing(folder.into()));
        }
        let text =
            std::fs::read_to_string(&path).map_err(|source| CheckpointError::File { path: path.clone(), source })?;
        let progress = serde_json::from_str(&text).map_err(|source| CheckpointError::Form { path, source })?;
        let path = folder.join(file);
        let weights = |source| CheckpointError::Weights { path: path.clone(), source };
        let record = ModuleRecord::load(&path).map_err(weights)?;
        let network = network.try_load_record(record).map_err(weights)?;
        Ok((progress, network))
    }
}

fn replace(path: &Path, write: impl FnOnce(&Path) -> Result<(), RecordError>) -> Result<(), CheckpointError> {
    let partial = path.with_extension("part.bpk");
    write(&partial).map_err(|source| CheckpointError::Weights { path: path.into(), source })?;
    std::fs::rename(&partial, path).map_err(|source| CheckpointError::File { path: path.into(), source })
}
