//! Listeners of before. Envoy keeps a listener that was changed for 45 s, and then closes the connections that it still has:
//! an application whose client sends a request over one of them at that moment can see a reset.

use std::time::Duration;

use anyhow::Result;
use graylane_tests::istio::{Look, until};

use crate::bank::Bank;
use crate::native::{GATEWAY, SIDECARS, names};

const LIMIT: Duration = Duration::from_secs(90);

/// Waits until no proxy of the bank, and not the gateway, has a listener or a filter chain that drains.
pub async fn drained(bank: &Bank<'_>) -> Result<()> {
    until("no listener drains", LIMIT, async || {
        for pods in [SIDECARS, GATEWAY] {
            for pod in names(bank.cluster, pods).await? {
                let path = "stats?filter=listener_manager.*draining";
                let said = bank.cluster.admin(pods.namespace, &pod, path).await?;
                // "listener_manager.total_listeners_draining: 0", and the same for filter chains.
                let mut counts = said.split_whitespace().skip(1).step_by(2);
                if !said.contains("draining") || counts.any(|count| count != "0") {
                    return Ok(Look::NotYet(format!("{pod}: {said}")));
                }
            }
        }
        Ok(Look::Yes(()))
    })
    .await
}
