//! What changed at a rollout between two versions of the file, and how many users it moved.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::mesh::{Mesh, Route, Service};
use crate::percent;
use crate::simulate::{self, Layout};
use crate::user::Made;

/// What kind of change it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// The rollout is new.
    New,
    /// It is not there any more.
    Removed,
    /// The weight of a canary.
    Weight,
    /// A canary with all users became the baseline.
    Promoted,
    /// Another baseline, and users moved.
    Baseline,
    /// The salt of the rollout.
    Salt,
    /// What units are made of, or how: `of` is the key of `sticky`.
    Units,
    /// The pin of a tenant.
    Pin,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// What kind.
    pub kind: Kind,
    /// The route, if it has a rollout of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// Whose it is: a canary, a tenant, or a key of `sticky`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// Before: percent, a salt, a subset.
    pub from: Option<String>,
    /// After.
    pub to: Option<String>,
}

/// What changed, and which share of the users moved, in percent. None: nothing of this rollout changed.
pub fn between(
    name: &str,
    before: Option<&Mesh>,
    after: Option<&Mesh>,
) -> Option<(Vec<Change>, Option<f64>)> {
    let of = |mesh: Option<&Mesh>| mesh.and_then(|mesh| mesh.service(name)).cloned();
    let (was, is) = (of(before), of(after));
    let units = before.zip(after).map_or_else(Vec::new, |(before, after)| units(before, after));
    let names: BTreeSet<Option<String>> = [&was, &is]
        .into_iter()
        .flatten()
        .flat_map(|one| one.routes.iter().map(|route| route.name.clone()))
        .collect();
    let (mut changes, mut moved): (Vec<Change>, Option<f64>) = (Vec::new(), None);
    for name in names {
        let route = |service: &Option<Service>| {
            service
                .as_ref()
                .and_then(|service| service.routes.iter().find(|route| route.name == name))
                .cloned()
        };
        let (was, is) = (route(&was), route(&is));
        let found = of_route(name.as_deref(), was.as_ref(), is.as_ref(), &units);
        if found.is_empty() {
            continue;
        }
        let share = was.as_ref().zip(is.as_ref()).map(|(was, is)| share(was, is, !units.is_empty()));
        moved = match (moved, share) {
            (Some(most), Some(share)) => Some(f64::max(most, share)),
            (either, other) => either.or(other),
        };
        changes.extend(found);
    }
    (!changes.is_empty()).then_some((changes, moved))
}

/// What changed of that by which all users get their units: the key of `sticky`, before and after where it is short.
fn units(before: &Mesh, after: &Mesh) -> Vec<(&'static str, Option<String>, Option<String>)> {
    let (was, is) = (Made::of(before), Made::of(after));
    let mut changes: Vec<_> = was.differs(&is).collect();
    // Another form of the same key is no other one, and a list is too long to be shown.
    let keys = |mesh: &Mesh| {
        let said = &mesh.document.sticky;
        let own = mesh.ingresses().into_iter().filter(|one| one.has_own_keys);
        let own: Vec<_> = own.map(|one| (one.name, said.in_order(one.keys))).collect();
        format!("{:?} {own:?}", said.in_order(&said.keys))
    };
    changes.extend((keys(before) != keys(after)).then_some(("sticky.keys", None, None)));
    changes
}

fn of_route(
    name: Option<&str>,
    was: Option<&Route>,
    is: Option<&Route>,
    units: &[(&'static str, Option<String>, Option<String>)],
) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut add = |kind, of: Option<&str>, from: Option<String>, to: Option<String>| {
        changes.push(Change {
            kind,
            route: name.map(ToOwned::to_owned),
            of: of.map(ToOwned::to_owned),
            from,
            to,
        });
    };
    let rollout = |route: Option<&Route>| route.and_then(|route| route.rollout.clone());
    let (old, new) = (rollout(was), rollout(is));
    let share = |buckets: u16| Some(simulate::percent(buckets));
    match (&old, &new) {
        (None, None) => {}
        (None, Some(new)) => {
            add(Kind::New, None, None, None);
            new.weights.iter().for_each(|one| add(Kind::Weight, Some(&one.subset), None, share(one.buckets)));
        }
        (Some(_), None) => add(Kind::Removed, None, None, None),
        (Some(old), Some(new)) => {
            let weight = |of: &[graylane_decide::config::Weight], subset: &str| {
                of.iter().find(|one| one.subset == subset).map(|one| one.buckets)
            };
            let baselines = was.zip(is).map(|(was, is)| (was.baseline.clone(), is.baseline.clone()));
            let changed = baselines.filter(|(was, is)| was != is);
            let promoted = changed.as_ref().is_some_and(|(_, is)| weight(&old.weights, is) == Some(10_000));
            if let Some((was, is)) = changed {
                let kind = if promoted { Kind::Promoted } else { Kind::Baseline };
                add(kind, None, Some(was), Some(is));
            }
            let subsets: BTreeSet<&str> =
                old.weights.iter().chain(&new.weights).map(|one| one.subset.as_str()).collect();
            for subset in subsets.into_iter().filter(|_| !promoted) {
                let (from, to) = (weight(&old.weights, subset), weight(&new.weights, subset));
                if from != to {
                    add(Kind::Weight, Some(subset), from.and_then(share), to.and_then(share));
                }
            }
            if old.salt != new.salt {
                add(Kind::Salt, None, Some(old.salt.clone()), Some(new.salt.clone()));
            }
            for (key, from, to) in units {
                add(Kind::Units, Some(key), from.clone(), to.clone());
            }
        }
    }
    let nothing = std::collections::BTreeMap::new();
    let pins = |route: Option<&Route>| route.map_or_else(|| nothing.clone(), |route| route.pins.clone());
    let (before, after) = (pins(was), pins(is));
    // Those of a service that comes, with its rollout or without, say nothing that the file does not.
    if was.is_some() && is.is_some() && (old.is_some() || new.is_some()) {
        let tenants: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for tenant in tenants {
            let (from, to) = (before.get(tenant), after.get(tenant));
            if from != to {
                add(Kind::Pin, Some(tenant), from.cloned(), to.cloned());
            }
        }
    }
    changes
}

/// Which share of the users gets another version, in percent, rounded to hundredths.
fn share(was: &Route, is: &Route, units: bool) -> f64 {
    let weights = |route: &Route| route.rollout.as_ref().map(|one| one.weights.clone()).unwrap_or_default();
    let salt = |route: &Route| route.rollout.as_ref().map(|one| one.salt.clone());
    let (before, after) = (Layout::of(&was.baseline, &weights(was)), Layout::of(&is.baseline, &weights(is)));
    let same = salt(was).zip(salt(is)).is_none_or(|(was, is)| was == is);
    if same && !units {
        let everybody = (0..10_000).map(|bucket| ([bucket; 2], 1));
        return percent::of(simulate::moves_of(&before, &after, everybody).moved);
    }
    // Under another salt where one is says nothing about where one was.
    let part = |layout: &Layout, subset: &str| f64::from(layout.share(subset)) / 10_000.0;
    let known = |subset: &&String| after.subsets.contains(subset);
    let stay: f64 =
        before.subsets.iter().filter(known).map(|subset| part(&before, subset) * part(&after, subset)).sum();
    ((1.0 - stay) * 10_000.0).round() / 100.0
}
