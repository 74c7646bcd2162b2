use std::sync::Arc;

use glam::{Mat4, Quat, Vec3};
use proptest::prelude::*;

use super::*;

/// A plane of vertices, three values each, from height 0 to height 10.
fn plane(vertices: usize) -> Vec<f32> {
    (0..vertices).flat_map(|v| [v as f32 % 7.0, 10.0 * v as f32 / (vertices - 1) as f32, 1.0]).collect()
}

/// Parameters under which the skin does what it is told: no masks within the face, no strengths, no offsets.
const PLAIN: SkinParameters = SkinParameters {
    lower_face_smoothing: 0.0,
    upper_face_smoothing: 0.0,
    lower_face_strength: 1.0,
    upper_face_strength: 1.0,
    face_mask_level: 0.5,
    face_mask_softness: 0.1,
    skin_strength: 1.0,
    blink_strength: 1.0,
    eyelid_open_offset: 0.0,
    lip_open_offset: 0.0,
    blink_offset: 0.0,
};

fn skin(neutral: &[f32], parameters: SkinParameters) -> SkinAnimator {
    let still = vec![0.0; neutral.len()];
    let closing = vec![-1.0; neutral.len()];
    let shape = SkinShape::new(neutral.to_vec(), still, closing).unwrap();
    SkinAnimator::new(Arc::new(shape), parameters).unwrap()
}

fn shown(animator: &mut SkinAnimator, deltas: &[f32], dt: f32) -> Vec<f32> {
    let mut out = vec![f32::NAN; deltas.len()];
    animator.animate(deltas, dt, &mut out).unwrap();
    out
}

#[test]
fn skin_follows_its_input_and_the_lids_follow_blinks() {
    let neutral = plane(300);
    let mut animator = skin(&neutral, PLAIN);
    let deltas: Vec<f32> = (0..neutral.len()).map(|index| (index as f32).sin()).collect();
    let close = |got: &[f32], offset: f32| {
        let wanted = neutral.iter().zip(&deltas).map(|(neutral, delta)| neutral + delta + offset);
        got.iter().zip(wanted).all(|(got, wanted)| (got - wanted).abs() < 1e-5)
    };
    assert!(close(&shown(&mut animator, &deltas, 0.02), 0.0));
    animator.set_parameters(SkinParameters { blink_offset: 0.5, blink_strength: 2.0, ..PLAIN }).unwrap();
    assert!(close(&shown(&mut animator, &deltas, 0.02), -1.0));
    animator.set_parameters(SkinParameters { eyelid_open_offset: 0.25, ..PLAIN }).unwrap();
    assert!(close(&shown(&mut animator, &deltas, 0.02), 0.25));
}

#[test]
fn smoothing_equals_the_reference_filter() {
    // Two stages over the steps 0, 0.1, 0.3, 0.2, 0.65 s; smoothing 0.1 s is the most that is allowed.
    let neutral = vec![0.0, 0.0, 0.0, 0.0, 1.0, 0.0];
    let mut animator = skin(&neutral, SkinParameters { lower_face_smoothing: 0.1, upper_face_smoothing: 0.1, ..PLAIN });
    let mut stages: Option<(f64, f64)> = None;
    for (value, dt) in [(1.0_f32, 0.0_f32), (-2.0, 0.1), (0.5, 0.3), (4.0, 0.2), (-1.0, 0.65)] {
        let wanted = f64::from(value);
        let (first, second) = stages.unwrap_or((wanted, wanted));
        let share = 1.0 - 0.5_f64.powf(f64::from(dt) / 0.1);
        let first = first + (wanted - first) * share;
        stages = Some((first, second + (first - second) * share));
        let got = shown(&mut animator, &[value; 6], dt)[0];
        assert!((f64::from(got) - stages.unwrap().1).abs() < 1e-6, "{got}");
    }
}

