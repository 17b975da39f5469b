//! The canary becomes the baseline, and no user is reassigned.
//!
//! The names of the subsets stay with their pods: what was `canary: 100` becomes `baseline: canary`, and the old baseline
//! stays in the weights with 0, ready for the next version. Nothing has to change in step with it: the
//! DestinationRule is the same before and after.

use anyhow::{Result, bail, ensure};
use serde_json::json;

use super::change::{Change, Desk, put};
use super::edit::{self, Edit, insert, replace, scalar};
use crate::document::tree::{Entry, Node};
use crate::mesh::{self, Mesh};
use crate::simulate::{Layout, percent};

/// A promotion that can be written.
pub struct Promotion {
    /// The edit.
    pub change: Change,
    /// The new baseline.
    pub canary: String,
    /// The old one.
    pub baseline: String,
    /// Tenants that took no part and stay on the old baseline by a pin.
    pub pinned: Vec<String>,
    /// The salt of the next rollout, so that other users are first.
    pub salt: String,
}

impl Desk {
    /// Makes a canary that has all participants the baseline. With `salt` the next rollout's is written too.
    ///
    /// # Errors
    /// When the canary has not all of them, or somebody would move.
    pub fn promote(&self, name: &str, canary: Option<&str>, salt: Option<&str>) -> Result<Promotion> {
        let weight = self.canary(name, canary)?;
        let (canary, share) = (weight.subset.as_str(), weight.buckets);
        ensure!(
            share == 10_000,
            "`{canary}` has {} % of the users: promote it once it has 100, see `graylane ramp next {name}`",
            percent(share)
        );
        let (service, rollout) = self.rollout(name)?;
        let tree = &self.project.tree;
        let old = service.baseline.as_str();
        let path = ["services", name];
        let mut expected = tree.json();
        let mut edits = Vec::new();

        let at = [&path[..], &["baseline"]].concat();
        let Some(node) = tree.at(&at) else { bail!("missing `baseline` of `{name}`") };
        edits.push(replace(&self.sources, node.span, scalar(canary))?);
        put(&mut expected, &at, json!(canary));

        for place in self.rollouts(name) {
            let place: Vec<&str> = place.iter().map(String::as_str).collect();
            let weights = [&place[..], &["rollout", "weights"]].concat();
            let Some(entry) = tree.at(&weights).and_then(|weights| weights.entry(canary)) else { continue };
            let mut json = entry.node.json();
            if json.is_object() {
                json["percent"] = json!(0);
            } else {
                json = json!(0);
            }
            edits.extend(self.zeroed(&weights, entry, old)?);
            if let Some(map) = weights.iter().try_fold(&mut expected, |json, step| step_into(json, step)) {
                map.as_object_mut().and_then(|map| map.remove(canary));
            }
            put(&mut expected, &[&weights[..], &[old]].concat(), json);
        }

        let stays = |tenant: &&String| {
            !rollout.tenants.contains(tenant) && !service.rest().pins.contains_key(*tenant)
        };
        let pinned: Vec<String> = self.mesh.tenants.iter().filter(stays).cloned().collect();
        if !pinned.is_empty() {
            let at = [&path[..], &["pins"]].concat();
            edits.extend(self.pins(tree, name, &path, &pinned, old)?);
            for tenant in &pinned {
                put(&mut expected, &[&at[..], &[tenant]].concat(), json!(old));
            }
        }
        if let Some(salt) = salt {
            let at = [&path[..], &["rollout", "salt"]].concat();
            match (tree.at(&at), tree.at(&at[..3])) {
                (Some(node), _) => edits.push(replace(&self.sources, node.span, scalar(salt))?),
                (None, Some(map)) => edits.push(insert(&self.sources, &at[..3], map, "salt", &scalar(salt))?),
                (None, None) => bail!("`{name}` has no rollout"),
            }
            put(&mut expected, &at, json!(salt));
        }

        let change = self.change(edits, &expected)?;
        self.nobody_moves(service, &change)?;
        let salt = salt.map_or_else(|| next_salt(&self.mesh, name, &rollout.salt), ToOwned::to_owned);
        Ok(Promotion { change, canary: canary.to_owned(), baseline: old.to_owned(), pinned, salt })
    }

