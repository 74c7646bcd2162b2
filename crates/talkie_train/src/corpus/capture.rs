//! Captured motion: curves of a real face instead of what the teacher makes of phones.

use std::path::Path;

use base64::Engine as _;
use talkie::animation::FaceChannel;

use crate::teacher::{Lesson, MOTIONS, Motion};

/// Poses a second that captured motion is kept at.
pub const CAPTURE_RATE: f64 = 60.0;
/// Frames a second of Live Link Face's time codes.
const TIMECODE_RATE: f64 = 60.0;

/// A face in motion, from time 0 on.
#[derive(Debug, Clone, PartialEq)]
pub struct Capture {
    lessons: Vec<Lesson>,
}

/// Why curves cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// No column or shape has the name of a channel of speech.
    #[error("no curve is called jawOpen or like another channel of the mouth; there are: {0}")]
    NoChannels(String),
    /// There is no column of times.
    #[error("no column is called Timecode, time or t; there are: {0}")]
    NoTimes(String),
    /// A cell is no number.
    #[error("line {line}: `{cell}` in column {column} is not {wanted}")]
    Cell {
        /// Line of the file, counted from 1.
        line: usize,
        /// Name of the column.
        column: String,
        /// What stands there.
        cell: String,
        /// What should.
        wanted: &'static str,
    },
    /// Times do not increase.
    #[error("the time of row {row} ({time} s) is not after that of the row before it")]
    Times {
        /// Row of values, counted from 0.
        row: usize,
        /// Its time in seconds.
        time: f64,
    },
    /// Fewer than two rows.
    #[error("only {0} rows of values; at least 2 are needed")]
    Short(usize),
    /// A glTF file cannot be read.
    #[error("not a glTF file: {0}")]
    Gltf(String),
    /// No animation moves shapes that have names of channels.
    #[error("no animation of the file moves the morph targets of a mesh with names (`targetNames`)")]
    NoAnimation,
}

impl Capture {
    /// Curves over increasing times in seconds, one value in 0..=1 for each time and channel; values are linear between
    /// the times and constant beyond them. A motion with two sides takes the mean of both.
    ///
    /// # Errors
    /// No channel of speech, fewer than two times, or times that do not increase.
    pub fn new(times: &[f64], curves: &[(FaceChannel, Vec<f32>)]) -> Result<Self, CaptureError> {
        if times.len() < 2 {
            return Err(CaptureError::Short(times.len()));
        }
        if let Some(row) = times.windows(2).position(|pair| pair[1] <= pair[0] || !pair[1].is_finite()) {
            return Err(CaptureError::Times { row: row + 1, time: times[row + 1] });
        }
        let of = |channel: FaceChannel| curves.iter().find(|(name, _)| *name == channel).map(|(_, values)| values);
        let sides: Vec<Vec<&Vec<f32>>> = Motion::ALL
            .iter()
            .map(|motion| motion.channels().iter().filter_map(|channel| of(*channel)).collect())
            .collect();
        if sides.iter().all(Vec::is_empty) {
            return Err(CaptureError::NoChannels(
                curves.iter().map(|(channel, _)| channel.name()).collect::<Vec<_>>().join(", "),
            ));
        }
        let end = times.last().copied().unwrap_or(0.0);
        let count = (end * CAPTURE_RATE).ceil().max(0.0) as usize + 1;
        let mut right = 1;
        let lessons = (0..count).map(|index| {
            let time = index as f64 / CAPTURE_RATE;
            while right + 1 < times.len() && times[right] <= time {
                right += 1;
            }
            let (from, to) = (times[right - 1], times[right]);
            let share = ((time - from) / (to - from)).clamp(0.0, 1.0) as f32;
            let mut motions = [0.0; MOTIONS];
            for (value, curves) in motions.iter_mut().zip(&sides).filter(|(_, curves)| !curves.is_empty()) {
                let at = |curve: &Vec<f32>| {
                    let (a, b) =
                        (curve.get(right - 1).copied().unwrap_or(0.0), curve.get(right).copied().unwrap_or(0.0));
                    a + share * (b - a)
                };
                let sum: f32 = curves.iter().map(|curve| at(curve)).sum();
                let mean = sum / curves.len() as f32;
                *value = if mean.is_finite() { mean.clamp(0.0, 1.0) } else { 0.0 };
            }
            lesson(motions)
        });
        Ok(Self { lessons: lessons.collect() })
    }

