//! Live voices are animated as their sound arrives, not as frames are drawn: by a thread of their own, which sleeps while nobody
//! speaks.
//!
//! A batch that waits for the next frame of the game, and another one until it is fetched, would cost a live voice up to two frames.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        mpsc::{self, Receiver, Sender, TryRecvError},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use bevy_ecs::resource::Resource;
use talkie::{animation::FacePose, model::audio2face::FaceGeometry};

use super::{FaceModel, InferenceStats, Line, batch::animate, line::Wish};

/// How long the thread sleeps where nobody wakes it: a device's callback cannot, since it may not wait for anything.
const NAP: Duration = Duration::from_millis(2);

/// So many voices are heard at once whenever something arrives; of more, each adds so much to the time between two rounds.
const FEW: usize = 8;
const GATHER: Duration = Duration::from_micros(100);
const LONGEST_GATHER: Duration = Duration::from_millis(10);
/// Poses that a voice gets in one round at most.
const FRAMES: usize = 64;

/// What passes between a live voice and the thread that animates it.
#[derive(Default)]
pub(crate) struct Exchange(Mutex<Passed>);

/// What was computed since the last look at it, and what the game wants of what comes next.
#[derive(Default)]
pub(crate) struct Passed {
    pub(crate) wish: Wish,
    pub(crate) poses: Vec<FacePose>,
    pub(crate) geometry: Vec<FaceGeometry>,
    /// When its sound arrived and was computed.
    pub(crate) moments: VecDeque<Moment>,
    pub(crate) failure: Option<String>,
    pub(crate) done: bool,
}

/// When a part of a live voice went which way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Moment {
    /// The end of the part on the clock of the speech, in seconds.
    pub(crate) seconds: f64,
    pub(crate) at: Instant,
    pub(crate) what: Way,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// The sound entered through the callback of its device, or was pushed.
    Arrived,
    /// The poses were there.
    Computed,
}

impl Exchange {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Passed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A voice on the thread.
struct LiveLine {
    line: Line,
    exchange: Arc<Exchange>,
    /// Whether the last pass gave poses, so that there may be more.
    going: bool,
    frames: u64,
}

/// The thread, which starts with the first live voice.
#[derive(Resource, Default)]
pub(crate) struct LiveVoices {
    thread: Option<Running>,
}

struct Running {
    sender: Sender<LiveLine>,
    handle: JoinHandle<()>,
    shared: Arc<Shared>,
}

/// What the thread tells.
#[derive(Default)]
struct Shared {
    /// Voices that it animates or is about to.
    voices: AtomicUsize,
    /// Rounds that began, and the number of the last one that ended.
    began: AtomicU64,
    ended: AtomicU64,
    stats: Mutex<InferenceStats>,
}

impl LiveVoices {
    /// Lets a voice be animated from now on, as long as somebody else holds the exchange.
    pub(super) fn add(&mut self, line: Line) -> Result<Arc<Exchange>, String> {
        let running = match &mut self.thread {
            Some(running) if !running.handle.is_finished() => running,
            other => other.insert(Running::start().map_err(|error| format!("no thread for live voices: {error}"))?),
        };
        let exchange = Arc::<Exchange>::default();
        line.wakes(running.handle.thread());
        running.shared.voices.fetch_add(1, Ordering::AcqRel);
        let frames = line.first_pose();
        let line = LiveLine { line, exchange: exchange.clone(), going: false, frames };
        if running.sender.send(line).is_err() {
            return Err("the thread for live voices ended".into());
        }
        running.handle.thread().unpark();
        Ok(exchange)
    }

