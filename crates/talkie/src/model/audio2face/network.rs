//! The official networks at work: windows of sound in, frames out, for all speeches at once.

use std::{path::Path, sync::Arc};

use super::{
    DiffusionInfo, FaceBundle, FaceFrames, FaceGeometry, FaceInfo, FaceShapes, RawFrame, RegressionInfo, noise::Noise,
};
use crate::{
    animation::{FacePose, FrameRate, geometry::GeometryParameters},
    audio::{AudioAccumulator, Received, SAMPLE_RATE, SpeechFeed},
    emotion::{EmotionTimeline, TimelineError},
    inference::{Network, NetworkError, TensorView},
    model::{BundleError, ModelOptions, WindowSchedule},
};

/// Poses per second that a regression network is asked for, where nobody says otherwise: what two cores keep up with.
pub(crate) const DEFAULT_RATE: FrameRate = FrameRate::per_second(25);
/// Windows that go through a regression network at once, at most: half a second to a second of one speech.
const MOST_ROWS: usize = 24;
/// Speeches that go through a diffusion network at once, at most: each takes 64 MB of noise and 21 MB of result.
const MOST_TRACKS: usize = 4;
/// How long another emotion takes to be the one, in samples: a quarter of a second.
const EASE: i64 = SAMPLE_RATE as i64 / 4;

/// An official network with its shapes.
#[derive(Debug)]
pub(crate) struct WindowedNetwork {
    network: Network,
    info: Arc<FaceInfo>,
    shapes: Vec<Arc<FaceShapes>>,
    schedule: WindowSchedule,
    rate: FrameRate,
    /// Which frames of a diffusion network are shown: every so manieth.
    every: u64,
    noise: Noise,
    /// Inputs of one call, kept to be reused.
    audio: Vec<f32>,
    emotions: Vec<f32>,
    identities: Vec<f32>,
    latents: Vec<f32>,
}

/// One speech on its way through an official network.
#[derive(Debug)]
pub(crate) struct WindowedSpeech {
    pub(crate) audio: AudioAccumulator,
    emotions: Emotions,
    face: FaceFrames,
    identity: usize,
    input_strength: f32,
    schedule: WindowSchedule,
    /// Windows that were read.
    read: u64,
    latents: Vec<f32>,
    geometry: Vec<FaceGeometry>,
    /// What an emotion network has heard of the same sound.
    pub(crate) hearing: Option<crate::model::emotion_model::Hearing>,
}

/// Where the emotion of a frame comes from.
#[derive(Debug)]
enum Emotions {
    /// What the game wants now, eased.
    Eased { from: Vec<f32>, to: Vec<f32>, since: i64 },
    /// Keys in time; what is not known yet is waited for.
    Timeline(EmotionTimeline),
}

impl Emotions {
    fn known_until(&self) -> Option<i64> {
        match self {
            Self::Eased { .. } => None,
            Self::Timeline(timeline) if timeline.is_closed() => None,
            Self::Timeline(timeline) => Some(timeline.known_until()),
        }
    }

    fn sample(&self, time: i64, out: &mut [f32]) -> Result<(), TimelineError> {
        match self {
            Self::Timeline(timeline) => timeline.sample(time, out),
            Self::Eased { from, to, since } => {
                let share = (time.saturating_sub(*since) as f32 / EASE as f32).clamp(0.0, 1.0);
                let values = from.iter().zip(to);
                out.iter_mut().zip(values).for_each(|(out, (from, to))| *out = from + (to - from) * share);
                Ok(())
            }
        }
    }
}

