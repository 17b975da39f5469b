//! Names of a file, where they stand in it.

use graylane_decide::naming::{NAME_RULE, is_name};

use super::Checker;
use crate::dns::is_dns_label;

impl Checker<'_> {
    /// A tenant's, subset's or salt's name at the key of a path.
    pub fn check_name(&mut self, what: &str, name: &str, path: &[&str]) {
        if !is_name(name) {
            self.error_at_key(path, format!("`{name}` cannot be the name of a {what}"))
                .help(format!("a name has {NAME_RULE}"));
        }
    }

    /// A namespace's or a service's name at a path.
    pub fn check_dns_label(&mut self, what: &str, name: &str, path: &[&str]) {
        if !is_dns_label(name) {
            self.error(path, format!("`{name}` cannot be {what}"))
                .help("write 1 to 63 lowercase letters, digits and `-`, with a letter or digit at both ends");
        }
    }
}
