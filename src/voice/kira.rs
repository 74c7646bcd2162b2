//! Lines that `bevy_kira_audio` plays: whole sounds, which tell where they are.

use std::{sync::Arc, time::Duration};

use bevy_app::{App, Plugin, PreUpdate};
use bevy_asset::{Assets, Handle};
use bevy_ecs::{
    component::Component,
    entity::Entity,
    lifecycle::Remove,
    observer::On,
    query::Without,
    resource::Resource,
    schedule::IntoScheduleConfigs,
    system::{Commands, Query, Res, ResMut},
};
use bevy_kira_audio::{
    AudioSystemSet,
    prelude::{
        Audio, AudioControl, AudioInstance, AudioSource, AudioTween, Decibels, Frame, PlaybackState,
        SpatialAudioEmitter, StaticSoundData, StaticSoundSettings,
    },
};
use bevy_tasks::{AsyncComputeTaskPool, Task, futures::check_ready};
use talkie::audio::AudioClip;

use super::{ExternalLine, OutputLatency, output};

/// After a seek the engine is where it was sent within so many frames of the game, and at most so many seconds beyond it.
const ARRIVAL_FRAMES: u32 = 12;
const ARRIVAL_SECONDS: f64 = 0.3;
/// How long changes take, so that they do not click.
const SOFT: AudioTween = AudioTween::linear(Duration::from_millis(10));

/// Lets `bevy_kira_audio` play the lines of faces whose [`VoiceSettings::output`](super::VoiceSettings::output) is
/// [`VoiceOutput::External`](super::VoiceOutput::External), on its main track. Add it after its `AudioPlugin` and
/// [`TalkiePlugins`](crate::TalkiePlugins).
///
/// Clips are played, with pause, seek, repetition, volume and speed in mid-line. Where
/// [`VoiceSettings::spatial`](super::VoiceSettings::spatial) is set, the line is a `SpatialAudioEmitter` where the speaker is; its
/// loudness is the business of `SpatialAudioPlugin` then. A stream cannot be played, for `bevy_kira_audio` has nothing that it could
/// be: that is said once, and the face speaks unheard. Leave [`VoiceOutput::Bevy`](super::VoiceOutput::Bevy) for such a voice.
#[derive(Debug, Clone, Copy, Default)]
pub struct KiraVoicePlugin;

impl Plugin for KiraVoicePlugin {
    fn build(&self, app: &mut App) {
        output::measure(app, output::Buffering::Kira);
        app.init_resource::<Leaving>()
            .add_systems(PreUpdate, (prepare, follow, leave).chain().after(AudioSystemSet::InstanceCleanup))
            .add_observer(stop);
    }
}

/// A line on its way to the engine. Its samples are copied, which is too much for the main thread.
#[derive(Component)]
struct Preparing(Task<StaticSoundData>);

/// A line that cannot be played.
#[derive(Component)]
struct Refused;

/// A line that is played, and what was told last.
#[derive(Component)]
struct Playing {
    source: Handle<AudioSource>,
    instance: Handle<AudioInstance>,
    /// Its length in seconds, how often all of it was played, and where in it the engine was.
    length: f64,
    rounds: f64,
    position: f64,
    /// Where it was sent, until it is there, and frames since then.
    sent: Option<(f64, u32)>,
    volume: f32,
    speed: f32,
    paused: bool,
    looped: bool,
}

/// What shall be stopped as soon as the engine has begun it.
#[derive(Resource, Default)]
struct Leaving(Vec<Handle<AudioInstance>>);

fn copied(clip: &AudioClip) -> StaticSoundData {
    let frame = |frame: &[f32]| Frame { left: frame[0], right: *frame.get(1).unwrap_or(&frame[0]) };
    let frames: Arc<[Frame]> = clip.samples().chunks_exact(clip.channels().max(1)).map(frame).collect();
    StaticSoundData { sample_rate: clip.sample_rate(), frames, settings: StaticSoundSettings::default(), slice: None }
}

fn decibels(volume: f32) -> Decibels {
    Decibels(if volume > 0.001 { 20.0 * volume.log10() } else { Decibels::SILENCE.0 })
}

