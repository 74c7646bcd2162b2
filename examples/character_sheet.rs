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
//! Poses are shown through the binding that a game would have, so any character works that a face can be bound to; the camera expects
//! its face where that of the default characters is. `--profile FILE.rig.ron` binds it by a profile of yours.

use std::path::Path;
use std::sync::{Arc, Mutex};

use bevy::app::PluginsState;
use bevy::camera::RenderTarget;
use bevy::light::EnvironmentMapLight;
use bevy::prelude::*;
use bevy::render::RenderPlugin;
use bevy::render::pipelined_rendering::PipelinedRenderingPlugin;
use bevy::render::render_resource::{PollType, TextureFormat, TextureUsages};
use bevy::render::renderer::RenderDevice;
use bevy::render::view::screenshot::{Screenshot, ScreenshotCaptured};
use bevy::window::ExitCondition;
use bevy::winit::WinitPlugin;
use bevy_talkie::prelude::*;
use bevy_talkie::talkie::{emotion, metrics::Alignment, retarget};

/// Pictures per row of the sheet.
const COLUMNS: usize = 5;
/// The same for emotions.
const EMOTION_COLUMNS: usize = 4;
/// The same for a spoken line.
const LINE_COLUMNS: usize = 10;
/// Every pose is rendered this many times larger and averaged down.
const SUPERSAMPLE: u32 = 2;

/// A camera position around the head and the morph weights to show. A weight named `x*` sets `xLeft` and `xRight`.
struct Pose<'a> {
    name: &'a str,
    yaw: f32,
    /// Height of the picture's centre and of the visible area, in metres above the neck joint.
    frame: (f32, f32),
    weights: &'a [(&'a str, f32)],
}

/// A pose that is computed: a moment of a spoken line, an emotion.
struct Moment {
    name: String,
    weights: Vec<(String, f32)>,
}

const BUST: (f32, f32) = (0.085, 0.40);
const HEAD: (f32, f32) = (0.125, 0.28);
const FACE: (f32, f32) = (0.125, 0.25);
const MOUTH: (f32, f32) = (0.072, 0.10);
const LOWER_FACE: (f32, f32) = (0.082, 0.15);
const EYES: (f32, f32) = (0.145, 0.10);

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
    let mut app = headless_app(file.parent().expect("a file lies in a folder"));
    let letters = if frame == HEAD { 15.0 } else { 9.0 };
    let target = spawn_stage(&mut app, size * SUPERSAMPLE, letters);
    let profile = option("--profile").map(|path| {
        let text = std::fs::read_to_string(path).expect("the profile can be read");
        RigProfile(retarget::RigProfile::parse(&text).unwrap_or_else(|error| panic!("{path}: {error}")))
    });
    load_character(&mut app, file.file_name().and_then(|n| n.to_str()).expect("the file name is text"), profile);

    let rows = poses.len().div_ceil(columns);
    let mut sheet = vec![0u8; columns * rows * (size * size * 4) as usize];
    for (i, pose) in poses.iter().enumerate() {
        println!("row {}, column {}: {}", i / columns + 1, i % columns + 1, pose.name);
        strike(&mut app, pose);
        let picture = photograph(&mut app, &target, size);
        let (x, y, size) = (i % columns, i / columns, size as usize);
        for (line, source) in picture.chunks_exact(size * 4).enumerate() {
            let start = ((y * size + line) * columns + x) * size * 4;
            sheet[start..start + size * 4].copy_from_slice(source);
        }
    }
    let mut image =
        Image::new_target_texture(columns as u32 * size, rows as u32 * size, TextureFormat::Rgba8UnormSrgb, None);
    image.data = Some(sheet);
    image.try_into_dynamic().expect("RGBA converts").to_rgb8().save(out).expect("the sheet can be written");
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

/// The name of what is shown, at the bottom of the picture.
#[derive(Component)]
struct Caption;

/// An app that renders without a window, in step with its updates.
fn headless_app(folder: &Path) -> App {
    let mut app = App::new();
    app.add_plugins(
        DefaultPlugins
            .set(WindowPlugin { primary_window: None, exit_condition: ExitCondition::DontExit, ..default() })
            .set(RenderPlugin { synchronous_pipeline_compilation: true, ..default() })
            .set(AssetPlugin { file_path: folder.to_string_lossy().into_owned(), ..default() })
            .disable::<WinitPlugin>()
            .disable::<bevy::audio::AudioPlugin>()
            .disable::<PipelinedRenderingPlugin>(),
    );
    app.add_plugins(TalkiePlugins);
    app.insert_resource(ClearColor(Color::srgb(0.165, 0.185, 0.215)));
    while app.plugins_state() == PluginsState::Adding {
        bevy::tasks::tick_global_task_pools_on_main_thread();
    }
    app.finish();
    app.cleanup();
    app
}

