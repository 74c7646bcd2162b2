//! `talkie_train`: makes a voice model, stage by stage or all at once.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use burn::tensor::Device;
use clap::{Args, Parser, Subcommand, ValueEnum};
use talkie_train::config::{Recipe, Variant};
use talkie_train::corpus::manifest::CorpusManifest;
use talkie_train::corpus::{Corpus, CorpusError, Item, synthesis, timing};
use talkie_train::evaluate::{Report, Speaker, aligned_speech, evaluate, head};
use talkie_train::export::write_bundle;
use talkie_train::network::SpeechNetwork;
use talkie_train::report;
use talkie_train::training::{Budget, Checkpoint, Progress, Run, Threads, train};

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
    All(Learning),
    /// Make the corpus.
    Data,
    /// Verify every item of the corpus and the timings of every source on its own sound.
    Check,
    /// Train, from the last checkpoint on.
    Train(Learning),
    /// Score the best network, or the teacher, on held-out and other aligned speech.
    Eval {
        /// Folders with aligned speech.
        #[arg(long)]
        align: Vec<PathBuf>,
        /// Only this variant.
        #[arg(long)]
        variant: Option<String>,
        /// Score the teacher instead of the network.
        #[arg(long)]
        teacher: bool,
        /// Write the tracks as CSV files into this folder, for each variant into one of its own.
        #[arg(long)]
        tracks: Option<PathBuf>,
    },
    /// Draw how the variants learned, and write their scores as a table.
    Report {
        /// Folders with aligned speech to report figures on.
        #[arg(long)]
        align: Vec<PathBuf>,
        /// Where to.
        #[arg(long, default_value = "docs/quality")]
        out: PathBuf,
    },
    /// Write the bundle of the best network.
    Export {
        /// Folders with aligned speech to report figures on.
        #[arg(long)]
        align: Vec<PathBuf>,
        /// Only this variant.
        #[arg(long)]
        variant: Option<String>,
    },
}

#[derive(Debug, Args)]
struct Learning {
    /// Folders with aligned speech that decide which network is best and that figures are reported on; never learned from.
    #[arg(long)]
    align: Vec<PathBuf>,
    /// Only this variant.
    #[arg(long)]
    variant: Option<String>,
    /// Stop each variant after so many steps instead of the recipe's.
    #[arg(long)]
    steps: Option<usize>,
    /// Stop each variant after so many minutes.
    #[arg(long)]
    minutes: Option<f64>,
    /// Sequences per step instead of the recipe's.
    #[arg(long)]
    batch: Option<usize>,
    /// What it runs on, for the model card.
    #[arg(long, default_value = "")]
    hardware: String,
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
        Stage::All(learning) => {
            let corpus = make(&recipe)?;
            check(&recipe, &corpus)?;
            learn(&mut recipe, &corpus, &device, threads, &learning)?;
            export(&recipe, &corpus, &device, learning.variant.as_deref(), &learning.align)
        }
        Stage::Data => make(&recipe).map(drop),
        Stage::Check => check(&recipe, &Corpus::load(&recipe)?),
        Stage::Train(learning) => {
            let corpus = Corpus::load(&recipe)?;
            learn(&mut recipe, &corpus, &device, threads, &learning)
        }
        Stage::Eval { align, variant, teacher, tracks } => {
            let corpus = corpus_if_any(&recipe)?;
            if teacher {
                score(&recipe, &corpus, &Speaker::Teacher, &align, tracks.as_deref())?;
                return Ok(());
            }
            for variant in recipe.variants(variant.as_deref())? {
                let (progress, network) = best(&recipe, variant, &device)?;
                let normalisation = &progress.normalisation;
                let speaker =
                    Speaker::Network { recipe: &recipe, variant, network: &network, normalisation, device: &device };
                println!("# {}\n", variant.name);
                let tracks = tracks.as_ref().map(|folder| folder.join(&variant.name));
                score(&recipe, &corpus, &speaker, &align, tracks.as_deref())?;
            }
            Ok(())
        }
        Stage::Report { align, out } => {
            let corpus = corpus_if_any(&recipe)?;
            for variant in recipe.variants.iter().filter(|variant| variant.bundle.is_some()) {
                let (progress, network) = best(&recipe, variant, &device)?;
                report::draw(&out, &variant.name, &progress)?;
                let normalisation = &progress.normalisation;
                let speaker =
                    Speaker::Network { recipe: &recipe, variant, network: &network, normalisation, device: &device };
                let scores = score(&recipe, &corpus, &speaker, &align, None)?;
                let path = out.join(format!("{}.md", variant.name));
                std::fs::write(&path, report::table(&scores))
                    .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
            }
            Ok(())
        }
        Stage::Export { align, variant } => {
            export(&recipe, &corpus_if_any(&recipe)?, &device, variant.as_deref(), &align)
        }
    }
}

/// The network of a variant that validation found best.
fn best(recipe: &Recipe, variant: &Variant, device: &Device) -> Result<(Progress, SpeechNetwork), Failure> {
    Ok(Checkpoint::load_best(&recipe.checkpoint(&variant.name), SpeechNetwork::new(recipe, device))?)
}

