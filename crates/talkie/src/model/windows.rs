//! Which window of the sound an inference reads, for which frames, and when it can.

use crate::{animation::FrameRate, audio::Received};

/// No window, offset or stride is larger: a trillion samples, two years of speech.
const LARGEST: i64 = 1 << 40;
/// No network gives more frames at once.
const MOST_FRAMES: u32 = 1 << 16;

/// Windows that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} is {found}; expected {expected}")]
pub struct WindowError {
    /// Which number.
    pub what: &'static str,
    /// What it is.
    pub found: i64,
    /// What would do.
    pub expected: &'static str,
}

/// What a network reads for one inference, and where that is. Times are in samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowLayout {
    /// Length of a window: 1 or more.
    pub size: i64,
    /// Where the first window begins; negative for one that begins before the sound.
    pub start_offset: i64,
    /// How far into a window the moment is that its first frame shows.
    pub target_offset: i64,
    /// From one window to the next there are `stride_numerator / stride_denominator` samples, rounded down each time.
    pub stride_numerator: i64,
    /// See [`stride_numerator`](Self::stride_numerator).
    pub stride_denominator: i64,
    /// Frames that one inference gives: 1 or more.
    pub frames: u32,
}

/// A stretch of sound, in samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first sample.
    pub start: i64,
    /// The moment which the inference is about.
    pub target: i64,
    /// The first sample after the window.
    pub end: i64,
}

/// The windows of a network over a sound of any length, and the frames that come of them.
///
/// Window `k` begins at `floor(k stride) + start_offset`. While sound is still coming, a window can be read once all of it
/// is there; when the sound is complete, as long as its target is within it, and what is missing is silence. All times are
/// exact integers; those beyond the range of `i64` stay at its ends.
///
/// The number of windows that were read already is the business of whoever reads them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowSchedule {
    /// With a reduced stride.
    layout: WindowLayout,
}

impl WindowSchedule {
    /// The schedule of any layout.
    ///
    /// # Errors
    /// [`WindowError`] if the size, the stride or the number of frames is not positive, or anything is absurdly large.
    pub fn new(layout: WindowLayout) -> Result<Self, WindowError> {
        for (what, found) in [
            ("the window size", layout.size),
            ("the numerator of the stride", layout.stride_numerator),
            ("the denominator of the stride", layout.stride_denominator),
        ] {
            if !(1..=LARGEST).contains(&found) {
                return Err(WindowError { what, found, expected: "1 to 2^40" });
            }
        }
        for (what, found) in [("the start offset", layout.start_offset), ("the target offset", layout.target_offset)] {
            if !(-LARGEST..=LARGEST).contains(&found) {
                return Err(WindowError { what, found, expected: "-2^40 to 2^40" });
            }
        }
        if !(1..=MOST_FRAMES).contains(&layout.frames) {
            let found = layout.frames.into();
            return Err(WindowError { what: "the number of frames", found, expected: "1 to 2^16" });
        }
        let common = greatest_common_divisor(layout.stride_numerator, layout.stride_denominator);
        let (stride_numerator, stride_denominator) =
            (layout.stride_numerator / common, layout.stride_denominator / common);
        Ok(Self { layout: WindowLayout { stride_numerator, stride_denominator, ..layout } })
    }

