//! From animated vertices to blendshape weights: the solve of the official Audio2Face-3D runtime.
//!
//! A network moves the vertices of its own head. Rigs want weights of named shapes instead. [`BlendshapeSolver`] finds the
//! weights between 0 and 1 whose shapes come closest to the mesh, frame by frame, with preferences for small, symmetric
//! and steady weights ([`BlendshapeParameters`]).
//!
//! ```
//! use std::sync::Arc;
//! use talkie::animation::blendshapes::{BlendshapeData, BlendshapeParameters, BlendshapeSolver, Formulation};
//!
//! # fn main() -> Result<(), talkie::animation::blendshapes::BlendshapeError> {
//! // Two vertices; one pose moves the first up, the other the second to the right.
//! let neutral = vec![0.0, 0.0, 0.0, 4.0, 3.0, 0.0];
//! let deltas = vec![0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0];
//! let data = BlendshapeData::new(neutral, deltas, None, vec!["up".into(), "right".into()])?;
//! let mut solver = BlendshapeSolver::new(Arc::new(data));
//! solver.set_parameters(BlendshapeParameters {
//!     strength_l1_regularization: 0.0,
//!     strength_l2_regularization: 0.0,
//!     // The official equations take two poses without a pair for a pair.
//!     formulation: Formulation::Natural,
//!     ..Default::default()
//! })?;
//! solver.prepare()?;
//! let mut weights = [0.0; 2];
//! solver.solve(&[0.0, 0.5, 0.0, 6.0, 3.0, 0.0], &mut weights)?;
//! assert_eq!(weights, [0.5, 1.0]);
//! # Ok(())
//! # }
//! ```

mod bounded;
mod data;
mod dense;
mod error;
mod parameters;
mod projection;
mod singular;
mod system;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use bounded::{ActiveSet, BoundedError, BoundedSolver, Objective};
pub use data::BlendshapeData;
pub use error::BlendshapeError;
pub use parameters::{BlendshapeConfig, BlendshapeParameters, Formulation};

use data::expect_length;
pub(crate) use dense::{factorise, solve_factorised};
use error::all_finite;
use projection::Projection;
pub(crate) use projection::project;
use system::System;

/// The upper bound of the weaker pose of a cancel pair, as official results have it: all but zero.
const CANCELLED: f64 = 1e-10;

/// Finds blendshape weights for one part (skin or tongue) of one speaker.
///
/// Frames have to be solved in order, since each is kept near the one before
/// ([`strength_temporal_smoothing`](BlendshapeParameters::strength_temporal_smoothing)). A clone shares shapes and
/// everything prepared with the original and has a past of its own: prepare one, clone it for each further speaker, and
/// [`reset`](Self::reset) the clone. After [`prepare`](Self::prepare) no method allocates but the setters.
///
/// Weights agree with those of the official runtime on the processor within a few millionths; that one, in single
/// precision, stops early now and then (on meshes measured in metres in particular), where this goes on to the optimum.
#[derive(Debug, Clone)]
pub struct BlendshapeSolver {
    data: Arc<BlendshapeData>,
    config: BlendshapeConfig,
    parameters: BlendshapeParameters,
    projection: Option<Arc<Projection>>,
    system: Option<System>,
    /// Weights of the active poses in the frame before, before multipliers and offsets; none after a reset.
    previous: Vec<f64>,
    has_previous: bool,
    displacement: Vec<f32>,
    products: Vec<f64>,
    upper: Vec<f64>,
    solution: Vec<f64>,
}

impl BlendshapeSolver {
    /// A solver with all poses active, no pairs, no multipliers and offsets, and the default parameters.
    pub fn new(data: Arc<BlendshapeData>) -> Self {
        Self {
            config: BlendshapeConfig::new(data.pose_count()),
            parameters: BlendshapeParameters::default(),
            projection: None,
            system: None,
            previous: Vec::new(),
            has_previous: false,
            displacement: vec![0.0; data.row_count()],
            products: Vec::new(),
            upper: Vec::new(),
            solution: Vec::new(),
            data,
        }
    }

