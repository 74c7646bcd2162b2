//! Renders a contact sheet of a character's face, without a window: one picture per pose, in the order printed; the emotions
//! of a game; or a spoken line, one picture for every phone at its middle.
//!
//! ```text
//! cargo run --example character_sheet -- assets/characters/ada.glb sheet.png [--poses all|key|NAME,NAME,..] [--size 320]
//! cargo run --example character_sheet -- assets/characters/ada.glb sheet.png --emotions 1.0 [--poses NAME,..]
//! cargo run --example character_sheet -- assets/characters/ada.glb sheet.png --track LINE.csv --phones LINE.json
//! ```
//!
//! `--emotions` takes their intensity, 0..=1, and shows rest, every emotion and a mix of two; with `--poses` once for each of
//! these poses, as if they were spoken (`--poses mm,ee`).
//!
//! `LINE.csv` is what `talkie animate` writes, `LINE.json` an alignment as `talkie eval` reads it. `--strength 1.3` makes the
//! jaw, the lips and the cheeks move more.
//!
//! Poses are shown through the binding that a game would have, so any character works that a face can be bound to.
//! `--profile FILE.rig.ron` binds it by a profile of yours.

use std::path::Path;

use bevy::prelude::*;
use bevy_talkie::prelude::*;
use bevy_talkie::talkie::{emotion, metrics::Alignment, retarget};

use studio::{FACE, Frame, HEAD, LOWER_FACE, Studio};

#[path = "studio/mod.rs"]
mod studio;

/// Pictures per row of the sheet.
const COLUMNS: usize = 5;
/// The same for emotions.
const EMOTION_COLUMNS: usize = 4;
/// The same for a spoken line.
const LINE_COLUMNS: usize = 10;

/// A camera position around the head and the morph weights to show. A weight named `x*` sets `xLeft` and `xRight`.
struct Pose<'a> {
    name: &'a str,
    yaw: f32,
    frame: Frame,
    weights: &'a [(&'a str, f32)],
}

/// A pose that is computed: a moment of a spoken line, an emotion.
struct Moment {
    name: String,
    weights: Vec<(String, f32)>,
}

const BUST: Frame = (0.085, 0.40);
const MOUTH: Frame = (0.072, 0.10);
const EYES: Frame = (0.145, 0.10);

#[rustfmt::skip]
const POSES: &[Pose<'static>] = &[
    Pose { name: "front", yaw: 0.0, frame: BUST, weights: &[] },
    Pose { name: "three_quarter", yaw: 35.0, frame: BUST, weights: &[("mouthSmile*", 0.3)] },
    Pose { name: "profile", yaw: 90.0, frame: BUST, weights: &[] },
    Pose { name: "back", yaw: 180.0, frame: BUST, weights: &[] },
    Pose { name: "three_quarter_right", yaw: -40.0, frame: BUST, weights: &[] },
    Pose { name: "jaw_open", yaw: 0.0, frame: FACE, weights: &[("jawOpen", 1.0)] },
    Pose { name: "smile", yaw: 15.0, frame: FACE, weights: &[("mouthSmile*", 0.6), ("cheekSquint*", 0.4)] },
    Pose { name: "blink", yaw: 0.0, frame: FACE, weights: &[("eyeBlink*", 1.0)] },
    Pose { name: "ah", yaw: 20.0, frame: FACE, weights: &[("jawOpen", 0.45), ("mouthLowerDown*", 0.3), ("mouthUpperUp*", 0.2)] },
    Pose { name: "oo", yaw: 20.0, frame: FACE, weights: &[("mouthPucker", 0.75), ("mouthFunnel", 0.35), ("jawOpen", 0.12)] },
    Pose { name: "ee", yaw: -20.0, frame: FACE, weights: &[("mouthStretch*", 0.5), ("mouthSmile*", 0.25), ("mouthUpperUp*", 0.3), ("mouthLowerDown*", 0.35), ("jawOpen", 0.12)] },
    Pose { name: "ff", yaw: -20.0, frame: FACE, weights: &[("mouthRollLower", 0.6), ("mouthUpperUp*", 0.35), ("jawOpen", 0.08)] },
    Pose { name: "mm", yaw: 0.0, frame: FACE, weights: &[("jawOpen", 0.25), ("mouthClose", 0.25), ("mouthPress*", 0.4)] },
    Pose { name: "joy", yaw: 25.0, frame: FACE, weights: &[("mouthSmile*", 0.75), ("jawOpen", 0.25), ("mouthUpperUp*", 0.35), ("cheekSquint*", 0.6), ("browInnerUp", 0.3)] },
    Pose { name: "angry", yaw: -25.0, frame: FACE, weights: &[("browDown*", 0.9), ("noseSneer*", 0.5), ("mouthFrown*", 0.4), ("eyeSquint*", 0.5)] },
    Pose { name: "sad", yaw: 10.0, frame: FACE, weights: &[("browInnerUp", 0.9), ("mouthFrown*", 0.5), ("eyeLookDown*", 0.4)] },
    Pose { name: "look_left", yaw: 0.0, frame: FACE, weights: &[("eyeLookOutLeft", 1.0), ("eyeLookInRight", 1.0)] },
    Pose { name: "close_closed", yaw: 0.0, frame: FACE, weights: &[("jawOpen", 1.0), ("mouthClose", 1.0)] },
    Pose { name: "mouth", yaw: 0.0, frame: MOUTH, weights: &[] },
    Pose { name: "eyes", yaw: 0.0, frame: EYES, weights: &[] },
    Pose { name: "eyes_half", yaw: 0.0, frame: EYES, weights: &[("eyeBlink*", 0.5)] },
    Pose { name: "eyes_shut", yaw: 0.0, frame: EYES, weights: &[("eyeBlink*", 1.0)] },
    Pose { name: "mouth_smile", yaw: 0.0, frame: MOUTH, weights: &[("mouthSmile*", 0.6), ("jawOpen", 0.15), ("mouthUpperUp*", 0.4)] },
    Pose { name: "tongue_tip_up", yaw: 10.0, frame: MOUTH, weights: &[("jawOpen", 0.5), ("tongueTipUp", 1.0)] },
    Pose { name: "tongue_tip_down", yaw: 10.0, frame: MOUTH, weights: &[("jawOpen", 0.6), ("tongueTipDown", 1.0)] },
    Pose { name: "tongue_roll_up", yaw: 10.0, frame: MOUTH, weights: &[("jawOpen", 0.7), ("tongueRollUp", 1.0)] },
    Pose { name: "tongue_roll_left", yaw: 0.0, frame: MOUTH, weights: &[("jawOpen", 0.7), ("tongueRollLeft", 1.0)] },
    Pose { name: "tongue_left", yaw: 0.0, frame: MOUTH, weights: &[("jawOpen", 0.7), ("tongueLeft", 1.0)] },
    Pose { name: "tongue_stretch", yaw: 25.0, frame: MOUTH, weights: &[("jawOpen", 0.7), ("tongueStretch", 1.0)] },
    Pose { name: "tongue_out", yaw: 25.0, frame: MOUTH, weights: &[("jawOpen", 0.6), ("tongueOut", 1.0)] },
];

