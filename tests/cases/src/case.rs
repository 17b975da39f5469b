//! Cases, as files have them. See `../README.md` for the format in words.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use graylane_decide::Role;
use graylane_mesh::mesh::Mesh;
use graylane_mesh::{check, document, lower};
use serde::Deserialize;

use crate::claims::{Claims, Flaw};

/// A file of cases that share a setup.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Suite {
    /// What the cases are about.
    pub about: String,
    /// The graylane file.
    #[serde(default)]
    pub document: serde_json::Map<String, serde_json::Value>,
    /// Instead: the file of an example, by the name of its folder.
    pub example: Option<String>,
    /// Instead: the files of several examples, each of whose gateways does the same. Read as a suite for each gateway.
    #[serde(default)]
    pub examples: Vec<String>,
    /// Which of several gateways the plugin is of.
    pub gateway: Option<String>,
    /// Instead of a file: the plugin's configuration, whatever it is.
    pub plugin_config: Option<String>,
    /// The plugin's name, where it is not the role's.
    pub root_id: Option<String>,
    /// Where the plugin stands.
    #[serde(deserialize_with = "role")]
    pub role: Role,
    /// The proxy.
    #[serde(default)]
    pub node: Node,
    /// The cluster that routes lead to, unless a case says another.
    pub cluster: Option<String>,
    /// Why none of it runs in a real Istio.
    pub not_in_istio: Option<String>,
    /// The cases.
    pub cases: Vec<Case>,
    /// The text of that example's file.
    #[serde(skip)]
    pub file: Option<String>,
    /// The file's name, without its ending.
    #[serde(skip)]
    pub name: String,
}

/// The proxy that a plugin runs in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Node {
    /// Its namespace.
    pub namespace: Option<String>,
    /// Its pod's labels.
    pub labels: BTreeMap<String, String>,
    /// Is it a gateway's?
    pub router: bool,
    /// Environment of its VMs.
    pub environment: BTreeMap<String, String>,
}

/// A request and what is to become of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// Requests that came in before.
    #[serde(default)]
    pub before: Vec<Vec<Header>>,
    /// The cluster that the route leads to.
    pub cluster: Option<String>,
    /// The name of the route.
    pub route: Option<String>,
    /// There is no route.
    #[serde(default)]
    pub no_route: bool,
    /// The claims of the caller's token. Elsewhere than in Envoy they are as if Istio had verified it.
    pub token: Option<Claims>,
    /// What is wrong with the token; such a case runs in Envoy only.
    pub flaw: Option<Flaw>,
    /// The client's address. In Envoy it is taken from `x-forwarded-for`, which a case then has too.
    pub from: Option<String>,
    /// URI SAN of the client's certificate.
    pub certificate: Option<String>,
    /// The request's headers.
    pub request: Vec<Header>,
    /// Its trailers.
    #[serde(default)]
    pub trailers: Vec<Header>,
    /// What is to become of it.
    pub want: Want,
    /// Why it does not run in Envoy.
    pub not_in_envoy: Option<String>,
    /// Why it does not run in a real Istio.
    pub not_in_istio: Option<String>,
}

/// A header: `name: value`, or a map for values that YAML cannot write.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Header {
    /// `name: value`.
    Line(String),
    /// Bytes, or something very long.
    Made(Made),
}

/// A header whose value is made.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Made {
    name: String,
    /// Bytes in hex, spaces allowed.
    hex: Option<String>,
    /// A text that is repeated.
    fill: Option<String>,
    /// How often.
    times: Option<usize>,
    /// What comes behind it.
    #[serde(default)]
    then: String,
}

