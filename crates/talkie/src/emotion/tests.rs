use proptest::prelude::*;

use super::*;

fn processor(parameters: EmotionParameters) -> EmotionPostprocessor {
    EmotionPostprocessor::new(&DEFAULT_CORRESPONDENCE, FACE_EMOTIONS.len(), parameters).unwrap()
}

#[test]
fn the_first_frame_has_its_share_of_the_softmax() {
    let mut processor = processor(EmotionParameters::default());
    let logits = [2.0_f32, -1.0, 0.5, 3.0, 1.0, 0.0];
    let sum: f32 = logits.iter().map(|logit| logit.exp()).sum();
    let got = processor.process(&logits).unwrap();
    for (output, got) in got.iter().enumerate() {
        let emotion = DEFAULT_CORRESPONDENCE.iter().position(|to| *to == Some(output));
        let want = emotion.map_or(0.0, |emotion| 0.6 * 0.3 * logits[emotion].exp() / sum);
        assert!((got - want).abs() < 1e-6, "{output}: {got} {want}");
    }
}

#[test]
fn a_preference_at_full_strength_passes_unchanged() {
    let preferred: Vec<f32> = (0..10).map(|index| index as f32 / 10.0).collect();
    let mut processor = processor(EmotionParameters {
        enable_preferred_emotion: true,
        preferred_emotion_strength: 1.0,
        emotion_strength: 1.0,
        live_transition_time: 0.0,
        ..Default::default()
    });
    for shift in 0..4 {
        let mut preferred = preferred.clone();
        preferred.rotate_left(shift);
        processor.set_preferred_emotion(&preferred).unwrap();
        assert_eq!(processor.process(&[0.3, 4.0, -2.0, 0.0, 1.0, 0.5]).unwrap(), preferred);
    }
}

#[test]
fn outputs_without_an_emotion_start_from_what_came_out_last() {
    let beginning_emotion = vec![0.8; 10];
    let parameters = EmotionParameters { beginning_emotion, live_blend_coef: 0.0, ..Default::default() };
    let mut processor = processor(EmotionParameters { live_transition_time: 0.0, ..parameters });
    let first = processor.process(&[0.0; 6]).unwrap()[0];
    assert!((first - 0.8 * 0.6).abs() < 1e-6);
    let second = processor.process(&[0.0; 6]).unwrap()[0];
    assert!((second - 0.8 * 0.6 * 0.6).abs() < 1e-6, "{second}");
    processor.reset();
    assert_eq!(processor.process(&[0.0; 6]).unwrap()[0], first);
}

#[test]
fn only_the_strongest_are_kept_and_more_than_all_are_all() {
    let logits = [3.0, 2.0, 1.0, 0.0, 5.0, -1.0];
    let kept = |max_emotions| {
        let mut processor = processor(EmotionParameters { max_emotions, ..Default::default() });
        processor.process(&logits).unwrap().iter().filter(|value| **value > 0.0).count()
    };
    assert_eq!([0, 1, 2, 5, 6, usize::MAX].map(kept), [0, 1, 2, 5, 5, 5]);
}

#[test]
fn the_mood_changes_at_the_same_speed_at_any_frame_rate_if_asked_to() {
    let after_a_second = |fixed_dt: f32, is_blend_time_aware: bool| {
        let mut processor = processor(EmotionParameters {
            fixed_dt,
            is_blend_time_aware,
            live_blend_coef: 0.97,
            live_transition_time: 0.0,
            ..Default::default()
        });
        let frames = (1.0 / fixed_dt).round() as usize;
        (0..frames).map(|_| processor.process(&[9.0, 0.0, 0.0, 0.0, 0.0, 0.0]).unwrap()[1]).last().unwrap()
    };
    assert!((after_a_second(1.0 / 60.0, true) - after_a_second(1.0 / 30.0, true)).abs() < 0.01);
    assert!((after_a_second(1.0 / 60.0, false) - after_a_second(1.0 / 30.0, false)).abs() > 0.1);
    assert_eq!(after_a_second(0.033, true), after_a_second(0.033, false));
}

