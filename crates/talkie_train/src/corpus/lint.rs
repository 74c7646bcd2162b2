//! Which items must not be learned from: empty, clipped or misaligned ones.

use talkie::metrics::Phone;

use super::{Item, RATE};
use crate::teacher::is_vowel;

/// What is wrong with an item.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    /// Shorter than half a second, or fewer than three phones.
    Short {
        /// Length of the sound in seconds.
        seconds: f64,
        /// Phones that are not silence.
        phones: usize,
    },
    /// Nothing is heard: the loudest 20 ms are below -50 dBFS.
    Silent {
        /// Level of the loudest 20 ms in decibels of full scale.
        decibels: f32,
    },
    /// Samples in a row stand at the peak, more than one in two thousand.
    Clipped {
        /// Which share of all samples.
        share: f32,
    },
    /// Phones are spoken after the sound ends.
    Overrun {
        /// By how many seconds.
        seconds: f64,
    },
    /// Nobody speaks that fast or that slowly.
    Rate {
        /// Phones per second of speech.
        phones: f64,
    },
    /// The sound is no louder where a vowel should be than where silence should be.
    Misaligned {
        /// By how many decibels vowels are louder.
        decibels: f32,
    },
    /// Labels fit the loudness better when they are moved.
    Shifted {
        /// By how many milliseconds the labels are late (negative: early).
        late_ms: f64,
    },
}

impl core::fmt::Display for Fault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Short { seconds, phones } => write!(f, "short: {seconds:.2} s, {phones} phones"),
            Self::Silent { decibels } => write!(f, "silent: its loudest moment is at {decibels:.0} dBFS"),
            Self::Clipped { share } => write!(f, "clipped: {:.2} % of its samples stand at the peak", 100.0 * share),
            Self::Overrun { seconds } => write!(f, "misaligned: phones go on for {seconds:.2} s after the sound"),
            Self::Rate { phones } => write!(f, "misaligned: {phones:.1} phones a second; people speak 4 to 30"),
            Self::Misaligned { decibels } => write!(f, "misaligned: vowels only {decibels:.0} dB louder than silence"),
            Self::Shifted { late_ms } => {
                write!(f, "misaligned: labels fit the sound best when taken to be {late_ms:+.0} ms late")
            }
        }
    }
}

/// Loudness is looked at in steps of 10 ms.
const STEP: usize = 160;
/// Labels are moved by up to 250 ms.
const REACH: isize = 25;

/// Everything that is wrong with an item.
pub fn faults(item: &Item) -> Vec<Fault> {
    let spoken = || item.said.phones.iter().filter(|phone| phone.symbol != "SIL");
    let (seconds, phones) = (item.seconds(), spoken().count());
    if seconds < 0.5 || (phones < 3 && item.capture.is_none()) {
        return vec![Fault::Short { seconds, phones }];
    }
    let levels: Vec<f32> = item.samples.chunks(STEP).map(level).collect();
    let loudest = item.samples.chunks(2 * STEP).map(level).fold(-100.0, f32::max);
    if loudest < -50.0 {
        return vec![Fault::Silent { decibels: loudest }];
    }
    let mut found = Vec::new();
    let share = clipped(&item.samples);
    if share > 5e-4 {
        found.push(Fault::Clipped { share });
    }
    // Silence at the end may be cut off.
    let overrun = spoken().fold(0.0, |end: f64, phone| end.max(phone.end)) - seconds;
    if overrun > 0.1 {
        found.push(Fault::Overrun { seconds: overrun });
    }
    if phones == 0 {
        return found;
    }
    let rate = phones as f64 / spoken().map(Phone::duration).sum::<f64>().max(1e-3);
    if !(4.0..=30.0).contains(&rate) {
        found.push(Fault::Rate { phones: rate });
    }
    found.extend(misaligned(item, &levels, loudest));
    found
}

/// Level in decibels of full scale, at least -100.
fn level(samples: &[f32]) -> f32 {
    let power = samples.iter().map(|sample| sample * sample).sum::<f32>() / samples.len().max(1) as f32;
    10.0 * power.max(1e-10).log10()
}

/// Share of the samples that stand at the peak in runs of three or more.
fn clipped(samples: &[f32]) -> f32 {
    let peak = samples.iter().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
    let (mut run, mut total) = (0usize, 0usize);
    for sample in samples.iter().chain([&0.0]) {
        if sample.abs() > 0.999 * peak {
            run += 1;
        } else {
            total += if run >= 3 { run } else { 0 };
            run = 0;
        }
    }
    total as f32 / samples.len().max(1) as f32
}

