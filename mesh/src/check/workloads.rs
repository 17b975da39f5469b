//! Workers and the workloads that there are: is each of them somewhere, with the label of its tenant?

use graylane_decide::names::TENANT_LABEL;

use super::{Checker, instead};
use crate::document::model::WorkloadKind;
use crate::manifest::Resource;
use crate::workers::{STICKY_LABEL, STICKY_NONE, Worker};

const KINDS: [WorkloadKind; 5] = [
    WorkloadKind::Deployment,
    WorkloadKind::StatefulSet,
    WorkloadKind::Job,
    WorkloadKind::CronJob,
    WorkloadKind::Rollout,
];

pub fn check(checker: &mut Checker<'_>, found: &[Resource]) {
    let document = checker.document();
    let workloads: Vec<&Resource> =
        found.iter().filter(|resource| KINDS.iter().any(|kind| kind.name() == resource.kind)).collect();
    let is_default =
        |tenant: &&String| document.tenants[*tenant].as_ref().is_some_and(|tenant| tenant.default);
    let default = document.tenants.keys().find(is_default).map(String::as_str).unwrap_or_default();
    for (name, written) in &document.workers {
        let worker = Worker::of(document, default, name, written);
        let here: Vec<&&Resource> =
            workloads.iter().filter(|workload| workload.namespace == worker.namespace).collect();
        let kind = worker.kind.name();
        if let Some(other) =
            here.iter().find(|workload| workload.name == worker.deployment && workload.kind != kind)
            && !here.iter().any(|workload| workload.name == worker.deployment && workload.kind == kind)
        {
            let message =
                format!("`{}` is a {}, and worker `{name}` a {kind}", worker.deployment, other.kind);
            checker.error_at_key(&["workers", name], message).help(format!("write `kind: {}`", other.kind));
            continue;
        }
        let here: Vec<&&Resource> = here.into_iter().filter(|workload| workload.kind == kind).collect();
        if !here.iter().any(|workload| workload.name == worker.deployment) {
            let (deployment, namespace) = (&worker.deployment, &worker.namespace);
            let message = format!(
                "no workload matches worker `{name}`: there is no {kind} `{deployment}` in namespace `{namespace}`"
            );
            let names: Vec<&str> = here.iter().map(|workload| workload.name.as_str()).collect();
            let help = match names.is_empty() {
                true => "create it, or correct `deployment`, `kind` or `namespace`".to_owned(),
                false => instead(deployment, names),
            };
            checker.error_at_key(&["workers", name], message).help(help);
            continue;
        }
        let prefix = format!("{}-", worker.deployment);
        if worker.alone {
            let is_own = |workload: &Resource| {
                let is_tenants = label(&worker, workload, TENANT_LABEL).is_some();
                workload.name == worker.deployment || is_tenants && workload.name.starts_with(&prefix)
            };
            let lacks = |workload: &Resource| label(&worker, workload, STICKY_LABEL) != Some(STICKY_NONE);
            for workload in here.iter().filter(|workload| is_own(workload) && lacks(workload)) {
                let message = format!(
                    "`{name}` says `sticky: none`, and the pods of {kind} `{}` have no label {STICKY_LABEL}={STICKY_NONE}",
                    workload.name
                );
                checker
                    .error(&["workers", name, "sticky"], message)
                    .help("add the label to its pod template");
            }
        }
        for (index, tenant) in written.tenants.iter().enumerate().filter(|(_, tenant)| *tenant != default) {
            let own = here.iter().any(|workload| {
                (workload.name == worker.deployment || workload.name.starts_with(&prefix))
                    && label(&worker, workload, TENANT_LABEL) == Some(tenant)
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

/// A label of a workload's pods.
fn label<'w>(worker: &Worker, workload: &'w Resource, name: &str) -> Option<&'w str> {
    // `spec` is what a manifest has under that key.
    let path = worker.kind.template().iter().skip(1);
    path.fold(&workload.spec, |json, key| &json[*key])["metadata"]["labels"][name].as_str()
}
