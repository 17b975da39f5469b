//! Which ids a plan looks at, and how each is read.

use super::trace::{
    from_b3, from_b3_trace, from_cloud_trace, from_datadog, from_grpc_trace_bin, from_jaeger,
    from_traceparent, from_xray,
};
use super::{Id, Ids, MAX_VALUE, RequestId, TraceId};
use crate::config;
use crate::request::headers::{Asked, Interest, Seen};

/// A kind of id, compiled: an arm for each that [`config::IdKind`] has.
#[derive(Clone, Debug)]
enum Kind {
    Request,
    W3c,
    B3,
    Trace(Asked, fn(&[u8]) -> Option<TraceId>),
    /// The trace id of `sw8`, its second part.
    Skywalking(Asked),
    Header(Asked, Box<[u8]>),
}

/// The ids of a configuration, compiled.
#[derive(Clone, Debug)]
pub struct Kinds {
    list: Vec<Kind>,
    /// Did the user name any beyond the default ones?
    has_named: bool,
}

impl Kinds {
    /// Compiles them, and registers what it needs to see.
    #[must_use]
    #[inline(never)] // Large functions cost V8 the most: decision 15.
    pub fn new(ids: &[config::Id], interest: &mut Interest) -> Self {
        use config::IdKind as From;
        let list = ids.iter().map(|id| match id.kind {
            From::RequestId => Kind::Request,
            From::W3c => Kind::W3c,
            From::B3 => Kind::B3,
            From::Datadog => Kind::Trace(interest.ask("x-datadog-trace-id"), from_datadog),
            From::Xray => Kind::Trace(interest.ask("x-amzn-trace-id"), from_xray),
            From::Jaeger => Kind::Trace(interest.ask("uber-trace-id"), from_jaeger),
            From::CloudTrace => Kind::Trace(interest.ask("x-cloud-trace-context"), from_cloud_trace),
            From::GrpcTraceBin => Kind::Trace(interest.ask("grpc-trace-bin"), from_grpc_trace_bin),
            From::Skywalking => Kind::Skywalking(interest.ask("sw8")),
            From::Header => Kind::Header(interest.ask(&id.header), id.header.as_bytes().into()),
        });
        Self { list: list.collect(), has_named: ids.iter().any(|id| !id.kind.is_default()) }
    }

    /// Did the user name any beyond the default ones?
    #[must_use]
    pub fn has_named(&self) -> bool {
        self.has_named
    }

    /// The ids of a request.
    #[must_use]
    pub fn of<'a>(&'a self, seen: &Seen<'a>) -> Ids<'a> {
        self.list.iter().filter_map(|kind| kind.read(seen)).collect()
    }

    /// Those of them that the user named: a batch, a topic or a client can share them among many requests.
    #[must_use]
    pub fn named<'a>(&'a self, seen: &Seen<'a>) -> Ids<'a> {
        self.list.iter().filter(|kind| kind.is_named()).filter_map(|kind| kind.read(seen)).collect()
    }
}

impl Kind {
    fn is_named(&self) -> bool {
        match self {
            Self::Request | Self::W3c | Self::B3 => false,
            Self::Trace(..) | Self::Skywalking(_) | Self::Header(..) => true,
        }
    }

    fn read<'a>(&'a self, seen: &Seen<'a>) -> Option<Id<'a>> {
        match self {
            Self::Request => seen.request_id.one().and_then(RequestId::parse).map(Id::Request),
            Self::W3c => seen.traceparent.one().and_then(from_traceparent).map(Id::Trace),
            Self::B3 => {
                let single = seen.b3.one().and_then(from_b3);
                single.or_else(|| seen.b3_trace.one().and_then(from_b3_trace)).map(Id::Trace)
            }
            Self::Trace(asked, read) => seen.asked(*asked).one().and_then(read).map(Id::Trace),
            Self::Skywalking(asked) => {
                // `1-<trace id>-<segment>-…`, the trace id in Base64 (SkyWalking's cross-process protocol 3.0).
                let value = whole(seen.asked(*asked).one()?)?;
                let trace = value.split(|byte| *byte == b'-').nth(1)?;
                (!trace.is_empty()).then_some(Id::Whole { kind: b"sw8", value: trace })
            }
            Self::Header(asked, name) => {
                Some(Id::Whole { kind: name, value: whole(seen.asked(*asked).one()?)? })
            }
        }
    }
}

/// A value that can be an id: not over-long, and no list.
fn whole(value: &[u8]) -> Option<&[u8]> {
    (value.len() <= MAX_VALUE && !value.contains(&b',')).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Id as Named, IdKind};

    fn ids(named: &[Named], headers: &[(&str, &str)], then: impl FnOnce(&Ids<'_>)) {
        let mut interest = Interest::new("tenant");
        let kinds = Kinds::new(named, &mut interest);
        let headers = headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let seen = Seen::walk(&interest, headers);
        then(&kinds.of(&seen));
    }

    #[test]
    fn notations_of_one_trace_are_one_id() {
        let kinds = [IdKind::W3c, IdKind::B3, IdKind::Datadog].map(Named::word);
        let headers = [
            ("traceparent", "00-26f5175124b5191aa5273fdf79d7bba9-b7ad6b7169203331-01"),
            ("x-b3-traceid", "a5273fdf79d7bba9"),
            ("x-datadog-trace-id", "11900550769404263337"),
        ];
        ids(&kinds, &headers, |ids| assert_eq!(ids.iter().count(), 1));
        ids(&kinds, &[headers[0], ("x-datadog-trace-id", "7")], |ids| assert_eq!(ids.iter().count(), 2));
    }

    #[test]
    fn a_list_a_blank_or_an_over_long_value_does_not_count_as_an_id() {
        let header = Named::header("X-Correlation-Id");
        let none = |value: &str| {
            ids(std::slice::from_ref(&header), &[("x-correlation-id", value)], |ids| {
                assert!(ids.is_empty(), "{value}");
            });
        };
        none("a,b");
        none(" ");
        none(&"x".repeat(257));
        ids(std::slice::from_ref(&header), &[("x-correlation-id", "corr-77")], |ids| {
            let id = Id::Whole { kind: b"x-correlation-id", value: b"corr-77" };
            assert_eq!(ids.iter().collect::<Vec<_>>(), [id]);
        });
        ids(std::slice::from_ref(&header), &[("x-correlation-id", "a"), ("x-correlation-id", "b")], |ids| {
            assert!(ids.is_empty());
        });
    }

    #[test]
    fn skywalking_is_its_trace_id_whatever_the_segment() {
        let of = |value: &str, then: &mut dyn FnMut(Vec<Vec<u8>>)| {
            ids(&[Named::word(IdKind::Skywalking)], &[("sw8", value)], |ids| {
                then(ids.iter().map(|id| format!("{id:?}").into_bytes()).collect());
            });
        };
        let (mut a, mut b) = (Vec::new(), Vec::new());
        of("1-TRACEIDAAA=-SEG-3-UEFS-UEFS-L3g=-eHg=", &mut |ids| a = ids);
        of("1-TRACEIDAAA=-SEG2-0-UEFS-UEFS-L3g=-eHg=", &mut |ids| b = ids);
        assert!(!a.is_empty());
        assert_eq!(a, b);
        of("1", &mut |ids| assert!(ids.is_empty()));
    }
}
