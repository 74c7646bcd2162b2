//! The few statistics that a score is made of.

/// One value, whether it belongs to the positives, and its weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Labelled {
    pub(super) value: f64,
    pub(super) positive: bool,
    pub(super) weight: f64,
}

/// Weighted area under the ROC curve: how often a positive is above a negative. Differences below 1e-4 are ties.
/// `None` unless there are both kinds.
pub(super) fn area_under_curve(samples: &[Labelled]) -> Option<f64> {
    let (mut won, mut total) = (0.0, 0.0);
    for positive in samples.iter().filter(|s| s.positive) {
        for negative in samples.iter().filter(|s| !s.positive) {
            let difference = positive.value - negative.value;
            let points = if difference.abs() < 1e-4 { 0.5 } else { f64::from(u8::from(difference > 0.0)) };
            let weight = positive.weight * negative.weight;
            won += points * weight;
            total += weight;
        }
    }
    (total > 0.0).then(|| won / total)
}

/// Pearson's correlation; 0 if either side is constant, `None` for fewer than three pairs.
pub(super) fn correlation(pairs: &[(f64, f64)]) -> Option<f64> {
    if pairs.len() < 3 {
        return None;
    }
    let count = pairs.len() as f64;
    let (mean_x, mean_y) = pairs.iter().fold((0.0, 0.0), |(x, y), pair| (x + pair.0 / count, y + pair.1 / count));
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (x, y) in pairs {
        xx += (x - mean_x).powi(2);
        yy += (y - mean_y).powi(2);
        xy += (x - mean_x) * (y - mean_y);
    }
    if (xx / count).sqrt() < 1e-4 || (yy / count).sqrt() < 1e-9 {
        return Some(0.0);
    }
    Some(xy / (xx * yy).sqrt())
}

pub(super) fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

pub(super) fn median(values: &[f64]) -> Option<f64> {
    percentile(values, 50.0)
}

/// Linear between the neighbouring ranks.
pub(super) fn percentile(values: &[f64], percent: f64) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = percent / 100.0 * (sorted.len() - 1) as f64;
    let (low, high) = (rank.floor() as usize, rank.ceil() as usize);
    Some(sorted[low] + (sorted[high] - sorted[low]) * (rank - low as f64))
}

/// Gaussian smoothing, four sigmas to either side, mirrored at the ends (the last value repeats).
pub(super) fn smoothed(values: &[f64], sigma: f64) -> Vec<f64> {
    let radius = (4.0 * sigma + 0.5) as isize;
    let mut kernel: Vec<f64> = (-radius..=radius).map(|i| (-0.5 * (i as f64 / sigma).powi(2)).exp()).collect();
    let sum: f64 = kernel.iter().sum();
    kernel.iter_mut().for_each(|k| *k /= sum);
    let count = values.len() as isize;
    let mirrored = |index: isize| {
        let wrapped = index.rem_euclid(2 * count);
        values[(if wrapped < count { wrapped } else { 2 * count - 1 - wrapped }) as usize]
    };
    (0..count)
        .map(|centre| (-radius..=radius).zip(&kernel).map(|(offset, k)| k * mirrored(centre + offset)).sum())
        .collect()
}
