//! What carries tenant and unit from service to service. Each way is one value with its name and its reading, writing
//! and taking off; roles go through all of them and know none by name.
//!
//! | carrier | kind |
//! |-|-|
//! | the tenant header | [`Shape::Tenant`] |
//! | `baggage`, `correlation-context`, `sw8-correlation` | a list of members: [`list`] |
//! | `ot-baggage-*`, `uberctx-*`, a header of the user's own | a header for each member: [`pair`] |
//!
//! A new one is a word in [`config::Carrier`] and an arm in [`Shape::of`]; the gateway takes off whatever has a word.

pub mod list;
pub mod members;
pub mod pair;
mod sw8;

pub use sw8::with_key as sw8_key;

use crate::choice::sticky::Unit;
use crate::config;
use crate::edits::Edits;
use crate::few::Few;
use crate::request::field::{Field, Lines, Value};
use crate::request::headers::{Asked, AskedList, Interest, Seen};
use crate::tenants::{Claim, TenantId, Tenants};

use list::List;
use members::{MAX_VALUE, decode};
use pair::Pair;

/// How something carries tenant and unit: its headers' names, and how they are written.
#[derive(Clone, Debug)]
pub enum Shape {
    /// The tenant header: it carries the tenant alone, and counts before all others.
    Tenant(Box<[u8]>),
    /// A header that is a list of members.
    List(List),
    /// A header for each member.
    Pair(Pair),
}

impl Shape {
    /// The carrier of that name in the configuration. `tenant`: the tenant header, whose name members have too.
    #[must_use]
    pub fn of(carrier: &config::Carrier, tenant: &str) -> Self {
        match carrier {
            config::Carrier::OtBaggage => Self::Pair(Pair::prefixed("ot-baggage-", tenant)),
            config::Carrier::Uberctx => Self::Pair(Pair::prefixed("uberctx-", tenant)),
            config::Carrier::CorrelationContext => Self::List(List::CORRELATION_CONTEXT),
            config::Carrier::Sw8Correlation => Self::List(List::SW8_CORRELATION),
            config::Carrier::Header(name) => Self::Pair(Pair::named(name)),
        }
    }

    /// Each of them, and whether graylane writes it: the header, W3C Baggage, those that the configuration names, and
    /// those that it could have named.
    #[must_use]
    pub fn every(tenant: &str, named: &[config::Carrier]) -> Vec<(Self, bool)> {
        let header = tenant.to_ascii_lowercase().into_bytes().into();
        let mut all = vec![(Self::Tenant(header), true), (Self::List(List::BAGGAGE), true)];
        all.extend(named.iter().map(|carrier| (Self::of(carrier, tenant), true)));
        let others = config::Carrier::KNOWN.iter().filter(|known| !named.contains(known));
        all.extend(others.map(|carrier| (Self::of(carrier, tenant), false)));
        all
    }
}

/// A carrier beside the tenant header, and where a request's headers have it.
#[derive(Clone, Debug)]
pub enum Carrier {
    /// W3C Baggage.
    Baggage(List),
    /// Another list.
    List(List, AskedList),
    /// A header for the tenant and one for the unit.
    Pair(Pair, [Asked; 2]),
}

/// What one carrier says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// The tenant.
    pub tenant: Claim,
    /// Is there anything where the tenant would be, if a blank?
    pub has_tenant: bool,
    /// The unit, where it is in its wire form.
    pub unit: Option<Unit>,
    /// Is there anything where the unit would be?
    pub has_unit: bool,
}

impl Said {
    /// Nothing.
    pub const NOTHING: Self = Self { tenant: Claim::Absent, has_tenant: false, unit: None, has_unit: false };

    fn of(tenants: &Tenants, [tenant, unit]: [Field<'_>; 2]) -> Self {
        if !tenant.present() && !unit.present() {
            return Self::NOTHING;
        }
        let claim = match tenant.value() {
            Value::Absent => Claim::Absent,
            Value::Mixed => Claim::Unknown,
            Value::One(value) => decode(value, &mut [0; MAX_VALUE])
                .and_then(|name| tenants.find(name))
                .map_or(Claim::Unknown, Claim::Known),
        };
        Self {
            tenant: claim,
            has_tenant: tenant.present(),
            unit: unit.one().and_then(Unit::parse),
            has_unit: unit.present(),
        }
    }
}

/// What is to become of a member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Member<'a> {
    /// It stays as it is, where it is.
    Keep,
    /// It says this.
    Set(&'a [u8]),
    /// It goes.
    #[default]
    Remove,
}

/// What is to become of both.
#[derive(Clone, Copy, Debug, Default)]
pub struct Write<'a> {
    /// The tenant's.
    pub tenant: Member<'a>,
    /// The unit's.
    pub unit: Member<'a>,
}

