//! What a run may still do once its turn is over.

use super::*;
use crate::ramp::cluster::Cluster;
use crate::ramp::git::Held;
use crate::ramp::kubectl::Kubectl;
use crate::ramp::runner::Watch;

#[tokio::test]
async fn nothing_is_written_or_applied_once_the_turn_is_over() {
    let mut bank = Bank::new("").await;
    let watch = Watch::new("me".into(), "1".into(), Duration::from_secs(60));
    let cluster = Cluster::new((None, Kubectl::of("false")), Vec::new(), ("bank", "api"), watch);
    bank.run.cluster = Some(Arc::new(Mutex::new(cluster)));
    let error = bank.run.look().await.unwrap_err();
    assert_eq!(error.downcast::<Held>().unwrap().0, "it was not renewed in time");
    assert_eq!(bank.weight(), "weights: {canary: 0}", "not written");
    // Nor is what is in the file already brought into the mesh.
    bank.edit("weights: {canary: 0}", "weights: {canary: 5}");
    let error = bank.run.look().await.unwrap_err();
    assert!(error.downcast::<Held>().is_ok() && !bank.events().contains(&Event::Applied));
}
