//! The little dense algebra that the solve needs: factors and eigenvalues of small symmetric matrices, row after row.

/// The dot product of two lists of the same length.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    // Four sums that do not wait for one another.
    let (pieces_a, rest_a) = a.as_chunks::<4>();
    let (pieces_b, rest_b) = b.as_chunks::<4>();
    let mut sums = [0.0; 4];
    for (a, b) in pieces_a.iter().zip(pieces_b) {
        for lane in 0..4 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f64 = rest_a.iter().zip(rest_b).map(|(a, b)| a * b).sum();
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest
}

/// `target -= factor * source`.
fn subtract_scaled(target: &mut [f64], factor: f64, source: &[f64]) {
    target.iter_mut().zip(source).for_each(|(target, source)| *target -= factor * source);
}

/// Cholesky factor in place: the upper triangle of a symmetric positive matrix of `size` rows becomes `U` with
/// `UᵀU = matrix`. `false`, with a matrix that is of no use any more, if a pivot is not positive.
pub(crate) fn factorise(matrix: &mut [f64], size: usize) -> bool {
    for k in 0..size {
        let (done, below) = matrix.split_at_mut((k + 1) * size);
        let row = &mut done[k * size + k..];
        let pivot = row[0];
        if !(pivot > 0.0 && pivot.is_finite()) {
            return false;
        }
        let root = pivot.sqrt();
        row.iter_mut().for_each(|value| *value /= root);
        for (below, i) in below.chunks_exact_mut(size).zip(k + 1..) {
            subtract_scaled(&mut below[i..], row[i - k], &row[i - k..]);
        }
    }
    true
}

/// Solves `UᵀU x = right` in place.
pub(crate) fn solve_factorised(factor: &[f64], size: usize, right: &mut [f64]) {
    for k in 0..size {
        let row = &factor[k * size..(k + 1) * size];
        let (done, rest) = right.split_at_mut(k + 1);
        done[k] /= row[k];
        subtract_scaled(rest, done[k], &row[k + 1..]);
    }
    for k in (0..size).rev() {
        let row = &factor[k * size..(k + 1) * size];
        let known = dot(&row[k + 1..], &right[k + 1..size]);
        right[k] = (right[k] - known) / row[k];
    }
}

/// Eigenvalues and eigenvectors of a symmetric matrix by Jacobi rotations. The eigenvalues are left on the diagonal of
/// `matrix`; row `k` of `vectors` is the eigenvector of eigenvalue `k`.
pub(super) fn eigen(matrix: &mut [f64], vectors: &mut [f64], size: usize) {
    vectors.fill(0.0);
    vectors.iter_mut().step_by(size + 1).for_each(|value| *value = 1.0);
    let norm = dot(matrix, matrix);
    // Rotations converge quadratically; 12 sweeps are several more than any matrix has been seen to need.
    for _ in 0..12 {
        let mut off_diagonal = 0.0;
        for p in 0..size {
            for q in p + 1..size {
                off_diagonal += matrix[p * size + q].powi(2);
                rotate(matrix, vectors, size, p, q);
            }
        }
        if off_diagonal <= 1e-32 * norm {
            break;
        }
    }
}

/// Makes entry (p, q) of a symmetric matrix zero.
fn rotate(matrix: &mut [f64], vectors: &mut [f64], size: usize, p: usize, q: usize) {
    let (pp, qq, pq) = (matrix[p * size + p], matrix[q * size + q], matrix[p * size + q]);
    if pq == 0.0 {
        return;
    }
    let theta = (qq - pp) / (2.0 * pq);
    let tangent = theta.signum() / (theta.abs() + theta.hypot(1.0));
    let cosine = 1.0 / tangent.hypot(1.0);
    let sine = tangent * cosine;
    let turn = |a: &mut f64, b: &mut f64| (*a, *b) = (cosine * *a - sine * *b, sine * *a + cosine * *b);
    for values in [&mut *matrix, vectors] {
        let (head, tail) = values.split_at_mut(q * size);
        head[p * size..(p + 1) * size].iter_mut().zip(&mut tail[..size]).for_each(|(a, b)| turn(a, b));
    }
    for row in matrix.chunks_exact_mut(size) {
        let (head, tail) = row.split_at_mut(q);
        turn(&mut head[p], &mut tail[0]);
    }
    matrix[p * size + q] = 0.0;
    matrix[q * size + p] = 0.0;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `BᵀB + ridge`, positive.
    fn positive(entries: &[f64], size: usize) -> Vec<f64> {
        let mut matrix = vec![0.0; size * size];
        for (at, value) in matrix.iter_mut().enumerate() {
            let (row, column) = (at / size, at % size);
            *value = (0..size).map(|k| entries[k * size + row] * entries[k * size + column]).sum();
            *value += if row == column { 0.1 } else { 0.0 };
        }
        matrix
    }

    fn product(matrix: &[f64], vector: &[f64]) -> Vec<f64> {
        matrix.chunks_exact(vector.len()).map(|row| dot(row, vector)).collect()
    }

    proptest! {
        #[test]
        fn a_factor_solves(entries in prop::collection::vec(-1.0_f64..1.0, 49), right in prop::collection::vec(-1.0_f64..1.0, 7)) {
            let matrix = positive(&entries, 7);
            let (mut factor, mut x) = (matrix.clone(), right.clone());
            prop_assert!(factorise(&mut factor, 7));
            solve_factorised(&factor, 7, &mut x);
            for (got, want) in product(&matrix, &x).iter().zip(&right) {
                prop_assert!((got - want).abs() < 1e-10);
            }
        }

        #[test]
        fn eigenvectors_are_only_stretched(entries in prop::collection::vec(-1.0_f64..1.0, 49)) {
            let matrix = positive(&entries, 7);
            let (mut diagonal, mut vectors) = (matrix.clone(), vec![0.0; 49]);
            eigen(&mut diagonal, &mut vectors, 7);
            for (k, vector) in vectors.chunks_exact(7).enumerate() {
                prop_assert!((dot(vector, vector) - 1.0).abs() < 1e-12);
                for (got, part) in product(&matrix, vector).iter().zip(vector) {
                    prop_assert!((got - diagonal[k * 8] * part).abs() < 1e-11);
                }
            }
        }
    }

    #[test]
    fn what_is_not_positive_has_no_factor() {
        assert!(!factorise(&mut [1.0, 2.0, 2.0, 1.0], 2));
        assert!(!factorise(&mut [f64::NAN], 1));
    }
}
