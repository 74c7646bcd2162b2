//! How long and how strongly a phone insists on its targets.

use talkie::metrics::Phone;

use super::targets::{AFTER_VOWEL_R, Articulation, Group, articulation};
use super::{Motion, Prosody, is_vowel};

/// A phone, or half of a diphthong, in time.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    pub(super) start: f64,
    pub(super) end: f64,
    pub(super) articulation: Articulation,
    stress: f32,
    accent: f32,
}

/// Lips stay apart so long after the last sound and part so long before the next one, in seconds, but for no more than a
/// share of a pause.
const LINGER: (f64, f64) = (0.035, 0.25);
const PREPARE: (f64, f64) = (0.04, 0.2);

/// How far the greatest accent raises the brows, and how long they take to rise and to sink again, in seconds.
const BROW_HEIGHT: f32 = 0.6;
const BROW_TRAVEL: (f64, f64) = (0.22, 0.45);

/// Reach before and after a phone, in seconds, at which its dominance has fallen to 1/e; and the exponent of the fall.
/// Rounding reaches far ahead; the jaw and the tongue are quick.
fn reach(group: Group) -> (f64, f64, f64) {
    match group {
        Group::Jaw => (0.055, 0.06, 1.5),
        Group::Rounding => (0.1, 0.06, 1.3),
        Group::Lips => (0.05, 0.05, 1.4),
        Group::Tongue => (0.05, 0.045, 1.4),
    }
}

/// Splits diphthongs and gives every part its targets; every phone comes with its prosody.
pub(super) fn segments<'a>(phones: impl Iterator<Item = (&'a Phone, Prosody)>) -> Vec<Segment> {
    let mut parts = Vec::with_capacity(phones.size_hint().0 * 9 / 8);
    let mut after_vowel = false;
    for (phone, Prosody { emphasis, accent }) in phones {
        // A diphthong stays with its first vowel for three fifths of its time.
        let split = phone.start + 0.62 * phone.duration();
        let mut push = |symbol: &str, start: f64, end: f64| {
            // A long vowel is a stressed one, and opens wider: 90 % at 50 ms, 105 % at 170 ms.
            let stress = 0.9 + 0.15 * ((phone.duration() - 0.05) / 0.12).clamp(0.0, 1.0);
            parts.push(Segment {
                start,
                end,
                articulation: articulation(symbol),
                stress: stress as f32 * emphasis,
                accent,
            });
        };
        let halves = match phone.symbol.as_str() {
            "AY" => Some(("AA", "IH")),
            "AW" => Some(("AA", "UW")),
            "EY" => Some(("EY", "IY")),
            "OW" => Some(("OW", "UW")),
            "OY" => Some(("AO", "IH")),
            _ => None,
        };
        match halves {
            Some((first, second)) => {
                push(first, phone.start, split);
                push(second, split, phone.end);
            }
            None if articulation(&phone.symbol).is_silence => {
                let part = |(most, share): (f64, f64)| most.min(share * phone.duration());
                push(&phone.symbol, phone.start + part(LINGER), phone.end - part(PREPARE));
            }
            None if after_vowel && phone.symbol == "R" => push(AFTER_VOWEL_R, phone.start, phone.end),
            None => push(&phone.symbol, phone.start, phone.end),
        }
        after_vowel = is_vowel(&phone.symbol);
    }
    parts
}

impl Segment {
    /// `a exp(-(distance / reach)^c)` for each group; the distance counts from the middle half of the phone.
    pub(super) fn dominance(&self, time: f64) -> [f32; Articulation::GROUPS] {
        let hold = 0.25 * (self.end - self.start);
        let (before, after) = (self.start + hold - time, time - (self.end - hold));
        let mut out = [0.0; Articulation::GROUPS];
        for group in [Group::Jaw, Group::Rounding, Group::Lips, Group::Tongue] {
            let strength = self.articulation.strength(group);
            if strength <= 0.0 {
                continue;
            }
            let (ahead, behind, exponent) = reach(group);
            let distance = if before > 0.0 { before / ahead } else { after.max(0.0) / behind };
            out[group as usize] = strength * (-distance.powf(exponent)).exp() as f32;
        }
        out
    }

    /// 1 while the phone lasts (all but its first and last 10 ms, at least 40 ms), with soft flanks of `travel` seconds.
    pub(super) fn hold(&self, time: f64, travel: f64) -> f32 {
        let half = (0.5 * (self.end - self.start) - 0.01).max(0.02);
        let distance = ((time - 0.5 * (self.start + self.end)).abs() - half).max(0.0);
        if distance >= travel {
            return 0.0;
        }
        (0.5 + 0.5 * (core::f64::consts::PI * distance / travel).cos()) as f32
    }

    /// How far an accent raises the brows: they rise ahead of the phone and sink slowly after it.
    pub(super) fn brow(&self, time: f64) -> f32 {
        let centre = 0.5 * (self.start + self.end);
        let (rise, sink) = BROW_TRAVEL;
        let distance = if time < centre { (centre - time) / rise } else { (time - centre) / sink };
        let shape = 0.5 + 0.5 * (core::f64::consts::PI * distance.min(1.0)).cos();
        BROW_HEIGHT * self.accent * shape as f32
    }

    /// What length and emphasis do to a target: only the opening of vowels feels them.
    pub(super) fn scale(&self, motion: Motion) -> f32 {
        let opens = matches!(motion, Motion::JawOpen | Motion::LowerDown | Motion::UpperUp);
        if opens && self.articulation.is_vowel { self.stress } else { 1.0 }
    }
}
