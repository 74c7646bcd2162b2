//! What plays a line: `bevy_audio`, another engine of the game, or nothing.

use std::time::Duration;

use bevy_ecs::{
    entity::Entity,
    hierarchy::ChildOf,
    system::{Commands, Query, SystemParam},
};
use bevy_transform::components::Transform;

#[cfg(all(test, feature = "bevy_audio"))]
pub(super) use bevy_sinks::PlayedLine;
pub(super) use bevy_sinks::{check, is_available, register};
#[cfg(feature = "bevy_audio")]
use with_audio as bevy_sinks;
#[cfg(not(feature = "bevy_audio"))]
use without_audio as bevy_sinks;

use super::{
    ExternalLine, VoiceOutput, VoiceSettings,
    clock::SinkReport,
    playback::{LineSound, PlaybackState},
};

/// Whatever plays lines.
#[derive(SystemParam)]
pub(crate) struct Sinks<'w, 's> {
    bevy: bevy_sinks::BevySinks<'w, 's>,
    external: Query<'w, 's, &'static mut ExternalLine>,
}

impl Sinks<'_, '_> {
    pub(crate) fn report(&mut self, player: Entity, state: &PlaybackState) -> Option<SinkReport> {
        match self.external.get(player) {
            Ok(line) => line.sink_report(state),
            Err(_) => self.bevy.report(player, state),
        }
    }

    /// How late its engine is heard, if it said so.
    pub(crate) fn latency(&self, player: Entity) -> Option<Duration> {
        self.external.get(player).ok()?.latency()
    }

    pub(crate) fn set_volume(&mut self, player: Entity, volume: f32) {
        match self.external.get_mut(player) {
            Ok(mut line) => line.volume = volume,
            Err(_) => self.bevy.set_volume(player, volume),
        }
    }

    pub(crate) fn set_speed(&mut self, player: Entity, speed: f32) {
        match self.external.get_mut(player) {
            Ok(mut line) => line.speed = speed,
            Err(_) => self.bevy.set_speed(player, speed),
        }
    }

    pub(crate) fn set_paused(&mut self, player: Entity, paused: bool) {
        match self.external.get_mut(player) {
            Ok(mut line) => line.paused = paused,
            Err(_) => self.bevy.set_paused(player, paused),
        }
    }

    pub(crate) fn set_looped(&mut self, player: Entity, state: &PlaybackState, looped: bool) {
        state.set_looped(looped);
        if let Ok(mut line) = self.external.get_mut(player) {
            line.looped = looped;
        }
    }

    /// Goes on at a moment, in seconds.
    pub(crate) fn seek(&mut self, player: Entity, state: &PlaybackState, seconds: f64) {
        match self.external.get_mut(player) {
            Ok(mut line) if !line.is_pulled() => line.seek = Some(seconds),
            _ => state.seek(seconds),
        }
    }

    /// Whether it has not gone there yet.
    pub(crate) fn is_seeking(&self, player: Entity, state: &PlaybackState) -> bool {
        state.is_seeking() || self.external.get(player).is_ok_and(|line| line.seek.is_some())
    }

    /// Spawns the entity that plays a line, as a child of its speaker; `None` if nothing can be played.
    pub(crate) fn play(
        &mut self,
        commands: &mut Commands<'_, '_>,
        speaker: Entity,
        line: LineSound,
        settings: &VoiceSettings,
        paused: bool,
        looped: bool,
    ) -> Option<Entity> {
        match settings.output {
            VoiceOutput::Bevy => self.bevy.play(commands, speaker, line, settings, paused),
            VoiceOutput::External => {
                let line = ExternalLine::new(line, settings, paused, looped)?;
                Some(commands.spawn((line, Transform::default(), ChildOf(speaker))).id())
            }
        }
    }
}

#[cfg(feature = "bevy_audio")]
mod with_audio {
    use bevy_app::App;
    use bevy_asset::{Asset, AssetApp, Assets};
    use bevy_audio::{
        AddAudioSource, AudioPlayer, AudioPlugin, AudioSink, AudioSinkPlayback, ChannelCount, Decodable, PlaybackMode,
        PlaybackSettings, SampleRate, Source, SpatialAudioSink, SpatialScale, Volume,
    };
    use bevy_ecs::{
        entity::Entity,
        hierarchy::ChildOf,
        system::{Commands, Query, ResMut, SystemParam},
    };
    use bevy_reflect::TypePath;
    use bevy_transform::components::Transform;
    use core::time::Duration;

    use super::super::{
        VoiceClip, VoiceSettings,
        clock::SinkReport,
        output,
        playback::{LineSamples, LineSound, PlaybackState},
    };

    /// A line that is played, for `bevy_audio`.
    #[derive(Asset, TypePath)]
    pub struct PlayedLine(LineSound);

    /// What `bevy_audio` pulls, on the audio thread.
    pub struct PlayedSamples(Option<LineSamples>);

    impl Iterator for PlayedSamples {
        type Item = f32;

        fn next(&mut self) -> Option<f32> {
            self.0.as_mut()?.next()
        }
    }

    impl Source for PlayedSamples {
        fn current_span_len(&self) -> Option<usize> {
            // The format never changes, and nobody knows when it ends.
            None
        }

        fn channels(&self) -> ChannelCount {
            let channels = self.0.as_ref().map_or(1, LineSamples::channels);
            ChannelCount::new(channels as u16).unwrap_or(ChannelCount::MIN)
        }

