//! One clip: what the mouth does at every phone that asks something of it.

use super::phones;
use super::statistics::{Labelled, mean, median, percentile, smoothed};
use super::{Alignment, ChannelCurves, Phone};
use crate::animation::FaceChannel as C;

/// Samples per second of the grid that every track is resampled to.
pub(super) const GRID_RATE: f64 = 200.0;
/// Greatest lag that is looked for, in grid samples: 300 ms.
pub(super) const MAX_LAG: usize = 60;
const CLOSED_SHARE: f64 = 0.15;
const CLOSED_FLOOR: f64 = 0.02;

/// Everything that was seen in one clip. Several of them pool into a [`Score`](super::Score).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ClipEvents {
    pub(super) recall: Vec<f64>,
    pub(super) inner: Vec<f64>,
    pub(super) false_closure: Vec<f64>,
    pub(super) false_window: Vec<f64>,
    pub(super) closure: Vec<Labelled>,
    pub(super) closure_lag: Vec<f64>,
    pub(super) vowels: Vec<(f64, f64)>,
    pub(super) labiodental: Vec<f64>,
    pub(super) labiodental_dip: Vec<f64>,
    pub(super) labiodental_other: Vec<f64>,
    pub(super) rounding: Vec<Labelled>,
    pub(super) spread: Vec<Labelled>,
    /// Per shift: sums of aperture x openness, aperture squared, openness squared.
    pub(super) shifted: Vec<[f64; 3]>,
    pub(super) silence_squares: f64,
    pub(super) silence_level: f64,
    pub(super) silence_count: usize,
    pub(super) range: f64,
    pub(super) high: f64,
    pub(super) jerk: f64,
    pub(super) duration: f64,
}

struct Clip<'a> {
    phones: &'a [Phone],
    count: usize,
    end: f64,
    aperture: Vec<f64>,
    threshold: f64,
}

impl Clip<'_> {
    fn at(&self, seconds: f64) -> usize {
        ((seconds * GRID_RATE).round_ties_even().max(0.0) as usize).min(self.count - 1)
    }

    fn least(&self, from: f64, to: f64) -> f64 {
        let (from, to) = (self.at(from), self.at(to));
        self.aperture[from..=to.max(from)].iter().copied().fold(f64::INFINITY, f64::min)
    }

    fn any(&self, test: impl Fn(&Phone) -> bool) -> bool {
        self.phones.iter().any(test)
    }

    fn vowels(&self) -> impl Iterator<Item = (&Phone, f64)> {
        self.phones.iter().filter_map(|phone| Some((phone, phones::vowel_openness(&phone.symbol)?)))
    }

    /// Mean over the middle half of a phone.
    fn middle(&self, curve: &[f64], phone: &Phone) -> f64 {
        let quarter = phone.duration() / 4.0;
        let (from, to) = (self.at(phone.start + quarter), self.at(phone.end - quarter));
        mean(&curve[from..=to.max(from)]).unwrap_or(0.0)
    }
}

impl ClipEvents {
    /// Looks at a track of what `alignment` says. `shift` is by how many seconds the mouth is taken to be late: the
    /// track is moved earlier by it.
    pub fn measure(alignment: &Alignment, track: &ChannelCurves, shift: f64) -> Self {
        let end = alignment.end();
        let count = (end * GRID_RATE).ceil() as usize + 1;
        let curve = |channel: C| track.resampled(channel, GRID_RATE, count, shift);
        let aperture = aperture(&curve, count);
        let high = percentile(&aperture, 95.0).unwrap_or(0.0);
        let threshold = (CLOSED_SHARE * high).max(CLOSED_FLOOR);
        let clip = Clip { phones: &alignment.phones, count, end, aperture, threshold };
        let mut this = Self {
            high,
            range: high - percentile(&clip.aperture, 5.0).unwrap_or(0.0),
            duration: end,
            vowels: clip.vowels().map(|(vowel, openness)| (clip.aperture[clip.at(vowel.centre())], openness)).collect(),
            ..Self::default()
        };
        this.see_closures(&clip);
        this.see_labiodentals(&clip, &curve(C::MouthRollLower));
        this.see_lip_shapes(&clip, &curve);
        this.shifted = shifted_sums(&clip.aperture, &openness_curve(&alignment.phones, count));
        this.see_silences(&clip);
        this.jerk = jerk(&clip, this.range);
        this
    }

