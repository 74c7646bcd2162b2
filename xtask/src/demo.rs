//! `cargo xtask demo`: the `talking_npc` example, in a window or as pictures and a video.

use std::{env, fs, path::Path, process::Command};

use crate::{Outcome, cargo, onnxruntime, packages, target};

pub(crate) fn run_in_window() -> Outcome {
    packages::install(packages::WINDOW)?;
    cargo(&["run", "--example", "talking_npc"], &[])
}

/// The whole conversation.
pub(crate) fn run(headless: bool) -> Outcome {
    packages::install(packages::BUILD)?;
    packages::install(packages::DEMO)?;
    onnxruntime::install();
    if !headless && has_display() { run_in_window() } else { draw(&[]) }
}

/// Only the first line: enough to see that it works.
pub(crate) fn first_line() -> Outcome {
    draw(&["1".to_owned()])
}

fn draw(lines: &[String]) -> Outcome {
    let folder = target().join("demo");
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    let mut arguments = vec![folder.to_string_lossy().into_owned()];
    arguments.extend_from_slice(lines);
    cargo(&["run", "--example", "talking_npc", "--", "--headless"], &arguments)?;
    contact_sheet(&folder)?;
    video(&folder)?;
    println!("pictures       {}", folder.join("frame_0001.png").display());
    println!("contact sheet  {}", folder.join("contact_sheet.png").display());
    println!("video          {}", folder.join("talking_npc.mp4").display());
    match fs::read_to_string(folder.join("figures.txt")) {
        Ok(figures) => print!("{figures}"),
        Err(error) => return Err(format!("{}: {error}", folder.join("figures.txt").display())),
    }
    Ok(())
}

fn has_display() -> bool {
    let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    !cfg!(target_os = "linux") || set("DISPLAY") || set("WAYLAND_DISPLAY")
}

fn ffmpeg(folder: &Path) -> Command {
    let mut command = Command::new("ffmpeg");
    command.current_dir(folder).args(["-y", "-loglevel", "error"]);
    command
}

/// Forty moments of the conversation on one sheet.
fn contact_sheet(folder: &Path) -> Outcome {
    let frames = fs::read_dir(folder)
        .map_err(|error| format!("{}: {error}", folder.display()))?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with("frame_"))
        .count();
    let every = (frames / 40).max(1);
    crate::run(
        ffmpeg(folder)
            .args(["-i", "frame_%04d.png", "-frames:v", "1", "-vf"])
            .arg(format!("select=not(mod(n\\,{every})),scale=480:-1,tile=5x8:padding=4:margin=4"))
            .args(["-fps_mode", "vfr", "contact_sheet.png"]),
    )
}

fn video(folder: &Path) -> Outcome {
    crate::run(ffmpeg(folder).args([
        "-framerate",
        "25",
        "-i",
        "frame_%04d.png",
        "-i",
        "voices.wav",
        "-c:v",
        "libx264",
        "-pix_fmt",
        "yuv420p",
        "-crf",
        "20",
        "-c:a",
        "aac",
        "-b:a",
        "128k",
        "-shortest",
        "talking_npc.mp4",
    ]))
}
