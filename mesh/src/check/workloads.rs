//! Workers and the workloads that there are: is each of them somewhere, with the label of its tenant?

use graylane_decide::names::TENANT_LABEL;

use super::{Checker, instead};
use crate::manifest::Resource;
use crate::workers::Worker;

pub fn check(checker: &mut Checker<'_>, found: &[Resource]) {
    let document = checker.document();
    let workloads: Vec<&Resource> =
        found.iter().filter(|resource| ["Deployment", "StatefulSet"].contains(&&*resource.kind)).collect();
    let is_default =
        |tenant: &&String| document.tenants[*tenant].as_ref().is_some_and(|tenant| tenant.default);
    let default = document.tenants.keys().find(is_default).map(String::as_str).unwrap_or_default();
    for (name, written) in &document.workers {
        let worker = Worker::of(document, default, name, written);
        let here: Vec<&&Resource> =
            workloads.iter().filter(|workload| workload.namespace == worker.namespace).collect();
        if !here.iter().any(|workload| workload.name == worker.deployment) {
            let (deployment, namespace) = (&worker.deployment, &worker.namespace);
            let message = format!(
                "no workload matches worker `{name}`: there is no Deployment `{deployment}` in namespace `{namespace}`"
            );
            let names = here.iter().map(|workload| workload.name.as_str());
            checker.error_at_key(&["workers", name], message).help(instead(deployment, names));
            continue;
        }
        let prefix = format!("{}-", worker.deployment);
        let label = |workload: &Resource| {
            workload.spec["template"]["metadata"]["labels"][TENANT_LABEL].as_str().map(ToOwned::to_owned)
        };
        for (index, tenant) in written.tenants.iter().enumerate().filter(|(_, tenant)| *tenant != default) {
            let own = here.iter().any(|workload| {
                (workload.name == worker.deployment || workload.name.starts_with(&prefix))
                    && label(workload).as_ref() == Some(tenant)
            });
            if !own {
                let message = format!(
                    "`{name}` has no deployment for `{tenant}`: no `{prefix}…` has the label {TENANT_LABEL}={tenant} on its pods"
                );
                checker.error(&["workers", name, "tenants", &index.to_string()], message).help(format!(
                    "apply the overlay workers/{name}/{tenant} that `graylane render --out DIR` writes"
                ));
            }
        }
    }
}
