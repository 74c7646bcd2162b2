use super::*;

const FRAME: f64 = 1.0 / 60.0;
const HERTZ: f64 = 50.0;

/// Speakers with one network, one batch at a time.
struct Town {
    plan: Plan,
    budget: InferenceBudget,
    /// Seconds of poses each has beyond what is heard.
    ahead: Vec<f64>,
    /// The batch under way and when it is done.
    under_way: Option<(Share, f64)>,
    seconds_per_pose: f64,
    now: f64,
    spent: f64,
}

impl Town {
    fn new(speakers: usize, seconds_per_pose: f64, budget: InferenceBudget) -> Self {
        let ahead = vec![0.0; speakers];
        Self { plan: Plan::default(), budget, ahead, under_way: None, seconds_per_pose, now: 0.0, spent: 0.0 }
    }

    fn frame(&mut self) {
        self.now += FRAME;
        // Nobody is heard before there are poses.
        self.ahead.iter_mut().filter(|ahead| **ahead != 0.0).for_each(|ahead| *ahead -= FRAME);
        if let Some((share, done)) = self.under_way.take_if(|(_, done)| *done <= self.now) {
            let took = self.seconds_per_pose * (share.frames * share.speakers.len()) as f64;
            self.spent += took;
            self.plan.spend(took);
            for speaker in share.speakers {
                self.ahead[speaker.index_u32() as usize] += share.frames as f64 / HERTZ;
            }
            let _ = done;
        }
        self.plan.begin(&self.budget, FRAME);
        for (index, ahead) in self.ahead.iter().enumerate() {
            self.plan.note_speaker();
            if *ahead < self.plan.ahead_seconds() {
                let speaker = Entity::from_raw_u32(index as u32).unwrap();
                self.plan.add(Need { speaker, ahead: *ahead, model: 0 });
            }
        }
        let mut turns = Vec::new();
        self.plan.order(&mut turns);
        let cost = Cost { hertz: HERTZ, seconds_per_pose: self.seconds_per_pose, most_seconds: f64::INFINITY };
        if self.under_way.is_none()
            && let Some(share) = turns.first().and_then(|model| self.plan.share(*model, &cost))
        {
            let took = self.seconds_per_pose * (share.frames * share.speakers.len()) as f64;
            self.under_way = Some((share, self.now + took));
        }
    }

    fn least(&self) -> f64 {
        self.ahead.iter().copied().fold(f64::INFINITY, f64::min)
    }
}

#[test]
fn whoever_runs_out_first_comes_first() {
    let mut plan = Plan::default();
    plan.begin(&InferenceBudget::default(), FRAME);
    let speaker = |index| Entity::from_raw_u32(index).unwrap();
    for (index, ahead, model) in [(0, 0.9, 0), (1, 0.2, 1), (2, -0.5, 0), (3, 0.6, 0), (4, 9.0, 1)] {
        plan.add(Need { speaker: speaker(index), ahead, model });
    }
    assert_eq!(plan.waiting(), (5, 1));
    let mut turns = Vec::new();
    plan.order(&mut turns);
    assert_eq!(turns, [0, 1]);
    let cost = |seconds_per_pose| Cost { hertz: HERTZ, seconds_per_pose, most_seconds: f64::INFINITY };
    // A pose takes 1.5 ms: a batch of 45 ms has 30, and somebody is about to be seen without, so each gets 20.
    assert_eq!(plan.share(0, &cost(1.5e-3)), Some(Share { speakers: vec![speaker(2), speaker(3)], frames: 20 }));
    assert_eq!(plan.share(1, &cost(1.0)), Some(Share { speakers: vec![speaker(1)], frames: 20 }), "at least one");
    // With room for three lines, each gets what the one missed that runs out first.
    assert_eq!(plan.share(0, &cost(1e-4)).map(|share| (share.speakers.len(), share.frames)), Some((3, 45)));
    assert_eq!(plan.share(2, &cost(1.0)), None);
}