    /// What was done since the last time.
    pub(super) fn take_stats(&self) -> Option<InferenceStats> {
        let stats = &self.thread.as_ref()?.shared.stats;
        Some(core::mem::take(&mut *stats.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Waits until everything that has arrived by now was animated.
    pub(super) fn wait(&self) {
        let Some(running) = &self.thread else { return };
        let before = running.shared.began.load(Ordering::Acquire);
        while running.shared.voices.load(Ordering::Acquire) > 0
            && running.shared.ended.load(Ordering::Acquire) <= before
            && !running.handle.is_finished()
        {
            running.handle.thread().unpark();
            thread::yield_now();
        }
    }
}

impl Drop for LiveVoices {
    /// The thread is not left in the engine while the process ends.
    fn drop(&mut self) {
        let Some(Running { sender, handle, .. }) = self.thread.take() else { return };
        drop(sender);
        handle.thread().unpark();
        if handle.join().is_err() {
            bevy_log::error!("talkie: the thread for live voices had panicked");
        }
    }
}

impl Running {
    fn start() -> std::io::Result<Self> {
        let (sender, receiver) = mpsc::channel();
        let shared = Arc::<Shared>::default();
        let theirs = shared.clone();
        let handle = thread::Builder::new().name("talkie live".into()).spawn(move || run(&receiver, &theirs))?;
        Ok(Self { sender, handle, shared })
    }
}

fn run(receiver: &Receiver<LiveLine>, shared: &Shared) {
    let mut lines: Vec<LiveLine> = Vec::new();
    loop {
        if lines.is_empty() {
            let Ok(line) = receiver.recv() else { return };
            lines.push(line);
        }
        let begun = Instant::now();
        // Before it looks at anything: a round that begins after something was handed over has seen it.
        let round = shared.began.fetch_add(1, Ordering::AcqRel) + 1;
        loop {
            match receiver.try_recv() {
                Ok(line) => lines.push(line),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return,
            }
        }
        let mut going = round_of(&mut lines, shared);
        // What waits longer than a call of the network takes is not left to the next round, which somebody may wait for.
        while going {
            going = round_of(&mut lines, shared);
        }
        lines.retain(|live| {
            let wanted = Arc::strong_count(&live.exchange) > 1 && !live.exchange.lock().done;
            if !wanted {
                shared.voices.fetch_sub(1, Ordering::AcqRel);
            }
            wanted
        });
        shared.ended.store(round, Ordering::Release);
        if !lines.is_empty() {
            let gathers = gathers(lines.len());
            thread::park_timeout(NAP.max(gathers));
            thread::sleep(gathers.saturating_sub(begun.elapsed()));
        }
    }
}

/// How long rounds are apart at least: a crowd is heard together, since one call of a network for many costs less than many calls.
fn gathers(voices: usize) -> Duration {
    if voices > FEW { (GATHER * voices as u32).min(LONGEST_GATHER) } else { Duration::ZERO }
}

/// Animates what arrived; tells whether there is more.
fn round_of(lines: &mut [LiveLine], shared: &Shared) -> bool {
    // One network after the other, each with all its voices together.
    let mut models: Vec<FaceModel> = Vec::new();
    for live in lines.iter_mut() {
        live.going |= live.line.has_news();
        if live.going && models.iter().all(|known| known.key() != live.line.model.key()) {
            models.push(live.line.model.clone());
        }
    }
    for model in models {
        let started = Instant::now();
        let mut together: Vec<&mut Line> = Vec::new();
        for live in lines.iter_mut().filter(|live| live.going && live.line.model.key() == model.key()) {
            live.line.wish(&live.exchange.lock().wish);
            together.push(&mut live.line);
        }
        let poses = animate(&model, &mut together, FRAMES);
        let seconds = model.frame_rate().seconds(poses as u64);
        let mut stats = shared.stats.lock().unwrap_or_else(PoisonError::into_inner);
        stats.batches += u64::from(seconds > 0.0);
        stats.seconds_animated += seconds;
        stats.seconds_busy += started.elapsed().as_secs_f64();
    }
    lines.iter_mut().filter(|live| live.going).for_each(LiveLine::pass_on);
    lines.iter().any(|live| live.going)
}

impl LiveLine {
    /// Hands over what was computed.
    fn pass_on(&mut self) {
        let line = &mut self.line;
        self.going = !line.poses.is_empty() && line.failure.is_none() && !line.done;
        let (rate, sample_rate) = (line.model.frame_rate(), f64::from(line.sample_rate().max(1)));
        let mut passed = self.exchange.lock();
        for mark in line.marks.drain(..) {
            let seconds = mark.end as f64 / sample_rate;
            passed.moments.push_back(Moment { seconds, at: mark.at, what: Way::Arrived });
        }
        if !line.poses.is_empty() {
            self.frames += line.poses.len() as u64;
            let seconds = rate.seconds(self.frames);
            passed.moments.push_back(Moment { seconds, at: Instant::now(), what: Way::Computed });
        }
        passed.poses.append(&mut line.poses);
        passed.geometry.append(&mut line.geometry);
        passed.failure = passed.failure.take().or_else(|| line.failure.clone());
        passed.done = line.done || line.failure.is_some();
    }
}
