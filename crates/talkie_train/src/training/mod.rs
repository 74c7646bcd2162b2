//! Learning: batches in, weights out, with checkpoints to go on from.

mod batches;
mod checkpoint;
mod loss;
#[cfg(test)]
mod tests;

use std::time::Instant;

use burn::grad_clipping::GradientClippingConfig;
use burn::module::Module as _;
use burn::optim::{AdamWConfig, GradientsParams, MultiGradientsParams};
use burn::tensor::{Device, Int, Tensor, TensorData};
use indicatif::{ProgressBar, ProgressStyle};
use talkie::metrics::Score;
use talkie::metrics::conditions::Condition;

pub use batches::{Batch, BatchStream, Batches, Normalisation};
pub use checkpoint::{Checkpoint, CheckpointError, Progress, Validation};
pub use loss::{Loss, moment_weight};

use crate::augment::Augmenter;
use crate::config::{Recipe, Variant};
use crate::corpus::{Corpus, Item};
use crate::evaluate::{EvaluationError, Speaker, evaluate, merit};
use crate::network::SpeechNetwork;
use crate::teacher::MOTIONS;

/// Why no weights came out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainingError {
    /// Features cannot be computed.
    #[error(transparent)]
    Features(#[from] talkie::model::features::LogMelError),
    /// A checkpoint cannot be written or read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A network cannot be scored.
    #[error(transparent)]
    Evaluation(#[from] EvaluationError),
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

/// What a batch wants, on a device.
#[derive(Debug, Clone)]
pub struct Target {
    /// `[batch, frames, motions]`.
    pub lessons: Tensor<3>,
    /// `[batch, frames, 1]`: how far the lips are held together.
    pub closures: Tensor<3>,
    /// `[batch, frames, 1]`: index of the phone.
    pub phones: Tensor<3, Int>,
    /// `[batch, frames, 1]`: 1 where the phone is known.
    pub named: Tensor<3>,
    /// `[batch, frames, 1]`: the weight of every moment.
    pub moments: Tensor<3>,
}

/// What all variants of a run share.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// The recipe.
    pub recipe: &'a Recipe,
    /// What is learned from.
    pub corpus: &'a Corpus,
    /// Aligned speech that decides which network is best (mean [`merit`] over all [conditions](Condition)); without it, it is
    /// the loss on held-out speech.
    pub people: &'a [Item],
    /// What computes.
    pub device: &'a Device,
    /// What the cores do.
    pub threads: Threads,
    /// What each variant may take.
    pub budget: Budget,
    /// What people call the machine, for the model card.
    pub hardware: &'a str,
}

/// Puts a batch on a device: features `[batch, frames, bands]`, and what is wanted.
pub fn upload(batch: Batch, recipe: &Recipe, device: &Device) -> (Tensor<3>, Target) {
    let (count, frames) = (batch.count, recipe.training.frames);
    let tensor = |values: Vec<f32>, width: usize| {
        Tensor::<3>::from_data(TensorData::new(values, [count, frames, width]), device)
    };
    let phones = Tensor::<3, Int>::from_data(TensorData::new(batch.phones, [count, frames, 1]), device);
    let target = Target {
        lessons: tensor(batch.lessons, MOTIONS),
        closures: tensor(batch.closures, 1),
        phones,
        named: tensor(batch.named, 1),
        moments: tensor(batch.moments, 1),
    };
    (tensor(batch.features, recipe.features.width()), target)
}

/// The number in a tensor of one element.
fn number(tensor: Tensor<1>) -> Result<f32, TrainingError> {
    let values = tensor.into_data().try_to_vec::<f32>().map_err(|error| TrainingError::Device(format!("{error:?}")))?;
    values.first().copied().ok_or_else(|| TrainingError::Device("an empty tensor".into()))
}

/// Linear rise, then a cosine down to 1 %; `done` is the share of the budget that is used.
pub fn learning_rate(peak: f64, warm_up: usize, step: usize, done: f64) -> f64 {
    let rise = ((step + 1) as f64 / warm_up.max(1) as f64).min(1.0);
    let fall = 0.505 + 0.495 * (core::f64::consts::PI * done.clamp(0.0, 1.0)).cos();
    peak * rise * fall
}

/// Trains a variant from its last checkpoint on, or from the start, and leaves a checkpoint in its folder, with the best
/// network apart.
///
/// # Errors
/// A loss that is no number, or a checkpoint that cannot be read or written.
pub fn train(run: &Run<'_>, variant: &Variant) -> Result<Progress, TrainingError> {
    let Run { recipe, corpus, people, device, threads, budget, hardware } = *run;
    let shares = recipe.shares(variant);
    let augmenter = Augmenter::new(&recipe.augment, &corpus.training, &shares);
    let judge = Augmenter::new(&recipe.augment, &corpus.validation, &shares);
    let folder = recipe.checkpoint(&variant.name);
    let device = device.clone().autodiff();
    device.seed(recipe.training.seed);
    let fresh = SpeechNetwork::new(recipe, &device);
    let optimiser = AdamWConfig::new()
        .with_weight_decay(recipe.training.weight_decay)
        .with_grad_clipping(Some(GradientClippingConfig::Norm(1.0)))
        .init();
    let mut state = match Checkpoint::load(&folder, fresh.clone(), optimiser.clone())? {
        Some(found) => found,
        None => {
            let (before, network) = match &variant.from {
                Some(from) => Checkpoint::load_best(&recipe.checkpoint(from), fresh)?,
                None => {
                    let normalisation = Normalisation::measure(recipe, &augmenter, 400)?;
                    (Progress { normalisation, ..Progress::default() }, fresh)
                }
            };
            let minutes = (0..recipe.sources.len()).map(|source| corpus.minutes(source)).collect();
            let progress = Progress { normalisation: before.normalisation, minutes, ..Progress::default() };
            Checkpoint { progress, average: network.valid(), network, optimiser }
        }
    };
    if !hardware.is_empty() {
        state.progress.hardware = hardware.into();
    }
    let (steps, batch) = (budget.steps.unwrap_or(variant.steps), recipe.training.batch);
    println!("{}: {} parameters, {} frames of past", variant.name, state.network.num_params(), state.network.past());
    let normalisation = state.progress.normalisation.clone();
    let batches =
        Batches { recipe, look_ahead: variant.look_ahead, augmenter: &augmenter, normalisation: &normalisation };
    let tests = Batches { augmenter: &judge, ..batches };
    let loss = Loss::new(&recipe.training, &device);
    // Validation computes without gradients: graphs that nobody differentiates are never freed, and every step would search
    // them.
    let plain = device.clone().inner();
    let plain_loss = Loss::new(&recipe.training, &plain);
    let heard: Vec<Vec<Item>> = if people.is_empty() {
        Vec::new()
    } else {
        Condition::ALL.iter().map(|condition| people.iter().map(|item| item.heard(*condition)).collect()).collect()
    };
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} steps, {eta} left, {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(steps as u64).with_style(style);
    let workers = match recipe.training.workers {
        0 => std::thread::available_parallelism().map_or(1, core::num::NonZero::get),
        count => count,
    };
    // A matrix product on the CPU uses one core, so every core gets a part of the batch. A GPU gets it whole.
    let parts = if threads == Threads::PartOfBatch { workers.min(batch) } else { 1 };
    let (began, before) = (Instant::now(), state.progress.seconds);
    std::thread::scope(|scope| -> Result<(), TrainingError> {
        let mut stream = batches.stream(
            scope,
            (state.progress.step * parts) as u64,
            (steps * parts) as u64,
            batch.div_ceil(parts),
            workers,
        );
        let mut recent = 0.0f32;
        while state.progress.step < steps {
            let made = stream.by_ref().take(parts).collect::<Result<Vec<_>, _>>()?;
            if made.len() < parts {
                break;
            }
            let step = state.progress.step;
            let seconds = before + began.elapsed().as_secs_f64();
            let done = (step as f64 / steps as f64).max(budget.seconds.map_or(0.0, |limit| seconds / limit));
            let (gradients, wrong) = gradients(&state.network, &loss, made, recipe, &device)?;
            let rate = learning_rate(variant.learning_rate, recipe.training.warm_up, step, done);
            state.network = state.optimiser.step_multi(rate, state.network.clone(), gradients);
            // Young means follow quickly, or they would remember the random start for long.
            let kept = recipe.training.average.min((1 + step) as f32 / (10 + step) as f32);
            state.average.follow(&state.network.valid(), 1.0 - kept);
            state.progress.step += 1;
            state.progress.seconds = before + began.elapsed().as_secs_f64();
            bar.set_position(state.progress.step as u64);
            if step % 20 == 0 {
                // Reading a number waits for the device, so not at every step.
                let now = wrong.into_iter().map(number).sum::<Result<f32, _>>()?;
                if !now.is_finite() {
                    return Err(TrainingError::Diverged { step, loss: now });
                }
                recent = if recent == 0.0 { now } else { 0.8 * recent + 0.2 * now };
                bar.set_message(format!("loss {recent:.4}"));
            }
            let mut finished = state.progress.step >= steps || done >= 1.0;
            if finished || state.progress.step.is_multiple_of(recipe.training.validate_every) {
                let (judged, progress) = (&state.average, &mut state.progress);
                let held_out = validate(judged, &tests, &plain_loss, &plain)?;
                let speaker = Speaker::Network {
                    recipe,
                    variant,
                    network: judged,
                    normalisation: &normalisation,
                    device: &plain,
                };
                let scores: Vec<Score> = heard
                    .iter()
                    .map(|people| Ok(evaluate(&speaker, people, None, None)?.total))
                    .collect::<Result<_, EvaluationError>>()?;
                let merit = match scores.len() {
                    0 => -f64::from(held_out),
                    count => scores.iter().map(merit).sum::<f64>() / count as f64,
                };
                let best = progress.best().is_none_or(|best| merit > best.merit);
                let (step, seconds) = (progress.step, progress.seconds);
                let figures = scores.first().and_then(|clean| serde_json::to_value(clean).ok());
                progress.validation.push(Validation { step, seconds, loss: recent, held_out, merit, figures });
                if best {
                    Checkpoint::save_best(&folder, judged)?;
                }
                state.save(&folder)?;
                let progress = &state.progress;
                let sequences = (step * batch) as f64 / seconds;
                let mark = if best { ", best" } else { "" };
                bar.suspend(|| {
                    println!(
                        "step {step}: loss {recent:.4}, held out {held_out:.4}, merit {merit:.4}{mark}, \
                         {sequences:.0} sequences/s"
                    );
                });
                let stale = progress
                    .validation
                    .iter()
                    .rev()
                    .take_while(|past| progress.best().is_some_and(|best| past.step > best.step));
                finished |= stale.count() >= recipe.training.patience;
            }
            if finished {
                break;
            }
        }
        drop(stream);
        Ok(())
    })?;
    bar.finish();
    Ok(state.progress)
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
    // Every part differentiates a copy of its own: the graph of one backward pass is spent, and with it leaves that the optimiser left as
    // they were. Graphs of several threads that share their leaves are also merged under locks, and threads that merge at the same time can
    // wait for each other forever.
    let part = |copy: SpeechNetwork, batch: Batch| {
        let (features, target) = upload(batch, recipe, device);
        let wrong = loss.of(copy.answer(features), target) * share;
        (GradientsParams::from_grads(wrong.backward(), &copy), wrong.detach())
    };
    let parts = parts.into_iter().map(|batch| (network.clone().fork(device), batch));
    let done: Vec<_> = if parts.len() == 1 {
        parts.map(|(copy, batch)| part(copy, batch)).collect()
    } else {
        std::thread::scope(|scope| {
            let part = &part;
            let threads: Vec<_> = parts.map(|(copy, batch)| scope.spawn(move || part(copy, batch))).collect();
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
        let (features, target) = upload(tests.make(u64::from(u32::MAX) + index, 16)?, tests.recipe, device);
        sum += number(loss.of(network.answer(features), target).detach())?;
    }
    Ok(sum / BATCHES as f32)
}