/// The poses of `--poses key`.
const KEY_POSES: usize = 10;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [file, out, options @ ..] = args.as_slice() else {
        eprintln!(
            "usage: character_sheet FILE.glb OUT.png [--poses all|key|NAME,..] [--size N] [--profile FILE.rig.ron] [--emotions INTENSITY] \
             [--track LINE.csv --phones LINE.json [--strength FACTOR]]"
        );
        std::process::exit(2);
    };
    let option = |name: &str| options.iter().position(|o| o == name).and_then(|i| options.get(i + 1));
    let size: u32 = option("--size").map_or(320, |s| s.parse().expect("--size takes a number of pixels"));
    let poses: Vec<&Pose<'_>> = match option("--poses").map(String::as_str) {
        None | Some("all") => POSES.iter().collect(),
        Some("key") => POSES.iter().take(KEY_POSES).collect(),
        Some(names) => POSES.iter().filter(|p| names.split(',').any(|n| n == p.name)).collect(),
    };
    let strength = option("--strength").map_or(1.0, |s| s.parse().expect("--strength takes a factor"));
    let (moments, frame, yaw, columns) = if let Some(track) = option("--track") {
        let phones = option("--phones").expect("--track wants --phones LINE.json");
        (moments(Path::new(track), Path::new(phones), strength), LOWER_FACE, 20.0, LINE_COLUMNS)
    } else if let Some(intensity) = option("--emotions") {
        let intensity = intensity.parse().expect("--emotions takes an intensity");
        let spoken = if option("--poses").is_some() { &poses[..] } else { &[] };
        (emotions(intensity, spoken), HEAD, 12.0, EMOTION_COLUMNS)
    } else {
        (Vec::new(), FACE, 0.0, COLUMNS)
    };
    let computed: Vec<(&str, Vec<(&str, f32)>)> = moments
        .iter()
        .map(|m| (m.name.as_str(), m.weights.iter().map(|(name, value)| (name.as_str(), *value)).collect()))
        .collect();
    let computed: Vec<Pose<'_>> = computed.iter().map(|(name, weights)| Pose { name, yaw, frame, weights }).collect();
    let poses = if computed.is_empty() { poses } else { computed.iter().collect() };

    let file = std::fs::canonicalize(file).expect("the character file exists");
    let letters = if frame == HEAD { 15.0 } else { 9.0 };
    let mut studio = Studio::new(file.parent().expect("a file lies in a folder"), size, letters);
    let profile = option("--profile").map(|path| {
        let text = std::fs::read_to_string(path).expect("the profile can be read");
        RigProfile(retarget::RigProfile::parse(&text).unwrap_or_else(|error| panic!("{path}: {error}")))
    });
    let profile = profile.map(|profile| studio.app.world_mut().resource_mut::<Assets<RigProfile>>().add(profile));
    let scene = studio.app.world().resource::<AssetServer>().load(GltfAssetLabel::Scene(0).from_asset(file));
    let talking = TalkingFace { profile, ..default() };
    let face = studio.load(WorldAssetRoot(scene), talking).unwrap_or_else(|reason| panic!("{reason}"));

    for (i, pose) in poses.iter().enumerate() {
        println!("row {}, column {}: {}", i / columns + 1, i % columns + 1, pose.name);
        strike(&mut studio, face, pose);
        studio.step();
        studio.photograph();
    }
    let pictures = studio.develop().unwrap_or_else(|reason| panic!("{reason}"));
    studio::write_sheet(&pictures, size, columns, Path::new(out)).unwrap_or_else(|reason| panic!("{reason}"));
}

