//! Who gets poses next, and how many: by when they run out, within what the game allows.

use bevy_ecs::{entity::Entity, resource::Resource};
use talkie::animation::FacePose;

/// What networks may use of the machine. The plugin keeps to both.
///
/// Live voices come first, then whoever runs out of poses soonest; what is left is used to compute ahead. If the work that is due
/// takes more than there is, lines wait for poses, each as long as the others: use fewer
/// networks then ([`FaceDetail`](crate::face::FaceDetail)).
#[derive(Resource, Debug, Clone, Copy, PartialEq)]
pub struct InferenceBudget {
    /// Seconds that batches may take in every second: resampling, features and networks of all speakers. Default 1: one core.
    /// What is not used is saved up, a second of it at most, so that a crowd that begins at once may take twice as much in its first
    /// second. Live voices are always animated and use up their part of it.
    pub load: f64,
    /// Bytes that poses computed ahead may take, over all speakers. Default 64 MB. Each gets half a second whatever is set here, about 17 kB.
    pub memory: usize,
}

impl Default for InferenceBudget {
    fn default() -> Self {
        Self { load: 1.0, memory: 64 << 20 }
    }
}

/// How far ahead of what is heard a track is computed, in seconds, where there is memory. Lines up to this length are computed at once,
/// so that nothing is left to do while they are heard; longer ones are computed as they go and need no more memory.
const MOST_AHEAD: f64 = 20.0;
const LEAST_AHEAD: f64 = 0.5;
/// Poses of what was heard that a track keeps, in seconds.
pub(crate) const KEPT: f64 = 0.5;
/// Whoever has less than so many seconds of poses is waited for; others are computed ahead when there is time.
const SOON: f64 = 1.0;
/// Whoever has less than this is about to be seen without poses.
const DUE: f64 = 0.3;
/// Poses of a line in a batch where somebody is about to be seen without, in seconds: everybody gets a little.
const LITTLE: f64 = 0.4;
/// Poses of a line in any batch, in seconds.
const MUCH: f64 = 1.28;
/// What a batch takes about at most, in seconds: short enough for whoever begins meanwhile, and long beside the rest of a frame in which
/// the next one is not sent off yet.
const BATCH: f64 = 0.045;
/// What a batch takes about at most that only computes ahead, as a share of a frame, and at least in seconds: it is sent off at the end of a
/// frame and done before the next one, but for a line that takes longer, so that it is in nobody's way even where there are few cores.
const BETWEEN_FRAMES: f64 = 0.5;
const LEAST_BATCH: f64 = 0.004;
/// What a pose is thought to take before one was computed, in seconds.
const UNKNOWN_COST: f64 = 1e-4;
/// Work is saved up for so many seconds, for moments in which many begin to speak; a part of it is not used to compute ahead.
const SAVED: f64 = 1.0;
const RESERVED: f64 = 0.25;

/// A line that wants poses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Need {
    pub(super) speaker: Entity,
    /// Seconds of poses that it has beyond what is heard; negative where it has none for what is heard.
    pub(super) ahead: f64,
    /// Which of the models of this frame.
    pub(super) model: usize,
}

/// What is known of a model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cost {
    /// Poses per second of speech.
    pub(super) hertz: f64,
    /// What a pose took lately, in seconds; 0 if nobody knows.
    pub(super) seconds_per_pose: f64,
    /// The most seconds of poses that a line gets at once.
    pub(super) most_seconds: f64,
}

/// Who is in the next batch of a model, and how many poses each gets.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Share {
    pub(super) speakers: Vec<Entity>,
    pub(super) frames: usize,
}

/// Decides in every frame what is computed next.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Seconds of work that may be done now; below 0 if more was done than there was.
    credit: f64,
    /// Seconds of work for every second.
    load: f64,
    /// How far ahead everybody may compute.
    ahead: f64,
    /// What a batch may take that only computes ahead, in seconds.
    between: f64,
    speakers: usize,
    needs: Vec<Need>,
}

