//! Bounded least squares where there are many minima.

use super::{
    bounded::{BoundedSolver, Side},
    dense::{dot, eigen},
};

impl BoundedSolver {
    /// The official method: slower, but at home where there are many minima, and the one that knows how to stop early.
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
        // Every release makes the objective smaller, so that no set of free variables comes twice; the limit is for what
        // rounding may do.
        for _ in 0..4 * self.size {
            self.descend_from(right, x);
            let violation = |i: usize| match sides[i] {
                _ if lower[i] == upper[i] => 0.0,
                Side::Free => 0.0,
                Side::Lower => self.descent[i],
                Side::Upper => -self.descent[i],
            };
            let Some(worst) = (0..x.len()).max_by(|a, b| violation(*a).total_cmp(&violation(*b))) else { return };
            if violation(worst) <= slack {
                return;
            }
            sides[worst] = Side::Free;
            self.advance(right, lower, upper, sides, x);
        }
    }

    /// Goes to the minimum for the free variables, stopping at each bound on the way.
    fn advance(&mut self, right: &[f64], lower: &[f64], upper: &[f64], sides: &mut [Side], x: &mut [f64]) {
        loop {
            let mut target = core::mem::take(&mut self.trial);
            target.copy_from_slice(x);
            self.least_norm(right, sides, &mut target);
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
        self.list_free(sides);
        self.free.iter().for_each(|i| x[*i] = 0.0);
        let count = self.gather();
        let (square, threshold) = (count * count, self.rank_threshold(count));
        eigen(&mut self.factor[..square], &mut self.vectors[..square], count);
        let largest = self.factor[..square].iter().step_by(count + 1).copied().fold(0.0, f64::max);
        // The second time takes back what rounding did the first time.
        for _ in 0..2 {
            self.descend_from(right, x);
            self.step.iter_mut().zip(&self.free).for_each(|(step, i)| *step = self.descent[*i]);
            for (k, vector) in self.vectors[..square].chunks_exact(count.max(1)).enumerate() {
                let eigenvalue = self.factor[k * (count + 1)];
                if eigenvalue > threshold * largest {
                    let length = dot(vector, &self.step[..count]) / eigenvalue;
                    self.free.iter().zip(vector).for_each(|(i, part)| x[*i] += length * part);
                }
            }
        }
    }
}
