use proptest::prelude::*;

use super::*;

fn schedule([size, start_offset, target_offset]: [i64; 3], stride: (i64, i64)) -> WindowSchedule {
    let (stride_numerator, stride_denominator) = stride;
    let layout = WindowLayout { size, start_offset, target_offset, stride_numerator, stride_denominator, frames: 1 };
    WindowSchedule::new(layout).unwrap()
}

fn windows(schedule: &WindowSchedule, received: Received) -> Vec<(i64, i64, i64)> {
    let window = |index| {
        let Window { start, target, end } = schedule.window(index);
        (start, target, end)
    };
    (0..schedule.windows_in(received)).map(window).collect()
}

#[test]
fn windows_are_those_of_the_reference() {
    use Received::{Closed, Open};
    let three = schedule([3, 0, 1], (2, 1));
    assert_eq!(windows(&three, Open(10)), [(0, 1, 3), (2, 3, 5), (4, 5, 7), (6, 7, 9)]);
    assert_eq!(windows(&three, Closed(10)).last(), Some(&(8, 9, 11)));
    assert_eq!([11, 12, 13, 14, 15].map(|n| three.windows_in(Open(n))), [5, 5, 6, 6, 7]);
    assert_eq!([11, 12, 13, 14, 15].map(|n| three.windows_in(Closed(n))), [5, 6, 6, 7, 7]);
    let two = schedule([2, 0, 1], (2, 1));
    for (samples, count) in [(4, 2), (5, 2), (6, 3), (7, 3)] {
        assert_eq!([two.windows_in(Open(samples)), two.windows_in(Closed(samples))], [count; 2]);
    }
    let padded = schedule([16_000, -16_000, 1], (8_000, 1));
    let want = [(-16_000, -15_999, 0), (-8_000, -7_999, 8_000), (0, 1, 16_000)];
    assert_eq!(windows(&padded, Open(16_000)), want);
    let thirds = schedule([8, -4, 4], (10, 3));
    assert_eq!(windows(&thirds, Open(18)), [(-4, 0, 4), (-1, 3, 7), (2, 6, 10), (6, 10, 14), (9, 13, 17)]);
    assert_eq!([10, 11, 14, 17].map(|n| thirds.windows_in(Closed(n))), [3, 4, 5, 6]);
    assert_eq!(windows(&thirds, Closed(17)).last(), Some(&(12, 16, 20)));
    let early = windows(&schedule([1, -2, 0], (1, 1)), Open(4));
    assert_eq!((early.len(), early[0], early[5]), (6, (-2, -2, -1), (3, 3, 4)));
}

#[test]
fn families_have_the_windows_of_the_reference() {
    use Received::{Closed, Open};
    let regression = WindowSchedule::regression(8_320, 4_160, 16_000, FrameRate::per_second(60)).unwrap();
    assert_eq!((regression.windows_in(Open(64_000)), regression.windows_in(Closed(64_000))), (225, 240));
    let targets = WindowSchedule::regression(8_320, 4_160, 16_000, FrameRate::per_second(30)).unwrap();
    let targets: Vec<_> = windows(&targets, Open(7_360)).into_iter().map(|(_, target, _)| target).collect();
    assert_eq!(targets, [0, 533, 1066, 1600, 2133, 2666, 3200]);
    let diffusion = WindowSchedule::diffusion(16_000, 16_000, [15, 30, 15]).unwrap();
    let counts = |of: fn(i64) -> Received| [0, 8_000, 16_000, 64_000].map(|n| diffusion.windows_in(of(n)));
    assert_eq!((counts(Open), counts(Closed)), ([1, 2, 3, 9], [2, 3, 4, 10]));
    assert_eq!(diffusion.frames_before_sound(), 45);
    assert_eq!(diffusion.total_frames(Closed(0)), 0);
    for schedule in [regression, diffusion] {
        for (frame, time) in [(0, 0), (1, 266), (2, 533), (3, 800), (4, 1066), (5, 1333), (6, 1600)] {
            assert_eq!(schedule.frame_time(frame), time);
        }
        assert_eq!((schedule.total_frames(Closed(64_001)), schedule.total_frames(Open(64_001))), (241, 0));
    }
    let emotion = WindowSchedule::emotion(60_000, 16_000, FrameRate::per_second(60), 29).unwrap();
    assert_eq!(emotion.window(1), Window { start: -22_000, target: 8_000, end: 38_000 });
    assert_eq!(emotion.total_frames(Closed(16_000)), 60);
    let gaps = WindowSchedule::emotion(5_000, 16_000, FrameRate::per_second(30), 29).unwrap_err();
    assert!(gaps.to_string().contains("window size is 5000"), "{gaps}");
    let idle = WindowSchedule::emotion_without_network(16_000, FrameRate::per_second(30)).unwrap();
    assert_eq!((idle.windows_in(Open(0)), idle.windows_in(Open(534))), (0, 2));
}

