//! From weights to the bundle that `talkie` loads: `network.onnx`, `model.json` and a model card.

mod card;
mod streaming;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use talkie::animation::FrameRate;
use talkie::model::features::FEATURE_SAMPLE_RATE;
use talkie::model::{FeatureSpec, Kind, Manifest, StateTensor, TensorNames};
use talkie_onnx::GraphError;

pub use card::model_card;
pub use streaming::streaming_graph;

use crate::config::{Recipe, Variant};
use crate::network::SpeechNetwork;
use crate::teacher::Motion;
use crate::training::Progress;

/// Why no bundle came out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The graph is inconsistent.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// Weights cannot be read from the device.
    #[error("weights cannot be read: {0}")]
    Weights(String),
    /// A file cannot be written.
    #[error("cannot write {path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The description cannot be written as JSON.
    #[error("cannot describe the model: {0}")]
    Json(#[from] serde_json::Error),
}

/// Names of the channels in the order of the network's outputs.
pub fn channel_names() -> Vec<String> {
    Motion::ALL.iter().flat_map(|motion| motion.channels()).map(|channel| channel.name().to_owned()).collect()
}

/// What `model.json` says of a network with these states. `scores` are figures to be shown to people.
pub fn manifest(
    recipe: &Recipe,
    variant: &Variant,
    progress: &Progress,
    state: Vec<StateTensor>,
    scores: &serde_json::Value,
) -> Manifest {
    let best = progress.best();
    let step = best.map_or(progress.step, |best| best.step);
    let minutes: serde_json::Map<String, serde_json::Value> = recipe
        .sources
        .iter()
        .zip(&progress.minutes)
        .map(|(source, minutes)| (source.name.clone(), serde_json::json!((minutes * 10.0).round() / 10.0)))
        .collect();
    Manifest {
        format: "talkie-bundle".into(),
        version: 1,
        kind: Kind::Streaming,
        name: format!("{}, {}", recipe.name, variant.name),
        network: "network.onnx".into(),
        sample_rate: FEATURE_SAMPLE_RATE,
        features: FeatureSpec {
            kind: "log_mel".into(),
            log_mel: recipe.features.clone(),
            mean: progress.normalisation.mean.clone(),
            std: progress.normalisation.std.clone(),
        },
        frame_rate: FrameRate::per_second(FEATURE_SAMPLE_RATE / recipe.features.hop as u32),
        look_ahead_frames: variant.look_ahead,
        channels: channel_names(),
        tensors: TensorNames { features: "mel".into(), output: "weights".into(), state },
        license: "MIT OR Apache-2.0".into(),
        training: serde_json::json!({
            "minutes": minutes,
            "from": variant.from,
            "steps": step,
            "sequences": step * recipe.training.batch,
            "seconds": progress.seconds.round(),
            "hardware": progress.hardware,
            "held_out_loss": best.map(|best| best.held_out),
            "scores": scores,
        }),
    }
}

/// Writes the bundle of a variant's network into a folder.
///
/// # Errors
/// Weights that cannot be read or files that cannot be written.
pub fn write_bundle(
    folder: &Path,
    recipe: &Recipe,
    variant: &Variant,
    network: &SpeechNetwork,
    progress: &Progress,
    scores: &serde_json::Value,
) -> Result<(), ExportError> {
    let (file, states) = streaming_graph(network, recipe.features.width())?;
    let manifest = manifest(recipe, variant, progress, states, scores);
    let card = model_card(recipe, variant, progress, scores, file.len());
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).map_err(|source| ExportError::File { path, source })
    };
    std::fs::create_dir_all(folder).map_err(|source| ExportError::File { path: folder.into(), source })?;
    write("network.onnx", &file)?;
    write("model.json", format!("{}\n", serde_json::to_string_pretty(&manifest)?).as_bytes())?;
    write("README.md", card.as_bytes())
}
