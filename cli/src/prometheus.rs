//! A Prometheus, asked over its HTTP API (<https://prometheus.io/docs/prometheus/latest/querying/api/>).
//!
//! Whatever speaks that API will do: Thanos, Mimir, VictoriaMetrics. A path in the URL is kept, and so are user and
//! password.

mod several;

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use reqwest::Url;
use reqwest::header::{DATE, HeaderMap, HeaderName, HeaderValue, LOCATION};
use serde::Deserialize;

use crate::args::Asked;
use crate::http::{Limits, without_password};
use crate::time::now;
use crate::{files, plain};

pub use several::Several;

/// Default limits.
const LIMITS: Limits = Limits {
    connect: Duration::from_secs(5),
    first_byte: Duration::from_secs(30),
    whole: Duration::from_secs(60),
    bytes: 16 << 20,
};
/// How far its clock may be from ours: windows are counted in our seconds, and end in its now.
const SKEW: u64 = 60;
/// Where the password of `--prometheus-user` may be.
const PASSWORD: &str = "GRAYLANE_PROMETHEUS_PASSWORD";

/// Why there is no usable answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// No answer, or not the answer of a Prometheus.
    Away(String),
    /// It does not accept the query.
    Refused(String),
    /// No series fits: nothing was ever counted, or names are other than the query takes them to be.
    NoData,
    /// A number was asked for, and there are several series.
    Several(usize),
    /// A division by zero: there were no requests.
    NotANumber,
    /// It is infinite.
    Infinite(String),
    /// The answer itself says that something is missing, or may be.
    Partial(String),
    /// Its clock is so many seconds from ours.
    Clock(u64),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Away(why) => write!(f, "{why}"),
            Self::Refused(why) => write!(f, "Prometheus does not accept the query: {why}"),
            Self::NoData => f.write_str("no data: no series matches the query"),
            Self::Several(count) => write!(f, "expected one number, got {count} series"),
            Self::NotANumber => f.write_str("no value: there were no requests"),
            Self::Infinite(value) => write!(f, "the number is {value}"),
            Self::Partial(warning) => write!(f, "the answer is partial: {warning}"),
            Self::Clock(off) => write!(f, "Prometheus' clock and this one differ by {off} s"),
        }
    }
}

impl std::error::Error for Problem {}

/// One series at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its value, which may be NaN or infinite.
    pub value: f64,
}

impl Sample {
    /// The value of a label; empty if it has none, as Prometheus sees it.
    #[must_use]
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }
}

/// A Prometheus.
#[derive(Clone, Debug)]
pub struct Prometheus {
    query: Url,
    user: Option<(String, String)>,
    client: reqwest::Client,
    limits: Limits,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    #[serde(default)]
    status: String,
    #[serde(default)]
    data: Option<Data>,
    #[serde(default)]
    error: String,
    /// Of Thanos, Mimir and Prometheus: a store did not answer, or numbers may not mean what they seem to.
    #[serde(default)]
    warnings: Vec<String>,
    /// Of VictoriaMetrics: a storage node did not answer.
    #[serde(default)]
    is_partial: bool,
}

impl Answer {
    /// Reasons not to trust the answer. Notes that Prometheus 2 lists among its warnings, such as that a counter is not
    /// called `_total`, are no such reason.
    fn doubt(&self) -> Option<String> {
        let doubts: Vec<&str> = self
            .warnings
            .iter()
            .map(String::as_str)
            .filter(|warning| !warning.starts_with("PromQL info:"))
            .collect();
        if doubts.is_empty() {
            return self.is_partial.then(|| "as its answer says".to_owned());
        }
        Some(plain::line(&doubts.join("; ")).into_owned())
    }
}

#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
enum Data {
    Vector(Vec<Series>),
    Scalar((f64, String)),
    Matrix(serde::de::IgnoredAny),
    String(serde::de::IgnoredAny),
}

#[derive(Deserialize)]
struct Series {
    metric: BTreeMap<String, String>,
    value: (f64, String),
}

/// `NaN`, `+Inf` and the like are written as text.
fn number(text: &str) -> f64 {
    text.parse().unwrap_or(f64::NAN)
}

impl Prometheus {
    /// For an address such as `http://prometheus.monitoring:9090`.
    ///
    /// # Errors
    /// When it is not an HTTP URL.
    pub fn new(url: &str) -> Result<Self> {
        Self::with(url, None, HeaderMap::new(), LIMITS)
    }

    /// As a command line says.
    ///
    /// # Errors
    /// When the address is not an HTTP URL, or one of its files cannot be read.
    pub fn open(asked: &Asked) -> Result<Self> {
        Self::at(several::only(asked)?, asked)
    }

    fn at(url: &str, asked: &Asked) -> Result<Self> {
        let user = match (&asked.prometheus_user, &asked.prometheus_password_file) {
            (Some(user), Some(file)) => {
                Some((user.clone(), files::text(file)?.trim_end_matches(['\r', '\n']).to_owned()))
            }
            (Some(user), None) => {
                let password = std::env::var(PASSWORD).with_context(|| {
                    format!("--prometheus-user needs --prometheus-password-file, or {PASSWORD}")
                })?;
                Some((user.clone(), password))
            }
            (None, _) => None,
        };
        let headers = match &asked.prometheus_header_file {
            Some(file) => headers(&files::text(file)?).with_context(|| format!("`{}`", file.display()))?,
            None => HeaderMap::new(),
        };
        let limits = Limits {
            connect: asked.prometheus_connect_timeout,
            first_byte: asked.prometheus_answer_timeout,
            whole: asked.prometheus_timeout,
            bytes: asked.prometheus_max_answer << 20,
        };
        Self::with(url, user, headers, limits)
    }