#[test]
fn what_cannot_be_animated_leaves_no_trace() {
    let neutral = plane(4);
    let parameters = SkinParameters { lower_face_smoothing: 0.1, upper_face_smoothing: 0.1, ..PLAIN };
    let mut animator = skin(&neutral, parameters);
    let mut spotless = animator.clone();
    let mut out = vec![0.0; 12];
    for (value, says) in [(f32::NAN, "value 5 is NaN"), (f32::NEG_INFINITY, "-inf"), (2e9, "1e9")] {
        let mut deltas = [0.5; 12];
        deltas[5] = value;
        let error = animator.animate(&deltas, 0.1, &mut out).unwrap_err().to_string();
        assert!(error.contains(says) && error.contains("skin deltas"), "{error}");
    }
    for dt in [f32::NAN, f32::INFINITY, -0.1] {
        assert!(matches!(animator.animate(&[0.5; 12], dt, &mut out), Err(GeometryError::TimeStep { .. })));
    }
    assert!(matches!(animator.animate(&[0.5; 11], 0.1, &mut out), Err(GeometryError::Length { found: 11, .. })));
    assert!(animator.set_parameters(SkinParameters { skin_strength: 0.1, lip_open_offset: 0.3, ..PLAIN }).is_err());
    assert_eq!(animator.parameters(), &parameters);
    for value in [1.0, -1.0] {
        assert_eq!(shown(&mut animator, &[value; 12], 0.1), shown(&mut spotless, &[value; 12], 0.1));
    }
}

#[test]
fn shapes_that_are_none_are_refused() {
    let flat = SkinShape::new(vec![1.0, 5.0, 2.0, 3.0, 5.0, 4.0], vec![0.0; 6], vec![0.0; 6]).unwrap_err();
    assert_eq!(flat, GeometryError::Flat { height: 5.0 });
    let short = SkinShape::new(plane(2), vec![0.0; 3], vec![0.0; 6]).unwrap_err().to_string();
    assert_eq!(short, "lip_open_pose_delta has 3 values; expected 6");
    assert!(SkinShape::new(vec![1.0; 7], vec![0.0; 7], vec![0.0; 7]).is_err());
    assert!(SkinShape::new(Vec::new(), Vec::new(), Vec::new()).is_err());
    assert!(TongueAnimator::new([].into(), TongueParameters::default()).is_err());
    assert!(EyeAnimator::new([1.0, 2.0, 3.0].into(), EyeParameters::default()).is_err());
    assert!(JawAnimator::new(vec![0.0; 6], TeethParameters::default()).is_err());
    assert!(PcaBasis::new(vec![0.0; 12], 0).is_err() && PcaBasis::new(vec![0.0; 12], 3).is_err());
}

#[test]
fn parameters_out_of_range_are_named_with_value_and_range() {
    for range in SkinParameters::RANGES
        .iter()
        .chain(TongueParameters::RANGES)
        .chain(TeethParameters::RANGES)
        .chain(EyeParameters::RANGES)
    {
        for value in [range.default, range.minimum, range.maximum] {
            assert_eq!(range.check(value), Ok(()), "{}", range.name);
        }
        for value in [range.minimum.next_down(), range.maximum.next_up(), f32::INFINITY] {
            let error = range.check(value).unwrap_err().to_string();
            assert!(error.contains(range.name) && error.contains(&value.to_string()), "{error}");
            assert!(
                error.contains(&range.minimum.to_string()) && error.contains(&range.maximum.to_string()),
                "{error}"
            );
        }
        assert!(matches!(range.check(f32::NAN), Err(ParameterError::NotANumber { .. })));
    }
    assert_eq!(GeometryParameters::default().validate(), Ok(()));
    let eyes = EyeParameters { saccade_seed: 5000.0, ..Default::default() };
    let error = GeometryParameters { eyes, ..Default::default() }.validate().unwrap_err().to_string();
    assert_eq!(error, "saccade_seed is 5000; expected 0..=4999");
}

