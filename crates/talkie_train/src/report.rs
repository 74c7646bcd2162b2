//! What training did, as pictures and a table.

use core::fmt::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

use plotters::backend::SVGBackend;
use plotters::chart::ChartBuilder;
use plotters::drawing::IntoDrawingArea as _;
use plotters::element::PathElement;
use plotters::series::LineSeries;
use plotters::style::{BLACK, Color as _, IntoFont as _, RGBColor, WHITE};

use crate::training::Progress;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// A picture cannot be drawn or written.
    #[error("cannot draw {path}: {reason}")]
    Plot {
        /// Which file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A file or folder cannot be written.
    #[error("cannot write {path}: {source}")]
    File {
        /// Which one.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

/// A line of a chart: its name and its points.
struct Line {
    name: &'static str,
    points: Vec<(f64, f64)>,
}

/// Charts are this much wider than their curves, for the legend.
const LEGEND: f64 = 1.4;
const COLOURS: [RGBColor; 7] = [
    RGBColor(31, 119, 180),
    RGBColor(214, 39, 40),
    RGBColor(44, 160, 44),
    RGBColor(255, 127, 14),
    RGBColor(148, 103, 189),
    RGBColor(140, 86, 75),
    RGBColor(23, 190, 207),
];

/// Figures of a [`Score`](talkie::metrics::Score) that are drawn over the steps, with what they are called.
const FIGURES: [(&str, &str); 7] = [
    ("closure_auc", "closure AUC"),
    ("bilabial_recall", "bilabial recall"),
    ("false_window", "false closures, same window"),
    ("vowel_r", "vowel correlation"),
    ("rounding_auc", "rounding AUC"),
    ("spread_auc", "spread AUC"),
    ("sil_level", "silence level"),
];

/// Draws how a variant learned into `FOLDER/NAME-loss.svg` and, if people were heard, `FOLDER/NAME-people.svg`.
///
/// # Errors
/// Files that cannot be written.
pub fn draw(folder: &Path, variant: &str, progress: &Progress) -> Result<(), ReportError> {
    std::fs::create_dir_all(folder).map_err(|source| ReportError::File { path: folder.into(), source })?;
    let points = |value: &dyn Fn(&crate::training::Validation) -> Option<f64>| {
        progress.validation.iter().filter_map(|found| Some((found.step as f64, value(found)?))).collect::<Vec<_>>()
    };
    let losses = [
        Line { name: "training speech", points: points(&|found| Some(f64::from(found.loss))) },
        Line { name: "held-out speech", points: points(&|found| Some(f64::from(found.held_out))) },
    ];
    let greatest = losses.iter().flat_map(|line| &line.points).fold(0.0, |most: f64, (_, loss)| most.max(*loss));
    chart(&folder.join(format!("{variant}-loss.svg")), &format!("{variant}: loss"), 0.0..1.05 * greatest, &losses)?;
    let figure = |key: &str| points(&|found| found.figures.as_ref()?.get(key)?.as_f64());
    let people = FIGURES.map(|(key, name)| Line { name, points: figure(key) });
    if people.iter().all(|line| line.points.is_empty()) {
        return Ok(());
    }
    chart(&folder.join(format!("{variant}-people.svg")), &format!("{variant}: people"), 0.0..1.0, &people)
}

fn chart(path: &Path, title: &str, range: Range<f64>, lines: &[Line]) -> Result<(), ReportError> {
    let last = lines.iter().flat_map(|line| &line.points).fold(1.0, |last: f64, (step, _)| last.max(*step));
    let drawn = || -> Result<(), Box<dyn std::error::Error + '_>> {
        let area = SVGBackend::new(path, (760, 420)).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(title, ("sans-serif", 18).into_font())
            .margin(12)
            .x_label_area_size(36)
            .y_label_area_size(48)
            .build_cartesian_2d(0.0..LEGEND * last, range.clone())?;
        chart
            .configure_mesh()
            .x_desc("steps")
            .x_label_formatter(&|step| format!("{step:.0}"))
            .light_line_style(BLACK.mix(0.05))
            .draw()?;
        for (line, colour) in lines.iter().zip(COLOURS.iter().cycle()).filter(|(line, _)| !line.points.is_empty()) {
            chart
                .draw_series(LineSeries::new(line.points.iter().copied(), colour.stroke_width(2)))?
                .label(line.name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
        }
        chart.configure_series_labels().background_style(WHITE.mix(0.8)).border_style(BLACK.mix(0.3)).draw()?;
        area.present()?;
        Ok(())
    };
    drawn().map_err(|error| ReportError::Plot { path: path.into(), reason: error.to_string() })
}

/// Figures of the table, with their heads and digits.
const COLUMNS: [(&str, &str, usize); 14] = [
    ("closure_auc", "closure AUC", 2),
    ("bilabial_recall", "bilabial recall", 2),
    ("false_window", "false in window", 2),
    ("false_closure", "false closure", 2),
    ("vowel_r", "vowel r", 2),
    ("rounding_auc", "rounding AUC", 2),
    ("spread_auc", "spread AUC", 2),
    ("labiodental", "F V", 2),
    ("labio_other", "others", 2),
    ("lag_ms", "lag ms", 0),
    ("sil_level", "silence level", 2),
    ("jerk", "jerk", 3),
    ("bilabial_recall_mm", "closed within 1.5 mm", 2),
    ("lip_vertex_error_mm", "lip vertex error mm", 2),
];

/// The scores of test sets, an object of objects, as a table in Markdown.
pub fn table(scores: &serde_json::Value) -> String {
    let mut text = String::from("| test set |");
    // Writing into a string cannot fail.
    for (_, head, _) in COLUMNS {
        let _ = write!(text, " {head} |");
    }
    text.push_str("\n|---|");
    COLUMNS.iter().for_each(|_| text.push_str("---|"));
    for (name, figures) in scores.as_object().into_iter().flatten() {
        let _ = write!(text, "\n| {name} |");
        for (key, _, digits) in COLUMNS {
            match figures.get(key).and_then(serde_json::Value::as_f64) {
                Some(figure) => {
                    let _ = write!(text, " {figure:.digits$} |");
                }
                None => text.push_str(" - |"),
            }
        }
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::Validation;

    #[test]
    fn curves_are_drawn_and_named() {
        let folder = std::env::temp_dir().join(format!("talkie_report_{}", std::process::id()));
        let found = |step: usize| Validation {
            step,
            seconds: step as f64,
            loss: 1.0 / step as f32,
            held_out: 2.0 / step as f32,
            merit: 0.1,
            figures: Some(serde_json::json!({"closure_auc": 0.9})),
        };
        let progress = Progress { validation: vec![found(10), found(20)], ..Progress::default() };
        draw(&folder, "clip", &progress).expect("a temporary folder");
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect("it was drawn");
        assert!(read("clip-loss.svg").contains("held-out speech"));
        let people = read("clip-people.svg");
        assert!(people.contains("closure AUC") && !people.contains("silence level"));
        std::fs::remove_dir_all(&folder).expect("it was made here");
    }

    #[test]
    fn a_table_has_a_row_for_every_set() {
        let text = table(&serde_json::json!({"people": {"closure_auc": 0.956, "lag_ms": -3.6}, "noise": {}}));
        let rows: Vec<_> = text.lines().collect();
        assert_eq!(rows.len(), 4);
        assert!(rows[3].starts_with("| people | 0.96 | - |") && rows[3].contains("| -4 |"), "{text}");
    }
}
