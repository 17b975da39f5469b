//! What a request carries, read out of its headers.

pub mod authority;
pub mod cluster;
pub mod cookie;
pub mod field;
pub mod gathered;
pub mod headers;
pub mod query;
pub mod spelling;
