//! Bevy's asset processor bakes voice lines: those that changed, and no others.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::{path::Path, time::SystemTime};

use bevy::{
    asset::{AssetMode, AssetPlugin, processor::AssetProcessor},
    prelude::*,
};
use bevy_talkie::{
    prelude::*,
    talkie::{
        self,
        animation::{ContentHash, TrackSource},
    },
    voice::BakeVoicesPlugin,
};
use common::{bursts, tiny_model, until};

fn write(folder: &Path, name: &str, seconds: f32) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 24_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(folder.join(name), spec).unwrap();
    bursts(seconds).samples().iter().for_each(|sample| writer.write_sample((sample * 32_767.0) as i16).unwrap());
    writer.finalize().unwrap();
}

/// Processes a folder and loads its lines; when each processed file was written.
fn process(root: &Path, model: &str) -> Vec<(VoiceClip, SystemTime)> {
    let (source, processed) = (root.join("assets"), root.join("imported"));
    let mut app = App::new();
    app.add_plugins((
        MinimalPlugins.build().disable::<bevy::app::ScheduleRunnerPlugin>(),
        AssetPlugin {
            file_path: source.to_str().unwrap().into(),
            processed_file_path: processed.to_str().unwrap().into(),
            mode: AssetMode::Processed,
            use_asset_processor_override: Some(true),
            watch_for_changes_override: Some(false),
            ..default()
        },
        BakeVoicesPlugin::new(tiny_model(), ContentHash::of([model.as_bytes()])),
        TransformPlugin,
        bevy::mesh::MeshPlugin,
    ));
    app.init_asset::<WorldAsset>().add_plugins(TalkiePlugins);
    app.finish();
    app.cleanup();
    let lines = ["one.wav", "two.wav"];
    let clips: Vec<Handle<VoiceClip>> =
        lines.map(|line| app.world().resource::<AssetServer>().load(line)).into_iter().collect();
    until(&mut app, "the lines", |world| clips.iter().all(|clip| world.resource::<Assets<VoiceClip>>().contains(clip)));
    assert!(app.world().contains_resource::<AssetProcessor>());
    let loaded = app.world().resource::<Assets<VoiceClip>>();
    let written = |line: &&str| std::fs::metadata(processed.join(line)).unwrap().modified().unwrap();
    clips.iter().zip(&lines).map(|(clip, line)| (loaded.get(clip).unwrap().clone(), written(line))).collect()
}

#[test]
fn lines_are_baked_once_and_again_when_they_change() {
    let folder = tempfile::tempdir().unwrap();
    let assets = folder.path().join("assets");
    std::fs::create_dir(&assets).unwrap();
    write(&assets, "one.wav", 1.0);
    write(&assets, "two.wav", 2.0);
    let first = process(folder.path(), "model");
    for ((clip, _), seconds) in first.iter().zip([1.0, 2.0]) {
        let track = clip.track().expect("motion");
        assert!((track.end_seconds() - seconds).abs() < 0.1, "{}", track.end_seconds());
        assert!(track.iter().any(|(_, pose)| pose.weight(FaceChannel::JawOpen) > 0.3), "nothing moves");
        assert!((clip.seconds().unwrap() - seconds).abs() < 0.01, "its sound");
    }
    // The same as without processing.
    let expected = tiny_model().animate(&bursts(1.0)).unwrap();
    let jaw = |track: &talkie::animation::FaceTrack| {
        track.iter().map(|(_, pose)| pose.weight(FaceChannel::JawOpen)).collect::<Vec<_>>()
    };
    for (found, expected) in jaw(first[0].0.track().unwrap()).iter().zip(jaw(&expected)) {
        assert!((found - expected).abs() < 0.01);
    }
    let again = process(folder.path(), "model");
    assert_eq!(again[0].1, first[0].1);
    assert_eq!(again[1].1, first[1].1, "nothing changed, nothing is baked");
    write(&assets, "two.wav", 1.5);
    let changed = process(folder.path(), "model");
    assert_eq!(changed[0].1, first[0].1);
    assert!(changed[1].1 > first[1].1, "another sound is baked");
    assert!((changed[1].0.track().unwrap().end_seconds() - 1.5).abs() < 0.1);
    // The file says what it was made from.
    let bytes = std::fs::read(folder.path().join("imported/one.wav")).unwrap();
    let track = &bytes[12..12 + u32::from_le_bytes(bytes[8..12].try_into().unwrap()) as usize];
    let source = TrackSource::of_file(track).unwrap().expect("a source");
    let sound = std::fs::read(assets.join("one.wav")).unwrap();
    assert_eq!(source, TrackSource { sound: ContentHash::of([&sound[..]]), model: ContentHash::of([&b"model"[..]]) });
}
