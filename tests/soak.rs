//! A long conversation in manual time: one face follows a microphone with a clock of its own, the other answers in streams, is
//! interrupted and runs dry. Nothing drifts, nothing grows, no mouth stays open.
//!
//! A minute by default; `TALKIE_SOAK_SECONDS=28800 cargo test --test soak -- --nocapture` makes it eight hours.
//!
//! A file of its own, since it replaces the allocator of its process.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;
#[path = "common/heap.rs"]
mod heap;

use std::time::{Duration, Instant};

use bevy::prelude::*;
use bevy_talkie::{
    inference::wait_for_batches,
    prelude::*,
    voice::{
        LiveLatency,
        microphone::{VirtualDevice, VirtualMicrophone},
    },
};
use common::{FRAME, add_tiny_model, bursts, glb::Character, spawn_face, talking_app, until, weights};

#[test]
fn a_long_conversation_neither_drifts_nor_grows_nor_leaves_a_mouth_open() {
    let seconds = std::env::var("TALKIE_SOAK_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(60.0);
    let folder = tempfile::tempdir().unwrap();
    Character { shapes: &["mouthPucker", "jawOpen", "mouthClose"], ..default() }.write(folder.path(), "face.glb");
    let mut app = talking_app(folder.path());
    let device = VirtualMicrophone::new(
        bursts(9.7),
        VirtualDevice { jitter: Duration::from_millis(12), drift_ppm: 200.0, looped: true, ..default() },
    );
    app.insert_resource(Microphones::new(device.clone()));
    let (listener, speaker) = (spawn_face(&mut app, "face.glb"), spawn_face(&mut app, "face.glb"));
    let live_model = add_tiny_model(&mut app);
    app.world_mut().get_mut::<TalkingFace>(listener).unwrap().live_model = live_model;
    app.world_mut().entity_mut(listener).insert(Microphone::default());
    until(&mut app, "the microphone", |world| world.get::<MicrophoneState>(listener).unwrap().is_open());

    let answer = bursts(3.0);
    let mut random = 7_u32;
    let mut chance = move || {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        random >> 8
    };
    let frames = (seconds / FRAME.as_secs_f64()) as u64;
    let (mut stream, mut sent) = (VoiceStream::speech(24_000, 1), answer.samples().len());
    let (mut worst_lag, mut in_callback, mut answers, mut cut_off) = (0.0_f64, 0, 0, 0);
    let (mut in_use, mut resident) = (Vec::new(), Vec::new());
    let mut rested = 0;
    let begun = Instant::now();
    for frame in 0..frames {
        // What the callback of a device does.
        let before = heap::allocations();
        device.advance(FRAME);
        in_callback += heap::allocations() - before;
        match chance() % 4_000 {
            0 => device.drop_out(Duration::from_millis(u64::from(chance() % 500))),
            1 => device.unplug(),
            _ => {}
        }
        if chance() % 120 == 0 {
            device.plug_in();
        }
        // A server that is faster than speech, with gaps, and hangs up or is cut off now and then.
        if app.world().get::<Voice>(speaker).unwrap().is_idle() && chance() % 60 == 0 {
            stream = VoiceStream::speech(24_000, 1);
            sent = 0;
            answers += 1;
            app.world_mut().commands().entity(speaker).start(&stream);
        }
        if sent < answer.samples().len() && chance() % 3 == 0 {
            let end = (sent + (chance() % 4_000) as usize).min(answer.samples().len());
            stream.push(&answer.samples()[sent..end]);
            sent = end;
            if sent == answer.samples().len() {
                stream.finish();
            }
        }
        if chance() % 900 == 0 {
            app.world_mut().commands().entity(speaker).interrupt(Duration::from_millis(80));
            cut_off += 1;
        }
        app.update();
        wait_for_batches(app.world());
        let voice = app.world().get::<Voice>(listener).unwrap();
        if voice.is_speaking()
            && let Some(track) = voice.track()
        {
            worst_lag = worst_lag.max(track.end_seconds() - voice.heard_seconds());
        }
        if app.world().get::<Voice>(speaker).unwrap().is_idle() {
            rested += u64::from(weights(app.world(), speaker)[1] == 0.0);
        }
        // Ten looks at the memory, after a time in which everything has happened once.
        if frame >= frames / 5 && frame % (frames / 10).max(1) == 0 {
            in_use.push(heap::bytes_in_use());
            // The engine has a heap of its own.
            resident.extend(heap::resident_bytes());
        }
    }
    device.unplug();
    app.world_mut().commands().entity(speaker).interrupt(Duration::from_millis(80));
    for _ in 0..60 {
        app.update();
        wait_for_batches(app.world());
    }
    for face in [listener, speaker] {
        assert_eq!(weights(app.world(), face), [0.0; 3], "a mouth stays open");
    }
    let queued = app.world().resource::<LiveLatency>().queued_seconds;
    let growth = in_use.iter().max().unwrap() - in_use.iter().min().unwrap();
    println!(
        "{seconds} s in {:.1} s: {answers} answers, {cut_off} interruptions, at most {:.1} ms behind the newest pose, {queued} s queued, \
         memory within {} kB of {} kB, of the process {} kB, {in_callback} allocations in callbacks, {rested} frames at rest",
        begun.elapsed().as_secs_f64(),
        worst_lag * 1e3,
        growth / 1024,
        in_use[0] / 1024,
        resident.last().zip(resident.first()).map_or(0, |(last, first)| (last - first) / 1024),
    );
    assert!(answers > 3 && rested > 100);
    assert!(worst_lag <= 0.0601, "{worst_lag} s behind: more than a frame beyond what a live voice may be");
    assert!(queued < 0.1, "{queued} s wait");
    assert_eq!(in_callback, 0, "a callback allocated");
    assert!(growth < 1 << 20, "memory grew by {growth} bytes: {in_use:?}");
    let grown = resident.last().zip(resident.first()).map_or(0, |(last, first)| last - first);
    assert!(grown < 8 << 20, "the process grew by {grown} bytes: {resident:?}");
}
