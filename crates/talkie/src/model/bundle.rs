//! The bundle: a folder with `model.json` and a network.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::features::LogMelConfig;
use crate::{
    animation::{FaceChannel, FrameRate},
    audio::SAMPLE_RATE,
};

/// What [`Manifest::format`] says.
const FORMAT: &str = "talkie-bundle";
/// The version of the format that this crate writes and reads.
const VERSION: u32 = 1;

/// A bundle that cannot be used: always names the file, and the key where there is one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// A file of the bundle is missing or unreadable.
    #[error("{}: cannot be read: {reason}", .path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// `model.json` is not JSON, lacks a key or holds another type than expected.
    #[error("{}: at key `{key}`: {reason}", .path.display())]
    Json {
        /// Which file.
        path: PathBuf,
        /// Path to the key.
        key: String,
        /// What was found and expected, with line and column.
        reason: String,
    },
    /// A value has the right type but makes no sense.
    #[error("{}: key `{key}` is {found}; expected {expected}", .path.display())]
    Value {
        /// Which file.
        path: PathBuf,
        /// Which key.
        key: &'static str,
        /// What it says.
        found: String,
        /// What was expected.
        expected: String,
    },
    /// An array of an `.npz` file is missing, or is not what the bundle promises.
    #[error("{}: array {array:?} is {found}; expected {expected}", .path.display())]
    Array {
        /// Which file.
        path: PathBuf,
        /// Which array.
        array: String,
        /// What it is.
        found: String,
        /// What was expected.
        expected: String,
    },
    /// The network does not load, or is not the one `model.json` describes.
    #[cfg(feature = "ort")]
    #[error("{}: {error}", .path.display())]
    Network {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        error: crate::inference::NetworkError,
    },
    /// There is no engine to run any network.
    #[cfg(feature = "ort")]
    #[error(transparent)]
    Runtime(#[from] crate::inference::RuntimeError),
}

/// The family of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// Features in, state in and out, one row of channel weights per frame out.
    Streaming,
}

/// The features a network hears and how they are normalised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureSpec {
    /// Always `log_mel`.
    pub kind: String,
    /// How the bands are computed.
    #[serde(flatten)]
    pub log_mel: LogMelConfig,
    /// Mean of every band over the training data; what the network gets is `(x - mean) / std`.
    pub mean: Vec<f32>,
    /// Standard deviation of every band over the training data.
    pub std: Vec<f32>,
}

/// A tensor by which a network remembers the past between calls. All zeros at the start of a speech.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateTensor {
    /// Name of the input, `[batch, channels, frames]`.
    pub input: String,
    /// Name of the output of the same shape that goes in at the next call.
    pub output: String,
    /// Second dimension.
    pub channels: usize,
    /// Third dimension.
    pub frames: usize,
}

/// Names of a network's tensors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TensorNames {
    /// Input `[batch, bands, frames]`.
    pub features: String,
    /// Output `[batch, frames, channels]`, weights in 0..=1.
    pub output: String,
    /// The carried state.
    pub state: Vec<StateTensor>,
}

/// `model.json`: everything a bundle says about itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Always `talkie-bundle`.
    pub format: String,
    /// Version of the format; this crate reads 1.
    pub version: u32,
    /// The family of the network.
    pub kind: Kind,
    /// What people call the model.
    pub name: String,
    /// File name of the network within the folder.
    pub network: String,
    /// Rate of the sound in samples per second; always 16000.
    pub sample_rate: u32,
    /// What the network hears.
    pub features: FeatureSpec,
    /// Poses per second as a fraction.
    pub frame_rate: FrameRate,
    /// How many frames of the future the network has heard when it gives a pose: output row `t` is the pose of frame
    /// `t - look_ahead_frames`.
    pub look_ahead_frames: usize,
    /// The channels of the output, in order, by their [`FaceChannel`] names.
    pub channels: Vec<String>,
    /// Names of the tensors.
    pub tensors: TensorNames,
    /// Licence of the weights, as an SPDX expression.
    pub license: String,
    /// What it was trained on and how well it does: free form, for people.
    #[serde(default)]
    pub training: serde_json::Value,
}

