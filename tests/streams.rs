//! Speech that comes in pieces: played, waited for, hinted at, cut off; and the one clock of clips, streams and live voices.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::{cell::RefCell, time::Duration};

use bevy::prelude::*;
use bevy_talkie::{
    inference::wait_for_batches,
    prelude::*,
    talkie::{
        animation::{HintKind, SpeechHint},
        audio::AudioClip,
    },
};
use common::{
    FRAME, Log, add_clip, add_tiny_model, bursts, glb::Character, record_events, spawn_face, talking_app, tiny_model,
    until, weights,
};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

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
        let log = record_events(&mut app);
        let under = log.clone();
        app.add_observer(move |dry: On<SpeechUnderrun>| {
            under.0.lock().unwrap().push((dry.entity, "underrun".into()));
        });
        let face = spawn_face(&mut app, "face.glb");
        Self { _folder: folder, app, face, log }
    }

    fn start(&mut self, voice: &VoiceStream) {
        let face = self.face;
        self.app.world_mut().commands().entity(face).start(voice);
    }

    fn say(&mut self, sound: AudioClip) {
        let (clip, face) = (add_clip(&mut self.app, sound), self.face);
        self.app.world_mut().commands().entity(face).say(clip);
    }

    fn frame(&mut self) {
        self.app.update();
        wait_for_batches(self.app.world());
    }

    fn run(&mut self, seconds: f32) {
        (0..(seconds / FRAME.as_secs_f32()).round() as usize).for_each(|_| self.frame());
    }

    /// Frames until something holds.
    #[track_caller]
    fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        for _ in 0..2_000 {
            if holds(self) {
                return;
            }
            self.frame();
        }
        panic!("waited in vain: {what}");
    }

    fn voice(&self) -> &Voice {
        self.app.world().get::<Voice>(self.face).unwrap()
    }

    fn voice_mut(&mut self) -> Mut<'_, Voice> {
        self.app.world_mut().get_mut::<Voice>(self.face).unwrap()
    }

    fn jaw(&self) -> f32 {
        weights(self.app.world(), self.face)[1]
    }

    fn said(&self) -> Vec<String> {
        self.log.of(self.face)
    }
}

/// The jaw that the small network gives at a moment of a sound.
fn jaw_at(sound: &AudioClip) -> impl Fn(f64) -> f32 + use<> {
    let track = tiny_model().animate(sound).unwrap();
    move |seconds| {
        let mut pose = track.sample_seconds(seconds);
        Animator::default().apply(&mut pose);
        pose.weight(FaceChannel::JawOpen)
    }
}

#[test]
fn a_stream_moves_the_face_as_the_same_clip_does_however_it_is_cut() {
    let sound = bursts(1.6);
    let wanted = jaw_at(&sound);
    for size in [1, 37, 480, 4_800, usize::MAX] {
        let mut stage = Stage::new();
        let voice = VoiceStream::speech(sound.sample_rate(), 1);
        stage.start(&voice);
        sound.samples().chunks(size.min(sound.samples().len())).for_each(|piece| voice.push(piece));
        voice.finish();
        stage.until("the speech to start", |stage| stage.voice().is_speaking());
        let (mut frames, mut widest) = (0, 0.0_f32);
        while stage.voice().is_speaking() {
            let (heard, jaw) = (stage.voice().heard_seconds(), stage.jaw());
            assert!((wanted(heard) - jaw).abs() < 1.01e-4, "pieces of {size}: {jaw} at {heard}");
            (frames, widest) = (frames + 1, widest.max(jaw));
            stage.frame();
        }
        assert!((90..=98).contains(&frames), "{frames} frames");
        assert!(widest > 0.3);
        stage.run(0.4);
        assert_eq!(stage.jaw(), 0.0);
        assert_eq!(stage.said(), ["started", "finished"]);
    }
}

