//! `model_config.json`: how a face is animated, and how what an emotion network says is processed.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;

use super::files::parse_json;
use crate::{
    animation::geometry::{GeometryParameters, ParameterError},
    emotion::EmotionParameters,
    model::BundleError,
};

/// How an identity is animated: the object `config`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct IdentityConfig {
    /// Factor on the sound that the network hears.
    pub input_strength: f32,
    /// Parameters of the animator.
    #[serde(flatten)]
    pub parameters: GeometryParameters,
    /// Which shot of the emotion database is the implicit emotion; only in regression bundles.
    #[serde(default)]
    pub source_shot: Option<String>,
    /// Which frame of it.
    #[serde(default)]
    pub source_frame: Option<usize>,
}

impl IdentityConfig {
    /// Reads `model_config.json` of a face and checks all ranges; `path` is only for messages.
    ///
    /// # Errors
    /// [`BundleError::Json`] or [`BundleError::Value`], naming the key.
    pub fn parse(json: &[u8], path: &Path) -> Result<Self, BundleError> {
        #[derive(Deserialize)]
        struct File {
            config: IdentityConfig,
        }
        let File { config } = parse_json(json, path)?;
        let wrong = |key, found: String, expected: String| {
            Err(BundleError::Value { path: path.to_owned(), key, found, expected })
        };
        if !(0.0..=10.0).contains(&config.input_strength) {
            return wrong("config.input_strength", config.input_strength.to_string(), "0 to 10".into());
        }
        match config.parameters.validate() {
            Ok(()) => Ok(config),
            Err(ParameterError::NotANumber { name, minimum, maximum }) => {
                wrong(name, "not a number".into(), format!("{minimum} to {maximum}"))
            }
            Err(ParameterError::OutOfRange { name, value, minimum, maximum }) => {
                wrong(name, value.to_string(), format!("{minimum} to {maximum}"))
            }
        }
    }
}

/// How what an emotion network says becomes the emotion of a face: the object `post_processing_config`.
#[derive(Debug, Clone, PartialEq)]
pub struct EmotionConfig {
    /// Parameters of the processing.
    pub parameters: EmotionParameters,
    /// Values of the emotion of a face.
    pub outputs: usize,
    /// Which of them each emotion of the network becomes, in the network's order.
    pub correspondence: Vec<Option<usize>>,
}

impl EmotionConfig {
    /// Reads `model_config.json` of an emotion bundle whose network knows these emotions; `path` is only for messages.
    ///
    /// # Errors
    /// [`BundleError::Json`] or [`BundleError::Value`], naming the key.
    pub fn parse(json: &[u8], path: &Path, emotions: &[String]) -> Result<Self, BundleError> {
        #[derive(Deserialize)]
        struct File {
            post_processing_config: Config,
        }
        #[derive(Deserialize)]
        struct Config {
            output_emotion_length: usize,
            emotion_correspondence: BTreeMap<String, i64>,
            preferred_emotion: Vec<f32>,
            #[serde(flatten)]
            parameters: BTreeMap<String, serde_json::Value>,
        }
        let File { post_processing_config: config } = parse_json(json, path)?;
        let wrong =
            |key, found: String, expected: String| BundleError::Value { path: path.to_owned(), key, found, expected };
        let outputs = config.output_emotion_length;
        if !(1..=1024).contains(&outputs) {
            return Err(wrong("output_emotion_length", outputs.to_string(), "1 to 1024".into()));
        }
        let index = |name: &String| match config.emotion_correspondence.get(name) {
            None => {
                let found = format!("without {name:?}");
                Err(wrong("emotion_correspondence", found, "an output, or -1, for each emotion of the network".into()))
            }
            Some(-1) => Ok(None),
            Some(output) => match usize::try_from(*output) {
                Ok(output) if output < outputs => Ok(Some(output)),
                _ => Err(wrong(
                    "emotion_correspondence",
                    format!("{output} for {name:?}"),
                    format!("-1 to {}", outputs - 1),
                )),
            },
        };
        let correspondence = emotions.iter().map(index).collect::<Result<_, _>>()?;
        // The map was only there to keep the two objects apart; what is left in it are the parameters.
        let mut left: serde_json::Map<String, serde_json::Value> = config.parameters.into_iter().collect();
        left.insert("preferred_emotion".into(), config.preferred_emotion.into());
        let parameters: EmotionParameters =
            serde_path_to_error::deserialize(serde_json::Value::Object(left)).map_err(|error| BundleError::Json {
                path: path.to_owned(),
                key: format!("post_processing_config.{}", error.path()),
                reason: error.inner().to_string(),
            })?;
        parameters.validate(outputs).map_err(|error| {
            wrong("post_processing_config", error.to_string(), "parameters within their ranges".into())
        })?;
        Ok(Self { parameters, outputs, correspondence })
    }
}
