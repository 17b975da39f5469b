//! The rules of the edge: who may choose a tenant. First match wins.
//!
//! A rule gives a tenant, or lets the tenant header count if it names one of those that the rule lists; one whose
//! list the header is not on does not match, and the next is tried. Headers were walked anyway; what costs a host
//! call (claims, certificate, address) is asked only when a rule comes to it, and once.

pub mod conditions;
pub mod dfa;
pub mod facts;
pub mod network;
pub mod text;
pub mod token;

use crate::config;
use crate::request::headers::{Interest, Seen};
use crate::tenants::{TenantId, Tenants};
use crate::why::Source;
use crate::world::World;

use conditions::Compiled;
use facts::{Facts, Properties};

/// The rules, compiled.
#[derive(Clone, Debug, Default)]
pub struct Rules(Vec<Rule>);

#[derive(Clone, Debug)]
struct Rule {
    gives: Gives,
    when: Compiled,
}

#[derive(Clone, Debug)]
enum Gives {
    Tenant(TenantId, Source),
    Choice(Vec<TenantId>),
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
    /// Compiles them, and registers what it needs to see and ask.
    ///
    /// # Errors
    /// The path and the problem of the first mistake.
    pub fn new(
        field: &str,
        rules: &[config::Rule],
        tenants: &Tenants,
        interest: &mut Interest,
        properties: &mut Properties,
    ) -> Result<Self, (String, &'static str)> {
        let mut list = Vec::with_capacity(rules.len());
        for (index, rule) in rules.iter().enumerate() {
            let at = |problem| ([field, &index.to_string(), "]"].concat(), problem);
            let find = |name: &String| tenants.find(name.as_bytes()).ok_or(at("unknown tenant"));
            let gives = match (&rule.tenant, &rule.may_choose[..]) {
                (Some(name), []) => {
                    let source = if rule.when.names_claim() { Source::Claim } else { Source::Rule };
                    Gives::Tenant(find(name)?, source)
                }
                (None, [_, ..]) => Gives::Choice(rule.may_choose.iter().map(find).collect::<Result<_, _>>()?),
                _ => return Err(at("either tenant or mayChoose")),
            };
            let when = rule.when.compile(interest, properties);
            list.push(Rule { gives, when: when.ok_or(at("invalid table or network"))? });
        }
        Ok(Self(list))
    }

    /// The first rule that matches. `named`: the tenant that counts where a rule lists several, which costs nothing to compare
    /// and is looked at before the condition.
    #[inline(never)] // Large functions cost V8 the most: decision 15.
    pub fn first<W: World>(
        &self,
        named: Option<TenantId>,
        seen: &Seen<'_>,
        facts: &mut Facts<'_, W>,
    ) -> Option<Verdict> {
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
