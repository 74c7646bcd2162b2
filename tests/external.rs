//! Lines that another audio engine plays: one that is told what to do and tells where it is, and one that pulls samples.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::time::Duration;

use bevy::{platform::cell::SyncCell, prelude::*};
use bevy_talkie::{
    inference::wait_for_batches,
    prelude::*,
    talkie::audio::AudioClip,
    voice::{ExternalLine, LineSamples, OutputLatency, VoiceOutput},
};
use common::{FRAME, Log, add_clip, bursts, glb::Character, record_events, spawn_face, talking_app};

/// Samples count, so that what is played says when it was.
fn counting(seconds: f32) -> AudioClip {
    let samples = (0..(16_000.0 * seconds) as usize).map(|index| index as f32 * 1e-5).collect();
    AudioClip::from_samples(16_000, 1, samples).unwrap()
}

/// An engine that plays whole sounds.
#[derive(Component)]
struct Playing {
    seconds: f64,
    length: f64,
}

fn play_whole_sounds(mut lines: Query<(Entity, &mut ExternalLine, Option<&mut Playing>)>, mut commands: Commands) {
    for (entity, mut line, playing) in &mut lines {
        let Some(mut playing) = playing else {
            let length = line.sound().unwrap().seconds();
            commands.entity(entity).insert(Playing { seconds: 0.0, length });
            continue;
        };
        if let Some(seconds) = line.take_seek() {
            playing.seconds = seconds;
        }
        if !line.paused {
            playing.seconds += FRAME.as_secs_f64() * f64::from(line.speed);
        }
        line.report(playing.seconds);
        if playing.seconds >= playing.length && !line.looped {
            line.end();
        }
    }
}

/// An engine that pulls, in buffers of 10 ms.
#[derive(Component)]
struct Pulling {
    samples: SyncCell<LineSamples>,
    last: f32,
    due: f64,
}

fn pull_samples(mut lines: Query<(Entity, &mut ExternalLine, Option<&mut Pulling>)>, mut commands: Commands) {
    for (entity, mut line, pulling) in &mut lines {
        let Some(mut pulling) = pulling else {
            if let Some(samples) = line.take_samples() {
                assert_eq!((samples.channels(), samples.sample_rate()), (1, 16_000));
                commands.entity(entity).insert(Pulling { samples: SyncCell::new(samples), last: 0.0, due: 0.0 });
            }
            continue;
        };
        if !line.paused {
            pulling.due += FRAME.as_secs_f64();
        }
        while pulling.due >= 0.01 {
            pulling.due -= 0.01;
            for _ in 0..160 {
                match pulling.samples.get().next() {
                    Some(sample) => pulling.last = sample,
                    None => line.end(),
                }
            }
        }
    }
}

struct Stage {
    _folder: tempfile::TempDir,
    app: App,
    face: Entity,
    log: Log,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Character { shapes: &["mouthPucker", "jawOpen", "mouthClose"], ..default() }.write(folder.path(), "face.glb");
        let mut app = talking_app(folder.path());
        app.insert_resource(OutputLatency::fixed(Duration::ZERO));
        let log = record_events(&mut app);
        let face = spawn_face(&mut app, "face.glb");
        app.world_mut().get_mut::<VoiceSettings>(face).unwrap().output = VoiceOutput::External;
        Self { _folder: folder, app, face, log }
    }

    fn run(&mut self, frames: usize) {
        for _ in 0..frames {
            self.app.update();
            wait_for_batches(self.app.world());
        }
    }

    fn heard(&self) -> f64 {
        self.app.world().get::<Voice>(self.face).unwrap().heard_seconds()
    }

    fn say(&mut self, sound: AudioClip) {
        let (clip, face) = (add_clip(&mut self.app, sound), self.face);
        self.app.world_mut().commands().entity(face).say(clip);
    }

    fn voice(&mut self) -> Mut<'_, Voice> {
        self.app.world_mut().get_mut::<Voice>(self.face).unwrap()
    }

    fn lines(&mut self) -> usize {
        self.app.world_mut().query::<&ExternalLine>().iter(self.app.world()).count()
    }
}