/// What is to become of a request. Headers that are not mentioned stay as they were sent.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Want {
    /// Headers with one line of this value.
    pub set: BTreeMap<String, String>,
    /// Headers that are gone.
    pub remove: Vec<String>,
    /// Names of the trailers that stay, in their order.
    pub trailers: Vec<String>,
    /// The decision: only what is given is compared.
    pub tenant: Option<String>,
    /// Where the tenant came from.
    pub source: Option<String>,
    /// The subset; empty for none.
    pub subset: Option<String>,
    /// The service, or `other`. Not visible in Envoy's answer.
    pub service: Option<String>,
    /// Where the unit came from. Not visible in Envoy's answer.
    pub unit: Option<String>,
    /// Why that subset. Visible natively only.
    pub reason: Option<String>,
    /// The bucket. Visible natively only.
    pub bucket: Option<u16>,
    /// The place of the rule that matched. Visible natively only.
    pub rule: Option<u16>,
    /// The cookie that is made, whole; `$cookie` stands for its value, and `$unit` in headers for the unit it makes.
    pub cookie: Option<String>,
    /// The debug header that the caller gets.
    pub debug: Option<String>,
    /// The status of an answer of the filter's own.
    pub reply: Option<u32>,
    /// What a later request of the pod finds: its headers, and what they become.
    pub after: Option<After>,
    /// The caller's next requests, one after the other.
    pub next: Vec<Next>,
}

/// A later request of the same caller through the same gateway.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Next {
    /// What happened in between: `login`, `logout`.
    pub name: String,
    /// The claims of the caller's token.
    pub token: Option<Claims>,
    /// Its headers; `$cookie` stands for the value of the cookie that was made for the first request.
    pub request: Vec<Header>,
    /// Does the caller get another unit than at the request before?
    #[serde(default)]
    pub moves: bool,
}

/// A later request of the same pod, that shows what was remembered.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct After {
    /// Its headers.
    pub request: Vec<Header>,
    /// What they become.
    #[serde(default)]
    pub set: BTreeMap<String, String>,
}

fn role<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Role, D::Error> {
    let name = String::deserialize(deserializer)?;
    Role::named(name.as_bytes()).ok_or_else(|| serde::de::Error::custom(format!("`{name}` is no role")))
}

/// Headers as they are sent.
pub type Headers = Vec<(String, Vec<u8>)>;

impl Header {
    /// Name and value.
    ///
    /// # Errors
    /// When it is not written well.
    pub fn pair(&self) -> Result<(String, Vec<u8>)> {
        match self {
            Self::Line(line) => {
                // A pseudo header starts with a colon itself.
                let colon = line.get(1..).and_then(|rest| rest.find(": ")).map(|at| at + 1);
                let (name, value) = match colon {
                    Some(at) => (&line[..at], &line[at + 2..]),
                    None => (line.strip_suffix(':').with_context(|| format!("`{line}` is no header"))?, ""),
                };
                Ok((name.to_owned(), value.as_bytes().to_vec()))
            }
            Self::Made(made) => {
                let mut value = Vec::new();
                if let Some(hex) = &made.hex {
                    for byte in hex.split_ascii_whitespace() {
                        value.push(u8::from_str_radix(byte, 16)?);
                    }
                }
                value
                    .extend(made.fill.as_deref().unwrap_or_default().repeat(made.times.unwrap_or(1)).bytes());
                value.extend(made.then.bytes());
                Ok((made.name.clone(), value))
            }
        }
    }
}

/// Headers of a list, with `$uuid` and `$trace` replaced by ids of this case's own.
///
/// # Errors
/// When one is not written well.
pub fn headers(list: &[Header], ids: &Ids) -> Result<Headers> {
    list.iter()
        .map(|header| {
            let (name, value) = header.pair()?;
            Ok((name, ids.fill(&value)))
        })
        .collect()
}

/// Ids of one case, so that cases do not meet in a memory that they share.
#[derive(Clone, Debug)]
pub struct Ids {
    uuid: String,
    trace: String,
}

impl Ids {
    /// Those of the n-th case.
    #[must_use]
    pub fn of(number: u64) -> Self {
        Self {
            uuid: format!("{number:08x}-0000-4000-8000-000000000000"),
            // Either half is its own: ids are recognised by the low one.
            trace: format!("{number:016x}8448eb21{number:08x}"),
        }
    }

