//! Audio to facial animation, without any engine.
//!
//! `talkie` turns speech into the motion of a face: it decodes and resamples sound, computes the features a network
//! wants, runs the network with ONNX Runtime (or with the embedded tract engine where there is none) and delivers
//! [`FacePose`](animation::FacePose)s on the clock of the speech. The Bevy plugin `bevy_talkie` is built on it; the
//! `talkie` command (feature `cli`) drives it from a shell.
//!
//! # Quick start
//!
//! ```no_run
//! use talkie::{audio::AudioClip, inference::Runtime, model::FaceModel};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let runtime = Runtime::global();
//! let mut model = FaceModel::load_dir("assets/models/voice", runtime)?;
//! let clip = AudioClip::decode(std::fs::read("line.ogg")?)?;
//! let track = model.animate(&clip)?;
//! let pose = track.sample_seconds(1.25);
//! println!("jaw: {}", pose.weight(talkie::animation::FaceChannel::JawOpen));
//! # Ok(())
//! # }
//! ```
//!
//! # Rooms
//!
//! | module | what is in it |
//! |---|---|
//! | [`audio`] | decoding, resampling to 16 kHz mono, the feed of one speech; gate and gain of a microphone |
//! | [`model`] | bundles (`model.json` and a network), features, the network families |
//! | `inference` (feature `ort`) | finding ONNX Runtime, falling back to tract, sessions |
//! | [`animation`] | channels, poses, tracks and their files, hints of a speech engine; the animator and the solve of the official networks |
//! | [`emotion`] | what a classifier hears, and the emotions of a face over time |
//! | [`retarget`] | which shape and joint of a rig answers to which channel, and the report about it |
//! | `transfer` (feature `transfer`) | by geometry: shapes for a head that has none, meaning for shapes with unknown names |
//! | [`metrics`] | how well a track matches what was said |
//!
//! # Cargo features
//!
//! | feature | default | what it does |
//! |---|---|---|
//! | `ort` | yes | runs networks with ONNX Runtime, found and loaded at run time |
//! | `tract` | yes | embeds tract, which serves where no ONNX Runtime is found |
//! | `coreml`, `cuda`, `directml`, `openvino`, `tensorrt`, `webgpu` | no | lets networks compute there (`inference::Device`), where ONNX Runtime can |
//! | `gltf` | no | reads the lips of a head from a GLB file |
//! | `transfer` | no | carries shapes from one head to another by their geometry |
//! | `cli` | no | builds the `talkie` command |
//!
//! # One clock
//!
//! All times are positions in the speech: sample indices at [`audio::SAMPLE_RATE`], or the same in seconds. Frame `n` of
//! a track is the pose at exactly `n / frame_rate` after the first sample.

pub mod animation;
pub mod audio;
pub mod emotion;
#[cfg(feature = "ort")]
pub mod inference;
pub mod metrics;
pub mod model;
pub mod retarget;
#[cfg(feature = "transfer")]
pub mod transfer;
