//! Lines of the log, by the crate `log`.
//!
//! The crate proxy-wasm has a logger as well, which panics on any status of the host but "ok".

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::host;

struct Logger;

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        let level = match record.level() {
            Level::Trace => 0,
            Level::Debug => 1,
            Level::Info => 2,
            Level::Warn => 3,
            Level::Error => 4,
        };
        host::log(level, &record.args().to_string());
    }

    fn flush(&self) {}
}

/// Sends lines from `info` on to Envoy, which has a level of its own for them.
pub fn install() {
    if log::set_logger(&Logger).is_ok() {
        log::set_max_level(LevelFilter::Info);
    }
}
