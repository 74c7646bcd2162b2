//! The path from sound to poses, with the tiny network of `tests/data`.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;

use proptest::prelude::*;
use talkie::{
    animation::{FaceChannel, FacePose},
    audio::AudioClip,
    inference::Runtime,
    model::{FaceModel, Speech},
};

fn model() -> FaceModel {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tiny");
    FaceModel::load_dir(folder, Runtime::global()).unwrap()
}

/// Bursts of a buzz between silences.
fn sound(rate: u32, seconds: f32) -> Vec<f32> {
    (0..(rate as f32 * seconds) as usize)
        .map(|i| {
            let t = i as f32 / rate as f32;
            if (t * 3.0).fract() < 0.5 { ((t * 150.0).fract() * 2.0 - 1.0) * 0.4 } else { 0.0 }
        })
        .collect()
}

fn poses(speech: &mut Speech) -> Vec<FacePose> {
    let mut poses = Vec::new();
    speech.drain(|pose| poses.push(pose)).unwrap();
    poses
}

#[test]
fn a_clip_gets_one_pose_for_each_hop_and_follows_the_sound() {
    let clip = AudioClip::from_samples(16_000, 1, sound(16_000, 2.0)).unwrap();
    let track = model().animate(&clip).unwrap();
    assert_eq!(track.len(), 100);
    let jaw = |seconds| track.sample_seconds(seconds).weight(FaceChannel::JawOpen);
    assert!(jaw(0.08) > jaw(0.25) + 0.1, "loud {} against silent {}", jaw(0.08), jaw(0.25));
    assert!(track.iter().all(|(_, pose)| pose.is_finite()));
}

#[test]
fn after_its_last_sample_a_clip_is_followed_by_silence() {
    // Loud to the end: the frame behind the last sample still hears it.
    let loud: Vec<f32> = (0..16_000 + 130).map(|i| ((i as f32 * 0.009).fract() * 2.0 - 1.0) * 0.6).collect();
    let mut longer = loud.clone();
    longer.resize(loud.len() + 8_000, 0.0);
    let track = |samples| model().animate(&AudioClip::from_samples(16_000, 1, samples).unwrap()).unwrap();
    let (short, long) = (track(loud), track(longer));
    assert!(short.len() < long.len());
    for ((_, a), (seconds, b)) in short.iter().zip(long.iter()) {
        for (a, b) in a.weights.iter().zip(&b.weights) {
            assert!((a - b).abs() < 1e-5, "{a} is not {b} at {seconds} s");
        }
    }
}

#[test]
fn no_sound_gives_no_poses_and_one_sample_gives_one() {
    for (samples, frames) in [(0, 0), (1, 1), (320, 1), (321, 2)] {
        let clip = AudioClip::from_samples(16_000, 1, vec![0.1; samples]).unwrap();
        assert_eq!(model().animate(&clip).unwrap().len(), frames, "{samples} samples");
    }
}

#[test]
fn an_hour_of_silence_stays_bounded_in_memory() {
    let mut model = model();
    let mut speech = model.begin(48_000, 2).unwrap();
    let second = vec![0.0; 96_000];
    let mut count = 0;
    for _ in 0..3_600 {
        speech.push(&second);
        model.advance([&mut speech], usize::MAX);
        count += poses(&mut speech).len();
    }
    speech.finish();
    model.advance([&mut speech], usize::MAX);
    count += poses(&mut speech).len();
    assert_eq!(count, 3_600 * 50);
    assert!(speech.is_done());
}

#[test]
fn speeches_in_one_batch_do_not_hear_each_other() {
    let mut model = model();
    let alone: Vec<_> = [0.7_f32, 1.3, 0.2]
        .iter()
        .map(|seconds| {
            let clip = AudioClip::from_samples(16_000, 1, sound(16_000, *seconds)).unwrap();
            model.animate(&clip).unwrap()
        })
        .collect();
    let mut together: Vec<_> = [0.7_f32, 1.3, 0.2]
        .iter()
        .map(|seconds| {
            let mut speech = model.begin(16_000, 1).unwrap();
            speech.push(&sound(16_000, *seconds));
            speech.finish();
            speech
        })
        .collect();
    let mut results = vec![Vec::new(); 3];
    while together.iter().any(|speech| !speech.is_done()) {
        model.advance(&mut together, 7);
        for (speech, result) in together.iter_mut().zip(&mut results) {
            result.extend(poses(speech));
        }
    }
    for (track, result) in alone.iter().zip(&results) {
        assert_eq!(track.len(), result.len());
        for ((_, a), b) in track.iter().zip(result) {
            assert!(a.weights.iter().zip(&b.weights).all(|(a, b)| (a - b).abs() < 1e-5));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn chunks_of_any_size_give_the_track_of_the_whole(
        rate in prop::sample::select(vec![16_000_u32, 22_050, 44_100, 48_000]),
        chunk in 1_usize..20_000,
        frames in 1_usize..90,
    ) {
        let mut model = model();
        let sound = sound(rate, 1.5);
        let whole = model.animate(&AudioClip::from_samples(rate, 1, sound.clone()).unwrap()).unwrap();
        let mut speech = model.begin(rate, 1).unwrap();
        let mut result = Vec::new();
        for piece in sound.chunks(chunk) {
            speech.push(piece);
            model.advance([&mut speech], frames);
            result.extend(poses(&mut speech));
        }
        speech.finish();
        while !speech.is_done() {
            model.advance([&mut speech], frames);
            result.extend(poses(&mut speech));
        }
        prop_assert_eq!(result.len(), whole.len());
        for ((_, a), b) in whole.iter().zip(&result) {
            for (a, b) in a.weights.iter().zip(&b.weights) {
                prop_assert!((a - b).abs() < 1e-5);
            }
        }
    }
}
