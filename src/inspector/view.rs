//! What an inspector remembers of itself, and what its parts have in common.

use bevy_ecs::change_detection::{DetectChangesMut, Mut};
use bevy_egui::egui;
use talkie::animation::FaceChannel;

/// What the network says.
pub(super) const RAW: egui::Color32 = egui::Color32::from_gray(150);
/// After the animator.
pub(super) const ANIMATED: egui::Color32 = egui::Color32::from_rgb(92, 156, 230);
/// What is applied.
pub(super) const APPLIED: egui::Color32 = egui::Color32::from_rgb(246, 174, 76);
/// The ground of a bar.
pub(super) const TRACK: egui::Color32 = egui::Color32::from_gray(46);
/// What is wrong.
pub(super) const BAD: egui::Color32 = egui::Color32::from_rgb(236, 110, 96);

/// Widths of the names in a table, and of sliders.
const NAMES: f32 = 92.0;
pub(super) const SLIDER: f32 = 170.0;

/// A part of the inspector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Tab {
    #[default]
    Channels,
    Performance,
    Emotions,
    Mixing,
    Report,
    Latency,
}

impl Tab {
    pub(super) const ALL: [(Self, &str); 6] = [
        (Self::Channels, "Channels"),
        (Self::Performance, "Performance"),
        (Self::Emotions, "Emotions"),
        (Self::Mixing, "Mixing"),
        (Self::Report, "Report"),
        (Self::Latency, "Latency"),
    ];
}

/// What one inspector of one face remembers: kept in the memory of its `egui` context, under its place there.
#[derive(Debug, Clone)]
pub(super) struct View {
    pub(super) tab: Tab,
    /// Channels that are drawn over time, and in which colour.
    pub(super) curves: Vec<(FaceChannel, usize)>,
    /// Part of the names of channels or shapes that are listed.
    pub(super) filter: String,
    /// Where a profile goes, once somebody said so.
    pub(super) path: Option<String>,
    /// How saving went.
    pub(super) saved: Option<Result<String, String>>,
    /// What is wrong with an edit.
    pub(super) refused: Option<String>,
}

impl Default for View {
    fn default() -> Self {
        Self {
            tab: Tab::default(),
            curves: vec![(FaceChannel::JawOpen, 0), (FaceChannel::MouthClose, 1), (FaceChannel::MouthPucker, 2)],
            filter: String::new(),
            path: None,
            saved: None,
            refused: None,
        }
    }
}

impl View {
    /// Whether a name is listed.
    pub(super) fn lists(&self, name: &str) -> bool {
        self.filter.is_empty() || name.to_lowercase().contains(&self.filter.to_lowercase())
    }
}

/// Lets a component be edited, and counts it as changed only if it is.
pub(super) fn edit<T: Clone + PartialEq>(component: &mut Mut<T>, edit: impl FnOnce(&mut T)) {
    let mut edited = (**component).clone();
    edit(&mut edited);
    component.set_if_neq(edited);
}

/// The field for [`View::filter`].
pub(super) fn filter(ui: &mut egui::Ui, view: &mut View) {
    let field = egui::TextEdit::singleline(&mut view.filter).hint_text("filter").desired_width(120.0);
    ui.add(field);
}

/// A table of names and widgets.
pub(super) fn table(ui: &mut egui::Ui, name: &str, rows: impl FnOnce(&mut egui::Ui)) {
    ui.spacing_mut().slider_width = SLIDER;
    egui::Grid::new(name).num_columns(2).min_col_width(NAMES).spacing([12.0, 6.0]).show(ui, rows);
}

/// A row of a [`table`].
pub(super) fn row(ui: &mut egui::Ui, name: &str, content: impl FnOnce(&mut egui::Ui)) {
    ui.label(name);
    ui.horizontal(content);
    ui.end_row();
}

/// A row of a [`table`] with a slider.
pub(super) fn slider(
    ui: &mut egui::Ui,
    name: &str,
    value: &mut f32,
    range: core::ops::RangeInclusive<f32>,
) -> egui::Response {
    ui.label(name);
    let response = ui.add(egui::Slider::new(value, range).max_decimals(3));
    ui.end_row();
    response
}

/// The head of a section.
pub(super) fn heading(ui: &mut egui::Ui, text: &str) {
    ui.add_space(8.0);
    ui.label(egui::RichText::new(text).strong());
    ui.add_space(2.0);
}

/// A bar of what is there of a whole, 0..=1.
pub(super) fn bar(painter: &egui::Painter, area: egui::Rect, weight: f32, color: egui::Color32) {
    let width = area.width() * weight.clamp(0.0, 1.0);
    if width > 0.0 {
        let filled = egui::Rect::from_min_size(area.min, egui::vec2(width, area.height()));
        painter.rect_filled(filled, 1.0, color);
    }
}
