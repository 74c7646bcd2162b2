//! Speed of what turns the output of a network into geometry, for a face of the size of the official ones.

use std::sync::Arc;

use divan::{Bencher, black_box};
use talkie::animation::geometry::{
    JawAnimator, PcaBasis, SkinAnimator, SkinParameters, SkinShape, TeethParameters, TongueAnimator, TongueParameters,
};

/// Values of the skin of the regression models: 61 520 vertices.
const SKIN: usize = 184_560;
/// Values of the tongue: 5 602 vertices.
const TONGUE: usize = 16_806;

fn main() {
    divan::main();
}

fn wave(count: usize) -> Vec<f32> {
    (0..count).map(|index| (index as f32 * 0.37).sin()).collect()
}

#[divan::bench]
fn skin(bencher: Bencher) {
    let shape = Arc::new(SkinShape::new(wave(SKIN), wave(SKIN), wave(SKIN)).expect("a shape"));
    let parameters = SkinParameters { lower_face_smoothing: 0.03, upper_face_smoothing: 0.02, ..Default::default() };
    let mut animator = SkinAnimator::new(shape, parameters).expect("an animator");
    let (deltas, mut out) = (wave(SKIN), vec![0.0; SKIN]);
    bencher.bench_local(|| animator.animate(black_box(&deltas), 1.0 / 60.0, &mut out));
}

#[divan::bench]
fn tongue(bencher: Bencher) {
    let animator = TongueAnimator::new(wave(TONGUE).into(), TongueParameters::default()).expect("an animator");
    let (deltas, mut out) = (wave(TONGUE), vec![0.0; TONGUE]);
    bencher.bench_local(|| animator.animate(black_box(&deltas), &mut out));
}

#[divan::bench]
fn jaw(bencher: Bencher) {
    let animator = JawAnimator::new(wave(15), TeethParameters::default()).expect("an animator");
    let deltas = wave(30).split_off(15);
    bencher.bench_local(|| animator.animate(black_box(&deltas)));
}

/// Frames that are expanded together.
#[divan::bench(args = [1, 2, 6])]
fn pca(bencher: Bencher, frames: usize) {
    let basis = PcaBasis::new(wave(SKIN * 272), 272).expect("a basis");
    let (coefficients, mut deltas) = (wave(272 * frames), vec![0.0; SKIN * frames]);
    bencher.bench_local(|| basis.expand_batch(black_box(&coefficients), &mut deltas));
}
