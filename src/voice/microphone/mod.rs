//! Microphones: a face that follows whoever talks into one, whatever the device does.
//!
//! Put a [`Microphone`] on an entity with a [`TalkingFace`](crate::face::TalkingFace). Its [`MicrophoneState`] says whether it is
//! open, how loud it is, and why it cannot be had; it is tried again as long as the component is there.

mod capture;
#[cfg(feature = "microphone")]
mod cpal;
mod virtual_device;

use std::{sync::Arc, time::Duration};

use bevy_app::{App, PostUpdate};
use bevy_asset::{Assets, Handle};
use bevy_ecs::{
    component::Component,
    entity::Entity,
    lifecycle::Remove,
    observer::On,
    resource::Resource,
    schedule::IntoScheduleConfigs,
    system::{Commands, Query, Res, ResMut},
};
use bevy_tasks::{IoTaskPool, Task, futures::check_ready};
use bevy_time::{Real, Time};
use talkie::audio::{AudioClip, Level, VoiceInputSettings};

pub use self::capture::{
    Capture, CaptureDevice, CaptureError, CaptureFault, CaptureFormat, CaptureReader, CaptureSource, CaptureWriter,
    capture_ring,
};
#[cfg(feature = "microphone")]
pub use self::cpal::SystemMicrophones;
pub use self::virtual_device::{VirtualDevice, VirtualMicrophone};

use super::{Queued, Voice, VoiceClip, VoiceSettings, VoiceStream, playback::LineSound, plugin::Audible, sound};
use crate::{
    TalkieSystems,
    background::{Background, Work, WorkLater},
};

/// The first pause before a device is tried again, and the longest: each is twice as long as the one before.
const FIRST_RETRY: Duration = Duration::from_millis(250);
const LAST_RETRY: Duration = Duration::from_secs(4);
/// An open device that gives nothing for so long is opened again.
const STALLED: Duration = Duration::from_secs(2);
/// How often it is asked whether the system has another default device now.
const LOOK_AROUND: Duration = Duration::from_secs(2);
/// Sound that waits for longer while nobody can listen is forgotten, in seconds.
const OLD_SECONDS: f64 = 0.5;

/// Lets a face follow a microphone. The default follows the system's default device, with a gate against noise.
///
/// It holds the floor: lines that are given with `say` wait until it is removed. Changes take effect at once.
#[derive(Component, Debug, Clone, PartialEq, Default)]
#[require(MicrophoneState)]
pub struct Microphone {
    /// Name of the device, one of [`Microphones::devices`]; `None` follows the system's default.
    pub device: Option<String>,
    /// Gain, gate, and automatic gain.
    pub input: VoiceInputSettings,
    /// Whether the face hears silence instead.
    pub muted: bool,
    /// Whether what the face hears is played. Default no: it would come back through the microphone.
    pub monitor: bool,
}

/// Where a [`Microphone`] is.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum MicrophoneStatus {
    /// Nothing was done yet, or its component was removed.
    #[default]
    Closed,
    /// The system was asked for it.
    Opening,
    /// It captures.
    Open {
        /// Name of the device.
        device: String,
        /// How it captures.
        format: CaptureFormat,
    },
    /// It cannot be had now.
    Waiting {
        /// Why.
        error: CaptureError,
        /// When it will be tried again.
        retry_in: Duration,
    },
}

/// What became of a [`Microphone`], and how loud it is. Comes with it.
#[derive(Component, Default)]
#[allow(missing_debug_implementations, reason = "open streams have none")]
pub struct MicrophoneState {
    link: Link,
    level: Level,
    gate_open: bool,
    noise_floor_db: f32,
    gain_db: f32,
    dropped: u64,
    dropped_before: u64,
    /// What the reader was told last.
    told: Option<(VoiceInputSettings, bool)>,
    recording: bool,
    monitor: Option<Entity>,
}

#[derive(Default)]
enum Link {
    #[default]
    Idle,
    Opening {
        task: Task<(Result<Capture, CaptureError>, Work)>,
        wanted: Option<String>,
        retry: Duration,
    },
    Open(Box<OpenLink>),
    Waiting {
        error: CaptureError,
        left: Duration,
        retry: Duration,
        wanted: Option<String>,
    },
}

