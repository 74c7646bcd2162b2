//! Bounded least squares where there are many minima.

use super::{
    bounded::{BoundedSolver, Side},
    dense::{dot, eigen},
};

/// What single precision takes for zero is followed only where the objective falls by more than this many times the
/// rounding of its gradient.
const REAL_SLOPE: f64 = 1e2;

/// Where a step leads.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// To the minimum of least norm, as single precision tells the rank.
    LeastNorm,
    /// Downhill from where `x` is, with all eigenvalues of at least this.
    Down(f64),
}

impl BoundedSolver {
    /// The official method: slower, but at home where there are many minima, and the one that knows how to stop early.
    ///
    /// Single precision calls an eigenvalue zero that may be small and real, of some free variables more often than of all.
    /// Then the objective still falls in a direction in which the official method never steps, and a variable that it
    /// releases for that is back at its bound at once. [`descend`](Self::descend) goes on from there.
    pub(super) fn release_one_by_one(
        &mut self,
        right: &[f64],
        lower: &[f64],
        upper: &[f64],
        sides: &mut [Side],
        x: &mut [f64],
    ) {
        let slack = self.gradient_slack(right, lower, upper).max(self.tolerance);
        self.factorised.clear();
        sides.fill(Side::Free);
        x.fill(0.0);
        loop {
            self.least_norm(right, sides, x);
            let mut is_inside = true;
            for i in 0..x.len() {
                let clamped = x[i].clamp(lower[i], upper[i]);
                if sides[i] == Side::Free && clamped != x[i] {
                    sides[i] = if clamped > x[i] { Side::Lower } else { Side::Upper };
                    x[i] = clamped;
                    is_inside = false;
                }
            }
            if is_inside {
                break;
            }
        }
        // A release that the rank decision does not thwart makes the objective smaller, so that no set of free variables
        // comes twice; the limit is for what rounding may do.
        let mut returned = None;
        for _ in 0..4 * self.size {
            self.descend_from(right, x);
            let violation = |i: usize| match sides[i] {
                Side::Free => 0.0,
                _ => self.violation(i, sides[i], lower, upper, x),
            };
            let Some(worst) = (0..x.len()).max_by(|a, b| violation(*a).total_cmp(&violation(*b))) else { return };
            if violation(worst) <= slack {
                break;
            }
            let side = core::mem::replace(&mut sides[worst], Side::Free);
            self.advance(right, lower, upper, sides, x, Way::LeastNorm);
            // Back where it was for the second time.
            if sides[worst] == side && returned.replace(worst) == Some(worst) {
                break;
            }
        }
        self.descend(right, lower, upper, sides, x);
    }

    /// Goes downhill from an `x` between its bounds until there is no way down, whatever the rank.
    ///
    /// No step takes an eigenvalue for less than a floor, so that directions of none can be followed too; it is so low that
    /// a step between the bounds is one along a slope of nothing. Every step makes the objective smaller, since an
    /// eigenvalue that is taken for more only shortens it.
    fn descend(&mut self, right: &[f64], lower: &[f64], upper: &[f64], sides: &mut [Side], x: &mut [f64]) {
        let slack = (REAL_SLOPE * self.gradient_slack(right, lower, upper)).max(self.tolerance);
        let widest = lower.iter().zip(upper).map(|(lower, upper)| upper - lower).sum::<f64>();
        for _ in 0..4 * self.size {
            self.descend_from(right, x);
            let violation = |i: usize| self.violation(i, sides[i], lower, upper, x);
            let Some(worst) = (0..x.len()).max_by(|a, b| violation(*a).total_cmp(&violation(*b))) else { return };
            if violation(worst) <= slack {
                return;
            }
            sides[worst] = Side::Free;
            self.advance(right, lower, upper, sides, x, Way::Down(slack / widest));
        }
    }

    /// How far the objective falls for each unit by which a variable moves between its bounds, for the last `descent`.
    fn violation(&self, i: usize, side: Side, lower: &[f64], upper: &[f64], x: &[f64]) -> f64 {
        match side {
            _ if lower[i] == upper[i] => 0.0,
            Side::Lower => self.descent[i],
            Side::Upper => -self.descent[i],
            Side::Free if x[i] <= lower[i] => self.descent[i],
            Side::Free if x[i] >= upper[i] => -self.descent[i],
            Side::Free => self.descent[i].abs(),
        }
    }

    /// Goes one `way` with the free variables, stopping at each bound on it.
    fn advance(&mut self, right: &[f64], lower: &[f64], upper: &[f64], sides: &mut [Side], x: &mut [f64], way: Way) {
        loop {
            let mut target = core::mem::take(&mut self.trial);
            target.copy_from_slice(x);
            match way {
                Way::LeastNorm => self.least_norm(right, sides, &mut target),
                Way::Down(floor) => {
                    self.decompose_free(sides);
                    self.step_by(right, &mut target, |eigenvalue| Some(eigenvalue.max(floor)));
                }
            }
            let mut share = 1.0;
            let mut blocking = None;
            for i in 0..x.len() {
                let (side, bound) =
                    if target[i] < lower[i] { (Side::Lower, lower[i]) } else { (Side::Upper, upper[i]) };
                if sides[i] == Side::Free && !(lower[i]..=upper[i]).contains(&target[i]) {
                    let until = ((bound - x[i]) / (target[i] - x[i])).max(0.0);
                    if until < share {
                        (share, blocking) = (until, Some((i, side, bound)));
                    }
                }
            }
            x.iter_mut().zip(&target).for_each(|(x, target)| *x += share * (target - *x));
            self.trial = target;
            x.iter_mut().zip(lower.iter().zip(upper)).for_each(|(x, (lower, upper))| *x = x.clamp(*lower, *upper));
            match blocking {
                Some((i, side, bound)) => (sides[i], x[i]) = (side, bound),
                None => return,
            }
        }
    }

    /// The minimum of least norm for the free variables, the others as they are.
    fn least_norm(&mut self, right: &[f64], sides: &[Side], x: &mut [f64]) {
        let largest = self.decompose_free(sides);
        let zero = self.rank_threshold(self.free.len()) * largest;
        self.free.iter().for_each(|i| x[*i] = 0.0);
        // The second time takes back what rounding did the first time.
        for _ in 0..2 {
            self.step_by(right, x, |eigenvalue| (eigenvalue > zero).then_some(eigenvalue));
        }
    }

    /// Makes `factor` and `vectors` the eigenvalues and eigenvectors of the free variables; the largest eigenvalue.
    fn decompose_free(&mut self, sides: &[Side]) -> f64 {
        self.list_free(sides);
        let count = self.gather();
        let square = count * count;
        eigen(&mut self.factor[..square], &mut self.vectors[..square], count);
        self.factor[..square].iter().step_by(count + 1).copied().fold(0.0, f64::max)
    }

    /// Moves the free variables of `x` along their eigenvectors: to the minimum in each, if the objective curves there as
    /// `curvature` makes it of the eigenvalue, and not at all where that is none.
    fn step_by(&mut self, right: &[f64], x: &mut [f64], curvature: impl Fn(f64) -> Option<f64>) {
        self.descend_from(right, x);
        let count = self.free.len();
        self.step.iter_mut().zip(&self.free).for_each(|(step, i)| *step = self.descent[*i]);
        for (k, vector) in self.vectors[..count * count].chunks_exact(count.max(1)).enumerate() {
            if let Some(curvature) = curvature(self.factor[k * (count + 1)]) {
                let length = dot(vector, &self.step[..count]) / curvature;
                self.free.iter().zip(vector).for_each(|(i, part)| x[*i] += length * part);
            }
        }
    }
}