#[test]
fn sound_and_face_wait_together_where_a_stream_is_late() {
    let mut stage = Stage::new();
    let sound = bursts(2.0);
    let wanted = jaw_at(&sound);
    let voice = VoiceStream::speech(sound.sample_rate(), 1);
    stage.start(&voice);
    let (first, rest) = sound.samples().split_at(24_000);
    voice.push(first);
    stage.until("the underrun", |stage| stage.said().contains(&"underrun".to_owned()));
    let stopped = stage.voice().heard_seconds();
    assert!(stopped > 0.8 && stopped <= 1.0, "{stopped}");
    stage.run(0.5);
    assert_eq!(stage.voice().heard_seconds(), stopped, "it waits");
    assert_eq!(stage.jaw(), 0.0, "with a closed mouth");
    // Too little to go on with.
    voice.push(&rest[..240]);
    stage.run(0.2);
    assert_eq!(stage.voice().heard_seconds(), stopped);
    voice.push(&rest[240..]);
    stage.frame();
    stage.frame();
    let mut widest = 0.0_f32;
    while stage.voice().heard_seconds() < 1.9 {
        let (heard, jaw) = (stage.voice().heard_seconds(), stage.jaw());
        assert!(heard > stopped && (wanted(heard) - jaw).abs() < 1.01e-4, "{jaw} at {heard}");
        widest = widest.max(jaw);
        stage.frame();
    }
    assert!(widest > 0.3);
    // Nothing more, and nobody says that it was all: it waits again, and says so again.
    stage.run(1.0);
    assert_eq!(stage.said(), ["started", "underrun", "underrun"]);
    voice.finish();
    stage.until("the end", |stage| stage.voice().is_idle());
    assert_eq!(stage.said(), ["started", "underrun", "underrun", "finished"]);
}

#[test]
fn a_stream_in_real_time_never_runs_dry_after_its_first_quarter_second() {
    let mut stage = Stage::new();
    let sound = bursts(3.0);
    let voice = VoiceStream::speech(sound.sample_rate(), 1);
    stage.start(&voice);
    for piece in sound.samples().chunks(400) {
        voice.push(piece);
        stage.frame();
    }
    voice.finish();
    stage.until("the end", |stage| stage.voice().is_idle());
    assert_eq!(stage.said(), ["started", "finished"]);
}

#[test]
fn barging_in_closes_the_mouth_within_a_tenth_of_a_second() {
    let mut stage = Stage::new();
    let voice = VoiceStream::speech(24_000, 1);
    stage.start(&voice);
    voice.push(bursts(5.0).samples());
    stage.until("an open mouth", |stage| stage.jaw() > 0.3);
    let face = stage.face;
    stage.app.world_mut().commands().entity(face).interrupt(Duration::from_millis(80));
    let start = stage.jaw();
    let closing: Vec<f32> = (0..6)
        .map(|_| {
            stage.frame();
            stage.jaw()
        })
        .collect();
    assert!(closing[0] > 0.6 * start && closing[1] > 0.3 * start, "it snaps shut: from {start} to {closing:?}");
    assert_eq!(stage.jaw(), 0.0);
    assert!(voice.is_closed(), "whoever makes the sound can stop");
    voice.push(&[0.5; 4_800]);
    stage.run(0.3);
    assert_eq!(stage.jaw(), 0.0);
    assert!(stage.said()[1].starts_with("interrupted at "), "{:?}", stage.said());
    // The next one can speak at once.
    let next = VoiceStream::speech(24_000, 1);
    stage.start(&next);
    next.push(bursts(0.5).samples());
    next.finish();
    stage.frame();
    stage.until("the next to end", |stage| stage.voice().is_idle());
    assert_eq!(stage.said()[2..], ["started", "finished"]);
}

#[test]
fn streams_that_wait_or_lose_their_face_are_closed() {
    let mut stage = Stage::new();
    let (first, second, third) =
        (VoiceStream::speech(24_000, 1), VoiceStream::speech(24_000, 1), VoiceStream::live(24_000, 1));
    stage.start(&first);
    stage.start(&second);
    stage.run(0.1);
    let face = stage.face;
    stage.app.world_mut().commands().entity(face).interrupt(Duration::ZERO);
    stage.run(0.1);
    assert!(first.is_closed() && second.is_closed() && !third.is_closed());
    stage.start(&third);
    stage.run(0.1);
    stage.app.world_mut().entity_mut(face).despawn();
    assert!(third.is_closed());
}