    /// Pins of these tenants to the old baseline, put before those that there are.
    fn pins(
        &self,
        tree: &Node,
        name: &str,
        path: &[&str],
        pinned: &[String],
        old: &str,
    ) -> Result<Vec<Edit>> {
        let at = [path, &["pins"]].concat();
        if let Some(pins) = tree.at(&at)
            && !pins.entries().is_empty()
        {
            // Behind each other at one place, so the last one is put in first.
            let pin = |tenant: &String| insert(&self.sources, &at, pins, &scalar(tenant), &scalar(old));
            return pinned.iter().rev().map(pin).collect();
        }
        let Some(map) = tree.at(path) else { bail!("there is no `{name}`") };
        let pins: Vec<String> =
            pinned.iter().map(|tenant| format!("{}: {}", scalar(tenant), scalar(old))).collect();
        Ok(vec![insert(&self.sources, path, map, "pins", &format!("{{{}}}", pins.join(", ")))?])
    }

    /// Checks that every user stays on the version that they have, on every route.
    fn nobody_moves(&self, service: &mesh::Service, change: &Change) -> Result<()> {
        let name = service.name.as_str();
        for route in &service.routes {
            let after = change.mesh.service(name).and_then(|service| {
                service.routes.iter().find(|after| after.name == route.name).map(|after| (service, after))
            });
            let Some((service_after, after)) = after else { bail!("`{name}` lost a route") };
            for tenant in &self.mesh.tenants {
                ensure!(
                    lane(service, route, tenant) == lane(service_after, after, tenant),
                    "users of `{tenant}` would move{}: bring its own rollout to 100 % first, or pin them",
                    route.name.as_ref().map_or_else(String::new, |route| format!(" on route `{route}`"))
                );
            }
        }
        Ok(())
    }

    /// The entry of a canary becomes the old baseline's, with 0, in every file that has it: one that stayed below would
    /// be the canary's again.
    fn zeroed(&self, weights: &[&str], entry: &Entry, old: &str) -> Result<Vec<Edit>> {
        let mut edits = Vec::new();
        let zero = |entry: &Entry| -> Result<[Edit; 2]> {
            let share = entry.node.get("percent").unwrap_or(&entry.node);
            Ok([
                replace(&self.sources, entry.key_span, scalar(old))?,
                replace(&self.sources, share.span, "0".to_owned())?,
            ])
        };
        if weights.get(2) == Some(&"routes") {
            // A list is one file's: layers replace lists.
            return Ok(zero(entry)?.into());
        }
        for file in 0..self.sources.len() {
            let own = edit::own(&self.sources, file);
            let entry = own.as_ref().and_then(|own| own.at(weights)?.entry(&entry.key));
            if let Some(entry) = entry {
                edits.extend(zero(entry)?);
            }
        }
        Ok(edits)
    }

    /// Where the service's rollout is, and those of its routes.
    fn rollouts(&self, name: &str) -> Vec<Vec<String>> {
        let whole = vec!["services".to_owned(), name.to_owned()];
        let routes = self.project.document.services.get(name).map_or(0, |service| service.routes.len());
        let of = |index: usize| [&whole[..], &["routes".to_owned(), index.to_string()]].concat();
        let mut all: Vec<Vec<String>> = (0..routes).map(of).collect();
        all.push(whole);
        all
    }
}

fn step_into<'a>(json: &'a mut serde_json::Value, step: &str) -> Option<&'a mut serde_json::Value> {
    match json {
        serde_json::Value::Array(list) => list.get_mut(step.parse::<usize>().ok()?),
        json => json.get_mut(step),
    }
}

/// Where a tenant's users are, by bucket; one entry where the bucket makes no difference.
fn lane(service: &mesh::Service, route: &mesh::Route, tenant: &str) -> Vec<String> {
    let whole = |subset: &str| vec![subset.to_owned(); 10_000];
    match (route.pins.get(tenant), &route.rollout) {
        (Some(subset), _) => whole(subset),
        (None, Some(rollout)) if rollout.tenants.iter().any(|name| name == tenant) => {
            let layout = Layout::of(&service.baseline, &rollout.weights);
            (0..10_000).map(|bucket| layout.owner(bucket).to_owned()).collect()
        }
        (None, _) => whole(&service.baseline),
    }
}

/// A salt that is not the last one's: the number at its end counted up, or one put there.
#[must_use]
pub fn next_salt(mesh: &Mesh, service: &str, salt: &str) -> String {
    // Without a salt of its own a rollout has the host's name, which cannot be counted up.
    let is_host = mesh.service(service).is_some_and(|service| service.host == salt);
    let salt = if is_host { service } else { salt };
    let digits = salt.len() - salt.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let (head, number) = salt.split_at(salt.len() - digits);
    match number.parse::<u64>().ok().and_then(|number| number.checked_add(1)) {
        Some(next) => format!("{head}{next:0digits$}"),
        None => format!("{salt}-2"),
    }
}
