use prost::Message as _;
use talkie_onnx::messages::{DimensionProto, ModelProto, ValueInfoProto};

use crate::{Error, Family, Size, StandIn};

fn tensors(stand_in: &StandIn) -> Vec<(String, String)> {
    let folder = tempfile::tempdir().expect("a folder");
    stand_in.write(folder.path()).expect("it writes");
    let file = std::fs::read(folder.path().join("network.onnx")).expect("a network");
    let model = ModelProto::decode(file.as_slice()).expect("a model");
    assert!(model.opset_import.iter().all(|set| set.version <= 17));
    let graph = model.graph.expect("a graph");
    let dimension = |dimension: &DimensionProto| match &dimension.value {
        Some(talkie_onnx::Dimension::Value(value)) => value.to_string(),
        Some(talkie_onnx::Dimension::Parameter(name)) => name.clone(),
        None => "?".into(),
    };
    let described = |value: &ValueInfoProto| {
        let tensor = value.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref()).expect("a tensor");
        assert_eq!(tensor.elem_type, talkie_onnx::messages::FLOAT);
        let shape: Vec<String> = tensor.shape.iter().flat_map(|shape| &shape.dim).map(dimension).collect();
        (value.name.clone(), shape.join(" "))
    };
    graph.input.iter().chain(&graph.output).map(described).collect()
}

fn expect(family: Family, expected: &[(&str, &str)]) {
    let tensors = tensors(&StandIn::new(family, Size::Tiny));
    let tensors: Vec<_> = tensors.iter().map(|(name, shape)| (name.as_str(), shape.as_str())).collect();
    assert_eq!(tensors, expected);
}

#[test]
fn tensors_have_the_official_names_and_ranks() {
    let width = (3 * (300 + 60) + 15 + 4).to_string();
    let regression = [("input", "batch 1 8320"), ("emotion", "batch 1 26"), ("result", "batch 1 89")];
    expect(Family::Regression, &regression);
    expect(
        Family::Diffusion,
        &[
            ("window", "batch 16000"),
            ("identity", "batch 3"),
            ("emotion", "batch 30 10"),
            ("input_latents", "2 2 batch 16"),
            ("noise", &format!("batch 3 60 {width}")),
            ("prediction", &format!("batch 60 {width}")),
            ("output_latents", "2 2 batch 16"),
        ],
    );
    expect(Family::Emotion, &[("input_values", "batch length"), ("output", "batch 6")]);
}

#[test]
fn official_sizes_come_to_the_official_number_of_weights() {
    let parameters = StandIn::new(Family::Regression, Size::Official).parameters().expect("a valid size");
    assert!((18_500_000..18_700_000).contains(&parameters), "{parameters}");
    // The base size of wav2vec2 has 94.4 million.
    let parameters = StandIn::new(Family::Emotion, Size::Official).parameters().expect("a valid size");
    assert!((94_300_000..94_500_000).contains(&parameters), "{parameters}");
    assert!(StandIn::new(Family::Regression, Size::Tiny).parameters().expect("a valid size") < 10_000);
}

#[test]
fn other_sizes_can_be_asked_for() {
    let small = StandIn::new(Family::Diffusion, Size::Tiny);
    let other = StandIn {
        identities: vec!["Ann".into()],
        skin_vertices: 5000,
        tongue_vertices: 300,
        window: 8000,
        frames: [3, 6, 4],
        steps: 3,
        gru_layers: 1,
        gru_width: 4,
        front_layers: Some(0),
        ..small.clone()
    };
    let shapes: Vec<String> = tensors(&other).into_iter().map(|(_, shape)| shape).collect();
    let expected =
        ["batch 8000", "batch 1", "batch 6 10", "3 1 batch 4", "batch 4 13 15919", "batch 13 15919", "3 1 batch 4"];
    assert_eq!(shapes, expected);
    let refused = StandIn { frames: [15, 0, 15], ..small }.parameters().expect_err("no frames are kept");
    assert!(matches!(refused, Error::Size { name: "frames[1]", found: 0, .. }), "{refused}");
    let refused = StandIn { offset: 8000, ..StandIn::new(Family::Regression, Size::Tiny) }.parameters();
    assert!(refused.expect_err("nothing is heard after it").to_string().contains("offset is 8000"));
}
