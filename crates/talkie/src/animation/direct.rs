//! From what a network says about a face straight to the equations of its blendshapes, without the vertices.
//!
//! Animator and solve are linear up to the right-hand side of the solve, `b = Dᵀ(skin - neutral)`: the smoothing of the skin is
//! the same for all its components, so it may as well come after the product. With `M` the share of the lower face, `P` what
//! the network's numbers stand for, `E` and `O` the poses that close the lids and open the lips,
//!
//! ```text
//! b = Dᵀ(model neutral - rig neutral) + upper_face_strength U + lower_face_strength L
//! L = smoothed( skin_strength Dᵀ M P x + closing Dᵀ M E + lip_open_offset Dᵀ M O ),   U likewise with 1 - M
//! ```
//!
//! `Dᵀ M P` has a row for each pose and a column for each number of the network, 43 times 272 for an official face, where the
//! vertices of one frame alone are 184 560 numbers, each the sum of 272 products. What comes out is the same but for rounding;
//! [`SkinAnimator`](super::geometry::SkinAnimator) and [`BlendshapeSolver::right_hand_side`] are the long way.

use std::sync::Arc;

use super::{
    blendshapes::{BlendshapeSolver, project},
    geometry::{
        GeometryError, PcaBasis, SkinParameters, SkinShape, TongueParameters, check_finite, check_length, share_of,
    },
};

/// What a network's numbers about a part stand for.
#[derive(Debug, Clone)]
pub enum Basis {
    /// Weights of shapes: a regression network.
    Shapes(Arc<PcaBasis>),
    /// Differences of all vertices: a diffusion network.
    Vertices,
}

/// Rows of a matrix, one for each active pose, and the vertices whose numbers they are multiplied with, if those have to be
/// picked first.
#[derive(Debug, Clone)]
struct Rows {
    values: Vec<f32>,
    picked: Option<Arc<[u32]>>,
    /// Numbers of the network for each frame.
    inputs: usize,
}

impl Rows {
    /// `Dᵀ` of these displacements (`deltas`, pose after pose, at the vertices the solver looks at), times the basis.
    fn new(deltas: &[f32], poses: usize, mask: Option<&[u32]>, basis: &Basis, length: usize) -> Self {
        match basis {
            Basis::Vertices => Self { values: deltas.to_vec(), picked: mask.map(Into::into), inputs: length },
            Basis::Shapes(shapes) => {
                let inputs = shapes.shape_count();
                let mut values = vec![0.0; poses * inputs];
                let mut products = vec![0.0; poses];
                let mut at_mask = Vec::new();
                for column in 0..inputs {
                    pick(mask, shapes.shape(column).unwrap_or(&[]), &mut at_mask);
                    project(deltas, &at_mask, &mut products);
                    for (row, product) in values.chunks_exact_mut(inputs).zip(&products) {
                        row[column] = *product as f32;
                    }
                }
                Self { values, picked: None, inputs }
            }
        }
    }

    fn multiply(&self, input: &[f32], products: &mut [f64]) {
        project(&self.values, input, products);
    }
}

/// The coordinates of the vertices a solver looks at.
fn pick(mask: Option<&[u32]>, vertices: &[f32], out: &mut Vec<f32>) {
    out.clear();
    match mask {
        None => out.extend_from_slice(vertices),
        Some(mask) => {
            for vertex in mask {
                out.extend_from_slice(&vertices[3 * *vertex as usize..][..3]);
            }
        }
    }
}

fn projected(deltas: &[f32], poses: usize, vector: &[f32]) -> Vec<f64> {
    let mut products = vec![0.0; poses];
    project(deltas, vector, &mut products);
    products
}

/// Whether solver and shape belong together, and how many poses the solver has.
fn checked_poses(solver: &BlendshapeSolver, what: &'static str, length: usize) -> Result<usize, GeometryError> {
    check_length(what, length, solver.data().neutral().len())?;
    Ok(solver.active_poses().map_or(0, <[usize]>::len))
}

/// What all speeches of one face have in common: the matrices of the skin, for one line between the upper and the lower face.
#[derive(Debug)]
pub struct SkinEquations {
    shape: Arc<SkinShape>,
    basis: Basis,
    /// `face_mask_level` and `face_mask_softness` of the line.
    line: (f32, f32),
    base: Vec<f64>,
    whole: Rows,
    lower: Rows,
    /// `Dᵀ O`, `Dᵀ E`, and the same of the lower face.
    offsets: [Vec<f64>; 4],
}

