//! What a character feels.

use bevy_ecs::component::Component;
use talkie::emotion::{Emotion, FACE_EMOTIONS};

/// Seconds an emotion takes to come and to go, unless a [`Feeling`] says otherwise.
const EASE: f32 = 0.4;
/// Differences and speeds below this are over.
const NOTHING: f32 = 1e-4;

/// A request to show an emotion or a mix of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Feeling {
    /// How much of each emotion, 0..=1, in the order of [`FACE_EMOTIONS`]. Zeros are calm, which covers what is less urgent.
    pub emotions: [f32; FACE_EMOTIONS.len()],
    /// The highest is shown, those below wait for its end. At each priority a face has one feeling, the latest. Default 0.
    pub priority: i32,
    /// How long it lasts from the request on, in seconds of the game; also while something more urgent covers it. Then it
    /// eases out. Default `None`: until it is replaced or ended.
    pub seconds: Option<f32>,
    /// Seconds until it is there, smoothly and all but 2 %. Default 0.4; 0 is at once.
    pub ease_in: f32,
    /// Seconds until it is gone, in the same way. Default 0.4.
    pub ease_out: f32,
}

impl Feeling {
    /// One emotion, with an intensity of 0..=1.
    pub fn new(emotion: Emotion, intensity: f32) -> Self {
        let mut emotions = [0.0; FACE_EMOTIONS.len()];
        emotions[emotion.index()] = intensity;
        Self::mixed(emotions)
    }

    /// A mix of emotions, each 0..=1, in the order of [`FACE_EMOTIONS`].
    pub fn mixed(emotions: [f32; FACE_EMOTIONS.len()]) -> Self {
        Self { emotions, priority: 0, seconds: None, ease_in: EASE, ease_out: EASE }
    }

    /// Sets the [`priority`](Self::priority).
    #[must_use]
    pub fn with_priority(self, priority: i32) -> Self {
        Self { priority, ..self }
    }

    /// Limits it to so many [`seconds`](Self::seconds).
    #[must_use]
    pub fn lasting(self, seconds: f32) -> Self {
        Self { seconds: Some(seconds), ..self }
    }

    /// Sets how fast it comes and goes, in seconds.
    #[must_use]
    pub fn easing(self, ease_in: f32, ease_out: f32) -> Self {
        Self { ease_in, ease_out, ..self }
    }

    /// With nothing in it that is not a number or out of range.
    fn sane(mut self) -> Self {
        for intensity in &mut self.emotions {
            *intensity = if intensity.is_nan() { 0.0 } else { intensity.clamp(0.0, 1.0) };
        }
        let ease = |seconds: f32| if seconds.is_finite() { seconds.max(0.0) } else { EASE };
        (self.ease_in, self.ease_out) = (ease(self.ease_in), ease(self.ease_out));
        self.seconds = self.seconds.map(|seconds| if seconds.is_nan() { 0.0 } else { seconds });
        self
    }
}

/// What a character feels, and how much of it the face shows now. Comes with [`TalkingFace`](super::TalkingFace).
///
/// It is seen whichever network speaks, and without speech too: the weights of
/// [`talkie::emotion::expression`](talkie::emotion::expression()) join the face like an [`Expression`](super::Expression).
///
/// ```
/// # use bevy_talkie::prelude::*;
/// # let mut emotions = Emotions::default();
/// emotions.feel(Emotion::Sadness, 0.6);
/// // A short surprise over the sadness, which comes back after it.
/// emotions.request(Feeling::new(Emotion::Amazement, 1.0).with_priority(1).lasting(0.8).easing(0.15, 0.5));
/// // The sadness is over.
/// emotions.end(0);
/// ```
///
/// Counts as changed when something is requested and in every frame in which [`current`](Self::current) changes.
#[derive(Component, Debug, Clone, Default, PartialEq)]
pub struct Emotions {
    /// By ascending priority, one for each.
    feelings: Vec<Feeling>,
    /// What shows, and by how much it changes in a second.
    current: [f32; FACE_EMOTIONS.len()],
    speed: [f32; FACE_EMOTIONS.len()],
    /// Seconds of the transition under way.
    ease: f32,
}

