//! What the phones of English ask of a mouth, as the score sees it.

/// Lips meet.
pub(super) fn is_bilabial(symbol: &str) -> bool {
    matches!(symbol, "P" | "B" | "M")
}

/// Lower lip meets the upper teeth.
pub(super) fn is_labiodental(symbol: &str) -> bool {
    matches!(symbol, "F" | "V")
}

/// Other obstruents: what a figure for labiodentals is worth shows in the same test on them.
pub(super) fn is_other_obstruent(symbol: &str) -> bool {
    matches!(symbol, "S" | "Z" | "SH" | "ZH" | "TH" | "DH" | "T" | "D" | "K" | "G")
}

/// How far a vowel opens the mouth, 0..=1; `None` for everything that is not a vowel.
pub(super) fn vowel_openness(symbol: &str) -> Option<f64> {
    Some(match symbol {
        "AA" => 1.0,
        "AE" => 0.95,
        "AW" | "AY" => 0.85,
        "AO" => 0.8,
        "AH" => 0.65,
        "EH" => 0.6,
        "OY" => 0.55,
        "EY" | "OW" => 0.5,
        "ER" => 0.4,
        "IH" => 0.35,
        "UH" => 0.3,
        "IY" => 0.2,
        "UW" => 0.15,
        _ => return None,
    })
}

/// How far a phone opens the mouth; `None` for `HH`, which opens as far as the phone after it.
pub(super) fn openness(symbol: &str) -> Option<f64> {
    if let Some(openness) = vowel_openness(symbol) {
        return Some(openness);
    }
    match symbol {
        "P" | "B" | "M" | "SIL" => Some(0.0),
        "F" | "V" => Some(0.08),
        "S" | "Z" => Some(0.12),
        "SH" | "ZH" | "CH" | "JH" | "W" => Some(0.15),
        "R" => Some(0.25),
        "L" | "K" | "G" | "NG" => Some(0.3),
        "HH" => None,
        _ => Some(0.2),
    }
}

/// How clearly a phone rounds the lips: the weight it has among the rounded ones.
pub(super) fn rounding(symbol: &str) -> Option<f64> {
    match symbol {
        "UW" | "W" | "OW" | "UH" => Some(1.0),
        "AO" | "SH" | "ZH" | "CH" | "JH" => Some(0.7),
        "R" => Some(0.5),
        _ => None,
    }
}

/// Phones that a rounded mouth would betray.
pub(super) fn is_unrounded(symbol: &str) -> bool {
    matches!(symbol, "IY" | "IH" | "EH" | "AE" | "S" | "Z")
}

/// Neighbours that round an unrounded phone, which then says nothing.
pub(super) fn rounds_neighbours(symbol: &str) -> bool {
    matches!(symbol, "UW" | "W" | "UH" | "OW" | "AO" | "OY")
}

/// Phones with spread lips.
pub(super) fn is_spread(symbol: &str) -> bool {
    matches!(symbol, "IY" | "EY" | "EH" | "IH" | "AE" | "S" | "Z")
}

/// The opposite of [`is_spread`].
pub(super) fn is_narrow(symbol: &str) -> bool {
    matches!(symbol, "W" | "UW" | "UH" | "OW")
}
