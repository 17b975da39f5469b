//! Single users before and after a change of weights: what a picture of them shows.

use std::collections::BTreeSet;

use graylane_decide::choice::sticky::Seed;
use graylane_mesh::simulate::{self, Layout};
use serde::Serialize;

use crate::failure::Failure;
use crate::file::File;
use crate::simulate::Change;

/// Most users of a picture.
const MOST: u64 = 10_000;

/// The users `user-0`, `user-1`, … by number.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Crowd {
    /// Subsets, the baseline first.
    pub subsets: Vec<String>,
    /// Index of each user's subset before the change.
    pub before: Vec<usize>,
    /// And after it.
    pub after: Vec<usize>,
}

impl File {
    /// Where each of so many users was and is. They are those that [`File::simulate`] counts.
    ///
    /// # Errors
    /// When the service has no rollout, the weights are none, or there are too many users.
    pub fn crowd(&self, change: &Change) -> Result<Crowd, Failure> {
        let count = change.count().filter(|count| (1..=MOST).contains(count));
        let count = count.ok_or_else(|| Failure::of(format!("users: expected a number from 1 to {MOST}")))?;
        let (service, rollout) = simulate::rollout(&self.mesh, change.service())?;
        let layouts = change.layouts(service, rollout)?;
        let baseline = service.baseline.clone();
        let canaries: BTreeSet<&String> =
            layouts.iter().flat_map(|layout| &layout.subsets).filter(|subset| **subset != baseline).collect();
        let subsets: Vec<String> = [&baseline].into_iter().chain(canaries).cloned().collect();
        let (units, salt) = (self.mesh.units_of_made_up(), Seed::of(&rollout.salt));
        let mut key = Vec::new();
        let buckets: Vec<u16> = (0..count)
            .map(|number| {
                simulate::write_key(&mut key, number);
                units.of(&key).bucket(salt)
            })
            .collect();
        let of = |layout: &Layout| -> Vec<usize> {
            let place = |bucket: &u16| subsets.iter().position(|subset| subset == layout.owner(*bucket));
            buckets.iter().map(|bucket| place(bucket).unwrap_or(0)).collect()
        };
        let [before, after] = layouts.each_ref().map(of);
        Ok(Crowd { subsets, before, after })
    }
}
