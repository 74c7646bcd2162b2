//! Binding characters of every family, from their files.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};

use talkie::{
    animation::{CHANNEL_COUNT, FaceChannel},
    retarget::{RigProfile, match_shape, open_gltf, read_vectors, rig_of},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn ada() -> gltf::Gltf {
    open_gltf(&std::fs::read(root().join("assets/characters/ada.glb")).unwrap()).unwrap()
}

/// The upper half of the matrix of how much two channels look alike, computed from the first default character.
fn likeness(file: &gltf::Gltf) -> Vec<f32> {
    let rig = rig_of(file);
    let mut displaced: Vec<Vec<glam::Vec3>> = vec![Vec::new(); CHANNEL_COUNT];
    let mut weights: Vec<f32> = Vec::new();
    for (node, mesh) in file.nodes().filter_map(|node| Some((node.clone(), node.mesh()?))) {
        let Some(offered) = rig.meshes.iter().find(|mesh| Some(mesh.name.as_str()) == node.name()) else { continue };
        for primitive in mesh.primitives() {
            let places = read_vectors(&primitive.get(&gltf::Semantic::Positions).unwrap(), file.blob.as_ref().unwrap());
            let mouth = glam::Vec3::new(0.0, 0.081, 0.135);
            weights.extend(
                places.unwrap().into_iter().map(
                    |place| {
                        if mouth.distance(place.into()) < 0.035 { 1.0 } else { 0.1_f32 }
                    },
                ),
            );
        }
        for (shape, name) in offered.shapes.iter().enumerate() {
            if let Some(channel) = match_shape(name).channel() {
                displaced[channel.index()].resize(weights.len() - offered_vertices(offered), glam::Vec3::ZERO);
                displaced[channel.index()].extend(offered.displacements.as_ref().unwrap()(shape).unwrap());
            }
        }
    }
    displaced.iter_mut().for_each(|displaced| displaced.resize(weights.len(), glam::Vec3::ZERO));
    let lips = weights.iter().filter(|weight| **weight == 1.0).count() as f64;
    let mut upper = Vec::new();
    for a in FaceChannel::ALL {
        for b in FaceChannel::ALL.into_iter().skip(a.index()) {
            let pairs = displaced[a.index()].iter().zip(&displaced[b.index()]).zip(&weights);
            let sum: f64 = pairs.map(|((a, b), weight)| f64::from(a.dot(*b)) * f64::from(*weight)).sum();
            upper.push((sum / lips * 1e6) as f32);
        }
    }
    upper
}

fn offered_vertices(mesh: &talkie::retarget::RigMesh<'_>) -> usize {
    mesh.displacements.as_ref().unwrap()(0).unwrap().len()
}

#[test]
fn the_stored_likeness_of_channels_is_that_of_the_default_character() {
    let computed = likeness(&ada());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/retarget/likeness.f32");
    if std::env::var_os("TALKIE_UPDATE").is_some() {
        std::fs::write(&path, computed.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>()).unwrap();
    }
    let bytes = std::fs::read(&path).unwrap();
    let stored: Vec<f32> = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    assert_eq!(stored.len(), computed.len());
    let largest = computed.iter().copied().fold(0.0, f32::max);
    for (stored, computed) in stored.iter().zip(&computed) {
        assert!(
            (stored - computed).abs() <= 1e-5 * largest,
            "{stored} is stored, {computed} computed: TALKIE_UPDATE=1"
        );
    }
}

#[test]
fn the_built_in_profiles_are_sound_and_survive_being_written() {
    let files = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles")).unwrap();
    let mut count = 0;
    for file in files {
        let path = file.unwrap().path();
        let profile = RigProfile::parse(&std::fs::read_to_string(&path).unwrap());
        let profile = profile.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(RigProfile::builtin().contains(&profile), "{} is not built in", path.display());
        assert_eq!(RigProfile::parse(&profile.to_ron().unwrap()).unwrap(), profile);
        for rule in profile.shapes.iter().filter(|rule| !rule.shows.is_empty()) {
            let weight = |channel| rule.shows.get(&channel).copied().unwrap_or(0.0);
            assert!(
                weight(FaceChannel::MouthClose) <= weight(FaceChannel::JawOpen) + 1e-6,
                "{}: {:?} closes more than it opens",
                profile.name,
                rule.names
            );
        }
        count += 1;
    }
    assert_eq!(count, RigProfile::builtin().len());
}
