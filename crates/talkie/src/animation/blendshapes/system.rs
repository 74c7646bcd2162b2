//! The equations of a frame.

use super::{
    CANCELLED,
    bounded::{ActiveSet, BoundedError, BoundedSolver, Objective},
    parameters::{BlendshapeConfig, BlendshapeParameters, Formulation},
    projection::Projection,
};

/// The regularised normal equations, ready to be solved frame by frame.
#[derive(Debug, Clone)]
pub(super) struct System {
    /// `s`.
    pub(super) scale: f64,
    /// `A`.
    pub(super) matrix: Vec<f64>,
    /// Pairs of which only one may have a weight.
    pub(super) cancel_pairs: Vec<[usize; 2]>,
    bounded: BoundedSolver,
    /// The same without the temporal term, for a frame without one before, where the formulation wants that.
    first: Option<BoundedSolver>,
    /// What the weights of the frame before are multiplied by.
    temporal: f64,
    lower: Vec<f64>,
    right: Vec<f64>,
    /// What was at which bound in the frame before: in the solve that finds the weaker poses, and in the final one.
    rivals_start: ActiveSet,
    start: ActiveSet,
}

impl System {
    pub(super) fn new(
        projection: &Projection,
        diagonal: f64,
        config: &BlendshapeConfig,
        parameters: &BlendshapeParameters,
    ) -> Result<Self, BoundedError> {
        let size = projection.active.len();
        let formulation = parameters.formulation;
        let scale = (diagonal / f64::from(parameters.template_bb_size)).powi(2);
        let mut matrix = projection.products.clone();
        let small_sum = f64::from(parameters.strength_l1_regularization).powi(2) * 0.25 * scale;
        matrix.iter_mut().for_each(|value| *value += small_sum);
        add_to_diagonal(&mut matrix, size, f64::from(parameters.strength_l2_regularization) * 10.0 * scale);
        let symmetry = f64::from(parameters.strength_symmetry) * 10.0 * scale;
        for [i, j] in formulation.pairs(&config.symmetry_poses, &projection.active) {
            matrix[i * size + i] += symmetry;
            matrix[j * size + j] += symmetry;
            matrix[i * size + j] -= symmetry;
            matrix[j * size + i] -= symmetry;
        }
        let objective = match formulation {
            Formulation::Official => Objective::Residual,
            Formulation::Natural => Objective::Energy,
        };
        let tolerance = f64::from(parameters.tolerance);
        let solver = |matrix: &[f64]| {
            BoundedSolver::new(matrix, size, objective).map(|bounded| bounded.with_tolerance(tolerance))
        };
        let smoothing = f64::from(parameters.strength_temporal_smoothing) * scale;
        let first = match formulation {
            Formulation::Natural if smoothing > 0.0 => Some(solver(&matrix)?),
            _ => None,
        };
        add_to_diagonal(&mut matrix, size, 100.0 * smoothing);
        Ok(Self {
            scale,
            bounded: solver(&matrix)?,
            first,
            matrix,
            cancel_pairs: formulation.pairs(&config.cancel_poses, &projection.active),
            temporal: formulation.temporal_factor() * smoothing,
            lower: vec![0.0; size],
            right: vec![0.0; size],
            rivals_start: ActiveSet::all_free(size),
            start: ActiveSet::all_free(size),
        })
    }

    /// Solves a frame. `upper` are the upper bounds, and afterwards those after cancelling.
    pub(super) fn solve(
        &mut self,
        products: &[f64],
        previous: Option<&[f64]>,
        upper: &mut [f64],
        solution: &mut [f64],
    ) -> Result<(), BoundedError> {
        self.right.copy_from_slice(products);
        if let Some(previous) = previous {
            self.right.iter_mut().zip(previous).for_each(|(right, previous)| *right += self.temporal * previous);
        }
        let bounded = match &mut self.first {
            Some(first) if previous.is_none() => first,
            _ => &mut self.bounded,
        };
        if !self.cancel_pairs.is_empty() {
            bounded.solve(&self.right, &self.lower, upper, &mut self.rivals_start, solution)?;
            for [i, j] in &self.cancel_pairs {
                upper[if solution[*i] >= solution[*j] { *j } else { *i }] = CANCELLED;
            }
        }
        bounded.solve(&self.right, &self.lower, upper, &mut self.start, solution)
    }
}

fn add_to_diagonal(matrix: &mut [f64], size: usize, value: f64) {
    matrix.iter_mut().step_by(size + 1).for_each(|entry| *entry += value);
}
