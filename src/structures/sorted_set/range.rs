//! Ranges of scores and of members.

/// Scores between two bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoreRange {
    /// The lower bound.
    pub min: f64,
    /// The upper bound.
    pub max: f64,
    /// Whether the lower bound itself is out.
    pub without_min: bool,
    /// Whether the upper bound itself is out.
    pub without_max: bool,
}

impl ScoreRange {
    /// Whether a score lies below the range.
    #[inline]
    pub fn is_above(&self, score: f64) -> bool {
        score < self.min || (self.without_min && score == self.min)
    }

    /// Whether a score lies in the range or below.
    #[inline]
    pub fn reaches(&self, score: f64) -> bool {
        score < self.max || (!self.without_max && score == self.max)
    }

    /// Whether a score lies in the range.
    #[inline]
    pub fn holds(&self, score: f64) -> bool {
        !self.is_above(score) && self.reaches(score)
    }
}

/// An end of a range of members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LexBound<'a> {
    /// Before all members.
    Lowest,
    /// This member, itself within the range.
    With(&'a [u8]),
    /// This member, itself not within the range.
    Without(&'a [u8]),
    /// Behind all members.
    Highest,
}

/// Members between two bounds, in the order of their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LexRange<'a> {
    /// The lower bound.
    pub min: LexBound<'a>,
    /// The upper bound.
    pub max: LexBound<'a>,
}

impl LexRange<'_> {
    /// Whether a member lies below the range.
    #[inline]
    pub fn is_above(&self, member: &[u8]) -> bool {
        match self.min {
            LexBound::Lowest => false,
            LexBound::With(min) => member < min,
            LexBound::Without(min) => member <= min,
            LexBound::Highest => true,
        }
    }

    /// Whether a member lies in the range or below.
    #[inline]
    pub fn reaches(&self, member: &[u8]) -> bool {
        match self.max {
            LexBound::Lowest => false,
            LexBound::With(max) => member <= max,
            LexBound::Without(max) => member < max,
            LexBound::Highest => true,
        }
    }

    /// Whether no member can lie in the range.
    pub fn is_void(&self) -> bool {
        use LexBound::{Highest, Lowest, With, Without};
        match (self.min, self.max) {
            (Highest, _) | (_, Lowest) => true,
            (Lowest, _) | (_, Highest) => false,
            (With(min), With(max)) => min > max,
            (With(min) | Without(min), With(max) | Without(max)) => min >= max,
        }
    }
}