    /// The pose at a time in seconds; that of the nearest end beyond them.
    pub fn at(&self, time: f64) -> Lesson {
        let last = self.lessons.len().saturating_sub(1);
        let position = (time * CAPTURE_RATE).clamp(0.0, last as f64);
        let (index, share) = (position as usize, position.fract() as f32);
        let (Some(a), Some(b)) = (self.lessons.get(index), self.lessons.get((index + 1).min(last))) else {
            return Lesson::REST;
        };
        let mut motions = a.motions;
        motions.iter_mut().zip(b.motions).for_each(|(value, next)| *value += share * (next - *value));
        lesson(motions)
    }

    /// Reads the CSV of Live Link Face (`Timecode,BlendShapeCount,EyeBlinkLeft,..`, times counted from the first row), or
    /// one with a column `time` in seconds. Names are those of ARKit, whatever their case; other columns are left out.
    ///
    /// # Errors
    /// Missing columns, cells that are no numbers, times that do not increase.
    pub fn from_csv(text: &str) -> Result<Self, CaptureError> {
        let mut lines =
            text.trim_start_matches('\u{feff}').lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let head: Vec<&str> =
            lines.next().map(|(_, line)| line.split(',').map(str::trim).collect()).unwrap_or_default();
        let named =
            |names: &[&str]| head.iter().position(|column| names.iter().any(|name| column.eq_ignore_ascii_case(name)));
        let clock = named(&["timecode"]);
        let Some(time) = clock.or_else(|| named(&["time", "t", "time_s", "seconds"])) else {
            return Err(CaptureError::NoTimes(head.join(", ")));
        };
        let channels: Vec<(usize, FaceChannel)> =
            head.iter().enumerate().filter_map(|(index, column)| Some((index, channel_of(column)?))).collect();
        if channels.is_empty() {
            return Err(CaptureError::NoChannels(head.join(", ")));
        }
        let mut times = Vec::new();
        let mut curves: Vec<(FaceChannel, Vec<f32>)> =
            channels.iter().map(|(_, channel)| (*channel, Vec::new())).collect();
        for (line, row) in lines {
            let cells: Vec<&str> = row.split(',').map(str::trim).collect();
            let wrong = |column: usize, wanted| CaptureError::Cell {
                line: line + 1,
                column: head.get(column).copied().unwrap_or_default().to_owned(),
                cell: cells.get(column).copied().unwrap_or_default().to_owned(),
                wanted,
            };
            let cell = |column: usize| cells.get(column).copied().unwrap_or_default();
            times.push(if clock.is_some() {
                timecode(cell(time)).ok_or_else(|| wrong(time, "a time code such as 12:34:56:07.890"))?
            } else {
                cell(time).parse().map_err(|_| wrong(time, "a time in seconds"))?
            });
            for ((column, _), (_, values)) in channels.iter().zip(&mut curves) {
                values.push(cell(*column).parse().map_err(|_| wrong(*column, "a number"))?);
            }
        }
        if clock.is_some() {
            let start = times.first().copied().unwrap_or(0.0);
            times.iter_mut().for_each(|time| *time -= start);
        }
        Self::new(&times, &curves)
    }

    /// Reads the first animation of a glTF or GLB file that moves morph targets with ARKit names, such as a face that was
    /// animated by hand. Keys are linear or steps; of cubic ones the values at the keys are used.
    ///
    /// # Errors
    /// A file that is no glTF, or that has no such animation.
    pub fn from_gltf(path: &Path) -> Result<Self, CaptureError> {
        let gltf::Gltf { document, blob } =
            gltf::Gltf::open(path).map_err(|error| CaptureError::Gltf(error.to_string()))?;
        let mut blob = blob;
        let buffers: Vec<Vec<u8>> =
            document.buffers().map(|buffer| read_buffer(path, &buffer, &mut blob)).collect::<Result<_, _>>()?;
        for channel in document.animations().flat_map(|animation| animation.channels().collect::<Vec<_>>()) {
            let names = channel.target().node().mesh().and_then(|mesh| target_names(&mesh));
            let reader = channel.reader(|buffer| buffers.get(buffer.index()).map(Vec::as_slice));
            let (Some(names), Some(times), Some(gltf::animation::util::ReadOutputs::MorphTargetWeights(weights))) =
                (names, reader.read_inputs(), reader.read_outputs())
            else {
                continue;
            };
            let times: Vec<f64> = times.map(f64::from).collect();
            let weights: Vec<f32> = weights.into_f32().collect();
            let cubic = channel.sampler().interpolation() == gltf::animation::Interpolation::CubicSpline;
            // A cubic key is a tangent, the value, and another tangent.
            let (stride, skip) = if cubic { (3 * names.len(), names.len()) } else { (names.len(), 0) };
            let curve = |target: usize| weights.iter().skip(skip + target).step_by(stride.max(1)).copied().collect();
            let curves: Vec<(FaceChannel, Vec<f32>)> = names
                .iter()
                .enumerate()
                .filter_map(|(target, name)| Some((channel_of(name)?, curve(target))))
                .collect();
            if !curves.is_empty() {
                return Self::new(&times, &curves);
            }
        }
        Err(CaptureError::NoAnimation)
    }
}

