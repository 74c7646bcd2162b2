//! Drawing the conversation without window, GPU or sound card.

use std::{
    fs,
    path::PathBuf,
    sync::mpsc,
    time::{Duration, Instant},
};

use bevy::{
    camera::RenderTarget,
    prelude::*,
    render::{
        renderer::RenderAdapterInfo,
        view::screenshot::{Screenshot, save_to_disk},
    },
};
use bevy_talkie::{inference::InferenceStats, prelude::*, talkie::inference::Runtime};

use crate::{
    Actor, Script,
    off_screen::{self, step},
    stage,
};

const SIZE: (u32, u32) = (640, 360);
/// Unless another number is asked for.
pub const FRAMES_PER_SECOND: u32 = 25;
/// Nothing may wait longer than this many seconds.
const LIMIT: u32 = 120;

/// The picture that is drawn to, and where pictures are written.
#[derive(Resource)]
pub struct Picture {
    image: Handle<Image>,
    folder: PathBuf,
    /// How many lines of the script are spoken.
    pub lines: usize,
    frames_per_second: u32,
}

impl Picture {
    pub fn target(&self) -> RenderTarget {
        RenderTarget::Image(self.image.clone().into())
    }
}

/// Which line was first heard in which picture, and where it comes from.
#[derive(Resource, Default)]
struct Heard(Vec<(u32, f32, Handle<VoiceClip>)>);

#[derive(Resource)]
struct FrameNumber(u32);

/// No window and no sound, and time in steps of one picture.
pub fn prepare(app: &mut App, folder: PathBuf, lines: usize, frames_per_second: u32) {
    let image = off_screen::prepare(app, SIZE, Duration::from_secs(1) / frames_per_second);
    app.insert_resource(Picture { image, folder, lines, frames_per_second })
        .init_resource::<Heard>()
        .insert_resource(FrameNumber(0))
        .add_observer(
            |started: On<SpeechStarted>, actors: Query<&Actor>, frame: Res<FrameNumber>, mut heard: ResMut<Heard>| {
                let left = actors.get(started.entity).is_ok_and(|actor| actor.0 == stage::LEFT_ACTOR);
                heard.0.push((frame.0, if left { -1.0 } else { 1.0 }, started.clip.clone()));
            },
        );
}

/// Runs in a window as usual, or off-screen until the script is through.
pub fn run(mut app: App) -> AppExit {
    if !app.world().contains_resource::<Picture>() {
        return app.run();
    }
    match draw(&mut app) {
        Ok(figures) => {
            println!("{figures}");
            AppExit::Success
        }
        Err(reason) => {
            eprintln!("talking_npc: {reason}");
            AppExit::error()
        }
    }
}

fn draw(app: &mut App) -> Result<String, String> {
    off_screen::start(app);
    let (image, folder, frames_per_second) = {
        let picture = app.world().resource::<Picture>();
        (picture.image.clone(), picture.folder.clone(), picture.frames_per_second)
    };
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;

    let loading = Instant::now();
    loop {
        step(app);
        if app.world().resource::<Script>().running {
            break;
        }
        if loading.elapsed() > Duration::from_secs(120) {
            return Err("the characters were not bound within two minutes: see the log".into());
        }
    }
    let started = Instant::now();
    let (sent, written) = mpsc::channel();
    let mut quiet = 0;
    let mut frame = 0;
    // A little of the silence after the last line as well.
    while quiet < frames_per_second {
        frame += 1;
        app.world_mut().resource_mut::<FrameNumber>().0 = frame;
        let mut save = save_to_disk(folder.join(format!("frame_{frame:04}.png")));
        let sent = sent.clone();
        app.world_mut().spawn(Screenshot::image(image.clone())).observe(move |captured: On<_>| {
            save(captured);
            // Whoever waits for it may have given up.
            let _ = sent.send(());
        });
        step(app);
        if frame.is_multiple_of(100) {
            println!("{frame} pictures drawn");
        }
        quiet = if app.world().resource::<Script>().running { 0 } else { quiet + 1 };
        if frame > LIMIT * frames_per_second {
            return Err(format!("the conversation did not end within {LIMIT} s"));
        }
    }
    let mut arrived = 0;
    for _ in 0..60 {
        arrived += written.try_iter().count();
        if arrived == frame as usize {
            break;
        }
        step(app);
    }
    if arrived != frame as usize {
        return Err(format!("{arrived} of {frame} pictures were captured"));
    }
    let seconds = f64::from(frame) / f64::from(frames_per_second);
    write_sound(app, &folder, seconds, frames_per_second)?;
    Ok(figures(app, frame, seconds, started.elapsed().as_secs_f64()))
}

fn figures(app: &App, frames: u32, seconds: f64, took: f64) -> String {
    let stats = app.world().resource::<InferenceStats>();
    let device = app.world().get_resource::<RenderAdapterInfo>().map_or("no device", |info| info.name.as_str());
    let backend =
        Runtime::global().map_or("none".into(), |runtime| format!("{} {}", runtime.backend(), runtime.version()));
    format!(
        "{frames} pictures of {seconds:.1} s drawn in {took:.1} s on {device}; {:.1} s of speech animated with a real-time \
         factor of {:.4} on {backend}",
        stats.seconds_animated,
        stats.real_time_factor()
    )
}

/// Mixes what was heard: each voice on its side, where it started.
fn write_sound(app: &App, folder: &std::path::Path, seconds: f64, frames_per_second: u32) -> Result<(), String> {
    let clips = app.world().resource::<Assets<VoiceClip>>();
    let heard = &app.world().resource::<Heard>().0;
    let rate =
        heard.iter().find_map(|(.., clip)| Some(clips.get(clip)?.sound()?.sample_rate())).ok_or("nobody spoke")?;
    let mut mix = vec![[0.0_f32; 2]; (seconds * f64::from(rate)) as usize];
    for (frame, side, clip) in heard {
        let sound = clips.get(clip).and_then(VoiceClip::sound).ok_or("a clip is gone")?;
        if sound.sample_rate() != rate {
            return Err(format!("the voices have different rates: {rate} and {} Hz", sound.sample_rate()));
        }
        let start = (f64::from(frame - 1) / f64::from(frames_per_second) * f64::from(rate)) as usize;
        let gains = [0.75 - 0.25 * side, 0.75 + 0.25 * side];
        for (index, samples) in sound.samples().chunks(sound.channels()).enumerate() {
            if let Some(mixed) = mix.get_mut(start + index) {
                mixed[0] += samples[0] * gains[0];
                mixed[1] += samples[0] * gains[1];
            }
        }
    }
    let spec =
        hound::WavSpec { channels: 2, sample_rate: rate, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let write = || {
        let mut writer = hound::WavWriter::create(folder.join("voices.wav"), spec)?;
        for sample in mix.iter().flatten() {
            writer.write_sample((sample.clamp(-1.0, 1.0) * f32::from(i16::MAX)) as i16)?;
        }
        writer.finalize()
    };
    write().map_err(|error| format!("voices.wav: {error}"))
}
