//! A track as plain curves.

use core::ops::Range;

use super::alignment::LONGEST_SECONDS;
use crate::animation::{FaceChannel, FaceTrack, Table, TableError, TableRow};
use crate::retarget::match_shape;

/// The motion of some channels over time, as the score reads it. A channel that is not there counts as 0.
#[derive(Debug, Clone, PartialEq)]
pub struct ChannelCurves {
    times: Vec<f64>,
    columns: Vec<(FaceChannel, Vec<f64>)>,
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
    /// The CSV cannot be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The CSV has no column `jawOpen`, so it is no face that speaks.
    #[error("no column `jawOpen`")]
    NoJawOpen,
}

impl ChannelCurves {
    /// Reads the channels of a table as [`FaceTrack::from_csv`] does, at the times that it has; what is not a channel is ignored.
    ///
    /// # Errors
    /// No time or no `jawOpen`, a short row, a cell that is no number, or what [`new`](Self::new) refuses.
    pub fn from_csv(text: &str) -> Result<Self, CurvesError> {
        let Table { keys, rows, .. } = Table::read(text, |name| match_shape(name).channel())?;
        if !keys.contains(&FaceChannel::JawOpen) {
            return Err(CurvesError::NoJawOpen);
        }
        let value = |row: &TableRow, index: usize| Some(row.values[index]).filter(|value| !value.is_nan());
        let column = |index: usize| rows.iter().map(|row| value(row, index).unwrap_or(0.0)).collect();
        let columns = keys.iter().enumerate().map(|(index, channel)| (*channel, column(index))).collect();
        Self { times: rows.iter().map(|row| row.time).collect(), columns }.checked()
    }

    /// Curves over `times` (seconds, increasing), one value in 0..=1 per time and channel.
    ///
    /// # Errors
    /// Fewer than two frames, times that do not increase, or a curve of another length.
    pub fn new(times: Vec<f64>, columns: Vec<(FaceChannel, Vec<f32>)>) -> Result<Self, CurvesError> {
        let exact = |values: Vec<f32>| values.into_iter().map(f64::from).collect();
        Self { times, columns: columns.into_iter().map(|(channel, values)| (channel, exact(values))).collect() }
            .checked()
    }

    fn checked(self) -> Result<Self, CurvesError> {
        let Self { times, columns } = &self;
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
        Ok(self)
    }

    /// Times of the frames in seconds.
    pub fn times(&self) -> &[f64] {
        &self.times
    }

    /// The channels that are there.
    pub fn channels(&self) -> impl Iterator<Item = FaceChannel> {
        self.columns.iter().map(|(channel, _)| *channel)
    }

    /// The stretch of time that both tracks cover, in seconds.
    pub(super) fn common(&self, other: &Self) -> Option<Range<f64>> {
        let start = self.times[0].max(other.times[0]);
        let end = self.end().min(other.end()).min(start + LONGEST_SECONDS);
        (start <= end).then_some(start..end)
    }

    /// Time of the last frame in seconds.
    pub fn end(&self) -> f64 {
        self.times[self.times.len() - 1]
    }

    /// One channel at evenly spaced times `0, 1 / rate, ..` moved by `shift` seconds, linear between frames, constant
    /// beyond both ends; zeros if it is missing.
    pub fn resampled(&self, channel: FaceChannel, rate: f64, count: usize, shift: f64) -> Vec<f64> {
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
                    return values[0];
                }
                let (t0, v0) = (self.times[right - 1], values[right - 1]);
                if right == self.times.len() {
                    return v0;
                }
                let (t1, v1) = (self.times[right], values[right]);
                v0 + (v1 - v0) * (time - t0) / (t1 - t0)
            })
            .collect()
    }
}

impl TryFrom<&FaceTrack> for ChannelCurves {
    type Error = CurvesError;

    /// All channels of the frames that the track keeps.
    fn try_from(track: &FaceTrack) -> Result<Self, CurvesError> {
        let times = track.iter().map(|(seconds, _)| seconds).collect();
        let column = |channel| track.iter().map(|(_, pose)| pose.weight(channel)).collect();
        Self::new(times, FaceChannel::ALL.map(|channel| (channel, column(channel))).into())
    }
}
