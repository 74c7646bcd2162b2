//! A recipe and a corpus give one network, whatever the threads do in between.
//!
//! A file of its own, since the random numbers of a device are those of the whole process.

use burn::tensor::Device;
use talkie::metrics::{Alignment, Phone};
use talkie_train::config::Recipe;
use talkie_train::corpus::{Corpus, Item};
use talkie_train::network::SpeechNetwork;
use talkie_train::teacher::Prosody;
use talkie_train::training::{Budget, Checkpoint, Run, Threads, train};

/// Two seconds of a hum with labels.
fn item() -> Item {
    let samples = (0..32_000).map(|i| 0.3 * (i as f32 * 0.1).sin()).collect();
    let phone = |symbol: &str, start: f64| Phone { symbol: symbol.into(), start, end: start + 0.5 };
    let phones = vec![phone("SIL", 0.0), phone("AA", 0.5), phone("M", 1.0), phone("SIL", 1.5)];
    let prosody = vec![Prosody::PLAIN; phones.len()];
    let said = Alignment { speaker: "hum".into(), phones, ..Alignment::default() };
    Item { name: "hum".into(), source: 0, samples, said, prosody, capture: None }
}

/// All numbers of the network that a seed leads to in three steps.
fn numbers(seed: u64) -> Vec<f32> {
    let folder = tempfile::tempdir().expect("a folder");
    let mut recipe = Recipe::shipped().expect("the shipped recipe is valid");
    recipe.folder = folder.path().into();
    recipe.training.seed = seed;
    recipe.network.channels = 8;
    recipe.network.dilations = vec![1, 2];
    recipe.training.frames = 60;
    recipe.training.batch = 4;
    recipe.training.workers = 2;
    let corpus = Corpus { training: vec![item()], validation: vec![item()], ..Corpus::default() };
    let device = Device::flex();
    let run = Run {
        recipe: &recipe,
        corpus: &corpus,
        people: &[],
        device: &device,
        threads: Threads::PartOfBatch,
        budget: Budget { steps: Some(3), seconds: None },
        hardware: "a test",
    };
    let variant = &recipe.variants[0];
    train(&run, variant).expect("it learns");
    let fresh = SpeechNetwork::new(&recipe, &device);
    let (_, network) = Checkpoint::load_best(&recipe.checkpoint(&variant.name), fresh).expect("it was kept");
    let layers = network.blocks.iter().flat_map(|block| [&block.convolution.taps, &block.mix]);
    layers
        .chain([&network.first.taps, &network.hidden, &network.output])
        .flat_map(|layer| layer.weight.val().into_data().try_to_vec::<f32>().expect("numbers"))
        .collect()
}

#[test]
fn a_seed_gives_one_network() {
    let first = numbers(7);
    assert_eq!(first, numbers(7));
    assert_ne!(first, numbers(8));
}
