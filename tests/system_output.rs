//! The system's loudspeakers, for real: every engine plays into a sound server without a device, a microphone listens to what would
//! be heard, and the face shows that moment, through pauses and seeks.
//!
//! Needs `pulseaudio` and ALSA's plugins for it, which only the continuous integration installs. Elsewhere it says that it did nothing.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::{
    fs,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use bevy::{audio::AudioPlugin, prelude::*, time::TimeUpdateStrategy};
use bevy_talkie::{
    prelude::*,
    talkie::audio::AudioClip,
    voice::{KiraVoicePlugin, OutputLatency, SeedlingVoicePlugin, VoiceOutput},
};
use common::{add_clip, add_tiny_model, app_in, glb::Character, spawn_face};

/// Says in the process with the other sound system which engine shall play.
const MARK: &str = "TALKIE_TEST_ENGINE";

/// A server that is stopped with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_face_shows_what_is_heard_whichever_engine_plays() {
    if let Ok(engine) = std::env::var(MARK) {
        return listen(&engine);
    }
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("native");
    let server = Command::new("pulseaudio")
        .args(["-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--high-priority=no"])
        .args(["-L", "module-null-sink sink_name=quiet"])
        .args(["-L", &format!("module-native-protocol-unix auth-anonymous=1 socket={}", socket.display())])
        .envs([("HOME", folder.path()), ("XDG_RUNTIME_DIR", folder.path())])
        .stderr(Stdio::null())
        .spawn();
    let Ok(server) = server else {
        println!("not tested: pulseaudio is not installed");
        return;
    };
    let _server = Server(server);
    let begun = Instant::now();
    while !socket.exists() {
        assert!(begun.elapsed() < Duration::from_secs(20), "pulseaudio does not start");
        thread::sleep(Duration::from_millis(20));
    }
    let configuration = folder.path().join("asound.conf");
    let text = "</usr/share/alsa/alsa.conf>\npcm.!default { type pulse }\nctl.!default { type pulse }\n";
    fs::write(&configuration, text).unwrap();
    let mut done = None;
    // All of it happens in real time, so a machine that is busy with other things gets two more attempts.
    for (engine, attempt) in ["bevy", "kira", "seedling"].into_iter().flat_map(|engine| [1, 2, 3].map(|n| (engine, n)))
    {
        if done == Some(engine) {
            continue;
        }
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_face_shows_what_is_heard_whichever_engine_plays", "--nocapture"])
            .env("ALSA_CONFIG_PATH", &configuration)
            .env("PULSE_SERVER", format!("unix:{}", socket.display()))
            .env(MARK, engine)
            .output()
            .unwrap();
        println!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() || attempt < 3, "{engine}: {}", output.status);
        if output.status.success() {
            done = Some(engine);
        }
    }
}

/// Samples rise steadily, so that what is heard says when it was.
fn rising(seconds: f32) -> AudioClip {
    let samples = (0..(48_000.0 * seconds) as usize).map(|index| 0.02 + index as f32 / 480_000.0).collect();
    AudioClip::from_samples(48_000, 1, samples).unwrap()
}

