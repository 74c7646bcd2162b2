//! Playing a line through `bevy_audio`. Without the feature, or without a device, nothing is played.

#[cfg(feature = "bevy_audio")]
pub(super) use with_audio::*;
#[cfg(not(feature = "bevy_audio"))]
pub(super) use without_audio::*;

#[cfg(feature = "bevy_audio")]
mod with_audio {
    use std::sync::Arc;

    use bevy_app::App;
    use bevy_asset::{AssetApp, Handle};
    use bevy_audio::{
        AddAudioSource, AudioPlayer, AudioPlugin, AudioSink, AudioSinkPlayback, ChannelCount, Decodable, PlaybackMode,
        PlaybackSettings, SampleRate, Source, SpatialAudioSink, SpatialScale, Volume,
    };
    use bevy_ecs::{
        entity::Entity,
        hierarchy::ChildOf,
        system::{Commands, Query, SystemParam},
    };
    use bevy_transform::components::Transform;
    use core::time::Duration;
    use talkie::audio::AudioClip;

    use super::super::{Sound, VoiceClip, VoiceSettings, clock::SinkReport};

    /// Plays the samples of a clip; a live voice has none to play. Runs on the audio thread: reads shared memory, nothing
    /// else.
    #[derive(Debug)]
    pub struct ClipSamples {
        sound: Option<Arc<AudioClip>>,
        next: usize,
    }

    impl ClipSamples {
        fn samples(&self) -> &[f32] {
            self.sound.as_ref().map_or(&[], |sound| sound.samples())
        }
    }

    impl Iterator for ClipSamples {
        type Item = f32;

        fn next(&mut self) -> Option<f32> {
            let sample = self.samples().get(self.next).copied();
            self.next += 1;
            sample
        }
    }

    impl Source for ClipSamples {
        fn current_span_len(&self) -> Option<usize> {
            Some(self.samples().len().saturating_sub(self.next))
        }

        fn channels(&self) -> ChannelCount {
            let channels = self.sound.as_ref().map_or(1, |sound| sound.channels() as u16);
            ChannelCount::new(channels).unwrap_or(ChannelCount::MIN)
        }

        fn sample_rate(&self) -> SampleRate {
            let rate = self.sound.as_ref().map_or(talkie::audio::SAMPLE_RATE, |sound| sound.sample_rate());
            SampleRate::new(rate).unwrap_or(SampleRate::MIN)
        }

        fn total_duration(&self) -> Option<Duration> {
            Some(Duration::from_secs_f64(self.sound.as_ref().map_or(0.0, |sound| sound.seconds())))
        }
    }

    impl Decodable for VoiceClip {
        type Decoder = ClipSamples;

        fn decoder(&self) -> ClipSamples {
            let sound = match self.shared() {
                Sound::Recorded(sound) => Some(sound),
                Sound::Live(_) => None,
            };
            ClipSamples { sound, next: 0 }
        }
    }

    /// Registers clips as something `bevy_audio` can play, if it is there.
    pub(crate) fn register(app: &mut App) {
        if app.is_plugin_added::<AudioPlugin>() {
            app.add_audio_source::<VoiceClip>();
        } else {
            app.init_asset::<VoiceClip>();
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
    pub(crate) struct Sinks<'w, 's> {
        sinks: Query<'w, 's, (Option<&'static mut AudioSink>, Option<&'static mut SpatialAudioSink>)>,
    }

    impl Sinks<'_, '_> {
        fn with<R>(&mut self, player: Entity, act: impl FnOnce(&mut dyn AudioSinkPlayback) -> R) -> Option<R> {
            match self.sinks.get_mut(player).ok()? {
                (Some(mut sink), _) => Some(act(&mut *sink)),
                (None, Some(mut sink)) => Some(act(&mut *sink)),
                (None, None) => None,
            }
        }

        pub(crate) fn report(&mut self, player: Entity) -> Option<SinkReport> {
            self.with(player, |sink| {
                let speed = f64::from(sink.speed());
                SinkReport {
                    position: sink.position().as_secs_f64() * speed,
                    speed,
                    paused: sink.is_paused(),
                    drained: sink.empty(),
                }
            })
        }

        pub(crate) fn set_volume(&mut self, player: Entity, volume: f32) {
            self.with(player, |sink| sink.set_volume(Volume::Linear(volume)));
        }
    }

    /// Spawns the entity that plays a line, as a child of its speaker.
    pub(crate) fn play(
        commands: &mut Commands<'_, '_>,
        speaker: Entity,
        clip: Handle<VoiceClip>,
        settings: &VoiceSettings,
    ) -> Entity {
        let playback = PlaybackSettings {
            mode: PlaybackMode::Once,
            volume: Volume::Linear(settings.volume),
            speed: settings.speed,
            spatial: settings.spatial,
            spatial_scale: settings.spatial_scale.map(SpatialScale::new),
            ..PlaybackSettings::ONCE
        };
        commands.spawn((AudioPlayer(clip), playback, Transform::default(), ChildOf(speaker))).id()
    }
}

#[cfg(not(feature = "bevy_audio"))]
mod without_audio {
    use bevy_app::App;
    use bevy_asset::{AssetApp, Handle};
    use bevy_ecs::{
        entity::Entity,
        system::{Commands, SystemParam},
    };

    use super::super::{VoiceClip, VoiceSettings, clock::SinkReport};

    pub(crate) fn register(app: &mut App) {
        app.init_asset::<VoiceClip>();
    }

    pub(crate) fn check(_: &App, _: bool) {}

    pub(crate) fn is_available(_: &App) -> bool {
        false
    }

    /// Nothing plays.
    #[derive(SystemParam)]
    pub(crate) struct Sinks<'w, 's> {
        _nothing: core::marker::PhantomData<(&'w (), &'s ())>,
    }

    impl Sinks<'_, '_> {
        pub(crate) fn report(&mut self, _: Entity) -> Option<SinkReport> {
            None
        }

        pub(crate) fn set_volume(&mut self, _: Entity, _: f32) {}
    }

    pub(crate) fn play(_: &mut Commands<'_, '_>, speaker: Entity, _: Handle<VoiceClip>, _: &VoiceSettings) -> Entity {
        speaker
    }
}
