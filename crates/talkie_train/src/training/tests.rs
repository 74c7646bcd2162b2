use burn::module::Module as _;
use burn::optim::GradientsParams;
use burn::tensor::Device;

use super::{Batch, Batches, Loss, Normalisation, gradients, learning_rate, moment_weight, upload};
use crate::augment::Augmenter;
use crate::config::Recipe;
use crate::network::SpeechNetwork;
use crate::teacher::{Lesson, MOTIONS, Motion};

fn small() -> Recipe {
    let mut recipe = Recipe::shipped().expect("the shipped recipe is valid");
    recipe.network.channels = 8;
    recipe.network.dilations = vec![1, 2];
    recipe.training.frames = 60;
    recipe
}

fn batch(recipe: &Recipe, count: usize) -> Batch {
    let wave = |i: usize, step: usize| ((i * step % 997) as f32 / 498.5) - 1.0;
    let frames = recipe.training.frames * count;
    Batch {
        count,
        features: (0..frames * recipe.features.bands).map(|i| wave(i, 7919)).collect(),
        lessons: (0..frames * MOTIONS).map(|i| wave(i, 104_729).abs()).collect(),
        moments: vec![1.0; frames],
    }
}

/// Cuts a batch into parts of one sequence.
fn parts(whole: &Batch, recipe: &Recipe) -> Vec<Batch> {
    let frames = recipe.training.frames;
    let cut = |values: &[f32], width: usize, index: usize| values[index * frames * width..][..frames * width].to_vec();
    (0..whole.count)
        .map(|index| Batch {
            count: 1,
            features: cut(&whole.features, recipe.features.bands, index),
            lessons: cut(&whole.lessons, MOTIONS, index),
            moments: cut(&whole.moments, 1, index),
        })
        .collect()
}

#[test]
fn parts_on_threads_give_the_gradient_of_the_whole() {
    let recipe = small();
    let device = Device::flex().autodiff();
    let network = SpeechNetwork::new(&recipe, &device);
    let loss = Loss::new(recipe.training.velocity, &device);
    let whole = batch(&recipe, 6);
    let [features, lessons, moments] = upload(whole.clone(), &recipe, &device);
    let wrong = loss.of(network.forward(features), lessons, moments);
    let mut expected = GradientsParams::from_grads(wrong.backward(), &network);
    let (mut got, losses) =
        gradients(&network, &loss, parts(&whole, &recipe), &recipe, &device).expect("no thread fails");
    assert_eq!(losses.len(), 6);
    for id in [network.first.taps.weight.id, network.output.weight.id, network.blocks[1].mix.weight.id] {
        let numbers = |tensor: burn::tensor::Tensor<2>| tensor.into_data().try_to_vec::<f32>().expect("numbers");
        let expected = numbers(expected.remove::<2>(id).expect("a gradient"));
        let got = numbers(got.remove::<2>(id).expect("a gradient").0);
        let scale = expected.iter().fold(1e-6f32, |scale, value| scale.max(value.abs()));
        for (a, b) in expected.iter().zip(&got) {
            assert!((a - b).abs() < 1e-3 * scale, "{a} and {b}");
        }
    }
    assert!(network.num_params() > 0);
}

#[test]
fn the_same_index_gives_the_same_batch() {
    let recipe = small();
    let augmenter = Augmenter::new(&recipe.augment, &[], &[]);
    let normalisation = Normalisation::measure(&recipe, &augmenter, 4).expect("valid features");
    assert!(normalisation.std.iter().all(|std| *std > 0.0));
    let batches = Batches { recipe: &recipe, augmenter: &augmenter, normalisation: &normalisation };
    let first = batches.make(5, 2).expect("valid features");
    assert_eq!(first, batches.make(5, 2).expect("valid features"));
    assert_ne!(first, batches.make(6, 2).expect("valid features"));
    assert_eq!(first.features.len(), 2 * recipe.training.frames * recipe.features.bands);
    let look_ahead = recipe.network.look_ahead;
    assert!(first.moments[..look_ahead].iter().all(|weight| *weight == 0.0), "no pose has been heard yet");
    let ordered = std::thread::scope(|scope| {
        batches.stream(scope, 5, 9, 2, 3).collect::<Result<Vec<_>, _>>().expect("valid features")
    });
    assert_eq!(ordered.len(), 4);
    assert_eq!(ordered[0], first);
}

#[test]
fn closures_count_more_than_open_vowels() {
    let mut lesson = Lesson { silence: 0.0, ..Lesson::REST };
    let plain = moment_weight(&lesson);
    lesson.closure = 1.0;
    assert!(moment_weight(&lesson) > 4.0 * plain);
    lesson.closure = 0.0;
    lesson.motions[Motion::Pucker as usize] = 0.7;
    assert!(moment_weight(&lesson) > 1.5 * plain);
}

#[test]
fn the_learning_rate_rises_and_falls() {
    let recipe = Recipe::shipped().expect("the shipped recipe is valid");
    let peak = recipe.training.learning_rate;
    assert!(learning_rate(&recipe, 0, 0.0) < 0.01 * peak);
    assert!((learning_rate(&recipe, recipe.training.warm_up, 0.0) - peak).abs() < 1e-9);
    assert!((learning_rate(&recipe, 100_000, 1.0) - 0.01 * peak).abs() < 1e-9);
}
