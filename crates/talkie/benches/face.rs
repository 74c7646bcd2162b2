//! What a face costs after its network: sampling, performing, layering, following, and tracks as files. Times are of one face and
//! frame, but for files, which are of ten seconds.

use std::path::Path;

use divan::Bencher;
use glam::{Quat, Vec3};
use talkie::{
    animation::{Animator, CHANNEL_COUNT, FaceChannel, FacePose, FaceTrack},
    audio::AudioClip,
    emotion::{self, FACE_EMOTIONS},
    inference::Runtime,
    model::FaceModel,
    retarget::{Binding, Rig, RigNode, RigProfile, bind},
};

fn main() {
    divan::main();
}

/// A line of the repository.
fn track() -> FaceTrack {
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets");
    let mut model = FaceModel::load_dir(assets.join("models/voice"), Runtime::global()).expect("the default model");
    let sound = std::fs::read(assets.join("voices/03_ada.ogg")).expect("a voice line");
    model.animate(&AudioClip::decode(sound).expect("its sound")).expect("a track")
}

/// Its poses, again and again.
fn poses() -> impl FnMut() -> FacePose {
    let track = track();
    let mut frame = 0;
    move || {
        frame = (frame + 1) % (track.end_seconds() * 60.0) as u64;
        track.sample_seconds(frame as f64 / 60.0)
    }
}

/// A head on a neck with two eyes, and a mesh with these shapes.
fn binding(shapes: &[String]) -> Binding {
    let node = |name: &str, parent, translation: Vec3| RigNode {
        name: name.into(),
        parent,
        translation,
        rotation: Quat::IDENTITY,
        scale: Vec3::ONE,
        bends_skin: true,
        part: None,
    };
    let nodes = vec![
        node("Neck", None, Vec3::Y * 1.4),
        node("Head", Some(0), Vec3::Y * 0.1),
        node("LeftEye", Some(1), Vec3::new(0.03, 0.08, 0.08)),
        node("RightEye", Some(1), Vec3::new(-0.03, 0.08, 0.08)),
    ];
    let mut rig = Rig { nodes, ..Rig::default() };
    rig.add_mesh("face".into(), shapes, shapes.len(), None);
    bind(&rig, &RigProfile::builtin().iter().collect::<Vec<_>>()).0
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[divan::bench]
fn sample(bencher: Bencher) {
    bencher.bench_local(poses());
}

#[divan::bench(sample_size = 500)]
fn animator(bencher: Bencher) {
    let animator = Animator::default();
    bencher.with_inputs(poses()).bench_local_refs(|pose| animator.apply(pose));
}

#[divan::bench(sample_size = 500)]
fn emotion(bencher: Bencher) {
    let mut felt = [0.0; FACE_EMOTIONS.len()];
    felt[0] = 0.7;
    bencher.with_inputs(poses()).bench_local_refs(|pose| pose.add_expression(&emotion::expression(&felt), 0.6));
}

#[divan::bench(sample_size = 500)]
fn expression(bencher: Bencher) {
    let wish = [0.1; CHANNEL_COUNT];
    bencher.with_inputs(poses()).bench_local_refs(|pose| pose.add_expression(&wish, 0.6));
}

/// Shapes that are named after the channels.
#[divan::bench(sample_size = 500)]
fn follow_channels(bencher: Bencher) {
    follow(bencher, &FaceChannel::ALL.map(|channel| channel.name().to_owned()));
}

/// Visemes, whose weights are a fit.
#[divan::bench(sample_size = 500)]
fn follow_visemes(bencher: Bencher) {
    follow(
        bencher,
        &names(&[
            "viseme_sil",
            "viseme_PP",
            "viseme_FF",
            "viseme_TH",
            "viseme_DD",
            "viseme_kk",
            "viseme_CH",
            "viseme_SS",
            "viseme_nn",
            "viseme_RR",
            "viseme_aa",
            "viseme_E",
            "viseme_I",
            "viseme_O",
            "viseme_U",
        ]),
    );
}

fn follow(bencher: Bencher, shapes: &[String]) {
    let mut binding = binding(shapes);
    assert!(!binding.shapes().is_empty(), "something follows");
    bencher.with_inputs(poses()).bench_local_refs(|pose| {
        binding.follow(pose);
        binding.weights(0).iter().sum::<f32>()
    });
}

/// Neck, head and eyes.
#[divan::bench(sample_size = 500)]
fn joints(bencher: Bencher) {
    let binding = binding(&names(&["jawOpen"]));
    assert_eq!(binding.joints().len(), 4);
    bencher.with_inputs(poses()).bench_local_refs(|pose| {
        binding.joints().iter().map(|joint| joint.motion(pose)).fold(Quat::IDENTITY, |all, (turn, _)| all * turn)
    });
}

#[divan::bench]
fn write_file(bencher: Bencher) {
    let track = ten_seconds();
    bencher.bench_local(|| track.to_bytes(None).expect("a sound track"));
}

#[divan::bench]
fn read_file(bencher: Bencher) {
    let bytes = ten_seconds().to_bytes(None).expect("a sound track");
    bencher.bench_local(|| FaceTrack::from_bytes(&bytes).expect("a whole file"));
}

fn ten_seconds() -> FaceTrack {
    let line = track();
    let mut track = FaceTrack::new(line.frame_rate());
    let poses: Vec<FacePose> = line.iter().map(|(_, pose)| *pose).collect();
    poses.iter().cycle().take(line.frame_rate().hertz() as usize * 10).for_each(|pose| track.push(*pose));
    track
}