impl Manifest {
    /// Reads and checks a `model.json`. `path` is only for messages.
    ///
    /// # Errors
    /// [`BundleError::Json`] or [`BundleError::Value`], naming the key.
    pub fn parse(json: &[u8], path: &Path) -> Result<Self, BundleError> {
        let mut reader = serde_json::Deserializer::from_slice(json);
        let manifest: Self = serde_path_to_error::deserialize(&mut reader).map_err(|error| BundleError::Json {
            path: path.to_owned(),
            key: error.path().to_string(),
            reason: error.inner().to_string(),
        })?;
        manifest.check(path)?;
        Ok(manifest)
    }

    fn check(&self, path: &Path) -> Result<(), BundleError> {
        let wrong = |key, found: String, expected: &str| {
            Err(BundleError::Value { path: path.to_owned(), key, found, expected: expected.into() })
        };
        if self.format != FORMAT {
            return wrong("format", format!("{:?}", self.format), &format!("{FORMAT:?}"));
        }
        if self.version != VERSION {
            return wrong("version", self.version.to_string(), &format!("{VERSION} (this build reads no other)"));
        }
        if self.sample_rate != SAMPLE_RATE {
            return wrong("sample_rate", self.sample_rate.to_string(), &SAMPLE_RATE.to_string());
        }
        if !self.frame_rate.is_valid() {
            let found = format!("{}/{}", self.frame_rate.numerator, self.frame_rate.denominator);
            return wrong("frame_rate", found, "a positive fraction of at most 1000 per second");
        }
        if self.features.kind != "log_mel" {
            return wrong("features.kind", format!("{:?}", self.features.kind), "\"log_mel\"");
        }
        if let Err(error) = self.features.log_mel.validate() {
            return wrong("features", error.to_string(), "a usable log-mel configuration");
        }
        let features_per_second = f64::from(SAMPLE_RATE) / self.features.log_mel.hop as f64;
        if (features_per_second - self.frame_rate.hertz()).abs() > 1e-9 {
            return wrong(
                "frame_rate",
                format!("{} per second", self.frame_rate.hertz()),
                &format!("{features_per_second}, one pose for each hop of features"),
            );
        }
        let bands = self.features.log_mel.width();
        for (key, values) in [("features.mean", &self.features.mean), ("features.std", &self.features.std)] {
            if values.len() != bands {
                return wrong(key, format!("{} values", values.len()), &format!("{bands}, one for each band"));
            }
        }
        if !self.features.mean.iter().all(|mean| mean.is_finite()) {
            return wrong("features.mean", "not finite".into(), "finite numbers");
        }
        if !self.features.std.iter().all(|std| std.is_finite() && *std > 1e-6) {
            return wrong("features.std", "zero, negative or not finite somewhere".into(), "positive numbers");
        }
        if self.look_ahead_frames > 1000 {
            return wrong("look_ahead_frames", self.look_ahead_frames.to_string(), "at most 1000");
        }
        if self.channels.is_empty() {
            return wrong("channels", "empty".into(), "at least one channel name");
        }
        for (index, name) in self.channels.iter().enumerate() {
            if FaceChannel::from_name(name).is_none() {
                return wrong("channels", format!("{name:?}"), "names of the 68 face channels, such as \"jawOpen\"");
            }
            if self.channels[..index].contains(name) {
                return wrong("channels", format!("{name:?} twice"), "each name once");
            }
        }
        if Path::new(&self.network).components().count() != 1 || self.network.contains(['/', '\\']) {
            return wrong("network", format!("{:?}", self.network), "a file name within the folder");
        }
        Ok(())
    }

    /// The output channels in order.
    pub fn face_channels(&self) -> impl Iterator<Item = FaceChannel> {
        self.channels.iter().filter_map(|name| FaceChannel::from_name(name))
    }

    /// How much of the future a pose needs, in seconds: look-ahead frames and the half window of the features.
    pub fn look_ahead_seconds(&self) -> f64 {
        self.frame_rate.seconds(self.look_ahead_frames as u64)
            + self.features.log_mel.span() as f64 / 2.0 / f64::from(SAMPLE_RATE)
    }
}
