//! System packages, by their Debian and Ubuntu names.

use std::{env, io::IsTerminal, process::Command};

use crate::{Outcome, run, succeeds};

/// To build: headers of the sound and input systems.
pub(crate) const BUILD: &[&str] = &["pkg-config", "libasound2-dev", "libudev-dev"];
/// To render without a GPU: the Vulkan loader and a software driver.
pub(crate) const RENDER: &[&str] = &["libvulkan1", "mesa-vulkan-drivers"];
/// To test what is heard, without a sound card. Not for the machines of people: it might take the place of their sound server.
pub(crate) const SOUND: &[&str] = &["pulseaudio", "libasound2-plugins"];
/// To make a video of pictures and sound.
pub(crate) const VIDEO: &[&str] = &["ffmpeg"];
/// To open a window under X11.
pub(crate) const WINDOW: &[&str] = &["libxkbcommon-x11-0", "libxcursor1", "libxi6", "libxrandr2"];
/// To make a voice model: synthesisers, recordings of people, texts, and Python for the others.
pub(crate) const TRAIN: &[&str] = &[
    "flite",
    "espeak-ng",
    "festival",
    "festvox-us-slt-hts",
    "festvox-kallpc16k",
    "festvox-kdlpc16k",
    "festvox-ru",
    "asterisk-core-sounds-en",
    "asterisk-core-sounds-en-g722",
    "asterisk-core-sounds-es",
    "asterisk-core-sounds-es-g722",
    "asterisk-core-sounds-fr",
    "asterisk-core-sounds-fr-g722",
    "asterisk-core-sounds-it",
    "asterisk-core-sounds-it-g722",
    "asterisk-core-sounds-ru",
    "asterisk-core-sounds-ru-g722",
    "fortunes",
    "fortunes-de",
    "fortunes-es",
    "fortunes-it",
    "fortunes-br",
    "python3-venv",
];

/// Installs what is missing, all at once, or says exactly what to install and stops.
pub(crate) fn install(lists: &[&[&str]]) -> Outcome {
    let packages = lists.concat();
    if !cfg!(target_os = "linux") {
        return Ok(());
    }
    if !succeeds("dpkg-query", &["--version"]) {
        eprintln!(
            "xtask: this is not Debian or Ubuntu; if something is missing below, install your system's equivalents of: {}",
            packages.join(" ")
        );
        return Ok(());
    }
    let missing: Vec<&str> = packages.into_iter().filter(|package| !is_installed(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let by_hand = format!("sudo apt-get update && sudo apt-get install -y {}", missing.join(" "));
    eprintln!("xtask: installing {}", missing.join(" "));
    let installed = match administrator() {
        Some(prefix) => apt_get(prefix, &["update", "-qq"]).and_then(|()| {
            let mut arguments = vec!["install", "-y", "-qq", "--no-install-recommends"];
            arguments.extend(&missing);
            apt_get(prefix, &arguments)
        }),
        None => Err("installing needs root or sudo, and there is neither".into()),
    };
    installed
        .map_err(|reason| format!("{reason}\nxtask: please install them yourself and try again:\n\n    {by_hand}\n"))
}

fn is_installed(package: &str) -> bool {
    Command::new("dpkg-query")
        .args(["-W", "-f=${Status}", package])
        .output()
        .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("ok installed"))
}

/// How to become root: not at all, by sudo without a question, or by sudo with one if somebody can answer.
fn administrator() -> Option<&'static [&'static str]> {
    let root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.starts_with(b"0\n"));
    if root {
        Some(&[])
    } else if succeeds("sudo", &["-n", "true"]) {
        Some(&["sudo", "-n"])
    } else if env::var_os("CI").is_none() && std::io::stdin().is_terminal() && succeeds("sudo", &["--version"]) {
        Some(&["sudo"])
    } else {
        None
    }
}

fn apt_get(prefix: &[&str], arguments: &[&str]) -> Outcome {
    let mut words = prefix.to_vec();
    words.extend(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    words.extend(arguments);
    run(Command::new(words[0]).args(&words[1..]))
}
