//! The exported graph against the network it was exported from: whole clips and streams in pieces, in whichever engine
//! `talkie` finds here (`TALKIE_BACKEND=ort|tract` picks one).

use burn::tensor::{Device, Tensor, TensorData};
use talkie::inference::{Network, Runtime, TensorView};
use talkie::model::StateTensor;
use talkie_train::config::Recipe;
use talkie_train::export::streaming_graph;
use talkie_train::network::SpeechNetwork;
use talkie_train::teacher::{MOTIONS, Motion};

const BATCH: usize = 2;
const FRAMES: usize = 37;

/// Plays frames through the exported graph in pieces of the given lengths, over and over; `[batch, frames, channels]`.
fn play(network: &mut Network, states: &[StateTensor], heard: &[f32], bands: usize, pieces: &[usize]) -> Vec<f32> {
    let mut memory: Vec<Vec<f32>> = states.iter().map(|s| vec![0.0; BATCH * s.channels * s.frames]).collect();
    let channels: usize = Motion::ALL.iter().map(|motion| motion.channels().len()).sum();
    let mut out = vec![0.0; BATCH * FRAMES * channels];
    let mut from = 0;
    for length in pieces.iter().cycle() {
        let length = (*length).min(FRAMES - from);
        if length == 0 {
            break;
        }
        // [batch, frames, bands] to [batch, bands, frames].
        let mut mel = vec![0.0; BATCH * bands * length];
        for batch in 0..BATCH {
            for band in 0..bands {
                for frame in 0..length {
                    mel[(batch * bands + band) * length + frame] =
                        heard[(batch * FRAMES + from + frame) * bands + band];
                }
            }
        }
        let mut inputs = vec![TensorView { name: "mel", shape: vec![BATCH, bands, length], values: &mel }];
        for (state, values) in states.iter().zip(&memory) {
            inputs.push(TensorView { name: &state.input, shape: vec![BATCH, state.channels, state.frames], values });
        }
        let mut outputs = vec![("weights", [BATCH, length, channels])];
        outputs.extend(states.iter().map(|state| (state.output.as_str(), [BATCH, state.channels, state.frames])));
        let outputs: Vec<_> = outputs.iter().map(|(name, shape)| (*name, &shape[..])).collect();
        let mut next = vec![Vec::new(); outputs.len()];
        network.run(&inputs, &outputs, |index, values| next[index] = values.to_vec()).expect("the graph runs");
        for batch in 0..BATCH {
            let rows = &next[0][batch * length * channels..][..length * channels];
            out[(batch * FRAMES + from) * channels..][..length * channels].copy_from_slice(rows);
        }
        memory = next.split_off(1);
        from += length;
    }
    out
}

#[test]
fn the_exported_graph_does_what_the_network_does() {
    let mut recipe = Recipe::shipped().expect("the shipped recipe is valid");
    recipe.network.channels = 24;
    recipe.network.dilations = vec![1, 2, 8];
    let (device, bands) = (Device::flex(), recipe.features.width());
    let network = SpeechNetwork::new(&recipe, &device).halved();
    let heard: Vec<f32> = (0..BATCH * FRAMES * bands).map(|i| ((i * 7919 % 1009) as f32 / 504.5 - 1.0) * 2.0).collect();
    let input = Tensor::<3>::from_data(TensorData::new(heard.clone(), [BATCH, FRAMES, bands]), &device);
    let expected = network.forward(input).into_data().try_to_vec::<f32>().expect("numbers");

    let (file, states) = streaming_graph(&network, bands).expect("a consistent graph");
    let runtime = Runtime::global().expect("tract is built in");
    let mut exported = Network::load(runtime, &file).expect("a valid graph");
    let columns: Vec<usize> =
        Motion::ALL.iter().flat_map(|motion| vec![*motion as usize; motion.channels().len()]).collect();
    for pieces in [&[FRAMES][..], &[1], &[2, 3, 7], &[11]] {
        let got = play(&mut exported, &states, &heard, bands, pieces);
        for (row, wanted) in got.chunks_exact(columns.len()).zip(expected.chunks_exact(MOTIONS)) {
            for (value, column) in row.iter().zip(&columns) {
                let wanted = wanted[*column];
                assert!(
                    (value - wanted).abs() < 1e-4,
                    "{value} for {wanted} in pieces of {pieces:?} ({})",
                    runtime.backend()
                );
            }
        }
    }
}
