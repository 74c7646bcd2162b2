//! Least squares with bounds: what a frame of blendshape weights comes down to.

use super::dense::{dot, eigen, factorise, solve_factorised};

/// A weight beyond its bound by no more than this is at it.
const BOUND_SLACK: f64 = 1e-9;
/// A gradient of no more than this share of the terms it is the difference of is zero.
const GRADIENT_SLACK: f64 = 1e-13;
/// A tolerance above this asks for the official way of stopping early.
const COARSE: f64 = 1e-6;
/// How often all wrong variables may change sides at once without one wrong variable fewer.
const PATIENCE: usize = 3;

/// A problem that is not one.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BoundedError {
    /// No rows, or not as many columns.
    #[error("a matrix of {found} values cannot be square with {size} rows")]
    Shape {
        /// Values given.
        found: usize,
        /// Rows asked for.
        size: usize,
    },
    /// A vector of the wrong length.
    #[error("{what}: {found} values; expected {expected}")]
    Length {
        /// Which vector.
        what: &'static str,
        /// How many values it has.
        found: usize,
        /// How many are expected.
        expected: usize,
    },
    /// Not a finite number.
    #[error("{what}: value {index} is not finite")]
    NotFinite {
        /// Which list of numbers.
        what: &'static str,
        /// Which of them, from 0.
        index: usize,
    },
    /// No room between the bounds.
    #[error("variable {index}: the lower bound {lower} is above the upper bound {upper}")]
    Bounds {
        /// Which variable, from 0.
        index: usize,
        /// Its lower bound.
        lower: f64,
        /// Its upper bound.
        upper: f64,
    },
}

/// What is made as small as possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Objective {
    /// `½ |A x - b|²`.
    Residual,
    /// `½ xᵀA x - bᵀx`, for a symmetric `A` without negative eigenvalues. Without bounds in the way, the same as
    /// [`Residual`](Self::Residual).
    Energy,
}

/// Where a variable is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Side {
    #[default]
    Free,
    Lower,
    Upper,
}

/// Which variables are at which bound: what one solve leaves behind for the next, which is fast if little has changed.
/// The solution does not depend on it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ActiveSet(Vec<Side>);

impl ActiveSet {
    /// No variable at a bound. The default is the same for whatever number of variables it is used with first.
    pub fn all_free(size: usize) -> Self {
        Self(vec![Side::Free; size])
    }
}

/// Bounded least squares with a small matrix that stays while right-hand sides come and go (known as BVLS).
///
/// The set of variables at their bounds is found by block principal pivoting: solve for the free variables, let all that
/// are wrong (a free one beyond its bound, a bound one that would rather leave it) change sides, and repeat; where that
/// does not lead on, only one changes (J. J. Júdice and F. M. Pires, 1992). It ends at the only minimum, found in double
/// precision. From the set of the frame before, one or two rounds are usual.
///
/// A singular matrix has many minima. It is told by the official measure, a singular value of at most `size` times
/// single precision of the largest, and solved by the official method, which is slower: it starts at the minimum of least
/// norm with all variables free, clamps those beyond a bound until there are none, then releases one at a time. Where that
/// measure takes small slopes for none, steps in double precision go on to a minimum.
#[derive(Debug, Clone)]
pub struct BoundedSolver {
    pub(super) size: usize,
    objective: Objective,
    /// `A`.
    matrix: Vec<f64>,
    /// Second derivatives of the objective: `AᵀA`, or `A`.
    pub(super) hessian: Vec<f64>,
    is_singular: bool,
    pub(super) tolerance: f64,
    /// Indices of the free variables of which `factor` is the factor.
    pub(super) factorised: Vec<usize>,
    pub(super) factor: Vec<f64>,
    pub(super) free: Vec<usize>,
    pub(super) descent: Vec<f64>,
    residual: Vec<f64>,
    pub(super) step: Vec<f64>,
    pub(super) trial: Vec<f64>,
    pub(super) vectors: Vec<f64>,
}