    /// The schedule of a regression network: one frame for each window of `buffer_len` samples, `buffer_ofs` after its
    /// beginning, at any frame rate.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn regression(
        buffer_len: i64,
        buffer_ofs: i64,
        sample_rate: u32,
        rate: FrameRate,
    ) -> Result<Self, WindowError> {
        Self::new(WindowLayout {
            size: buffer_len,
            start_offset: buffer_ofs.saturating_neg(),
            target_offset: buffer_ofs,
            stride_numerator: i64::from(sample_rate).saturating_mul(rate.denominator.into()),
            stride_denominator: rate.numerator.into(),
            frames: 1,
        })
    }

    /// The schedule of a diffusion network: windows of `buffer_len` samples that begin `padding_left` before the sound and
    /// are cut into `left + center + right` frames, of which the `center` ones are kept.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn diffusion(buffer_len: i64, padding_left: i64, [left, center, right]: [u32; 3]) -> Result<Self, WindowError> {
        let frames = i64::from(left) + i64::from(center) + i64::from(right);
        if frames == 0 {
            return Err(WindowError { what: "the number of frames", found: 0, expected: "1 to 2^16" });
        }
        Self::new(WindowLayout {
            size: buffer_len,
            start_offset: padding_left.saturating_neg(),
            target_offset: buffer_len.saturating_mul(left.into()) / frames,
            stride_numerator: buffer_len.saturating_mul(center.into()),
            stride_denominator: frames,
            frames: center,
        })
    }

    /// The schedule of an emotion classifier: windows of `size` samples around the moment which they are about. Each
    /// answer serves for `skipped` more frames.
    ///
    /// # Errors
    /// As [`new`](Self::new), and if the windows leave gaps between them.
    pub fn emotion(size: i64, sample_rate: u32, rate: FrameRate, skipped: u32) -> Result<Self, WindowError> {
        let frames = skipped.saturating_add(1);
        let schedule = Self::new(WindowLayout {
            size,
            start_offset: -(size / 2),
            target_offset: size / 2,
            stride_numerator: i64::from(sample_rate)
                .saturating_mul(rate.denominator.into())
                .saturating_mul(frames.into()),
            stride_denominator: rate.numerator.into(),
            frames,
        })?;
        let WindowLayout { stride_numerator, stride_denominator, .. } = schedule.layout;
        if i128::from(stride_numerator) > i128::from(size) * i128::from(stride_denominator) {
            let expected = "at least the stride from one window to the next";
            return Err(WindowError { what: "the window size", found: size, expected });
        }
        Ok(schedule)
    }

    /// The schedule where emotions are processed without any network: one frame for each sample at which one is due.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn emotion_without_network(sample_rate: u32, rate: FrameRate) -> Result<Self, WindowError> {
        Self::regression(1, 0, sample_rate, rate)
    }

    /// What the schedule was made of, its stride reduced.
    pub fn layout(&self) -> &WindowLayout {
        &self.layout
    }

    /// The schedule with one window for each frame instead of each inference.
    pub fn per_frame(&self) -> Self {
        let WindowLayout { stride_numerator, stride_denominator, frames, .. } = self.layout;
        // At most 2^40 times 2^16.
        let stride_denominator = stride_denominator * i64::from(frames);
        let common = greatest_common_divisor(stride_numerator, stride_denominator);
        Self {
            layout: WindowLayout {
                stride_numerator: stride_numerator / common,
                stride_denominator: stride_denominator / common,
                frames: 1,
                ..self.layout
            },
        }
    }

    /// Window `index`, from 0.
    pub fn window(&self, index: u64) -> Window {
        let WindowLayout { size, start_offset, target_offset, stride_numerator, stride_denominator, .. } = self.layout;
        let begun = i128::from(index) * i128::from(stride_numerator) / i128::from(stride_denominator);
        let start = begun + i128::from(start_offset);
        Window {
            start: saturated(start),
            target: saturated(start + i128::from(target_offset)),
            end: saturated(start + i128::from(size)),
        }
    }

    /// How many windows, counted from the first, can be read of this much sound.
    pub fn windows_in(&self, received: Received) -> u64 {
        let WindowLayout { size, start_offset, target_offset, .. } = self.layout;
        match received {
            Received::Open(samples) => self.begun_by(i128::from(samples) - i128::from(start_offset) - i128::from(size)),
            Received::Closed(samples) => {
                self.begun_by(i128::from(samples) - i128::from(start_offset) - i128::from(target_offset) - 1)
            }
        }
    }

    /// How many windows, counted from the first, have an emotion for each of their frames, where emotions are known up to
    /// and including this sample ([`EmotionTimeline::known_until`](crate::emotion::EmotionTimeline::known_until)).
    pub fn windows_with_emotions(&self, known_until: i64) -> u64 {
        let WindowLayout { start_offset, target_offset, frames, .. } = self.layout;
        let frames_with =
            self.per_frame().begun_by(i128::from(known_until) - i128::from(start_offset) - i128::from(target_offset));
        frames_with / u64::from(frames)
    }

    /// How many windows can be read now, where `read` were read already, this much sound is there, and the emotions are
    /// known up to and including a sample (`None` for networks that need none).
    pub fn available(&self, received: Received, emotions_known_until: Option<i64>, read: u64) -> u64 {
        let heard = self.windows_in(received);
        let felt = emotions_known_until.map_or(u64::MAX, |known_until| self.windows_with_emotions(known_until));
        heard.min(felt).saturating_sub(read)
    }

    /// How many frames the first windows give that lie before the sound: computed, but never shown.
    pub fn frames_before_sound(&self) -> u64 {
        self.per_frame().windows_in(Received::Closed(0))
    }

    /// How many frames a sound has in all; 0 as long as nobody knows its end.
    pub fn total_frames(&self, received: Received) -> u64 {
        match received {
            Received::Open(_) => 0,
            closed => self.per_frame().windows_in(closed).saturating_sub(self.frames_before_sound()),
        }
    }

    /// The sample at which frame `index` is shown; 0 is the first that is not before the sound.
    pub fn frame_time(&self, index: u64) -> i64 {
        self.per_frame().window(index.saturating_add(self.frames_before_sound())).target
    }

    /// How many windows begin (offsets aside) at this sample or before it: the number of `k >= 0` with
    /// `floor(k p / q) <= last`, which is that with `k p < (last + 1) q`.
    fn begun_by(&self, last: i128) -> u64 {
        let WindowLayout { stride_numerator, stride_denominator, .. } = self.layout;
        // At most 2^64 times 2^56.
        let limit = (last + 1).max(0) * i128::from(stride_denominator);
        let stride = i128::from(stride_numerator);
        u64::try_from((limit + stride - 1) / stride).unwrap_or(u64::MAX)
    }
}

fn saturated(time: i128) -> i64 {
    i64::try_from(time).unwrap_or(if time < 0 { i64::MIN } else { i64::MAX })
}

fn greatest_common_divisor(mut a: i64, mut b: i64) -> i64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests;
