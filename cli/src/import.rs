//! From VirtualServices and DestinationRules, or HTTPRoutes, that exist to a graylane file that routes the same, and proves it.
//!
//! | part | its subject |
//! |-|-|
//! | `read` | resources out of YAML, also of `kubectl get -o yaml` |
//! | `fields` | fields of Istio's resources that a file does not carry |
//! | `http_routes` | fields of HTTPRoutes that a file does not carry, and HTTPRoutes that stay |
//! | `backends` | what HTTPRoutes lead to: Services, some of which are versions of another |
//! | `rules` | rules as they hold at a gateway, or inside the mesh |
//! | `drafts` | what the mesh and the gateways do with requests to a host |
//! | `blocks` | rules in a row that are one route: tenants' exceptions, and everybody else |
//! | `targets` | destinations, as subsets |
//! | `services` | a service of the file, from all of it |
//! | `edge` | the gateway and its tokens |
//! | `prove` | requests through the original and through what would be rendered |
//! | `names` | which resources keep their names |
//! | `plan` | which resources go, which stay, and in what order |
//! | `said` | what is not carried over, and notes |
//! | `workloads` | a first file, from Services and from what makes their pods |
//! | `versions` | which label tells the pods of a Service apart |
//! | `ports` | which port of a Service speaks HTTP |
//! | `file` | the graylane file, as it is written |

mod backends;
mod blocks;
mod claims;
mod drafts;
mod edge;
mod fields;
mod file;
mod http_routes;
mod names;
mod plan;
mod ports;
mod prove;
mod read;
mod rules;
mod said;
mod services;
mod targets;
mod versions;
mod workloads;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use graylane_decide::names::DEFAULT_HEADER;
use graylane_decide::naming::is_name;
use serde_json::Value as Json;

pub use file::File;
pub use plan::{Plan, Step};
use read::HTTP_ROUTE;
pub use read::{Found, Resource, read};
pub use workloads::init;

use crate::document::finding::Findings;
use crate::document::source::{SourceFiles, Span};
use crate::traffic::World;
use backends::Backends;
use drafts::Drafts;
use file::{MeshOut, PolicyOut, ServiceOut, TenantOut};
use said::Said;

/// What only a person can know.
#[derive(Clone, Debug, Default)]
pub struct Choices {
    /// The tenant header; none: one that is called so.
    pub header: Option<String>,
    /// The tenant of live users, whom no rule names.
    pub default_tenant: String,
    /// The mesh's name; none: the namespace's.
    pub mesh: Option<String>,
    /// Do resources keep their names where one of the file stands for one of them?
    pub keep_names: bool,
}

/// A file, and the findings about it.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The file; none: `check` would refuse it.
    pub text: Option<String>,
    /// What is not carried over, as errors, and notes.
    pub findings: Findings,
    /// How many requests were tried.
    pub tried: usize,
    /// How the file takes over.
    pub plan: Plan,
}

/// The file, and everything that it could not say.
///
/// # Errors
/// When the file that was made cannot be read back, which is a defect.
pub fn import(found: &Found, choices: &Choices, sources: &SourceFiles) -> Result<Imported> {
    let header = choices.header.clone().unwrap_or_else(|| tenant_header(found)).to_ascii_lowercase();
    let backends = found.is_of_gateway_api().then(|| Backends::of(found));
    let aside = http_routes::aside(found);
    let whole = found.known.iter().enumerate().map(|(place, resource)| match &backends {
        _ if aside.contains(&place) => Json::Null,
        Some(backends) if resource.kind == HTTP_ROUTE => http_routes::with_ports(resource, backends),
        _ => resource.whole.clone(),
    });
    let whole: Vec<Json> = whole.collect();
    let world = World::of(&whole.iter().collect::<Vec<_>>(), &header);
    let mut said = Said::default();
    for (kind, count) in &found.others {
        said.hint(None, format!("{count} of kind {kind}: no routes in it, ignored"), "");
    }
    http_routes::check(found, &aside, backends.as_ref(), &mut said);
    let common = drafts::Common {
        world: &world,
        resources: &found.known,
        backends: backends.as_ref(),
        header: &header,
        home: &found.namespace(),
    };
    let drafts = drafts::of(&common, aside, &mut said);
    fields::check(found, &mut said);
    let mut importer = Importer {
        found,
        choices,
        world: &world,
        backends: backends.as_ref(),
        header: &header,
        drafts: &drafts,
        simple: drafts.all.keys().cloned().collect(),
    };
    let mut made = importer.file();
    let mut proof = prove::compare(&made, &world, found, &drafts)?;
    // What paths alone cannot say gets routes of its own.
    let hosts = proof.hosts_to_spell_out(&importer.simple, &drafts);
    if !hosts.is_empty() {
        importer.simple.retain(|host| !hosts.contains(host));
        made = importer.file();
        proof = prove::compare(&made, &world, found, &drafts)?;
    }
    if choices.keep_names {
        let why =
            names::keep(&mut made, found, &world, &drafts, proof.rendered.as_deref().unwrap_or_default());
        why.into_iter().for_each(|(place, text)| said.hint(place, text, ""));
        proof = prove::compare(&made, &world, found, &drafts)?;
    }
    importer.say(&made, &mut said);
    for resource in plan::overwritten(found, &drafts, &made, proof.rendered.as_deref().unwrap_or_default()) {
        said.loss(
            Some(resource.name_place()),
            None,
            format!("{} stays, but what the file renders has the same name and would overwrite it", resource.title()),
            "give it another name first, or pass another `--mesh`, from which the names of what is rendered are made",
        );
    }
    proof.say(&found.known, &world, &made, &mut said);
    let plan = plan::of(found, &drafts, &made, proof.rendered.as_deref().unwrap_or_default());
    let place = |span: Span| format!("{}:{}", sources.name(span.file), span.line);
    let text = match proof.rendered {
        Some(_) => Some(said.comment(&made.file.yaml(), &made.names, &place)),
        None => None,
    };
    Ok(Imported { text, findings: said.findings(), tried: proof.tried, plan })
}