    fn see_closures(&mut self, clip: &Clip<'_>) {
        for phone in clip.phones {
            let (start, end) = (phone.start, phone.end);
            if phones::is_bilabial(&phone.symbol) {
                let least = clip.least(start - 0.04, end + 0.04);
                let hit = f64::from(u8::from(least <= clip.threshold));
                self.recall.push(hit);
                self.closure.push(Labelled { value: -least, positive: true, weight: 1.0 });
                let pause_near = clip
                    .any(|p| p.symbol == "SIL" && p.duration() >= 0.06 && p.start < end + 0.1 && p.end > start - 0.1);
                if !pause_near && start - 0.1 >= 0.0 && end + 0.1 <= clip.end {
                    self.inner.push(hit);
                    if hit > 0.0 {
                        self.closure_lag.push(closure_lag(clip, phone));
                    }
                }
            } else if phones::vowel_openness(&phone.symbol).is_some() {
                let beside =
                    clip.any(|p| phones::is_bilabial(&p.symbol) && p.start < end + 0.06 && p.end > start - 0.06);
                if !beside {
                    let least = clip.least(start - 0.04, end + 0.04);
                    let closed = |aperture: f64| f64::from(u8::from(aperture <= clip.threshold));
                    self.false_closure.push(closed(clip.aperture[clip.at(phone.centre())]));
                    self.false_window.push(closed(least));
                    self.closure.push(Labelled { value: -least, positive: false, weight: 1.0 });
                }
            }
        }
    }

    fn see_labiodentals(&mut self, clip: &Clip<'_>, roll: &[f64]) {
        let at_vowels: Vec<f64> = clip.vowels().map(|(vowel, _)| roll[clip.at(vowel.centre())]).collect();
        let base = median(&at_vowels).unwrap_or(0.0);
        for phone in clip.phones {
            let labiodental = phones::is_labiodental(&phone.symbol);
            if !labiodental && !phones::is_other_obstruent(&phone.symbol) {
                continue;
            }
            let near = neighbouring_vowels(clip, phone);
            let open =
                mean(&near.map(|vowel| clip.aperture[clip.at(vowel.centre())]).collect::<Vec<_>>()).unwrap_or(0.0);
            let (from, to) = (phone.start - 0.02, phone.end + 0.02);
            let dip = open > clip.threshold.max(2.0 * CLOSED_FLOOR) && clip.least(from, to) <= 0.4 * open;
            let rolled = roll[clip.at(from)..=clip.at(to)].iter().copied().fold(0.0, f64::max) >= base + 0.1;
            let hit = f64::from(u8::from(dip || rolled));
            if labiodental {
                self.labiodental_dip.push(f64::from(u8::from(dip)));
                self.labiodental.push(hit);
            } else {
                self.labiodental_other.push(hit);
            }
        }
    }

    fn see_lip_shapes(&mut self, clip: &Clip<'_>, curve: &dyn Fn(C) -> Vec<f64>) {
        let sum = |channels: &[C], factor: f64| {
            let mut total = vec![0.0; clip.count];
            for channel in channels {
                total.iter_mut().zip(curve(*channel)).for_each(|(t, v)| *t += factor * v);
            }
            total
        };
        let round = sum(&[C::MouthPucker, C::MouthFunnel], 1.0);
        let spread = sum(&[C::MouthStretchLeft, C::MouthStretchRight, C::MouthSmileLeft, C::MouthSmileRight], 0.5);
        for (index, phone) in clip.phones.iter().enumerate() {
            let symbol = phone.symbol.as_str();
            let beside = |other: Option<&Phone>| other.is_some_and(|p| phones::rounds_neighbours(&p.symbol));
            let rounded_by_neighbour =
                beside(index.checked_sub(1).map(|i| &clip.phones[i])) || beside(clip.phones.get(index + 1));
            if let Some(weight) = phones::rounding(symbol) {
                self.rounding.push(Labelled { value: clip.middle(&round, phone), positive: true, weight });
            } else if phones::is_unrounded(symbol) && !rounded_by_neighbour {
                self.rounding.push(Labelled { value: clip.middle(&round, phone), positive: false, weight: 1.0 });
            }
            let positive = phones::is_spread(symbol);
            if positive || phones::is_narrow(symbol) {
                self.spread.push(Labelled { value: clip.middle(&spread, phone), positive, weight: 1.0 });
            }
        }
    }

    fn see_silences(&mut self, clip: &Clip<'_>) {
        let mut sum = 0.0;
        for phone in clip.phones.iter().filter(|p| p.symbol == "SIL" && p.duration() >= 0.2 - 1e-9) {
            let (from, to) = (clip.at(phone.start + 0.08), clip.at(phone.end - 0.08));
            let still = &clip.aperture[from..=to.max(from)];
            let level = mean(still).unwrap_or(0.0);
            self.silence_squares += still.iter().map(|v| (v - level).powi(2)).sum::<f64>();
            sum += still.iter().sum::<f64>();
            self.silence_count += still.len();
        }
        self.silence_level = sum / self.high.max(1e-6);
    }
}

