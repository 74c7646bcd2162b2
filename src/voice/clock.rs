//! The clock of what is heard.

use core::time::Duration;

/// Follows the moment of a speech that is heard now, in seconds from its first sample.
///
/// The position an audio sink reports is a staircase: it jumps by a device buffer and is ahead of the ear by what waits in
/// the device. The clock starts when the device takes the first samples, runs with real time between the steps and is
/// drawn gently towards the reported position less the output latency. Without a device it simply runs with the time of
/// the game.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct HeardClock {
    /// Negative while the first samples are on their way through the device.
    seconds: f64,
    running: bool,
    /// The last position a sink reported, and for how long it has been the same.
    reported: f64,
    unchanged: f64,
    /// It stood still, and goes on when the ear has arrived where it stands.
    held: bool,
}

/// What a sink says of itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SinkReport {
    /// Position in the sound, in seconds.
    pub(crate) position: f64,
    /// Playback speed.
    pub(crate) speed: f64,
    pub(crate) paused: bool,
    /// The device takes, but there is nothing to take.
    pub(crate) starved: bool,
    /// All samples have been pulled: the position says nothing any more.
    pub(crate) drained: bool,
}

/// Beyond this difference the clock jumps: somebody sought, or the device stalled.
const SNAP_SECONDS: f64 = 0.15;
/// Time constant of the pull towards the reported position.
const PULL_SECONDS: f64 = 0.5;
/// A live voice is shown at most so much later than its newest pose.
const BEHIND_SECONDS: f64 = 0.04;
/// The distance from its newest pose that it keeps, and the time constant of the pull towards it: half of the steps of 20 ms in
/// which poses come, so that the clock neither stands still between two nor shows more delay than it must.
const CHASE_SECONDS: f64 = 0.01;
const CHASE_PULL_SECONDS: f64 = 0.1;
/// A device that takes no samples for so long is gone: the line goes on without it.
const STALL_SECONDS: f64 = 1.0;

impl HeardClock {
    /// The moment that is heard; 0 before the first.
    pub(crate) fn seconds(self) -> f64 {
        self.seconds.max(0.0)
    }

    /// Whether the first sample was heard.
    pub(crate) fn has_begun(self) -> bool {
        self.running && self.seconds >= 0.0
    }

    /// Simulated time.
    pub(crate) fn advance(&mut self, delta: Duration) {
        self.running = true;
        self.seconds += delta.as_secs_f64();
    }

    /// Runs after the newest pose there is, in seconds, never beyond it; tells whether there was something new.
    pub(crate) fn chase(&mut self, delta: Duration, newest: f64) -> bool {
        self.running = true;
        let before = self.seconds;
        let delta = delta.as_secs_f64();
        let goal = newest - CHASE_SECONDS;
        let expected = before + delta;
        let expected = expected + (goal - expected) * (1.0 - (-delta / CHASE_PULL_SECONDS).exp());
        // What was held up is not caught up with in slow motion.
        self.seconds = if newest - expected > BEHIND_SECONDS { goal } else { expected.min(newest) }.max(before);
        self.seconds > before
    }

    /// Simulated time, up to a moment beyond which nothing is known.
    pub(crate) fn advance_to(&mut self, delta: Duration, limit: f64) {
        self.running = true;
        self.seconds = (self.seconds + delta.as_secs_f64()).min(limit).max(self.seconds);
    }

    /// Goes on somewhere else.
    pub(crate) fn jump(&mut self, seconds: f64) {
        (self.seconds, self.running, self.held) = (seconds, true, false);
    }

