//! Emotions over time: keys on the clock of a speech, and what lies between them.

use std::collections::VecDeque;

/// Keys that are forgotten together, where nobody says otherwise.
const KEYS_PER_BLOCK: usize = 300;

/// An emotion that cannot be added or read.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TimelineError {
    /// A vector has another length than those of this timeline.
    #[error("an emotion of {found} values; expected {expected}")]
    Width {
        /// How many values it has.
        found: usize,
        /// How many those of the timeline have.
        expected: usize,
    },
    /// A value is not a number.
    #[error("the emotion at sample {time}: value {index} is {value}; expected a finite number")]
    NotFinite {
        /// The time stamp of the key, in samples.
        time: i64,
        /// Which of its values, from 0.
        index: usize,
        /// What it is.
        value: f32,
    },
    /// A key is not after the one before.
    #[error("an emotion at sample {time} after one at sample {last}; expected a later time")]
    Order {
        /// The time stamp of the key, in samples.
        time: i64,
        /// The time stamp of the last key, in samples.
        last: i64,
    },
    /// A key after the end.
    #[error("an emotion at sample {time} after the timeline was closed")]
    Closed {
        /// The time stamp of the key, in samples.
        time: i64,
    },
    /// Closed twice.
    #[error("the timeline was closed already")]
    AlreadyClosed,
    /// Closed before there was anything.
    #[error("a timeline without any emotion cannot be closed; expected at least one")]
    Empty,
    /// Nobody knows yet what the emotion will be.
    #[error("the emotion at sample {time} is not known yet ({})", match .last {
        Some(last) => format!("the last one so far is at sample {last}"),
        None => "there is none so far".into(),
    })]
    NotYet {
        /// What was asked for, in samples.
        time: i64,
        /// The time stamp of the last key, in samples.
        last: Option<i64>,
    },
    /// What it was has been forgotten.
    #[error("the emotion at sample {time} was forgotten, like all before sample {before}")]
    Dropped {
        /// What was asked for, in samples.
        time: i64,
        /// The first time that can be asked for, in samples.
        before: i64,
    },
}

/// Emotions as keys in time, in the order in which they become known.
///
/// Times are sample indices of the speech and may be negative. Before the first key the emotion is that of the first,
/// between two keys it goes straight from one to the other; after the last it is that of the last, but only once the
/// timeline is closed: until then nobody knows. A single key and a [`close`](Self::close) are a constant emotion, see
/// [`constant`](Self::constant).
#[derive(Debug, Clone, PartialEq)]
pub struct EmotionTimeline {
    width: usize,
    keys_per_block: usize,
    times: VecDeque<i64>,
    /// Of each key of `times`, `width` values.
    values: VecDeque<f32>,
    dropped_keys: usize,
    dropped_before: Option<i64>,
    is_closed: bool,
}

impl EmotionTimeline {
    /// An empty, open timeline of emotions with `width` values each.
    pub fn new(width: usize) -> Self {
        Self::with_block(width, KEYS_PER_BLOCK)
    }

    /// The same where keys are forgotten in blocks of this many (at least 1) instead of 300.
    pub fn with_block(width: usize, keys_per_block: usize) -> Self {
        Self {
            width,
            keys_per_block: keys_per_block.max(1),
            times: VecDeque::new(),
            values: VecDeque::new(),
            dropped_keys: 0,
            dropped_before: None,
            is_closed: false,
        }
    }

    /// A closed timeline with one emotion for all times.
    ///
    /// # Errors
    /// [`TimelineError::NotFinite`] if a value is not a number.
    pub fn constant(emotion: &[f32]) -> Result<Self, TimelineError> {
        let mut timeline = Self::new(emotion.len());
        timeline.push(0, emotion)?;
        timeline.close()?;
        Ok(timeline)
    }

