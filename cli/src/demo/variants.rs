//! The same mesh with another file: one without services, and one that only observes.

use anyhow::Result;
use graylane_decide::config::{Missing, Mode, Restore, Unknown};

use crate::demo::app::Forward;
use crate::demo::cast::Cast;
use crate::demo::journey::Journey;
use crate::demo::row::{Row, Stop};
use crate::demo::testbed::Testbed;
use crate::mesh::Mesh;

/// A journey of two hops, on which the first application keeps the request id alone.
fn losing(testbed: &Testbed, cast: &Cast<'_>) -> Journey {
    let forward = vec![(cast.path[0].clone(), Forward::Only("x-request-id"))];
    // Two hops are enough: where a third one goes, the weights would draw.
    let path: Vec<String> = cast.path.iter().take(2).cloned().collect();
    Journey { forward, path, ..cast.gray_journey(&testbed.mesh) }
}

/// A file without services: the routes by header stay, the plugins know no service, and a lost header is restored all the same.
/// None where nothing can be lost or restored.
pub async fn header_only(testbed: &mut Testbed, cast: &Cast<'_>) -> Result<Option<Row>> {
    let restores = testbed.mesh.document.policy.restore.contains(&Restore::Memory);
    if cast.path.len() < 2 || cast.has_one_tenant() || !restores {
        return Ok(None);
    }
    let whole = testbed.mesh.clone();
    testbed.change_plugins(without_services(whole.clone())).await?;
    let hops = losing(testbed, cast).go(testbed, cast.client).await;
    testbed.change(whole).await?;
    let hops = hops?;

    let mut problem = None;
    for (hop, source) in hops.iter().zip(["header", "memory"]) {
        let service = testbed.mesh.service(&hop.service);
        let pinned = service.and_then(|service| service.rest().pins.get(&cast.gray));
        if hop.tenant != cast.gray || hop.source != source {
            problem = Some(format!(
                "{}: wanted {} from {source}, got {} from {}",
                hop.service, cast.gray, hop.tenant, hop.source
            ));
        } else if pinned.is_some_and(|subset| *subset != hop.subset) {
            problem = Some(format!("{}: got subset {}", hop.service, hop.subset));
        }
    }
    let sent = format!("{}: {}; x-request-id only, no service in the file", testbed.mesh.header, cast.gray);
    let stops = hops.iter().map(Stop::of).collect();
    Ok(Some(Row::of(
        "your own routes by header: restored without a service in the file",
        sent,
        stops,
        problem,
    )))
}

/// What the filter is told by a file that has mesh, tenants and edge only.
fn without_services(mut mesh: Mesh) -> Mesh {
    mesh.services.clear();
    (mesh.missing, mesh.unknown) = (Missing::Pass, Unknown::Pass);
    mesh
}

/// In mode observe nothing changes, and everything is counted.
pub async fn observe(testbed: &mut Testbed, cast: &Cast<'_>) -> Result<Row> {
    let enforced = testbed.mesh.clone();
    let mut observing = enforced.clone();
    observing.set_mode(Mode::Observe);
    testbed.change(observing).await?;
    const COUNTER: &str = "graylane_requests_total";
    let before =
        (testbed.metric(COUNTER, &[]).await?, testbed.metric(COUNTER, &[("source", "memory")]).await?);
    let lost = losing(testbed, cast);
    let decisions = (2 * lost.path.len()) as f64;
    let hops = lost.go(testbed, cast.client).await?;
    let after =
        (testbed.metric(COUNTER, &[]).await?, testbed.metric(COUNTER, &[("source", "memory")]).await?);
    testbed.change(enforced).await?;

    let header = &testbed.mesh.header;
    let memory = testbed.mesh.document.policy.restore.contains(&Restore::Memory);
    // One decision where it comes in, then one on each side of every hop.
    let (counted, restored) = (after.0 - before.0, after.1 - before.1);
    let changed = hops
        .iter()
        .skip(1)
        .find(|hop| hop.headers.contains_key(header) || hop.headers.contains_key("baggage"));
    let problem = match changed {
        Some(hop) => Some(format!("{} got a header that was not sent", hop.service)),
        None if counted != decisions => Some(format!("counted {counted} decisions of {decisions}")),
        // With one service nothing gets lost on the way.
        None if restored < 1.0 && hops.len() > 1 && memory => {
            Some("what would have been restored was not counted".to_owned())
        }
        None => None,
    };
    let sent = format!("{header}: {}; x-request-id only, mode: observe", cast.gray);
    let stops = hops.iter().map(Stop::of).collect();
    let row = Row::of("mode: observe changes nothing and counts everything", sent, stops, problem);
    Ok(Row { source: format!("{counted} decisions counted, {restored} would be restored"), ..row })
}
