//! The reader of official bundles against anything at all: `cargo fuzz run --sanitizer none bundle`.
//!
//! An input is a family, a file of a sound bundle of that family, a mode, and bytes that take the place of the file (mode 0), or
//! of one array within its `.npz` archive (mode 1, whose checksums would otherwise keep every change out). The first run starts
//! from the sound bundles themselves: `TALKIE_FUZZ_SEEDS=FOLDER` writes them there as inputs.

#![no_main]

use std::{
    collections::BTreeMap,
    env, fs,
    io::{Cursor, Read, Write},
    path::Path,
    sync::OnceLock,
};

use libfuzzer_sys::fuzz_target;
use talkie::model::audio2face::{BundleSource, EmotionBundle, FaceBundle};
use talkie_standin::{Family, Size, StandIn};
use zip::{CompressionMethod, ZipArchive, ZipWriter, write::SimpleFileOptions};

const FAMILIES: [Family; 3] = [Family::Regression, Family::Diffusion, Family::Emotion];

type Files = BTreeMap<String, Vec<u8>>;

/// The files of a bundle of each family, small ones, without their networks.
fn bundles() -> &'static [Files; 3] {
    static BUNDLES: OnceLock<[Files; 3]> = OnceLock::new();
    BUNDLES.get_or_init(|| {
        let bundles = FAMILIES.map(|family| {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let small = StandIn {
                skin_vertices: 120,
                tongue_vertices: 40,
                frontal_vertices: 60,
                skin_shapes: 56,
                saccades: 8,
                ..StandIn::new(family, Size::Tiny)
            };
            small.write(folder.path()).expect("a bundle");
            let entries = fs::read_dir(folder.path()).expect("a folder").map(|entry| entry.expect("an entry"));
            entries
                .filter(|entry| entry.path().extension().is_some_and(|ending| ending != "onnx"))
                .map(|entry| {
                    let name = entry.file_name().into_string().expect("an ASCII name");
                    (name, fs::read(entry.path()).expect("a file"))
                })
                .collect()
        });
        if let Some(folder) = env::var_os("TALKIE_FUZZ_SEEDS") {
            seeds(Path::new(&folder), &bundles);
        }
        bundles
    })
}

fn seeds(folder: &Path, bundles: &[Files; 3]) {
    fs::create_dir_all(folder).expect("a folder for seeds");
    for (family, files) in bundles.iter().enumerate() {
        for (index, (name, bytes)) in files.iter().enumerate() {
            let seed = [&[family as u8, index as u8, 0, 0], &bytes[..]].concat();
            fs::write(folder.join(format!("{family}-{name}")), seed).expect("a seed");
            for (member, array) in members(bytes).into_iter().enumerate() {
                let seed = [&[family as u8, index as u8, 1, member as u8], &array.1[..]].concat();
                fs::write(folder.join(format!("{family}-{name}-{member}")), seed).expect("a seed");
            }
        }
    }
}

/// Names and bytes of an archive; nothing if it is none.
fn members(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let Ok(mut archive) = ZipArchive::new(Cursor::new(bytes)) else { return Vec::new() };
    (0..archive.len())
        .map(|index| {
            let mut member = archive.by_index(index).expect("a sound archive");
            let mut bytes = Vec::new();
            member.read_to_end(&mut bytes).expect("a sound archive");
            (member.name().expect("a name in UTF-8").into_owned(), bytes)
        })
        .collect()
}

fn archive(members: Vec<(String, Vec<u8>)>) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, bytes) in members {
        writer.start_file(name, options).expect("memory");
        writer.write_all(&bytes).expect("memory");
    }
    writer.finish().expect("memory").into_inner()
}

fuzz_target!(|input: &[u8]| {
    let bundles = bundles();
    let [family, file, mode, member, bytes @ ..] = input else { return };
    let family = usize::from(*family) % FAMILIES.len();
    let files = &bundles[family];
    let Some((name, sound)) = files.iter().nth(usize::from(*file) % files.len()) else { return };
    let changed = if mode % 2 == 0 {
        bytes.to_vec()
    } else {
        let mut members = members(sound);
        let count = members.len();
        if count == 0 {
            return;
        }
        members[usize::from(*member) % count].1 = bytes.to_vec();
        archive(members)
    };
    let read = |wanted: &str| match files.get(wanted) {
        _ if wanted == name => Ok(changed.clone()),
        Some(bytes) => Ok(bytes.clone()),
        None => Err(String::from("not there")),
    };
    let mut source = BundleSource::new(Path::new("bundle"), read);
    if FAMILIES[family] == Family::Emotion {
        drop(EmotionBundle::load(&mut source));
    } else {
        drop(FaceBundle::load(&mut source));
    }
});
