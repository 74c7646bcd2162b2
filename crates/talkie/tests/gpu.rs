//! The shipped models on a GPU, by way of WebGPU.
//!
//! `cargo xtask test --gpu` brings the plugin and SwiftShader, a GPU in software, and then wants WebGPU to be there
//! (`TALKIE_EXPECT_DEVICE=webgpu`). Otherwise the tests use what GPU there is, or say why there is none.
#![cfg(feature = "webgpu")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    env,
    path::{Path, PathBuf},
    time::Instant,
};

use talkie::{
    animation::{FaceChannel, FacePose},
    audio::AudioClip,
    inference::{Attempt, Device, Network, NetworkSource, Runtime, TensorView},
    model::{FaceModel, ModelOptions},
};
use talkie_onnx::{Dimension, Graph};

fn assets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets")
}

fn model(folder: &str, device: Device) -> FaceModel {
    let options = ModelOptions { device: Some(device), ..ModelOptions::default() };
    FaceModel::load_dir_with(assets().join(folder), &options, Runtime::global()).unwrap()
}

/// Whether WebGPU was to be had; says why not, and fails where it had to be.
fn is_there(device: Device, passed_over: &[Attempt]) -> bool {
    if device == Device::WebGpu {
        return true;
    }
    let reasons = passed_over.iter().map(Attempt::to_string).collect::<Vec<_>>().join("; ");
    assert!(env::var_os("TALKIE_EXPECT_DEVICE").is_none_or(|wanted| wanted != "webgpu"), "{reasons}");
    println!("skipped: {reasons}");
    false
}

/// What these pieces of speech become in one batch.
fn animate(model: &mut FaceModel, pieces: &[&[f32]]) -> Vec<Vec<FacePose>> {
    let mut speeches: Vec<_> = pieces.iter().map(|_| model.begin(16_000, 1).unwrap()).collect();
    for (speech, piece) in speeches.iter_mut().zip(pieces) {
        speech.push(piece);
        speech.finish();
    }
    while speeches.iter().any(|speech| !speech.is_done()) {
        model.advance(&mut speeches, usize::MAX);
    }
    let poses = |speech: &mut talkie::model::Speech| {
        let mut poses = Vec::new();
        speech.drain(|pose| poses.push(pose)).unwrap();
        poses
    };
    speeches.iter_mut().map(poses).collect()
}

#[test]
fn shipped_models_give_on_webgpu_what_they_give_on_the_cpu() {
    let clip = AudioClip::decode(std::fs::read(assets().join("voices/01_ada.ogg")).unwrap()).unwrap();
    let sound = clip.to_speech().unwrap();
    // Of different length, so that the batch shrinks on the way.
    let pieces: [&[f32]; 3] = [&sound[..12_000], &sound[8_000..20_000], &sound[16_000..24_000]];
    for folder in ["models/voice", "models/voice_live"] {
        let mut gpu = model(folder, Device::WebGpu);
        if !is_there(gpu.device(), gpu.passed_over()) {
            return;
        }
        let (its, all) = gpu.network().nodes_on_device().unwrap();
        println!("{folder}: WebGPU computes {its} of {all} nodes");
        assert!(its * 10 > all * 9, "{folder}: WebGPU computes no more than {its} of {all} nodes");
        let mut cpu = model(folder, Device::Cpu);
        for pieces in [&pieces[..1], &pieces[..]] {
            let started = Instant::now();
            let spoken = animate(&mut gpu, pieces);
            let seconds = started.elapsed().as_secs_f64();
            assert_eq!(gpu.device(), Device::WebGpu, "{:?}", gpu.passed_over());
            let expected = animate(&mut cpu, pieces);
            let (mut largest, mut jaw) = (0f32, 0f32);
            for (spoken, expected) in spoken.iter().zip(&expected) {
                assert_eq!(spoken.len(), expected.len());
                for (spoken, expected) in spoken.iter().zip(expected) {
                    jaw = jaw.max(spoken.weight(FaceChannel::JawOpen));
                    for channel in FaceChannel::ALL {
                        largest = largest.max((spoken.weight(channel) - expected.weight(channel)).abs());
                    }
                }
            }
            println!("{folder}: {} at once in {seconds:.1} s, within {largest:.1e} of the CPU", pieces.len());
            assert!(largest < 1e-3, "{folder}, {} at once: {largest}", pieces.len());
            assert!(jaw > 0.1, "{folder}: it speaks");
        }
    }
}

