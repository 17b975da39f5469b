//! One look of a run that applies to a cluster: the only run there, of objects that are nobody else's.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::change::Desk;
use super::cluster::{Cluster, Shared, lock};
use super::git::Held;
use super::journal::Event;
use super::run::{Progress, Run};
use crate::clusters::{self, InCluster};
use crate::prometheus::Prometheus;
use crate::resources;

impl Run {
    /// One look while the Lease is this run's; it is renewed meanwhile, since applying takes its time.
    pub(super) async fn turn_in(&mut self, cluster: Shared, once: bool) -> Result<Progress> {
        match self.begin_in(&cluster, once).await {
            Ok(None) => self.look_in(&cluster).await,
            Ok(Some(progress)) => Ok(progress),
            Err(error) => self.look_unsure(&cluster, error.downcast::<Held>()?.0).await,
        }
    }

    async fn begin_in(&mut self, cluster: &Shared, once: bool) -> Result<Option<Progress>> {
        let mut first = None;
        let held = loop {
            match ask(cluster, Cluster::acquire).await? {
                Ok(Ok(())) => break None,
                Err(held) => break Some(held),
                Ok(Err(who)) => {
                    let (version, pause) = {
                        let cluster = lock(cluster);
                        (cluster.watch.version(), cluster.watch.pause())
                    };
                    let first = first.get_or_insert_with(|| version.clone());
                    if !once || *first != version {
                        return Ok(Some(Progress::Wait(format!("hold: another run has the rollout: {who}"))));
                    }
                    tokio::time::sleep(pause).await;
                }
            }
        };
        let desk = self.read()?;
        let clusters = match self.clusters(&desk) {
            // What is to be taken back is taken back wherever that is possible.
            _ if self.goes_back(&desk) => return held.map_or(Ok(None), |held| Err(held.into())),
            Ok(clusters) => clusters,
            Err(error) => return Err(Held(format!("{error:#}")).into()),
        };
        let of = |(one, _): (InCluster, _)| {
            resources::stream(&resources::resources(&one.mesh, &self.apply.options))
        };
        let yaml: Vec<String> = clusters.into_iter().map(of).collect();
        if let Err(held) = ask(cluster, |cluster| cluster.others_answer()).await? {
            return Err(held.into());
        }
        let owner = ask(cluster, move |cluster| cluster.owner(&yaml)).await?;
        if let Ok(Some((place, owner))) = &owner {
            bail!("{}", lock(cluster).refusal(place, owner));
        }
        match held.or(owner.err()) {
            Some(held) => Err(held.into()),
            None => Ok(None),
        }
    }

    async fn look_in(&mut self, cluster: &Shared) -> Result<Progress> {
        let looked = tokio::select! {
            // What is applied just now is ended with the look, and nothing is begun after it is lost.
            biased;
            why = lost(cluster) => Err(Held(why?).into()),
            progress = self.look() => progress,
        };
        let Held(why) = match looked {
            Ok(progress) => return Ok(progress),
            Err(error) => error.downcast::<Held>()?,
        };
        Ok(Progress::Wait(format!("hold: this run lost its turn, and applies nothing more: {why}")))
    }

    /// Right before something is begun that another run may have begun by now: it may have been waited for a file meanwhile.
    pub(super) fn still_ours(&self) -> Result<(), Held> {
        let late = || Held("it was not renewed in time".to_owned());
        if let Some(git) = &self.git {
            return if git.is_over() { Err(late()) } else { Ok(()) };
        }
        let Some(cluster) = &self.cluster else { return Ok(()) };
        let cluster = lock(cluster);
        // Who is not sure of the turn takes a canary back all the same.
        if cluster.unsure.is_none() && cluster.watch.is_over() { Err(late()) } else { Ok(()) }
    }

    /// Brings what a file says into the mesh, in each cluster.
    pub(super) async fn bring(&self, desk: &Desk) -> Result<()> {
        self.still_ours()?;
        self.apply.run(clusters::as_far_as_possible(&desk.paths, &desk.project)).await
    }

    /// Brings an abort into the mesh. Of several clusters those that failed are tried again at the next look: the others have it.
    pub(super) async fn take_back(&self, desk: &Desk) -> Result<Option<Progress>> {
        match self.bring(desk).await {
            Err(error) if desk.has_clusters() && !error.is::<Held>() => Ok(Some(Progress::Wait(format!(
                "hold: the canary is aborted in the file, but not yet in every cluster: {error:#}"
            )))),
            brought => {
                brought.context(
                    "the canary is aborted in the file, but not yet in the mesh: run this again, or apply the file",
                )?;
                Ok(None)
            }
        }
    }

    /// Of several clusters: is all that is left to do to take the canary back?
    fn goes_back(&self, desk: &Desk) -> bool {
        desk.has_clusters() && self.journal.last().is_some_and(|last| last.event == Event::Abort)
    }

    /// What each cluster is given, and who knows its figures.
    pub(super) fn clusters(&self, desk: &Desk) -> Result<Vec<(InCluster, &Prometheus)>> {
        let clusters = desk.clusters()?;
        let names = clusters.iter().map(|one| one.name.as_deref());
        ensure!(
            names.eq(self.prometheus.iter().map(|(name, _)| name)),
            "the clusters of the file are others than when this run began: start it again"
        );
        Ok(clusters.into_iter().zip(self.prometheus.iter().map(|(_, one)| one)).collect())
    }

    /// Whatever is not known of other runs and tools: a canary that is worse is judged, and taken back.
    async fn look_unsure(&mut self, cluster: &Shared, why: String) -> Result<Progress> {
        lock(cluster).unsure = Some(why.clone());
        let looked = self.look().await;
        lock(cluster).unsure = None;
        Ok(match looked {
            Ok(Progress::Wait(said)) if !said.contains(&why) => {
                Progress::Wait(format!("{said}; hold: {why}"))
            }
            Ok(progress) => progress,
            // Where the cluster is away, applying fails, too: the next look tries again.
            Err(error) => Progress::Wait(format!("hold: {error:#}; {why}")),
        })
    }

    /// Why no user may be moved to the canary now.
    pub(super) fn unsure(&self) -> Option<Progress> {
        let why = lock(self.cluster.as_ref()?).unsure.clone()?;
        Some(Progress::Wait(format!(
            "hold: until that can be done, a canary is only judged and taken back: {why}"
        )))
    }
}

/// Asks in a thread: what is under way goes on meanwhile.
async fn ask<T: Send + 'static>(
    cluster: &Shared,
    what: impl FnOnce(&mut Cluster) -> T + Send + 'static,
) -> Result<T> {
    let cluster = Arc::clone(cluster);
    Ok(tokio::task::spawn_blocking(move || what(&mut lock(&cluster))).await?)
}

/// Renews the Lease again and again, and says why it is not this run's any more, before another one may have it.
async fn lost(cluster: &Shared) -> Result<String> {
    loop {
        let (pause, until) = {
            let cluster = lock(cluster);
            (cluster.watch.pause(), Instant::from_std(cluster.watch.until()))
        };
        sleep_until((Instant::now() + pause).min(until)).await;
        let Ok(said) = timeout_at(until, ask(cluster, Cluster::acquire)).await else {
            return Ok("the Lease could not be renewed in time".to_owned());
        };
        match said? {
            Ok(Ok(())) => {}
            Ok(Err(who)) => return Ok(who),
            Err(Held(why)) if lock(cluster).watch.is_over() => return Ok(why),
            // What does not answer may answer in time.
            Err(_) => {}
        }
    }
}
