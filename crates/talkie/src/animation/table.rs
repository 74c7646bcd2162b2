//! Curves in a table of comma-separated values.

use glam::Quat;

use super::{CHANNEL_COUNT, FaceChannel, FacePose, FaceTrack, FrameRate, JOINT_COLUMNS, track_file::MOST_FRAMES};
use crate::retarget::match_shape;

/// Why a table cannot be read.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// There is no column with the time.
    #[error("no column `time` (or t, times, timecode, time_seconds) among {found:?}")]
    NoTime {
        /// The first columns that are there.
        found: Vec<String>,
    },
    /// No column is of a face.
    #[error("no column has the name of an ARKit shape, as `jawOpen`, among {found:?}")]
    NoFace {
        /// The first columns that are there.
        found: Vec<String>,
    },
    /// Two columns say the same.
    #[error("{0} is given twice")]
    Twice(&'static str),
    /// A row is shorter than the first one.
    #[error("line {line} has {cells} cells for {columns} columns")]
    Row {
        /// Which line, from 1.
        line: usize,
        /// How many cells it has.
        cells: usize,
        /// How many columns there are.
        columns: usize,
    },
    /// A cell is not a number; times are seconds or time codes.
    #[error("line {line}: {cell:?} in column `{column}` is not a number")]
    Cell {
        /// Which line, from 1.
        line: usize,
        /// In which column.
        column: String,
        /// What is there.
        cell: String,
    },
    /// Two rows are of one time, or a time is not a number.
    #[error("line {line}: {time} s is the time of another row, or no time")]
    Time {
        /// Which line, from 1.
        line: usize,
        /// The time in seconds.
        time: f64,
    },
    /// There are too few rows for a motion, they are all before time 0, or they span too much time.
    #[error(
        "{rows} rows, the last at {seconds} s; expected at least 2, and seconds that make at most {MOST_FRAMES} frames"
    )]
    Length {
        /// How many there are.
        rows: usize,
        /// The last time in seconds.
        seconds: f64,
    },
    /// The rate that is asked for is zero or absurd.
    #[error("frame rate {numerator}/{denominator} is not usable; expected more than 0 and at most 1000 per second")]
    FrameRate {
        /// As given.
        numerator: u32,
        /// As given.
        denominator: u32,
    },
}

/// Larger values, either way, are no part of a face.
const MOST: f64 = 1e6;

/// Names of the column with the time, best first, without marks and in small letters.
const TIME_COLUMNS: [&str; 5] = ["time", "t", "times", "timecode", "timeseconds"];

fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}

/// A time code of Live Link Face in seconds: `HH:MM:SS:FF.sss`.
fn timecode(cell: &str) -> Option<f64> {
    let parts: Vec<f64> = cell.split([':', ';']).map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let [hours, minutes, seconds, frames] = parts[..] else { return None };
    Some(hours * 3600.0 + minutes * 60.0 + seconds + frames / 60.0).filter(|seconds: &f64| seconds.is_finite())
}

/// A table whose columns are known by keys.
pub(crate) struct Table<K> {
    pub(crate) keys: Vec<K>,
    /// Names of the columns that are neither known nor the time.
    pub(crate) others: Vec<String>,
    /// By rising time.
    pub(crate) rows: Vec<TableRow>,
}

/// A row of a table.
pub(crate) struct TableRow {
    /// In the file, from 1.
    pub(crate) line: usize,
    /// In seconds. May be NaN.
    pub(crate) time: f64,
    /// One for each key; NaN where nothing, or no number, is said.
    pub(crate) values: Vec<f64>,
}