impl WindowedNetwork {
    /// Puts a bundle and its network together; `path` is the network's, `folder` the bundle's, for messages.
    pub(crate) fn new(
        (network, path): (Network, &Path),
        bundle: &FaceBundle,
        shapes: Vec<Arc<FaceShapes>>,
        options: &ModelOptions,
        folder: &Path,
    ) -> Result<Self, BundleError> {
        let wrong_rate = |found: String, expected: String| BundleError::Value {
            path: folder.join("model.json"),
            key: "frame_rate (an option, not a key)",
            found,
            expected,
        };
        if let Some(rate) = options.frame_rate.filter(|rate| !rate.is_valid()) {
            let found = format!("{}/{}", rate.numerator, rate.denominator);
            return Err(wrong_rate(found, "a positive fraction of at most 1000 per second".into()));
        }
        let unusable = |error: crate::model::WindowError| BundleError::Value {
            path: folder.join(&bundle.files.network_info),
            key: "audio_params",
            found: error.to_string(),
            expected: "windows that can be read".into(),
        };
        let (schedule, rate, every) = match &bundle.info {
            FaceInfo::Regression { info, .. } => {
                let rate = options.frame_rate.unwrap_or(DEFAULT_RATE);
                let schedule = WindowSchedule::regression(info.window as i64, info.offset as i64, SAMPLE_RATE, rate);
                (schedule.map_err(unusable)?, rate, 1)
            }
            FaceInfo::Diffusion(info) => {
                let frames = [info.left_frames, info.centre_frames, info.right_frames].map(|frames| frames as u32);
                let schedule = WindowSchedule::diffusion(info.window as i64, info.padding as i64, frames);
                let natural =
                    FrameRate { numerator: info.frames() as u32 * SAMPLE_RATE, denominator: info.window as u32 };
                let wanted = options.frame_rate.unwrap_or(natural);
                let every = (natural.hertz() / wanted.hertz()).round();
                if every < 1.0 || (natural.hertz() / every - wanted.hertz()).abs() > 1e-6 * natural.hertz() {
                    let expected = format!("{}, or a whole part of it, from a diffusion network", natural.hertz());
                    return Err(wrong_rate(format!("{} per second", wanted.hertz()), expected));
                }
                (schedule.map_err(unusable)?, wanted, every as u64)
            }
        };
        check_tensors(&network, &bundle.info).map_err(|error| BundleError::Network { path: path.to_owned(), error })?;
        Ok(Self {
            noise: Noise::new(options.noise_seed),
            network,
            info: Arc::new(bundle.info.clone()),
            shapes,
            schedule,
            rate,
            every,
            audio: Vec::new(),
            emotions: Vec::new(),
            identities: Vec::new(),
            latents: Vec::new(),
        })
    }

    pub(crate) fn network(&self) -> &Network {
        &self.network
    }

    #[cfg(test)]
    pub(crate) fn network_mut(&mut self) -> &mut Network {
        &mut self.network
    }

    pub(crate) fn info(&self) -> &FaceInfo {
        &self.info
    }

    pub(crate) fn shapes(&self) -> &[Arc<FaceShapes>] {
        &self.shapes
    }

    pub(crate) fn frame_rate(&self) -> FrameRate {
        self.rate
    }

    /// How much of the future a pose needs at most, in seconds.
    pub(crate) fn look_ahead_seconds(&self) -> f64 {
        let layout = self.schedule.layout();
        (layout.size - layout.target_offset) as f64 / f64::from(SAMPLE_RATE)
    }

    pub(crate) fn begin(
        &self,
        identity: usize,
        parameters: Option<GeometryParameters>,
        geometry: bool,
    ) -> Result<WindowedSpeech, crate::animation::geometry::GeometryError> {
        let shapes = &self.shapes[identity.min(self.shapes.len() - 1)];
        let parameters = parameters.unwrap_or(shapes.config().parameters);
        let (latents, input_strength) = match &*self.info {
            FaceInfo::Regression { .. } => (0, shapes.config().input_strength),
            // The official runtime reads the strength of a diffusion bundle and does not use it.
            FaceInfo::Diffusion(info) => (info.steps * info.gru_layers * info.gru_width, 1.0),
        };
        let emotion = self.info.default_emotion().to_vec();
        Ok(WindowedSpeech {
            audio: AudioAccumulator::new(),
            emotions: Emotions::Eased { from: emotion.clone(), to: emotion, since: i64::MIN },
            face: FaceFrames::new(shapes.clone(), parameters, geometry)?,
            identity,
            input_strength,
            schedule: self.schedule,
            read: 0,
            latents: vec![0.0; latents],
            geometry: Vec::new(),
            hearing: None,
        })
    }

