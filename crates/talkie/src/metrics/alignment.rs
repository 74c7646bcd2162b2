//! Which phone is spoken when.

use serde::Deserialize;

/// More than any clip lasts; a greater time is one in another unit.
pub(super) const LONGEST_SECONDS: f64 = 6.0 * 3600.0;

/// One phone of an [`Alignment`].
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(from = "(String, f64, f64)")]
pub struct Phone {
    /// ARPAbet in capitals without stress mark (`AA`, `P`), or `SIL` for silence.
    pub symbol: String,
    /// First moment in seconds.
    pub start: f64,
    /// First moment after it in seconds.
    pub end: f64,
}

impl From<(String, f64, f64)> for Phone {
    fn from((symbol, start, end): (String, f64, f64)) -> Self {
        Self { symbol, start, end }
    }
}

impl Phone {
    /// Length in seconds.
    pub fn duration(&self) -> f64 {
        self.end - self.start
    }

    /// The middle in seconds.
    pub fn centre(&self) -> f64 {
        (self.start + self.end) / 2.0
    }
}

/// What was said, phone by phone: the truth that a track is scored against.
///
/// The JSON form is an object with `phones`, a list of `[symbol, start, end]`, and optionally `text` and `speaker`;
/// other members are ignored.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub struct Alignment {
    /// The words, if known.
    #[serde(default)]
    pub text: String,
    /// Who speaks, if known.
    #[serde(default)]
    pub speaker: String,
    /// The phones in order of time.
    pub phones: Vec<Phone>,
}

/// Why an alignment cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AlignmentError {
    /// Not the JSON form that [`Alignment`] describes.
    #[error("not an alignment: {0}")]
    Json(#[from] serde_json::Error),
    /// There is nothing to score.
    #[error("the alignment holds no phones")]
    Empty,
    /// A phone runs backwards, is no number, or starts before its predecessor.
    #[error("phone {index} ({symbol}) runs from {start} s to {end} s after one that starts at {previous} s")]
    Order {
        /// Position in the list.
        index: usize,
        /// Its symbol.
        symbol: String,
        /// Its start in seconds.
        start: f64,
        /// Its end in seconds.
        end: f64,
        /// Start of the phone before it in seconds.
        previous: f64,
    },
    /// A phone lies beyond what a clip can last.
    #[error(
        "phone {index} ({symbol}) ends at {end} s; a clip lasts at most {LONGEST_SECONDS} s, and times are seconds"
    )]
    TooLong {
        /// Position in the list.
        index: usize,
        /// Its symbol.
        symbol: String,
        /// Its end in seconds.
        end: f64,
    },
}

impl Alignment {
    /// Reads the JSON form.
    ///
    /// # Errors
    /// JSON of another form, no phones at all, phones out of order or beyond six hours.
    pub fn from_json(json: &str) -> Result<Self, AlignmentError> {
        let this: Self = serde_json::from_str(json)?;
        this.validate()?;
        Ok(this)
    }

    /// Checks that there are phones, in order and within six hours; [`from_json`](Self::from_json) does so too.
    ///
    /// # Errors
    /// The first phone that is out of order or too late.
    pub fn validate(&self) -> Result<(), AlignmentError> {
        if self.phones.is_empty() {
            return Err(AlignmentError::Empty);
        }
        let mut previous = 0.0;
        for (index, phone) in self.phones.iter().enumerate() {
            let sound = phone.start >= previous && phone.end >= phone.start && phone.end.is_finite();
            if !sound {
                return Err(AlignmentError::Order {
                    index,
                    symbol: phone.symbol.clone(),
                    start: phone.start,
                    end: phone.end,
                    previous,
                });
            }
            if phone.end > LONGEST_SECONDS {
                return Err(AlignmentError::TooLong { index, symbol: phone.symbol.clone(), end: phone.end });
            }
            previous = phone.start;
        }
        Ok(())
    }

    /// End of the last phone in seconds.
    pub fn end(&self) -> f64 {
        self.phones.iter().fold(0.0, |end, phone| phone.end.max(end))
    }
}
