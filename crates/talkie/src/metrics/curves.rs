//! A track as plain curves.

use crate::animation::FaceChannel;

/// The motion of some channels over time, as the score reads it. A channel that is not there counts as 0.
#[derive(Debug, Clone, PartialEq)]
pub struct ChannelCurves {
    times: Vec<f64>,
    columns: Vec<(FaceChannel, Vec<f32>)>,
}

/// Why curves cannot be scored.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CurvesError {
    /// Fewer than two moments.
    #[error("a track of {count} frames; at least 2 are needed")]
    TooShort {
        /// How many there are.
        count: usize,
    },
    /// The times do not increase.
    #[error("frame {index} is at {time} s, which is not after the frame before it")]
    Times {
        /// Position of the frame.
        index: usize,
        /// Its time in seconds.
        time: f64,
    },
    /// A curve has more or fewer values than there are times.
    #[error("{channel} has {values} values for {frames} frames")]
    Length {
        /// Which channel.
        channel: FaceChannel,
        /// Values given.
        values: usize,
        /// Frames of the track.
        frames: usize,
    },
    /// A curve is given twice.
    #[error("{0} is given twice")]
    Twice(FaceChannel),
}

impl ChannelCurves {
    /// Curves over `times` (seconds, increasing), one value in 0..=1 per time and channel.
    ///
    /// # Errors
    /// Fewer than two frames, times that do not increase, or a curve of another length.
    pub fn new(times: Vec<f64>, columns: Vec<(FaceChannel, Vec<f32>)>) -> Result<Self, CurvesError> {
        if times.len() < 2 {
            return Err(CurvesError::TooShort { count: times.len() });
        }
        for (index, pair) in times.windows(2).enumerate() {
            if pair[0].partial_cmp(&pair[1]) != Some(core::cmp::Ordering::Less) {
                return Err(CurvesError::Times { index: index + 1, time: pair[1] });
            }
        }
        for (index, (channel, values)) in columns.iter().enumerate() {
            if values.len() != times.len() {
                let (values, frames) = (values.len(), times.len());
                return Err(CurvesError::Length { channel: *channel, values, frames });
            }
            if columns[..index].iter().any(|(other, _)| other == channel) {
                return Err(CurvesError::Twice(*channel));
            }
        }
        Ok(Self { times, columns })
    }

    /// Times of the frames in seconds.
    pub fn times(&self) -> &[f64] {
        &self.times
    }

    /// The channels that are there.
    pub fn channels(&self) -> impl Iterator<Item = FaceChannel> {
        self.columns.iter().map(|(channel, _)| *channel)
    }

    /// One channel at evenly spaced times `0, 1 / rate, ..` moved by `shift` seconds, linear between frames, constant
    /// beyond both ends; zeros if it is missing.
    pub(super) fn resampled(&self, channel: FaceChannel, rate: f64, count: usize, shift: f64) -> Vec<f64> {
        let Some((_, values)) = self.columns.iter().find(|(other, _)| *other == channel) else {
            return vec![0.0; count];
        };
        let mut right = 0;
        (0..count)
            .map(|index| {
                let time = index as f64 / rate + shift;
                while right < self.times.len() && self.times[right] <= time {
                    right += 1;
                }
                if right == 0 {
                    return f64::from(values[0]);
                }
                let (t0, v0) = (self.times[right - 1], f64::from(values[right - 1]));
                if right == self.times.len() {
                    return v0;
                }
                let (t1, v1) = (self.times[right], f64::from(values[right]));
                v0 + (v1 - v0) * (time - t0) / (t1 - t0)
            })
            .collect()
    }
}