#[test]
fn emotions_limit_what_can_be_computed() {
    use Received::{Closed, Open};
    let regression = WindowSchedule::regression(8_320, 4_160, 16_000, FrameRate::per_second(60)).unwrap();
    let diffusion = WindowSchedule::diffusion(16_000, 16_000, [15, 30, 15]).unwrap();
    let sound = Closed(160_000);
    for (schedule, known_until, count) in [
        (regression, i64::MIN, 0),
        (regression, 0, 1),
        (regression, 265, 1),
        (regression, 266, 2),
        (diffusion, i64::MIN, 0),
        (diffusion, 0, 1),
        (diffusion, 3_732, 1),
        (diffusion, 3_733, 2),
    ] {
        assert_eq!(schedule.available(sound, Some(known_until), 0), count, "{known_until}");
    }
    assert_eq!(regression.available(sound, Some(i64::MAX), 0), regression.windows_in(sound));
    assert_eq!(diffusion.available(Open(0), Some(i64::MAX), 0), 1);
    assert_eq!(diffusion.available(Open(0), None, 1), 0);
    assert_eq!(diffusion.available(Open(0), None, 9), 0);
}

#[test]
fn absurd_layouts_are_refused() {
    let layout = *schedule([3, 0, 1], (2, 1)).layout();
    for (layout, says) in [
        (WindowLayout { size: 0, ..layout }, "the window size is 0"),
        (WindowLayout { size: i64::MAX, ..layout }, "window size"),
        (WindowLayout { start_offset: i64::MIN, ..layout }, "the start offset"),
        (WindowLayout { stride_numerator: -1, ..layout }, "the numerator of the stride is -1"),
        (WindowLayout { stride_denominator: 0, ..layout }, "the denominator of the stride is 0"),
        (WindowLayout { frames: 0, ..layout }, "the number of frames is 0"),
        (WindowLayout { frames: u32::MAX, ..layout }, "the number of frames"),
    ] {
        let error = WindowSchedule::new(layout).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    let rate = FrameRate { numerator: 0, denominator: 1 };
    assert!(WindowSchedule::regression(8_320, 4_160, 16_000, rate).is_err());
    assert!(
        WindowSchedule::regression(i64::MIN, i64::MIN, u32::MAX, FrameRate { numerator: 1, denominator: u32::MAX })
            .is_err()
    );
    assert!(WindowSchedule::diffusion(i64::MAX, i64::MIN, [u32::MAX; 3]).is_err());
    assert!(WindowSchedule::diffusion(16_000, 16_000, [0; 3]).is_err());
    assert!(WindowSchedule::emotion(i64::MIN, 16_000, FrameRate::per_second(30), u32::MAX).is_err());
}

proptest! {
    #[test]
    fn counts_equal_the_rule_by_enumeration(
        size in 1_i64..60,
        start_offset in -60_i64..60,
        target_offset in -60_i64..60,
        numerator in 1_i64..80,
        denominator in 1_i64..30,
        frames in 1_u32..5,
        samples in 0_i64..300,
        read in 0_u64..20,
    ) {
        let layout = WindowLayout {
            size, start_offset, target_offset, stride_numerator: numerator, stride_denominator: denominator, frames,
        };
        let schedule = WindowSchedule::new(layout).unwrap();
        let first_that = |refuses: &dyn Fn(Window) -> bool| (0..).find(|index| refuses(schedule.window(*index))).unwrap();
        let open = first_that(&|window| window.end > samples);
        let closed = first_that(&|window| window.target >= samples);
        prop_assert_eq!(schedule.windows_in(Received::Open(samples)), open);
        prop_assert_eq!(schedule.windows_in(Received::Closed(samples)), closed);
        prop_assert_eq!(schedule.available(Received::Closed(samples), None, read), closed.saturating_sub(read));
        let per_frame = schedule.per_frame();
        let frames_known = (0..).find(|index| per_frame.window(*index).target > samples).unwrap();
        prop_assert_eq!(schedule.windows_with_emotions(samples), frames_known / u64::from(frames));
        // A window begins where its first frame does.
        for index in 0..10 {
            prop_assert_eq!(schedule.window(index), per_frame.window(index * u64::from(frames)));
        }
    }

    #[test]
    fn nothing_overflows(
        size in 1..=LARGEST,
        start_offset in -LARGEST..=LARGEST,
        target_offset in -LARGEST..=LARGEST,
        numerator in 1..=LARGEST,
        denominator in 1..=LARGEST,
        frames in 1..=MOST_FRAMES,
        index: u64,
        samples: i64,
    ) {
        let layout = WindowLayout {
            size, start_offset, target_offset, stride_numerator: numerator, stride_denominator: denominator, frames,
        };
        let schedule = WindowSchedule::new(layout).unwrap();
        let Window { start, end, .. } = schedule.window(index);
        prop_assert!(start <= end);
        schedule.window(u64::MAX);
        schedule.frame_time(index);
        for received in [Received::Open(samples), Received::Closed(samples)] {
            let available = schedule.available(received, Some(samples), 0);
            prop_assert!(available <= schedule.available(received, None, 0));
            schedule.total_frames(received);
        }
        schedule.available(Received::Closed(i64::MAX), Some(i64::MAX), index);
        schedule.available(Received::Open(i64::MIN), Some(i64::MIN), index);
    }
}
