//! A microphone that is not there: plays a recording as a device would deliver it, with everything that goes wrong on real ones.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    thread,
    time::{Duration, Instant},
};

use talkie::audio::AudioClip;

use super::capture::{
    Capture, CaptureDevice, CaptureError, CaptureFault, CaptureFormat, CaptureSource, CaptureWriter, capture_ring,
};

/// How a [`VirtualMicrophone`] delivers. The default is a well-behaved device at 48 kHz in pieces of 10 ms.
#[derive(Debug, Clone, PartialEq)]
pub struct VirtualDevice {
    /// Name of the device.
    pub name: String,
    /// Samples in one call of the driver, as time. Default 10 ms.
    pub period: Duration,
    /// A call comes up to so much later than it should, at random. Default zero.
    pub jitter: Duration,
    /// How much faster than the time of the listener its clock runs, in parts per million. Default 0.
    pub drift_ppm: f64,
    /// Whether the recording begins again at its end; otherwise silence follows. Default `false`.
    pub looped: bool,
    /// Where the random delays begin.
    pub seed: u64,
}

impl Default for VirtualDevice {
    fn default() -> Self {
        Self {
            name: "virtual microphone".into(),
            period: Duration::from_millis(10),
            jitter: Duration::ZERO,
            drift_ppm: 0.0,
            looped: false,
            seed: 1,
        }
    }
}

/// A capture source for tests, for machines without a microphone, and to replay what was recorded.
///
/// It plays a recording, in its own rate and channels, to whoever opens it. Time passes when [`advance`](Self::advance) is
/// called, so a test decides how fast; [`run`](Self::run) lets real time do it. All clones are the same device.
#[derive(Clone)]
#[allow(missing_debug_implementations, reason = "nothing to see")]
pub struct VirtualMicrophone {
    state: Arc<Mutex<State>>,
}

struct State {
    device: VirtualDevice,
    recording: AudioClip,
    /// The next frame of the recording; beyond its end there is silence.
    next: u64,
    /// Time that passed, and time at which the next call is due and when it really comes.
    now: f64,
    due: f64,
    delayed: f64,
    random: u64,
    /// Seconds of sound that will be lost.
    lost: f64,
    plugged: bool,
    refusal: Option<CaptureError>,
    listeners: Vec<Listener>,
}

struct Listener {
    writer: CaptureWriter,
    fault: CaptureFault,
    open: Weak<()>,
}

impl VirtualMicrophone {
    /// A device that gives this recording.
    pub fn new(recording: AudioClip, device: VirtualDevice) -> Self {
        let random = device.seed;
        let period = device.period.as_secs_f64();
        Self {
            state: Arc::new(Mutex::new(State {
                device,
                recording,
                next: 0,
                now: 0.0,
                due: period,
                delayed: period,
                random,
                lost: 0.0,
                plugged: true,
                refusal: None,
                listeners: Vec::new(),
            })),
        }
    }

    /// Lets time pass: calls of the driver that are due happen now.
    pub fn advance(&self, time: Duration) {
        self.state().advance(time.as_secs_f64());
    }

    /// Lets real time pass for it, on a thread of its own, until the last clone is gone.
    pub fn run(&self) {
        let state = Arc::downgrade(&self.state);
        let pass = move || {
            let mut last = Instant::now();
            while let Some(state) = state.upgrade() {
                let now = Instant::now();
                let pause = {
                    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
                    state.advance((now - last).as_secs_f64());
                    state.until_next()
                };
                drop(state);
                last = now;
                thread::sleep(pause);
            }
        };
        if let Err(error) = thread::Builder::new().name("virtual microphone".into()).spawn(pass) {
            bevy_log::error!("talkie: the virtual microphone stands still: {error}");
        }
    }

    /// Loses so much of what comes next: the time passes, its sound never arrives.
    pub fn drop_out(&self, time: Duration) {
        self.state().lost += time.as_secs_f64();
    }

    /// Pulls the plug: whoever listens is told, and nobody can open it.
    pub fn unplug(&self) {
        let mut state = self.state();
        state.plugged = false;
        let device = state.device.name.clone();
        state.end(&CaptureError::Unplugged { device });
    }

    /// Puts the plug back.
    pub fn plug_in(&self) {
        self.state().plugged = true;
    }

    /// Answers everybody who wants to open it in this way, until it is `None`.
    pub fn refuse(&self, refusal: Option<CaptureError>) {
        self.state().refusal = refusal;
    }

