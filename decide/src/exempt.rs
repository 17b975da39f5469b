//! Requests that graylane leaves alone: never touched, counted or rejected.

use crate::config;
use crate::request::headers::Seen;
use crate::world::World;

/// The compiled list.
#[derive(Clone, Debug, Default)]
pub struct Exempt {
    paths: Vec<Box<[u8]>>,
    prefixes: Vec<Box<[u8]>>,
    ports: Vec<u16>,
}

impl Exempt {
    /// Compiles it; a path that ends in `*` is a prefix.
    #[must_use]
    #[inline(never)] // Large functions cost V8 the most: decision 15.
    pub fn new(config: &config::Exempt) -> Self {
        let mut exempt = Self { ports: config.ports.clone(), ..Self::default() };
        for path in &config.paths {
            match path.strip_suffix('*') {
                Some(prefix) => exempt.prefixes.push(prefix.as_bytes().into()),
                None => exempt.paths.push(path.as_bytes().into()),
            }
        }
        exempt
    }

    /// Is this request one of them? The port costs a host call, so it is asked last, and only if one is listed.
    pub fn covers(&self, seen: &Seen<'_>, world: &mut impl World) -> bool {
        if !self.paths.is_empty() || !self.prefixes.is_empty() {
            let path = seen.bare_path();
            if self.paths.iter().any(|exempt| **exempt == *path)
                || self.prefixes.iter().any(|prefix| path.starts_with(prefix))
            {
                return true;
            }
        }
        !self.ports.is_empty() && world.port().is_some_and(|port| self.ports.contains(&port))
    }
}
