//! What the filter reports about itself, and where it reports nothing.
//!
//! Pods are told apart by the labels `namespace` and `pod`, which every usual way of scraping pods adds.

use std::collections::BTreeSet;

use super::{Queries, any_of};
use crate::document::model::MetricSource;

/// Listeners that requests to a pod come in through, by the prefix of their statistics: the demo's and Istio's.
const INBOUND: &str = "inbound.*";

impl Queries<'_> {
    /// Matches the namespaces that have plugins.
    pub(super) fn namespaces(&self) -> String {
        let mut namespaces: Vec<&str> = self.mesh.namespaces().into_iter().collect();
        namespaces.extend(self.gateways());
        namespaces.sort_unstable();
        namespaces.dedup();
        format!(r#"namespace=~"{}""#, any_of(namespaces))
    }

    /// The namespaces of gateways, each once.
    fn gateways(&self) -> BTreeSet<&str> {
        self.mesh.gateways().map(|(_, gateway)| gateway.namespace.as_str()).collect()
    }

    /// Namespaces where no pod has a gateway's plugin and one should.
    fn absent_gateways(&self) -> String {
        let absent = |namespace| {
            format!(r#" or absent(graylane_config_revision{{direction="gateway",namespace="{namespace}"}})"#)
        };
        self.gateways().into_iter().map(absent).collect()
    }

    /// How many series a metric of Istio's has by side and host, each once however our tags split it. All labels that
    /// Prometheus adds count: pods are not merged.
    #[must_use]
    pub fn series_without_tags(&self, metric: &str) -> String {
        let once = format!("group without (tenant, subset) ({metric}{{{}}})", self.namespaces());
        format!("count by (reporter, destination_service) ({once})")
    }

    /// How many series the filter's counter of requests has.
    #[must_use]
    pub fn series_of_filter(&self) -> String {
        format!("count({}{{{}}})", graylane_decide::metrics::REQUESTS, self.namespaces())
    }

    /// The revision that every plugin runs, a number of 48 bits (`graylane check` and the log show it in hex), by
    /// namespace, pod and direction; 0: none.
    #[must_use]
    pub fn revisions(&self) -> String {
        format!("max by (namespace, pod, direction) (graylane_config_revision{{{}}})", self.namespaces())
    }

    /// Plugins that are the native module, by namespace, pod and direction.
    #[must_use]
    pub fn native(&self) -> String {
        format!(
            r#"group by (namespace, pod, direction) (graylane_config_revision{{module="native",{}}})"#,
            self.namespaces()
        )
    }

    /// How many revisions run at once, by namespace and direction, where it is more than one.
    #[must_use]
    pub fn mixed_revisions(&self) -> String {
        let values = format!(
            r#"count_values by (namespace, direction) ("revision", graylane_config_revision{{{}}})"#,
            self.namespaces()
        );
        format!("count by (namespace, direction) ({values}) > 1")
    }

    /// Plugins that cannot read the configuration they were given last.
    #[must_use]
    pub fn invalid(&self) -> String {
        format!("max by (namespace, pod, direction) (graylane_config_valid{{{}}}) == 0", self.namespaces())
    }

    /// Requests a second that come to pods, as Envoy or Istio counts them, by namespace and pod.
    fn arriving(&self, window: &str) -> String {
        let namespaces = self.namespaces();
        let requests = match self.source {
            MetricSource::Istio => format!(
                r#"istio_requests_total{{reporter="{}",{namespaces}}}"#,
                if self.reporter == "source" { "destination" } else { self.reporter }
            ),
            MetricSource::Envoy => format!(
                r#"envoy_http_downstream_rq_completed{{envoy_http_conn_manager_prefix=~"{INBOUND}",{namespaces}}}"#
            ),
        };
        format!("sum by (namespace, pod) (rate({requests}[{window}]))")
    }

    /// Pods that get requests and have no plugin; and the gateway, if no pod of it has one.
    #[must_use]
    pub fn without_filter(&self, window: &str) -> String {
        format!(
            "{} > 0 unless on (namespace, pod) graylane_config_revision{{{}}}{}",
            self.arriving(window),
            self.namespaces(),
            self.absent_gateways()
        )
    }

    /// Pods of the mesh's services whose proxy is scraped and has no plugin; and the gateway, if no pod of it has one.
    #[must_use]
    pub fn proxies_without_filter(&self) -> String {
        let of = self.mesh.namespaces();
        format!(
            r#"group by (namespace, pod) (envoy_server_live{{namespace=~"{}"}}) unless on (namespace, pod) graylane_config_revision{}"#,
            any_of(of),
            self.absent_gateways()
        )
    }

    /// Pods that have a plugin, and get requests that it does not see. Requests that `policy.exempt` names count as
    /// unseen, so a pod that gets nothing else is found too.
    #[must_use]
    pub fn bypassing(&self, window: &str) -> String {
        let namespaces = self.namespaces();
        format!(
            "({} > 0 and on (namespace, pod) graylane_config_revision{{{namespaces}}}) unless on (namespace, pod) \
             (sum by (namespace, pod) (rate(graylane_requests_total{{direction!=\"outbound\",{namespaces}}}[{window}])) > 0)",
            self.arriving(window)
        )
    }

    /// How many updates proxies refused within a window, by the type of the update (`lds`, `rds`, `cds`, `ecds`), where any
    /// were. istiod counts them, for the whole mesh (`IncrementXDSRejects` in Istio's pkg/xds/monitoring.go).
    ///
    /// Not by `increase`: the counter begins with the first refusal, and a proxy that refused a table is sent the next one only
    /// when something changes.
    #[must_use]
    pub fn refused_updates(&self, window: &str) -> String {
        let refused = "sum by (type) (pilot_total_xds_rejects)";
        let before = format!("sum by (type) (pilot_total_xds_rejects offset {window})");
        format!("{refused} - ({before} or 0 * {refused}) > 0")
    }

    /// Proxies in these namespaces that rejected routes since istiod started, by `pod.namespace`. istiod sets the number to 1 and
    /// never back (`IncrementXDSRejects` in Istio's pkg/xds/monitoring.go).
    #[must_use]
    pub fn proxies_that_rejected_routes<'n>(namespaces: impl IntoIterator<Item = &'n str>) -> String {
        format!(r#"group by (node) (pilot_xds_rds_reject{{node=~".+[.]({})"}})"#, any_of(namespaces))
    }

    /// Rejected requests a second, by reason.
    #[must_use]
    pub fn rejected(&self, window: &str) -> String {
        format!("sum by (reason) (rate(graylane_rejected_total{{{}}}[{window}]))", self.namespaces())
    }

    /// The share of all decided requests that are rejected, 0 to 1.
    #[must_use]
    pub fn rejected_ratio(&self, window: &str) -> String {
        let namespaces = self.namespaces();
        format!(
            "sum(rate(graylane_rejected_total{{{namespaces}}}[{window}])) / \
             (sum(rate(graylane_requests_total{{{namespaces}}}[{window}])) + sum(rate(graylane_rejected_total{{{namespaces}}}[{window}])) > 0)"
        )
    }
}