struct OpenLink {
    device: String,
    wanted: Option<String>,
    format: CaptureFormat,
    stream: VoiceStream,
    clip: Handle<VoiceClip>,
    fault: CaptureFault,
    keeps_open: Option<Box<dyn Send + Sync>>,
    background: WorkLater,
    /// Frames that were written when it was looked at, and for how long that did not change.
    written: u64,
    silent: Duration,
    retry: Duration,
    looked: Duration,
    around: Option<Task<Option<String>>>,
}

impl OpenLink {
    /// Closes it elsewhere, since that waits for the thread of the device. Where the world ends, so does `drop`, and waits.
    fn close(&mut self) {
        if let (Some(open), Some(pool)) = (self.keeps_open.take(), IoTaskPool::try_get()) {
            let work = self.background.upgrade();
            pool.spawn(async move {
                drop(open);
                drop(work);
            })
            .detach();
        }
    }
}

impl Drop for OpenLink {
    fn drop(&mut self) {
        self.stream.finish();
    }
}

impl MicrophoneState {
    /// Where it is.
    pub fn status(&self) -> MicrophoneStatus {
        match &self.link {
            Link::Idle => MicrophoneStatus::Closed,
            Link::Opening { .. } => MicrophoneStatus::Opening,
            Link::Open(open) => MicrophoneStatus::Open { device: open.device.clone(), format: open.format.clone() },
            Link::Waiting { error, left, .. } => MicrophoneStatus::Waiting { error: error.clone(), retry_in: *left },
        }
    }

    /// Whether it captures.
    pub fn is_open(&self) -> bool {
        matches!(self.link, Link::Open(_))
    }

    /// How loud it is, with the gain that was set and before the gate.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Whether the gate lets it through.
    pub fn is_gate_open(&self) -> bool {
        self.gate_open
    }

    /// How loud the room is, as the gate learned it, in dBFS.
    pub fn noise_floor_db(&self) -> f32 {
        self.noise_floor_db
    }

    /// The gain that is applied, set and automatic, in dB.
    pub fn gain_db(&self) -> f32 {
        self.gain_db
    }

    /// Frames that were captured and found no room, since it was first opened.
    pub fn dropped_frames(&self) -> u64 {
        self.dropped_before + self.dropped
    }

    /// Closes it and opens it again: for another [`Microphones`] resource, or where the game knows better.
    pub fn reopen(&mut self) {
        self.close(Link::Idle);
    }

    /// Keeps what is captured from now on, before gain and gate: 4 bytes a sample. Does nothing where it is not open.
    pub fn start_recording(&mut self) {
        if let Link::Open(open) = &self.link {
            open.stream.with_capture(|reader| reader.record(true));
            self.recording = true;
        }
    }

    /// Hands over what was kept, and stops. `None` if nothing was.
    pub fn stop_recording(&mut self) -> Option<AudioClip> {
        self.recording = false;
        let Link::Open(open) = &self.link else { return None };
        let samples = open.stream.with_capture(|reader| reader.record(false))??;
        AudioClip::from_samples(open.format.sample_rate, 1, samples).ok().filter(|clip| !clip.samples().is_empty())
    }

    /// Whether it keeps what is captured.
    pub fn is_recording(&self) -> bool {
        self.recording
    }

    /// What to do next, when it failed.
    fn lost(&mut self, error: CaptureError, wanted: Option<String>, retry: Duration) {
        bevy_log::warn!("talkie: {error}; trying again in {:.2} s", retry.as_secs_f32());
        self.close(Link::Waiting { error, left: retry, retry: (retry * 2).min(LAST_RETRY), wanted });
    }

    fn close(&mut self, link: Link) {
        self.dropped_before += core::mem::take(&mut self.dropped);
        if let Link::Open(open) = &mut self.link {
            open.close();
        }
        self.link = link;
        (self.told, self.recording) = (None, false);
        (self.level, self.gate_open) = (Level::default(), false);
    }
}

/// The microphones there are, and where they come from.
#[derive(Resource)]
#[allow(missing_debug_implementations, reason = "a source has none")]
pub struct Microphones {
    source: Arc<dyn CaptureSource>,
    devices: Result<Vec<CaptureDevice>, CaptureError>,
    looking: Looking,
}

