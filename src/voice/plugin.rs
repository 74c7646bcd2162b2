//! The systems that take a line from the queue to its end.

use std::time::Duration;

use bevy_app::{App, Plugin, PostUpdate};
use bevy_asset::{AssetApp, AssetServer, Assets, LoadState};
use bevy_ecs::{
    entity::Entity,
    query::With,
    resource::Resource,
    schedule::IntoScheduleConfigs,
    system::{Commands, Query, Res},
};
use bevy_time::{Real, Time};

use super::{
    OutputLatency, SETTLE, Sound, SpeechFailed, SpeechFinished, SpeechInterrupted, SpeechStarted, Stage, Utterance,
    Voice, VoiceClip, VoiceClipLoader, VoiceSettings, settling_weight, sound,
};
use crate::{TalkieSystems, face::TalkingFace};

/// Poses that must be there before the sound starts, in seconds: face and voice begin together.
const PREROLL: f64 = 0.25;
/// Frames after which a player without a sink counts as unheard: there is no audio device.
const FRAMES_WITHOUT_SINK: u32 = 3;

/// Clips, the queue, the clock and the sound. See [`TalkiePlugins`](crate::TalkiePlugins).
#[derive(Debug, Clone, Copy, Default)]
pub struct VoicePlugin;

/// Whether lines are played at all.
#[derive(Resource, Debug, Clone, Copy)]
pub(crate) struct Audible(bool);

impl Plugin for VoicePlugin {
    fn build(&self, app: &mut App) {
        sound::register(app);
        app.insert_resource(Audible(sound::is_available(app)))
            .init_resource::<OutputLatency>()
            .init_asset_loader::<VoiceClipLoader>()
            .add_systems(PostUpdate, speak.in_set(TalkieSystems::Voice));
    }

    fn finish(&self, app: &mut App) {
        let audible = app.world().get_resource::<Audible>().is_some_and(|audible| audible.0);
        sound::check(app, audible);
    }
}

/// Takes every voice one frame further.
#[expect(clippy::too_many_arguments, reason = "a system's parameters")]
pub(crate) fn speak(
    mut commands: Commands,
    mut voices: Query<(Entity, &mut Voice, &VoiceSettings), With<TalkingFace>>,
    clips: Res<Assets<VoiceClip>>,
    server: Res<AssetServer>,
    mut sinks: sound::Sinks,
    audible: Res<Audible>,
    latency: Res<OutputLatency>,
    time: Res<Time>,
    real: Res<Time<Real>>,
) {
    for (entity, mut voice, settings) in &mut voices {
        if voice.is_still() {
            continue;
        }
        let voice = &mut *voice;
        for (clip, heard_seconds) in voice.interrupted.drain(..) {
            commands.trigger(SpeechInterrupted { entity, clip, heard_seconds });
        }
        if voice.current.is_none()
            && let Some(clip) = voice.queue.pop_front()
        {
            voice.last_id += 1;
            voice.current = Some(Utterance::new(voice.last_id, clip));
        }
        if let Some(line) = &mut voice.current {
            let mut frame = Frame {
                commands: &mut commands,
                sinks: &mut sinks,
                entity,
                settings,
                audible: audible.0,
                latency: latency.0,
                delta: time.delta(),
                real_delta: real.delta(),
            };
            match frame.step(line, &clips, &server) {
                Progress::Goes => {}
                Progress::Ends => {
                    if let Some(mut line) = voice.current.take() {
                        commands.trigger(SpeechFinished { entity, clip: line.clip.clone() });
                        line.stage.settle(SETTLE.as_secs_f32());
                        voice.settle(line);
                    }
                }
                Progress::Fails(reason) => {
                    if let Some(line) = voice.current.take() {
                        commands.trigger(SpeechFailed { entity, clip: line.clip, reason });
                    }
                }
            }
        }
        if let Some(line) = &mut voice.settling {
            settle(&mut sinks, line, settings, real.delta(), time.delta());
            if matches!(line.stage, Stage::Settling { elapsed, fade } if elapsed >= fade)
                && let Some(line) = voice.settling.take()
            {
                voice.retired.extend(line.player);
            }
        }
        for player in voice.retired.drain(..) {
            commands.entity(player).try_despawn();
        }
    }
}

enum Progress {
    Goes,
    Ends,
    Fails(String),
}

