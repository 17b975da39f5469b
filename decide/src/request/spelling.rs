//! Which header names an application may take for the same.
//!
//! A server that hands headers to applications as variables folds case and turns everything but letters and digits into `_`: CGI
//! (RFC 3875, section 4.1.18), WSGI, Rack, PHP (dots too), servlet containers. So `x-user-role`, `x_user_role` and
//! `X.User~Role` are one name to some of them.

/// Are these two names the same to the most forgetful server?
#[must_use]
pub fn same(name: &[u8], wanted: &[u8]) -> bool {
    name.len() == wanted.len() && starts(name, wanted)
}

/// Does a name begin as this one, to the most forgetful server?
#[must_use]
pub fn starts(name: &[u8], wanted: &[u8]) -> bool {
    name.len() >= wanted.len() && name.iter().zip(wanted).all(|(is, wanted)| fold(*is) == fold(*wanted))
}

fn fold(byte: u8) -> u8 {
    if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'_' }
}

/// A bit for what a name begins with: one for each letter, one for all else.
#[must_use]
pub fn first_letter(name: &[u8]) -> u32 {
    match name.first().map(|byte| fold(*byte)) {
        Some(letter @ b'a'..=b'z') => 1 << (letter - b'a'),
        Some(_) => 1 << 26,
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_but_letters_and_digits_compares_equal() {
        for spelling in ["x-user-role", "x_user_role", "X.User~Role", "x user!role", "x|user'role"] {
            assert!(same(spelling.as_bytes(), b"x-user-role"), "{spelling}");
        }
        for other in ["x-user-roles", "xuserrole", "x--user-role", "", "y-user-role"] {
            assert!(!same(other.as_bytes(), b"x-user-role"), "{other}");
        }
        assert!(starts(b"x_graylane.anything", b"x-graylane-"));
        assert!(!starts(b"x-graylan", b"x-graylane-"));
        assert_eq!(first_letter(b"Tenant"), first_letter(b"t"));
        assert_eq!(first_letter(b"_x"), first_letter(b"9"));
    }
}
