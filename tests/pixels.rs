//! What is really drawn: off-screen, with whatever Vulkan driver there is (`cargo xtask test` installs a software one).
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use bevy::{
    app::PluginsState,
    asset::AssetPlugin,
    audio::AudioPlugin,
    camera::{RenderTarget, ScalingMode},
    prelude::*,
    render::{
        RenderPlugin,
        pipelined_rendering::PipelinedRenderingPlugin,
        render_resource::{PollType, TextureFormat, TextureUsages},
        renderer::RenderDevice,
        view::screenshot::{Screenshot, ScreenshotCaptured},
    },
    window::ExitCondition,
    winit::WinitPlugin,
};
use bevy_talkie::prelude::*;
use common::{add_tiny_model, glb::Character, until};

const SIZE: u32 = 96;

fn app(folder: &Path) -> (App, Handle<Image>) {
    let mut app = App::new();
    app.add_plugins(
        DefaultPlugins
            .set(WindowPlugin { primary_window: None, exit_condition: ExitCondition::DontExit, ..default() })
            .set(RenderPlugin { synchronous_pipeline_compilation: true, ..default() })
            .set(AssetPlugin { file_path: folder.to_str().unwrap().to_owned(), ..default() })
            .disable::<WinitPlugin>()
            .disable::<AudioPlugin>()
            .disable::<PipelinedRenderingPlugin>(),
    )
    .add_plugins(TalkiePlugins);
    while app.plugins_state() == PluginsState::Adding {
        bevy::tasks::tick_global_task_pools_on_main_thread();
    }
    app.finish();
    app.cleanup();
    let mut image = Image::new_target_texture(SIZE, SIZE, TextureFormat::Rgba8UnormSrgb, None);
    image.texture_descriptor.usage |= TextureUsages::COPY_SRC;
    let image = app.world_mut().resource_mut::<Assets<Image>>().add(image);
    (app, image)
}

fn step(app: &mut App, frames: usize) {
    for _ in 0..frames {
        app.update();
        app.world().resource::<RenderDevice>().poll(PollType::wait_indefinitely()).unwrap();
    }
}

/// Height of the middle of what is drawn, in pixels from the top; `None` if nothing is.
fn height(app: &mut App, image: &Handle<Image>) -> Option<f32> {
    let found = Arc::new(Mutex::new(None));
    let result = found.clone();
    app.world_mut().spawn(Screenshot::image(image.clone())).observe(move |shot: On<ScreenshotCaptured>| {
        let bytes = shot.image.data.as_ref().unwrap();
        let lit: Vec<usize> =
            bytes.chunks_exact(4).enumerate().filter(|(_, p)| p[0] > 40).map(|(i, _)| i / SIZE as usize).collect();
        let middle = (!lit.is_empty()).then(|| lit.iter().sum::<usize>() as f32 / lit.len() as f32);
        *result.lock().unwrap() = Some(middle);
    });
    for _ in 0..30 {
        step(app, 1);
        if let Some(middle) = found.lock().unwrap().take() {
            return middle;
        }
    }
    panic!("no picture within 30 frames");
}

#[test]
fn a_face_that_comes_back_into_view_still_shows_its_pose() {
    let folder = tempfile::tempdir().unwrap();
    // A plain mesh without a skin: the case in which Bevy loses the morphs.
    Character { shapes: &["jawOpen"], ..default() }.write(folder.path(), "face.glb");
    let (mut app, image) = app(folder.path());
    let ahead = Transform::from_xyz(0.05, 0.05, 1.0);
    let camera = app
        .world_mut()
        .spawn((
            Camera3d::default(),
            Projection::Orthographic(OrthographicProjection {
                scaling_mode: ScalingMode::FixedVertical { viewport_height: 0.16 },
                ..OrthographicProjection::default_3d()
            }),
            RenderTarget::Image(image.clone().into()),
            Msaa::Off,
            ahead,
        ))
        .id();
    app.insert_resource(ClearColor(Color::BLACK))
        .insert_resource(GlobalAmbientLight { brightness: 4_000.0, ..default() });
    let model = add_tiny_model(&mut app);
    let scene = app.world().resource::<AssetServer>().load("face.glb#Scene0");
    let face =
        app.world_mut().spawn((WorldAssetRoot(scene), TalkingFace { model, ..default() }, FaceLife::none())).id();
    until(&mut app, "the face to be bound", |world| world.get::<FaceRig>(face).is_some());
    step(&mut app, 4);
    let rest = height(&mut app, &image).expect("the face is in view");
    *app.world_mut().get_mut::<Expression>(face).unwrap() = Expression::new([(FaceChannel::JawOpen, 1.0)]);
    step(&mut app, 3);
    let lifted = height(&mut app, &image).expect("the face is in view");
    // The shape lifts by 1 cm, a sixteenth of the picture.
    assert!((rest - lifted - SIZE as f32 / 16.0).abs() < 1.5, "from {rest} to {lifted}");

    *app.world_mut().get_mut::<Transform>(camera).unwrap() = ahead.looking_to(Vec3::Z, Vec3::Y);
    step(&mut app, 6);
    assert_eq!(height(&mut app, &image), None);
    *app.world_mut().get_mut::<Transform>(camera).unwrap() = ahead;
    step(&mut app, 4);
    let back = height(&mut app, &image).expect("the face is in view again");
    assert!((back - lifted).abs() < 0.5, "the pose was lost: {back} instead of {lifted}");
}
