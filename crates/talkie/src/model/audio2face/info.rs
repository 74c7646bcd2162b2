//! `network_info.json`: sizes and names.

use std::path::Path;

use serde::{Deserialize, de::DeserializeOwned};

use super::files::parse_json;
use crate::{audio::SAMPLE_RATE, model::BundleError};

/// What a regression network hears and gives.
#[derive(Debug, Clone, PartialEq)]
pub struct RegressionInfo {
    /// Whose face it is.
    pub identity: String,
    /// Names of the explicit emotions, in the order of the input.
    pub emotions: Vec<String>,
    /// A neutral delivery, as the bundle has it: one value for each emotion.
    pub default_emotion: Vec<f32>,
    /// Length of the implicit emotion, which stands before the explicit ones.
    pub implicit_emotion_len: usize,
    /// Components of the skin in the result.
    pub skin_shapes: usize,
    /// Components of the tongue in the result.
    pub tongue_shapes: usize,
    /// Vertices of the skin.
    pub skin_vertices: usize,
    /// Vertices of the tongue.
    pub tongue_vertices: usize,
    /// Coordinates of jaw points in the result.
    pub jaw_size: usize,
    /// Rotations of eyes in the result.
    pub eyes_size: usize,
    /// Samples of a window.
    pub window: usize,
    /// Samples of a window before the moment that it stands for.
    pub offset: usize,
}

impl RegressionInfo {
    /// Width of the result: skin, tongue, jaw, eyes.
    pub fn result_len(&self) -> usize {
        self.skin_shapes + self.tongue_shapes + self.jaw_size + self.eyes_size
    }
}

/// What a diffusion network hears and gives.
#[derive(Debug, Clone, PartialEq)]
pub struct DiffusionInfo {
    /// Whose faces there are, in the order of the input.
    pub identities: Vec<String>,
    /// Names of the emotions, in the order of the input.
    pub emotions: Vec<String>,
    /// A neutral delivery, as the bundle has it: one value for each emotion.
    pub default_emotion: Vec<f32>,
    /// Coordinates of the skin in a frame.
    pub skin_size: usize,
    /// Coordinates of the tongue in a frame.
    pub tongue_size: usize,
    /// Coordinates of jaw points in a frame.
    pub jaw_size: usize,
    /// Rotations of eyes in a frame.
    pub eyes_size: usize,
    /// Denoising steps.
    pub steps: usize,
    /// Layers of the recurrent part.
    pub gru_layers: usize,
    /// Width of each of them.
    pub gru_width: usize,
    /// Frames of a window before those that are kept.
    pub left_frames: usize,
    /// Frames of a window that are kept.
    pub centre_frames: usize,
    /// Frames of a window after those that are kept.
    pub right_frames: usize,
    /// Samples of a window.
    pub window: usize,
    /// Samples before the sound that the first window begins.
    pub padding: usize,
}

impl DiffusionInfo {
    /// Frames of a window.
    pub fn frames(&self) -> usize {
        self.left_frames + self.centre_frames + self.right_frames
    }

    /// Values of a frame: skin, tongue, jaw, eyes.
    pub fn frame_len(&self) -> usize {
        self.skin_size + self.tongue_size + self.jaw_size + self.eyes_size
    }
}

/// What an emotion network gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmotionInfo {
    /// Names of the emotions, in the order of the output.
    pub emotions: Vec<String>,
}

#[derive(Deserialize)]
struct Info<P> {
    id: Id,
    params: P,
    audio_params: Audio,
}

#[derive(Deserialize)]
struct Id {
    #[serde(rename = "type")]
    kind: String,
    output: String,
    #[serde(default)]
    actor: Option<String>,
}

#[derive(Deserialize)]
struct Audio {
    buffer_len: usize,
    samplerate: u32,
    #[serde(default)]
    buffer_ofs: Option<usize>,
    #[serde(default)]
    padding_left: Option<usize>,
}

#[derive(Deserialize)]
struct RegressionParams {
    explicit_emotions: Vec<String>,
    default_emotion: Vec<f32>,
    implicit_emotion_len: usize,
    num_shapes_skin: usize,
    num_shapes_tongue: usize,
    num_verts_skin: usize,
    num_verts_tongue: usize,
    result_jaw_size: usize,
    result_eyes_size: usize,
}

