//! The recipe: everything that decides what model comes out, in one file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use talkie::model::features::LogMelConfig;

/// A whole recipe, as `recipe.toml` holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Name of the model in its bundle.
    pub name: String,
    /// Start of every random sequence that makes the corpus.
    pub seed: u64,
    /// Folder of the corpus, checkpoints and scores.
    pub folder: PathBuf,
    /// The head that lips are measured on, a binary glTF file with ARKit shapes.
    pub head: PathBuf,
    /// What the network hears.
    pub features: LogMelConfig,
    /// Shape of the network.
    pub network: NetworkRecipe,
    /// The networks that are trained, in this order.
    pub variants: Vec<Variant>,
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
    /// Frames that the first layer sees.
    pub first_kernel: usize,
    /// Dilation of each residual block, whose kernel is 3 frames.
    pub dilations: Vec<usize>,
}

/// One network: all variants have the same shape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// What it is called, also in file names.
    pub name: String,
    /// Frames that a pose waits for what comes next, 0..=4.
    pub look_ahead: usize,
    /// Folder that the bundle is written to; without one it is only what others start from.
    #[serde(default)]
    pub bundle: Option<PathBuf>,
    /// The variant whose weights it starts from; random ones if none is named.
    #[serde(default)]
    pub from: Option<String>,
    /// Shares of sources, by name, that differ from those in [`Source::share`].
    #[serde(default)]
    pub shares: BTreeMap<String, f64>,
    /// Optimiser steps.
    pub steps: usize,
    /// Greatest learning rate; it rises linearly and falls as a cosine to 1 % of itself.
    pub learning_rate: f64,
}

