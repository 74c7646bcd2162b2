//! How a phone stands out of its utterance: by loudness, pitch and length.
//!
//! Accents are what brows and head move with: C. Cavé et al., "About the relationship between eyebrow movements and F0
//! variations", ICSLP 1996; J. Beskow, B. Granström, D. House, "Visual correlates to prominence in several expressive
//! modes", Interspeech 2006; K. Munhall et al., "Visual prosody and speech intelligibility", Psychological Science 15(2),
//! 2004.

use talkie::metrics::Phone;

use super::targets::articulation;

/// Change of an opening for each decibel.
const PER_DECIBEL: f32 = 0.02;
/// Least and greatest factor of an opening.
const RANGE: (f32, f32) = (0.84, 1.16);
/// What makes a vowel as prominent as one can be: semitones and decibels above the utterance's median vowel, seconds.
const HIGH: f32 = 5.0;
const LOUD: f32 = 6.0;
const LONG: f64 = 0.2;
/// Shares of pitch, loudness and length in prominence.
const SHARES: [f32; 3] = [0.55, 0.25, 0.2];
/// Less prominent vowels have no accent.
const ACCENTED: f32 = 0.4;
/// Of two accents that are closer than this, in seconds, only the greater remains.
const APART: f64 = 0.35;
/// Pitches that voices have, in hertz.
const PITCHES: (f64, f64) = (60.0, 420.0);

/// How a phone stands out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prosody {
    /// A factor for the opening: 1 for a vowel as loud as the utterance's median vowel, 2 % more or less for every decibel
    /// above or below, 0.84 to 1.16 in all; 1 for everything that is not a vowel.
    pub emphasis: f32,
    /// 0..=1: how much it is accented, which only vowels are, and never two within a third of a second.
    pub accent: f32,
}

impl Prosody {
    /// Nothing stands out.
    pub const PLAIN: Self = Self { emphasis: 1.0, accent: 0.0 };

    /// The prosody of every phone of an utterance, from its sound.
    pub fn measure(samples: &[f32], rate: f64, phones: &[Phone]) -> Vec<Self> {
        let vowels: Vec<usize> = (0..phones.len()).filter(|index| is_vowel(&phones[*index].symbol)).collect();
        let levels: Vec<f32> = vowels.iter().map(|index| level(samples, rate, &phones[*index])).collect();
        let pitches: Vec<Option<f32>> = vowels.iter().map(|index| pitch(samples, rate, &phones[*index])).collect();
        let (usual_level, usual_pitch) = (median(levels.clone()), median(pitches.iter().flatten().copied().collect()));
        let prominences: Vec<f32> = vowels
            .iter()
            .zip(levels.iter().zip(&pitches))
            .map(|(index, (level, pitch))| {
                let high = pitch.map_or(0.0, |pitch| (pitch - usual_pitch) / HIGH);
                let loud = (level - usual_level) / LOUD;
                let long = ((phones[*index].duration() - 0.05) / (LONG - 0.05)) as f32;
                let parts = [high, loud, long];
                SHARES.iter().zip(parts).map(|(share, part)| share * part.clamp(-0.5, 1.0)).sum::<f32>()
            })
            .collect();
        let mut out = vec![Self::PLAIN; phones.len()];
        for (place, index) in vowels.iter().enumerate() {
            let (mine, centre) = (prominences[place], phones[*index].centre());
            let greater = |other: usize| prominences[other] > mine || (prominences[other] == mine && other < place);
            let outdone = (0..vowels.len())
                .any(|other| greater(other) && (phones[vowels[other]].centre() - centre).abs() < APART);
            out[*index] = Self {
                emphasis: (1.0 + PER_DECIBEL * (levels[place] - usual_level)).clamp(RANGE.0, RANGE.1),
                accent: if outdone { 0.0 } else { ((mine - ACCENTED) / (1.0 - ACCENTED)).clamp(0.0, 1.0) },
            };
        }
        out
    }
}

/// Whether a symbol is that of a vowel or a diphthong.
pub fn is_vowel(symbol: &str) -> bool {
    articulation(symbol).is_vowel || matches!(symbol, "AY" | "AW" | "OY")
}