/// A line that the engine knows nothing of yet.
type NewLine = (Entity, &'static mut ExternalLine, Option<&'static mut Preparing>);

/// Copies new lines and lets the engine begin them.
fn prepare(
    mut lines: Query<NewLine, (Without<Playing>, Without<Refused>)>,
    mut sources: ResMut<Assets<AudioSource>>,
    audio: Res<Audio>,
    mut commands: Commands,
) {
    for (entity, mut line, preparing) in &mut lines {
        let Some(mut preparing) = preparing else {
            if line.is_pulled() {
                continue;
            }
            if let Some(sound) = line.sound().cloned() {
                let task = AsyncComputeTaskPool::get().spawn(async move { copied(&sound) });
                commands.entity(entity).insert(Preparing(task));
            } else {
                bevy_log::error!(
                    "talkie: bevy_kira_audio cannot play a stream: the line of {entity} will not be heard"
                );
                commands.entity(entity).insert(Refused);
            }
            continue;
        };
        let Some(sound) = check_ready(&mut preparing.0) else { continue };
        let length = sound.duration().as_secs_f64();
        let source = sources.add(AudioSource { sound });
        let at = line.take_seek().unwrap_or(0.0);
        let at = if line.looped && length > 0.0 { at % length } else { at };
        let playing = Playing::start(&audio, source, length, &line, at);
        let mut entity = commands.entity(entity);
        if line.spatial {
            entity.insert(SpatialAudioEmitter { instances: vec![playing.instance.clone()] });
        }
        entity.remove::<Preparing>().insert(playing);
    }
}

impl Playing {
    /// Lets the engine begin a sound somewhere in it.
    fn start(audio: &Audio, source: Handle<AudioSource>, length: f64, line: &ExternalLine, position: f64) -> Self {
        let mut command = audio.play(source.clone());
        command.with_volume(decibels(line.volume)).start_from(position);
        if line.looped {
            command.looped();
        }
        // One that is paused gets its speed afterwards: the engine would begin it otherwise.
        let speed = if line.paused { 1.0 } else { line.speed };
        if line.paused {
            command.paused();
        } else {
            command.with_playback_rate(f64::from(speed));
        }
        let instance = command.handle();
        let (volume, paused, looped) = (line.volume, line.paused, line.looped);
        Self { source, instance, length, rounds: 0.0, position, sent: None, volume, speed, paused, looped }
    }

    /// Where the line is, as the engine says.
    fn locate(&mut self, position: f64) -> f64 {
        if let Some((goal, frames)) = self.sent {
            // The engine gets there with its next buffers; what it says until then is old.
            let there = (0.0..ARRIVAL_SECONDS).contains(&(position - goal));
            self.sent = (!there && frames < ARRIVAL_FRAMES).then_some((goal, frames + 1));
            if self.sent.is_some() {
                return self.rounds * self.length + goal;
            }
        } else if self.looped && position < self.position - 0.5 * self.length {
            self.rounds += 1.0;
        }
        self.position = position;
        self.rounds * self.length + position
    }

    /// Counts whole rounds of a moment, and says where in the sound it is.
    fn turn_to(&mut self, seconds: f64) -> f64 {
        let whole = self.looped && self.length > 0.0;
        self.rounds = if whole { (seconds / self.length).floor() } else { 0.0 };
        self.position = seconds - self.rounds * self.length;
        self.position
    }
}