impl<K> Table<K> {
    /// Reads a table, of which the columns count whose names have a key.
    ///
    /// The first row names the columns. Lines that begin with `#` are passed over. Times are seconds, or time codes as
    /// Live Link Face writes them, counted from the first of them then.
    pub(crate) fn read(text: &str, key: impl Fn(&str) -> Option<K>) -> Result<Self, TableError> {
        let cells = |line: &'_ str| -> Vec<String> {
            line.split(',').map(|cell| cell.trim().trim_matches('"').to_owned()).collect()
        };
        let mut lines = text
            .trim_start_matches('\u{feff}')
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
        let head = lines.next().map(|(_, line)| cells(line)).unwrap_or_default();
        let time = TIME_COLUMNS
            .iter()
            .find_map(|name| head.iter().position(|column| plain(column) == *name))
            .ok_or_else(|| TableError::NoTime { found: head.iter().take(5).cloned().collect() })?;
        let (mut columns, mut keys, mut others) = (Vec::new(), Vec::new(), Vec::new());
        for (index, name) in head.iter().enumerate().filter(|(index, _)| *index != time) {
            match key(name) {
                Some(key) => {
                    columns.push(index);
                    keys.push(key);
                }
                None => others.push(name.clone()),
            }
        }
        let mut rows: Vec<TableRow> = Vec::new();
        let mut coded = false;
        for (index, line) in lines {
            let (line, row) = (index + 1, cells(line));
            // A column of time codes says so, and holds nothing else.
            let named = rows.is_empty() && plain(&head[time]) == "timecode";
            coded |= named && row.get(time).is_some_and(|cell| cell.contains(':'));
            if row.len() < head.len() {
                return Err(TableError::Row { line, cells: row.len(), columns: head.len() });
            }
            let wrong =
                |column: usize| TableError::Cell { line, column: head[column].clone(), cell: row[column].clone() };
            let number = |column: usize| match row[column].parse::<f64>() {
                Ok(number) if !number.is_infinite() => Ok(number),
                _ => Err(wrong(column)),
            };
            let value = |column: usize| match number(column) {
                _ if row[column].is_empty() => Ok(f64::NAN),
                Ok(number) if number.abs() > MOST => Err(wrong(column)),
                other => other,
            };
            let values = columns.iter().map(|column| value(*column)).collect::<Result<_, _>>()?;
            let time = if coded { timecode(&row[time]).ok_or_else(|| wrong(time))? } else { number(time)? };
            rows.push(TableRow { line, time, values });
        }
        rows.sort_by(|a, b| a.time.total_cmp(&b.time));
        if coded {
            let start = rows.first().map_or(0.0, |row| row.time);
            rows.iter_mut().for_each(|row| row.time -= start);
        }
        Ok(Self { keys, others, rows })
    }
}

/// A track that was read from a table.
#[derive(Debug, Clone, PartialEq)]
pub struct TableTrack {
    /// The motion.
    pub track: FaceTrack,
    /// Names of the columns, besides that of the time, that are no part of a pose and were passed over.
    pub ignored: Vec<String>,
}