impl BoundedSolver {
    /// Takes a square matrix of `size` rows, row after row. It is symmetric in the blendshape solve, and has to be for
    /// [`Objective::Energy`].
    ///
    /// # Errors
    /// [`BoundedError::Shape`] or [`BoundedError::NotFinite`].
    pub fn new(matrix: &[f64], size: usize, objective: Objective) -> Result<Self, BoundedError> {
        if size == 0 || size.checked_mul(size) != Some(matrix.len()) {
            return Err(BoundedError::Shape { found: matrix.len(), size });
        }
        all_finite("the matrix", matrix)?;
        let hessian = match objective {
            Objective::Energy => matrix.to_vec(),
            Objective::Residual => squared(matrix, size),
        };
        all_finite("the squared matrix", &hessian)?;
        let mut solver = Self {
            size,
            objective,
            matrix: matrix.to_vec(),
            is_singular: false,
            tolerance: 0.0,
            factorised: Vec::with_capacity(size),
            factor: hessian.clone(),
            hessian,
            free: (0..size).collect(),
            descent: vec![0.0; size],
            residual: vec![0.0; size],
            step: vec![0.0; size],
            trial: vec![0.0; size],
            vectors: vec![0.0; size * size],
        };
        eigen(&mut solver.factor, &mut solver.vectors, size);
        let eigenvalues = solver.factor.iter().step_by(size + 1);
        let largest = eigenvalues.clone().copied().fold(0.0, f64::max);
        let smallest = eigenvalues.copied().fold(f64::INFINITY, f64::min);
        solver.is_singular = smallest <= solver.rank_threshold(size) * largest;
        Ok(solver)
    }

    /// Stops as soon as the objective would fall by no more than this for each unit by which any variable leaves its bound.
    /// Values above 1e-6, the step at which the official method gives up, select that method, which is slower even so; up to
    /// that the minimum is found.
    #[must_use]
    pub fn with_tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Number of variables.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Whether the matrix is singular as far as single precision can tell, so that the minimum may not be the only one.
    pub fn is_singular(&self) -> bool {
        self.is_singular
    }

    /// Finds the `x` between the bounds at which the objective is smallest. `start` is the [`ActiveSet`] of a similar
    /// problem, or the default; afterwards it is that of this one. All lists have [`size`](Self::size) values. Allocates
    /// nothing, unless `start` is of another size.
    ///
    /// # Errors
    /// All but [`BoundedError::Shape`]. What `x` holds is then of no use.
    pub fn solve(
        &mut self,
        right: &[f64],
        lower: &[f64],
        upper: &[f64],
        start: &mut ActiveSet,
        x: &mut [f64],
    ) -> Result<(), BoundedError> {
        self.check(right, lower, upper, x.len())?;
        start.0.resize(self.size, Side::Free);
        if self.is_singular || self.tolerance > COARSE || !self.pivot(right, lower, upper, &mut start.0, x) {
            self.release_one_by_one(right, lower, upper, &mut start.0, x);
        }
        all_finite("the solution", x)
    }

    fn check(&self, right: &[f64], lower: &[f64], upper: &[f64], x: usize) -> Result<(), BoundedError> {
        let right_side = "the right-hand side";
        for (what, found) in
            [(right_side, right.len()), ("the lower bound", lower.len()), ("the upper bound", upper.len()), ("x", x)]
        {
            if found != self.size {
                return Err(BoundedError::Length { what, found, expected: self.size });
            }
        }
        all_finite(right_side, right)?;
        all_finite("the lower bound", lower)?;
        all_finite("the upper bound", upper)?;
        match lower.iter().zip(upper).position(|(lower, upper)| lower > upper) {
            Some(index) => Err(BoundedError::Bounds { index, lower: lower[index], upper: upper[index] }),
            None => Ok(()),
        }
    }

    /// Block principal pivoting. `false` if it went round in circles, which rounding can make it do.
    fn pivot(&mut self, right: &[f64], lower: &[f64], upper: &[f64], sides: &mut [Side], x: &mut [f64]) -> bool {
        let slack = self.gradient_slack(right, lower, upper);
        let (mut fewest, mut patience) = (self.size + 1, PATIENCE);
        for _ in 0..50 + 4 * self.size {
            for (i, side) in sides.iter().enumerate() {
                x[i] = match side {
                    Side::Free => 0.0_f64.clamp(lower[i], upper[i]),
                    Side::Lower => lower[i],
                    Side::Upper => upper[i],
                };
            }
            if !self.factorise_free(sides) {
                return false;
            }
            self.improve_free(right, x);
            self.descend_from(right, x);
            let descent = &self.descent;
            let belongs = |i: usize, side: Side| match side {
                Side::Free if x[i] < lower[i] - BOUND_SLACK => Side::Lower,
                Side::Free if x[i] > upper[i] + BOUND_SLACK => Side::Upper,
                Side::Lower if descent[i] > slack => Side::Free,
                Side::Upper if descent[i] < -slack => Side::Free,
                right_already => right_already,
            };
            let wrong = (0..x.len()).filter(|i| belongs(*i, sides[*i]) != sides[*i]).count();
            if wrong == 0 {
                // Once more, now that little is left to do: what the squared matrix lost in the first step comes back.
                self.improve_free(right, x);
                x.iter_mut().zip(lower.iter().zip(upper)).for_each(|(x, (lower, upper))| *x = x.clamp(*lower, *upper));
                return true;
            }
            if wrong < fewest {
                (fewest, patience) = (wrong, PATIENCE);
            } else {
                patience = patience.saturating_sub(1);
            }
            let last_only = patience == 0;
            for i in (0..x.len()).rev() {
                let side = belongs(i, sides[i]);
                if side != sides[i] {
                    sides[i] = side;
                    if last_only {
                        break;
                    }
                }
            }
        }
        false
    }

