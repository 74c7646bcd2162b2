//! Drawing what a virtual microphone says, without window, GPU or sound card.

use std::{fs, path::Path, time::Duration};

use bevy::{
    app::PluginsState,
    audio::AudioPlugin,
    log::{DEFAULT_FILTER, LogPlugin},
    prelude::*,
    render::{
        RenderPlugin,
        pipelined_rendering::PipelinedRenderingPlugin,
        render_resource::{PollType, TextureFormat, TextureUsages},
        renderer::RenderDevice,
        view::screenshot::{Screenshot, save_to_disk},
    },
    time::TimeUpdateStrategy,
    window::ExitCondition,
    winit::WinitPlugin,
};
use bevy_talkie::{
    inference::{LIVE_MODEL, wait_for_batches},
    prelude::*,
    voice::microphone::VirtualMicrophone,
};

use crate::Target;

const SIZE: (u32, u32) = (720, 405);
const FRAME: Duration = Duration::from_nanos(16_666_667);

/// Everything of `DefaultPlugins` but window and sound, and time in steps of one picture.
pub fn prepare(app: &mut App) {
    app.add_plugins(
        DefaultPlugins
            .set(WindowPlugin { primary_window: None, exit_condition: ExitCondition::DontExit, ..default() })
            .set(RenderPlugin { synchronous_pipeline_compilation: true, ..default() })
            .set(LogPlugin {
                filter: format!("{DEFAULT_FILTER},bevy_render::view::window::screenshot=warn"),
                ..default()
            })
            .disable::<WinitPlugin>()
            .disable::<AudioPlugin>()
            .disable::<PipelinedRenderingPlugin>(),
    );
    let mut image = Image::new_target_texture(SIZE.0, SIZE.1, TextureFormat::Rgba8UnormSrgb, None);
    image.texture_descriptor.usage |= TextureUsages::COPY_SRC;
    let image = app.world_mut().resource_mut::<Assets<Image>>().add(image);
    app.insert_resource(Target(Some(image))).insert_resource(TimeUpdateStrategy::ManualDuration(FRAME));
}

pub fn run(mut app: App, folder: &Path, microphone: &VirtualMicrophone, seconds: f64) -> AppExit {
    match draw(&mut app, folder, microphone, seconds) {
        Ok(figures) => {
            println!("{figures}");
            AppExit::Success
        }
        Err(reason) => {
            eprintln!("mic_avatar: {reason}");
            AppExit::error()
        }
    }
}

fn draw(app: &mut App, folder: &Path, microphone: &VirtualMicrophone, seconds: f64) -> Result<String, String> {
    while app.plugins_state() == PluginsState::Adding {
        bevy::tasks::tick_global_task_pools_on_main_thread();
    }
    app.finish();
    app.cleanup();
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut ready = false;
    for _ in 0..20_000 {
        step(app);
        ready = app.world().resource::<Assets<FaceModel>>().contains(&LIVE_MODEL)
            && app
                .world_mut()
                .query::<(&FaceRig, &MicrophoneState)>()
                .single(app.world())
                .is_ok_and(|(_, microphone)| microphone.is_open());
        if ready {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    if !ready {
        return Err("character and microphone were not ready in time: see the log".into());
    }
    microphone.rewind();
    let count = (seconds / FRAME.as_secs_f64()).ceil() as u32 + 30;
    let image = app.world().resource::<Target>().0.clone().ok_or("there is no picture to draw to")?;
    for frame in 0..count {
        microphone.advance(FRAME);
        wait_for_batches(app.world());
        app.world_mut()
            .spawn(Screenshot::image(image.clone()))
            .observe(save_to_disk(folder.join(format!("frame_{frame:04}.png"))));
        step(app);
    }
    (0..10).for_each(|_| step(app));
    let drawn = (0..count).filter(|frame| folder.join(format!("frame_{frame:04}.png")).is_file()).count();
    if drawn != count as usize {
        return Err(format!("{drawn} of {count} pictures were captured"));
    }
    Ok(format!(
        "{count} pictures of {:.1} s in {}; picture N shows the moment N / 60 s",
        f64::from(count) / 60.0,
        folder.display()
    ))
}

/// One picture; waits until it is drawn.
fn step(app: &mut App) {
    app.update();
    if let Some(device) = app.world().get_resource::<RenderDevice>() {
        // An error here shows as a missing picture.
        let _ = device.poll(PollType::wait_indefinitely());
    }
    wait_for_batches(app.world());
}
