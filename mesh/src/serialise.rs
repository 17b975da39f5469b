//! Values of ours as YAML and JSON. All of them are text, numbers, lists and maps with text as keys, which both formats can
//! express: an error would be a defect in a type, so there is none to handle.

use serde::Serialize;
use serde_json::Value as Json;
use serde_saphyr::SerializerOptions;

const REASON: &str = "text, numbers, lists and maps can be written";

/// As YAML.
#[must_use]
pub fn yaml<T: Serialize>(value: &T) -> String {
    serde_saphyr::to_string(value).expect(REASON)
}

/// As YAML with one line a text, however long: people grep and diff it.
#[must_use]
pub fn flat_yaml<T: Serialize>(value: &T) -> String {
    let mut options = SerializerOptions::default();
    options.prefer_block_scalars = false;
    serde_saphyr::to_string_with_options(value, options).expect(REASON)
}

/// As JSON in one line.
#[must_use]
pub fn json_text<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect(REASON)
}

/// As JSON.
#[must_use]
pub fn json<T: Serialize>(value: &T) -> Json {
    serde_json::to_value(value).expect(REASON)
}