#[test]
fn a_model_config_is_read_key_by_key() {
    let mut config = serde_json::json!({
        "input_strength": 1.3, "lower_face_smoothing": 0.0023, "upper_face_smoothing": 0.001,
        "lower_face_strength": 1.4, "upper_face_strength": 1, "face_mask_level": 0.6, "face_mask_softness": 0.0085,
        "skin_strength": 1.1, "blink_strength": 1.0, "eyelid_open_offset": 0.06, "lip_open_offset": -0.03,
        "tongue_strength": 1.5, "tongue_height_offset": 0.2, "tongue_depth_offset": 0.13,
        "lower_teeth_strength": 1.3, "lower_teeth_height_offset": -0.1, "lower_teeth_depth_offset": 0,
        "eyeballs_strength": 1.0, "saccade_strength": 0.9, "right_eye_rot_x_offset": 0, "right_eye_rot_y_offset": -2,
        "left_eye_rot_x_offset": 0, "left_eye_rot_y_offset": 2, "eye_saccade_seed": 0,
        "source_shot": "p1_neutral", "source_frame": 42,
    });
    let parameters: GeometryParameters = serde_json::from_value(config.clone()).unwrap();
    assert_eq!(parameters.skin.lower_face_strength, 1.4);
    assert_eq!(parameters.skin.blink_offset, 0.0);
    assert_eq!(parameters.eyes.right_eyeball_rotation_offset_y, -2.0);
    assert_eq!(parameters.validate(), Ok(()));
    let written = serde_json::to_value(parameters).unwrap();
    assert_eq!(serde_json::from_value::<GeometryParameters>(written).unwrap(), parameters);
    let object = config.as_object_mut().unwrap();
    let value = object.remove("eye_saccade_seed").unwrap();
    let error = serde_json::from_value::<GeometryParameters>(object.clone().into()).unwrap_err().to_string();
    assert!(error.contains("eye_saccade_seed"), "{error}");
    object.insert("saccadeSeed".into(), value);
    assert!(serde_json::from_value::<GeometryParameters>(object.clone().into()).is_ok());
}

#[test]
fn a_jaw_that_stays_is_the_identity_and_offsets_move_it() {
    let neutral = vec![0.0, 1.0, 2.0, 3.0, 1.0, 0.0, -3.0, 1.0, 0.0, 1.0, 0.0, 1.0, -1.0, 0.5, 1.0];
    let still = TeethParameters { lower_teeth_strength: 0.0, ..Default::default() };
    let mut jaw = JawAnimator::new(neutral, still).unwrap();
    let deltas: Vec<f32> = (0..15).map(|index| (index as f32).cos()).collect();
    let near = |got: [f32; 16], want: Mat4| Mat4::from_cols_array(&got).abs_diff_eq(want, 1e-6);
    assert!(near(jaw.animate(&deltas).unwrap(), Mat4::IDENTITY));
    jaw.set_parameters(TeethParameters { lower_teeth_height_offset: -0.5, lower_teeth_depth_offset: 0.25, ..still })
        .unwrap();
    assert!(near(jaw.animate(&deltas).unwrap(), Mat4::from_translation(Vec3::new(0.0, -0.5, 0.25))));
    assert!(jaw.animate(&[0.0; 12]).is_err());
}

#[test]
fn points_that_leave_the_turn_open_turn_as_little_as_they_can() {
    let matrix = |from: &[f32], to: &[f32]| Mat4::from_cols_array(&fit_rigid(from, to).unwrap());
    // All in one place: nothing turns.
    let one_place = matrix(&[1.0, 2.0, 3.0].repeat(4), &[2.0, 2.0, 1.0].repeat(4));
    assert!(one_place.abs_diff_eq(Mat4::from_translation(Vec3::new(1.0, 0.0, -2.0)), 1e-6));
    // On a line: it turns with the line, and not about it.
    let line = |direction: Vec3| (0..4).flat_map(|at| (direction * at as f32).to_array()).collect::<Vec<_>>();
    let turned = matrix(&line(Vec3::X), &line(Vec3::Y));
    assert!(turned.abs_diff_eq(Mat4::from_quat(Quat::from_rotation_arc(Vec3::X, Vec3::Y)), 1e-6), "{turned}");
    // The opposite line: half a turn, about whatever axis.
    let opposite = matrix(&line(Vec3::X), &line(-Vec3::X));
    assert!((opposite.determinant() - 1.0).abs() < 1e-5);
    assert!(opposite.transform_vector3(Vec3::X).abs_diff_eq(-Vec3::X, 1e-5));
    assert!(fit_rigid(&[0.0; 6], &[0.0; 6]).is_err());
    assert!(fit_rigid(&[0.0; 9], &[f32::NAN; 9]).is_err());
}