#[derive(Default)]
enum Looking {
    #[default]
    No,
    Wanted,
    Now(Task<Result<Vec<CaptureDevice>, CaptureError>>),
}

impl Microphones {
    /// Microphones of another source than the system, such as a [`VirtualMicrophone`].
    pub fn new(source: impl CaptureSource) -> Self {
        Self { source: Arc::new(source), devices: Ok(Vec::new()), looking: Looking::No }
    }

    /// What could be opened when it was looked for last, or why nobody knows.
    ///
    /// # Errors
    /// [`CaptureError`] if the sound system does not answer.
    pub fn devices(&self) -> Result<&[CaptureDevice], &CaptureError> {
        self.devices.as_deref()
    }

    /// Looks for devices; they are known some frames later.
    pub fn refresh(&mut self) {
        if !self.is_refreshing() {
            self.looking = Looking::Wanted;
        }
    }

    /// Whether it is being looked for devices.
    pub fn is_refreshing(&self) -> bool {
        !matches!(self.looking, Looking::No)
    }
}

pub(super) fn register(app: &mut App) {
    #[cfg(feature = "microphone")]
    if !app.world().contains_resource::<Microphones>() {
        app.insert_resource(Microphones::new(SystemMicrophones));
    }
    Background::of(app);
    app.add_systems(PostUpdate, (look, listen).chain().in_set(TalkieSystems::Voice).before(super::speak))
        .add_observer(stop);
}

/// Asks for the list of devices, and takes it.
fn look(microphones: Option<ResMut<Microphones>>, background: Res<Background>) {
    let Some(mut microphones) = microphones else { return };
    match &mut microphones.looking {
        Looking::No => {}
        Looking::Wanted => {
            let (source, work) = (microphones.source.clone(), background.work());
            let task = IoTaskPool::get().spawn(async move {
                let _work = work;
                source.devices()
            });
            microphones.looking = Looking::Now(task);
        }
        Looking::Now(task) => {
            let Some(found) = check_ready(task) else { return };
            microphones.looking = Looking::No;
            microphones.devices = found;
        }
    }
}

/// A microphone that is taken away is closed.
fn stop(removed: On<Remove, Microphone>, mut states: Query<&mut MicrophoneState>, mut commands: Commands) {
    if let Ok(mut state) = states.get_mut(removed.entity) {
        state.close(Link::Idle);
        if let Some(player) = state.monitor.take() {
            commands.entity(player).try_despawn();
        }
    }
}

/// A microphone and the voice that it is.
type Listener = (Entity, &'static Microphone, &'static mut MicrophoneState, &'static mut Voice, &'static VoiceSettings);

/// Takes every microphone one frame further.
#[expect(clippy::too_many_arguments, reason = "a system's parameters")]
pub(crate) fn listen(
    mut microphones: Query<Listener>,
    source: Option<Res<Microphones>>,
    background: Res<Background>,
    mut clips: ResMut<Assets<VoiceClip>>,
    mut sinks: sound::Sinks,
    audible: Res<Audible>,
    time: Res<Time<Real>>,
    mut commands: Commands,
) {
    for (entity, microphone, mut state, mut voice, settings) in &mut microphones {
        let state = &mut *state;
        let Some(source) = &source else {
            if matches!(state.link, Link::Idle) {
                let device = microphone.device.clone().unwrap_or_default();
                let reason = "the feature `microphone` is off, and there is no resource `Microphones`".into();
                state.lost(CaptureError::Other { device, reason }, None, LAST_RETRY);
            }
            continue;
        };
        step(state, microphone, source, &background, &mut clips, time.delta());
        let Link::Open(open) = &mut state.link else {
            if let Some(player) = state.monitor.take() {
                commands.entity(player).try_despawn();
            }
            continue;
        };
        if voice.current() != Some(&open.clip) && voice.queued().all(|clip| clip != &open.clip) {
            voice.queue.push_back(Queued { clip: open.clip.clone(), stream: None });
        }
        let wanted = (microphone.input.clone(), microphone.muted);
        let news = state.told.as_ref() != Some(&wanted);
        let monitor = microphone.monitor && audible.0;
        if monitor != state.monitor.is_some() {
            let producer = if monitor {
                let (line, _, producer) = LineSound::streamed(open.format.sample_rate, 1);
                state.monitor = sinks.play(&mut commands, entity, line, settings, false, false);
                Some(producer)
            } else {
                if let Some(player) = state.monitor.take() {
                    commands.entity(player).try_despawn();
                }
                None
            };
            open.stream.with_capture(|reader| reader.set_monitor(producer));
        }
        let stream = open.stream.clone();
        if stream.unheard_frames() as f64 > OLD_SECONDS * f64::from(open.format.sample_rate) {
            stream.forget_unheard();
        }
        let outcome = stream.with_capture(|reader| {
            let outcome = if news { reader.configure(&wanted.0, wanted.1) } else { Ok(()) };
            let input = reader.input();
            (state.level, state.gate_open) = (input.level(), input.is_open());
            (state.noise_floor_db, state.gain_db) = (input.noise_floor_db(), input.applied_gain_db());
            outcome
        });
        if let Some(Err(error)) = outcome {
            bevy_log::warn!("talkie: the settings of the microphone of {entity} are not used: {error}");
        }
        if news {
            state.told = Some(wanted);
        }
    }
}