impl Plan {
    /// A frame begins, so many seconds after the one before.
    pub(super) fn begin(&mut self, budget: &InferenceBudget, delta: f64) {
        self.load = if budget.load.is_nan() { 0.0 } else { budget.load.max(0.0) };
        let most = self.load * SAVED;
        // The very first frame has all of it.
        let before = if self.ahead == 0.0 { most } else { self.credit };
        self.credit = (before + self.load * delta).min(most);
        if self.credit.is_nan() {
            self.credit = most;
        }
        self.between = (delta * BETWEEN_FRAMES).clamp(LEAST_BATCH, BATCH);
        // A batch may give more than is missing.
        let per_second = size_of::<FacePose>() as f64 * 50.0 * 1.5;
        let affordable = budget.memory as f64 / (per_second * self.speakers.max(1) as f64) - KEPT;
        self.ahead = affordable.clamp(LEAST_AHEAD, MOST_AHEAD);
        self.speakers = 0;
        self.needs.clear();
    }

    /// Work was done, in seconds.
    pub(super) fn spend(&mut self, seconds: f64) {
        // Nobody pays for more than a second.
        self.credit = (self.credit - seconds).max(-self.load.max(1.0));
    }

    /// Counts a line that is animated.
    pub(super) fn note_speaker(&mut self) {
        self.speakers += 1;
    }

    /// How far ahead of what is heard a track is computed in this frame, in seconds.
    pub(super) fn ahead_seconds(&self) -> f64 {
        self.ahead
    }

    pub(super) fn add(&mut self, need: Need) {
        self.needs.push(need);
    }

    /// Lines that wait for poses, and those of them that should be seen with some now.
    pub(super) fn waiting(&self) -> (usize, usize) {
        (self.needs.len(), self.needs.iter().filter(|need| need.ahead < 0.0).count())
    }

    /// Orders them: whoever runs out first comes first. Tells in which order the models have their turn.
    pub(super) fn order(&mut self, models: &mut Vec<usize>) {
        self.needs.sort_unstable_by(|a, b| a.ahead.total_cmp(&b.ahead));
        models.clear();
        for need in &self.needs {
            if !models.contains(&need.model) {
                models.push(need.model);
            }
        }
    }

    /// The next batch of a model; `None` if it has to wait.
    pub(super) fn share(&mut self, model: usize, cost: &Cost) -> Option<Share> {
        let mut waiting = self.needs.iter().filter(|need| need.model == model);
        let first = waiting.next()?;
        let reserved = if first.ahead < SOON { 0.0 } else { self.load * RESERVED };
        if self.credit <= reserved && self.load.is_finite() {
            return None;
        }
        let per_pose = if cost.seconds_per_pose > 0.0 { cost.seconds_per_pose } else { UNKNOWN_COST };
        let seconds = if first.ahead < DUE {
            // Where there is room, all that was missed at once.
            let lines = 1 + waiting.clone().count();
            let room = BATCH / (per_pose * cost.hertz * lines as f64);
            (LITTLE - first.ahead.min(0.0)).min(room).clamp(LITTLE, MUCH)
        } else {
            MUCH.min((self.ahead / 2.0).max(LITTLE))
        };
        let frames = ((seconds.min(cost.most_seconds) * cost.hertz).ceil() as usize).max(1);
        let most = |seconds: f64| (seconds / (per_pose * frames as f64)).ceil().max(1.0) as usize;
        let (most, ahead) = (most(BATCH), most(self.between));
        let chosen = core::iter::once(first).chain(waiting).take(most).enumerate();
        let chosen = chosen.take_while(|(index, need)| need.ahead < SOON || *index < ahead);
        Some(Share { speakers: chosen.map(|(_, need)| need.speaker).collect(), frames })
    }
}

#[cfg(test)]
mod tests;
