//! From a sound to a track.

use std::{
    fs::File,
    path::{Path, PathBuf},
    time::Instant,
};

use clap::ValueHint;
use indicatif::{ProgressBar, ProgressStyle};
use talkie::{
    animation::{ContentHash, FaceTrack, FrameRate, TRACK_EXTENSION, TrackSource},
    audio::AudioReader,
    inference::Runtime,
    model::{EmotionModel, EmotionModelOptions, FaceModel, ModelOptions, SpeechOptions},
};

use super::{Animated, Arguments, FRAMES, ending};
use crate::{Failure, model_folder};

/// Sounds shorter than this many seconds need no progress bar.
const LONG_SECONDS: f64 = 20.0;

/// Only for bundles of Audio2Face-3D.
#[derive(Debug, clap::Args)]
pub(super) struct Official {
    /// Poses per second that the network is asked for; default 25, or all that a diffusion network gives.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    network_fps: Option<u32>,
    /// Threads that the network may use; 0 leaves it to the machine.
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// Whose face it is, by the name in the bundle; default: the first.
    #[arg(long)]
    identity: Option<String>,
    /// An emotion for the network and how strong it is, 0 to 1, such as joy=0.8; may be given several times.
    #[arg(long, value_parser = emotion)]
    emotion: Vec<(String, f32)>,
    /// Folder of an Audio2Emotion bundle that hears emotions in the voice.
    #[arg(long, value_hint = ValueHint::DirPath)]
    emotion_model: Option<PathBuf>,
}

fn emotion(text: &str) -> Result<(String, f32), String> {
    let wrong = || "expected NAME=STRENGTH, such as joy=0.8".to_owned();
    let (name, strength) = text.split_once('=').ok_or_else(wrong)?;
    let strength = strength.parse().map_err(|_| wrong())?;
    if (0.0..=1.0).contains(&strength) { Ok((name.to_owned(), strength)) } else { Err("a strength is 0 to 1".into()) }
}

/// Animates the input, at the rate that is asked for.
pub(super) fn animate(arguments: &Arguments) -> Result<Animated, Failure> {
    let (input, official) = (&arguments.input, &arguments.official);
    let runtime = Runtime::global();
    let options = ModelOptions {
        frame_rate: official.network_fps.map(FrameRate::per_second),
        threads: official.threads,
        device: arguments.device,
        ..ModelOptions::default()
    };
    let folder = model_folder(arguments.model.as_deref())?;
    let mut model = FaceModel::load_dir_with(&folder, &options, runtime.clone())?;
    let mut hearing = match &official.emotion_model {
        None => None,
        Some(folder) => {
            let options = EmotionModelOptions { device: arguments.device, ..EmotionModelOptions::default() };
            Some(EmotionModel::load_dir(folder, options, runtime.clone())?)
        }
    };
    let hearing_passed_over = hearing.iter().flat_map(|hearing| hearing.network().passed_over());
    for attempt in model.passed_over().iter().chain(hearing_passed_over) {
        eprintln!("talkie: passed over {attempt}");
    }
    let started = Instant::now();
    let (track, seconds) = listen(&mut model, hearing.as_mut(), official, input)?;
    let took = started.elapsed().as_secs_f64();
    let source = match ending(&arguments.output).as_str() {
        TRACK_EXTENSION => Some(TrackSource { sound: hash_of_file(input)?, model: hash_of_model(&folder, official)? }),
        _ => None,
    };
    let rate = arguments.fps.unwrap_or(FRAMES);
    Ok(Animated {
        track: track.resampled(FrameRate::per_second(rate)),
        source,
        remark: format!(
            "{seconds:.2} s of sound in {took:.2} s (real-time factor {:.4}, {}, {})",
            took / seconds.max(1e-9),
            runtime?.backend(),
            model.device()
        ),
    })
}

fn hash_of_file(path: &Path) -> Result<ContentHash, Failure> {
    File::open(path).and_then(ContentHash::of_reader).map_err(|error| Failure::at(path, error))
}

/// The hash of a model, and of what else makes a difference to what it says, if anything does.
fn hash_of_model(folder: &Path, official: &Official) -> Result<ContentHash, Failure> {
    let hash = |folder: &Path| ContentHash::of_folder(folder).map_err(|error| Failure::at(folder, error));
    let mut hashes = vec![hash(folder)?];
    if let Some(folder) = &official.emotion_model {
        hashes.push(hash(folder)?);
    }
    if official.network_fps.is_some() || official.identity.is_some() || !official.emotion.is_empty() {
        let settings = format!("{:?} {:?} {:?}", official.network_fps, official.identity, official.emotion);
        hashes.push(ContentHash::of([settings.as_bytes()]));
    }
    Ok(match hashes[..] {
        [of_model] => of_model,
        _ => ContentHash::of(hashes.iter().map(|hash| hash.0.as_slice())),
    })
}

/// Decodes and animates piece by piece, so that the length of the file does not matter. Gives the seconds of sound too.
fn listen(
    model: &mut FaceModel,
    mut hearing: Option<&mut EmotionModel>,
    official: &Official,
    input: &Path,
) -> Result<(FaceTrack, f64), Failure> {
    let file = File::open(input).map_err(|error| Failure::at(input, error))?;
    let mut reader = AudioReader::open(file).map_err(|error| Failure::at(input, error))?;
    let rate = f64::from(reader.sample_rate());
    let total = reader.len_frames().map(|frames| frames as f64 / rate);
    let progress = match total {
        Some(seconds) if seconds >= LONG_SECONDS => progress_bar(seconds),
        _ => ProgressBar::hidden(),
    };
    let options = SpeechOptions { identity: official.identity.clone(), ..SpeechOptions::default() };
    let mut speech = model
        .begin_with(reader.sample_rate(), reader.channels(), &options)
        .map_err(|error| Failure::at(input, error))?;
    if let Some(hearing) = &mut hearing {
        hearing.attach(&mut speech, None).map_err(|error| Failure::at(input, error))?;
    }
    if !official.emotion.is_empty() {
        let mut wanted = vec![0.0; model.emotions().len()];
        for (name, strength) in &official.emotion {
            let index = model.emotions().iter().position(|known| known == name).ok_or_else(|| {
                let known = model.emotions().join(", ");
                Failure(format!("the network takes no emotion {name:?}; expected one of: {known}"))
            })?;
            wanted[index] = *strength;
        }
        speech.prefer_emotion(&wanted)?;
    }
    let mut track = FaceTrack::new(model.frame_rate());
    let mut samples = Vec::new();
    while !speech.is_done() {
        // Packets are short, and a call of the network is dear: hear a second before looking again.
        let enough = speech.seconds() + 1.0;
        while !speech.is_finished() && speech.seconds() < enough {
            if reader.read(&mut samples).map_err(|error| Failure::at(input, error))? {
                speech.push(&samples);
            } else {
                speech.finish();
            }
        }
        if let Some(hearing) = &mut hearing {
            hearing.advance([&mut speech]).map_err(|error| Failure::at(input, error))?;
        }
        model.advance([&mut speech], usize::MAX);
        speech.drain(|pose| track.push(pose)).map_err(|error| Failure::at(input, error))?;
        progress.set_position(speech.seconds() as u64);
    }
    progress.finish_and_clear();
    if reader.is_truncated() {
        eprintln!(
            "talkie: {}: cut off or damaged; animated the {:.2} s that could be read",
            input.display(),
            speech.seconds()
        );
    }
    Ok((track, speech.seconds()))
}

fn progress_bar(seconds: f64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} s, {eta} left");
    ProgressBar::new(seconds as u64).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
