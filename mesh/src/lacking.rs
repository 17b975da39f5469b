//! What a file says that a form of it cannot express: a waypoint, Envoy without Istio, routes of the Gateway API.

/// Something that a form cannot express.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lacking {
    /// The keys of the file that it is about.
    pub path: Vec<String>,
    /// What is not done.
    pub text: String,
    /// What to do instead.
    pub instead: &'static str,
}

/// What was found so far. Each is an error: a route that lacks a condition would take requests that it is not for.
#[derive(Clone, Debug, Default)]
pub struct Lost(Vec<Lacking>);

impl Lost {
    /// Says one, once.
    pub fn say(&mut self, path: &[&str], text: String, instead: &'static str) {
        let path = path.iter().map(|&step| step.to_owned()).collect();
        let one = Lacking { path, text, instead };
        if !self.0.contains(&one) {
            self.0.push(one);
        }
    }

    /// All of them, in the order in which they were found.
    #[must_use]
    pub fn all(self) -> Vec<Lacking> {
        self.0
    }
}
