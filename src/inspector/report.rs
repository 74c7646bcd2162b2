//! What of a character is bound.

use bevy_egui::egui;
use talkie::{animation::ARKIT_COUNT, retarget::FindingKind};

use super::view::{APPLIED, BAD, heading};
use crate::rig::BindingReport;

pub(super) fn show(ui: &mut egui::Ui, report: Option<&BindingReport>) {
    let Some(BindingReport(report)) = report else {
        ui.label("The character is not bound yet: its scene is on its way, or its path is wrong.");
        return;
    };
    egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        let moved = ARKIT_COUNT - report.missing.len().min(ARKIT_COUNT);
        ui.add_space(4.0);
        ui.add(
            egui::ProgressBar::new(report.coverage())
                .text(format!("{moved} of {ARKIT_COUNT} ARKit channels move something")),
        );
        if !report.can_speak() {
            ui.colored_label(BAD, "Nothing opens the mouth.");
        }
        heading(ui, "Profiles");
        for (region, profile) in &report.profiles {
            ui.label(format!("{region}: {profile}"));
        }
        heading(ui, "Findings");
        if report.findings.is_empty() {
            ui.weak("none");
        }
        for finding in &report.findings {
            let color = match finding.kind {
                FindingKind::Broken => BAD,
                FindingKind::Missing | FindingKind::Doubtful => APPLIED,
                FindingKind::Duplicated | FindingKind::Clipped => ui.visuals().text_color(),
            };
            ui.horizontal_wrapped(|ui| {
                ui.colored_label(color, finding.kind.to_string());
                ui.label(&finding.what);
            });
            if !finding.remedy.is_empty() {
                ui.weak(&finding.remedy);
            }
            ui.add_space(4.0);
        }
        let shapes = report.shapes.iter().map(|bound| {
            let mix: Vec<String> = bound.mix.iter().map(|(channel, factor)| format!("{factor} {channel}")).collect();
            let how = if bound.fitted { "shows" } else { "←" };
            format!("{}: {} {how} {}", bound.mesh, bound.shape, mix.join(" + "))
        });
        list(ui, "Shapes", report.shapes.len(), shapes);
        let joints = report.joints.iter().map(|bound| {
            let idle = bound.idle.map(|reason| format!(" (not driven: {reason})")).unwrap_or_default();
            format!("{} is {}{idle}", bound.joint, bound.node)
        });
        list(ui, "Joints", report.joints.len(), joints);
        list(ui, "Missing channels", report.missing.len(), report.missing.iter().map(ToString::to_string));
        let unknown = report.unknown.iter().map(|(mesh, shape)| format!("{mesh}: {shape}"));
        list(ui, "Shapes that no profile knows", report.unknown.len(), unknown);
        ui.add_space(6.0);
        if ui.button("copy as text").clicked() {
            ui.copy_text(report.to_string());
        }
    });
}

fn list(ui: &mut egui::Ui, name: &str, count: usize, lines: impl Iterator<Item = String>) {
    if count > 0 {
        egui::CollapsingHeader::new(format!("{name} ({count})")).id_salt(name).show(ui, |ui| {
            lines.for_each(|line| {
                ui.label(line);
            });
        });
    }
}