#[test]
fn eyes_make_the_saccades_of_the_table_over_and_over() {
    let saccades: Vec<f32> = (0..6).map(|value| value as f32).collect();
    let parameters = EyeParameters { saccade_seed: 1.5, left_eyeball_rotation_offset_x: 2.0, ..Default::default() };
    let mut eyes = EyeAnimator::new(saccades.into(), parameters).unwrap();
    let first = eyes.animate(&[10.0, 20.0, 30.0, 40.0], 1.0 / 60.0).unwrap();
    assert_eq!(first, [12.0, 23.0, 0.0, 34.0, 43.0, 0.0]);
    let rows: Vec<f32> = (0..8).map(|_| eyes.animate(&[0.0; 4], 1.0 / 60.0).unwrap()[0]).collect();
    assert_eq!(rows, [4.0, 4.0, 0.0, 0.0, 2.0, 2.0, 4.0, 4.0]);
    eyes.set_live_time(-2.0 / 30.0).unwrap();
    assert_eq!(eyes.compute(&[0.0; 4]).unwrap()[0], 4.0);
    eyes.reset();
    assert_eq!(eyes.compute(&[0.0; 4]).unwrap()[0], 2.0);
    assert!(eyes.advance(f32::NAN).is_err() && eyes.set_live_time(f32::INFINITY).is_err());
    assert!(eyes.compute(&[0.0; 3]).is_err() && eyes.compute(&[f32::NAN; 4]).is_err());
    assert_eq!(eyes.compute(&[0.0; 4]).unwrap()[0], 2.0);
}

#[test]
fn the_tongue_is_moved_and_shifted() {
    let mut tongue = TongueAnimator::new([1.0, 2.0, 3.0].into(), TongueParameters::default()).unwrap();
    let mut out = [0.0; 3];
    tongue
        .set_parameters(TongueParameters { tongue_strength: 2.0, tongue_height_offset: 0.5, tongue_depth_offset: -1.0 })
        .unwrap();
    tongue.animate(&[1.0, 1.0, 1.0], &mut out).unwrap();
    assert_eq!(out, [3.0, 4.5, 4.0]);
    assert!(tongue.animate(&[0.0; 6], &mut out).is_err());
}

