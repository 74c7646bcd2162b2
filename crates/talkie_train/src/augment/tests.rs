use talkie::metrics::{Alignment, Phone};

use super::Augmenter;
use crate::config::{AugmentRecipe, Recipe};
use crate::corpus::Item;

fn recipe() -> AugmentRecipe {
    Recipe::shipped().expect("the shipped recipe is valid").augment
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
    Item { name: "clicks".into(), source: 0, samples, said }
}

#[test]
fn a_seed_gives_the_same_sequence_and_another_seed_another() {
    let (recipe, items) = (recipe(), [item("a"), item("b")]);
    let augmenter = Augmenter::new(&recipe, &items, &[1.0]);
    for seed in 0..20 {
        let first = augmenter.sequence(seed, 16_000);
        assert_eq!(first, augmenter.sequence(seed, 16_000));
        assert_eq!(first.samples.len(), 16_000);
        assert!(first.samples.iter().all(|sample| sample.is_finite() && sample.abs() <= 1.0), "seed {seed}");
    }
    assert_ne!(augmenter.sequence(1, 16_000), augmenter.sequence(2, 16_000));
}

#[test]
fn phones_stay_on_their_sound_when_the_voice_changes() {
    let (mut recipe, items) = (recipe(), [item("a")]);
    recipe =
        AugmentRecipe { clean: 0.0, noise: 0.0, reverb: 0.0, equaliser: 0.0, warp: 1.0, speechless: 0.0, ..recipe };
    let augmenter = Augmenter::new(&recipe, &items, &[1.0]);
    for seed in 0..20 {
        let sequence = augmenter.sequence(seed, 48_000);
        let loudest = sequence.samples.iter().fold(0.0f32, |peak, sample| peak.max(*sample));
        let clicks = (0..48_000usize).filter(|i| sequence.samples[*i] > 0.6 * loudest);
        for click in clicks {
            let time = click as f64 / 16_000.0;
            let inside =
                sequence.phones.iter().find(|phone| phone.symbol == "AA" && (phone.start..phone.end).contains(&time));
            let phone = inside.unwrap_or_else(|| panic!("seed {seed}: a click at {time} s outside of every phone"));
            if phone.start > 0.0 && phone.duration() > 0.4 {
                assert!((phone.centre() - time).abs() < 0.01, "seed {seed}: {time} in {phone:?}");
            }
        }
    }
}

#[test]
fn rooms_keep_the_direct_sound_in_place() {
    let (mut recipe, items) = (recipe(), [item("a")]);
    recipe = AugmentRecipe {
        clean: 0.0,
        noise: 0.0,
        reverb: 1.0,
        equaliser: 0.0,
        warp: 0.0,
        pause: 0.0,
        speechless: 0.0,
        ..recipe
    };
    let dry = AugmentRecipe { reverb: 0.0, ..recipe };
    for seed in 0..8 {
        let wet = Augmenter::new(&recipe, &items, &[1.0]).sequence(seed, 16_000);
        let dry = Augmenter::new(&dry, &items, &[1.0]).sequence(seed, 16_000);
        let loudest = |samples: &[f32]| (0..samples.len()).max_by(|a, b| samples[*a].total_cmp(&samples[*b]));
        let (a, b) = (loudest(&wet.samples).unwrap_or(0), loudest(&dry.samples).unwrap_or(1));
        assert!(a % 8_000 == b % 8_000 || wet.samples[b].abs() > 0.2 * wet.samples[a], "seed {seed}: {a} and {b}");
    }
}

#[test]
fn without_items_there_is_only_noise() {
    let recipe = recipe();
    let sequence = Augmenter::new(&recipe, &[], &[1.0]).sequence(3, 8_000);
    assert!(sequence.phones.is_empty() && sequence.samples.len() == 8_000);
}
