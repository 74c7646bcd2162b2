use std::path::{Path, PathBuf};

use glam::{Quat, Vec2, Vec3};
use proptest::prelude::*;

use super::*;

/// What a weight may be off by, with what the arithmetic of `f32` adds.
const WEIGHT_ERROR: f32 = 1.0 / 1020.0 + 1e-6;

fn source() -> TrackSource {
    TrackSource { sound: ContentHash([7; 16]), model: ContentHash::of([b"a model".as_slice()]) }
}

/// A track in which everything moves but the tongue.
fn moving(rate: FrameRate, first: u64, frames: u64) -> FaceTrack {
    let mut track = FaceTrack::starting_at(rate, first);
    for frame in 0..frames {
        let at = frame as f32 * 0.13;
        let mut pose = FacePose::REST;
        for channel in FaceChannel::ALL.into_iter().filter(|channel| !channel.is_tongue_shape()) {
            pose.set(channel, 0.5 + 0.5 * (at * (1.0 + channel.index() as f32 * 0.01)).sin());
        }
        pose.jaw_rotation = Quat::from_rotation_x(0.4 * at.sin().abs());
        pose.jaw_translation = Vec3::new(0.001, -0.002, 0.004) * at.cos();
        (pose.left_eye, pose.right_eye) = (Vec2::new(0.3, 0.1) * at.sin(), Vec2::new(0.2, -0.1) * at.cos());
        pose.head_rotation = Quat::from_euler(glam::EulerRot::YXZ, 0.3 * at.sin(), 0.2 * at.cos(), -0.1);
        track.push(pose);
    }
    track
}

/// Whether two tracks are the same within what a file may change.
fn same(read: &FaceTrack, written: &FaceTrack) -> Result<(), String> {
    let places = |track: &FaceTrack| (track.frame_rate(), track.start_frame(), track.end_frame());
    if places(read) != places(written) {
        return Err(format!("{:?} instead of {:?}", places(read), places(written)));
    }
    for (frame, ((_, read), (_, written))) in read.iter().zip(written.iter()).enumerate() {
        for (index, (read, written)) in FaceTrack::row(read).zip(FaceTrack::row(written)).enumerate() {
            let most = match index.checked_sub(CHANNEL_COUNT) {
                None => WEIGHT_ERROR,
                Some(4..=6) => 5.1e-6,
                Some(7..=10) => 5.1e-5,
                Some(_) => 3.1e-5,
            };
            if (read - written).abs() > most || !read.is_finite() {
                return Err(format!("frame {frame}: {} is {read} instead of {written}", name(index)));
            }
        }
    }
    Ok(())
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/version_1.facetrack")
}

/// `TALKIE_UPDATE=1` writes it anew: only for a new version of the format, under a new name.
#[test]
fn files_of_version_1_stay_readable() {
    let track = moving(FrameRate { numerator: 30_000, denominator: 1_001 }, 90, 20);
    if std::env::var_os("TALKIE_UPDATE").is_some() {
        std::fs::write(golden(), track.to_bytes(Some(source())).unwrap()).unwrap();
    }
    let bytes = std::fs::read(golden()).unwrap();
    assert_eq!(TrackSource::of_file(&bytes), Ok(Some(source())));
    same(&FaceTrack::from_bytes(&bytes).unwrap(), &track).unwrap();
    assert_eq!(source().model.to_string(), "969f3437f0da906750e2697ba6ba2efa");
}

#[test]
fn what_rests_costs_nothing() {
    let size = |track: &FaceTrack| track.to_bytes(None).unwrap().len();
    let mut still = FaceTrack::new(FrameRate::per_second(60));
    (0..3_600).for_each(|_| still.push(FacePose::REST));
    assert!(size(&still) < 80, "{} bytes", size(&still));
    assert_eq!(FaceTrack::from_bytes(&still.to_bytes(None).unwrap()).unwrap(), still);
    let empty = FaceTrack::starting_at(FrameRate::per_second(25), 7);
    assert_eq!(FaceTrack::from_bytes(&empty.to_bytes(Some(source())).unwrap()).unwrap(), empty);
}

#[test]
fn what_cannot_be_stored_is_said() {
    let with = |change: fn(&mut FacePose)| {
        let mut track = moving(FrameRate::per_second(60), 0, 3);
        let mut pose = FacePose::REST;
        change(&mut pose);
        track.push(pose);
        track.to_bytes(None).unwrap_err().to_string()
    };
    assert_eq!(
        with(|pose| pose.set(FaceChannel::JawOpen, f32::NAN)),
        "frame 3: jawOpen is NaN; expected a number within 1960.7843 of 0"
    );
    assert!(with(|pose| pose.head_rotation.w = f32::INFINITY).contains("headRotationW is inf"));
    assert!(
        with(|pose| pose.jaw_translation.y = -11.0).contains("jawTranslationY is -11; expected a number within 10")
    );
    let rate = FaceTrack::new(FrameRate { numerator: 0, denominator: 1 });
    assert!(rate.to_bytes(None).unwrap_err().to_string().contains("0/1"));
    let late = FaceTrack::starting_at(FrameRate::per_second(60), u64::MAX);
    assert!(matches!(late.to_bytes(None), Err(TrackFileError::TooLong { first: u64::MAX, frames: 0 })));
}

