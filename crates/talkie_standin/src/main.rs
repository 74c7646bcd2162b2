//! The `talkie_standin` command: writes a stand-in bundle into a folder.

use std::{fs, path::PathBuf, process::ExitCode};

use clap::{Parser, ValueEnum};
use talkie_standin::{Head, Size, StandIn};

/// Writes a bundle of the layout of Audio2Face-3D or Audio2Emotion, with a network of its own inside.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Arguments {
    /// The folder to write into; made if it is not there.
    folder: PathBuf,
    /// Which family.
    #[arg(long, default_value = "regression")]
    family: FamilyName,
    /// How large.
    #[arg(long, default_value = "tiny")]
    size: SizeName,
    /// A character whose face to use (GLB in metres, shapes named as in ARKit); without it, a face made of formulas.
    #[arg(long)]
    head: Option<PathBuf>,
    /// Transformer layers of the front that makes the network as slow as an official one; 0 for no front. Official sizes
    /// have 1 (regression) or 12.
    #[arg(long)]
    front_layers: Option<usize>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FamilyName {
    Regression,
    Diffusion,
    Emotion,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SizeName {
    Tiny,
    Official,
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let family = match arguments.family {
        FamilyName::Regression => talkie_standin::Family::Regression,
        FamilyName::Diffusion => talkie_standin::Family::Diffusion,
        FamilyName::Emotion => talkie_standin::Family::Emotion,
    };
    let size = match arguments.size {
        SizeName::Tiny => Size::Tiny,
        SizeName::Official => Size::Official,
    };
    let mut stand_in = StandIn::new(family, size);
    if let Some(path) = &arguments.head {
        let bytes = fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let head = Head::from_glb(&bytes).map_err(|error| format!("{}: {error}", path.display()))?;
        stand_in = stand_in.with_head(head);
    }
    if let Some(layers) = arguments.front_layers {
        stand_in.front_layers = (layers > 0).then_some(layers);
    }
    stand_in.write(&arguments.folder).map_err(|error| error.to_string())
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("talkie_standin: {reason}");
            ExitCode::FAILURE
        }
    }
}
