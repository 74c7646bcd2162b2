//! What the solve is told: which poses it may use, and what it prefers.

use super::{
    data::expect_length,
    error::{BlendshapeError, all_finite},
};

/// Which poses are solved for and what becomes of their weights: the lists of `bs_skin_config.json` and
/// `bs_tongue_config.json`. Each list has one entry for each pose.
#[derive(Debug, Clone, PartialEq)]
pub struct BlendshapeConfig {
    /// Whether a pose is used (`bsSolveActivePoses`, where any number but 0 means yes). One that is not has the weight 0
    /// before its offset.
    pub active_poses: Vec<bool>,
    /// Pairs of which only one pose may have a weight (`bsSolveCancelPoses`), such as a mouth to the left and to the right:
    /// two poses with the same id are a pair, -1 is none. Of a pair the pose that is weaker in a first solve is held at
    /// zero in a second; if both are equal, the second.
    pub cancel_poses: Vec<i32>,
    /// Pairs that should have the same weight (`bsSolveSymmetryPoses`), such as the left and the right half of a smile,
    /// written like [`cancel_poses`](Self::cancel_poses). How much they should is
    /// [`strength_symmetry`](BlendshapeParameters::strength_symmetry).
    pub symmetry_poses: Vec<i32>,
    /// What the weights are multiplied by (`bsWeightMultipliers`).
    pub multipliers: Vec<f32>,
    /// What is added then (`bsWeightOffsets`).
    pub offsets: Vec<f32>,
}

impl BlendshapeConfig {
    /// All poses active, no pairs, multipliers 1 and offsets 0.
    pub fn new(pose_count: usize) -> Self {
        Self {
            active_poses: vec![true; pose_count],
            cancel_poses: vec![-1; pose_count],
            symmetry_poses: vec![-1; pose_count],
            multipliers: vec![1.0; pose_count],
            offsets: vec![0.0; pose_count],
        }
    }

    /// Checks the lists against the number of poses and against themselves.
    ///
    /// # Errors
    /// [`BlendshapeError::Length`], [`BlendshapeError::NoActivePose`], [`BlendshapeError::NotFinite`], or
    /// [`BlendshapeError::Pair`] for an id other than -1 that not exactly two poses have, active or not.
    pub fn validate(&self, pose_count: usize) -> Result<(), BlendshapeError> {
        expect_length("active_poses", self.active_poses.len(), pose_count)?;
        for (list, ids) in [("cancel_poses", &self.cancel_poses), ("symmetry_poses", &self.symmetry_poses)] {
            expect_length(list, ids.len(), pose_count)?;
            for id in ids.iter().copied().filter(|id| *id != -1) {
                let count = ids.iter().filter(|other| **other == id).count();
                if count != 2 {
                    return Err(BlendshapeError::Pair { list, id, count });
                }
            }
        }
        for (list, values) in [("multipliers", &self.multipliers), ("offsets", &self.offsets)] {
            expect_length(list, values.len(), pose_count)?;
            all_finite(list, values)?;
        }
        if self.active_poses.contains(&true) { Ok(()) } else { Err(BlendshapeError::NoActivePose) }
    }
}

