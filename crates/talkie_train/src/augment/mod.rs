//! From clean synthetic speech to what microphones hear: other voices, rooms, noise, levels.
//!
//! A network that only hears a synthesiser learns the synthesiser; noise and reverberation are what makes it follow
//! people (D. Snyder et al., "MUSAN", 2015, and T. Ko et al., "A study on data augmentation of reverberant speech for
//! robust speech recognition", ICASSP 2017, do the same to recognisers). Everything here is drawn from one random
//! generator, so that a seed and a corpus give the same sequence everywhere.

mod coding;
mod equaliser;
mod noise;
mod room;
#[cfg(test)]
mod tests;
mod voice;

use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use talkie::metrics::Phone;
use talkie::model::features::LogMelConfig;

use crate::config::AugmentRecipe;
use crate::corpus::{Item, RATE};
use crate::teacher::{Lesson, Prosody};

/// A stretch of sound as a microphone would hear it, and who says what in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sequence {
    /// 16 kHz mono.
    pub samples: Vec<f32>,
    /// The phones in it with the prosody of each, in seconds of the frames that are made of it.
    pub phones: Vec<(Phone, Prosody)>,
    /// Where the face of a speaker was captured.
    pub passages: Vec<Passage>,
    /// Samples from frame to frame: another hop than that of the features is another tempo at the same pitch.
    pub hop: usize,
    /// What is done to the frames.
    pub formants: Formants,
}

/// A stretch of a sequence whose motion was captured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Passage {
    /// Index of the item.
    pub item: usize,
    /// First moment, in seconds of the frames.
    pub start: f64,
    /// First moment after it.
    pub end: f64,
    /// Time of the item at the first moment, in seconds.
    pub enter: f64,
}

impl Passage {
    /// Time of the item at a moment of the sequence, if it lies in this stretch. `total` is how long the item's sound lasts
    /// from `enter` on; it fills the stretch whatever its tempo is.
    fn time(&self, moment: f64, total: f64) -> Option<f64> {
        (self.start <= moment && moment < self.end)
            .then(|| self.enter + (moment - self.start) / (self.end - self.start) * total)
    }
}

/// What is done to the frames of a sequence instead of its samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Formants {
    /// All frequencies are multiplied by this, as by a shorter vocal tract (N. Jaitly, G. Hinton, "Vocal Tract Length
    /// Perturbation improves speech recognition", 2013), at the same tempo.
    pub factor: f32,
    /// Bands that are not heard (D. Park et al., "SpecAugment", 2019).
    pub deaf: Vec<core::ops::Range<usize>>,
}

impl Sequence {
    const EMPTY: Self = Self {
        samples: Vec::new(),
        phones: Vec::new(),
        passages: Vec::new(),
        hop: 0,
        formants: Formants { factor: 1.0, deaf: Vec::new() },
    };

    /// Multiplies all times.
    fn stretch(&mut self, factor: f64) {
        for (phone, _) in &mut self.phones {
            phone.start *= factor;
            phone.end *= factor;
        }
        for passage in &mut self.passages {
            passage.start *= factor;
            passage.end *= factor;
        }
    }
}

fn draw(random: &mut SmallRng, chance: f32, [least, greatest]: [f32; 2]) -> Option<f32> {
    (random.random::<f32>() < chance).then(|| random.random_range(least..=greatest))
}

fn deaf_bands(random: &mut SmallRng, chance: f32, bands: usize) -> Vec<core::ops::Range<usize>> {
    if random.random::<f32>() >= chance || bands < 16 {
        return Vec::new();
    }
    let stretch = |random: &mut SmallRng| {
        let width = random.random_range(1..=bands / 8);
        let from = random.random_range(0..bands - width);
        from..from + width
    };
    (0..random.random_range(1..=2)).map(|_| stretch(random)).collect()
}

