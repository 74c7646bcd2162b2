//! Gate, gain and their chain on sounds whose level is known.

use proptest::prelude::*;

use super::level::{factor, share};
use super::*;

const RATE: u32 = 16_000;

/// A small repeatable source of numbers (Vigna's splitmix64).
pub(super) struct Noise(u64);

impl Noise {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) as f64 / u64::MAX as f64
    }

    /// White noise of this root mean square in dBFS.
    pub(super) fn white(rate: u32, rms_db: f32, seconds: f32) -> Vec<f32> {
        let (mut noise, scale) = (Self(7), factor(rms_db) * 12.0_f32.sqrt());
        (0..(rate as f32 * seconds) as usize).map(|_| (noise.unit() as f32 - 0.5) * scale).collect()
    }

    /// Noise as that of a fan: it falls by 6 dB an octave above 200 Hz.
    pub(super) fn fan(white: &[f32], rate: u32, rms_db: f32) -> Vec<f32> {
        let share = share(200.0 * core::f32::consts::TAU, rate as f32);
        let mut low = 0.0;
        let mut sound: Vec<f32> = white
            .iter()
            .map(|x| {
                low += (x - low) * share;
                low
            })
            .collect();
        let scale = factor(rms_db - rms_db_of(&sound));
        sound.iter_mut().for_each(|x| *x *= scale);
        sound
    }
}

/// Partials as hertz, amplitude and phase, at this root mean square.
fn partials(rate: u32, partials: &[(f64, f64, f64)], rms_db: f32, seconds: f32) -> Vec<f32> {
    let mut sound = vec![0.0_f64; (rate as f32 * seconds) as usize];
    let mut power = 0.0;
    for (hertz, amplitude, phase) in partials.iter().filter(|(hertz, ..)| *hertz < 0.45 * f64::from(rate)) {
        power += 0.5 * amplitude * amplitude;
        let (sin, cos) = (core::f64::consts::TAU * hertz / f64::from(rate)).sin_cos();
        let (mut y, mut x) = phase.sin_cos();
        for sample in &mut sound {
            *sample += amplitude * y;
            (x, y) = (x * cos - y * sin, x * sin + y * cos);
        }
    }
    let scale = f64::from(factor(rms_db)) / power.sqrt();
    sound.into_iter().map(|sample| (sample * scale) as f32).collect()
}

/// A voice that holds a vowel: partials up to 3.4 kHz, the same sound at every rate.
pub(super) fn buzz(rate: u32, pitch: f64, rms_db: f32, seconds: f32) -> Vec<f32> {
    let count = (3_400.0 / pitch) as usize;
    let list: Vec<_> = (1..=count).map(|k| (k as f64 * pitch, 1.0 / k as f64, 0.3 * (k * k) as f64)).collect();
    partials(rate, &list, rms_db, seconds)
}

/// Noise from 100 Hz to 3.4 kHz, the same sound at every rate.
fn room(rate: u32, rms_db: f32, seconds: f32) -> Vec<f32> {
    let mut noise = Noise(3);
    let list: Vec<_> = (0..150)
        .map(|_| {
            let hertz = 100.0 + 3_300.0 * noise.unit();
            (hertz, 1.0, core::f64::consts::TAU * noise.unit())
        })
        .collect();
    partials(rate, &list, rms_db, seconds)
}

fn plus(mut sound: Vec<f32>, other: &[f32], from_seconds: f32, rate: u32) -> Vec<f32> {
    let from = (from_seconds * rate as f32) as usize;
    sound[from..].iter_mut().zip(other).for_each(|(x, y)| *x += y);
    sound
}

fn rms_db_of(sound: &[f32]) -> f32 {
    10.0 * (sound.iter().map(|x| x * x).sum::<f32>() / sound.len() as f32).log10()
}

/// Times in seconds at which the gate opens (`true`) and closes.
fn changes(gate: &mut NoiseGate, rate: u32, sound: &[f32]) -> Vec<(f32, bool)> {
    let mut changes = Vec::new();
    for (index, sample) in sound.iter().enumerate() {
        let before = gate.is_open();
        gate.process(&mut [*sample]);
        if gate.is_open() != before {
            changes.push((index as f32 / rate as f32, !before));
        }
    }
    changes
}

fn gate(settings: GateSettings) -> NoiseGate {
    NoiseGate::new(RATE, settings).unwrap()
}