impl Carrier {
    fn of(shape: Shape, interest: &mut Interest) -> Option<Self> {
        Some(match shape {
            // Read by the roles themselves: it counts before all others.
            Shape::Tenant(_) => return None,
            Shape::List(list) if list == List::BAGGAGE => Self::Baggage(list),
            Shape::List(list) => Self::List(list, interest.ask_list(list.header)),
            Shape::Pair(pair) => {
                let asked = [&pair.tenant, &pair.unit].map(|name| interest.ask(name));
                Self::Pair(pair, asked)
            }
        })
    }

    fn read(&self, tenants: &Tenants, tenant: &[u8], seen: &Seen<'_>) -> Said {
        match self {
            Self::Baggage(list) => list.read(tenants, tenant, &seen.baggage),
            Self::List(list, asked) => match seen.list(*asked) {
                Some(lines) => list.read(tenants, tenant, lines),
                None => Said::NOTHING,
            },
            Self::Pair(_, asked) => Said::of(tenants, asked.map(|asked| seen.asked(asked))),
        }
    }

    /// Writes its members into a request.
    pub fn write<'p>(&'p self, tenant: &[u8], seen: &Seen<'_>, write: Write<'_>, edits: &mut Edits<'p>) {
        match self {
            Self::Baggage(list) => list.write(tenant, &seen.baggage.all(), false, write, edits),
            Self::List(list, asked) => {
                let lines = seen.list(*asked).map(Lines::all).unwrap_or_default();
                list.write(tenant, &lines, false, write, edits);
            }
            Self::Pair(pair, _) => pair.write(write, edits),
        }
    }
}

/// The carriers beside the tenant header that a plan reads and writes, W3C Baggage first, then as listed.
#[derive(Clone, Debug)]
pub struct Carriers {
    tenant: Box<[u8]>,
    list: Vec<Carrier>,
}

/// What each of them says, in the same order.
#[derive(Clone, Debug)]
pub struct AllSaid(Few<Said, 1>);

impl Carriers {
    /// Compiles them, and registers what it needs to see.
    #[must_use]
    #[inline(never)] // Large functions cost V8 the most: decision 15.
    pub fn new(tenant: &str, named: &[config::Carrier], interest: &mut Interest) -> Self {
        let shapes = Shape::every(tenant, named).into_iter().filter(|(_, is_written)| *is_written);
        let list = shapes.filter_map(|(shape, _)| Carrier::of(shape, interest)).collect();
        Self { tenant: tenant.to_ascii_lowercase().into_bytes().into(), list }
    }

    /// What they say.
    #[must_use]
    pub fn read(&self, tenants: &Tenants, seen: &Seen<'_>) -> AllSaid {
        AllSaid(self.list.iter().map(|carrier| carrier.read(tenants, &self.tenant, seen)).collect())
    }

    /// Each with what it said.
    pub fn with<'p, 's>(
        &'p self,
        said: &'s AllSaid,
    ) -> impl Iterator<Item = (&'p Carrier, Said)> + use<'p, 's> {
        self.list.iter().zip(said.0.iter())
    }
}

impl AllSaid {
    /// The tenant of the first one that names a declared one.
    #[must_use]
    pub fn tenant(&self) -> Option<TenantId> {
        self.0.iter().find_map(|said| said.tenant.known())
    }

    /// The unit of the first one that has a readable one.
    #[must_use]
    pub fn unit(&self) -> Option<Unit> {
        self.0.iter().find_map(|said| said.unit)
    }

    /// Does any of them name a declared tenant other than this one?
    #[must_use]
    pub fn contradicts(&self, tenant: TenantId) -> bool {
        self.0.iter().any(|said| said.tenant.known().is_some_and(|said| said != tenant))
    }
}
