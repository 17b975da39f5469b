//! The filters of each role, in the order in which a request meets them.

use std::collections::BTreeMap;

use graylane_decide::Role;
use graylane_decide::config::Config;
use serde_json::{Value as Json, json};

use super::{Options, types};
use crate::lacking::Lost;
use crate::lower::Configurations;
use crate::mesh::{Ingress, Mesh};
use crate::resources::{Variable, alone_filter, environment};
use crate::{native, serialise};

/// The name of the only provider of tokens.
const ISSUER: &str = "issuer";

/// What runs the filters.
#[derive(Clone, Debug)]
pub enum Code {
    /// The module in WebAssembly, in a file.
    Wasm(String),
    /// The native module, in a file (Envoy 1.39 or 1.40).
    Native(String),
}

/// A filter, under the name by which a chain of filters asks for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    /// Its name.
    pub name: String,
    /// Its configuration, with the type.
    pub config: Json,
}

/// The router, which ends every chain of filters.
#[must_use]
pub fn router() -> Json {
    json!({"name": "envoy.filters.http.router", "typed_config": {"@type": types::ROUTER}})
}

/// The Wasm filter, as Istio configures it: V8, no VM id, the role as root id, the module from a file.
#[must_use]
pub fn extension(name: &str, root_id: &str, module: &str, configuration: &str, failure_policy: &str) -> Json {
    json!({
        "@type": types::WASM,
        "config": {
            "name": name,
            "root_id": root_id,
            "failure_policy": failure_policy,
            "configuration": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": configuration},
            "vm_config": {
                "runtime": "envoy.wasm.runtime.v8",
                "code": {"local": {"filename": module}},
            },
        },
    })
}

/// Those of a sidecar's side.
#[must_use]
pub fn of_sidecar(options: &Options, told: &Configurations<'_>, role: Role) -> Vec<Filter> {
    let name = format!("graylane-{}", role.name());
    vec![ours(&options.code, &name, &told.role(role), &[])]
}

/// What gives each call of a batch a user of its own, if the file has one: for the outbound side of its pods, before the others.
#[must_use]
pub fn of_batches(mesh: &Mesh) -> Option<Filter> {
    let is_asked = mesh.workers.iter().any(|worker| mesh.gives_units(worker));
    let config = || alone_filter()["typed_config"].take();
    is_asked.then(|| Filter { name: "graylane-sticky-none".to_owned(), config: config() })
}

/// Those of a gateway: what verifies tokens, if the file asks for it, what hands their claims over, and the filter.
#[must_use]
pub fn of_gateway(
    mesh: &Mesh,
    ingress: &Ingress<'_>,
    options: &Options,
    told: &Configurations<'_>,
    lost: &mut Lost,
) -> Vec<Filter> {
    let code = &options.code;
    let name = format!("graylane-{}", ingress.resource());
    let config = told.gateway(ingress);
    let mut all: Vec<Filter> = jwt(ingress, &name, lost).into_iter().collect();
    // A condition or a sticky key of that name: the native module reads no metadata below its top.
    if matches!(code, Code::Native(_)) && serialise::json_text(&config).contains(r#""claim":"#) {
        all.push(Filter { name: format!("{name}.claims"), config: native::claims() });
    }
    all.push(ours(code, &name, &config, &environment(mesh, ingress)));
    all
}

/// The filter itself. What a gateway has to know without a readable configuration travels outside of it.
fn ours(code: &Code, name: &str, config: &Config, environment: &[Variable]) -> Filter {
    let role = config.role;
    let text = serialise::json_text(config);
    let said = || environment.iter().filter_map(|one| Some((one.name.as_str(), one.value.as_deref()?)));
    let config = match code {
        Code::Wasm(file) => {
            // A gateway must never stop to strip; a sidecar lets traffic pass (docs/decisions/09-plugins.md).
            let policy = if role == Role::Gateway { "FAIL_RELOAD" } else { "FAIL_OPEN" };
            let mut filter = extension(name, role.name(), file, &text, policy);
            let host: Vec<&str> =
                environment.iter().filter(|one| one.value.is_none()).map(|one| one.name.as_str()).collect();
            if !environment.is_empty() {
                let said: BTreeMap<&str, &str> = said().collect();
                filter["config"]["vm_config"]["environment_variables"] =
                    json!({"key_values": said, "host_env_keys": host});
            }
            filter
        }
        // It reads keys from the environment by itself.
        Code::Native(file) => native::filter(file, role.name(), &said().collect::<Vec<_>>(), &text),
    };
    Filter { name: name.to_owned(), config }
}

/// What verifies tokens, as Istio's RequestAuthentication would: a request without a token passes, one with a wrong token is turned
/// away, and claims are where the filter reads them.
fn jwt(ingress: &Ingress<'_>, name: &str, lost: &mut Lost) -> Option<Filter> {
    let jwt = ingress.jwt.filter(|jwt| jwt.render)?;
    let Some(uri) = &jwt.jwks_uri else {
        let path = ingress.path(&["jwt"]);
        lost.say(
            &path,
            "`jwksUri` is missing: Istio would ask the issuer for it".to_owned(),
            "write `jwksUri`",
        );
        return None;
    };
    let config = json!({
        "@type": types::JWT,
        "providers": {ISSUER: {
            "issuer": jwt.issuer,
            "forward": true,
            "payload_in_metadata": "payload",
            // As Istio reads such claims: a list of words.
            "normalize_payload_in_metadata": {"space_delimited_claims": ["scope", "permission"]},
            "remote_jwks": {"http_uri": {"uri": uri, "cluster": keys_cluster(uri), "timeout": "5s"}},
        }},
        "rules": [{
            "match": {"prefix": "/"},
            "requires": {"requires_any": {"requirements": [{"provider_name": ISSUER}, {"allow_missing": {}}]}},
        }],
    });
    Some(Filter { name: format!("{name}.jwt"), config })
}

/// The cluster of an issuer's keys.
#[must_use]
pub fn keys_cluster(uri: &str) -> String {
    let (scheme, rest) = uri.split_once("://").unwrap_or(("https", uri));
    let host = rest.split('/').next().unwrap_or_default();
    let port = if scheme == "http" { 80 } else { 443 };
    if host.contains(':') { host.to_owned() } else { format!("{host}:{port}") }
}
