//! Folders of recordings, alignments and tracks.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use talkie::metrics::{Alignment, ChannelCurves};

use crate::Failure;

/// Endings of what counts as a recording, best first.
const SOUNDS: [&str; 4] = ["wav", "ogg", "flac", "mp3"];

/// Something that was said.
pub(super) struct Recording {
    pub(super) name: String,
    pub(super) said: Alignment,
    /// The file with the sound, if there is one.
    pub(super) sound: Option<PathBuf>,
}

/// The alignments of a folder by name. Other JSON files may lie there: a file counts if it has a sound beside it, or
/// where sounds are not `needed`, if it has `phones`.
pub(super) fn read(folder: &Path, sounds_needed: bool) -> Result<Vec<Recording>, Failure> {
    let mut recordings = Vec::new();
    for path in files(folder, "json")? {
        let sound = SOUNDS.map(|ending| path.with_extension(ending)).into_iter().find(|sound| sound.is_file());
        if sound.is_none() && sounds_needed {
            continue;
        }
        let text = fs::read_to_string(&path).map_err(|error| Failure::at(&path, error))?;
        let has_phones =
            |text| serde_json::from_str(text).is_ok_and(|json: serde_json::Value| json["phones"].is_array());
        if sound.is_none() && !has_phones(&text) {
            continue;
        }
        let said = Alignment::from_json(&text).map_err(|error| Failure::at(&path, error))?;
        recordings.push(Recording { name: stem(&path), said, sound });
    }
    if recordings.is_empty() {
        let wanted = if sounds_needed {
            "recording with an alignment (NAME.wav beside NAME.json)"
        } else {
            "alignment (NAME.json)"
        };
        return Err(Failure::at(folder, format_args!("no {wanted} in this folder")));
    }
    Ok(recordings)
}

/// The tracks of a folder (`NAME.csv`, in any letter case), one for each recording.
pub(super) fn read_tracks(folder: &Path, recordings: &[Recording]) -> Result<Vec<ChannelCurves>, Failure> {
    let files: BTreeMap<String, PathBuf> =
        files(folder, "csv")?.into_iter().map(|path| (stem(&path).to_lowercase(), path)).collect();
    let file = |recording: &Recording| files.get(&recording.name.to_lowercase());
    let missing: Vec<_> =
        recordings.iter().filter(|one| file(one).is_none()).map(|one| format!("{}.csv", one.name)).collect();
    if !missing.is_empty() {
        return Err(Failure::at(folder, format_args!("no track {}", missing.join(", "))));
    }
    recordings
        .iter()
        .filter_map(file)
        .map(|path| {
            let text = fs::read_to_string(path).map_err(|error| Failure::at(path, error))?;
            ChannelCurves::from_csv(&text).map_err(|error| Failure::at(path, error))
        })
        .collect()
}

fn files(folder: &Path, ending: &str) -> Result<Vec<PathBuf>, Failure> {
    let entries = fs::read_dir(folder).map_err(|error| Failure::at(folder, error))?;
    let mut files: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|found| found.eq_ignore_ascii_case(ending)))
        .collect();
    files.sort();
    Ok(files)
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or(OsStr::new("")).to_string_lossy().into_owned()
}
