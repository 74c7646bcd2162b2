//! `talkie animate`.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    time::Instant,
};

use clap::ValueHint;
use indicatif::{ProgressBar, ProgressStyle};
use talkie::{
    animation::{FaceTrack, FrameRate},
    audio::AudioReader,
    inference::{Device, Runtime},
    model::{EmotionModel, EmotionModelOptions, FaceModel, ModelOptions, SpeechOptions},
};

use crate::{Failure, model_folder};

/// Sounds shorter than this many seconds need no progress bar.
const LONG_SECONDS: f64 = 20.0;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The sound file.
    #[arg(value_hint = ValueHint::FilePath)]
    input: PathBuf,
    /// Where to write: a name ending in .csv or .json.
    #[arg(short, long, value_hint = ValueHint::FilePath)]
    output: PathBuf,
    /// Folder of the model; default: TALKIE_MODEL, or assets/models/voice here or above the program.
    #[arg(long, value_hint = ValueHint::DirPath)]
    model: Option<PathBuf>,
    /// Frames per second of the output; poses are interpolated.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=1000))]
    fps: u32,
    /// Where networks compute: auto, cpu, tensorrt, cuda, directml, coreml, openvino or webgpu; default: as TALKIE_DEVICE says.
    #[arg(long)]
    device: Option<Device>,
    #[command(flatten)]
    official: Official,
}

/// Only for bundles of Audio2Face-3D.
#[derive(Debug, clap::Args)]
struct Official {
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

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let write = match arguments.output.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => write_csv,
        Some("json") => write_json,
        _ => return Err(Failure::at(&arguments.output, "the name must end in .csv or .json")),
    };
    let runtime = Runtime::global();
    let options = ModelOptions {
        frame_rate: arguments.official.network_fps.map(FrameRate::per_second),
        threads: arguments.official.threads,
        device: arguments.device,
        ..ModelOptions::default()
    };
    let folder = model_folder(arguments.model.as_deref())?;
    let mut model = FaceModel::load_dir_with(folder, &options, runtime.clone())?;
    let mut hearing = match &arguments.official.emotion_model {
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
    let (track, seconds) = animate(&mut model, hearing.as_mut(), &arguments.official, &arguments.input)?;
    let took = started.elapsed().as_secs_f64();
    let track = track.resampled(FrameRate::per_second(arguments.fps));
    let file = File::create(&arguments.output).map_err(|error| Failure::at(&arguments.output, error))?;
    let mut file = BufWriter::new(file);
    write(&track, &mut file).and_then(|()| file.flush()).map_err(|error| Failure::at(&arguments.output, error))?;
    eprintln!(
        "{}: {} frames, {seconds:.2} s of sound in {took:.2} s (real-time factor {:.4}, {}, {})",
        arguments.output.display(),
        track.len(),
        took / seconds.max(1e-9),
        runtime?.backend(),
        model.device()
    );
    Ok(())
}

/// Decodes and animates piece by piece, so that the length of the file does not matter. Gives the seconds of sound too.
fn animate(
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

fn write_csv(track: &FaceTrack, file: &mut dyn Write) -> std::io::Result<()> {
    write!(file, "time")?;
    FaceTrack::columns().try_for_each(|name| write!(file, ",{name}"))?;
    for (seconds, pose) in track.iter() {
        write!(file, "\n{seconds:.6}")?;
        FaceTrack::row(pose).try_for_each(|value| write!(file, ",{value:.5}"))?;
    }
    writeln!(file)
}

fn write_json(track: &FaceTrack, file: &mut dyn Write) -> std::io::Result<()> {
    Ok(serde_json::to_writer(file, track)?)
}
