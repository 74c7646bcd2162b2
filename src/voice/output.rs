//! How late a device is heard.

use std::time::Duration;

use bevy_ecs::resource::Resource;

/// Where nobody says how late a device is heard.
const UNKNOWN: Duration = Duration::from_millis(60);

/// How long after a sample was handed to the audio device it is heard. Only matters where sound is played.
///
/// When the app starts, the default device is asked (through `cpal`, with a silent stream beside the one that plays; some seconds at
/// most, in the background). Until it has answered, and where it does not say, it is 60 ms, which fits `bevy_audio`'s buffering on desktop
/// systems. What is behind the device it does not know: a Bluetooth headset or a television may need 200 ms and more. Insert
/// [`fixed`](Self::fixed) where the player can say so: it counts for every engine.
#[derive(Resource, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutputLatency {
    fixed: Option<Duration>,
    /// What the device said when it was opened as `bevy_audio` does, and as `bevy_kira_audio` does.
    bevy: Option<Duration>,
    kira: Option<Duration>,
}

impl OutputLatency {
    /// What the game knows better than the device.
    pub const fn fixed(latency: Duration) -> Self {
        Self { fixed: Some(latency), bevy: None, kira: None }
    }

    /// What counts where the engine does not know better.
    pub fn get(&self) -> Duration {
        self.of(None)
    }

    /// What counts for an engine that may have told how late it is heard.
    pub(super) fn of(&self, told: Option<Duration>) -> Duration {
        self.fixed.or(told).or(self.bevy).unwrap_or(UNKNOWN)
    }

    /// What the device said, if it did: about `bevy_audio`, or else about `bevy_kira_audio`.
    pub fn measured(&self) -> Option<Duration> {
        self.bevy.or(self.kira)
    }

    /// What it said about `bevy_kira_audio`.
    #[cfg(feature = "bevy_kira_audio")]
    pub(super) fn kira(&self) -> Option<Duration> {
        self.kira
    }
}

/// How the engine that plays opens the device.
#[cfg(any(feature = "bevy_audio", feature = "bevy_kira_audio"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Buffering {
    /// `bevy_audio`: 50 ms, in frames the nearest power of two.
    #[cfg(feature = "bevy_audio")]
    Bevy,
    /// `bevy_kira_audio`: as the device likes it.
    #[cfg(feature = "bevy_kira_audio")]
    Kira,
}

/// Asks the device when the app starts, if nobody is better informed.
#[cfg(any(feature = "bevy_audio", feature = "bevy_kira_audio"))]
pub(super) fn measure(app: &mut bevy_app::App, buffering: Buffering) {
    // Not in a browser, which has no threads to wait in.
    if cfg!(not(target_arch = "wasm32")) {
        probe::register(app, buffering);
    }
}