#[test]
fn hints_close_the_lips_whatever_the_network_heard() {
    let mut stage = Stage::new();
    let sound = bursts(2.0);
    let voice = VoiceStream::speech(sound.sample_rate(), 1);
    stage.start(&voice);
    let hint = |start_seconds, end_seconds, phone: &str| SpeechHint {
        start_seconds,
        end_seconds,
        kind: HintKind::Phone(phone.into()),
    };
    voice.hint(hint(0.5, 0.6, "P")).unwrap();
    voice.hint(hint(1.2, 1.26, "AA")).unwrap();
    assert!(voice.hint(hint(1.0, 0.5, "P")).is_err(), "backwards");
    assert!(voice.hint(hint(f64::NAN, 0.5, "P")).is_err());
    voice.push(sound.samples());
    voice.finish();
    stage.until("the speech to start", |stage| stage.voice().is_speaking());
    let (mut closed, mut open) = (0, 0.0_f32);
    while stage.voice().is_speaking() {
        let (heard, shown) = (stage.voice().heard_seconds(), weights(stage.app.world(), stage.face));
        if (0.5..0.6).contains(&heard) {
            assert!(shown[1] - shown[2] < 0.02, "{shown:?} at {heard}");
            closed += 1;
        } else if (1.2..1.26).contains(&heard) {
            open = open.max(shown[1] - shown[2]);
        }
        stage.frame();
    }
    assert!(closed >= 5 && open > 0.1, "{closed} frames closed, {open} open");
}

#[test]
fn a_pause_holds_sound_and_face_and_closes_the_mouth() {
    let mut stage = Stage::new();
    let sound = bursts(2.0);
    let wanted = jaw_at(&sound);
    stage.say(sound);
    stage.until("an open mouth", |stage| stage.jaw() > 0.3);
    stage.voice_mut().pause();
    stage.frame();
    let heard = stage.voice().heard_seconds();
    stage.run(0.5);
    assert_eq!(stage.voice().heard_seconds(), heard);
    assert_eq!(stage.jaw(), 0.0, "no mouth is left open");
    assert!(stage.voice().is_paused());
    stage.voice_mut().resume();
    stage.frame();
    stage.frame();
    let now = stage.voice().heard_seconds();
    assert!(now > heard && now < heard + 0.04);
    assert!((wanted(now) - stage.jaw()).abs() < 1.01e-4);
    stage.until("the end", |stage| stage.voice().is_idle());
    assert_eq!(stage.said(), ["started", "finished"]);
}

#[test]
fn the_face_shows_the_moment_that_was_sought() {
    let mut stage = Stage::new();
    let sound = bursts(45.0);
    let wanted = jaw_at(&sound);
    stage.say(sound);
    stage.until("speech to start", |stage| stage.voice().is_speaking());
    // Forward beyond what is animated, back beyond what is remembered, and a little.
    for goal in [40.0, 2.0, 2.5, 30.0] {
        stage.voice_mut().seek(goal);
        // The networks have some frames to catch up.
        stage.run(0.1);
        let mut widest = 0.0_f32;
        for _ in 0..30 {
            stage.frame();
            let (heard, jaw) = (stage.voice().heard_seconds(), stage.jaw());
            assert!((goal..goal + 1.0).contains(&heard), "{heard} after a seek to {goal}");
            assert!((wanted(heard) - jaw).abs() < 0.01, "{jaw} at {heard}, not {}", wanted(heard));
            widest = widest.max(jaw);
        }
        assert!(widest > 0.3, "nothing moves at {goal}");
    }
    stage.voice_mut().seek(f64::NAN);
    stage.voice_mut().seek(1e12);
    stage.until("the end", |stage| stage.voice().is_idle());
    assert_eq!(stage.said(), ["started", "finished"]);
}

