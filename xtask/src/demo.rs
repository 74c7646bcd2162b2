//! `cargo xtask demo`: the `talking_npc` example, in a window or as pictures and a video.

use std::{env, fs, path::Path, process::Command};

use crate::{Outcome, cargo, onnxruntime, packages, target};

/// The whole conversation.
pub(crate) fn run(headless: bool) -> Outcome {
    let window = !headless && has_display();
    let show = if window { packages::WINDOW } else { packages::VIDEO };
    packages::install(&[packages::BUILD, packages::RENDER, show])?;
    onnxruntime::install();
    if window { cargo(&["run", "--example", "talking_npc"], &[], &[]) } else { draw(ALL, 25) }
}

/// Only the first line, in a few pictures: enough to see that it works.
pub(crate) fn first_line() -> Outcome {
    draw(1, 6)
}

/// More lines than there are.
const ALL: u32 = 1_000;

fn draw(lines: u32, frames_per_second: u32) -> Outcome {
    let folder = target().join("demo");
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    let folder_name = folder.to_string_lossy();
    let (lines, rate) = (lines.to_string(), frames_per_second.to_string());
    cargo(&["run", "--example", "talking_npc"], &["--headless", &folder_name, &lines, &rate], &[])?;
    contact_sheet(&folder)?;
    video(&folder, &rate)?;
    println!("pictures       {}", folder.join("frame_0001.png").display());
    println!("contact sheet  {}", folder.join("contact_sheet.png").display());
    println!("video          {}", folder.join("talking_npc.mp4").display());
    Ok(())
}

/// Whether a window can be opened. On Linux the examples speak X11, which Wayland desktops offer as well.
fn has_display() -> bool {
    !cfg!(target_os = "linux") || env::var_os("DISPLAY").is_some_and(|value| !value.is_empty())
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

fn video(folder: &Path, rate: &str) -> Outcome {
    crate::run(ffmpeg(folder).args([
        "-framerate",
        rate,
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
