//! Users of a service of which there are two versions: which of them serves each request.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::{StreamExt as _, stream};
use graylane::adopt::weights::choose;
use graylane_decide::choice::sticky::{Seed, Unit};
use reqwest::Client;
use tokio::task::JoinHandle;
use tokio::time::interval;

use crate::ask::ask;
use crate::bank::Bank;
use crate::load::UnderWay;

/// Users that ask side by side.
const ABREAST: usize = 16;
/// How long a watch waits before its next request.
const PAUSE: Duration = Duration::from_millis(10);
/// How many are shown.
const SHOWN: usize = 6;

/// How users come to the service.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// The host that they ask the gateway for.
    pub host: &'static str,
    /// What they ask for: `/` is the service itself, `/?path=web,api` is what `web` gets from it.
    pub path: &'static str,
    /// Whether a cookie says who they are, or a header.
    pub cookie: bool,
    /// Whether they are testers, with a header of theirs.
    pub tester: bool,
}

impl Way {
    fn headers(self, user: usize, jar: &str) -> Vec<(&'static str, String)> {
        let name = name(user);
        let mut headers = vec![("host", self.host.to_owned())];
        let own = if self.cookie { format!("lane-id={name}") } else { String::new() };
        let cookie =
            [own.as_str(), jar].into_iter().filter(|one| !one.is_empty()).collect::<Vec<_>>().join("; ");
        if !cookie.is_empty() {
            headers.push(("cookie", cookie));
        }
        if !self.cookie {
            headers.push(("x-user-id", name));
        }
        if self.tester {
            headers.push(("tenant", "gray-v1".to_owned()));
        }
        headers
    }
}

fn name(user: usize) -> String {
    format!("user-{user}")
}

/// What browsers keep, by user.
pub type Jars = BTreeMap<usize, String>;

/// The versions that served each user, in the order of their requests.
pub type Served = BTreeMap<usize, Vec<String>>;

/// Those who were served by more than one version.
pub fn flipped(served: &Served) -> usize {
    served.values().filter(|versions| versions.iter().collect::<BTreeSet<_>>().len() > 1).count()
}

/// Requests, and how they are understood.
pub struct Crowd<'b> {
    bank: &'b Bank<'b>,
    namespace: &'static str,
    gateway: &'static str,
    /// The version of each pod that was ever there.
    versions: RefCell<BTreeMap<String, String>>,
}

impl<'b> Crowd<'b> {
    /// Of a service of a namespace, whose pods have a label `version`. The file of this mesh is at the gateway, where users get
    /// their unit.
    pub fn new(bank: &'b Bank<'b>, namespace: &'static str, gateway: &'static str) -> Self {
        Self { bank, namespace, gateway, versions: RefCell::default() }
    }

    /// Whether a user is on the canary while it has this weight, in percent: what the sticky algorithm says of the examples'
    /// salt.
    fn is_on_canary(&self, user: usize, weight: u64) -> bool {
        let point = Unit::of(name(user).as_bytes(), Seed::of(self.gateway)).point(Seed::of("release-42"));
        let list = [(false, 100 - weight), (true, weight)];
        choose(&list, |(_, weight)| *weight, point).is_some_and(|(is_canary, _)| *is_canary)
    }

    /// So many users, each with so many requests, none of which may fail. Cookies that they get are kept in the jars and sent, if
    /// there are any jars.
    pub async fn ask(
        &self,
        way: Way,
        users: usize,
        requests: usize,
        jars: Option<&mut Jars>,
    ) -> Result<Served> {
        self.learn().await?;
        let (client, gateway) = (&self.bank.cluster.client, &self.bank.cluster.gateway);
        let kept = jars.is_some();
        let before = jars.as_deref().cloned().unwrap_or_default();
        let one = async |user: usize| {
            let mut jar = before.get(&user).cloned().unwrap_or_default();
            let mut pods = Vec::new();
            for _ in 0..requests {
                let (pod, cookie) = once(client, gateway, way, user, &jar).await?;
                if let Some(cookie) = cookie.filter(|_| kept) {
                    jar = cookie;
                }
                pods.push(pod);
            }
            anyhow::Ok((user, pods, jar))
        };
        let answers: Vec<_> = stream::iter(0..users).map(one).buffer_unordered(ABREAST).collect().await;
        let (mut served, mut after) = (Served::new(), Jars::new());
        for answer in answers {
            let (user, pods, jar) = answer?;
            served.insert(user, self.named(&pods).await?);
            after.insert(user, jar);
        }
        if let Some(jars) = jars {
            *jars = after;
        }
        Ok(served)
    }

    /// The versions of pods.
    async fn named(&self, pods: &[String]) -> Result<Vec<String>> {
        if pods.iter().any(|pod| !self.versions.borrow().contains_key(pod)) {
            self.learn().await?;
        }
        let versions = self.versions.borrow();
        pods.iter()
            .map(|pod| versions.get(pod).cloned().with_context(|| format!("{pod} has no version")))
            .collect()
    }

