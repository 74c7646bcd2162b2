//! Praat's TextGrid files, as the Montreal Forced Aligner and others write them.

use talkie::metrics::Phone;

use crate::teacher::{PHONES, is_vowel};

/// Why a TextGrid cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TextGridError {
    /// The file is no TextGrid.
    #[error("not a TextGrid: it does not begin with `File type = \"ooTextFile\"`")]
    Form,
    /// There is no tier of phones.
    #[error("no interval tier is called phones, phone or phonemes; there are: {0}")]
    NoTier(String),
    /// A number or text is missing where the format wants one.
    #[error("the tier {tier} ends or breaks off at interval {interval}")]
    Broken {
        /// Which tier.
        tier: String,
        /// Which interval, counted from 1.
        interval: usize,
    },
    /// A label is no phone that is known.
    #[error("`{0}` is not a phone in ARPAbet, with or without stress")]
    Phone(String),
}

/// Reads the phones of a TextGrid, long or short form.
///
/// # Errors
/// Another format, no tier of phones, or labels that are not ARPAbet.
pub fn read(text: &str) -> Result<Vec<Phone>, TextGridError> {
    if !text.trim_start_matches('\u{feff}').trim_start().starts_with("File type = \"ooTextFile\"") {
        return Err(TextGridError::Form);
    }
    // Both forms are the same sequence of numbers and texts; the long one has names before them.
    let mut values = values(text).into_iter().skip(2).peekable();
    let number = |values: &mut dyn Iterator<Item = Value>| match values.next() {
        Some(Value::Number(number)) => Some(number),
        _ => None,
    };
    let _whole = (number(&mut values), number(&mut values));
    let tiers = number(&mut values).unwrap_or(0.0) as usize;
    let mut names = Vec::new();
    for _ in 0..tiers {
        let (Some(Value::Text(kind)), Some(Value::Text(name))) = (values.next(), values.next()) else { break };
        let _span = (number(&mut values), number(&mut values));
        let count = number(&mut values).unwrap_or(0.0) as usize;
        let intervals = kind == "IntervalTier";
        let wanted =
            intervals && ["phones", "phone", "phonemes"].iter().any(|known| name.to_ascii_lowercase().ends_with(known));
        let mut phones = Vec::with_capacity(count.min(100_000));
        for interval in 1..=count {
            let start = number(&mut values);
            let end = if intervals { number(&mut values) } else { start };
            let (Some(start), Some(end), Some(Value::Text(label))) = (start, end, values.next()) else {
                return Err(TextGridError::Broken { tier: name, interval });
            };
            if wanted {
                phones.push(Phone { symbol: arpabet(&label)?, start, end });
            }
        }
        if wanted {
            return Ok(phones);
        }
        names.push(name);
    }
    Err(TextGridError::NoTier(names.join(", ")))
}

enum Value {
    Number(f64),
    Text(String),
}

/// Every quoted text and every free-standing number. `[1]` is a name's index, `<exists>` a flag; both are left out.
fn values(text: &str) -> Vec<Value> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if first == '"' {
            let mut content = String::new();
            let mut chars = rest.char_indices().skip(1).peekable();
            let mut end = rest.len();
            while let Some((at, character)) = chars.next() {
                if character != '"' {
                    content.push(character);
                } else if chars.peek().is_some_and(|(_, next)| *next == '"') {
                    // A doubled quotation mark is one.
                    content.push('"');
                    chars.next();
                } else {
                    end = at + 1;
                    break;
                }
            }
            found.push(Value::Text(content));
            rest = &rest[end..];
        } else if first.is_whitespace() {
            rest = rest.trim_start();
        } else {
            let end = rest.find(|c: char| c.is_whitespace() || c == '"').unwrap_or(rest.len());
            if let Ok(number) = rest[..end].parse() {
                found.push(Value::Number(number));
            }
            rest = &rest[end.max(first.len_utf8())..];
        }
    }
    found
}

/// A label without its stress; silences of all kinds are `SIL`.
fn arpabet(label: &str) -> Result<String, TextGridError> {
    let plain = label.trim().trim_end_matches(|c: char| c.is_ascii_digit()).to_ascii_uppercase();
    match plain.as_str() {
        "" | "SIL" | "SP" | "SPN" | "PAU" | "#" | "<EPS>" => Ok("SIL".into()),
        "AX" => Ok("AH".into()),
        "AXR" => Ok("ER".into()),
        "IX" => Ok("IH".into()),
        "DX" => Ok("D".into()),
        known if PHONES.contains(&known) || is_vowel(known) => Ok(known.into()),
        _ => Err(TextGridError::Phone(label.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: &str = r#"File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 0.5
tiers? <exists>
size = 2
item []:
    item [1]:
        class = "IntervalTier"
        name = "words"
        xmin = 0
        xmax = 0.5
        intervals: size = 1
        intervals [1]:
            xmin = 0
            xmax = 0.5
            text = "say ""ma"""
    item [2]:
        class = "IntervalTier"
        name = "speaker - phones"
        xmin = 0
        xmax = 0.5
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 0.1
            text = ""
        intervals [2]:
            xmin = 0.1
            xmax = 0.2
            text = "M"
        intervals [3]:
            xmin = 0.2
            xmax = 0.5
            text = "AA1"
"#;
    const SHORT: &str = "File type = \"ooTextFile\"\nObject class = \"TextGrid\"\n\n0\n0.5\n<exists>\n1\n\"IntervalTier\"\n\"phones\"\n0\n0.5\n2\n0\n0.2\n\"sil\"\n0.2\n0.5\n\"ay2\"\n";

    #[test]
    fn both_forms_are_read() {
        let symbols =
            |text: &str| read(text).expect("valid").into_iter().map(|p| (p.symbol, p.start, p.end)).collect::<Vec<_>>();
        assert_eq!(symbols(LONG), [("SIL".into(), 0.0, 0.1), ("M".into(), 0.1, 0.2), ("AA".into(), 0.2, 0.5)]);
        assert_eq!(symbols(SHORT), [("SIL".into(), 0.0, 0.2), ("AY".into(), 0.2, 0.5)]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let text = |grid: &str| read(grid).expect_err("refused").to_string();
        assert!(text("hello").contains("ooTextFile"));
        assert!(text(&SHORT.replace("phones", "words")).contains("words"));
        assert!(text(&SHORT.replace("ay2", "qq")).contains("qq"));
        assert!(text(&SHORT.replace("\"ay2\"\n", "")).contains("interval 2"));
    }
}
