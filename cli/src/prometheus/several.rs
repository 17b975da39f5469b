//! The Prometheus of each cluster.

use anyhow::{Result, bail, ensure};
use graylane_mesh::plain;

use super::Prometheus;
use crate::args::Asked;
use crate::http::without_password;

/// The Prometheus of each cluster, in the order of the clusters; one without a name where the file names no clusters.
#[derive(Clone, Debug)]
pub struct Several(Vec<(Option<String>, Prometheus)>);

impl Several {
    /// As a command line says, for the clusters of a file.
    ///
    /// # Errors
    /// When a cluster has none, or there is one more; and as [`Prometheus::open`].
    pub fn open(asked: &Asked, clusters: &[Option<String>]) -> Result<Self> {
        let urls: Vec<(Option<&str>, &str)> = asked.prometheus.iter().map(|written| named(written)).collect();
        let wanted: Vec<&str> = clusters.iter().filter_map(Option::as_deref).collect();
        let expected = || {
            let each: Vec<String> = wanted.iter().map(|name| format!("--prometheus {name}=URL")).collect();
            format!("the file names the clusters {}: write {}", wanted.join(", "), each.join(" "))
        };
        for (name, url) in &urls {
            let url = without_password(url);
            match name {
                Some(name) if wanted.is_empty() => {
                    bail!(
                        "--prometheus names the cluster `{name}`, and the file names none at `mesh.clusters`"
                    )
                }
                Some(name) if !wanted.contains(name) => bail!("unknown cluster `{name}`: {}", expected()),
                None if !wanted.is_empty() => {
                    bail!("of which cluster is `{}`? {}", plain::line(&url), expected())
                }
                _ => {}
            }
        }
        for (index, (name, url)) in urls.iter().enumerate() {
            if let Some((twin, _)) =
                urls[..index].iter().find(|(twin, other)| twin != name && same(other, url))
            {
                bail!(
                    "`{}` and `{}` have the same --prometheus, so each request would count twice: give each an address that shows its \
                     cluster alone, for example of a proxy that adds a label",
                    twin.unwrap_or_default(),
                    name.unwrap_or_default()
                );
            }
        }
        let mut all = Vec::new();
        for cluster in clusters {
            let of: Vec<&str> =
                urls.iter().filter(|(name, _)| *name == cluster.as_deref()).map(|(_, url)| *url).collect();
            match (of[..].as_ref(), cluster) {
                ([url], _) => all.push((cluster.clone(), Prometheus::at(url, asked)?)),
                ([], _) => bail!("--prometheus is missing: {}", expected()),
                (_, Some(name)) => bail!("--prometheus is given several times for `{name}`"),
                (_, None) => bail!(
                    "expected one --prometheus, got {}: name your clusters at `mesh.clusters`, or ask one that has the figures of all",
                    of.len()
                ),
            }
        }
        Ok(Self(all))
    }

    /// The only one there is.
    #[must_use]
    pub fn only(one: Prometheus) -> Self {
        Self(vec![(None, one)])
    }

    /// Each with the name of its cluster.
    pub fn iter(&self) -> impl Iterator<Item = (Option<&str>, &Prometheus)> {
        self.0.iter().map(|(name, one)| (name.as_deref(), one))
    }
}

/// A cluster and a URL. One without a name may have `=` in it, too.
fn named(written: &str) -> (Option<&str>, &str) {
    match written.split_once('=') {
        Some((name, url)) if !name.contains([':', '/']) => (Some(name), url),
        _ => (None, written),
    }
}

fn same(one: &str, other: &str) -> bool {
    let [one, other] = [one, other].map(|url| url.trim_end_matches('/'));
    one.eq_ignore_ascii_case(other)
}

/// The one URL for a command that asks one.
pub(super) fn only(asked: &Asked) -> Result<&str> {
    let [written] = &asked.prometheus[..] else {
        bail!("expected one --prometheus, got {}", asked.prometheus.len())
    };
    let (name, url) = named(written);
    ensure!(name.is_none(), "this command asks one Prometheus: write its URL without the name of a cluster");
    Ok(url)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn open(urls: &[&str], clusters: &[&str]) -> Result<Vec<Option<String>>> {
        let second = Duration::from_secs(1);
        let asked = Asked {
            prometheus: urls.iter().map(|url| (*url).to_owned()).collect(),
            prometheus_user: None,
            prometheus_password_file: None,
            prometheus_header_file: None,
            prometheus_connect_timeout: second,
            prometheus_answer_timeout: second,
            prometheus_timeout: second,
            prometheus_max_answer: 1,
        };
        let named: Vec<Option<String>> = clusters.iter().map(|name| Some((*name).to_owned())).collect();
        let all = Several::open(&asked, if named.is_empty() { &[None] } else { &named })?;
        Ok(all.iter().map(|(name, _)| name.map(ToOwned::to_owned)).collect())
    }

    #[test]
    fn each_cluster_has_one() {
        let some = |name: &str| Some(name.to_owned());
        assert_eq!(open(&["http://a:1/x=y"], &[]).unwrap(), [None]);
        let both = open(&["west=http://a:1", "east=http://b:1"], &["east", "west"]).unwrap();
        assert_eq!(both, [some("east"), some("west")]);
        for (urls, clusters, why) in [
            (&["http://a:1", "http://b:1"][..], &[][..], "expected one --prometheus, got 2"),
            (&["west=http://a:1"], &[], "and the file names none"),
            (&["west=http://a:1"], &["east", "west"], "write --prometheus east=URL --prometheus west=URL"),
            (&["http://me:secret@a:1"], &["east", "west"], "of which cluster is `http://"),
            (&["south=http://a:1"], &["east", "west"], "unknown cluster `south`"),
            (
                &["east=http://a:1", "east=http://b:1", "west=http://c:1"],
                &["east", "west"],
                "several times for `east`",
            ),
            (
                &["east=http://a:1/", "west=http://A:1"],
                &["east", "west"],
                "`east` and `west` have the same --prometheus",
            ),
            (&["east=ftp://a", "west=http://b:1"], &["east", "west"], "expected an HTTP URL"),
        ] {
            let error = format!("{:#}", open(urls, clusters).unwrap_err());
            assert!(error.contains(why) && !error.contains("secret"), "{error}");
        }
    }
}