    fn with(url: &str, user: Option<(String, String)>, headers: HeaderMap, limits: Limits) -> Result<Self> {
        let said = || plain::line(&without_password(url)).into_owned();
        let parsed = Url::parse(url.trim_end_matches('/'));
        let mut base =
            parsed.with_context(|| format!("invalid URL `{}`; write it as in http://host:9090", said()))?;
        ensure!(
            ["http", "https"].contains(&base.scheme()) && base.has_host(),
            "expected an HTTP URL, got `{}`; write it as in http://host:9090",
            said()
        );
        let path = format!("{}/api/v1/query", base.path().trim_end_matches('/'));
        base.set_path(&path);
        base.set_query(None);
        base.set_fragment(None);
        let client = limits.client(crate::http::direct()).default_headers(headers).build()?;
        Ok(Self { query: base, user, client, limits })
    }

    /// Where it is, without a password.
    fn place(&self) -> String {
        let host = self.query.host_str().unwrap_or_default();
        self.query.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// The series that a query has now, in the order of their labels; an empty list is not an error.
    ///
    /// # Errors
    /// When there is no answer, or it is not from a Prometheus.
    pub async fn query(&self, promql: &str) -> Result<Vec<Sample>, Problem> {
        let away =
            |why: String| Problem::Away(format!("Prometheus at {} {}", self.place(), plain::line(&why)));
        let mut request = self.client.get(self.query.clone()).query(&[("query", promql)]);
        if let Some((user, password)) = &self.user {
            request = request.basic_auth(user, Some(password));
        }
        let response = self.limits.send(request).await.map_err(away)?;
        let status = response.status();
        if status.is_redirection() {
            let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or_default();
            return Err(away(format!(
                "answers {status}, a redirect to `{}`: use that address",
                without_password(to)
            )));
        }
        let off = response.headers().get(DATE).and_then(|date| off(date, now()));
        let body = self.limits.body(response).await.map_err(away)?;
        let answer: Answer = serde_json::from_slice(&body).map_err(|_| {
            away(format!("answers {status}, and its body is not the JSON of Prometheus' API"))
        })?;
        let doubt = answer.doubt();
        let refused = |why: String| Problem::Refused(plain::line(&why).into_owned());
        let (mut samples, times): (Vec<Sample>, Vec<f64>) = match answer.data {
            Some(_) if answer.status != "success" || !status.is_success() => {
                return Err(refused(format!("{} ({status}, `{}`)", answer.error, answer.status)));
            }
            Some(Data::Vector(series)) => series
                .into_iter()
                .map(|series| {
                    let sample = Sample { labels: series.metric, value: number(&series.value.1) };
                    (sample, series.value.0)
                })
                .unzip(),
            Some(Data::Scalar((time, value))) => {
                (vec![Sample { labels: BTreeMap::new(), value: number(&value) }], vec![time])
            }
            Some(_) => return Err(refused("its result is not an instant vector".to_owned())),
            None if status.is_server_error() && answer.error.is_empty() => {
                return Err(away(format!("answers {status}")));
            }
            None => return Err(refused(format!("{} ({status})", answer.error))),
        };
        if let Some(warning) = doubt {
            return Err(Problem::Partial(warning));
        }
        // An answer from our future was counted over another window than was asked for.
        let ahead = times.iter().map(|time| time - now() as f64).fold(0.0, f64::max);
        if let Some(off) = off.filter(|off| *off > SKEW).or((ahead > SKEW as f64).then_some(ahead as u64)) {
            return Err(Problem::Clock(off));
        }
        samples.sort_by(|a: &Sample, b| a.labels.cmp(&b.labels));
        Ok(samples)
    }

    /// The one number that a query has now.
    ///
    /// # Errors
    /// When there is none, are several, or it is not a number; and as [`Prometheus::query`].
    pub async fn number(&self, promql: &str) -> Result<f64, Problem> {
        match &self.query(promql).await?[..] {
            [] => Err(Problem::NoData),
            [one] if one.value.is_nan() => Err(Problem::NotANumber),
            [one] if one.value.is_infinite() => Err(Problem::Infinite(one.value.to_string())),
            [one] => Ok(one.value),
            several => Err(Problem::Several(several.len())),
        }
    }
}

/// How far a date of HTTP is from a time, in seconds.
fn off(date: &HeaderValue, now: u64) -> Option<u64> {
    let date = httpdate::parse_http_date(date.to_str().ok()?).ok()?;
    Some(date.duration_since(UNIX_EPOCH).ok()?.as_secs().abs_diff(now))
}

/// Headers of a file, a line each; what is in them is a secret, and is not said.
fn headers(text: &str) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let Some((name, value)) = line.split_once(':') else {
            bail!("line {}: invalid header: write `Name: value`", number + 1)
        };
        let name = HeaderName::try_from(name.trim());
        let value = HeaderValue::try_from(value.trim());
        let (Ok(name), Ok(mut value)) = (name, value) else {
            bail!("line {}: invalid header: write `Name: value`", number + 1)
        };
        value.set_sensitive(true);
        headers.append(name, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests;
