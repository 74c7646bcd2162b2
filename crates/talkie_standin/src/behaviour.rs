//! How a stand-in behaves: what its face does with what it hears and feels.

use crate::{
    head::Vector,
    names::{EMOTIONS, POSES, poses},
};

/// Bands of sound that a network hears, in hertz: the voice itself, open vowels, bright vowels, hissing.
pub(crate) const BANDS: [[f32; 2]; 4] = [[80.0, 300.0], [300.0, 900.0], [900.0, 2200.0], [2500.0, 6000.0]];

/// What the level (RMS) of a band is multiplied by, so that loud syllables of ordinary recordings come close to 1.
pub(crate) const GAINS: [f32; 4] = [12.0, 14.0, 28.0, 55.0];

/// What the loudness of each band adds to a pose; what comes out below 0 is 0. A name without a side means both.
#[rustfmt::skip]
const SPEECH: [(&str, [f32; 4]); 22] = [
    ("jawOpen", [0.05, 0.45, 0.15, -0.3]),
    ("jawForward", [0.0, 0.0, 0.0, 0.15]),
    ("mouthFunnel", [0.6, 0.0, -0.7, -0.5]),
    ("mouthPucker", [0.5, -0.1, -0.8, -0.3]),
    ("mouthPress", [0.4, -0.8, -0.5, -0.5]),
    ("mouthStretch", [-0.1, 0.0, 0.0, 0.35]),
    ("mouthSmile", [0.0, 0.0, 0.25, 0.0]),
    ("mouthDimple", [0.0, 0.0, 0.15, 0.0]),
    ("mouthLowerDown", [0.0, 0.25, 0.0, 0.2]),
    ("mouthUpperUp", [0.0, 0.0, 0.2, 0.1]),
    ("mouthRollLower", [0.0, -0.1, 0.0, 0.15]),
    ("browInnerUp", [0.0, 0.1, 0.0, 0.0]),
    ("browOuterUp", [0.0, 0.12, 0.0, 0.0]),
    ("cheekSquint", [0.0, 0.0, 0.1, 0.0]),
    ("noseSneer", [0.0, 0.0, 0.0, 0.05]),
    ("eyeLookUp", [0.0, 0.05, 0.0, 0.0]),
    ("tongueTipUp", [0.0, -0.2, 0.0, 0.5]),
    ("tongueDown", [0.0, 0.4, 0.0, 0.0]),
    ("tongueUp", [0.0, 0.0, 0.4, 0.0]),
    ("tongueIn", [0.2, 0.0, 0.0, 0.0]),
    ("tongueStretch", [0.0, 0.0, 0.2, 0.0]),
    ("tongueWide", [0.0, 0.0, 0.0, 0.2]),
];

/// Poses of a full emotion, in the order of the emotions. A name without a side means both.
#[rustfmt::skip]
const MOODS: [&[(&str, f32)]; EMOTIONS.len()] = [
    &[("browInnerUp", 0.6), ("browOuterUp", 0.6), ("eyeWide", 0.6), ("jawOpen", 0.15)],
    &[("browDown", 0.8), ("eyeSquint", 0.3), ("noseSneer", 0.4), ("mouthPress", 0.3), ("mouthFrown", 0.2)],
    &[("mouthSmileLeft", 0.6), ("mouthDimpleLeft", 0.4), ("browOuterUpRight", 0.4), ("cheekSquintLeft", 0.3)],
    &[("noseSneer", 0.8), ("mouthUpperUp", 0.4), ("browDown", 0.3), ("mouthShrugUpper", 0.2)],
    &[("browInnerUp", 0.7), ("eyeWide", 0.5), ("mouthStretch", 0.4)],
    &[("browInnerUp", 0.8), ("mouthFrown", 0.6), ("eyeSquint", 0.2), ("mouthShrugLower", 0.3), ("eyeLookDown", 0.2)],
    &[("mouthSmile", 0.7), ("cheekSquint", 0.6), ("eyeSquint", 0.2)],
    &[("jawOpen", 0.25), ("mouthFunnel", 0.2), ("browInnerUp", 0.2), ("cheekPuff", 0.2)],
    &[("eyeSquint", 0.7), ("browDown", 0.5), ("mouthStretch", 0.3), ("noseSneer", 0.3), ("cheekSquint", 0.4)],
    &[("browInnerUp", 0.6), ("mouthFrown", 0.5), ("mouthShrugLower", 0.2), ("eyeLookDown", 0.3)],
];

