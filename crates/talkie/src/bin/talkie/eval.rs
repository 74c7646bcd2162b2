//! `talkie eval`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::ValueHint;
use serde_json::json;
use talkie::{
    animation::{FaceChannel, FaceTrack, FrameRate},
    inference::Runtime,
    metrics::{Alignment, ChannelCurves, ClipEvents, Score},
    model::FaceModel,
};

use crate::{Failure, animate::animate, model_folder};

/// Frames per second at which tracks are scored: what `animate` writes by default.
const SCORED_RATE: FrameRate = FrameRate::per_second(60);

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Folder with recordings and alignments: NAME.wav (or ogg, flac, mp3) beside NAME.json with
    /// {"phones": [["AA", start, end], ...]}, ARPAbet and SIL, seconds.
    #[arg(value_hint = ValueHint::DirPath)]
    recordings: PathBuf,
    /// Folder of the model; default as for `animate`.
    #[arg(long, value_hint = ValueHint::DirPath)]
    model: Option<PathBuf>,
    /// Also write all figures to this file as JSON.
    #[arg(long, value_hint = ValueHint::FilePath)]
    json: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut model = FaceModel::load_dir(model_folder(arguments.model.as_deref())?, Runtime::global())?;
    let pairs = pairs(&arguments.recordings)?;
    let mut clips = Vec::new();
    for (sound, alignment) in &pairs {
        let text = fs::read_to_string(alignment).map_err(|error| Failure::at(alignment, error))?;
        let said = Alignment::from_json(&text).map_err(|error| Failure::at(alignment, error))?;
        let (track, _) = animate(&mut model, sound)?;
        let curves = curves(&track.resampled(SCORED_RATE)).map_err(|error| Failure::at(sound, error))?;
        let name = alignment.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        clips.push((name, ClipEvents::measure(&said, &curves, 0.0)));
    }
    let total = Score::pooled(clips.iter().map(|(_, events)| events));
    let scores: Vec<(String, Score)> = clips
        .iter()
        .map(|(name, events)| (name.clone(), Score::pooled([events])))
        .chain([("total".into(), total)])
        .collect();
    print(&scores);
    if let Some(path) = &arguments.json {
        let (total, clips) = scores.split_last().ok_or_else(|| Failure("nothing was scored".into()))?;
        let clips: serde_json::Map<_, _> = clips
            .iter()
            .map(|(name, score)| Ok((name.clone(), serde_json::to_value(score)?)))
            .collect::<Result<_, serde_json::Error>>()?;
        let document = json!({"total": total.1, "clips": clips});
        fs::write(path, serde_json::to_vec_pretty(&document)?).map_err(|error| Failure::at(path, error))?;
    }
    Ok(())
}

/// Recordings that have an alignment beside them, by name.
fn pairs(folder: &Path) -> Result<Vec<(PathBuf, PathBuf)>, Failure> {
    let entries = fs::read_dir(folder).map_err(|error| Failure::at(folder, error))?;
    let mut pairs: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .filter_map(|alignment| {
            let sound = ["wav", "ogg", "flac", "mp3"]
                .map(|kind| alignment.with_extension(kind))
                .into_iter()
                .find(|path| path.is_file())?;
            Some((sound, alignment))
        })
        .collect();
    pairs.sort();
    if pairs.is_empty() {
        return Err(Failure::at(folder, "no recording with an alignment (NAME.wav beside NAME.json) in this folder"));
    }
    Ok(pairs)
}

fn curves(track: &FaceTrack) -> Result<ChannelCurves, talkie::metrics::CurvesError> {
    let times = track.iter().map(|(seconds, _)| seconds).collect();
    let columns = FaceChannel::ALL
        .into_iter()
        .map(|channel| (channel, track.iter().map(|(_, pose)| pose.weight(channel)).collect()))
        .collect();
    ChannelCurves::new(times, columns)
}

fn print(scores: &[(String, Score)]) {
    type Figure = (&'static str, usize, fn(&Score) -> Option<f64>);
    let figures: [Figure; 15] = [
        ("bilab", 2, |score| score.bilabial_recall),
        ("falseC", 2, |score| score.false_closure),
        ("clAUC", 2, |score| score.closure_auc),
        ("labio", 2, |score| score.labiodental),
        ("labOth", 2, |score| score.labio_other),
        ("vowel_r", 2, |score| score.vowel_r),
        ("round", 2, |score| score.rounding_auc),
        ("spread", 2, |score| score.spread_auc),
        ("lag_ms", 0, |score| score.lag_ms),
        ("trk_r", 2, |score| Some(score.track_r)),
        ("silStd", 3, |score| score.sil_std),
        ("silLvl", 2, |score| score.sil_level),
        ("range", 2, |score| Some(score.range)),
        ("jerk", 3, |score| Some(score.jerk)),
        ("cl_lag", 0, |score| score.closure_lag),
    ];
    let width = scores.iter().map(|(name, _)| name.len()).max().unwrap_or(0) + 1;
    print!("{:width$}", "");
    figures.iter().for_each(|(name, ..)| print!("{name:>8}"));
    println!();
    for (name, score) in scores {
        print!("{name:width$}");
        for (_, digits, figure) in &figures {
            match figure(score) {
                Some(value) => print!("{value:>8.digits$}"),
                None => print!("{:>8}", "-"),
            }
        }
        println!();
    }
}