#[cfg(any(feature = "bevy_audio", feature = "bevy_kira_audio"))]
mod probe {
    use std::{
        sync::{
            atomic::Ordering,
            mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel},
        },
        thread,
        time::{Duration, Instant},
    };

    use bevy_app::{App, PreUpdate, Startup};
    use bevy_ecs::{
        resource::Resource,
        schedule::IntoScheduleConfigs,
        system::{Res, ResMut},
    };
    use bevy_platform::cell::SyncCell;
    use cpal::{
        BufferSize, Device, FromSample, OutputCallbackInfo, SampleFormat, SizedSample, Stream, StreamConfig,
        traits::{DeviceTrait, HostTrait, StreamTrait},
    };

    use super::{Buffering, OutputLatency};
    use crate::background::{Background, Work};

    /// What a device tells first is not true yet.
    const SETTLES: Duration = Duration::from_millis(300);
    /// So many answers are enough, and so long they are waited for.
    const ANSWERS: usize = 15;
    const PATIENCE: Duration = Duration::from_secs(4);
    /// How soon it is noticed that the game ends.
    const LOOK_UP: Duration = Duration::from_millis(50);
    /// What no device is.
    const ABSURD: Duration = Duration::from_secs(3);

    /// Who was asked and has not answered yet.
    #[derive(Resource, Default)]
    struct Probes(Vec<(Buffering, SyncCell<Receiver<Answer>>)>);

    type Answer = Result<Duration, String>;

    pub(super) fn register(app: &mut App, buffering: Buffering) {
        Background::of(app);
        if !app.world().contains_resource::<Probes>() {
            let waiting = |probes: Res<Probes>| !probes.0.is_empty();
            app.init_resource::<Probes>().add_systems(PreUpdate, answer.run_if(waiting));
        }
        let start = move |latency: Res<OutputLatency>, background: Res<Background>, mut probes: ResMut<Probes>| {
            if latency.fixed.is_none() {
                let (sender, receiver) = sync_channel(1);
                let work = background.work();
                // It waits most of the time, which would hold up everything else on a task pool.
                let asks = move || {
                    // Where the game has ended, nobody wants the answer.
                    let _ = sender.send(ask(buffering, &work));
                };
                match thread::Builder::new().name("talkie output".into()).spawn(asks) {
                    Ok(_) => probes.0.push((buffering, SyncCell::new(receiver))),
                    Err(error) => bevy_log::warn!("talkie: the audio device cannot be asked how late it is: {error}"),
                }
            }
        };
        app.add_systems(Startup, start);
    }

    fn answer(mut probes: ResMut<Probes>, mut latency: ResMut<OutputLatency>) {
        probes.0.retain_mut(|(buffering, receiver)| {
            let answer = match receiver.get().try_recv() {
                Ok(answer) => answer,
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => Err("asking it failed".into()),
            };
            match answer {
                Ok(measured) => {
                    bevy_log::info!("talkie: the audio device is heard {:.0} ms late", measured.as_secs_f64() * 1e3);
                    match buffering {
                        #[cfg(feature = "bevy_audio")]
                        Buffering::Bevy => latency.bevy = Some(measured),
                        #[cfg(feature = "bevy_kira_audio")]
                        Buffering::Kira => latency.kira = Some(measured),
                    }
                }
                Err(reason) => {
                    let assumed = latency.get().as_millis();
                    bevy_log::info!(
                        "talkie: the audio device does not say how late it is heard, {assumed} ms are assumed: {reason}"
                    );
                }
            }
            false
        });
    }

    /// What a callback of a device told: how long until its first sample is heard, and its length.
    struct Told {
        delay: Duration,
        length: Duration,
    }

    /// Plays silence beside the engine and listens to what the callbacks are told.
    fn ask(buffering: Buffering, work: &Work) -> Answer {
        let device = cpal::default_host().default_output_device().ok_or("there is none")?;
        let supported = device.default_output_config().map_err(|error| error.to_string())?;
        let mut config = supported.config();
        config.buffer_size = match buffering {
            #[cfg(feature = "bevy_audio")]
            Buffering::Bevy => BufferSize::Fixed(nearest_power_of_two(config.sample_rate / 20)),
            #[cfg(feature = "bevy_kira_audio")]
            Buffering::Kira => BufferSize::Default,
        };
        let (sender, told) = sync_channel(1024);
        let stream = open(&device, &config, supported.sample_format(), sender)?;
        stream.play().map_err(|error| error.to_string())?;
        let mut heard = listen(&told, buffering, work);
        drop(stream);
        heard.sort_unstable();
        let latency = *heard.get(heard.len() / 2).ok_or("it gives no times")?;
        if latency < ABSURD { Ok(latency) } else { Err(format!("{latency:?} cannot be")) }
    }

    fn listen(told: &Receiver<Told>, buffering: Buffering, work: &Work) -> Vec<Duration> {
        let begun = Instant::now();
        let mut heard = Vec::new();
        while heard.len() < ANSWERS && begun.elapsed() < PATIENCE && !work.load(Ordering::Acquire) {
            let Told { delay, length } = match told.recv_timeout(LOOK_UP) {
                Ok(told) => told,
                Err(RecvTimeoutError::Timeout) => continue,
                // The device is gone.
                Err(RecvTimeoutError::Disconnected) => break,
            };
            // No device is heard at once: one that says so does not know.
            if begun.elapsed() > SETTLES && delay > Duration::ZERO {
                // Positions move by a whole buffer when the device takes it, so that on average half a buffer is missing.
                heard.push(match buffering {
                    // To its end.
                    #[cfg(feature = "bevy_audio")]
                    Buffering::Bevy => delay + length / 2,
                    // To its beginning.
                    #[cfg(feature = "bevy_kira_audio")]
                    Buffering::Kira => delay.saturating_sub(length / 2),
                });
            }
        }
        heard
    }

    fn open(
        device: &Device,
        config: &StreamConfig,
        format: SampleFormat,
        sender: SyncSender<Told>,
    ) -> Result<Stream, String> {
        match format {
            SampleFormat::I8 => of::<i8>(device, config, sender),
            SampleFormat::I16 => of::<i16>(device, config, sender),
            SampleFormat::I24 => of::<cpal::I24>(device, config, sender),
            SampleFormat::I32 => of::<i32>(device, config, sender),
            SampleFormat::U8 => of::<u8>(device, config, sender),
            SampleFormat::U16 => of::<u16>(device, config, sender),
            SampleFormat::F32 => of::<f32>(device, config, sender),
            SampleFormat::F64 => of::<f64>(device, config, sender),
            other => Err(format!("it takes samples of the format {other}, which is not known")),
        }
    }

    fn of<T: SizedSample + FromSample<f32>>(
        device: &Device,
        config: &StreamConfig,
        sender: SyncSender<Told>,
    ) -> Result<Stream, String> {
        let per_second = f64::from(config.sample_rate) * f64::from(config.channels.max(1));
        let callback = move |data: &mut [T], info: &OutputCallbackInfo| {
            data.fill(T::EQUILIBRIUM);
            let timestamp = info.timestamp();
            if let Some(delay) = timestamp.playback.duration_since(&timestamp.callback) {
                let length = Duration::from_secs_f64(data.len() as f64 / per_second);
                // Where nobody listens, nothing is missed.
                let _ = sender.try_send(Told { delay, length });
            }
        };
        device.build_output_stream(config, callback, |_| (), None).map_err(|error| error.to_string())
    }

    /// As rodio rounds.
    #[cfg(feature = "bevy_audio")]
    fn nearest_power_of_two(count: u32) -> u32 {
        let above = count.max(1).next_power_of_two();
        let below = (above / 2).max(1);
        if count.saturating_sub(below) <= above - count { below } else { above }
    }

    #[cfg(all(test, feature = "bevy_audio"))]
    mod tests {
        use std::sync::Arc;

        use super::*;

        #[test]
        fn a_device_is_not_listened_to_when_the_game_ends_or_the_device_goes() {
            let begun = Instant::now();
            let (sender, told) = sync_channel(1);
            let work = Work::default();
            work.store(true, Ordering::Release);
            assert_eq!(listen(&told, Buffering::Bevy, &work), []);
            drop(sender);
            assert_eq!(listen(&told, Buffering::Bevy, &Work::default()), []);
            assert!(begun.elapsed() < PATIENCE / 2);
        }

        #[test]
        fn what_a_device_tells_first_does_not_count() {
            let (sender, told) = sync_channel(4);
            let work: Work = Arc::default();
            let tells = thread::spawn(move || {
                let told = |delay| Told { delay: Duration::from_millis(delay), length: Duration::from_millis(40) };
                sender.send(told(500)).unwrap();
                thread::sleep(SETTLES + LOOK_UP);
                (0..ANSWERS).for_each(|_| sender.send(told(60)).unwrap());
            });
            assert_eq!(listen(&told, Buffering::Bevy, &work), [Duration::from_millis(80); ANSWERS]);
            tells.join().unwrap();
        }

        #[test]
        fn rounding_is_that_of_rodio() {
            assert_eq!([0, 1, 3, 2_205, 2_400, 4_800].map(nearest_power_of_two), [1, 1, 2, 2_048, 2_048, 4_096]);
        }
    }
}
