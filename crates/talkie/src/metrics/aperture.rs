//! How far the lips are apart, and what that shows at the phones that close them or open them.

use super::events::{Clip, GRID_RATE};
use super::phones;
use super::statistics::{Labelled, percentile};
use crate::animation::{FaceChannel as C, FacePose};

const CLOSED_SHARE: f64 = 0.15;
pub(super) const CLOSED_FLOOR: f64 = 0.02;

/// The opening of a mouth on the grid.
pub(super) struct Aperture {
    pub(super) values: Vec<f64>,
    /// The greatest opening that counts as closed.
    pub(super) closed: f64,
}

impl Aperture {
    /// Closed is what is small beside the clip's own open mouths.
    pub(super) fn relative(values: Vec<f64>) -> Self {
        let closed = (CLOSED_SHARE * percentile(&values, 95.0).unwrap_or(0.0)).max(CLOSED_FLOOR);
        Self { values, closed }
    }

    pub(super) fn least(&self, clip: &Clip<'_>, from: f64, to: f64) -> f64 {
        clip.within(&self.values, from, to).iter().copied().fold(f64::INFINITY, f64::min)
    }

    fn is_closed(&self, index: usize) -> bool {
        self.values[index] <= self.closed
    }
}

/// What opens or closes the lips besides jaw and `mouthClose`, and by how much.
const TERMS: [(C, f64); 9] = [
    (C::MouthLowerDownLeft, 0.075),
    (C::MouthLowerDownRight, 0.075),
    (C::MouthUpperUpLeft, 0.075),
    (C::MouthUpperUpRight, 0.075),
    (C::MouthFunnel, 0.25),
    (C::MouthPressLeft, -0.05),
    (C::MouthPressRight, -0.05),
    (C::MouthRollLower, -0.06),
    (C::MouthRollUpper, -0.04),
];

/// The opening of one pose in units of `jawOpen`, as the page of the module defines it.
pub(crate) fn lip_opening(pose: &FacePose) -> f64 {
    let weight = |channel| f64::from(pose.weight(channel));
    let jaw = (weight(C::JawOpen) - weight(C::MouthClose)).max(0.0);
    TERMS.iter().fold(jaw, |total, (channel, factor)| total + factor * weight(*channel)).max(0.0)
}

/// The same of many moments at once.
pub(super) fn from_channels(curve: &dyn Fn(C) -> Vec<f64>) -> Vec<f64> {
    let mut total: Vec<f64> =
        curve(C::JawOpen).iter().zip(curve(C::MouthClose)).map(|(jaw, close)| (jaw - close).max(0.0)).collect();
    for (channel, factor) in TERMS {
        total.iter_mut().zip(curve(channel)).for_each(|(t, v)| *t += factor * v);
    }
    total.iter_mut().for_each(|v| *v = v.max(0.0));
    total
}

/// What was seen of one aperture.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct ApertureEvents {
    pub(super) recall: Vec<f64>,
    pub(super) inner: Vec<f64>,
    pub(super) false_closure: Vec<f64>,
    pub(super) false_window: Vec<f64>,
    pub(super) closure: Vec<Labelled>,
    pub(super) closure_lag: Vec<f64>,
    pub(super) vowels: Vec<(f64, f64)>,
    /// 95th percentile.
    pub(super) high: f64,
    pub(super) range: f64,
}

impl ApertureEvents {
    pub(super) fn see(clip: &Clip<'_>, aperture: &Aperture) -> Self {
        let high = percentile(&aperture.values, 95.0).unwrap_or(0.0);
        let at_centre = |phone: &super::Phone| clip.at(phone.centre());
        let mut this = Self {
            high,
            range: high - percentile(&aperture.values, 5.0).unwrap_or(0.0),
            vowels: clip.vowels().map(|(vowel, openness)| (aperture.values[at_centre(vowel)], openness)).collect(),
            ..Self::default()
        };
        let share = |closed: bool| f64::from(u8::from(closed));
        for phone in clip.phones {
            let (start, end) = (phone.start, phone.end);
            let least = || aperture.least(clip, start - 0.04, end + 0.04);
            if phones::is_bilabial(&phone.symbol) {
                let least = least();
                let closed = least <= aperture.closed;
                this.recall.push(share(closed));
                this.closure.push(Labelled { value: -least, positive: true, weight: 1.0 });
                let pause_near = clip
                    .any(|p| p.symbol == "SIL" && p.duration() >= 0.06 && p.start < end + 0.1 && p.end > start - 0.1);
                if !pause_near && start - 0.1 >= 0.0 && end + 0.1 <= clip.end {
                    this.inner.push(share(closed));
                    if closed {
                        this.closure_lag.push(closure_lag(clip, aperture, phone));
                    }
                }
            } else if phones::vowel_openness(&phone.symbol).is_some()
                && !clip.any(|p| phones::is_bilabial(&p.symbol) && p.start < end + 0.06 && p.end > start - 0.06)
            {
                let least = least();
                this.false_closure.push(share(aperture.is_closed(at_centre(phone))));
                this.false_window.push(share(least <= aperture.closed));
                this.closure.push(Labelled { value: -least, positive: false, weight: 1.0 });
            }
        }
        this
    }
}

/// Middle of the closed stretch nearest to the middle of the phone, minus that middle, in milliseconds.
fn closure_lag(clip: &Clip<'_>, aperture: &Aperture, phone: &super::Phone) -> f64 {
    let (from, to) = (clip.at(phone.start - 0.04), clip.at(phone.end + 0.04));
    let target = phone.centre() * GRID_RATE;
    let distance = |index: usize| if aperture.is_closed(index) { (index as f64 - target).abs() } else { 1e9 };
    let mut nearest = from;
    for index in from..=to {
        if distance(index) < distance(nearest) {
            nearest = index;
        }
    }
    let reach = 0.2 * GRID_RATE;
    let (mut left, mut right) = (nearest, nearest);
    while left > 0 && aperture.is_closed(left - 1) && ((nearest - left) as f64) < reach {
        left -= 1;
    }
    while right + 1 < clip.count && aperture.is_closed(right + 1) && ((right - nearest) as f64) < reach {
        right += 1;
    }
    ((left + right) as f64 / 2.0 / GRID_RATE - phone.centre()) * 1e3
}
