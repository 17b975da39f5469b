//! The ids by which requests of one causal chain are recognised, as the configuration names them.

use serde::Serialize;
use serde_json::Value;

use crate::read::{Read, Reader};

/// What an id is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdKind {
    /// `x-request-id`.
    RequestId,
    /// `traceparent` of W3C Trace Context.
    W3c,
    /// `b3` or `x-b3-traceid` of Zipkin.
    B3,
    /// `x-datadog-trace-id`.
    Datadog,
    /// `x-amzn-trace-id` of AWS X-Ray.
    Xray,
    /// `uber-trace-id` of Jaeger.
    Jaeger,
    /// `x-cloud-trace-context` of Google Cloud.
    CloudTrace,
    /// `sw8` of SkyWalking.
    Skywalking,
    /// `grpc-trace-bin` of OpenCensus.
    GrpcTraceBin,
    /// A header of the user's own: [`Id::header`].
    Header,
}

/// An id by which requests of one causal chain are recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Id {
    /// What it is.
    pub kind: IdKind,
    /// Name of the header, lower case; of [`IdKind::Header`] alone.
    pub header: String,
    /// Does a gateway let the outside choose it? Of those that are not on the default list.
    pub keep: bool,
}

impl IdKind {
    /// Those that have a word of their own.
    pub const WORDS: [Self; 9] = [
        Self::RequestId,
        Self::W3c,
        Self::B3,
        Self::Datadog,
        Self::Xray,
        Self::Jaeger,
        Self::CloudTrace,
        Self::Skywalking,
        Self::GrpcTraceBin,
    ];

    /// Its word, and that of an object that names a header.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::RequestId => "request-id",
            Self::W3c => "w3c",
            Self::B3 => "b3",
            Self::Datadog => "datadog",
            Self::Xray => "xray",
            Self::Jaeger => "jaeger",
            Self::CloudTrace => "cloud-trace",
            Self::Skywalking => "skywalking",
            Self::GrpcTraceBin => "grpc-trace-bin",
            Self::Header => "header",
        }
    }

    /// The headers that carry it, lower case; none of [`IdKind::Header`].
    #[must_use]
    pub fn headers(self) -> &'static [&'static str] {
        match self {
            Self::RequestId => &["x-request-id"],
            Self::W3c => &["traceparent"],
            Self::B3 => &["b3", "x-b3-traceid"],
            Self::Datadog => &["x-datadog-trace-id"],
            Self::Xray => &["x-amzn-trace-id"],
            Self::Jaeger => &["uber-trace-id"],
            Self::CloudTrace => &["x-cloud-trace-context"],
            Self::Skywalking => &["sw8"],
            Self::GrpcTraceBin => &["grpc-trace-bin"],
            Self::Header => &[],
        }
    }

    /// Is it one that graylane looks at by itself? All others were named by a user, and can be shared by many requests.
    #[must_use]
    pub fn is_default(self) -> bool {
        match self {
            Self::RequestId | Self::W3c | Self::B3 => true,
            Self::Datadog
            | Self::Xray
            | Self::Jaeger
            | Self::CloudTrace
            | Self::Skywalking
            | Self::GrpcTraceBin
            | Self::Header => false,
        }
    }
}

impl Id {
    /// One that has a word.
    #[must_use]
    pub fn word(kind: IdKind) -> Self {
        Self { kind, header: String::new(), keep: false }
    }

    /// A header of the user's own.
    #[must_use]
    pub fn header(name: &str) -> Self {
        Self { kind: IdKind::Header, header: name.to_ascii_lowercase(), keep: false }
    }

    /// What is looked at where a file says nothing.
    #[must_use]
    pub fn default_list() -> Vec<Self> {
        [IdKind::RequestId, IdKind::W3c, IdKind::B3].map(Self::word).into()
    }

    /// The headers that carry it, lower case.
    pub fn headers(&self) -> impl Iterator<Item = &str> {
        let own = (self.kind == IdKind::Header).then_some(self.header.as_str());
        self.kind.headers().iter().copied().chain(own)
    }

    /// Is it to be removed where the outside comes in?
    #[must_use]
    pub fn is_refused(&self) -> bool {
        !self.keep && !self.kind.is_default()
    }
}

/// An id as it is written: a word, or an object.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "document", derive(serde::Deserialize))]
#[serde(untagged)]
enum Written {
    Word(String),
    Object(WrittenObject),
}

/// A header of your own, or one of the words with `keep`.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "document", derive(schemars::JsonSchema, serde::Deserialize), serde(default))]
#[cfg_attr(feature = "document", schemars(rename = "OtherId"))]
#[serde(deny_unknown_fields)]
struct WrittenObject {
    /// Name of a header whose value is an id: `x-correlation-id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<String>,
    /// One of the words.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// Let callers outside choose it. Without this the gateway removes it: an id that an outside caller chooses can be
    /// another user's.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    keep: bool,
}

impl Serialize for Id {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (word, keep) = (self.kind.word().to_owned(), self.keep);
        let written = match self.kind {
            IdKind::Header => {
                Written::Object(WrittenObject { header: Some(self.header.clone()), id: None, keep })
            }
            _ if keep => Written::Object(WrittenObject { header: None, id: Some(word), keep }),
            _ => Written::Word(word),
        };
        written.serialize(serializer)
    }
}

#[cfg(feature = "document")]
impl<'de> serde::Deserialize<'de> for Id {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let named = |word: &str| {
            let kind = IdKind::WORDS.into_iter().find(|kind| kind.word() == word);
            let words = IdKind::WORDS.map(IdKind::word).join(", ");
            kind.ok_or_else(|| {
                D::Error::custom(format!("unknown id `{word}`, expected one of {words}, or {{header: NAME}}"))
            })
        };
        match Written::deserialize(deserializer)? {
            Written::Word(word) => Ok(Self::word(named(&word)?)),
            Written::Object(WrittenObject { header: Some(header), id: None, keep }) => {
                Ok(Self { keep, ..Self::header(&header) })
            }
            Written::Object(WrittenObject { header: None, id: Some(word), keep }) => {
                Ok(Self { keep, ..Self::word(named(&word)?) })
            }
            Written::Object(_) => Err(D::Error::custom("expected either `header` or `id`")),
        }
    }
}

#[cfg(feature = "document")]
impl schemars::JsonSchema for Id {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Id".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let words = IdKind::WORDS.map(IdKind::word);
        let object = generator.subschema_for::<WrittenObject>();
        schemars::json_schema!({"anyOf": [{"type": "string", "enum": words}, object]})
    }
}

fn read_word(value: &Value, reader: &mut Reader) -> Option<Id> {
    let place = reader.word(value, &IdKind::WORDS.map(IdKind::word))?;
    IdKind::WORDS.get(place).copied().map(Id::word)
}

impl Read for Id {
    fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
        if !value.is_object() {
            return read_word(value, reader);
        }
        reader.refuse_others(value, &["header", "id", "keep"])?;
        let keep = reader.field(value, "keep", Some(|| false))?;
        let id = match value.get("header") {
            Some(_) => Self::header(&reader.field::<String>(value, "header", None)?),
            None => read_word(value.get("id").unwrap_or(&Value::Null), reader)?,
        };
        Some(Self { keep, ..id })
    }
}