    /// Makes `factor` that of the free variables, unless it is already.
    fn factorise_free(&mut self, sides: &[Side]) -> bool {
        self.list_free(sides);
        if self.free == self.factorised && !self.free.is_empty() {
            return true;
        }
        self.factorised.clear();
        let is_positive = {
            let count = self.gather();
            factorise(&mut self.factor[..count * count], count)
        };
        if is_positive {
            self.factorised.extend_from_slice(&self.free);
        }
        is_positive
    }

    pub(super) fn list_free(&mut self, sides: &[Side]) {
        self.free.clear();
        self.free.extend((0..self.size).filter(|i| sides[*i] == Side::Free));
    }

    /// Copies the second derivatives of the free variables to `factor`; how many they are.
    pub(super) fn gather(&mut self) -> usize {
        let count = self.free.len();
        for (row, i) in self.factor.chunks_exact_mut(count.max(1)).zip(&self.free) {
            let from = &self.hessian[i * self.size..(i + 1) * self.size];
            row.iter_mut().zip(&self.free).for_each(|(value, j)| *value = from[*j]);
        }
        count
    }

    /// Moves the free variables of `x` to the minimum for the others as they are.
    fn improve_free(&mut self, right: &[f64], x: &mut [f64]) {
        self.descend_from(right, x);
        let count = self.free.len();
        self.step.iter_mut().zip(&self.free).for_each(|(step, i)| *step = self.descent[*i]);
        solve_factorised(&self.factor[..count * count], count, &mut self.step[..count]);
        self.free.iter().zip(&self.step).for_each(|(i, step)| x[*i] += step);
    }

    /// Writes the direction in which the objective falls to `descent`: `Aᵀ(b - A x)`, or `b - A x`.
    pub(super) fn descend_from(&mut self, right: &[f64], x: &[f64]) {
        let rows = self.matrix.chunks_exact(self.size);
        for ((residual, row), right) in self.residual.iter_mut().zip(rows).zip(right) {
            *residual = right - dot(row, x);
        }
        match self.objective {
            Objective::Energy => self.descent.copy_from_slice(&self.residual),
            Objective::Residual => {
                self.descent.fill(0.0);
                for (row, residual) in self.matrix.chunks_exact(self.size).zip(&self.residual) {
                    self.descent.iter_mut().zip(row).for_each(|(sum, value)| *sum += residual * value);
                }
            }
        }
    }

    /// Up to this the gradient is nothing but rounding.
    pub(super) fn gradient_slack(&mut self, right: &[f64], lower: &[f64], upper: &[f64]) -> f64 {
        let reach = lower.iter().chain(upper).fold(0.0_f64, |most, bound| most.max(bound.abs()));
        self.trial.fill(0.0);
        let trial = core::mem::take(&mut self.trial);
        self.descend_from(right, &trial);
        self.trial = trial;
        let steepest = self.descent.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
        let stiffest = self.hessian.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
        GRADIENT_SLACK * (steepest + stiffest * reach * self.size as f64)
    }

    /// Eigenvalues of second derivatives below this share of the largest are zero: the rank decision of a singular value
    /// decomposition of `A` in single precision.
    pub(super) fn rank_threshold(&self, size: usize) -> f64 {
        let of_singular_values = size.max(1) as f64 * f64::from(f32::EPSILON);
        match self.objective {
            Objective::Residual => of_singular_values * of_singular_values,
            Objective::Energy => of_singular_values,
        }
    }
}

fn squared(matrix: &[f64], size: usize) -> Vec<f64> {
    let mut squared = vec![0.0; size * size];
    for row in matrix.chunks_exact(size) {
        for (sums, left) in squared.chunks_exact_mut(size).zip(row) {
            sums.iter_mut().zip(row).for_each(|(sum, right)| *sum += left * right);
        }
    }
    squared
}

fn all_finite(what: &'static str, values: &[f64]) -> Result<(), BoundedError> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => Err(BoundedError::NotFinite { what, index }),
        None => Ok(()),
    }
}
