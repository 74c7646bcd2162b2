//! How a face performs: the animator, life, and who moves what.

use bevy_ecs::system::Commands;
use bevy_egui::egui;
use talkie::animation::{
    Animator,
    geometry::{EyeParameters, GeometryParameters, ParameterRange, SkinParameters, TeethParameters, TongueParameters},
};

use super::{
    view::{edit, heading, row, slider, table},
    widget::FaceItem,
};
use crate::{
    face::FaceLife,
    inference::{Audio2FaceSettings, FaceModel},
    rig::{Authority, FaceAuthority},
};

pub(super) fn show(ui: &mut egui::Ui, face: &mut FaceItem<'_, '_>, model: Option<&FaceModel>, commands: &mut Commands) {
    egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        animator(ui, face);
        edit(&mut face.life, |life| self::life(ui, life));
        edit(&mut face.authority, |authority| self::authority(ui, authority));
        if let Some(model) = model.filter(|model| model.is_official()) {
            official(ui, face, model, commands);
        }
    });
}

fn animator(ui: &mut egui::Ui, face: &mut FaceItem<'_, '_>) {
    heading(ui, "Animator");
    let mut animator = face.face.animator;
    table(ui, "animator", |ui| {
        slider(ui, "articulation", &mut animator.articulation, 0.0..=2.0);
        slider(ui, "lower face", &mut animator.lower_face_strength, 0.0..=2.0);
        slider(ui, "upper face", &mut animator.upper_face_strength, 0.0..=2.0);
        slider(ui, "tongue", &mut animator.tongue_strength, 0.0..=2.0);
    });
    let changed = animator != Animator::default();
    if ui.add_enabled(changed, egui::Button::new("defaults").small()).clicked() {
        animator = Animator::default();
    }
    if animator != face.face.animator {
        face.face.animator = animator;
    }
}

fn life(ui: &mut egui::Ui, life: &mut FaceLife) {
    heading(ui, "Life");
    table(ui, "life", |ui| {
        row(ui, "moves", |ui| {
            ui.checkbox(&mut life.blink, "blinks");
            ui.checkbox(&mut life.gaze, "gaze");
            ui.checkbox(&mut life.head, "head");
        });
        let mut look = life.look * 180.0 / core::f32::consts::PI;
        let before = look;
        slider(ui, "looks left, °", &mut look.x, -30.0..=30.0);
        slider(ui, "looks up, °", &mut look.y, -30.0..=30.0);
        if look != before {
            life.look = look * core::f32::consts::PI / 180.0;
        }
        row(ui, "seed", |ui| {
            ui.add(egui::DragValue::new(&mut life.seed));
        });
    });
}

fn authority(ui: &mut egui::Ui, authority: &mut FaceAuthority) {
    heading(ui, "Where a clip of the character moves the same");
    table(ui, "authority", |ui| {
        let regions = [
            ("mouth", &mut authority.mouth),
            ("eyes", &mut authority.eyes),
            ("brows", &mut authority.brows),
            ("head", &mut authority.head),
        ];
        for (name, who) in regions {
            row(ui, name, |ui| {
                ui.selectable_value(who, Authority::Face, "the face");
                ui.selectable_value(who, Authority::Both, "both");
                ui.selectable_value(who, Authority::Clip, "the clip");
            });
        }
        slider(ui, "easing, s", &mut authority.easing, 0.0..=2.0);
    });
}

/// The parameters of an official network.
fn official(ui: &mut egui::Ui, face: &mut FaceItem<'_, '_>, model: &FaceModel, commands: &mut Commands) {
    heading(ui, "Audio2Face-3D");
    let before = face.settings.as_deref().cloned().unwrap_or_default();
    let mut settings = before.clone();
    let of_bundle = model.parameters(settings.identity.as_deref()).copied().unwrap_or_default();
    table(ui, "audio2face", |ui| {
        row(ui, "identity", |ui| {
            let chosen = settings.identity.as_deref().or(model.identities().next()).unwrap_or_default().to_owned();
            egui::ComboBox::from_id_salt("identity").selected_text(chosen).show_ui(ui, |ui| {
                for name in model.identities() {
                    ui.selectable_value(&mut settings.identity, Some(name.to_owned()), name);
                }
            });
        });
    });
    let mut parameters = settings.parameters.unwrap_or(of_bundle);
    let GeometryParameters { skin, tongue, teeth, eyes } = &mut parameters;
    group(ui, "skin", SkinParameters::RANGES, skin.values_mut());
    group(ui, "tongue", TongueParameters::RANGES, tongue.values_mut());
    group(ui, "lower teeth", TeethParameters::RANGES, teeth.values_mut());
    group(ui, "eyes", EyeParameters::RANGES, eyes.values_mut());
    if parameters != settings.parameters.unwrap_or(of_bundle) {
        settings.parameters = Some(parameters);
    }
    let own = settings.parameters.is_some();
    if ui.add_enabled(own, egui::Button::new("those of the bundle").small()).clicked() {
        settings.parameters = None;
    }
    if settings != before {
        set(face, settings, commands);
    }
}

fn group<'a>(ui: &mut egui::Ui, name: &str, ranges: &[ParameterRange], values: impl Iterator<Item = &'a mut f32>) {
    egui::CollapsingHeader::new(name).show(ui, |ui| {
        table(ui, name, |ui| {
            for (range, value) in ranges.iter().zip(values) {
                slider(ui, &range.name.replace('_', " "), value, range.minimum..=range.maximum);
            }
        });
    });
}

fn set(face: &mut FaceItem<'_, '_>, settings: Audio2FaceSettings, commands: &mut Commands) {
    match &mut face.settings {
        Some(there) => **there = settings,
        None => {
            commands.entity(face.entity).insert(settings);
        }
    }
}
