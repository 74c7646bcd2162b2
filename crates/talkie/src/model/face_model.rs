//! A loaded bundle and the speeches it animates.

use std::{fs, path::Path};

use super::{
    BundleError, Manifest,
    features::LogMel,
    streaming::{StreamingNetwork, StreamingState},
};
use crate::{
    animation::{FacePose, FaceTrack},
    audio::{AudioClip, FormatError, SpeechFeed},
    inference::{Network, NetworkError, Runtime, RuntimeError},
};

/// How many frames one call of the network takes at most: a second and a bit, enough to use the processor well.
const FRAMES_PER_CALL: usize = 64;

/// A clip could not be animated.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum AnimateError {
    /// The sound has a format that cannot be used.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The network failed.
    #[error(transparent)]
    Network(#[from] NetworkError),
}

/// A model that turns speech into poses: a bundle with its network loaded.
///
/// One model serves any number of speeches at once: [`begin`](Self::begin) one for each voice, push sound into it, and
/// [`advance`](Self::advance) all of them together.
#[derive(Debug)]
pub struct FaceModel {
    manifest: Manifest,
    network: StreamingNetwork,
}

/// One voice being animated: sound goes in, poses come out, and what the network remembers lies between.
#[allow(missing_debug_implementations, reason = "rubato's resamplers have none")]
pub struct Speech {
    feed: SpeechFeed,
    state: StreamingState,
    poses: Vec<FacePose>,
    failure: Option<NetworkError>,
}

impl FaceModel {
    /// Loads the bundle in a folder.
    ///
    /// # Errors
    /// [`BundleError`], naming the file and what was expected of it.
    pub fn load_dir(folder: impl AsRef<Path>, runtime: Result<&Runtime, RuntimeError>) -> Result<Self, BundleError> {
        let read = |name: &str| {
            let path = folder.as_ref().join(name);
            fs::read(&path).map_err(|error| BundleError::File { path, reason: error.to_string() })
        };
        let path = folder.as_ref().join("model.json");
        let manifest = Manifest::parse(&read("model.json")?, &path)?;
        let onnx = read(&manifest.network)?;
        Self::new(manifest, &onnx, folder.as_ref(), runtime)
    }

    /// Puts a bundle together from a manifest and the bytes of its network. `folder` is only for messages.
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
        let path = folder.join(&manifest.network);
        let log_mel = LogMel::new(manifest.features.log_mel.clone()).map_err(|error| BundleError::Value {
            path: folder.join("model.json"),
            key: "features",
            found: error.to_string(),
            expected: "a usable log-mel configuration".into(),
        })?;
        let network = Network::load(runtime?, onnx)
            .and_then(|network| StreamingNetwork::new(network, log_mel, &manifest))
            .map_err(|error| BundleError::Network { path, error })?;
        Ok(Self { manifest, network })
    }

    /// What the bundle says about itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Starts a speech of interleaved sound at this rate (samples per second) and channel count.
    ///
    /// # Errors
    /// [`FormatError`] if the sound cannot be used.
    pub fn begin(&self, sample_rate: u32, channels: usize) -> Result<Speech, FormatError> {
        Ok(Speech {
            feed: SpeechFeed::new(sample_rate, channels)?,
            state: self.network.begin(),
            poses: Vec::new(),
            failure: None,
        })
    }

    /// Computes up to `frames` more poses for each speech, as far as its sound reaches, in as few calls of the network
    /// as possible. Results wait in [`Speech::drain`]; a failure stays with the speech it belongs to.
    ///
    /// A pose does not depend on which other speeches are computed with it, nor on how often this is called.
    pub fn advance<'a>(&mut self, speeches: impl IntoIterator<Item = &'a mut Speech>, frames: usize) {
        let mut waiting: Vec<(&mut Speech, usize)> = speeches
            .into_iter()
            .filter(|speech| speech.failure.is_none())
            .map(|speech| {
                self.network.listen(&mut speech.state, &mut speech.feed, frames);
                let ready = self.network.ready_frames(&speech.state).min(frames);
                (speech, ready)
            })
            .collect();
        loop {
            waiting.retain(|(speech, ready)| *ready > 0 && speech.failure.is_none());
            let Some(count) = waiting.iter().map(|(_, ready)| *ready).min() else { return };
            let count = count.min(FRAMES_PER_CALL);
            self.run(&mut waiting, count);
            waiting.iter_mut().for_each(|(_, ready)| *ready -= count);
        }
    }

    fn run(&mut self, waiting: &mut [(&mut Speech, usize)], count: usize) {
        let mut batch: Vec<_> = waiting.iter_mut().map(|(speech, _)| (&mut speech.state, &mut speech.poses)).collect();
        match self.network.run(&mut batch, count) {
            Ok(failures) => {
                for ((speech, _), failure) in waiting.iter_mut().zip(failures) {
                    speech.failure = failure;
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
        let mut track = FaceTrack::new(self.manifest.frame_rate);
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
        self.failure.is_some() || (self.state.is_flushed() && self.state.is_empty())
    }

    /// Length of the sound pushed so far, in seconds.
    pub fn seconds(&self) -> f64 {
        self.feed.seconds()
    }
}
