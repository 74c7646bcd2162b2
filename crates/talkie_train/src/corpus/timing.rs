//! Do the phones lie where the sound is? A check of a source's timings on its own sound.
//!
//! Sibilants are the phones whose place shows best: energy above 3.5 kHz is high in S Z SH ZH CH JH and low elsewhere.
//! The cross-correlation of a 0/1 label curve with the band ratio, over lags of +-150 ms, peaks at the constant delay of
//! the labels.

use talkie::metrics::Phone;
use talkie::model::features::{LogMel, LogMelConfig, LogMelError};

use super::Item;

/// Greatest delay that is looked for, in milliseconds.
pub const REACH_MS: f64 = 150.0;
/// A source whose labels are off by more than this must not be trained on, in milliseconds.
pub const TOLERANCE_MS: f64 = 15.0;

/// The delay of a source's labels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Delay {
    /// By how many milliseconds labels are late against the sound (negative: early).
    pub late_ms: f64,
    /// The correlation at that delay, -1..=1: how sure it is.
    pub correlation: f64,
    /// Sibilants that were looked at.
    pub sibilants: usize,
}

/// What is this many decibels below the level of an utterance is silent.
const SILENT_DB: f32 = 38.0;
/// A phone before a pause keeps at least this much of its time, in seconds; a stop, whose closure is silent itself, more.
const KEPT: f64 = 0.03;
const KEPT_OF_STOP: f64 = 0.09;

/// Moves the ends of phones before a pause to where their sound ends. Neural synthesisers count a quarter of a second of
/// silence as part of the last phone; a face that learned that would leave its mouth open.
pub fn end_with_the_sound(samples: &[f32], phones: &mut [Phone]) {
    const STEP: f64 = 0.01;
    let power = |samples: &[f32]| samples.iter().map(|s| s * s).sum::<f32>() / samples.len().max(1) as f32;
    let threshold = power(samples) * 10f32.powf(-SILENT_DB / 10.0);
    let heard = |time: f64| {
        let at = |time: f64| ((time * super::RATE).max(0.0) as usize).min(samples.len());
        power(&samples[at(time - STEP)..at(time + STEP)]) > threshold
    };
    for index in 1..phones.len() {
        let (before, rest) = phones.split_at_mut(index);
        let (Some(phone), Some(pause)) = (before.last_mut(), rest.first_mut()) else { continue };
        if pause.symbol != "SIL" || phone.symbol == "SIL" {
            continue;
        }
        let stop = matches!(phone.symbol.as_str(), "P" | "B" | "T" | "D" | "K" | "G");
        let least = phone.end.min(phone.start + if stop { KEPT_OF_STOP } else { KEPT });
        let mut end = phone.end;
        while end > least && !heard(end) {
            end -= STEP;
        }
        phone.end = end.max(least);
        pause.start = phone.end;
    }
}

const HOP: usize = 80;

/// Measures the constant delay of the labels of some items; `None` if they hold no sibilants.
///
/// # Errors
/// None in practice: the features used here are fixed.
pub fn measure(items: &[&Item]) -> Result<Option<Delay>, LogMelError> {
    let config = LogMelConfig {
        bands: 24,
        views: 1,
        window: 320,
        hop: HOP,
        fft: 512,
        low_hz: 100.0,
        high_hz: 7900.0,
        floor: 1e-5,
    };
    let mut mel = LogMel::new(config)?;
    let rate = super::RATE / HOP as f64;
    let reach = (REACH_MS / 1e3 * rate) as isize;
    let mut sums = vec![[0.0f64; 3]; 2 * reach as usize + 1];
    let mut sibilants = 0;
    for item in items {
        let frames = mel.whole(&item.samples);
        // Bands 17 and up lie above 3.5 kHz, bands 1..9 between 150 and 1000 Hz.
        let ratio: Vec<f64> = frames
            .chunks_exact(24)
            .map(|bands| {
                let high = bands[17..].iter().sum::<f32>() / 7.0;
                let low = bands[1..9].iter().sum::<f32>() / 8.0;
                f64::from((high - low).clamp(-6.0, 6.0))
            })
            .collect();
        let mut label = vec![0.0f64; ratio.len()];
        for phone in &item.said.phones {
            if matches!(phone.symbol.as_str(), "S" | "Z" | "SH" | "ZH" | "CH" | "JH") {
                sibilants += 1;
                let (from, to) = ((phone.start * rate).round() as usize, (phone.end * rate).round() as usize);
                let end = to.min(label.len());
                label[from.min(end)..end].fill(1.0);
            }
        }
        let centred = |values: &[f64]| {
            let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
            values.iter().map(|v| v - mean).collect::<Vec<_>>()
        };
        let (ratio, label) = (centred(&ratio), centred(&label));
        for (sum, lag) in sums.iter_mut().zip(-reach..=reach) {
            for (index, sound) in ratio.iter().enumerate() {
                let Some(label) = index.checked_add_signed(lag).and_then(|i| label.get(i)) else { continue };
                *sum = [sum[0] + sound * label, sum[1] + sound * sound, sum[2] + label * label];
            }
        }
    }
    if sibilants == 0 {
        return Ok(None);
    }
    let correlations: Vec<f64> = sums.iter().map(|[xy, xx, yy]| xy / (xx * yy).max(1e-12).sqrt()).collect();
    let mut best = 0;
    for (index, value) in correlations.iter().enumerate() {
        if *value > correlations[best] {
            best = index;
        }
    }
    let mut position = best as f64 - reach as f64;
    if best > 0 && best + 1 < correlations.len() {
        let (before, here, after) = (correlations[best - 1], correlations[best], correlations[best + 1]);
        let curvature = before - 2.0 * here + after;
        if curvature < 0.0 {
            position += 0.5 * (before - after) / curvature;
        }
    }
    Ok(Some(Delay { late_ms: position / rate * 1e3, correlation: correlations[best], sibilants }))
}

