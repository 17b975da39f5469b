//! The declared tenants, and what a value stands for among them.

use xxhash_rust::xxh64::xxh64;

use crate::request::field::{Field, Value};
use crate::sorted;

/// A declared tenant, by its place in [`Tenants`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TenantId(u16);

impl TenantId {
    /// Its place.
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// A tenant's name, hashed: what the memory stores, since places change with the configuration. Never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tag(pub u64);

impl Tag {
    fn of(name: &[u8]) -> Self {
        Self(xxh64(name, 0).max(1))
    }
}

/// What a value says about the tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Nothing.
    Absent,
    /// A declared tenant.
    Known(TenantId),
    /// Something that is not declared, or several different values.
    Unknown,
}

impl Claim {
    /// The declared tenant, if it is one.
    #[must_use]
    pub fn known(self) -> Option<TenantId> {
        match self {
            Self::Known(tenant) => Some(tenant),
            Self::Absent | Self::Unknown => None,
        }
    }
}

#[derive(Clone, Debug)]
struct Tenant {
    name: Box<str>,
    tag: Tag,
    carries_unit: bool,
}

/// All declared tenants, in byte order of their names.
#[derive(Clone, Debug)]
pub struct Tenants {
    list: Vec<Tenant>,
    default: TenantId,
}

impl Tenants {
    /// From the declared names and the default one; none if the default is not declared, or there are over 65,535.
    #[must_use]
    #[inline(never)] // Large functions cost V8 the most: decision 15.
    pub fn new(names: &[String], default: &str) -> Option<Self> {
        let mut ordered: Vec<&str> = Vec::with_capacity(names.len());
        names.iter().for_each(|name| sorted::insert(&mut ordered, name));
        let tenant =
            |name: &str| Tenant { name: name.into(), tag: Tag::of(name.as_bytes()), carries_unit: false };
        let list: Vec<Tenant> = ordered.into_iter().map(tenant).collect();
        u16::try_from(list.len()).ok()?;
        let mut tenants = Self { list, default: TenantId(0) };
        tenants.default = tenants.find(default.as_bytes())?;
        Some(tenants)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Never: there is a default.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All of them, in byte order of their names.
    pub fn ids(&self) -> impl Iterator<Item = TenantId> + '_ {
        (0..self.list.len()).filter_map(|index| u16::try_from(index).ok()).map(TenantId)
    }

    /// The tenant of a live user.
    #[must_use]
    pub fn default_id(&self) -> TenantId {
        self.default
    }

    /// The tenant of that name. Values do not fold case.
    #[must_use]
    pub fn find(&self, name: &[u8]) -> Option<TenantId> {
        let place = self.list.binary_search_by(|tenant| tenant.name.as_bytes().cmp(name)).ok()?;
        u16::try_from(place).ok().map(TenantId)
    }

    /// The tenant of that tag.
    #[must_use]
    pub fn tagged(&self, tag: Tag) -> Option<TenantId> {
        let place = self.list.iter().position(|tenant| tenant.tag == tag)?;
        u16::try_from(place).ok().map(TenantId)
    }

    /// A tenant's name.
    #[must_use]
    pub fn name(&self, id: TenantId) -> &str {
        self.list.get(id.index()).map_or("", |tenant| &tenant.name)
    }

    /// A tenant's tag.
    #[must_use]
    pub fn tag(&self, id: TenantId) -> Tag {
        self.list.get(id.index()).map_or(Tag(1), |tenant| tenant.tag)
    }

    /// Does this tenant take part in any rollout, so that its requests carry a unit?
    #[must_use]
    pub fn carries_unit(&self, id: TenantId) -> bool {
        self.list.get(id.index()).is_some_and(|tenant| tenant.carries_unit)
    }

    /// From now on this tenant's requests carry a unit.
    pub fn let_carry_unit(&mut self, id: TenantId) {
        if let Some(tenant) = self.list.get_mut(id.index()) {
            tenant.carries_unit = true;
        }
    }

    /// What a header says.
    #[must_use]
    pub fn claim(&self, field: &Field<'_>) -> Claim {
        match field.value() {
            Value::Absent => Claim::Absent,
            Value::Mixed => Claim::Unknown,
            Value::One(value) => self.find(value).map_or(Claim::Unknown, Claim::Known),
        }
    }
}
