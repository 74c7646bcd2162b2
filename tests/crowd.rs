//! A crowd comes and goes: nobody starves, nothing grows.
//!
//! Half a minute by default; `TALKIE_SOAK_SECONDS=3600 cargo test --test crowd -- --nocapture` makes it an hour.
//!
//! A file of its own, since it replaces the allocator of its process.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;
#[path = "common/heap.rs"]
mod heap;

use std::{collections::HashMap, time::Duration};

use bevy::{
    mesh::{PrimitiveTopology, morph::MorphWeights},
    prelude::*,
};
use bevy_talkie::{
    inference::{InferenceStats, wait_for_batches},
    prelude::*,
};
use common::{FRAME, add_clip, add_tiny_model, bursts, talking_app};

/// How many there are at most.
const CROWD: usize = 100;
/// Nobody who is to be animated by a network may be without poses for so many seconds.
const PATIENCE: f64 = 0.5;

struct Chance(u32);

impl Chance {
    fn below(&mut self, count: u32) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) % count
    }
}

/// So many bytes more may be left of thousands that came and went: room that was made for a crowd that was a little larger.
const LEFT: isize = 100_000;

/// So many bytes more the process may occupy, which goes up and down with the pieces that allocators keep. An hour made it 150 MB more
/// when the engine lost something with every batch of a new size.
const PROCESS: isize = 16 << 20;

/// A speaker, what it streams, and how much of that was pushed.
struct Speaker {
    face: Entity,
    stream: Option<VoiceStream>,
    pushed: usize,
}

#[test]
fn a_hundred_who_come_and_go_neither_starve_nor_leak() {
    let seconds = std::env::var("TALKIE_SOAK_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(30.0);
    let folder = tempfile::tempdir().unwrap();
    let mut app = talking_app(folder.path());
    let model = add_tiny_model(&mut app);
    let live_model = add_tiny_model(&mut app);
    let shapes: Vec<String> = ["mouthPucker", "jawOpen", "mouthClose"].map(String::from).to_vec();
    let mut mesh = Mesh::new(PrimitiveTopology::TriangleList, default());
    mesh.set_morph_target_names(shapes);
    let mesh = app.world_mut().resource_mut::<Assets<Mesh>>().add(mesh);
    let sound = bursts(40.0);
    let clips = [0.4, 2.0, 9.0, 40.0].map(|seconds| add_clip(&mut app, bursts(seconds)));
    let mut chance = Chance(7);
    let mut speakers: Vec<Speaker> = Vec::new();
    let mut without: HashMap<Entity, f64> = HashMap::new();
    let (mut worst, mut said, mut came) = (0.0_f64, 0, 0);
    // The most for each while they speak, and what is left when all have gone: in use, and of the process.
    let (mut most, mut left, mut resident) = (0, Vec::new(), Vec::new());
    let frames = (seconds / FRAME.as_secs_f64()) as usize;
    for frame in 0..frames {
        // Somebody comes, somebody goes. At first all come: Bevy's tables grow by doubling, and keep their room.
        let is_due = frame < CROWD || speakers.len() < CROWD / 2 || chance.below(10) == 0;
        if speakers.len() < CROWD && is_due {
            came += 1;
            let weights = MorphWeights::new(vec![0.0; 3], Some(mesh.clone())).unwrap();
            let talking = TalkingFace { model: model.clone(), live_model: live_model.clone(), ..default() };
            let face = app.world_mut().spawn((talking, FaceDetail::default())).id();
            app.world_mut().spawn((weights, Transform::default(), ChildOf(face)));
            speakers.push(Speaker { face, stream: None, pushed: 0 });
        }
        if chance.below(12) == 0 && !speakers.is_empty() {
            let gone = speakers.swap_remove(chance.below(speakers.len() as u32) as usize);
            app.world_mut().entity_mut(gone.face).despawn();
            without.remove(&gone.face);
        }
        for speaker in &mut speakers {
            if let Some(stream) = &speaker.stream {
                let end = (speaker.pushed + chance.below(900) as usize).min(sound.samples().len());
                stream.push(&sound.samples()[speaker.pushed..end]);
                speaker.pushed = end;
                if end == sound.samples().len() || chance.below(300) == 0 {
                    stream.finish();
                    speaker.stream = None;
                }
            }
            match chance.below(900) {
                0..30 if app.world().get::<Voice>(speaker.face).unwrap().is_idle() => {
                    said += 1;
                    let kind = chance.below(4);
                    let mut commands = app.world_mut().commands();
                    let mut commands = commands.entity(speaker.face);
                    if kind > 1 {
                        commands.say(clips[chance.below(4) as usize].clone());
                    } else {
                        let stream =
                            if kind == 0 { VoiceStream::live(24_000, 1) } else { VoiceStream::speech(24_000, 1) };
                        commands.start(&stream);
                        (speaker.stream, speaker.pushed) = (Some(stream), 0);
                    }
                }
                30..33 => {
                    app.world_mut().commands().entity(speaker.face).interrupt(Duration::from_millis(80));
                    speaker.stream = None;
                }
                33..36 => {
                    let detail = FaceDetail::ALL[chance.below(5) as usize];
                    *app.world_mut().get_mut::<FaceDetail>(speaker.face).unwrap() = detail;
                }
                _ => {}
            }
        }
        app.update();
        // Time goes as fast as the machine lets it: batches keep pace.
        wait_for_batches(app.world());
        for speaker in &speakers {
            let (voice, detail) =
                (app.world().get::<Voice>(speaker.face).unwrap(), app.world().get::<FaceDetail>(speaker.face).unwrap());
            let starves = voice.is_speaking()
                && detail.has_network()
                && voice.track().is_some_and(|track| track.end_seconds() < voice.heard_seconds() - 0.05);
            let lack = without.entry(speaker.face).or_default();
            *lack = if starves { *lack + FRAME.as_secs_f64() } else { 0.0 };
            worst = worst.max(*lack);
        }
        if speakers.len() >= CROWD / 2 {
            most = most.max(heap::bytes_in_use() / speakers.len() as isize);
        }
        // Now and then all of them go, in the middle of what they say.
        if (frame + 1) % (frames / 5).max(1) == 0 {
            for speaker in speakers.drain(..) {
                app.world_mut().entity_mut(speaker.face).despawn();
            }
            without.clear();
            for _ in 0..10 {
                app.update();
                wait_for_batches(app.world());
            }
            assert_eq!(app.world_mut().query::<&Voice>().iter(app.world()).count(), 0);
            left.push(heap::bytes_in_use());
            // The engine has a heap of its own.
            resident.extend(heap::resident_bytes());
        }
    }
    let stats = *app.world().resource::<InferenceStats>();
    println!(
        "{came} came, {said} lines, {} batches, {:.0} s animated with a factor of {:.4}; the longest without poses {worst:.2} s; \
         at most {most} bytes for each; bytes when all have gone: {left:?}, of the process {resident:?}",
        stats.batches,
        stats.seconds_animated,
        stats.real_time_factor(),
    );
    assert!(said > 50 && came > CROWD / 2, "{said} lines of {came} speakers");
    assert!(worst < PATIENCE, "somebody was without poses for {worst} s");
    assert!(most < 1 << 20, "{most} bytes for each");
    // What one run of them made room for, the next ones use: a kilobyte of each would be seen.
    let (first, last) = (left[1], left[left.len() - 1]);
    assert!(last - first < LEFT, "it grows: {left:?}");
    let grown = resident.last().zip(resident.get(1)).map_or(0, |(last, first)| last - first);
    assert!(grown < PROCESS, "the process grows: {resident:?}");
}
