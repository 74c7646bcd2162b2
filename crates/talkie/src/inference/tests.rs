//! Devices that are not there, and devices that are lost.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};

use super::{Backend, Device, Network, NetworkError, NetworkSource, Runtime, TensorInfo, TensorView};
use crate::{
    animation::FacePose,
    audio::AudioClip,
    model::{FaceModel, ModelOptions},
};

fn assets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets")
}

fn network_file() -> PathBuf {
    let folder = assets().join("models/voice");
    let manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.join("model.json")).unwrap()).unwrap();
    folder.join(manifest["network"].as_str().unwrap())
}

fn model(device: Option<Device>) -> FaceModel {
    let options = ModelOptions { device, ..ModelOptions::default() };
    FaceModel::load_dir_with(assets().join("models/voice"), &options, Runtime::global()).unwrap()
}

fn line() -> AudioClip {
    AudioClip::decode(std::fs::read(assets().join("voices/01_ada.ogg")).unwrap()).unwrap()
}

/// Two voices, one half a second behind, that say the line in one batch; `meanwhile` comes after a third of it.
fn speak(model: &mut FaceModel, meanwhile: impl FnOnce(&mut FaceModel)) -> [Vec<FacePose>; 2] {
    let clip = line();
    let (rate, samples) = (clip.sample_rate(), clip.to_speech().unwrap());
    assert!(rate > 0 && samples.len() > 32_000);
    let mut speeches = [0, 8000].map(|late| (model.begin(16_000, 1).unwrap(), vec![0.0; late]));
    let (first, rest) = samples.split_at(samples.len() / 3);
    for (speech, silence) in &mut speeches {
        speech.push(silence);
        speech.push(first);
    }
    model.advance(speeches.iter_mut().map(|(speech, _)| speech), usize::MAX);
    meanwhile(model);
    for (speech, _) in &mut speeches {
        speech.push(rest);
        speech.finish();
    }
    while speeches.iter().any(|(speech, _)| !speech.is_done()) {
        model.advance(speeches.iter_mut().map(|(speech, _)| speech), usize::MAX);
    }
    speeches.map(|(mut speech, _)| {
        let mut poses = Vec::new();
        speech.drain(|pose| poses.push(pose)).unwrap();
        poses
    })
}

#[test]
fn a_device_that_is_lost_in_mid_speech_leaves_no_gap() {
    let expected = speak(&mut model(Some(Device::Cpu)), |_| {});
    let runtime = Runtime::global().unwrap();
    for (device, from_memory) in [(Device::Cuda, true), (Device::WebGpu, false)] {
        let mut model = model(Some(Device::Cpu));
        let bytes = std::fs::read(network_file()).unwrap();
        let file = network_file();
        let source = if from_memory { NetworkSource::Bytes(&bytes) } else { NetworkSource::File(&file) };
        let spoken = speak(&mut model, |model| model.network_mut().pretend_lost(runtime, source, device));
        assert_eq!(model.device(), Device::Cpu);
        let lost = model.passed_over().to_vec();
        assert_eq!(lost.len(), 1, "it is lost once: {lost:?}");
        let said = lost[0].to_string();
        assert!(said.starts_with(&device.to_string()) && said.contains("the device is lost"), "{said}");
        for (spoken, expected) in spoken.iter().zip(&expected) {
            assert_eq!(spoken.len(), expected.len(), "no pose is missing and none is there twice");
            assert!(spoken == expected, "the same session on the same processor gives the same poses");
        }
    }
}

/// Runs the shipped network for one frame; an output may be wanted in another shape than it has.
fn run_once(
    network: &mut Network,
    wrong: Option<(usize, &[usize])>,
    receive: impl FnMut(usize, &[f32]),
) -> Result<(), NetworkError> {
    let shapes = |tensors: &[TensorInfo]| -> Vec<(String, Vec<usize>)> {
        let shape = |tensor: &TensorInfo| tensor.shape.iter().map(|&length| length.max(1) as usize).collect();
        tensors.iter().map(|tensor| (tensor.name.clone(), shape(tensor))).collect()
    };
    let (inputs, mut outputs) = (shapes(network.inputs()), shapes(network.outputs()));
    // What is carried on goes out as it came in; some engines leave that open.
    for (name, shape) in &mut outputs {
        let carried = name.replace("_out", "_in");
        if let Some((_, as_it_came)) = inputs.iter().find(|(input, _)| *input == carried) {
            shape.clone_from(as_it_came);
        }
    }
    let values = vec![0.0; 160 * 192];
    let view = |(name, shape)| -> TensorView<'_> {
        let shape: &Vec<usize> = shape;
        TensorView { name, values: &values[..shape.iter().product()], shape: shape.clone() }
    };
    let inputs: Vec<_> = inputs.iter().map(|(name, shape)| view((name, shape))).collect();
    let mut outputs: Vec<_> = outputs.iter().map(|(name, shape)| (name.as_str(), &shape[..])).collect();
    if let Some((index, shape)) = wrong {
        outputs[index].1 = shape;
    }
    network.run(&inputs, &outputs, receive)
}

