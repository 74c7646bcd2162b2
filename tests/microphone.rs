//! Microphones: whatever a device does, the face follows it, rests without it, and the game can see why.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::{
    f32::consts::TAU,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bevy::prelude::*;
use bevy_talkie::{
    inference::{LIVE_MODEL, wait_for_batches},
    prelude::*,
    talkie::audio::{AudioClip, VoiceInputSettings},
    voice::{
        LiveLatency,
        microphone::{Capture, CaptureDevice, CaptureError, CaptureSource, VirtualDevice, VirtualMicrophone},
    },
};
use common::{FRAME, add_tiny_model, glb::Character, record_events, spawn_face, talking_app, until, weights};

/// Syllables of a voice-like buzz: harmonics of 140 Hz up to 6 kHz, the same sound at every rate.
fn buzz(rate: u32, channels: usize, seconds: f32) -> AudioClip {
    let samples = (0..(rate as f32 * seconds) as usize)
        .flat_map(|index| {
            let t = index as f32 / rate as f32;
            let tone: f32 = (1..=42).map(|n| (TAU * 140.0 * n as f32 * t).sin() / n as f32).sum();
            let loudness = 0.5 - 0.5 * (TAU * 2.5 * t).cos();
            core::iter::repeat_n(tone * 0.3 * loudness, channels)
        })
        .collect();
    AudioClip::from_samples(rate, channels, samples).unwrap()
}

fn silence(rate: u32, seconds: f32) -> AudioClip {
    AudioClip::from_samples(rate, 1, vec![0.0; (rate as f32 * seconds) as usize]).unwrap()
}

struct Stage {
    _folder: tempfile::TempDir,
    app: App,
    face: Entity,
    device: VirtualMicrophone,
}

impl Stage {
    /// A face with a microphone that plays `sound`, animated by the small network, open.
    fn new(sound: AudioClip, device: VirtualDevice) -> Self {
        let mut stage = Self::closed(sound, device);
        stage.open();
        stage
    }

    /// Waits until the microphone is open; the first sample it gives is the first of the recording.
    fn open(&mut self) {
        let face = self.face;
        until(&mut self.app, "the microphone to open", |world| world.get::<MicrophoneState>(face).unwrap().is_open());
        self.device.rewind();
    }

    fn closed(sound: AudioClip, device: VirtualDevice) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Character { shapes: &["mouthPucker", "jawOpen", "mouthClose"], ..default() }.write(folder.path(), "face.glb");
        let mut app = talking_app(folder.path());
        let device = VirtualMicrophone::new(sound, device);
        app.insert_resource(Microphones::new(device.clone()));
        let face = spawn_face(&mut app, "face.glb");
        let live_model = add_tiny_model(&mut app);
        app.world_mut().get_mut::<TalkingFace>(face).unwrap().live_model = live_model;
        app.world_mut().entity_mut(face).insert(Microphone::default());
        Self { _folder: folder, app, face, device }
    }

    /// One frame, in which the device delivers and the networks are waited for; tells how far the jaw is open.
    fn frame(&mut self) -> f32 {
        self.device.advance(FRAME);
        wait_for_batches(self.app.world());
        self.app.update();
        self.jaw()
    }

    /// The widest opening in so many seconds.
    fn run(&mut self, seconds: f32) -> f32 {
        (0..(seconds / FRAME.as_secs_f32()).round() as usize).map(|_| self.frame()).fold(0.0, f32::max)
    }

    #[track_caller]
    fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        for _ in 0..2_000 {
            if holds(self) {
                return;
            }
            self.frame();
            std::thread::sleep(Duration::from_micros(300));
        }
        panic!("waited in vain: {what}");
    }

    fn jaw(&self) -> f32 {
        weights(self.app.world(), self.face)[1]
    }

    fn state(&self) -> &MicrophoneState {
        self.app.world().get::<MicrophoneState>(self.face).unwrap()
    }

    fn microphone(&mut self) -> Mut<'_, Microphone> {
        self.app.world_mut().get_mut::<Microphone>(self.face).unwrap()
    }

    fn error(&self) -> Option<CaptureError> {
        match self.state().status() {
            MicrophoneStatus::Waiting { error, .. } => Some(error),
            _ => None,
        }
    }
}

