//! The scenarios.

mod argo_rollouts;
mod begin_small;
mod broken;
mod change;
mod doctor;
mod edge;
mod flagger;
mod flux;
mod flux_by_git;
mod gateway;
mod gateway_api;
mod header_only;
mod istio;
mod istiod;
mod mtls;
mod native;
mod ramp;
mod registry;
mod removal;
mod requests;
pub mod restart;
mod restore;
mod runbooks;
mod streams;
mod upgrade;
mod waypoint;

use futures_util::FutureExt as _;

use super::Scenario;

/// All of them, in the order in which they run.
pub fn all() -> Vec<Scenario> {
    let one = |name, core, run| Scenario { name, core, programs: &[], run };
    vec![
        one("requests", true, Box::new(|bank| requests::run(bank).boxed_local())),
        one("doctor", true, Box::new(|bank| doctor::run(bank).boxed_local())),
        one("edge", true, Box::new(|bank| edge::run(bank, &[]).boxed_local())),
        one("restore", true, Box::new(|bank| restore::run(bank).boxed_local())),
        one("header only", true, Box::new(|bank| header_only::run(bank).boxed_local())),
        one("mtls", true, Box::new(|bank| mtls::run(bank).boxed_local())),
        one("restart", true, Box::new(|bank| restart::run(bank).boxed_local())),
        one("change", true, Box::new(|bank| change::run(bank).boxed_local())),
        one("begin small", false, Box::new(|bank| begin_small::run(bank).boxed_local())),
        one("upgrade", true, Box::new(|bank| upgrade::run(bank).boxed_local())),
        one("broken configuration", true, Box::new(|bank| broken::configuration(bank).boxed_local())),
        one("broken image", true, Box::new(|bank| broken::image(bank).boxed_local())),
        one("istiod gone", true, Box::new(|bank| istiod::run(bank).boxed_local())),
        one("registry gone", true, Box::new(|bank| registry::run(bank).boxed_local())),
        one("argo rollouts", false, Box::new(|bank| argo_rollouts::run(bank).boxed_local()))
            .with(&["rollouts-controller"]),
        one("flagger", false, Box::new(|bank| flagger::run(bank).boxed_local())).with(&["flagger"]),
        one("flux", false, Box::new(|bank| flux::run(bank).boxed_local()))
            .with(&["source-controller", "kustomize-controller"]),
        one("gateway scaled out", false, Box::new(|bank| gateway::run(bank).boxed_local())),
        one("istio upgraded", false, Box::new(|bank| istio::run(bank).boxed_local())),
        one("ramp promoted", false, Box::new(|bank| ramp::promoted(bank).boxed_local())),
        one("ramp aborted", false, Box::new(|bank| ramp::aborted(bank).boxed_local())),
        one("native", false, Box::new(|bank| native::over_and_back(bank).boxed_local())),
        one("native registry gone", false, Box::new(|bank| native::registry_gone(bank).boxed_local())),
        one("native gateway", false, Box::new(|bank| native::gateway(bank).boxed_local())),
        one("streams", false, Box::new(|bank| streams::run(bank).boxed_local())),
        one("runbooks canaries", false, Box::new(|bank| runbooks::canaries(bank).boxed_local())),
        one("runbooks configurations", false, Box::new(|bank| runbooks::configurations(bank).boxed_local())),
        one("runbooks requests", false, Box::new(|bank| runbooks::requests(bank).boxed_local())),
        one("waypoint", true, Box::new(|bank| waypoint::run(bank).boxed_local())).with(&["istioctl"]),
        one("gateway-api", true, Box::new(|bank| gateway_api::run(bank).boxed_local())).with(&["istioctl"]),
        one("pod killed", false, Box::new(|bank| restart::killed(bank).boxed_local())),
        one("removal", true, Box::new(|bank| removal::run(bank).boxed_local())),
    ]
}
