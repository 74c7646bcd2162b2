//! `talkie animate`.

use std::path::{Path, PathBuf};

use clap::ValueHint;
use talkie::{
    animation::{FaceTrack, FrameRate, TRACK_EXTENSION, TrackSource},
    inference::Device,
};

use crate::Failure;

mod sound;
mod write;

/// Frames per second where nothing else is asked for.
const FRAMES: u32 = 60;
/// More frames are a mistake.
const MOST_FRAMES: f64 = 1_048_576.0;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A sound file, or a track that is there already: .facetrack, .json or .csv as this command writes them, or the
    /// .csv of Live Link Face.
    #[arg(value_hint = ValueHint::FilePath)]
    input: PathBuf,
    /// Where to write: a name ending in .facetrack (compact), .csv, .json, or, with `--character`, .glb.
    #[arg(short, long, value_hint = ValueHint::FilePath)]
    output: PathBuf,
    /// A character (GLB or VRM): it is copied to the output with the animation added, under the name of the input.
    #[arg(long, value_hint = ValueHint::FilePath)]
    character: Option<PathBuf>,
    /// Profiles of your own (RON) for the character, tried before the built-in ones.
    #[arg(long, requires = "character", value_hint = ValueHint::FilePath)]
    profile: Vec<PathBuf>,
    /// Folder of the model; default: TALKIE_MODEL, or assets/models/voice here or above the program.
    #[arg(long, value_hint = ValueHint::DirPath)]
    model: Option<PathBuf>,
    /// Frames per second of the output; poses are interpolated. Default: 60, or what the track has.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    fps: Option<u32>,
    /// Where networks compute: auto, cpu, tensorrt, cuda, directml, coreml, openvino or webgpu; default: as TALKIE_DEVICE says.
    #[arg(long)]
    device: Option<Device>,
    #[command(flatten)]
    official: sound::Official,
}

/// What was read or made.
struct Animated {
    track: FaceTrack,
    /// What a track file says of its origin.
    source: Option<TrackSource>,
    /// For a person.
    remark: String,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    // What would stop the writing is found before the work.
    let output = write::Output::new(arguments)?;
    let rate = arguments.fps.map(FrameRate::per_second);
    let Animated { track, source, remark } = match ending(&arguments.input).as_str() {
        TRACK_EXTENSION | "json" | "csv" => read(&arguments.input, rate)?,
        _ => sound::animate(arguments)?,
    };
    let rate = rate.unwrap_or(track.frame_rate());
    let track = if track.frame_rate() == rate { track } else { resampled(&track, rate, &arguments.input)? };
    output.write(&track, source, &arguments.input)?;
    eprintln!("{}: {} frames, {remark}", arguments.output.display(), track.len());
    Ok(())
}

/// The ending of a name in small letters.
fn ending(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase()
}

/// Reads a track.
fn read(path: &Path, rate: Option<FrameRate>) -> Result<Animated, Failure> {
    let bytes = std::fs::read(path).map_err(|error| Failure::at(path, error))?;
    let text = || str::from_utf8(&bytes).map_err(|error| Failure::at(path, error));
    let mut source = None;
    let track = match ending(path).as_str() {
        TRACK_EXTENSION => {
            source = TrackSource::of_file(&bytes).map_err(|error| Failure::at(path, error))?;
            FaceTrack::from_bytes(&bytes).map_err(|error| Failure::at(path, error))?
        }
        "json" => serde_json::from_str(text()?).map_err(|error| Failure::at(path, error))?,
        _ => {
            let rate = rate.unwrap_or(FrameRate::per_second(FRAMES));
            let read = FaceTrack::from_csv(text()?, rate).map_err(|error| Failure::at(path, error))?;
            if !read.ignored.is_empty() {
                eprintln!("talkie: {}: passed over: {}", path.display(), read.ignored.join(", "));
            }
            read.track
        }
    };
    let remark = format!("{:.2} s of {}", track.end_seconds() - track.start_seconds(), path.display());
    Ok(Animated { track, source, remark })
}

fn resampled(track: &FaceTrack, rate: FrameRate, input: &Path) -> Result<FaceTrack, Failure> {
    let seconds = track.end_seconds() - track.start_seconds();
    if seconds * rate.hertz() > MOST_FRAMES {
        return Err(Failure::at(input, format!("{seconds} s are more than {MOST_FRAMES} frames")));
    }
    Ok(track.resampled(rate))
}
