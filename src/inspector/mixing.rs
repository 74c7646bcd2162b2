//! The profile of a face: what its shapes and joints take from the channels.

use std::path::{Path, PathBuf};

use bevy_asset::Assets;
use bevy_ecs::entity::Entity;
use bevy_egui::egui;
use talkie::retarget::{self, ChannelMix, ProfileError, ShapeRule};

use super::{
    view::{APPLIED, BAD, TRACK, View, filter, heading},
    widget::FaceInspector,
};
use crate::rig::RigProfile;

/// How the name of the file of a profile ends.
const ENDING: &str = ".rig.ron";

/// Why a profile was not saved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SaveProfileError {
    /// Nothing is bound yet.
    #[error("the face is not bound yet: there is no profile to save")]
    Unbound,
    /// The loader of profiles would not know the file.
    #[error("{0}: the name of a profile ends in .rig.ron")]
    Name(PathBuf),
    /// It makes no sense.
    #[error("the profile makes no sense: {0}")]
    Profile(#[from] ProfileError),
    /// The file cannot be written.
    #[error("{path}: {source}")]
    Write {
        /// Where it was to go.
        path: PathBuf,
        /// What went wrong.
        source: std::io::Error,
    },
}

impl FaceInspector<'_, '_> {
    /// The profile by which a face is bound: its own ([`TalkingFace::profile`](crate::face::TalkingFace::profile)), or one made from
    /// those that bound it. `None` for a face that is not bound.
    pub fn profile(&self, face: Entity) -> Option<retarget::RigProfile> {
        if let Some(own) = self.own_profile(face) {
            return Some(own.clone());
        }
        let shown = self.faces.get(face).ok()?;
        let assets = self.profiles.as_deref();
        let listed = self.listed.iter().flat_map(|listed| &listed.0);
        let listed = listed.filter_map(|handle| assets?.get(handle)).map(|profile| &profile.0);
        let all: Vec<&retarget::RigProfile> = listed.chain(retarget::RigProfile::builtin()).collect();
        let name = shown.name.map_or("character", |name| name.as_str());
        Some(shown.report?.0.own_profile(name, &all))
    }

    fn own_profile(&self, face: Entity) -> Option<&retarget::RigProfile> {
        let handle = self.faces.get(face).ok()?.face.profile.as_ref()?;
        self.profiles.as_ref()?.get(handle).map(|profile| &profile.0)
    }

    /// Binds a face by this profile from now on: its own is changed (for all faces that have it), or it gets one of its own.
    ///
    /// # Errors
    /// What [`RigProfile::check`](retarget::RigProfile::check) says of it: then nothing changes.
    pub fn set_profile(&mut self, face: Entity, profile: retarget::RigProfile) -> Result<(), ProfileError> {
        profile.check()?;
        let (Ok(mut shown), Some(assets)) = (self.faces.get_mut(face), &mut self.profiles) else { return Ok(()) };
        let assets: &mut Assets<RigProfile> = assets;
        if let Some(handle) = shown.face.profile.as_ref().filter(|handle| assets.contains(*handle)) {
            if let Some(mut own) = assets.get_mut(handle) {
                own.0 = profile;
            }
        } else {
            shown.face.profile = Some(assets.add(RigProfile(profile)));
        }
        Ok(())
    }

    /// Lets a face be bound by whichever profile knows most of it.
    pub fn forget_profile(&mut self, face: Entity) {
        if let Ok(mut shown) = self.faces.get_mut(face) {
            shown.face.profile = None;
        }
    }

    /// Writes the [`profile`](Self::profile) of a face to a file whose name ends in `.rig.ron`.
    ///
    /// # Errors
    /// [`SaveProfileError`]: a face that is not bound, another name, a file that cannot be written.
    pub fn save_profile(&self, face: Entity, path: impl AsRef<Path>) -> Result<(), SaveProfileError> {
        let path = path.as_ref().to_owned();
        if !path.to_string_lossy().ends_with(ENDING) {
            return Err(SaveProfileError::Name(path));
        }
        let text = self.profile(face).ok_or(SaveProfileError::Unbound)?.to_ron()?;
        std::fs::write(&path, text).map_err(|source| SaveProfileError::Write { path, source })
    }
}