#[test]
fn bad_parameters_and_logits_are_refused_by_name_and_change_nothing() {
    let mut processor = processor(EmotionParameters::default());
    let before = processor.parameters().clone();
    for (parameters, says) in [
        (EmotionParameters { live_blend_coef: 1.5, ..Default::default() }, "live_blend_coef is 1.5; expected 0..=1"),
        (EmotionParameters { fixed_dt: f32::NAN, ..Default::default() }, "fixed_dt is NaN"),
        (EmotionParameters { beginning_emotion: vec![0.0; 9], ..Default::default() }, "beginning_emotion has 9 values"),
        (EmotionParameters { preferred_emotion: vec![-1.0; 10], ..Default::default() }, "preferred_emotion is -1"),
    ] {
        let error = processor.set_parameters(parameters).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
        assert_eq!(processor.parameters(), &before);
    }
    assert!(
        processor.set_preferred_emotion(&[2.0; 10]).is_err() && processor.set_preferred_emotion(&[0.0; 3]).is_err()
    );
    assert!(processor.process(&[0.0; 5]).is_err());
    assert!(
        processor.process(&[0.0, 0.0, f32::NAN, 0.0, 0.0, 0.0]).unwrap_err().to_string().contains("value 2 is NaN")
    );
    let mut fresh = self::processor(EmotionParameters::default());
    assert_eq!(processor.process(&[1.0; 6]).unwrap(), fresh.process(&[1.0; 6]).unwrap());
    assert!(EmotionPostprocessor::new(&[Some(10)], 10, EmotionParameters::default()).is_err());
}