/// Every phone of an alignment with the track's weights at its middle; of silences only those that last.
fn moments(track: &Path, phones: &Path, strength: f32) -> Vec<Moment> {
    let text = std::fs::read_to_string(track).expect("the track can be read");
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let names = lines.next().expect("the track has a head");
    assert_eq!(names[0], "time", "the first column of a track is its time in seconds");
    let rows: Vec<Vec<f64>> =
        lines.map(|row| row.iter().map(|cell| cell.parse().expect("a track holds numbers")).collect()).collect();
    let json = std::fs::read_to_string(phones).expect("the alignment can be read");
    let said = Alignment::from_json(&json).expect("an alignment");
    let lasting = said.phones.iter().filter(|phone| phone.symbol != "SIL" || phone.duration() > 0.15);
    let at = |time: f64| {
        let row = rows.partition_point(|row| row[0] < time).min(rows.len() - 1);
        let scaled = |name: &str, value: f64| {
            let moves_lips = ["jaw", "mouth", "cheek"].iter().any(|start| name.starts_with(start));
            if moves_lips { (value as f32 * strength).min(1.0) } else { value as f32 }
        };
        let weights = names.iter().zip(&rows[row]).skip(1);
        weights.map(|(name, value)| ((*name).to_owned(), scaled(name, *value))).collect()
    };
    lasting.map(|phone| Moment { name: phone.symbol.clone(), weights: at(phone.centre()) }).collect()
}

/// Rest, every emotion and a mix of two: on a silent face, or once on each of these poses as if they were spoken.
fn emotions(intensity: f32, spoken: &[&Pose<'_>]) -> Vec<Moment> {
    let felt = |felt: &[Emotion]| {
        let mut vector = [0.0; emotion::FACE_EMOTIONS.len()];
        felt.iter().for_each(|emotion| vector[emotion.index()] = intensity);
        let names: Vec<&str> = felt.iter().map(|emotion| emotion.name()).collect();
        (names.join(" + "), emotion::expression(&vector))
    };
    let mut shown = vec![("rest".to_owned(), emotion::expression(&[0.0; 10]))];
    shown.extend(Emotion::ALL.map(|emotion| felt(&[emotion])));
    shown.push(felt(&[Emotion::Joy, Emotion::Amazement]));
    let moment = |spoken: Option<&Pose<'_>>, (name, expression): &(String, _)| {
        let mut pose = FacePose::REST;
        for (key, weight) in spoken.iter().flat_map(|pose| pose.weights) {
            for channel in FaceChannel::ALL.into_iter().filter(|channel| is_named(channel.name(), key)) {
                pose.set(channel, *weight);
            }
        }
        pose.add_expression(expression, if spoken.is_some() { 1.0 } else { 0.0 });
        let weights = FaceChannel::ALL.map(|channel| (channel.name().to_owned(), pose.weight(channel)));
        let name = spoken.map_or(name.clone(), |pose| format!("{}, {name}", pose.name));
        Moment { name, weights: weights.to_vec() }
    };
    if spoken.is_empty() {
        return shown.iter().map(|emotion| moment(None, emotion)).collect();
    }
    spoken.iter().flat_map(|pose| shown.iter().map(|emotion| moment(Some(*pose), emotion))).collect()
}

/// Sets camera and face.
fn strike(studio: &mut Studio, face: Entity, pose: &Pose<'_>) {
    studio.look(pose.frame, pose.yaw);
    let shown = FaceChannel::ALL.into_iter().filter_map(|channel| {
        let named = pose.weights.iter().find(|(name, _)| is_named(channel.name(), name));
        named.map(|(_, value)| (channel, *value))
    });
    studio.app.world_mut().entity_mut(face).insert(Expression::new(shown));
    studio.caption(if [LOWER_FACE, HEAD].contains(&pose.frame) { pose.name } else { "" });
}

/// Whether a channel has this name, or is the left or right one of a name that ends in `*`.
fn is_named(channel: &str, name: &str) -> bool {
    match name.strip_suffix('*') {
        Some(stem) => channel.strip_prefix(stem).is_some_and(|side| side == "Left" || side == "Right"),
        None => channel == name,
    }
}
