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
use bevy_platform::cell::SyncCell;
use bevy_time::{Real, Time};
use bevy_transform::TransformSystems;

use super::{
    FaceTrack, FaceTrackLoader, OutputLatency, SETTLE, Sound, SpeechFailed, SpeechFinished, SpeechInterrupted,
    SpeechStarted, SpeechUnderrun, Voice, VoiceClip, VoiceClipLoader, VoiceOutput, VoiceSettings, VoiceStream, latency,
    microphone,
    playback::{LineSound, REFILL_SECONDS},
    settling_weight, sound,
    utterance::{Held, Player, Stage, Utterance},
};
use crate::{
    TalkieSystems,
    face::{FaceDetail, TalkingFace},
};

/// Poses that must be there before the sound starts, in seconds: face and voice begin together.
const PREROLL: f64 = 0.25;
/// Frames after which a player without a sink counts as unheard: there is no audio device, or no engine.
const FRAMES_WITHOUT_SINK: u32 = 3;
const FRAMES_WITHOUT_ENGINE: u32 = 30;

/// Clips, streams, microphones, the queue, the clock and the sound. See [`TalkiePlugins`](crate::TalkiePlugins).
#[derive(Debug, Clone, Copy, Default)]
pub struct VoicePlugin;

/// Whether lines are played at all.
#[derive(Resource, Debug, Clone, Copy)]
pub(crate) struct Audible(pub(super) bool);