/// What one step of a line may use.
struct Frame<'a, 'cw, 'cs, 'sw, 'ss> {
    commands: &'a mut Commands<'cw, 'cs>,
    sinks: &'a mut sound::Sinks<'sw, 'ss>,
    entity: Entity,
    settings: &'a VoiceSettings,
    audible: bool,
    latency: Duration,
    delta: Duration,
    real_delta: Duration,
}

impl Frame<'_, '_, '_, '_, '_> {
    fn step(&mut self, line: &mut Utterance, clips: &Assets<VoiceClip>, server: &AssetServer) -> Progress {
        match line.stage {
            Stage::Preparing => {
                if line.sound.is_none() {
                    if let Some(clip) = clips.get(&line.clip) {
                        line.sound = Some(clip.shared());
                    } else if let LoadState::Failed(error) = server.load_state(&line.clip) {
                        return Progress::Fails(error.to_string());
                    }
                    return Progress::Goes;
                }
                if matches!(line.sound, Some(Sound::Live(_))) {
                    if line.track.end_seconds() > 0.0 || line.is_over() {
                        self.start(line, Stage::Live { stale: 0.0 });
                    }
                    return Progress::Goes;
                }
                let enough = line.track.end_seconds() >= PREROLL.min(line.seconds());
                if enough || line.is_over() {
                    if self.audible {
                        line.player = Some(sound::play(self.commands, self.entity, line.clip.clone(), self.settings));
                        line.stage = Stage::Starting { frames: 0 };
                    } else {
                        self.start(line, Stage::Simulated);
                    }
                }
            }
            Stage::Starting { frames } => match line.player.and_then(|player| self.sinks.report(player)) {
                Some(sink) => {
                    line.clock.follow(self.real_delta, sink, self.latency);
                    if line.clock.has_begun() {
                        self.start(line, Stage::Playing);
                    }
                }
                None if frames >= FRAMES_WITHOUT_SINK => {
                    if let Some(player) = line.player.take() {
                        self.commands.entity(player).try_despawn();
                    }
                    self.start(line, Stage::Simulated);
                }
                None => line.stage = Stage::Starting { frames: frames + 1 },
            },
            Stage::Playing => {
                match line.player.and_then(|player| self.sinks.report(player)) {
                    Some(sink) => line.clock.follow(self.real_delta, sink, self.latency),
                    // Somebody took the sink away: the line ends in its own time.
                    None => line.clock.advance(self.real_delta.mul_f32(self.speed())),
                }
                if line.clock.seconds() >= line.seconds() {
                    return Progress::Ends;
                }
            }
            Stage::Simulated => {
                line.clock.advance(self.delta.mul_f32(self.speed()));
                if line.clock.seconds() >= line.seconds() {
                    return Progress::Ends;
                }
            }
            // What the networks still hold of a voice that fell silent is not shown any more when it ends.
            Stage::Live { .. } if line.stage.settled() >= 1.0 && line.is_finished() => return Progress::Ends,
            Stage::Live { stale } => {
                let newest = line.track.end_seconds();
                let fresh = line.clock.chase(self.delta, newest);
                line.stage = Stage::Live { stale: if fresh { 0.0 } else { stale + self.delta.as_secs_f32() } };
                if !fresh && line.is_over() {
                    return Progress::Ends;
                }
            }
            Stage::Settling { .. } => return Progress::Ends,
        }
        Progress::Goes
    }

    fn start(&mut self, line: &mut Utterance, stage: Stage) {
        line.stage = stage;
        self.commands.trigger(SpeechStarted { entity: self.entity, clip: line.clip.clone() });
    }

    fn speed(&self) -> f32 {
        if self.settings.speed.is_finite() { self.settings.speed.max(0.0) } else { 1.0 }
    }
}

/// Fades a line that is over.
fn settle(
    sinks: &mut sound::Sinks,
    line: &mut Utterance,
    settings: &VoiceSettings,
    real_delta: Duration,
    delta: Duration,
) {
    let Stage::Settling { elapsed, fade } = line.stage else { return };
    let delta = if line.player.is_some() { real_delta } else { delta };
    let elapsed = elapsed + delta.as_secs_f32();
    line.clock.advance(delta);
    line.stage = Stage::Settling { elapsed, fade };
    if let Some(player) = line.player {
        sinks.set_volume(player, settings.volume * settling_weight(elapsed, fade));
    }
}
