//! What a corpus consists of.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Corpus, Item};
use crate::config::Recipe;

/// The corpus in figures, as `FOLDER/manifest.json` holds it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct CorpusManifest {
    /// Every source by its name.
    pub sources: BTreeMap<String, SourceManifest>,
    /// All of it in hours, held-out speech included.
    pub hours: f64,
}

/// One source in figures.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SourceManifest {
    /// What it is and where it comes from.
    pub origin: String,
    /// Its licence.
    pub licence: String,
    /// Seconds of speech, held-out speech included.
    pub seconds: f64,
    /// Seconds that are never learned from.
    pub held_out_seconds: f64,
    /// Items.
    pub items: usize,
    /// Items that were refused, with the reason, by name.
    pub refused: BTreeMap<String, String>,
    /// Speakers.
    pub speakers: BTreeSet<String>,
    /// How often every phone is spoken.
    pub phones: BTreeMap<String, usize>,
}

impl CorpusManifest {
    /// Counts a corpus.
    pub fn of(recipe: &Recipe, corpus: &Corpus) -> Self {
        let mut this = Self::default();
        for (index, source) in recipe.sources.iter().enumerate() {
            let mut found = SourceManifest {
                origin: source.origin.clone(),
                licence: source.licence.clone(),
                ..SourceManifest::default()
            };
            fn of(items: &[Item], source: usize) -> impl Iterator<Item = &Item> {
                items.iter().filter(move |item| item.source == source)
            }
            for item in of(&corpus.training, index).chain(of(&corpus.validation, index)) {
                found.seconds += item.seconds();
                found.items += 1;
                found.speakers.insert(item.said.speaker.clone());
                for phone in &item.said.phones {
                    *found.phones.entry(phone.symbol.clone()).or_default() += 1;
                }
            }
            found.held_out_seconds = of(&corpus.validation, index).map(Item::seconds).sum();
            let refused = corpus.refused.iter().filter(|refused| refused.source == index);
            found.refused = refused.map(|refused| (refused.name.clone(), refused.reason.clone())).collect();
            this.hours += found.seconds / 3600.0;
            this.sources.insert(source.name.clone(), found);
        }
        this
    }
}
