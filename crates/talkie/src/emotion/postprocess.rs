//! From what a classifier hears to what a face shows: contrast, the strongest few, smoothing, a preference.

use serde::{Deserialize, Serialize};

/// The frame time that [`EmotionParameters::live_blend_coef`] was chosen for, in seconds.
const BLEND_FRAME: f32 = 0.033;
/// The shortest transition, in seconds: keeps the division by it harmless.
const SHORTEST_TRANSITION: f32 = 1e-3;
/// Outputs that no emotion leads to are fed back, and with strengths above 1 they grow; nobody means more than this.
const LARGEST_FED_BACK: f32 = 100.0;

/// Emotions that cannot be processed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EmotionError {
    /// A parameter is not a number or outside its range.
    #[error("{name} is {value}; expected {minimum}..={maximum}")]
    Parameter {
        /// Which parameter.
        name: &'static str,
        /// What it was to be.
        value: f32,
        /// The least that is allowed.
        minimum: f32,
        /// The most that is allowed.
        maximum: f32,
    },
    /// A vector has the wrong length.
    #[error("{what} has {found} values; expected {expected}")]
    Length {
        /// Which vector.
        what: &'static str,
        /// How many values it has.
        found: usize,
        /// How many it should have.
        expected: usize,
    },
    /// A value is not a number.
    #[error("{what}: value {index} is {value}; expected a finite number")]
    NotFinite {
        /// Which vector.
        what: &'static str,
        /// Which of its values, from 0.
        index: usize,
        /// What it is.
        value: f32,
    },
    /// An emotion of the network is to become one that there is not.
    #[error("emotion {emotion} of the network becomes output {output}; expected one of the {outputs} outputs or none")]
    Correspondence {
        /// Which emotion of the network, from 0.
        emotion: usize,
        /// What it was to become.
        output: usize,
        /// How many outputs there are.
        outputs: usize,
    },
}

/// How the answers of a classifier become emotions of a face. Reads the object `post_processing_config` of a
/// `model_config.json`; what is not in files has the default.
///
/// The reference checks no values. The ranges here are those of its services, widened to all that does no harm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EmotionParameters {
    /// Factor on the logits before they become shares: above 1 the strongest stands out more. Default 1, range 0..=10.
    pub emotion_contrast: f32,
    /// How many of the strongest emotions are kept; more than there are keeps all. Default 6.
    pub max_emotions: usize,
    /// How much of the emotion before stays from frame to frame. Default 0.7, range 0..=1.
    pub live_blend_coef: f32,
    /// Whether [`preferred_emotion`](Self::preferred_emotion) is mixed in. Default no.
    pub enable_preferred_emotion: bool,
    /// The share of the preferred emotion. Default 0.5, range 0..=1.
    pub preferred_emotion_strength: f32,
    /// How long a change takes, in seconds. Default 0.5, range 0..=60; `transition_smoothing` in files.
    #[serde(rename = "transition_smoothing", alias = "live_transition_time")]
    pub live_transition_time: f32,
    /// The time between frames in seconds. Default 0.033, range 0..=1; whoever knows the frame rate sets it accordingly.
    pub fixed_dt: f32,
    /// Factor on what comes out. Default 0.6, range 0..=2.
    pub emotion_strength: f32,
    /// The emotion before the first frame: one value for each output, range 0..=1. Empty, the default, is all zeros.
    #[serde(default)]
    pub beginning_emotion: Vec<f32>,
    /// The emotion that is mixed in: one value for each output, range 0..=1. Empty, the default, is all zeros.
    #[serde(default)]
    pub preferred_emotion: Vec<f32>,
    /// Whether [`live_blend_coef`](Self::live_blend_coef) is meant for frames of 0.033 s and adapted to others. The
    /// reference, and the default, apply it to every frame alike, so a face at 60 frames per second changes its mood
    /// twice as fast as one at 30.
    #[serde(default)]
    pub is_blend_time_aware: bool,
}

impl Default for EmotionParameters {
    fn default() -> Self {
        Self {
            emotion_contrast: 1.0,
            max_emotions: 6,
            live_blend_coef: 0.7,
            enable_preferred_emotion: false,
            preferred_emotion_strength: 0.5,
            live_transition_time: 0.5,
            fixed_dt: 0.033,
            emotion_strength: 0.6,
            beginning_emotion: Vec::new(),
            preferred_emotion: Vec::new(),
            is_blend_time_aware: false,
        }
    }
}

