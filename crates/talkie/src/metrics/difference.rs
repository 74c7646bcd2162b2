//! How far one track is from another: a network from its teacher, a guess from a capture.

use core::ops::Range;

use super::ChannelCurves;
use crate::animation::FaceChannel;

/// Samples per second at which tracks are compared.
pub(super) const DIFFERENCE_RATE: f64 = 200.0;

/// How far a channel of one track is from the same channel of another, in weights (0..=1).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChannelError {
    /// Which channel.
    pub channel: FaceChannel,
    /// Mean absolute difference. 0 is best.
    pub mean_absolute: f64,
    /// Root mean square difference, which weighs great ones more. 0 is best.
    pub root_mean_square: f64,
}

impl ChannelError {
    /// Differences of tracks from references, pair by pair, over all moments that both of a pair cover (200 a second), for
    /// every channel that any of them has. Empty if there is no such moment.
    pub fn between<'a>(pairs: impl IntoIterator<Item = (&'a ChannelCurves, &'a ChannelCurves)>) -> Vec<Self> {
        let pairs: Vec<_> = pairs
            .into_iter()
            .filter_map(|(track, reference)| Some((track, reference, track.common(reference)?)))
            .collect();
        let has = |channel| {
            pairs.iter().any(|(track, reference, _)| track.channels().chain(reference.channels()).any(|c| c == channel))
        };
        FaceChannel::ALL
            .into_iter()
            .filter(|channel| has(*channel))
            .map(|channel| {
                let (mut absolute, mut squares, mut count) = (0.0, 0.0, 0usize);
                for (track, reference, Range { start, end }) in &pairs {
                    let samples = ((end - start) * DIFFERENCE_RATE) as usize + 1;
                    let curve = |of: &ChannelCurves| of.resampled(channel, DIFFERENCE_RATE, samples, *start);
                    for (ours, theirs) in curve(track).into_iter().zip(curve(reference)) {
                        absolute += (ours - theirs).abs();
                        squares += (ours - theirs).powi(2);
                    }
                    count += samples;
                }
                let count = count as f64;
                Self { channel, mean_absolute: absolute / count, root_mean_square: (squares / count).sqrt() }
            })
            .collect()
    }
}
