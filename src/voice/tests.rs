//! Lines that are really played: through `bevy_audio`'s sinks into a device that is not there.

use core::time::Duration;
use std::collections::HashSet;

use bevy_app::{App, PreUpdate, TaskPoolPlugin};
use bevy_asset::{AssetApp, AssetPlugin, Assets, Handle};
use bevy_audio::{AudioPlayer, AudioSink, Decodable, PlaybackSettings};
use bevy_ecs::{
    entity::Entity,
    event::EntityEvent,
    observer::On,
    query::Without,
    resource::Resource,
    system::{Commands, NonSendMut, Query, Res, ResMut},
    world::Mut,
};
use bevy_time::{TimePlugin, TimeUpdateStrategy};
use rodio::Source as _;
use talkie::audio::{AudioClip, VoiceInputSettings};

use super::{
    OutputLatency, SpeechCommands, SpeechFinished, SpeechStarted, SpeechUnderrun, Voice, VoiceClip, VoicePlugin,
    VoiceSettings, VoiceStream,
    microphone::{Microphone, Microphones, VirtualDevice, VirtualMicrophone},
    plugin::Audible,
    sound::PlayedLine,
};
use crate::{TalkieSchedulePlugin, face::TalkingFace, inference::InferencePlugin};

const FRAME: Duration = Duration::from_micros(16_667);
/// What waits in the device: nothing is heard earlier.
const LATENCY: f64 = 0.06;
const RATE: u32 = 16_000;

/// A device that takes samples as time passes, in buffers of 10 ms, and keeps what it took.
#[derive(Default)]
struct Device {
    playing: Vec<(Entity, rodio::queue::SourcesQueueOutput, Vec<f32>)>,
    now: f64,
    taken: f64,
}

impl Device {
    /// What was heard of the newest line by now.
    fn heard(&self) -> &[f32] {
        let Some((.., samples)) = self.playing.last() else { return &[] };
        let late = (LATENCY * f64::from(RATE)) as usize;
        &samples[..samples.len().saturating_sub(late)]
    }
}

/// What `bevy_audio` does with a device.
fn open_sinks(
    mut device: NonSendMut<Device>,
    players: Query<(Entity, &AudioPlayer<PlayedLine>, &PlaybackSettings), Without<AudioSink>>,
    lines: Res<Assets<PlayedLine>>,
    mut commands: Commands,
) {
    for (entity, player, settings) in &players {
        let Some(line) = lines.get(&player.0) else { continue };
        let (sink, output) = rodio::Player::new();
        sink.append(line.decoder());
        sink.set_speed(settings.speed);
        if settings.paused {
            sink.pause();
        }
        device.playing.push((entity, output, Vec::new()));
        commands.entity(entity).insert(AudioSink::new(sink));
    }
}

fn take_samples(mut device: NonSendMut<Device>, existing: Query<Entity>) {
    device.now += FRAME.as_secs_f64();
    while device.taken + 0.01 <= device.now {
        device.taken += 0.01;
        for (player, output, heard) in &mut device.playing {
            if existing.contains(*player) {
                // What is faster has a higher rate here.
                let count = output.sample_rate().get() as usize / 100;
                heard.extend(output.by_ref().take(count));
            }
        }
    }
}

