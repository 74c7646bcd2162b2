//! The clock of what is heard.

use core::time::Duration;

/// Follows the moment of a speech that is heard now, in seconds from its first sample.
///
/// The position an audio sink reports is a staircase: it jumps by a device buffer and is ahead of the ear by what waits in
/// the device. The clock runs with real time between the steps and is drawn gently towards the reported position less the
/// output latency. Without a device it simply runs with the time of the game.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct HeardClock {
    seconds: f64,
}

/// What a sink says of itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SinkReport {
    /// Position in the sound, in seconds.
    pub(crate) position: f64,
    /// Playback speed.
    pub(crate) speed: f64,
    pub(crate) paused: bool,
    /// All samples have been pulled: the position says nothing any more.
    pub(crate) drained: bool,
}

/// Beyond this difference the clock jumps: somebody sought, or the device stalled.
const SNAP_SECONDS: f64 = 0.15;
/// Time constant of the pull towards the reported position.
const PULL_SECONDS: f64 = 0.5;

impl HeardClock {
    pub(crate) fn seconds(self) -> f64 {
        self.seconds
    }

    /// Simulated time.
    pub(crate) fn advance(&mut self, delta: Duration) {
        self.seconds += delta.as_secs_f64();
    }

    /// Follows a sink.
    pub(crate) fn follow(&mut self, delta: Duration, sink: SinkReport, latency: Duration) {
        if sink.paused {
            return;
        }
        let delta = delta.as_secs_f64();
        let expected = self.seconds + delta * sink.speed;
        if sink.drained {
            self.seconds = expected;
            return;
        }
        let target = (sink.position - latency.as_secs_f64() * sink.speed).max(0.0);
        let drift = target - expected;
        self.seconds = if drift.abs() > SNAP_SECONDS * sink.speed.max(1.0) {
            target
        } else {
            // Never backwards: a mouth that runs in reverse is worse than one that waits.
            (expected + drift * (1.0 - (-delta / PULL_SECONDS).exp())).max(self.seconds)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A device that reports in steps of its buffer and is heard `latency` later.
    fn run(frames: usize, buffer: f64, latency: f64, frame: f64) -> Vec<(f64, f64)> {
        let mut clock = HeardClock::default();
        (1..=frames)
            .map(|n| {
                let now = n as f64 * frame;
                let pulled = ((now / buffer).floor() + 1.0) * buffer;
                let sink = SinkReport { position: pulled, speed: 1.0, paused: false, drained: false };
                clock.follow(Duration::from_secs_f64(frame), sink, Duration::from_secs_f64(latency));
                (now, clock.seconds())
            })
            .collect()
    }

    #[test]
    fn the_staircase_of_a_sink_becomes_a_ramp() {
        // What is heard at `now` is, on average, half a buffer before what was pulled.
        let heard = run(600, 0.05, 0.025, 1.0 / 60.0);
        for pair in heard.windows(2) {
            let step = pair[1].1 - pair[0].1;
            assert!((0.010..0.024).contains(&step), "a step of {step} s at {}", pair[1].0);
        }
        for (now, heard) in &heard[120..] {
            assert!((now - heard).abs() < 0.02, "{heard} heard at {now}");
        }
    }

    #[test]
    fn seeking_snaps_and_pausing_holds() {
        let mut clock = HeardClock::default();
        let frame = Duration::from_millis(16);
        let sink = SinkReport { position: 3.0, speed: 1.0, paused: false, drained: false };
        clock.follow(frame, sink, Duration::ZERO);
        assert_eq!(clock.seconds(), 3.0);
        clock.follow(frame, SinkReport { paused: true, ..sink }, Duration::ZERO);
        assert_eq!(clock.seconds(), 3.0);
        clock.follow(frame, SinkReport { drained: true, position: 0.0, ..sink }, Duration::ZERO);
        assert!((clock.seconds() - 3.016).abs() < 1e-9);
    }
}
