//! What a text-to-speech engine says about its sound beside the samples.

mod spelling;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::{FacePose, FaceTrack};
use crate::metrics::lip_opening;
use spelling::lips_of_word;

/// Lips take this long to meet and to part, in seconds.
const EDGE: f64 = 0.04;
/// The shortest time that lips stay together, in seconds: three frames at 60 a second, so that one of them shows it.
const SHORTEST: f64 = 0.05;
/// How long lips stay together for a letter of a word, in seconds.
const LETTER: f64 = 0.07;
/// How far from its proportional place in a word a letter is looked for, in seconds.
const SNAP: f64 = 0.07;
/// Distance of the moments that are looked at, in seconds.
const SNAP_STEP: f64 = 0.005;

/// What is spoken during a stretch of a speech, as the engine that speaks it says.
///
/// Only what brings the lips together or to the teeth is used; anything else may be given and is passed over. Engines that
/// say only when something begins (Azure, Polly) mean that it ends where the next begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpeechHint {
    /// Where it begins, in seconds after the first sample of the speech.
    pub start_seconds: f64,
    /// Where it ends, on the same clock.
    pub end_seconds: f64,
    /// What is spoken.
    pub kind: HintKind,
}

/// What a [`SpeechHint`] names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum HintKind {
    /// A phone: ARPAbet with or without stress digits (`P`, `AH0`), or one symbol of the IPA (`p`, `ɱ`), long or aspirated.
    Phone(String),
    /// A mouth shape of a set that engines use.
    Viseme(Viseme),
    /// A word in English spelling. Which of its letters close the lips, and about where, is guessed;
    /// [`SpeechHints::resolve`] finds them in the track.
    Word(String),
}

/// A mouth shape by the name that an engine has for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Viseme {
    /// Microsoft's, 0..=21, of Azure Speech and SAPI: 21 is P B M, 18 is F V.
    Azure(u8),
    /// Those of Oculus lip sync, also with `viseme_` before them: `PP` is P B M, `FF` is F V.
    Oculus(String),
    /// Those of Amazon Polly: `p` is P B M, `f` is F V.
    Polly(String),
}

/// A hint that makes no sense.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum HintError {
    /// A time is not a number.
    #[error("{name} is {value}; expected a finite number of seconds")]
    NotFinite {
        /// Which time.
        name: &'static str,
        /// What it is.
        value: f64,
    },
    /// It ends before it begins.
    #[error("a hint from {start} s to {end} s ends before it begins")]
    Reversed {
        /// Where it begins, in seconds.
        start: f64,
        /// Where it ends, in seconds.
        end: f64,
    },
}

impl SpeechHint {
    /// Whether its times make sense.
    ///
    /// # Errors
    /// Times that are not finite or reversed.
    pub fn check(&self) -> Result<(), HintError> {
        let (start, end) = (self.start_seconds, self.end_seconds);
        for (name, value) in [("start_seconds", start), ("end_seconds", end)] {
            if !value.is_finite() {
                return Err(HintError::NotFinite { name, value });
            }
        }
        if end < start { Err(HintError::Reversed { start, end }) } else { Ok(()) }
    }
}

/// Where the lips are.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Lips {
    Closed,
    /// The lower one at the upper teeth.
    AtTeeth,
}

/// A stretch for which the lips are held somewhere, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Hold {
    start: f64,
    end: f64,
    lips: Lips,
    /// The latest end of all holds up to this one: none of them reaches further.
    reach: f64,
}

/// A letter of a word whose place is not known yet: somewhere from `from` to `to`, rather at `at`; in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Letter {
    at: f64,
    from: f64,
    to: f64,
    lips: Lips,
}

/// Makes sure that lips close where the engine that speaks says so, whatever the network heard.
///
/// Hints may come in any order and at any time before they are shown. Times count from the first sample of the speech, as
/// those of a [`FaceTrack`].
///
/// ```
/// use talkie::animation::{FaceChannel, FacePose, HintKind, SpeechHint, SpeechHints};
///
/// let mut hints = SpeechHints::default();
/// hints.push(&SpeechHint { start_seconds: 0.2, end_seconds: 0.3, kind: HintKind::Phone("P".into()) })?;
/// let mut pose = FacePose::REST;
/// pose.set(FaceChannel::JawOpen, 0.4);
/// hints.apply(0.25, &mut pose);
/// assert_eq!(pose.weight(FaceChannel::MouthClose), 0.4);
/// # Ok::<(), talkie::animation::HintError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SpeechHints {
    /// In order of their starts.
    holds: Vec<Hold>,
    letters: Vec<Letter>,
}

impl SpeechHints {
    /// Takes a hint.
    ///
    /// # Errors
    /// Times that are not finite or reversed; then nothing changes.
    pub fn push(&mut self, hint: &SpeechHint) -> Result<(), HintError> {
        hint.check()?;
        let (start, end) = (hint.start_seconds, hint.end_seconds);
        let lips = match &hint.kind {
            HintKind::Phone(symbol) => lips_of_phone(symbol),
            HintKind::Viseme(viseme) => lips_of_viseme(viseme),
            HintKind::Word(word) => {
                self.letters.extend(lips_of_word(word).into_iter().map(|letters| {
                    let at = start + letters.at * (end - start);
                    Letter { at, from: start.max(at - SNAP), to: end.min(at + SNAP), lips: letters.lips }
                }));
                None
            }
        };
        if let Some(lips) = lips {
            self.hold(start, end, lips);
        }
        Ok(())
    }

