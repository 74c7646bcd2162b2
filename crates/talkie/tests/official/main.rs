//! Official bundles from folder to pose, with stand-in networks of the official layout.
#![cfg(feature = "ort")]
#![allow(clippy::unwrap_used, reason = "a test that fails shall say where")]

use std::{
    fs,
    io::{Cursor, Read as _, Write as _},
    path::Path,
};

use talkie::{
    animation::{FaceChannel, FacePose, FrameRate},
    audio::SAMPLE_RATE,
    emotion::EmotionTimeline,
    inference::Runtime,
    model::{
        EmotionModel, EmotionModelOptions, FaceModel, ModelOptions, Speech, SpeechOptions, audio2face::FaceGeometry,
    },
    retarget::JAW_OPEN_RADIANS,
};
use talkie_standin::{Family, Size, StandIn};
use tempfile::TempDir;

mod refusals;

const FACES: [Family; 2] = [Family::Regression, Family::Diffusion];

fn bundle(family: Family) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    StandIn::new(family, Size::Tiny).write(folder.path()).unwrap();
    folder
}

fn load_with(family: Family, options: &ModelOptions) -> FaceModel {
    FaceModel::load_dir_with(bundle(family).path(), options, Runtime::global()).unwrap()
}

fn load(family: Family) -> FaceModel {
    load_with(family, &ModelOptions::default())
}

/// Syllables: a hum of 220 Hz with overtones, three times a second, with silence before and after.
fn syllables(seconds: f64) -> Vec<f32> {
    let rate = f64::from(SAMPLE_RATE);
    let count = (seconds * rate) as usize;
    (0..count)
        .map(|index| {
            let time = index as f64 / rate;
            let loud = if time < 0.3 || time > seconds - 0.3 {
                0.0
            } else {
                (core::f64::consts::PI * 3.0 * time).sin().powi(2)
            };
            let voice: f64 =
                (1..12).map(|overtone| (core::f64::consts::TAU * 220.0 * f64::from(overtone) * time).sin()).sum();
            (0.08 * loud * voice) as f32
        })
        .collect()
}

/// Pushes sound in pieces and takes the poses as they come.
fn spoken(model: &mut FaceModel, speech: &mut Speech, sound: &[f32], piece: usize, frames: usize) -> Vec<FacePose> {
    let mut poses = Vec::new();
    for samples in sound.chunks(piece) {
        speech.push(samples);
        model.advance([&mut *speech], frames);
        speech.drain(|pose| poses.push(pose)).unwrap();
    }
    speech.finish();
    while !speech.is_done() {
        model.advance([&mut *speech], frames);
        speech.drain(|pose| poses.push(pose)).unwrap();
    }
    poses
}

fn whole(model: &mut FaceModel, options: &SpeechOptions, sound: &[f32]) -> Vec<FacePose> {
    let mut speech = model.begin_with(SAMPLE_RATE, 1, options).unwrap();
    spoken(model, &mut speech, sound, usize::MAX, usize::MAX)
}

