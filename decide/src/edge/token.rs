//! Lane tokens: whose payment a callback is about, said by the service that ordered it and verified by the gateway.
//!
//! ```text
//! token = "v1." tenant "." unit "." expiry "." mac
//! unit: 16 lowercase hex digits, or "-" where there is none
//! expiry: seconds since 1970, decimal
//! mac: the first 16 bytes of HMAC-SHA256(key, all before its dot), 32 lowercase hex digits
//! ```
//!
//! HMAC (RFC 2104, section 5 on the shorter output), because every language's own library has it: services make tokens, not we.
//! A token that is too long, changed, of another key, of an unknown tenant or expired counts for nothing.

use std::fmt;

use hmac_sha256::HMAC;

use crate::choice::sticky::Unit;
use crate::names::{TOKEN_HEADER, TOKEN_PARAMETER};
use crate::request::field::Value;
use crate::request::gathered::Gathered;
use crate::request::headers::{Asked, Interest};
use crate::request::query;
use crate::tenants::{TenantId, Tenants};
use crate::world::World;

/// What a key has to look like.
pub const KEY_RULE: &str = "at least 32 characters, as `openssl rand -hex 32` prints";
/// Longest token that is read, in bytes. A name has 63 at most.
pub const LONGEST: usize = 160;
/// How long after its expiry a token still counts, in seconds: the clocks of who made it and of the gateway may differ.
pub const LEEWAY: u64 = 60;

const PREFIX: &str = "v1.";

/// A key of tokens. Nothing prints it.
#[derive(Clone)]
pub struct TokenKey(HMAC);

impl TokenKey {
    /// Reads a key: its characters as they are, white space around them. None: it is too short, and nothing of it is said.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let key = text.trim_ascii().as_bytes();
        (key.len() >= 32).then(|| Self(HMAC::new(key)))
    }

    fn mac(&self, signed: &[u8]) -> [Unit; 2] {
        let mut mac = self.0.clone();
        mac.update(signed);
        let mac = mac.finalize();
        let half =
            |from: usize| mac.iter().skip(from).take(8).fold(0, |half, byte| (half << 8) | u64::from(*byte));
        [Unit(half(0)), Unit(half(8))]
    }

    /// Makes a token. `expiry`: seconds since 1970.
    #[must_use]
    pub fn sign(&self, tenant: &str, unit: Option<Unit>, expiry: u64) -> String {
        let unit = unit.map_or_else(|| "-".to_owned(), |unit| unit.to_string());
        let signed = format!("{PREFIX}{tenant}.{unit}.{expiry}");
        let [first, second] = self.mac(signed.as_bytes());
        format!("{signed}.{first}{second}")
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey")
    }
}

/// What a token says, before anybody asked whether it is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said<'t> {
    signed: &'t [u8],
    mac: [Unit; 2],
    /// The name of the tenant.
    pub tenant: &'t [u8],
    /// The user's unit.
    pub unit: Option<Unit>,
    /// When it ends, in seconds since 1970.
    pub expiry: u64,
}

impl<'t> Said<'t> {
    /// Takes a token apart. None: it has not the form of one.
    #[must_use]
    pub fn read(text: &'t [u8]) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let (signed, mac) = split(text)?;
        let (rest, expiry) = split(signed.strip_prefix(PREFIX.as_bytes())?)?;
        let (tenant, unit) = split(rest)?;
        let (first, second) = mac.split_at_checked(16)?;
        let unit = if unit == b"-" { None } else { Some(Unit::parse(unit)?) };
        let mut seconds = 0u64;
        for digit in expiry {
            let digit = char::from(*digit).to_digit(10)?;
            seconds = seconds.checked_mul(10)?.checked_add(u64::from(digit))?;
        }
        let expiry = (!expiry.is_empty()).then_some(seconds)?;
        Some(Self { signed, mac: [Unit::parse(first)?, Unit::parse(second)?], tenant, unit, expiry })
    }

    /// Was it signed with this key? Takes the same time whatever is wrong with it.
    #[must_use]
    pub fn is_of(&self, key: &TokenKey) -> bool {
        let [is, was] = [key.mac(self.signed), self.mac];
        let differ = is.iter().zip(&was).fold(0, |differ, (is, was)| differ | (is.0 ^ was.0));
        std::hint::black_box(differ) == 0
    }

