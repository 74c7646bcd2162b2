//! What ten seconds of speech cost, on one core: divide by ten for the real-time factor.
//!
//! `TALKIE_BACKEND=ort|tract cargo bench -p talkie` chooses the engine.

use std::path::Path;

use divan::Bencher;
use talkie::{
    audio::{AudioClip, AutomaticGainSettings, VoiceInput, VoiceInputSettings},
    inference::Runtime,
    model::{
        FaceModel,
        features::{LogMel, LogMelConfig},
    },
};

const SECONDS: usize = 10;

fn main() {
    match Runtime::global() {
        Ok(runtime) => println!("engine: {} {}", runtime.backend(), runtime.version()),
        Err(error) => println!("engine: {error}"),
    }
    divan::main();
}

/// Something with the rhythm of speech, at a usual rate of voice lines.
fn clip() -> AudioClip {
    let rate = 24_000;
    let samples = (0..rate as usize * SECONDS)
        .map(|i| {
            let t = i as f32 / rate as f32;
            (t * 900.0).sin() * (0.5 + 0.5 * (t * 25.0).sin()) * 0.5
        })
        .collect();
    AudioClip::from_samples(rate, 1, samples).expect("a usual format")
}

fn model() -> FaceModel {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/models/voice");
    FaceModel::load_dir(folder, Runtime::global()).expect("the default model")
}

#[divan::bench]
fn resample(bencher: Bencher) {
    let clip = clip();
    bencher.bench_local(|| clip.to_speech());
}

/// Level, gate and automatic gain of a microphone, in pieces of 10 ms.
#[divan::bench]
fn voice_input(bencher: Bencher) {
    let clip = clip();
    let automatic_gain = Some(AutomaticGainSettings::default());
    let settings = VoiceInputSettings { automatic_gain, ..VoiceInputSettings::default() };
    let mut input = VoiceInput::new(clip.sample_rate(), settings).expect("usual settings");
    let mut samples = clip.samples().to_vec();
    bencher.bench_local(move || samples.chunks_mut(240).for_each(|piece| input.process(piece)));
}

#[divan::bench]
fn log_mel(bencher: Bencher) {
    let speech = clip().to_speech().expect("a usual format");
    let mut log_mel = LogMel::new(LogMelConfig::default()).expect("the default");
    bencher.bench_local(|| log_mel.whole(&speech));
}

/// The whole path, as a clip is animated.
#[divan::bench]
fn audio_to_track(bencher: Bencher) {
    let (clip, mut model) = (clip(), model());
    bencher.bench_local(|| model.animate(&clip));
}

/// The same in live steps of one frame.
#[divan::bench(sample_count = 10)]
fn audio_to_track_frame_by_frame(bencher: Bencher) {
    let (clip, mut model) = (clip(), model());
    bencher.bench_local(|| {
        let mut speech = model.begin(clip.sample_rate(), clip.channels()).expect("a usual format");
        let mut count = 0;
        for piece in clip.samples().chunks(480) {
            speech.push(piece);
            model.advance([&mut speech], 1);
            speech.drain(|_| count += 1).expect("a network that runs");
        }
        count
    });
}
