//! Requests at a steady rate, while something changes: which failed, and who was served by what.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use reqwest::Client;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::interval;

use crate::ask::{HOST, Visit, ask, deployment};
use crate::bank::Bank;
use crate::core::Core;

/// Requests a second.
const RATE: u64 = 100;
/// Each so many is a chain of calls.
const CHAIN: usize = 5;
const CHAIN_OF: [&str; 3] = ["api", "orders", "ledger"];
/// Tenants that are asked with.
const TENANTS: [Option<&str>; 4] = [Some("gray-v1"), Some("green"), None, None];
const USERS: usize = 200;
/// How many differences are shown.
const SHOWN: usize = 6;

/// Requests that go on until this is dropped: a scenario that fails leaves none to the next one.
#[derive(Default)]
pub struct UnderWay {
    sent: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
}

/// The same, for the tasks that send them.
#[derive(Clone)]
pub struct Sender {
    sent: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
}

impl UnderWay {
    /// For a task.
    pub fn sender(&self) -> Sender {
        Sender { sent: Arc::clone(&self.sent), stop: Arc::clone(&self.stop) }
    }

    /// Waits for so many more requests, or until the tasks have ended.
    pub async fn more(&self, requests: usize, ended: impl Fn() -> bool) {
        let until = self.sent.load(Ordering::Relaxed) + requests;
        while self.sent.load(Ordering::Relaxed) < until && !ended() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Asks the tasks to end.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Sender {
    /// Is it to end?
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Counts a request; its number, from 0.
    pub fn count(&self) -> usize {
        self.sent.fetch_add(1, Ordering::Relaxed)
    }
}

/// Requests under way.
pub struct Load {
    under_way: UnderWay,
    task: JoinHandle<Vec<Seen>>,
}

/// One request.
#[derive(Debug)]
struct Seen {
    #[expect(dead_code, reason = "shown when it fails")]
    at: Duration,
    number: usize,
    /// Deployments that served it, in the order of [`CHAIN_OF`].
    served: Result<Vec<String>, String>,
}

fn user(number: usize) -> (String, Option<&'static str>) {
    (format!("user-{}", number % USERS), TENANTS[number / USERS % TENANTS.len()])
}

async fn one(client: Client, gateway: String, number: usize) -> Result<Vec<String>, String> {
    let (user, tenant) = user(number);
    let mut headers = vec![("x-user-id", user.as_str())];
    headers.extend(tenant.map(|tenant| ("tenant", tenant)));
    let is_chain = number.is_multiple_of(CHAIN);
    let path = if is_chain { format!("/?path={}", CHAIN_OF.join(",")) } else { "/hostname".to_owned() };
    let answer = ask(&client, &gateway, &path, &headers).await.map_err(|error| format!("{error:#}"))?;
    if answer.status != 200 {
        return Err(format!("{} {} {}", answer.status, answer.decided, answer.body));
    }
    if !is_chain {
        return Ok(vec![deployment(&answer.body).to_owned()]);
    }
    let visit: Visit = answer.visit().map_err(|error| format!("{error:#}"))?;
    Ok(visit.all().iter().map(|visit| visit.deployment().to_owned()).collect())
}

impl Load {
    /// Begins, and returns when the first answers are there.
    pub async fn start(bank: &Bank<'_>) -> Result<Self> {
        let under_way = UnderWay::default();
        let (client, gateway) = (bank.cluster.client.clone(), bank.cluster.gateway.clone());
        let sender = under_way.sender();
        let task = tokio::spawn(async move {
            let begin = Instant::now();
            let mut tick = interval(Duration::from_micros(1_000_000 / RATE));
            let (mut asked, mut seen) = (JoinSet::new(), Vec::new());
            while !sender.stopped() {
                tick.tick().await;
                let number = sender.count();
                let (client, gateway) = (client.clone(), gateway.clone());
                asked.spawn(async move {
                    let served = one(client, gateway, number).await;
                    Seen { at: begin.elapsed(), number, served }
                });
                while let Some(done) = asked.try_join_next() {
                    seen.extend(done);
                }
            }
            while let Some(done) = asked.join_next().await {
                seen.extend(done);
            }
            seen
        });
        let load = Self { under_way, task };
        load.more(RATE as usize).await;
        Ok(load)
    }

    /// Waits for so many more requests.
    pub async fn more(&self, requests: usize) {
        self.under_way.more(requests, || self.task.is_finished()).await;
    }

    /// Ends: no request failed, and every one went where the core says with one of these files, which were in force one
    /// after the other. Prints how many there were.
    pub async fn judge(self, what: &str, documents: &[&str]) -> Result<()> {
        let seen = self.all_served(what).await?;
        let wrong = misplaced(&seen, documents)?;
        ensure!(
            wrong.is_empty(),
            "{what}: {} of {} on a wrong side: {:#?}",
            wrong.len(),
            seen.len(),
            &wrong[..wrong.len().min(SHOWN)]
        );
        println!("   {what}: {} requests, 0 failed, 0 on a wrong side", seen.len());
        Ok(())
    }

    /// Ends: no request failed, wherever it went.
    pub async fn none_failed(self, what: &str) -> Result<()> {
        let seen = self.all_served(what).await?;
        println!("   {what}: {} requests, 0 failed", seen.len());
        Ok(())
    }

    /// Ends: at most so many requests failed, and none with a tenant went elsewhere than the core says.
    pub async fn at_most(self, what: &str, most: usize, documents: &[&str]) -> Result<()> {
        let seen = self.end().await?;
        let failed = seen.iter().filter(|one| one.served.is_err()).count();
        ensure!(failed <= most, "{what}: {failed} of {} failed, {most} may", seen.len());
        let wrong = misplaced(&seen, documents)?;
        ensure!(wrong.is_empty(), "{what}: {:#?}", &wrong[..wrong.len().min(SHOWN)]);
        println!("   {what}: {} requests, {failed} failed, 0 on a wrong side", seen.len());
        Ok(())
    }

    /// Ends; an error if a request failed.
    async fn all_served(self, what: &str) -> Result<Vec<Seen>> {
        let seen = self.end().await?;
        let failed: Vec<_> = seen.iter().filter(|one| one.served.is_err()).collect();
        ensure!(
            failed.is_empty(),
            "{what}: {} of {} failed: {:#?}",
            failed.len(),
            seen.len(),
            &failed[..failed.len().min(SHOWN)]
        );
        Ok(seen)
    }

    async fn end(mut self) -> Result<Vec<Seen>> {
        self.more(RATE as usize).await;
        self.under_way.stop();
        Ok((&mut self.task).await?)
    }
}

/// Deployments that may serve a user, for each of [`CHAIN_OF`].
type Allowed = Vec<BTreeSet<String>>;

/// Requests that were served by a deployment that none of the files explains.
fn misplaced<'s>(seen: &'s [Seen], documents: &[&str]) -> Result<Vec<(&'s Seen, Allowed)>> {
    let mut cores: Vec<Core> = documents.iter().map(|document| Core::new(document)).collect::<Result<_>>()?;
    let mut known: BTreeMap<(String, Option<&str>), Allowed> = BTreeMap::new();
    let mut wrong = Vec::new();
    for one in seen {
        let Ok(served) = &one.served else { continue };
        let key = user(one.number);
        if !known.contains_key(&key) {
            let mut allowed = vec![BTreeSet::new(); CHAIN_OF.len()];
            for core in &mut cores {
                for (deployment, set) in placed(core, &key.0, key.1)?.into_iter().zip(&mut allowed) {
                    set.insert(deployment);
                }
            }
            known.insert(key.clone(), allowed);
        }
        let allowed = &known[&key];
        if served.iter().zip(allowed).any(|(served, allowed)| !allowed.contains(served)) {
            wrong.push((one, allowed.clone()));
        }
    }
    Ok(wrong)
}

/// The deployments that serve a user, one for each of [`CHAIN_OF`].
fn placed(core: &mut Core, user: &str, tenant: Option<&str>) -> Result<Vec<String>> {
    let mut headers = vec![("x-user-id", user)];
    headers.extend(tenant.map(|tenant| ("tenant", tenant)));
    let mut outcome = core.gateway(CHAIN_OF[0], HOST, "/", &headers, None)?;
    let mut placed = vec![core.deployment(CHAIN_OF[0], &outcome)?];
    for service in &CHAIN_OF[1..] {
        let headers = outcome.headers.iter().filter(|(name, _)| !name.starts_with(':'));
        let headers =
            headers.map(|(name, value)| (name.clone(), String::from_utf8_lossy(value).into_owned()));
        let headers: BTreeMap<String, String> = headers.collect();
        outcome = core.sidecar(&placed[placed.len() - 1], &headers, &headers, service)?;
        placed.push(core.deployment(service, &outcome)?);
    }
    Ok(placed)
}
