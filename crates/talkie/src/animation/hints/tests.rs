//! Lips that close because they are told to.

use proptest::prelude::*;

use super::*;
use crate::animation::{CHANNEL_COUNT, FaceChannel, FrameRate};
use crate::metrics::{Alignment, ChannelCurves, ClipEvents, Phone, Score};

fn hint(start_seconds: f64, end_seconds: f64, kind: HintKind) -> SpeechHint {
    SpeechHint { start_seconds, end_seconds, kind }
}

fn phone(symbol: &str) -> HintKind {
    HintKind::Phone(symbol.into())
}

fn hints(list: &[SpeechHint]) -> SpeechHints {
    let mut hints = SpeechHints::default();
    list.iter().for_each(|hint| hints.push(hint).unwrap());
    hints
}

fn open() -> FacePose {
    let mut pose = FacePose::REST;
    pose.set(FaceChannel::JawOpen, 0.5);
    pose
}

/// What a hint does to an open mouth in its middle.
fn lips_of(kind: HintKind) -> Option<Lips> {
    let mut pose = open();
    hints(&[hint(1.0, 1.1, kind)]).apply(1.05, &mut pose);
    if lip_opening(&pose) == 0.0 {
        Some(Lips::Closed)
    } else if pose.weight(FaceChannel::MouthRollLower) == 0.6 {
        Some(Lips::AtTeeth)
    } else {
        assert_eq!(pose, open());
        None
    }
}

#[test]
fn phones_of_both_alphabets_and_all_sets_of_visemes_are_understood() {
    for closed in ["P", "B", "M", "p", "b", "m", "pʰ", "ˈb", "mː", "m̩", "EM0", " P "] {
        assert_eq!(lips_of(phone(closed)), Some(Lips::Closed), "{closed}");
    }
    for teeth in ["F", "V", "f", "v", "ɱ", "fː"] {
        assert_eq!(lips_of(phone(teeth)), Some(Lips::AtTeeth), "{teeth}");
    }
    for other in ["AA1", "AH0", "T", "SIL", "", "n", "ʃ", "pf2x"] {
        assert_eq!(lips_of(phone(other)), None, "{other}");
    }
    for id in 0..=u8::MAX {
        let wanted = match id {
            21 => Some(Lips::Closed),
            18 => Some(Lips::AtTeeth),
            _ => None,
        };
        assert_eq!(lips_of(HintKind::Viseme(Viseme::Azure(id))), wanted, "{id}");
    }
    for (name, wanted) in [
        ("PP", Some(Lips::Closed)),
        ("viseme_PP", Some(Lips::Closed)),
        ("FF", Some(Lips::AtTeeth)),
        ("sil", None),
        ("aa", None),
    ] {
        assert_eq!(lips_of(HintKind::Viseme(Viseme::Oculus(name.into()))), wanted, "{name}");
    }
    for (name, wanted) in [("p", Some(Lips::Closed)), ("f", Some(Lips::AtTeeth)), ("T", None), ("sil", None)] {
        assert_eq!(lips_of(HintKind::Viseme(Viseme::Polly(name.into()))), wanted, "{name}");
    }
}

#[test]
fn times_without_sense_are_refused_by_name() {
    let mut hints = SpeechHints::default();
    let mut refused = |start, end| hints.push(&hint(start, end, phone("P"))).unwrap_err();
    assert_eq!(refused(2.0, 1.0), HintError::Reversed { start: 2.0, end: 1.0 });
    assert!(matches!(refused(f64::NAN, 1.0), HintError::NotFinite { name: "start_seconds", .. }));
    assert_eq!(refused(0.0, f64::INFINITY), HintError::NotFinite { name: "end_seconds", value: f64::INFINITY });
    assert!(hints.is_empty());
}

#[test]
fn the_shortest_hint_shows_in_a_frame_wherever_frames_fall() {
    let hints = hints(&[hint(1.0, 1.0, phone("B"))]);
    for phase in 0..17 {
        let closed = (0..120).any(|frame| {
            let mut pose = open();
            hints.apply(f64::from(phase) * 0.001 + f64::from(frame) / 60.0, &mut pose);
            lip_opening(&pose) == 0.0
        });
        assert!(closed, "{phase} ms");
    }
}

#[test]
fn edges_are_eased() {
    let hints = hints(&[hint(1.0, 1.1, phone("M"))]);
    let opening = |seconds| {
        let mut pose = open();
        hints.apply(seconds, &mut pose);
        lip_opening(&pose)
    };
    let curve: Vec<f64> = (0..=60).map(|step| opening(0.95 + f64::from(step) * 0.001)).collect();
    assert!(curve.windows(2).all(|pair| pair[1] <= pair[0] && pair[0] - pair[1] < 0.025), "{curve:?}");
    assert!((opening(0.98) - 0.25).abs() < 1e-6 && (opening(1.12) - 0.25).abs() < 1e-6, "half way at 20 ms");
}

