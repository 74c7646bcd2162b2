//! Large systems of few neighbours each, solved by conjugate gradients.

use glam::DVec3;

/// A symmetric matrix, row after row, of which few entries are not zero.
#[derive(Debug, Clone)]
pub(super) struct Sparse {
    starts: Vec<usize>,
    columns: Vec<u32>,
    values: Vec<f64>,
}

impl Sparse {
    /// From entries, those of one place added up.
    pub(super) fn new(size: usize, mut entries: Vec<(u32, u32, f64)>) -> Self {
        entries.sort_unstable_by_key(|entry| (entry.0, entry.1));
        let mut this = Self { starts: vec![0], columns: Vec::new(), values: Vec::new() };
        let mut entries = entries.into_iter().peekable();
        for row in 0..size as u32 {
            while let Some((_, column, value)) = entries.next_if(|entry| entry.0 == row) {
                if this.columns.len() > this.starts[row as usize] && this.columns.last() == Some(&column) {
                    if let Some(last) = this.values.last_mut() {
                        *last += value;
                    }
                } else {
                    this.columns.push(column);
                    this.values.push(value);
                }
            }
            this.starts.push(this.columns.len());
        }
        this
    }

    /// Columns and values of a row.
    pub(super) fn row(&self, row: usize) -> impl Iterator<Item = (usize, f64)> {
        let range = self.starts[row]..self.starts[row + 1];
        self.columns[range.clone()].iter().map(|column| *column as usize).zip(self.values[range].iter().copied())
    }

    pub(super) fn multiply(&self, x: &[DVec3], y: &mut [DVec3]) {
        for (row, y) in y.iter_mut().enumerate() {
            *y = self.row(row).map(|(column, value)| x[column] * value).sum();
        }
    }
}

/// Solves `A x = b` for a symmetric positive `A` from the given `x` on, preconditioned by a diagonal (Hestenes & Stiefel 1952).
pub(super) fn conjugate_gradients(
    apply: impl Fn(&[DVec3], &mut [DVec3]),
    diagonal: &[f64],
    b: &[DVec3],
    x: &mut [DVec3],
    iterations: usize,
) {
    let dot = |a: &[DVec3], b: &[DVec3]| -> DVec3 { a.iter().zip(b).map(|(a, b)| *a * *b).sum() };
    let over = |a: DVec3, b: DVec3| DVec3::select(b.cmpgt(DVec3::ZERO), a / b, DVec3::ZERO);
    let mut product = vec![DVec3::ZERO; x.len()];
    apply(x, &mut product);
    let mut left: Vec<DVec3> = b.iter().zip(&product).map(|(b, product)| *b - *product).collect();
    let scaled = |left: &[DVec3]| -> Vec<DVec3> {
        left.iter().zip(diagonal).map(|(left, diagonal)| *left / diagonal.max(1e-12)).collect()
    };
    let mut along = scaled(&left);
    let mut direction = along.clone();
    let mut before = dot(&left, &along);
    let enough = dot(b, &scaled(b)) * 1e-10;
    for _ in 0..iterations {
        if before.cmple(enough).all() {
            break;
        }
        apply(&direction, &mut product);
        let step = over(before, dot(&direction, &product));
        x.iter_mut().zip(&direction).for_each(|(x, direction)| *x += *direction * step);
        left.iter_mut().zip(&product).for_each(|(left, product)| *left -= *product * step);
        along = scaled(&left);
        let after = dot(&left, &along);
        let turn = over(after, before);
        direction.iter_mut().zip(&along).for_each(|(direction, along)| *direction = *along + *direction * turn);
        before = after;
    }
}