    /// Gives another recording from now on, which may have another rate and other channels: whoever listens is told that the
    /// format changed.
    pub fn change(&self, recording: AudioClip) {
        let mut state = self.state();
        (state.recording, state.next) = (recording, 0);
        let device = state.device.name.clone();
        state.end(&CaptureError::FormatChanged { device });
    }

    /// Begins the recording again: its first call comes a period later.
    pub fn rewind(&self) {
        let mut state = self.state();
        let first = state.now + state.device.period.as_secs_f64();
        (state.next, state.due, state.delayed) = (0, first, first);
    }

    /// How much of the recording was played, in seconds.
    pub fn played_seconds(&self) -> f64 {
        let state = self.state();
        state.next as f64 / f64::from(state.recording.sample_rate())
    }

    /// Whether somebody listens.
    pub fn is_open(&self) -> bool {
        let mut state = self.state();
        state.listeners.retain(|listener| listener.open.strong_count() > 0);
        !state.listeners.is_empty()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn advance(&mut self, seconds: f64) {
        self.now += seconds;
        while self.delayed <= self.now {
            self.call();
        }
    }

    /// Real time until the next call.
    fn until_next(&self) -> Duration {
        Duration::from_secs_f64((self.delayed - self.now).clamp(0.0005, 0.1))
    }

    /// One call of the driver: a period of sound to everybody.
    fn call(&mut self) {
        let period = self.device.period.as_secs_f64().max(1e-4);
        let rate = f64::from(self.recording.sample_rate()) * (1.0 + self.device.drift_ppm * 1e-6);
        // In frames of the recording, so that parts of a frame add up.
        let (from, to) = (((self.due - period) * rate).round() as u64, (self.due * rate).round() as u64);
        let (count, start) = (to.saturating_sub(from), self.next);
        let channels = self.recording.channels();
        let length = (self.recording.samples().len() / channels) as u64;
        self.next += count;
        if self.device.looped && length > 0 {
            self.next %= length;
        }
        self.listeners.retain(|listener| listener.open.strong_count() > 0);
        if self.lost > 0.0 {
            self.lost -= period;
        } else {
            let samples = self.recording.samples();
            let looped = self.device.looped && length > 0;
            for listener in &mut self.listeners {
                listener.writer.write((start..start + count).flat_map(|frame| {
                    let frame = if looped { frame % length } else { frame };
                    (0..channels)
                        .map(move |channel| samples.get(frame as usize * channels + channel).copied().unwrap_or(0.0))
                }));
            }
        }
        self.due += period;
        // Calls come late, but never before one that came earlier.
        self.delayed = (self.due + self.device.jitter.as_secs_f64() * self.chance()).max(self.delayed);
    }

    /// A number from 0 to 1 (xorshift64*, G. Marsaglia, S. Vigna).
    fn chance(&mut self) -> f64 {
        self.random = self.random.max(1);
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        (self.random.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn end(&mut self, error: &CaptureError) {
        for listener in self.listeners.drain(..) {
            listener.fault.report(error.clone());
        }
    }
}

impl CaptureSource for VirtualMicrophone {
    fn devices(&self) -> Result<Vec<CaptureDevice>, CaptureError> {
        let state = self.state();
        Ok(if state.plugged {
            vec![CaptureDevice { name: state.device.name.clone(), is_default: true }]
        } else {
            Vec::new()
        })
    }

    fn default_device(&self) -> Option<String> {
        let state = self.state();
        state.plugged.then(|| state.device.name.clone())
    }

    fn open(&self, device: Option<&str>) -> Result<Capture, CaptureError> {
        let mut state = self.state();
        if let Some(refusal) = &state.refusal {
            return Err(refusal.clone());
        }
        let name = state.device.name.clone();
        match device {
            Some(wanted) if wanted != name || !state.plugged => {
                let known = if state.plugged { format!("{name:?}") } else { "none".into() };
                return Err(CaptureError::NotFound { name: wanted.into(), known });
            }
            None if !state.plugged => return Err(CaptureError::NoDevice),
            _ => {}
        }
        let (sample_rate, channels) = (state.recording.sample_rate(), state.recording.channels());
        let (writer, reader) = capture_ring(sample_rate, channels)
            .map_err(|reason| CaptureError::Format { device: name.clone(), reason })?;
        let open = Arc::new(());
        state.listeners.push(Listener { fault: writer.fault(), writer, open: Arc::downgrade(&open) });
        let format = CaptureFormat { sample_rate, channels, samples: "f32" };
        Ok(Capture { device: name, format, reader, stream: Box::new(open) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(rate: u32, channels: usize, frames: usize) -> AudioClip {
        let samples = (0..frames * channels).map(|i| (i / channels) as f32 / frames as f32).collect();
        AudioClip::from_samples(rate, channels, samples).unwrap()
    }

    /// What a listener gets within `seconds`, without gate and gain.
    fn listen(microphone: &VirtualMicrophone, seconds: f64) -> Vec<f32> {
        let mut capture = microphone.open(None).unwrap();
        let open = talkie::audio::VoiceInputSettings { gate: None, ..Default::default() };
        capture.reader.configure(&open, false).unwrap();
        let (mut heard, mut marks) = (Vec::new(), Vec::new());
        for _ in 0..(seconds * 250.0).round() as usize {
            microphone.advance(Duration::from_millis(4));
            capture.reader.take(&mut heard, &mut marks);
        }
        assert_eq!(marks.last().map_or(0, |mark| mark.end), heard.len() as u64);
        heard
    }

    #[test]
    fn it_gives_the_recording_mixed_to_one_channel_and_then_silence() {
        let recording = ramp(48_000, 2, 24_000);
        let microphone = VirtualMicrophone::new(recording.clone(), VirtualDevice::default());
        let heard = listen(&microphone, 1.0);
        assert_eq!(heard.len(), 48_000);
        for (index, sample) in heard.iter().enumerate() {
            let wanted = if index < 24_000 { recording.samples()[2 * index] } else { 0.0 };
            assert!((sample - wanted).abs() < 1e-6, "{index}: {sample}");
        }
        assert!(!microphone.is_open(), "it was closed");
    }

    #[test]
    fn jitter_delays_and_loses_nothing() {
        let device = VirtualDevice { jitter: Duration::from_millis(35), ..VirtualDevice::default() };
        let microphone = VirtualMicrophone::new(ramp(16_000, 1, 16_000), device);
        let heard = listen(&microphone, 1.2);
        assert!(heard.len() >= 18_400, "{}", heard.len());
        for (index, sample) in heard[..16_000].iter().enumerate() {
            assert!((sample - index as f32 / 16_000.0).abs() < 1e-6, "{index}: {sample}");
        }
    }

    #[test]
    fn its_clock_may_run_fast_or_slow() {
        for ppm in [-200.0, 200.0] {
            let device = VirtualDevice { drift_ppm: ppm, ..VirtualDevice::default() };
            let microphone = VirtualMicrophone::new(ramp(48_000, 1, 48_000), device);
            let heard = listen(&microphone, 100.0).len() as f64;
            let expected = 4_800_000.0 * (1.0 + ppm * 1e-6);
            assert!((heard - expected).abs() < 1.5, "{heard} of {expected}");
        }
    }

    #[test]
    fn a_drop_out_loses_its_time() {
        let microphone = VirtualMicrophone::new(ramp(16_000, 1, 16_000), VirtualDevice::default());
        microphone.drop_out(Duration::from_millis(200));
        let heard = listen(&microphone, 1.0);
        assert_eq!(heard.len(), 12_800);
        assert!((heard[0] - 0.2).abs() < 1e-4, "{}", heard[0]);
    }

    #[test]
    fn what_goes_wrong_is_told() {
        let microphone = VirtualMicrophone::new(ramp(16_000, 1, 160), VirtualDevice::default());
        let error = microphone.open(Some("other")).err().unwrap();
        assert!(error.to_string().contains("other") && error.to_string().contains("virtual microphone"), "{error}");
        let capture = microphone.open(None).unwrap();
        microphone.unplug();
        assert!(matches!(capture.reader.fault().take(), Some(CaptureError::Unplugged { .. })));
        assert_eq!(microphone.open(None).err(), Some(CaptureError::NoDevice));
        assert_eq!(microphone.devices(), Ok(Vec::new()));
        microphone.plug_in();
        let busy = CaptureError::Busy { device: "it".into(), reason: "EBUSY".into() };
        microphone.refuse(Some(busy.clone()));
        assert_eq!(microphone.open(None).err(), Some(busy));
        microphone.refuse(None);
        let capture = microphone.open(None).unwrap();
        microphone.change(ramp(44_100, 2, 100));
        assert!(matches!(capture.reader.fault().take(), Some(CaptureError::FormatChanged { .. })));
        assert_eq!(microphone.open(None).unwrap().format.sample_rate, 44_100);
    }
}