pub(super) fn show(ui: &mut egui::Ui, view: &mut View, face: Entity, inspector: &mut FaceInspector<'_, '_>) {
    let Some(own) = inspector.own_profile(face).cloned() else {
        automatic(ui, face, inspector);
        return;
    };
    let from = inspector.faces.get(face).ok().and_then(|shown| inspector.profile_path(shown.face));
    ui.horizontal(|ui| {
        ui.label(egui::RichText::new(&own.name).strong());
        ui.weak(from.as_deref().unwrap_or("not saved in a file of the game"));
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            if ui.small_button("automatic").on_hover_text("bind by whichever profile knows most").clicked() {
                inspector.forget_profile(face);
            }
        });
    });
    save(ui, view, face, &own, inspector);
    ui.separator();
    let mut edited = own.clone();
    egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        ui.horizontal(|ui| {
            ui.label(egui::RichText::new("Shapes").strong());
            filter(ui, view);
        });
        for (index, rule) in edited.shapes.iter_mut().enumerate() {
            if rule.names.iter().any(|name| view.lists(name)) {
                ui.push_id(index, |ui| shape(ui, rule));
            }
        }
        if !edited.joints.is_empty() {
            heading(ui, "Joints");
        }
        for rule in &mut edited.joints {
            let name = rule.names.first().map_or("", String::as_str);
            gain(ui, &format!("{}: {name}", rule.joint), &mut rule.gain);
        }
    });
    if edited != own {
        view.refused = inspector.set_profile(face, edited).err().map(|error| error.to_string());
    }
}

/// A face without a profile of its own.
fn automatic(ui: &mut egui::Ui, face: Entity, inspector: &mut FaceInspector<'_, '_>) {
    let Some(profile) = inspector.profile(face) else {
        ui.label("The character is not bound yet.");
        return;
    };
    ui.label("The profiles that know most of this character bind it.");
    ui.weak(&profile.about);
    ui.add_space(8.0);
    let count = profile.shapes.len() + profile.joints.len();
    if ui.button(format!("edit {count} rules of its own")).clicked() {
        // It was made from profiles that make sense.
        if let Err(error) = inspector.set_profile(face, profile) {
            bevy_log::warn!("talkie: {error}");
        }
    }
    ui.weak("It gets a copy of them, which can be saved.");
}

/// Where the profile goes.
fn save(
    ui: &mut egui::Ui,
    view: &mut View,
    face: Entity,
    own: &retarget::RigProfile,
    inspector: &FaceInspector<'_, '_>,
) {
    ui.horizontal(|ui| {
        let path = view.path.get_or_insert_with(|| file_name(&own.name));
        ui.add(egui::TextEdit::singleline(path).desired_width(210.0));
        if ui.button("save").clicked() {
            let saved = inspector.save_profile(face, &*path);
            view.saved = Some(saved.map(|()| format!("saved {path}")).map_err(|error| error.to_string()));
        }
        if ui.button("copy").on_hover_text("the RON, to the clipboard").clicked() {
            view.saved = Some(match own.to_ron() {
                Ok(text) => {
                    ui.copy_text(text);
                    Ok("copied".to_owned())
                }
                Err(error) => Err(error.to_string()),
            });
        }
    });
    match (&view.refused, &view.saved) {
        (Some(refused), _) => ui.colored_label(BAD, refused),
        (None, Some(Ok(done))) => ui.weak(done),
        (None, Some(Err(error))) => ui.colored_label(BAD, error),
        (None, None) => ui.weak("changes count at once, and are kept when they are saved"),
    };
}

/// A name that every system takes for a file.
fn file_name(profile: &str) -> String {
    let plain = |letter: char| if letter.is_alphanumeric() { letter.to_ascii_lowercase() } else { '_' };
    format!("{}{ENDING}", profile.chars().map(plain).collect::<String>())
}

fn gain(ui: &mut egui::Ui, name: &str, gain: &mut f32) {
    ui.horizontal(|ui| {
        let size = egui::vec2(150.0, ui.spacing().interact_size.y);
        ui.allocate_ui_with_layout(size, egui::Layout::left_to_right(egui::Align::Center), |ui| {
            ui.set_min_width(size.x);
            ui.add(egui::Label::new(name).truncate());
        });
        ui.spacing_mut().slider_width = 140.0;
        ui.add(egui::Slider::new(gain, 0.0..=2.0).clamping(egui::SliderClamping::Never).max_decimals(3));
    });
}

