//! docs/privacy.md: after a whole run nothing that is kept names a user. What is kept are the access logs, the metrics and the
//! configurations of all proxies, and the report.

use std::path::Path;

use anyhow::{Result, ensure};
use graylane::demo::Testbed;
use graylane_decide::names::UNIT_MEMBER;

use crate::USER;

/// What a proxy shows of itself.
const SHOWN: [&str; 4] = ["/stats", "/stats/prometheus", "/config_dump", "/clusters"];

/// Runs it, after the traffic of users who are called [`USER`] and a number.
pub async fn run(testbed: &Testbed, client: &reqwest::Client, page: &Path) -> Result<()> {
    let logs = testbed.access_logs()?;
    let lines = logs.lines().count();
    ensure!(
        lines > 100 && logs.contains("tenant=green"),
        "the access logs have {lines} lines, and no tenant"
    );
    let mut kept =
        vec![("the access logs".to_owned(), logs), ("the report".to_owned(), std::fs::read_to_string(page)?)];
    for proxy in testbed.proxies() {
        for path in SHOWN {
            let text = client.get(format!("http://{}{path}", proxy.admin)).send().await?.text().await?;
            ensure!(text.len() > 100, "{path} of {} is as good as empty", proxy.name);
            kept.push((format!("{path} of {}", proxy.name), text));
        }
    }
    for (place, text) in &kept {
        for secret in [USER, &format!("{UNIT_MEMBER}=")] {
            let found =
                text.find(secret).map(|at| text.get(at.saturating_sub(60)..at + 60).unwrap_or_default());
            ensure!(found.is_none(), "{place} has `{secret}`: …{}…", found.unwrap_or_default());
        }
    }
    println!("no user and no unit in {lines} lines of access logs and {} pages of proxies", kept.len() - 2);
    Ok(())
}
