//! From air to face in 50 milliseconds: a virtual microphone in real time, an app at 60 frames a second, the shipped network.
//!
//! A file of its own, so that nothing else runs beside it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::{
    thread,
    time::{Duration, Instant},
};

use bevy::{prelude::*, time::TimeUpdateStrategy};
use bevy_talkie::{
    inference::LIVE_MODEL,
    prelude::*,
    talkie::audio::AudioClip,
    voice::{
        LiveLatency,
        microphone::{VirtualDevice, VirtualMicrophone},
    },
};
use common::{assets, glb::Character, spawn_face, talking_app, until};

const FRAME: Duration = Duration::from_nanos(16_666_667);

#[test]
fn a_face_shows_what_entered_the_microphone_within_50_milliseconds() {
    let folder = tempfile::tempdir().unwrap();
    let shapes: Vec<&str> = FaceChannel::ALL.iter().map(|channel| channel.name()).collect();
    Character { shapes: &shapes, ..default() }.write(folder.path(), "face.glb");
    let mut app = talking_app(folder.path());
    let face = spawn_face(&mut app, "face.glb");
    until(&mut app, "the network for live voices", |world| world.resource::<Assets<FaceModel>>().contains(&LIVE_MODEL));
    app.insert_resource(TimeUpdateStrategy::Automatic);
    let speech = AudioClip::decode(std::fs::read(assets().join("voices/01_ada.ogg")).unwrap()).unwrap();
    let device = VirtualDevice { looped: true, ..VirtualDevice::default() };
    let microphone = VirtualMicrophone::new(speech, device);
    app.insert_resource(Microphones::new(microphone.clone()));
    app.world_mut().entity_mut(face).insert(Microphone::default());
    microphone.run();
    let mut next = Instant::now();
    let mut work = Vec::new();
    for frame in 0..60 * 12 {
        let begin = Instant::now();
        app.update();
        work.push(begin.elapsed());
        next += FRAME;
        thread::sleep(next.saturating_duration_since(Instant::now()));
        if frame == 120 {
            // What it took to begin is not what it takes to go on.
            *app.world_mut().resource_mut::<LiveLatency>() = LiveLatency::default();
        }
    }
    let latency = app.world().resource::<LiveLatency>();
    assert!(latency.total.len() > 400, "the face hardly moved: {} frames", latency.total.len());
    for (name, part) in
        [("all", &latency.total), ("to its poses", &latency.computing), ("to its frame", &latency.showing)]
    {
        let at = |percent: f64| part.percentile(percent / 100.0).as_secs_f64() * 1e3;
        println!("{name}: p50 {:.1} ms, p95 {:.1} ms, p99 {:.1} ms", at(50.0), at(95.0), at(99.0));
    }
    work.sort_unstable();
    println!("a frame of the app: {:.2} ms", work[work.len() / 2].as_secs_f64() * 1e3);
    assert!(app.world().get::<MicrophoneState>(face).unwrap().dropped_frames() == 0);
    let p95 = latency.total.percentile(0.95);
    assert!(p95 <= Duration::from_millis(50), "95 % within {p95:?}");
}
