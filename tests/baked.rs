//! Lines that bring their motion along.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::path::Path;

use bevy::prelude::*;
use bevy_talkie::{
    inference::InferenceStats,
    prelude::*,
    talkie::{
        animation::{self, ContentHash, FrameRate, TrackSource},
        audio::AudioClip,
    },
    voice::FaceTrack,
};
use common::{bursts, glb::Character, spawn_face, talking_app, until, weights};

/// A sound file, and a track beside it that opens the jaw further and further.
fn write(folder: &Path, name: &str, seconds: f32) -> (AudioClip, animation::FaceTrack) {
    let sound = bursts(seconds);
    let mut writer = hound::WavWriter::create(
        folder.join(format!("{name}.wav")),
        hound::WavSpec {
            channels: 1,
            sample_rate: 24_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        },
    )
    .unwrap();
    sound.samples().iter().for_each(|sample| writer.write_sample((sample * 32_767.0) as i16).unwrap());
    writer.finalize().unwrap();
    let mut track = animation::FaceTrack::new(FrameRate::per_second(60));
    for frame in 0..(seconds * 60.0) as usize {
        let mut pose = FacePose::default();
        pose.set(FaceChannel::JawOpen, frame as f32 / (seconds * 60.0));
        track.push(pose);
    }
    let bytes = std::fs::read(folder.join(format!("{name}.wav"))).unwrap();
    let source = TrackSource { sound: ContentHash::of([&bytes[..]]), model: ContentHash::of([]) };
    std::fs::write(folder.join(format!("{name}.facetrack")), track.to_bytes(Some(source)).unwrap()).unwrap();
    (sound, track)
}

fn stage(folder: &Path) -> (App, Entity) {
    Character { shapes: &["mouthPucker", "jawOpen", "mouthClose"], ..default() }.write(folder, "face.glb");
    let mut app = talking_app(folder);
    let face = spawn_face(&mut app, "face.glb");
    (app, face)
}

fn say(app: &mut App, face: Entity, path: &str) -> Handle<VoiceClip> {
    let clip = app.world().resource::<AssetServer>().load(path.to_owned());
    app.world_mut().commands().entity(face).say(clip.clone());
    until(app, "the line", |world| world.get::<Voice>(face).unwrap().is_speaking());
    clip
}

#[test]
fn motion_beside_a_sound_is_shown_without_a_network() {
    let folder = tempfile::tempdir().unwrap();
    let (_, track) = write(folder.path(), "line", 3.0);
    let (mut app, face) = stage(folder.path());
    say(&mut app, face, "line.wav");
    for _ in 0..150 {
        app.update();
        let voice = app.world().get::<Voice>(face).unwrap();
        let expected = track.sample_seconds(voice.heard_seconds()).weight(FaceChannel::JawOpen);
        assert!((weights(app.world(), face)[1] - expected).abs() < 0.005, "at {}", voice.heard_seconds());
    }
    assert_eq!(app.world().resource::<InferenceStats>().batches, 0);
    until(&mut app, "its end", |world| world.get::<Voice>(face).unwrap().is_idle());
}

#[test]
fn a_line_that_is_repeated_or_sought_in_keeps_its_motion() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "line", 2.0);
    let (mut app, face) = stage(folder.path());
    app.world_mut().get_mut::<VoiceSettings>(face).unwrap().looped = true;
    say(&mut app, face, "line.wav");
    let mut widest_early = 0.0_f32;
    for _ in 0..360 {
        app.update();
        let heard = app.world().get::<Voice>(face).unwrap().heard_seconds() % 2.0;
        let jaw = weights(app.world(), face)[1];
        if (0.1..1.9).contains(&heard) {
            assert!((jaw - heard as f32 / 2.0).abs() < 0.01, "{jaw} at {heard} of a round");
        }
        widest_early = widest_early.max(if heard < 0.5 { jaw } else { 0.0 });
    }
    assert!(app.world().get::<Voice>(face).unwrap().heard_seconds() > 4.0);
    app.world_mut().get_mut::<Voice>(face).unwrap().seek(1.0);
    app.update();
    app.update();
    assert!((weights(app.world(), face)[1] - 0.5).abs() < 0.05);
    assert_eq!(app.world().resource::<InferenceStats>().batches, 0);
}

#[test]
fn motion_that_cannot_be_used_leaves_the_line_to_the_network() {
    let folder = tempfile::tempdir().unwrap();
    let (mut app, face) = stage(folder.path());
    for name in ["damaged", "other"] {
        write(folder.path(), name, 1.0);
    }
    let path = folder.path().join("damaged.facetrack");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[60] ^= 0x55;
    std::fs::write(path, bytes).unwrap();
    // The motion of another sound.
    write(folder.path(), "longer", 1.5);
    std::fs::copy(folder.path().join("longer.facetrack"), folder.path().join("other.facetrack")).unwrap();
    for name in ["damaged", "other"] {
        let before = app.world().resource::<InferenceStats>().batches;
        let clip = say(&mut app, face, &format!("{name}.wav"));
        assert!(app.world().resource::<Assets<VoiceClip>>().get(&clip).unwrap().track().is_none(), "{name}");
        until(&mut app, "its end", |world| world.get::<Voice>(face).unwrap().is_idle());
        assert!(app.world().resource::<InferenceStats>().batches > before, "{name}");
    }
}

#[test]
fn a_track_is_an_asset_that_can_be_given_to_any_line() {
    let folder = tempfile::tempdir().unwrap();
    let (sound, track) = write(folder.path(), "line", 1.0);
    let (mut app, face) = stage(folder.path());
    let handle: Handle<FaceTrack> = app.world().resource::<AssetServer>().load("line.facetrack");
    until(&mut app, "the track", |world| world.resource::<Assets<FaceTrack>>().get(&handle).is_some());
    let loaded = app.world().resource::<Assets<FaceTrack>>().get(&handle).unwrap().0.clone();
    assert_eq!(loaded.len(), track.len());
    let clip = VoiceClip::new(sound).with_track(loaded);
    let clip = app.world_mut().resource_mut::<Assets<VoiceClip>>().add(clip);
    app.world_mut().commands().entity(face).say(clip);
    until(&mut app, "the line", |world| world.get::<Voice>(face).unwrap().is_speaking());
    assert_eq!(app.world().resource::<InferenceStats>().batches, 0);
}