/// A buffer lies in the file itself, in a `data:` address or in a file beside.
fn read_buffer(path: &Path, buffer: &gltf::Buffer<'_>, blob: &mut Option<Vec<u8>>) -> Result<Vec<u8>, CaptureError> {
    let wrong = |what: String| CaptureError::Gltf(format!("buffer {}: {what}", buffer.index()));
    match buffer.source() {
        gltf::buffer::Source::Bin => blob.take().ok_or_else(|| wrong("the file has no binary part".into())),
        gltf::buffer::Source::Uri(uri) if uri.starts_with("data:") => {
            let (_, data) =
                uri.split_once("base64,").ok_or_else(|| wrong("a `data:` address without base64".into()))?;
            base64::engine::general_purpose::STANDARD.decode(data).map_err(|error| wrong(error.to_string()))
        }
        gltf::buffer::Source::Uri(uri) => {
            let beside = path.with_file_name(uri);
            std::fs::read(&beside).map_err(|error| wrong(format!("{}: {error}", beside.display())))
        }
    }
}

/// Closed is what closing takes away of the jaw's opening; nobody says whether anybody speaks.
fn lesson(motions: [f32; MOTIONS]) -> Lesson {
    let (jaw, close) = (motions[Motion::JawOpen as usize], motions[Motion::Close as usize]);
    Lesson { motions, closure: if jaw > 0.02 { (close / jaw).min(1.0) } else { 0.0 }, silence: 0.0 }
}

/// `JawOpen`, `jawOpen`, `mouth_smile_left` and `mouthSmile_L` are channels.
fn channel_of(name: &str) -> Option<FaceChannel> {
    let plain = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let name = match name.strip_suffix("_L").or_else(|| name.strip_suffix("_l")) {
        Some(stem) => format!("{stem}left"),
        None => match name.strip_suffix("_R").or_else(|| name.strip_suffix("_r")) {
            Some(stem) => format!("{stem}right"),
            None => name.to_owned(),
        },
    };
    FaceChannel::ALL.into_iter().find(|channel| plain(channel.name()) == plain(&name))
}

/// `HH:MM:SS:FF.sss` in seconds.
fn timecode(text: &str) -> Option<f64> {
    let parts: Vec<f64> = text.split([':', ';']).map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let [hours, minutes, seconds, frames] = parts[..] else { return None };
    Some(hours * 3600.0 + minutes * 60.0 + seconds + frames / TIMECODE_RATE)
}