#[derive(Resource, Default)]
struct Events(Vec<&'static str>);

fn note<E: EntityEvent>(name: &'static str) -> impl Fn(On<E>, ResMut<Events>) {
    move |_, mut events| events.0.push(name)
}

struct Stage {
    app: App,
    face: Entity,
}

impl Stage {
    fn new() -> Self {
        let mut app = App::new();
        app.add_plugins((
            TaskPoolPlugin::default(),
            TimePlugin,
            AssetPlugin::default(),
            TalkieSchedulePlugin,
            InferencePlugin::default(),
            VoicePlugin,
        ));
        app.insert_resource(TimeUpdateStrategy::ManualDuration(FRAME))
            .insert_resource(Audible(true))
            .insert_resource(OutputLatency::fixed(Duration::from_secs_f64(LATENCY + 0.005)))
            .init_asset::<PlayedLine>()
            .init_resource::<Events>()
            .add_systems(PreUpdate, (open_sinks, take_samples))
            .add_observer(note::<SpeechStarted>("started"))
            .add_observer(note::<SpeechFinished>("finished"))
            .add_observer(note::<SpeechUnderrun>("underrun"));
        app.insert_non_send(Device::default());
        app.finish();
        app.cleanup();
        // Nobody animates it: a handle without a model never loads, and the poses are not what matters here.
        let face = app
            .world_mut()
            .spawn(TalkingFace {
                model: Handle::Uuid(
                    bevy_asset::AssetId::<crate::inference::FaceModel>::INVALID_UUID,
                    Default::default(),
                ),
                ..Default::default()
            })
            .id();
        Self { app, face }
    }

    fn say(&mut self, clip: VoiceClip) {
        let clip = self.app.world_mut().resource_mut::<Assets<VoiceClip>>().add(clip);
        let face = self.face;
        self.app.world_mut().commands().entity(face).say(clip);
        self.app.update();
        self.app.update();
        // It will be heard without a face.
        self.voice().cannot_animate();
    }

    fn voice(&mut self) -> Mut<'_, Voice> {
        self.app.world_mut().get_mut::<Voice>(self.face).unwrap()
    }

    fn settings(&mut self) -> Mut<'_, VoiceSettings> {
        self.app.world_mut().get_mut::<VoiceSettings>(self.face).unwrap()
    }

    fn frames(&mut self, count: usize) {
        (0..count).for_each(|_| self.app.update());
    }

    /// The moment that is shown, and the one that is heard: the number of a frame is its sample.
    fn moments(&mut self) -> (f64, f64) {
        let shown = self.voice().heard_seconds();
        let device = self.app.world().non_send::<Device>();
        let heard = device.heard().iter().rev().find(|sample| **sample != 0.0).copied().unwrap_or(0.0);
        (shown, f64::from(heard) * SCALE / f64::from(RATE))
    }

    fn events(&self) -> &[&'static str] {
        &self.app.world().resource::<Events>().0
    }
}

/// Samples count up to this many, so that what is heard says when it was.
const SCALE: f64 = 1e6;

fn counting(seconds: f64) -> Vec<f32> {
    (0..(seconds * f64::from(RATE)) as usize).map(|index| (index as f64 / SCALE) as f32).collect()
}

fn clip(seconds: f64) -> VoiceClip {
    VoiceClip::new(AudioClip::from_samples(RATE, 1, counting(seconds)).unwrap())
}

#[test]
fn what_is_shown_is_what_is_heard() {
    let mut stage = Stage::new();
    stage.say(clip(3.0));
    stage.frames(20);
    for _ in 0..150 {
        stage.app.update();
        let (shown, heard) = stage.moments();
        assert!((shown - heard).abs() < 0.02, "{shown} is shown while {heard} is heard");
    }
    stage.frames(60);
    assert_eq!(stage.events(), ["started", "finished"]);
}

#[test]
fn pause_seek_speed_and_loop_keep_face_and_sound_together() {
    let mut stage = Stage::new();
    stage.say(clip(8.0));
    stage.frames(40);
    stage.voice().pause();
    stage.frames(30);
    let (shown, heard) = stage.moments();
    assert!((shown - heard).abs() < 0.02, "{shown} stands while {heard} was heard last");
    stage.frames(30);
    assert_eq!(stage.moments().0, shown, "it stands");
    stage.voice().resume();
    stage.frames(20);
    for _ in 0..30 {
        stage.app.update();
        let (shown, heard) = stage.moments();
        assert!((shown - heard).abs() < 0.025, "after a pause {shown} is shown while {heard} is heard");
    }
    for goal in [6.0, 1.0] {
        stage.voice().seek(goal);
        stage.frames(12);
        for _ in 0..20 {
            stage.app.update();
            let (shown, heard) = stage.moments();
            assert!(heard >= goal && (shown - heard).abs() < 0.02, "{shown} is shown while {heard} is heard");
        }
    }
    stage.settings().speed = 1.5;
    stage.frames(60);
    for _ in 0..20 {
        stage.app.update();
        let (shown, heard) = stage.moments();
        assert!((shown - heard).abs() < 0.04, "faster, {shown} is shown while {heard} is heard");
    }
    stage.settings().speed = 1.0;
    stage.settings().looped = true;
    stage.frames(60 * 9);
    let (shown, heard) = stage.moments();
    assert!(shown > 9.0, "it goes on counting: {shown}");
    assert!((shown % 8.0 - heard).abs() < 0.02, "{shown} is shown while {heard} is heard");
    stage.settings().looped = false;
    stage.frames(60 * 9);
    assert!(stage.voice().is_idle());
    assert_eq!(stage.events(), ["started", "finished"]);
}