/// The header that most rules match exactly, of those that are called after tenants or lanes; which other header chooses a
/// version only a person can know.
fn tenant_header(found: &Found) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (name, _) in exact_headers(found) {
        let says_so = ["tenant", "lane"].iter().any(|word| name.contains(word)) && !name.contains("language");
        if says_so && !name.starts_with("x-graylane-") {
            *counts.entry(name).or_default() += 1;
        }
    }
    let most = counts.into_iter().max_by(|(a, n), (b, m)| n.cmp(m).then(b.cmp(a)));
    most.map_or_else(|| DEFAULT_HEADER.to_owned(), |(name, _)| name)
}

/// Headers that any rule matches exactly, and the values.
fn exact_headers(found: &Found) -> Vec<(String, String)> {
    let list = |json: &Json, key: &str| json[key].as_array().cloned().unwrap_or_default();
    let mut all = Vec::new();
    for route in found.of_kind(HTTP_ROUTE) {
        let matches = list(&route.spec, "rules").into_iter().flat_map(|rule| list(&rule, "matches"));
        for header in matches.flat_map(|one| list(&one, "headers")) {
            if let (Some(name), Some(value), "Exact") = (
                header["name"].as_str(),
                header["value"].as_str(),
                header["type"].as_str().unwrap_or("Exact"),
            ) {
                all.push((name.to_ascii_lowercase(), value.to_owned()));
            }
        }
    }
    for resource in found.of_kind("VirtualService") {
        for one in list(&resource.spec, "http").iter().flat_map(|rule| list(rule, "match")) {
            for (name, value) in one["headers"].as_object().into_iter().flatten() {
                if let Some(exact) = value["exact"].as_str() {
                    all.push((name.to_ascii_lowercase(), exact.to_owned()));
                }
            }
        }
    }
    all
}

/// A file, and which service is which host.
pub struct Made {
    file: File,
    /// Names of services by host; of several that share one, the first.
    names: BTreeMap<String, String>,
    /// Subsets that no DestinationRule makes, by host.
    unknown: BTreeMap<String, BTreeSet<String>>,
    /// Does a rule match the tenant header other than by a tenant's name?
    loose: bool,
    gateway: Option<edge::Found>,
}

struct Importer<'a> {
    found: &'a Found,
    choices: &'a Choices,
    world: &'a World,
    backends: Option<&'a Backends>,
    header: &'a str,
    drafts: &'a Drafts,
    /// Hosts whose paths are tried as all that there is to say for the outside.
    simple: BTreeSet<String>,
}

