//! The address of a remote without the user and the password in it: every user of a machine can read command lines, those of Git's
//! own helpers too. Git gets them from a credential helper, which has them from its environment.

use graylane_decide::request::query;

use crate::git::Secret;

/// An address, and what goes another way.
pub struct Address {
    /// Without a password.
    pub url: String,
    /// How Git asks for the user and the password.
    pub settings: Vec<(String, String)>,
    /// What it is told.
    pub secret: Option<Secret>,
}

/// Git runs it as a function of the shell, with what it wants as an argument. Nothing of it is a command line.
const HELPER: &str = "!f() { if test \"$1\" = get; then \
                      printf 'username=%s\\npassword=%s\\n' \"$GRAYLANE_GIT_USER\" \"$GRAYLANE_GIT_PASSWORD\"; fi; }; f";

impl Address {
    /// Of an address as people write it. What Git reads in another way, as of `ssh`, stays as it is.
    pub fn of(url: &str) -> Self {
        Self::parse(url).unwrap_or_else(|| Self { url: url.to_owned(), settings: Vec::new(), secret: None })
    }

    fn parse(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let is_http = ["http", "https"].iter().any(|name| scheme.eq_ignore_ascii_case(name));
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        // As Git reads it.
        let (who, host) = authority.split_once('@').filter(|_| is_http)?;
        let base = format!("{scheme}://{host}");
        let key = |name: &str| format!("credential.{base}.{name}");
        let (settings, secret) = match who.split_once(':') {
            Some((user, password)) => {
                // Other helpers would be asked first, and told to keep it.
                let settings = vec![(key("helper"), String::new()), (key("helper"), HELPER.to_owned())];
                (settings, Some(Secret { user: decoded(user)?, password: decoded(password)? }))
            }
            None => (vec![(key("username"), decoded(who)?)], None),
        };
        Some(Self { url: format!("{base}{path}"), settings, secret })
    }
}

/// Without `%` and two digits; none: it is not a text that Git would pass on.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = if *first == b'%' { query::escape(after) } else { None };
        let (byte, after) = escaped.unwrap_or((*first, after));
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8(bytes).ok().filter(|text| !text.chars().any(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_password_go_another_way() {
        let address = Address::of("https://u%40x:to%2Fken@git.example:8443/shop.git");
        assert_eq!(address.url, "https://git.example:8443/shop.git");
        assert_eq!(address.secret, Some(Secret { user: "u@x".into(), password: "to/ken".into() }));
        assert_eq!(address.settings[1].0, "credential.https://git.example:8443.helper");
        let address = Address::of("https://u:a%+fb%@git.example/shop.git");
        assert_eq!(address.secret.unwrap().password, "a%+fb%", "what is no escape stays");
        let address = Address::of("https://ada@git.example/shop.git");
        assert_eq!(address.url, "https://git.example/shop.git");
        let username = ("credential.https://git.example.username".to_owned(), "ada".to_owned());
        assert_eq!((address.settings, address.secret), (vec![username], None));
    }

    #[test]
    fn what_has_none_stays_as_it_is() {
        for url in [
            "https://git.example/a@b",
            "git@git.example:shop.git",
            "ssh://git@git.example/shop.git",
            "/srv/shop.git",
            "../bare",
            "https://u:a%0ab@git.example/shop.git",
        ] {
            let address = Address::of(url);
            assert!(address.url == url && address.settings.is_empty() && address.secret.is_none(), "{url}");
        }
    }
}