#[test]
fn the_face_follows_a_microphone_rests_without_it_and_comes_back_with_it() {
    let mut stage = Stage::new(buzz(48_000, 1, 60.0), VirtualDevice::default());
    assert!(stage.run(1.0) > 0.3, "it follows");
    assert!(stage.state().level().rms_db > -40.0 && stage.state().is_gate_open());
    // Pull the plug in mid-word.
    while stage.jaw() < 0.3 {
        stage.frame();
    }
    stage.device.unplug();
    stage.run(0.5);
    assert_eq!(stage.jaw(), 0.0);
    // Between two failures it is being asked for, in another thread and for as long as that takes.
    stage.until("the loss", |stage| stage.error().is_some());
    assert!(matches!(stage.error(), Some(CaptureError::Unplugged { .. } | CaptureError::NoDevice)));
    stage.run(6.0);
    stage.until("another try", |stage| stage.error() == Some(CaptureError::NoDevice));
    stage.device.plug_in();
    stage.until("the microphone to come back", |stage| stage.state().is_open());
    assert!(stage.run(1.0) > 0.3, "it follows again");
}

#[test]
fn a_device_that_cannot_be_had_says_why_and_is_tried_less_and_less_often() {
    let mut stage = Stage::closed(buzz(48_000, 1, 60.0), VirtualDevice::default());
    let busy = CaptureError::Busy { device: "desk".into(), reason: "EBUSY".into() };
    stage.device.refuse(Some(busy.clone()));
    stage.until("the refusal", |stage| stage.error().is_some());
    assert_eq!(stage.error(), Some(busy));
    let mut longest = Duration::ZERO;
    for _ in 0..900 {
        stage.frame();
        if let MicrophoneStatus::Waiting { retry_in, .. } = stage.state().status() {
            longest = longest.max(retry_in);
        }
    }
    assert!(longest > Duration::from_millis(1_900) && longest <= Duration::from_secs(4), "{longest:?}");
    let denied = CaptureError::PermissionDenied { device: "desk".into(), reason: "EACCES".into() };
    stage.device.refuse(Some(denied.clone()));
    stage.until("the other refusal", |stage| stage.error() == Some(denied.clone()));
    assert!(denied.to_string().contains("privacy settings"), "{denied}");
    stage.device.refuse(None);
    stage.until("the microphone to open", |stage| stage.state().is_open());
    assert!(stage.run(1.0) > 0.3);
    // A name that is wrong lists those that are right, and a right one is taken at once.
    stage.microphone().device = Some("sofa".into());
    stage.until("the wrong name", |stage| matches!(stage.error(), Some(CaptureError::NotFound { .. })));
    assert!(stage.error().unwrap().to_string().contains("virtual microphone"));
    stage.microphone().device = Some("virtual microphone".into());
    stage.until("the right name", |stage| stage.state().is_open());
}

#[test]
fn a_device_may_change_its_format_and_may_fall_silent_without_a_word() {
    let mut stage = Stage::new(buzz(48_000, 1, 60.0), VirtualDevice::default());
    stage.run(0.5);
    stage.device.change(buzz(16_000, 2, 60.0));
    stage.until(
        "the other format",
        |stage| matches!(stage.state().status(), MicrophoneStatus::Open { format, .. } if format.sample_rate == 16_000),
    );
    assert!(stage.run(1.0) > 0.3);
    stage.device.drop_out(Duration::from_millis(2_400));
    stage.run(2.2);
    assert!(!stage.state().is_open(), "nothing came for two seconds");
    assert_eq!(stage.jaw(), 0.0);
    stage.until("it to be open again", |stage| stage.state().is_open());
    assert!(stage.run(1.0) > 0.3);
}

