//! `talkie eval`.

mod recordings;
mod table;

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::ValueHint;
use indicatif::ProgressBar;
use serde_json::{Value, json};
use talkie::{
    animation::FrameRate,
    audio::{AudioClip, SAMPLE_RATE},
    inference::{Device, Runtime},
    metrics::{
        CLOSED_MM, ChannelCurves, ChannelError, ClipEvents, LipMesh, LipVertexError, Score, conditions::Condition,
    },
    model::{FaceModel, ModelOptions},
};

use self::{recordings::Recording, table::Table};
use crate::{Failure, model_folder};

/// Frames per second at which tracks are scored: what `animate` writes by default.
const SCORED_RATE: FrameRate = FrameRate::per_second(60);
/// A track may end this many seconds before what was said without a warning.
const TOLERATED_END: f64 = 0.3;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Folder with recordings and alignments: NAME.wav (or ogg, flac, mp3) beside NAME.json with
    /// {"phones": [["AA", start, end], ...]}, ARPAbet and SIL, seconds.
    #[arg(value_hint = ValueHint::DirPath)]
    recordings: PathBuf,
    /// Folder of the model; default as for `animate`.
    #[arg(long, value_hint = ValueHint::DirPath)]
    model: Option<PathBuf>,
    /// Where its network computes: auto, cpu, tensorrt, cuda, directml, coreml, openvino or webgpu; default: as TALKIE_DEVICE says.
    #[arg(long, conflicts_with = "tracks")]
    device: Option<Device>,
    /// Score these tracks instead of a model: NAME.csv for every NAME.json, with columns `time` (seconds) and ARKit
    /// channels in any notation. No sound is needed.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with_all = ["model", "conditions"])]
    tracks: Option<PathBuf>,
    /// A head with ARKit shapes: figures in millimetres on its lips as well.
    #[arg(long, value_name = "HEAD.glb", value_hint = ValueHint::FilePath)]
    face: Option<PathBuf>,
    /// Lips are closed at this many millimetres or less beyond their distance at rest.
    #[arg(long, value_name = "MM", default_value_t = CLOSED_MM, requires = "face", allow_negative_numbers = true, value_parser = millimetres)]
    close_mm: f64,
    /// Also compare every channel, and with --face the lips, with these tracks (NAME.csv): a teacher or a capture.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    reference: Option<PathBuf>,
    /// By how many milliseconds the mouth is taken to be late: tracks are scored that much earlier.
    #[arg(long, value_name = "MS", default_value_t = 0.0, allow_negative_numbers = true, value_parser = milliseconds)]
    shift: f64,
    /// Take out the lag of the system itself: that of all clean clips together.
    #[arg(long, conflicts_with = "shift")]
    auto_shift: bool,
    /// How the recordings are heard; `clean` is always among them.
    #[arg(long, value_delimiter = ',', default_values_t = Condition::ALL)]
    conditions: Vec<Condition>,
    /// Also write all figures to this file as JSON.
    #[arg(long, value_hint = ValueHint::FilePath)]
    json: Option<PathBuf>,
}

fn millimetres(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|value| (0.0..=100.0).contains(value)).ok_or_else(|| "expected 0 to 100 mm".into())
}

fn milliseconds(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|value| (-1e4..=1e4).contains(value)).ok_or_else(|| "expected -10000 to 10000 ms".into())
}

