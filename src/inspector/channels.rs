//! A bar for every channel.

use bevy_ecs::system::Commands;
use bevy_egui::egui;
use talkie::animation::{FaceChannel, FaceRegion};

use super::{
    curves,
    history::Stages,
    view::{ANIMATED, APPLIED, BAD, RAW, TRACK, View, bar, filter},
    widget::FaceItem,
};
use crate::face::ChannelMask;

/// Height of a row, and widths of its parts.
const HEIGHT: f32 = 18.0;
const NAME: f32 = 148.0;
const NUMBER: f32 = 34.0;
const BUTTON: f32 = 20.0;

pub(super) fn show(
    ui: &mut egui::Ui,
    view: &mut View,
    face: &mut FaceItem<'_, '_>,
    stages: &Stages,
    commands: &mut Commands,
) {
    let before = face.mask.as_deref().copied().unwrap_or_default();
    let mut mask = before;
    curves::show(ui, &view.curves, face.history.as_deref());
    ui.horizontal(|ui| {
        for (color, name) in [(RAW, "raw"), (ANIMATED, "after animator"), (APPLIED, "applied")] {
            let (mark, _) = ui.allocate_exact_size(egui::vec2(10.0, 10.0), egui::Sense::hover());
            ui.painter().rect_filled(mark, 2.0, color);
            ui.label(egui::RichText::new(name).small());
        }
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let clear = ui.add_enabled(!mask.shows_all(), egui::Button::new("show all").small());
            if clear.on_hover_text("takes back every mute and solo").clicked() {
                mask = ChannelMask::default();
            }
            filter(ui, view);
        });
    });
    egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 1.0;
        for (name, belongs) in GROUPS {
            let listed = |channel: &FaceChannel| belongs(*channel) && view.lists(channel.name());
            let channels: Vec<FaceChannel> = FaceChannel::ALL.into_iter().filter(listed).collect();
            if channels.is_empty() {
                continue;
            }
            egui::CollapsingHeader::new(name).default_open(true).show_unindented(ui, |ui| {
                for channel in channels {
                    row(ui, view, channel, stages.weights(channel), &mut mask);
                }
            });
        }
    });
    if mask != before {
        match &mut face.mask {
            Some(there) => **there = mask,
            None => {
                commands.entity(face.entity).insert(mask);
            }
        }
    }
}

/// A heading, and which channels are below it.
type Group = (&'static str, fn(FaceChannel) -> bool);

const GROUPS: [Group; 4] = [
    ("Mouth", |channel| channel.region() == FaceRegion::Mouth && !is_tongue(channel)),
    ("Eyes", |channel| channel.region() == FaceRegion::Eyes),
    ("Brows", |channel| channel.region() == FaceRegion::Brows),
    ("Tongue", is_tongue),
];

fn is_tongue(channel: FaceChannel) -> bool {
    channel.is_tongue_shape() || channel == FaceChannel::TongueOut
}

fn row(ui: &mut egui::Ui, view: &mut View, channel: FaceChannel, weights: [f32; 3], mask: &mut ChannelMask) {
    let (area, _) = ui.allocate_exact_size(egui::vec2(ui.available_width(), HEIGHT), egui::Sense::hover());
    if !ui.is_rect_visible(area) {
        return;
    }
    let part = |left: f32, right: f32| {
        egui::Rect::from_min_max(egui::pos2(left, area.top()), egui::pos2(right, area.bottom()))
    };
    let end = area.right() - 2.0 * BUTTON - 4.0;
    let (name, number) = (part(area.left(), area.left() + NAME), part(end - NUMBER, end - 6.0));
    let track = part(name.right(), number.left() - 6.0).shrink2(egui::vec2(0.0, 2.0));

    let chosen = view.curves.iter().find(|(other, _)| *other == channel).map(|(_, color)| curves::COLORS[*color]);
    let response = ui.interact(name, ui.id().with(channel.name()), egui::Sense::click());
    if response.on_hover_text("click: draw over time").clicked() {
        toggle_curve(view, channel);
    }
    let seen = mask.shows(channel);
    let text = if seen { ui.visuals().text_color() } else { ui.visuals().weak_text_color() };
    let painter = ui.painter_at(area);
    let dot = egui::pos2(name.left() + 6.0, name.center().y);
    match chosen {
        Some(color) => painter.circle_filled(dot, 4.0, color),
        None => painter.circle_stroke(dot, 3.5, egui::Stroke::new(1.0, egui::Color32::from_gray(90))),
    };
    let font = egui::TextStyle::Body.resolve(ui.style());
    let small = egui::TextStyle::Small.resolve(ui.style());
    let at = egui::pos2(name.left() + 16.0, name.center().y);
    painter.text(at, egui::Align2::LEFT_CENTER, channel.name(), font, text);

    painter.rect_filled(track, 2.0, TRACK);
    let third = track.height() / 3.0;
    for (index, (weight, color)) in weights.into_iter().zip([RAW, ANIMATED, APPLIED]).enumerate() {
        let lane = egui::Rect::from_min_size(
            track.min + egui::vec2(0.0, third * index as f32 + 0.5),
            egui::vec2(track.width(), third - 1.0),
        );
        bar(&painter, lane, weight, color);
    }
    let applied = format!("{:.2}", weights[2]);
    painter.text(number.right_center(), egui::Align2::RIGHT_CENTER, applied, small, text);
    ui.interact(track, ui.id().with((channel.name(), "bar")), egui::Sense::hover())
        .on_hover_text(format!("raw {:.3}, after animator {:.3}, applied {:.3}", weights[0], weights[1], weights[2]));

    for (index, letter, hint) in [(0, "M", "mute"), (1, "S", "solo: shown alone, with others that are")] {
        let left = area.right() - BUTTON * (2 - index) as f32;
        let place = part(left, left + BUTTON - 2.0).shrink2(egui::vec2(0.0, 1.0));
        let on = if index == 0 { mask.is_muted(channel) } else { mask.is_soloed(channel) };
        let color = if index == 0 { BAD } else { APPLIED };
        let response = ui.interact(place, ui.id().with((channel.name(), letter)), egui::Sense::click());
        let look = ui.style().interact(&response);
        let (fill, text) = if on { (color, egui::Color32::BLACK) } else { (look.bg_fill, look.text_color()) };
        ui.painter().rect_filled(place, 3.0, fill);
        let font = egui::TextStyle::Small.resolve(ui.style());
        ui.painter().text(place.center(), egui::Align2::CENTER_CENTER, letter, font, text);
        let name = format!("{letter} {channel}");
        response.widget_info(|| egui::WidgetInfo::selected(egui::WidgetType::Button, ui.is_enabled(), on, &name));
        if response.on_hover_text(hint).clicked() {
            if index == 0 {
                mask.set_muted(channel, !on);
            } else {
                mask.set_soloed(channel, !on);
            }
        }
    }
}

/// Draws a channel over time, or not any more. Where all colours are taken, nothing happens.
fn toggle_curve(view: &mut View, channel: FaceChannel) {
    if let Some(place) = view.curves.iter().position(|(other, _)| *other == channel) {
        view.curves.remove(place);
    } else if let Some(color) = (0..curves::COLORS.len()).find(|color| view.curves.iter().all(|(_, c)| c != color)) {
        view.curves.push((channel, color));
    }
}
