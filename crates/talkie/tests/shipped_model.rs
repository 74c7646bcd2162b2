//! What the shipped models promise, measured on the default character and on the lines beside it.
#![cfg(all(feature = "ort", feature = "gltf"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};

use talkie::{
    animation::{FaceChannel, FaceTrack},
    audio::AudioClip,
    inference::Runtime,
    metrics::{ChannelCurves, LipMesh},
    model::FaceModel,
};

fn assets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets")
}

fn models() -> impl Iterator<Item = FaceModel> {
    ["models/voice", "models/voice_live"]
        .into_iter()
        .map(|folder| FaceModel::load_dir(assets().join(folder), Runtime::global()).unwrap())
}

fn lips() -> LipMesh {
    LipMesh::from_glb(&std::fs::read(assets().join("characters/ada.glb")).unwrap()).unwrap()
}

fn curves(track: &FaceTrack) -> ChannelCurves {
    let times = track.iter().map(|(seconds, _)| seconds).collect();
    let curve = |channel| track.iter().map(|(_, pose)| pose.weight(channel)).collect();
    ChannelCurves::new(times, FaceChannel::ALL.into_iter().map(|channel| (channel, curve(channel))).collect()).unwrap()
}

/// Pink noise by Paul Kellet's economy filter, at a level in decibels of full scale.
fn room_noise(rate: u32, seconds: usize, decibels: f32) -> Vec<f32> {
    let (mut state, mut seed) = ([0.0f32; 3], 7u32);
    let mut noise: Vec<f32> = (0..rate as usize * seconds)
        .map(|_| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let white = (seed >> 8) as f32 / (1 << 23) as f32 - 1.0;
            state[0] = 0.99765 * state[0] + 0.0990460 * white;
            state[1] = 0.96300 * state[1] + 0.2965164 * white;
            state[2] = 0.57000 * state[2] + 1.0526913 * white;
            state.iter().sum::<f32>() + 0.1848 * white
        })
        .collect();
    let power = noise.iter().map(|s| s * s).sum::<f32>() / noise.len() as f32;
    let gain = 10f32.powf(decibels / 20.0) / power.sqrt();
    noise.iter_mut().for_each(|sample| *sample *= gain);
    noise
}

/// Another sample rate, by a windowed sinc of 32 zero crossings on either side.
fn at_rate(samples: &[f32], from: u32, to: u32) -> Vec<f32> {
    const REACH: f64 = 32.0;
    let cutoff = (f64::from(to) / f64::from(from)).min(1.0);
    let count = (samples.len() as f64 * f64::from(to) / f64::from(from)) as usize;
    (0..count)
        .map(|index| {
            let position = index as f64 * f64::from(from) / f64::from(to);
            let reach = REACH / cutoff;
            let (first, last) = ((position - reach).ceil().max(0.0) as usize, (position + reach) as usize);
            let sum: f64 = (first..=last.min(samples.len() - 1))
                .map(|at| {
                    let distance = at as f64 - position;
                    let x = core::f64::consts::PI * distance * cutoff;
                    let sinc = if x.abs() < 1e-9 { 1.0 } else { x.sin() / x };
                    let window = 0.5 + 0.5 * (core::f64::consts::PI * distance / reach).cos();
                    f64::from(samples[at]) * cutoff * sinc * window
                })
                .sum();
            sum as f32
        })
        .collect()
}

#[test]
fn the_noise_of_a_room_moves_no_lips() {
    let lips = lips();
    for mut model in models() {
        let name = model.name().to_owned();
        let noise = AudioClip::from_samples(16_000, 1, room_noise(16_000, 30, -50.0)).unwrap();
        let track = curves(&model.animate(&noise).unwrap());
        let still: Vec<_> = FaceChannel::ALL.into_iter().map(|channel| (channel, vec![0.0; 2])).collect();
        let rest = ChannelCurves::new(vec![0.0, track.times()[track.times().len() - 1]], still).unwrap();
        let moved = lips.vertex_error([(&track, &rest)]).unwrap();
        println!("{name}: lip vertices are {:.3} mm from rest", moved.largest_mm);
        assert!(moved.largest_mm < 0.3, "{name}: {moved:?}");
    }
}

#[test]
fn every_sample_rate_gives_the_same_track() {
    let clip = AudioClip::decode(std::fs::read(assets().join("voices/01_ada.ogg")).unwrap()).unwrap();
    let (rate, samples) = (clip.sample_rate(), clip.samples());
    for mut model in models() {
        let name = model.name().to_owned();
        let mut track = |to: u32| {
            let sound = if to == rate { samples.to_vec() } else { at_rate(samples, rate, to) };
            model.animate(&AudioClip::from_samples(to, 1, sound).unwrap()).unwrap()
        };
        let usual = track(16_000);
        for other in [24_000, 44_100, 48_000] {
            let track = track(other);
            for channel in
                [FaceChannel::JawOpen, FaceChannel::MouthPucker, FaceChannel::MouthFunnel, FaceChannel::MouthClose]
            {
                let values =
                    || usual.iter().zip(track.iter()).map(|((_, a), (_, b))| (a.weight(channel), b.weight(channel)));
                let range = values().fold(0.0f32, |range, (a, _)| range.max(a));
                let off = values().map(|(a, b)| (a - b).powi(2)).sum::<f32>() / usual.len() as f32;
                let share = off.sqrt() / range;
                println!("{name}: {channel} at {other} Hz is off by {:.2} % of its range", 100.0 * share);
                assert!(share < 0.02, "{name}: {channel} at {other} Hz is off by {:.1} %", 100.0 * share);
            }
        }
    }
}
