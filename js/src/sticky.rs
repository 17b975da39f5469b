//! The sticky algorithm by itself, in the columns of its golden vectors (`tests/vectors`).

use std::collections::BTreeMap;

use graylane_decide::choice::sticky::{BUCKETS, Seed, Unit};
use graylane_mesh::simulate::Layout;

use crate::failure::Failure;
use crate::simulate::{Share, weights};

/// The unit of a key under `sticky.salt`: 16 lowercase hex digits.
#[must_use]
pub fn unit(key: &[u8], salt: &str) -> String {
    Unit::of(key, Seed::of(salt)).to_string()
}

/// The unit of a key by the keyed hash (`sticky.hash: keyed`).
///
/// # Errors
/// When the key of the hash is none.
pub fn keyed_unit(key: &[u8], salt: &str, hash_key: &str) -> Result<String, Failure> {
    Ok(crate::file::hash_key(hash_key)?.unit(key, Seed::of(salt)).to_string())
}

/// The bucket of a unit under the salt of a rollout, 0 to 9999.
///
/// # Errors
/// When it is not a unit.
pub fn bucket(unit: &str, salt: &str) -> Result<u16, Failure> {
    let read = Unit::parse(unit.as_bytes());
    let read =
        read.ok_or_else(|| Failure::of(format!("unit: expected 16 lowercase hex digits, got `{unit}`")))?;
    Ok(read.bucket(Seed::of(salt)))
}

/// The subset of a bucket: a canary, or the baseline.
///
/// # Errors
/// When the bucket or a weight is none.
pub fn subset(bucket: f64, baseline: &str, shares: &BTreeMap<String, Share>) -> Result<String, Failure> {
    let last = BUCKETS - 1;
    if bucket.fract() != 0.0 || !(0.0..=f64::from(last)).contains(&bucket) {
        return Err(Failure::of(format!("bucket: expected 0 to {last}, got {bucket}")));
    }
    let weights = weights(shares)?;
    let sum: u32 = weights.iter().map(|weight| u32::from(weight.buckets)).sum();
    if sum > u32::from(BUCKETS) {
        return Err(Failure::of(format!(
            "the weights add up to {} %: expected 100 or less",
            graylane_mesh::percent::of(sum)
        )));
    }
    // Checked above, so the cast loses nothing.
    Ok(Layout::of(baseline, &weights).owner(bucket as u16).to_owned())
}
