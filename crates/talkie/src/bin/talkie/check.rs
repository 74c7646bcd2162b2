//! `talkie check`.

use std::{path::PathBuf, time::Instant};

use talkie::{
    animation::FaceChannel,
    audio::{AudioClip, SAMPLE_RATE},
    inference::{Device, Runtime},
    model::{EmotionModel, EmotionModelOptions, FaceModel, ModelOptions, SpeechOptions, audio2face::Family},
};

use crate::{
    Failure,
    info::{official_family, say_device},
    model_folder,
};

/// Lengths of sound that are tried: silence, then a hum that comes and goes.
const SECONDS: usize = 2;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Folder of the bundle; default as for `animate`.
    bundle: Option<PathBuf>,
    /// Threads that the network may use; 0 leaves it to the machine.
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// Where the network computes: auto, cpu, tensorrt, cuda, directml, coreml, openvino or webgpu; default: as TALKIE_DEVICE says.
    #[arg(long)]
    device: Option<Device>,
}

/// Loads a bundle of any kind with its network, which checks every file, key and array and the network's tensors, then lets every
/// identity speak.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let folder = model_folder(arguments.bundle.as_deref())?;
    let runtime = Runtime::global()?;
    let started = Instant::now();
    if official_family(&folder)? == Some(Family::Emotion) {
        let options = EmotionModelOptions {
            threads: arguments.threads.max(1),
            device: arguments.device,
            ..EmotionModelOptions::default()
        };
        let model = EmotionModel::load_dir(&folder, options, Ok(runtime))?;
        say!("sound       {}: all files, and the tensors of the network", folder.display());
        say!("loaded      in {:.2} s", started.elapsed().as_secs_f64());
        return say_device(model.network());
    }
    let options = ModelOptions { threads: arguments.threads, device: arguments.device, ..ModelOptions::default() };
    let mut model = FaceModel::load_dir_with(&folder, &options, Ok(runtime))?;
    say!("sound       {}: all files, and the tensors of the network", folder.display());
    say!("loaded      {} in {:.2} s", model.name(), started.elapsed().as_secs_f64());
    say_device(model.network())?;
    let mut identities: Vec<Option<String>> = model.identities().map(|name| Some(name.to_owned())).collect();
    if identities.is_empty() {
        identities.push(None);
    }
    for identity in identities {
        let started = Instant::now();
        let mut speech = model.begin_with(
            SAMPLE_RATE,
            1,
            &SpeechOptions { identity: identity.clone(), ..SpeechOptions::default() },
        )?;
        let clip = AudioClip::from_samples(SAMPLE_RATE, 1, hum())?;
        speech.push(clip.samples());
        speech.finish();
        let mut jaws = Vec::new();
        while !speech.is_done() {
            model.advance([&mut speech], usize::MAX);
            speech.drain(|pose| jaws.push(pose.weight(FaceChannel::JawOpen)))?;
        }
        let expected = (SECONDS as f64 * model.frame_rate().hertz()).ceil() as usize;
        if jaws.len().abs_diff(expected) > 1 {
            let reason = format!("{} poses for {SECONDS} s; expected {expected}", jaws.len());
            return Err(Failure::at(&folder, reason));
        }
        let (quiet, loud) = jaws.split_at(jaws.len() / 2);
        let most = |jaws: &[f32]| jaws.iter().fold(0.0, |most: f32, jaw| most.max(*jaw));
        say!(
            "speaks      {}: {} poses of {SECONDS} s in {:.2} s; the jaw at most {:.2} open in silence, {:.2} with a hum",
            identity.as_deref().unwrap_or("it"),
            jaws.len(),
            started.elapsed().as_secs_f64(),
            most(quiet),
            most(loud)
        );
    }
    Ok(())
}

/// A second of silence, then one of a voice without words.
fn hum() -> Vec<f32> {
    let rate = SAMPLE_RATE as usize;
    (0..SECONDS * rate)
        .map(|index| {
            let time = index as f32 / SAMPLE_RATE as f32;
            let loudness = if index < rate { 0.0 } else { (core::f32::consts::PI * 3.0 * time).sin().powi(2) };
            (1..12).map(|overtone| (core::f32::consts::TAU * 180.0 * overtone as f32 * time).sin()).sum::<f32>()
                * loudness
                * 0.08
        })
        .collect()
}
