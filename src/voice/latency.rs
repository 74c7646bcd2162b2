//! How long sound takes from the callback of a device to the face, measured all the time.

use std::{collections::VecDeque, time::Duration, time::Instant};

use bevy_app::App;
use bevy_diagnostic::{Diagnostic, DiagnosticPath, Diagnostics, RegisterDiagnostic};
use bevy_ecs::{
    change_detection::DetectChangesMut,
    resource::Resource,
    system::{Local, Query, ResMut},
};

use super::Voice;

/// Values that percentiles are taken of: at 60 frames a second those of the last 17 seconds of one voice.
const RECENT: usize = 1024;
/// Steps in which latency is counted.
const STEP: Duration = Duration::from_micros(250);
/// Steps that are told apart: up to half a second.
const STEPS: usize = 2_000;
/// Frames between two looks at the percentiles.
const FRAMES: u32 = 30;

/// How long one moment of a live voice took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Delay {
    pub(super) total: Duration,
    pub(super) computing: Duration,
    pub(super) showing: Duration,
}

/// How long the newest moments took, with percentiles. In steps of a quarter of a millisecond, up to half a second.
#[derive(Debug, Clone, PartialEq)]
pub struct Latencies {
    recent: VecDeque<u16>,
    counts: Vec<u16>,
}

impl Default for Latencies {
    fn default() -> Self {
        Self { recent: VecDeque::with_capacity(RECENT + 1), counts: vec![0; STEPS + 1] }
    }
}

impl Latencies {
    fn add(&mut self, latency: Duration) {
        // The step whose end is not below it: a percentile is never told too small.
        let step = latency.as_nanos().div_ceil(STEP.as_nanos()).min(STEPS as u128) as u16;
        self.recent.push_back(step);
        self.counts[usize::from(step)] += 1;
        if self.recent.len() > RECENT
            && let Some(old) = self.recent.pop_front()
        {
            self.counts[usize::from(old)] -= 1;
        }
    }

    /// How many values there are: those of the last 1024 frames at most.
    pub fn len(&self) -> usize {
        self.recent.len()
    }

    /// Whether there is none yet.
    pub fn is_empty(&self) -> bool {
        self.recent.is_empty()
    }

    /// The latency that this part of all (0..=1) does not exceed, such as 0.95; zero where there is none.
    pub fn percentile(&self, part: f64) -> Duration {
        let wanted = (part.clamp(0.0, 1.0) * self.len() as f64).ceil().max(1.0) as usize;
        let mut seen = 0;
        let step = self.counts.iter().position(|count| {
            seen += usize::from(*count);
            seen >= wanted
        });
        STEP * step.unwrap_or(0) as u32
    }
}

/// How late faces show what live voices say: from the moment a sample entered the callback of its device (or was
/// [pushed](super::VoiceStream::push)) to the frame whose morph weights show it.
///
/// Taken in every frame in which the face moves on with the voice. Bevy's diagnostics have the percentiles too, as
/// `talkie/latency_p50`, `_p95` and `_p99` in milliseconds.
#[derive(Resource, Debug, Clone, PartialEq, Default)]
pub struct LiveLatency {
    /// All of it.
    pub total: Latencies,
    /// Until its poses were there: waiting for the future that the network needs, gate, resampling, features, network.
    pub computing: Latencies,
    /// From there to the frame that shows them.
    pub showing: Latencies,
    /// Frames of sound that wait for the networks now, over all live voices, in seconds.
    pub queued_seconds: f64,
}

impl LiveLatency {
    /// The median of all, in milliseconds.
    pub const P50: DiagnosticPath = DiagnosticPath::const_new("talkie/latency_p50");
    /// What 95 % do not exceed, in milliseconds.
    pub const P95: DiagnosticPath = DiagnosticPath::const_new("talkie/latency_p95");
    /// What 99 % do not exceed, in milliseconds.
    pub const P99: DiagnosticPath = DiagnosticPath::const_new("talkie/latency_p99");
    /// Sound that waits for the networks, in milliseconds.
    pub const QUEUED: DiagnosticPath = DiagnosticPath::const_new("talkie/queued");
}

pub(super) fn register(app: &mut App) {
    app.init_resource::<LiveLatency>();
    for path in [LiveLatency::P50, LiveLatency::P95, LiveLatency::P99, LiveLatency::QUEUED] {
        app.register_diagnostic(Diagnostic::new(path).with_suffix("ms").with_smoothing_factor(0.0));
    }
}

/// Looks at all live voices when their faces were written.
pub(super) fn measure(
    mut voices: Query<&mut Voice>,
    mut latency: ResMut<LiveLatency>,
    mut diagnostics: Diagnostics,
    mut frames: Local<u32>,
) {
    let now = Instant::now();
    let (mut queued, mut any) = (0.0, false);
    for mut voice in &mut voices {
        let Some(line) = voice.bypass_change_detection().current.as_mut().filter(|line| line.is_live()) else {
            continue;
        };
        any = true;
        if let Some(stream) = line.stream() {
            queued += stream.unheard_frames() as f64 / f64::from(stream.sample_rate().max(1));
        }
        if let Some(delay) = line.delay(now) {
            latency.total.add(delay.total);
            latency.computing.add(delay.computing);
            latency.showing.add(delay.showing);
        }
    }
    if !any {
        return;
    }
    latency.queued_seconds = queued;
    *frames += 1;
    if *frames >= FRAMES && !latency.total.is_empty() {
        *frames = 0;
        let milliseconds = |part| latency.total.percentile(part).as_secs_f64() * 1e3;
        diagnostics.add_measurement(&LiveLatency::P50, || milliseconds(0.5));
        diagnostics.add_measurement(&LiveLatency::P95, || milliseconds(0.95));
        diagnostics.add_measurement(&LiveLatency::P99, || milliseconds(0.99));
        diagnostics.add_measurement(&LiveLatency::QUEUED, || queued * 1e3);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_newest_values() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.percentile(0.5), Duration::ZERO);
        (0..5_000).for_each(|_| latencies.add(Duration::from_secs(9)));
        assert_eq!(latencies.percentile(0.01), STEP * STEPS as u32);
        for index in 0..RECENT {
            latencies.add(Duration::from_micros(index as u64 * 100));
        }
        assert_eq!(latencies.len(), RECENT);
        for part in [0.01, 0.5, 0.95, 0.99, 1.0] {
            let exact = Duration::from_micros(((part * RECENT as f64).ceil() as u64 - 1) * 100);
            let told = latencies.percentile(part);
            assert!(told >= exact && told < exact + STEP, "{part}: {told:?} of {exact:?}");
        }
    }
}
