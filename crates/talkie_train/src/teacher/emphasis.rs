//! How loudly every phone is spoken.

use talkie::metrics::Phone;

use super::targets::articulation;

/// Change of an opening for each decibel.
const PER_DECIBEL: f32 = 0.02;
/// Least and greatest factor of an opening.
const RANGE: (f32, f32) = (0.84, 1.16);

/// A factor for the opening of every phone: 1 for a vowel as loud as the utterance's median vowel, 2 % more or less for
/// every decibel above or below, 0.84 to 1.16 in all; 1 for everything that is not a vowel.
pub fn emphasis(samples: &[f32], rate: f64, phones: &[Phone]) -> Vec<f32> {
    let level = |phone: &Phone| {
        let quarter = phone.duration() / 4.0;
        let at = |time: f64| ((time * rate).max(0.0) as usize).min(samples.len());
        let (from, to) = (at(phone.start + quarter), at(phone.end - quarter));
        let middle = samples.get(from..to.max(from)).unwrap_or(&[]);
        let power = middle.iter().map(|sample| sample * sample).sum::<f32>() / middle.len().max(1) as f32;
        10.0 * power.max(1e-8).log10()
    };
    let levels: Vec<Option<f32>> = phones.iter().map(|phone| is_vowel(&phone.symbol).then(|| level(phone))).collect();
    let mut sorted: Vec<f32> = levels.iter().flatten().copied().collect();
    sorted.sort_by(f32::total_cmp);
    let median = sorted.get(sorted.len() / 2).copied().unwrap_or(0.0);
    let factor = |level: f32| (1.0 + PER_DECIBEL * (level - median)).clamp(RANGE.0, RANGE.1);
    levels.into_iter().map(|level| level.map_or(1.0, factor)).collect()
}

/// Whether a symbol is that of a vowel or a diphthong.
pub fn is_vowel(symbol: &str) -> bool {
    articulation(symbol).is_vowel || matches!(symbol, "AY" | "AW" | "OY")
}
