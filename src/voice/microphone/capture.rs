//! From a device's callback to whoever listens: the contract of capture sources and the ring between the two threads.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use rtrb::{Consumer, Producer, RingBuffer};
use talkie::audio::{SpeechFeed, VoiceInput, VoiceInputError, VoiceInputSettings};

use super::super::stream::Mark;

/// Sound that waits in the ring for whoever listens, in seconds. More than that is dropped by the device's thread and counted.
const RING_SECONDS: usize = 1;
/// Callbacks whose moments are remembered until somebody listens.
const RING_MARKS: usize = 1024;

/// Where microphones come from: the sound system, or a stand-in for it.
///
/// The plugin asks on its background pool, so that a call may take its time.
pub trait CaptureSource: Send + Sync + 'static {
    /// What could be opened now.
    ///
    /// # Errors
    /// [`CaptureError`] if the sound system does not answer.
    fn devices(&self) -> Result<Vec<CaptureDevice>, CaptureError>;

    /// Name of the device that [`open`](Self::open) takes where none is named; `None` if there is none.
    fn default_device(&self) -> Option<String>;

    /// Opens a device by its name, or the system's default one, and lets it capture until the [`Capture`] is dropped.
    ///
    /// # Errors
    /// [`CaptureError`], saying why it cannot be had.
    fn open(&self, device: Option<&str>) -> Result<Capture, CaptureError>;
}

/// A device that can be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptureDevice {
    /// What people call it, and what [`Microphone::device`](super::Microphone::device) takes.
    pub name: String,
    /// Whether it is the one that the system takes by default.
    pub is_default: bool,
}

/// How a device captures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptureFormat {
    /// Samples per second.
    pub sample_rate: u32,
    /// Channels, which are mixed to one.
    pub channels: usize,
    /// Name of the sample format, such as `i16` or `f32`.
    pub samples: &'static str,
}

/// Why a microphone cannot be had, or was lost.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// The system has no microphone at all.
    #[error("there is no microphone")]
    NoDevice,
    /// There is none of this name.
    #[error("there is no microphone named {name:?}; there are: {known}")]
    NotFound {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// Another program has it.
    #[error("the microphone {device:?} is used by another program: {reason}")]
    Busy {
        /// Which one.
        device: String,
        /// What the sound system said.
        reason: String,
    },
    /// The user or the system does not allow it.
    #[error("the microphone {device:?} may not be used; allow it in the privacy settings of the system: {reason}")]
    PermissionDenied {
        /// Which one.
        device: String,
        /// What the sound system said.
        reason: String,
    },
    /// It is gone: unplugged, or its server ended.
    #[error("the microphone {device:?} is gone")]
    Unplugged {
        /// Which one.
        device: String,
    },
    /// It captures in another way from now on and has to be opened again.
    #[error("the format of the microphone {device:?} changed")]
    FormatChanged {
        /// Which one.
        device: String,
    },
    /// It was open, but gave no sample for a while.
    #[error("the microphone {device:?} gives nothing")]
    Stalled {
        /// Which one.
        device: String,
    },
    /// Its format is none that speech can be heard in.
    #[error("the microphone {device:?} cannot be used: {reason}")]
    Format {
        /// Which one.
        device: String,
        /// What is wrong with it.
        reason: VoiceInputError,
    },
    /// Anything else.
    #[error("the microphone {device:?} failed: {reason}")]
    Other {
        /// Which one.
        device: String,
        /// What the sound system said.
        reason: String,
    },
}

/// An open device: captures until it is dropped.
#[allow(missing_debug_implementations, reason = "the streams of sound systems have none")]
pub struct Capture {
    /// Name of the device.
    pub device: String,
    /// How it captures.
    pub format: CaptureFormat,
    /// The other end of its [`CaptureWriter`].
    pub reader: CaptureReader,
    /// Whatever keeps it open.
    pub stream: Box<dyn Send + Sync>,
}

/// What both ends of a ring know.
#[derive(Debug, Default)]
struct Shared {
    /// Frames that were written, and frames that found no room.
    written: AtomicU64,
    dropped: AtomicU64,
    fault: Mutex<Option<CaptureError>>,
}

/// The end of the ring that the device's thread writes to. It does not allocate, lock or log.
#[derive(Debug)]
pub struct CaptureWriter {
    samples: Producer<f32>,
    marks: Producer<Mark>,
    channels: usize,
    /// Sum and count of the channels of a frame that is only partly there.
    partial: (f32, usize),
    written: u64,
    shared: Arc<Shared>,
}

/// Tells that a device failed.
#[derive(Debug, Clone)]
pub struct CaptureFault(Arc<Shared>);