/// The scores under one condition.
struct Scored {
    condition: Condition,
    clips: Vec<Score>,
    total: Score,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let recordings = recordings::read(&arguments.recordings, arguments.tracks.is_none())?;
    let lips = arguments.face.as_deref().map(read_lips).transpose()?;
    let references = arguments.reference.as_deref().map(|folder| recordings::read_tracks(folder, &recordings));
    let references = references.transpose()?;
    let tracks = match &arguments.tracks {
        Some(folder) => vec![(Condition::Clean, recordings::read_tracks(folder, &recordings)?)],
        None => animate_all(arguments, &recordings)?,
    };
    let measure = |tracks: &[ChannelCurves], shift: f64| -> Vec<ClipEvents> {
        let measured = |(recording, track): (&Recording, _)| match &lips {
            Some(lips) => ClipEvents::measure_on(lips, arguments.close_mm, &recording.said, track, shift),
            None => ClipEvents::measure(&recording.said, track, shift),
        };
        recordings.iter().zip(tracks).map(measured).collect()
    };
    let [(_, clean), ..] = &tracks[..] else { return Err(Failure("nothing was scored".into())) };
    for (recording, track) in recordings.iter().zip(clean) {
        if track.end() + TOLERATED_END < recording.said.end() {
            let (name, end, said) = (&recording.name, track.end(), recording.said.end());
            eprintln!("talkie: {name}: the track ends at {end:.2} s, what is said at {said:.2} s");
        }
    }
    let shift_ms = match arguments.auto_shift {
        true => Score::pooled(&measure(clean, 0.0)).lag_ms.unwrap_or(0.0),
        false => arguments.shift,
    };
    let scored: Vec<Scored> = tracks
        .iter()
        .map(|(condition, tracks)| {
            let events = measure(tracks, shift_ms / 1e3);
            let clips = events.iter().map(|events| Score::pooled([events])).collect();
            Scored { condition: *condition, clips, total: Score::pooled(&events) }
        })
        .collect();
    print(&recordings, &scored, shift_ms)?;
    let pairs: Vec<_> = clean.iter().zip(references.iter().flatten()).collect();
    if !pairs.is_empty() {
        print_difference(&pairs, lips.as_ref())?;
    }
    if let Some(path) = &arguments.json {
        let document = document(&recordings, &scored, shift_ms, lips.as_ref(), &pairs);
        fs::write(path, serde_json::to_vec_pretty(&document)?).map_err(|error| Failure::at(path, error))?;
    }
    Ok(())
}

fn read_lips(path: &Path) -> Result<LipMesh, Failure> {
    let bytes = fs::read(path).map_err(|error| Failure::at(path, error))?;
    LipMesh::from_glb(&bytes).map_err(|error| Failure::at(path, error))
}

/// Tracks of all recordings under the wanted conditions, clean first.
fn animate_all(
    arguments: &Arguments,
    recordings: &[Recording],
) -> Result<Vec<(Condition, Vec<ChannelCurves>)>, Failure> {
    let wanted = |condition: &Condition| *condition == Condition::Clean || arguments.conditions.contains(condition);
    let mut tracks: Vec<_> = Condition::ALL.into_iter().filter(wanted).map(|condition| (condition, vec![])).collect();
    let options = ModelOptions { device: arguments.device, ..ModelOptions::default() };
    let folder = model_folder(arguments.model.as_deref())?;
    let mut model = FaceModel::load_dir_with(folder, &options, Runtime::global())?;
    for attempt in model.passed_over() {
        eprintln!("talkie: passed over {attempt}");
    }
    let progress = ProgressBar::new((recordings.len() * tracks.len()) as u64);
    for Recording { name, sound, .. } in recordings {
        let Some(sound) = sound else { continue };
        let bytes = fs::read(sound).map_err(|error| Failure::at(sound, error))?;
        let clip = AudioClip::decode(bytes).map_err(|error| Failure::at(sound, error))?;
        if clip.is_truncated() {
            let seconds = clip.seconds();
            progress.suspend(|| eprintln!("talkie: {}: cut off or damaged after {seconds:.2} s", sound.display()));
        }
        let speech = clip.to_speech().map_err(|error| Failure::at(sound, error))?;
        for (condition, tracks) in &mut tracks {
            let heard = AudioClip::from_samples(SAMPLE_RATE, 1, condition.apply(&speech, name))?;
            let track = model.animate(&heard).map_err(|error| Failure::at(sound, error))?;
            let curves = ChannelCurves::try_from(&track.resampled(SCORED_RATE));
            tracks.push(curves.map_err(|error| Failure::at(sound, error))?);
            progress.inc(1);
        }
    }
    progress.finish_and_clear();
    Ok(tracks)
}