        fn sample_rate(&self) -> SampleRate {
            let rate = self.0.as_ref().map_or(1, LineSamples::sample_rate);
            SampleRate::new(rate).unwrap_or(SampleRate::MIN)
        }

        fn total_duration(&self) -> Option<Duration> {
            None
        }
    }

    impl Decodable for PlayedLine {
        type Decoder = PlayedSamples;

        fn decoder(&self) -> PlayedSamples {
            PlayedSamples(self.0.samples())
        }
    }

    /// Registers clips, and lines as something that `bevy_audio` can play, if it is there.
    pub(crate) fn register(app: &mut App) {
        app.init_asset::<VoiceClip>();
        if app.is_plugin_added::<AudioPlugin>() {
            app.add_audio_source::<PlayedLine>();
            output::measure(app, output::Buffering::Bevy);
        }
    }

    /// Warns if `AudioPlugin` came too late to be noticed.
    pub(crate) fn check(app: &App, registered: bool) {
        if app.is_plugin_added::<AudioPlugin>() && !registered {
            bevy_log::warn!("voices will not be heard: add `TalkiePlugins` after `AudioPlugin` (`DefaultPlugins`)");
        }
    }

    pub(crate) fn is_available(app: &App) -> bool {
        app.is_plugin_added::<AudioPlugin>()
    }

    /// The sinks of playing lines.
    #[derive(SystemParam)]
    pub(super) struct BevySinks<'w, 's> {
        lines: Option<ResMut<'w, Assets<PlayedLine>>>,
        sinks: Query<'w, 's, (Option<&'static mut AudioSink>, Option<&'static mut SpatialAudioSink>)>,
    }

    impl BevySinks<'_, '_> {
        fn with<R>(&mut self, player: Entity, act: impl FnOnce(&mut dyn AudioSinkPlayback) -> R) -> Option<R> {
            match self.sinks.get_mut(player).ok()? {
                (Some(mut sink), _) => Some(act(&mut *sink)),
                (None, Some(mut sink)) => Some(act(&mut *sink)),
                (None, None) => None,
            }
        }

        pub(crate) fn report(&mut self, player: Entity, state: &PlaybackState) -> Option<SinkReport> {
            self.with(player, |sink| SinkReport {
                position: state.position_seconds(),
                speed: f64::from(sink.speed()),
                paused: sink.is_paused(),
                starved: state.is_starved(),
                drained: sink.empty(),
            })
        }

        pub(crate) fn set_volume(&mut self, player: Entity, volume: f32) {
            self.with(player, |sink| sink.set_volume(Volume::Linear(volume)));
        }

        pub(crate) fn set_speed(&mut self, player: Entity, speed: f32) {
            self.with(player, |sink| sink.set_speed(speed));
        }

        pub(crate) fn set_paused(&mut self, player: Entity, paused: bool) {
            self.with(player, |sink| if paused { sink.pause() } else { sink.play() });
        }

        /// Spawns the entity that plays a line, as a child of its speaker; `None` if nothing can be played.
        pub(crate) fn play(
            &mut self,
            commands: &mut Commands<'_, '_>,
            speaker: Entity,
            line: LineSound,
            settings: &VoiceSettings,
            paused: bool,
        ) -> Option<Entity> {
            let line = self.lines.as_mut()?.add(PlayedLine(line));
            let playback = PlaybackSettings {
                mode: PlaybackMode::Once,
                volume: Volume::Linear(settings.volume),
                speed: settings.sane_speed(),
                paused,
                spatial: settings.spatial,
                spatial_scale: settings.spatial_scale.map(SpatialScale::new),
                ..PlaybackSettings::ONCE
            };
            Some(commands.spawn((AudioPlayer(line), playback, Transform::default(), ChildOf(speaker))).id())
        }
    }
}

#[cfg(not(feature = "bevy_audio"))]
mod without_audio {
    use bevy_app::App;
    use bevy_asset::AssetApp;
    use bevy_ecs::{
        entity::Entity,
        system::{Commands, SystemParam},
    };

    use super::super::{
        VoiceClip, VoiceSettings,
        clock::SinkReport,
        playback::{LineSound, PlaybackState},
    };

    pub(crate) fn register(app: &mut App) {
        app.init_asset::<VoiceClip>();
    }

    pub(crate) fn check(_: &App, _: bool) {}

    pub(crate) fn is_available(_: &App) -> bool {
        false
    }

    /// Nothing plays.
    #[derive(SystemParam)]
    pub(super) struct BevySinks<'w, 's> {
        _nothing: core::marker::PhantomData<(&'w (), &'s ())>,
    }

    impl BevySinks<'_, '_> {
        pub(crate) fn report(&mut self, _: Entity, _: &PlaybackState) -> Option<SinkReport> {
            None
        }

        pub(crate) fn set_volume(&mut self, _: Entity, _: f32) {}

        pub(crate) fn set_speed(&mut self, _: Entity, _: f32) {}

        pub(crate) fn set_paused(&mut self, _: Entity, _: bool) {}

        pub(crate) fn play(
            &mut self,
            _: &mut Commands<'_, '_>,
            _: Entity,
            _: LineSound,
            _: &VoiceSettings,
            _: bool,
        ) -> Option<Entity> {
            None
        }
    }
}