#[test]
fn a_post_processing_config_is_read_key_by_key() {
    let config = serde_json::json!({
        "output_emotion_length": 10, "emotion_contrast": 1, "max_emotions": 3, "live_blend_coef": 0.7,
        "enable_preferred_emotion": true, "preferred_emotion_strength": 0.5, "transition_smoothing": 0.25,
        "fixed_dt": 0.033, "emotion_strength": 0.6, "preferred_emotion": [0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        "emotion_correspondence": {"angry": 1, "disgust": 3, "fear": 4, "happy": 6, "neutral": -1, "sad": 9},
    });
    let parameters: EmotionParameters = serde_json::from_value(config).unwrap();
    assert_eq!((parameters.max_emotions, parameters.live_transition_time), (3, 0.25));
    assert_eq!(parameters.validate(10), Ok(()));
}

#[test]
fn a_timeline_knows_what_it_knows() {
    let mut timeline = EmotionTimeline::new(2);
    let mut emotion = [0.0; 2];
    assert_eq!(timeline.close(), Err(TimelineError::Empty));
    assert_eq!(timeline.sample(0, &mut emotion), Err(TimelineError::NotYet { time: 0, last: None }));
    timeline.push(-10, &[0.0, 1.0]).unwrap();
    timeline.push(10, &[1.0, 0.0]).unwrap();
    assert_eq!(timeline.push(10, &[0.0; 2]), Err(TimelineError::Order { time: 10, last: 10 }));
    assert_eq!(timeline.push(11, &[0.0; 3]), Err(TimelineError::Width { found: 3, expected: 2 }));
    assert!(matches!(timeline.push(11, &[0.0, f32::NAN]), Err(TimelineError::NotFinite { time: 11, index: 1, .. })));
    for (time, want) in [(i64::MIN, [0.0, 1.0]), (-5, [0.25, 0.75]), (10, [1.0, 0.0])] {
        timeline.sample(time, &mut emotion).unwrap();
        assert_eq!(emotion, want);
    }
    assert_eq!(timeline.sample(11, &mut emotion), Err(TimelineError::NotYet { time: 11, last: Some(10) }));
    assert_eq!(timeline.known_until(), 10);
    timeline.close().unwrap();
    assert_eq!(timeline.close(), Err(TimelineError::AlreadyClosed));
    assert_eq!(timeline.push(20, &[0.0; 2]), Err(TimelineError::Closed { time: 20 }));
    timeline.sample(i64::MAX, &mut emotion).unwrap();
    assert_eq!((emotion, timeline.known_until()), ([1.0, 0.0], i64::MAX));
    timeline.drop_before(0);
    assert_eq!(timeline.sample(-1, &mut emotion), Err(TimelineError::Dropped { time: -1, before: 0 }));
    timeline.reset();
    assert!(timeline.is_empty() && !timeline.is_closed() && timeline.dropped_before().is_none());
    let constant = EmotionTimeline::constant(&[0.5, 0.25]).unwrap();
    constant.sample(-70_000, &mut emotion).unwrap();
    assert_eq!(emotion, [0.5, 0.25]);
}

proptest! {
    #[test]
    fn emotions_stay_finite_and_within_reason(
        frames in prop::collection::vec(prop::array::uniform6(prop_oneof![-10.0_f32..10.0, -3e38_f32..3e38]), 1..40),
        strength in 0.0_f32..=1.0,
        blend in 0.0_f32..=1.0,
        max_emotions in 0_usize..9,
        transition in 0.0_f32..2.0,
    ) {
        let mut processor = processor(EmotionParameters {
            emotion_strength: strength,
            live_blend_coef: blend,
            live_transition_time: transition,
            max_emotions,
            beginning_emotion: vec![1.0; 10],
            ..Default::default()
        });
        for logits in &frames {
            for value in processor.process(logits).unwrap() {
                prop_assert!((-1e-6..=1.0 + 1e-5).contains(value), "{}", value);
            }
        }
    }

    #[test]
    fn the_search_for_neighbours_equals_a_linear_scan(
        steps in prop::collection::vec(1_i64..50, 1..60),
        start in -100_i64..100,
        asked in prop::collection::vec(-200_i64..2000, 1..40),
        dropped in prop::option::of(-200_i64..1500),
        block in 1_usize..5,
    ) {
        let mut timeline = EmotionTimeline::with_block(1, block);
        let mut keys = Vec::new();
        let mut time = start;
        for (index, step) in steps.iter().enumerate() {
            let value = (index as f32 * 2.3).sin();
            timeline.push(time, &[value]).unwrap();
            keys.push((time, value));
            time += step;
        }
        timeline.close().unwrap();
        if let Some(dropped) = dropped {
            timeline.drop_before(dropped);
        }
        for asked in asked {
            let mut got = [f32::NAN];
            if dropped.is_some_and(|dropped| asked < dropped) {
                prop_assert!(timeline.sample(asked, &mut got).is_err());
                continue;
            }
            timeline.sample(asked, &mut got).unwrap();
            let before = keys.iter().rev().find(|(time, _)| *time <= asked);
            let after = keys.iter().find(|(time, _)| *time >= asked);
            let want = match (before, after) {
                (Some((t0, a)), Some((t1, b))) if t1 > t0 => a + (b - a) * (asked - t0) as f32 / (t1 - t0) as f32,
                (Some((_, value)), _) | (None, Some((_, value))) => *value,
                (None, None) => unreachable!("there is a key"),
            };
            prop_assert!((got[0] - want).abs() < 1e-6, "{} {}", got[0], want);
        }
    }
}

#[test]
fn what_feeds_on_itself_stays_finite() {
    let mut processor = processor(EmotionParameters {
        emotion_strength: 2.0,
        live_transition_time: 0.0,
        live_blend_coef: 0.0,
        beginning_emotion: vec![1.0; 10],
        ..Default::default()
    });
    for _ in 0..10_000 {
        assert!(processor.process(&[0.0; 6]).unwrap().iter().all(|value| value.is_finite() && *value <= 200.0));
    }
}
