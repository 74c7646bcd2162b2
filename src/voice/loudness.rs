//! A mouth that follows loudness for as long as there are no poses from a network.

use talkie::animation::{FacePose, LevelJaw, root_mean_square};

use super::{Sound, utterance::Utterance};
use crate::ease::ease;

/// Time in which a face goes over from a network to loudness and back, in seconds.
const FADE: f32 = 0.2;
/// Poses may end so many seconds before what is heard and count as those of the moment.
const TOLERANCE: f64 = 0.04;
/// Loudness of a recording is that of so many seconds around the moment.
const WINDOW: f64 = 0.04;

/// What a line shows without a network.
#[derive(Debug, Clone, Default)]
pub(super) struct ByLoudness {
    jaw: LevelJaw,
    /// How much of it is seen, 0..=1; nobody knows before the line is heard.
    share: Option<f32>,
    scratch: Vec<f32>,
}

impl ByLoudness {
    /// Lays it over what a network says.
    pub(super) fn show(&self, pose: FacePose) -> FacePose {
        match self.share {
            None | Some(0.0) => pose,
            Some(share) => pose.lerp(&self.jaw.pose(), ease(share)),
        }
    }
}

impl Utterance {
    /// Lets `delta` seconds pass for a face with or without networks. Tells whether the animation cannot go on where it was, because
    /// sound was left out.
    pub(super) fn follow_loudness(&mut self, networks: bool, delta: f32) -> bool {
        if !self.stage.is_heard() {
            return false;
        }
        let now = self.clock.seconds();
        let track = self.track();
        let known = track.start_seconds() - TOLERANCE..=track.end_seconds() + TOLERANCE;
        let goal = if self.is_over() || known.contains(&now) { 0.0 } else { 1.0 };
        let share = self.loudness.share.get_or_insert(goal);
        *share += (goal - *share).clamp(-delta / FADE, delta / FADE);
        let is_seen = *share > 0.0;
        let (loudness, forgot) = match &self.sound {
            Some(Sound::Recorded(sound)) if is_seen => {
                let (rate, channels) = (f64::from(sound.sample_rate()), sound.channels().max(1));
                let frames = (sound.samples().len() / channels).max(1);
                let at = |seconds: f64| (seconds.max(0.0) * rate) as usize;
                // A line that is repeated goes on counting.
                let start = at(now - WINDOW / 2.0) % frames;
                let end = (start + at(WINDOW)).min(frames);
                (Some(root_mean_square(&sound.samples()[start * channels..end * channels])), false)
            }
            // Whatever networks have heard of a stream they keep.
            Some(Sound::Stream(voice)) if !networks => voice.loudness(now, &mut self.loudness.scratch),
            _ => (None, false),
        };
        if let Some(loudness) = loudness {
            self.loudness.jaw.advance(loudness, delta);
        }
        forgot
    }
}