impl Formants {
    /// Changes frames of `config` in place: energies move to the bands of their new frequencies, deaf bands hear `floor`.
    pub fn apply(&self, frames: &mut [f32], config: &LogMelConfig) {
        let last = config.bands - 1;
        let from: Vec<(usize, f32)> = (0..config.bands)
            .map(|band| {
                let position =
                    config.band_of(config.band_hz(band as f64) / f64::from(self.factor)).clamp(0.0, last as f64);
                (position as usize, position.fract() as f32)
            })
            .collect();
        let mut before = vec![0.0; config.bands];
        for frame in frames.chunks_exact_mut(config.bands) {
            if self.factor != 1.0 {
                before.copy_from_slice(frame);
                for (value, (band, share)) in frame.iter_mut().zip(&from) {
                    *value = before[*band] + share * (before[(*band + 1).min(last)] - before[*band]);
                }
            }
            self.deaf.iter().for_each(|bands| frame[bands.clone()].fill(config.floor.ln()));
        }
    }
}

/// Draws sequences from items.
#[derive(Debug)]
pub struct Augmenter<'a> {
    recipe: &'a AugmentRecipe,
    /// Speakers of each source: indices into `items`.
    sources: Vec<(f64, Vec<Vec<usize>>)>,
    items: &'a [Item],
}

impl<'a> Augmenter<'a> {
    /// An augmenter over items, with the share that each source has. Sources without items are never drawn.
    pub fn new(recipe: &'a AugmentRecipe, items: &'a [Item], shares: &[f64]) -> Self {
        let mut sources = Vec::new();
        for (source, share) in shares.iter().enumerate() {
            let mut speakers = std::collections::BTreeMap::<&str, Vec<usize>>::new();
            for (index, item) in items.iter().enumerate().filter(|(_, item)| item.source == source) {
                speakers.entry(&item.said.speaker).or_default().push(index);
            }
            if !speakers.is_empty() {
                sources.push((*share, speakers.into_values().collect()));
            }
        }
        Self { recipe, sources, items }
    }

    /// The sequence of a seed, augmented: sound for `frames` frames of normally `hop` samples and `bands` bands.
    pub fn sequence(&self, seed: u64, frames: usize, hop: usize, bands: usize) -> Sequence {
        let mut random = SmallRng::seed_from_u64(seed);
        let recipe = self.recipe;
        let tempo = draw(&mut random, recipe.tempo, recipe.tempo_range).unwrap_or(1.0);
        // A multiple of four: the windows of a frame begin an even number of samples apart.
        let shown = 4 * (hop as f32 / tempo / 4.0).round() as usize;
        let formants = Formants {
            factor: draw(&mut random, recipe.formants, recipe.formants_range).unwrap_or(1.0),
            deaf: deaf_bands(&mut random, recipe.deaf, bands),
        };
        let mut sequence = Sequence { hop: shown, formants, ..self.sound(&mut random, frames * shown) };
        let faster = hop as f64 / shown as f64;
        sequence.stretch(faster);
        sequence
    }

    /// The captured pose at a moment of a sequence, in seconds.
    pub fn captured(&self, sequence: &Sequence, moment: f64) -> Option<Lesson> {
        sequence.passages.iter().find_map(|passage| {
            let item = self.items.get(passage.item)?;
            let time = passage.time(moment, item.seconds() - passage.enter)?;
            Some(item.capture.as_ref()?.at(time))
        })
    }

    /// Sound of `count` samples as a microphone hears it.
    fn sound(&self, random: &mut SmallRng, count: usize) -> Sequence {
        let recipe = self.recipe;
        if self.sources.is_empty() || random.random::<f32>() < recipe.speechless {
            return self.speechless(random, count);
        }
        let clean = random.random::<f32>() < recipe.clean;
        let happens = |random: &mut SmallRng, chance: f32| !clean && random.random::<f32>() < chance;
        let [slow, fast] = recipe.warp_range;
        let factor = if happens(random, recipe.warp) { random.random_range(slow..=fast) } else { 1.0 };
        let needed = (count as f64 * f64::from(factor)).ceil() as usize + 64;
        let mut sequence = self.speech(random, needed);
        if factor != 1.0 {
            voice::warp(&mut sequence, f64::from(factor), count);
        }
        sequence.samples.resize(count, 0.0);
        let end = count as f64 / RATE;
        sequence.phones.retain(|(phone, _)| phone.start < end);
        if happens(random, recipe.breathy) {
            let breath = random.random_range(0.2..=1.0);
            voice::breathe_through(&mut sequence.samples, breath, random);
        }
        if happens(random, recipe.breath) {
            noise::breathe(&mut sequence, random);
        }
        if happens(random, recipe.equaliser) {
            equaliser::colour(&mut sequence.samples, random);
        }
        if happens(random, recipe.reverb) {
            room::reverberate(&mut sequence.samples, random);
        }
        if happens(random, recipe.noise) {
            let [least, greatest] = recipe.noise_db;
            let ratio = random.random_range(least..=greatest);
            let noise = self.noise(random, count);
            noise::mix(&mut sequence.samples, &noise, ratio);
        }
        if happens(random, recipe.clipping) {
            coding::clip(&mut sequence.samples, random);
        }
        if happens(random, recipe.codec) {
            coding::code(&mut sequence.samples, random);
        }
        self.set_gain(random, &mut sequence.samples);
        sequence
    }

