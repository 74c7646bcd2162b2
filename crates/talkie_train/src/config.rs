//! The recipe: everything that decides what model comes out, in one file.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use talkie::model::features::LogMelConfig;

/// A whole recipe, as `recipe.toml` holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Name of the model in its bundle.
    pub name: String,
    /// Start of every random sequence.
    pub seed: u64,
    /// Folder of the corpus, checkpoints and scores.
    pub folder: PathBuf,
    /// Folder that the bundle is written to.
    pub bundle: PathBuf,
    /// What the network hears.
    pub features: LogMelConfig,
    /// Shape of the network.
    pub network: NetworkRecipe,
    /// Where speech comes from.
    pub sources: Vec<Source>,
    /// How the network learns.
    pub training: TrainingRecipe,
    /// What is done to the sound.
    pub augment: AugmentRecipe,
}

/// Shape of the network; see [`network`](crate::network).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkRecipe {
    /// Width of every layer.
    pub channels: usize,
    /// Frames that a pose waits for what comes next, 0..=4.
    pub look_ahead: usize,
    /// Frames that the first layer sees.
    pub first_kernel: usize,
    /// Dilation of each residual block, whose kernel is 3 frames.
    pub dilations: Vec<usize>,
}

/// One synthesiser.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Name of the script in `corpus/` and of the folder of its items.
    pub name: String,
    /// Speech wanted, in minutes.
    pub minutes: f64,
    /// By how many milliseconds its timings are late against its sound.
    pub late_ms: f64,
    /// How often it is drawn, relative to the others.
    pub share: f64,
    /// Processes that make it.
    #[serde(default = "one")]
    pub shards: usize,
}

const fn one() -> usize {
    1
}

/// How the network learns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingRecipe {
    /// Optimiser steps.
    pub steps: usize,
    /// Sequences per step.
    pub batch: usize,
    /// Length of a sequence in feature frames (20 ms).
    pub frames: usize,
    /// Greatest learning rate; it rises linearly and falls as a cosine to 1 % of itself.
    pub learning_rate: f64,
    /// Steps of the rise.
    pub warm_up: usize,
    /// Decoupled weight decay of AdamW.
    pub weight_decay: f32,
    /// Weight of the error of the frame-to-frame difference.
    pub velocity: f32,
    /// Threads that make batches, and on the CPU compute parts of them; 0: one for every core.
    pub workers: usize,
    /// Steps between validations, which also write a checkpoint.
    pub validate_every: usize,
    /// Beginnings of the names of speakers that are never trained on.
    pub held_out_speakers: Vec<String>,
    /// Every which item of the other speakers is held out too.
    pub held_out_every: usize,
}

/// What is done to the sound; every value without a unit is a probability per sequence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AugmentRecipe {
    /// Nothing but gain.
    pub clean: f32,
    /// Noise is added.
    pub noise: f32,
    /// Speech to noise, decibels, least and greatest.
    pub noise_db: [f32; 2],
    /// The speaker is put into a room.
    pub reverb: f32,
    /// The microphone has a colour of its own.
    pub equaliser: f32,
    /// Pitch, formants and tempo change together.
    pub warp: f32,
    /// By which factor.
    pub warp_range: [f32; 2],
    /// Change of level, decibels.
    pub gain_db: [f32; 2],
    /// A pause is put between utterances, for each of them.
    pub pause: f32,
    /// Nobody speaks at all: noise, breath or silence.
    pub speechless: f32,
}

/// Why a recipe cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecipeError {
    /// The file cannot be read.
    #[error("cannot read the recipe {path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is no recipe.
    #[error("{path} is not a recipe: {source}")]
    Form {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: Box<toml::de::Error>,
    },
    /// A value is out of range.
    #[error("recipe: {name} is {value}; {allowed}")]
    Value {
        /// Which value.
        name: &'static str,
        /// What it is.
        value: String,
        /// What it may be.
        allowed: &'static str,
    },
    /// The features cannot work.
    #[error("recipe: {0}")]
    Features(#[from] talkie::model::features::LogMelError),
}

impl Recipe {
    /// Reads and checks a recipe.
    ///
    /// # Errors
    /// An unreadable file, another form, or a value out of range.
    pub fn load(path: &Path) -> Result<Self, RecipeError> {
        let text = std::fs::read_to_string(path).map_err(|source| RecipeError::Read { path: path.into(), source })?;
        let this: Self = toml::from_str(&text)
            .map_err(|source| RecipeError::Form { path: path.into(), source: Box::new(source) })?;
        this.validate()?;
        Ok(this)
    }

    /// The recipe of the shipped model.
    ///
    /// # Errors
    /// None unless `recipe.toml` is broken.
    pub fn shipped() -> Result<Self, RecipeError> {
        Self::load(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/recipe.toml")))
    }

    /// Checks every value.
    ///
    /// # Errors
    /// The first value that cannot work.
    pub fn validate(&self) -> Result<(), RecipeError> {
        self.features.validate()?;
        let check = |ok: bool, name: &'static str, value: String, allowed: &'static str| {
            if ok { Ok(()) } else { Err(RecipeError::Value { name, value, allowed }) }
        };
        let network = &self.network;
        check(network.look_ahead <= 4, "network.look_ahead", network.look_ahead.to_string(), "0 to 4 frames")?;
        check((1..=1024).contains(&network.channels), "network.channels", network.channels.to_string(), "1 to 1024")?;
        check(network.first_kernel >= 1, "network.first_kernel", network.first_kernel.to_string(), "at least 1 frame")?;
        check(
            network.dilations.iter().all(|d| (1..=256).contains(d)),
            "network.dilations",
            format!("{:?}", network.dilations),
            "1 to 256 frames each",
        )?;
        check(!self.sources.is_empty(), "sources", "empty".into(), "name at least one")?;
        let training = &self.training;
        check(training.batch > 0, "training.batch", training.batch.to_string(), "at least 1")?;
        check(training.frames > 50, "training.frames", training.frames.to_string(), "more than 50")?;
        check(
            training.held_out_every > 1,
            "training.held_out_every",
            training.held_out_every.to_string(),
            "at least 2",
        )?;
        check(training.validate_every > 0, "training.validate_every", "0".into(), "at least 1")?;
        let [low, high] = self.augment.warp_range;
        check(0.5 <= low && low <= high && high <= 2.0, "augment.warp_range", format!("{low}..{high}"), "within 0.5..2")
    }

    /// Folder of a source's items.
    pub fn items(&self, source: &str) -> PathBuf {
        self.folder.join("corpus").join(source)
    }
}