fn misaligned(item: &Item, levels: &[f32], loudest: f32) -> Option<Fault> {
    // 1 in vowels, -1 in silence that lasts, 0 elsewhere.
    let mut label = vec![0.0f32; levels.len()];
    for phone in &item.said.phones {
        let value = if is_vowel(&phone.symbol) {
            1.0
        } else if phone.symbol == "SIL" && phone.duration() >= 0.1 {
            -1.0
        } else {
            continue;
        };
        let quarter = phone.duration() / 4.0;
        let at = |time: f64| ((time * RATE / STEP as f64).max(0.0) as usize).min(label.len());
        let (from, to) = (at(phone.start + quarter), at(phone.end - quarter));
        label[from..to.max(from)].fill(value);
    }
    let mean = |moved: isize, wanted: f32| {
        let (mut sum, mut count) = (0.0, 0usize);
        for (index, value) in label.iter().enumerate() {
            let Some(level) = index.checked_add_signed(moved).and_then(|at| levels.get(at)) else { continue };
            if *value == wanted {
                sum += level.max(loudest - 60.0);
                count += 1;
            }
        }
        (count > 0).then(|| sum / count as f32)
    };
    let contrast = |moved: isize| Some(mean(moved, 1.0)? - mean(moved, -1.0)?);
    // Without a pause in it there is nothing to compare with.
    let here = contrast(0)?;
    if here < 6.0 {
        return Some(Fault::Misaligned { decibels: here });
    }
    let best = (-REACH..=REACH).max_by(|a, b| {
        let value = |moved: isize| contrast(moved).unwrap_or(f32::MIN);
        value(*a).total_cmp(&value(*b))
    })?;
    let better = contrast(best)? > here + 6.0 && best.abs() > 8;
    better.then_some(Fault::Shifted { late_ms: -(best as f64) * 1e3 * STEP as f64 / RATE })
}

#[cfg(test)]
mod tests {
    use talkie::metrics::Alignment;

    use crate::teacher::Prosody;

    use super::*;

    /// Half a second of hum between two pauses, labelled `late` seconds after it is heard.
    fn item(gain: f32, late: f64) -> Item {
        let mut samples = vec![0.0f32; 32_000];
        for (index, sample) in samples.iter_mut().enumerate().skip(8_000).take(16_000) {
            *sample = (gain * (index as f32 * 0.1).sin()).clamp(-0.5, 0.5);
        }
        let mut phones = vec![Phone { symbol: "SIL".into(), start: 0.0, end: 0.5 + late }];
        for index in 0..10 {
            let start = 0.5 + 0.1 * f64::from(index) + late;
            let symbol = if index % 2 == 0 { "T" } else { "AA" };
            phones.push(Phone { symbol: symbol.into(), start, end: start + 0.1 });
        }
        phones.push(Phone { symbol: "SIL".into(), start: 1.5 + late, end: 2.0 + late });
        let prosody = vec![Prosody::PLAIN; phones.len()];
        Item {
            name: "hum".into(),
            source: 0,
            samples,
            said: Alignment { phones, ..Alignment::default() },
            prosody,
            capture: None,
        }
    }

    #[test]
    fn a_good_item_has_no_faults() {
        assert_eq!(faults(&item(0.4, 0.0)), []);
        assert_eq!(faults(&item(0.4, 0.03)), []);
    }

    #[test]
    fn every_fault_is_found_and_named() {
        let found = |item: &Item| faults(item).iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        assert!(found(&item(1e-4, 0.0)).contains("silent"));
        assert!(found(&item(2.0, 0.0)).contains("clipped"));
        let mut short = item(0.4, 0.0);
        short.samples.truncate(4_000);
        assert!(found(&short).contains("short"));
        let mut late = item(0.4, 0.2);
        late.samples.extend([0.0; 8_000]);
        assert!(found(&late).contains("misaligned"), "{}", found(&late));
        let mut cut = item(0.4, 0.0);
        cut.samples.truncate(20_000);
        assert!(found(&cut).contains("after the sound"), "{}", found(&cut));
        let mut hurried = item(0.4, 0.0);
        hurried.said.phones.iter_mut().for_each(|phone| phone.end = phone.start + 0.01);
        assert!(found(&hurried).contains("phones a second"), "{}", found(&hurried));
    }
}
