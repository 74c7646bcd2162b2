//! Poses over time.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{CHANNEL_COUNT, FaceChannel, FacePose, JOINT_COLUMNS};
use crate::audio::SAMPLE_RATE;

/// Frames per second as an exact fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u32, u32)", into = "(u32, u32)")]
pub struct FrameRate {
    /// Frames in [`denominator`](Self::denominator) seconds.
    pub numerator: u32,
    /// Seconds in which [`numerator`](Self::numerator) frames pass.
    pub denominator: u32,
}

impl From<(u32, u32)> for FrameRate {
    fn from((numerator, denominator): (u32, u32)) -> Self {
        Self { numerator, denominator }
    }
}

impl From<FrameRate> for (u32, u32) {
    fn from(rate: FrameRate) -> Self {
        (rate.numerator, rate.denominator)
    }
}

impl FrameRate {
    /// A whole number of frames per second.
    pub const fn per_second(frames: u32) -> Self {
        Self { numerator: frames, denominator: 1 }
    }

    /// Whether the rate makes sense: positive and at most 1000 frames per second.
    pub const fn is_valid(self) -> bool {
        self.numerator > 0 && self.denominator > 0 && self.numerator / self.denominator <= 1000
    }

    /// Frames per second.
    pub fn hertz(self) -> f64 {
        f64::from(self.numerator) / f64::from(self.denominator)
    }

    /// Position of a frame in seconds.
    pub fn seconds(self, frame: u64) -> f64 {
        frame as f64 * f64::from(self.denominator) / f64::from(self.numerator)
    }
}

/// A track that was read is not one.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TrackError {
    /// Written by a newer version of this crate.
    #[error("track version {found} is not supported (this build reads version {TRACK_VERSION})")]
    Version {
        /// What the file says.
        found: u32,
    },
    /// The rate is zero or absurd.
    #[error("frame rate {numerator}/{denominator} is not usable; expected more than 0 and at most 1000 per second")]
    FrameRate {
        /// As given.
        numerator: u32,
        /// As given.
        denominator: u32,
    },
    /// A name that is neither a channel nor a joint column.
    #[error("unknown column {0:?}")]
    UnknownColumn(String),
    /// A row of the wrong length.
    #[error("frame {frame} has {found} values; expected {expected}, one for each column")]
    RowLength {
        /// Which frame, from 0.
        frame: usize,
        /// How many values it has.
        found: usize,
        /// How many columns there are.
        expected: usize,
    },
    /// Not a number.
    #[error("frame {frame}: {column} is not a finite number")]
    NotFinite {
        /// Which frame, from 0.
        frame: usize,
        /// In which column.
        column: String,
    },
}

/// Poses at a fixed frame rate on the clock of a speech.
///
/// Frame `n` is the pose at `n / frame_rate` seconds after the first sample of the speech. A track can grow at its end
/// while it is played and forget what was played ([`forget_before`](Self::forget_before)), so that a speech of any length
/// needs little memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "TrackDocument", try_from = "TrackDocument")]
pub struct FaceTrack {
    rate: FrameRate,
    /// Index of the first frame that is kept.
    first: u64,
    frames: VecDeque<FacePose>,
}

impl FaceTrack {
    /// An empty track.
    pub fn new(rate: FrameRate) -> Self {
        Self { rate, first: 0, frames: VecDeque::new() }
    }

    /// An empty track whose first frame is this one: for an animation that begins in the middle of a speech.
    pub fn starting_at(rate: FrameRate, first_frame: u64) -> Self {
        Self { first: first_frame, ..Self::new(rate) }
    }

    /// Frames per second.
    pub fn frame_rate(&self) -> FrameRate {
        self.rate
    }

    /// Index of the first frame that is kept, or that will be.
    pub fn start_frame(&self) -> u64 {
        self.first
    }

    /// Time in seconds of the first frame that is kept, or that will be.
    pub fn start_seconds(&self) -> f64 {
        self.rate.seconds(self.first)
    }

    /// Index of the next frame that [`push`](Self::push) appends: the number of frames ever pushed, where it starts at 0.
    pub fn end_frame(&self) -> u64 {
        self.first + self.frames.len() as u64
    }