#[test]
fn a_speech_that_runs_dry_is_silent_and_goes_on() {
    let mut stage = Stage::new();
    let voice = VoiceStream::speech(RATE, 1);
    let sound = counting(2.0);
    voice.push(&sound[..16_000]);
    stage.say(voice.clone().into());
    stage.frames(120);
    assert_eq!(stage.events(), ["started", "underrun"]);
    let (shown, _) = stage.moments();
    assert!((shown - 1.0).abs() < 0.001, "all of it was heard: {shown}");
    voice.push(&sound[16_000..]);
    stage.frames(12);
    for _ in 0..30 {
        stage.app.update();
        let (shown, heard) = stage.moments();
        assert!(shown > 1.0 && (shown - heard).abs() < 0.025, "{shown} is shown while {heard} is heard");
    }
    voice.finish();
    stage.frames(60);
    assert!(stage.voice().is_idle());
    assert_eq!(stage.events(), ["started", "underrun", "finished"]);
    let device = stage.app.world().non_send::<Device>();
    let heard: HashSet<u32> = device.playing.last().unwrap().2.iter().map(|sample| sample.to_bits()).collect();
    let missing = sound[1..].iter().filter(|sample| !heard.contains(&sample.to_bits())).count();
    // What comes back softly is not the same number.
    assert!(missing < 200, "{missing} samples were not heard");
}

#[test]
fn barging_in_is_heard_within_a_tenth_of_a_second_besides_what_is_in_the_device() {
    let mut stage = Stage::new();
    let voice = VoiceStream::speech(RATE, 1);
    voice.push(&vec![0.5; 80_000]);
    stage.say(voice.clone().into());
    stage.frames(60);
    let before = stage.app.world().non_send::<Device>().playing[0].2.len();
    let face = stage.face;
    stage.app.world_mut().commands().entity(face).interrupt(Duration::from_millis(80));
    stage.frames(8);
    let device = stage.app.world().non_send::<Device>();
    let after = &device.playing[0].2[before..];
    let loud = after.iter().rposition(|sample| sample.abs() > 0.01).map_or(0, |index| index + 1);
    assert!(loud > 400 && loud <= RATE as usize / 10, "{loud} samples were taken that are loud");
    assert!(voice.is_closed());
}

#[test]
fn a_microphone_is_heard_where_it_is_asked_for_and_only_there() {
    let mut stage = Stage::new();
    let tone = AudioClip::from_samples(RATE, 1, vec![0.25; 160_000]).unwrap();
    let source = VirtualMicrophone::new(tone, VirtualDevice { looped: true, ..Default::default() });
    stage.app.insert_resource(Microphones::new(source.clone()));
    let face = stage.face;
    let input = VoiceInputSettings { gate: None, ..Default::default() };
    stage.app.world_mut().entity_mut(face).insert(Microphone { input, ..Default::default() });
    // No network listens here: what waits is forgotten, and what is played is what was taken then.
    let run = |stage: &mut Stage, frames: usize| {
        for _ in 0..frames {
            source.advance(FRAME);
            stage.app.update();
            std::thread::sleep(Duration::from_micros(200));
        }
    };
    run(&mut stage, 120);
    let playing = |stage: &Stage| stage.app.world().non_send::<Device>().playing.len();
    assert_eq!(playing(&stage), 0, "nobody is played who did not ask for it");
    stage.app.world_mut().get_mut::<Microphone>(face).unwrap().monitor = true;
    run(&mut stage, 180);
    assert_eq!(playing(&stage), 1);
    let heard = &stage.app.world().non_send::<Device>().playing[0].2;
    assert!(heard.iter().any(|sample| (sample - 0.25).abs() < 1e-3), "it is heard");
    stage.app.world_mut().get_mut::<Microphone>(face).unwrap().monitor = false;
    run(&mut stage, 5);
    let before = stage.app.world().non_send::<Device>().playing[0].2.len();
    run(&mut stage, 30);
    assert_eq!(stage.app.world().non_send::<Device>().playing[0].2.len(), before, "and not any more");
}