fn listen(engine: &str) {
    let folder = tempfile::tempdir().unwrap();
    Character { shapes: &["mouthPucker", "jawOpen", "mouthClose"], ..default() }.write(folder.path(), "face.glb");
    let mut app = app_in(folder.path());
    app.add_plugins(bevy::log::LogPlugin::default()).insert_resource(TimeUpdateStrategy::Automatic);
    match engine {
        "bevy" => app.add_plugins((AudioPlugin::default(), TalkiePlugins)),
        "kira" => app.add_plugins((bevy_kira_audio::AudioPlugin, TalkiePlugins, KiraVoicePlugin)),
        _ => app.add_plugins((bevy_seedling::SeedlingPlugins, TalkiePlugins, SeedlingVoicePlugin)),
    };
    app.finish();
    app.cleanup();
    let (face, ear) = (spawn_face(&mut app, "face.glb"), spawn_face(&mut app, "face.glb"));
    let live_model = add_tiny_model(&mut app);
    app.world_mut().get_mut::<TalkingFace>(ear).unwrap().live_model = live_model;
    app.world_mut().entity_mut(ear).insert(Microphone::default());
    if engine != "bevy" {
        app.world_mut().get_mut::<VoiceSettings>(face).unwrap().output = VoiceOutput::External;
    }
    let frame = |app: &mut App| {
        app.update();
        thread::sleep(Duration::from_millis(8));
    };
    // The microphone is there, and the device has said how late it is heard (`bevy_seedling` says it with every buffer).
    let begun = Instant::now();
    let open = |app: &App| app.world().get::<MicrophoneState>(ear).unwrap().is_open();
    let measured = |app: &App| engine == "seedling" || app.world().resource::<OutputLatency>().measured().is_some();
    // A server begins with buffers of two seconds, and stutters until they are as small as is asked.
    while !(open(&app) && measured(&app) && begun.elapsed() > Duration::from_secs(3)) {
        assert!(begun.elapsed() < Duration::from_secs(20), "microphone {}, latency {}", open(&app), measured(&app));
        frame(&mut app);
    }
    app.world_mut().get_mut::<MicrophoneState>(ear).unwrap().start_recording();
    let recording_since = Instant::now();
    let clip = add_clip(&mut app, rising(6.0));
    app.world_mut().commands().entity(face).say(clip);
    let mut shown: Vec<(usize, f64, f64)> = Vec::new();
    let mut phase = |app: &mut App, number: usize, seconds: f32| {
        let begun = Instant::now();
        while begun.elapsed().as_secs_f32() < seconds {
            frame(app);
            // What was heard before may still be on its way.
            if begun.elapsed().as_secs_f32() > 0.5 {
                let moment = app.world().get::<Voice>(face).unwrap().heard_seconds();
                shown.push((number, recording_since.elapsed().as_secs_f64(), moment));
            }
        }
    };
    phase(&mut app, 0, 2.0);
    app.world_mut().get_mut::<Voice>(face).unwrap().pause();
    phase(&mut app, 1, 0.8);
    app.world_mut().get_mut::<Voice>(face).unwrap().resume();
    phase(&mut app, 2, 1.5);
    app.world_mut().get_mut::<Voice>(face).unwrap().seek(0.5);
    phase(&mut app, 3, 1.5);
    for _ in 0..20 {
        frame(&mut app);
    }
    let recording = app.world_mut().get_mut::<MicrophoneState>(ear).unwrap().stop_recording().unwrap();
    let latency = *app.world().resource::<OutputLatency>();
    let heard = |at: f64| {
        let index = (at * f64::from(recording.sample_rate())) as usize;
        let sample = recording.samples().get(index).expect("the microphone has lost sound");
        (f64::from(*sample) - 0.02) * 10.0
    };
    let behind = |number: usize| {
        let mut behind: Vec<f64> =
            shown.iter().filter(|(of, ..)| *of == number).map(|(_, at, moment)| moment - heard(*at)).collect();
        behind.sort_by(f64::total_cmp);
        behind[behind.len() / 2]
    };
    let (first, resumed, sought) = (behind(0), behind(2), behind(3));
    println!("{engine}: heard {first:.3}, {resumed:.3}, {sought:.3} s behind what is shown; {latency:?}");
    // The server lets a recorder hear what it has mixed ahead, and the way to the recording takes time: some tens of milliseconds
    // in the one and the other direction, and the same at all times.
    for offset in [first, resumed, sought] {
        assert!((-0.08..0.12).contains(&offset) && (offset - first).abs() < 0.05, "{first} {resumed} {sought}");
    }
    let silent = shown.iter().filter(|(of, ..)| *of == 1).map(|(_, at, _)| heard(*at) + 0.2).fold(0.0, f64::max);
    assert!(silent < 0.01, "a pause is silent, but {silent} was heard");
}
