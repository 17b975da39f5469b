//! What each of the four plugins does with a request.

pub mod gateway;
pub mod inbound;
pub mod leaving;
pub mod outbound;
mod resolve;
mod units;