#[test]
fn where_both_are_asked_for_closing_wins() {
    let hints = hints(&[hint(1.0, 1.2, phone("F")), hint(1.1, 1.3, phone("M"))]);
    let mut pose = open();
    hints.apply(1.15, &mut pose);
    assert_eq!(lip_opening(&pose), 0.0);
    let mut teeth = open();
    hints.apply(1.05, &mut teeth);
    assert_eq!(teeth.weight(FaceChannel::MouthRollLower), 0.6);
}

#[test]
fn a_nonsense_moment_changes_nothing() {
    let mut hints = hints(&[hint(1.0, 1.2, phone("F"))]);
    let before = hints.clone();
    hints.forget_before(f64::NAN);
    assert_eq!(hints, before);
    for seconds in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -5.0] {
        let mut pose = open();
        hints.apply(seconds, &mut pose);
        assert_eq!(pose, open());
    }
}

/// A mouth that dips at these times, at 60 frames a second.
fn dipping(dips: &[f64], end: f64) -> FaceTrack {
    let rate = FrameRate::per_second(60);
    let mut track = FaceTrack::new(rate);
    for frame in 0..(end * 60.0) as u64 {
        let mut pose = FacePose::REST;
        let dip = dips.iter().map(|dip| (-((rate.seconds(frame) - dip) / 0.025).powi(2)).exp()).fold(0.0, f64::max);
        pose.set(FaceChannel::JawOpen, (0.5 - 0.4 * dip) as f32);
        track.push(pose);
    }
    track
}

/// The middles of the stretches for which the lips are held.
fn held(hints: &SpeechHints) -> Vec<(Lips, f64)> {
    let mut found: Vec<(Lips, f64, f64)> = Vec::new();
    for millisecond in 0..3_000 {
        let seconds = f64::from(millisecond) * 0.001;
        let mut pose = open();
        hints.apply(seconds, &mut pose);
        let lips = match pose.weight(FaceChannel::MouthRollLower) {
            _ if lip_opening(&pose) == 0.0 => Lips::Closed,
            0.6 => Lips::AtTeeth,
            _ => continue,
        };
        match found.last_mut() {
            Some((last, _, end)) if *last == lips && seconds - *end < 0.0015 => *end = seconds,
            _ => found.push((lips, seconds, seconds)),
        }
    }
    found.into_iter().map(|(lips, start, end)| (lips, 0.5 * (start + end))).collect()
}

#[test]
fn letters_of_words_snap_to_where_the_mouth_nearly_closes() {
    let (closed, teeth) = (Lips::Closed, Lips::AtTeeth);
    for (word, wanted) in [
        ("maybe", &[(closed, 1.02), (closed, 1.24)][..]),
        ("apple", &[(closed, 1.11)]),
        ("lamp", &[(closed, 1.34)]),
        ("comb", &[(closed, 1.38)]),
        ("psalm", &[(closed, 1.37)]),
        ("debt", &[]),
        ("phone", &[(teeth, 1.03)]),
    ] {
        let mut hints = hints(&[hint(1.0, 1.4, HintKind::Word(word.into()))]);
        assert_eq!(held(&hints), [], "{word} is not placed yet");
        // Another dip close by belongs to the next word.
        let dips: Vec<f64> = wanted.iter().map(|(_, at)| *at).chain([0.95, 1.45]).collect();
        hints.resolve(&dipping(&dips, 2.0));
        assert!(!hints.is_waiting());
        let found = held(&hints);
        assert_eq!(found.len(), wanted.len(), "{word}: {found:?}");
        for (found, wanted) in found.iter().zip(wanted) {
            assert!(found.0 == wanted.0 && (found.1 - wanted.1).abs() < 0.01, "{word}: {found:?}, not {wanted:?}");
        }
    }
}

#[test]
fn a_word_is_placed_as_the_track_grows_and_the_last_one_at_its_end() {
    let mut hints = hints(&[hint(1.0, 1.4, HintKind::Word("maybe".into()))]);
    let dips = [1.02, 1.24];
    let mut counts = Vec::new();
    for end in [1.0, 1.15, 1.3, 1.36, 1.4] {
        hints.resolve(&dipping(&dips, end));
        counts.push(held(&hints).len());
    }
    assert_eq!(counts, [0, 1, 1, 2, 2]);
    // The track of a speech may end a part of a frame before its last word does.
    let mut last = self::hints(&[hint(1.0, 1.41, HintKind::Word("up".into()))]);
    last.resolve(&dipping(&[1.38], 1.4));
    assert!(matches!(held(&last)[..], [(Lips::Closed, at)] if (at - 1.38).abs() < 0.01), "{:?}", held(&last));
}

#[test]
fn without_a_dip_letters_stay_at_their_place() {
    let mut hints = hints(&[hint(1.0, 1.4, HintKind::Word("maybe".into()))]);
    hints.resolve(&dipping(&[], 2.0));
    let found = held(&hints);
    assert!((found[0].1 - 1.04).abs() < 0.002 && (found[1].1 - 1.28).abs() < 0.002, "{found:?}");
}