#[derive(Deserialize)]
struct DiffusionParams {
    emotions: Vec<String>,
    default_emotion: Vec<f32>,
    identities: Vec<String>,
    skin_size: usize,
    tongue_size: usize,
    jaw_size: usize,
    eyes_size: usize,
    num_diffusion_steps: usize,
    num_gru_layers: usize,
    gru_latent_dim: usize,
    num_frames_left_truncate: usize,
    num_frames_right_truncate: usize,
    num_frames_center: usize,
}

/// Sizes beyond this are mistakes; the official ones are below 200 thousand.
const GREATEST: usize = 1 << 24;

/// Tells what is wrong with a file.
struct Check<'a>(&'a Path);

impl Check<'_> {
    fn wrong<T>(&self, key: &'static str, found: String, expected: &str) -> Result<T, BundleError> {
        Err(BundleError::Value { path: self.0.to_owned(), key, found, expected: expected.into() })
    }

    fn sizes(&self, sizes: &[(&'static str, usize)]) -> Result<(), BundleError> {
        match sizes.iter().find(|(_, size)| !(1..=GREATEST).contains(size)) {
            Some((key, size)) => self.wrong(key, size.to_string(), &format!("1 to {GREATEST}")),
            None => Ok(()),
        }
    }

    fn multiple_of_three(&self, key: &'static str, size: usize, least: usize) -> Result<(), BundleError> {
        if size.is_multiple_of(3) && size >= least {
            return Ok(());
        }
        self.wrong(key, size.to_string(), &format!("a multiple of 3 of at least {least}"))
    }

    fn id(&self, id: &Id, kind: &str) -> Result<(), BundleError> {
        if id.kind != kind {
            return self.wrong(
                "id.type",
                format!("{:?}", id.kind),
                &format!("{kind:?}, as model.json is one of that family"),
            );
        }
        if id.output != "geometry" {
            return self.wrong("id.output", format!("{:?}", id.output), "\"geometry\"");
        }
        Ok(())
    }

    fn sample_rate(&self, rate: u32) -> Result<(), BundleError> {
        if rate == SAMPLE_RATE {
            return Ok(());
        }
        self.wrong("audio_params.samplerate", rate.to_string(), &SAMPLE_RATE.to_string())
    }

    fn emotions(&self, names: &[String], defaults: &[f32]) -> Result<(), BundleError> {
        if defaults.len() != names.len() {
            let expected = format!("{}, one for each emotion", names.len());
            return self.wrong("params.default_emotion", format!("{} values", defaults.len()), &expected);
        }
        if !defaults.iter().all(|value| value.is_finite()) {
            return self.wrong("params.default_emotion", "not finite somewhere".into(), "finite numbers");
        }
        Ok(())
    }
}

fn info<P: DeserializeOwned>(json: &[u8], path: &Path) -> Result<Info<P>, BundleError> {
    parse_json(json, path)
}

impl RegressionInfo {
    /// Reads `network_info.json` of a regression bundle; `path` is only for messages.
    ///
    /// # Errors
    /// [`BundleError::Json`] or [`BundleError::Value`], naming the key.
    pub fn parse(json: &[u8], path: &Path) -> Result<Self, BundleError> {
        let check = Check(path);
        let Info { id, params, audio_params } = info::<serde_json::Value>(json, path)?;
        check.id(&id, "regression")?;
        drop((params, audio_params));
        let Info { params, audio_params, .. } = info::<RegressionParams>(json, path)?;
        check.sample_rate(audio_params.samplerate)?;
        check.emotions(&params.explicit_emotions, &params.default_emotion)?;
        let Some(offset) = audio_params.buffer_ofs else {
            return check.wrong("audio_params.buffer_ofs", "missing".into(), "a number of samples");
        };
        check.sizes(&[
            ("params.num_shapes_skin", params.num_shapes_skin),
            ("params.num_shapes_tongue", params.num_shapes_tongue),
            ("params.num_verts_skin", params.num_verts_skin),
            ("params.num_verts_tongue", params.num_verts_tongue),
            ("params.implicit_emotion_len", params.implicit_emotion_len),
            ("audio_params.buffer_len", audio_params.buffer_len),
        ])?;
        check.multiple_of_three("params.result_jaw_size", params.result_jaw_size, 9)?;
        if params.result_eyes_size != 4 {
            return check.wrong("params.result_eyes_size", params.result_eyes_size.to_string(), "4: two for each eye");
        }
        if offset > audio_params.buffer_len {
            let expected = format!("at most {}, the length of the window", audio_params.buffer_len);
            return check.wrong("audio_params.buffer_ofs", offset.to_string(), &expected);
        }
        let Some(identity) = id.actor else {
            return check.wrong("id.actor", "missing".into(), "the name of the identity");
        };
        Ok(Self {
            identity,
            emotions: params.explicit_emotions,
            default_emotion: params.default_emotion,
            implicit_emotion_len: params.implicit_emotion_len,
            skin_shapes: params.num_shapes_skin,
            tongue_shapes: params.num_shapes_tongue,
            skin_vertices: params.num_verts_skin,
            tongue_vertices: params.num_verts_tongue,
            jaw_size: params.result_jaw_size,
            eyes_size: params.result_eyes_size,
            window: audio_params.buffer_len,
            offset,
        })
    }
}

impl DiffusionInfo {
    /// Reads `network_info.json` of a diffusion bundle; `path` is only for messages.
    ///
    /// # Errors
    /// [`BundleError::Json`] or [`BundleError::Value`], naming the key.
    pub fn parse(json: &[u8], path: &Path) -> Result<Self, BundleError> {
        let check = Check(path);
        let Info { id, .. } = info::<serde_json::Value>(json, path)?;
        check.id(&id, "diffusion")?;
        let Info { params, audio_params, .. } = info::<DiffusionParams>(json, path)?;
        check.sample_rate(audio_params.samplerate)?;
        check.emotions(&params.emotions, &params.default_emotion)?;
        let Some(padding) = audio_params.padding_left else {
            return check.wrong("audio_params.padding_left", "missing".into(), "a number of samples");
        };
        if params.identities.is_empty() {
            return check.wrong("params.identities", "empty".into(), "at least one name");
        }
        check.sizes(&[
            ("params.num_diffusion_steps", params.num_diffusion_steps),
            ("params.num_gru_layers", params.num_gru_layers),
            ("params.gru_latent_dim", params.gru_latent_dim),
            ("params.num_frames_center", params.num_frames_center),
            ("params.skin_size", params.skin_size),
            ("params.tongue_size", params.tongue_size),
            ("audio_params.buffer_len", audio_params.buffer_len),
        ])?;
        check.multiple_of_three("params.skin_size", params.skin_size, 3)?;
        check.multiple_of_three("params.tongue_size", params.tongue_size, 3)?;
        check.multiple_of_three("params.jaw_size", params.jaw_size, 9)?;
        if params.eyes_size != 4 {
            return check.wrong("params.eyes_size", params.eyes_size.to_string(), "4: two for each eye");
        }
        for (key, frames) in [
            ("params.num_frames_left_truncate", params.num_frames_left_truncate),
            ("params.num_frames_right_truncate", params.num_frames_right_truncate),
            ("audio_params.padding_left", padding),
        ] {
            if frames > GREATEST {
                return check.wrong(key, frames.to_string(), &format!("at most {GREATEST}"));
            }
        }
        Ok(Self {
            identities: params.identities,
            emotions: params.emotions,
            default_emotion: params.default_emotion,
            skin_size: params.skin_size,
            tongue_size: params.tongue_size,
            jaw_size: params.jaw_size,
            eyes_size: params.eyes_size,
            steps: params.num_diffusion_steps,
            gru_layers: params.num_gru_layers,
            gru_width: params.gru_latent_dim,
            left_frames: params.num_frames_left_truncate,
            centre_frames: params.num_frames_center,
            right_frames: params.num_frames_right_truncate,
            window: audio_params.buffer_len,
            padding,
        })
    }
}

impl EmotionInfo {
    /// Reads `network_info.json` of an emotion bundle; `path` is only for messages.
    ///
    /// # Errors
    /// [`BundleError::Json`] or [`BundleError::Value`], naming the key.
    pub fn parse(json: &[u8], path: &Path) -> Result<Self, BundleError> {
        #[derive(Deserialize)]
        struct EmotionJson {
            audio_params: Rate,
            emotions: Vec<String>,
        }
        #[derive(Deserialize)]
        struct Rate {
            samplerate: u32,
        }
        let info: EmotionJson = parse_json(json, path)?;
        let check = Check(path);
        check.sample_rate(info.audio_params.samplerate)?;
        if info.emotions.is_empty() {
            return check.wrong("emotions", "empty".into(), "at least one name");
        }
        Ok(Self { emotions: info.emotions })
    }
}
