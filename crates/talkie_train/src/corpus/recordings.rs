//! Speech of one's own: recordings with alignments or with captured motion beside them.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use talkie::metrics::Alignment;

use super::capture::Capture;
use super::{CorpusError, Item, RATE, read_sound, textgrid, timing};
use crate::config::Source;
use crate::teacher::Prosody;

const SOUNDS: [&str; 4] = ["wav", "flac", "ogg", "mp3"];
/// In the order in which they are looked for.
const TRUTHS: [&str; 5] = ["json", "TextGrid", "csv", "glb", "gltf"];

/// Every recording of a folder, sorted. `NAME.wav` (or FLAC, Ogg Vorbis, MP3; any rate) wants one of `NAME.json` or
/// `NAME.TextGrid` (phones) and `NAME.csv`, `NAME.glb` or `NAME.gltf` (motion) beside it; with both, motion is learned and
/// phones help hearing. The speaker is the source.
pub(super) fn read(folder: &Path, source: usize, settings: &Source) -> Result<Vec<Item>, CorpusError> {
    let read = |cause| CorpusError::Read { path: folder.into(), source: cause };
    let mut sounds = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(read)? {
        let path = entry.map_err(read)?.path();
        if path.extension().and_then(|ending| ending.to_str()).is_some_and(|ending| SOUNDS.contains(&ending)) {
            sounds.push(path);
        }
    }
    sounds.sort();
    if sounds.is_empty() {
        let reason = format!("no recordings ({})", SOUNDS.join(", "));
        return Err(CorpusError::Recording { path: folder.into(), reason });
    }
    sounds.par_iter().map(|sound| read_recording(sound, source, settings)).collect()
}

fn read_recording(sound: &Path, source: usize, settings: &Source) -> Result<Item, CorpusError> {
    let broken = |reason: String| CorpusError::Recording { path: sound.into(), reason };
    let mut samples = read_sound(sound)?;
    // Items of a corpus have their peak at half of full scale.
    let peak = samples.iter().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
    samples.iter_mut().for_each(|sample| *sample *= 0.5 / peak.max(1e-4));
    let (mut said, mut capture) = (Alignment::default(), None);
    let beside: Vec<PathBuf> =
        TRUTHS.iter().map(|ending| sound.with_extension(ending)).filter(|path| path.exists()).collect();
    for path in &beside {
        let text =
            || std::fs::read_to_string(path).map_err(|cause| CorpusError::Read { path: path.clone(), source: cause });
        let motion = |source| CorpusError::Capture { path: path.clone(), source };
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("json") => {
                let alignment = Alignment::from_json(&text()?);
                said = alignment.map_err(|source| CorpusError::Alignment { path: path.clone(), source })?;
            }
            Some("TextGrid") => {
                said.phones =
                    textgrid::read(&text()?).map_err(|source| CorpusError::TextGrid { path: path.clone(), source })?;
                said.validate().map_err(|source| CorpusError::Alignment { path: path.clone(), source })?;
            }
            Some("csv") => capture = Some(Capture::from_csv(&text()?).map_err(motion)?),
            _ => capture = Some(Capture::from_gltf(path).map_err(motion)?),
        }
    }
    if beside.is_empty() {
        return Err(broken(format!("nothing beside it says what the face does: {}", TRUTHS.join(", "))));
    }
    let late = settings.late_ms / 1e3;
    for phone in &mut said.phones {
        phone.start = (phone.start - late).max(0.0);
        phone.end = (phone.end - late).max(0.0);
    }
    said.phones.retain(|phone| phone.end > phone.start);
    timing::end_with_the_sound(&samples, &mut said.phones);
    if said.speaker.is_empty() {
        said.speaker.clone_from(&settings.name);
    }
    let name = sound.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let prosody = Prosody::measure(&samples, RATE, &said.phones);
    Ok(Item { name, source, samples, said, prosody, capture })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Recipe;
    use crate::teacher::Motion;

    fn wav(path: &Path, rate: u32, samples: &[i16]) {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: rate,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::create(path, spec).expect("a temporary file");
        samples.iter().for_each(|sample| writer.write_sample(*sample).expect("a temporary file"));
        writer.finalize().expect("a temporary file");
    }

    #[test]
    fn a_folder_of_recordings_is_read() {
        let folder = std::env::temp_dir().join(format!("talkie_recordings_{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        let sound: Vec<i16> = (0..48_000).map(|i| (6_000.0 * (i as f32 * 0.05).sin()) as i16).collect();
        wav(&folder.join("a.wav"), 48_000, &sound);
        std::fs::write(folder.join("a.csv"), "time,JawOpen\n0,0.2\n1,0.6\n").expect("a temporary file");
        wav(&folder.join("b.wav"), 16_000, &sound[..16_000]);
        let grid = "File type = \"ooTextFile\"\nObject class = \"TextGrid\"\n0\n1\n<exists>\n1\n\"IntervalTier\"\n\"phones\"\n0\n1\n2\n0\n0.5\n\"M\"\n0.5\n1\n\"AA1\"\n";
        std::fs::write(folder.join("b.TextGrid"), grid).expect("a temporary file");
        let recipe = Recipe::shipped().expect("the shipped recipe is valid");
        let settings = Source { name: "studio".into(), late_ms: 0.0, ..recipe.sources[0].clone() };
        let items = read(&folder, 3, &settings).expect("valid recordings");
        assert_eq!(items.len(), 2);
        assert!((items[0].seconds() - 1.0).abs() < 0.01 && items[0].source == 3 && items[0].said.speaker == "studio");
        let capture = items[0].capture.as_ref().expect("a curve lies beside it");
        assert!((capture.at(0.5).motion(Motion::JawOpen) - 0.4).abs() < 0.01);
        assert!(items[1].capture.is_none() && items[1].said.phones[1].symbol == "AA");
        std::fs::remove_file(folder.join("b.TextGrid")).expect("it was made here");
        let text = read(&folder, 3, &settings).expect_err("nothing beside b.wav").to_string();
        assert!(text.contains("b.wav") && text.contains("TextGrid"), "{text}");
        std::fs::write(folder.join("b.csv"), "time,foo\n0,1\n").expect("a temporary file");
        let text = read(&folder, 3, &settings).expect_err("no channel").to_string();
        assert!(text.contains("b.csv") && text.contains("jawOpen"), "{text}");
        std::fs::remove_dir_all(&folder).expect("it was made here");
        assert!(read(&folder, 3, &settings).is_err());
    }
}
