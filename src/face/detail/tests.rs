use bevy_camera::PerspectiveProjection;
use bevy_transform::components::Transform;

use super::*;

const FRAME: f32 = 1.0 / 60.0;

fn entity(index: u32) -> Entity {
    Entity::from_raw_u32(index).expect("a small index")
}

fn looking_from(z: f32) -> (Projection, GlobalTransform) {
    let projection =
        Projection::Perspective(PerspectiveProjection { fov: 1.0, aspect_ratio: 16.0 / 9.0, ..Default::default() });
    (projection, GlobalTransform::from(Transform::from_xyz(0.0, 0.0, z)))
}

#[test]
fn a_head_is_as_big_as_it_looks() {
    let (projection, camera) = looking_from(2.0);
    let size = |head: Vec3| size_on_screen(head, 0.25, &projection, &camera);
    let expected = 0.25 / (2.0 * 2.0 * 0.5_f32.tan());
    assert!((size(Vec3::ZERO) - expected).abs() < 1e-5, "{}", size(Vec3::ZERO));
    assert!((size(Vec3::Z * -2.0) - expected / 2.0).abs() < 1e-5, "twice as far, half as big");
    assert_eq!(size(Vec3::Z * 3.0), 0.0, "behind the camera");
    assert_eq!(size(Vec3::X * 5.0), 0.0, "beside the view");
    assert!(size(Vec3::X * 2.1) > 0.0, "at its edge");
    assert_eq!(size(Vec3::NAN), 0.0);
}

#[test]
fn whoever_comes_and_goes_changes_once_at_every_border() {
    let settings = DetailSettings::default();
    let mut detail = FaceDetail::Full;
    let mut changes = Vec::new();
    // Away and back, trembling by a few percent.
    let steps = (0..400).chain((0..400).rev());
    for (index, step) in steps.enumerate() {
        let tremble = if index % 2 == 0 { 1.06 } else { 0.94 };
        let next = settings.of(0.2 * 0.99_f32.powi(step) * tremble, detail);
        if next != detail {
            changes.push(next);
        }
        detail = next;
    }
    let all = FaceDetail::ALL;
    assert_eq!(changes, [&all[1..], &[all[3], all[2], all[1], all[0]]].concat());
}

#[test]
fn a_jump_goes_all_the_way() {
    let settings = DetailSettings::default();
    assert_eq!(settings.of(0.0, FaceDetail::Full), FaceDetail::Off);
    assert_eq!(settings.of(0.5, FaceDetail::Off), FaceDetail::Full);
    let absurd = DetailSettings { hysteresis: f32::NAN, sizes: [f32::NAN; 4], ..settings };
    assert_eq!(absurd.of(0.5, FaceDetail::Full), FaceDetail::Off);
}

#[test]
fn the_biggest_keep_their_networks() {
    let face =
        |index: u32, rank: f32, speaks: bool| Seen { face: entity(index), rank, detail: FaceDetail::Full, speaks };
    let faces = [face(0, 0.1, true), face(1, 0.5, true), face(2, 0.3, true), face(3, 0.9, false), face(4, 0.31, true)];
    let with_networks = |affordable: usize, had: &[u32]| {
        let mut seen = faces.to_vec();
        keep_to(&mut seen, affordable, |face| had.contains(&face.index_u32()));
        let mut kept: Vec<_> =
            seen.iter().filter(|face| face.detail == FaceDetail::Full).map(|face| face.face.index_u32()).collect();
        kept.sort_unstable();
        kept
    };
    assert_eq!(with_networks(4, &[]), [0, 1, 2, 3, 4]);
    assert_eq!(with_networks(2, &[]), [1, 3, 4], "the silent one costs nothing");
    assert_eq!(with_networks(2, &[2]), [1, 2, 3], "who is only a little bigger takes nothing over");
    assert_eq!(with_networks(0, &[]), [3]);
}

#[test]
fn layers_and_faces_come_and_go_gently() {
    let mut state = DetailState::default();
    let face = entity(0);
    let full = Work { delta: FRAME, layers: 1.0, shown: 1.0 };
    assert_eq!(state.advance(face, FaceDetail::Full, FRAME), Some(full), "at once in the first frame");
    let mut last = full;
    for detail in [FaceDetail::Mouth, FaceDetail::Off, FaceDetail::Full] {
        for _ in 0..60 {
            let Some(work) = state.advance(face, detail, FRAME) else { continue };
            let most = 2.0 * 1.6 * FRAME / FADE;
            assert!((work.layers - last.layers).abs() < most && (work.shown - last.shown).abs() < most, "{work:?}");
            last = work;
        }
        let expected = match detail {
            FaceDetail::Full => (1.0, 1.0),
            FaceDetail::Mouth => (0.0, 1.0),
            _ => (0.0, 0.0),
        };
        assert_eq!((last.layers, last.shown), expected, "{detail:?}");
    }
}

#[test]
fn half_of_the_faces_have_their_turn_in_each_frame() {
    let mut states = [DetailState::default(); 10];
    let mut time = [0.0; 10];
    for frame in 0..61 {
        let mut worked = 0;
        for (index, state) in states.iter_mut().enumerate() {
            if let Some(work) = state.advance(entity(index as u32), FaceDetail::Half, FRAME) {
                worked += 1;
                time[index] += work.delta;
            }
        }
        assert_eq!(worked, 5, "frame {frame}");
    }
    assert!(time.iter().all(|time| (*time - 1.0).abs() < 1.1 * FRAME), "no time is lost: {time:?}");
}
