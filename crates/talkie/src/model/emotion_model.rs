//! Audio2Emotion: what a voice feels, for the faces of the official networks.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{
    BundleError, Speech, WindowSchedule,
    audio2face::{BundleSource, EmotionBundle, WindowedSpeech},
};
use crate::{
    animation::FrameRate,
    audio::{Received, SAMPLE_RATE},
    emotion::{EmotionError, EmotionParameters, EmotionPostprocessor, EmotionTimeline},
    inference::{Attempt, Device, Network, NetworkError, NetworkSource, Runtime, RuntimeError, TensorView},
};

/// Windows that go through the network at once, at most.
const MOST_ROWS: usize = 8;

/// How an emotion network is asked.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EmotionModelOptions {
    /// How much sound it hears for an answer, in samples at 16 kHz; half of it lies in the future. Official use is 5000 to 60000.
    /// Default 30000, 1.9 seconds.
    pub window: usize,
    /// Emotions per second. Default 30.
    pub frame_rate: FrameRate,
    /// How many frames share one answer. Default 10: three answers in a second.
    pub frames_per_answer: u32,
    /// Threads the network may use on the CPU. Default 1.
    pub threads: usize,
    /// Where the network computes. `None`, the default, is what was said for the whole process
    /// ([`RuntimeOptions::device`](crate::inference::RuntimeOptions::device), `TALKIE_DEVICE`), or else [`Device::Auto`].
    pub device: Option<Device>,
}

impl Default for EmotionModelOptions {
    fn default() -> Self {
        Self { window: 30_000, frame_rate: FrameRate::per_second(30), frames_per_answer: 10, threads: 1, device: None }
    }
}

/// A model that hears emotions in a voice: an Audio2Emotion bundle with its network.
///
/// [`attach`](Self::attach) it to the [`Speech`] of an official face network, then [`advance`](Self::advance) it before the
/// face: it puts what it hears on the speech's timeline, and the face waits for it. Its licence allows the official weights to be
/// used together with Audio2Face-3D only.
#[derive(Debug)]
pub struct EmotionModel {
    network: Network,
    bundle: EmotionBundle,
    schedule: WindowSchedule,
    options: EmotionModelOptions,
    samples: Vec<f32>,
}

/// What an emotion network has heard of a speech.
#[derive(Debug)]
pub(crate) struct Hearing {
    postprocessor: EmotionPostprocessor,
    schedule: WindowSchedule,
    read: u64,
}

impl Hearing {
    /// Mixes this emotion in, unless it is all zeros.
    pub(crate) fn prefer(&mut self, emotion: &[f32]) -> Result<(), EmotionError> {
        let mut parameters = self.postprocessor.parameters().clone();
        let wished = emotion.iter().any(|value| *value != 0.0);
        if parameters.enable_preferred_emotion == wished && parameters.preferred_emotion == emotion {
            return Ok(());
        }
        parameters.enable_preferred_emotion = wished;
        parameters.preferred_emotion = emotion.to_vec();
        self.postprocessor.set_parameters(parameters)
    }

    /// The first sample that is still needed.
    pub(crate) fn next_start(&self) -> i64 {
        self.schedule.window(self.read).start
    }
}

impl EmotionModel {
    /// Loads the bundle in a folder.
    ///
    /// # Errors
    /// [`BundleError`], naming the file and what was expected of it.
    pub fn load_dir(
        folder: impl AsRef<Path>,
        options: EmotionModelOptions,
        runtime: Result<&Runtime, RuntimeError>,
    ) -> Result<Self, BundleError> {
        let mut source = BundleSource::folder(folder.as_ref());
        let bundle = EmotionBundle::load(&mut source)?;
        let path = source.first_file(&bundle.files.network_candidates())?;
        Self::new(bundle, NetworkSource::File(&path), &path, options, runtime)
    }

    /// Puts a bundle and its network, `path` in messages, together.
    ///
    /// # Errors
    /// [`BundleError::Network`] if the network does not load or is another; [`BundleError::Value`] if it cannot be asked so.
    pub fn new(
        bundle: EmotionBundle,
        network: NetworkSource<'_>,
        path: &Path,
        options: EmotionModelOptions,
        runtime: Result<&Runtime, RuntimeError>,
    ) -> Result<Self, BundleError> {
        let skipped = options.frames_per_answer.saturating_sub(1);
        let window = i64::try_from(options.window).unwrap_or(i64::MAX);
        let schedule = WindowSchedule::emotion(window, SAMPLE_RATE, options.frame_rate, skipped).map_err(|error| {
            BundleError::Value {
                path: path.to_owned(),
                key: "window, frame_rate and frames_per_answer (options, not keys)",
                found: error.to_string(),
                expected: "windows that overlap".into(),
            }
        })?;
        let emotions = bundle.info.emotions.len() as i64;
        let runtime = runtime?;
        let device = options.device.or(runtime.device()).unwrap_or(Device::Auto);
        let network = Network::load_from(runtime, network, device, options.threads)
            .and_then(|network| {
                network.expect_input("input_values", &[-1, -1])?;
                network.expect_output("output", &[-1, emotions])?;
                network.expect_no_other(&["input_values"])?;
                Ok(network)
            })
            .map_err(|error| BundleError::Network { path: path.to_owned(), error })?;
        Ok(Self { network, bundle, schedule, options, samples: Vec::new() })
    }

    /// How much of the future an emotion needs, in seconds.
    pub fn look_ahead_seconds(&self) -> f64 {
        let layout = self.schedule.layout();
        (layout.size - layout.target_offset) as f64 / f64::from(SAMPLE_RATE)
    }

