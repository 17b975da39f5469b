//! Where a request goes: destinations with their pins and rollouts, and the units that users are placed by.

pub mod destination;
pub mod key;
pub mod keyed;
pub mod placement;
pub mod sticky;
