//! Figures over the events of one or many clips.

use serde::Serialize;

use super::ClipEvents;
use super::aperture::ApertureEvents;
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
///
/// The figures are defined here, except where a source is named. *Aperture* is in units of `jawOpen`, as the
/// [page of the module](super) defines it; figures that end in `_mm` read it off the lips of a head instead
/// ([`LipMesh::aperture_mm`](super::LipMesh::aperture_mm)) and are there only for clips that were
/// [measured on one](ClipEvents::measure_on). *AUC* is the area under the ROC curve, the chance that one of the first kind
/// is above one of the second (J. Hanley et al., "The meaning and use of the area under a receiver operating
/// characteristic curve", Radiology 143, 1982): 0.5 says nothing, 1 is best.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Score {
    /// Share of P B M, 0..=1, at which the mouth is closed at any time from 40 ms before to 40 ms after. Closed: the
    /// aperture is at most 15 % of the clip's own 95th percentile (at least 0.02). 1 is best.
    pub bilabial_recall: Option<f64>,
    /// The same share of those without a pause (`SIL` of 60 ms or more) within 100 ms, where closure comes for free.
    pub bilabial_inner: Option<f64>,
    /// Share of vowel centres, none within 60 ms of a P B M, at which the mouth is closed. 0 is best.
    pub false_closure: Option<f64>,
    /// Share of the same vowels with a closure in the window of the recall: what that recall is worth.
    pub false_window: Option<f64>,
    /// The same comparison without a threshold: AUC of the least aperture in the window, bilabials below vowels.
    pub closure_auc: Option<f64>,
    /// Median over closed inner bilabials of the middle of the closure minus the middle of the phone, milliseconds.
    pub closure_lag: Option<f64>,
    /// Share of F V, 20 ms more on either side, with a tuck (`mouthRollLower` 0.1 above its median at vowel centres) or a
    /// dip (least aperture at most 40 % of the mean at the vowels around within 350 ms, those open).
    pub labiodental: Option<f64>,
    /// The same share of S Z SH ZH TH DH T D K G: what that figure is worth.
    pub labio_other: Option<f64>,
    /// Share of F V with a dip.
    pub labio_dip: Option<f64>,
    /// Pearson's correlation, over vowels, of the aperture at their centres with how open they are. 1 is best.
    pub vowel_r: Option<f64>,
    /// Weighted AUC of `mouthPucker` plus `mouthFunnel` (mean over the middle half of a phone), rounded phones above
    /// unrounded ones; unrounded ones beside a rounded vowel or W are left out.
    pub rounding_auc: Option<f64>,
    /// AUC of stretch plus smile (means of left and right), spread phones above rounded ones.
    pub spread_auc: Option<f64>,
    /// By how many milliseconds the mouth is late: the shift within 300 ms at which the aperture correlates best with how
    /// open the phones are, smoothed with a Gaussian of 35 ms.
    pub lag_ms: Option<f64>,
    /// That correlation.
    pub track_r: f64,
    /// The correlation without any shift.
    pub track_r0: f64,
    /// Silence jitter: standard deviation of the aperture in silences of at least 200 ms, 80 ms trimmed at both ends, each
    /// about its own mean, in units of `jawOpen`. 0 is still.
    pub sil_std: Option<f64>,
    /// Mean aperture there as a share of the clip's 95th percentile; 0 is a closed mouth.
    pub sil_level: Option<f64>,
    /// 95th minus 5th percentile of the aperture, in units of `jawOpen`; mean of the clips by length.
    pub range: f64,
    /// Flicker: rms second difference of the aperture at 60 Hz, relative to the range; mean of the clips by length.
    pub jerk: f64,
    /// [`bilabial_recall`](Self::bilabial_recall) on a head. Closed: at most so many millimetres, usually
    /// [`CLOSED_MM`](super::CLOSED_MM).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bilabial_recall_mm: Option<f64>,
    /// [`bilabial_inner`](Self::bilabial_inner) on a head.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bilabial_inner_mm: Option<f64>,
    /// [`false_closure`](Self::false_closure) on a head.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub false_closure_mm: Option<f64>,
    /// [`false_window`](Self::false_window) on a head.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub false_window_mm: Option<f64>,
    /// [`closure_auc`](Self::closure_auc) on a head.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closure_auc_mm: Option<f64>,
    /// [`vowel_r`](Self::vowel_r) on a head.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vowel_r_mm: Option<f64>,
    /// [`range`](Self::range) on a head, in millimetres.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range_mm: Option<f64>,
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
        let mouths: Vec<&ApertureEvents> = clips.iter().map(|clip| &clip.mouth).collect();
        let lips: Vec<&ApertureEvents> = clips.iter().filter_map(|clip| clip.lips.as_ref()).collect();
        let lip_seconds: f64 = clips.iter().filter(|clip| clip.lips.is_some()).map(|clip| clip.duration).sum();
        let lip_range = clips.iter().filter_map(|clip| Some(clip.lips.as_ref()?.range * clip.duration)).sum::<f64>();
        let recall = joined(&mouths, |mouth| &mouth.recall);
        let inner = joined(&mouths, |mouth| &mouth.inner);
        let labiodental = joined(&clips, |clip| &clip.labiodental);
        let vowels = joined(&mouths, |mouth| &mouth.vowels);
        Self {
            bilabial_recall: mean(&recall),
            bilabial_inner: mean(&inner),
            false_closure: mean(&joined(&mouths, |mouth| &mouth.false_closure)),
            false_window: mean(&joined(&mouths, |mouth| &mouth.false_window)),
            closure_auc: area_under_curve(&joined(&mouths, |mouth| &mouth.closure)),
            closure_lag: median(&joined(&mouths, |mouth| &mouth.closure_lag)),
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
            range: weighted(|clip| clip.mouth.range),
            jerk: weighted(|clip| clip.jerk),
            bilabial_recall_mm: mean(&joined(&lips, |lips| &lips.recall)),
            bilabial_inner_mm: mean(&joined(&lips, |lips| &lips.inner)),
            false_closure_mm: mean(&joined(&lips, |lips| &lips.false_closure)),
            false_window_mm: mean(&joined(&lips, |lips| &lips.false_window)),
            closure_auc_mm: area_under_curve(&joined(&lips, |lips| &lips.closure)),
            vowel_r_mm: correlation(&joined(&lips, |lips| &lips.vowels)),
            range_mm: (!lips.is_empty()).then(|| lip_range / lip_seconds.max(1e-9)),
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

fn joined<E, T: Clone>(events: &[&E], part: impl Fn(&E) -> &Vec<T>) -> Vec<T> {
    events.iter().flat_map(|one| part(one).iter().cloned()).collect()
}

/// Lag in milliseconds (none if nothing correlates), the correlation at it, the correlation without shift. Every clip
/// counts in units of its own 95th percentile; the lag is refined by a parabola through the three best shifts.
fn lag(clips: &[&ClipEvents]) -> (Option<f64>, f64, f64) {
    let mut sums = vec![[0.0f64; 3]; 2 * MAX_LAG + 1];
    for clip in clips {
        let scale = clip.mouth.high.max(0.02);
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