fn learn(
    recipe: &mut Recipe,
    corpus: &Corpus,
    device: &Device,
    threads: Threads,
    learning: &Learning,
) -> Result<(), Failure> {
    recipe.training.batch = learning.batch.unwrap_or(recipe.training.batch);
    for (source, settings) in recipe.sources.iter().enumerate() {
        println!("{:8} {:6.1} minutes to learn from", settings.name, corpus.minutes(source));
    }
    let mut people = Vec::new();
    for folder in &learning.align {
        people.extend(aligned_speech(folder)?);
    }
    let budget = Budget { steps: learning.steps, seconds: learning.minutes.map(|minutes| minutes * 60.0) };
    let hardware = &learning.hardware;
    let run = Run { recipe, corpus, people: &people, device, threads, budget, hardware };
    for variant in recipe.variants(learning.variant.as_deref())? {
        train(&run, variant)?;
    }
    Ok(())
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

/// Share of a source's items that may be refused before its whole making is suspect.
const MOST_REFUSED: f64 = 0.03;

/// The corpus; none is an empty one, where only other speech is scored.
fn corpus_if_any(recipe: &Recipe) -> Result<Corpus, CorpusError> {
    match Corpus::load(recipe) {
        Err(CorpusError::Empty(_)) => Ok(Corpus::default()),
        other => other,
    }
}

/// Makes the corpus and its manifest.
fn make(recipe: &Recipe) -> Result<Corpus, Failure> {
    synthesis::make(recipe)?;
    let corpus = Corpus::load(recipe)?;
    let manifest = CorpusManifest::of(recipe, &corpus);
    let path = recipe.folder.join("manifest.json");
    std::fs::write(&path, serde_json::to_string_pretty(&manifest)?)
        .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    println!("{:.1} hours of speech; {}", manifest.hours, path.display());
    Ok(corpus)
}

/// Prints the faults and the delay that is left in every source and refuses one that is off.
fn check(recipe: &Recipe, corpus: &Corpus) -> Result<(), Failure> {
    let mut bad = Vec::new();
    for (index, source) in recipe.sources.iter().enumerate() {
        let refused: Vec<_> = corpus.refused.iter().filter(|refused| refused.source == index).collect();
        let items = corpus.training.iter().chain(&corpus.validation).filter(|item| item.source == index).count();
        for refused in refused.iter().take(5) {
            println!("{:8} {} is left out: {}", source.name, refused.name, refused.reason);
        }
        println!("{:8} {items} items, {} left out", source.name, refused.len());
        if refused.len() as f64 > MOST_REFUSED * items as f64 {
            bad.push(format!("{} of {items} items of {}", refused.len(), source.name));
        }
    }
    if !bad.is_empty() {
        return Err(format!("too many items are at fault: {}", bad.join(", ")).into());
    }
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
    corpus: &Corpus,
    speaker: &Speaker<'_>,
    folders: &[PathBuf],
    tracks: Option<&Path>,
) -> Result<serde_json::Value, Failure> {
    let head = head(&recipe.head)?;
    let mut scores = serde_json::Map::new();
    let mut insert = |name: String, report: &Report| -> Result<(), Failure> {
        let mut figures = serde_json::to_value(&report.total)?;
        if let Some(lips) = &report.lips {
            figures["lip_vertex_error_mm"] = serde_json::json!(lips.largest_mm);
            figures["mean_lip_vertex_error_mm"] = serde_json::json!(lips.mean_mm);
        }
        scores.insert(name, figures);
        Ok(())
    };
    for folder in folders {
        let report = evaluate(speaker, &aligned_speech(folder)?, Some(&head), tracks)?;
        println!("{}\n{report}\n", folder.display());
        let name = folder.file_name().map_or_else(|| "speech".into(), |name| name.to_string_lossy().into_owned());
        insert(if folders.len() == 1 { "people".into() } else { name }, &report)?;
    }
    for (index, source) in recipe.sources.iter().enumerate() {
        let held_out = recipe.training.held_out_speakers.clone();
        let unheard = |item: &&Item| held_out.iter().any(|name| item.said.speaker.starts_with(name.as_str()));
        let of_source = || corpus.validation.iter().filter(|item| item.source == index);
        for (what, items) in [
            ("unheard voices", of_source().filter(|item| unheard(item)).take(60).cloned().collect::<Vec<_>>()),
            ("unheard sentences", of_source().filter(|item| !unheard(item)).take(60).cloned().collect()),
        ] {
            if !items.is_empty() {
                let report = Report { clips: Vec::new(), ..evaluate(speaker, &items, Some(&head), None)? };
                println!("{}, {what}, {} utterances\n{report}\n", source.name, items.len());
                insert(format!("{}, {what}", source.name), &report)?;
            }
        }
    }
    Ok(scores.into())
}

fn export(
    recipe: &Recipe,
    corpus: &Corpus,
    device: &Device,
    variant: Option<&str>,
    align: &[PathBuf],
) -> Result<(), Failure> {
    for variant in recipe.variants(variant)? {
        let Some(bundle) = &variant.bundle else { continue };
        let (progress, network) = best(recipe, variant, device)?;
        let network = network.halved();
        let speaker =
            Speaker::Network { recipe, variant, network: &network, normalisation: &progress.normalisation, device };
        println!("# {}\n", variant.name);
        let scores = score(recipe, corpus, &speaker, align, None)?;
        write_bundle(bundle, recipe, variant, &network, &progress, &scores)?;
        println!("bundle in {}\n", bundle.display());
    }
    Ok(())
}
