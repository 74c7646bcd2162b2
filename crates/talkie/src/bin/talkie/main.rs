//! The `talkie` command: animates files, explains bundles, measures quality.

use std::{
    env, fmt,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

/// Prints a line. Who reads it may have seen enough (`talkie info | head`); that is no failure.
macro_rules! say {
    ($($text:tt)*) => { $crate::print(format_args!($($text)*))? };
}

mod animate;
mod bind;
mod check;
mod eval;
mod info;
mod transfer;

/// Audio to facial animation.
///
/// Exit codes: 0 done, 1 it failed (the reason is on standard error), 2 wrong usage.
/// ONNX Runtime is looked for in ORT_DYLIB_PATH, beside the program and in a folder `onnxruntime` above it; without it
/// the embedded tract engine runs. TALKIE_BACKEND forces one of them: ort or tract. TALKIE_DEVICE says where networks
/// compute (auto, cpu, tensorrt, cuda, directml, coreml, openvino, webgpu); where that cannot be had, the CPU does.
#[derive(Debug, Parser)]
#[command(version, about, verbatim_doc_comment)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Animate a sound file (WAV, FLAC, Ogg Vorbis, MP3): one row of channel weights and joints per frame, or an animation of a character.
    ///
    /// Turns tracks that are there already, captured ones too, into other files.
    Animate(animate::Arguments),
    /// Say which shapes and joints of a character a face would drive, what is missing, and what would help.
    ///
    /// Fails if nothing would open the mouth.
    Bind(bind::Arguments),
    /// Give a head shapes: what the channels do to a default character, carried over by deformation transfer.
    ///
    /// For heads without shapes, or whose shapes are not enough. Nothing is to be marked; the mouth should be closed, the head whole.
    Transfer(transfer::Arguments),
    /// Explain a bundle: what it is, what it needs, which engine and device would run it.
    Info(info::Arguments),
    /// Check a bundle: every file against the others and against the network's own tensors, and that it speaks.
    Check(check::Arguments),
    /// Score a bundle on recordings with phoneme alignments (NAME.wav|ogg|flac|mp3 beside NAME.json).
    Eval(eval::Arguments),
}

/// What went wrong, as one line for a person.
#[derive(Debug)]
struct Failure(String);

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

impl Failure {
    fn at(path: &Path, error: impl fmt::Display) -> Self {
        Self(format!("{}: {error}", path.display()))
    }
}

fn print(text: fmt::Arguments<'_>) -> Result<(), Failure> {
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure(format!("cannot print: {error}"))),
        _ => Ok(()),
    }
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Animate(arguments) => animate::run(&arguments),
        Command::Bind(arguments) => bind::run(&arguments),
        Command::Transfer(arguments) => transfer::run(&arguments),
        Command::Info(arguments) => info::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Eval(arguments) => eval::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(reason)) => {
            eprintln!("talkie: {reason}");
            ExitCode::FAILURE
        }
    }
}

/// The bundle to use: the one that was named, or the default one of a checkout.
fn model_folder(named: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(folder) = named {
        return Ok(folder.to_owned());
    }
    if let Some(folder) = env::var_os("TALKIE_MODEL").filter(|folder| !folder.is_empty()) {
        return Ok(folder.into());
    }
    of_checkout("assets/models/voice", "model.json")
        .ok_or_else(|| Failure("no model found: name a bundle folder with --model or in TALKIE_MODEL".into()))
}

/// A folder of the checkout that the command is run in or was built in, if it has this file in it.
fn of_checkout(path: &str, file: &str) -> Option<PathBuf> {
    let executable = env::current_exe().unwrap_or_default();
    env::current_dir()
        .iter()
        .map(PathBuf::as_path)
        .chain(executable.ancestors())
        .map(|folder| folder.join(path))
        .find(|found| found.join(file).is_file())
}
