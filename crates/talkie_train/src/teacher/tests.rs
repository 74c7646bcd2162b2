use talkie::metrics::Phone;

use super::{Lesson, Motion, Prosody, Teacher};

fn phones(symbols: &[&str], length: f64) -> Vec<Phone> {
    symbols
        .iter()
        .enumerate()
        .map(|(index, symbol)| Phone {
            symbol: (*symbol).into(),
            start: index as f64 * length,
            end: (index + 1) as f64 * length,
        })
        .collect()
}

fn opening(lesson: &Lesson) -> f32 {
    lesson.motion(Motion::JawOpen) - lesson.motion(Motion::Close)
}

#[test]
fn lips_are_together_on_bilabials_and_only_there() {
    for stop in ["P", "B", "M"] {
        let teacher = Teacher::new(&phones(&["AA", stop, "AA"], 0.08));
        assert!(opening(&teacher.at(0.12)).abs() < 1e-3, "{stop}");
        assert!(opening(&teacher.at(0.04)) > 0.3, "{stop}");
        assert!(teacher.at(0.12).closure > 0.99 && teacher.at(0.02).closure < 0.1, "{stop}");
    }
    let teacher = Teacher::new(&phones(&["AA", "T", "AA"], 0.08));
    assert!(opening(&teacher.at(0.12)) > 0.08);
}

#[test]
fn the_face_rests_in_silence_and_before_and_after() {
    let teacher = Teacher::new(&phones(&["SIL", "AA", "SIL"], 0.4));
    for time in [-3.0, 0.05, 1.1, 9.0] {
        let lesson = teacher.at(time);
        assert!(lesson.motions.iter().all(|value| *value < 0.02), "{time} s: {lesson:?}");
        assert!(lesson.silence > 0.95, "{time} s");
    }
    assert!(teacher.at(0.6).silence < 0.05);
}

#[test]
fn every_pose_is_bounded() {
    let symbols = ["UW", "B", "W", "AA", "F", "SH", "HH", "IY", "M", "??", "TH", "OY", "R", "AW", "K", "L", "P"];
    for length in [0.02, 0.05, 0.1, 0.3] {
        let teacher = Teacher::new(&phones(&symbols, length));
        for lesson in teacher.curve(-0.5, 0.01, 600) {
            assert!(lesson.motions.iter().all(|value| (0.0..=1.0).contains(value)), "{lesson:?}");
            assert!(opening(&lesson) >= -1e-6);
            assert!(lesson.motion(Motion::JawOpen) <= 0.6, "no shouting: {lesson:?}");
        }
    }
}

#[test]
fn rounding_comes_ahead_of_its_vowel() {
    let teacher = Teacher::new(&phones(&["SIL", "S", "T", "UW", "T", "S", "SIL"], 0.1));
    let pucker = |time: f64| teacher.at(time).motion(Motion::Pucker);
    assert!(pucker(0.25) > 0.3, "80 ms before the vowel: {}", pucker(0.25));
    assert!(pucker(0.25) > pucker(0.45) + 0.02, "earlier than it lingers");
}

#[test]
fn wide_vowels_open_wider_and_spread_ones_spread() {
    let at = |vowel: &str, motion: Motion| Teacher::new(&phones(&["T", vowel, "T"], 0.12)).at(0.18).motion(motion);
    let heights: Vec<f32> = ["AA", "AH", "IH", "IY"].iter().map(|vowel| at(vowel, Motion::JawOpen)).collect();
    assert!(heights.windows(2).all(|pair| pair[0] > pair[1] + 0.03), "{heights:?}");
    assert!(at("IY", Motion::Stretch) > at("UW", Motion::Stretch) + 0.2);
    assert!(at("UW", Motion::Pucker) > at("IY", Motion::Pucker) + 0.4);
}

#[test]
fn an_r_leaves_the_vowel_before_it_its_jaw() {
    let jaw = |symbols: &[&str], time: f64| Teacher::new(&phones(symbols, 0.08)).at(time).motion(Motion::JawOpen);
    let (after, before) = (jaw(&["T", "AA", "R", "T"], 0.18), jaw(&["T", "R", "AA", "T"], 0.14));
    assert!(after > before + 0.05, "{after} after and {before} before the vowel");
    assert!(jaw(&["T", "AA", "R", "T"], 0.12) > 0.35);
}

#[test]
fn tucks_and_tongues() {
    let middle =
        |symbol: &str, motion: Motion| Teacher::new(&phones(&["AA", symbol, "AA"], 0.09)).at(0.135).motion(motion);
    assert!(middle("F", Motion::RollLower) > 0.4);
    assert!(middle("T", Motion::TipUp) > 0.5);
    assert!(middle("K", Motion::TongueUp) > 0.5);
    assert!(middle("TH", Motion::TongueOut) > 0.12);
}

#[test]
fn motion_is_smooth() {
    let teacher = Teacher::new(&phones(&["SIL", "HH", "AH", "L", "OW", "W", "ER", "L", "D", "SIL"], 0.09));
    let curve = teacher.curve(0.0, 0.005, 200);
    for pair in curve.windows(2) {
        for (before, after) in pair[0].motions.iter().zip(&pair[1].motions) {
            assert!((after - before).abs() < 0.1, "{before} to {after} within 5 ms");
        }
    }
}

#[test]
fn brows_rise_to_an_accent_and_sink_after_it() {
    let plain = |phone: Phone| (phone, Prosody::PLAIN);
    let mut said: Vec<_> = phones(&["SIL", "D", "AA", "N", "D", "IH", "D"], 0.12).into_iter().map(plain).collect();
    let brow = |said: &[(Phone, Prosody)], time: f64| Teacher::with_prosody(said).at(time).motion(Motion::BrowUp);
    assert_eq!(brow(&said, 0.3), 0.0, "nothing stands out");
    said[2].1.accent = 0.8;
    assert!((brow(&said, 0.3) - 0.48).abs() < 1e-3);
    assert!(brow(&said, 0.2) > 0.1 && brow(&said, 0.05) == 0.0, "they rise ahead of the vowel");
    assert!(brow(&said, 0.5) > 0.1 && brow(&said, 0.8) == 0.0, "and sink slowly");
}
