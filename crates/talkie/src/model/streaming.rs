//! The `streaming` family: features in, carried state, one row of weights per frame out.

use super::{
    Manifest,
    features::{LogMel, LogMelConfig},
};
use crate::{
    animation::{FaceChannel, FacePose},
    audio::SpeechFeed,
    inference::{Network, NetworkError, TensorView},
};

/// A streaming network with what is needed to feed it.
#[derive(Debug)]
pub(super) struct StreamingNetwork {
    network: Network,
    log_mel: LogMel,
    config: LogMelConfig,
    mean: Vec<f32>,
    inverse_std: Vec<f32>,
    channels: Vec<FaceChannel>,
    look_ahead: usize,
    frame_seconds: f64,
    names: super::TensorNames,
    /// Gathered inputs of one call, kept to be reused.
    features: Vec<f32>,
    state: Vec<Vec<f32>>,
}

/// What the network remembers of one speech.
#[derive(Debug)]
pub(super) struct StreamingState {
    log_mel: LogMel,
    /// Normalised feature frames that wait, one after another.
    pending: Vec<f32>,
    carried: Vec<Vec<f32>>,
    /// Rows the network has given so far.
    rows: usize,
    flushed: bool,
}

impl StreamingNetwork {
    pub(super) fn new(network: Network, log_mel: LogMel, manifest: &Manifest) -> Result<Self, NetworkError> {
        let spec = &manifest.features;
        let names = manifest.tensors.clone();
        network.expect_input(&names.features, &[-1, spec.log_mel.width() as i64, -1])?;
        network.expect_output(&names.output, &[-1, -1, manifest.channels.len() as i64])?;
        for state in &names.state {
            let shape = [-1, state.channels as i64, state.frames as i64];
            network.expect_input(&state.input, &shape)?;
            // The length of a slice at the end is often left open by the engine; the first run proves it.
            network.expect_output(&state.output, &[-1, state.channels as i64, -1])?;
        }
        Ok(Self {
            log_mel,
            config: spec.log_mel.clone(),
            mean: spec.mean.clone(),
            inverse_std: spec.std.iter().map(|std| 1.0 / std).collect(),
            channels: manifest.face_channels().collect(),
            look_ahead: manifest.look_ahead_frames,
            frame_seconds: manifest.frame_rate.seconds(1),
            state: vec![Vec::new(); names.state.len()],
            features: Vec::new(),
            network,
            names,
        })
    }

    pub(super) fn network(&self) -> &Network {
        &self.network
    }

    #[cfg(test)]
    pub(super) fn network_mut(&mut self) -> &mut Network {
        &mut self.network
    }

    pub(super) fn begin(&self) -> StreamingState {
        StreamingState {
            log_mel: self.log_mel.clone(),
            pending: Vec::new(),
            carried: self.names.state.iter().map(|state| vec![0.0; state.channels * state.frames]).collect(),
            rows: 0,
            flushed: false,
        }
    }

    /// Turns waiting sound into waiting feature frames until `frames` of them wait or the sound is used up.
    pub(super) fn listen(&self, state: &mut StreamingState, feed: &mut SpeechFeed, frames: usize) {
        let bands = self.config.width();
        while state.ready(bands) < frames && feed.waiting() > 0 {
            let missing = frames - state.ready(bands);
            let start = state.pending.len();
            feed.take(missing.saturating_mul(self.config.hop).max(self.config.window), |samples| {
                state.log_mel.push(samples, &mut state.pending);
            });
            self.normalise(&mut state.pending[start..]);
        }
        if feed.is_finished() && feed.waiting() == 0 && !state.flushed {
            state.flushed = true;
            let start = state.pending.len();
            state.log_mel.finish(self.look_ahead, &mut state.pending);
            self.normalise(&mut state.pending[start..]);
        }
    }

    fn normalise(&self, frames: &mut [f32]) {
        for frame in frames.chunks_exact_mut(self.config.width()) {
            for ((value, mean), inverse) in frame.iter_mut().zip(&self.mean).zip(&self.inverse_std) {
                *value = (*value - mean) * inverse;
            }
        }
    }

    pub(super) fn ready_frames(&self, state: &StreamingState) -> usize {
        state.ready(self.config.width())
    }

    /// Runs `frames` frames of every speech in one call and appends the poses.
    pub(super) fn run(
        &mut self,
        speeches: &mut [(&mut StreamingState, &mut Vec<FacePose>)],
        frames: usize,
    ) -> Result<Vec<Option<NetworkError>>, NetworkError> {
        let (batch, bands) = (speeches.len(), self.config.width());
        self.features.clear();
        for (state, _) in speeches.iter() {
            for band in 0..bands {
                self.features.extend((0..frames).map(|frame| state.pending[frame * bands + band]));
            }
        }
        for (index, gathered) in self.state.iter_mut().enumerate() {
            gathered.clear();
            for (state, _) in speeches.iter() {
                gathered.extend_from_slice(&state.carried[index]);
            }
        }
        let mut inputs = Vec::with_capacity(1 + self.state.len());
        inputs.push(TensorView {
            name: &self.names.features,
            shape: vec![batch, bands, frames],
            values: &self.features,
        });
        for (tensor, values) in self.names.state.iter().zip(&self.state) {
            inputs.push(TensorView { name: &tensor.input, shape: vec![batch, tensor.channels, tensor.frames], values });
        }
        // The weights first, then what is carried on.
        let mut shapes = vec![[batch, frames, self.channels.len()]];
        shapes.extend(self.names.state.iter().map(|state| [batch, state.channels, state.frames]));
        let names = core::iter::once(&self.names.output).chain(self.names.state.iter().map(|state| &state.output));
        let outputs: Vec<_> = names.zip(&shapes).map(|(name, shape)| (name.as_str(), &shape[..])).collect();
        let mut failures = vec![None; batch];
        let (channels, look_ahead) = (&self.channels, self.look_ahead);
        let frame_seconds = self.frame_seconds;
        self.network.run(&inputs, &outputs, |index, values| {
            let parts = values.chunks_exact((shapes[index][1] * shapes[index][2]).max(1));
            for (((state, poses), part), failure) in speeches.iter_mut().zip(parts).zip(&mut failures) {
                match index.checked_sub(1) {
                    Some(index) => state.carried[index].copy_from_slice(part),
                    None => {
                        for row in part.chunks_exact(channels.len()) {
                            if let Some(bad) = row.iter().position(|value| !value.is_finite()) {
                                let seconds = state.rows.saturating_sub(look_ahead) as f64 * frame_seconds;
                                let channel = channels[bad].to_string();
                                *failure = Some(NetworkError::NotFinite { channel, seconds });
                                break;
                            }
                            if state.rows >= look_ahead {
                                let mut pose = FacePose::REST;
                                for (channel, weight) in channels.iter().zip(row) {
                                    pose.set(*channel, weight.clamp(0.0, 1.0));
                                }
                                poses.push(pose);
                            }
                            state.rows += 1;
                        }
                        state.pending.drain(..frames * bands);
                    }
                }
            }
        })?;
        Ok(failures)
    }
}

impl StreamingState {
    fn ready(&self, bands: usize) -> usize {
        self.pending.len() / bands
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    pub(super) fn is_flushed(&self) -> bool {
        self.flushed
    }
}
