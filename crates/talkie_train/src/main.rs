//! `talkie_train`: makes a voice model, stage by stage or all at once.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use burn::tensor::Device;
use clap::{Parser, Subcommand, ValueEnum};
use talkie_train::config::Recipe;
use talkie_train::corpus::{Corpus, synthesis, timing};
use talkie_train::evaluate::{Speaker, aligned_speech, evaluate};
use talkie_train::export::write_bundle;
use talkie_train::network::SpeechNetwork;
use talkie_train::training::{Budget, Checkpoint, Threads, checkpoint_folder, train};

/// Makes a voice model: speech from synthesisers, a teacher, a network, a bundle.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The recipe; the shipped one if none is given.
    #[arg(long, global = true)]
    recipe: Option<PathBuf>,
    /// What computes.
    #[arg(long, global = true, value_enum, default_value_t = DeviceName::Cpu)]
    device: DeviceName,
    #[command(subcommand)]
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DeviceName {
    /// All cores.
    Cpu,
    /// Any GPU with a Vulkan driver (feature `vulkan`).
    Vulkan,
    /// An NVIDIA GPU (feature `cuda`).
    Cuda,
}

#[derive(Debug, Subcommand)]
enum Stage {
    /// Every stage in order; what is done already is kept.
    All {
        /// Folders with aligned speech to report figures on; never trained on.
        #[arg(long)]
        align: Vec<PathBuf>,
        /// Stop training after so many minutes.
        #[arg(long)]
        minutes: Option<f64>,
    },
    /// Make the corpus.
    Data,
    /// Verify the timings of every source on its own sound.
    Check,
    /// Train, from the last checkpoint on.
    Train {
        /// Stop after so many steps instead of the recipe's.
        #[arg(long)]
        steps: Option<usize>,
        /// Stop after so many minutes.
        #[arg(long)]
        minutes: Option<f64>,
        /// Sequences per step instead of the recipe's.
        #[arg(long)]
        batch: Option<usize>,
        /// What it runs on, for the model card.
        #[arg(long, default_value = "")]
        hardware: String,
    },
    /// Score the checkpoint, or the teacher, on held-out and other aligned speech.
    Eval {
        /// Folders with aligned speech.
        #[arg(long)]
        align: Vec<PathBuf>,
        /// Score the teacher instead of the network.
        #[arg(long)]
        teacher: bool,
        /// Write the tracks as CSV files into this folder.
        #[arg(long)]
        tracks: Option<PathBuf>,
    },
    /// Write the bundle of the checkpoint.
    Export {
        /// Folders with aligned speech to report figures on.
        #[arg(long)]
        align: Vec<PathBuf>,
    },
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("talkie_train: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    let mut recipe = match &arguments.recipe {
        Some(path) => Recipe::load(path)?,
        None => Recipe::shipped()?,
    };
    let device = device(arguments.device)?;
    let threads = if arguments.device == DeviceName::Cpu { Threads::PartOfBatch } else { Threads::Batches };
    match arguments.stage {
        Stage::All { align, minutes } => {
            synthesis::make(&recipe)?;
            check(&recipe)?;
            let budget = Budget { seconds: minutes.map(|m| m * 60.0), ..Budget::default() };
            train(&recipe, &device, threads, budget, "")?;
            export(&recipe, &device, &align)
        }
        Stage::Data => Ok(synthesis::make(&recipe)?),
        Stage::Check => check(&recipe),
        Stage::Train { steps, minutes, batch, hardware } => {
            recipe.training.batch = batch.unwrap_or(recipe.training.batch);
            let budget = Budget { steps, seconds: minutes.map(|m| m * 60.0) };
            train(&recipe, &device, threads, budget, &hardware)?;
            Ok(())
        }
        Stage::Eval { align, teacher, tracks } => {
            score(&recipe, &device, &align, teacher, tracks.as_deref())?;
            Ok(())
        }
        Stage::Export { align } => export(&recipe, &device, &align),
    }
}

