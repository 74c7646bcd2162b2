//! Emotions: what a classifier hears in a voice, and what a face is asked to show.
//!
//! The face networks of Audio2Face-3D take a vector of [`FACE_EMOTIONS`] for every frame. It comes from the game, or from
//! the classifier `Audio2Emotion`, whose answer about [`NETWORK_EMOTIONS`] an [`EmotionPostprocessor`] turns into such
//! vectors, frame after frame. Either way they are keys of an [`EmotionTimeline`], from which the face networks read the
//! emotion of each of their frames.
//!
//! Faces whose network knows no emotions show them all the same: [`expression()`] gives the weights that a vector of
//! [`FACE_EMOTIONS`] adds to speech, [`Emotion`] names its places.

mod expression;
mod postprocess;
#[cfg(test)]
mod tests;
mod timeline;

pub use expression::{Emotion, expression};
pub use postprocess::{EmotionError, EmotionParameters, EmotionPostprocessor};
pub use timeline::{EmotionTimeline, TimelineError};

/// What the classifiers of `Audio2Emotion` tell apart, in the order of their outputs.
pub const NETWORK_EMOTIONS: [&str; 6] = ["angry", "disgust", "fear", "happy", "neutral", "sad"];

/// What the face networks of Audio2Face-3D can show, in the order of their inputs.
pub const FACE_EMOTIONS: [&str; 10] =
    ["amazement", "anger", "cheekiness", "disgust", "fear", "grief", "joy", "outofbreath", "pain", "sadness"];

/// For each of [`NETWORK_EMOTIONS`], which of [`FACE_EMOTIONS`] it becomes; neutral becomes none.
pub const DEFAULT_CORRESPONDENCE: [Option<usize>; 6] = [Some(1), Some(3), Some(4), Some(6), None, Some(9)];
