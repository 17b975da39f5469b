//! The rules of the edge: who may choose a tenant. First match wins.
//!
//! A rule gives a tenant, or lets the tenant header count if it names one of those that the rule lists; one whose
//! list the header is not on does not match, and the next is tried. Headers were walked anyway; what costs a host
//! call (claims, certificate, address) is asked only when a rule comes to it, and once.

pub mod dfa;
pub mod facts;
pub mod network;
pub mod text;

use crate::authority;
use crate::config;
use crate::decision::Source;
use crate::headers::{Field, Interest, Seen, Value};
use crate::names;
use crate::tenants::{TenantId, Tenants};
use crate::world::World;

use facts::{Facts, Properties};
use network::Network;
use text::Text;

/// The rules, compiled.
#[derive(Clone, Debug, Default)]
pub struct Rules(Vec<Rule>);

#[derive(Clone, Debug)]
struct Rule {
    gives: Gives,
    when: Condition,
}

#[derive(Clone, Debug)]
enum Gives {
    Tenant(TenantId, Source),
    Choice(Vec<TenantId>),
}

/// What has to hold, compiled. Numbers are indices: of [`Seen::asked`] for headers, of [`Properties`] else.
#[derive(Clone, Debug)]
enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Header(usize, Text),
    Cookie(Box<[u8]>, Text),
    Query(Box<[u8]>, Text),
    Host(Text),
    Path(Text),
    Claim(usize, Text),
    Certificate([usize; 2], Text),
    Source(usize, Vec<Network>),
}

/// What a rule said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The tenant.
    pub tenant: TenantId,
    /// A rule, a rule on a claim, or the header that a rule let count.
    pub source: Source,
    /// Its place among the rules.
    pub rule: u16,
}

impl Rules {
    /// Compiles them, and registers what has to be seen and asked.
    ///
    /// # Errors
    /// The path and the problem of the first mistake.
    pub fn new(
        rules: &[config::Rule],
        tenants: &Tenants,
        interest: &mut Interest,
        properties: &mut Properties,
    ) -> Result<Self, (String, &'static str)> {
        let mut list = Vec::with_capacity(rules.len());
        for (index, rule) in rules.iter().enumerate() {
            let at = |problem| (["edge.rules[", &index.to_string(), "]"].concat(), problem);
            let find = |name: &String| tenants.find(name.as_bytes()).ok_or(at("no such tenant"));
            let gives = match (&rule.tenant, &rule.may_choose[..]) {
                (Some(name), []) => {
                    let source = if names_claim(&rule.when) { Source::Claim } else { Source::Rule };
                    Gives::Tenant(find(name)?, source)
                }
                (None, [_, ..]) => Gives::Choice(rule.may_choose.iter().map(find).collect::<Result<_, _>>()?),
                _ => return Err(at("either tenant or mayChoose")),
            };
            let when = condition(&rule.when, interest, properties);
            list.push(Rule { gives, when: when.ok_or(at("a table or network is not in order"))? });
        }
        Ok(Self(list))
    }

    /// The first rule that matches.
    pub fn first<W: World>(
        &self,
        tenants: &Tenants,
        seen: &Seen<'_>,
        facts: &mut Facts<'_, W>,
    ) -> Option<Verdict> {
        // Which tenant the header names costs nothing, so it is looked at before the condition.
        let named = seen.tenant.one().and_then(|name| tenants.find(name));
        self.0.iter().enumerate().find_map(|(index, rule)| {
            let (tenant, source) = match &rule.gives {
                Gives::Tenant(tenant, source) => (*tenant, *source),
                Gives::Choice(list) => (named.filter(|named| list.contains(named))?, Source::Header),
            };
            let rule = rule.when.holds(seen, facts).then(|| u16::try_from(index).unwrap_or(u16::MAX))?;
            Some(Verdict { tenant, source, rule })
        })
    }
}

/// Does it look at a claim anywhere?
fn names_claim(condition: &config::Condition) -> bool {
    match condition {
        config::Condition::All(list) | config::Condition::Any(list) => list.iter().any(names_claim),
        config::Condition::Not(inner) => names_claim(inner),
        config::Condition::Claim(_) => true,
        _ => false,
    }
}

fn condition(
    condition: &config::Condition,
    interest: &mut Interest,
    properties: &mut Properties,
) -> Option<Condition> {
    use config::Condition as From;
    let mut each = |list: &[From]| -> Option<Vec<Condition>> {
        list.iter().map(|one| self::condition(one, interest, properties)).collect()
    };
    Some(match condition {
        From::All(list) => Condition::All(each(list)?),
        From::Any(list) => Condition::Any(each(list)?),
        From::Not(inner) => Condition::Not(Box::new(self::condition(inner, interest, properties)?)),
        From::Header(header) => Condition::Header(interest.ask(&header.name), Text::new(&header.is, false)?),
        From::Cookie(cookie) => {
            interest.cookies = true;
            Condition::Cookie(cookie.name.as_bytes().into(), Text::new(&cookie.is, false)?)
        }
        From::Query(query) => Condition::Query(query.name.as_bytes().into(), Text::new(&query.is, false)?),
        From::Host(text) => Condition::Host(Text::new(text, true)?),
        From::Path(text) => Condition::Path(Text::new(text, false)?),
        From::Claim(claim) => Condition::Claim(properties.claim(&claim.path), Text::new(&claim.is, false)?),
        From::Certificate(text) => Condition::Certificate(
            names::CERTIFICATE.map(|path| properties.ask(path)),
            Text::new(text, false)?,
        ),
        From::Source(list) => {
            let networks = list.iter().map(|network| Network::parse(network)).collect::<Option<_>>()?;
            Condition::Source(properties.ask(names::SOURCE_ADDRESS), networks)
        }
    })
}

impl Condition {
    fn holds<W: World>(&self, seen: &Seen<'_>, facts: &mut Facts<'_, W>) -> bool {
        match self {
            Self::All(list) => list.iter().all(|one| one.holds(seen, facts)),
            Self::Any(list) => list.iter().any(|one| one.holds(seen, facts)),
            Self::Not(inner) => !inner.holds(seen, facts),
            Self::Header(index, text) => {
                text.matches(seen.asked.get(*index).map_or(Value::Absent, Field::value))
            }
            Self::Cookie(name, text) => text.matches(crate::cookie::field(&seen.cookies, name).value()),
            Self::Query(name, text) => crate::query::with(seen.path, name, |value| text.matches(value)),
            Self::Host(text) => {
                let (host, _port) = authority::split(seen.authority);
                let host = host.strip_suffix(b".").unwrap_or(host);
                text.fits(&host.to_ascii_lowercase())
            }
            Self::Path(text) => text.fits(seen.bare_path()),
            Self::Claim(index, text) => facts::any_of(facts.claim(*index), |value| text.matches(value)),
            Self::Certificate(sans, text) => match text {
                Text::Present(present) => {
                    sans.iter().any(|san| facts.get(*san).is_some_and(|san| !san.is_empty())) == *present
                }
                _ => sans
                    .iter()
                    .any(|san| facts.get(*san).is_some_and(|san| !san.is_empty() && text.fits(san))),
            },
            Self::Source(index, networks) => {
                let address = facts.get(*index).and_then(network::address);
                address.is_some_and(|address| networks.iter().any(|network| network.contains(address)))
            }
        }
    }
}