/// A synthesiser, or a folder of recordings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Name of the script in `corpus/` and of the folder of its items.
    pub name: String,
    /// Folder of recordings of one's own; then there is no script. `NAME.wav` wants `NAME.json` or `NAME.TextGrid` (phones),
    /// or `NAME.csv` or `NAME.glb` (motion) beside it.
    #[serde(default)]
    pub recordings: Option<PathBuf>,
    /// What it is and where it comes from, for the manifest and the model card.
    pub origin: String,
    /// Under which licence.
    pub licence: String,
    /// Speech wanted of a script, in minutes.
    #[serde(default)]
    pub minutes: f64,
    /// By how many milliseconds its timings are late against its sound.
    #[serde(default)]
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
    /// Start of every random sequence of learning: the network's first weights, and what is heard when and how.
    pub seed: u64,
    /// Sequences per step.
    pub batch: usize,
    /// Length of a sequence in feature frames (20 ms).
    pub frames: usize,
    /// Steps in which the learning rate rises.
    pub warm_up: usize,
    /// Decoupled weight decay of AdamW.
    pub weight_decay: f32,
    /// How much of the averaged network every step keeps; it is the averaged one that is validated and exported.
    pub average: f32,
    /// Weight of the error of the frame-to-frame difference.
    pub velocity: f32,
    /// Weight of the decision whether the lips are closed, as cross-entropy.
    pub closure: f32,
    /// Weight of naming the phone, as cross-entropy: what helps hearing and is not exported.
    pub phones: f32,
    /// Threads that make batches, and on the CPU compute parts of them; 0: one for every core.
    pub workers: usize,
    /// Steps between validations, which also write a checkpoint.
    pub validate_every: usize,
    /// Training stops after so many validations without a better one.
    pub patience: usize,
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
    /// Tempo changes alone.
    pub tempo: f32,
    /// By which factor.
    pub tempo_range: [f32; 2],
    /// Formants change alone.
    pub formants: f32,
    /// By which factor.
    pub formants_range: [f32; 2],
    /// Bands of the features are not heard.
    pub deaf: f32,
    /// The voice is breathy, up to a whisper.
    pub breathy: f32,
    /// The speaker breathes in pauses.
    pub breath: f32,
    /// The microphone is overloaded.
    pub clipping: f32,
    /// The sound went through a telephone or a codec.
    pub codec: f32,
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
        check((1..=1024).contains(&network.channels), "network.channels", network.channels.to_string(), "1 to 1024")?;
        check(network.first_kernel >= 1, "network.first_kernel", network.first_kernel.to_string(), "at least 1 frame")?;
        check(
            network.dilations.iter().all(|d| (1..=256).contains(d)),
            "network.dilations",
            format!("{:?}", network.dilations),
            "1 to 256 frames each",
        )?;
        check(!self.variants.is_empty(), "variants", "empty".into(), "name at least one")?;
        for (index, variant) in self.variants.iter().enumerate() {
            check(variant.look_ahead <= 4, "variants.look_ahead", variant.look_ahead.to_string(), "0 to 4 frames")?;
            let earlier = &self.variants[..index];
            let named = |name: &str| earlier.iter().any(|other| other.name == name);
            check(!named(&variant.name), "variants.name", variant.name.clone(), "given once")?;
            if let Some(from) = &variant.from {
                check(named(from), "variants.from", from.clone(), "the name of a variant above")?;
            }
        }
        check(!self.sources.is_empty(), "sources", "empty".into(), "name at least one")?;
        for variant in &self.variants {
            for name in variant.shares.keys() {
                let known = self.sources.iter().any(|source| source.name == *name);
                check(known, "variants.shares", name.clone(), "names of sources")?;
            }
            let shares = self.shares(variant);
            let works =
                shares.iter().all(|share| *share >= 0.0 && share.is_finite()) && shares.iter().sum::<f64>() > 0.0;
            check(works, "variants.shares", format!("{shares:?}"), "not negative, and not all 0")?;
        }
        let training = &self.training;
        check(training.batch > 0, "training.batch", training.batch.to_string(), "at least 1")?;
        check(training.frames > 50, "training.frames", training.frames.to_string(), "more than 50")?;
        check(
            training.held_out_every > 1,
            "training.held_out_every",
            training.held_out_every.to_string(),
            "at least 2",
        )?;
        check(
            (0.0..1.0).contains(&training.average),
            "training.average",
            training.average.to_string(),
            "0 to below 1",
        )?;
        check(training.validate_every > 0, "training.validate_every", "0".into(), "at least 1")?;
        let augment = &self.augment;
        for (name, [low, high]) in [
            ("augment.warp_range", augment.warp_range),
            ("augment.tempo_range", augment.tempo_range),
            ("augment.formants_range", augment.formants_range),
        ] {
            check(0.5 <= low && low <= high && high <= 2.0, name, format!("{low}..{high}"), "rising, within 0.5..2")?;
        }
        Ok(())
    }

    /// The variant of a name, or all of them.
    ///
    /// # Errors
    /// No variant of that name.
    pub fn variants(&self, name: Option<&str>) -> Result<Vec<&Variant>, RecipeError> {
        let found: Vec<_> =
            self.variants.iter().filter(|variant| name.is_none_or(|name| variant.name == name)).collect();
        let value = name.unwrap_or_default().to_owned();
        let missing = RecipeError::Value { name: "variants", value, allowed: "the name of a variant in the recipe" };
        if found.is_empty() { Err(missing) } else { Ok(found) }
    }

    /// How often each source is drawn for a variant, relative to the others.
    pub fn shares(&self, variant: &Variant) -> Vec<f64> {
        self.sources.iter().map(|source| *variant.shares.get(&source.name).unwrap_or(&source.share)).collect()
    }

    /// Folder of a variant's checkpoint.
    pub fn checkpoint(&self, variant: &str) -> PathBuf {
        self.folder.join("checkpoint").join(variant)
    }

    /// Folder of a source's items.
    pub fn items(&self, source: &str) -> PathBuf {
        self.folder.join("corpus").join(source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variant_may_draw_sources_by_shares_of_its_own() {
        let mut recipe = Recipe::shipped().expect("the shipped recipe is valid");
        let plain: Vec<f64> = recipe.sources.iter().map(|source| source.share).collect();
        recipe.variants[0].shares.clear();
        assert_eq!(recipe.shares(&recipe.variants[0]), plain);
        recipe.variants[0].shares.insert(recipe.sources[1].name.clone(), 7.5);
        let own = recipe.shares(&recipe.variants[0]);
        assert_eq!((own[0], own[1], &own[2..]), (plain[0], 7.5, &plain[2..]));
        recipe.validate().expect("still valid");
    }

    #[test]
    fn shares_that_cannot_be_drawn_are_refused() {
        let refusal = |name: &str, share: f64| {
            let mut recipe = Recipe::shipped().expect("the shipped recipe is valid");
            recipe.variants[0].shares.insert(name.into(), share);
            recipe.validate().expect_err("must be refused").to_string()
        };
        assert_eq!(refusal("nobody", 1.0), "recipe: variants.shares is nobody; names of sources");
        assert!(refusal("kokoro", -1.0).contains("not negative"));
    }
}