#[test]
fn the_face_follows_an_engine_that_tells_where_it_is() {
    let mut stage = Stage::new();
    stage.app.add_systems(PreUpdate, play_whole_sounds);
    stage.say(bursts(4.0));
    stage.run(30);
    let engine = |stage: &mut Stage| {
        stage.app.world_mut().query::<&Playing>().single(stage.app.world()).map(|playing| playing.seconds).unwrap()
    };
    let together = |stage: &mut Stage, frames: usize| {
        for _ in 0..frames {
            stage.run(1);
            let (shown, played) = (stage.heard(), engine(stage));
            assert!((shown - played).abs() < 0.02, "{shown} is shown while {played} is played");
        }
    };
    together(&mut stage, 30);
    stage.voice().pause();
    stage.run(5);
    let stood = stage.heard();
    stage.run(20);
    assert_eq!(stage.heard(), stood);
    stage.voice().resume();
    stage.run(2);
    together(&mut stage, 20);
    stage.voice().seek(3.0);
    stage.run(2);
    assert!(engine(&mut stage) >= 3.0);
    together(&mut stage, 10);
    stage.app.world_mut().get_mut::<VoiceSettings>(stage.face).unwrap().speed = 0.5;
    stage.run(5);
    together(&mut stage, 10);
    stage.run(150);
    assert_eq!(stage.log.of(stage.face), ["started", "finished"]);
    assert_eq!(stage.lines(), 0, "what is over is not played");
}

#[test]
fn the_face_follows_an_engine_that_pulls_clips_and_streams() {
    let mut stage = Stage::new();
    stage.app.add_systems(PreUpdate, pull_samples);
    stage.say(counting(2.0));
    stage.run(30);
    let together = |stage: &mut Stage, frames: usize| {
        for _ in 0..frames {
            stage.run(1);
            let last = stage.app.world_mut().query::<&Pulling>().single(stage.app.world()).unwrap().last;
            let (shown, played) = (stage.heard(), f64::from(last) * 1e5 / 16_000.0);
            assert!((shown - played).abs() < 0.025, "{shown} is shown while {played} is played");
        }
    };
    together(&mut stage, 30);
    stage.voice().seek(0.2);
    stage.run(3);
    together(&mut stage, 20);
    stage.run(120);
    assert_eq!(stage.log.of(stage.face), ["started", "finished"]);

    let sound = counting(3.0);
    let voice = VoiceStream::speech(16_000, 1);
    let face = stage.face;
    stage.app.world_mut().commands().entity(face).start(&voice);
    voice.push(&sound.samples()[..16_000]);
    stage.run(30);
    together(&mut stage, 20);
    stage.run(60);
    let stood = stage.heard();
    assert!((0.8..=1.0).contains(&stood), "it ran dry at {stood}");
    voice.push(&sound.samples()[16_000..]);
    voice.finish();
    stage.run(10);
    together(&mut stage, 30);
    // It is cut off, and its loudness falls before it is taken away.
    stage.app.world_mut().commands().entity(face).interrupt(Duration::from_millis(100));
    stage.run(3);
    let volume = stage.app.world_mut().query::<&ExternalLine>().single(stage.app.world()).unwrap().volume;
    assert!(volume > 0.0 && volume < 0.9, "{volume}");
    stage.run(10);
    assert_eq!(stage.lines(), 0);
}

#[test]
fn a_line_that_no_engine_plays_is_spoken_all_the_same() {
    let mut stage = Stage::new();
    stage.say(bursts(0.5));
    stage.run(120);
    assert_eq!(stage.log.of(stage.face), ["started", "finished"]);
    assert_eq!(stage.lines(), 0);
}

#[test]
fn an_engine_knows_better_than_the_device_how_late_it_is_and_the_game_better_than_both() {
    for (fixed, behind) in [(None, 0.1), (Some(200), 0.2)] {
        let mut stage = Stage::new();
        let fixed = fixed.map(|latency| OutputLatency::fixed(Duration::from_millis(latency)));
        stage.app.insert_resource(fixed.unwrap_or_default());
        let tell = |mut lines: Query<&mut ExternalLine>| {
            lines.iter_mut().for_each(|mut line| line.set_latency(Duration::from_millis(100)));
        };
        stage.app.add_systems(PreUpdate, (tell, play_whole_sounds).chain());
        stage.say(bursts(4.0));
        stage.run(60);
        for _ in 0..30 {
            stage.run(1);
            let played = stage.app.world_mut().query::<&Playing>().single(stage.app.world()).unwrap().seconds;
            let late = played - stage.heard();
            assert!((late - behind).abs() < 0.02, "{late} s behind the engine, {behind} wanted");
        }
    }
}