    /// Frames that can be computed now: an upper bound, since some windows of a diffusion network lie before the sound.
    pub(crate) fn ready_frames(&self, speech: &WindowedSpeech) -> usize {
        let windows = self.ready_windows(speech);
        usize::try_from(windows.saturating_mul(self.schedule.layout().frames.into())).unwrap_or(usize::MAX)
    }

    fn ready_windows(&self, speech: &WindowedSpeech) -> u64 {
        if speech.audio.len_samples() == 0 {
            // A diffusion network could begin with the silence before; there may never be a sound.
            return 0;
        }
        self.schedule.available(speech.audio.received(), speech.emotions.known_until(), speech.read)
    }

    /// Computes up to `frames` frames of each speech in one call of the network, or less if it cannot take so many at once,
    /// and returns how many each speech got.
    pub(crate) fn run(
        &mut self,
        speeches: &mut [(&mut WindowedSpeech, &mut Vec<FacePose>)],
        frames: usize,
    ) -> Result<Vec<Result<usize, NetworkError>>, NetworkError> {
        let per_window = self.schedule.layout().frames as usize;
        let info = self.info.clone();
        match &*info {
            FaceInfo::Regression { info, implicit_emotion } => {
                self.run_regression(info, implicit_emotion, speeches, frames)
            }
            FaceInfo::Diffusion(info) => {
                let mut results = Vec::with_capacity(speeches.len());
                for some in speeches.chunks_mut(MOST_TRACKS) {
                    match self.run_diffusion(info, some) {
                        Ok(these) => results.extend(these),
                        // Those before have moved on, so it is found out here whose fault it is, and nobody runs twice.
                        Err(_) => {
                            for one in some.chunks_mut(1) {
                                results.extend(self.run_diffusion(info, one).unwrap_or_else(|error| vec![Err(error)]));
                            }
                        }
                    }
                }
                // A window is computed as a whole, so it counts as a whole whatever was shown of it.
                Ok(results.into_iter().map(|result| result.map(|()| per_window)).collect())
            }
        }
    }

    fn run_regression(
        &mut self,
        info: &RegressionInfo,
        implicit: &[f32],
        speeches: &mut [(&mut WindowedSpeech, &mut Vec<FacePose>)],
        frames: usize,
    ) -> Result<Vec<Result<usize, NetworkError>>, NetworkError> {
        let each = frames.min((MOST_ROWS / speeches.len().max(1)).max(1));
        let counts: Vec<usize> = speeches.iter().map(|(speech, _)| each.min(self.ready_frames(speech))).collect();
        let rows: usize = counts.iter().sum();
        let emotion_len = implicit.len() + info.emotions.len();
        self.audio.resize(rows * info.window, 0.0);
        self.emotions.resize(rows * emotion_len, 0.0);
        let mut windows = self.audio.chunks_exact_mut(info.window);
        let mut emotions = self.emotions.chunks_exact_mut(emotion_len);
        let mut failures = vec![None; speeches.len()];
        for (((speech, _), count), failure) in speeches.iter().zip(&counts).zip(&mut failures) {
            for row in 0..*count {
                let (Some(samples), Some(emotion)) = (windows.next(), emotions.next()) else { break };
                let window = self.schedule.window(speech.read + row as u64);
                emotion[..implicit.len()].copy_from_slice(implicit);
                let heard =
                    speech.audio.read(window.start, speech.input_strength, samples).map_err(|error| error.to_string());
                let felt = speech.emotions.sample(window.target, &mut emotion[implicit.len()..]);
                if let Err(reason) = heard.and(felt.map_err(|error| error.to_string())) {
                    *failure = failure.take().or(Some(speech.failure(row as u64, reason)));
                }
            }
        }
        let inputs = [
            TensorView { name: "input", shape: vec![rows, 1, info.window], values: &self.audio },
            TensorView { name: "emotion", shape: vec![rows, 1, emotion_len], values: &self.emotions },
        ];
        let shape = [rows, 1, info.result_len()];
        let (rate, dt) = (self.rate, dt(self.rate));
        self.network.run(&inputs, &[("result", &shape[..])], |_, values| {
            let mut results = values.chunks_exact(info.result_len());
            for (((speech, poses), count), failure) in speeches.iter_mut().zip(&counts).zip(&mut failures) {
                for row in 0..*count {
                    let Some(result) = results.next() else { break };
                    if failure.is_some() {
                        continue;
                    }
                    let (skin, rest) = result.split_at(info.skin_shapes);
                    let (tongue, rest) = rest.split_at(info.tongue_shapes);
                    let (jaw, eyes) = rest.split_at(info.jaw_size);
                    let frame = speech.read + row as u64;
                    if let Err(reason) = speech.show(RawFrame { skin, tongue, jaw, eyes }, dt, poses) {
                        *failure = Some(NetworkError::Face { seconds: rate.seconds(frame), reason });
                    }
                }
                speech.advance(*count as u64);
            }
        })?;
        Ok(counts.into_iter().zip(failures).map(|(count, failure)| failure.map_or(Ok(count), Err)).collect())
    }

