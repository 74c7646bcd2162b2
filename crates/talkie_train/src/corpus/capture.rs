//! Captured motion: curves of a real face instead of what the teacher makes of phones.

use std::path::Path;

use base64::Engine as _;
use talkie::animation::FaceChannel;
use talkie::metrics::{ChannelCurves, CurvesError};
use talkie::retarget::{match_shape, open_gltf, target_names};

use crate::teacher::{Lesson, MOTIONS, Motion};

/// Longest take, in seconds.
const LONGEST_SECONDS: f64 = 6.0 * 3600.0;
/// Poses a second that captured motion is kept at.
pub const CAPTURE_RATE: f64 = 60.0;

/// A face in motion, from time 0 on.
#[derive(Debug, Clone, PartialEq)]
pub struct Capture {
    lessons: Vec<Lesson>,
}

/// Why curves cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// The table or its curves are broken.
    #[error(transparent)]
    Curves(#[from] CurvesError),
    /// No curve is one of speech.
    #[error("no curve is that of a channel of the mouth; there are: {0}")]
    NoChannels(String),
    /// Times reach further than anybody speaks: they are of another unit.
    #[error("the curves end at {0} s; at most {LONGEST_SECONDS} are supported")]
    TooLong(f64),
    /// A glTF file cannot be read.
    #[error("not a glTF file: {0}")]
    Gltf(String),
    /// No animation moves shapes that have names of channels.
    #[error("no animation of the file moves the morph targets of a mesh with names (`targetNames`)")]
    NoAnimation,
}

impl Capture {
    /// The motions of curves; one with two sides takes the mean of both. Values that are no numbers count as 0.
    ///
    /// # Errors
    /// No channel of speech, or more than six hours.
    pub fn new(curves: &ChannelCurves) -> Result<Self, CaptureError> {
        if curves.end() > LONGEST_SECONDS {
            return Err(CaptureError::TooLong(curves.end()));
        }
        let count = (curves.end().max(0.0) * CAPTURE_RATE).ceil() as usize + 1;
        let mut lessons = vec![[0.0f32; MOTIONS]; count];
        let mut found = false;
        for motion in Motion::ALL {
            let there: Vec<FaceChannel> = motion
                .channels()
                .iter()
                .copied()
                .filter(|channel| curves.channels().any(|other| other == *channel))
                .collect();
            found |= !there.is_empty();
            for channel in &there {
                let values = curves.resampled(*channel, CAPTURE_RATE, count, 0.0);
                for (lesson, value) in lessons.iter_mut().zip(values).filter(|(_, value)| value.is_finite()) {
                    lesson[*motion as usize] += (value.clamp(0.0, 1.0) / there.len() as f64) as f32;
                }
            }
        }
        if !found {
            let names: Vec<_> = curves.channels().map(FaceChannel::name).collect();
            return Err(CaptureError::NoChannels(names.join(", ")));
        }
        Ok(Self { lessons: lessons.into_iter().map(lesson).collect() })
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

    /// Reads a table as [`ChannelCurves::from_csv`] does: that of Live Link Face, or one with times in seconds.
    ///
    /// # Errors
    /// What that refuses, or no channel of speech.
    pub fn from_csv(text: &str) -> Result<Self, CaptureError> {
        Self::new(&ChannelCurves::from_csv(text)?)
    }

    /// Reads the first animation of a glTF or GLB file that moves morph targets with ARKit names, such as a face that was
    /// animated by hand. Keys are linear or steps; of cubic ones the values at the keys are used.
    ///
    /// # Errors
    /// A file that is no glTF, or that has no such animation.
    pub fn from_gltf(path: &Path) -> Result<Self, CaptureError> {
        let bytes = std::fs::read(path).map_err(|error| CaptureError::Gltf(error.to_string()))?;
        let gltf::Gltf { document, mut blob } = open_gltf(&bytes).map_err(CaptureError::Gltf)?;
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
                .filter_map(|(target, name)| Some((match_shape(name).channel()?, curve(target))))
                .collect();
            if !curves.is_empty() {
                return Self::new(&ChannelCurves::new(times, curves)?);
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
        assert!(text("JawOpen\n0.1\n").contains("time"));
        assert!(text("time,JawOpen\n0,x\n1,0\n").contains("line 2"));
        assert!(text("time,JawOpen\n0,0\n1e9,0\n").contains("at most 21600"));
        let blink = ChannelCurves::new(vec![0.0, 1.0], vec![(FaceChannel::EyeBlinkLeft, vec![0.0; 2])]).expect("valid");
        assert_eq!(Capture::new(&blink), Err(CaptureError::NoChannels("eyeBlinkLeft".into())));
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
        still["meshes"][0]["primitives"][0]["attributes"]["POSITION"] = serde_json::json!(9);
        std::fs::write(&path, still.to_string()).expect("a temporary file");
        let broken = Capture::from_gltf(&path).expect_err("an attribute that is not there").to_string();
        assert!(broken.contains("not there"), "{broken}");
        std::fs::remove_dir_all(&folder).expect("it was made here");
    }
}
