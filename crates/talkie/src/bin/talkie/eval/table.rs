//! Scores as a table.

use std::fmt;

use talkie::metrics::Score;

/// One column: its heading, the digits after the point, and the figure.
type Column = (&'static str, usize, fn(&Score) -> Option<f64>);

const COLUMNS: [Column; 23] = [
    ("bilab", 2, |score| score.bilabial_recall),
    ("inner", 2, |score| score.bilabial_inner),
    ("falseC", 2, |score| score.false_closure),
    ("falseW", 2, |score| score.false_window),
    ("clAUC", 2, |score| score.closure_auc),
    ("cl_lag", 0, |score| score.closure_lag),
    ("labio", 2, |score| score.labiodental),
    ("labOth", 2, |score| score.labio_other),
    ("dip", 2, |score| score.labio_dip),
    ("vowel_r", 2, |score| score.vowel_r),
    ("round", 2, |score| score.rounding_auc),
    ("spread", 2, |score| score.spread_auc),
    ("lag_ms", 0, |score| score.lag_ms),
    ("trk_r", 2, |score| Some(score.track_r)),
    ("trk_r0", 2, |score| Some(score.track_r0)),
    ("silStd", 3, |score| score.sil_std),
    ("silLvl", 2, |score| score.sil_level),
    ("range", 2, |score| Some(score.range)),
    ("jerk", 3, |score| Some(score.jerk)),
    ("bil_mm", 2, |score| score.bilabial_recall_mm),
    ("falC_mm", 2, |score| score.false_closure_mm),
    ("AUC_mm", 2, |score| score.closure_auc_mm),
    ("rng_mm", 1, |score| score.range_mm),
];

/// Figures in which conditions are compared. Headings of the changes, in points: hundredths.
const CHANGES: [Column; 3] = [
    ("+-clAUC", 1, |score| score.closure_auc),
    ("+-bilab", 1, |score| score.bilabial_recall),
    ("+-round", 1, |score| score.rounding_auc),
];

/// Named rows of figures under headings. A column in which nobody has a figure is left out.
pub(super) struct Table {
    headings: Vec<(&'static str, usize)>,
    rows: Vec<(String, Vec<Option<f64>>)>,
}

impl Table {
    /// One row for each score.
    pub(super) fn of_scores<'a>(scores: impl IntoIterator<Item = (&'a str, &'a Score)>) -> Self {
        let figures = |score| COLUMNS.iter().map(|(_, _, figure)| figure(score)).collect();
        Self {
            headings: COLUMNS.iter().map(|(heading, digits, _)| (*heading, *digits)).collect(),
            rows: scores.into_iter().map(|(name, score)| (name.to_owned(), figures(score))).collect(),
        }
    }

    /// The same with the change against `baseline` in points: hundredths.
    pub(super) fn of_changes(scores: &[(&str, &Score)], baseline: &Score) -> Self {
        let mut table = Self::of_scores(scores.iter().copied());
        table.headings.extend(CHANGES.iter().map(|(heading, digits, _)| (*heading, *digits)));
        for ((_, row), (_, score)) in table.rows.iter_mut().zip(scores) {
            row.extend(CHANGES.iter().map(|(_, _, figure)| Some((figure(score)? - figure(baseline)?) * 100.0)));
        }
        table
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0) + 1;
        let shown: Vec<usize> =
            (0..self.headings.len()).filter(|column| self.rows.iter().any(|(_, row)| row[*column].is_some())).collect();
        write!(f, "{:width$}", "")?;
        shown.iter().try_for_each(|column| write!(f, "{:>8}", self.headings[*column].0))?;
        for (name, row) in &self.rows {
            write!(f, "\n{name:width$}")?;
            for column in &shown {
                let (heading, digits) = self.headings[*column];
                match row[*column] {
                    Some(value) if heading.starts_with('+') => write!(f, "{value:>+8.digits$}")?,
                    Some(value) => write!(f, "{value:>8.digits$}")?,
                    None => write!(f, "{:>8}", "-")?,
                }
            }
        }
        Ok(())
    }
}