fn distance(a: &[FacePose], b: &[FacePose]) -> f32 {
    assert_eq!(a.len(), b.len());
    let values = |poses: &[FacePose]| {
        poses.iter().flat_map(|pose| pose.weights.into_iter().chain(pose.joint_values())).collect::<Vec<_>>()
    };
    values(a).iter().zip(values(b)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn most(poses: &[FacePose], channel: FaceChannel) -> f32 {
    poses.iter().map(|pose| pose.weight(channel)).fold(0.0, f32::max)
}

#[test]
fn a_voice_moves_the_jaw_and_silence_does_not() {
    for family in FACES {
        let mut model = load(family);
        let sound = syllables(2.0);
        let poses = whole(&mut model, &SpeechOptions::default(), &sound);
        let rate = model.frame_rate().hertz();
        assert_eq!(poses.len(), (sound.len() as f64 / 16_000.0 * rate).ceil() as usize, "{family:?}");
        let silent = whole(&mut model, &SpeechOptions::default(), &vec![0.0; 32_000]);
        let (open, closed) = (most(&poses, FaceChannel::JawOpen), most(&silent, FaceChannel::JawOpen));
        println!("{family:?}: jaw at most {open:.2} open in speech, {closed:.2} in silence");
        assert!(open > 0.2 && closed < 0.1, "{family:?}: {open} {closed}");
        // The jaw follows the syllables: it is more open at their middle than between them.
        let at = |seconds: f64| poses[(seconds * rate) as usize].weight(FaceChannel::JawOpen);
        assert!(at(0.5) + at(0.834) > 2.0 * at(0.667) + 0.1, "{family:?}: {} {} {}", at(0.5), at(0.667), at(0.834));
    }
}

#[test]
fn how_the_sound_arrives_and_who_else_speaks_makes_no_difference() {
    for family in FACES {
        let mut model = load(family);
        let sound = syllables(1.7);
        let once = whole(&mut model, &SpeechOptions::default(), &sound);
        for (piece, frames) in [(160, 1), (1111, 7), (16_000, 64)] {
            let mut speech = model.begin(SAMPLE_RATE, 1).unwrap();
            let cut = spoken(&mut model, &mut speech, &sound, piece, frames);
            assert!(distance(&once, &cut) < 1e-4, "{family:?} in pieces of {piece}: {}", distance(&once, &cut));
        }
        // Six speeches at once, each of another length.
        let mut speeches: Vec<Speech> = (0..6).map(|_| model.begin(SAMPLE_RATE, 1).unwrap()).collect();
        for (index, speech) in speeches.iter_mut().enumerate() {
            speech.push(&sound[..sound.len() - 2000 * index]);
            speech.finish();
        }
        while speeches.iter().any(|speech| !speech.is_done()) {
            model.advance(&mut speeches, 16);
        }
        let mut together = Vec::new();
        speeches[0].drain(|pose| together.push(pose)).unwrap();
        assert!(distance(&once, &together) < 1e-4, "{family:?} among six: {}", distance(&once, &together));
    }
}

#[test]
fn the_short_way_ends_where_the_long_one_does() {
    for family in FACES {
        let mut model = load(family);
        let sound = syllables(1.5);
        let mut parameters = *model.parameters(0).unwrap();
        for smoothing in [0.0023, 0.08] {
            parameters.skin.lower_face_smoothing = smoothing;
            parameters.skin.upper_face_smoothing = 0.5 * smoothing;
            let short = SpeechOptions { parameters: Some(parameters), ..SpeechOptions::default() };
            let long = SpeechOptions { geometry: true, ..short.clone() };
            let (short, long) = (whole(&mut model, &short, &sound), whole(&mut model, &long, &sound));
            println!("{family:?}: with and without vertices {:.1e} apart", distance(&short, &long));
            assert!(distance(&short, &long) < 1e-4, "{family:?}: {}", distance(&short, &long));
        }
    }
}

#[test]
fn parameters_change_while_a_character_speaks() {
    for family in FACES {
        for geometry in [false, true] {
            let mut model = load(family);
            let sound = syllables(3.0);
            let plain = whole(&mut model, &SpeechOptions::default(), &sound);
            let options = SpeechOptions { geometry, ..SpeechOptions::default() };
            let mut speech = model.begin_with(SAMPLE_RATE, 1, &options).unwrap();
            speech.push(&sound[..24_000]);
            model.advance([&mut speech], usize::MAX);
            let mut poses = Vec::new();
            speech.drain(|pose| poses.push(pose)).unwrap();
            let before = poses.len();
            assert!(before > 10, "{family:?}");
            let usual = *model.parameters(0).unwrap();
            let mut other = usual;
            other.skin.lower_face_strength = 0.0;
            other.skin.blink_offset = 1.0;
            // Another line between upper and lower face: the equations are made anew.
            other.skin.face_mask_softness = 0.02;
            speech.set_parameters(other).unwrap();
            let mut wrong = usual;
            wrong.skin.skin_strength = 3.0;
            let refused = speech.set_parameters(wrong).unwrap_err().to_string();
            assert!(refused.contains("skin_strength is 3"), "{refused}");
            poses.extend(spoken(&mut model, &mut speech, &sound[24_000..], usize::MAX, 64));
            assert!(distance(&plain[..before], &poses[..before]) < 1e-4, "{family:?}");
            let after = &poses[before + 3..];
            let jaws = (most(&plain[before + 3..], FaceChannel::JawOpen), most(after, FaceChannel::JawOpen));
            assert!(jaws.1 < 0.5 * jaws.0, "{family:?}: the jaw went from {} to {}", jaws.0, jaws.1);
            let lids = most(after, FaceChannel::EyeBlinkLeft);
            assert!(lids > 0.5, "{family:?}: lids {lids}");
        }
    }
}

#[test]
fn an_emotion_is_seen_and_comes_gradually() {
    for family in FACES {
        let mut model = load(family);
        let joy = model.emotions().iter().position(|name| name == "joy").unwrap();
        let mut emotion = vec![0.0; model.emotions().len()];
        emotion[joy] = 1.0;
        let sound = syllables(4.0);
        let mut speech = model.begin(SAMPLE_RATE, 1).unwrap();
        speech.push(&sound[..32_000]);
        model.advance([&mut speech], usize::MAX);
        let mut poses = Vec::new();
        speech.drain(|pose| poses.push(pose)).unwrap();
        let before = poses.len();
        speech.set_emotion(&emotion).unwrap();
        assert!(speech.set_emotion(&emotion[1..]).is_err());
        assert!(speech.set_emotion(&[f32::NAN; 10]).is_err());
        poses.extend(spoken(&mut model, &mut speech, &sound[32_000..], usize::MAX, 8));
        let smile = |pose: &FacePose| pose.weight(FaceChannel::MouthSmileLeft);
        let (calm, glad) = (smile(&poses[before - 1]), smile(&poses[poses.len() - 1]));
        println!("{family:?}: smile {calm:.2} without, {glad:.2} with joy");
        assert!(glad > calm + 0.2, "{family:?}: {calm} {glad}");
        let largest = poses.windows(2).map(|pair| (smile(&pair[1]) - smile(&pair[0])).abs()).fold(0.0, f32::max);
        assert!(largest < 0.5 * (glad - calm), "{family:?}: the smile jumps by {largest}");
        // The same as a constant timeline: joy from the first pose on.
        let mut speech = model.begin(SAMPLE_RATE, 1).unwrap();
        speech.set_emotion_timeline(EmotionTimeline::constant(&emotion).unwrap()).unwrap();
        let constant = spoken(&mut model, &mut speech, &sound, usize::MAX, 64);
        assert!(smile(&constant[0]) > calm + 0.2, "{family:?}: {}", smile(&constant[0]));
        assert!(speech.set_emotion_timeline(EmotionTimeline::new(3)).is_err());
    }
}

#[test]
fn poses_wait_for_emotions_that_are_not_known_yet() {
    let mut model = load(Family::Regression);
    let mut speech = model.begin(SAMPLE_RATE, 1).unwrap();
    let width = model.emotions().len();
    speech.set_emotion_timeline(EmotionTimeline::new(width)).unwrap();
    speech.push(&syllables(2.0));
    speech.finish();
    let mut poses = Vec::new();
    model.advance([&mut speech], usize::MAX);
    speech.drain(|pose| poses.push(pose)).unwrap();
    assert!(poses.is_empty() && !speech.is_done());
    speech.emotion_timeline_mut().unwrap().push(16_000, &vec![0.0; width]).unwrap();
    model.advance([&mut speech], usize::MAX);
    speech.drain(|pose| poses.push(pose)).unwrap();
    // Frames 0 to 25 are at most at sample 16 000.
    assert_eq!(poses.len(), 26);
    speech.emotion_timeline_mut().unwrap().close().unwrap();
    model.advance([&mut speech], usize::MAX);
    speech.drain(|pose| poses.push(pose)).unwrap();
    assert!(speech.is_done());
    assert_eq!(poses.len(), 50);
}

#[test]
fn identities_of_one_bundle_speak_at_once_with_faces_of_their_own() {
    let mut model = load(Family::Diffusion);
    assert_eq!(model.identities().collect::<Vec<_>>(), ["Claire", "James", "Mark"]);
    let options = |name: &str| SpeechOptions { identity: Some(name.into()), ..SpeechOptions::default() };
    let error = model.begin_with(SAMPLE_RATE, 1, &options("Anna")).map(drop).unwrap_err().to_string();
    assert!(error.contains("\"Anna\"") && error.contains("Claire, James, Mark"), "{error}");
    let sound = syllables(1.5);
    let alone = whole(&mut model, &options("Mark"), &sound);
    let mut speeches: Vec<Speech> =
        ["Claire", "Mark"].iter().map(|name| model.begin_with(SAMPLE_RATE, 1, &options(name)).unwrap()).collect();
    for speech in &mut speeches {
        speech.push(&sound);
        speech.finish();
    }
    while speeches.iter().any(|speech| !speech.is_done()) {
        model.advance(&mut speeches, 64);
    }
    let [claire, mark] = [0, 1].map(|index: usize| {
        let mut poses = Vec::new();
        speeches[index].drain(|pose| poses.push(pose)).unwrap();
        poses
    });
    assert!(distance(&alone, &mark) < 1e-4);
    assert!(distance(&claire, &mark) > 1e-3);
}

#[test]
fn the_frame_rate_is_a_setting() {
    let sound = syllables(2.0);
    for rate in
        [FrameRate::per_second(60), FrameRate::per_second(12), FrameRate { numerator: 24_000, denominator: 1001 }]
    {
        let mut model =
            load_with(Family::Regression, &ModelOptions { frame_rate: Some(rate), ..ModelOptions::default() });
        let poses = whole(&mut model, &SpeechOptions::default(), &sound);
        assert_eq!((model.frame_rate(), poses.len()), (rate, (2.0 * rate.hertz()).ceil() as usize));
    }
    let mut usual = load(Family::Diffusion);
    let all = whole(&mut usual, &SpeechOptions::default(), &sound);
    let half = ModelOptions { frame_rate: Some(FrameRate::per_second(30)), ..ModelOptions::default() };
    let mut model = load_with(Family::Diffusion, &half);
    let some = whole(&mut model, &SpeechOptions::default(), &sound);
    assert_eq!((usual.frame_rate().hertz(), all.len(), some.len()), (60.0, 120, 60));
    let jaw = |pose: &FacePose| pose.weight(FaceChannel::JawOpen);
    let apart = some.iter().zip(all.iter().step_by(2)).map(|(a, b)| (jaw(a) - jaw(b)).abs()).fold(0.0, f32::max);
    // Not the same: the solver keeps a frame near the one before, whenever that was.
    assert!(apart < 0.05, "{apart}");
    for rate in [FrameRate::per_second(25), FrameRate::per_second(120), FrameRate { numerator: 0, denominator: 1 }] {
        let options = ModelOptions { frame_rate: Some(rate), ..ModelOptions::default() };
        let error =
            FaceModel::load_dir_with(bundle(Family::Diffusion).path(), &options, Runtime::global()).unwrap_err();
        assert!(error.to_string().contains("frame_rate"), "{error}");
    }
}

#[test]
fn a_diffusion_network_is_warmed_up_before_the_sound_and_remembers() {
    // Other noise, another network state, other frames: all have to leave a trace, and a small one.
    let sound = syllables(1.5);
    let seeded = |noise_seed| {
        let options = ModelOptions { noise_seed, ..ModelOptions::default() };
        whole(&mut load_with(Family::Diffusion, &options), &SpeechOptions::default(), &sound)
    };
    let apart = distance(&seeded(0), &seeded(1));
    assert!(apart > 0.0 && apart < 0.1, "{apart}");
    // What was said before is remembered in the latents: the same half second sounds different after another.
    let mut model = load(Family::Diffusion);
    let quiet = vec![0.0; 32_000];
    let loud: Vec<f32> = syllables(2.6)[4800..36_800].to_vec();
    let after = |model: &mut FaceModel, before: &[f32]| {
        let poses = whole(model, &SpeechOptions::default(), &[before, &quiet].concat());
        poses[poses.len() - 20..].to_vec()
    };
    let (rested, moved) = (after(&mut model, &quiet), after(&mut model, &loud));
    assert!(distance(&rested, &moved) > 1e-6);
}

#[test]
fn a_mesh_of_the_bundles_own_can_be_driven() {
    for family in FACES {
        let mut model = load(family);
        let options = SpeechOptions { geometry: true, ..SpeechOptions::default() };
        let mut speech = model.begin_with(SAMPLE_RATE, 1, &options).unwrap();
        let poses = spoken(&mut model, &mut speech, &syllables(1.0), usize::MAX, 64);
        let mut meshes: Vec<FaceGeometry> = Vec::new();
        speech.drain_geometry(|geometry| meshes.push(geometry));
        assert_eq!(meshes.len(), poses.len());
        let moved = |a: &FaceGeometry, b: &FaceGeometry| {
            a.skin.iter().zip(&b.skin).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
        };
        let furthest = meshes.iter().map(|mesh| moved(mesh, &meshes[0])).fold(0.0, f32::max);
        println!("{family:?}: the skin moves by {furthest:.2} cm");
        assert!((0.3..10.0).contains(&furthest), "{family:?}: {furthest}");
        assert!(meshes.iter().all(|mesh| mesh.skin.len() == 900 && mesh.tongue.len() == 180));
    }
}

#[test]
fn the_jaw_opens_downwards_about_its_hinge() {
    for family in FACES {
        let mut model = load(family);
        let poses = whole(&mut model, &SpeechOptions::default(), &syllables(1.5));
        let widest = poses
            .iter()
            .max_by(|a, b| a.weight(FaceChannel::JawOpen).total_cmp(&b.weight(FaceChannel::JawOpen)))
            .unwrap();
        // As a joint is turned that has no shape to help it.
        let by_weight = glam::Quat::from_rotation_x(widest.weight(FaceChannel::JawOpen) * JAW_OPEN_RADIANS);
        let (axis, angle) = (widest.jaw_rotation * by_weight).to_axis_angle();
        println!(
            "{family:?}: {:.1} degrees about {axis}, hinge moves {:.1} mm",
            angle.to_degrees(),
            widest.jaw_translation.length() * 1e3
        );
        assert!(axis.x * angle > 0.01, "{family:?}: {angle} about {axis}");
        assert!(widest.jaw_translation.length() < 0.02, "{family:?}: {}", widest.jaw_translation);
    }
}

#[test]
fn an_emotion_network_tells_the_face_what_it_hears() {
    for family in FACES {
        let folder = bundle(Family::Emotion);
        let options = EmotionModelOptions { window: 16_000, ..EmotionModelOptions::default() };
        let mut emotions = EmotionModel::load_dir(folder.path(), options, Runtime::global()).unwrap();
        let mut model = load(family);
        let sound = syllables(4.0);
        let whole_face = |model: &mut FaceModel, emotions: &mut EmotionModel, piece: usize| {
            let mut speech = model.begin(SAMPLE_RATE, 1).unwrap();
            emotions.attach(&mut speech, None).unwrap();
            let mut poses = Vec::new();
            for samples in sound.chunks(piece) {
                speech.push(samples);
                emotions.advance([&mut speech]).unwrap();
                model.advance([&mut speech], 64);
                speech.drain(|pose| poses.push(pose)).unwrap();
            }
            speech.finish();
            while !speech.is_done() {
                emotions.advance([&mut speech]).unwrap();
                model.advance([&mut speech], 64);
                speech.drain(|pose| poses.push(pose)).unwrap();
            }
            poses
        };
        let at_once = whole_face(&mut model, &mut emotions, usize::MAX);
        let plain = whole(&mut model, &SpeechOptions::default(), &sound);
        assert_eq!(at_once.len(), plain.len());
        assert!(distance(&at_once, &plain) > 0.05, "{family:?}: {}", distance(&at_once, &plain));
        let in_pieces = whole_face(&mut model, &mut emotions, 1600);
        assert!(distance(&at_once, &in_pieces) < 1e-4, "{family:?}: {}", distance(&at_once, &in_pieces));
    }
}

#[test]
fn a_speech_without_a_sample_has_no_pose() {
    for family in FACES {
        let mut model = load(family);
        assert!(whole(&mut model, &SpeechOptions::default(), &[]).is_empty());
        assert_eq!(whole(&mut model, &SpeechOptions::default(), &[0.5]).len(), 1, "{family:?}");
    }
}

#[test]
fn one_bad_speech_leaves_the_others_alone() {
    for family in FACES {
        let mut model = load(family);
        let sound = syllables(1.0);
        let alone = whole(&mut model, &SpeechOptions::default(), &sound);
        let mut good = model.begin(SAMPLE_RATE, 1).unwrap();
        // Lengths and types are right, but nobody can animate a face with such emotions.
        let mut bad = model.begin(SAMPLE_RATE, 1).unwrap();
        bad.set_emotion(&vec![f32::MAX; model.emotions().len()]).unwrap();
        for speech in [&mut good, &mut bad] {
            speech.push(&sound);
            speech.finish();
        }
        while !good.is_done() || !bad.is_done() {
            model.advance([&mut good, &mut bad], 64);
        }
        let mut poses = Vec::new();
        good.drain(|pose| poses.push(pose)).unwrap();
        assert!(distance(&alone, &poses) < 1e-4, "{family:?}");
        let error = bad.drain(drop).unwrap_err().to_string();
        assert!(error.contains("s is no face"), "{family:?}: {error}");
    }
}

#[test]
fn a_speech_stays_with_the_model_that_began_it() {
    let (mut regression, mut diffusion) = (load(Family::Regression), load(Family::Diffusion));
    let mut twin = load(Family::Diffusion);
    let sound = syllables(1.0);
    let alone = whole(&mut diffusion, &SpeechOptions::default(), &sound);
    for other in [&mut regression, &mut twin] {
        let mut speech = diffusion.begin(SAMPLE_RATE, 1).unwrap();
        speech.push(&sound);
        speech.finish();
        other.advance([&mut speech], 8);
        let error = speech.drain(drop).unwrap_err().to_string();
        assert!(speech.is_done() && error.contains("begun by another model"), "{error}");
    }
    assert_eq!(distance(&alone, &whole(&mut diffusion, &SpeechOptions::default(), &sound)), 0.0);
}