const SYMBOLS: [&str; 8] = ["P", "b", "M", "F", "V", "AA", "T", "S"];

fn any_hints() -> impl Strategy<Value = Vec<SpeechHint>> {
    prop::collection::vec((0.0_f64..4.0, 0.0_f64..0.4, prop::sample::select(&SYMBOLS[..])), 0..20).prop_map(|list| {
        list.into_iter().map(|(start, length, symbol)| hint(start, start + length, phone(symbol))).collect()
    })
}

fn any_pose() -> impl Strategy<Value = FacePose> {
    prop::collection::vec(0.0_f32..=1.0, CHANNEL_COUNT).prop_map(|weights| {
        let mut pose = FacePose::REST;
        pose.weights.copy_from_slice(&weights);
        pose
    })
}

proptest! {
    #[test]
    fn lips_are_closed_for_the_whole_of_every_bilabial(list in any_hints(), pose in any_pose(), at in 0.0_f64..=1.0) {
        let hints = hints(&list);
        let lips = |hint: &SpeechHint| match &hint.kind {
            HintKind::Phone(symbol) => lips_of_phone(symbol),
            _ => None,
        };
        let none_closes = !list.iter().any(|hint| lips(hint) == Some(Lips::Closed));
        for hint in &list {
            let inside = hint.start_seconds + at * (hint.end_seconds - hint.start_seconds);
            for seconds in [hint.start_seconds, inside, hint.end_seconds] {
                let mut shown = pose;
                hints.apply(seconds, &mut shown);
                match lips(hint) {
                    Some(Lips::Closed) => prop_assert_eq!(lip_opening(&shown), 0.0),
                    Some(Lips::AtTeeth) if none_closes => {
                        prop_assert!(shown.weight(FaceChannel::MouthRollLower) >= 0.6);
                    }
                    _ => {}
                }
            }
        }
    }

    #[test]
    fn far_from_every_hint_the_pose_is_untouched(list in any_hints(), pose in any_pose(), seconds in -1.0_f64..5.0) {
        let beyond = |hint: &&SpeechHint| {
            let widened = (0.5 * (SHORTEST - (hint.end_seconds - hint.start_seconds))).max(0.0) + EDGE + 0.001;
            seconds < hint.start_seconds - widened || seconds > hint.end_seconds + widened
        };
        let near: Vec<SpeechHint> = list.iter().filter(|hint| !beyond(hint)).cloned().collect();
        let (mut shown, mut by_near) = (pose, pose);
        hints(&list).apply(seconds, &mut shown);
        hints(&near).apply(seconds, &mut by_near);
        prop_assert_eq!(shown.weights.map(f32::to_bits), by_near.weights.map(f32::to_bits));
        if near.is_empty() {
            prop_assert_eq!(shown.weights.map(f32::to_bits), pose.weights.map(f32::to_bits));
        }
        prop_assert_eq!(shown.joint_values(), pose.joint_values());
    }

    #[test]
    fn neither_order_nor_forgetting_changes_what_is_shown(
        list in any_hints(),
        pose in any_pose(),
        now in -0.5_f64..5.0,
        ahead in 0.0_f64..1.0,
    ) {
        let hints = hints(&list);
        let reversed: Vec<SpeechHint> = list.iter().rev().cloned().collect();
        let mut forgetful = self::hints(&reversed);
        forgetful.forget_before(now);
        for seconds in [now, now + ahead] {
            let (mut all, mut kept) = (pose, pose);
            hints.apply(seconds, &mut all);
            forgetful.apply(seconds, &mut kept);
            prop_assert_eq!(all, kept);
        }
        forgetful.forget_before(10.0);
        prop_assert!(forgetful.is_empty());
    }

    #[test]
    fn the_score_sees_every_closure(poses in prop::collection::vec(any_pose(), 121)) {
        let symbols = ["AA", "P", "AE", "M", "AA", "B", "EH"];
        let phones: Vec<Phone> = symbols
            .iter()
            .enumerate()
            .map(|(index, symbol)| {
                let start = index as f64 * 0.28;
                Phone { symbol: (*symbol).into(), start, end: start + 0.28 }
            })
            .collect();
        let mut hints = SpeechHints::default();
        for spoken in &phones {
            hints.push(&hint(spoken.start, spoken.end, phone(&spoken.symbol))).unwrap();
        }
        let mut track = FaceTrack::new(FrameRate::per_second(60));
        for (frame, mut pose) in poses.into_iter().enumerate() {
            hints.apply(frame as f64 / 60.0, &mut pose);
            track.push(pose);
        }
        let said = Alignment { phones, ..Alignment::default() };
        let curves = ChannelCurves::try_from(&track).unwrap();
        let events = ClipEvents::measure(&said, &curves, 0.0);
        prop_assert_eq!(Score::pooled([&events]).bilabial_recall, Some(1.0));
    }
}