/// A gate that has heard two seconds of noise at -50 dBFS.
fn accustomed(settings: GateSettings) -> NoiseGate {
    let mut gate = gate(settings);
    gate.process(&mut Noise::white(RATE, -50.0, 2.5));
    assert!(!gate.is_open() && (gate.noise_floor_db() + 50.0).abs() < 2.0, "{}", gate.noise_floor_db());
    gate
}

fn input(settings: VoiceInputSettings) -> VoiceInput {
    VoiceInput::new(RATE, settings).unwrap()
}

#[test]
fn silence_and_a_quiet_room_stay_closed_and_come_out_as_zeros() {
    for mut sound in [vec![0.0; 48_000], Noise::white(RATE, -65.0, 3.0), vec![0.0003; 48_000]] {
        let mut gate = gate(GateSettings::default());
        gate.process(&mut sound);
        assert!(!gate.is_open());
        assert!(sound.iter().all(|x| *x == 0.0));
    }
}

#[test]
fn the_first_sound_of_a_speech_opens_at_once_and_passes_unchanged() {
    for sound in [buzz(RATE, 120.0, -40.0, 0.1), buzz(RATE, 240.0, -25.0, 0.1), Noise::white(RATE, -40.0, 0.1)] {
        let mut gate = gate(GateSettings::default());
        let mut heard = sound.clone();
        gate.process(&mut heard[..160]);
        assert!(gate.is_open(), "10 ms are enough");
        gate.process(&mut heard[160..]);
        assert_eq!(heard[320..], sound[320..], "after the fade nothing changes");
        assert_eq!(heard[0], 0.0);
    }
}

#[test]
fn a_fan_is_learned_within_two_seconds_and_speech_above_it_opens() {
    let white = Noise::white(RATE, -45.0, 6.0);
    for noise in [Noise::fan(&white, RATE, -45.0), room(RATE, -45.0, 6.0), white] {
        for speech in [buzz(RATE, 110.0, -33.0, 0.5), buzz(RATE, 210.0, -33.0, 0.5), room(RATE, -33.0, 0.5)] {
            let mut gate = gate(GateSettings::default());
            let changes = changes(&mut gate, RATE, &plus(noise.clone(), &speech, 4.0, RATE));
            let [(_, true), (closed, false), (opened, true), (over, false)] = changes[..] else {
                panic!("{changes:?}");
            };
            assert!(closed < 2.0, "closed after {closed} s");
            assert!((4.0..=4.010).contains(&opened), "opened at {opened} s");
            assert!((4.7..=4.85).contains(&over), "closed at {over} s");
        }
    }
}

#[test]
fn a_fan_that_starts_later_is_learned_too() {
    let mut gate = gate(GateSettings::default());
    let sound = plus(Noise::white(RATE, -70.0, 6.0), &Noise::white(RATE, -40.0, 5.0), 1.0, RATE);
    let changes = changes(&mut gate, RATE, &sound);
    assert!(matches!(changes[..], [(opened, true), (closed, false)] if opened < 1.05 && closed < 3.0), "{changes:?}");
}

#[test]
fn ten_seconds_of_speech_without_a_pause_are_not_learned_as_noise() {
    let room = Noise::white(RATE, -45.0, 14.0);
    // A held vowel, and syllables that never quite end.
    let vowel = buzz(RATE, 140.0, -33.0, 10.0);
    let mut syllables = buzz(RATE, 180.0, -28.0, 10.0);
    for (index, sample) in syllables.iter_mut().enumerate() {
        *sample *= 0.65 + 0.35 * (core::f32::consts::TAU * 4.0 * index as f32 / RATE as f32).sin();
    }
    for speech in [vowel, syllables] {
        let mut gate = gate(GateSettings::default());
        let changes = changes(&mut gate, RATE, &plus(room.clone(), &speech, 3.0, RATE));
        let [_, _, (opened, true), (closed, false)] = changes[..] else { panic!("{changes:?}") };
        assert!(opened < 3.01 && (13.2..13.35).contains(&closed), "{changes:?}");
    }
}

#[test]
fn hum_is_learned_in_the_end() {
    let mut gate = gate(GateSettings::default());
    let changes = changes(&mut gate, RATE, &buzz(RATE, 100.0, -46.0, 60.0));
    assert!(matches!(changes[..], [(_, true), (closed, false)] if closed < 50.0), "{changes:?}");
}

