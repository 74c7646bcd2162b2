//! The ten emotions.

use bevy_ecs::change_detection::Mut;
use bevy_egui::egui;
use talkie::emotion::FACE_EMOTIONS;

use super::view::{APPLIED, TRACK, bar, heading};
use crate::face::{Emotions, Feeling};

/// The priority of what the inspector asks for: nothing of the game is more urgent.
const OVERRIDE: i32 = i32::MAX;

pub(super) fn show(ui: &mut egui::Ui, emotions: &mut Mut<Emotions>) {
    egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        let held = emotions.feelings().iter().find(|feeling| feeling.priority == OVERRIDE).map(|held| held.emotions);
        let mut felt = held.unwrap_or(*emotions.current());
        let mut changed = false;
        heading(ui, "Asked for, and what of it shows now");
        ui.spacing_mut().slider_width = 130.0;
        egui::Grid::new("emotions").num_columns(3).spacing([12.0, 6.0]).show(ui, |ui| {
            for ((name, felt), shown) in FACE_EMOTIONS.iter().zip(&mut felt).zip(*emotions.current()) {
                ui.label(*name);
                changed |= ui.add(egui::Slider::new(felt, 0.0..=1.0).max_decimals(2)).changed();
                let (area, _) = ui.allocate_exact_size(egui::vec2(90.0, 10.0), egui::Sense::hover());
                ui.painter().rect_filled(area, 2.0, TRACK);
                bar(ui.painter(), area, shown, APPLIED);
                ui.end_row();
            }
        });
        if changed {
            emotions.request(Feeling::mixed(felt).with_priority(OVERRIDE));
        }
        ui.add_space(6.0);
        ui.horizontal(|ui| {
            if ui.add_enabled(held.is_some(), egui::Button::new("let go")).clicked() {
                emotions.end(OVERRIDE);
            }
            ui.weak(if held.is_some() {
                "held here, over all that the game asks for"
            } else {
                "a slider takes over from the game"
            });
        });
        heading(ui, "What the game asks for, the most urgent first");
        let mut any = false;
        for feeling in emotions.feelings().iter().rev().filter(|feeling| feeling.priority != OVERRIDE) {
            any = true;
            ui.label(describe(feeling));
        }
        if !any {
            ui.weak("nothing");
        }
    });
}

fn describe(feeling: &Feeling) -> String {
    let felt = FACE_EMOTIONS.iter().zip(feeling.emotions).filter(|(_, intensity)| *intensity > 0.0);
    let felt: Vec<String> = felt.map(|(name, intensity)| format!("{name} {intensity:.2}")).collect();
    let felt = if felt.is_empty() { "calm".to_owned() } else { felt.join(", ") };
    let left = feeling.seconds.map(|seconds| format!(", {seconds:.1} s left")).unwrap_or_default();
    format!("priority {}: {felt}{left}", feeling.priority)
}