    /// Utterances of one speaker one after another, with pauses between them.
    fn speech(&self, random: &mut SmallRng, count: usize) -> Sequence {
        let total: f64 = self.sources.iter().map(|(share, _)| share).sum();
        let mut draw = random.random::<f64>() * total;
        let source = self.sources.iter().find(|(share, _)| {
            draw -= share;
            draw <= 0.0
        });
        let speakers = source.map_or(&self.sources[0].1, |(_, speakers)| speakers);
        let speaker = &speakers[random.random_range(0..speakers.len())];
        let mut samples: Vec<f32> = Vec::with_capacity(count);
        let (mut phones, mut passages) = (Vec::new(), Vec::new());
        while samples.len() < count {
            if random.random::<f32>() < self.recipe.pause {
                let pause = random.random_range(0.05..0.9);
                let start = samples.len() as f64 / RATE;
                phones.push((Phone { symbol: "SIL".into(), start, end: start + pause }, Prosody::PLAIN));
                samples.resize(samples.len() + (pause * RATE) as usize, 0.0);
            }
            let index = speaker[random.random_range(0..speaker.len())];
            let item = &self.items[index];
            // The first utterance may be entered anywhere: conversations are.
            let enter = if samples.is_empty() { random.random_range(0.0..0.7) * item.seconds() } else { 0.0 };
            let offset = samples.len() as f64 / RATE - enter;
            samples.extend_from_slice(&item.samples[((enter * RATE) as usize).min(item.samples.len())..]);
            if item.capture.is_some() {
                let (start, end) = (offset + enter, offset + item.seconds());
                passages.push(Passage { item: index, start, end, enter });
            }
            let heard = item.said.phones.iter().zip(&item.prosody).filter(|(phone, _)| phone.end > enter);
            phones.extend(heard.map(|(phone, prosody)| {
                let start = (phone.start + offset).max(0.0);
                (Phone { symbol: phone.symbol.clone(), start, end: phone.end + offset }, *prosody)
            }));
        }
        samples.truncate(count);
        Sequence { samples, phones, passages, ..Sequence::EMPTY }
    }

    /// Nobody speaks: noise, breath, a hum, or nothing at all.
    fn speechless(&self, random: &mut SmallRng, count: usize) -> Sequence {
        let mut samples = match random.random_range(0..5) {
            0 => vec![0.0; count],
            1 | 2 => noise::breaths(random, count),
            _ => noise::stationary(random, count),
        };
        self.set_gain(random, &mut samples);
        let level = 10f32.powf(random.random_range(-60.0..-10.0) / 20.0);
        samples.iter_mut().for_each(|sample| *sample *= level * 2.0);
        Sequence { samples, ..Sequence::EMPTY }
    }

    fn noise(&self, random: &mut SmallRng, count: usize) -> Vec<f32> {
        if random.random::<f32>() < 0.25 {
            let talkers = random.random_range(3..6);
            let mut babble = vec![0.0; count];
            for _ in 0..talkers {
                let speech = self.speech(random, count);
                babble.iter_mut().zip(&speech.samples).for_each(|(sum, sample)| *sum += sample);
            }
            return babble;
        }
        noise::stationary(random, count)
    }

    /// Brings the peak to half of full scale, then changes the level.
    fn set_gain(&self, random: &mut SmallRng, samples: &mut [f32]) {
        let peak = samples.iter().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
        let [least, greatest] = self.recipe.gain_db;
        let gain = 10f32.powf(random.random_range(least..=greatest) / 20.0) * 0.5 / peak.max(1e-4);
        samples.iter_mut().for_each(|sample| *sample = (*sample * gain).clamp(-1.0, 1.0));
    }
}