    fn run_diffusion(
        &mut self,
        info: &DiffusionInfo,
        speeches: &mut [(&mut WindowedSpeech, &mut Vec<FacePose>)],
    ) -> Result<Vec<Result<(), NetworkError>>, NetworkError> {
        let batch = speeches.len();
        let (identities, emotions) = (info.identities.len(), info.emotions.len());
        self.audio.resize(batch * info.window, 0.0);
        self.emotions.resize(batch * info.centre_frames * emotions, 0.0);
        self.identities.clear();
        self.identities.resize(batch * identities, 0.0);
        let slices = info.steps * info.gru_layers;
        self.latents.resize(slices * batch * info.gru_width, 0.0);
        let per_frame = self.schedule.per_frame();
        let mut failures = vec![None; batch];
        for (track, ((speech, _), failure)) in speeches.iter().zip(&mut failures).enumerate() {
            let window = self.schedule.window(speech.read);
            let samples = &mut self.audio[track * info.window..][..info.window];
            let mut outcome =
                speech.audio.read(window.start, speech.input_strength, samples).map_err(|error| error.to_string());
            for frame in 0..info.centre_frames {
                let target = per_frame.window(speech.read * info.centre_frames as u64 + frame as u64).target;
                let emotion = &mut self.emotions[(track * info.centre_frames + frame) * emotions..][..emotions];
                outcome = outcome.and(speech.emotions.sample(target, emotion).map_err(|error| error.to_string()));
            }
            if let Err(reason) = outcome {
                *failure = Some(speech.failure(0, reason));
            }
            self.identities[track * identities + speech.identity] = 1.0;
            for (slice, latents) in speech.latents.chunks_exact(info.gru_width).enumerate() {
                self.latents[(slice * batch + track) * info.gru_width..][..info.gru_width].copy_from_slice(latents);
            }
        }
        let latents_shape = vec![info.steps, info.gru_layers, batch, info.gru_width];
        let prediction_shape = [batch, info.frames(), info.frame_len()];
        let noise = self.noise.of(batch, (info.steps + 1) * info.frames() * info.frame_len());
        let inputs = [
            TensorView { name: "window", shape: vec![batch, info.window], values: &self.audio },
            TensorView { name: "identity", shape: vec![batch, identities], values: &self.identities },
            TensorView { name: "emotion", shape: vec![batch, info.centre_frames, emotions], values: &self.emotions },
            TensorView { name: "input_latents", shape: latents_shape.clone(), values: &self.latents },
            TensorView {
                name: "noise",
                shape: vec![batch, info.steps + 1, info.frames(), info.frame_len()],
                values: noise,
            },
        ];
        let (every, rate, dt) = (self.every, self.rate, dt(self.rate));
        let before = self.schedule.frames_before_sound();
        let outputs = [("output_latents", &latents_shape[..]), ("prediction", &prediction_shape[..])];
        self.network.run(&inputs, &outputs, |output, values| {
            if output == 0 {
                for (track, ((speech, _), failure)) in speeches.iter_mut().zip(&mut failures).enumerate() {
                    for (slice, latents) in speech.latents.chunks_exact_mut(info.gru_width).enumerate() {
                        latents.copy_from_slice(&values[(slice * batch + track) * info.gru_width..][..info.gru_width]);
                    }
                    if failure.is_none() && !speech.latents.iter().all(|value| value.is_finite()) {
                        let seconds = rate.seconds(speech.read * info.centre_frames as u64 / every);
                        let reason = "output_latents are not finite".into();
                        *failure = Some(NetworkError::Face { seconds, reason });
                    }
                }
                return;
            }
            let tracks = values.chunks_exact(info.frames() * info.frame_len());
            for (((speech, poses), failure), values) in speeches.iter_mut().zip(&mut failures).zip(tracks) {
                let kept = values.chunks_exact(info.frame_len()).skip(info.left_frames).take(info.centre_frames);
                let end = match speech.audio.received() {
                    Received::Closed(samples) => samples,
                    Received::Open(_) => i64::MAX,
                };
                for (frame, values) in kept.enumerate() {
                    let index = speech.read * info.centre_frames as u64 + frame as u64;
                    let target = per_frame.window(index).target;
                    // Frames before the sound warm the network up; those after it are nobody's.
                    if failure.is_some() || target < 0 || target >= end || !(index - before).is_multiple_of(every) {
                        continue;
                    }
                    let (skin, rest) = values.split_at(info.skin_size);
                    let (tongue, rest) = rest.split_at(info.tongue_size);
                    let (jaw, eyes) = rest.split_at(info.jaw_size);
                    if let Err(reason) = speech.show(RawFrame { skin, tongue, jaw, eyes }, dt, poses) {
                        let seconds = target as f64 / f64::from(SAMPLE_RATE);
                        *failure = Some(NetworkError::Face { seconds, reason });
                    }
                }
                speech.advance(1);
            }
        })?;
        Ok(failures.into_iter().map(|failure| failure.map_or(Ok(()), Err)).collect())
    }
}

