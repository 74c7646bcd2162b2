//! Weights over time.

use bevy_egui::egui;
use talkie::animation::FaceChannel;

use super::history::{History, SPAN};

/// The colours of curves; there are no more curves than these.
pub(super) const COLORS: [egui::Color32; 8] = [
    egui::Color32::from_rgb(246, 174, 76),
    egui::Color32::from_rgb(96, 176, 240),
    egui::Color32::from_rgb(126, 206, 120),
    egui::Color32::from_rgb(232, 112, 150),
    egui::Color32::from_rgb(178, 142, 240),
    egui::Color32::from_rgb(82, 208, 198),
    egui::Color32::from_rgb(232, 216, 96),
    egui::Color32::from_rgb(206, 206, 206),
];

/// Draws what these channels did in the last seconds: what is applied strongly, what the network says faintly.
pub(super) fn show(ui: &mut egui::Ui, curves: &[(FaceChannel, usize)], history: Option<&History>) {
    let (area, _) = ui.allocate_exact_size(egui::vec2(ui.available_width(), 96.0), egui::Sense::hover());
    let painter = ui.painter_at(area);
    painter.rect_filled(area, 3.0, ui.visuals().extreme_bg_color);
    let plot = area.shrink2(egui::vec2(4.0, 6.0));
    let grid = egui::Stroke::new(1.0, egui::Color32::from_gray(52));
    for level in [0.0, 0.5, 1.0] {
        painter.hline(plot.x_range(), plot.bottom() - plot.height() * level, grid);
    }
    let Some((history, end)) = history.and_then(|history| Some((history, history.end()?))) else {
        let text = "curves come with the FaceInspectorPlugin";
        let font = egui::TextStyle::Small.resolve(ui.style());
        painter.text(plot.center(), egui::Align2::CENTER_CENTER, text, font, ui.visuals().weak_text_color());
        return;
    };
    let x = |seconds: f64| plot.right() - plot.width() * ((end - seconds) / SPAN) as f32;
    for second in 0..=SPAN as i64 {
        let at = end.floor() - second as f64;
        if end - at <= SPAN {
            painter.vline(x(at), plot.y_range(), grid);
        }
    }
    let line = |channel: FaceChannel, stage: usize, stroke: egui::Stroke| {
        let y = |weight: f32| plot.bottom() - plot.height() * weight.clamp(-0.05, 1.05);
        let points =
            history.frames().map(|(seconds, stages)| egui::pos2(x(*seconds), y(stages.weights(channel)[stage])));
        painter.line(points.collect(), stroke);
    };
    for (channel, color) in curves {
        let color = COLORS[color % COLORS.len()];
        line(*channel, 0, egui::Stroke::new(1.0, color.gamma_multiply(0.35)));
    }
    for (channel, color) in curves {
        line(*channel, 2, egui::Stroke::new(1.6, COLORS[color % COLORS.len()]));
    }
    let font = egui::TextStyle::Small.resolve(ui.style());
    let mut at = plot.left_top() + egui::vec2(4.0, 0.0);
    for (channel, color) in curves {
        let color = COLORS[color % COLORS.len()];
        let text = painter.layout_no_wrap(channel.name().to_owned(), font.clone(), color);
        let size = text.size();
        if at.x + size.x > plot.right() {
            at = egui::pos2(plot.left() + 4.0, at.y + size.y);
        }
        painter.rect_filled(
            egui::Rect::from_min_size(at, size).expand2(egui::vec2(2.0, 0.0)),
            2.0,
            ui.visuals().extreme_bg_color.gamma_multiply(0.7),
        );
        painter.galley(at, text, color);
        at.x += size.x + 10.0;
    }
}