#[cfg(test)]
mod tests {
    use talkie::metrics::Alignment;

    use crate::teacher::Prosody;

    use super::*;

    /// A hum with hisses every 400 ms, labelled `late` seconds after they are heard.
    fn hisses(late: f64) -> Item {
        let mut noise = 1u32;
        let mut samples = Vec::new();
        let mut phones = Vec::new();
        for index in 0..64_000 {
            let time = f64::from(index) / crate::corpus::RATE;
            let hissing = time % 0.4 < 0.12;
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let white = f64::from(noise >> 8) / f64::from(1 << 23) - 1.0;
            let hum = (core::f64::consts::TAU * 200.0 * time).sin();
            samples.push((if hissing { 0.3 * white } else { 0.3 * hum }) as f32);
        }
        for hiss in 0..9 {
            let start = f64::from(hiss) * 0.4 + late;
            phones.push(Phone { symbol: "S".into(), start, end: start + 0.12 });
            phones.push(Phone { symbol: "AA".into(), start: start + 0.12, end: start + 0.4 });
        }
        let said = Alignment { phones, ..Alignment::default() };
        let prosody = vec![Prosody::PLAIN; said.phones.len()];
        Item { name: "hisses".into(), source: 0, samples, said, prosody, capture: None }
    }

    #[test]
    fn a_constant_delay_is_found() {
        for late in [0.0, 0.03, 0.06] {
            let item = hisses(late);
            let delay = measure(&[&item]).expect("fixed features").expect("sibilants");
            assert!((delay.late_ms - late * 1e3).abs() < 4.0, "{late} s: {delay:?}");
            assert!(delay.correlation > 0.8, "{delay:?}");
        }
    }

    #[test]
    fn phones_end_with_their_sound() {
        let sound: Vec<f32> =
            (0..16_000).map(|i| if i < 8_000 { 0.3 * (i as f32 * 0.2).sin() } else { 1e-5 }).collect();
        let phones = |last: &str| {
            let phone = |symbol: &str, start: f64, end: f64| Phone { symbol: symbol.into(), start, end };
            vec![phone("AA", 0.0, 0.3), phone(last, 0.3, 0.8), phone("SIL", 0.8, 1.0)]
        };
        let mut vowel = phones("IY");
        end_with_the_sound(&sound, &mut vowel);
        assert!((vowel[1].end - 0.51).abs() < 0.02 && vowel[2].start == vowel[1].end, "{vowel:?}");
        let mut silent = phones("P");
        silent[0].end = 0.6;
        silent[1].start = 0.6;
        end_with_the_sound(&sound, &mut silent);
        assert!((silent[1].end - 0.69).abs() < 1e-9, "{silent:?}");
    }

    #[test]
    fn without_sibilants_there_is_no_answer() {
        let mut item = hisses(0.0);
        item.said.phones.retain(|phone| phone.symbol != "S");
        assert_eq!(measure(&[&item]), Ok(None));
    }
}