    /// How many values an emotion has.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Adds a key at a sample index later than all before.
    ///
    /// # Errors
    /// [`TimelineError`] if the emotion has another width or is not finite, the time is not later, or the timeline is
    /// closed; then nothing is added.
    pub fn push(&mut self, time: i64, emotion: &[f32]) -> Result<(), TimelineError> {
        if self.is_closed {
            return Err(TimelineError::Closed { time });
        }
        self.check_width(emotion.len())?;
        if let Some(index) = emotion.iter().position(|value| !value.is_finite()) {
            return Err(TimelineError::NotFinite { time, index, value: emotion[index] });
        }
        if let Some(last) = self.last_key().filter(|last| time <= *last) {
            return Err(TimelineError::Order { time, last });
        }
        self.times.push_back(time);
        self.values.extend(emotion);
        Ok(())
    }

    /// Says that nothing more will come: the last emotion stays for ever.
    ///
    /// # Errors
    /// [`TimelineError`] if there is no key, or it is closed already.
    pub fn close(&mut self) -> Result<(), TimelineError> {
        if self.is_closed {
            return Err(TimelineError::AlreadyClosed);
        }
        if self.is_empty() {
            return Err(TimelineError::Empty);
        }
        self.is_closed = true;
        Ok(())
    }

    /// Writes the emotion at a sample index to `emotion`.
    ///
    /// # Errors
    /// [`TimelineError`] if it was forgotten or is not known yet, or `emotion` has another width.
    pub fn sample(&self, time: i64, emotion: &mut [f32]) -> Result<(), TimelineError> {
        self.check_width(emotion.len())?;
        if let Some(before) = self.dropped_before.filter(|before| time < *before) {
            return Err(TimelineError::Dropped { time, before });
        }
        let last = self.last_key();
        if time > self.known_until() || last.is_none() {
            return Err(TimelineError::NotYet { time, last });
        }
        let after = self.times.partition_point(|key| *key < time).min(self.times.len() - 1);
        let before = after.saturating_sub(1);
        let (from, to) = (self.times[before], self.times[after]);
        let value = |key: usize, index: usize| self.values[key * self.width + index];
        if before == after || time >= to {
            emotion.iter_mut().enumerate().for_each(|(index, out)| *out = value(after, index));
            return Ok(());
        }
        let distance = |from: i64, to: i64| (i128::from(to) - i128::from(from)) as f32;
        // The share is rounded to single precision, the sum only once at its end: that is what the reference gives.
        let share = f64::from(distance(from, time) / distance(from, to));
        for (index, out) in emotion.iter_mut().enumerate() {
            let (from, to) = (f64::from(value(before, index)), f64::from(value(after, index)));
            *out = (share * to + (from - share * from)) as f32;
        }
        Ok(())
    }

    /// Says that no time before this one will be asked for again. Keys are freed in whole blocks, those that are still
    /// needed to know the emotion at `time` stay.
    pub fn drop_before(&mut self, time: i64) {
        self.dropped_before = Some(self.dropped_before.map_or(time, |before| before.max(time)));
        while self.times.get(self.keys_per_block).is_some_and(|next| *next <= time) {
            self.times.drain(..self.keys_per_block);
            self.values.drain(..self.keys_per_block * self.width);
            self.dropped_keys += self.keys_per_block;
        }
    }

    /// Empty and open again.
    pub fn reset(&mut self) {
        self.times.clear();
        self.values.clear();
        self.dropped_keys = 0;
        self.dropped_before = None;
        self.is_closed = false;
    }

    /// The time stamp of the last key, in samples.
    pub fn last_key(&self) -> Option<i64> {
        self.times.back().copied()
    }

    /// The last sample index at which the emotion is known: that of the last key, without end once closed, and before all
    /// time where there is no key.
    pub fn known_until(&self) -> i64 {
        if self.is_closed { i64::MAX } else { self.last_key().unwrap_or(i64::MIN) }
    }

    /// The first sample index that can be asked for, if there is one.
    pub fn dropped_before(&self) -> Option<i64> {
        self.dropped_before
    }

    /// How many keys were freed.
    pub fn dropped_keys(&self) -> usize {
        self.dropped_keys
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// Whether [`close`](Self::close) was called.
    pub fn is_closed(&self) -> bool {
        self.is_closed
    }

    fn check_width(&self, found: usize) -> Result<(), TimelineError> {
        if found == self.width { Ok(()) } else { Err(TimelineError::Width { found, expected: self.width }) }
    }
}
