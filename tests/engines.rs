//! Lines that `bevy_seedling` and `bevy_kira_audio` play: what comes out of them and what the face shows are one moment.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::{num::NonZeroU32, time::Duration};

use audioadapter_buffers::direct::InterleavedSlice;
use bevy::{platform::cell::SyncCell, prelude::*};
use bevy_seedling::{
    SeedlingCorePlugin,
    context::{AudioContext, SampleRate},
    firewheel::{
        ActivateInfo, backend::BackendProcessInfo, node::StreamStatus, nodes::spatial_basic::SpatialBasicNode,
        processor::FirewheelProcessor,
    },
    platform::initialize_stream,
    prelude::{SeedlingStartupSystems, SpatialListener3D},
};
use bevy_talkie::{
    inference::wait_for_batches,
    prelude::*,
    talkie::audio::AudioClip,
    voice::{ExternalLine, OutputLatency, SeedlingVoicePlugin, VoiceOutput},
};
use common::{FRAME, Log, add_clip, app_in, glb::Character, record_events, spawn_face};

const RATE: u32 = 48_000;

/// A device that plays into memory, as many frames as time has passed.
#[derive(Resource)]
struct Desk {
    processor: SyncCell<FirewheelProcessor>,
    /// Left and right, interleaved, of the last frame of the game.
    heard: Vec<f32>,
    due: f64,
}

fn start(mut context: ResMut<AudioContext>, mut commands: Commands) {
    let rate = NonZeroU32::new(RATE).unwrap();
    let processor = context.with(|context| {
        context
            .activate(ActivateInfo {
                sample_rate: rate,
                max_block_frames: NonZeroU32::new(256).unwrap(),
                num_stream_in_channels: 2,
                num_stream_out_channels: 2,
                input_to_output_latency_seconds: 0.0,
            })
            .unwrap()
    });
    commands.insert_resource(Desk { processor: SyncCell::new(processor), heard: Vec::new(), due: 0.0 });
    initialize_stream(SampleRate::new(rate), commands);
}

impl Desk {
    fn play(&mut self, seconds: f64) {
        self.due += seconds * f64::from(RATE);
        self.heard.clear();
        while self.due >= 200.0 {
            self.due -= 200.0;
            let input = [0.0_f32; 400];
            let mut output = [0.0_f32; 400];
            self.processor.get().process(
                &InterleavedSlice::new(&input, 2, 200).unwrap(),
                &mut InterleavedSlice::new_mut(&mut output, 2, 200).unwrap(),
                BackendProcessInfo {
                    frames: 200,
                    process_timestamp: None,
                    duration_since_stream_start: Duration::ZERO,
                    input_stream_status: StreamStatus::empty(),
                    output_stream_status: StreamStatus::empty(),
                    dropped_frames: 0,
                    process_to_playback_delay: None,
                },
            );
            self.heard.extend(output);
        }
    }
}

/// Samples rise steadily, so that what is heard says when it was.
fn rising(rate: u32, channels: usize, seconds: f32) -> AudioClip {
    let frames = (rate as f32 * seconds) as usize;
    let samples = (0..frames).flat_map(|index| {
        let value = index as f32 / rate as f32 / 10.0;
        core::iter::repeat_n(value, channels)
    });
    AudioClip::from_samples(rate, channels, samples.collect()).unwrap()
}

struct Stage {
    _folder: tempfile::TempDir,
    app: App,
    face: Entity,
    log: Log,
}

impl Stage {
    fn seedling() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Character { shapes: &["mouthPucker", "jawOpen", "mouthClose"], ..default() }.write(folder.path(), "face.glb");
        let mut app = app_in(folder.path());
        app.add_plugins((SeedlingCorePlugin, TalkiePlugins, SeedlingVoicePlugin));
        app.finish();
        app.cleanup();
        app.add_systems(PostStartup, start.in_set(SeedlingStartupSystems::StreamInitialization));
        app.insert_resource(OutputLatency::fixed(Duration::ZERO));
        let log = record_events(&mut app);
        let face = spawn_face(&mut app, "face.glb");
        app.world_mut().get_mut::<VoiceSettings>(face).unwrap().output = VoiceOutput::External;
        Self { _folder: folder, app, face, log }
    }

    fn settings(&mut self) -> Mut<'_, VoiceSettings> {
        self.app.world_mut().get_mut(self.face).unwrap()
    }

    fn voice(&mut self) -> Mut<'_, Voice> {
        self.app.world_mut().get_mut(self.face).unwrap()
    }

    fn shown(&self) -> f64 {
        self.app.world().get::<Voice>(self.face).unwrap().heard_seconds()
    }

    fn lines(&mut self) -> usize {
        self.app.world_mut().query::<&ExternalLine>().iter(self.app.world()).count()
    }

    fn say(&mut self, sound: AudioClip) {
        let (clip, face) = (add_clip(&mut self.app, sound), self.face);
        self.app.world_mut().commands().entity(face).say(clip);
    }

    /// One frame; what came out of the device in it, left and right.
    fn frame(&mut self) -> Vec<f32> {
        self.app.world_mut().resource_mut::<Desk>().play(FRAME.as_secs_f64());
        self.app.update();
        wait_for_batches(self.app.world());
        self.app.world().resource::<Desk>().heard.clone()
    }

    fn run(&mut self, frames: usize) -> Vec<f32> {
        (0..frames).flat_map(|_| self.frame()).collect()
    }

    /// Runs, and looks whether the face shows what is heard: both in seconds of a rising sound with this loudness.
    #[track_caller]
    fn together(&mut self, frames: usize, loudness: f64) {
        for _ in 0..frames {
            let played = f64::from(*self.frame().last().unwrap()) * 10.0 / loudness;
            let shown = self.shown();
            assert!(played > 0.0 && (shown - played).abs() < 0.025, "{shown} is shown while {played} is heard");
        }
    }
}

