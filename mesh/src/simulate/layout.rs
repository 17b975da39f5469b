//! Which subset each bucket belongs to, and who moves between two layouts.

use std::collections::BTreeMap;

use graylane_decide::choice::placement::Placement;
use graylane_decide::choice::sticky::BUCKETS;
use graylane_decide::config::Weight;
use serde::Serialize;

use crate::adopt::weights::choose;

/// The owner of each bucket: the filter's own placement, written out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Subsets, the baseline first.
    pub subsets: Vec<String>,
    /// Index of a subset, by bucket.
    owners: Vec<usize>,
    /// Buckets of each subset.
    shares: Vec<u32>,
}

impl Layout {
    /// Lays out the weights of a service with this baseline.
    #[must_use]
    pub fn of(baseline: &str, weights: &[Weight]) -> Self {
        let mut subsets = vec![baseline.to_owned()];
        subsets.extend(weights.iter().map(|weight| weight.subset.clone()));
        let placement = Placement::of(weights, |name| subsets.iter().position(|subset| subset == name));
        let owners: Vec<usize> = (0..BUCKETS).map(|bucket| placement.canary(bucket).unwrap_or(0)).collect();
        let mut shares = vec![0; subsets.len()];
        owners.iter().for_each(|owner| shares[*owner] += 1);
        Self { subsets, owners, shares }
    }

    /// Lays out weights as Envoy does, in the order of their list; the first one is the baseline.
    #[must_use]
    pub fn listed(list: &[(String, u64)]) -> Self {
        let sum: u64 = list.iter().map(|(_, weight)| weight).sum();
        let subsets: Vec<String> = list.iter().map(|(name, _)| name.clone()).collect();
        let owner = |bucket: u16| {
            let point = u128::from(bucket) * u128::from(sum) / u128::from(BUCKETS);
            let places: Vec<usize> = (0..list.len()).collect();
            choose(&places, |place| list[*place].1, point as u64).copied().unwrap_or(0)
        };
        let owners: Vec<usize> = (0..BUCKETS).map(owner).collect();
        let mut shares = vec![0; subsets.len()];
        owners.iter().for_each(|owner| shares[*owner] += 1);
        Self { subsets, owners, shares }
    }

    /// The subset that a bucket, 0 to 9999, belongs to.
    #[must_use]
    pub fn owner(&self, bucket: u16) -> &str {
        &self.subsets[self.owners[usize::from(bucket)]]
    }

    /// Buckets of a subset: hundredths of a percent.
    #[must_use]
    pub fn share(&self, subset: &str) -> u32 {
        self.subsets.iter().position(|known| known == subset).map_or(0, |index| self.shares[index])
    }

    /// The subset of users on no canary.
    #[must_use]
    pub fn baseline(&self) -> &str {
        &self.subsets[0]
    }
}

/// Users that move from one subset to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Move {
    /// Where they were.
    pub from: String,
    /// Where they are.
    pub to: String,
    /// How many.
    pub users: u64,
}

/// Where users were and are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Moves {
    /// How many there are.
    pub users: u64,
    /// Users by subset, before.
    pub before: BTreeMap<String, u64>,
    /// Users by subset, after.
    pub after: BTreeMap<String, u64>,
    /// Who is on another subset than before.
    pub moved: u64,
    /// Users who leave a canary whose weight does not fall: should be 0.
    pub moved_back: u64,
    /// Who moves from where to where.
    pub matrix: Vec<Move>,
}

/// Who moves between two layouts; `users` by bucket.
#[must_use]
pub fn moves(before: &Layout, after: &Layout, users: &[u64]) -> Moves {
    let users = (0..BUCKETS).zip(users).filter(|(_, count)| **count > 0);
    moves_of(before, after, users.map(|(bucket, count)| ([bucket; 2], *count)))
}

/// Who moves between two layouts under different salts; users by their buckets before and after.
#[must_use]
pub fn moves_of(before: &Layout, after: &Layout, users: impl Iterator<Item = ([u16; 2], u64)>) -> Moves {
    let none = |layout: &Layout| layout.subsets.iter().map(|subset| (subset.clone(), 0)).collect();
    let mut result = Moves {
        users: 0,
        before: none(before),
        after: none(after),
        moved: 0,
        moved_back: 0,
        matrix: Vec::new(),
    };
    let mut matrix: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for ([was, is], count) in users {
        let (from, to) = (before.owner(was), after.owner(is));
        result.users += count;
        result.before.entry(from.to_owned()).and_modify(|sum| *sum += count);
        result.after.entry(to.to_owned()).and_modify(|sum| *sum += count);
        if from != to {
            *matrix.entry((from, to)).or_default() += count;
        }
    }
    for ((from, to), users) in matrix {
        result.moved += users;
        if from != before.baseline() && after.share(from) >= before.share(from) {
            result.moved_back += users;
        }
        result.matrix.push(Move { from: from.to_owned(), to: to.to_owned(), users });
    }
    result
}
