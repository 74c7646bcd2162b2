//! Learning: batches in, weights out, with checkpoints to go on from.

mod batches;
mod checkpoint;
mod loss;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Instant;

use burn::grad_clipping::GradientClippingConfig;
use burn::module::Module as _;
use burn::optim::{AdamWConfig, GradientsParams, MultiGradientsParams};
use burn::tensor::{Device, Tensor, TensorData};
use indicatif::{ProgressBar, ProgressStyle};

pub use batches::{Batch, BatchStream, Batches, Normalisation};
pub use checkpoint::{Checkpoint, CheckpointError, Progress};
pub use loss::{Loss, moment_weight};

use crate::augment::Augmenter;
use crate::config::Recipe;
use crate::corpus::{Corpus, CorpusError};
use crate::network::SpeechNetwork;
use crate::teacher::MOTIONS;

/// Why no weights came out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainingError {
    /// The corpus cannot be read.
    #[error(transparent)]
    Corpus(#[from] CorpusError),
    /// Features cannot be computed.
    #[error(transparent)]
    Features(#[from] talkie::model::features::LogMelError),
    /// A checkpoint cannot be written or read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The loss is not a number any more.
    #[error("the loss is {loss} at step {step}: lower `training.learning_rate`")]
    Diverged {
        /// When.
        step: usize,
        /// What it became.
        loss: f32,
    },
    /// A thread that computed a part of a batch panicked.
    #[error("a thread that computed a part of a batch failed")]
    Thread,
    /// A result cannot be read back from the device.
    #[error("the device gave no numbers back: {0}")]
    Device(String),
}

/// What a run is allowed to take.
#[derive(Debug, Clone, Copy, Default)]
pub struct Budget {
    /// Steps in all, instead of the recipe's.
    pub steps: Option<usize>,
    /// Seconds in all; the learning rate then follows the clock, whichever of both is ahead.
    pub seconds: Option<f64>,
}

/// What the cores of the machine do while a network learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// The device is a GPU: cores only make batches.
    Batches,
    /// The device is the CPU: every core also computes a part of every batch.
    PartOfBatch,
}

/// Puts a batch on a device: features, lessons, moments.
pub fn upload(batch: Batch, recipe: &Recipe, device: &Device) -> [Tensor<3>; 3] {
    let frames = recipe.training.frames;
    let tensor = |values: Vec<f32>, width: usize| {
        Tensor::<3>::from_data(TensorData::new(values, [batch.count, frames, width]), device)
    };
    [tensor(batch.features, recipe.features.bands), tensor(batch.lessons, MOTIONS), tensor(batch.moments, 1)]
}

/// The number in a tensor of one element.
fn number(tensor: Tensor<1>) -> Result<f32, TrainingError> {
    let values = tensor.into_data().try_to_vec::<f32>().map_err(|error| TrainingError::Device(format!("{error:?}")))?;
    values.first().copied().ok_or_else(|| TrainingError::Device("an empty tensor".into()))
}

/// Linear rise, then a cosine down to 1 %; `done` is the share of the budget that is used.
pub fn learning_rate(recipe: &Recipe, step: usize, done: f64) -> f64 {
    let training = &recipe.training;
    let rise = ((step + 1) as f64 / training.warm_up.max(1) as f64).min(1.0);
    let fall = 0.505 + 0.495 * (core::f64::consts::PI * done.clamp(0.0, 1.0)).cos();
    training.learning_rate * rise * fall
}