#[test]
fn an_output_of_another_shape_is_named_and_nothing_is_handed_out() {
    let mut network = Network::load(Runtime::global().unwrap(), &std::fs::read(network_file()).unwrap()).unwrap();
    let nothing = |index, _: &[f32]| panic!("output {index} was handed out");
    let last = network.outputs().len() - 1;
    for _ in 0..2 {
        for wrong in [0, last] {
            let error = run_once(&mut network, Some((wrong, &[1, 7, 1])), nothing).unwrap_err();
            let name = &network.outputs()[wrong].name;
            let NetworkError::WrongTensor { direction: "output", name: named, expected, .. } = &error else {
                panic!("{error}");
            };
            assert_eq!((named, &expected[..]), (name, "[1, 7, 1]"));
        }
    }
    // Once it has run well, room is made before a run: still an error, and nothing is handed out. Neither spoils what comes after.
    for _ in 0..2 {
        let mut received = Vec::new();
        run_once(&mut network, None, |index, values| {
            assert!(values.iter().all(|value| value.is_finite()));
            received.push(index);
        })
        .unwrap();
        assert_eq!(received, (0..=last).collect::<Vec<_>>());
        println!("{}", run_once(&mut network, Some((last, &[1, 7, 1])), nothing).unwrap_err());
    }
}

#[test]
fn a_device_that_is_lost_where_the_file_is_gone_says_both() {
    let runtime = Runtime::global().unwrap();
    let mut network = Network::load(runtime, &std::fs::read(network_file()).unwrap()).unwrap();
    let nothing = NetworkSource::File(Path::new("/nowhere/network.onnx"));
    network.pretend_lost(runtime, nothing, Device::DirectMl);
    let error = run_once(&mut network, None, |_, _| panic!("there is nothing to receive")).unwrap_err();
    let NetworkError::Run(said) = &error else { panic!("{error}") };
    for part in ["DirectML", "the device is lost", "could not be loaded for the CPU"] {
        assert!(said.contains(part), "expected {part:?} in: {said}");
    }
    assert_eq!(network.device(), Device::DirectMl, "it is tried again with the next run");
}

#[test]
fn every_device_that_cannot_be_had_gives_way_to_the_cpu_with_a_reason_of_its_own() {
    let runtime = Runtime::global().unwrap();
    let expected = speak(&mut model(Some(Device::Cpu)), |_| {});
    // WebGPU may be there, so the tests of the command take it away.
    for device in [Device::TensorRt, Device::Cuda, Device::DirectMl, Device::CoreMl, Device::OpenVino] {
        let mut model = model(Some(device));
        if model.device() != Device::Cpu {
            println!("skipped: there is {device} here");
            continue;
        }
        let [attempt] = model.passed_over() else { panic!("{device}: {:?}", model.passed_over()) };
        assert_eq!(attempt.device, Some(device));
        let expected_reason = match runtime.backend() {
            _ if !device.is_built_in() => "built without the feature",
            Backend::Tract => "tract computes on the CPU only",
            Backend::OnnxRuntime if device == Device::DirectMl && !cfg!(windows) => "on Windows only",
            Backend::OnnxRuntime if device == Device::CoreMl && !cfg!(target_vendor = "apple") => {
                "systems of Apple only"
            }
            Backend::OnnxRuntime => "",
        };
        assert!(attempt.reason.contains(expected_reason) && !attempt.reason.is_empty(), "{attempt}");
        println!("{attempt}");
        let spoken = speak(&mut model, |_| {});
        assert!(spoken == expected, "{device}");
    }
}

#[test]
fn auto_tries_all_that_are_built_in_and_our_small_networks_do_not_ask() {
    let auto = model(Some(Device::Auto));
    let tried: Vec<_> = auto.passed_over().iter().filter_map(|attempt| attempt.device).collect();
    let mut built_in = Device::Auto.to_try();
    if auto.device() != Device::Cpu {
        let index = built_in.iter().position(|&device| device == auto.device()).unwrap();
        built_in.truncate(index);
    }
    assert_eq!(tried, built_in);
    if Runtime::global().unwrap().device().is_none() {
        let usual = model(None);
        assert_eq!(usual.device(), Device::Cpu);
        assert_eq!(usual.passed_over(), []);
        assert_eq!(usual.network().nodes_on_device(), None);
    }
}