/// The end of the ring that is listened to: level, gate and gain are applied here.
#[allow(missing_debug_implementations, reason = "the chain of a voice has none")]
pub struct CaptureReader {
    samples: Consumer<f32>,
    marks: Consumer<Mark>,
    input: VoiceInput,
    muted: bool,
    sample_rate: u32,
    shared: Arc<Shared>,
    /// Takes what was captured, before anything is done to it.
    tap: Option<Vec<f32>>,
    /// Takes what the face hears, to be played.
    monitor: Option<Producer<f32>>,
}

/// A ring for a device of this format.
///
/// # Errors
/// [`VoiceInputError`] if speech cannot be heard in it.
pub fn capture_ring(sample_rate: u32, channels: usize) -> Result<(CaptureWriter, CaptureReader), VoiceInputError> {
    SpeechFeed::new(sample_rate, channels)?;
    let input = VoiceInput::new(sample_rate, VoiceInputSettings::default())?;
    let (samples, heard) = RingBuffer::new(RING_SECONDS * sample_rate as usize);
    let (marks, seen) = RingBuffer::new(RING_MARKS);
    let shared = Arc::new(Shared::default());
    let writer = CaptureWriter { samples, marks, channels, partial: (0.0, 0), written: 0, shared: shared.clone() };
    let reader = CaptureReader {
        samples: heard,
        marks: seen,
        input,
        muted: false,
        sample_rate,
        shared,
        tap: None,
        monitor: None,
    };
    Ok((writer, reader))
}

impl CaptureWriter {
    /// Takes the interleaved samples of one callback, nominally -1..=1, mixed to one channel. What finds no room is dropped and
    /// counted.
    pub fn write(&mut self, samples: impl IntoIterator<Item = f32>) {
        let scale = 1.0 / self.channels as f32;
        let mut dropped = 0;
        for sample in samples {
            self.partial.0 += sample;
            self.partial.1 += 1;
            if self.partial.1 == self.channels {
                match self.samples.push(self.partial.0 * scale) {
                    Ok(()) => self.written += 1,
                    Err(_) => dropped += 1,
                }
                self.partial = (0.0, 0);
            }
        }
        // A moment that finds no room only leaves a gap in what is known about latency.
        let _ = self.marks.push(Mark { end: self.written, at: Instant::now() });
        self.shared.written.store(self.written, Ordering::Release);
        self.shared.dropped.fetch_add(dropped, Ordering::Relaxed);
    }

    /// Tells later that the device failed, from any thread.
    pub fn fault(&self) -> CaptureFault {
        CaptureFault(self.shared.clone())
    }
}

impl CaptureFault {
    /// The device failed: whoever listens shall open it again.
    pub fn report(&self, error: CaptureError) {
        *self.0.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    /// What was reported.
    pub(super) fn take(&self) -> Option<CaptureError> {
        self.0.fault.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Frames that the device has given so far.
    pub(super) fn written(&self) -> u64 {
        self.0.written.load(Ordering::Acquire)
    }

    /// Frames that nobody had room for.
    pub(super) fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }
}

impl CaptureReader {
    /// The same handle as [`CaptureWriter::fault`].
    pub(super) fn fault(&self) -> CaptureFault {
        CaptureFault(self.shared.clone())
    }

    /// Frames that wait to be heard.
    pub(crate) fn waiting(&self) -> usize {
        self.samples.slots()
    }

    /// Hands over what waits, with level, gate and gain applied, and when it was captured.
    pub(crate) fn take(&mut self, heard: &mut Vec<f32>, marks: &mut Vec<Mark>) {
        while let Ok(mark) = self.marks.pop() {
            marks.push(mark);
        }
        let start = heard.len();
        if let Ok(chunk) = self.samples.read_chunk(self.samples.slots()) {
            let (first, second) = chunk.as_slices();
            heard.extend_from_slice(first);
            heard.extend_from_slice(second);
            chunk.commit_all();
        }
        let new = &mut heard[start..];
        if let Some(tap) = &mut self.tap {
            tap.extend_from_slice(new);
        }
        self.input.process(new);
        if self.muted {
            new.fill(0.0);
        }
        if let Some(monitor) = &mut self.monitor {
            let (_, _) = monitor.push_partial_slice(new);
        }
    }

    /// Level, gate and gain.
    pub(crate) fn input(&self) -> &VoiceInput {
        &self.input
    }

    /// How it is listened to from now on.
    pub(super) fn configure(&mut self, settings: &VoiceInputSettings, muted: bool) -> Result<(), VoiceInputError> {
        self.muted = muted;
        self.input.set_settings(settings.clone())
    }

    /// Keeps what is captured from now on (`Some`), or hands over what was kept and stops.
    pub(super) fn record(&mut self, on: bool) -> Option<Vec<f32>> {
        let kept = self.tap.take();
        self.tap = on.then(Vec::new);
        kept
    }

    /// Where to play what the face hears.
    pub(super) fn set_monitor(&mut self, monitor: Option<Producer<f32>>) {
        self.monitor = monitor;
    }

    /// Samples per second.
    pub(crate) fn sample_rate(&self) -> u32 {
        self.sample_rate
    }
}
