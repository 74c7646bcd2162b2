use burn::module::Module as _;
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::Device;

use super::{
    Batch, Batches, Budget, Checkpoint, Loss, Normalisation, Progress, Run, Threads, gradients, learning_rate,
    moment_weight, train, upload,
};
use talkie::animation::FaceChannel;
use talkie::metrics::{Alignment, ChannelCurves, Phone};

use crate::augment::Augmenter;
use crate::config::{AugmentRecipe, Recipe, TrainingRecipe};
use crate::corpus::capture::Capture;
use crate::corpus::{Corpus, Item};
use crate::network::SpeechNetwork;
use crate::teacher::{Lesson, MOTIONS, Motion, PHONES, Prosody};

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
        features: (0..frames * recipe.features.width()).map(|i| wave(i, 7919)).collect(),
        lessons: (0..frames * MOTIONS).map(|i| wave(i, 104_729).abs()).collect(),
        closures: (0..frames).map(|i| wave(i, 31).abs()).collect(),
        named: vec![1.0; frames],
        phones: (0..frames).map(|i| (i / 5 % PHONES.len()) as i32).collect(),
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
            features: cut(&whole.features, recipe.features.width(), index),
            lessons: cut(&whole.lessons, MOTIONS, index),
            closures: cut(&whole.closures, 1, index),
            named: cut(&whole.named, 1, index),
            phones: whole.phones[index * frames..][..frames].to_vec(),
            moments: cut(&whole.moments, 1, index),
        })
        .collect()
}

#[test]
fn parts_on_threads_give_the_gradient_of_the_whole() {
    let recipe = small();
    let device = Device::flex().autodiff();
    let network = SpeechNetwork::new(&recipe, &device);
    let loss = Loss::new(&recipe.training, &device);
    let whole = batch(&recipe, 6);
    let (features, target) = upload(whole.clone(), &recipe, &device);
    let wrong = loss.of(network.answer(features), target);
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
    let look_ahead = 3;
    let batches = Batches { recipe: &recipe, look_ahead, augmenter: &augmenter, normalisation: &normalisation };
    let first = batches.make(5, 2).expect("valid features");
    assert_eq!(first, batches.make(5, 2).expect("valid features"));
    assert_ne!(first, batches.make(6, 2).expect("valid features"));
    assert_eq!(first.features.len(), 2 * recipe.training.frames * recipe.features.width());
    assert!(first.moments[..look_ahead].iter().all(|weight| *weight == 0.0), "no pose has been heard yet");
    let ordered = std::thread::scope(|scope| {
        batches.stream(scope, 5, 9, 2, 3).collect::<Result<Vec<_>, _>>().expect("valid features")
    });
    assert_eq!(ordered.len(), 4);
    assert_eq!(ordered[0], first);
}

#[test]
fn captured_motion_takes_the_place_of_the_teacher() {
    let mut recipe = small();
    recipe.augment = AugmentRecipe {
        clean: 1.0,
        tempo: 1.0,
        formants: 0.0,
        deaf: 0.0,
        pause: 0.0,
        speechless: 0.0,
        ..recipe.augment
    };
    // A jaw that falls by a quarter a second, captured with 4 s of sound.
    let times: Vec<f64> = (0..=240).map(|frame| f64::from(frame) / 60.0).collect();
    let jaw: Vec<f32> = times.iter().map(|time| (time / 4.0) as f32).collect();
    let curves = ChannelCurves::new(times, vec![(FaceChannel::JawOpen, jaw)]).expect("valid curves");
    let capture = Capture::new(&curves).expect("a jaw");
    let samples: Vec<f32> = (0..64_000).map(|i| 0.3 * (i as f32 * 0.1).sin()).collect();
    let item = Item {
        name: "take".into(),
        source: 0,
        samples,
        said: Alignment { speaker: "anna".into(), ..Alignment::default() },
        prosody: Vec::new(),
        capture: Some(capture),
    };
    let items = [item];
    let augmenter = Augmenter::new(&recipe.augment, &items, &[1.0]);
    let width = recipe.features.width();
    let normalisation = Normalisation { mean: vec![0.0; width], std: vec![1.0; width] };
    let batches = Batches { recipe: &recipe, look_ahead: 0, augmenter: &augmenter, normalisation: &normalisation };
    let mut tempos = Vec::new();
    for index in 0..8 {
        let batch = batches.make(index, 1).expect("valid features");
        let jaw: Vec<f32> = batch.lessons.chunks_exact(MOTIONS).map(|row| row[Motion::JawOpen as usize]).collect();
        // The take may start again within the sequence; everywhere else the jaw falls by its own tempo.
        let steps: Vec<f32> = jaw.windows(2).map(|pair| pair[1] - pair[0]).filter(|step| *step > 0.0).collect();
        let tempo = steps[0] / (0.25 / 50.0);
        assert!((0.8..=1.25).contains(&tempo), "{tempo}");
        assert!(steps.iter().all(|step| (step - steps[0]).abs() < 1e-4), "{steps:?}");
        assert!(batch.named.iter().all(|known| *known == 0.0), "nobody knows which phones they are");
        tempos.push(tempo);
    }
    assert!(tempos.iter().any(|tempo| (tempo - tempos[0]).abs() > 0.02), "{tempos:?}");
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
    let (peak, warm_up) = (1e-3, 200);
    assert!(learning_rate(peak, warm_up, 0, 0.0) < 0.01 * peak);
    assert!((learning_rate(peak, warm_up, warm_up, 0.0) - peak).abs() < 1e-9);
    assert!((learning_rate(peak, warm_up, 100_000, 1.0) - 0.01 * peak).abs() < 1e-9);
}