#[test]
fn a_line_is_repeated_until_it_shall_not() {
    let mut stage = Stage::new();
    let sound = bursts(1.0);
    let wanted = jaw_at(&sound);
    stage.app.world_mut().get_mut::<VoiceSettings>(stage.face).unwrap().looped = true;
    stage.say(sound);
    stage.until("speech to start", |stage| stage.voice().is_speaking());
    for _ in 0..60 * 30 {
        stage.frame();
        let (heard, jaw) = (stage.voice().heard_seconds(), stage.jaw());
        let inside = heard % 1.0;
        // Around the seam the network hears the round before.
        if (0.2..0.8).contains(&inside) {
            assert!((wanted(inside) - jaw).abs() < 0.01, "{jaw} at {heard}");
        }
    }
    let heard = stage.voice().heard_seconds();
    assert!(heard > 29.0, "{heard}");
    stage.app.world_mut().get_mut::<VoiceSettings>(stage.face).unwrap().looped = false;
    let mut last = heard;
    for _ in 0..120 {
        stage.frame();
        if stage.voice().is_speaking() {
            last = stage.voice().heard_seconds();
        }
    }
    assert!(stage.voice().is_idle());
    assert!(last > heard && last <= heard.floor() + 1.0, "it ended at {last}");
    assert_eq!(stage.said(), ["started", "finished"]);
    // A line that is nearly over can still be repeated.
    stage.say(bursts(1.0));
    stage.until("the next line", |stage| stage.voice().is_speaking() && stage.voice().heard_seconds() > 0.7);
    stage.app.world_mut().get_mut::<VoiceSettings>(stage.face).unwrap().looped = true;
    stage.run(2.0);
    assert!(stage.voice().is_speaking() && stage.voice().heard_seconds() > 2.0);
    assert!(stage.voice().track().unwrap().end_seconds() > stage.voice().heard_seconds());
}

#[test]
fn speed_may_change_in_mid_line() {
    let mut stage = Stage::new();
    stage.say(bursts(4.0));
    stage.until("speech to start", |stage| stage.voice().is_speaking());
    for (speed, passed) in [(1.0, 0.5), (2.0, 1.0), (0.5, 0.25), (f32::NAN, 0.5), (-1.0, 0.0)] {
        stage.app.world_mut().get_mut::<VoiceSettings>(stage.face).unwrap().speed = speed;
        let before = stage.voice().heard_seconds();
        stage.run(0.5);
        let now = stage.voice().heard_seconds() - before;
        assert!((now - passed).abs() < 0.02, "{now} s at speed {speed}");
    }
}

#[test]
fn the_clocks_of_a_stream_and_of_a_clip_are_one() {
    // A stream can be paused too, and takes no notice of a seek.
    let mut stage = Stage::new();
    let voice = VoiceStream::speech(24_000, 1);
    stage.start(&voice);
    voice.push(bursts(2.0).samples());
    voice.finish();
    stage.until("speech to start", |stage| stage.voice().is_speaking());
    stage.run(0.3);
    stage.voice_mut().seek(1.9);
    stage.voice_mut().pause();
    stage.frame();
    let heard = stage.voice().heard_seconds();
    assert!(heard < 0.5, "{heard}");
    stage.run(0.3);
    assert_eq!(stage.voice().heard_seconds(), heard);
    stage.voice_mut().resume();
    stage.run(0.3);
    assert!((stage.voice().heard_seconds() - heard - 0.3).abs() < 0.02);
    until(&mut stage.app, "the end", |world| world.get::<Voice>(stage.face).unwrap().is_idle());
    assert_eq!(stage.said(), ["started", "finished"]);
}

/// What happens to a face, in the order in which it happens.
#[derive(Debug, Clone)]
enum Act {
    Start { live: bool },
    Push(u16),
    Finish,
    Say(u8),
    Interrupt(u8),
    Pause,
    Resume,
    Seek(u8),
    Looped(bool),
    Wait(u8),
    Despawn,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        3 => any::<bool>().prop_map(|live| Act::Start { live }),
        6 => (0_u16..20_000).prop_map(Act::Push),
        2 => Just(Act::Finish),
        2 => (1_u8..20).prop_map(Act::Say),
        2 => (0_u8..200).prop_map(Act::Interrupt),
        1 => Just(Act::Pause),
        1 => Just(Act::Resume),
        1 => any::<u8>().prop_map(Act::Seek),
        1 => any::<bool>().prop_map(Act::Looped),
        6 => (0_u8..20).prop_map(Act::Wait),
        1 => Just(Act::Despawn),
    ];
    prop::collection::vec(act, 1..16)
}

/// A thousand random sequences, half of them on each of two cores.
#[test]
fn whatever_happens_every_mouth_ends_at_rest() {
    std::thread::scope(|scope| {
        (0..2).for_each(|_| {
            scope.spawn(five_hundred_sequences);
        });
    });
}

