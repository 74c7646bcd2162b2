//! How well a network, or the teacher itself, speaks: scores on aligned speech.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};
use talkie::animation::FaceChannel;
use talkie::metrics::{
    CLOSED_MM, ChannelCurves, ClipEvents, CurvesError, LipMesh, LipMeshError, LipVertexError, Score,
};
use talkie::model::features::{LogMel, LogMelError};

use crate::config::{Recipe, Variant};
use crate::corpus::{CorpusError, Item, RATE, descriptions, read_item};
use crate::network::SpeechNetwork;
use crate::teacher::{MOTIONS, Motion, Teacher};
use crate::training::Normalisation;

/// Why there is no score.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluationError {
    /// Aligned speech cannot be read.
    #[error(transparent)]
    Corpus(#[from] CorpusError),
    /// Features cannot be computed.
    #[error(transparent)]
    Features(#[from] LogMelError),
    /// A track cannot be scored.
    #[error("{clip}: {source}")]
    Curves {
        /// Which clip.
        clip: String,
        /// Why not.
        source: CurvesError,
    },
    /// The head cannot be measured.
    #[error("{path}: {source}")]
    Head {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: LipMeshError,
    },
    /// A result cannot be read back from the device.
    #[error("the device gave no numbers back: {0}")]
    Device(String),
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

/// Reads aligned speech for tests: `NAME.json` with `NAME.wav` beside it.
///
/// # Errors
/// Unreadable or broken files, or none.
pub fn aligned_speech(folder: &Path) -> Result<Vec<Item>, EvaluationError> {
    let paths = descriptions(folder)?;
    // Anything beside a sound is an alignment; other JSON files may lie in the same folder.
    let spoken = paths.iter().filter(|path| ["wav", "ogg"].iter().any(|ending| path.with_extension(ending).exists()));
    let items: Vec<Item> = spoken.map(|path| read_item(path, 0, 0.0)).collect::<Result<_, _>>()?;
    if items.is_empty() { Err(CorpusError::Empty(folder.into()).into()) } else { Ok(items) }
}

/// A face that speaks.
#[derive(Debug)]
pub enum Speaker<'a> {
    /// A network with what its features are normalised by.
    Network {
        /// The recipe that made it.
        recipe: &'a Recipe,
        /// Which of its variants it is.
        variant: &'a Variant,
        /// The weights.
        network: &'a SpeechNetwork,
        /// What features are normalised by.
        normalisation: &'a Normalisation,
        /// Where the weights are.
        device: &'a Device,
    },
    /// The teacher, who is told the phones: what a network can reach at best.
    Teacher,
}

impl Speaker<'_> {
    /// Motions at 50 poses a second, [`MOTIONS`] values each.
    ///
    /// # Errors
    /// Features that cannot be computed or a device that fails.
    pub fn motions(&self, item: &Item) -> Result<Vec<f32>, EvaluationError> {
        match self {
            Self::Teacher => {
                let count = (item.seconds().max(item.said.end()) * 50.0).ceil() as usize + 1;
                let phones: Vec<_> = item.said.phones.iter().cloned().zip(item.prosody.iter().copied()).collect();
                let lessons = Teacher::with_prosody(&phones).curve(0.0, 0.02, count);
                Ok(lessons.iter().flat_map(|lesson| lesson.motions).collect())
            }
            Self::Network { recipe, variant, network, normalisation, device } => {
                let features = &recipe.features;
                let look_ahead = variant.look_ahead;
                let (mut log_mel, mut heard) = (LogMel::new(features.clone())?, Vec::new());
                log_mel.push(&item.samples, &mut heard);
                log_mel.finish(look_ahead, &mut heard);
                normalisation.apply(&mut heard);
                let frames = heard.len() / features.width();
                let input = Tensor::<3>::from_data(TensorData::new(heard, [1, frames, features.width()]), *device);
                let output = network.forward(input).into_data().try_to_vec::<f32>();
                let output = output.map_err(|error| EvaluationError::Device(format!("{error:?}")))?;
                Ok(output[look_ahead * MOTIONS..].to_vec())
            }
        }
    }
}

/// One figure to choose a network by: closure AUC, bilabial recall less false closures in the same window, vowel
/// correlation, rounding and spread AUC, the lead of F and V over other obstruents, and the silence level as a loss.
pub fn merit(score: &Score) -> f64 {
    let or = |figure: Option<f64>, none: f64| figure.unwrap_or(none);
    or(score.closure_auc, 0.5) + or(score.bilabial_recall, 0.0) - or(score.false_window, 1.0)
        + or(score.vowel_r, 0.0)
        + or(score.rounding_auc, 0.5)
        + 0.5 * or(score.spread_auc, 0.5)
        + 0.5 * (or(score.labiodental, 0.0) - or(score.labio_other, 0.0))
        - or(score.sil_level, 1.0)
}