impl Emotions {
    /// A character that feels this from the start; the face eases into it.
    pub fn new(emotion: Emotion, intensity: f32) -> Self {
        let mut emotions = Self::default();
        emotions.feel(emotion, intensity);
        emotions
    }

    /// From now on, until told otherwise, this is how the character feels (at priority 0). Intensity 0..=1.
    pub fn feel(&mut self, emotion: Emotion, intensity: f32) {
        self.request(Feeling::new(emotion, intensity));
    }

    /// Requests a feeling, in place of the one that has its priority. Numbers out of range are clamped, and what is not a
    /// number is nothing.
    pub fn request(&mut self, feeling: Feeling) {
        let feeling = feeling.sane();
        let place = match self.feelings.binary_search_by_key(&feeling.priority, |known| known.priority) {
            Ok(place) => {
                self.feelings[place] = feeling;
                place
            }
            Err(place) => {
                self.feelings.insert(place, feeling);
                place
            }
        };
        if place + 1 == self.feelings.len() {
            self.ease = feeling.ease_in;
        }
    }

    /// Takes back the feeling of this priority, if there is one; it eases out.
    pub fn end(&mut self, priority: i32) {
        self.end_where(|feeling| feeling.priority == priority);
    }

    /// Takes back all feelings; the face eases to rest.
    pub fn calm(&mut self) {
        self.end_where(|_| true);
    }

    /// What is felt, whether it shows now or waits, by ascending priority. [`Feeling::seconds`] are those that are left.
    pub fn feelings(&self) -> &[Feeling] {
        &self.feelings
    }

    /// What shows now, eased: each 0..=1, in the order of [`FACE_EMOTIONS`]; always finite. Updated in
    /// [`TalkieSystems::Face`](crate::TalkieSystems::Face).
    pub fn current(&self) -> &[f32; FACE_EMOTIONS.len()] {
        &self.current
    }

    /// Whether time changes nothing here: all is shown as it is felt, and nothing will end by itself.
    pub(super) fn is_steady(&self) -> bool {
        self.current == self.goal()
            && self.speed == [0.0; FACE_EMOTIONS.len()]
            && self.feelings.iter().all(|feeling| feeling.seconds.is_none())
    }

    /// Lets `delta` seconds pass. Returns whether [`current`](Self::current) changed.
    pub(super) fn advance(&mut self, delta: f32) -> bool {
        for seconds in self.feelings.iter_mut().filter_map(|feeling| feeling.seconds.as_mut()) {
            *seconds -= delta;
        }
        self.end_where(|feeling| feeling.seconds.is_some_and(|seconds| seconds <= 0.0));
        let (goal, before) = (self.goal(), self.current);
        for ((value, speed), goal) in self.current.iter_mut().zip(&mut self.speed).zip(goal) {
            (*value, *speed) = approach(*value, *speed, goal, self.ease, delta);
        }
        self.current != before
    }

    /// The most urgent feeling.
    fn goal(&self) -> [f32; FACE_EMOTIONS.len()] {
        self.feelings.last().map_or([0.0; FACE_EMOTIONS.len()], |feeling| feeling.emotions)
    }

    /// Ends feelings; if the one that shows is among them, the face goes on as slowly as that one says.
    fn end_where(&mut self, ends: impl Fn(&Feeling) -> bool) {
        if let Some(shown) = self.feelings.last().filter(|shown| ends(shown)) {
            self.ease = shown.ease_out;
        }
        self.feelings.retain(|feeling| !ends(feeling));
    }
}