    /// Places the letters of words that the track now covers: each at the least opening of the lips within 70 ms of its
    /// proportional place, and within its word. Call it whenever the track has grown.
    ///
    /// The speech need not be over; a letter waits until the track reaches 70 ms beyond it or the end of its word.
    pub fn resolve(&mut self, track: &FaceTrack) {
        // A word may end within the last frame.
        let covered = track.end_seconds() + track.frame_rate().seconds(1);
        let mut letters = core::mem::take(&mut self.letters);
        letters.retain(|letter| {
            let waits = letter.to > covered;
            if !waits {
                let at = least_opening(track, letter);
                self.hold(at - 0.5 * LETTER, at + 0.5 * LETTER, letter.lips);
            }
            waits
        });
        self.letters = letters;
    }

    /// Whether letters of words wait for [`resolve`](Self::resolve).
    pub fn is_waiting(&self) -> bool {
        !self.letters.is_empty()
    }

    /// Whether there is nothing to show and nothing that waits.
    pub fn is_empty(&self) -> bool {
        self.holds.is_empty() && self.letters.is_empty()
    }

    /// Closes the lips of a pose that is shown `seconds` after the first sample, or brings the lower one to the teeth.
    ///
    /// For the whole of a P, B or M they are [closed](FacePose::close_lips), for an F or V
    /// [at the teeth](FacePose::lip_to_teeth), for 50 ms at least; they get there and leave within 40 ms on either side.
    /// Where both are asked for, closing wins. Further away the pose is left alone. Allocates nothing, and looks only at what
    /// is near.
    pub fn apply(&self, seconds: f64, pose: &mut FacePose) {
        let first = self.holds.partition_point(|hold| hold.reach + EDGE <= seconds);
        let near = self.holds[first..].iter().take_while(|hold| hold.start - EDGE < seconds);
        let (mut closed, mut at_teeth) = (0.0_f32, 0.0_f32);
        for hold in near {
            let amount = match hold.lips {
                Lips::Closed => &mut closed,
                Lips::AtTeeth => &mut at_teeth,
            };
            *amount = amount.max(hold.amount(seconds));
        }
        pose.lip_to_teeth(at_teeth * (1.0 - closed));
        pose.close_lips(closed);
    }

    /// Drops what no longer shows once `seconds` has been reached.
    pub fn forget_before(&mut self, seconds: f64) {
        if seconds.is_nan() {
            return;
        }
        self.holds.retain(|hold| hold.end + EDGE > seconds);
        self.letters.retain(|letter| letter.to + 0.5 * LETTER + EDGE > seconds);
        self.measure_reach(0);
    }

    fn hold(&mut self, start: f64, end: f64, lips: Lips) {
        let missing = (SHORTEST - (end - start)).max(0.0);
        let (start, end) = (start - 0.5 * missing, end + 0.5 * missing);
        let place = self.holds.partition_point(|hold| hold.start <= start);
        self.holds.insert(place, Hold { start, end, lips, reach: end });
        self.measure_reach(place);
    }

    /// Sets the reach of the holds from a place on.
    fn measure_reach(&mut self, from: usize) {
        let mut reach = from.checked_sub(1).map_or(f64::NEG_INFINITY, |before| self.holds[before].reach);
        for hold in &mut self.holds[from..] {
            reach = reach.max(hold.end);
            hold.reach = reach;
        }
    }
}

impl Hold {
    /// How far the lips are there: 1 within, eased to 0 over the edges.
    fn amount(&self, seconds: f64) -> f32 {
        let distance = (self.start - seconds).max(seconds - self.end).max(0.0) / EDGE;
        (0.5 + 0.5 * (core::f64::consts::PI * distance.min(1.0)).cos()) as f32
    }
}

/// The moment of the least lip opening where a letter may be; of equal ones the nearest to its place.
fn least_opening(track: &FaceTrack, letter: &Letter) -> f64 {
    let opening = |seconds| lip_opening(&track.sample_seconds(seconds));
    let mut best = (opening(letter.at), letter.at);
    for step in 1..=(SNAP / SNAP_STEP) as u32 {
        let away = f64::from(step) * SNAP_STEP;
        for seconds in [letter.at - away, letter.at + away] {
            let opening = opening(seconds);
            if seconds >= letter.from && seconds <= letter.to && opening < best.0 {
                best = (opening, seconds);
            }
        }
    }
    best.1
}

fn lips_of_phone(symbol: &str) -> Option<Lips> {
    let is_mark = |letter: char| {
        // Stress digits, modifier letters (long, aspirated) and combining marks (syllabic).
        letter.is_ascii_digit() || matches!(letter, '\u{2b0}'..='\u{36f}')
    };
    match symbol.trim().trim_matches(is_mark) {
        "P" | "B" | "M" | "p" | "b" | "m" | "EM" => Some(Lips::Closed),
        "F" | "V" | "f" | "v" | "ɱ" | "ʋ" => Some(Lips::AtTeeth),
        _ => None,
    }
}

fn lips_of_viseme(viseme: &Viseme) -> Option<Lips> {
    match viseme {
        Viseme::Azure(21) => Some(Lips::Closed),
        Viseme::Azure(18) => Some(Lips::AtTeeth),
        Viseme::Azure(_) => None,
        Viseme::Oculus(name) => match name.strip_prefix("viseme_").unwrap_or(name) {
            "PP" => Some(Lips::Closed),
            "FF" => Some(Lips::AtTeeth),
            _ => None,
        },
        Viseme::Polly(name) => match name.as_str() {
            "p" => Some(Lips::Closed),
            "f" => Some(Lips::AtTeeth),
            _ => None,
        },
    }
}
