//! A character of yours speaks: see what is bound and how it moves, compare two profiles, set them right and save them.
//!
//! ```text
//! cargo run --example retarget_preview --features inspector -- [FILE.glb|FILE.gltf|FILE.vrm] [--profile A.rig.ron [--profile B.rig.ron]] [--voice LINE]
//! cargo run --example retarget_preview --features inspector -- [FILE] [--profile A.rig.ron] [--voice LINE] --headless FOLDER
//! ```
//!
//! Without a file it is Ada. Drag to turn her, with the right button to move, scroll to come nearer. Space speaks the line, Tab turns
//! to the other profile; without `--profile` both are found by themselves. `--voice` takes a recording (WAV, FLAC, Ogg Vorbis, MP3).
//!
//! `--headless` needs no window, GPU or sound card: it writes `channels.png`, every channel of the face at 1, and `line.png`, the
//! spoken line.

use std::path::{Path, PathBuf};

use bevy::{asset::UnapprovedPathMode, prelude::*};
use bevy_egui::EguiPlugin;
use bevy_talkie::{
    inspector::{FaceInspectorPlugin, InspectFaces},
    prelude::*,
    talkie::{audio::AudioClip, retarget},
};

#[path = "../studio/mod.rs"]
mod studio;

mod headless;
mod orbit;
mod panel;

const USAGE: &str = "usage: retarget_preview [FILE.glb|FILE.gltf|FILE.vrm] [--profile A.rig.ron [--profile B.rig.ron]] [--voice LINE] [--headless FOLDER]";

/// The folder of the default characters and voices.
fn assets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets")
}

/// What is previewed.
#[derive(Resource, Clone)]
struct Preview {
    /// A glTF or VRM file, by its whole path.
    character: PathBuf,
    /// The profiles A and B and where they are from; `None` binds by whichever profile knows most.
    profiles: [Option<(PathBuf, retarget::RigProfile)>; 2],
    /// A recording, by its whole path.
    voice: PathBuf,
}

fn main() -> AppExit {
    let (preview, folder) = match arguments(std::env::args().skip(1)) {
        Ok(asked) => asked,
        Err(reason) => return fail(&reason),
    };
    if let Some(folder) = folder {
        return match headless::draw(&preview, &folder) {
            Ok(()) => AppExit::Success,
            Err(reason) => fail(&reason),
        };
    }
    let mut app = App::new();
    app.add_plugins((
        DefaultPlugins.set(AssetPlugin {
            file_path: assets().to_string_lossy().into_owned(),
            unapproved_path_mode: UnapprovedPathMode::Allow,
            ..default()
        }),
        TalkiePlugins,
        EguiPlugin::default(),
        FaceInspectorPlugin,
    ))
    .insert_resource(preview)
    .insert_resource(ClearColor(Color::srgb(0.118, 0.133, 0.157)))
    .add_systems(Startup, setup)
    .add_systems(Update, put_in_place);
    panel::build(&mut app);
    orbit::build(&mut app);
    app.run()
}

fn fail(reason: &str) -> AppExit {
    eprintln!("retarget_preview: {reason}");
    AppExit::from_code(2)
}

/// What is asked for, all of it checked.
fn arguments(mut arguments: impl Iterator<Item = String>) -> Result<(Preview, Option<PathBuf>), String> {
    let (mut character, mut profiles, mut voice, mut folder) = (None, Vec::new(), None, None);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().map(PathBuf::from).ok_or(format!("{argument} needs a value\n{USAGE}"));
        match argument.as_str() {
            "--profile" if profiles.len() < 2 => profiles.push(value()?),
            "--voice" => voice = Some(value()?),
            "--headless" => folder = Some(value()?),
            file if !file.starts_with('-') && character.is_none() => character = Some(PathBuf::from(file)),
            other => return Err(format!("`{other}` is not understood\n{USAGE}")),
        }
    }
    let character = check_character(character.unwrap_or_else(|| assets().join("characters/ada.glb")))?;
    let voice = voice.unwrap_or_else(|| assets().join("voices/01_ada.ogg"));
    let sound = std::fs::read(&voice).map_err(|error| format!("{}: {error}", voice.display()))?;
    AudioClip::decode(sound).map_err(|error| format!("{}: {error}", voice.display()))?;
    let mut profiles = profiles.into_iter().map(read_profile);
    let profiles = [profiles.next().transpose()?, profiles.next().transpose()?];
    Ok((Preview { character, profiles, voice: whole(voice)? }, folder))
}

fn whole(path: PathBuf) -> Result<PathBuf, String> {
    std::fs::canonicalize(&path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Says what is wrong with a file before anything is started.
fn check_character(path: PathBuf) -> Result<PathBuf, String> {
    let shown = path.display().to_string();
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
    let bytes = std::fs::read(&path).map_err(|error| format!("{shown}: {error}"))?;
    match ending.as_str() {
        "glb" | "vrm" if bytes.starts_with(b"glTF") => {}
        "glb" | "vrm" => return Err(format!("{shown} is no binary glTF file: it does not begin with `glTF`")),
        "gltf" => {
            serde_json::from_slice::<serde_json::Value>(&bytes)
                .map_err(|error| format!("{shown} is no glTF file: {error}"))?;
        }
        _ => return Err(format!("{shown}: the name of a character ends in .glb, .gltf or .vrm")),
    }
    whole(path)
}

fn read_profile(path: PathBuf) -> Result<(PathBuf, retarget::RigProfile), String> {
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let profile = retarget::RigProfile::parse(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok((path, profile))
}

fn setup(
    mut commands: Commands,
    server: Res<AssetServer>,
    preview: Res<Preview>,
    mut images: ResMut<Assets<Image>>,
    slots: Res<panel::Slots>,
) {
    let face = commands
        .spawn((
            Name::new(preview.character.file_stem().unwrap_or_default().to_string_lossy().into_owned()),
            WorldAssetRoot(server.load(GltfAssetLabel::Scene(0).from_asset(preview.character.clone()))),
            TalkingFace { profile: slots.shown().clone(), ..default() },
        ))
        .id();
    commands.spawn((
        Camera3d::default(),
        Projection::Perspective(PerspectiveProjection { fov: 0.35, near: 0.02, ..default() }),
        studio::sky(&mut images),
        orbit::Orbit::default(),
        InspectFaces::of(face),
    ));
    for light in studio::lights() {
        commands.spawn(light);
    }
}

/// Turns and scales the character, in the frame after it was bound, so that its face is where the camera looks.
fn put_in_place(bound: Query<Entity, Added<FaceRig>>, mut commands: Commands) {
    for face in &bound {
        commands.queue(move |world: &mut World| {
            if let Some(place) = studio::placing::place(world, face) {
                world.entity_mut(face).insert(place);
            }
        });
    }
}
