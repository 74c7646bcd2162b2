//! A loaded bundle and the speeches it animates.

use std::{
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use serde::{Deserialize, Serialize};

use super::{
    BundleError, Manifest,
    audio2face::{
        BundleFiles, BundleSource, FaceBundle, FaceGeometry, FaceInfo, FaceShapes, WindowedNetwork, WindowedSpeech,
    },
    features::LogMel,
    streaming::{StreamingNetwork, StreamingState},
};
use crate::{
    animation::{
        FacePose, FaceTrack, FrameRate,
        geometry::{GeometryError, GeometryParameters},
    },
    audio::{AudioClip, FormatError, SpeechFeed},
    emotion::{EmotionError, EmotionTimeline},
    inference::{Attempt, Device, Network, NetworkError, NetworkSource, Runtime, RuntimeError},
};

/// How many frames one call of the network takes at most: a second and a bit, enough to use the processor well.
const FRAMES_PER_CALL: usize = 64;

/// Threads of a large network, unless somebody asks for more: a game has other uses for its cores.
const MOST_THREADS: usize = 4;

/// A clip could not be animated.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum AnimateError {
    /// The speech cannot be begun: the sound has a format that cannot be used.
    #[error(transparent)]
    Begin(#[from] BeginError),
    /// The network failed.
    #[error(transparent)]
    Network(#[from] NetworkError),
}

/// A speech could not be begun.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum BeginError {
    /// The sound has a format that cannot be used.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// There is no such identity.
    #[error("the model has no identity {name:?}; expected one of {known}")]
    Identity {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// A parameter is out of its range.
    #[error(transparent)]
    Parameters(#[from] GeometryError),
}

/// How a model is loaded. What concerns official networks has no effect on others.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelOptions {
    /// Poses per second that an official network is asked for; what lies between them is interpolated. Default: 25 from a
    /// regression network, whose cost is proportional to it, and all that a diffusion network gives, 60, of which only a whole
    /// part can be taken (60, 30, 20, ...).
    pub frame_rate: Option<FrameRate>,
    /// Threads that the network may use on the CPU. 0, the default, is one for our small networks, and for official ones as many as
    /// the machine has, at most 4.
    pub threads: usize,
    /// Where the network computes. `None`, the default, is what was said for the whole process
    /// ([`RuntimeOptions::device`](crate::inference::RuntimeOptions::device), `TALKIE_DEVICE`), and where nothing was said the CPU for
    /// our small networks, which it runs faster than a GPU is asked, and [`Device::Auto`] for official ones.
    pub device: Option<Device>,
    /// Start of the noise of a diffusion network.
    pub noise_seed: u64,
}

/// How one speech of an official network is animated. All of it may be left at its default.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SpeechOptions {
    /// Name of the identity, for bundles with several. Default: the first.
    pub identity: Option<String>,
    /// Parameters of the animator. Default: those of the bundle.
    pub parameters: Option<GeometryParameters>,
    /// Whether [`Speech::drain_geometry`] is to have all vertices. Default no: it is much slower.
    pub geometry: bool,
}

/// A model that turns speech into poses: a bundle with its network loaded.
///
/// Whatever the family of the network: our own (`streaming`), or the official `regression` and `diffusion` of Audio2Face-3D.
///
/// One model serves any number of speeches at once: [`begin`](Self::begin) one for each voice, push sound into it, and
/// [`advance`](Self::advance) all of them together.
#[derive(Debug)]
pub struct FaceModel {
    /// Which of all models of the process it is.
    id: u64,
    name: String,
    family: Family,
}

#[derive(Debug)]
enum Family {
    Streaming { manifest: Box<Manifest>, network: Box<StreamingNetwork> },
    Windowed(Box<WindowedNetwork>),
}

/// One voice being animated: sound goes in, poses come out, and what the network remembers lies between.
#[allow(missing_debug_implementations, reason = "rubato's resamplers have none")]
pub struct Speech {
    /// The model that began it.
    model: u64,
    feed: SpeechFeed,
    state: State,
    poses: Vec<FacePose>,
    failure: Option<NetworkError>,
}

enum State {
    Streaming(Box<StreamingState>),
    Windowed { speech: Box<WindowedSpeech>, emotions: usize },
}

impl FaceModel {
    /// Loads the bundle in a folder: ours or one of Audio2Face-3D, unchanged.
    ///
    /// # Errors
    /// [`BundleError`], naming the file and what was expected of it.
    pub fn load_dir(folder: impl AsRef<Path>, runtime: Result<&Runtime, RuntimeError>) -> Result<Self, BundleError> {
        Self::load_dir_with(folder, &ModelOptions::default(), runtime)
    }

    /// Loads the bundle in a folder with options.
    ///
    /// # Errors
    /// [`BundleError`], naming the file and what was expected of it.
    pub fn load_dir_with(
        folder: impl AsRef<Path>,
        options: &ModelOptions,
        runtime: Result<&Runtime, RuntimeError>,
    ) -> Result<Self, BundleError> {
        let folder = folder.as_ref();
        let mut source = BundleSource::folder(folder);
        let json = source.read("model.json")?;
        if BundleFiles::recognises(&json) {
            let bundle = FaceBundle::load(&mut source)?;
            let path = source.first_file(&bundle.files.network_candidates())?;
            return Self::official(&bundle, &source, NetworkSource::File(&path), &path, options, runtime);
        }
        let manifest = Manifest::parse(&json, &folder.join("model.json"))?;
        let onnx = source.read(&manifest.network)?;
        Self::new_with(manifest, &onnx, folder, options, runtime)
    }

    /// Puts a bundle together from files that are somewhere else than in a folder. An official network must not have weights in
    /// a file beside it then.
    ///
    /// # Errors
    /// [`BundleError`], naming the file and what was expected of it.
    pub fn load_source(
        source: &mut BundleSource<'_>,
        options: &ModelOptions,
        runtime: Result<&Runtime, RuntimeError>,
    ) -> Result<Self, BundleError> {
        let json = source.read("model.json")?;
        if BundleFiles::recognises(&json) {
            let bundle = FaceBundle::load(source)?;
            let (path, onnx) = source.read_any(&bundle.files.network_candidates())?;
            return Self::official(&bundle, source, NetworkSource::Bytes(&onnx), &path, options, runtime);
        }
        let manifest = Manifest::parse(&json, &source.path("model.json"))?;
        let onnx = source.read(&manifest.network)?;
        Self::new_with(manifest, &onnx, &source.path(""), options, runtime)
    }

    /// Puts one of our bundles together from a manifest and the bytes of its network. `folder` is only for messages.
    ///
    /// # Errors
    /// [`BundleError::Network`] if the network does not load or is not the one the manifest describes;
    /// [`BundleError::Runtime`] if there is no engine.
    pub fn new(
        manifest: Manifest,
        onnx: &[u8],
        folder: &Path,
        runtime: Result<&Runtime, RuntimeError>,
    ) -> Result<Self, BundleError> {
        Self::new_with(manifest, onnx, folder, &ModelOptions::default(), runtime)
    }

    /// Puts one of our bundles together as [`new`](Self::new) does, with options.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn new_with(
        manifest: Manifest,
        onnx: &[u8],
        folder: &Path,
        options: &ModelOptions,
        runtime: Result<&Runtime, RuntimeError>,
    ) -> Result<Self, BundleError> {
        let path = folder.join(&manifest.network);
        let log_mel = LogMel::new(manifest.features.log_mel.clone()).map_err(|error| BundleError::Value {
            path: folder.join("model.json"),
            key: "features",
            found: error.to_string(),
            expected: "a usable log-mel configuration".into(),
        })?;
        let runtime = runtime?;
        let device = options.device.or(runtime.device()).unwrap_or(Device::Cpu);
        let network = Network::load_from(runtime, NetworkSource::Bytes(onnx), device, options.threads)
            .and_then(|network| StreamingNetwork::new(network, log_mel, &manifest))
            .map_err(|error| BundleError::Network { path, error })?;
        let name = manifest.name.clone();
        Ok(Self::of(name, Family::Streaming { manifest: Box::new(manifest), network: Box::new(network) }))
    }

    fn official(
        bundle: &FaceBundle,
        source: &BundleSource<'_>,
        network: NetworkSource<'_>,
        path: &Path,
        options: &ModelOptions,
        runtime: Result<&Runtime, RuntimeError>,
    ) -> Result<Self, BundleError> {
        let cores = || thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
        let threads = if options.threads == 0 { cores() } else { options.threads };
        let runtime = runtime?;
        let device = options.device.or(runtime.device()).unwrap_or(Device::Auto);
        let network = Network::load_from(runtime, network, device, threads)
            .map_err(|error| BundleError::Network { path: path.to_owned(), error })?;
        let shapes = FaceShapes::of(bundle, source)?;
        let network = WindowedNetwork::new((network, path), bundle, shapes, options, &source.path(""))?;
        let name = bundle.info.described();
        Ok(Self::of(name, Family::Windowed(Box::new(network))))
    }

    fn of(name: String, family: Family) -> Self {
        static MODELS: AtomicU64 = AtomicU64::new(0);
        Self { id: MODELS.fetch_add(1, Ordering::Relaxed), name, family }
    }

    /// What people call the model.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the bundle says about itself, if it is one of ours.
    pub fn manifest(&self) -> Option<&Manifest> {
        match &self.family {
            Family::Streaming { manifest, .. } => Some(manifest),
            Family::Windowed(_) => None,
        }
    }

    /// What the network hears and gives, if it is an official one.
    pub fn official_info(&self) -> Option<&FaceInfo> {
        self.windowed().map(WindowedNetwork::info)
    }

    /// Names of the identities of an official bundle; none for one of ours.
    pub fn identities(&self) -> impl Iterator<Item = &str> {
        self.windowed().into_iter().flat_map(|network| network.shapes().iter().map(|shapes| shapes.name()))
    }

    /// Names of the emotions that the network takes, in its order; none for one of ours.
    pub fn emotions(&self) -> &[String] {
        self.windowed().map_or(&[], |network| network.info().emotions())
    }

    /// The parameters of the animator that the bundle has for an identity; none for one of ours, or where there is no such
    /// identity.
    pub fn parameters(&self, identity: usize) -> Option<&GeometryParameters> {
        self.windowed()?.shapes().get(identity).map(|shapes| &shapes.config().parameters)
    }

    /// Poses per second.
    pub fn frame_rate(&self) -> FrameRate {
        match &self.family {
            Family::Streaming { manifest, .. } => manifest.frame_rate,
            Family::Windowed(network) => network.frame_rate(),
        }
    }

    /// How much of the future a pose needs at most, in seconds.
    pub fn look_ahead_seconds(&self) -> f64 {
        match &self.family {
            Family::Streaming { manifest, .. } => manifest.look_ahead_seconds(),
            Family::Windowed(network) => network.look_ahead_seconds(),
        }
    }

    /// Where the network computes now: never [`Device::Auto`].
    pub fn device(&self) -> Device {
        self.network().device()
    }

    /// Devices that were tried and not taken, or lost, with the reason.
    pub fn passed_over(&self) -> &[Attempt] {
        self.network().passed_over()
    }

    /// The network itself, for what can be asked of it.
    pub fn network(&self) -> &Network {
        match &self.family {
            Family::Streaming { network, .. } => network.network(),
            Family::Windowed(network) => network.network(),
        }
    }

    #[cfg(test)]
    pub(crate) fn network_mut(&mut self) -> &mut Network {
        match &mut self.family {
            Family::Streaming { network, .. } => network.network_mut(),
            Family::Windowed(network) => network.network_mut(),
        }
    }

    fn windowed(&self) -> Option<&WindowedNetwork> {
        match &self.family {
            Family::Streaming { .. } => None,
            Family::Windowed(network) => Some(network),
        }
    }

    /// Starts a speech of interleaved sound at this rate (samples per second) and channel count.
    ///
    /// # Errors
    /// [`BeginError::Format`] if the sound cannot be used.
    pub fn begin(&self, sample_rate: u32, channels: usize) -> Result<Speech, BeginError> {
        self.begin_with(sample_rate, channels, &SpeechOptions::default())
    }

    /// Starts a speech with options.
    ///
    /// # Errors
    /// [`BeginError`] if the sound cannot be used, there is no such identity, or a parameter is out of its range.
    pub fn begin_with(&self, sample_rate: u32, channels: usize, options: &SpeechOptions) -> Result<Speech, BeginError> {
        let feed = SpeechFeed::new(sample_rate, channels)?;
        let state = match &self.family {
            Family::Streaming { network, .. } => State::Streaming(Box::new(network.begin())),
            Family::Windowed(network) => {
                let identity = match &options.identity {
                    None => 0,
                    Some(name) => {
                        self.identities().position(|known| known == name).ok_or_else(|| BeginError::Identity {
                            name: name.clone(),
                            known: self.identities().collect::<Vec<_>>().join(", "),
                        })?
                    }
                };
                let speech = network.begin(identity, options.parameters, options.geometry)?;
                State::Windowed { speech: Box::new(speech), emotions: network.info().emotions().len() }
            }
        };
        Ok(Speech { model: self.id, feed, state, poses: Vec::new(), failure: None })
    }

    /// Computes up to `frames` more poses for each speech, as far as its sound reaches, in as few calls of the network
    /// as possible. Results wait in [`Speech::drain`]; a failure stays with the speech it belongs to. A diffusion network gives
    /// half a second at once, and may give more than was asked for.
    ///
    /// A pose does not depend on which other speeches are computed with it, nor on how often this is called.
    pub fn advance<'a>(&mut self, speeches: impl IntoIterator<Item = &'a mut Speech>, frames: usize) {
        let mut waiting: Vec<(&mut Speech, usize)> = speeches
            .into_iter()
            .filter(|speech| speech.failure.is_none())
            .map(|speech| {
                let ready = self.ready(speech, frames).min(frames);
                (speech, ready)
            })
            .collect();
        loop {
            waiting.retain(|(speech, ready)| *ready > 0 && speech.failure.is_none());
            let Some(count) = waiting.iter().map(|(_, ready)| *ready).min() else { return };
            self.run(&mut waiting, count.min(FRAMES_PER_CALL));
        }
    }

    /// Lets a speech listen, and tells how many frames could be computed then.
    fn ready(&self, speech: &mut Speech, frames: usize) -> usize {
        if speech.model != self.id {
            speech.failure = Some(NetworkError::OtherModel);
            return 0;
        }
        match (&self.family, &mut speech.state) {
            (Family::Streaming { network, .. }, State::Streaming(state)) => {
                network.listen(state, &mut speech.feed, frames);
                network.ready_frames(state)
            }
            (Family::Windowed(network), State::Windowed { speech: state, .. }) => {
                state.listen(&mut speech.feed);
                network.ready_frames(state)
            }
            _ => 0,
        }
    }

    fn run(&mut self, waiting: &mut [(&mut Speech, usize)], count: usize) {
        let results = match &mut self.family {
            Family::Streaming { network, .. } => {
                let mut batch: Vec<_> = waiting
                    .iter_mut()
                    .filter_map(|(speech, _)| match &mut speech.state {
                        State::Streaming(state) => Some((&mut **state, &mut speech.poses)),
                        State::Windowed { .. } => None,
                    })
                    .collect();
                network.run(&mut batch, count).map(|failures| {
                    failures.into_iter().map(|failure| failure.map_or(Ok(count), Err)).collect::<Vec<_>>()
                })
            }
            Family::Windowed(network) => {
                let mut batch: Vec<_> = waiting
                    .iter_mut()
                    .filter_map(|(speech, _)| match &mut speech.state {
                        State::Windowed { speech: state, .. } => Some((&mut **state, &mut speech.poses)),
                        State::Streaming(_) => None,
                    })
                    .collect();
                network.run(&mut batch, count)
            }
        };
        match results {
            Ok(results) => {
                for ((speech, left), result) in waiting.iter_mut().zip(results) {
                    match result {
                        Ok(computed) => *left = left.saturating_sub(computed.max(1)),
                        Err(error) => speech.failure = Some(error),
                    }
                }
            }
            Err(error) if waiting.len() == 1 => waiting[0].0.failure = Some(error),
            // Find out whose fault it is: nobody else shall suffer.
            Err(_) => waiting.chunks_mut(1).for_each(|one| self.run(one, count)),
        }
    }

    /// Animates a whole clip.
    ///
    /// # Errors
    /// [`AnimateError`] if the sound cannot be used or the network fails.
    pub fn animate(&mut self, clip: &AudioClip) -> Result<FaceTrack, AnimateError> {
        let mut speech = self.begin(clip.sample_rate(), clip.channels())?;
        speech.push(clip.samples());
        speech.finish();
        let mut track = FaceTrack::new(self.frame_rate());
        while !speech.is_done() {
            self.advance([&mut speech], FRAMES_PER_CALL);
            speech.drain(|pose| track.push(pose))?;
        }
        Ok(track)
    }
}