impl EmotionParameters {
    /// Whether all values are numbers within their ranges, for this many outputs.
    ///
    /// # Errors
    /// [`EmotionError`] for the first that is not, naming it.
    pub fn validate(&self, outputs: usize) -> Result<(), EmotionError> {
        for (name, value, maximum) in [
            ("emotion_contrast", self.emotion_contrast, 10.0),
            ("live_blend_coef", self.live_blend_coef, 1.0),
            ("preferred_emotion_strength", self.preferred_emotion_strength, 1.0),
            ("live_transition_time", self.live_transition_time, 60.0),
            ("fixed_dt", self.fixed_dt, 1.0),
            ("emotion_strength", self.emotion_strength, 2.0),
        ] {
            check_range(name, value, maximum)?;
        }
        for (name, emotion) in
            [("beginning_emotion", &self.beginning_emotion), ("preferred_emotion", &self.preferred_emotion)]
        {
            if !emotion.is_empty() {
                check_emotion(name, emotion, outputs)?;
            }
        }
        Ok(())
    }

    /// The share of the emotion before that stays for one frame.
    fn blend(&self) -> f32 {
        if self.is_blend_time_aware {
            self.live_blend_coef.powf(self.fixed_dt / BLEND_FRAME)
        } else {
            self.live_blend_coef
        }
    }
}

fn check_range(name: &'static str, value: f32, maximum: f32) -> Result<(), EmotionError> {
    // Also refuses what is not a number.
    if (0.0..=maximum).contains(&value) {
        return Ok(());
    }
    Err(EmotionError::Parameter { name, value, minimum: 0.0, maximum })
}

fn check_length(what: &'static str, found: usize, expected: usize) -> Result<(), EmotionError> {
    if found == expected { Ok(()) } else { Err(EmotionError::Length { what, found, expected }) }
}

fn check_emotion(what: &'static str, emotion: &[f32], outputs: usize) -> Result<(), EmotionError> {
    check_length(what, emotion.len(), outputs)?;
    emotion.iter().try_for_each(|value| check_range(what, *value, 1.0))
}

/// Turns the answers of an emotion classifier into the emotion of a face, frame after frame.
///
/// The logits become shares of 1, of which only the strongest few are kept; those without an output are dropped. Outputs
/// then follow in two steps, an average that loses part of its past with every frame and a transition that takes its
/// time, with the preferred emotion mixed in between the two, and are scaled last.
///
/// As in the reference, an output to which no emotion of the network leads starts each frame from what it was at the end
/// of the frame before, not from 0: a beginning or preferred emotion lives on in it. It is limited to 100 there, so that
/// it stays finite also where [`emotion_strength`](EmotionParameters::emotion_strength) is above 1.
#[derive(Debug, Clone)]
pub struct EmotionPostprocessor {
    correspondence: Vec<Option<usize>>,
    parameters: EmotionParameters,
    /// Shares of the emotions of the network, and the order of their strengths: only for a moment.
    shares: Vec<f32>,
    order: Vec<usize>,
    /// What came out last.
    output: Vec<f32>,
    /// After the average.
    average: Vec<f32>,
    /// After the transition.
    blended: Vec<f32>,
    /// Whether the next frame is the first.
    is_fresh: bool,
}

impl EmotionPostprocessor {
    /// A processor before its first frame. `correspondence` says for each emotion of the network which of the `outputs` it
    /// becomes, if any, for instance [`DEFAULT_CORRESPONDENCE`](super::DEFAULT_CORRESPONDENCE).
    ///
    /// # Errors
    /// [`EmotionError`] if an emotion becomes an output that there is not, or a parameter is out of its range.
    pub fn new(
        correspondence: &[Option<usize>],
        outputs: usize,
        parameters: EmotionParameters,
    ) -> Result<Self, EmotionError> {
        for (emotion, output) in correspondence.iter().enumerate() {
            if let Some(output) = output.filter(|output| *output >= outputs) {
                return Err(EmotionError::Correspondence { emotion, output, outputs });
            }
        }
        let mut processor = Self {
            correspondence: correspondence.to_vec(),
            parameters: EmotionParameters::default(),
            shares: vec![0.0; correspondence.len()],
            order: (0..correspondence.len()).collect(),
            output: vec![0.0; outputs],
            average: vec![0.0; outputs],
            blended: vec![0.0; outputs],
            is_fresh: true,
        };
        processor.set_parameters(parameters)?;
        Ok(processor)
    }

