//! Who is who in the scenarios, and what their requests hold.

use graylane_decide::config::Accept;

use crate::demo::journey::{Entry, Journey};
use crate::mesh::Mesh;

/// What the rows are about: the tenant that tries a version first, and the way through the services.
pub struct Cast<'a> {
    /// The client of the demo.
    pub client: &'a reqwest::Client,
    /// A tenant that is not the default, if there is one.
    pub gray: String,
    /// The tenant of live users.
    pub live: String,
    /// The way through all services, the one behind the gateway first.
    pub path: Vec<String>,
    /// How the gray user gets in.
    pub entry: Entry,
    /// What holds a user's key, if the file has something that a request of the demo can hold.
    pub key: Option<KeyOf>,
}

/// What holds a user's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyOf {
    /// A header.
    Header(String),
    /// A cookie.
    Cookie(String),
    /// A parameter of the query.
    Query(String),
}

impl KeyOf {
    fn of(mesh: &Mesh) -> Option<Self> {
        // Claims need a token that Istio verifies; a demo has none.
        let ingresses = mesh.ingresses();
        let keys = ingresses.iter().flat_map(|ingress| ingress.keys);
        // An address is always there, so what stands behind it never counts.
        keys.take_while(|key| !key.source).find_map(|key| {
            let header = key.header.clone().map(Self::Header);
            header
                .or_else(|| key.cookie.clone().map(Self::Cookie))
                .or_else(|| key.query.clone().map(Self::Query))
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        let (Self::Header(name) | Self::Cookie(name) | Self::Query(name)) = self;
        name
    }
}

impl<'a> Cast<'a> {
    /// The tenants of the demo. A mesh with a single tenant uses it for gray users, too.
    pub fn of(mesh: &Mesh, path: &[String], client: &'a reqwest::Client) -> Self {
        let others = || mesh.tenants.iter().filter(|tenant| **tenant != mesh.default);
        let pinned = others()
            .find(|tenant| mesh.services.iter().any(|service| service.rest().pins.contains_key(*tenant)));
        let is_open = mesh.ingresses().iter().any(|ingress| ingress.accept == Accept::Always);
        Self {
            client,
            gray: pinned.or_else(|| others().next()).unwrap_or(&mesh.default).clone(),
            live: mesh.default.clone(),
            path: path.to_vec(),
            entry: if is_open { Entry::Gateway } else { Entry::Worker },
            key: KeyOf::of(mesh),
        }
    }

    /// Is the gray user a live user who says so?
    pub fn has_one_tenant(&self) -> bool {
        self.gray == self.live
    }

    /// A request of the gray user over the whole way.
    pub fn gray_journey(&self, mesh: &Mesh) -> Journey {
        Journey {
            entry: self.entry,
            headers: vec![(mesh.header.clone(), self.gray.clone())],
            query: Vec::new(),
            path: self.path.clone(),
            forward: Vec::new(),
            late: Vec::new(),
        }
    }

    /// A request of a live user over the whole way.
    pub fn live_journey(&self, user: &str) -> Journey {
        let (mut headers, mut query) = (Vec::new(), Vec::new());
        match &self.key {
            Some(KeyOf::Header(name)) => headers.push((name.clone(), user.to_owned())),
            Some(KeyOf::Cookie(name)) => headers.push(("cookie".to_owned(), format!("{name}={user}"))),
            Some(KeyOf::Query(name)) => query.push((name.clone(), user.to_owned())),
            None => {}
        }
        Journey {
            entry: Entry::Gateway,
            headers,
            query,
            path: self.path.clone(),
            forward: Vec::new(),
            late: Vec::new(),
        }
    }
}
