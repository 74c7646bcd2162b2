//! The score on mouths whose quality is known: perfect, closed, open, late, early, noise.

use super::statistics::smoothed;
use super::*;
use crate::animation::FaceChannel as C;

/// A small repeatable source of numbers (Vigna's splitmix64).
struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) as f64 / u64::MAX as f64
    }

    fn choice<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[((self.unit() * from.len() as f64) as usize).min(from.len() - 1)]
    }
}

const VOWELS: [&str; 15] = ["AA", "AE", "AW", "AY", "AO", "AH", "EH", "OY", "EY", "OW", "ER", "IH", "UH", "IY", "UW"];
const CONSONANTS: [&str; 24] = [
    "P", "B", "M", "F", "V", "S", "Z", "SH", "ZH", "CH", "JH", "TH", "DH", "T", "D", "N", "L", "R", "W", "Y", "K", "G",
    "NG", "HH",
];

fn clip(random: &mut Random) -> Alignment {
    let mut phones = vec![Phone { symbol: "SIL".into(), start: 0.0, end: 0.4 }];
    let mut time = 0.4;
    let mut push = |symbol: &str, length: f64| {
        let end = ((time + length) * 1e3).round() / 1e3;
        phones.push(Phone { symbol: symbol.into(), start: time, end });
        time = end;
    };
    for word in 0..14 {
        for choice in [&CONSONANTS[..], &VOWELS[..], &["P", "B", "M", "F", "S", "W", "T"][..], &VOWELS[..]] {
            let length = 0.07 + 0.07 * random.unit();
            push(random.choice(choice), length);
        }
        if word % 5 == 4 {
            push("SIL", 0.4);
        }
    }
    push("SIL", 0.3);
    Alignment { phones, ..Alignment::default() }
}

fn clips() -> Vec<Alignment> {
    let mut random = Random(7);
    (0..4).map(|_| clip(&mut random)).collect()
}

/// A mouth that does exactly what the phones ask, `delay` seconds late.
fn perfect(said: &Alignment, delay: f64) -> Vec<(C, Vec<f64>)> {
    let count = (said.end() * 200.0) as usize + 1;
    let mut columns =
        [C::JawOpen, C::MouthRollLower, C::MouthPucker, C::MouthStretchLeft].map(|c| (c, vec![0.0; count]));
    for (index, phone) in said.phones.iter().enumerate() {
        let open = phones::openness(&phone.symbol)
            .or_else(|| phones::openness(&said.phones.get(index + 1)?.symbol))
            .unwrap_or(0.0);
        let spread = phones::is_spread(&phone.symbol);
        let values = [
            open,
            if phones::is_labiodental(&phone.symbol) { 0.6 } else { 0.0 },
            0.8 * phones::rounding(&phone.symbol).unwrap_or(0.0),
            if spread { 0.4 } else { 0.0 },
        ];
        for sample in 0..count {
            let time = sample as f64 / 200.0 - delay;
            if time >= phone.start && time < phone.end {
                columns.iter_mut().zip(values).for_each(|((_, column), value)| column[sample] = value);
            }
        }
    }
    let mut columns: Vec<_> = columns.into_iter().map(|(c, values)| (c, smoothed(&values, 4.0))).collect();
    columns.push((C::MouthStretchRight, columns[3].1.clone()));
    columns
}

fn curves(columns: Vec<(C, Vec<f64>)>) -> ChannelCurves {
    let count = columns[0].1.len();
    let times = (0..count).map(|i| i as f64 / 200.0).collect();
    let columns = columns.into_iter().map(|(c, v)| (c, v.into_iter().map(|x| x as f32).collect())).collect();
    ChannelCurves::new(times, columns).expect("well-formed curves")
}

fn score(make: impl Fn(&Alignment) -> ChannelCurves, shift: f64) -> Score {
    let events: Vec<_> = clips().iter().map(|said| ClipEvents::measure(said, &make(said), shift)).collect();
    Score::pooled(&events)
}

fn constant(value: f32) -> Score {
    score(
        |said| {
            ChannelCurves::new(vec![0.0, said.end()], vec![(C::JawOpen, vec![value; 2])]).expect("well-formed curves")
        },
        0.0,
    )
}

fn near(value: Option<f64>, expected: f64, tolerance: f64) -> bool {
    value.is_some_and(|value| (value - expected).abs() <= tolerance)
}

fn above(value: Option<f64>, least: f64) -> bool {
    value.is_some_and(|value| value > least)
}

#[test]
fn a_perfect_mouth_scores_best() {
    let p = score(|said| curves(perfect(said, 0.0)), 0.0);
    assert_eq!((p.bilabial_recall, p.bilabial_inner, p.labiodental), (Some(1.0), Some(1.0), Some(1.0)));
    assert!(p.false_closure.is_some_and(|v| v < 0.05) && above(p.closure_auc, 0.95), "{p:?}");
    assert!(near(p.closure_lag, 0.0, 12.0) && near(p.lag_ms, 0.0, 8.0), "{p:?}");
    assert!(above(p.vowel_r, 0.9) && above(p.rounding_auc, 0.95) && above(p.spread_auc, 0.95), "{p:?}");
    assert!(near(p.sil_std, 0.0, 0.01) && near(p.sil_level, 0.0, 0.02) && p.range > 0.6, "{p:?}");
}