impl WindowedSpeech {
    /// Takes over the sound that waits.
    pub(crate) fn listen(&mut self, feed: &mut SpeechFeed) {
        // An empty append and a second close are the only things that can be refused here, and neither is a loss.
        feed.take(usize::MAX, |samples| drop(self.audio.append(samples)));
        if feed.is_finished() {
            drop(self.audio.close());
        }
    }

    /// Whether no frame will ever come.
    pub(crate) fn is_done(&self) -> bool {
        let received = self.audio.received();
        matches!(received, Received::Closed(_))
            && (self.audio.len_samples() == 0 || self.schedule.available(received, None, self.read) == 0)
    }

    /// The moment of the next frame in samples.
    pub(crate) fn next_target(&self) -> i64 {
        self.schedule.window(self.read).target
    }

    fn failure(&self, later: u64, reason: String) -> NetworkError {
        let target = self.schedule.window(self.read + later).target;
        NetworkError::Face { seconds: target as f64 / f64::from(SAMPLE_RATE), reason }
    }

    fn show(&mut self, raw: RawFrame<'_>, dt: f32, poses: &mut Vec<FacePose>) -> Result<(), String> {
        let pose = self.face.frame(raw, dt).map_err(|error| error.to_string())?;
        if !pose.is_finite() {
            return Err("the pose is not finite".into());
        }
        poses.push(pose);
        self.geometry.extend(self.face.geometry().cloned());
        Ok(())
    }

    fn advance(&mut self, windows: u64) {
        self.read += windows;
        let schedule = self.schedule;
        let next = schedule.window(self.read).start.max(0).min(self.audio.len_samples());
        let next = self.hearing.as_ref().map_or(next, |hearing| next.min(hearing.next_start().max(0)));
        // Only what was not received yet cannot be dropped.
        drop(self.audio.drop_before(next));
        if let Emotions::Timeline(timeline) = &mut self.emotions {
            timeline.drop_before(schedule.window(self.read).target);
        }
    }