fn columns(motions: &[f32]) -> Vec<(FaceChannel, Vec<f32>)> {
    Motion::ALL
        .iter()
        .flat_map(|motion| {
            let curve: Vec<f32> = motions.iter().skip(*motion as usize).step_by(MOTIONS).copied().collect();
            motion.channels().iter().map(move |channel| (*channel, curve.clone()))
        })
        .collect()
}

/// Scores of every clip by name, and of all together.
#[derive(Debug, Clone)]
pub struct Report {
    /// Name and score of every clip.
    pub clips: Vec<(String, Score)>,
    /// All clips together.
    pub total: Score,
    /// How far the lips are from those of the teacher, who is told the phones.
    pub lips: Option<LipVertexError>,
}

/// The lips of a head, in a binary glTF file.
///
/// # Errors
/// An unreadable file, or a head without lips that can be measured.
pub fn head(path: &Path) -> Result<LipMesh, EvaluationError> {
    let bytes = std::fs::read(path).map_err(|source| EvaluationError::File { path: path.into(), source })?;
    LipMesh::from_glb(&bytes).map_err(|source| EvaluationError::Head { path: path.into(), source })
}

/// Lets a face speak some items and scores it, on the lips of a head too if there is one. `tracks` is a folder that gets a
/// CSV file for each.
///
/// # Errors
/// A device that fails, or tracks that cannot be written.
pub fn evaluate(
    speaker: &Speaker<'_>,
    items: &[Item],
    head: Option<&LipMesh>,
    tracks: Option<&Path>,
) -> Result<Report, EvaluationError> {
    let (mut events, mut clips, mut pairs) = (Vec::new(), Vec::new(), Vec::new());
    for item in items {
        let wrong = |source| EvaluationError::Curves { clip: item.name.clone(), source };
        let (times, columns) = curves(&speaker.motions(item)?);
        if let Some(folder) = tracks {
            write_track(&folder.join(format!("{}.csv", item.name)), &times, &columns)?;
        }
        let said = ChannelCurves::new(times, columns).map_err(wrong)?;
        let seen = match head {
            Some(lips) => ClipEvents::measure_on(lips, CLOSED_MM, &item.said, &said, 0.0),
            None => ClipEvents::measure(&item.said, &said, 0.0),
        };
        clips.push((item.name.clone(), Score::pooled([&seen])));
        events.push(seen);
        if head.is_some() {
            let (times, columns) = curves(&Speaker::Teacher.motions(item)?);
            pairs.push((said, ChannelCurves::new(times, columns).map_err(wrong)?));
        }
    }
    let lips = head.and_then(|head| head.vertex_error(pairs.iter().map(|(said, taught)| (said, taught))));
    Ok(Report { clips, total: Score::pooled(&events), lips })
}

/// Times and channels of motions at 50 poses a second.
fn curves(motions: &[f32]) -> (Vec<f64>, Vec<(FaceChannel, Vec<f32>)>) {
    ((0..motions.len() / MOTIONS).map(|frame| frame as f64 * 320.0 / RATE).collect(), columns(motions))
}

fn write_track(path: &Path, times: &[f64], columns: &[(FaceChannel, Vec<f32>)]) -> Result<(), EvaluationError> {
    let mut text = String::from("time");
    for (channel, _) in columns {
        text.push(',');
        text.push_str(channel.name());
    }
    for (frame, time) in times.iter().enumerate() {
        text.push_str(&format!("\n{time:.5}"));
        for (_, curve) in columns {
            text.push_str(&format!(",{:.6}", curve[frame]));
        }
    }
    text.push('\n');
    let file = |source| EvaluationError::File { path: path.into(), source };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(file)?;
    }
    std::fs::write(path, text).map_err(file)
}

impl core::fmt::Display for Report {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let heads = [
            "bilab", "inner", "falseC", "falseW", "clAUC", "labio", "labOth", "vowel_r", "round", "spread", "lag_ms",
            "trk_r", "silLvl", "range", "jerk", "bil_mm",
        ];
        write!(f, "{:<24}", "")?;
        heads.iter().try_for_each(|head| write!(f, "{head:>8}"))?;
        let total = ("total".to_owned(), self.total.clone());
        for (name, score) in self.clips.iter().chain([&total]) {
            write!(f, "\n{name:<24}")?;
            let figures = [
                score.bilabial_recall,
                score.bilabial_inner,
                score.false_closure,
                score.false_window,
                score.closure_auc,
                score.labiodental,
                score.labio_other,
                score.vowel_r,
                score.rounding_auc,
                score.spread_auc,
                score.lag_ms,
                Some(score.track_r),
                score.sil_level,
                Some(score.range),
                Some(score.jerk),
                score.bilabial_recall_mm,
            ];
            for (head, figure) in heads.iter().zip(figures) {
                let digits = match *head {
                    "lag_ms" => 0,
                    "jerk" => 3,
                    _ => 2,
                };
                match figure {
                    Some(figure) => write!(f, "{figure:>8.digits$}")?,
                    None => write!(f, "{:>8}", "-")?,
                }
            }
        }
        Ok(())
    }
}