fn target_names(mesh: &gltf::Mesh<'_>) -> Option<Vec<String>> {
    let extras = mesh.extras().as_ref()?;
    let extras: serde_json::Value = serde_json::from_str(extras.get()).ok()?;
    let names = extras.get("targetNames")?.as_array()?;
    Some(names.iter().map(|name| name.as_str().unwrap_or_default().to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIVE_LINK: &str = "Timecode,BlendShapeCount,EyeBlinkLeft,JawOpen,MouthClose,MouthSmileLeft,MouthSmileRight,HeadYaw\n\
        10:00:00:30.000,61,0.1,0.0,0.0,0.2,0.4,0.0\n\
        10:00:01:00.500,61,0.1,0.4,0.2,0.2,0.4,0.0\n\
        10:00:01:30.500,61,0.1,0.4,0.4,0.2,0.4,0.0\n";

    #[test]
    fn live_link_curves_start_with_their_first_row() {
        let capture = Capture::from_csv(LIVE_LINK).expect("a valid file");
        let half = 30.5 / 60.0;
        assert!((capture.at(half / 2.0).motion(Motion::JawOpen) - 0.2).abs() < 0.01);
        assert!((capture.at(half).motion(Motion::Smile) - 0.3).abs() < 1e-5);
        assert!((capture.at(half).closure - 0.5).abs() < 0.05);
        assert!((capture.at(9.0).closure - 1.0).abs() < 1e-3);
    }

    #[test]
    fn plain_seconds_and_other_spellings_work() {
        let capture =
            Capture::from_csv("time,jaw_open,mouthSmile_L,mouthSmile_R\n0,0,0,1\n1,1,0,1\n").expect("a valid file");
        assert!((capture.at(0.5).motion(Motion::JawOpen) - 0.5).abs() < 1e-4);
        assert!((capture.at(0.5).motion(Motion::Smile) - 0.5).abs() < 1e-4);
    }

    #[test]
    fn broken_curves_are_named() {
        let text = |csv: &str| Capture::from_csv(csv).expect_err("refused").to_string();
        assert!(text("JawOpen\n0.1\n").contains("Timecode"));
        assert!(text("time,foo\n0,1\n").contains("foo"));
        assert!(text("time,JawOpen\n0,x\n").contains("line 2: `x` in column JawOpen"));
        assert!(text("time,JawOpen\n0,0\n0,0\n").contains("row 1"));
        assert!(text("time,JawOpen\n0,0\n").contains("only 1"));
        assert!(text("Timecode,JawOpen\n10:11,0\n").contains("time code"));
        assert!(text("").contains("no column"));
    }

    #[test]
    fn an_animation_of_shapes_is_read() {
        let folder = std::env::temp_dir().join(format!("talkie_capture_{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        let floats = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let mut bytes = floats(&[0.0; 9]);
        bytes.extend(floats(&[0.0, 1.0]));
        bytes.extend(floats(&[0.0, 0.5, 0.8, 0.5]));
        std::fs::write(folder.join("face.bin"), &bytes).expect("a temporary file");
        let accessor = |view: usize, count: usize, kind: &str| serde_json::json!({"bufferView": view, "componentType": 5126, "count": count, "type": kind, "min": [0.0, 0.0, 0.0], "max": [0.0, 0.0, 0.0]});
        let mut times = accessor(1, 2, "SCALAR");
        times["min"] = serde_json::json!([0.0]);
        times["max"] = serde_json::json!([1.0]);
        let mut weights = accessor(2, 4, "SCALAR");
        weights.as_object_mut().expect("an object").retain(|key, _| key != "min" && key != "max");
        let document = serde_json::json!({
            "asset": {"version": "2.0"},
            "buffers": [{"uri": "face.bin", "byteLength": bytes.len()}],
            "bufferViews": [
                {"buffer": 0, "byteOffset": 0, "byteLength": 36},
                {"buffer": 0, "byteOffset": 36, "byteLength": 8},
                {"buffer": 0, "byteOffset": 44, "byteLength": 16},
            ],
            "accessors": [accessor(0, 3, "VEC3"), times, weights],
            "meshes": [{
                "primitives": [{"attributes": {"POSITION": 0}, "targets": [{"POSITION": 0}, {"POSITION": 0}]}],
                "extras": {"targetNames": ["jawOpen", "mouthPucker"]},
            }],
            "nodes": [{"mesh": 0}],
            "animations": [{
                "samplers": [{"input": 1, "output": 2}],
                "channels": [{"sampler": 0, "target": {"node": 0, "path": "weights"}}],
            }],
        });
        let path = folder.join("face.gltf");
        std::fs::write(&path, document.to_string()).expect("a temporary file");
        let capture = Capture::from_gltf(&path).expect("a valid file");
        assert!((capture.at(0.5).motion(Motion::JawOpen) - 0.4).abs() < 1e-4);
        assert!((capture.at(0.5).motion(Motion::Pucker) - 0.5).abs() < 1e-4);
        let mut still = document;
        still["animations"] = serde_json::json!([]);
        std::fs::write(&path, still.to_string()).expect("a temporary file");
        assert_eq!(Capture::from_gltf(&path), Err(CaptureError::NoAnimation));
        assert!(matches!(Capture::from_gltf(&folder.join("none.glb")), Err(CaptureError::Gltf(_))));
        std::fs::remove_dir_all(&folder).expect("it was made here");
    }
}