impl Speech {
    /// Takes sound: interleaved samples in the format the speech was begun with, any number of them.
    pub fn push(&mut self, samples: &[f32]) {
        self.feed.push(samples);
    }

    /// Says that nothing more will come.
    pub fn finish(&mut self) {
        self.feed.finish();
    }

    /// Whether [`finish`](Self::finish) was called.
    pub fn is_finished(&self) -> bool {
        self.feed.is_finished()
    }

    /// How many values an emotion of this speech has; 0 where the network takes none.
    pub fn emotion_len(&self) -> usize {
        match &self.state {
            State::Streaming(_) => 0,
            State::Windowed { emotions, .. } => *emotions,
        }
    }

    /// Asks the network for this emotion from the next pose on, eased over a quarter of a second: one value, usually 0..=1, for
    /// each of [`FaceModel::emotions`]. It has no effect on a network that takes none, nor where a
    /// [timeline](Self::set_emotion_timeline) says what is felt.
    ///
    /// # Errors
    /// [`EmotionError`] for a vector of another length or a value that is not a number.
    pub fn set_emotion(&mut self, emotion: &[f32]) -> Result<(), EmotionError> {
        let State::Windowed { speech, emotions } = &mut self.state else { return Ok(()) };
        if emotion.len() != *emotions {
            return Err(EmotionError::Length { what: "the emotion", found: emotion.len(), expected: *emotions });
        }
        if let Some(index) = emotion.iter().position(|value| !value.is_finite()) {
            return Err(EmotionError::NotFinite { what: "the emotion", index, value: emotion[index] });
        }
        speech.set_emotion(emotion);
        Ok(())
    }