    /// Time in seconds up to which poses are known.
    pub fn end_seconds(&self) -> f64 {
        self.rate.seconds(self.end_frame())
    }

    /// Frames that are kept.
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether no frame is kept.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// The kept frames with their times in seconds, oldest first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (f64, &FacePose)> {
        self.frames.iter().enumerate().map(|(i, pose)| (self.rate.seconds(self.first + i as u64), pose))
    }

    /// Appends a frame.
    pub fn push(&mut self, pose: FacePose) {
        self.frames.push_back(pose);
    }

    /// Drops the frames that are no longer needed once `seconds` has been reached.
    pub fn forget_before(&mut self, seconds: f64) {
        let keep_from = (seconds * self.rate.hertz()).floor().max(0.0) as u64;
        while self.first < keep_from && self.frames.len() > 1 {
            self.frames.pop_front();
            self.first += 1;
        }
    }

    /// The pose at a time in seconds after the first sample, interpolated linearly. Before the first kept frame it is
    /// that frame, after the last the last; rest if there is none.
    pub fn sample_seconds(&self, seconds: f64) -> FacePose {
        let position = (seconds * self.rate.hertz() - self.first as f64).clamp(0.0, self.frames.len() as f64);
        let index = position as usize;
        match (self.frames.get(index), self.frames.get(index + 1)) {
            (Some(a), Some(b)) => a.lerp(b, (position - index as f64) as f32),
            (Some(last), None) => *last,
            (None, _) => self.frames.back().copied().unwrap_or_default(),
        }
    }

    /// The pose at a sample index of the speech ([`SAMPLE_RATE`]), interpolated.
    pub fn sample(&self, sample: u64) -> FacePose {
        self.sample_seconds(sample as f64 / f64::from(SAMPLE_RATE))
    }

    /// The same motion at another frame rate, interpolated, over the same time.
    pub fn resampled(&self, rate: FrameRate) -> Self {
        let frame = |seconds: f64| seconds * rate.hertz();
        let first = (frame(self.start_seconds()) - 1e-9).ceil().max(0.0) as u64;
        let last = frame(self.rate.seconds(self.end_frame().saturating_sub(1)));
        let end = if self.is_empty() { first } else { (last + 1e-9).floor() as u64 + 1 };
        Self { rate, first, frames: (first..end).map(|frame| self.sample_seconds(rate.seconds(frame))).collect() }
    }

    /// Names of all columns of an exported track: 52 ARKit names, 16 tongue names, then the joints.
    pub fn columns() -> impl Iterator<Item = &'static str> {
        FaceChannel::ALL.into_iter().map(FaceChannel::name).chain(JOINT_COLUMNS)
    }

    /// Values of one pose in the order of [`columns`](Self::columns).
    pub fn row(pose: &FacePose) -> impl Iterator<Item = f32> {
        pose.weights.into_iter().chain(pose.joint_values())
    }
}

const TRACK_VERSION: u32 = 1;

/// The written form of a track: self-describing columns, so that readers need not know this crate.
#[derive(Serialize, Deserialize)]
struct TrackDocument {
    version: u32,
    frame_rate: FrameRate,
    /// Index of the first row: 0 unless the beginning was forgotten.
    #[serde(default)]
    first_frame: u64,
    columns: Vec<String>,
    frames: Vec<Vec<f32>>,
}

impl From<FaceTrack> for TrackDocument {
    fn from(track: FaceTrack) -> Self {
        Self {
            version: TRACK_VERSION,
            frame_rate: track.rate,
            first_frame: track.first,
            columns: FaceTrack::columns().map(String::from).collect(),
            frames: track.frames.iter().map(|pose| FaceTrack::row(pose).collect()).collect(),
        }
    }
}

impl TryFrom<TrackDocument> for FaceTrack {
    type Error = TrackError;

