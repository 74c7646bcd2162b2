//! The meshes of a line, for faces that show those of their bundle.

use std::collections::VecDeque;

use talkie::{animation::FrameRate, model::audio2face::FaceGeometry};

/// Meshes at a fixed rate: what [`FaceTrack`](talkie::animation::FaceTrack) is for poses.
#[derive(Default)]
pub(super) struct GeometryTrack {
    /// Index of the first frame that is kept.
    first: u64,
    frames: VecDeque<FaceGeometry>,
}

impl GeometryTrack {
    /// An empty track whose first frame is this one.
    pub(super) fn starting_at(first: u64) -> Self {
        Self { first, frames: VecDeque::new() }
    }

    pub(super) fn push(&mut self, frame: FaceGeometry) {
        self.frames.push_back(frame);
    }

    /// Forgets all frames that are over at a time.
    pub(super) fn forget_before(&mut self, seconds: f64, rate: FrameRate) {
        let keep_from = (seconds * rate.hertz()).floor().max(0.0) as u64;
        while self.first < keep_from && self.frames.len() > 1 {
            self.frames.pop_front();
            self.first += 1;
        }
    }

    /// The frames before and after a time, and how far it is from the one to the other, 0..=1. Beyond the last frame it is the
    /// last, before the first the first.
    pub(super) fn at(&self, seconds: f64, rate: FrameRate) -> Option<(&FaceGeometry, &FaceGeometry, f32)> {
        let last = self.frames.len().checked_sub(1)?;
        let position = (seconds * rate.hertz() - self.first as f64).clamp(0.0, last as f64);
        let before = position as usize;
        let after = (before + 1).min(last);
        Some((self.frames.get(before)?, self.frames.get(after)?, (position - before as f64) as f32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_lies_between_two_frames_and_the_past_is_forgotten() {
        let rate = FrameRate::per_second(10);
        let mut track = GeometryTrack::default();
        assert!(track.at(0.0, rate).is_none());
        for frame in 0..10 {
            track.push(FaceGeometry { skin: vec![frame as f32], ..FaceGeometry::default() });
        }
        let value = |track: &GeometryTrack, seconds: f64| {
            let (before, after, share) = track.at(seconds, rate).unwrap();
            before.skin[0] + (after.skin[0] - before.skin[0]) * share
        };
        for (seconds, wanted) in [(-1.0, 0.0), (0.25, 2.5), (0.9, 9.0), (5.0, 9.0)] {
            assert!((value(&track, seconds) - wanted).abs() < 1e-5, "{seconds}");
        }
        track.forget_before(0.57, rate);
        assert!((value(&track, 0.62) - 6.2).abs() < 1e-5);
        assert_eq!(value(&track, 0.0), 5.0);
        assert_eq!(track.frames.len(), 5);
    }
}
