//! The skin: strengths, lids and lips, smoothing, and the line between the upper and the lower face.

use core::ops::Range;
use std::sync::Arc;

use super::{GeometryError, ParameterError, SkinParameters, check_finite, check_length, check_points};

/// Components that are worked on at once: whole vertices, and few enough to stay in the fastest memory.
const BLOCK: usize = 768;

/// The skin of a character at rest and the two poses that the animator adds by itself. Shared by all who wear it.
#[derive(Debug, Clone, PartialEq)]
pub struct SkinShape {
    neutral: Vec<f32>,
    lip_open: Vec<f32>,
    eye_close: Vec<f32>,
    /// Heights of the lowest and the highest vertex.
    heights: (f32, f32),
}

impl SkinShape {
    /// A skin of three values for each vertex: positions at rest (`shapes_mean_skin` or `neutral_skin` of a bundle), and
    /// the differences that open the lips (`lip_open_pose_delta`) and close the lids (`eye_close_pose_delta`).
    ///
    /// # Errors
    /// [`GeometryError`] if the arrays are not of the same length, not whole vertices, not finite, or the face is flat.
    pub fn new(neutral: Vec<f32>, lip_open: Vec<f32>, eye_close: Vec<f32>) -> Result<Self, GeometryError> {
        check_points("the neutral skin", &neutral, 1, "three for each vertex")?;
        for (what, deltas) in [("lip_open_pose_delta", &lip_open), ("eye_close_pose_delta", &eye_close)] {
            check_length(what, deltas.len(), neutral.len())?;
            check_finite(what, deltas)?;
        }
        let heights = || neutral.iter().skip(1).step_by(3).copied();
        let (lowest, highest) = (heights().fold(f32::INFINITY, f32::min), heights().fold(f32::NEG_INFINITY, f32::max));
        if highest <= lowest {
            return Err(GeometryError::Flat { height: lowest });
        }
        Ok(Self { neutral, lip_open, eye_close, heights: (lowest, highest) })
    }

    /// Positions at rest, three values for each vertex.
    pub fn neutral(&self) -> &[f32] {
        &self.neutral
    }

    /// The differences that open the lips, and those that close the lids, three values for each vertex.
    pub(crate) fn offsets(&self) -> [&[f32]; 2] {
        [&self.lip_open, &self.eye_close]
    }

    /// How much of the lower face each vertex is.
    pub(crate) fn face_mask(&self, parameters: &SkinParameters) -> impl Iterator<Item = f32> {
        self.neutral.iter().skip(1).step_by(3).map(|height| self.lower_share(*height, parameters))
    }

    /// How much of the lower face a vertex at this height is.
    fn lower_share(&self, height: f32, parameters: &SkinParameters) -> f32 {
        let (lowest, highest) = self.heights;
        let level = (height - lowest) / (highest - lowest);
        1.0 / (1.0 + (-(parameters.face_mask_level - level) / parameters.face_mask_softness).exp())
    }
}

/// Makes the skin of one character from what a network says about it, frame after frame.
///
/// With `d = skin_strength x + eye_close (blink_offset blink_strength - eyelid_open_offset) + lip_open lip_open_offset`
/// for every component `x`, smoothed twice for the upper and twice for the lower face,
///
/// ```text
/// position = neutral + upper upper_face_strength (1 - m) + lower lower_face_strength m
/// m = 1 / (1 + exp(-(face_mask_level - height) / face_mask_softness))
/// ```
///
/// where `height` is 0 at the lowest and 1 at the highest vertex of the mesh. A stage of smoothing goes the share
/// `1 - 0.5^(dt / smoothing)` of the way to its input, so `smoothing` is its half-life in seconds.
#[derive(Debug, Clone)]
pub struct SkinAnimator {
    shape: Arc<SkinShape>,
    parameters: SkinParameters,
    /// The share of the lower face, for each component.
    mask: Vec<f32>,
    lower: Smoothing,
    upper: Smoothing,
    /// Whether the next frame is the first.
    is_fresh: bool,
}

impl SkinAnimator {
    /// An animator before its first frame.
    ///
    /// # Errors
    /// [`ParameterError`] if a parameter is out of its range.
    pub fn new(shape: Arc<SkinShape>, parameters: SkinParameters) -> Result<Self, ParameterError> {
        parameters.validate()?;
        let count = shape.neutral.len();
        let mut animator = Self {
            shape,
            parameters,
            mask: vec![0.0; count],
            lower: Smoothing::new(count),
            upper: Smoothing::new(count),
            is_fresh: true,
        };
        animator.compute_mask();
        Ok(animator)
    }

    /// The parameters as they are.
    pub fn parameters(&self) -> &SkinParameters {
        &self.parameters
    }