/// Value and speed after `delta` seconds on the way to `goal`, as a critically damped spring goes: it starts and ends smoothly,
/// takes a new goal at any time, and gives the same for one long step as for many short ones. After `ease` seconds from
/// standstill less than 2 % are left.
fn approach(value: f32, speed: f32, goal: f32, ease: f32, delta: f32) -> (f32, f32) {
    if ease <= 0.0 {
        return (goal, 0.0);
    }
    let rate = 6.0 / ease;
    let (distance, decay) = (value - goal, (-rate * delta).exp());
    let push = speed + rate * distance;
    let value = goal + (distance + push * delta) * decay;
    let speed = (speed - rate * push * delta) * decay;
    let arrived = (value - goal).abs() < NOTHING && speed.abs() < NOTHING * rate;
    if arrived || !value.is_finite() || !speed.is_finite() { (goal, 0.0) } else { (value.clamp(0.0, 1.0), speed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: f32 = 1.0 / 60.0;

    /// How much of an emotion shows at each of the next frames.
    fn watch(emotions: &mut Emotions, emotion: Emotion, seconds: f32) -> Vec<f32> {
        (0..(seconds / FRAME).round() as usize)
            .map(|_| {
                emotions.advance(FRAME);
                emotions.current()[emotion.index()]
            })
            .collect()
    }

    fn shown(emotions: &Emotions, emotion: Emotion) -> f32 {
        emotions.current()[emotion.index()]
    }

    #[test]
    fn a_feeling_comes_and_goes_smoothly_within_its_times() {
        let mut emotions = Emotions::default();
        emotions.request(Feeling::new(Emotion::Joy, 0.8).easing(0.4, 1.0));
        let coming = watch(&mut emotions, Emotion::Joy, 0.4);
        assert!(coming[0] < 0.05 && coming.windows(2).all(|pair| pair[1] > pair[0]));
        assert!(coming[5] > 0.1 && coming.windows(2).all(|pair| pair[1] - pair[0] < 0.1), "{coming:?}");
        assert!((coming[23] - 0.8).abs() < 0.02 * 0.8, "{}", coming[23]);
        watch(&mut emotions, Emotion::Joy, 1.0);
        assert_eq!(shown(&emotions, Emotion::Joy), 0.8);
        emotions.end(0);
        let going = watch(&mut emotions, Emotion::Joy, 1.0);
        assert!(going[0] > 0.78 && going.windows(2).all(|pair| pair[1] <= pair[0]));
        assert!(going[24] > 0.2 && going[59] < 0.02, "as slowly as it says: {} {}", going[24], going[59]);
        watch(&mut emotions, Emotion::Joy, 2.0);
        assert_eq!(shown(&emotions, Emotion::Joy), 0.0);
    }

    #[test]
    fn the_most_urgent_feeling_shows_and_gives_way_to_what_waits() {
        let mut emotions = Emotions::new(Emotion::Sadness, 0.6);
        watch(&mut emotions, Emotion::Sadness, 2.0);
        emotions.request(Feeling::new(Emotion::Amazement, 1.0).with_priority(1).lasting(0.8).easing(0.1, 0.3));
        watch(&mut emotions, Emotion::Amazement, 0.5);
        assert!(shown(&emotions, Emotion::Amazement) > 0.95 && shown(&emotions, Emotion::Sadness) < 0.05);
        // A change below shows nothing yet.
        emotions.feel(Emotion::Anger, 0.5);
        watch(&mut emotions, Emotion::Anger, 0.2);
        assert!(shown(&emotions, Emotion::Anger) < 0.01);
        watch(&mut emotions, Emotion::Anger, 0.5);
        assert!(shown(&emotions, Emotion::Amazement) < 0.05, "after its time it is gone");
        assert!(shown(&emotions, Emotion::Anger) > 0.45, "what waited is back");
        assert_eq!(emotions.feelings().len(), 1);
    }

    #[test]
    fn what_lasts_less_than_something_more_urgent_never_shows() {
        let mut emotions = Emotions::default();
        emotions.request(Feeling::new(Emotion::Anger, 1.0).with_priority(5));
        emotions.request(Feeling::new(Emotion::Joy, 1.0).lasting(0.5));
        watch(&mut emotions, Emotion::Joy, 1.0);
        emotions.end(5);
        assert!(watch(&mut emotions, Emotion::Joy, 1.0).iter().all(|joy| *joy == 0.0));
    }

    #[test]
    fn the_latest_of_one_priority_counts_and_asking_again_piles_nothing_up() {
        let mut emotions = Emotions::default();
        for frame in 0..300 {
            emotions.feel(Emotion::Pain, frame as f32 / 300.0);
            emotions.advance(FRAME);
        }
        assert_eq!(emotions.feelings().len(), 1);
        assert!(shown(&emotions, Emotion::Pain) > 0.9, "it follows a goal that moves in every frame");
        emotions.feel(Emotion::Joy, 0.5);
        watch(&mut emotions, Emotion::Joy, 2.0);
        assert_eq!((shown(&emotions, Emotion::Pain), shown(&emotions, Emotion::Joy)), (0.0, 0.5));
    }

    #[test]
    fn calm_takes_everything_back_and_calm_covers_too() {
        let mut emotions = Emotions::new(Emotion::Fear, 1.0);
        emotions.request(Feeling::mixed([0.0; 10]).with_priority(9));
        assert!(watch(&mut emotions, Emotion::Fear, 1.0).iter().all(|fear| *fear == 0.0), "a straight face");
        emotions.end(9);
        assert!(watch(&mut emotions, Emotion::Fear, 1.0)[59] > 0.95);
        emotions.end(3);
        assert_eq!(emotions.feelings().len(), 1, "nothing has that priority");
        emotions.calm();
        watch(&mut emotions, Emotion::Fear, 2.0);
        assert_eq!(*emotions.current(), [0.0; 10]);
        assert!(emotions.is_steady());
    }

    #[test]
    fn numbers_that_make_no_sense_do_no_harm() {
        let mut emotions = Emotions::default();
        emotions.feel(Emotion::Joy, f32::NAN);
        emotions.request(Feeling::new(Emotion::Fear, 7.0).with_priority(1).easing(f32::NAN, -3.0));
        emotions.request(Feeling::new(Emotion::Anger, 1.0).with_priority(2).lasting(f32::NAN).easing(0.0, 0.0));
        emotions.request(Feeling::mixed([f32::NEG_INFINITY; 10]).with_priority(3).lasting(-1.0));
        for delta in [FRAME, 0.0, 100.0, FRAME] {
            emotions.advance(delta);
            assert!(emotions.current().iter().all(|value| (0.0..=1.0).contains(value)), "{emotions:?}");
        }
        assert_eq!((shown(&emotions, Emotion::Joy), shown(&emotions, Emotion::Fear)), (0.0, 1.0));
        assert_eq!(emotions.feelings().len(), 2, "what lasts no time is gone");
    }

    #[test]
    fn a_long_frame_ends_where_short_ones_do() {
        let mut slow = Emotions::new(Emotion::Grief, 1.0);
        let mut fast = slow.clone();
        slow.advance(0.2);
        (0..200).for_each(|_| _ = fast.advance(0.001));
        assert!((shown(&slow, Emotion::Grief) - shown(&fast, Emotion::Grief)).abs() < 1e-3);
    }

    #[test]
    fn only_what_moves_counts_as_change() {
        let mut emotions = Emotions::default();
        assert!(!emotions.advance(FRAME));
        emotions.feel(Emotion::Joy, 1.0);
        assert!(emotions.advance(FRAME) && !emotions.is_steady());
        while emotions.advance(FRAME) {}
        assert!(emotions.is_steady() && shown(&emotions, Emotion::Joy) == 1.0);
    }
}
