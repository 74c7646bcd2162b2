//! A jaw that follows loudness.

use super::{FaceChannel, FacePose};

/// The loudest of late sinks to a half in so many seconds, so that a quiet voice opens its mouth too.
const MEMORY: f32 = 6.0;
/// Nothing below this root mean square counts as loud: -46 dBFS.
const QUIET: f32 = 0.005;
/// The part of the loudest at which the mouth begins to open.
const THRESHOLD: f32 = 0.12;
/// Seconds in which the jaw follows, opening and closing.
const FOLLOWS: (f32, f32) = (0.03, 0.06);
/// What moves at the loudest, and how far: what the shipped network shows on loud vowels.
const OPEN: [(FaceChannel, f32); 4] = [
    (FaceChannel::JawOpen, 0.5),
    (FaceChannel::MouthLowerDownLeft, 0.15),
    (FaceChannel::MouthLowerDownRight, 0.15),
    (FaceChannel::MouthFunnel, 0.1),
];

/// A mouth that opens with loudness and knows nothing of sounds: enough for a face too far away to be read.
///
/// Opening is a share of the loudest of the last seconds, so that it does not depend on the level of the recording.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LevelJaw {
    loudest: f32,
    opening: f32,
}

impl LevelJaw {
    /// Lets `delta` seconds pass in which the sound had this root mean square, of a full scale of 1. What is not a number is
    /// silence.
    pub fn advance(&mut self, rms: f32, delta: f32) {
        let rms = if rms.is_finite() { rms.abs() } else { 0.0 };
        let delta = if delta.is_finite() { delta.max(0.0) } else { 0.0 };
        self.loudest = rms.max(self.loudest * (-delta * core::f32::consts::LN_2 / MEMORY).exp()).max(QUIET);
        let part = ((rms / self.loudest - THRESHOLD) / (1.0 - THRESHOLD)).clamp(0.0, 1.0);
        // Loudness in dB is nearer to what is seen than amplitude; a square root is nearer to that and has no pole.
        let goal = if rms <= QUIET { 0.0 } else { part.sqrt() };
        let time = if goal > self.opening { FOLLOWS.0 } else { FOLLOWS.1 };
        self.opening += (goal - self.opening) * (1.0 - (-delta / time).exp());
    }

    /// The pose now.
    pub fn pose(&self) -> FacePose {
        let mut pose = FacePose::REST;
        for (channel, most) in OPEN {
            pose.set(channel, most * self.opening);
        }
        pose
    }
}

/// Root mean square of interleaved samples, of which those that are not numbers are silence; 0 if there are none.
pub fn root_mean_square(samples: &[f32]) -> f32 {
    let sum: f32 = samples.iter().filter(|sample| sample.is_finite()).map(|sample| sample * sample).sum();
    if samples.is_empty() { 0.0 } else { (sum / samples.len() as f32).sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(jaw: &LevelJaw) -> f32 {
        jaw.pose().weight(FaceChannel::JawOpen)
    }

    /// Syllables of this loudness; the widest and, between syllables, the narrowest jaw of the last two seconds.
    fn speak(loudness: f32) -> (f32, f32) {
        let mut jaw = LevelJaw::default();
        let (mut widest, mut narrowest) = (0.0_f32, 1.0_f32);
        for frame in 0..300 {
            let syllable = (frame as f32 / 60.0 * 4.0 * core::f32::consts::TAU).sin().max(0.0);
            jaw.advance(loudness * syllable, 1.0 / 60.0);
            if frame > 180 {
                (widest, narrowest) = (widest.max(open(&jaw)), narrowest.min(open(&jaw)));
            }
        }
        (widest, narrowest)
    }

    #[test]
    fn syllables_open_and_close_however_loud_the_recording_is() {
        for loudness in [0.02, 0.1, 0.7] {
            let (widest, narrowest) = speak(loudness);
            assert!((0.35..=0.5).contains(&widest), "{loudness}: {widest}");
            assert!(narrowest < 0.12, "{loudness}: {narrowest}");
        }
    }

    #[test]
    fn silence_and_what_is_no_number_close_it() {
        let mut jaw = LevelJaw::default();
        (0..60).for_each(|_| jaw.advance(0.3, 1.0 / 60.0));
        assert!(open(&jaw) > 0.4);
        for rms in [0.0, f32::NAN, 0.004, f32::INFINITY] {
            (0..60).for_each(|_| jaw.advance(rms, 1.0 / 60.0));
            assert!(open(&jaw) < 0.01, "{rms}: {}", open(&jaw));
        }
        jaw.advance(0.3, f32::NAN);
        assert!(jaw.pose().is_finite());
        assert_eq!(root_mean_square(&[]), 0.0);
        assert_eq!(root_mean_square(&[0.5, -0.5, f32::NAN, f32::INFINITY]), (0.5_f32 / 4.0).sqrt());
    }
}