#[test]
fn zeros_of_a_muted_microphone_teach_nothing() {
    let mut gate = accustomed(GateSettings::default());
    let before = gate.noise_floor_db();
    gate.process(&mut [0.0; 80_000]);
    // What the filter still has of the last sound may count as half a decibel.
    assert!((gate.noise_floor_db() - before).abs() < 0.5, "{before} became {}", gate.noise_floor_db());
    gate.process(&mut Noise::white(RATE, -50.0, 1.0));
    assert!(!gate.is_open());
}

#[test]
fn a_level_between_the_thresholds_keeps_the_gate_as_it_is() {
    // 7.5 dB above the noise together with it.
    let between = || plus(Noise::white(RATE, -50.0, 1.0), &buzz(RATE, 390.0, -43.3, 1.0), 0.0, RATE);
    let mut gate = accustomed(GateSettings::default());
    assert_eq!(changes(&mut gate, RATE, &between()), []);
    gate.process(&mut buzz(RATE, 200.0, -30.0, 0.2));
    assert!(gate.is_open());
    assert_eq!(changes(&mut gate, RATE, &between()), []);
    let after = changes(&mut gate, RATE, &Noise::white(RATE, -50.0, 1.0));
    assert!(matches!(after[..], [(_, false)]), "{after:?}");
}

#[test]
fn the_gap_of_a_plosive_is_held_open_and_a_pause_is_not() {
    let settings = GateSettings { hold_seconds: 0.2, ..GateSettings::default() };
    let speech = buzz(RATE, 130.0, -25.0, 0.2);
    for (gap, holds) in [(0.08, true), (0.15, true), (0.32, false)] {
        let mut gate = gate(settings.clone());
        let mut sound = speech.clone();
        sound.resize(sound.len() + (gap * RATE as f32) as usize, 0.0);
        sound.extend(&speech);
        let changes = changes(&mut gate, RATE, &sound);
        assert_eq!(changes.len(), if holds { 1 } else { 3 }, "{gap} s: {changes:?}");
        if let Some((closed, _)) = changes.get(1) {
            // The level needs a little to sink.
            assert!((0.4..0.44).contains(closed), "{changes:?}");
        }
    }
}

#[test]
fn fades_take_their_time_and_a_closed_gate_keeps_what_it_is_told() {
    let settings =
        GateSettings { closed_db: -20.0, attack_seconds: 0.02, release_seconds: 0.1, ..GateSettings::default() };
    let mut gate = gate(settings);
    let mut quiet = [0.0001; 1_600];
    gate.process(&mut quiet);
    assert!((quiet[1_599] - 0.00001).abs() < 1e-8, "{}", quiet[1_599]);
    let mut speech = buzz(RATE, 130.0, -25.0, 0.2);
    let original = speech.clone();
    gate.process(&mut speech);
    let gains: Vec<f32> = speech.iter().zip(&original).filter(|(_, x)| x.abs() > 0.01).map(|(y, x)| y / x).collect();
    assert!(gains.windows(2).all(|pair| pair[1] - pair[0] < 0.03 && pair[1] >= pair[0] - 1e-3), "no jump");
    assert_eq!(gains.last(), Some(&1.0));
}

#[test]
fn every_rate_gives_the_same_decisions_for_the_same_sound() {
    let decisions = |rate: u32| {
        let mut sound = room(rate, -52.0, 5.0);
        for (pitch, level, from) in [(120.0, -30.0, 0.05), (220.0, -34.0, 2.6), (150.0, -39.0, 3.7)] {
            sound = plus(sound, &buzz(rate, pitch, level, 0.3), from, rate);
        }
        changes(&mut NoiseGate::new(rate, GateSettings::default()).unwrap(), rate, &sound)
    };
    let wanted = decisions(16_000);
    assert_eq!(wanted.len(), 6, "{wanted:?}");
    for rate in [8_000, 11_025, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000] {
        let found = decisions(rate);
        assert_eq!(found.len(), wanted.len(), "{rate} Hz: {found:?}");
        for (found, wanted) in found.iter().zip(&wanted) {
            assert!(found.1 == wanted.1 && (found.0 - wanted.0).abs() < 0.01, "{rate} Hz: {found:?}, not {wanted:?}");
        }
    }
}

