//! Every condition is as strong as it says.

use core::f64::consts::TAU;

use proptest::prelude::*;

use super::*;

/// Bursts of a tone of amplitude 0.2, half a second each, with a pause after each.
fn bursts(count: usize, pause: f64) -> Vec<f32> {
    let burst = (0..8_000).map(|i| (0.2 * (TAU * 440.0 * f64::from(i) / RATE).sin()) as f32);
    let silence = core::iter::repeat_n(0.0, (pause * RATE) as usize);
    core::iter::repeat_n(burst.chain(silence), count).flatten().collect()
}

fn power(samples: &[f32]) -> f64 {
    samples.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / samples.len() as f64
}

fn decibels(ratio: f64) -> f64 {
    10.0 * ratio.log10()
}

/// Level of a tone behind the telephone, without the time it takes to settle.
fn behind_phone(hertz: f64) -> f64 {
    let tone: Vec<f32> = (0..32_000).map(|i| (TAU * hertz * f64::from(i) / RATE).sin() as f32).collect();
    decibels(power(&phone::filter(&tone)[16_000..]) / power(&tone[16_000..]))
}

proptest! {
    #[test]
    fn noise_is_ten_decibels_below_active_speech(count in 2usize..5, pause in 0.5f64..3.0, gain in 0.01f32..1.0, clip in "[a-z]{1,8}") {
        let speech: Vec<f32> = bursts(count, pause).into_iter().map(|sample| sample * gain).collect();
        let noisy = Condition::Noise.apply(&speech, &clip);
        let noise: Vec<f32> = noisy.iter().zip(&speech).map(|(noisy, clean)| noisy - clean).collect();
        let active = 0.02 * f64::from(gain).powi(2);
        // A burst counts 200 ms longer than it lasts, so what is active is a little softer than the bursts.
        let ratio = decibels(active / power(&noise));
        prop_assert!((9.9..12.0).contains(&ratio), "{ratio}");
        let ratio = decibels(noise::active_power(&speech) / power(&noise));
        prop_assert!((ratio - noise::RATIO_DB).abs() < 0.01, "{ratio}");
    }

    #[test]
    fn rooms_keep_the_direct_sound_and_decay_as_they_say(clip in "[a-zA-Z0-9_]{1,12}") {
        let response = room::response(&mut Random::new(&clip));
        prop_assert_eq!(response[0], 1.0);
        let squares: Vec<f64> = response[1..].iter().map(|tap| f64::from(*tap).powi(2)).collect();
        prop_assert!((decibels(1.0 / squares.iter().sum::<f64>()) - room::DIRECT_DB).abs() < 0.01);
        // Energy that is still to come (M. R. Schroeder, 1965); the time it takes from -5 to -35 dB is half the decay.
        let mut left: Vec<f64> = squares.iter().rev().scan(0.0, |sum, square| { *sum += square; Some(*sum) }).collect();
        left.reverse();
        let reached = |level: f64| left.iter().position(|sum| decibels(sum / left[0]) <= level).expect("it decays");
        let decay = 2.0 * (reached(-35.0) - reached(-5.0)) as f64 / RATE;
        prop_assert!((decay / room::DECAY_SECONDS - 1.0).abs() < 0.1, "{decay}");
    }

    #[test]
    fn a_clip_always_sounds_the_same(count in 0usize..3_000, clip in "[a-z]{0,8}") {
        let mut random = Random::new("speech");
        let speech: Vec<f32> = (0..count).map(|_| random.normal() as f32).collect();
        for condition in Condition::ALL {
            let heard = condition.apply(&speech, &clip);
            prop_assert_eq!(heard.len(), count);
            prop_assert!(heard.iter().all(|sample| sample.is_finite()));
            prop_assert_eq!(heard, condition.apply(&speech, &clip));
        }
    }
}

#[test]
fn clips_have_noise_and_rooms_of_their_own() {
    let speech = bursts(1, 0.1);
    for condition in [Condition::Noise, Condition::Room] {
        assert_ne!(condition.apply(&speech, "a"), condition.apply(&speech, "b"));
    }
    assert_eq!(Condition::Clean.apply(&speech, "a"), speech);
}

#[test]
fn noise_is_pink() {
    let noise = noise::pink(1 << 17, &mut Random::new("pink"));
    let mut planner = realfft::RealFftPlanner::<f64>::new();
    let transform = planner.plan_fft_forward(noise.len());
    let (mut input, mut spectrum) = (noise, transform.make_output_vec());
    transform.process(&mut input, &mut spectrum).expect("buffers of its own making");
    // Every octave has the same energy.
    let octaves: Vec<f64> = (0..6)
        .map(|octave| {
            let from = ((125 << octave) as f64 / RATE * input.len() as f64) as usize;
            decibels(spectrum[from..2 * from].iter().map(|bin| bin.norm_sqr()).sum::<f64>())
        })
        .collect();
    assert!(octaves.iter().all(|level| (level - octaves[0]).abs() < 0.6), "{octaves:?}");
}

#[test]
fn silence_stays_silent() {
    assert!(Condition::ALL.iter().all(|condition| condition.apply(&[0.0; 4_000], "hush").iter().all(|s| *s == 0.0)));
}

#[test]
fn a_telephone_passes_its_band_only() {
    for hertz in [500.0, 1000.0, 2000.0, 2500.0] {
        assert!(behind_phone(hertz).abs() < 0.5, "{hertz}: {}", behind_phone(hertz));
    }
    for edge in phone::BAND {
        assert!((behind_phone(edge) + 3.0).abs() < 0.1, "{edge}: {}", behind_phone(edge));
    }
    for (hertz, least) in [(75.0, 45.0), (100.0, 35.0), (150.0, 22.0), (5000.0, 15.0), (6000.0, 28.0), (7500.0, 60.0)] {
        assert!(behind_phone(hertz) < -least, "{hertz}: {}", behind_phone(hertz));
    }
}

#[test]
fn a_room_answers_a_clap_where_it_is() {
    let mut clap = vec![0.0; 70_000];
    clap[40_000] = 0.5;
    let heard = Condition::Room.apply(&clap, "clap");
    let response = room::response(&mut Random::new("clap"));
    assert!(heard[..40_000].iter().all(|sample| sample.abs() < 1e-5));
    assert!((heard[40_000] - 0.5).abs() < 1e-5);
    assert!(heard[40_000..].iter().zip(&response).all(|(heard, tap)| (heard - 0.5 * tap).abs() < 1e-5));
}