    /// Follows a sink.
    pub(crate) fn follow(&mut self, delta: Duration, sink: SinkReport, latency: Duration) {
        let delta = delta.as_secs_f64();
        let stands = sink.paused || sink.starved;
        if sink.position != self.reported || stands {
            (self.reported, self.unchanged) = (sink.position, 0.0);
        } else {
            self.unchanged += delta;
        }
        let stalled = sink.drained || self.unchanged >= STALL_SECONDS;
        let target = sink.position - latency.as_secs_f64() * sink.speed;
        if !self.running {
            if (sink.position > 0.0 && !stands) || stalled {
                self.running = true;
                self.seconds = if stalled { 0.0 } else { target };
            }
            return;
        }
        let expected = self.seconds + delta * sink.speed;
        if stands {
            // What the device has is heard, and no more.
            self.held = true;
            self.seconds = expected.min(sink.position).max(self.seconds);
            return;
        }
        if stalled {
            self.seconds = expected;
            return;
        }
        if self.held {
            // What is heard first when it goes on has just been handed over; anything else was sought.
            if target < self.seconds && self.seconds - target < latency.as_secs_f64() * sink.speed + SNAP_SECONDS {
                return;
            }
            self.held = false;
        }
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

    const FRAME: f64 = 1.0 / 60.0;

    /// A device that takes its first buffer after `idle` seconds, reports in steps of its buffer and is heard `latency`
    /// later: what is really heard at each frame (negative before the first sample) and what the clock says.
    fn run(frames: usize, idle: f64, buffer: f64, latency: f64) -> Vec<(f64, HeardClock)> {
        let mut clock = HeardClock::default();
        (1..=frames)
            .map(|n| {
                let playing = n as f64 * FRAME - idle;
                let pulled = if playing < 0.0 { 0.0 } else { ((playing / buffer).floor() + 1.0) * buffer };
                let sink = SinkReport { position: pulled, speed: 1.0, paused: false, starved: false, drained: false };
                // On average half a buffer waits besides what the device holds back.
                clock.follow(Duration::from_secs_f64(FRAME), sink, Duration::from_secs_f64(latency + buffer / 2.0));
                (playing - latency, clock)
            })
            .collect()
    }

    #[test]
    fn the_staircase_of_a_sink_becomes_a_ramp() {
        let heard = run(600, 0.0, 0.05, 0.0);
        for pair in heard.windows(2) {
            let step = pair[1].1.seconds() - pair[0].1.seconds();
            assert!((0.010..0.024).contains(&step) || pair[0].0 < 0.05, "a step of {step} s at {}", pair[1].0);
        }
        for (now, clock) in &heard[120..] {
            assert!((now - clock.seconds()).abs() < 0.02, "{} heard at {now}", clock.seconds());
        }
    }

    #[test]
    fn nothing_is_heard_before_the_device_took_it_and_let_it_out() {
        for (idle, buffer, latency) in [(0.11, 0.02, 0.06), (0.3, 0.05, 0.0), (0.02, 0.01, 0.2)] {
            for (now, clock) in run(120, idle, buffer, latency) {
                if now < -buffer {
                    assert!(!clock.has_begun() && clock.seconds() == 0.0, "{} is heard at {now}", clock.seconds());
                } else if now > buffer {
                    assert!(clock.has_begun());
                    assert!((clock.seconds() - now).abs() <= buffer / 2.0 + FRAME, "{} at {now}", clock.seconds());
                }
            }
        }
    }

    #[test]
    fn a_device_that_stops_taking_samples_does_not_hold_the_line_for_ever() {
        let frame = Duration::from_secs_f64(FRAME);
        for position in [0.0, 2.0] {
            let mut clock = HeardClock::default();
            let sink = SinkReport { position, speed: 1.0, paused: false, starved: false, drained: false };
            let before = (0..60).map(|_| clock.follow(frame, sink, Duration::ZERO)).count();
            assert_eq!(before, 60);
            assert!(clock.seconds() <= position + SNAP_SECONDS, "{}", clock.seconds());
            (0..120).for_each(|_| clock.follow(frame, sink, Duration::ZERO));
            assert!(clock.seconds() > position + 1.8, "{} after {position}", clock.seconds());
            // It comes back.
            let sink = SinkReport { position: position + 0.5, ..sink };
            clock.follow(frame, sink, Duration::ZERO);
            assert_eq!(clock.seconds(), position + 0.5);
        }
    }

    #[test]
    fn a_live_voice_is_never_shown_ahead_and_hardly_behind() {
        let frame = Duration::from_secs_f64(FRAME);
        let mut clock = HeardClock::default();
        // Packets of 20 ms, all held up for 0.3 s after the first second.
        for n in 1..=180 {
            let now = f64::from(n) * FRAME;
            let arrived = if (1.0..1.3).contains(&now) { 1.0 } else { now };
            let newest = (arrived / 0.02).floor() * 0.02;
            let before = clock.seconds();
            let fresh = clock.chase(frame, newest);
            assert!(clock.seconds() <= newest && clock.seconds() >= before, "{} of {newest}", clock.seconds());
            assert!(newest - clock.seconds() <= BEHIND_SECONDS, "{} of {newest}", clock.seconds());
            assert_eq!(fresh, !(1.05..1.29).contains(&now) && newest > before, "{now}");
        }
    }

    #[test]
    fn seeking_snaps_and_pausing_holds() {
        let mut clock = HeardClock::default();
        let frame = Duration::from_millis(16);
        let sink = SinkReport { position: 3.0, speed: 1.0, paused: false, starved: false, drained: false };
        clock.follow(frame, sink, Duration::ZERO);
        assert_eq!(clock.seconds(), 3.0);
        clock.follow(frame, SinkReport { paused: true, ..sink }, Duration::ZERO);
        assert_eq!(clock.seconds(), 3.0);
        clock.follow(frame, SinkReport { drained: true, position: 0.0, ..sink }, Duration::ZERO);
        assert!((clock.seconds() - 3.016).abs() < 1e-9);
        clock.jump(7.0);
        assert_eq!(clock.seconds(), 7.0);
    }

    /// A device of 20 ms buffers that is heard 60 ms later and does nothing from 1.0 to 2.5 s: what is heard and what is shown.
    #[test]
    fn where_the_sound_waits_the_face_waits_with_it() {
        for starved in [false, true] {
            let mut clock = HeardClock::default();
            let (mut worst, mut pulled) = (0.0_f64, 0.0);
            for n in 1..=300 {
                let now = f64::from(n) * FRAME;
                let waits = (1.0..2.5).contains(&now);
                let playing = if now < 1.0 {
                    now
                } else if waits {
                    1.0
                } else {
                    now - 1.5
                };
                if !waits {
                    pulled = (playing / 0.02).floor() * 0.02 + 0.02;
                }
                let heard = (if waits {
                    (now - 0.06).min(pulled)
                } else if now < 1.0 {
                    now - 0.06
                } else {
                    (now - 1.56).max(pulled.min(1.0))
                })
                .max(0.0);
                let sink = SinkReport {
                    position: pulled,
                    speed: 1.0,
                    paused: waits && !starved,
                    starved: waits && starved,
                    drained: false,
                };
                clock.follow(Duration::from_secs_f64(FRAME), sink, Duration::from_millis(70));
                worst = worst.max((clock.seconds() - heard).abs());
                assert!(clock.seconds() <= pulled + FRAME, "{} of {pulled} at {now}", clock.seconds());
            }
            assert!(worst < 0.045, "{worst} s apart");
        }
    }

    #[test]
    fn a_live_voice_is_shown_with_a_small_and_steady_delay() {
        let frame = Duration::from_secs_f64(FRAME);
        let mut clock = HeardClock::default();
        let mut delays = Vec::new();
        for n in 1..=600 {
            let newest = (f64::from(n) * FRAME / 0.02).floor() * 0.02;
            let before = clock.seconds();
            clock.chase(frame, newest);
            if n > 60 {
                delays.push(newest - clock.seconds());
                assert!(clock.seconds() - before < 0.024, "a step of {}", clock.seconds() - before);
            }
        }
        let mean = delays.iter().sum::<f64>() / delays.len() as f64;
        assert!((0.0..0.014).contains(&mean), "{mean}");
    }
}