#[test]
fn what_only_computes_ahead_is_done_between_two_frames() {
    // A line of 64 poses takes 6.4 ms.
    let cost = Cost { hertz: HERTZ, seconds_per_pose: 1e-4, most_seconds: f64::INFINITY };
    let batch = |delta: f64, soon: usize| {
        let mut plan = Plan::default();
        plan.begin(&InferenceBudget::default(), delta);
        for index in 0..50 {
            let ahead = if index < soon { 0.5 } else { 2.0 };
            plan.add(Need { speaker: Entity::from_raw_u32(index as u32).unwrap(), ahead, model: 0 });
        }
        plan.order(&mut Vec::new());
        let share = plan.share(0, &cost).unwrap();
        assert_eq!(share.frames, 64);
        assert!((0..soon.min(8)).all(|index| share.speakers.iter().any(|of| of.index_u32() as usize == index)));
        share.speakers.len()
    };
    assert_eq!((batch(FRAME, 0), batch(2.0 * FRAME, 0), batch(0.0, 0)), (2, 3, 1));
    assert_eq!(batch(10.0, 0), 8, "no batch is longer than any other after a stall");
    // Whoever is about to run out is not kept waiting for that; others come along where there is room.
    assert_eq!((batch(FRAME, 1), batch(FRAME, 5), batch(FRAME, 20)), (2, 5, 8));
}

#[test]
fn many_that_begin_at_once_all_begin_soon_and_go_on() {
    // 300 speakers of one core: 80 % of it.
    let mut town = Town::new(300, 0.8 / (300.0 * HERTZ), InferenceBudget::default());
    let mut begun = None;
    for frame in 0..3_600 {
        town.frame();
        assert!(town.least() >= 0.0, "somebody has no pose after {frame} frames");
        if begun.is_none() && town.least() > 0.0 {
            begun = Some(frame);
        }
    }
    assert!(begun.is_some_and(|frames| frames < 60), "{begun:?} frames until everybody spoke");
}

#[test]
fn a_budget_is_kept_and_what_there_is_goes_to_all() {
    // Four times as much work as is allowed.
    let budget = InferenceBudget { load: 0.25, ..InferenceBudget::default() };
    let mut town = Town::new(40, 1.0 / (40.0 * HERTZ), budget);
    (0..6_000).for_each(|_| town.frame());
    let (seconds, most) = (town.now, town.ahead.iter().copied().fold(f64::NEG_INFINITY, f64::max));
    assert!(town.spent <= 0.25 * (seconds + SAVED) + 2.0 * BATCH, "{} s in {seconds} s", town.spent);
    assert!(town.spent > 0.24 * seconds, "{} s in {seconds} s: it could have been more", town.spent);
    assert!(most - town.least() < 1.0, "one is {} s further than another", most - town.least());
}

#[test]
fn nobody_computes_ahead_with_what_is_reserved_for_whoever_begins() {
    let mut plan = Plan::default();
    plan.begin(&InferenceBudget { load: 0.5, ..InferenceBudget::default() }, FRAME);
    let cost = Cost { hertz: HERTZ, seconds_per_pose: 1e-4, most_seconds: f64::INFINITY };
    let speaker = Entity::from_raw_u32(0).unwrap();
    plan.add(Need { speaker, ahead: 5.0, model: 0 });
    assert!(plan.share(0, &cost).is_some());
    plan.spend(0.5 - 0.1);
    assert_eq!(plan.share(0, &cost), None, "it can wait");
    plan.add(Need { speaker, ahead: 0.1, model: 1 });
    assert!(plan.share(1, &cost).is_some(), "this one cannot");
    plan.spend(0.2);
    assert_eq!(plan.share(1, &cost), None);
}

#[test]
fn poses_ahead_fit_into_memory() {
    let budget = InferenceBudget { memory: 16 << 20, ..InferenceBudget::default() };
    for speakers in [1, 10, 100, 400] {
        let mut town = Town::new(speakers, 1e-7, budget);
        (0..1_800).for_each(|_| town.frame());
        let seconds: f64 = town.ahead.iter().map(|ahead| ahead + KEPT).sum();
        let bytes = seconds * HERTZ * size_of::<FacePose>() as f64;
        assert!(bytes <= budget.memory as f64, "{speakers} speakers have {bytes} bytes of poses");
        assert!(town.least() >= LEAST_AHEAD - 0.1, "{}", town.least());
        assert!(town.ahead.iter().all(|ahead| *ahead <= MOST_AHEAD + MUCH));
    }
}

#[test]
fn absurd_budgets_do_no_harm() {
    for (load, memory) in [(f64::NAN, 0), (-1.0, usize::MAX), (f64::INFINITY, 1), (0.0, 0)] {
        let mut town = Town::new(3, 1e-5, InferenceBudget { load, memory });
        (0..120).for_each(|_| town.frame());
        assert_eq!(town.spent > 0.0, load == f64::INFINITY, "load {load}");
    }
}