    /// The shapes.
    pub fn data(&self) -> &Arc<BlendshapeData> {
        &self.data
    }

    /// Which poses are solved for, and what becomes of their weights.
    pub fn config(&self) -> &BlendshapeConfig {
        &self.config
    }

    /// Replaces the configuration; the solver has to be prepared again.
    ///
    /// # Errors
    /// Those of [`BlendshapeConfig::validate`]; nothing is changed then.
    pub fn set_config(&mut self, config: BlendshapeConfig) -> Result<(), BlendshapeError> {
        config.validate(self.data.pose_count())?;
        self.config = config;
        self.system = None;
        Ok(())
    }

    /// Replaces the multipliers, one for each pose, with effect from the next frame.
    ///
    /// # Errors
    /// [`BlendshapeError::Length`] or [`BlendshapeError::NotFinite`]; nothing is changed then.
    pub fn set_multipliers(&mut self, multipliers: &[f32]) -> Result<(), BlendshapeError> {
        expect_length("multipliers", multipliers.len(), self.data.pose_count())?;
        all_finite("multipliers", multipliers)?;
        self.config.multipliers.copy_from_slice(multipliers);
        Ok(())
    }

    /// Replaces the offsets, one for each pose, with effect from the next frame.
    ///
    /// # Errors
    /// [`BlendshapeError::Length`] or [`BlendshapeError::NotFinite`]; nothing is changed then.
    pub fn set_offsets(&mut self, offsets: &[f32]) -> Result<(), BlendshapeError> {
        expect_length("offsets", offsets.len(), self.data.pose_count())?;
        all_finite("offsets", offsets)?;
        self.config.offsets.copy_from_slice(offsets);
        Ok(())
    }

    /// What the solve prefers.
    pub fn parameters(&self) -> BlendshapeParameters {
        self.parameters
    }

    /// Replaces the parameters; the solver has to be prepared again.
    ///
    /// # Errors
    /// [`BlendshapeError::Parameter`]; nothing is changed then.
    pub fn set_parameters(&mut self, parameters: BlendshapeParameters) -> Result<(), BlendshapeError> {
        parameters.validate()?;
        self.parameters = parameters;
        self.system = None;
        Ok(())
    }

    /// Computes what all frames have in common, and forgets the frame before. To be called once before the first frame and
    /// after every change of configuration or parameters. The products of the displacements, which take longest, are
    /// computed again only if other poses are active.
    ///
    /// # Errors
    /// [`BlendshapeError::Bounded`] if the numbers are too large to square.
    pub fn prepare(&mut self) -> Result<(), BlendshapeError> {
        let is_active = |pose: &usize| self.config.active_poses[*pose];
        let active: Vec<usize> = (0..self.data.pose_count()).filter(is_active).collect();
        let projection = match self.projection.take() {
            Some(projection) if projection.active == active => projection,
            _ => Arc::new(Projection::new(&self.data, active)),
        };
        let system = System::new(&projection, self.data.diagonal(), &self.config, &self.parameters);
        let count = projection.active.len();
        for buffer in [&mut self.previous, &mut self.products, &mut self.upper, &mut self.solution] {
            buffer.clear();
            buffer.resize(count, 0.0);
        }
        self.has_previous = false;
        self.projection = Some(projection);
        self.system = Some(system?);
        Ok(())
    }

    /// Forgets the frame before: the next one begins a new sequence.
    ///
    /// A single frame out of any sequence (a preview) is solved by a clone that was reset.
    pub fn reset(&mut self) {
        self.has_previous = false;
    }

    /// Finds the weights, one for each pose, for the vertices of a frame (`target`, all of the mesh, where they are and not
    /// how far they moved).
    ///
    /// # Errors
    /// [`BlendshapeError::NotPrepared`], [`BlendshapeError::Length`], or [`BlendshapeError::NotFinite`] for vertices or for
    /// what comes of them. Weights and the memory of the frame before are then as they were.
    pub fn solve(&mut self, target: &[f32], weights: &mut [f32]) -> Result<(), BlendshapeError> {
        let mut products = core::mem::take(&mut self.products);
        let result =
            self.right_hand_side(target, &mut products).and_then(|()| self.solve_right_hand_side(&products, weights));
        self.products = products;
        result
    }

