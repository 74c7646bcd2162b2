//! Talk, and see yourself: Ada follows your microphone.
//!
//! `cargo run --release --example mic_avatar` opens the system's default microphone. The panel picks another, shows how loud it is,
//! what the gate thinks and how late the face is, records, and replays what was recorded.
//!
//! `--list` names the microphones, `--device NAME` takes one of them, `--file RECORDING` lets a recording (WAV, FLAC, Ogg Vorbis,
//! MP3) speak through a virtual microphone instead, and `--headless FOLDER` draws that off-screen, without window, GPU or sound card:
//! numbered pictures at 60 frames a second.

use std::path::PathBuf;

use bevy::prelude::*;
use bevy_egui::EguiPlugin;
use bevy_talkie::{
    prelude::*,
    talkie::audio::AudioClip,
    voice::microphone::{CaptureSource, SystemMicrophones, VirtualDevice, VirtualMicrophone},
};

mod headless;
#[path = "../off_screen/mod.rs"]
mod off_screen;
mod panel;

const USAGE: &str = "usage: mic_avatar [--list | --device NAME | --file RECORDING [--headless FOLDER]]";

/// Where the sound comes from, if not from a real microphone.
#[derive(Resource, Default)]
struct Replay(Option<VirtualMicrophone>);

/// The picture that is drawn to, if not a window.
#[derive(Resource, Default)]
struct Target(Option<Handle<Image>>);

fn main() -> AppExit {
    let (mut device, mut file, mut folder) = (None, None, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(option) = arguments.next() {
        let slot = match option.as_str() {
            "--list" => return list(),
            "--device" => &mut device,
            "--file" => &mut file,
            "--headless" => &mut folder,
            _ => return fail(USAGE),
        };
        *slot = arguments.next();
        if slot.is_none() {
            return fail(USAGE);
        }
    }
    let replay = match file.map(PathBuf::from).map(load).transpose() {
        Ok(clip) => clip.map(|clip| (clip.seconds(), VirtualMicrophone::new(clip, VirtualDevice::default()))),
        Err(reason) => return fail(&reason),
    };
    let mut app = App::new();
    match (&folder, &replay) {
        (None, _) => {
            app.add_plugins(DefaultPlugins).init_resource::<Target>();
            if let Some((_, microphone)) = &replay {
                microphone.run();
            }
        }
        (Some(_), Some(_)) => headless::prepare(&mut app),
        (Some(_), None) => return fail("--headless needs a recording: --file RECORDING"),
    }
    if let Some((_, microphone)) = &replay {
        app.insert_resource(Microphones::new(microphone.clone()));
    }
    app.insert_resource(Replay(replay.as_ref().map(|(_, microphone)| microphone.clone())))
        .add_plugins((TalkiePlugins, EguiPlugin::default()))
        .add_systems(Startup, move |commands: Commands, assets: Res<AssetServer>, target: Res<Target>| {
            setup(commands, &assets, &target, device.clone());
        });
    panel::build(&mut app);
    match (folder, replay) {
        (Some(folder), Some((seconds, microphone))) => headless::run(app, &PathBuf::from(folder), &microphone, seconds),
        _ => app.run(),
    }
}

fn fail(reason: &str) -> AppExit {
    eprintln!("mic_avatar: {reason}");
    AppExit::from_code(2)
}

fn list() -> AppExit {
    match SystemMicrophones.devices() {
        Ok(devices) if devices.is_empty() => println!("there is no microphone"),
        Ok(devices) => {
            for device in devices {
                println!("{}{}", device.name, if device.is_default { " (default)" } else { "" });
            }
        }
        Err(error) => return fail(&error.to_string()),
    }
    AppExit::Success
}

fn load(path: PathBuf) -> Result<AudioClip, String> {
    let bytes = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    AudioClip::decode(bytes).map_err(|error| format!("{}: {error}", path.display()))
}

fn setup(mut commands: Commands, assets: &AssetServer, target: &Target, device: Option<String>) {
    commands.spawn((
        WorldAssetRoot(assets.load("characters/ada.glb#Scene0")),
        TalkingFace::default(),
        Microphone { device, ..default() },
    ));
    let camera = commands
        .spawn((
            Camera3d::default(),
            Projection::Perspective(PerspectiveProjection { fov: 0.42, ..default() }),
            // Ada on the right, the panel on the left.
            Transform::from_xyz(-0.06, 0.12, 0.75).looking_at(Vec3::new(-0.06, 0.09, 0.0), Vec3::Y),
            if target.0.is_some() { Msaa::Off } else { Msaa::Sample4 },
        ))
        .id();
    if let Some(image) = &target.0 {
        commands.entity(camera).insert(bevy::camera::RenderTarget::Image(image.clone().into()));
    }
    commands.insert_resource(ClearColor(Color::srgb(0.085, 0.095, 0.115)));
    commands.insert_resource(GlobalAmbientLight { brightness: 160.0, ..default() });
    for (from, color, illuminance) in [
        (Vec3::new(-1.2, 1.4, 2.2), Color::srgb(1.0, 0.94, 0.87), 5_200.0),
        (Vec3::new(2.0, 0.5, 1.6), Color::srgb(0.74, 0.83, 1.0), 1_700.0),
    ] {
        commands.spawn((
            DirectionalLight { color, illuminance, ..default() },
            Transform::from_translation(from).looking_at(Vec3::ZERO, Vec3::Y),
        ));
    }
}