/// Ten faces at a time.
fn five_hundred_sequences() {
    let mut stage = Stage::new();
    let live_model = add_tiny_model(&mut stage.app);
    let sound = bursts(4.0);
    let mut runner = TestRunner::new(Config { cases: 50, failure_persistence: None, ..Config::default() });
    let stage = RefCell::new(&mut stage);
    runner
        .run(&prop::collection::vec(acts(), 10), |sequences| {
            let app = &mut stage.borrow_mut().app;
            let faces: Vec<Entity> = sequences.iter().map(|_| spawn_face(app, "face.glb")).collect();
            for &face in &faces {
                app.world_mut().get_mut::<TalkingFace>(face).unwrap().live_model = live_model.clone();
            }
            let mut streams: Vec<Vec<VoiceStream>> = vec![Vec::new(); faces.len()];
            for step in 0..sequences.iter().map(Vec::len).max().unwrap_or(0) {
                for (index, &face) in faces.iter().enumerate() {
                    let Some(act) = sequences[index].get(step) else { continue };
                    if app.world().get_entity(face).is_err() {
                        continue;
                    }
                    let streams = &mut streams[index];
                    match act {
                        Act::Start { live } => {
                            let stream =
                                if *live { VoiceStream::live(24_000, 1) } else { VoiceStream::speech(24_000, 1) };
                            app.world_mut().commands().entity(face).start(&stream);
                            streams.push(stream);
                        }
                        Act::Push(count) => {
                            streams.iter().for_each(|stream| stream.push(&sound.samples()[..usize::from(*count)]));
                        }
                        Act::Finish => streams.iter().for_each(VoiceStream::finish),
                        Act::Say(tenths) => {
                            let clip = add_clip(app, bursts(f32::from(*tenths) / 10.0));
                            app.world_mut().commands().entity(face).say(clip);
                        }
                        Act::Interrupt(fade) => {
                            let fade = Duration::from_millis(u64::from(*fade));
                            app.world_mut().commands().entity(face).interrupt(fade);
                        }
                        Act::Pause => app.world_mut().get_mut::<Voice>(face).unwrap().pause(),
                        Act::Resume => app.world_mut().get_mut::<Voice>(face).unwrap().resume(),
                        Act::Seek(at) => {
                            app.world_mut().get_mut::<Voice>(face).unwrap().seek(f64::from(*at) / 50.0);
                        }
                        Act::Looped(looped) => {
                            app.world_mut().get_mut::<VoiceSettings>(face).unwrap().looped = *looped;
                        }
                        Act::Wait(frames) => (0..*frames).for_each(|_| app.update()),
                        Act::Despawn => {
                            app.world_mut().entity_mut(face).despawn();
                        }
                    }
                }
                app.update();
                wait_for_batches(app.world());
            }
            // All that still speaks is a stream that runs dry or ends, a pause, or is cut off now.
            for (index, &face) in faces.iter().enumerate() {
                if index % 2 == 0 && app.world().get_entity(face).is_ok() {
                    app.world_mut().commands().entity(face).interrupt(Duration::from_millis(50));
                } else {
                    streams[index].iter().for_each(VoiceStream::finish);
                    if let Some(mut voice) = app.world_mut().get_mut::<Voice>(face) {
                        voice.resume();
                        app.world_mut().get_mut::<VoiceSettings>(face).unwrap().looped = false;
                    }
                }
            }
            let idle = |world: &World| faces.iter().all(|face| world.get::<Voice>(*face).is_none_or(Voice::is_idle));
            for _ in 0..8_000 {
                if idle(app.world()) {
                    break;
                }
                app.update();
                wait_for_batches(app.world());
            }
            prop_assert!(idle(app.world()), "somebody never ends");
            (0..20).for_each(|_| app.update());
            for &face in &faces {
                if app.world().get_entity(face).is_ok() {
                    prop_assert_eq!(weights(app.world(), face), vec![0.0; 3]);
                    app.world_mut().entity_mut(face).despawn();
                }
            }
            prop_assert!(
                streams.iter().flatten().all(|stream| stream.is_closed() || stream.is_finished()),
                "a stream still waits for a face"
            );
            Ok(())
        })
        .unwrap();
}