impl SkinEquations {
    /// Multiplies out all that stays the same; takes about a second for an official face. `solver` is to be prepared.
    ///
    /// # Errors
    /// [`GeometryError::Length`] if the solver, the shape and the basis are not of one mesh.
    pub fn new(
        solver: &BlendshapeSolver,
        shape: Arc<SkinShape>,
        basis: Basis,
        parameters: &SkinParameters,
    ) -> Result<Self, GeometryError> {
        let length = shape.neutral().len();
        let poses = checked_poses(solver, "the neutral skin", length)?;
        if let Basis::Shapes(shapes) = &basis {
            check_length("a shape of the skin", shapes.shape_len(), length)?;
        }
        let mask = solver.data().mask();
        let deltas = solver.active_deltas().unwrap_or(&[]);
        let picked = |vertices: &[f32]| {
            let mut out = Vec::new();
            pick(mask, vertices, &mut out);
            out
        };
        let shares: Vec<f32> = shape.face_mask(parameters).flat_map(|share| [share; 3]).collect();
        let shares = picked(&shares);
        let lower_deltas: Vec<f32> = deltas
            .chunks_exact(shares.len().max(1))
            .flat_map(|row| row.iter().zip(&shares).map(|(delta, share)| delta * share))
            .collect();
        let rig = solver.data().neutral();
        let apart: Vec<f32> = shape.neutral().iter().zip(rig).map(|(model, rig)| model - rig).collect();
        let [open, close] = shape.offsets().map(picked);
        Ok(Self {
            base: projected(deltas, poses, &picked(&apart)),
            whole: Rows::new(deltas, poses, mask, &basis, length),
            lower: Rows::new(&lower_deltas, poses, mask, &basis, length),
            offsets: [
                projected(deltas, poses, &open),
                projected(deltas, poses, &close),
                projected(&lower_deltas, poses, &open),
                projected(&lower_deltas, poses, &close),
            ],
            line: line(parameters),
            shape,
            basis,
        })
    }
}

fn line(parameters: &SkinParameters) -> (f32, f32) {
    (parameters.face_mask_level, parameters.face_mask_softness)
}

/// The skin of one speech, as far as blendshapes need it: what
/// [`SkinAnimator`](super::geometry::SkinAnimator) is for vertices.
#[derive(Debug, Clone)]
pub struct DirectSkin {
    equations: Arc<SkinEquations>,
    parameters: SkinParameters,
    lower: Smoothing,
    upper: Smoothing,
    is_fresh: bool,
    whole_products: Vec<f64>,
    lower_products: Vec<f64>,
    input: Vec<f32>,
}

impl DirectSkin {
    /// Before the first frame. Should the line between the upper and the lower face be another than that of the equations, they
    /// are computed again.
    ///
    /// # Errors
    /// [`GeometryError::Parameter`] if a parameter is out of its range.
    pub fn new(
        equations: Arc<SkinEquations>,
        solver: &BlendshapeSolver,
        parameters: SkinParameters,
    ) -> Result<Self, GeometryError> {
        let poses = equations.base.len();
        let mut skin = Self {
            parameters,
            lower: Smoothing::new(poses),
            upper: Smoothing::new(poses),
            is_fresh: true,
            whole_products: vec![0.0; poses],
            lower_products: vec![0.0; poses],
            input: Vec::new(),
            equations,
        };
        skin.set_parameters(solver, parameters)?;
        Ok(skin)
    }

    /// Changes the parameters from the next frame on; what is remembered stays. Another `face_mask_level` or
    /// `face_mask_softness` costs as much as [`SkinEquations::new`]; everything else costs nothing.
    ///
    /// # Errors
    /// [`GeometryError::Parameter`] if one is out of its range; then none is changed.
    pub fn set_parameters(
        &mut self,
        solver: &BlendshapeSolver,
        parameters: SkinParameters,
    ) -> Result<(), GeometryError> {
        parameters.validate()?;
        if line(&parameters) != self.equations.line {
            let SkinEquations { shape, basis, .. } = &*self.equations;
            self.equations = Arc::new(SkinEquations::new(solver, shape.clone(), basis.clone(), &parameters)?);
        }
        self.parameters = parameters;
        Ok(())
    }

    /// The right-hand side of the solve for a frame, `dt` seconds after the one before, from what the network says about the
    /// skin (weights of shapes, or differences of all vertices).
    ///
    /// # Errors
    /// [`GeometryError`] if lengths are wrong or something is not finite; then nothing is remembered of this frame.
    pub fn right_hand_side(&mut self, input: &[f32], dt: f32, products: &mut [f64]) -> Result<(), GeometryError> {
        let equations = &*self.equations;
        check_length("the skin", input.len(), equations.whole.inputs)?;
        check_length("the right-hand side", products.len(), equations.base.len())?;
        check_finite("the skin", input)?;
        if !dt.is_finite() || dt < 0.0 {
            return Err(GeometryError::TimeStep { seconds: dt, forwards: true });
        }
        let input = match &equations.whole.picked {
            None => input,
            Some(mask) => {
                pick(Some(mask), input, &mut self.input);
                &self.input
            }
        };
        equations.whole.multiply(input, &mut self.whole_products);
        equations.lower.multiply(input, &mut self.lower_products);
        let parameters = &self.parameters;
        let share = |half_life| share_of(half_life, dt).filter(|_| !self.is_fresh);
        let (lower_share, upper_share) =
            (share(parameters.lower_face_smoothing), share(parameters.upper_face_smoothing));
        let (strength, closing) = (f64::from(parameters.skin_strength), f64::from(parameters.closing()));
        let opening = f64::from(parameters.lip_open_offset);
        let [open, close, lower_open, lower_close] = &equations.offsets;
        for (pose, product) in products.iter_mut().enumerate() {
            let whole = strength * self.whole_products[pose] + closing * close[pose] + opening * open[pose];
            let lower = strength * self.lower_products[pose] + closing * lower_close[pose] + opening * lower_open[pose];
            let upper = self.upper.follow(pose, whole - lower, upper_share);
            let lower = self.lower.follow(pose, lower, lower_share);
            *product = equations.base[pose]
                + f64::from(parameters.upper_face_strength) * upper
                + f64::from(parameters.lower_face_strength) * lower;
        }
        self.is_fresh = false;
        Ok(())
    }
}

