//! From clean synthetic speech to what microphones hear: other voices, rooms, noise, levels.
//!
//! A network that only hears a synthesiser learns the synthesiser; noise and reverberation are what makes it follow
//! people (D. Snyder et al., "MUSAN", 2015, and T. Ko et al., "A study on data augmentation of reverberant speech for
//! robust speech recognition", ICASSP 2017, do the same to recognisers). Everything here is drawn from one random
//! generator, so that a seed and a corpus give the same sequence everywhere.

mod equaliser;
mod noise;
mod room;
#[cfg(test)]
mod tests;
mod voice;

use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use talkie::metrics::Phone;

use crate::config::AugmentRecipe;
use crate::corpus::{Item, RATE};

/// A stretch of sound as a microphone would hear it, and who says what in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sequence {
    /// 16 kHz mono.
    pub samples: Vec<f32>,
    /// The phones in it, in seconds of this sound.
    pub phones: Vec<Phone>,
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

    /// The sequence of a seed: `count` samples, augmented.
    pub fn sequence(&self, seed: u64, count: usize) -> Sequence {
        let mut random = SmallRng::seed_from_u64(seed);
        let recipe = self.recipe;
        if self.sources.is_empty() || random.random::<f32>() < recipe.speechless {
            return self.speechless(&mut random, count);
        }
        let clean = random.random::<f32>() < recipe.clean;
        let happens = |random: &mut SmallRng, chance: f32| !clean && random.random::<f32>() < chance;
        let [slow, fast] = recipe.warp_range;
        let factor = if happens(&mut random, recipe.warp) { random.random_range(slow..=fast) } else { 1.0 };
        let needed = (count as f64 * f64::from(factor)).ceil() as usize + 64;
        let mut sequence = self.speech(&mut random, needed);
        if factor != 1.0 {
            voice::warp(&mut sequence, f64::from(factor), count);
        }
        sequence.samples.resize(count, 0.0);
        let end = count as f64 / RATE;
        sequence.phones.retain(|phone| phone.start < end);
        if happens(&mut random, recipe.equaliser) {
            equaliser::colour(&mut sequence.samples, &mut random);
        }
        if happens(&mut random, recipe.reverb) {
            room::reverberate(&mut sequence.samples, &mut random);
        }
        if happens(&mut random, recipe.noise) {
            let [least, greatest] = recipe.noise_db;
            let ratio = random.random_range(least..=greatest);
            let noise = self.noise(&mut random, count);
            noise::mix(&mut sequence.samples, &noise, ratio);
        }
        self.set_gain(&mut random, &mut sequence.samples);
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
        let mut phones = Vec::new();
        while samples.len() < count {
            if random.random::<f32>() < self.recipe.pause {
                let pause = random.random_range(0.05..0.9);
                let start = samples.len() as f64 / RATE;
                phones.push(Phone { symbol: "SIL".into(), start, end: start + pause });
                samples.resize(samples.len() + (pause * RATE) as usize, 0.0);
            }
            let item = &self.items[speaker[random.random_range(0..speaker.len())]];
            // The first utterance may be entered anywhere: conversations are.
            let enter = if samples.is_empty() { random.random_range(0.0..0.7) * item.seconds() } else { 0.0 };
            let offset = samples.len() as f64 / RATE - enter;
            samples.extend_from_slice(&item.samples[((enter * RATE) as usize).min(item.samples.len())..]);
            phones.extend(item.said.phones.iter().filter(|phone| phone.end > enter).map(|phone| Phone {
                symbol: phone.symbol.clone(),
                start: (phone.start + offset).max(0.0),
                end: phone.end + offset,
            }));
        }
        samples.truncate(count);
        Sequence { samples, phones }
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
        Sequence { samples, phones: Vec::new() }
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