impl FaceTrack {
    /// Reads a track from comma-separated values, as `talkie animate`, Live Link Face and many capture programs write
    /// them, at this rate.
    ///
    /// The first row names the columns: one is `time` (or `t`, `times`, `timecode`, `time_seconds`) in seconds, or in
    /// time codes as Live Link Face writes them (`HH:MM:SS:FF.sss` at 60 frames a second, counted from the first row),
    /// the others are channels by their ARKit names, whatever the notation (`jawOpen`, `JawOpen`, `jaw_open`,
    /// `mouthPress_L`), or exactly [`JOINT_COLUMNS`]. Lines that begin with `#` are passed over. An empty cell or one
    /// that says `nan` is at rest. Rows may come in any order and at any times; poses between them are interpolated.
    /// What is before time 0 is left out.
    ///
    /// The angles of Live Link Face (`HeadYaw`, `LeftEyePitch`, ..) are passed over, like all columns with other names:
    /// nothing says what their signs mean. Its `EyeLook` columns say where the eyes look.
    ///
    /// # Errors
    /// No time or no column of a face, a name that comes twice, a short row, a cell that is no number, rows of the same
    /// time, less than two rows, too many frames, or a frame rate that is not valid.
    pub fn from_csv(text: &str, rate: FrameRate) -> Result<TableTrack, TableError> {
        if !rate.is_valid() {
            return Err(TableError::FrameRate { numerator: rate.numerator, denominator: rate.denominator });
        }
        let Table { keys, others, rows } = Table::read(text, column)?;
        if keys.is_empty() {
            return Err(TableError::NoFace { found: others.into_iter().take(5).collect() });
        }
        if let Some(twice) = (1..keys.len()).find(|index| keys[..*index].contains(&keys[*index])) {
            return Err(TableError::Twice(Self::columns().nth(keys[twice]).unwrap_or_default()));
        }
        if let Some(pair) =
            rows.windows(2).find(|pair| pair[0].time >= pair[1].time || pair.iter().any(|row| row.time.is_nan()))
        {
            return Err(TableError::Time { line: pair[1].line, time: pair[1].time });
        }
        // Times are rounded where they are written.
        let frame = |row: &TableRow| row.time * rate.hertz();
        let first = rows.first().map_or(0.0, |row| (frame(row) - NEARLY).ceil().max(0.0));
        let end = rows.last().map_or(0.0, |row| (frame(row) + NEARLY).floor() + 1.0);
        if rows.len() < 2 || !(1.0..=MOST_FRAMES as f64).contains(&(end - first)) {
            return Err(TableError::Length { rows: rows.len(), seconds: rows.last().map_or(0.0, |row| row.time) });
        }
        let mut track = Self::starting_at(rate, first as u64);
        let poses: Vec<FacePose> = rows.iter().map(|row| pose(&keys, &row.values)).collect();
        let mut after = 1;
        for index in first as u64..end as u64 {
            let time = rate.seconds(index);
            while after + 1 < rows.len() && rows[after].time < time {
                after += 1;
            }
            let (a, b) = (rows[after - 1].time, rows[after].time);
            let share = ((time - a) / (b - a)).clamp(0.0, 1.0);
            track.push(poses[after - 1].lerp(&poses[after], share as f32));
        }
        Ok(TableTrack { track, ignored: others })
    }
}

/// A share of a frame.
const NEARLY: f64 = 1e-3;

/// The pose of a row; what is not a number rests.
fn pose(keys: &[usize], values: &[f64]) -> FacePose {
    let mut pose = FacePose::REST;
    let mut joints = pose.joint_values();
    for (key, value) in keys.iter().zip(values).filter(|(_, value)| !value.is_nan()) {
        match key.checked_sub(CHANNEL_COUNT) {
            Some(joint) => joints[joint] = *value as f32,
            None => pose.weights[*key] = *value as f32,
        }
    }
    pose.set_joint_values(&joints);
    for rotation in [&mut pose.jaw_rotation, &mut pose.head_rotation] {
        let unit = rotation.normalize();
        *rotation = if unit.is_finite() { unit } else { Quat::IDENTITY };
    }
    pose
}