    /// Asks for this emotion as [`set_emotion`](Self::set_emotion) does; where an [`EmotionModel`](super::EmotionModel) hears the
    /// voice, it becomes the preferred emotion that is mixed with what it hears, unless it is all zeros.
    ///
    /// # Errors
    /// [`EmotionError`] for a vector of another length or a value that is not a number (where a voice is heard: in 0..=1).
    pub fn prefer_emotion(&mut self, emotion: &[f32]) -> Result<(), EmotionError> {
        match self.windowed_mut().and_then(|speech| speech.hearing.as_mut()) {
            Some(hearing) => hearing.prefer(emotion),
            None => self.set_emotion(emotion),
        }
    }

    /// Gives the network emotions by keys in time, on the clock of this speech. Poses for which it is not known yet are waited
    /// for.
    ///
    /// # Errors
    /// [`EmotionError::Length`] if its emotions have another length.
    pub fn set_emotion_timeline(&mut self, timeline: EmotionTimeline) -> Result<(), EmotionError> {
        let State::Windowed { speech, emotions, .. } = &mut self.state else { return Ok(()) };
        if timeline.width() != *emotions {
            let (found, expected) = (timeline.width(), *emotions);
            return Err(EmotionError::Length { what: "the emotion timeline", found, expected });
        }
        speech.set_timeline(timeline);
        Ok(())
    }