    /// Asks for another emotion from the next frame on.
    pub(crate) fn set_emotion(&mut self, emotion: &[f32]) {
        let now = self.next_target();
        let Emotions::Eased { from, to, since } = &mut self.emotions else { return };
        if to[..] == *emotion {
            return;
        }
        if emotion.len() != to.len() || !emotion.iter().all(|value| value.is_finite()) {
            return;
        }
        let share = (now.saturating_sub(*since) as f32 / EASE as f32).clamp(0.0, 1.0);
        from.iter_mut().zip(&*to).for_each(|(from, to)| *from += (to - *from) * share);
        to.copy_from_slice(emotion);
        *since = now;
    }

    pub(crate) fn set_timeline(&mut self, timeline: EmotionTimeline) {
        self.emotions = Emotions::Timeline(timeline);
    }

    pub(crate) fn timeline_mut(&mut self) -> Option<&mut EmotionTimeline> {
        match &mut self.emotions {
            Emotions::Timeline(timeline) => Some(timeline),
            Emotions::Eased { .. } => None,
        }
    }

    pub(crate) fn face_mut(&mut self) -> &mut FaceFrames {
        &mut self.face
    }

    pub(crate) fn drain_geometry(&mut self) -> impl Iterator<Item = FaceGeometry> {
        self.geometry.drain(..)
    }
}

/// The time between two poses.
fn dt(rate: FrameRate) -> f32 {
    rate.denominator as f32 / rate.numerator as f32
}

/// Names and dimensions of all tensors, as far as the network fixes them; no others are allowed.
fn check_tensors(network: &Network, info: &FaceInfo) -> Result<(), NetworkError> {
    type Shapes = Vec<(&'static str, Vec<i64>)>;
    let (inputs, outputs): (Shapes, Shapes) = match info {
        FaceInfo::Regression { info, implicit_emotion } => (
            vec![
                ("input", vec![-1, 1, info.window as i64]),
                ("emotion", vec![-1, 1, (implicit_emotion.len() + info.emotions.len()) as i64]),
            ],
            vec![("result", vec![-1, 1, info.result_len() as i64])],
        ),
        FaceInfo::Diffusion(info) => {
            let latents = vec![info.steps as i64, info.gru_layers as i64, -1, info.gru_width as i64];
            let (frames, width) = (info.frames() as i64, info.frame_len() as i64);
            (
                vec![
                    ("window", vec![-1, info.window as i64]),
                    ("identity", vec![-1, info.identities.len() as i64]),
                    ("emotion", vec![-1, info.centre_frames as i64, info.emotions.len() as i64]),
                    ("input_latents", latents.clone()),
                    ("noise", vec![-1, info.steps as i64 + 1, frames, width]),
                ],
                vec![("prediction", vec![-1, frames, width]), ("output_latents", latents)],
            )
        }
    };
    inputs.iter().try_for_each(|(name, shape)| network.expect_input(name, shape))?;
    outputs.iter().try_for_each(|(name, shape)| network.expect_output(name, shape))?;
    network.expect_no_other(&inputs.iter().map(|(name, _)| *name).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_emotion_comes_gradually() {
        let mut emotions = Emotions::Eased { from: vec![0.0], to: vec![1.0], since: 1000 };
        let mut out = [9.0];
        for (time, wanted) in
            [(i64::MIN, 0.0), (1000, 0.0), (1000 + EASE / 2, 0.5), (1000 + EASE, 1.0), (i64::MAX, 1.0)]
        {
            emotions.sample(time, &mut out).expect("always known");
            assert_eq!(out, [wanted], "{time}");
        }
        emotions = Emotions::Timeline(EmotionTimeline::new(1));
        assert!(emotions.sample(0, &mut out).is_err());
        assert_eq!(emotions.known_until(), Some(i64::MIN));
    }
}
