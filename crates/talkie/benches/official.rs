//! What official networks cost: bundles of the official sizes with networks of our own that are as slow (`talkie_standin`), for
//! one second of speech at a time, with one and two threads.
//!
//! `cargo bench -p talkie --bench official`; writes 1.2 GB to a temporary folder and needs 3 GB of memory.

use std::{sync::OnceLock, time::Instant};

use divan::Bencher;
use talkie::{
    animation::FrameRate,
    audio::SAMPLE_RATE,
    inference::Runtime,
    model::{
        EmotionModel, EmotionModelOptions, FaceModel, ModelOptions, SpeechOptions,
        audio2face::{BundleSource, FaceBundle, FaceFrames, FaceShapes, RawFrame},
    },
};
use talkie_standin::{Family, Size, StandIn};
use tempfile::TempDir;

fn main() {
    match Runtime::global() {
        Ok(runtime) => println!("engine: {} {}", runtime.backend(), runtime.version()),
        Err(error) => println!("engine: {error}"),
    }
    divan::main();
}

/// A bundle of the official size, written once.
fn bundle(family: Family) -> &'static TempDir {
    static BUNDLES: [OnceLock<TempDir>; 3] = [OnceLock::new(), OnceLock::new(), OnceLock::new()];
    BUNDLES[family as usize].get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        StandIn::new(family, Size::Official).write(folder.path()).expect("a bundle");
        folder
    })
}

fn load(family: Family, frames_per_second: u32, threads: usize) -> FaceModel {
    let frame_rate = Some(FrameRate::per_second(frames_per_second));
    let options = ModelOptions { frame_rate, threads, ..ModelOptions::default() };
    let folder = bundle(family);
    let started = Instant::now();
    let model = FaceModel::load_dir_with(folder.path(), &options, Runtime::global()).expect("the bundle just written");
    eprintln!("{family:?} loaded in {:.2} s", started.elapsed().as_secs_f64());
    model
}

fn second() -> Vec<f32> {
    (0..SAMPLE_RATE).map(|index| (index as f32 * 0.06).sin() * (index as f32 * 0.001).sin() * 0.3).collect()
}

fn speak(bencher: Bencher, mut model: FaceModel, options: &SpeechOptions) {
    let second = second();
    bencher.bench_local(|| {
        let mut speech = model.begin_with(SAMPLE_RATE, 1, options).expect("a usual format");
        speech.push(&second);
        speech.finish();
        let mut poses = 0;
        while !speech.is_done() {
            model.advance([&mut speech], usize::MAX);
            speech.drain(|_| poses += 1).expect("a network that works");
        }
        poses
    });
}

/// One second, so many poses, so many threads: the time is the real-time factor.
#[divan::bench(args = [(15, 1), (15, 2), (25, 2), (30, 1), (30, 2)], sample_count = 5)]
fn regression(bencher: Bencher, (frames, threads): (u32, usize)) {
    speak(bencher, load(Family::Regression, frames, threads), &SpeechOptions::default());
}

/// The same with all vertices.
#[divan::bench(sample_count = 5)]
fn regression_vertices(bencher: Bencher) {
    let options = SpeechOptions { geometry: true, ..SpeechOptions::default() };
    speak(bencher, load(Family::Regression, 30, 2), &options);
}

/// One second and the half before it: four windows.
#[divan::bench(args = [1, 2], sample_count = 3)]
fn diffusion(bencher: Bencher, threads: usize) {
    speak(bencher, load(Family::Diffusion, 60, threads), &SpeechOptions::default());
}

/// A pose from what the network says about a frame: straight, and by way of all vertices.
#[divan::bench(args = [false, true], sample_count = 20)]
fn frame(bencher: Bencher, geometry: bool) {
    let mut source = BundleSource::folder(bundle(Family::Regression).path());
    let bundle = FaceBundle::load(&mut source).expect("a bundle");
    let shapes = FaceShapes::of(&bundle, &source).expect("a bundle with blend shapes").remove(0);
    let parameters = shapes.config().parameters;
    let mut face = FaceFrames::new(shapes, parameters, geometry).expect("the parameters of the bundle");
    let skin: Vec<f32> = (0..272).map(|index| (index as f32 * 0.7).sin()).collect();
    let raw = RawFrame { skin: &skin, tongue: &skin[..10], jaw: &skin[..15], eyes: &skin[..4] };
    bencher.bench_local(|| face.frame(raw, 1.0 / 30.0).expect("finite numbers"));
}

/// A second of emotions, three answers.
#[divan::bench(args = [1, 2], sample_count = 3)]
fn emotion(bencher: Bencher, threads: usize) {
    let options = EmotionModelOptions { threads, ..EmotionModelOptions::default() };
    let mut emotions =
        EmotionModel::load_dir(bundle(Family::Emotion).path(), options, Runtime::global()).expect("a bundle");
    let folder = tempfile::tempdir().expect("a temporary folder");
    StandIn::new(Family::Regression, Size::Tiny).write(folder.path()).expect("a bundle");
    let face = FaceModel::load_dir(folder.path(), Runtime::global()).expect("a bundle");
    let second = second();
    bencher.bench_local(|| {
        let mut speech = face.begin(SAMPLE_RATE, 1).expect("a usual format");
        emotions.attach(&mut speech, None).expect("the same emotions");
        speech.push(&second);
        speech.finish();
        emotions.advance([&mut speech]).expect("a network that works");
    });
}
