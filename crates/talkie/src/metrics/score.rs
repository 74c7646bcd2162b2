//! Figures over the events of one or many clips.

use serde::Serialize;

use super::ClipEvents;
use super::events::{GRID_RATE, MAX_LAG};
use super::statistics::{area_under_curve, correlation, mean, median};

/// How many events a [`Score`] rests on.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct EventCounts {
    /// Clips.
    pub clips: usize,
    /// Length of all clips in seconds.
    pub seconds: f64,
    /// P, B and M.
    pub bilabials: usize,
    /// Those of them without a pause near.
    pub inner: usize,
    /// F and V.
    pub labiodentals: usize,
    /// Vowels.
    pub vowels: usize,
}

/// How well a track speaks. A figure is `None` where the clips hold nothing to judge it by.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Score {
    /// Share of P B M at which the mouth is closed at any time from 40 ms before to 40 ms after. Closed: the aperture is
    /// at most 15 % of the clip's own 95th percentile (at least 0.02). 1 is best.
    pub bilabial_recall: Option<f64>,
    /// The same without those near a pause, where closure comes for free.
    pub bilabial_inner: Option<f64>,
    /// Share of vowel centres, none within 60 ms of a P B M, at which the mouth is closed. 0 is best.
    pub false_closure: Option<f64>,
    /// Share of the same vowels with a closure in the window of the recall: what that recall is worth.
    pub false_window: Option<f64>,
    /// The same comparison without a threshold: area under the curve of the least aperture, bilabials against vowels.
    /// 0.5 is chance, 1 is best.
    pub closure_auc: Option<f64>,
    /// Median over closed inner bilabials of the middle of the closure minus the middle of the phone, milliseconds.
    pub closure_lag: Option<f64>,
    /// Share of F V with a tuck (`mouthRollLower` 0.1 above its median at vowels) or a dip of the aperture to 40 % of the
    /// vowels around.
    pub labiodental: Option<f64>,
    /// The same test at other obstruents: what that figure is worth.
    pub labio_other: Option<f64>,
    /// The dip alone at F V.
    pub labio_dip: Option<f64>,
    /// Correlation of the aperture at vowel centres with how open those vowels are.
    pub vowel_r: Option<f64>,
    /// Weighted area under the curve of pucker plus funnel, rounded phones against unrounded ones.
    pub rounding_auc: Option<f64>,
    /// Area under the curve of stretch plus smile, spread phones against rounded ones.
    pub spread_auc: Option<f64>,
    /// By how many milliseconds the mouth is late: the shift that correlates best with the openness of the phones.
    pub lag_ms: Option<f64>,
    /// That correlation.
    pub track_r: f64,
    /// The correlation without any shift.
    pub track_r0: f64,
    /// Standard deviation of the aperture in silences of at least 200 ms, 80 ms trimmed at both ends.
    pub sil_std: Option<f64>,
    /// Mean aperture there as a share of the clip's 95th percentile; 0 is a closed mouth.
    pub sil_level: Option<f64>,
    /// 95th minus 5th percentile of the aperture, in units of `jawOpen`.
    pub range: f64,
    /// Flicker: rms second difference of the aperture at 60 Hz, relative to the range.
    pub jerk: f64,
    /// How much was looked at.
    pub n: EventCounts,
}

impl Score {
    /// The figures over all events of all clips together.
    pub fn pooled<'a>(clips: impl IntoIterator<Item = &'a ClipEvents>) -> Self {
        let clips: Vec<&ClipEvents> = clips.into_iter().collect();
        let (lag_ms, track_r, track_r0) = lag(&clips);
        let seconds: f64 = clips.iter().map(|clip| clip.duration).sum();
        let weighted = |value: fn(&ClipEvents) -> f64| {
            clips.iter().map(|clip| value(clip) * clip.duration).sum::<f64>() / seconds.max(1e-9)
        };
        let silence = clips.iter().map(|clip| clip.silence_count).sum::<usize>();
        let silence_mean = |sum: f64| (silence > 0).then(|| sum / silence as f64);
        let recall = joined(&clips, |clip| &clip.recall);
        let inner = joined(&clips, |clip| &clip.inner);
        let labiodental = joined(&clips, |clip| &clip.labiodental);
        let vowels = joined(&clips, |clip| &clip.vowels);
        Self {
            bilabial_recall: mean(&recall),
            bilabial_inner: mean(&inner),
            false_closure: mean(&joined(&clips, |clip| &clip.false_closure)),
            false_window: mean(&joined(&clips, |clip| &clip.false_window)),
            closure_auc: area_under_curve(&joined(&clips, |clip| &clip.closure)),
            closure_lag: median(&joined(&clips, |clip| &clip.closure_lag)),
            labiodental: mean(&labiodental),
            labio_other: mean(&joined(&clips, |clip| &clip.labiodental_other)),
            labio_dip: mean(&joined(&clips, |clip| &clip.labiodental_dip)),
            vowel_r: correlation(&vowels),
            rounding_auc: area_under_curve(&joined(&clips, |clip| &clip.rounding)),
            spread_auc: area_under_curve(&joined(&clips, |clip| &clip.spread)),
            lag_ms,
            track_r,
            track_r0,
            sil_std: silence_mean(clips.iter().map(|clip| clip.silence_squares).sum()).map(f64::sqrt),
            sil_level: silence_mean(clips.iter().map(|clip| clip.silence_level).sum()),
            range: weighted(|clip| clip.range),
            jerk: weighted(|clip| clip.jerk),
            n: EventCounts {
                clips: clips.len(),
                seconds,
                bilabials: recall.len(),
                inner: inner.len(),
                labiodentals: labiodental.len(),
                vowels: vowels.len(),
            },
        }
    }
}

fn joined<T: Clone>(clips: &[&ClipEvents], part: impl Fn(&ClipEvents) -> &Vec<T>) -> Vec<T> {
    clips.iter().flat_map(|clip| part(clip).iter().cloned()).collect()
}

/// Lag in milliseconds (none if nothing correlates), the correlation at it, the correlation without shift. Every clip
/// counts in units of its own 95th percentile; the lag is refined by a parabola through the three best shifts.
fn lag(clips: &[&ClipEvents]) -> (Option<f64>, f64, f64) {
    let mut sums = vec![[0.0f64; 3]; 2 * MAX_LAG + 1];
    for clip in clips {
        let scale = clip.high.max(0.02);
        for (sum, shifted) in sums.iter_mut().zip(&clip.shifted) {
            sum[0] += shifted[0] / scale;
            sum[1] += shifted[1] / scale.powi(2);
            sum[2] += shifted[2];
        }
    }
    let correlations: Vec<f64> =
        sums.iter().map(|[xy, xx, yy]| if *xx < 1e-6 { 0.0 } else { xy / (xx * yy).max(1e-12).sqrt() }).collect();
    let mut best = 0;
    for (index, value) in correlations.iter().enumerate() {
        if *value > correlations[best] {
            best = index;
        }
    }
    let mut position = best as f64;
    if best > 0 && best + 1 < correlations.len() {
        let (before, here, after) = (correlations[best - 1], correlations[best], correlations[best + 1]);
        let curvature = before - 2.0 * here + after;
        if curvature < -1e-12 {
            position += 0.5 * (before - after) / curvature;
        }
    }
    let milliseconds = (position - MAX_LAG as f64) / GRID_RATE * 1e3;
    let lag = (correlations[best] >= 0.05).then_some(milliseconds);
    (lag, correlations[best], correlations[MAX_LAG])
}
