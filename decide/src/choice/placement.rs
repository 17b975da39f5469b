//! Which bucket belongs to which canary: weights compiled to ranges of buckets.

use super::sticky::BUCKETS;
use crate::config::{End, Weight};
use crate::sorted;

/// A range of buckets and the canary that has it. `low` belongs to it, `high` no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    low: u16,
    high: u16,
    subset: usize,
}

/// The canaries of one rollout, laid over the buckets: those from the bottom fill from 0 upwards, those from the
/// top from 9999 downwards, several at one end in byte order of their names. The rest is the baseline's.
///
/// With at most one canary at each end, raising a weight only ever moves buckets from the baseline to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    ranges: Vec<Range>,
}

impl Placement {
    /// Lays out the weights; `subset` finds a name's index. The sum over all is at most 10,000 (the caller checked).
    #[must_use]
    pub fn of(weights: &[Weight], subset: impl Fn(&str) -> Option<usize>) -> Self {
        // Inserted, not sorted: a sort is ten kilobytes of the module.
        let mut ordered: Vec<(&str, usize)> = Vec::with_capacity(weights.len());
        let names = weights.iter().enumerate().map(|(index, weight)| (&*weight.subset, index));
        names.for_each(|name| sorted::insert(&mut ordered, name));
        let (mut low, mut high) = (0u16, BUCKETS);
        let mut ranges = Vec::with_capacity(ordered.len());
        for weight in ordered.iter().filter_map(|(_, index)| weights.get(*index)) {
            let Some(subset) = subset(&weight.subset) else { continue };
            let range = match weight.from {
                End::Bottom => {
                    let start = low;
                    low = low.saturating_add(weight.buckets).min(BUCKETS);
                    Range { low: start, high: low, subset }
                }
                End::Top => {
                    let end = high;
                    high = high.saturating_sub(weight.buckets);
                    Range { low: high, high: end, subset }
                }
            };
            ranges.push(range);
        }
        Self { ranges }
    }

    /// The index of the canary that has this bucket; none is the baseline's.
    #[must_use]
    pub fn canary(&self, bucket: u16) -> Option<usize> {
        self.ranges.iter().find(|range| (range.low..range.high).contains(&bucket)).map(|range| range.subset)
    }
}