#[test]
fn a_mouth_that_never_opens_is_worth_nothing() {
    let c = constant(0.0);
    assert_eq!((c.bilabial_recall, c.false_closure, c.false_window), (Some(1.0), Some(1.0), Some(1.0)));
    assert!(near(c.closure_auc, 0.5, 1e-6) && near(c.rounding_auc, 0.5, 1e-6));
    assert_eq!((c.vowel_r, c.labiodental, c.range, c.lag_ms), (Some(0.0), Some(0.0), 0.0, None));
}

#[test]
fn a_mouth_that_never_closes_is_worth_nothing() {
    let o = constant(0.5);
    assert_eq!((o.bilabial_recall, o.false_closure, o.labiodental), (Some(0.0), Some(0.0), Some(0.0)));
    assert!(near(o.closure_auc, 0.5, 1e-6) && above(o.sil_level, 0.9));
}

#[test]
fn lateness_is_found_and_costs() {
    let p = score(|said| curves(perfect(said, 0.0)), 0.0);
    let l = score(|said| curves(perfect(said, 0.1)), 0.0);
    assert!(near(l.lag_ms, 100.0, 8.0), "{l:?}");
    assert!(l.vowel_r < Some(0.4) && above(l.closure_lag, 50.0) && above(l.false_closure, 0.15), "{l:?}");
    assert!(l.closure_auc < p.closure_auc.map(|v| v - 0.05) && l.rounding_auc < p.rounding_auc.map(|v| v - 0.1));
    assert!((l.track_r - p.track_r).abs() < 0.03 && l.track_r0 < 0.5 * l.track_r);
    let compensated = score(|said| curves(perfect(said, 0.1)), 0.1);
    assert!(compensated.bilabial_recall == Some(1.0) && near(compensated.lag_ms, 0.0, 8.0));
    assert!(near(score(|said| curves(perfect(said, -0.06)), 0.0).lag_ms, -60.0, 8.0));
}

#[test]
fn noise_carries_no_information() {
    let z = score(
        |said| {
            let mut random = Random(said.end().to_bits());
            let count = (said.end() * 60.0) as usize;
            let mut wild = || (0..count).map(|_| random.unit() as f32).collect::<Vec<_>>();
            let columns = vec![(C::JawOpen, wild()), (C::MouthPucker, wild())];
            ChannelCurves::new((0..count).map(|i| i as f64 / 60.0).collect(), columns).expect("well-formed curves")
        },
        0.0,
    );
    let p = score(|said| curves(perfect(said, 0.0)), 0.0);
    assert!(near(z.vowel_r, 0.0, 0.3) && near(z.rounding_auc, 0.5, 0.15) && z.track_r < 0.4, "{z:?}");
    assert!(near(z.closure_auc, 0.5, 0.15) && above(z.sil_std, 0.05) && z.jerk > 3.0 * p.jerk, "{z:?}");
}

#[test]
fn mouth_close_cancels_the_jaw() {
    let held_open = |said: &Alignment, close: bool| {
        let mut columns = perfect(said, 0.0);
        let closed = columns[0].1.iter().map(|jaw| if *jaw < 0.05 { 1.0 } else { 0.0 }).collect::<Vec<_>>();
        columns[0].1.iter_mut().for_each(|jaw| *jaw = jaw.max(0.35));
        if close {
            let cancel = closed.iter().zip(&columns[0].1).map(|(c, jaw)| c * jaw).collect();
            columns.push((C::MouthClose, cancel));
        }
        curves(columns)
    };
    assert!(above(score(|said| held_open(said, true), 0.0).bilabial_recall, 0.9));
    assert!(score(|said| held_open(said, false), 0.0).bilabial_recall < Some(0.1));
}

#[test]
fn an_inverted_pucker_is_found() {
    let inverted = score(
        |said| {
            let mut columns = perfect(said, 0.0);
            columns[2].1.iter_mut().for_each(|v| *v = 1.0 - *v);
            curves(columns)
        },
        0.0,
    );
    assert!(inverted.rounding_auc < Some(0.05));
}