/// What is too large for the memory of the device fails there, as on a device that is lost, and goes on on the CPU.
#[test]
fn what_fails_on_webgpu_is_done_on_the_cpu() {
    const ROWS: i64 = (1 << 18) + 1;
    let mut graph = Graph::default();
    graph.input("x", &[Dimension::Value(1), Dimension::Value(1024)]).unwrap();
    graph.numbers("size", &[ROWS, 1024]).unwrap();
    graph.node("Expand", &["x", "size"], "large", &[]).unwrap();
    graph.numbers("start", &[ROWS - 1]).unwrap();
    graph.numbers("end", &[ROWS]).unwrap();
    graph.node("Slice", &["large", "start", "end"], "y", &[]).unwrap();
    graph.output("y", &[Dimension::Value(1), Dimension::Value(1024)]).unwrap();
    let onnx = graph.finish("large", &[]);
    let runtime = Runtime::global().unwrap();
    let mut network = Network::load_from(runtime, NetworkSource::Bytes(&onnx), Device::WebGpu, 1).unwrap();
    if !is_there(network.device(), network.passed_over()) {
        return;
    }
    let values: Vec<f32> = (0..1024).map(|value| value as f32).collect();
    for _ in 0..2 {
        let inputs = [TensorView { name: "x", shape: vec![1, 1024], values: &values }];
        let mut received = 0;
        network
            .run(&inputs, &[("y", &[1, 1024][..])], |_, got| {
                received += 1;
                assert_eq!(got, values);
            })
            .unwrap();
        assert_eq!(received, 1);
    }
    if network.device() == Device::WebGpu {
        println!("skipped: this GPU has memory for a gigabyte at once");
        return;
    }
    let [lost] = network.passed_over() else { panic!("{:?}", network.passed_over()) };
    println!("{lost}");
    assert_eq!(lost.device, Some(Device::WebGpu));
    assert_eq!(network.nodes_on_device(), None);
    // Another network is still there.
    assert_eq!(model("models/voice", Device::WebGpu).device(), Device::WebGpu);
}

/// A game may have several models, which come, run and go on several threads. ONNX Runtime's plugin leaves it to us that only one of them
/// is busy with the GPU; where two are, it computes nonsense or takes the process with it.
#[test]
fn networks_on_several_threads_come_run_and_go() {
    const WIDTH: usize = 64;
    // Whole numbers all the way, which come out exactly.
    let shape = [Dimension::Parameter("rows".into()), Dimension::Value(WIDTH as i64)];
    let mut graph = Graph::default();
    graph.input("x", &shape).unwrap();
    let mut last = "x".to_owned();
    for step in 0..8 {
        let added = graph.constant(&[1], &[step as f32]).unwrap();
        let sum = graph.apply("Add", &[&last, &added], &[]).unwrap();
        let factor = graph.constant(&[1], &[-2.0]).unwrap();
        last = graph.apply("Mul", &[&sum, &factor], &[]).unwrap();
    }
    graph.node("Identity", &[&last], "y", &[]).unwrap();
    graph.output("y", &shape).unwrap();
    let onnx = graph.finish("steps", &[]);
    let expected = |x: f32| (0..8).fold(x, |value, step| (value + step as f32) * -2.0);
    let runtime = Runtime::global().unwrap();
    let load = || Network::load_from(runtime, NetworkSource::Bytes(&onnx), Device::WebGpu, 1).unwrap();
    let first = load();
    if !is_there(first.device(), first.passed_over()) {
        return;
    }
    drop(first);
    std::thread::scope(|threads| {
        for thread in 0..4 {
            threads.spawn(move || {
                for life in 0..4 {
                    let mut network = load();
                    for run in 0..12 {
                        let rows = 1 + (thread + life + run) % 5;
                        let values: Vec<f32> = (0..rows * WIDTH).map(|value| (value + thread) as f32).collect();
                        let inputs = [TensorView { name: "x", shape: vec![rows, WIDTH], values: &values }];
                        let mut received: Vec<f32> = Vec::new();
                        network.run(&inputs, &[("y", &[rows, WIDTH])], |_, got| received.extend(got)).unwrap();
                        assert_eq!(network.device(), Device::WebGpu, "{:?}", network.passed_over());
                        assert!(received.into_iter().eq(values.iter().map(|&x| expected(x))));
                    }
                }
            });
        }
    });
}