proptest! {
    #[test]
    fn each_stage_of_smoothing_is_half_way_after_its_half_life(
        smoothing in 0.001_f32..0.1, steps in 1_usize..40, from in -5.0_f32..5.0, to in -5.0_f32..5.0,
    ) {
        // Each stage goes half of its way in a half-life, and the second follows the first: a quarter in all.
        let parameters = SkinParameters { lower_face_smoothing: smoothing, upper_face_smoothing: smoothing, ..PLAIN };
        let mut animator = skin(&[0.0, 0.0, 0.0, 0.0, 1.0, 0.0], parameters);
        shown(&mut animator, &[from; 6], 0.0);
        let mut coarse = animator.clone();
        let quarter = shown(&mut coarse, &[to; 6], smoothing)[0];
        prop_assert!((quarter - (from + 0.25 * (to - from))).abs() < 1e-4, "{quarter}");
        // Many small steps never overshoot and arrive.
        let mut last = from;
        for _ in 0..steps {
            let now = shown(&mut animator, &[to; 6], smoothing / 10.0)[0];
            prop_assert!((now - last) * (to - from) >= -1e-5 && (to - now) * (to - from) >= -1e-5);
            last = now;
        }
        let arrived = shown(&mut animator, &[to; 6], smoothing * 40.0)[0];
        prop_assert!((arrived - to).abs() < 1e-4);
    }

    #[test]
    fn the_lower_face_is_less_and_less_going_up(level in 0.0_f32..=1.0, softness in 0.001_f32..=0.5) {
        let parameters = SkinParameters { face_mask_level: level, face_mask_softness: softness, ..PLAIN };
        let animator = skin(&plane(50), parameters);
        let mask: Vec<f32> = animator.face_mask().collect();
        prop_assert_eq!(mask.len(), 50);
        prop_assert!(mask.iter().all(|share| (0.0..=1.0).contains(share)));
        prop_assert!(mask.windows(2).all(|pair| pair[1] <= pair[0]));
        let nearest = mask[(level * 49.0).round() as usize];
        prop_assert!((nearest - 0.5).abs() < 0.5 * (0.5 / 49.0) / softness + 1e-5, "{nearest}");
    }

    #[test]
    fn a_rigid_motion_is_found_again(
        points in prop::collection::vec(prop::array::uniform3(-5.0_f32..5.0), 3..10),
        axis in prop::array::uniform3(-1.0_f32..1.0),
        angle in 0.0_f32..3.1,
        shift in prop::array::uniform3(-150.0_f32..150.0),
    ) {
        let axis = Vec3::from(axis).try_normalize().unwrap_or(Vec3::X);
        let motion = Mat4::from_rotation_translation(Quat::from_axis_angle(axis, angle), shift.into());
        let from: Vec<f32> = points.as_flattened().to_vec();
        let to: Vec<f32> = points.iter().flat_map(|p| motion.transform_point3((*p).into()).to_array()).collect();
        let found = Mat4::from_cols_array(&fit_rigid(&from, &to).unwrap());
        prop_assert!((found.determinant() - 1.0).abs() < 1e-4);
        for (point, to) in points.iter().zip(to.chunks_exact(3)) {
            let reached = found.transform_point3((*point).into());
            prop_assert!(reached.abs_diff_eq(Vec3::from_slice(to), 2e-4), "{reached} {to:?}");
        }
    }

    #[test]
    fn any_points_give_a_proper_rotation(
        pairs in prop::collection::vec(prop::array::uniform6(prop_oneof![Just(0.0_f32), Just(1.0), -9e8_f32..9e8, -1.0_f32..1.0]), 3..8),
    ) {
        let from: Vec<f32> = pairs.iter().flat_map(|pair| [pair[0], pair[1], pair[2]]).collect();
        let to: Vec<f32> = pairs.iter().flat_map(|pair| [pair[3], pair[4], pair[5]]).collect();
        let matrix = fit_rigid(&from, &to).unwrap();
        prop_assert!(matrix.iter().all(|value| value.is_finite()));
        let rotation = glam::Mat3::from_mat4(Mat4::from_cols_array(&matrix));
        prop_assert!((rotation.determinant() - 1.0).abs() < 1e-5);
        prop_assert!((rotation * rotation.transpose()).abs_diff_eq(glam::Mat3::IDENTITY, 1e-5));
    }

    #[test]
    fn frames_expand_alike_alone_and_together(
        count in 1_usize..11,
        frames in 0_usize..4,
        seed in 0.0_f32..10.0,
    ) {
        let value = |index: usize| (index as f32 * 1.7 + seed).sin();
        // Longer than one block of components.
        let length = 2400;
        let basis = PcaBasis::new((0..count * length).map(value).collect(), count).unwrap();
        let coefficients: Vec<f32> = (0..count * frames).map(value).collect();
        let mut together = vec![f32::NAN; frames * length];
        basis.expand_batch(&coefficients, &mut together).unwrap();
        let mut alone = vec![f32::NAN; length];
        for (coefficients, together) in coefficients.chunks_exact(count).zip(together.chunks_exact(length)) {
            basis.expand(coefficients, &mut alone).unwrap();
            prop_assert_eq!(&alone[..], together);
            for component in [0, 2047, 2048, length - 1] {
                let exact: f64 = (0..count).map(|k| f64::from(coefficients[k]) * f64::from(basis.shape(k).unwrap()[component])).sum();
                prop_assert!((exact - f64::from(alone[component])).abs() < 1e-5);
            }
        }
    }
}