fn aperture(curve: &dyn Fn(C) -> Vec<f64>, count: usize) -> Vec<f64> {
    let (jaw, close) = (curve(C::JawOpen), curve(C::MouthClose));
    let mut total: Vec<f64> = jaw.iter().zip(&close).map(|(jaw, close)| (jaw - close).max(0.0)).collect();
    let terms = [
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
    for (channel, factor) in terms {
        total.iter_mut().zip(curve(channel)).for_each(|(t, v)| *t += factor * v);
    }
    debug_assert_eq!(total.len(), count);
    total.iter_mut().for_each(|v| *v = v.max(0.0));
    total
}

/// Middle of the closed stretch nearest to the middle of the phone, minus that middle, in milliseconds.
fn closure_lag(clip: &Clip<'_>, phone: &Phone) -> f64 {
    let (from, to) = (clip.at(phone.start - 0.04), clip.at(phone.end + 0.04));
    let closed = |index: usize| clip.aperture[index] <= clip.threshold;
    let target = phone.centre() * GRID_RATE;
    let distance = |index: usize| if closed(index) { (index as f64 - target).abs() } else { 1e9 };
    let mut nearest = from;
    for index in from..=to {
        if distance(index) < distance(nearest) {
            nearest = index;
        }
    }
    let reach = 0.2 * GRID_RATE;
    let (mut left, mut right) = (nearest, nearest);
    while left > 0 && closed(left - 1) && ((nearest - left) as f64) < reach {
        left -= 1;
    }
    while right + 1 < clip.count && closed(right + 1) && ((right - nearest) as f64) < reach {
        right += 1;
    }
    ((left + right) as f64 / 2.0 / GRID_RATE - phone.centre()) * 1e3
}

/// The vowel before and the vowel after a phone, each within 350 ms.
fn neighbouring_vowels<'a>(clip: &'a Clip<'_>, phone: &Phone) -> impl Iterator<Item = &'a Phone> {
    let (mut before, mut after): (Option<&Phone>, Option<&Phone>) = (None, None);
    for (vowel, _) in clip.vowels() {
        if vowel.end <= phone.start + 1e-6 && phone.start - vowel.end < 0.35 && before.is_none_or(|b| vowel.end > b.end)
        {
            before = Some(vowel);
        }
        if vowel.start >= phone.end - 1e-6
            && vowel.start - phone.end < 0.35
            && after.is_none_or(|a| vowel.start < a.start)
        {
            after = Some(vowel);
        }
    }
    before.into_iter().chain(after)
}

/// How far the mouth should be open, from the phones alone, smoothed with a sigma of 35 ms.
fn openness_curve(phones: &[Phone], count: usize) -> Vec<f64> {
    let mut curve = vec![0.0; count];
    for (index, phone) in phones.iter().enumerate() {
        let value = phones::openness(&phone.symbol)
            .unwrap_or_else(|| phones.get(index + 1).and_then(|next| phones::openness(&next.symbol)).unwrap_or(0.0));
        for (sample, slot) in curve.iter_mut().enumerate() {
            let time = sample as f64 / GRID_RATE;
            if time >= phone.start && time < phone.end {
                *slot = value;
            }
        }
    }
    smoothed(&curve, 0.035 * GRID_RATE)
}

fn shifted_sums(aperture: &[f64], openness: &[f64]) -> Vec<[f64; 3]> {
    let count = aperture.len();
    let lag = MAX_LAG as isize;
    (-lag..=lag)
        .map(|shift| {
            let distance = shift.unsigned_abs().min(count);
            let (x, y) = if shift >= 0 {
                (&aperture[distance..], &openness[..count - distance])
            } else {
                (&aperture[..count - distance], &openness[distance..])
            };
            let (mean_x, mean_y) = (mean(x).unwrap_or(0.0), mean(y).unwrap_or(0.0));
            x.iter().zip(y).fold([0.0; 3], |sums, (x, y)| {
                let (x, y) = (x - mean_x, y - mean_y);
                [sums[0] + x * y, sums[1] + x * x, sums[2] + y * y]
            })
        })
        .collect()
}

/// Root mean square of the second difference of the aperture at 60 Hz, relative to its range.
fn jerk(clip: &Clip<'_>, range: f64) -> f64 {
    let frames = (clip.end * 60.0).ceil() as usize;
    let sampled: Vec<f64> = (0..frames)
        .map(|frame| {
            let position = frame as f64 / 60.0 * GRID_RATE;
            let left = (position.floor() as usize).min(clip.count - 1);
            let right = (left + 1).min(clip.count - 1);
            clip.aperture[left] + (clip.aperture[right] - clip.aperture[left]) * (position - left as f64)
        })
        .collect();
    let squares: Vec<f64> = sampled.windows(3).map(|w| (w[2] - 2.0 * w[1] + w[0]).powi(2)).collect();
    mean(&squares).unwrap_or(0.0).sqrt() / range.max(1e-3)
}