    /// The parameters as they are; no vector in them is empty.
    pub fn parameters(&self) -> &EmotionParameters {
        &self.parameters
    }

    /// Changes the parameters from the next frame on; what is remembered stays.
    ///
    /// # Errors
    /// [`EmotionError`] if one is out of its range; then none is changed.
    pub fn set_parameters(&mut self, mut parameters: EmotionParameters) -> Result<(), EmotionError> {
        let outputs = self.output.len();
        parameters.validate(outputs)?;
        parameters.beginning_emotion.resize(outputs, 0.0);
        parameters.preferred_emotion.resize(outputs, 0.0);
        self.parameters = parameters;
        Ok(())
    }

    /// Changes the preferred emotion from the next frame on, without allocating: for one that changes with time.
    ///
    /// # Errors
    /// [`EmotionError`] if there is not one value in 0..=1 for each output; then nothing is changed.
    pub fn set_preferred_emotion(&mut self, preferred: &[f32]) -> Result<(), EmotionError> {
        check_emotion("preferred_emotion", preferred, self.output.len())?;
        self.parameters.preferred_emotion.copy_from_slice(preferred);
        Ok(())
    }

    /// Forgets all frames: the next one begins with the beginning emotion.
    pub fn reset(&mut self) {
        self.is_fresh = true;
    }

    /// The emotion of the next frame, from the logits that the network gives for it: one value for each output.
    ///
    /// # Errors
    /// [`EmotionError`] if there is not one logit for each emotion of the network, or one is not finite; then nothing is
    /// remembered of this frame.
    pub fn process(&mut self, logits: &[f32]) -> Result<&[f32], EmotionError> {
        check_length("the emotion logits", logits.len(), self.correspondence.len())?;
        if let Some(index) = logits.iter().position(|logit| !logit.is_finite()) {
            return Err(EmotionError::NotFinite { what: "the emotion logits", index, value: logits[index] });
        }
        self.share_out(logits);
        let parameters = &self.parameters;
        if self.is_fresh {
            self.output.copy_from_slice(&parameters.beginning_emotion);
            self.average.copy_from_slice(&parameters.beginning_emotion);
        }
        for (share, output) in self.shares.iter().zip(&self.correspondence) {
            if let Some(output) = *output {
                self.output[output] = *share;
            }
        }
        let stays = parameters.blend();
        let preferred_share =
            if parameters.enable_preferred_emotion { parameters.preferred_emotion_strength } else { 0.0 };
        let moves = (parameters.fixed_dt / parameters.live_transition_time.max(SHORTEST_TRANSITION)).min(1.0);
        let remains = if self.is_fresh { 0.0 } else { 1.0 - moves };
        let states = self.average.iter_mut().zip(&mut self.blended).zip(&parameters.preferred_emotion);
        for (output, ((average, blended), preferred)) in self.output.iter_mut().zip(states) {
            *average = (1.0 - stays) * output.min(LARGEST_FED_BACK) + stays * *average;
            let wanted = (1.0 - preferred_share) * *average + preferred_share * preferred;
            *blended = (1.0 - remains) * wanted + remains * *blended;
            *output = parameters.emotion_strength * *blended;
        }
        self.is_fresh = false;
        Ok(&self.output)
    }

    /// The shares of the emotions of the network that are kept.
    fn share_out(&mut self, logits: &[f32]) {
        let contrast = self.parameters.emotion_contrast;
        let scaled = |logit: &f32| (contrast * logit).clamp(f32::MIN, f32::MAX);
        let largest = logits.iter().map(scaled).fold(f32::MIN, f32::max);
        self.shares.iter_mut().zip(logits).for_each(|(share, logit)| *share = (scaled(logit) - largest).exp());
        let sum: f32 = self.shares.iter().sum();
        for (share, output) in self.shares.iter_mut().zip(&self.correspondence) {
            *share = if output.is_some() { *share / sum } else { 0.0 };
        }
        let dropped = self.shares.len().saturating_sub(self.parameters.max_emotions);
        if dropped > 0 {
            let shares = &self.shares;
            self.order.sort_unstable_by(|a, b| shares[*a].total_cmp(&shares[*b]).then(a.cmp(b)));
            self.order[..dropped].iter().for_each(|index| self.shares[*index] = 0.0);
        }
    }
}