/// Camera, a shadowed key light, a soft fill and a rim light; so many lines of captions would fill a picture.
fn spawn_stage(app: &mut App, size: u32, letters: f32) -> Handle<Image> {
    let mut image = Image::new_target_texture(size, size, TextureFormat::Rgba8UnormSrgb, None);
    image.texture_descriptor.usage |= TextureUsages::COPY_SRC;
    let world = app.world_mut();
    let mut images = world.resource_mut::<Assets<Image>>();
    let target = images.add(image);
    let sky = EnvironmentMapLight {
        intensity: 420.0,
        ..EnvironmentMapLight::hemispherical_gradient(
            &mut images,
            Color::srgb(0.80, 0.88, 1.0),
            Color::srgb(0.55, 0.55, 0.58),
            Color::srgb(0.36, 0.30, 0.27),
        )
    };
    world.spawn((Camera3d::default(), IsDefaultUiCamera, RenderTarget::Image(target.clone().into()), Msaa::Off, sky));
    world.spawn((
        Caption,
        Text::default(),
        TextFont { font_size: FontSize::Px(size as f32 / letters), ..default() },
        Node { position_type: PositionType::Absolute, bottom: percent(2), left: percent(4), ..default() },
    ));
    for (color, illuminance, shadow_maps_enabled, from) in [
        (Color::srgb(1.0, 0.95, 0.88), 6_500.0, true, Vec3::new(-1.0, 1.1, 1.5)),
        (Color::srgb(0.80, 0.88, 1.0), 1_500.0, false, Vec3::new(1.6, 0.3, 1.2)),
        (Color::srgb(1.0, 0.97, 0.92), 5_000.0, true, Vec3::new(0.9, 1.0, -1.4)),
    ] {
        world.spawn((
            DirectionalLight { color, illuminance, shadow_maps_enabled, ..default() },
            bevy::light::CascadeShadowConfigBuilder { num_cascades: 1, maximum_distance: 3.0, ..default() }.build(),
            Transform::from_translation(from).looking_at(Vec3::ZERO, Vec3::Y),
        ));
    }
    target
}

fn load_character(app: &mut App, file: &str, profile: Option<RigProfile>) {
    let asset = app.world().resource::<AssetServer>().load(GltfAssetLabel::Scene(0).from_asset(file.to_owned()));
    let profile = profile.map(|profile| app.world_mut().resource_mut::<Assets<RigProfile>>().add(profile));
    let face = (WorldAssetRoot(asset), TalkingFace { profile, ..default() }, FaceLife::none());
    let face = app.world_mut().spawn(face).id();
    while app.world().get::<BindingReport>(face).is_none() {
        app.update();
    }
    let report = &app.world().get::<BindingReport>(face).expect("it was just there").0;
    println!("{report}");
    assert!(!report.is_broken(), "{file} cannot be shown");
}

/// Sets camera and face.
fn strike(app: &mut App, pose: &Pose<'_>) {
    let world = app.world_mut();
    let (height, visible) = pose.frame;
    let center = Vec3::new(0.0, height, if visible < 0.3 { 0.07 } else { 0.03 });
    let field_of_view = 20_f32.to_radians();
    let distance = visible / 2.0 / (field_of_view / 2.0).tan();
    let from = center + Quat::from_rotation_y(pose.yaw.to_radians()) * Vec3::new(0.0, visible * 0.1, distance);
    for (mut transform, mut projection) in
        world.query_filtered::<(&mut Transform, &mut Projection), With<Camera3d>>().iter_mut(world)
    {
        *transform = Transform::from_translation(from).looking_at(center, Vec3::Y);
        *projection = PerspectiveProjection { fov: field_of_view, near: 0.02, ..default() }.into();
    }
    let shown = FaceChannel::ALL.into_iter().filter_map(|channel| {
        let named = pose.weights.iter().find(|(name, _)| is_named(channel.name(), name));
        named.map(|(_, value)| (channel, *value))
    });
    let shown = Expression::new(shown);
    for mut expression in world.query::<&mut Expression>().iter_mut(world) {
        *expression = shown.clone();
    }
    for mut caption in world.query_filtered::<&mut Text, With<Caption>>().iter_mut(world) {
        caption.0 = if [LOWER_FACE, HEAD].contains(&pose.frame) { pose.name.to_owned() } else { String::new() };
    }
}

/// Whether a channel has this name, or is the left or right one of a name that ends in `*`.
fn is_named(channel: &str, name: &str) -> bool {
    match name.strip_suffix('*') {
        Some(stem) => channel.strip_prefix(stem).is_some_and(|side| side == "Left" || side == "Right"),
        None => channel == name,
    }
}

/// Takes a picture and averages it down; returns RGBA rows.
fn photograph(app: &mut App, target: &Handle<Image>, size: u32) -> Vec<u8> {
    let shot: Arc<Mutex<Option<Image>>> = default();
    let sink = shot.clone();
    // The first frame after a change may still show the old morph weights.
    step(app);
    app.world_mut().spawn(Screenshot::image(target.clone())).observe(move |captured: On<ScreenshotCaptured>| {
        *sink.lock().expect("no other thread panicked") = Some(captured.image.clone());
    });
    let mut image = None;
    for _ in 0..50 {
        step(app);
        image = shot.lock().expect("no other thread panicked").take();
        if image.is_some() {
            break;
        }
    }
    let large =
        image.expect("a screenshot arrives within 50 updates").try_into_dynamic().expect("RGBA converts").to_rgba8();
    let (factor, wide) = (SUPERSAMPLE as usize, (size * SUPERSAMPLE) as usize);
    let large = large.as_raw();
    let average = |i: usize| {
        let (channel, x, y) = (i % 4, i / 4 % size as usize, i / 4 / size as usize);
        let samples =
            (0..factor * factor).map(|k| ((y * factor + k / factor) * wide + x * factor + k % factor) * 4 + channel);
        (samples.map(|at| u32::from(large[at])).sum::<u32>() / (factor * factor) as u32) as u8
    };
    (0..(size * size * 4) as usize).map(average).collect()
}

/// One update, waiting for the GPU: nothing is presented, so nothing else would slow the loop down.
fn step(app: &mut App) {
    app.update();
    app.world().resource::<RenderDevice>().poll(PollType::wait_indefinitely()).expect("the GPU finishes");
}