/// The row of a shape: its gain, and below it, if it is opened, the rest.
fn shape(ui: &mut egui::Ui, rule: &mut ShapeRule) {
    let id = ui.make_persistent_id("more");
    let state = egui::collapsing_header::CollapsingState::load_with_default_open(ui.ctx(), id, false);
    let name = rule.names.first().cloned().unwrap_or_default();
    state.show_header(ui, |ui| gain(ui, &name, &mut rule.gain)).body(|ui| {
        ui.horizontal(|ui| {
            ui.vertical(|ui| details(ui, rule));
            preview(ui, rule);
        });
    });
}

fn details(ui: &mut egui::Ui, rule: &mut ShapeRule) {
    fn number(value: &mut f32) -> egui::DragValue<'_> {
        egui::DragValue::new(value).speed(0.005).max_decimals(3)
    }
    ui.set_width(230.0);
    let shows = !rule.shows.is_empty();
    mix(ui, if shows { "shows" } else { "follows" }, if shows { &mut rule.shows } else { &mut rule.from });
    ui.horizontal(|ui| {
        ui.label("offset");
        ui.add(number(&mut rule.offset));
        ui.label("clamp");
        let (least, greatest) = rule.clamp;
        ui.add(number(&mut rule.clamp.0).range(f32::MIN..=greatest));
        ui.add(number(&mut rule.clamp.1).range(least..=f32::MAX));
    });
    ui.horizontal(|ui| {
        ui.label("curve");
        if rule.curve.is_empty() {
            if ui.small_button("+").on_hover_text("bend it").clicked() {
                rule.curve = vec![(0.0, 0.0), (0.5, 0.5), (1.0, 1.0)];
            }
        } else if ui.small_button("straight").clicked() {
            rule.curve.clear();
        }
    });
    let (mut removed, mut added) = (None, None);
    for index in 0..rule.curve.len() {
        let before = index.checked_sub(1).map_or(f32::MIN, |before| rule.curve[before].0 + 1e-3);
        let after = rule.curve.get(index + 1).map_or(f32::MAX, |after| after.0 - 1e-3);
        ui.horizontal(|ui| {
            let (input, output) = &mut rule.curve[index];
            ui.add(number(input).range(before..=after));
            ui.label("→");
            ui.add(number(output));
            if ui.small_button("+").on_hover_text("a point behind it").clicked() {
                added = Some(index);
            }
            if ui.small_button("-").on_hover_text("without it").clicked() {
                removed = Some(index);
            }
        });
    }
    if let Some(index) = removed {
        rule.curve.remove(index);
    } else if let Some(index) = added {
        let (from, to) = (rule.curve[index], rule.curve.get(index + 1).copied());
        let between = to.map_or((from.0 + 0.1, from.1), |to| ((from.0 + to.0) / 2.0, (from.1 + to.1) / 2.0));
        rule.curve.insert(index + 1, between);
    }
}

fn mix(ui: &mut egui::Ui, what: &str, mix: &mut ChannelMix) {
    for (index, (channel, factor)) in mix.iter_mut().enumerate() {
        ui.horizontal(|ui| {
            ui.label(if index == 0 { what } else { "and" });
            ui.add(egui::DragValue::new(factor).speed(0.005).max_decimals(3));
            ui.label(channel.name());
        });
    }
}

/// What becomes of a mix of 0 to 1.
fn preview(ui: &mut egui::Ui, rule: &ShapeRule) {
    let (area, _) = ui.allocate_exact_size(egui::vec2(84.0, 64.0), egui::Sense::hover());
    let painter = ui.painter_at(area);
    painter.rect_filled(area, 3.0, ui.visuals().extreme_bg_color);
    let plot = area.shrink(4.0);
    painter.line_segment([plot.left_bottom(), plot.right_top()], egui::Stroke::new(1.0, TRACK));
    let points = (0..=42).map(|step| {
        let input = step as f32 / 42.0;
        let output = rule.weight(input).clamp(-0.1, 1.1);
        egui::pos2(plot.left() + plot.width() * input, plot.bottom() - plot.height() * output)
    });
    painter.line(points.collect(), egui::Stroke::new(1.5, APPLIED));
}