/// The bytes with a number changed and the checksum made right again.
fn forged(bytes: &[u8], at: usize, by: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at..at + by.len()].copy_from_slice(by);
    let end = bytes.len() - 4;
    let sum = checksum(&bytes[..end]).to_le_bytes();
    bytes[end..].copy_from_slice(&sum);
    bytes
}

#[test]
fn broken_files_are_refused_with_a_reason() {
    let bytes = moving(FrameRate::per_second(60), 5, 40).to_bytes(None).unwrap();
    let says = |bytes: &[u8]| FaceTrack::from_bytes(bytes).unwrap_err().to_string();
    assert_eq!(says(b"time,jawOpen\n"), "not a face track: it does not begin with `FACETRAK`");
    assert_eq!(says(&forged(&bytes, 8, &[9, 0])), "face track of version 9; this build reads version 1");
    for length in 8..bytes.len() {
        let cut = says(&bytes[..length]);
        assert!(cut.starts_with(&format!("the face track is cut off: {length} bytes of ")), "{cut}");
    }
    assert!(says(&[&bytes[..], b"!"].concat()).contains("checksum"));
    let mut flipped = bytes.clone();
    flipped[60] ^= 4;
    assert!(says(&flipped).contains("checksum"));
    // Rate, first frame, frames, columns, length of the data.
    for (at, by, part) in [
        (11, &[0; 4][..], "0/1"),
        (19, &[255; 8], "from frame 18446744073709551615 on"),
        (27, &[255; 4], "4294967295 frames"),
        (27, &[41, 0, 0, 0], "fewer values than frames"),
        (27, &[39, 0, 0, 0], "more values than frames"),
        (27, &[0, 0, 16, 0], "unpacked"),
        (31, &[0; 11], "columns"),
        (41, &[255], "columns"),
        (42, &[255; 4], "cut off"),
    ] {
        let said = says(&forged(&bytes, at, by));
        assert!(said.contains(part), "expected {part:?} in: {said}");
    }
}

#[test]
fn hashes_tell_parts_apart_and_stay_the_same() {
    let of = |parts: &[&[u8]]| ContentHash::of(parts.iter().copied()).to_string();
    assert_ne!(of(&[b"ab", b"c"]), of(&[b"a", b"bc"]));
    assert_ne!(of(&[b""]), of(&[]));
    assert_eq!(of(&[b"ab", b"c"]).len(), 32);
    assert_eq!(ContentHash::of_reader(&b"abc"[..]).unwrap().to_string(), of(&[b"abc"]));
}

/// Tracks of which each column moves, holds or rests.
fn tracks() -> impl Strategy<Value = FaceTrack> {
    let columns = prop::collection::vec((0_u8..3, -1.0_f32..2.0, -0.2_f32..0.2), COLUMN_COUNT);
    (columns, 1_u32..200, 1_u32..1_100, 0..LAST_FRAME, 0_usize..40).prop_map(
        |(columns, numerator, denominator, first, frames)| {
            let mut track = FaceTrack::starting_at(FrameRate { numerator, denominator }, first);
            for frame in 0..frames {
                let mut pose = FacePose::REST;
                let value = |(how, start, slope): (u8, f32, f32)| match how {
                    0 => 0.0,
                    1 => start,
                    _ => start + slope * frame as f32,
                };
                pose.weights = core::array::from_fn(|index| value(columns[index]));
                pose.set_joint_values(&core::array::from_fn(|joint| value(columns[CHANNEL_COUNT + joint])));
                for rotation in [&mut pose.jaw_rotation, &mut pose.head_rotation] {
                    *rotation = if rotation.length() > 0.1 { rotation.normalize() } else { Quat::IDENTITY };
                }
                track.push(pose);
            }
            track
        },
    )
}

proptest! {
    #[test]
    fn tracks_come_back_within_the_stated_error(track in tracks(), sourced in any::<bool>()) {
        let source = sourced.then(source);
        let bytes = track.to_bytes(source).unwrap();
        prop_assert_eq!(TrackSource::of_file(&bytes), Ok(source));
        let read = FaceTrack::from_bytes(&bytes).unwrap();
        prop_assert_eq!(same(&read, &track), Ok(()));
        // Once more changes nothing that is not a rotation.
        let again = FaceTrack::from_bytes(&read.to_bytes(None).unwrap()).unwrap();
        let weights = |track: &FaceTrack| track.iter().map(|(_, pose)| pose.weights).collect::<Vec<_>>();
        prop_assert_eq!(weights(&again), weights(&read));
    }

    #[test]
    fn any_bytes_are_a_track_or_an_error(
        track in tracks(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        mended in any::<bool>(),
        tail in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let mut bytes = track.to_bytes(None).unwrap();
        for (at, by) in changes {
            let at = at.index(bytes.len());
            bytes[at] = by;
        }
        if mended {
            // Past the checksum, as who forges a file would.
            bytes = forged(&bytes, 0, &[]);
        }
        for bytes in [bytes, [&MAGIC[..], &[1, 0], &tail].concat(), tail] {
            if let Ok(track) = FaceTrack::from_bytes(&bytes) {
                prop_assert!(track.iter().all(|(_, pose)| pose.is_finite()));
            }
        }
    }
}