    /// Where the network computes now: never [`Device::Auto`].
    pub fn device(&self) -> Device {
        self.network.device()
    }

    /// Devices that were tried and not taken, or lost, with the reason.
    pub fn passed_over(&self) -> &[Attempt] {
        self.network.passed_over()
    }

    /// The network itself, for what can be asked of it.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// What the bundle says.
    pub fn bundle(&self) -> &EmotionBundle {
        &self.bundle
    }

    /// Lets it hear a speech from its beginning; nothing of it may have been animated yet. A speech of a network that takes no
    /// emotions is left alone.
    ///
    /// # Errors
    /// [`EmotionError`] if a parameter is out of its range (`None`: those of the bundle), or the face takes other emotions.
    pub fn attach(&self, speech: &mut Speech, parameters: Option<EmotionParameters>) -> Result<(), EmotionError> {
        let width = speech.emotion_len();
        let config = &self.bundle.config;
        let Some(speech) = speech.windowed_mut() else { return Ok(()) };
        if width != config.outputs {
            return Err(EmotionError::Length {
                what: "the emotion of the face",
                found: width,
                expected: config.outputs,
            });
        }
        let mut parameters = parameters.unwrap_or_else(|| config.parameters.clone());
        parameters.fixed_dt = self.options.frame_rate.seconds(1) as f32;
        let postprocessor = EmotionPostprocessor::new(&config.correspondence, config.outputs, parameters)?;
        speech.hearing = Some(Hearing { postprocessor, schedule: self.schedule, read: 0 });
        speech.set_timeline(EmotionTimeline::new(config.outputs));
        Ok(())
    }

    /// Hears as much of each speech as there is; what it finds is there for the face at once. Should the network fail, the
    /// speeches keep the emotion they had last, and their faces go on.
    ///
    /// # Errors
    /// [`NetworkError`] if the network fails.
    pub fn advance<'a>(&mut self, speeches: impl IntoIterator<Item = &'a mut Speech>) -> Result<(), NetworkError> {
        let mut hearers: Vec<_> = speeches
            .into_iter()
            .filter_map(|speech| {
                speech.listen();
                speech.windowed_mut().filter(|speech| speech.hearing.is_some())
            })
            .collect();
        let outcome = self.hear(&mut hearers);
        let width = self.bundle.config.outputs;
        for speech in hearers {
            let is_over = matches!(speech.audio.received(), Received::Closed(_));
            if outcome.is_err() {
                speech.hearing = None;
            }
            if let Some(timeline) = speech.timeline_mut().filter(|timeline| !timeline.is_closed())
                && (is_over || outcome.is_err())
            {
                if timeline.is_empty() {
                    // Nobody has heard anything: a neutral delivery. An empty timeline takes any key.
                    drop(timeline.push(0, &vec![0.0; width]));
                }
                drop(timeline.close());
            }
        }
        outcome
    }

    fn hear(&mut self, hearers: &mut [&mut WindowedSpeech]) -> Result<(), NetworkError> {
        loop {
            let mut rows = Vec::new();
            for (index, speech) in hearers.iter().enumerate() {
                let Some(hearing) = &speech.hearing else { continue };
                let ready = self.schedule.available(speech.audio.received(), None, hearing.read);
                let ready = if speech.audio.len_samples() == 0 { 0 } else { ready };
                rows.extend((0..ready).take(MOST_ROWS - rows.len()).map(|row| (index, hearing.read + row)));
            }
            if rows.is_empty() {
                break;
            }
            self.samples.resize(rows.len() * self.options.window, 0.0);
            for ((index, window), samples) in rows.iter().zip(self.samples.chunks_exact_mut(self.options.window)) {
                let start = self.schedule.window(*window).start;
                hearers[*index]
                    .audio
                    .read(start, 1.0, samples)
                    .map_err(|error| NetworkError::Run(error.to_string()))?;
            }
            let shape = vec![rows.len(), self.options.window];
            let inputs = [TensorView { name: "input_values", shape, values: &self.samples }];
            let answer = [rows.len(), self.bundle.info.emotions.len()];
            let frames = u64::from(self.options.frames_per_answer.max(1));
            let mut outcome = Ok(());
            let schedule = self.schedule;
            self.network.run(&inputs, &[("output", &answer[..])], |_, values| {
                for ((index, window), logits) in rows.iter().zip(values.chunks_exact(answer[1])) {
                    let speech = &mut hearers[*index];
                    let end = match speech.audio.received() {
                        Received::Closed(samples) => samples,
                        Received::Open(_) => i64::MAX,
                    };
                    let Some(mut hearing) = speech.hearing.take() else { continue };
                    for frame in window * frames..(window + 1) * frames {
                        let time = schedule.frame_time(frame);
                        let processed = hearing.postprocessor.process(logits).map_err(|error| error.to_string());
                        let pushed = processed.and_then(|emotion| match speech.timeline_mut() {
                            Some(timeline) if time < end => {
                                timeline.push(time, emotion).map_err(|error| error.to_string())
                            }
                            _ => Ok(()),
                        });
                        if let Err(reason) = pushed {
                            let seconds = time as f64 / f64::from(SAMPLE_RATE);
                            outcome = Err(NetworkError::Face { seconds, reason });
                        }
                    }
                    hearing.read += 1;
                    speech.hearing = Some(hearing);
                }
            })?;
            outcome?;
        }
        Ok(())
    }
}
