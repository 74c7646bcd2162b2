use burn::tensor::{Device, Tensor, TensorData};
use prost::Message as _;
use talkie::model::Manifest;
use talkie_onnx::{Dimension, messages::ModelProto};

use super::{channel_names, manifest, model_card, streaming_graph};
use crate::config::Recipe;
use crate::network::SpeechNetwork;
use crate::teacher::MOTIONS;
use crate::training::{Normalisation, Progress};

fn small() -> Recipe {
    let mut recipe = Recipe::shipped().expect("the shipped recipe is valid");
    recipe.network.channels = 8;
    recipe.network.dilations = vec![1, 3];
    recipe
}

fn progress(recipe: &Recipe) -> Progress {
    let bands = recipe.features.width();
    Progress { normalisation: Normalisation { mean: vec![-3.0; bands], std: vec![2.0; bands] }, ..Progress::default() }
}

#[test]
fn every_channel_is_there_once() {
    let mut names = channel_names();
    assert_eq!(names.len(), 36);
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 36);
}

#[test]
fn the_graph_says_what_it_keeps() {
    let recipe = small();
    let network = SpeechNetwork::new(&recipe, &Device::flex());
    let (file, states) = streaming_graph(&network, recipe.features.width()).expect("a consistent graph");
    let shapes: Vec<_> = states.iter().map(|state| (state.channels, state.frames)).collect();
    assert_eq!(shapes, [(160, 4), (8, 2), (8, 6)]);
    let graph = ModelProto::decode(file.as_slice()).expect("a message").graph.expect("a graph");
    assert_eq!(graph.input.len(), 4);
    assert_eq!(graph.output.len(), 4);
    let shape = graph.input[0].r#type.as_ref().and_then(|t| t.tensor_type.as_ref()).and_then(|t| t.shape.as_ref());
    let batch = shape.and_then(|shape| shape.dim[0].value.clone());
    assert_eq!(batch, Some(Dimension::Parameter("batch".into())));
}

#[test]
fn the_description_is_one_that_talkie_reads() {
    let recipe = small();
    let network = SpeechNetwork::new(&recipe, &Device::flex());
    let (_, states) = streaming_graph(&network, recipe.features.width()).expect("a consistent graph");
    let written = manifest(&recipe, &recipe.variants[0], &progress(&recipe), states, &serde_json::json!({}));
    let json = serde_json::to_vec(&written).expect("plain data");
    let read = Manifest::parse(&json, std::path::Path::new("model.json")).expect("a valid manifest");
    assert_eq!(read.features.log_mel, recipe.features);
    assert_eq!(read, written);
}

#[test]
fn the_card_names_data_licences_and_figures() {
    let recipe = small();
    let scores = serde_json::json!({"people": {"closure_auc": 0.876, "lag_ms": -4.0}});
    let card = model_card(
        &recipe,
        &recipe.variants[0],
        &Progress { minutes: vec![1.0; 5], ..progress(&recipe) },
        &scores,
        4_200_000,
    );
    for part in ["Apache-2.0", "flite", "4.2 MB", "0.88", "MIT OR Apache-2.0"] {
        assert!(card.contains(part), "{part} in\n{card}");
    }
}

#[test]
fn the_past_is_all_a_pose_depends_on() {
    let recipe = small();
    let device = Device::flex();
    let network = SpeechNetwork::new(&recipe, &device);
    let bands = recipe.features.width();
    let frames = 40;
    let mut values: Vec<f32> = (0..frames * bands).map(|i| ((i * 37 % 101) as f32 - 50.0) / 30.0).collect();
    let run = |values: &[f32]| {
        let data = TensorData::new(values.to_vec(), [1, frames, bands]);
        network.forward(Tensor::<3>::from_data(data, &device)).into_data().try_to_vec::<f32>().expect("numbers")
    };
    let before = run(&values);
    values[30 * bands..].fill(9.0);
    let after = run(&values);
    assert_eq!(before[..30 * MOTIONS], after[..30 * MOTIONS]);
    assert_ne!(before[30 * MOTIONS..], after[30 * MOTIONS..]);
}