#[test]
fn quiet_and_loud_voices_come_out_at_the_target_and_pauses_change_nothing() {
    for level in [-40.0, -30.0, -20.0, -6.0] {
        let settings = VoiceInputSettings {
            automatic_gain: Some(AutomaticGainSettings::default()),
            ..VoiceInputSettings::default()
        };
        let mut input = input(settings);
        let mut speech = buzz(RATE, 140.0, level, 4.0);
        input.process(&mut speech);
        let out = rms_db_of(&speech[speech.len() - 8_000..]);
        assert!((out + 20.0).abs() < 3.0, "{level} dBFS came out at {out}");
        assert!(speech.iter().all(|x| x.abs() <= 1.0));
        let gain = input.applied_gain_db();
        let mut pause = Noise::white(RATE, -60.0, 3.0);
        input.process(&mut pause);
        assert!((input.applied_gain_db() - gain).abs() < 0.5, "{gain} became {}", input.applied_gain_db());
        assert!(pause[16_000..].iter().all(|x| *x == 0.0));
    }
}

#[test]
fn gain_goes_no_further_and_no_faster_than_it_is_told() {
    let agc = AutomaticGainSettings { rise_db_per_second: 4.0, max_gain_db: 6.0, ..AutomaticGainSettings::default() };
    let mut gain = AutomaticGain::new(RATE, agc).unwrap();
    gain.process(&mut buzz(RATE, 140.0, -50.0, 1.0), true);
    assert!((gain.gain_db() - 4.0).abs() < 0.05, "{}", gain.gain_db());
    gain.process(&mut buzz(RATE, 140.0, -50.0, 1.0), false);
    assert!((gain.gain_db() - 4.0).abs() < 0.05, "{}", gain.gain_db());
    gain.process(&mut buzz(RATE, 140.0, -50.0, 2.0), true);
    assert!((gain.gain_db() - 6.0).abs() < 0.05, "{}", gain.gain_db());
}

#[test]
fn loud_sound_never_leaves_full_scale_behind_an_automatic_gain() {
    let settings =
        VoiceInputSettings { gate: None, automatic_gain: Some(AutomaticGainSettings::default()), gain_db: 0.0 };
    let mut input = input(settings);
    input.process(&mut buzz(RATE, 140.0, -45.0, 4.0));
    let mut shout = buzz(RATE, 140.0, 6.0, 0.2);
    input.process(&mut shout);
    let peak = shout.iter().fold(0.0_f32, |peak, x| peak.max(x.abs()));
    assert!(peak <= 1.0 && peak > 0.9, "{peak}");
}

#[test]
fn without_gate_and_gain_only_the_knob_turns() {
    let mut input = input(VoiceInputSettings { gain_db: 6.0, gate: None, automatic_gain: None });
    let sound = buzz(RATE, 140.0, -30.0, 0.5);
    let mut heard = sound.clone();
    input.process(&mut heard);
    assert!(heard.iter().zip(&sound).all(|(y, x)| (y - x * 1.995_262).abs() < 1e-6));
    assert_eq!(input.applied_gain_db(), 6.0);
    assert!((input.level().rms_db + 24.0).abs() < 1.0, "{:?}", input.level());
    assert!(input.is_open(), "it still says who speaks");
}

#[test]
fn settings_change_live_and_keep_what_was_learned() {
    let mut input = input(VoiceInputSettings::default());
    input.process(&mut Noise::white(RATE, -45.0, 2.5));
    let floor = input.noise_floor_db();
    let mut settings =
        VoiceInputSettings { automatic_gain: Some(AutomaticGainSettings::default()), ..VoiceInputSettings::default() };
    input.set_settings(settings.clone()).unwrap();
    assert_eq!((input.noise_floor_db(), input.settings()), (floor, &settings));
    input.process(&mut buzz(RATE, 140.0, -32.0, 2.0));
    let gain = input.applied_gain_db();
    assert!(gain > 8.0);
    settings.gain_db = 3.0;
    input.set_settings(settings.clone()).unwrap();
    assert_eq!(input.applied_gain_db(), gain + 3.0);
    settings.automatic_gain = None;
    input.set_settings(settings.clone()).unwrap();
    assert_eq!(input.applied_gain_db(), 3.0);
    let refused = VoiceInputSettings { gain_db: f32::NAN, ..settings.clone() };
    assert!(input.set_settings(refused).is_err());
    assert_eq!(input.settings(), &settings);
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let refused = |settings: VoiceInputSettings| VoiceInput::new(RATE, settings).unwrap_err().to_string();
    let gate = |change: fn(&mut GateSettings)| {
        let mut settings = GateSettings::default();
        change(&mut settings);
        refused(VoiceInputSettings { gate: Some(settings), ..VoiceInputSettings::default() })
    };
    let gain = |change: fn(&mut AutomaticGainSettings)| {
        let mut settings = AutomaticGainSettings::default();
        change(&mut settings);
        refused(VoiceInputSettings { automatic_gain: Some(settings), ..VoiceInputSettings::default() })
    };
    for (says, error) in [
        ("gain_db is 61", refused(VoiceInputSettings { gain_db: 61.0, ..VoiceInputSettings::default() })),
        ("open_db is NaN", gate(|s| s.open_db = f32::NAN)),
        ("close_db is 11; expected 0..=10", gate(|s| s.close_db = 11.0)),
        ("hold_seconds is -1", gate(|s| s.hold_seconds = -1.0)),
        ("attack_seconds is inf", gate(|s| s.attack_seconds = f32::INFINITY)),
        ("release_seconds is 6", gate(|s| s.release_seconds = 6.0)),
        ("closed_db is 1", gate(|s| s.closed_db = 1.0)),
        ("target_db is 0", gain(|s| s.target_db = 0.0)),
        ("max_gain_db is -1", gain(|s| s.max_gain_db = -1.0)),
        ("min_gain_db is 1", gain(|s| s.min_gain_db = 1.0)),
        ("rise_db_per_second is 0", gain(|s| s.rise_db_per_second = 0.0)),
        ("fall_db_per_second is NaN", gain(|s| s.fall_db_per_second = f32::NAN)),
    ] {
        assert!(error.contains(says), "{error}");
    }
    let error = VoiceInput::new(1, VoiceInputSettings::default()).unwrap_err();
    assert_eq!(error, VoiceInputError::Format(crate::audio::FormatError::SampleRate { rate: 1 }));
}

