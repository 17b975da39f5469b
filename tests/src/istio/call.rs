//! Requests of tests, and their answers.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};

use crate::echo;

/// The header of an answer that names the pods on the way, the last one first.
pub const PODS: &str = "x-pods";

/// A request that is still being written.
#[derive(Clone, Debug)]
pub struct Call {
    address: SocketAddr,
    authority: String,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
}

/// An answer.
#[derive(Clone, Default)]
pub struct Answer {
    /// Status.
    pub status: u32,
    /// The pod whose application answered; none if a proxy did.
    pub pod: Option<String>,
    /// All pods on the way of a chain of calls, the last one first.
    pub pods: Vec<String>,
    /// Headers of the answer, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Headers that the application got, names in lower case.
    pub seen: Vec<(String, String)>,
    /// The body: the head of the request that reached the last application, or a proxy's own words.
    pub body: Vec<u8>,
}

/// How often who answered: names of pods, statuses of proxies.
pub type Count = BTreeMap<String, usize>;

impl Call {
    /// A request to an address, for an authority.
    #[must_use]
    pub fn to(address: SocketAddr, authority: &str) -> Self {
        Self {
            address,
            authority: authority.to_owned(),
            method: "GET".to_owned(),
            path: "/".to_owned(),
            headers: Vec::new(),
        }
    }

    /// A request that leaves a pod: to the listener of its sidecar for the authority's port.
    pub(super) fn through(outbound: Ipv4Addr, authority: &str) -> Result<Self> {
        let port = authority.rsplit_once(':').map_or(Ok(80), |(_, port)| port.parse());
        let port = port.with_context(|| format!("`{authority}` has no port"))?;
        Ok(Self::to((IpAddr::from(outbound), port).into(), authority))
    }

    /// Adds a header; of one name there may be several.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        method.clone_into(&mut self.method);
        self
    }

    /// Sets the path.
    #[must_use]
    pub fn path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// Makes the application that gets it call another service in turn, with these headers and no others; repeated, that
    /// one calls the next. The answer is the last one's.
    #[must_use]
    pub fn then(mut self, authority: &str, keeping: &[&str]) -> Self {
        let path = self.path.trim_end_matches('/');
        self.path = format!("{path}/then/{authority}/keeping/{}/", keeping.join(","));
        self
    }

    /// Sends it, over a connection of its own.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn send(&self) -> Result<Answer> {
        let mut head = format!("{} {} HTTP/1.1\r\nhost: {}\r\n", self.method, self.path, self.authority);
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += "\r\n";
        let address = self.address;
        let answer = tokio::task::spawn_blocking(move || echo::send(address, head.as_bytes())).await?;
        answer.with_context(|| format!("{} at {address}", self.authority)).map(Answer::of)
    }

    /// Sends it so often, one after another, and counts who answered.
    ///
    /// # Errors
    /// Never at present: no answer is counted as one.
    pub async fn count(&self, times: usize) -> Result<Count> {
        let mut count = Count::new();
        for _ in 0..times {
            let who = match self.send().await {
                Ok(answer) => answer.who(),
                Err(_) => "no answer".to_owned(),
            };
            *count.entry(who).or_default() += 1;
        }
        Ok(count)
    }
}

impl fmt::Debug for Answer {
    /// Who answered, and what they saw; a proxy's own words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by {:?}", self.status, self.pods)?;
        let body = || String::from_utf8_lossy(&self.body);
        if self.pods.is_empty() { write!(f, ": {}", body()) } else { write!(f, ", who saw {:?}", self.seen) }
    }
}

impl Answer {
    fn of(answer: echo::Answer) -> Self {
        let text = |headers: Vec<(String, Vec<u8>)>| {
            let text =
                |(name, value): (String, Vec<u8>)| (name, String::from_utf8_lossy(&value).into_owned());
            headers.into_iter().map(text).collect::<Vec<_>>()
        };
        let pods = answer.header(PODS).unwrap_or_default();
        let pods: Vec<String> = pods.split(',').filter(|pod| !pod.is_empty()).map(str::to_owned).collect();
        // A proxy's own words are no headers.
        let seen = if pods.is_empty() { None } else { echo::headers(&answer.body).ok() };
        Self {
            status: answer.status,
            pod: pods.first().cloned(),
            pods,
            seen: text(seen.unwrap_or_default()),
            headers: text(answer.headers),
            body: answer.body,
        }
    }

    /// The pod that answered, else the status.
    #[must_use]
    pub fn who(&self) -> String {
        match &self.pod {
            Some(pod) if self.status == 200 => pod.clone(),
            _ => self.status.to_string(),
        }
    }

    /// A header that the application got; of several, the first.
    #[must_use]
    pub fn seen(&self, name: &str) -> Option<&str> {
        first(&self.seen, name)
    }

    /// A header of the answer; of several, the first.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        first(&self.headers, name)
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn first<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(is, _)| is == name).map(|(_, value)| value.as_str())
}
