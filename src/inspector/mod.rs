//! Faces at work, in `egui`: what moves them, live, and everything that can be set (feature `inspector`).
//!
//! [`FaceInspector`] is a widget for any `egui` window or panel of a game; [`FaceInspectorPlugin`] shows it as a window in every
//! `egui` context that has [`InspectFaces`]. The game adds `EguiPlugin` itself.
//!
//! | tab | what it has |
//! |---|---|
//! | Channels | a bar for every channel: what the network says, after the animator, what is applied; mute, solo, curves |
//! | Performance | the animator, parameters of an official network, [`FaceLife`](crate::face::FaceLife), [`FaceAuthority`](crate::rig::FaceAuthority) |
//! | Emotions | the ten emotions, and what of them shows |
//! | Mixing | gain, offset, clamp and curve of every shape: the profile of the face, which can be saved as RON |
//! | Report | what is bound, missing, doubtful, and what would help |
//! | Latency | how late the face is, and who speaks how |
//!
//! ```no_run
//! use bevy::prelude::*;
//! use bevy_egui::EguiPlugin;
//! use bevy_talkie::{inspector::{FaceInspectorPlugin, InspectFaces}, prelude::*};
//!
//! App::new()
//!     .add_plugins((DefaultPlugins, EguiPlugin::default(), TalkiePlugins, FaceInspectorPlugin))
//!     .add_systems(Startup, |mut commands: Commands| {
//!         commands.spawn((Camera3d::default(), InspectFaces::default()));
//!     })
//!     .run();
//! ```

mod channels;
mod curves;
mod emotions;
mod history;
mod latency;
mod mixing;
mod performance;
mod report;
mod view;
mod widget;

use bevy_app::{App, Plugin, PostUpdate, PreUpdate};
use bevy_ecs::{
    change_detection::{DetectChanges, DetectChangesMut, Mut},
    component::Component,
    entity::Entity,
    query::{Added, Changed, Has, Or, With, Without},
    resource::Resource,
    schedule::{
        InternedScheduleLabel, IntoScheduleConfigs, ScheduleLabel, Schedules,
        common_conditions::{any_with_component, resource_exists},
    },
    system::{Commands, Query},
    world::World,
};
use bevy_egui::{
    EguiContext, EguiGlobalSettings, EguiMultipassSchedule, EguiPlugin, EguiPostUpdateSet, EguiPreUpdateSet, egui,
};

pub use mixing::SaveProfileError;
pub use widget::FaceInspector;

use crate::TalkieSystems;

/// Shows a [`FaceInspector`] in a window of an `egui` context: put it on the entity of the context, which is the camera of its window.
/// Needs [`FaceInspectorPlugin`].
///
/// A camera without a context gets one. Every context has a window of its own, which remembers by itself what it shows.
#[derive(Component, Debug, Clone, Copy, PartialEq, Eq)]
pub struct InspectFaces {
    /// The face that is shown, as picked in the window. Default `None`: the first there is.
    pub face: Option<Entity>,
    /// Whether the window is open. Default `true`.
    pub open: bool,
}

impl Default for InspectFaces {
    fn default() -> Self {
        Self { face: None, open: true }
    }
}

impl InspectFaces {
    /// Shows this face first.
    pub fn of(face: Entity) -> Self {
        Self { face: Some(face), ..Self::default() }
    }
}

/// Shows windows where there is [`InspectFaces`], and remembers the curves of faces that an inspector shows. Faces that none shows
/// cost nothing.
///
/// It never adds `EguiPlugin`: without it there are no windows, and the log says so.
#[derive(Debug, Clone, Copy, Default)]
pub struct FaceInspectorPlugin;

impl Plugin for FaceInspectorPlugin {
    fn build(&self, app: &mut App) {
        // Contexts of several passes are drawn in this set; what they show is of the same frame.
        app.configure_sets(PostUpdate, EguiPostUpdateSet::EndPass.after(TalkieSystems::Rig))
            .add_systems(
                PreUpdate,
                attach
                    .run_if(resource_exists::<EguiGlobalSettings>)
                    .after(EguiPreUpdateSet::InitContexts)
                    .before(EguiPreUpdateSet::BeginPass),
            )
            .add_systems(
                PostUpdate,
                (history::record, draw_single_pass.run_if(any_with_component::<InspectFaces>))
                    .chain()
                    .after(TalkieSystems::Rig)
                    .before(EguiPostUpdateSet::EndPass),
            );
    }

    fn finish(&self, app: &mut App) {
        if !app.is_plugin_added::<EguiPlugin>() {
            bevy_log::warn!("talkie: the inspector shows no windows: add bevy_egui's `EguiPlugin`");
        }
    }
}

/// The passes of a context that was made for an inspector.
#[derive(ScheduleLabel, Debug, Clone, PartialEq, Eq, Hash)]
struct InspectorPass(Entity);

/// Contexts that are new here, or have new passes.
type NewContext = (With<InspectFaces>, Or<(Added<InspectFaces>, Changed<EguiMultipassSchedule>)>);

/// Draws in the passes of every context that is inspected.
fn attach(
    contexts: Query<(Entity, Option<&EguiMultipassSchedule>, Has<EguiContext>), NewContext>,
    mut commands: Commands,
) {
    for (entity, passes, has_context) in &contexts {
        match passes {
            Some(passes) => {
                let label = passes.0;
                commands.queue(move |world: &mut World| draw_in(world, label));
            }
            None if has_context => {}
            None => {
                commands.entity(entity).insert(EguiMultipassSchedule::new(InspectorPass(entity)));
            }
        }
    }
}

/// The schedules that draw.
#[derive(Resource, Default)]
struct DrawnIn(Vec<InternedScheduleLabel>);

/// Adds the drawing to a schedule, once.
fn draw_in(world: &mut World, label: InternedScheduleLabel) {
    let mut drawn = world.get_resource_or_init::<DrawnIn>();
    if drawn.0.contains(&label) {
        return;
    }
    drawn.0.push(label);
    let draw = move |mut contexts: Query<(Entity, &mut EguiContext, &EguiMultipassSchedule, &mut InspectFaces)>,
                     mut inspector: FaceInspector| {
        for (entity, mut context, passes, shown) in &mut contexts {
            if passes.0 == label {
                window(&context.get_mut().clone(), entity, shown, &mut inspector);
            }
        }
    };
    world.get_resource_or_init::<Schedules>().add_systems(label, draw);
}

/// Draws in contexts of one pass.
fn draw_single_pass(
    mut contexts: Query<(Entity, &mut EguiContext, &mut InspectFaces), Without<EguiMultipassSchedule>>,
    mut inspector: FaceInspector,
) {
    for (entity, mut context, shown) in &mut contexts {
        // The pass of one that is new may not have begun.
        if !context.is_added() {
            window(&context.get_mut().clone(), entity, shown, &mut inspector);
        }
    }
}

/// The window of a context.
fn window(context: &egui::Context, camera: Entity, mut shown: Mut<InspectFaces>, inspector: &mut FaceInspector) {
    let mut now = *shown;
    egui::Window::new("Faces")
        .id(egui::Id::new(("talkie inspector", camera)))
        .open(&mut now.open)
        .default_pos([16.0, 16.0])
        .default_size([430.0, 640.0])
        .min_width(380.0)
        .show(context, |ui| {
            inspector.picker(ui, &mut now.face);
            if let Some(face) = now.face {
                inspector.ui(ui, face);
            }
        });
    shown.set_if_neq(now);
}