/// Trains from the last checkpoint on, or from the start, and leaves a checkpoint in `FOLDER/checkpoint`. `hardware` is
/// what people call the machine, for the model card.
///
/// # Errors
/// An unreadable corpus, a loss that is no number, or a checkpoint that cannot be written.
pub fn train(
    recipe: &Recipe,
    device: &Device,
    threads: Threads,
    budget: Budget,
    hardware: &str,
) -> Result<Progress, TrainingError> {
    let corpus = Corpus::load(recipe)?;
    for (source, settings) in recipe.sources.iter().enumerate() {
        println!("{:8} {:6.1} minutes to learn from", settings.name, corpus.minutes(source));
    }
    let shares: Vec<f64> = recipe.sources.iter().map(|source| source.share).collect();
    let augmenter = Augmenter::new(&recipe.augment, &corpus.training, &shares);
    let judge = Augmenter::new(&recipe.augment, &corpus.validation, &shares);
    let folder = checkpoint_folder(recipe);
    let device = device.clone().autodiff();
    let fresh = SpeechNetwork::new(recipe, &device);
    let optimiser = AdamWConfig::new()
        .with_weight_decay(recipe.training.weight_decay)
        .with_grad_clipping(Some(GradientClippingConfig::Norm(1.0)))
        .init();
    let checkpoint = match Checkpoint::load(&folder, fresh.clone(), optimiser.clone())? {
        Some(found) => found,
        None => Checkpoint {
            progress: Progress {
                normalisation: Normalisation::measure(recipe, &augmenter, 200)?,
                minutes: (0..recipe.sources.len()).map(|source| corpus.minutes(source)).collect(),
                ..Progress::default()
            },
            network: fresh,
            optimiser,
        },
    };
    let Checkpoint { mut progress, mut network, mut optimiser } = checkpoint;
    if !hardware.is_empty() {
        progress.hardware = hardware.into();
    }
    let (steps, batch) = (budget.steps.unwrap_or(recipe.training.steps), recipe.training.batch);
    println!("{} parameters, {} frames of past", network.num_params(), network.past());
    let normalisation = progress.normalisation.clone();
    let batches = Batches { recipe, augmenter: &augmenter, normalisation: &normalisation };
    let tests = Batches { recipe, augmenter: &judge, normalisation: &normalisation };
    let loss = Loss::new(recipe.training.velocity, &device);
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} steps, {eta} left, {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(steps as u64).with_style(style);
    let workers = match recipe.training.workers {
        0 => std::thread::available_parallelism().map_or(1, core::num::NonZero::get),
        count => count,
    };
    // A matrix product on the CPU uses one core, so every core gets a part of the batch. A GPU gets it whole.
    let parts = if threads == Threads::PartOfBatch { workers.min(batch) } else { 1 };
    let (began, before) = (Instant::now(), progress.seconds);
    std::thread::scope(|scope| -> Result<(), TrainingError> {
        let mut stream = batches.stream(
            scope,
            (progress.step * parts) as u64,
            (steps * parts) as u64,
            batch.div_ceil(parts),
            workers,
        );
        let mut recent = 0.0f32;
        while progress.step < steps {
            let made = stream.by_ref().take(parts).collect::<Result<Vec<_>, _>>()?;
            if made.len() < parts {
                break;
            }
            let step = progress.step;
            let seconds = before + began.elapsed().as_secs_f64();
            let done = (step as f64 / steps as f64).max(budget.seconds.map_or(0.0, |limit| seconds / limit));
            let (gradients, wrong) = gradients(&network, &loss, made, recipe, &device)?;
            let rate = learning_rate(recipe, step, done);
            network = optimiser.step_multi(rate, network, gradients);
            progress.step += 1;
            progress.seconds = before + began.elapsed().as_secs_f64();
            bar.set_position(progress.step as u64);
            if step % 20 == 0 {
                // Reading a number waits for the device, so not at every step.
                let now = wrong.into_iter().map(number).sum::<Result<f32, _>>()?;
                if !now.is_finite() {
                    return Err(TrainingError::Diverged { step, loss: now });
                }
                recent = if recent == 0.0 { now } else { 0.8 * recent + 0.2 * now };
                bar.set_message(format!("loss {recent:.4}"));
            }
            let finished = progress.step >= steps || done >= 1.0;
            if finished || progress.step.is_multiple_of(recipe.training.validate_every) {
                let judged = validate(&network, &tests, &loss, &device)?;
                progress.validation.push((progress.step, judged));
                Checkpoint::save(&folder, &progress, &network, &optimiser)?;
                let sequences = (progress.step * batch) as f64 / progress.seconds;
                bar.suspend(|| {
                    let step = progress.step;
                    println!("step {step}: loss {recent:.4}, held out {judged:.4}, {sequences:.0} sequences/s");
                });
            }
            if finished {
                break;
            }
        }
        drop(stream);
        Ok(())
    })?;
    bar.finish();
    Ok(progress)
}

/// The gradients of every part of a batch, each computed on a thread of its own, and the parts' losses, whose sum is that
/// of the batch.
fn gradients(
    network: &SpeechNetwork,
    loss: &Loss,
    parts: Vec<Batch>,
    recipe: &Recipe,
    device: &Device,
) -> Result<(MultiGradientsParams, Vec<Tensor<1>>), TrainingError> {
    let share = 1.0 / parts.len() as f32;
    let part = |network: &SpeechNetwork, batch: Batch| {
        let [features, lessons, moments] = upload(batch, recipe, device);
        let wrong = loss.of(network.forward(features), lessons, moments) * share;
        (GradientsParams::from_grads(wrong.backward(), network), wrong.detach())
    };
    let done: Vec<_> = if parts.len() == 1 {
        parts.into_iter().map(|batch| part(network, batch)).collect()
    } else {
        std::thread::scope(|scope| {
            let part = &part;
            // Every thread differentiates a copy of its own: graphs of several threads that share their leaves are
            // merged under locks, and threads that merge at the same time can wait for each other forever.
            let threads: Vec<_> = parts
                .into_iter()
                .map(|batch| {
                    let copy = network.clone().fork(device);
                    scope.spawn(move || part(&copy, batch))
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().map_err(|_| TrainingError::Thread)).collect::<Result<_, _>>()
        })?
    };
    let mut all = MultiGradientsParams::default();
    let mut losses = Vec::with_capacity(done.len());
    for (gradients, wrong) in done {
        all.grads.push((gradients, device.clone().inner()));
        losses.push(wrong);
    }
    Ok((all, losses))
}

/// The mean loss over fixed batches of held-out speech, augmented like the rest.
fn validate(network: &SpeechNetwork, tests: &Batches<'_>, loss: &Loss, device: &Device) -> Result<f32, TrainingError> {
    const BATCHES: u64 = 4;
    let mut sum = 0.0;
    for index in 0..BATCHES {
        let [features, lessons, moments] = upload(tests.make(u64::from(u32::MAX) + index, 16)?, tests.recipe, device);
        sum += number(loss.of(network.forward(features), lessons, moments).detach())?;
    }
    Ok(sum / BATCHES as f32)
}

/// Where the checkpoint of a recipe lies.
pub fn checkpoint_folder(recipe: &Recipe) -> PathBuf {
    recipe.folder.join("checkpoint")
}
