//! Where the lips meet in a word, from its letters.

use super::Lips;

/// Beginnings whose first letter is silent: psalm, pneumatic, pterodactyl, mnemonic.
const SILENT_FIRST: [&str; 4] = ["ps", "pn", "pt", "mn"];

/// A stretch of letters that the lips make together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Letters {
    pub(super) lips: Lips,
    /// Middle of the stretch, as a share of the word: 0..=1.
    pub(super) at: f64,
}

/// The stretches of a word for which the lips meet or meet the teeth, in order. Letters are taken to last equally long, but
/// for silent ones, and letters of one place of the lips in a row are one.
pub(super) fn lips_of_word(word: &str) -> Vec<Letters> {
    let lower = word.to_lowercase();
    let mut sounded: String = lower.chars().filter(|letter| letter.is_alphabetic()).collect();
    if SILENT_FIRST.iter().any(|silent| sounded.starts_with(silent)) {
        sounded.remove(0);
    }
    if sounded.ends_with("mb") {
        sounded.pop();
    }
    // Debt and subtle, but not obtain and subtract.
    let has_silent_b = sounded.starts_with("subtl") || !(sounded.starts_with("obt") || sounded.starts_with("subt"));
    if has_silent_b {
        sounded = sounded.replace("bt", "t");
    }
    let sounded = sounded.replace("ph", "f");
    let count = sounded.chars().count() as f64;
    let mut stretches: Vec<Letters> = Vec::new();
    let mut before = None;
    let mut first = 0;
    for (index, letter) in sounded.chars().enumerate() {
        let lips = match letter {
            'p' | 'b' | 'm' => Some(Lips::Closed),
            'f' | 'v' => Some(Lips::AtTeeth),
            _ => None,
        };
        if lips != before {
            first = index;
        }
        if let Some(lips) = lips {
            let at = (first + index + 1) as f64 / 2.0 / count;
            match stretches.last_mut() {
                Some(stretch) if before == Some(lips) => stretch.at = at,
                _ => stretches.push(Letters { lips, at }),
            }
        }
        before = lips;
    }
    stretches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_close_the_lips_where_they_are_spoken_with_them() {
        let (closed, teeth) = (Lips::Closed, Lips::AtTeeth);
        for (word, wanted) in [
            ("maybe", &[(closed, 0.1), (closed, 0.7)][..]),
            ("Apple", &[(closed, 0.4)]),
            ("lamp", &[(closed, 0.75)]),
            ("comb", &[(closed, 2.5 / 3.0)]),
            ("psalm", &[(closed, 0.875)]),
            ("debt", &[]),
            ("subtle", &[]),
            ("subtract", &[(closed, 2.5 / 8.0)]),
            ("obtain", &[(closed, 1.5 / 6.0)]),
            ("phone", &[(teeth, 0.125)]),
            ("pneumatic", &[(closed, 3.5 / 8.0)]),
            ("obvious", &[(closed, 1.5 / 7.0), (teeth, 2.5 / 7.0)]),
            ("\"BUMP,\"", &[(closed, 0.125), (closed, 0.75)]),
            ("night", &[]),
            ("", &[]),
            ("42!", &[]),
        ] {
            let found: Vec<_> = lips_of_word(word).into_iter().map(|letters| (letters.lips, letters.at)).collect();
            assert_eq!(found, wanted, "{word}");
        }
    }
}
