//! What is spoken, and by which profile.

use std::time::Duration;

use bevy::prelude::*;
use bevy_egui::{EguiContexts, EguiPrimaryContextPass, egui, input::egui_wants_any_keyboard_input};
use bevy_talkie::prelude::*;

use crate::{Preview, assets};

/// The profiles that are compared.
#[derive(Resource)]
pub struct Slots {
    names: [String; 2],
    /// `None`: whichever profile knows most.
    profiles: [Option<Handle<RigProfile>>; 2],
    /// Which is shown.
    current: usize,
}

impl Slots {
    pub fn shown(&self) -> &Option<Handle<RigProfile>> {
        &self.profiles[self.current]
    }
}

impl FromWorld for Slots {
    fn from_world(world: &mut World) -> Self {
        let asked = world.resource::<Preview>().profiles.clone();
        let mut assets = world.resource_mut::<Assets<RigProfile>>();
        let name = |path: &std::path::Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let names = asked.each_ref().map(|of| of.as_ref().map_or("automatic".into(), |(path, _)| name(path)));
        Self { names, profiles: asked.map(|of| of.map(|(_, profile)| assets.add(RigProfile(profile)))), current: 0 }
    }
}

/// What can be spoken.
#[derive(Resource)]
struct Lines {
    all: Vec<(String, Handle<VoiceClip>)>,
    chosen: usize,
    again: bool,
}

impl FromWorld for Lines {
    fn from_world(world: &mut World) -> Self {
        let server = world.resource::<AssetServer>();
        let asked = &world.resource::<Preview>().voice;
        let mut files: Vec<_> = std::fs::read_dir(assets().join("voices"))
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|ending| ending == "ogg"))
            .filter_map(|path| std::fs::canonicalize(path).ok())
            .filter(|path| path != asked)
            .collect();
        files.sort();
        files.insert(0, asked.clone());
        let name = |path: &std::path::Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let all = files.into_iter().map(|path| (name(&path), server.load(path))).collect();
        Self { all, chosen: 0, again: false }
    }
}

pub fn build(app: &mut App) {
    app.init_resource::<Slots>()
        .init_resource::<Lines>()
        .add_systems(Update, (keys.run_if(not(egui_wants_any_keyboard_input)), follow_edits, speak_again))
        .add_systems(EguiPrimaryContextPass, panel)
        .add_observer(|failed: On<SpeechFailed>| error!("the line cannot be spoken: {}", failed.reason));
}

fn keys(
    keys: Res<ButtonInput<KeyCode>>,
    face: Single<(Entity, &mut TalkingFace)>,
    lines: Res<Lines>,
    mut slots: ResMut<Slots>,
    mut commands: Commands,
) {
    let (entity, mut talking) = face.into_inner();
    if keys.just_pressed(KeyCode::Space) {
        speak(&mut commands.entity(entity), &lines);
    }
    if keys.just_pressed(KeyCode::Tab) {
        slots.current = 1 - slots.current;
        talking.profile = slots.shown().clone();
    }
}

/// Cuts off what is spoken and speaks the chosen line.
fn speak(face: &mut EntityCommands, lines: &Lines) {
    face.interrupt(Duration::from_millis(120));
    if let Some((_, clip)) = lines.all.get(lines.chosen) {
        face.say(clip.clone());
    }
}

fn speak_again(face: Single<(Entity, &Voice)>, lines: Res<Lines>, mut commands: Commands) {
    let (entity, voice) = *face;
    if lines.again && voice.is_idle() {
        speak(&mut commands.entity(entity), &lines);
    }
}

/// The inspector gives a face a profile of its own where it had none, and takes it away again.
fn follow_edits(face: Single<&TalkingFace, Changed<TalkingFace>>, mut slots: ResMut<Slots>) {
    let current = slots.current;
    if slots.profiles[current] != face.profile {
        slots.names[current] = if face.profile.is_some() { "edited".into() } else { "automatic".into() };
        slots.profiles[current] = face.profile.clone();
    }
}

/// The face that is previewed.
type Face = (Entity, &'static mut TalkingFace, &'static Voice, Option<&'static BindingReport>, Has<Microphone>);

fn panel(
    mut contexts: EguiContexts,
    face: Single<Face>,
    (mut slots, mut lines): (ResMut<Slots>, ResMut<Lines>),
    mut profiles: ResMut<Assets<RigProfile>>,
    mut commands: Commands,
) -> Result {
    let (entity, mut talking, voice, report, listens) = face.into_inner();
    let context = contexts.ctx_mut()?;
    let right = context.content_rect().right() - 16.0;
    egui::Window::new("Preview")
        .pivot(egui::Align2::RIGHT_TOP)
        .default_pos([right, 16.0])
        .default_width(240.0)
        .resizable(false)
        .show(context, |ui| {
            ui.set_width(240.0);
            voices(ui, voice, listens, &mut lines, &mut commands.entity(entity));
            ui.separator();
            let before = slots.current;
            for (slot, letter) in ["A", "B"].into_iter().enumerate() {
                let text = format!("{letter}: {}", slots.names[slot]);
                ui.radio_value(&mut slots.current, slot, text);
            }
            if slots.current != before {
                talking.profile = slots.shown().clone();
            }
            ui.horizontal(|ui| {
                let (this, other) = (slots.current, 1 - slots.current);
                let copy = slots.shown().as_ref().and_then(|handle| profiles.get(handle)).cloned();
                let text = format!("copy to {}", ["A", "B"][other]);
                if ui.add_enabled(copy.is_some(), egui::Button::new(text)).clicked() {
                    slots.profiles[other] = copy.map(|profile| profiles.add(profile));
                    slots.names[other] = format!("copy of {}", slots.names[this]);
                }
                ui.weak("Tab: the other one");
            });
            ui.separator();
            match report {
                Some(BindingReport(report)) if report.is_broken() => {
                    for finding in &report.findings {
                        ui.colored_label(egui::Color32::from_rgb(236, 110, 96), &finding.what);
                    }
                }
                Some(BindingReport(report)) => {
                    ui.label(format!("{} of 52 channels", 52 - report.missing.len().min(52)));
                    let mut by: Vec<&str> = report.profiles.iter().map(|(_, name)| name.as_str()).collect();
                    by.dedup();
                    ui.weak(by.join(", "));
                }
                None => {
                    ui.spinner();
                }
            }
        });
    Ok(())
}

fn voices(ui: &mut egui::Ui, voice: &Voice, listens: bool, lines: &mut Lines, face: &mut EntityCommands) {
    let name = lines.all.get(lines.chosen).map_or("", |(name, _)| name.as_str()).to_owned();
    ui.add_enabled_ui(!listens, |ui| {
        egui::ComboBox::from_id_salt("line").selected_text(name).width(240.0).show_ui(ui, |ui| {
            for (index, (name, _)) in lines.all.iter().enumerate() {
                ui.selectable_value(&mut lines.chosen, index, name);
            }
        });
        ui.horizontal(|ui| {
            if ui.button("▶ speak").on_hover_text("Space").clicked() {
                speak(face, lines);
            }
            if ui.add_enabled(!voice.is_idle(), egui::Button::new("⏹")).clicked() {
                lines.again = false;
                face.interrupt(Duration::from_millis(250));
            }
            ui.checkbox(&mut lines.again, "again and again");
        });
    });
    let mut listen = listens;
    if ui.checkbox(&mut listen, "microphone").changed() {
        face.interrupt(Duration::from_millis(120));
        if listen {
            lines.again = false;
            face.insert(Microphone::default());
        } else {
            face.remove::<Microphone>();
        }
    }
}