    fn try_from(document: TrackDocument) -> Result<Self, TrackError> {
        if document.version != TRACK_VERSION {
            return Err(TrackError::Version { found: document.version });
        }
        let rate = document.frame_rate;
        if !rate.is_valid() {
            return Err(TrackError::FrameRate { numerator: rate.numerator, denominator: rate.denominator });
        }
        let slots = document
            .columns
            .iter()
            .map(|name| {
                FaceChannel::from_name(name)
                    .map(FaceChannel::index)
                    .or_else(|| JOINT_COLUMNS.iter().position(|joint| joint == name).map(|at| CHANNEL_COUNT + at))
                    .ok_or_else(|| TrackError::UnknownColumn(name.clone()))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let mut track =
            Self { rate, first: document.first_frame, frames: VecDeque::with_capacity(document.frames.len()) };
        for (frame, row) in document.frames.iter().enumerate() {
            if row.len() != slots.len() {
                return Err(TrackError::RowLength { frame, found: row.len(), expected: slots.len() });
            }
            let mut pose = FacePose::REST;
            let mut joints = pose.joint_values();
            for ((&slot, &value), name) in slots.iter().zip(row).zip(&document.columns) {
                if !value.is_finite() {
                    return Err(TrackError::NotFinite { frame, column: name.clone() });
                }
                match slot.checked_sub(CHANNEL_COUNT) {
                    Some(joint) => joints[joint] = value,
                    None => pose.weights[slot] = value,
                }
            }
            pose.set_joint_values(&joints);
            track.push(pose);
        }
        Ok(track)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ramp(rate: FrameRate, frames: u64) -> FaceTrack {
        let mut track = FaceTrack::new(rate);
        for frame in 0..frames {
            let mut pose = FacePose::REST;
            pose.set(FaceChannel::JawOpen, rate.seconds(frame) as f32);
            track.push(pose);
        }
        track
    }

    fn jaw(track: &FaceTrack, seconds: f64) -> f32 {
        track.sample_seconds(seconds).weight(FaceChannel::JawOpen)
    }

    #[test]
    fn sampling_interpolates_and_holds_at_the_ends() {
        let track = ramp(FrameRate::per_second(50), 51);
        assert!((jaw(&track, 0.333) - 0.333).abs() < 1e-6);
        assert_eq!(jaw(&track, -5.0), 0.0);
        assert_eq!(jaw(&track, 9.0), 1.0);
        assert!((track.sample(8_000).weight(FaceChannel::JawOpen) - 0.5).abs() < 1e-6);
        assert_eq!(FaceTrack::new(FrameRate::per_second(50)).sample_seconds(1.0), FacePose::REST);
    }

    #[test]
    fn json_round_trips_and_bad_documents_say_what_is_wrong() {
        let track = ramp(FrameRate { numerator: 30_000, denominator: 1_001 }, 7);
        let json = serde_json::to_string(&track).unwrap();
        assert_eq!(serde_json::from_str::<FaceTrack>(&json).unwrap(), track);
        for (from, to, says) in [
            ("\"version\":1", "\"version\":9", "version 9"),
            ("[30000,1001]", "[0,1]", "0/1"),
            ("jawOpen", "jawopen", "\"jawopen\""),
            ("\"jawOpen\",", "", "83 values; expected 82"),
        ] {
            let error = serde_json::from_str::<FaceTrack>(&json.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    proptest! {
        #[test]
        fn forgetting_the_past_never_changes_the_present(now in 0.0_f64..2.0, ahead in 0.0_f64..0.5) {
            let track = ramp(FrameRate::per_second(50), 120);
            let mut kept = track.clone();
            kept.forget_before(now);
            prop_assert_eq!(kept.end_frame(), track.end_frame());
            prop_assert!((jaw(&kept, now + ahead) - jaw(&track, now + ahead)).abs() < 1e-6);
        }

        #[test]
        fn resampling_keeps_the_motion(rate in 10_u32..120, at in 0.0_f64..0.9) {
            let track = ramp(FrameRate::per_second(50), 51);
            prop_assert!((jaw(&track.resampled(FrameRate::per_second(rate)), at) - at as f32).abs() < 1e-5);
            let mut late = track;
            late.forget_before(0.5);
            let late = late.resampled(FrameRate::per_second(rate));
            prop_assert!((0.5..0.5 + 1.0 / f64::from(rate)).contains(&(late.start_seconds() + 1e-9)));
            prop_assert!((jaw(&late, at.max(0.6)) - at.max(0.6) as f32).abs() < 1e-5);
        }
    }
}
