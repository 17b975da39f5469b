//! What the file leaves to others: routes, weights, the edge.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Deref;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer};

use super::edge::Edge;
use super::share::Share;

/// Who writes the VirtualService and the DestinationRule of a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Routing {
    /// graylane, from the file.
    #[default]
    Graylane,
    /// Something else, such as people, Argo Rollouts or Flagger. Nothing is rendered for the service; its keys in the file
    /// only serve `explain` and telemetry.
    External,
}

/// The word for weights that another controller sets.
const EXTERNAL: &str = "external";
/// The word for no edge.
const NONE: &str = "none";

/// Percent by canary, or the word `external`.
#[derive(Clone, Debug, Default)]
pub struct Weights {
    /// Percent by canary.
    pub shares: BTreeMap<String, Share>,
    /// Another controller sets them.
    pub external: bool,
}

impl Deref for Weights {
    type Target = BTreeMap<String, Share>;

    fn deref(&self) -> &Self::Target {
        &self.shares
    }
}

impl<'a> IntoIterator for &'a Weights {
    type Item = (&'a String, &'a Share);
    type IntoIter = std::collections::btree_map::Iter<'a, String, Share>;

    fn into_iter(self) -> Self::IntoIter {
        self.shares.iter()
    }
}

impl<'de> Deserialize<'de> for Weights {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let shares = deserializer.deserialize_any(WordOr::<BTreeMap<String, Share>>::new(EXTERNAL))?;
        Ok(Self { external: shares.is_none(), shares: shares.unwrap_or_default() })
    }
}

impl JsonSchema for Weights {
    fn schema_name() -> Cow<'static, str> {
        "Weights".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        word_or(EXTERNAL, &generator.subschema_for::<BTreeMap<String, Share>>())
    }
}

/// Reads an edge, or the word for no edge.
pub(super) fn edge<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Edge, D::Error> {
    let edge = deserializer.deserialize_any(WordOr::<Edge>::new(NONE))?;
    Ok(edge.unwrap_or_else(|| Edge { none: true, ..Edge::default() }))
}

/// The schema of an edge, or of that word.
pub(super) fn edge_schema(generator: &mut SchemaGenerator) -> Schema {
    word_or(NONE, &generator.subschema_for::<Edge>())
}

fn word_or(word: &str, other: &Schema) -> Schema {
    json_schema!({"anyOf": [{"type": "string", "enum": [word]}, other]})
}

/// Reads a map, or a word that stands for `None`.
struct WordOr<T> {
    word: &'static str,
    map: std::marker::PhantomData<T>,
}

impl<T> WordOr<T> {
    fn new(word: &'static str) -> Self {
        Self { word, map: std::marker::PhantomData }
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for WordOr<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a map or `{}`", self.word)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        if text == self.word {
            Ok(None)
        } else {
            Err(E::invalid_value(serde::de::Unexpected::Str(text), &self))
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Some)
    }
}
