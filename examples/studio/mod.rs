//! What examples share that take pictures of faces: a studio without a window, sheets of pictures, and characters put where the camera
//! looks.
#![allow(dead_code, reason = "every example uses its own part")]

pub mod placing;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bevy::app::PluginsState;
use bevy::asset::UnapprovedPathMode;
use bevy::camera::RenderTarget;
use bevy::light::EnvironmentMapLight;
use bevy::prelude::*;
use bevy::render::RenderPlugin;
use bevy::render::pipelined_rendering::PipelinedRenderingPlugin;
use bevy::render::render_resource::{PollType, TextureFormat, TextureUsages};
use bevy::render::renderer::RenderDevice;
use bevy::render::view::screenshot::{Screenshot, ScreenshotCaptured};
use bevy::time::TimeUpdateStrategy;
use bevy::window::ExitCondition;
use bevy::winit::WinitPlugin;
use bevy_talkie::inference::wait_for_batches;
use bevy_talkie::prelude::*;

/// Every picture is rendered this many times larger and averaged down.
const SUPERSAMPLE: u32 = 2;
/// How long a character may take to load.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a camera sees: the height of the picture's centre and of the visible area, in metres above the neck joint of a default
/// character.
pub type Frame = (f32, f32);

/// The head, the face, and its lower part.
pub const HEAD: Frame = (0.125, 0.28);
pub const FACE: Frame = (0.125, 0.25);
pub const LOWER_FACE: Frame = (0.082, 0.15);

/// The name of what is shown, at the bottom of the picture.
#[derive(Component)]
struct Caption;

/// An app that renders without a window, in step with its updates; its time stands unless it is told to pass.
pub struct Studio {
    pub app: App,
    target: Handle<Image>,
    /// Width and height of a picture, in pixels.
    pub size: u32,
    taken: Taken,
}

/// Pictures that were taken: as large as they are rendered, some still on their way.
type Taken = Arc<Mutex<Vec<Option<Image>>>>;

/// What is around a face.
const GROUND: Color = Color::srgb(0.165, 0.185, 0.215);

impl Studio {
    /// Camera and lights; assets come from a folder, or from anywhere by whole paths. So many letters of a caption fill a picture, about.
    pub fn new(folder: &Path, size: u32, letters: f32) -> Self {
        let mut app = App::new();
        app.add_plugins(
            DefaultPlugins
                .set(WindowPlugin { primary_window: None, exit_condition: ExitCondition::DontExit, ..default() })
                .set(RenderPlugin { synchronous_pipeline_compilation: true, ..default() })
                .set(AssetPlugin {
                    file_path: folder.to_string_lossy().into_owned(),
                    unapproved_path_mode: UnapprovedPathMode::Allow,
                    ..default()
                })
                .disable::<WinitPlugin>()
                .disable::<bevy::audio::AudioPlugin>()
                .disable::<PipelinedRenderingPlugin>(),
        );
        app.add_plugins(TalkiePlugins)
            .insert_resource(TimeUpdateStrategy::ManualDuration(Duration::ZERO))
            .insert_resource(ClearColor(GROUND));
        while app.plugins_state() == PluginsState::Adding {
            bevy::tasks::tick_global_task_pools_on_main_thread();
        }
        app.finish();
        app.cleanup();
        let target = build(app.world_mut(), size * SUPERSAMPLE, letters);
        Self { app, target, size, taken: Taken::default() }
    }

    /// Spawns a face, waits until its character is bound and puts it where the camera looks; prints the report.
    pub fn load(&mut self, scene: WorldAssetRoot, talking: TalkingFace) -> Result<Entity, String> {
        let face = self.app.world_mut().spawn((scene, talking, FaceLife::none())).id();
        let begun = Instant::now();
        while self.app.world().get::<BindingReport>(face).is_none() {
            if begun.elapsed() > PATIENCE {
                return Err("the character was not bound within two minutes: see the log".into());
            }
            self.app.update();
        }
        let report = &self.app.world().get::<BindingReport>(face).ok_or("the face is gone")?.0;
        println!("{report}");
        let broken = report.findings.iter().find(|_| report.is_broken());
        if let Some(finding) = broken {
            return Err(finding.to_string());
        }
        // Where everything is.
        self.step();
        if let Some(place) = placing::place(self.app.world_mut(), face) {
            self.app.world_mut().entity_mut(face).insert(place);
        }
        Ok(face)
    }

    /// Sets the camera, turned about the head by degrees.
    pub fn look(&mut self, (height, visible): Frame, yaw: f32) {
        let center = Vec3::new(0.0, height, if visible < 0.3 { 0.07 } else { 0.03 });
        let field_of_view = 20_f32.to_radians();
        let distance = visible / 2.0 / (field_of_view / 2.0).tan();
        let from = center + Quat::from_rotation_y(yaw.to_radians()) * Vec3::new(0.0, visible * 0.1, distance);
        let world = self.app.world_mut();
        for (mut transform, mut projection) in
            world.query_filtered::<(&mut Transform, &mut Projection), With<Camera3d>>().iter_mut(world)
        {
            *transform = Transform::from_translation(from).looking_at(center, Vec3::Y);
            *projection = PerspectiveProjection { fov: field_of_view, near: 0.02, ..default() }.into();
        }
    }

    /// Writes below the next picture.
    pub fn caption(&mut self, text: &str) {
        let world = self.app.world_mut();
        for mut caption in world.query_filtered::<&mut Text, With<Caption>>().iter_mut(world) {
            caption.0 = text.to_owned();
        }
    }

    /// Lets time pass, in one frame.
    pub fn pass(&mut self, time: Duration) {
        self.app.insert_resource(TimeUpdateStrategy::ManualDuration(time));
        self.step();
        self.app.insert_resource(TimeUpdateStrategy::ManualDuration(Duration::ZERO));
    }

