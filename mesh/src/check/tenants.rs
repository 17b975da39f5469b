//! Tenants: named well, exactly one default.

use graylane_decide::naming::{is_header_name, is_written_by_proxies};

use super::{Checker, listed};
use crate::document::model::MetricSource;

pub fn check(checker: &mut Checker<'_>) {
    let document = checker.document();
    for name in document.tenants.keys() {
        checker.check_name("tenant", name, &["tenants", name]);
    }
    let defaults: Vec<&str> = document
        .tenants
        .iter()
        .filter(|(_, tenant)| tenant.as_ref().is_some_and(|tenant| tenant.default))
        .map(|(name, _)| name.as_str())
        .collect();
    match defaults[..] {
        [] => {
            let help = match document.tenants.keys().next() {
                Some(name) => format!(
                    "write `default: true` for the tenant of live users, as in `{name}: {{default: true}}`"
                ),
                None => "write the tenant of live users, as in `green: {default: true}`".to_owned(),
            };
            checker.error_at_key(&["tenants"], "no tenant is the default").help(help);
        }
        [first, ref others @ ..] => {
            let place = checker.project.key(&["tenants", first]);
            for other in others {
                checker
                    .error_at_key(&["tenants", other], format!("a second default tenant: `{other}`"))
                    .help(format!("keep `default: true` for one of {}", listed(defaults.iter().copied())))
                    .related(place, "the first one");
            }
        }
    }
    // Envoy's cluster statistics have no tenant, so its requests could not be left out.
    for (name, tenant) in &document.tenants {
        if tenant.as_ref().is_some_and(|tenant| !tenant.judge)
            && document.telemetry.source == MetricSource::Envoy
        {
            checker
                .error(
                    &["tenants", name, "judge"],
                    format!("`{name}` cannot be left out: Envoy's statistics do not tell tenants apart"),
                )
                .help("write `telemetry: {source: istio}`, or remove `judge`");
        }
    }
    let header = &document.header;
    let help =
        "write a header of your own: letters, digits and `-`, up to 63 of them, as in `tenant` or `x-tenant`";
    if !is_header_name(header) {
        checker.error(&["header"], format!("`{header}` cannot be the tenant header")).help(help);
    } else if is_written_by_proxies(header) {
        checker
            .error(
                &["header"],
                format!("`{header}` cannot be the tenant header: Envoy, or a proxy on the way, writes it"),
            )
            .help(help);
    }
}
