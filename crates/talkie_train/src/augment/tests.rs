use rand::SeedableRng as _;
use rand::rngs::SmallRng;
use talkie::metrics::{Alignment, Phone};
use talkie::model::features::LogMel;

use super::{Augmenter, Formants, Sequence};
use crate::config::{AugmentRecipe, Recipe};
use crate::corpus::Item;
use crate::teacher::Prosody;

fn recipe() -> AugmentRecipe {
    Recipe::shipped().expect("the shipped recipe is valid").augment
}

/// Nothing is changed but the level.
fn untouched(recipe: AugmentRecipe) -> AugmentRecipe {
    AugmentRecipe {
        clean: 1.0,
        noise: 0.0,
        reverb: 0.0,
        equaliser: 0.0,
        warp: 0.0,
        tempo: 0.0,
        formants: 0.0,
        deaf: 0.0,
        breathy: 0.0,
        breath: 0.0,
        clipping: 0.0,
        codec: 0.0,
        speechless: 0.0,
        ..recipe
    }
}

/// A second of silence and a click at every half second, labelled as phones.
fn item(speaker: &str) -> Item {
    let mut samples = vec![0.0; 32_000];
    let mut phones = Vec::new();
    for click in 0..4 {
        samples[click * 8_000 + 4_000] = 0.5;
        let start = click as f64 * 0.5;
        phones.push(Phone { symbol: "AA".into(), start, end: start + 0.5 });
    }
    let said = Alignment { speaker: speaker.into(), phones, ..Alignment::default() };
    let prosody = vec![Prosody::PLAIN; 4];
    Item { name: "clicks".into(), source: 0, samples, said, prosody, capture: None }
}

#[test]
fn a_seed_gives_the_same_sequence_and_another_seed_another() {
    let (recipe, items) = (recipe(), [item("a"), item("b")]);
    let augmenter = Augmenter::new(&recipe, &items, &[1.0]);
    for seed in 0..20 {
        let first = augmenter.sequence(seed, 50, 320, 80);
        assert_eq!(first, augmenter.sequence(seed, 50, 320, 80));
        assert_eq!(first.samples.len(), 50 * first.hop);
        assert!(first.samples.iter().all(|sample| sample.is_finite() && sample.abs() <= 1.0), "seed {seed}");
    }
    assert_ne!(augmenter.sequence(1, 50, 320, 80), augmenter.sequence(2, 50, 320, 80));
}

#[test]
fn phones_stay_on_their_sound_when_the_voice_changes() {
    let (mut recipe, items) = (recipe(), [item("a")]);
    recipe = AugmentRecipe { clean: 0.0, warp: 1.0, ..untouched(recipe) };
    let augmenter = Augmenter::new(&recipe, &items, &[1.0]);
    for seed in 0..20 {
        let sequence = augmenter.sequence(seed, 150, 320, 80);
        let loudest = sequence.samples.iter().fold(0.0f32, |peak, sample| peak.max(*sample));
        let clicks = (0..48_000usize).filter(|i| sequence.samples[*i] > 0.6 * loudest);
        for click in clicks {
            let time = click as f64 / 16_000.0;
            let inside = sequence
                .phones
                .iter()
                .map(|(phone, _)| phone)
                .find(|phone| phone.symbol == "AA" && (phone.start..phone.end).contains(&time));
            let phone = inside.unwrap_or_else(|| panic!("seed {seed}: a click at {time} s outside of every phone"));
            if phone.start > 0.0 && phone.duration() > 0.4 {
                assert!((phone.centre() - time).abs() < 0.01, "seed {seed}: {time} in {phone:?}");
            }
        }
    }
}