    /// Changes the parameters from the next frame on; what is remembered stays.
    ///
    /// # Errors
    /// [`ParameterError`] if one is out of its range; then none is changed.
    pub fn set_parameters(&mut self, parameters: SkinParameters) -> Result<(), ParameterError> {
        parameters.validate()?;
        let line = |of: &SkinParameters| (of.face_mask_level, of.face_mask_softness);
        let moved = line(&parameters) != line(&self.parameters);
        self.parameters = parameters;
        if moved {
            self.compute_mask();
        }
        Ok(())
    }

    /// Forgets what was shown: the next frame passes without smoothing.
    pub fn reset(&mut self) {
        self.is_fresh = true;
    }

    /// How much of the lower face each vertex is: 1 at the bottom of the mesh, 0 at its top.
    pub fn face_mask(&self) -> impl ExactSizeIterator<Item = f32> {
        self.mask.iter().step_by(3).copied()
    }

    /// Positions of all vertices, `dt` seconds after those of the frame before. `deltas` and `out` have three values for
    /// each vertex.
    ///
    /// # Errors
    /// [`GeometryError`] if lengths are wrong or something is not finite; then nothing is remembered of this frame.
    pub fn animate(&mut self, deltas: &[f32], dt: f32, out: &mut [f32]) -> Result<(), GeometryError> {
        let shape = &*self.shape;
        check_length("the skin deltas", deltas.len(), shape.neutral.len())?;
        check_length("the skin output", out.len(), shape.neutral.len())?;
        check_finite("the skin deltas", deltas)?;
        if !dt.is_finite() || dt < 0.0 {
            return Err(GeometryError::TimeStep { seconds: dt, forwards: true });
        }
        let parameters = &self.parameters;
        let share = |half_life| share_of(half_life, dt).filter(|_| !self.is_fresh);
        let (lower_share, upper_share) =
            (share(parameters.lower_face_smoothing), share(parameters.upper_face_smoothing));
        let (closing, opening) = (parameters.closing(), parameters.lip_open_offset);
        let mut wanted = [0.0; BLOCK];
        for start in (0..deltas.len()).step_by(BLOCK) {
            let range = start..(start + BLOCK).min(deltas.len());
            let wanted = &mut wanted[..range.len()];
            let poses = shape.eye_close[range.clone()].iter().zip(&shape.lip_open[range.clone()]);
            for ((wanted, delta), (close, open)) in wanted.iter_mut().zip(&deltas[range.clone()]).zip(poses) {
                *wanted = parameters.skin_strength * delta + close * closing + open * opening;
            }
            let lower = self.lower.follow(wanted, range.clone(), lower_share);
            let upper = self.upper.follow(wanted, range.clone(), upper_share);
            let motion = lower.iter().zip(upper).zip(&self.mask[range.clone()]);
            let places = out[range.clone()].iter_mut().zip(&shape.neutral[range]);
            for ((place, neutral), ((lower, upper), mask)) in places.zip(motion) {
                *place = neutral
                    + upper * parameters.upper_face_strength * (1.0 - mask)
                    + lower * parameters.lower_face_strength * mask;
            }
        }
        self.is_fresh = false;
        Ok(())
    }

    fn compute_mask(&mut self) {
        for (mask, vertex) in self.mask.chunks_exact_mut(3).zip(self.shape.neutral.chunks_exact(3)) {
            mask.fill(self.shape.lower_share(vertex[1], &self.parameters));
        }
    }
}

/// The share of the way that a stage of smoothing goes in `dt` seconds; none if it does not smooth.
pub(crate) fn share_of(half_life: f32, dt: f32) -> Option<f32> {
    (half_life > 0.0).then(|| 1.0 - 0.5_f32.powf(dt / half_life))
}

impl SkinParameters {
    /// How far the lids are closed beyond what the network says.
    pub(crate) fn closing(&self) -> f32 {
        -self.eyelid_open_offset + self.blink_offset * self.blink_strength
    }
}

/// Two stages of smoothing, one after the other.
#[derive(Debug, Clone)]
struct Smoothing {
    first: Vec<f32>,
    second: Vec<f32>,
}

impl Smoothing {
    fn new(count: usize) -> Self {
        Self { first: vec![0.0; count], second: vec![0.0; count] }
    }

    /// Goes `share` of the way towards what is wanted, or all of it where there is no share. Returns where it is then.
    fn follow(&mut self, wanted: &[f32], range: Range<usize>, share: Option<f32>) -> &[f32] {
        let (first, second) = (&mut self.first[range.clone()], &mut self.second[range]);
        match share {
            None => {
                first.copy_from_slice(wanted);
                second.copy_from_slice(wanted);
            }
            Some(share) => {
                for ((first, second), wanted) in first.iter_mut().zip(second.iter_mut()).zip(wanted) {
                    *first += (wanted - *first) * share;
                    *second += (*first - *second) * share;
                }
            }
        }
        second
    }
}
