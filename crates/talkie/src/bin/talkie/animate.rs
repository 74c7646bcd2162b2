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
    inference::Runtime,
    model::FaceModel,
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
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let write = match arguments.output.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => write_csv,
        Some("json") => write_json,
        _ => return Err(Failure::at(&arguments.output, "the name must end in .csv or .json")),
    };
    let runtime = Runtime::global();
    let mut model = FaceModel::load_dir(model_folder(arguments.model.as_deref())?, runtime.clone())?;
    let started = Instant::now();
    let (track, seconds) = animate(&mut model, &arguments.input)?;
    let took = started.elapsed().as_secs_f64();
    let track = track.resampled(FrameRate::per_second(arguments.fps));
    let file = File::create(&arguments.output).map_err(|error| Failure::at(&arguments.output, error))?;
    let mut file = BufWriter::new(file);
    write(&track, &mut file).and_then(|()| file.flush()).map_err(|error| Failure::at(&arguments.output, error))?;
    eprintln!(
        "{}: {} frames, {seconds:.2} s of sound in {took:.2} s (real-time factor {:.4}, {})",
        arguments.output.display(),
        track.len(),
        took / seconds.max(1e-9),
        runtime?.backend()
    );
    Ok(())
}

/// Decodes and animates piece by piece, so that the length of the file does not matter. Gives the seconds of sound too.
pub(crate) fn animate(model: &mut FaceModel, input: &Path) -> Result<(FaceTrack, f64), Failure> {
    let file = File::open(input).map_err(|error| Failure::at(input, error))?;
    let mut reader = AudioReader::open(file).map_err(|error| Failure::at(input, error))?;
    let rate = f64::from(reader.sample_rate());
    let total = reader.len_frames().map(|frames| frames as f64 / rate);
    let progress = match total {
        Some(seconds) if seconds >= LONG_SECONDS => progress_bar(seconds),
        _ => ProgressBar::hidden(),
    };
    let mut speech = model.begin(reader.sample_rate(), reader.channels()).map_err(|error| Failure::at(input, error))?;
    let mut track = FaceTrack::new(model.manifest().frame_rate);
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