    /// Has it ended by this time, in milliseconds since 1970?
    #[must_use]
    pub fn has_expired(&self, now: u64) -> bool {
        now / 1000 > self.expiry.saturating_add(LEEWAY)
    }
}

/// What stands before the last dot, and behind it.
fn split(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = text.iter().rposition(|byte| *byte == b'.')?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// Reads tokens of requests.
#[derive(Clone, Debug)]
pub struct Tokens {
    header: Asked,
    keys: Box<[TokenKey]>,
}

impl Tokens {
    /// With these keys; registers what it needs to see.
    #[must_use]
    pub fn new(keys: &[TokenKey], interest: &mut Interest) -> Self {
        Self { header: interest.ask(TOKEN_HEADER), keys: keys.into() }
    }

    /// Tenant and unit of the request's token, if it has a good one: in the header, else in the query, if there is one.
    #[inline(never)] // Large functions cost V8 the most: decision 15.
    pub fn read<W: World>(
        &self,
        tenants: &Tenants,
        request: &mut Gathered<'_, W>,
        is_in_query: bool,
    ) -> Option<(TenantId, Option<Unit>)> {
        let seen = request.seen;
        let (in_query, mixed) =
            if is_in_query { query::find(seen.path, TOKEN_PARAMETER) } else { (None, false) };
        let text = match seen.asked(self.header).value() {
            Value::One(text) => text,
            Value::Absent if !mixed => in_query.as_deref()?,
            Value::Absent | Value::Mixed => return None,
        };
        let said = Said::read(text)?;
        let tenant = tenants.find(said.tenant)?;
        let counts = !said.has_expired(request.world().now()?) && self.keys.iter().any(|key| said.is_of(key));
        counts.then_some((tenant, said.unit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by Python's `hmac`: tests/cases/gateway-token.yaml has more.
    const KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    const TOKEN: &str = "v1.gray-v1.-.4102444800.59f2d8b6b238df7bee623b9233b9ec13";

    #[test]
    fn what_is_signed_is_what_other_languages_sign() {
        let key = TokenKey::parse(&format!(" {KEY}\n")).unwrap();
        assert_eq!(key.sign("gray-v1", None, 4_102_444_800), TOKEN);
        let said = Said::read(TOKEN.as_bytes()).unwrap();
        assert!(said.is_of(&key));
        assert_eq!((said.tenant, said.unit, said.expiry), (b"gray-v1".as_slice(), None, 4_102_444_800));
        let unit = Some(Unit(7));
        let longest = key.sign(&"a".repeat(63), unit, u64::MAX);
        let said = Said::read(longest.as_bytes()).unwrap();
        assert!(said.is_of(&key) && said.unit == unit && !said.has_expired(u64::MAX), "{longest}");
        assert_eq!(format!("{key:?}"), "TokenKey");
        assert!(TokenKey::parse(&KEY[..31]).is_none());
    }

    #[test]
    fn whatever_is_changed_it_is_no_longer_of_the_key() {
        let key = TokenKey::parse(KEY).unwrap();
        for place in 0..TOKEN.len() {
            for byte in [b'0', b'a', b'.', b'-', 0, 0xff] {
                let mut text = TOKEN.as_bytes().to_vec();
                text[place] = byte;
                let counts = Said::read(&text).is_some_and(|said| said.is_of(&key));
                assert_eq!(counts, text == TOKEN.as_bytes(), "{}", text.escape_ascii());
            }
            assert!(!Said::read(&TOKEN.as_bytes()[..place]).is_some_and(|said| said.is_of(&key)), "{place}");
        }
        let other = TokenKey::parse(&KEY.replace('0', "1")).unwrap();
        assert!(!Said::read(TOKEN.as_bytes()).unwrap().is_of(&other));
    }

    #[test]
    fn clocks_may_differ_by_a_minute() {
        let said = Said::read(TOKEN.as_bytes()).unwrap();
        for (seconds, expired) in [(0, false), (4_102_444_860, false), (4_102_444_861, true)] {
            assert_eq!(said.has_expired(seconds * 1000), expired, "{seconds}");
        }
    }
}
