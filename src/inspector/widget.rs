//! The inspector as a widget.

use core::fmt;

use bevy_asset::{AssetServer, Assets};
use bevy_ecs::{
    entity::Entity,
    name::Name,
    query::{QueryData, With},
    system::{Commands, Query, Res, ResMut, SystemParam},
};
use bevy_egui::egui;

use super::{
    channels, emotions,
    history::{History, Stages},
    latency, mixing, performance, report,
    view::{Tab, View},
};
use crate::{
    face::{ChannelMask, Emotions, FaceLife, LivePose, TalkingFace},
    inference::{Audio2FaceSettings, FaceModel, InferenceStats},
    rig::{BindingReport, FaceAuthority, RigProfile, RigProfiles},
    voice::{LiveLatency, OutputLatency, Voice, microphone::MicrophoneState},
};

/// All that can be seen and set of a face.
#[derive(QueryData)]
#[query_data(mutable)]
pub(super) struct Face {
    pub(super) entity: Entity,
    pub(super) name: Option<&'static Name>,
    pub(super) face: &'static mut TalkingFace,
    pub(super) voice: &'static Voice,
    pub(super) emotions: &'static mut Emotions,
    pub(super) life: &'static mut FaceLife,
    pub(super) authority: &'static mut FaceAuthority,
    pub(super) live: &'static LivePose,
    pub(super) mask: Option<&'static mut ChannelMask>,
    pub(super) settings: Option<&'static mut Audio2FaceSettings>,
    pub(super) report: Option<&'static BindingReport>,
    pub(super) microphone: Option<&'static MicrophoneState>,
    pub(super) history: Option<&'static mut History>,
}

/// Shows what moves a face and lets all of it be set, in any `egui` window or panel: a parameter of systems that draw.
///
/// ```
/// use bevy::prelude::*;
/// use bevy_egui::{EguiContexts, egui};
/// use bevy_talkie::{inspector::FaceInspector, prelude::*};
///
/// /// A system of the schedule `EguiPrimaryContextPass`.
/// fn tools(mut contexts: EguiContexts, mut inspector: FaceInspector, face: Single<Entity, With<TalkingFace>>) -> Result {
///     egui::Window::new("My tools").show(contexts.ctx_mut()?, |ui| inspector.ui(ui, *face));
///     Ok(())
/// }
/// ```
///
/// What it remembers of itself (the tab, the curves that are drawn) is in the memory of the `egui` context, so that inspectors have
/// nothing in common, in one context or in several. Curves need the [`FaceInspectorPlugin`](super::FaceInspectorPlugin).
#[derive(SystemParam)]
pub struct FaceInspector<'w, 's> {
    pub(super) faces: Query<'w, 's, Face>,
    names: Query<'w, 's, (Entity, Option<&'static Name>), With<TalkingFace>>,
    pub(super) profiles: Option<ResMut<'w, Assets<RigProfile>>>,
    pub(super) listed: Option<Res<'w, RigProfiles>>,
    server: Option<Res<'w, AssetServer>>,
    models: Option<Res<'w, Assets<FaceModel>>>,
    live: Option<Res<'w, LiveLatency>>,
    output: Option<Res<'w, OutputLatency>>,
    stats: Option<Res<'w, InferenceStats>>,
    commands: Commands<'w, 's>,
}

impl fmt::Debug for FaceInspector<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaceInspector").field("faces", &self.names.iter().len()).finish_non_exhaustive()
    }
}

impl FaceInspector<'_, '_> {
    /// Lets one of all faces be picked, by its name. Takes the first if there is none yet, or if the one that was picked is gone.
    pub fn picker(&self, ui: &mut egui::Ui, face: &mut Option<Entity>) {
        let label =
            |(entity, name): (Entity, Option<&Name>)| name.map_or_else(|| entity.to_string(), ToString::to_string);
        if face.is_none_or(|face| !self.names.contains(face)) {
            *face = self.names.iter().map(|(entity, _)| entity).min_by_key(|entity| entity.index_u32());
        }
        let Some(picked) = face else {
            ui.label("There is no face.");
            return;
        };
        if self.names.iter().len() < 2 {
            return;
        }
        let text = self.names.get(*picked).map(label).unwrap_or_default();
        egui::ComboBox::from_id_salt("face").selected_text(text).width(220.0).show_ui(ui, |ui| {
            let mut faces: Vec<_> = self.names.iter().collect();
            faces.sort_unstable_by_key(|(entity, _)| entity.index_u32());
            for named in faces {
                ui.selectable_value(picked, named.0, label(named));
            }
        });
    }

    /// Draws the inspector of a face. Where one `egui::Ui` has two for the same face, put each into a `push_id` of its own.
    pub fn ui(&mut self, ui: &mut egui::Ui, face: Entity) {
        ui.push_id(("talkie inspector", face), |ui| {
            let id = ui.id().with("view");
            let mut view: View = ui.data_mut(|data| data.remove_temp(id)).unwrap_or_default();
            ui.horizontal_wrapped(|ui| {
                for (tab, name) in Tab::ALL {
                    ui.selectable_value(&mut view.tab, tab, name);
                }
            });
            ui.separator();
            // Each has its own place in a list.
            ui.push_id(view.tab as u8, |ui| self.tab(ui, face, &mut view));
            ui.data_mut(|data| data.insert_temp(id, view));
        });
    }

    fn tab(&mut self, ui: &mut egui::Ui, face: Entity, view: &mut View) {
        let Ok(mut shown) = self.faces.get_mut(face) else {
            ui.label("This entity has no face.");
            return;
        };
        match &mut shown.history {
            Some(history) => history.seen(),
            None => {
                self.commands.entity(face).insert(History::default());
            }
        }
        let model = {
            let handle = if shown.voice.is_live() { &shown.face.live_model } else { &shown.face.model };
            self.models.as_ref().and_then(|models| models.get(handle))
        };
        match view.tab {
            Tab::Channels => {
                let stages = Stages::of(&shown.face, shown.voice, shown.live);
                channels::show(ui, view, &mut shown, &stages, &mut self.commands);
            }
            Tab::Performance => performance::show(ui, &mut shown, model, &mut self.commands),
            Tab::Emotions => emotions::show(ui, &mut shown.emotions),
            Tab::Mixing => mixing::show(ui, view, face, self),
            Tab::Report => report::show(ui, shown.report),
            Tab::Latency => {
                let (live, output) = (self.live.as_deref(), self.output.as_deref());
                latency::show(ui, &shown, model, (live, output, self.stats.as_deref()));
            }
        }
    }

    /// Where the profile of a face was loaded from, if it was.
    pub(super) fn profile_path(&self, face: &TalkingFace) -> Option<String> {
        let path = self.server.as_ref()?.get_path(face.profile.as_ref()?.id())?;
        Some(path.to_string())
    }
}