fn device(name: DeviceName) -> Result<Device, Failure> {
    match name {
        DeviceName::Cpu => Ok(Device::flex()),
        #[cfg(feature = "vulkan")]
        DeviceName::Vulkan => Ok(Device::vulkan(Default::default())),
        #[cfg(not(feature = "vulkan"))]
        DeviceName::Vulkan => Err("built without Vulkan: add `--features vulkan`".into()),
        #[cfg(feature = "cuda")]
        DeviceName::Cuda => Ok(Device::cuda(0)),
        #[cfg(not(feature = "cuda"))]
        DeviceName::Cuda => Err("built without CUDA: add `--features cuda`".into()),
    }
}

/// Prints the delay that is left in every source and refuses one that is off.
fn check(recipe: &Recipe) -> Result<(), Failure> {
    let corpus = Corpus::load(recipe)?;
    let mut bad = Vec::new();
    for (index, source) in recipe.sources.iter().enumerate() {
        let items: Vec<_> = corpus.training.iter().filter(|item| item.source == index).take(150).collect();
        match timing::measure(&items)? {
            None => println!("{:8} no sibilants to check", source.name),
            Some(delay) => {
                println!(
                    "{:8} labels {:+.1} ms late after {:+.0} ms were taken out (correlation {:.2}, {} sibilants)",
                    source.name, delay.late_ms, source.late_ms, delay.correlation, delay.sibilants
                );
                if delay.late_ms.abs() > timing::TOLERANCE_MS {
                    bad.push(format!("{} by {:+.0} ms", source.name, delay.late_ms));
                }
            }
        }
    }
    if bad.is_empty() {
        return Ok(());
    }
    let list = bad.join(", ");
    Err(format!("labels are late: {list}; allowed are {} ms. Adjust `late_ms` in the recipe", timing::TOLERANCE_MS)
        .into())
}

/// Scores on held-out speech and on the given folders, by the name of each set.
fn score(
    recipe: &Recipe,
    device: &Device,
    folders: &[PathBuf],
    teacher: bool,
    tracks: Option<&Path>,
) -> Result<serde_json::Value, Failure> {
    let loaded = if teacher {
        None
    } else {
        Some(Checkpoint::load_network(&checkpoint_folder(recipe), SpeechNetwork::new(recipe, device))?)
    };
    let speaker = match &loaded {
        None => Speaker::Teacher,
        Some((progress, network)) => {
            Speaker::Network { recipe, network, normalisation: &progress.normalisation, device }
        }
    };
    let mut scores = serde_json::Map::new();
    for folder in folders {
        let report = evaluate(&speaker, &aligned_speech(folder)?, tracks)?;
        println!("{}\n{report}\n", folder.display());
        let name = folder.file_name().map_or_else(|| "speech".into(), |name| name.to_string_lossy().into_owned());
        scores.insert(name, serde_json::to_value(&report.total)?);
    }
    if let Ok(corpus) = Corpus::load(recipe) {
        for (index, source) in recipe.sources.iter().enumerate() {
            let mut items: Vec<_> = corpus.validation.iter().filter(|item| item.source == index).cloned().collect();
            items.truncate(60);
            if !items.is_empty() {
                let total = evaluate(&speaker, &items, None)?;
                let report = talkie_train::evaluate::Report { clips: Vec::new(), total: total.total };
                println!("{}, {} held-out utterances\n{report}\n", source.name, items.len());
                scores.insert(format!("{} (held out)", source.name), serde_json::to_value(&report.total)?);
            }
        }
    }
    Ok(scores.into())
}

fn export(recipe: &Recipe, device: &Device, align: &[PathBuf]) -> Result<(), Failure> {
    let scores = score(recipe, device, align, false, None)?;
    let (progress, network) = Checkpoint::load_network(&checkpoint_folder(recipe), SpeechNetwork::new(recipe, device))?;
    write_bundle(&recipe.bundle, recipe, &network, &progress, &scores)?;
    println!("bundle in {}", recipe.bundle.display());
    Ok(())
}
