//! What examples share that draw without window, GPU or sound card, in steps of time.
#![allow(dead_code, reason = "every example uses its own part")]

use std::time::Duration;

use bevy::{
    app::{PluginGroupBuilder, PluginsState},
    audio::AudioPlugin,
    log::{DEFAULT_FILTER, LogPlugin},
    prelude::*,
    render::{
        RenderPlugin,
        pipelined_rendering::PipelinedRenderingPlugin,
        render_resource::{PollType, TextureFormat, TextureUsages},
        renderer::RenderDevice,
    },
    time::TimeUpdateStrategy,
    window::ExitCondition,
    winit::WinitPlugin,
};
use bevy_talkie::inference::wait_for_batches;

/// Everything of `DefaultPlugins` but window and sound.
pub fn plugins() -> PluginGroupBuilder {
    DefaultPlugins
        .set(WindowPlugin { primary_window: None, exit_condition: ExitCondition::DontExit, ..default() })
        .set(RenderPlugin { synchronous_pipeline_compilation: true, ..default() })
        .set(LogPlugin {
            // Not a line for every picture.
            filter: format!("{DEFAULT_FILTER},bevy_render::view::window::screenshot=warn"),
            ..default()
        })
        .disable::<WinitPlugin>()
        .disable::<AudioPlugin>()
        .disable::<PipelinedRenderingPlugin>()
}

/// Adds [`plugins`] and a picture to draw to; every update takes time one `step` further.
pub fn prepare(app: &mut App, (width, height): (u32, u32), step: Duration) -> Handle<Image> {
    app.add_plugins(plugins()).insert_resource(TimeUpdateStrategy::ManualDuration(step));
    let mut image = Image::new_target_texture(width, height, TextureFormat::Rgba8UnormSrgb, None);
    image.texture_descriptor.usage |= TextureUsages::COPY_SRC;
    app.world_mut().resource_mut::<Assets<Image>>().add(image)
}

/// Waits for the renderer, after all plugins were added.
pub fn start(app: &mut App) {
    while app.plugins_state() == PluginsState::Adding {
        bevy::tasks::tick_global_task_pools_on_main_thread();
    }
    app.finish();
    app.cleanup();
}

/// One picture; waits until it is drawn, so that pictures cannot pile up.
pub fn step(app: &mut App) {
    app.update();
    if let Some(device) = app.world().get_resource::<RenderDevice>() {
        // An error here shows as a missing picture.
        let _ = device.poll(PollType::wait_indefinitely());
    }
    // A picture is a step of time, however long it took: the face shall not depend on that.
    wait_for_batches(app.world());
}