/// Opens, watches and opens again.
fn step(
    state: &mut MicrophoneState,
    microphone: &Microphone,
    source: &Microphones,
    background: &Background,
    clips: &mut Assets<VoiceClip>,
    delta: Duration,
) {
    let open = |retry: Duration| {
        let (source, wanted) = (source.source.clone(), microphone.device.clone());
        let (device, work) = (wanted.clone(), background.work());
        let task = IoTaskPool::get().spawn(async move { (source.open(device.as_deref()), work) });
        Link::Opening { task, wanted, retry }
    };
    let changed = |wanted: &Option<String>| *wanted != microphone.device;
    match &mut state.link {
        Link::Idle => state.link = open(FIRST_RETRY),
        Link::Opening { task, wanted, retry } => {
            let Some((outcome, _work)) = check_ready(task) else { return };
            let (wanted, retry) = (wanted.take(), *retry);
            match outcome {
                Ok(_) if changed(&wanted) => state.link = open(FIRST_RETRY),
                Ok(capture) => {
                    bevy_log::info!("talkie: the microphone {:?} is open", capture.device);
                    let fault = capture.reader.fault();
                    let stream = VoiceStream::captured(capture.reader);
                    let clip = clips.add(VoiceClip::from(stream.clone()));
                    state.close(Link::Open(Box::new(OpenLink {
                        device: capture.device,
                        wanted,
                        format: capture.format,
                        stream,
                        clip,
                        fault,
                        keeps_open: Some(capture.stream),
                        background: background.later(),
                        written: 0,
                        silent: Duration::ZERO,
                        retry,
                        looked: Duration::ZERO,
                        around: None,
                    })));
                }
                Err(error) => state.lost(error, wanted, retry),
            }
        }
        Link::Open(link) => {
            state.dropped = link.fault.dropped();
            let written = link.fault.written();
            if written == link.written {
                link.silent += delta;
            } else {
                // It works: the next failure is a new one.
                (link.written, link.silent, link.retry) = (written, Duration::ZERO, FIRST_RETRY);
            }
            link.looked += delta;
            if link.wanted.is_none() && link.looked >= LOOK_AROUND && link.around.is_none() {
                let (source, work) = (source.source.clone(), background.work());
                link.around = Some(IoTaskPool::get().spawn(async move {
                    let _work = work;
                    source.default_device()
                }));
            }
            let mut other_default = false;
            if let Some(default) = link.around.as_mut().and_then(check_ready) {
                (link.around, link.looked) = (None, Duration::ZERO);
                other_default = default.is_some_and(|name| name != link.device);
            }
            let error = link.fault.take().or_else(|| {
                let device = link.device.clone();
                (link.silent >= STALLED).then_some(CaptureError::Stalled { device })
            });
            if let Some(error) = error {
                let (wanted, retry) = (link.wanted.clone(), link.retry);
                state.lost(error, wanted, retry);
            } else if changed(&link.wanted) || other_default {
                state.close(open(FIRST_RETRY));
            }
        }
        Link::Waiting { left, retry, wanted, .. } => {
            *left = left.saturating_sub(delta);
            if changed(wanted) {
                state.link = open(FIRST_RETRY);
            } else if left.is_zero() {
                state.link = open(*retry);
            }
        }
    }
}