/// Two stages of smoothing, one after the other.
#[derive(Debug, Clone)]
struct Smoothing(Vec<[f64; 2]>);

impl Smoothing {
    fn new(count: usize) -> Self {
        Self(vec![[0.0; 2]; count])
    }

    fn follow(&mut self, index: usize, wanted: f64, share: Option<f32>) -> f64 {
        let [first, second] = &mut self.0[index];
        match share {
            None => (*first, *second) = (wanted, wanted),
            Some(share) => {
                *first += (wanted - *first) * f64::from(share);
                *second += (*first - *second) * f64::from(share);
            }
        }
        *second
    }
}

/// The tongue, as far as blendshapes need it: what [`TongueAnimator`](super::geometry::TongueAnimator) is for vertices.
#[derive(Debug, Clone)]
pub struct DirectTongue {
    equations: Arc<TongueEquations>,
    parameters: TongueParameters,
    input: Vec<f32>,
}

/// What all speeches of one face have in common: the matrices of the tongue.
#[derive(Debug)]
pub struct TongueEquations {
    base: Vec<f64>,
    rows: Rows,
    /// `Dᵀ` of all vertices moved by one unit up, and by one unit forward.
    up: Vec<f64>,
    forward: Vec<f64>,
}

impl TongueEquations {
    /// Multiplies out all that stays the same. `solver` is to be prepared.
    ///
    /// # Errors
    /// [`GeometryError::Length`] if the solver, the neutral tongue and the basis are not of one mesh.
    pub fn new(solver: &BlendshapeSolver, neutral: &[f32], basis: &Basis) -> Result<Self, GeometryError> {
        let poses = checked_poses(solver, "the neutral tongue", neutral.len())?;
        if let Basis::Shapes(shapes) = basis {
            check_length("a shape of the tongue", shapes.shape_len(), neutral.len())?;
        }
        let mask = solver.data().mask();
        let deltas = solver.active_deltas().unwrap_or(&[]);
        let product = |value: &dyn Fn(usize) -> f32| {
            let mut picked = Vec::new();
            pick(mask, &(0..neutral.len()).map(value).collect::<Vec<_>>(), &mut picked);
            projected(deltas, poses, &picked)
        };
        let rig = solver.data().neutral();
        Ok(Self {
            base: product(&|index| neutral[index] - rig[index]),
            rows: Rows::new(deltas, poses, mask, basis, neutral.len()),
            up: product(&|index| if index % 3 == 1 { 1.0 } else { 0.0 }),
            forward: product(&|index| if index % 3 == 2 { 1.0 } else { 0.0 }),
        })
    }
}

impl DirectTongue {
    /// Before the first frame.
    ///
    /// # Errors
    /// [`GeometryError::Parameter`] if a parameter is out of its range.
    pub fn new(equations: Arc<TongueEquations>, parameters: TongueParameters) -> Result<Self, GeometryError> {
        parameters.validate()?;
        Ok(Self { equations, parameters, input: Vec::new() })
    }

    /// Changes the parameters from the next frame on.
    ///
    /// # Errors
    /// [`GeometryError::Parameter`] if one is out of its range; then none is changed.
    pub fn set_parameters(&mut self, parameters: TongueParameters) -> Result<(), GeometryError> {
        parameters.validate()?;
        self.parameters = parameters;
        Ok(())
    }

    /// The right-hand side of the solve for a frame, from what the network says about the tongue.
    ///
    /// # Errors
    /// [`GeometryError`] if lengths are wrong or something is not finite.
    pub fn right_hand_side(&mut self, input: &[f32], products: &mut [f64]) -> Result<(), GeometryError> {
        let TongueEquations { base, rows, up, forward } = &*self.equations;
        check_length("the tongue", input.len(), rows.inputs)?;
        check_length("the right-hand side", products.len(), base.len())?;
        check_finite("the tongue", input)?;
        let input = match &rows.picked {
            None => input,
            Some(mask) => {
                pick(Some(mask), input, &mut self.input);
                &self.input
            }
        };
        rows.multiply(input, products);
        let TongueParameters { tongue_strength, tongue_height_offset, tongue_depth_offset } = self.parameters;
        for (pose, product) in products.iter_mut().enumerate() {
            *product = base[pose]
                + f64::from(tongue_strength) * *product
                + f64::from(tongue_height_offset) * up[pose]
                + f64::from(tongue_depth_offset) * forward[pose];
        }
        Ok(())
    }
}