#[test]
fn seedling_plays_clips_of_every_rate_with_seek_pause_speed_and_repetition() {
    for (rate, channels) in [(16_000, 1), (44_100, 2), (48_000, 1), (96_000, 6)] {
        let mut stage = Stage::seedling();
        stage.say(rising(rate, channels, 4.0));
        let first: Vec<f32> = stage.run(30);
        // From its first sample on, both channels the same, without a jump.
        let heard: Vec<f32> = first.chunks_exact(2).map(|frame| frame[0]).skip_while(|left| *left < 1e-6).collect();
        assert!(heard.len() > 10_000, "{} frames are heard", heard.len());
        assert!(first.chunks_exact(2).all(|frame| (frame[0] - frame[1]).abs() < 1e-6));
        let step = 0.1 / RATE as f32;
        for (index, pair) in heard.windows(2).enumerate() {
            assert!((pair[1] - pair[0] - step).abs() < 0.3 * step, "{pair:?} at {index} of {rate} Hz");
        }
        stage.together(20, 1.0);
        stage.voice().pause();
        stage.run(5);
        let stood = stage.shown();
        assert!(stage.run(20).iter().skip(400).all(|sample| *sample == 0.0), "a pause is silent");
        assert_eq!(stage.shown(), stood);
        stage.voice().resume();
        stage.run(3);
        stage.together(15, 1.0);
        stage.voice().seek(3.0);
        stage.run(3);
        assert!(stage.shown() >= 3.0);
        stage.settings().volume = 0.5;
        stage.settings().speed = 0.5;
        stage.run(6);
        stage.together(10, 0.5);
        stage.settings().looped = true;
        stage.settings().speed = 1.0;
        stage.run(80);
        let (shown, lines) = (stage.shown(), stage.lines());
        assert!(shown > 4.0 && lines == 1, "{shown} of a line that is repeated, {lines} lines");
        stage.settings().looped = false;
        stage.run(300);
        assert_eq!(stage.log.of(stage.face), ["started", "finished"]);
        assert_eq!(stage.lines(), 0, "what is over is not played");
    }
}

#[test]
fn seedling_plays_streams_and_cuts_them_off_softly() {
    let mut stage = Stage::seedling();
    let sound = rising(24_000, 1, 3.0);
    let voice = VoiceStream::speech(24_000, 1);
    let face = stage.face;
    stage.app.world_mut().commands().entity(face).start(&voice);
    voice.push(&sound.samples()[..24_000]);
    stage.run(30);
    stage.together(20, 1.0);
    // It runs dry: silence, and the face waits.
    stage.run(60);
    let stood = stage.shown();
    assert!((0.8..=1.0).contains(&stood), "{stood}");
    assert!(stage.run(10).iter().all(|sample| sample.abs() < 1e-3));
    voice.push(&sound.samples()[24_000..]);
    voice.finish();
    stage.run(12);
    stage.together(20, 1.0);
    stage.app.world_mut().commands().entity(face).interrupt(Duration::from_millis(80));
    let heard = stage.run(20);
    let jump = heard.chunks_exact(2).map(|frame| frame[0]).collect::<Vec<_>>();
    let jump = jump.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
    assert!(jump < 0.01, "a click of {jump}");
    assert_eq!((heard.last().copied(), stage.lines()), (Some(0.0), 0));
}

#[test]
fn seedling_lets_a_voice_come_from_where_the_character_is() {
    let mut stage = Stage::seedling();
    stage.settings().spatial = true;
    let places = |stage: &mut Stage| stage.app.world_mut().query::<&SpatialBasicNode>().iter(stage.app.world()).count();
    stage.run(2);
    let before = places(&mut stage);
    stage.app.world_mut().spawn((SpatialListener3D, Transform::default()));
    *stage.app.world_mut().get_mut::<Transform>(stage.face).unwrap() = Transform::from_xyz(3.0, 0.0, 0.0);
    stage.say(rising(48_000, 1, 2.0));
    let heard = stage.run(60);
    let loudness = |channel: usize| heard.iter().skip(channel).step_by(2).map(|sample| sample.abs()).sum::<f32>();
    assert!(loudness(1) > 1.5 * loudness(0) && loudness(0) > 0.0, "left {}, right {}", loudness(0), loudness(1));
    assert_eq!(places(&mut stage), before + 1);
    stage.run(120);
    assert_eq!(places(&mut stage), before, "its place in the graph goes with it");
}
