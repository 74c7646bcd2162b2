//! Batches: sequences with their features and lessons, made on worker threads and the same for the same seed.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use talkie::model::features::{LogMel, LogMelConfig, LogMelError};

use super::loss::moment_weight;
use crate::augment::{Augmenter, Sequence};
use crate::config::Recipe;
use crate::teacher::{MOTIONS, Teacher, phone_index};

/// Mean and standard deviation of every band: what features are normalised with.
#[derive(Default, Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Normalisation {
    /// Mean of each band.
    pub mean: Vec<f32>,
    /// Standard deviation of each band.
    pub std: Vec<f32>,
}

impl Normalisation {
    /// Measures it on some augmented sequences.
    ///
    /// # Errors
    /// Features that cannot work.
    pub fn measure(recipe: &Recipe, augmenter: &Augmenter<'_>, sequences: u64) -> Result<Self, LogMelError> {
        let width = recipe.features.width();
        let frames: Vec<Vec<f32>> = (0..sequences)
            .into_par_iter()
            .map(|index| {
                let sequence = augmenter.sequence(
                    recipe.training.seed ^ 0xAAAA_0000 ^ index,
                    recipe.training.frames,
                    recipe.features.hop,
                    recipe.features.bands,
                );
                frames_of(&sequence, &recipe.features)
            })
            .collect::<Result<_, LogMelError>>()?;
        let (mut sum, mut squares, mut count) = (vec![0.0f64; width], vec![0.0f64; width], 0.0f64);
        for frame in frames.iter().flat_map(|sequence| sequence.chunks_exact(width)) {
            count += 1.0;
            for (band, value) in frame.iter().enumerate() {
                sum[band] += f64::from(*value);
                squares[band] += f64::from(*value).powi(2);
            }
        }
        let count = count.max(1.0);
        let mean: Vec<f64> = sum.iter().map(|sum| sum / count).collect();
        let std =
            squares.iter().zip(&mean).map(|(square, mean)| ((square / count - mean * mean).max(0.01)).sqrt() as f32);
        Ok(Self { std: std.collect(), mean: mean.into_iter().map(|mean| mean as f32).collect() })
    }

    /// Normalises frames in place.
    pub fn apply(&self, frames: &mut [f32]) {
        for frame in frames.chunks_exact_mut(self.mean.len()) {
            for ((value, mean), std) in frame.iter_mut().zip(&self.mean).zip(&self.std) {
                *value = (*value - mean) / std;
            }
        }
    }
}

/// The frames of a sequence, not normalised.
fn frames_of(sequence: &Sequence, features: &LogMelConfig) -> Result<Vec<f32>, LogMelError> {
    let mut mel = LogMel::new(LogMelConfig { hop: sequence.hop, ..features.clone() })?;
    let mut frames = mel.whole(&sequence.samples);
    sequence.formants.apply(&mut frames, features);
    Ok(frames)
}

/// Plain numbers of a batch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// Sequences.
    pub count: usize,
    /// `[count, frames, bands]`, normalised.
    pub features: Vec<f32>,
    /// `[count, frames, motions]`.
    pub lessons: Vec<f32>,
    /// `[count, frames]`: how far the lips are held together.
    pub closures: Vec<f32>,
    /// `[count, frames]`: which of the [`PHONES`](crate::teacher::PHONES) is spoken.
    pub phones: Vec<i32>,
    /// `[count, frames]`: 1 where the phone is known.
    pub named: Vec<f32>,
    /// `[count, frames]`: what each moment counts; 0 before the first pose.
    pub moments: Vec<f32>,
}

/// Makes batches.
#[derive(Debug, Clone, Copy)]
pub struct Batches<'a> {
    /// The recipe.
    pub recipe: &'a Recipe,
    /// Frames that a pose waits for what comes next.
    pub look_ahead: usize,
    /// Where sequences come from.
    pub augmenter: &'a Augmenter<'a>,
    /// How features are normalised.
    pub normalisation: &'a Normalisation,
}

impl<'a> Batches<'a> {
    /// The batch of an index; the same index gives the same batch.
    ///
    /// # Errors
    /// Features that cannot work.
    pub fn make(&self, index: u64, count: usize) -> Result<Batch, LogMelError> {
        let mut batch = Batch { count, ..Batch::default() };
        for item in 0..count as u64 {
            // Fibonacci hashing spreads neighbouring indices over all seeds.
            let seed =
                (self.recipe.training.seed << 48) ^ (index * count as u64 + item).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            self.append(seed, &mut batch)?;
        }
        Ok(batch)
    }

    fn append(&self, seed: u64, batch: &mut Batch) -> Result<(), LogMelError> {
        let (features, frames) = (&self.recipe.features, self.recipe.training.frames);
        let sequence = self.augmenter.sequence(seed, frames, features.hop, features.bands);
        let mut heard = frames_of(&sequence, features)?;
        heard.truncate(frames * features.width());
        self.normalisation.apply(&mut heard);
        batch.features.extend_from_slice(&heard);
        let step = features.hop as f64 / crate::corpus::RATE;
        let first = -(self.look_ahead as f64) * step;
        let lessons = Teacher::with_prosody(&sequence.phones).curve(first, step, frames);
        for (frame, lesson) in lessons.iter().enumerate() {
            let time = first + frame as f64 * step;
            let spoken = sequence.phones.iter().rfind(|(phone, _)| phone.start <= time && time < phone.end);
            let captured = self.augmenter.captured(&sequence, time);
            // Between utterances, and where nobody speaks at all, nothing is said; in a captured one nobody knows.
            batch.named.push(f32::from(u8::from(spoken.is_some() || captured.is_none())));
            let lesson = captured.as_ref().unwrap_or(lesson);
            batch.lessons.extend_from_slice(&lesson.motions[..MOTIONS]);
            batch.closures.push(lesson.closure);
            batch.phones.push(spoken.map_or(0, |(phone, _)| phone_index(&phone.symbol)) as i32);
            batch.moments.push(if frame < self.look_ahead { 0.0 } else { moment_weight(lesson) });
        }
        Ok(())
    }

    /// Batches `from..to` of `count` sequences in order, made ahead by `workers` threads.
    pub fn stream<'scope>(
        self,
        scope: &'scope Scope<'scope, 'a>,
        from: u64,
        to: u64,
        count: usize,
        workers: usize,
    ) -> BatchStream<'scope>
    where
        'a: 'scope,
    {
        let (receivers, threads) = (0..workers as u64)
            .map(|worker| {
                let (sender, receiver) = sync_channel(2);
                let thread = scope.spawn(move || {
                    for index in (from + worker..to).step_by(workers) {
                        // A closed channel means that nobody wants more.
                        if sender.send(self.make(index, count)).is_err() {
                            break;
                        }
                    }
                });
                (receiver, thread)
            })
            .unzip();
        BatchStream { receivers, _threads: threads, next: 0 }
    }
}

/// Batches in order; see [`Batches::stream`].
#[derive(Debug)]
pub struct BatchStream<'scope> {
    receivers: Vec<Receiver<Result<Batch, LogMelError>>>,
    _threads: Vec<ScopedJoinHandle<'scope, ()>>,
    next: usize,
}

impl Iterator for BatchStream<'_> {
    type Item = Result<Batch, LogMelError>;

    fn next(&mut self) -> Option<Self::Item> {
        let receiver = &self.receivers[self.next % self.receivers.len()];
        self.next += 1;
        receiver.recv().ok()
    }
}
