//! A Prometheus, asked over its HTTP API (<https://prometheus.io/docs/prometheus/latest/querying/api/>).
//!
//! Whatever speaks that API will do: Thanos, Mimir, VictoriaMetrics. A path in the URL is kept, and so are user and
//! password.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::Url;
use serde::Deserialize;

/// How long one answer may take.
const LIMIT: Duration = Duration::from_secs(30);

/// Why there is no answer that one could go by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Nobody answers, or something that is no Prometheus.
    Away(String),
    /// It does not accept the query.
    Refused(String),
    /// No series fits: nothing was ever counted, or names are other than the query takes them to be.
    NoData,
    /// A number was asked for, and there are several series.
    Several(usize),
    /// A division by zero: there were no requests.
    NotANumber,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Away(why) => write!(f, "{why}"),
            Self::Refused(why) => write!(f, "Prometheus does not accept the query: {why}"),
            Self::NoData => f.write_str("there is no data: no series fits the query"),
            Self::Several(count) => write!(f, "one number was asked for, and there are {count} series"),
            Self::NotANumber => f.write_str("there is no number: there were no requests"),
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
    client: reqwest::Client,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    data: Option<Data>,
    #[serde(default)]
    error: String,
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
    /// When it is no URL of HTTP.
    pub fn new(url: &str) -> Result<Self> {
        let parsed = Url::parse(url.trim_end_matches('/'));
        let mut base =
            parsed.with_context(|| format!("`{url}` is no URL; write it as in http://host:9090"))?;
        ensure!(
            ["http", "https"].contains(&base.scheme()) && base.has_host(),
            "`{url}` is no URL of HTTP; write it as in http://host:9090"
        );
        let path = format!("{}/api/v1/query", base.path().trim_end_matches('/'));
        base.set_path(&path);
        base.set_query(None);
        let client = crate::http::direct().timeout(LIMIT).build()?;
        Ok(Self { query: base, client })
    }

    /// Where it is, without a password.
    fn place(&self) -> String {
        let host = self.query.host_str().unwrap_or_default();
        self.query.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// The series that a query has now, in the order of their labels; none is no error.
    ///
    /// # Errors
    /// When there is no answer, or it is none of Prometheus.
    pub async fn query(&self, promql: &str) -> Result<Vec<Sample>, Problem> {
        let away = |why: String| Problem::Away(format!("Prometheus at {} {why}", self.place()));
        let request = self.client.get(self.query.clone()).query(&[("query", promql)]);
        let response = request.send().await.map_err(|error| away(reason(&error)))?;
        let status = response.status();
        let body = response.bytes().await.map_err(|error| away(reason(&error)))?;
        let answer: Answer = serde_json::from_slice(&body)
            .map_err(|_| away(format!("answers {status}, and what it says is not Prometheus' JSON")))?;
        let mut samples = match answer.data {
            Some(Data::Vector(series)) => series
                .into_iter()
                .map(|series| Sample { labels: series.metric, value: number(&series.value.1) })
                .collect(),
            Some(Data::Scalar((_, value))) => {
                vec![Sample { labels: BTreeMap::new(), value: number(&value) }]
            }
            Some(_) => return Err(Problem::Refused("its result is no instant vector".to_owned())),
            None if status.is_server_error() && answer.error.is_empty() => {
                return Err(away(format!("answers {status}")));
            }
            None => return Err(Problem::Refused(format!("{} ({status})", answer.error))),
        };
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
            [one] => Ok(one.value),
            several => Err(Problem::Several(several.len())),
        }
    }
}

/// Why a request failed, without the URL, which may hold a password.
fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("does not answer within {} s", LIMIT.as_secs());
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    format!("cannot be reached: {cause}")
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::extract::Query;
    use axum::http::StatusCode;
    use axum::routing::get;

    use super::*;

    /// A Prometheus that answers a query with itself, as text of JSON, and with the status that comes before a space.
    async fn echo() -> String {
        let answer = async |Query(query): Query<BTreeMap<String, String>>| {
            let (status, body) = query["query"].split_once(' ').unwrap();
            (StatusCode::from_u16(status.parse().unwrap()).unwrap(), body.to_owned())
        };
        let router = Router::new().route("/deep/api/v1/query", get(answer));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        format!("http://{address}/deep/")
    }

    #[tokio::test]
    async fn an_answer_is_a_number_or_says_why_not() {
        let prometheus = Prometheus::new(&echo().await).unwrap();
        let vector = |values: &[&str]| {
            let series: Vec<String> = values
                .iter()
                .enumerate()
                .map(|(index, value)| format!(r#"{{"metric":{{"n":"{index}"}},"value":[1.5,"{value}"]}}"#))
                .collect();
            format!(
                r#"200 {{"status":"success","data":{{"resultType":"vector","result":[{}]}}}}"#,
                series.join(",")
            )
        };
        let ask = async |query: &str| prometheus.number(query).await;
        assert_eq!(ask(&vector(&["0.25"])).await, Ok(0.25));
        assert_eq!(ask(&vector(&["+Inf"])).await, Ok(f64::INFINITY));
        assert_eq!(ask(&vector(&[])).await, Err(Problem::NoData));
        assert_eq!(ask(&vector(&["NaN"])).await, Err(Problem::NotANumber));
        assert_eq!(ask(&vector(&["1", "2"])).await, Err(Problem::Several(2)));
        let scalar = r#"200 {"status":"success","data":{"resultType":"scalar","result":[1.5,"7"]}}"#;
        assert_eq!(ask(scalar).await, Ok(7.0));
        let bad = r#"400 {"status":"error","errorType":"bad_data","error":"parse error: unexpected end"}"#;
        let refused = ask(bad).await.unwrap_err().to_string();
        assert!(refused.contains("unexpected end") && refused.contains("400"), "{refused}");
        let other = ask("502 <html>").await.unwrap_err().to_string();
        assert!(other.contains("502") && other.contains("not Prometheus' JSON"), "{other}");
    }

    #[tokio::test]
    async fn one_that_is_away_is_named_without_its_password() {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let address = socket.local_addr().unwrap();
        let prometheus = Prometheus::new(&format!("http://me:secret@{address}")).unwrap();
        let problem = prometheus.number("up").await.unwrap_err().to_string();
        assert!(problem.contains(&address.to_string()) && problem.contains("refused"), "{problem}");
        assert!(!problem.contains("secret"), "{problem}");
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for url in ["", "prometheus:9090", "ftp://x", "http://", "9090"] {
            assert!(Prometheus::new(url).is_err(), "{url}");
        }
        assert!(Prometheus::new("https://prometheus.example/select/0/prometheus/").is_ok());
    }
}
