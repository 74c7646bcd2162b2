//! A track as plain curves.

use core::ops::Range;

use super::alignment::LONGEST_SECONDS;
use crate::animation::{FaceChannel, FaceTrack};
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
    /// The CSV has no column with the time.
    #[error("no column `time` (or t, times, timecode, time_seconds) among {found:?}")]
    NoTime {
        /// The first columns that are there.
        found: Vec<String>,
    },
    /// The CSV has no column `jawOpen`, so it is no face that speaks.
    #[error("no column `jawOpen`")]
    NoJawOpen,
    /// A row of the CSV is shorter than its first row.
    #[error("line {line} has {cells} cells for {columns} columns")]
    Row {
        /// Which line, from 1.
        line: usize,
        /// How many cells it has.
        cells: usize,
        /// How many columns there are.
        columns: usize,
    },
    /// A cell of the CSV is not a number; times are seconds or time codes.
    #[error("line {line}: {cell:?} in column `{column}` is not a number")]
    Cell {
        /// Which line, from 1.
        line: usize,
        /// In which column.
        column: String,
        /// What is there.
        cell: String,
    },
}

/// Names of the column with the time, best first, without marks and in small letters.
const TIME_COLUMNS: [&str; 5] = ["time", "t", "times", "timecode", "timeseconds"];

fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}

/// A time code of Live Link Face in seconds: `HH:MM:SS:FF.sss`.
fn timecode(cell: &str) -> Option<f64> {
    let parts: Vec<f64> = cell.split([':', ';']).map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let [hours, minutes, seconds, frames] = parts[..] else { return None };
    Some(hours * 3600.0 + minutes * 60.0 + seconds + frames / 60.0).filter(|seconds: &f64| seconds.is_finite())
}

impl ChannelCurves {
    /// Reads a track from CSV, as `talkie animate` and many capture programs write it.
    ///
    /// The first row names the columns: one is `time` (or `t`, `times`, `timecode`, `time_seconds`) in seconds, or in time
    /// codes as Live Link Face writes them (`HH:MM:SS:FF.sss` at 60 frames a second, counted from the first row), the
    /// others are channels by their ARKit names, whatever the notation (`jawOpen`, `JawOpen`, `jaw_open`,
    /// `mouthPress_L`). Other columns are ignored, and so are lines that begin with `#`. An empty cell or one that says
    /// `nan` counts as 0. Rows may come in any order.
    ///
    /// # Errors
    /// No time or no `jawOpen`, a short row, a cell that is no number, or what [`new`](Self::new) refuses.
    pub fn from_csv(text: &str) -> Result<Self, CurvesError> {
        let cells = |line: &'_ str| -> Vec<String> {
            line.split(',').map(|cell| cell.trim().trim_matches('"').to_owned()).collect()
        };
        let mut lines = text
            .trim_start_matches('\u{feff}')
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
        let head = lines.next().map(|(_, line)| cells(line)).unwrap_or_default();
        let time = TIME_COLUMNS
            .iter()
            .find_map(|name| head.iter().position(|column| plain(column) == *name))
            .ok_or_else(|| CurvesError::NoTime { found: head.iter().take(5).cloned().collect() })?;
        let channels: Vec<(usize, FaceChannel)> = head
            .iter()
            .enumerate()
            .filter_map(|(index, column)| Some((index, match_shape(column).channel()?)))
            .collect();
        if !channels.iter().any(|(_, channel)| *channel == FaceChannel::JawOpen) {
            return Err(CurvesError::NoJawOpen);
        }
        let mut rows: Vec<(f64, Vec<f64>)> = Vec::new();
        let mut coded = false;
        for (index, line) in lines {
            let (line, row) = (index + 1, cells(line));
            // A column of time codes says so, and holds nothing else.
            let named = rows.is_empty() && plain(&head[time]) == "timecode";
            coded |= named && row.get(time).is_some_and(|cell| cell.contains(':'));
            if row.len() < head.len() {
                return Err(CurvesError::Row { line, cells: row.len(), columns: head.len() });
            }
            let number = |column: usize| match row[column].parse::<f64>() {
                Ok(number) if !number.is_infinite() => Ok(number),
                _ => Err(CurvesError::Cell { line, column: head[column].clone(), cell: row[column].clone() }),
            };
            let weight = |column: usize| match number(column) {
                _ if row[column].is_empty() => Ok(0.0),
                Ok(number) if number.is_nan() => Ok(0.0),
                other => other,
            };
            let weights = channels.iter().map(|(column, _)| weight(*column)).collect::<Result<_, _>>()?;
            let moment = match coded {
                true => timecode(&row[time]).ok_or_else(|| CurvesError::Cell {
                    line,
                    column: head[time].clone(),
                    cell: row[time].clone(),
                })?,
                false => number(time)?,
            };
            rows.push((moment, weights));
        }
        rows.sort_by(|a, b| a.0.total_cmp(&b.0));
        if coded {
            let start = rows.first().map_or(0.0, |(time, _)| *time);
            rows.iter_mut().for_each(|(time, _)| *time -= start);
        }
        let column = |index: usize| rows.iter().map(|(_, weights)| weights[index]).collect();
        let columns = channels.iter().enumerate().map(|(index, (_, channel))| (*channel, column(index))).collect();
        Self { times: rows.iter().map(|(time, _)| *time).collect(), columns }.checked()
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