    /// One update, waiting for the GPU: nothing is presented, so nothing else would slow the loop down.
    pub fn step(&mut self) {
        self.app.update();
        if let Some(device) = self.app.world().get_resource::<RenderDevice>() {
            // An error here shows as a missing picture.
            let _ = device.poll(PollType::wait_indefinitely());
        }
        wait_for_batches(self.app.world());
    }

    /// Takes a picture of what was there at the last step: what changed since then may not be seen yet.
    pub fn photograph(&mut self) {
        let taken = self.taken.clone();
        let number = {
            let mut taken = taken.lock().expect("no other thread panicked");
            taken.push(None);
            taken.len() - 1
        };
        let observe = move |captured: On<ScreenshotCaptured>| {
            taken.lock().expect("no other thread panicked")[number] = Some(captured.image.clone());
        };
        self.app.world_mut().spawn(Screenshot::image(self.target.clone())).observe(observe);
        self.step();
    }

    /// All pictures that were taken, averaged down: rows of RGBA.
    pub fn develop(&mut self) -> Result<Vec<Vec<u8>>, String> {
        for _ in 0..50 {
            if self.taken.lock().expect("no other thread panicked").iter().all(Option::is_some) {
                break;
            }
            self.step();
        }
        let taken = core::mem::take(&mut *self.taken.lock().expect("no other thread panicked"));
        let develop = |image: Option<Image>| {
            let image = image.ok_or("a picture did not come within 50 updates")?;
            let large = image.try_into_dynamic().map_err(|error| error.to_string())?.to_rgba8();
            Ok(averaged(large.as_raw(), self.size as usize))
        };
        taken.into_iter().map(develop).collect()
    }
}

/// Averages a picture down to this width and height.
fn averaged(large: &[u8], size: usize) -> Vec<u8> {
    let (factor, wide) = (SUPERSAMPLE as usize, size * SUPERSAMPLE as usize);
    let average = |i: usize| {
        let (channel, x, y) = (i % 4, i / 4 % size, i / 4 / size);
        let samples =
            (0..factor * factor).map(|k| ((y * factor + k / factor) * wide + x * factor + k % factor) * 4 + channel);
        (samples.map(|at| u32::from(large[at])).sum::<u32>() / (factor * factor) as u32) as u8
    };
    (0..size * size * 4).map(average).collect()
}

/// Writes pictures of one size as a sheet of so many columns; what kind of file it is says its name.
pub fn write_sheet(pictures: &[Vec<u8>], size: u32, columns: usize, path: &Path) -> Result<(), String> {
    let rows = pictures.len().div_ceil(columns);
    let line = size as usize * 4;
    let mut sheet = GROUND.to_srgba().to_u8_array().repeat(columns * rows * (size * size) as usize);
    for (i, picture) in pictures.iter().enumerate() {
        let (x, y) = (i % columns, i / columns);
        for (row, source) in picture.chunks_exact(line).enumerate() {
            let start = ((y * size as usize + row) * columns + x) * line;
            sheet[start..start + line].copy_from_slice(source);
        }
    }
    let (width, height) = (columns as u32 * size, rows as u32 * size);
    let mut image = Image::new_target_texture(width, height, TextureFormat::Rgba8UnormSrgb, None);
    image.data = Some(sheet);
    let image = image.try_into_dynamic().map_err(|error| error.to_string())?;
    image.to_rgb8().save(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Camera, a shadowed key light, a soft fill and a rim light.
fn build(world: &mut World, size: u32, letters: f32) -> Handle<Image> {
    let mut image = Image::new_target_texture(size, size, TextureFormat::Rgba8UnormSrgb, None);
    image.texture_descriptor.usage |= TextureUsages::COPY_SRC;
    let target = world.resource_mut::<Assets<Image>>().add(image);
    let sky = sky(&mut world.resource_mut::<Assets<Image>>());
    world.spawn((Camera3d::default(), IsDefaultUiCamera, RenderTarget::Image(target.clone().into()), Msaa::Off, sky));
    world.spawn((
        Caption,
        Text::default(),
        TextFont { font_size: FontSize::Px(size as f32 / letters), ..default() },
        TextShadow::default(),
        Node { position_type: PositionType::Absolute, bottom: percent(2), left: percent(4), ..default() },
    ));
    for light in lights() {
        world.spawn(light);
    }
    target
}

/// Light from all sides, as under a sky.
pub fn sky(images: &mut Assets<Image>) -> EnvironmentMapLight {
    EnvironmentMapLight {
        intensity: 420.0,
        ..EnvironmentMapLight::hemispherical_gradient(
            images,
            Color::srgb(0.80, 0.88, 1.0),
            Color::srgb(0.55, 0.55, 0.58),
            Color::srgb(0.36, 0.30, 0.27),
        )
    }
}

/// Key, fill and rim.
pub fn lights() -> [impl Bundle; 3] {
    [
        (Color::srgb(1.0, 0.95, 0.88), 6_500.0, true, Vec3::new(-1.0, 1.1, 1.5)),
        (Color::srgb(0.80, 0.88, 1.0), 1_500.0, false, Vec3::new(1.6, 0.3, 1.2)),
        (Color::srgb(1.0, 0.97, 0.92), 5_000.0, true, Vec3::new(0.9, 1.0, -1.4)),
    ]
    .map(|(color, illuminance, shadow_maps_enabled, from)| {
        (
            DirectionalLight { color, illuminance, shadow_maps_enabled, ..default() },
            bevy::light::CascadeShadowConfigBuilder { num_cascades: 1, maximum_distance: 3.0, ..default() }.build(),
            Transform::from_translation(from).looking_at(Vec3::ZERO, Vec3::Y),
        )
    })
}