impl Plugin for VoicePlugin {
    fn build(&self, app: &mut App) {
        sound::register(app);
        latency::register(app);
        microphone::register(app);
        app.insert_resource(Audible(sound::is_available(app)))
            .init_resource::<OutputLatency>()
            .init_asset_loader::<VoiceClipLoader>()
            .init_asset::<FaceTrack>()
            .init_asset_loader::<FaceTrackLoader>()
            .add_systems(PostUpdate, speak.in_set(TalkieSystems::Voice))
            .add_systems(PostUpdate, latency::measure.after(TalkieSystems::Rig).before(TransformSystems::Propagate));
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
    mut voices: Query<(Entity, &mut Voice, &VoiceSettings, &FaceDetail), With<TalkingFace>>,
    clips: Res<Assets<VoiceClip>>,
    server: Res<AssetServer>,
    mut sinks: sound::Sinks,
    audible: Res<Audible>,
    latency: Res<OutputLatency>,
    time: Res<Time>,
    real: Res<Time<Real>>,
) {
    for (entity, mut voice, settings, detail) in &mut voices {
        if voice.is_still() {
            continue;
        }
        let voice = &mut *voice;
        voice.networks = detail.has_network();
        for (clip, heard_seconds) in voice.interrupted.drain(..) {
            commands.trigger(SpeechInterrupted { entity, clip, heard_seconds });
        }
        if voice.current.is_none()
            && let Some(line) = voice.queue.pop_front()
        {
            voice.last_id += 1;
            voice.current = Some(Utterance::new(voice.last_id, line.clip, line.stream));
        }
        if let Some(line) = &mut voice.current {
            let mut frame = Frame {
                commands: &mut commands,
                sinks: &mut sinks,
                entity,
                settings,
                paused: voice.paused,
                networks: voice.networks,
                last_id: &mut voice.last_id,
                audible: audible.0,
                latency: *latency,
                delta: time.delta(),
                real_delta: real.delta(),
            };
            match frame.step(line, &clips, &server) {
                Progress::Goes => {}
                Progress::Ends => {
                    if let Some(mut line) = voice.current.take() {
                        commands.trigger(SpeechFinished { entity, clip: line.clip.clone() });
                        line.settle(SETTLE.as_secs_f32());
                        voice.settle(line);
                    }
                }
                Progress::Fails(reason) => {
                    if let Some(line) = voice.current.take() {
                        commands.trigger(SpeechFailed { entity, clip: line.clip.clone(), reason });
                    }
                }
            }
        }
        if let Some(line) = &mut voice.settling {
            // Silent for a frame before it is taken away, so that nothing clicks.
            let is_over = matches!(line.stage, Stage::Settling { elapsed, fade } if elapsed >= fade);
            settle(&mut sinks, line, settings, real.delta(), time.delta());
            if is_over && let Some(line) = voice.settling.take() {
                voice.retired.extend(line.player.as_ref().map(|player| player.entity));
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
    paused: bool,
    networks: bool,
    last_id: &'a mut u64,
    audible: bool,
    latency: OutputLatency,
    delta: Duration,
    real_delta: Duration,
}

impl Frame<'_, '_, '_, '_, '_> {
    fn step(&mut self, line: &mut Utterance, clips: &Assets<VoiceClip>, server: &AssetServer) -> Progress {
        if line.sound.is_none() {
            if let Some(clip) = clips.get(&line.clip) {
                let sound = clip.shared();
                if let Sound::Stream(voice) = &sound {
                    line.stream.get_or_insert_with(|| Held(voice.clone()));
                    line.stream_start = voice.heard_frames();
                }
                line.sound = Some(sound);
                if let Some(track) = clip.track() {
                    line.bake(track.clone());
                }
            } else if let LoadState::Failed(error) = server.load_state(&line.clip) {
                return Progress::Fails(error.to_string());
            }
            // The networks begin in this frame; who has motion already needs none.
            if line.baked.is_none() {
                return Progress::Goes;
            }
        }
        self.read_hints(line);
        self.repeat(line);
        self.seek(line);
        self.feed(line);
        self.tell_player(line);
        let before = line.clock.seconds();
        let progress = self.advance(line);
        let device = line.stage == Stage::Playing;
        let passed = if device { self.real_delta } else { self.delta };
        // A live voice goes on in a pause, without being shown.
        let moves = line.clock.seconds() > before && !(self.paused && line.stage == Stage::Live);
        line.still = if moves { 0.0 } else { line.still + passed.as_secs_f32() };
        line.follow(self.networks, passed.as_secs_f32(), self.last_id);
        progress
    }

    /// Takes the clock on and goes from stage to stage.
    fn advance(&mut self, line: &mut Utterance) -> Progress {
        match line.stage {
            Stage::Preparing if self.paused => {}
            Stage::Preparing if line.is_live() => {
                let newest = line.newest_seconds(self.networks);
                if newest > 0.0 || line.is_over() {
                    self.start(line, Stage::Live);
                    line.clock.chase(self.delta, newest);
                }
            }
            Stage::Preparing => {
                let begin = line.clock.seconds();
                let enough = line.posed_seconds() - begin >= PREROLL.min(line.seconds() - begin);
                if enough || line.is_over() {
                    let audible = self.audible || self.settings.output == VoiceOutput::External;
                    line.player = if audible { self.play(line) } else { None };
                    if line.player.is_some() {
                        // Before anybody pulls.
                        self.feed(line);
                        line.stage = Stage::Starting { frames: 0 };
                    } else {
                        self.start(line, Stage::Simulated);
                    }
                }
            }
            Stage::Starting { frames } => {
                let player = line.player.as_ref();
                match player.and_then(|player| self.sinks.report(player.entity, &player.state)) {
                    Some(_) if player.is_some_and(|player| self.sinks.is_seeking(player.entity, &player.state)) => {}
                    Some(sink) => {
                        line.clock.follow(self.real_delta, sink, self.latency_of(line));
                        if line.clock.has_begun() {
                            self.start(line, Stage::Playing);
                        }
                    }
                    None if frames >= self.frames_without_sink() => {
                        if let Some(player) = line.player.take() {
                            self.commands.entity(player.entity).try_despawn();
                        }
                        self.start(line, Stage::Simulated);
                    }
                    None => line.stage = Stage::Starting { frames: frames + 1 },
                }
            }
            Stage::Playing => {
                let player = line.player.as_ref();
                let is_seeking = player.is_some_and(|player| self.sinks.is_seeking(player.entity, &player.state));
                match player.and_then(|player| self.sinks.report(player.entity, &player.state)) {
                    Some(sink) if sink.paused || !is_seeking => {
                        self.note_underrun(line, sink.starved && !sink.paused);
                        line.clock.follow(self.real_delta, sink, self.latency_of(line));
                    }
                    // The device has not followed yet.
                    Some(_) => {}
                    // Somebody took the sink away: the line ends in its own time.
                    None if self.paused => {}
                    None => line.clock.advance(self.real_delta.mul_f32(self.settings.sane_speed())),
                }
                if line.clock.seconds() >= line.seconds() {
                    return Progress::Ends;
                }
            }
            Stage::Simulated if self.paused => {}
            Stage::Simulated => {
                // A recording does not wait for its poses, as it would not where it is heard.
                let available = line.stream().map_or(f64::INFINITY, |_| line.available_seconds());
                let rest = available - line.clock.seconds();
                let all_is_there = line.seconds().is_finite();
                if line.starved && (rest >= REFILL_SECONDS || all_is_there) {
                    line.starved = false;
                }
                if !line.starved {
                    line.clock
                        .advance_to(self.delta.mul_f32(self.settings.sane_speed()), available.min(line.seconds()));
                    let dry = line.clock.seconds() >= available && line.clock.seconds() < line.seconds();
                    self.note_underrun(line, dry && !all_is_there);
                }
                if line.clock.seconds() >= line.seconds() {
                    return Progress::Ends;
                }
            }
            // What the networks still hold of a voice that fell silent is not shown any more when it ends.
            Stage::Live if line.settled() >= 1.0 && line.is_finished() => return Progress::Ends,
            Stage::Live => {
                let newest = line.newest_seconds(self.networks);
                // One whose animation failed is not begun again and again by a device that goes on.
                let goes_on = line.stream().is_some_and(VoiceStream::is_captured) && !line.is_finished();
                if !line.clock.chase(self.delta, newest) && line.is_over() && !goes_on {
                    return Progress::Ends;
                }
            }
            Stage::Settling { .. } => return Progress::Ends,
        }
        Progress::Goes
    }

    /// How late a line is heard.
    fn latency_of(&self, line: &Utterance) -> Duration {
        self.latency.of(line.player.as_ref().and_then(|player| self.sinks.latency(player.entity)))
    }

    fn frames_without_sink(&self) -> u32 {
        match self.settings.output {
            VoiceOutput::Bevy => FRAMES_WITHOUT_SINK,
            VoiceOutput::External => FRAMES_WITHOUT_ENGINE,
        }
    }

    fn start(&mut self, line: &mut Utterance, stage: Stage) {
        line.stage = stage;
        line.still = 0.0;
        self.commands.trigger(SpeechStarted { entity: self.entity, clip: line.clip.clone() });
    }

    /// Tells once that a speech ran dry.
    fn note_underrun(&mut self, line: &mut Utterance, starved: bool) {
        if starved && !line.starved && !line.is_finished() {
            let heard_seconds = line.clock.seconds();
            self.commands.trigger(SpeechUnderrun { entity: self.entity, clip: line.clip.clone(), heard_seconds });
        }
        line.starved = starved;
    }

    fn read_hints(&mut self, line: &mut Utterance) {
        if let Some(Sound::Stream(voice)) = &line.sound {
            let mut hints = core::mem::take(&mut line.hints);
            voice.take_hints(|hint| {
                if let Err(error) = hints.push(&hint) {
                    bevy_log::warn!("talkie: a hint is left out: {error}");
                }
            });
            hints.resolve(line.track());
            hints.forget_before(line.clock.seconds() - 1.0);
            line.hints = hints;
        }
    }

    /// Lets a recording begin again at its end from now on, or not any more.
    fn repeat(&mut self, line: &mut Utterance) {
        let Some(Sound::Recorded(sound)) = &line.sound else { return };
        if line.looped == self.settings.looped {
            return;
        }
        line.looped = self.settings.looped;
        let (now, length) = (line.clock.seconds(), sound.seconds());
        // The round that is heard is the last.
        line.ends_at = (!line.looped && length > 0.0).then(|| ((now / length).floor() + 1.0) * length);
        if line.looped && line.is_over() && line.baked.is_none() {
            *self.last_id += 1;
            line.animate_anew(now, *self.last_id);
        }
        if let Some(player) = &line.player {
            self.sinks.set_looped(player.entity, &player.state, line.looped);
        }
    }

    fn seek(&mut self, line: &mut Utterance) {
        if matches!(line.stage, Stage::Starting { .. }) {
            return;
        }
        let Some(seconds) = line.seek.take() else { return };
        let Some(Sound::Recorded(sound)) = &line.sound else {
            bevy_log::warn!("talkie: {} cannot seek in a stream", self.entity);
            return;
        };
        let seconds = seconds.min(sound.seconds());
        *self.last_id += 1;
        line.go_to(seconds, *self.last_id);
        // What was heard before is still on its way to the ear.
        let behind = if let Some(player) = &line.player {
            self.sinks.seek(player.entity, &player.state, seconds);
            self.latency_of(line).as_secs_f64()
        } else {
            0.0
        };
        line.clock.jump(seconds - behind);
    }

    /// Hands over the samples of a speech that have poses.
    fn feed(&mut self, line: &mut Utterance) {
        let posed = line.posed_seconds();
        let heard = line.clock.seconds();
        let Some(Sound::Stream(voice)) = &line.sound else { return };
        if voice.is_live() {
            return;
        }
        let frames = |seconds: f64| (seconds * f64::from(voice.sample_rate())) as u64;
        match &mut line.player {
            Some(player) => {
                let Some(feed) = &mut player.feed else { return };
                player.fed += voice.play(frames(posed).saturating_sub(player.fed) as usize, feed.get()) as u64;
                if voice.unplayed() == (0, false) {
                    player.state.complete();
                }
            }
            None if line.stage == Stage::Simulated => voice.forget_played(frames(heard)),
            None => {}
        }
    }

    /// Tells the player what changed.
    fn tell_player(&mut self, line: &mut Utterance) {
        let Some(player) = &mut line.player else { return };
        let speed = self.settings.sane_speed();
        if player.speed != speed {
            player.speed = speed;
            self.sinks.set_speed(player.entity, speed);
        }
        if player.volume != self.settings.volume {
            player.volume = self.settings.volume;
            self.sinks.set_volume(player.entity, player.volume);
        }
        if player.paused != self.paused {
            player.paused = self.paused;
            self.sinks.set_paused(player.entity, player.paused);
        }
    }

    /// Starts the sound.
    fn play(&mut self, line: &Utterance) -> Option<Player> {
        let (sound, state, feed) = match line.sound.as_ref()? {
            Sound::Recorded(sound) => {
                let (sound, state) = LineSound::recorded(sound.clone(), line.looped);
                if line.clock.seconds() > 0.0 {
                    state.seek(line.clock.seconds());
                }
                (sound, state, None)
            }
            Sound::Stream(voice) => {
                let (sound, state, feed) = LineSound::streamed(voice.sample_rate(), voice.channels());
                (sound, state, Some(SyncCell::new(feed)))
            }
        };
        let entity = self.sinks.play(self.commands, self.entity, sound, self.settings, self.paused, line.looped)?;
        let (volume, speed) = (self.settings.volume, self.settings.sane_speed());
        Some(Player { entity, state, feed, fed: 0, volume, speed, paused: self.paused })
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
    if let Some(player) = &line.player {
        sinks.set_volume(player.entity, settings.volume * settling_weight(elapsed, fade));
    }
}
