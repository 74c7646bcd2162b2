//! Where an animation goes.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use talkie::{
    animation::{FaceTrack, TRACK_EXTENSION, TrackSource},
    retarget::{Binding, animate_glb, bind, open_gltf, rig_of},
};

use super::{Arguments, ending};
use crate::{Failure, bind::profiles};

/// What is written, and where.
pub(super) struct Output {
    path: PathBuf,
    kind: Kind,
}

enum Kind {
    Track,
    Csv,
    Json,
    Character { file: PathBuf, bytes: Vec<u8>, binding: Box<Binding> },
}

impl Output {
    /// Looks whether it can be written, and binds the character.
    pub(super) fn new(arguments: &Arguments) -> Result<Self, Failure> {
        let path = arguments.output.clone();
        let kind = match (ending(&path).as_str(), &arguments.character) {
            ("glb" | "vrm", Some(character)) => character_of(character, &arguments.profile)?,
            ("glb" | "vrm", None) => {
                return Err(Failure::at(&path, "whose animation? Name a character with --character"));
            }
            (_, Some(_)) => return Err(Failure::at(&path, "with --character the name must end in .glb")),
            (TRACK_EXTENSION, None) => Kind::Track,
            ("csv", None) => Kind::Csv,
            ("json", None) => Kind::Json,
            _ => return Err(Failure::at(&path, "the name must end in .facetrack, .csv, .json or .glb")),
        };
        Ok(Self { path, kind })
    }

    /// Writes a track that was made from this file.
    pub(super) fn write(self, track: &FaceTrack, source: Option<TrackSource>, input: &Path) -> Result<(), Failure> {
        let bytes = match self.kind {
            Kind::Csv => return written(&self.path, |file| write_csv(track, file)),
            Kind::Json => return written(&self.path, |file| Ok(serde_json::to_writer(file, track)?)),
            Kind::Track => track.to_bytes(source).map_err(|error| Failure::at(input, error))?,
            Kind::Character { file, bytes, mut binding } => {
                let name = input.file_stem().unwrap_or_default().to_string_lossy();
                animate_glb(&bytes, &mut binding, track, &name).map_err(|error| Failure::at(&file, error))?
            }
        };
        written(&self.path, |file| file.write_all(&bytes))
    }
}

fn character_of(path: &Path, own: &[PathBuf]) -> Result<Kind, Failure> {
    let bytes = std::fs::read(path).map_err(|error| Failure::at(path, error))?;
    let file = open_gltf(&bytes).map_err(|reason| Failure::at(path, reason))?;
    let profiles = profiles(own)?;
    let (binding, report) = bind(&rig_of(&file), &profiles.iter().collect::<Vec<_>>());
    if binding.shapes().is_empty() && binding.joints().is_empty() {
        return Err(Failure::at(
            path,
            "nothing of it can be bound: `talkie bind` says what it offers and what would help",
        ));
    }
    if !report.can_speak() {
        eprintln!("talkie: {}: nothing opens its mouth", path.display());
    }
    Ok(Kind::Character { file: path.to_owned(), bytes, binding: Box::new(binding) })
}

fn written(path: &Path, write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<(), Failure> {
    let file = File::create(path).map_err(|error| Failure::at(path, error))?;
    let mut file = BufWriter::new(file);
    write(&mut file).and_then(|()| file.flush()).map_err(|error| Failure::at(path, error))
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
