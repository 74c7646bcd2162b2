//! Lines that `bevy_seedling` plays: a node of its audio graph for each, which pulls the samples of the line.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use bevy_app::{App, Plugin, PostUpdate};
use bevy_ecs::{
    component::Component,
    entity::Entity,
    hierarchy::ChildOf,
    query::Without,
    schedule::IntoScheduleConfigs,
    system::{Commands, Query},
};
use bevy_seedling::{
    edge::Connect,
    firewheel::{
        channel_config::{ChannelConfig, ChannelCount},
        node::{
            AudioNode, AudioNodeInfo, AudioNodeProcessor, ConstructProcessorContext, EmptyConfig, NodeError,
            ProcBuffers, ProcExtra, ProcInfo, ProcessStatus,
        },
        nodes::spatial_basic::SpatialBasicNode,
    },
    node::RegisterNode,
    prelude::MainBus,
};
use bevy_transform::components::Transform;

use super::{ExternalLine, LineSamples};
use crate::TalkieSystems;

/// Time constant of changes of loudness, in seconds: short, and without a click.
const SOFT_SECONDS: f32 = 0.005;
/// The device has not said how late it is heard.
const NOT_KNOWN: u32 = u32::MAX;
/// A line that fell silent and stands gives nothing to compute.
const SILENCE: f32 = 1e-4;

/// Lets `bevy_seedling` play the lines of faces whose [`VoiceSettings::output`](super::VoiceSettings::output) is
/// [`VoiceOutput::External`](super::VoiceOutput::External). Add it after `SeedlingPlugins` and
/// [`TalkiePlugins`](crate::TalkiePlugins).
///
/// Clips and streams are played, with pause, seek, repetition, volume and speed in mid-line. The entity of an [`ExternalLine`] gets a
/// [`LineNode`] with two outputs, which goes to the main bus, through a [`SpatialBasicNode`] where
/// [`VoiceSettings::spatial`](super::VoiceSettings::spatial) is set (the ear is a `SpatialListener3D`). To send it elsewhere, insert a
/// [`LineNode`] yourself in an observer of `On<Add, ExternalLine>` and connect it.
#[derive(Debug, Clone, Copy, Default)]
pub struct SeedlingVoicePlugin;

impl Plugin for SeedlingVoicePlugin {
    fn build(&self, app: &mut App) {
        app.register_simple_node::<LineNode>();
        // The graph takes new nodes in `Last`.
        app.add_systems(PostUpdate, (connect, steer).chain().after(TalkieSystems::Voice));
    }
}

/// The audio node of one line. Its samples are pulled on the audio thread, and brought from their rate to that of the stream with
/// cubic (Catmull-Rom) interpolation.
#[derive(Component, Clone)]
#[allow(missing_debug_implementations, reason = "samples on their way have none")]
pub struct LineNode {
    /// For the processor, which takes them once.
    samples: Arc<Mutex<Option<LineSamples>>>,
    controls: Arc<Controls>,
}

/// What the game tells the audio thread, and hears from it.
struct Controls {
    volume: AtomicU32,
    speed: AtomicU32,
    paused: AtomicBool,
    /// In microseconds.
    latency: AtomicU32,
    ended: AtomicBool,
}

impl LineNode {
    /// The node of a line; `None` if somebody has taken its samples before.
    pub fn new(line: &mut ExternalLine) -> Option<Self> {
        let samples = line.take_samples()?;
        let controls = Controls {
            volume: AtomicU32::new(line.volume.to_bits()),
            speed: AtomicU32::new(line.speed.to_bits()),
            paused: AtomicBool::new(line.paused),
            latency: AtomicU32::new(NOT_KNOWN),
            ended: AtomicBool::new(false),
        };
        Some(Self { samples: Arc::new(Mutex::new(Some(samples))), controls: Arc::new(controls) })
    }
}

/// Puts new lines into the graph.
fn connect(mut lines: Query<(Entity, &mut ExternalLine), Without<LineNode>>, mut commands: Commands) {
    for (entity, mut line) in &mut lines {
        let Some(node) = LineNode::new(&mut line) else { continue };
        commands.entity(entity).insert(node);
        let next = line.spatial.then(|| {
            let place = (SpatialBasicNode::default(), Transform::default(), ChildOf(entity));
            commands.spawn(place).connect(MainBus).head()
        });
        match next {
            Some(place) => commands.entity(entity).connect(place),
            None => commands.entity(entity).connect(MainBus),
        };
    }
}

/// Hands on what the plugin wants of its lines.
fn steer(mut lines: Query<(&mut ExternalLine, &LineNode)>) {
    for (mut line, node) in &mut lines {
        node.controls.volume.store(line.volume.to_bits(), Ordering::Relaxed);
        node.controls.speed.store(line.speed.to_bits(), Ordering::Relaxed);
        node.controls.paused.store(line.paused, Ordering::Relaxed);
        let latency = node.controls.latency.load(Ordering::Relaxed);
        if latency != NOT_KNOWN {
            line.set_latency(Duration::from_micros(latency.into()));
        }
        if node.controls.ended.load(Ordering::Acquire) {
            line.end();
        }
    }
}

impl AudioNode for LineNode {
    type Configuration = EmptyConfig;