/// The place of a column in [`FaceTrack::columns`].
fn column(name: &str) -> Option<usize> {
    let joint = || JOINT_COLUMNS.iter().position(|joint| *joint == name);
    match_shape(name).channel().map(FaceChannel::index).or_else(|| Some(CHANNEL_COUNT + joint()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use FaceChannel as C;

    const RATE: FrameRate = FrameRate::per_second(60);

    #[test]
    fn live_link_becomes_a_track_and_says_what_is_passed_over() {
        let csv = "Timecode,BlendShapeCount,EyeBlinkLeft,JawOpen,MouthSmile_R,HeadYaw,LeftEyeYaw\n\
                   10:00:00:30.000,61,0.1,0.0,0.4,0.2,0.1\n10:00:01:00.500,61,0.1,0.4,,0.2,0.1\n";
        let TableTrack { track, ignored } = FaceTrack::from_csv(csv, RATE).unwrap();
        assert_eq!((track.len(), track.start_frame(), track.frame_rate()), (31, 0, RATE));
        let pose = track.sample_seconds(15.25 / 60.0);
        assert!((pose.weight(C::JawOpen) - 0.2).abs() < 1e-6 && (pose.weight(C::EyeBlinkLeft) - 0.1).abs() < 1e-6);
        assert!((pose.weight(C::MouthSmileRight) - 0.2).abs() < 1e-6, "an empty cell rests");
        assert_eq!((pose.head_rotation, pose.left_eye), (FacePose::REST.head_rotation, FacePose::REST.left_eye));
        assert_eq!(ignored, ["BlendShapeCount", "HeadYaw", "LeftEyeYaw"]);
    }

    #[test]
    fn joints_are_read_and_rotations_stay_rotations() {
        let csv = "time,jaw_open,headRotationX,headRotationW,leftEyeYaw,jawTranslationZ\n\
                   0.5,0,0.2,0.97980,0.1,0.001\n1,0,0,0,0.1,0.001\n";
        let track = FaceTrack::from_csv(csv, RATE).unwrap().track;
        assert_eq!((track.start_frame(), track.len()), (30, 31));
        let pose = track.sample_seconds(0.5);
        assert!((pose.head_rotation.x - 0.2).abs() < 1e-5 && pose.head_rotation.is_normalized());
        assert_eq!((pose.left_eye.x, pose.jaw_translation.z), (0.1, 0.001));
        assert!(track.iter().all(|(_, pose)| pose.head_rotation.is_normalized()));
    }

    #[test]
    fn broken_tables_are_named_by_line_and_column() {
        let says = |csv: &str| FaceTrack::from_csv(csv, RATE).unwrap_err().to_string();
        for (csv, part) in [
            ("", "no column `time`"),
            ("time,HeadYaw\n0,0\n1,0\n", "no column has the name of an ARKit shape, as `jawOpen`, among [\"HeadYaw\"]"),
            ("time,jawOpen,JawOpen\n0,0,0\n1,0,0\n", "jawOpen is given twice"),
            ("time,jawOpen\n0,0\n1\n", "line 3 has 1 cells for 2 columns"),
            ("time,jawOpen\n0,0\n1,1e30\n", "line 3: \"1e30\" in column `jawOpen` is not a number"),
            ("time,jawOpen\n0,0\n1,0\n0,0\n", "line 4: 0 s is the time of another row"),
            ("time,jawOpen\n0,0\nnan,0\n", "line 3: NaN s"),
            ("time,jawOpen\n0,0\n", "1 rows, the last at 0 s"),
            ("time,jawOpen\n-2,0\n-1,0\n", "2 rows, the last at -1 s"),
            ("time,jawOpen\n0,0\n1e15,0\n", "at most 1048576 frames"),
        ] {
            let said = says(csv);
            assert!(said.contains(part), "expected {part:?} in: {said}");
        }
        let none = FaceTrack::from_csv("time,jawOpen\n0,0\n1,0\n", FrameRate::per_second(0)).unwrap_err();
        assert!(none.to_string().contains("0/1"), "{none}");
    }

    proptest! {
        #[test]
        fn any_cells_are_a_finite_track_or_an_error(cells in prop::collection::vec(
            prop_oneof!["-?[0-9]{1,3}(\\.[0-9]{1,3})?", "1e[0-9]{1,3}", "nan|inf||x|1:2:3:4.5"], 12,
        )) {
            let csv: String = "time,jawOpen,headRotationW,jawRotationX\n".chars()
                .chain(cells.chunks(4).flat_map(|row| (row.join(",") + "\n").chars().collect::<Vec<_>>()))
                .collect();
            if let Ok(read) = FaceTrack::from_csv(&csv, FrameRate::per_second(5)) {
                prop_assert!(!read.track.is_empty() && read.track.iter().all(|(_, pose)| pose.is_finite()), "{csv}");
            }
        }
    }
}
