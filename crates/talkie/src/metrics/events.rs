//! One clip: what the mouth does at every phone that asks something of it.

use super::alignment::LONGEST_SECONDS;
use super::aperture::{Aperture, ApertureEvents, CLOSED_FLOOR, from_channels};
use super::phones;
use super::statistics::{Labelled, mean, median, smoothed};
use super::{Alignment, ChannelCurves, LipMesh, Phone};
use crate::animation::FaceChannel as C;

/// Samples per second of the grid that every track is resampled to.
pub(super) const GRID_RATE: f64 = 200.0;
/// Greatest lag that is looked for, in grid samples: 300 ms.
pub(super) const MAX_LAG: usize = 60;

/// Everything that was seen in one clip. Several of them pool into a [`Score`](super::Score).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ClipEvents {
    /// In units of `jawOpen`.
    pub(super) mouth: ApertureEvents,
    /// The same in millimetres on the lips of a head.
    pub(super) lips: Option<ApertureEvents>,
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
    pub(super) jerk: f64,
    pub(super) duration: f64,
}

/// The phones of a clip on the grid.
pub(super) struct Clip<'a> {
    pub(super) phones: &'a [Phone],
    pub(super) count: usize,
    pub(super) end: f64,
}

impl<'a> Clip<'a> {
    fn new(alignment: &'a Alignment) -> Self {
        let end = alignment.end().min(LONGEST_SECONDS);
        Self { phones: &alignment.phones, count: (end * GRID_RATE).ceil() as usize + 1, end }
    }
}

impl Clip<'_> {
    pub(super) fn at(&self, seconds: f64) -> usize {
        ((seconds * GRID_RATE).round_ties_even().max(0.0) as usize).min(self.count - 1)
    }

    /// The samples from one moment to another, both included.
    pub(super) fn within<'a>(&self, curve: &'a [f64], from: f64, to: f64) -> &'a [f64] {
        let (from, to) = (self.at(from), self.at(to));
        &curve[from..=to.max(from)]
    }

    pub(super) fn any(&self, test: impl Fn(&Phone) -> bool) -> bool {
        self.phones.iter().any(test)
    }

    pub(super) fn vowels(&self) -> impl Iterator<Item = (&Phone, f64)> {
        self.phones.iter().filter_map(|phone| Some((phone, phones::vowel_openness(&phone.symbol)?)))
    }

    /// Mean over the middle half of a phone.
    fn middle(&self, curve: &[f64], phone: &Phone) -> f64 {
        let quarter = phone.duration() / 4.0;
        mean(self.within(curve, phone.start + quarter, phone.end - quarter)).unwrap_or(0.0)
    }
}

impl ClipEvents {
    /// Looks at a track of what `alignment` says. `shift` is by how many seconds the mouth is taken to be late: the
    /// track is moved earlier by it.
    pub fn measure(alignment: &Alignment, track: &ChannelCurves, shift: f64) -> Self {
        let clip = Clip::new(alignment);
        let curve = |channel: C| track.resampled(channel, GRID_RATE, clip.count, shift);
        let mouth = Aperture::relative(from_channels(&curve));
        let mut this = Self { mouth: ApertureEvents::see(&clip, &mouth), duration: clip.end, ..Self::default() };
        this.see_labiodentals(&clip, &mouth, &curve(C::MouthRollLower));
        this.see_lip_shapes(&clip, &curve);
        this.shifted = shifted_sums(&mouth.values, &openness_curve(&alignment.phones, clip.count));
        this.see_silences(&clip, &mouth);
        this.jerk = jerk(&clip, &mouth.values, this.mouth.range);
        this
    }

    /// As [`measure`](Self::measure), and looks at the lips of a head too. They are closed where the inner lips are at
    /// most `closed_mm` millimetres further apart than at rest; [`CLOSED_MM`](super::CLOSED_MM) is usual.
    pub fn measure_on(
        lips: &LipMesh,
        closed_mm: f64,
        alignment: &Alignment,
        track: &ChannelCurves,
        shift: f64,
    ) -> Self {
        let clip = Clip::new(alignment);
        let values = lips.aperture_curve(track, GRID_RATE, clip.count, shift);
        let lips = ApertureEvents::see(&clip, &Aperture { values, closed: closed_mm });
        Self { lips: Some(lips), ..Self::measure(alignment, track, shift) }
    }

    fn see_labiodentals(&mut self, clip: &Clip<'_>, mouth: &Aperture, roll: &[f64]) {
        let at_vowels: Vec<f64> = clip.vowels().map(|(vowel, _)| roll[clip.at(vowel.centre())]).collect();
        let base = median(&at_vowels).unwrap_or(0.0);
        for phone in clip.phones {
            let labiodental = phones::is_labiodental(&phone.symbol);
            if !labiodental && !phones::is_other_obstruent(&phone.symbol) {
                continue;
            }
            let near = neighbouring_vowels(clip, phone);
            let open =
                mean(&near.map(|vowel| mouth.values[clip.at(vowel.centre())]).collect::<Vec<_>>()).unwrap_or(0.0);
            let (from, to) = (phone.start - 0.02, phone.end + 0.02);
            let dip = open > mouth.closed.max(2.0 * CLOSED_FLOOR) && mouth.least(clip, from, to) <= 0.4 * open;
            let rolled = clip.within(roll, from, to).iter().copied().fold(f64::NEG_INFINITY, f64::max) >= base + 0.1;
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

    fn see_silences(&mut self, clip: &Clip<'_>, mouth: &Aperture) {
        let mut sum = 0.0;
        for phone in clip.phones.iter().filter(|p| p.symbol == "SIL" && p.duration() >= 0.2 - 1e-9) {
            let still = clip.within(&mouth.values, phone.start + 0.08, phone.end - 0.08);
            let level = mean(still).unwrap_or(0.0);
            self.silence_squares += still.iter().map(|v| (v - level).powi(2)).sum::<f64>();
            sum += still.iter().sum::<f64>();
            self.silence_count += still.len();
        }
        self.silence_level = sum / self.mouth.high.max(1e-6);
    }
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
        // A sample more on either side, so that rounding cannot lose one.
        let from = (phone.start * GRID_RATE) as usize;
        let to = (phone.end * GRID_RATE) as usize + 2;
        for (sample, slot) in curve.iter_mut().enumerate().take(to).skip(from.saturating_sub(1)) {
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
fn jerk(clip: &Clip<'_>, aperture: &[f64], range: f64) -> f64 {
    let frames = (clip.end * 60.0).ceil() as usize;
    let sampled: Vec<f64> = (0..frames)
        .map(|frame| {
            let position = frame as f64 / 60.0 * GRID_RATE;
            let left = (position.floor() as usize).min(clip.count - 1);
            let right = (left + 1).min(clip.count - 1);
            aperture[left] + (aperture[right] - aperture[left]) * (position - left as f64)
        })
        .collect();
    let squares: Vec<f64> = sampled.windows(3).map(|w| (w[2] - 2.0 * w[1] + w[0]).powi(2)).collect();
    mean(&squares).unwrap_or(0.0).sqrt() / range.max(1e-3)
}