#[test]
fn every_format_moves_the_face_alike() {
    let curve = |clip: AudioClip| {
        let mut stage = Stage::new(clip, VirtualDevice::default());
        // The shipped network, which hears what a person would.
        stage.app.world_mut().get_mut::<TalkingFace>(stage.face).unwrap().live_model = LIVE_MODEL;
        stage.app.world_mut().entity_mut(stage.face).remove::<Microphone>();
        stage.run(0.5);
        let face = stage.face;
        until(&mut stage.app, "the network", |world| {
            world.resource::<Assets<FaceModel>>().contains(&LIVE_MODEL) && world.get::<Voice>(face).unwrap().is_idle()
        });
        // The end of what it said before is gone.
        stage.run(0.5);
        stage.app.world_mut().entity_mut(face).insert(Microphone::default());
        stage.open();
        (0..90).map(|_| weights_of(&mut stage)).collect::<Vec<_>>()
    };
    fn weights_of(stage: &mut Stage) -> Vec<f32> {
        stage.frame();
        weights(stage.app.world(), stage.face)
    }
    let quantised = |clip: AudioClip, steps: f32| {
        let samples = clip.samples().iter().map(|sample| (sample * steps).round() / steps).collect();
        AudioClip::from_samples(clip.sample_rate(), clip.channels(), samples).unwrap()
    };
    let reference = curve(buzz(48_000, 1, 3.0));
    let widest = reference.iter().map(|weights| weights[1]).fold(0.0, f32::max);
    assert!(widest > 0.1, "{widest}");
    for (name, clip) in [
        ("24 kHz", buzz(24_000, 1, 3.0)),
        ("44.1 kHz, stereo", buzz(44_100, 2, 3.0)),
        ("96 kHz", buzz(96_000, 1, 3.0)),
        ("48 kHz, 7.1", buzz(48_000, 8, 3.0)),
        ("i16", quantised(buzz(48_000, 1, 3.0), 32_768.0)),
        ("i32", quantised(buzz(44_100, 6, 3.0), 2_147_483_648.0)),
    ] {
        let other = curve(clip);
        let worst =
            reference.iter().flatten().zip(other.iter().flatten()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        println!("{name}: {worst:.4}");
        assert!(worst <= 0.02, "{name}: {worst} apart, of {widest}");
    }
}

#[test]
fn drop_outs_close_the_mouth_and_nothing_else() {
    for lost in [5, 20, 50, 100, 200, 500] {
        let mut stage = Stage::new(buzz(48_000, 1, 60.0), VirtualDevice::default());
        stage.run(1.0);
        while stage.jaw() < 0.3 {
            stage.frame();
        }
        stage.device.drop_out(Duration::from_millis(lost));
        let frames = (lost as f32 / 1e3 / FRAME.as_secs_f32()).floor() as usize;
        (0..frames).for_each(|_| {
            stage.frame();
        });
        if lost >= 500 {
            assert_eq!(stage.jaw(), 0.0, "nothing came for {lost} ms");
        }
        assert!(stage.run(0.6) > 0.3, "it comes back after {lost} ms");
        assert!(stage.state().is_open());
    }
}

#[test]
fn noise_does_not_move_the_mouth_and_speech_over_it_does() {
    let mut random = 1_u32;
    let mut noise = || {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (random as f32 / u32::MAX as f32 - 0.5) * 0.01
    };
    let speech = buzz(48_000, 1, 2.0);
    // Four seconds of noise, two of speech in it.
    let samples = (0..48_000 * 6_usize).map(|index| {
        let spoken = index.checked_sub(4 * 48_000).and_then(|index| speech.samples().get(index));
        noise() + spoken.copied().unwrap_or(0.0)
    });
    let clip = AudioClip::from_samples(48_000, 1, samples.collect()).unwrap();
    let mut stage = Stage::new(clip, VirtualDevice::default());
    stage.run(2.5);
    assert!(!stage.state().is_gate_open(), "floor {}", stage.state().noise_floor_db());
    assert!(stage.run(1.4) < 0.02, "a fan is no speech");
    assert!(stage.run(1.2) > 0.3, "speech is");
    // And not where the microphone is muted.
    stage.device.rewind();
    stage.microphone().muted = true;
    stage.run(4.5);
    assert!(stage.run(0.8) < 0.02);
}

#[test]
fn gain_is_applied_and_told() {
    let quiet = buzz(48_000, 1, 30.0);
    let samples = quiet.samples().iter().map(|sample| sample * 0.02).collect();
    let quiet = AudioClip::from_samples(48_000, 1, samples).unwrap();
    let mut stage = Stage::new(quiet, VirtualDevice::default());
    stage.run(0.5);
    let before = (0..40)
        .map(|_| {
            stage.frame();
            stage.state().level().rms_db
        })
        .fold(-100.0, f32::max);
    stage.microphone().input = VoiceInputSettings { gain_db: 20.0, ..default() };
    stage.run(0.2);
    let after = (0..40)
        .map(|_| {
            stage.frame();
            stage.state().level().rms_db
        })
        .fold(-100.0, f32::max);
    assert!((after - before - 20.0).abs() < 1.0, "{before} dB, then {after} dB");
    assert!((stage.state().gain_db() - 20.0).abs() < 1e-3);
}

#[test]
fn clocks_that_disagree_do_not_drift_apart() {
    for drift_ppm in [-200.0, 200.0] {
        let device =
            VirtualDevice { drift_ppm, jitter: Duration::from_millis(15), looped: true, ..VirtualDevice::default() };
        let mut stage = Stage::new(buzz(48_000, 1, 10.0), device);
        let lag = |stage: &Stage| {
            let voice = stage.app.world().get::<Voice>(stage.face).unwrap();
            voice.track().unwrap().end_seconds() - voice.heard_seconds()
        };
        stage.run(2.0);
        for _ in 0..30 {
            stage.run(2.0);
            assert!((0.0..=0.041).contains(&lag(&stage)), "{} s behind the newest pose", lag(&stage));
        }
        let queued = stage.app.world().resource::<LiveLatency>().queued_seconds;
        assert!(queued < 0.05, "{queued} s wait");
        assert_eq!(stage.state().dropped_frames(), 0);
    }
}

#[test]
fn taking_the_microphone_away_closes_device_and_mouth() {
    let mut stage = Stage::new(buzz(48_000, 1, 60.0), VirtualDevice::default());
    let log = record_events(&mut stage.app);
    while stage.jaw() < 0.3 {
        stage.frame();
    }
    stage.app.world_mut().entity_mut(stage.face).remove::<Microphone>();
    stage.run(0.5);
    assert_eq!(stage.jaw(), 0.0);
    assert_eq!(stage.state().status(), MicrophoneStatus::Closed);
    stage.until("the device to be closed", |stage| !stage.device.is_open());
    assert_eq!(log.of(stage.face).last().unwrap(), "finished");
    // It can be put back, and whoever is despawned lets go of the device too.
    stage.app.world_mut().entity_mut(stage.face).insert(Microphone::default());
    stage.until("the microphone to open", |stage| stage.state().is_open());
    assert!(stage.run(1.0) > 0.3);
    stage.app.world_mut().entity_mut(stage.face).despawn();
    for _ in 0..2_000 {
        stage.app.update();
        std::thread::sleep(Duration::from_micros(300));
        if !stage.device.is_open() {
            return;
        }
    }
    panic!("the device is still open");
}

#[test]
fn an_interruption_does_not_end_a_microphone() {
    let mut stage = Stage::new(buzz(48_000, 1, 60.0), VirtualDevice::default());
    stage.run(0.5);
    let face = stage.face;
    stage.app.world_mut().commands().entity(face).interrupt(Duration::from_millis(50));
    stage.run(0.2);
    assert!(stage.run(1.0) > 0.3);
    // A pause shows nothing of it.
    stage.app.world_mut().get_mut::<Voice>(face).unwrap().pause();
    stage.run(0.5);
    assert_eq!(stage.run(1.0), 0.0);
    stage.app.world_mut().get_mut::<Voice>(face).unwrap().resume();
    assert!(stage.run(1.0) > 0.3);
}

#[test]
fn a_recording_of_a_microphone_replays_the_same_face() {
    let record = |clip: AudioClip, seconds: f32| {
        let mut stage = Stage::new(clip, VirtualDevice::default());
        stage.app.world_mut().get_mut::<MicrophoneState>(stage.face).unwrap().start_recording();
        assert!(stage.state().is_recording());
        let curve: Vec<f32> = (0..(seconds / FRAME.as_secs_f32()) as usize).map(|_| stage.frame()).collect();
        let kept = stage.app.world_mut().get_mut::<MicrophoneState>(stage.face).unwrap().stop_recording().unwrap();
        (curve, kept)
    };
    let (first, kept) = record(buzz(48_000, 1, 10.0), 2.0);
    assert!((kept.seconds() - 2.0).abs() < 0.05, "{}", kept.seconds());
    let (second, _) = record(kept, 1.8);
    // A frame sooner or later is the same.
    for (index, b) in second.iter().enumerate().skip(1) {
        let near = &first[index - 1..index + 2];
        let (low, high) = near.iter().fold((1.0_f32, 0.0_f32), |(low, high), a| (low.min(*a), high.max(*a)));
        assert!((low - 0.02..=high + 0.02).contains(b), "{b} in frame {index}, and {near:?} before");
    }
    assert!(second.iter().fold(0.0_f32, |a, b| a.max(*b)) > 0.3);
    let mut silent = Stage::new(silence(48_000, 1.0), VirtualDevice::default());
    assert!(silent.app.world_mut().get_mut::<MicrophoneState>(silent.face).unwrap().stop_recording().is_none());
}

#[test]
fn a_sudden_sound_shows_within_three_frames_of_its_first_sample() {
    // Half a second of silence, then a voice; periods of the device that do not fit the frames.
    for period in [5, 10, 13, 20] {
        let mut samples = vec![0.0; 24_000];
        samples.extend(buzz(48_000, 1, 1.0).samples()[6_000..].iter());
        let clip = AudioClip::from_samples(48_000, 1, samples).unwrap();
        let device = VirtualDevice { period: Duration::from_millis(period), ..VirtualDevice::default() };
        let mut stage = Stage::new(clip, device);
        stage.run(0.3);
        let mut frames = None;
        for _ in 0..60 {
            // What the networks take is measured elsewhere (`latency.rs`).
            stage.device.advance(FRAME);
            let entered = stage.device.played_seconds() > 0.5;
            wait_for_batches(stage.app.world());
            stage.app.update();
            frames = frames.map_or(entered.then_some(1), |count| Some(count + 1));
            if stage.jaw() > 0.02 {
                break;
            }
        }
        let frames = frames.unwrap();
        println!("a period of {period} ms: {frames} frames");
        assert!(frames <= 3, "{frames} frames after it entered, with a period of {period} ms");
    }
}

#[test]
fn latency_is_right_after_sound_that_nobody_could_listen_to() {
    let mut stage = Stage::new(buzz(48_000, 1, 60.0), VirtualDevice::default());
    // A network that is never there: what waits is forgotten, bit by bit.
    let model = stage.app.world().get::<TalkingFace>(stage.face).unwrap().live_model.clone();
    let nowhere = Handle::Uuid(AssetId::<FaceModel>::INVALID_UUID, default());
    stage.app.world_mut().get_mut::<TalkingFace>(stage.face).unwrap().live_model = nowhere;
    let face = stage.face;
    stage.app.world_mut().commands().entity(face).interrupt(Duration::ZERO);
    stage.run(3.0);
    assert!(stage.state().level().rms_db > -60.0, "it is still measured");
    stage.app.world_mut().get_mut::<TalkingFace>(face).unwrap().live_model = model;
    stage.run(1.0);
    *stage.app.world_mut().resource_mut::<LiveLatency>() = LiveLatency::default();
    let begun = std::time::Instant::now();
    assert!(stage.run(1.0) > 0.3);
    let latency = stage.app.world().resource::<LiveLatency>();
    assert!(latency.total.len() > 30, "{}", latency.total.len());
    // Time goes in steps here: what is shown entered within the time that the steps of these frames took.
    assert!(latency.total.percentile(0.5) < begun.elapsed() / 4, "{:?}", latency.total.percentile(0.5));
    assert_eq!(stage.state().dropped_frames(), 0);
}

/// Counts devices that are open, and takes its time to close one, as sound systems do.
#[derive(Clone)]
struct Sluggish(VirtualMicrophone, Arc<AtomicUsize>);

struct Door {
    _open: Box<dyn Send + Sync>,
    count: Arc<AtomicUsize>,
}

impl Drop for Door {
    fn drop(&mut self) {
        std::thread::sleep(Duration::from_millis(60));
        self.count.fetch_sub(1, Ordering::AcqRel);
    }
}

impl CaptureSource for Sluggish {
    fn devices(&self) -> Result<Vec<CaptureDevice>, CaptureError> {
        self.0.devices()
    }

    fn default_device(&self) -> Option<String> {
        self.0.default_device()
    }

    fn open(&self, device: Option<&str>) -> Result<Capture, CaptureError> {
        let capture = self.0.open(device)?;
        self.1.fetch_add(1, Ordering::AcqRel);
        Ok(Capture { stream: Box::new(Door { _open: capture.stream, count: self.1.clone() }), ..capture })
    }
}

#[test]
fn the_world_does_not_end_before_its_devices_are_closed() {
    // Taken away in the last frame, or open to the end.
    for taken_away in [true, false] {
        let mut stage = Stage::closed(buzz(48_000, 1, 2.0), VirtualDevice::default());
        let open = Arc::new(AtomicUsize::new(0));
        stage.app.insert_resource(Microphones::new(Sluggish(stage.device.clone(), open.clone())));
        stage.open();
        assert_eq!(open.load(Ordering::Acquire), 1);
        if taken_away {
            let begun = std::time::Instant::now();
            stage.app.world_mut().entity_mut(stage.face).remove::<Microphone>();
            assert!(begun.elapsed() < Duration::from_millis(50), "a frame waited for a device");
        }
        drop(stage);
        assert_eq!(open.load(Ordering::Acquire), 0);
    }
}