#[test]
fn settings_read_from_parts() {
    let read: VoiceInputSettings =
        serde_json::from_str(r#"{"gate": {"open_db": 14.0}, "automatic_gain": {"target_db": -23.0}}"#).unwrap();
    assert_eq!(read.gate, Some(GateSettings { open_db: 14.0, ..GateSettings::default() }));
    assert_eq!(read.automatic_gain, Some(AutomaticGainSettings { target_db: -23.0, ..Default::default() }));
    let json = serde_json::to_string(&read).unwrap();
    assert_eq!(serde_json::from_str::<VoiceInputSettings>(&json).unwrap(), read);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn pieces_of_any_size_give_the_same_bits(
        rate in prop::sample::select(vec![2_000_u32, 8_000, 11_025, 16_000, 44_100, 48_000]),
        has_gate: bool,
        level in -50.0_f32..0.0,
        cuts in prop::collection::vec(0_usize..20_000, 0..40),
    ) {
        let settings = VoiceInputSettings {
            gain_db: 3.0,
            gate: has_gate.then(GateSettings::default),
            automatic_gain: Some(AutomaticGainSettings::default()),
        };
        let mut sound = Noise::white(rate, -55.0, 20_000.0 / rate as f32);
        sound = plus(sound, &buzz(rate, 130.0, level, 6_000.0 / rate as f32), 3_000.0 / rate as f32, rate);
        let mut whole = VoiceInput::new(rate, settings).unwrap();
        let mut in_pieces = whole.clone();
        let mut pieces = sound.clone();
        whole.process(&mut sound);
        let mut cuts = cuts;
        cuts.extend([0, pieces.len()]);
        cuts.sort_unstable();
        for cut in cuts.windows(2) {
            let end = cut[1].min(pieces.len());
            in_pieces.process(&mut pieces[cut[0].min(end)..end]);
        }
        prop_assert!(sound.iter().zip(&pieces).all(|(a, b)| a.to_bits() == b.to_bits()));
        prop_assert_eq!(whole, in_pieces);
    }

    #[test]
    fn faulty_samples_are_harmless(
        faults in prop::collection::vec(
            (0_usize..16_000, prop::sample::select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX])),
            1..40,
        ),
        gain_db in -60.0_f32..=60.0,
    ) {
        let settings = VoiceInputSettings {
            gain_db,
            gate: Some(GateSettings::default()),
            automatic_gain: Some(AutomaticGainSettings::default()),
        };
        let mut input = input(settings);
        let mut sound = Noise::white(RATE, -45.0, 1.0);
        for (at, fault) in faults {
            sound[at] = fault;
        }
        input.process(&mut sound);
        prop_assert!(sound.iter().all(|x| x.abs() <= 1.0));
        let level = input.level();
        prop_assert!(level.peak_db.is_finite() && level.rms_db.is_finite());
        prop_assert!((-75.0..=-20.0).contains(&input.noise_floor_db()));
        prop_assert!(input.applied_gain_db().is_finite());
    }
}