    /// The timeline, to add keys to, if there is one.
    pub fn emotion_timeline_mut(&mut self) -> Option<&mut EmotionTimeline> {
        self.windowed_mut()?.timeline_mut()
    }

    /// Changes the parameters of the animator from the next pose on. It has no effect on networks of ours.
    ///
    /// # Errors
    /// [`GeometryError::Parameter`] if one is out of its range; then none is changed.
    pub fn set_parameters(&mut self, parameters: GeometryParameters) -> Result<(), GeometryError> {
        self.windowed_mut().map_or(Ok(()), |speech| {
            if *speech.face_mut().parameters() == parameters {
                return Ok(());
            }
            speech.face_mut().set_parameters(parameters)
        })
    }

    /// Hands over the geometry of the poses computed since the last call, oldest first, where
    /// [`SpeechOptions::geometry`] asked for it.
    pub fn drain_geometry(&mut self, receive: impl FnMut(FaceGeometry)) {
        if let Some(speech) = self.windowed_mut() {
            speech.drain_geometry().for_each(receive);
        }
    }

    pub(super) fn windowed_mut(&mut self) -> Option<&mut WindowedSpeech> {
        match &mut self.state {
            State::Streaming(_) => None,
            State::Windowed { speech, .. } => Some(speech),
        }
    }

    /// Takes over waiting sound, for who hears it before the face does.
    pub(super) fn listen(&mut self) {
        if let State::Windowed { speech, .. } = &mut self.state {
            speech.listen(&mut self.feed);
        }
    }

    /// Hands over the poses computed since the last call, oldest first.
    ///
    /// # Errors
    /// The [`NetworkError`] that stopped this speech, at every call after the poses before it.
    pub fn drain(&mut self, mut receive: impl FnMut(FacePose)) -> Result<(), NetworkError> {
        self.poses.drain(..).for_each(&mut receive);
        self.failure.clone().map_or(Ok(()), Err)
    }

    /// Whether every pose this speech will ever have was computed (or it failed).
    pub fn is_done(&self) -> bool {
        self.failure.is_some()
            || match &self.state {
                State::Streaming(state) => state.is_flushed() && state.is_empty(),
                State::Windowed { speech, .. } => self.feed.waiting() == 0 && speech.is_done(),
            }
    }

    /// Length of the sound pushed so far, in seconds.
    pub fn seconds(&self) -> f64 {
        self.feed.seconds()
    }
}