    /// The first half of [`solve`](Self::solve): all that a frame's equations need of its vertices, `Dᵀ(target - neutral)`,
    /// one number for each of [`active_poses`](Self::active_poses).
    ///
    /// # Errors
    /// Those of [`solve`](Self::solve).
    pub fn right_hand_side(&mut self, target: &[f32], products: &mut [f64]) -> Result<(), BlendshapeError> {
        let (Some(projection), Some(_)) = (&self.projection, &self.system) else {
            return Err(BlendshapeError::NotPrepared);
        };
        expect_length("the target", target.len(), self.data.neutral().len())?;
        expect_length("the right-hand side", products.len(), projection.active.len())?;
        let masked = self.data.masked(target).zip(&projection.neutral);
        for (displacement, (target, neutral)) in self.displacement.iter_mut().zip(masked) {
            *displacement = target - neutral;
        }
        projection.project(&self.displacement, products);
        match products.iter().position(|product| !product.is_finite()) {
            Some(index) => {
                all_finite("the target", target)?;
                Err(BlendshapeError::NotFinite { what: "the right-hand side", index, value: products[index] })
            }
            None => Ok(()),
        }
    }

    /// The second half of [`solve`](Self::solve), from `Dᵀ(target - neutral)` to the weights.
    ///
    /// It is the way in for callers who know this product without the vertices: where vertices depend linearly on a few
    /// coefficients, so does the product, and a small matrix that is computed once ([`active_deltas`](Self::active_deltas)
    /// times the basis of the coefficients) takes the place of the whole mesh.
    ///
    /// # Errors
    /// Those of [`solve`](Self::solve).
    pub fn solve_right_hand_side(&mut self, products: &[f64], weights: &mut [f32]) -> Result<(), BlendshapeError> {
        let (Some(projection), Some(system)) = (&self.projection, &mut self.system) else {
            return Err(BlendshapeError::NotPrepared);
        };
        expect_length("the right-hand side", products.len(), projection.active.len())?;
        expect_length("the weights", weights.len(), self.data.pose_count())?;
        self.upper.fill(1.0);
        let previous = self.has_previous.then_some(&self.previous[..]);
        system.solve(products, previous, &mut self.upper, &mut self.solution)?;
        core::mem::swap(&mut self.previous, &mut self.solution);
        self.has_previous = true;
        weights.copy_from_slice(&self.config.offsets);
        for (pose, weight) in projection.active.iter().zip(&self.previous) {
            weights[*pose] += *weight as f32 * self.config.multipliers[*pose];
        }
        Ok(())
    }

    /// The active poses in ascending order, if the solver is prepared: what the rows below stand for.
    pub fn active_poses(&self) -> Option<&[usize]> {
        self.prepared().map(|(projection, _)| &projection.active[..])
    }

    /// `D`, if the solver is prepared: how far each active pose moves the masked vertices, one pose after the other.
    pub fn active_deltas(&self) -> Option<&[f32]> {
        self.prepared().map(|(projection, _)| &projection.deltas[..])
    }

    /// `A`, if the solver is prepared: `DᵀD` with all regularisation, row after row.
    pub fn system_matrix(&self) -> Option<&[f64]> {
        self.prepared().map(|(_, system)| &system.matrix[..])
    }

    /// `s`, if the solver is prepared: by how much the regularisation of this mesh is stronger than that of the template.
    pub fn scale(&self) -> Option<f64> {
        self.prepared().map(|(_, system)| system.scale)
    }

    /// Cancel pairs, if the solver is prepared, as places among the [`active_poses`](Self::active_poses).
    pub fn cancel_pairs(&self) -> Option<&[[usize; 2]]> {
        self.prepared().map(|(_, system)| &system.cancel_pairs[..])
    }

    fn prepared(&self) -> Option<(&Projection, &System)> {
        self.projection.as_deref().zip(self.system.as_ref())
    }
}