fn median(mut values: Vec<f32>) -> f32 {
    values.sort_by(f32::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// Power of the middle half in decibels.
fn level(samples: &[f32], rate: f64, phone: &Phone) -> f32 {
    let quarter = phone.duration() / 4.0;
    let at = |time: f64| ((time * rate).max(0.0) as usize).min(samples.len());
    let (from, to) = (at(phone.start + quarter), at(phone.end - quarter));
    let middle = samples.get(from..to.max(from)).unwrap_or(&[]);
    let power = middle.iter().map(|sample| sample * sample).sum::<f32>() / middle.len().max(1) as f32;
    10.0 * power.max(1e-8).log10()
}

/// Pitch at the centre in semitones above 1 Hz, where there is one: the first of the highest peaks of the normalised
/// cross-correlation (as in D. Talkin, "A robust algorithm for pitch tracking (RAPT)", 1995).
fn pitch(samples: &[f32], rate: f64, phone: &Phone) -> Option<f32> {
    // Every second sample is enough for what is looked for.
    let rate = rate / 2.0;
    let (shortest, longest) = ((rate / PITCHES.1) as usize, (rate / PITCHES.0) as usize);
    let window = (0.03 * rate) as usize;
    let span = 2 * (window + longest);
    let centre = (phone.centre() * 2.0 * rate).max(0.0) as usize;
    let from = centre.saturating_sub(span / 2);
    let sound: Vec<f32> = samples.get(from..from + span)?.chunks_exact(2).map(|pair| pair[0] + pair[1]).collect();
    let base = &sound[..window];
    let likeness = |lag: usize| {
        let (mut product, mut power) = (0.0f32, 0.0f32);
        for (a, b) in base.iter().zip(&sound[lag..]) {
            product += a * b;
            power += b * b;
        }
        product / (power * base.iter().map(|a| a * a).sum::<f32>()).sqrt().max(1e-9)
    };
    let curve: Vec<f32> = (shortest..=longest).map(likeness).collect();
    let best = curve.iter().copied().fold(0.0f32, f32::max);
    if best < 0.5 {
        return None;
    }
    let peak = (1..curve.len() - 1)
        .find(|at| curve[*at] >= 0.9 * best && curve[*at] >= curve[at - 1] && curve[*at] >= curve[at + 1])?;
    // A parabola through the peak and its neighbours.
    let (left, top, right) = (curve[peak - 1], curve[peak], curve[peak + 1]);
    let bend = left - 2.0 * top + right;
    let shift = if bend < 0.0 { 0.5 * (left - right) / bend } else { 0.0 };
    Some(12.0 * (rate as f32 / ((shortest + peak) as f32 + shift)).log2())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: f64 = 16_000.0;

    fn vowels(lengths: &[f64]) -> Vec<Phone> {
        let mut start = 0.1;
        let place = |length: &f64| {
            let phone = Phone { symbol: "AA".into(), start, end: start + length };
            start += 0.4;
            phone
        };
        lengths.iter().map(place).collect()
    }

    /// A buzz of eight harmonics for each phone.
    fn voice(phones: &[Phone], pitches: &[f64], levels: &[f64]) -> Vec<f32> {
        let mut samples = vec![0.0f32; 32_000];
        for ((phone, pitch), level) in phones.iter().zip(pitches).zip(levels) {
            let (from, to) = ((phone.start * RATE) as usize, (phone.end * RATE) as usize);
            for (index, sample) in samples.iter_mut().enumerate().take(to).skip(from) {
                let phase = core::f64::consts::TAU * pitch * index as f64 / RATE;
                let buzz = (1..=8).map(|k| (f64::from(k) * phase).sin() / f64::from(k)).sum::<f64>();
                *sample = (level * buzz) as f32;
            }
        }
        samples
    }

    #[test]
    fn pitch_is_heard_over_the_range_of_voices() {
        for hertz in [75.0, 110.0, 147.0, 220.0, 310.0, 400.0] {
            let phones = vowels(&[0.2]);
            let heard = pitch(&voice(&phones, &[hertz], &[0.2]), RATE, &phones[0]).expect("a voice");
            let wanted = 12.0 * hertz.log2() as f32;
            assert!((heard - wanted).abs() < 0.3, "{hertz} Hz: {heard} for {wanted}");
        }
        assert_eq!(pitch(&[0.0; 16_000], RATE, &vowels(&[0.2])[0]), None);
    }

    #[test]
    fn a_high_loud_vowel_is_accented_and_the_others_are_not() {
        let phones = vowels(&[0.15; 4]);
        let samples = voice(&phones, &[120.0, 118.0, 170.0, 115.0], &[0.1, 0.1, 0.2, 0.09]);
        let prosody = Prosody::measure(&samples, RATE, &phones);
        let accents: Vec<f32> = prosody.iter().map(|phone| phone.accent).collect();
        assert!(accents[2] > 0.5, "{accents:?}");
        assert!([0, 1, 3].iter().all(|other| accents[*other] == 0.0), "{accents:?}");
        assert!(prosody[2].emphasis > 1.1 && prosody[3].emphasis < 1.0, "{prosody:?}");
    }

    #[test]
    fn of_near_accents_only_the_greater_remains() {
        let mut phones = vowels(&[0.15; 5]);
        phones[1].start -= 0.2;
        phones[1].end -= 0.2;
        let samples = voice(&phones, &[190.0, 200.0, 110.0, 112.0, 108.0], &[0.2, 0.2, 0.1, 0.1, 0.1]);
        phones.push(Phone { symbol: "S".into(), start: 1.9, end: 2.0 });
        let prosody = Prosody::measure(&samples, RATE, &phones);
        let accented: Vec<usize> = (0..6).filter(|index| prosody[*index].accent > 0.0).collect();
        assert_eq!(accented, [1], "{prosody:?}");
        assert_eq!(prosody[5], Prosody::PLAIN);
    }

    #[test]
    fn silence_and_no_phones_are_plain() {
        assert!(Prosody::measure(&[], RATE, &[]).is_empty());
        let silent = Prosody::measure(&[0.0; 32_000], RATE, &vowels(&[0.1, 0.1]));
        assert!(silent.iter().all(|phone| *phone == Prosody::PLAIN), "{silent:?}");
    }
}