/// What each band adds to the emotions that Audio2Emotion hears (angry, disgust, fear, happy, neutral, sad).
#[rustfmt::skip]
pub(crate) const HEARD: [[f32; 6]; 4] = [
    [0.0, 0.5, -0.5, 0.0, -1.0, 3.0],
    [1.0, 1.0, -1.0, 0.0, -0.5, -1.0],
    [0.0, -1.0, 1.0, 3.0, -0.5, -2.0],
    [4.0, 0.5, 2.5, 0.0, -0.5, -3.0],
];

/// What they are in silence.
pub(crate) const HEARD_IN_SILENCE: [f32; 6] = [-2.0, -1.0, -1.0, -1.0, 2.5, -0.5];

/// How far an eye turns in a full look, in degrees.
const LOOK: f32 = 25.0;

/// The places of a pose among all of them: one, or one for each side.
fn places(name: &str) -> impl Iterator<Item = usize> {
    let sided = move |pose: &str| pose.strip_prefix(name).is_some_and(|rest| ["", "Left", "Right"].contains(&rest));
    poses().enumerate().filter(move |(_, pose)| sided(pose)).map(|(index, _)| index)
}

/// From the loudness of the bands to poses: one row for each band.
pub(crate) fn speech() -> [[f32; POSES]; BANDS.len()] {
    let mut rows = [[0.0; POSES]; BANDS.len()];
    for (name, weights) in SPEECH {
        for pose in places(name) {
            rows.iter_mut().zip(weights).for_each(|(row, weight)| row[pose] = weight);
        }
    }
    rows
}

/// From emotions to poses: one row for each emotion.
pub(crate) fn moods() -> [[f32; POSES]; EMOTIONS.len()] {
    MOODS.map(|mood| {
        let mut row = [0.0; POSES];
        for (name, weight) in mood {
            places(name).for_each(|pose| row[pose] = *weight);
        }
        row
    })
}

/// What speech leaves behind for a while: raised brows.
pub(crate) fn after_speech() -> [f32; POSES] {
    let mut row = [0.0; POSES];
    ["browInnerUp", "browOuterUp"].into_iter().flat_map(places).for_each(|pose| row[pose] = 1.0);
    row
}

/// Whether something above moves a pose.
pub(crate) fn is_driven(pose: usize) -> bool {
    speech().iter().chain(&moods()).chain([&after_speech()]).any(|row| row[pose] != 0.0)
}

/// By how much a pose turns the eyes, in degrees: right x and y, left x and y; x looks down, y to the left of the character.
pub(crate) fn eyes(pose: &str) -> [f32; 4] {
    let turn = match pose {
        "eyeLookDownLeft" | "eyeLookDownRight" => [LOOK, 0.0],
        "eyeLookUpLeft" | "eyeLookUpRight" => [-LOOK, 0.0],
        "eyeLookOutLeft" | "eyeLookInRight" => [0.0, LOOK],
        "eyeLookInLeft" | "eyeLookOutRight" => [0.0, -LOOK],
        _ => return [0.0; 4],
    };
    if pose.ends_with("Right") { [turn[0], turn[1], 0.0, 0.0] } else { [0.0, 0.0, turn[0], turn[1]] }
}

/// By how much a pose moves the key points of the jaw.
pub(crate) fn jaw(jaw: &crate::head::Jaw, pose: &str) -> [Vector; crate::head::JAW_POINTS] {
    jaw.poses.iter().find(|(name, _)| *name == pose).map_or([[0.0; 3]; crate::head::JAW_POINTS], |(_, moved)| *moved)
}