fn print(recordings: &[Recording], scored: &[Scored], shift_ms: f64) -> Result<(), Failure> {
    let Some(clean) = scored.first() else { return Ok(()) };
    let names = recordings.iter().map(|recording| recording.name.as_str());
    say!("{}", Table::of_scores(names.zip(&clean.clips).chain([("total", &clean.total)])));
    let n = clean.total.n;
    say!(
        "events: {} clips, {:.1} s, {} bilabials ({} inner), {} labiodentals, {} vowels; shift taken out: {shift_ms:.1} ms",
        n.clips,
        n.seconds,
        n.bilabials,
        n.inner,
        n.labiodentals,
        n.vowels
    );
    if scored.len() > 1 {
        let totals: Vec<_> = scored.iter().map(|scored| (scored.condition.name(), &scored.total)).collect();
        say!("\nall clips under each condition; +- is the change against clean in points (hundredths)");
        say!("{}", Table::of_changes(&totals, &clean.total));
    }
    Ok(())
}

fn print_difference(pairs: &[(&ChannelCurves, &ChannelCurves)], lips: Option<&LipMesh>) -> Result<(), Failure> {
    say!("\ndifference from the reference");
    if let Some(LipVertexError { largest_mm, mean_mm }) = lips.and_then(|lips| lips.vertex_error(pairs.iter().copied()))
    {
        say!("lip vertex error: largest {largest_mm:.2} mm, mean {mean_mm:.2} mm");
    }
    say!("{:22}{:>8}{:>8}", "", "mean", "rms");
    for ChannelError { channel, mean_absolute, root_mean_square } in ChannelError::between(pairs.iter().copied()) {
        say!("{:22}{mean_absolute:>8.3}{root_mean_square:>8.3}", channel.name());
    }
    Ok(())
}

/// All figures. `total` and `clips` are those of the clean recordings; all conditions are under `conditions`.
fn document(
    recordings: &[Recording],
    scored: &[Scored],
    shift_ms: f64,
    lips: Option<&LipMesh>,
    pairs: &[(&ChannelCurves, &ChannelCurves)],
) -> Value {
    let by_name = |values: Vec<Value>| -> Value {
        recordings.iter().map(|recording| recording.name.clone()).zip(values).collect::<serde_json::Map<_, _>>().into()
    };
    let scores = |scored: &Scored| json!({"total": scored.total, "clips": by_name(scored.clips.iter().map(|score| json!(score)).collect())});
    let mut document = scored.first().map(scores).unwrap_or_default();
    document["shift_ms"] = json!(shift_ms);
    document["conditions"] = scored
        .iter()
        .map(|scored| (scored.condition.to_string(), scores(scored)))
        .collect::<serde_json::Map<_, _>>()
        .into();
    if let Some(lips) = lips {
        use talkie::animation::FaceChannel::{JawOpen, MouthClose};
        let jaw = lips.opening_mm(JawOpen);
        document["head"] = json!({
            "vertices": lips.inner_lips(),
            "lip_vertices": lips.lip_vertices().len(),
            "rest_mm": lips.rest_mm(),
            "jawOpen_mm": jaw,
            "jawOpen_plus_mouthClose_mm": jaw + lips.opening_mm(MouthClose),
        });
    }
    if !pairs.is_empty() {
        let difference = |pairs: &[(&ChannelCurves, &ChannelCurves)]| {
            let channels: serde_json::Map<_, _> = ChannelError::between(pairs.iter().copied())
                .into_iter()
                .map(|error| {
                    let figures =
                        json!({"mean_absolute": error.mean_absolute, "root_mean_square": error.root_mean_square});
                    (error.channel.name().to_owned(), figures)
                })
                .collect();
            let lips = lips.and_then(|lips| lips.vertex_error(pairs.iter().copied()));
            json!({"lip_vertex_error": lips, "channels": channels})
        };
        let clips = by_name(pairs.iter().map(|pair| difference(&[*pair])).collect());
        document["reference"] = json!({"total": difference(pairs), "clips": clips});
    }
    document
}
