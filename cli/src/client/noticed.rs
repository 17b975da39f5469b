//! What a released application would notice of another contract. It goes on to send what it was built with.

use super::contract::{Contract, Key};

/// What there is to say.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Noticed {
    /// What the application would notice.
    pub breaks: Vec<String>,
    /// What it would not, and its makers may want to know.
    pub notes: Vec<String>,
}

/// Compares what was released with what the file says now.
#[must_use]
pub fn noticed(old: &Contract, new: &Contract) -> Noticed {
    let mut said = Noticed::default();
    if old.header != new.header {
        said.breaks.push(format!(
            "the tenant header was `{}` and is `{}`: the tenant that the application names is not read",
            old.header, new.header
        ));
    }
    for tenant in gone(&old.tenants, &new.tenants) {
        said.breaks.push(format!(
            "tenant `{tenant}` cannot be named any more: a caller who names it is treated as one without a tenant"
        ));
    }
    for host in gone(&old.hosts, &new.hosts) {
        said.breaks.push(format!("host {host} is gone: the application still calls it"));
    }
    sticky(&old.sticky, &new.sticky, &mut said);
    for tenant in gone(&new.tenants, &old.tenants) {
        said.notes.push(format!("tenant `{tenant}` is new: the application cannot name it"));
    }
    for host in gone(&new.hosts, &old.hosts) {
        said.notes.push(format!("host {host} is new: the application sends no headers to it"));
    }
    match (&old.debug_header, &new.debug_header) {
        (Some(header), None) => said.notes.push(format!("responses have no `{header}` any more")),
        (None, Some(header)) => said.notes.push(format!("responses have `{header}`")),
        _ => {}
    }
    for (service, weights) in &old.rollouts {
        if new.rollouts.get(service) != Some(weights) {
            said.notes.push(format!("the application shows weights of `{service}` that are out of date"));
        }
    }
    said
}

/// Keys after those that it knows do not matter to it, as long as it sends one of these.
fn sticky(old: &[Key], new: &[Key], said: &mut Noticed) {
    if new.starts_with(old) {
        for key in &new[old.len()..] {
            said.notes.push(format!("users are also recognised by {key}: the application does not send it"));
        }
        return;
    }
    let list = |keys: &[Key]| match keys {
        [] => "nothing".to_owned(),
        _ => keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", else "),
    };
    said.breaks.push(format!(
        "users were recognised by {}, and are by {}: those of the application may change versions",
        list(old),
        list(new)
    ));
}

/// What is in one list, and not in the other.
fn gone<'a>(from: &'a [String], other: &[String]) -> Vec<&'a String> {
    from.iter().filter(|one| !other.contains(one)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contract() -> Contract {
        serde_json::from_value(serde_json::json!({
            "version": 1, "fingerprint": "0", "hosts": ["https://a.example"], "header": "tenant", "tenants": ["gray"],
            "sticky": [{"in": "header", "name": "x-user"}], "debugHeader": null, "rollouts": {"api": {"canary": 5}}
        }))
        .unwrap()
    }

    #[test]
    fn nothing_is_said_of_what_is_the_same() {
        assert_eq!(noticed(&contract(), &contract()), Noticed::default());
    }

    #[test]
    fn what_is_taken_from_an_application_breaks_it() {
        let key = |name: &str| Key::Header(name.to_owned());
        type Change = fn(&mut Contract);
        let changes: [(Change, &str); 6] = [
            (|new| new.header = "x-lane".to_owned(), "the tenant header was `tenant` and is `x-lane`"),
            (|new| new.tenants.clear(), "tenant `gray` cannot be named any more"),
            (|new| new.hosts = vec!["https://b.example".to_owned()], "host https://a.example is gone"),
            (|new| new.sticky.clear(), "recognised by the header `x-user`, and are by nothing"),
            (|new| new.sticky.insert(0, Key::Token), "and are by the token, else the header `x-user`"),
            (|new| new.sticky = vec![Key::Cookie("id".to_owned())], "and are by the cookie `id`"),
        ];
        for (change, wanted) in changes {
            let mut new = contract();
            change(&mut new);
            let said = noticed(&contract(), &new);
            assert!(said.breaks.len() == 1 && said.breaks[0].contains(wanted), "{wanted}: {said:?}");
        }
        let mut later = contract();
        later.sticky.push(key("x-device"));
        let said = noticed(&contract(), &later);
        assert!(said.breaks.is_empty() && said.notes.len() == 1, "{said:?}");
    }

    #[test]
    fn what_is_new_is_noted() {
        let mut new = contract();
        new.tenants.push("blue".to_owned());
        new.hosts.push("https://b.example".to_owned());
        new.debug_header = Some("x-graylane-debug".to_owned());
        new.rollouts.clear();
        let said = noticed(&contract(), &new);
        assert!(said.breaks.is_empty() && said.notes.len() == 4, "{said:?}");
        let back = noticed(&new, &contract());
        assert_eq!(back.breaks.len(), 2, "{back:?}");
    }
}
