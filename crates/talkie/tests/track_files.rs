//! Files with tracks, as the `talkie` command makes them of sounds, of each other and of captures. Needs the feature
//! `cli`.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Instant,
};

use talkie::{
    animation::{CHANNEL_COUNT, ContentHash, FaceChannel, FaceTrack, FrameRate, TrackSource},
    retarget::open_gltf,
};

/// What a second of speech at 60 frames per second may need, in bytes.
const MOST_PER_SECOND: f64 = 1_200.0;
/// What a weight may be off by: 1/1020, and what text rounds away.
const WEIGHT_ERROR: f32 = 1.0 / 1020.0 + 1e-5;

fn assets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets")
}

/// Runs `talkie animate` in a folder.
fn animate(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_talkie"));
    command.current_dir(folder).arg("animate").args(arguments).env("TALKIE_MODEL", assets().join("models/voice"));
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    let output = animate(folder, arguments);
    assert!(output.status.success(), "{}", said(&output));
    said(&output)
}

fn fails(folder: &Path, arguments: &[&str], parts: &[&str]) {
    let output = animate(folder, arguments);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    for part in parts {
        assert!(said(&output).contains(part), "expected {part:?} in: {}", said(&output));
    }
}

fn largest_difference(a: &FaceTrack, b: &FaceTrack) -> f32 {
    assert_eq!((a.len(), a.frame_rate(), a.start_frame()), (b.len(), b.frame_rate(), b.start_frame()));
    let weights = |track: &FaceTrack| track.iter().flat_map(|(_, pose)| pose.weights).collect::<Vec<_>>();
    weights(a).iter().zip(weights(b)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn lines_of_the_shipped_model_are_small_and_quick_to_read() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["01_ada", "02_ben", "03_ada", "04_ben", "05_ada", "06_ben"] {
        let sound = assets().join(format!("voices/{name}.ogg"));
        succeeds(folder.path(), &[sound.to_str().unwrap(), "-o", "line.facetrack"]);
        succeeds(folder.path(), &[sound.to_str().unwrap(), "-o", "line.json"]);
        let bytes = fs::read(at("line.facetrack")).unwrap();
        let started = Instant::now();
        let read = FaceTrack::from_bytes(&bytes).unwrap();
        let took = started.elapsed();
        let exact: FaceTrack = serde_json::from_slice(&fs::read(at("line.json")).unwrap()).unwrap();
        let off = largest_difference(&read, &exact);
        let seconds = read.len() as f64 / read.frame_rate().hertz();
        let moved =
            FaceChannel::ALL.iter().filter(|channel| exact.iter().any(|(_, pose)| pose.weight(**channel) != 0.0));
        let (moved, rate) = (moved.count(), bytes.len() as f64 / seconds);
        println!(
            "{name}: {} bytes, {rate:.0} a second, {moved} channels move; off by {off:.5}; {seconds:.2} s read in {took:?}",
            bytes.len()
        );
        assert!(rate < MOST_PER_SECOND && off < WEIGHT_ERROR && moved > 30);
        // It says what it was made from, and the same again is the same file.
        let source = TrackSource::of_file(&bytes).unwrap().unwrap();
        assert_eq!(source.sound, ContentHash::of([fs::read(&sound).unwrap().as_slice()]));
        if name == "01_ada" {
            succeeds(folder.path(), &[sound.to_str().unwrap(), "-o", "again.facetrack"]);
            assert_eq!(fs::read(at("again.facetrack")).unwrap(), bytes);
            // Of the other model only the model differs.
            let live = assets().join("models/voice_live");
            let model = ["--model", live.to_str().unwrap()];
            succeeds(folder.path(), &[&[sound.to_str().unwrap(), "-o", "live.facetrack"], &model[..]].concat());
            let live = TrackSource::of_file(&fs::read(at("live.facetrack")).unwrap()).unwrap().unwrap();
            assert!(live.sound == source.sound && live.model != source.model);
        }
    }
}

#[test]
fn one_kind_of_file_becomes_another() {
    let folder = tempfile::tempdir().unwrap();
    let mut track = FaceTrack::new(FrameRate::per_second(30));
    for frame in 0..45 {
        let mut pose = talkie::animation::FacePose::REST;
        pose.weights = std::array::from_fn(|channel| ((frame * (channel + 3)) % 101) as f32 / 100.0);
        pose.head_rotation = glam::Quat::from_rotation_y(0.01 * frame as f32);
        pose.left_eye.x = 0.2;
        track.push(pose);
    }
    let at = |name: &str| folder.path().join(name);
    fs::write(at("a.json"), serde_json::to_vec(&track).unwrap()).unwrap();
    let said = succeeds(folder.path(), &["a.json", "-o", "b.facetrack"]);
    assert!(said.contains("45 frames, 1.50 s of a.json"), "{said}");
    succeeds(folder.path(), &["b.facetrack", "-o", "c.csv"]);
    succeeds(folder.path(), &["c.csv", "-o", "d.facetrack", "--fps", "30"]);
    succeeds(folder.path(), &["d.facetrack", "-o", "e.JSON"]);
    let last: FaceTrack = serde_json::from_slice(&fs::read(at("e.JSON")).unwrap()).unwrap();
    assert!(largest_difference(&last, &track) < WEIGHT_ERROR);
    let turned = last.iter().zip(track.iter()).map(|((_, a), (_, b))| a.head_rotation.angle_between(b.head_rotation));
    assert!(turned.fold(0.0, f32::max) < 2e-3, "text has five digits");
    // A track keeps its rate unless another one is asked for.
    succeeds(folder.path(), &["b.facetrack", "-o", "f.facetrack", "--fps", "60"]);
    let double = FaceTrack::from_bytes(&fs::read(at("f.facetrack")).unwrap()).unwrap();
    assert_eq!((double.frame_rate(), double.len()), (FrameRate::per_second(60), 89));
    assert_eq!(TrackSource::of_file(&fs::read(at("f.facetrack")).unwrap()), Ok(None));
}

#[test]
fn a_capture_animates_a_character() {
    let folder = tempfile::tempdir().unwrap();
    let capture: String =
        (0..60).map(|frame| format!("00:00:01:{frame:02}.500,61,0.{:02},0.1,0.3\n", frame + 10)).collect();
    fs::write(
        folder.path().join("take 1.csv"),
        format!("Timecode,BlendShapeCount,JawOpen,MouthClose,HeadYaw\n{capture}"),
    )
    .unwrap();
    let ada = assets().join("characters/ada.glb");
    let said = succeeds(folder.path(), &["take 1.csv", "-o", "out.glb", "--character", ada.to_str().unwrap()]);
    assert!(said.contains("passed over: BlendShapeCount, HeadYaw") && said.contains("60 frames"), "{said}");
    let file = open_gltf(&fs::read(folder.path().join("out.glb")).unwrap()).unwrap();
    let animation = file.animations().next().unwrap();
    assert_eq!((file.animations().count(), animation.name()), (1, Some("take 1")));
    let channel = animation.channels().find(|channel| channel.target().node().name() == Some("face")).unwrap();
    let reader = channel.reader(|_| file.blob.as_deref());
    let Some(gltf::animation::util::ReadOutputs::MorphTargetWeights(weights)) = reader.read_outputs() else {
        panic!("no weights")
    };
    let names = talkie::retarget::target_names(&channel.target().node().mesh().unwrap()).unwrap();
    let jaw = names.iter().position(|name| name == "jawOpen").unwrap();
    let opening: Vec<f32> = weights.into_f32().skip(jaw).step_by(names.len()).collect();
    assert_eq!(opening.len(), 60);
    assert!(opening.iter().enumerate().all(|(frame, shown)| (shown - (frame + 10) as f32 / 100.0).abs() < 1e-4));
}

#[test]
fn bad_files_are_named_with_line_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    let fails = |arguments: &[&str], parts: &[&str]| fails(folder.path(), arguments, parts);
    write("a.csv", b"Timecode,JawOpen\n00:00:00:01.0,0\n00:00:00:02.0,wide\n");
    fails(&["a.csv", "-o", "x.facetrack"], &["a.csv: line 3: \"wide\" in column `JawOpen` is not a number"]);
    write("b.csv", b"time,HeadYaw\n0,0\n1,0\n");
    fails(&["b.csv", "-o", "x.json"], &["b.csv: no column has the name of an ARKit shape"]);
    write("c.json", b"{\"version\": 1,\n \"frame_rate\": [60, 1], \"columns\": [\"jawOpen\"], \"frames\": [[0, 1]]}");
    fails(&["c.json", "-o", "x.csv"], &["c.json: frame 0 has 2 values; expected 1"]);
    write("d.json", b"{\"version\": 1,\n oops}");
    fails(&["d.json", "-o", "x.csv"], &["d.json: ", "line 2 column"]);
    write("e.json", br#"{"version": 1, "frame_rate": [1, 4000000000], "columns": ["jawOpen"], "frames": [[0], [1]]}"#);
    fails(&["e.json", "-o", "x.csv", "--fps", "60"], &["e.json: 8000000000 s are more than 1048576 frames"]);
    let mut track = FaceTrack::new(FrameRate::per_second(60));
    let mut pose = talkie::animation::FacePose::REST;
    pose.weights = [0.5; CHANNEL_COUNT];
    (0..30).for_each(|_| track.push(pose));
    let bytes = track.to_bytes(None).unwrap();
    write("f.facetrack", &bytes[..bytes.len() - 9]);
    fails(&["f.facetrack", "-o", "x.csv"], &["f.facetrack: the face track is cut off: "]);
    write("g.facetrack", b"time,jawOpen");
    fails(&["g.facetrack", "-o", "x.csv"], &["g.facetrack: not a face track"]);
    fails(&["nowhere.facetrack", "-o", "x.csv"], &["nowhere.facetrack: "]);
    // Characters.
    write("good.facetrack", &bytes);
    let ada = assets().join("characters/ada.glb");
    let ada = ada.to_str().unwrap();
    fails(&["good.facetrack", "-o", "x.glb"], &["x.glb: whose animation? Name a character with --character"]);
    fails(
        &["good.facetrack", "-o", "x.csv", "--character", ada],
        &["x.csv: with --character the name must end in .glb"],
    );
    fails(&["good.facetrack", "-o", "x.glb", "--character", "nobody.glb"], &["nobody.glb: "]);
    fails(&["good.facetrack", "-o", "x.glb", "--character", "a.csv"], &["a.csv: "]);
    write("cube.gltf", br#"{"asset": {"version": "2.0"}, "scenes": [{"nodes": [0]}], "nodes": [{"name": "Cube"}]}"#);
    fails(&["good.facetrack", "-o", "x.glb", "--character", "cube.gltf"], &["cube.gltf: nothing of it can be bound"]);
    write("ours.rig.ron", b"(name: 3)");
    fails(
        &["good.facetrack", "-o", "x.glb", "--character", ada, "--profile", "ours.rig.ron"],
        &["ours.rig.ron", "line 1, column 7"],
    );
    let written = |name: &str| folder.path().join(name).exists();
    assert!(!written("x.glb") && !written("x.csv") && !written("x.facetrack") && !written("x.json"));
}