#[test]
fn another_tempo_moves_frames_and_phones_alike() {
    let (recipe, items) = (AugmentRecipe { tempo: 1.0, ..untouched(recipe()) }, [item("a")]);
    let augmenter = Augmenter::new(&recipe, &items, &[1.0]);
    let mut hops = std::collections::BTreeSet::new();
    for seed in 0..20 {
        let sequence = augmenter.sequence(seed, 150, 320, 80);
        assert_eq!((sequence.samples.len(), sequence.hop % 4), (150 * sequence.hop, 0));
        hops.insert(sequence.hop);
        for (index, _) in sequence.samples.iter().enumerate().filter(|(_, sample)| **sample > 0.0) {
            // Frames are 20 ms apart however many samples lie between them.
            let time = index as f64 / sequence.hop as f64 * 0.02;
            let spoken = |phone: &Phone| phone.symbol == "AA" && (phone.start..phone.end).contains(&time);
            assert!(sequence.phones.iter().any(|(phone, _)| spoken(phone)), "seed {seed}: a click at {time} s");
        }
    }
    assert!(hops.len() > 5 && hops.iter().all(|hop| (264..=380).contains(hop)), "{hops:?}");
}

#[test]
fn formants_move_and_bands_fall_silent() {
    let config = Recipe::shipped().expect("the shipped recipe is valid").features;
    let tone: Vec<f32> =
        (0..16_000).map(|i| 0.3 * (i as f32 * core::f32::consts::TAU * 1_000.0 / 16_000.0).sin()).collect();
    let frames = LogMel::new(config.clone()).expect("valid features").whole(&tone);
    let loudest = |frames: &[f32]| {
        let frame = &frames[20 * config.width()..][..config.bands];
        (0..frame.len()).max_by(|a, b| frame[*a].total_cmp(&frame[*b])).expect("bands")
    };
    let changed = |factor: f32, deaf: Option<core::ops::Range<usize>>| {
        let mut frames = frames.clone();
        Formants { factor, deaf: deaf.into_iter().collect() }.apply(&mut frames, &config);
        frames
    };
    assert_eq!(changed(1.0, None), frames);
    // 1 kHz at 1.1 times the frequency is 1.1 kHz, about two bands higher.
    let (before, after) = (loudest(&frames), loudest(&changed(1.1, None)));
    assert!((1..=3).contains(&(after - before)), "{before} to {after}");
    let deaf = changed(1.0, Some(before - 3..before + 4));
    assert!(loudest(&deaf).abs_diff(before) > 3);
}

#[test]
fn breath_is_drawn_in_pauses_only() {
    let mut breathing = Sequence {
        samples: (0..16_000).map(|i| if i < 8_000 { 0.3 * (i as f32 * 0.2).sin() } else { 0.0 }).collect(),
        phones: vec![
            (Phone { symbol: "AA".into(), start: 0.0, end: 0.5 }, Prosody::PLAIN),
            (Phone { symbol: "SIL".into(), start: 0.5, end: 1.0 }, Prosody::PLAIN),
        ],
        ..Sequence::EMPTY
    };
    let before = breathing.samples.clone();
    super::noise::breathe(&mut breathing, &mut SmallRng::seed_from_u64(2));
    assert_eq!(breathing.samples[..8_000], before[..8_000]);
    assert!(breathing.samples[8_000..].iter().any(|sample| sample.abs() > 1e-4));
}

#[test]
fn rooms_keep_the_direct_sound_in_place() {
    let (mut recipe, items) = (recipe(), [item("a")]);
    recipe = AugmentRecipe { clean: 0.0, reverb: 1.0, pause: 0.0, ..untouched(recipe) };
    let dry = AugmentRecipe { reverb: 0.0, ..recipe };
    for seed in 0..8 {
        let wet = Augmenter::new(&recipe, &items, &[1.0]).sequence(seed, 50, 320, 80);
        let dry = Augmenter::new(&dry, &items, &[1.0]).sequence(seed, 50, 320, 80);
        let loudest = |samples: &[f32]| (0..samples.len()).max_by(|a, b| samples[*a].total_cmp(&samples[*b]));
        let (a, b) = (loudest(&wet.samples).unwrap_or(0), loudest(&dry.samples).unwrap_or(1));
        assert!(a % 8_000 == b % 8_000 || wet.samples[b].abs() > 0.2 * wet.samples[a], "seed {seed}: {a} and {b}");
    }
}

#[test]
fn without_items_there_is_only_noise() {
    let recipe = recipe();
    let sequence = Augmenter::new(&recipe, &[], &[1.0]).sequence(3, 25, 320, 80);
    assert!(sequence.phones.is_empty() && sequence.samples.len() == 25 * sequence.hop);
}