impl Importer<'_> {
    fn file(&self) -> Made {
        let namespace = self.found.namespace();
        let gateway = edge::of(self.found, self.drafts);
        let name = gateway.as_ref().map(|gateway| gateway.name.clone());
        let common = services::Common {
            world: self.world,
            header: self.header,
            gateway: name.as_deref(),
            backends: self.backends,
        };
        let mut made = Made {
            file: File {
                version: 1,
                mesh: MeshOut {
                    name: self.choices.mesh.clone().unwrap_or_else(|| namespace.clone()),
                    namespace: namespace.clone(),
                    routes: self.backends.is_some().then_some("gateway-api"),
                },
                header: (self.header != DEFAULT_HEADER).then(|| self.header.to_owned()),
                tenants: BTreeMap::new(),
                policy: None,
                edge: gateway.as_ref().map(|gateway| gateway.out(&self.drafts.claims)),
                services: BTreeMap::new(),
            },
            names: BTreeMap::new(),
            unknown: BTreeMap::new(),
            loose: false,
            gateway,
        };
        for (host, draft) in &self.drafts.all {
            for (port, draft) in services::by_port(draft) {
                let own = services::make(&common, host, port, &draft, self.simple.contains(host));
                made.loose |= own.loose;
                if !own.unknown.is_empty() {
                    made.unknown.entry(host.clone()).or_default().extend(own.unknown);
                }
                made.add(host, port, own.out, &namespace);
            }
        }
        self.tenants(&mut made);
        made
    }

    fn tenants(&self, made: &mut Made) {
        let default =
            if self.choices.default_tenant.is_empty() { "green" } else { &self.choices.default_tenant };
        let services = &mut made.file.services;
        let tenants: BTreeSet<String> =
            services.values().flat_map(|service| service.declared.clone()).collect();
        services.values_mut().for_each(|service| service.let_take_part(&tenants, default));
        made.file.tenants = tenants.into_iter().map(|name| (name, TenantOut::default())).collect();
        made.file.tenants.insert(default.to_owned(), TenantOut { default: Some(true) });
        if made.loose {
            made.file.policy = Some(PolicyOut { unknown: "pass" });
        }
    }

    /// Notes about the whole.
    fn say(&self, made: &Made, said: &mut Said) {
        let place = |host: &str| {
            let leads = |resource: &&Resource| {
                resource.spec.to_string().contains(host.split('.').next().unwrap_or(host))
            };
            let mut routes = self.found.of_kind("VirtualService").chain(self.found.of_kind(HTTP_ROUTE));
            routes.find(leads).map(Resource::name_place)
        };
        for (host, subsets) in &made.unknown {
            let list: Vec<&str> = subsets.iter().map(String::as_str).collect();
            said.loss(
                place(host),
                Some(host),
                format!("subset {} of {host}: no DestinationRule defines it", list.join(", ")),
                "pass the DestinationRule too; the labels in the file are guessed",
            );
        }
        if made.loose {
            said.hint(
                None,
                format!("rules match `{}` other than by a tenant's name", self.header),
                "so the file says `policy: {unknown: pass}`: the filter leaves such values as they are",
            );
        }
        let tenants_at_edge = made.file.tenants.len() > 1;
        if let Some(gateway) = &made.gateway {
            gateway.say(self.header, tenants_at_edge, said);
        }
        let mut others: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (name, value) in exact_headers(self.found) {
            if name != self.header && !name.starts_with("x-graylane-") && !name.starts_with(['@', ':']) {
                others.entry(name).or_default().insert(value);
            }
        }
        for (name, values) in others {
            let values: Vec<String> = values.into_iter().take(3).collect();
            said.hint(
                None,
                format!("rules match the header `{name}` ({}); the file matches it as they do", values.join(", ")),
                &format!("if its values are groups of users, `graylane import --header {name}` makes tenants of them"),
            );
        }
    }
}

impl Made {
    fn add(&mut self, host: &str, port: Option<u16>, out: ServiceOut, mesh_namespace: &str) {
        let parts: Vec<&str> = host.split('.').collect();
        let (short, namespace) = (parts[0], parts.get(1).copied().unwrap_or(mesh_namespace));
        let in_cluster = host.ends_with(".svc.cluster.local") && parts.len() == 5;
        let base = port.map_or_else(|| short.to_owned(), |port| format!("{short}-{port}"));
        let longer = [base.clone(), format!("{base}-{namespace}"), host.replace('.', "-")];
        let numbered = (2..).map(|number| format!("{base}-{number}"));
        let free = |name: &String| is_name(name) && !self.file.services.contains_key(name);
        let name = longer.into_iter().chain(numbered).find(free).unwrap_or(base);
        let said = match (in_cluster, name == short) {
            (true, true) => None,
            (true, false) => Some(short.to_owned()),
            // Any other name is meant as it stands.
            (false, _) => Some(format!("{host}.")),
        };
        let namespace = (in_cluster && namespace != mesh_namespace).then(|| namespace.to_owned());
        self.names.entry(host.to_owned()).or_insert_with(|| name.clone());
        self.file.services.insert(name, ServiceOut { host: said, namespace, ..out });
    }
}