/// The first weight and bias of a network.
fn first_numbers(network: &SpeechNetwork) -> [f32; 2] {
    let number = |data: burn::tensor::TensorData| data.try_to_vec::<f32>().expect("numbers")[0];
    let bias = network.hidden.bias.as_ref().expect("a bias");
    [number(network.first.taps.weight.val().into_data()), number(bias.val().into_data())]
}

#[test]
fn a_network_follows_another_by_a_share_of_the_way() {
    let (recipe, device) = (small(), Device::flex());
    let (start, goal) = (SpeechNetwork::new(&recipe, &device), SpeechNetwork::new(&recipe, &device));
    let mut follower = start.clone();
    follower.follow(&goal, 0.25);
    let [from, to, now] = [&start, &goal, &follower].map(first_numbers);
    for index in 0..2 {
        let wanted = from[index] + 0.25 * (to[index] - from[index]);
        assert!((now[index] - wanted).abs() < 1e-6 && from[index] != to[index], "{from:?} {to:?} {now:?}");
    }
    follower.follow(&goal, 1.0);
    let (now, to) = (first_numbers(&follower), first_numbers(&goal));
    assert!(now.iter().zip(to).all(|(now, to)| (now - to).abs() < 1e-6));
}

#[test]
fn training_goes_on_where_it_stopped_and_keeps_the_mean_of_its_weights() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut recipe = small();
    recipe.folder = folder.path().into();
    recipe.training = TrainingRecipe { batch: 2, validate_every: 2, workers: 2, ..recipe.training };
    let samples: Vec<f32> = (0..64_000).map(|i| 0.3 * (i as f32 * 0.1).sin()).collect();
    let phone = |symbol: &str, start: f64| Phone { symbol: symbol.into(), start, end: start + 0.5 };
    let phones = vec![phone("SIL", 0.0), phone("AA", 0.5), phone("M", 1.0), phone("IY", 1.5), phone("SIL", 2.0)];
    let prosody = vec![Prosody::PLAIN; phones.len()];
    let said = Alignment { speaker: "hum".into(), phones, ..Alignment::default() };
    let item = Item { name: "hum".into(), source: 0, samples, said, prosody, capture: None };
    let corpus = Corpus { training: vec![item.clone()], validation: vec![item.clone()], ..Corpus::default() };
    let (device, people) = (Device::flex(), [item]);
    let run = |steps: usize, threads: Threads| {
        let budget = Budget { steps: Some(steps), seconds: None };
        let run = Run {
            recipe: &recipe,
            corpus: &corpus,
            people: &people,
            device: &device,
            threads,
            budget,
            hardware: "a test",
        };
        train(&run, &recipe.variants[0]).expect("it learns")
    };
    let steps = |progress: &Progress| progress.validation.iter().map(|found| found.step).collect::<Vec<_>>();
    assert_eq!(steps(&run(4, Threads::PartOfBatch)), [2, 4]);
    // On a GPU it goes on with whole batches.
    let progress = run(8, Threads::Batches);
    assert_eq!(steps(&progress), [2, 4, 6, 8]);
    assert!(progress.best().is_some_and(|best| best.figures.is_some() && best.held_out.is_finite()));
    let folder = recipe.checkpoint(&recipe.variants[0].name);
    let fresh = SpeechNetwork::new(&recipe, &device.clone().autodiff());
    let state = Checkpoint::load(&folder, fresh, AdamWConfig::new().init()).expect("readable").expect("written");
    let (last, mean) = (first_numbers(&state.network.valid()), first_numbers(&state.average));
    assert_ne!(last, mean, "the mean is not the last network");
    assert!(last.iter().zip(mean).all(|(last, mean)| (last - mean).abs() < 0.05), "{last:?} {mean:?}");
}