#[test]
fn broken_input_is_named() {
    let text = |json: &str| Alignment::from_json(json).expect_err("refused").to_string();
    assert!(text("{}").contains("phones"));
    assert!(text(r#"{"phones": []}"#).contains("no phones"));
    assert!(text(r#"{"phones": [["AA", 0.5, 0.2]]}"#).contains("phone 0 (AA)"));
    let columns = vec![(C::JawOpen, vec![0.0; 3])];
    assert_eq!(ChannelCurves::new(vec![0.0], columns.clone()), Err(CurvesError::TooShort { count: 1 }));
    assert_eq!(
        ChannelCurves::new(vec![0.0, 0.1, 0.1], columns.clone()),
        Err(CurvesError::Times { index: 2, time: 0.1 })
    );
    assert_eq!(
        ChannelCurves::new(vec![0.0, 0.1], columns),
        Err(CurvesError::Length { channel: C::JawOpen, values: 3, frames: 2 })
    );
}

#[test]
fn notations_of_csv_say_the_same() {
    let plain = ChannelCurves::from_csv("time,jawOpen,mouthPressLeft\n0,0.1,0.2\n0.5,0.3,0.4\n").expect("a track");
    let expected = vec![(C::JawOpen, vec![0.1, 0.3]), (C::MouthPressLeft, vec![0.2, 0.4])];
    let near = ChannelCurves::new(vec![0.0, 0.5], expected).expect("well-formed curves");
    for channel in [C::JawOpen, C::MouthPressLeft, C::MouthFunnel] {
        let curves = [&plain, &near].map(|curves| curves.resampled(channel, 4.0, 4, 0.0));
        assert!(curves[0].iter().zip(&curves[1]).all(|(a, b)| (a - b).abs() < 1e-7), "{channel}: {curves:?}");
    }
    for text in [
        "\u{feff}frame,T,JAW_OPEN,mouth_press_L,headYaw\n7,0,0.1,0.2,9\n8,0.5,0.3,0.4,9",
        "# a remark\nTimecode , Jaw Open,\"MouthPress.l\"\r\n\r\n0.5,0.3,0.4\r\n0,0.1,0.2\r\n",
        "Time_Seconds,jaw-open,mouthPress-left,mouthFunnel\n0,0.1,0.2,\n0.5,0.3,0.4,NaN\n",
    ] {
        let track = ChannelCurves::from_csv(text).expect("a track");
        assert_eq!(track.times(), plain.times(), "{text}");
        for channel in [C::JawOpen, C::MouthPressLeft, C::MouthFunnel] {
            assert_eq!(track.resampled(channel, 4.0, 4, 0.0), plain.resampled(channel, 4.0, 4, 0.0), "{text}");
        }
    }
}

#[test]
fn broken_csv_is_named() {
    let text = |csv: &str| ChannelCurves::from_csv(csv).expect_err("refused").to_string();
    assert!(text("").contains("no column `time`"));
    assert!(text("frame,jawOpen\n0,0\n1,0").contains("frame"));
    assert!(text("time,mouthClose\n0,0\n1,0").contains("no column `jawOpen`"));
    assert!(text("time,jawOpen\n0,0").contains("a track of 1 frames; at least 2"));
    assert!(text("time,jawOpen\n0,0\n1\n").contains("line 3 has 1 cells for 2 columns"));
    assert!(text("time,jawOpen\n0,0\n1,wide\n").contains("line 3: \"wide\" in column `jawOpen` is not a number"));
    assert!(text("time,jawOpen\n00:00:01:10.2,0\n1,0\n").contains("00:00:01:10.2"));
    assert!(text("time,jawOpen\n0,0\n1,inf\n").contains("inf"));
    assert!(text("time,jawOpen\n0,0\n,0\n").contains("not a number"));
    assert!(text("time,jawOpen\nnan,0\n1,0\n").contains("NaN"));
    assert!(text("time,jawOpen\n0,0\n0,0\n").contains("not after the frame before"));
    assert!(text("time,jawOpen,jaw_open\n0,0,0\n1,0,0\n").contains("jawOpen is given twice"));
}

#[test]
fn times_of_another_unit_are_refused_and_never_counted() {
    let alignment =
        |end: f64| Alignment { phones: vec![Phone { symbol: "AA".into(), start: 0.0, end }], ..Alignment::default() };
    let error = alignment(30_000.0).validate().expect_err("refused").to_string();
    assert!(error.contains("phone 0 (AA) ends at 30000 s") && error.contains("seconds"), "{error}");
    let track = ChannelCurves::new(vec![0.0, 1.0], vec![(C::JawOpen, vec![0.0; 2])]).expect("well-formed curves");
    for end in [0.0, 1e-9] {
        let score = Score::pooled([&ClipEvents::measure(&alignment(end), &track, 0.0)]);
        assert_eq!((score.range, score.jerk, score.n.vowels), (0.0, 0.0, 1));
    }
    assert_eq!(Score::pooled([]).n, EventCounts::default());
}

#[test]
fn live_link_counts_from_its_first_row() {
    let csv = "Timecode,BlendShapeCount,EyeBlinkLeft,JawOpen,MouthSmile_R,HeadYaw\n\
               10:00:00:30.000,61,0.1,0.0,0.4,0.0\n10:00:01:00.500,61,0.1,0.4,0.4,0.0\n";
    let curves = ChannelCurves::from_csv(csv).expect("a valid table");
    assert!(curves.times()[0] == 0.0 && (curves.end() - 30.5 / 60.0).abs() < 1e-6);
    let names: Vec<_> = curves.channels().map(C::name).collect();
    assert_eq!(names, ["eyeBlinkLeft", "jawOpen", "mouthSmileRight"]);
    let wrong = ChannelCurves::from_csv("Timecode,JawOpen\n10:11,0\n10:12,0\n").expect_err("no time code");
    assert!(wrong.to_string().contains("10:11"), "{wrong}");
}