    fn fill(&self, value: &[u8]) -> Vec<u8> {
        match std::str::from_utf8(value) {
            Ok(text) => text.replace("$uuid", &self.uuid).replace("$trace", &self.trace).into_bytes(),
            Err(_) => value.to_vec(),
        }
    }

    /// A wanted value.
    #[must_use]
    pub fn text(&self, value: &str) -> String {
        String::from_utf8_lossy(&self.fill(value.as_bytes())).into_owned()
    }
}

impl Suite {
    /// Reads a file of cases, as a suite for each gateway that it is for; `example` returns the text of an example's file.
    ///
    /// # Errors
    /// When it is not written well, or has no case.
    pub fn read(name: &str, text: &str, example: impl Fn(&str) -> Result<String>) -> Result<Vec<Self>> {
        let mut suite: Self =
            serde_saphyr::from_str(text).map_err(|error| anyhow!("{name}.yaml: {error}"))?;
        ensure!(!suite.cases.is_empty(), "{name}.yaml has no case");
        name.clone_into(&mut suite.name);
        suite.file = suite.example.as_deref().map(&example).transpose()?;
        if suite.examples.is_empty() {
            return Ok(vec![suite]);
        }
        let mut all = Vec::new();
        for own in &suite.examples {
            let one = Self { example: Some(own.clone()), file: Some(example(own)?), ..suite.clone() };
            for ingress in one.mesh()?.ingresses() {
                let gateway = ingress.name.map(ToOwned::to_owned);
                let at = gateway.iter().fold(own.clone(), |at, gateway| format!("{at}-{gateway}"));
                all.push(Self { gateway, name: format!("{name}-at-{at}"), ..one.clone() });
            }
        }
        Ok(all)
    }

    /// The mesh of its document.
    ///
    /// # Errors
    /// When the document is not in order.
    pub fn mesh(&self) -> Result<Mesh> {
        ensure!(self.example.is_none() || self.file.is_some(), "the example of `{}` was not read", self.name);
        let text = match &self.file {
            Some(text) => text.clone(),
            None => serde_json::to_string_pretty(&self.document)?,
        };
        let loaded = document::load_text(&self.name, &text)?;
        let file = check::open(loaded).checked();
        let file = file.with_context(|| format!("the document of `{}` is not in order", self.name))?;
        Ok(Mesh::of(&file))
    }

    /// The root id of a plugin: the suite may give its own role another one.
    #[must_use]
    pub fn root_id(&self, role: Role) -> &str {
        match &self.root_id {
            Some(root_id) if role == self.role => root_id,
            _ => role.name(),
        }
    }

    /// The configuration of a plugin of this suite. Filter state is on, the source always written, so that every
    /// level can see the decision.
    ///
    /// # Errors
    /// When the document is not in order.
    pub fn configuration(&self, role: Role) -> Result<String> {
        if let Some(configuration) = &self.plugin_config
            && role == self.role
        {
            return Ok(configuration.clone());
        }
        if self.plugin_config.is_some() {
            // There is no document to make the other side's of; it stays open.
            return Ok(String::new());
        }
        let mesh = self.mesh()?;
        let mut config = match role {
            Role::Gateway if self.role == Role::Gateway => {
                lower::gateway(&mesh, &mesh.ingress(self.gateway.as_deref())?)
            }
            // Nothing is sent to it, so of several any will do.
            Role::Gateway => lower::gateway(&mesh, &mesh.ingresses().swap_remove(0)),
            Role::Inbound | Role::Outbound | Role::Waypoint => lower::config(&mesh, role),
        };
        config.telemetry.state = true;
        config.telemetry.source = true;
        Ok(serde_json::to_string(&config)?)
    }
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| path.display().to_string())
}

/// The file of an example.
///
/// # Errors
/// When there is none.
pub fn example(name: &str) -> Result<String> {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    read(&examples.join(name).join("graylane.yaml"))
}

/// All suites, in order of their names.
///
/// # Errors
/// When one cannot be read.
pub fn all() -> Result<Vec<Suite>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut suites = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        suites.extend(Suite::read(&name, &read(&path)?, example)?);
    }
    suites.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(suites)
}