    /// Looks which pods there are.
    async fn learn(&self) -> Result<()> {
        for pod in self.bank.cluster.get(&format!("pods -n {}", self.namespace)).await? {
            let text = |pointer: &str| pod.pointer(pointer).and_then(|text| text.as_str()).map(str::to_owned);
            if let (Some(name), Some(version)) = (text("/metadata/name"), text("/metadata/labels/version")) {
                self.versions.borrow_mut().insert(name, version);
            }
        }
        Ok(())
    }

    /// Everybody is served by one version: the new one for those whom the weight puts there, the old one for all others. How many
    /// have the new one.
    pub async fn ensure_sticky(
        &self,
        way: Way,
        users: usize,
        weight: u64,
        versions: [&str; 2],
    ) -> Result<usize> {
        const REQUESTS: usize = 3;
        let served = self.ask(way, users, REQUESTS, None).await?;
        let [old, new] = versions;
        let wrong: Vec<_> = served
            .iter()
            .filter(|(user, versions)| {
                let wanted = if self.is_on_canary(**user, weight) { new } else { old };
                versions.iter().any(|version| version != wanted)
            })
            .collect();
        ensure!(
            wrong.is_empty(),
            "{weight} %, {way:?}: {} of {users} users are not where they are to be ({old} or {new}): {:?}",
            wrong.len(),
            &wrong[..wrong.len().min(SHOWN)]
        );
        Ok(served.values().filter(|versions| versions.iter().all(|version| version == new)).count())
    }

    /// Everybody is served by this version.
    pub async fn ensure_all(&self, way: Way, users: usize, version: &str) -> Result<()> {
        let served = self.ask(way, users, 1, None).await?;
        let others = served.values().flatten().filter(|other| *other != version).count();
        ensure!(others == 0, "{way:?}: {others} of {users} requests are not served by {version}");
        Ok(())
    }

    /// Begins to ask without end, for so many users in turn.
    pub fn watch(&self, way: Way, users: usize) -> Watch {
        let (client, gateway) = (self.bank.cluster.client.clone(), self.bank.cluster.gateway.clone());
        let under_way = UnderWay::default();
        let sender = under_way.sender();
        let task = tokio::spawn(async move {
            let (mut seen, mut tick) = (Vec::new(), interval(PAUSE));
            for user in (0..users).cycle() {
                if sender.stopped() {
                    break;
                }
                tick.tick().await;
                let answer = once(&client, &gateway, way, user, "").await;
                seen.push((user, answer.map(|(pod, _)| pod).map_err(|error| format!("{error:#}"))));
            }
            seen
        });
        Watch { way, under_way, task }
    }

    /// Ends a watch: what each user saw, and how many requests there were. None may have failed.
    pub async fn seen(&self, mut watch: Watch) -> Result<(Served, usize)> {
        watch.under_way.stop();
        let seen = (&mut watch.task).await?;
        let failed: Vec<_> = seen.iter().filter(|(_, answer)| answer.is_err()).collect();
        ensure!(
            failed.is_empty(),
            "{:?}: {} of {} requests failed: {:#?}",
            watch.way,
            failed.len(),
            seen.len(),
            &failed[..failed.len().min(SHOWN)]
        );
        let (mut served, count) = (Served::new(), seen.len());
        for (user, pod) in seen.into_iter().filter_map(|(user, answer)| Some((user, answer.ok()?))) {
            let version = self.named(&[pod]).await?;
            served.entry(user).or_default().extend(version);
        }
        Ok((served, count))
    }
}

/// Users who ask without end.
pub struct Watch {
    way: Way,
    under_way: UnderWay,
    task: JoinHandle<Vec<(usize, Result<String, String>)>>,
}

/// Users who were served by the old version after the new one.
pub fn moved_back(served: &Served, new: &str) -> Vec<usize> {
    let back = |versions: &[String]| {
        versions.iter().skip_while(|version| *version != new).any(|version| version != new)
    };
    served.iter().filter(|(_, versions)| back(versions)).map(|(user, _)| *user).collect()
}

/// The pod that serves a request, and the cookie that came with it.
async fn once(
    client: &Client,
    gateway: &str,
    way: Way,
    user: usize,
    jar: &str,
) -> Result<(String, Option<String>)> {
    let headers = way.headers(user, jar);
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let answer = ask(client, gateway, way.path, &headers).await?;
    ensure!(answer.status == 200, "{way:?}, user {user}: {answer:?}");
    let visit = answer.visit()?;
    let pod = visit.all().last().map(|visit| visit.pod.clone()).context("no application answered")?;
    let cookie = answer.cookie.and_then(|cookie| cookie.split(';').next().map(str::to_owned));
    Ok((pod, cookie))
}
