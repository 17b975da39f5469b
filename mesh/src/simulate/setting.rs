//! Weights as one writes them on a command line: `canary=50`, `cheap=2.5@top`, or `50` where there is one canary.

use anyhow::{Result, ensure};
use graylane_decide::config::End;

use crate::document::model::Share;
use crate::document::shape::nearest;
use crate::mesh::Service;

/// One weight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The canary; none: the only one.
    pub subset: Option<String>,
    /// Hundredths of a percent.
    pub buckets: u16,
    /// The end it fills from; none: as it is in the file, or from the bottom.
    pub from: Option<End>,
}

/// Reads a setting.
///
/// # Errors
/// When it is none.
pub fn settings(text: &str) -> Result<Setting, String> {
    let (subset, value) = match text.split_once('=') {
        Some((subset, value)) => (Some(subset.to_owned()), value),
        None => (None, text),
    };
    let (value, from) = match value.split_once('@') {
        None => (value, None),
        Some((value, "bottom")) => (value, Some(End::Bottom)),
        Some((value, "top")) => (value, Some(End::Top)),
        Some((_, end)) => return Err(format!("unknown end of the buckets `{end}`: write `bottom` or `top`")),
    };
    let number = value.strip_suffix('%').unwrap_or(value).parse().ok();
    match number.and_then(|percent| Share::Percent(percent).buckets()) {
        Some(buckets) if subset.as_deref() != Some("") => Ok(Setting { subset, buckets, from }),
        _ => {
            Err("write a canary and percent from 0 to 100 with up to two decimals, as in `canary=25`"
                .to_owned())
        }
    }
}

/// Hundredths of a percent as people write percent.
#[must_use]
pub fn percent(buckets: u16) -> String {
    crate::percent::of(buckets).to_string()
}

/// Is it a canary of the service?
pub(super) fn check(service: &Service, subset: &str) -> Result<()> {
    ensure!(subset != service.baseline, "`{subset}` is the baseline of `{}`: it gets the rest", service.name);
    if !service.subsets.contains_key(subset) {
        let canaries: Vec<&str> =
            service.subsets.keys().map(String::as_str).filter(|name| *name != service.baseline).collect();
        let instead = match nearest(subset, &canaries) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("write one of {}", canaries.join(", ")),
        };
        anyhow::bail!("`{}` has no subset `{subset}`: {instead}", service.name);
    }
    Ok(())
}