/// What the solve prefers when several weights give nearly the same mesh, with the official names, defaults and effects.
///
/// With `s` the square of the ratio of the diagonal of the neutral mesh to
/// [`template_bb_size`](Self::template_bb_size), they add to the matrix `DᵀD` of the displacements `D`:
///
/// | parameter | adds | effect |
/// |---|---|---|
/// | `strength_l1_regularization` | `0.25 s L1²` to every entry | a small sum of weights |
/// | `strength_l2_regularization` | `10 s L2` to the diagonal | small weights |
/// | `strength_symmetry` | `10 s Sym` to the diagonal of both of a pair, its negative between them | equal weights |
/// | `strength_temporal_smoothing` | `100 s T` to the diagonal, and see [`Formulation`] | little change from frame to frame |
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BlendshapeParameters {
    /// Keeps the sum of the weights small. At least 0; 1 by default. Though called L1 it counts the square of the sum, and
    /// enters squared itself.
    pub strength_l1_regularization: f32,
    /// Keeps every weight small. At least 0; 3.5 by default.
    pub strength_l2_regularization: f32,
    /// Keeps the weights of a symmetry pair equal. At least 0; 100 by default.
    pub strength_symmetry: f32,
    /// Keeps weights near those of the frame before. At least 0; 0 by default.
    pub strength_temporal_smoothing: f32,
    /// Diagonal, in units of the mesh, of the head for which the strengths mean what they say. At least 1; 54.7 by default.
    pub template_bb_size: f32,
    /// How steeply the objective may still fall when the solve stops. At least 0; 1e-10 by default. Up to 1e-6 the optimum
    /// is found; larger values stop early as the official solve does, and cost time rather than save it. Official files do
    /// not hold it.
    pub tolerance: f32,
    /// Which equations are solved.
    pub formulation: Formulation,
}

impl Default for BlendshapeParameters {
    fn default() -> Self {
        Self {
            strength_l1_regularization: 1.0,
            strength_l2_regularization: 3.5,
            strength_symmetry: 100.0,
            strength_temporal_smoothing: 0.0,
            template_bb_size: 54.7,
            tolerance: 1e-10,
            formulation: Formulation::default(),
        }
    }
}

impl BlendshapeParameters {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`BlendshapeError::Parameter`].
    pub fn validate(&self) -> Result<(), BlendshapeError> {
        for (name, value, minimum) in [
            ("strength_l1_regularization", self.strength_l1_regularization, 0.0),
            ("strength_l2_regularization", self.strength_l2_regularization, 0.0),
            ("strength_symmetry", self.strength_symmetry, 0.0),
            ("strength_temporal_smoothing", self.strength_temporal_smoothing, 0.0),
            ("template_bb_size", self.template_bb_size, 1.0),
            ("tolerance", self.tolerance, 0.0),
        ] {
            if !(value.is_finite() && value >= minimum) {
                return Err(BlendshapeError::Parameter { name, value, minimum });
            }
        }
        Ok(())
    }
}

/// Which equations are solved: those of the official runtime, or those it seems to have meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Formulation {
    /// What the official runtime computes, and what its characters are tuned for:
    ///
    /// - the objective is `|A w - b|²` of the regularised matrix `A`, which is another than the error of the mesh as soon as
    ///   a weight is at a bound;
    /// - the temporal term counts `100 s T` in the matrix, but only `s T` with the weights of the frame before, so that it
    ///   makes weights smaller more than it smooths them;
    /// - if exactly two active poses have the pair id -1, they are a pair.
    #[default]
    Official,
    /// The error of the mesh with its regularisation:
    ///
    /// - the objective is `½ wᵀA w - bᵀw`;
    /// - the temporal term counts `100 s T` on both sides, and not at all in the first frame after a reset;
    /// - the id -1 is never a pair.
    Natural,
}

impl Formulation {
    /// What the weights of the frame before are multiplied by in the right-hand side, for `s T = 1`.
    pub(super) const fn temporal_factor(self) -> f64 {
        match self {
            Self::Official => 1.0,
            Self::Natural => 100.0,
        }
    }

    /// Pairs of active poses, as places among the active ones: an id that exactly two of them have.
    pub(super) fn pairs(self, ids: &[i32], active: &[usize]) -> Vec<[usize; 2]> {
        let mut pairs = Vec::new();
        for (first, pose) in active.iter().enumerate() {
            let id = ids[*pose];
            let mut partners = (0..active.len()).filter(|place| ids[active[*place]] == id && *place != first);
            if let (Some(second), None) = (partners.next(), partners.next())
                && first < second
                && (id != -1 || self == Self::Official)
            {
                pairs.push([first, second]);
            }
        }
        pairs
    }
}