    fn info(&self, _: &EmptyConfig) -> Result<AudioNodeInfo, NodeError> {
        Ok(AudioNodeInfo::new()
            .debug_name("talkie line")
            .channel_config(ChannelConfig { num_inputs: ChannelCount::ZERO, num_outputs: ChannelCount::STEREO }))
    }

    fn construct_processor(
        &self,
        _: &EmptyConfig,
        _: ConstructProcessorContext<'_>,
    ) -> Result<impl AudioNodeProcessor, NodeError> {
        Ok(LineProcessor {
            samples: self.samples.lock().unwrap_or_else(PoisonError::into_inner).take(),
            controls: self.controls.clone(),
            window: [[0.0; 2]; 4],
            between: 0.0,
            begun: false,
            rest: 0,
            volume: 0.0,
        })
    }
}

/// The node on the audio thread.
struct LineProcessor {
    samples: Option<LineSamples>,
    controls: Arc<Controls>,
    /// Left and right of four frames; what is heard lies between the second and the third.
    window: [[f32; 2]; 4],
    between: f64,
    begun: bool,
    /// Frames of silence that were put behind the last one.
    rest: u32,
    volume: f32,
}

impl LineProcessor {
    /// Moves the window by one frame. After the last comes silence, until what is heard lies in it.
    fn pull(&mut self) {
        let frame = self.samples.as_mut().and_then(|samples| {
            let left = samples.next()?;
            let channels = samples.channels();
            let right = if channels > 1 { samples.next()? } else { left };
            (2..channels).for_each(|_| {
                samples.next();
            });
            Some([left, right])
        });
        self.rest = if frame.is_some() { 0 } else { self.rest + 1 };
        self.window.rotate_left(1);
        self.window[3] = frame.unwrap_or_default();
    }
}

impl AudioNodeProcessor for LineProcessor {
    fn process(&mut self, info: &ProcInfo, buffers: ProcBuffers<'_, '_>, _: &mut ProcExtra) -> ProcessStatus {
        let Some(rate) = self.samples.as_ref().map(LineSamples::sample_rate) else {
            return ProcessStatus::ClearAllOutputs;
        };
        if let Some(delay) = info.process_to_playback_delay {
            // The position moves by a whole buffer, so that on average half of one waits besides.
            let half = Duration::from_secs_f64(0.5 * info.frames as f64 / f64::from(info.sample_rate.get()));
            let delay = (delay + half).as_micros().min(u128::from(NOT_KNOWN - 1));
            self.controls.latency.store(delay as u32, Ordering::Relaxed);
        }
        let paused = self.controls.paused.load(Ordering::Relaxed);
        if self.rest > 3 || paused && self.volume < SILENCE {
            return ProcessStatus::ClearAllOutputs;
        }
        let wanted = if paused { 0.0 } else { f32::from_bits(self.controls.volume.load(Ordering::Relaxed)) };
        let speed = f32::from_bits(self.controls.speed.load(Ordering::Relaxed));
        let step = f64::from(rate) * f64::from(speed) / f64::from(info.sample_rate.get());
        if !self.begun {
            // Nothing is before the first frame.
            (0..3).for_each(|_| self.pull());
            (self.begun, self.volume) = (true, wanted);
        }
        let softly = 1.0 - (-1.0 / (SOFT_SECONDS * info.sample_rate.get() as f32)).exp();
        for index in 0..info.frames {
            self.volume += (wanted - self.volume) * softly;
            let [left, right] = between(&self.window, self.between as f32);
            for (output, sample) in buffers.outputs.iter_mut().zip([left, right]) {
                output[index] = sample * self.volume;
            }
            self.between += step;
            while self.between >= 1.0 && self.rest <= 3 {
                self.between -= 1.0;
                self.pull();
            }
        }
        if self.rest > 3 {
            self.controls.ended.store(true, Ordering::Release);
        }
        ProcessStatus::OutputsModified
    }
}

/// The Catmull-Rom spline through four frames, between the second and the third.
fn between(window: &[[f32; 2]; 4], at: f32) -> [f32; 2] {
    core::array::from_fn(|channel| {
        let [a, b, c, d] = window.map(|frame| frame[channel]);
        let (slope_b, slope_c) = (0.5 * (c - a), 0.5 * (d - b));
        let difference = b - c;
        let cubic = 2.0 * difference + slope_b + slope_c;
        let square = -3.0 * difference - 2.0 * slope_b - slope_c;
        ((cubic * at + square) * at + slope_b) * at + b
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_through_the_frames_stays_a_line_and_frames_stay_what_they_are() {
        let window = [[0.0, 3.0], [1.0, 2.0], [2.0, 1.0], [3.0, 0.0]];
        for step in 0..=10 {
            let at = step as f32 / 10.0;
            let [left, right] = between(&window, at);
            assert!((left - 1.0 - at).abs() < 1e-6 && (right - 2.0 + at).abs() < 1e-6, "{left} {right} at {at}");
        }
        let window = [[0.3, 0.0], [-0.9, 0.0], [0.7, 0.0], [0.1, 0.0]];
        assert!((between(&window, 0.0)[0] + 0.9).abs() < 1e-6 && (between(&window, 1.0)[0] - 0.7).abs() < 1e-6);
    }
}