/// Tells the engine what the plugin wants, and the plugin where the engine is.
fn follow(
    mut lines: Query<(&mut ExternalLine, &mut Playing, Option<&mut SpatialAudioEmitter>)>,
    mut instances: ResMut<Assets<AudioInstance>>,
    mut leaving: ResMut<Leaving>,
    audio: Res<Audio>,
    latency: Res<OutputLatency>,
) {
    for (mut line, mut playing, emitter) in &mut lines {
        let playing = &mut *playing;
        if let Some(latency) = latency.kira() {
            line.set_latency(latency);
        }
        let Some(state) = instances.get(&playing.instance).map(AudioInstance::state) else { continue };
        if let Some(position) = state.position() {
            let position = playing.locate(position);
            line.report(position);
        } else if matches!(state, PlaybackState::Stopped) {
            line.end();
            continue;
        }
        if line.looped != playing.looped {
            // The engine cannot change that: another one goes on where this one is.
            let (source, length) = (playing.source.clone(), playing.length);
            let next = Playing::start(&audio, source, length, &line, playing.position);
            let before = core::mem::replace(playing, Playing { rounds: playing.rounds, ..next });
            leaving.0.push(before.instance);
            if let Some(mut emitter) = emitter {
                emitter.instances = vec![playing.instance.clone()];
            }
            continue;
        }
        let told = (playing.volume, playing.speed, playing.paused);
        let seek = line.take_seek();
        if seek.is_none() && told == (line.volume, line.speed, line.paused) {
            continue;
        }
        let Some(mut instance) = instances.get_mut(&playing.instance) else { continue };
        if let Some(seconds) = seek {
            let position = playing.turn_to(seconds);
            playing.sent = Some((position, 0));
            instance.seek_to(position);
        }
        // Where it comes from a place, its loudness is that of the place.
        if line.volume != playing.volume && !line.spatial {
            instance.set_decibels(decibels(line.volume), SOFT);
        }
        if line.speed != playing.speed {
            instance.set_playback_rate(f64::from(line.speed), SOFT);
        }
        match (playing.paused, line.paused) {
            (false, true) => instance.pause(SOFT),
            (true, false) => instance.resume(SOFT),
            _ => {}
        }
        (playing.volume, playing.speed, playing.paused) = (line.volume, line.speed, line.paused);
    }
}

/// What nobody should hear any more is stopped.
fn stop(removed: On<Remove, Playing>, lines: Query<&Playing>, mut leaving: ResMut<Leaving>) {
    if let Ok(playing) = lines.get(removed.entity) {
        leaving.0.push(playing.instance.clone());
    }
}

/// Stops it, as soon as the engine has begun it.
fn leave(mut leaving: ResMut<Leaving>, mut instances: ResMut<Assets<AudioInstance>>) {
    if leaving.0.is_empty() {
        return;
    }
    leaving.0.retain(|handle| {
        let Some(mut instance) = instances.get_mut(handle) else { return true };
        instance.stop(SOFT);
        false
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn playing(length: f64, looped: bool) -> Playing {
        Playing {
            source: Handle::default(),
            instance: Handle::default(),
            length,
            rounds: 0.0,
            position: 0.0,
            sent: None,
            volume: 1.0,
            speed: 1.0,
            paused: false,
            looped,
        }
    }

    #[test]
    fn rounds_are_counted_and_a_sound_that_is_not_repeated_has_none() {
        let mut line = playing(2.0, true);
        let heard: Vec<f64> = [0.5, 1.9, 0.1, 1.0, 1.95, 0.0].map(|position| line.locate(position)).to_vec();
        assert_eq!(heard, [0.5, 1.9, 2.1, 3.0, 3.95, 4.0]);
        // It is not repeated any more: what was played before still counts.
        line.looped = false;
        assert_eq!(line.locate(1.5), 5.5);
        let mut line = playing(2.0, false);
        assert_eq!([1.9, 0.1].map(|position| line.locate(position)), [1.9, 0.1]);
    }

    #[test]
    fn a_seek_is_where_it_was_sent_until_the_engine_is_there() {
        let mut line = playing(2.0, true);
        line.locate(1.9);
        assert_eq!((line.turn_to(6.5), line.rounds), (0.5, 3.0));
        line.sent = Some((0.5, 0));
        // What the engine says first is old, and is neither shown nor taken for a new round.
        assert_eq!([1.92, 1.93, 0.51, 0.53].map(|position| line.locate(position)), [6.5, 6.5, 6.51, 6.53]);
        // An engine that never gets there is believed after a while.
        line.sent = Some((1.0, 0));
        let last = (0..ARRIVAL_FRAMES + 1).map(|_| line.locate(0.6)).last();
        assert_eq!(last, Some(6.6));
        assert_eq!((playing(2.0, false).turn_to(2.5), decibels(0.0).0), (2.5, Decibels::SILENCE.0));
        assert!((decibels(0.5).0 + 6.02).abs() < 0.01);
    }
}
