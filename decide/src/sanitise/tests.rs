use super::*;
use crate::carriers::Member;
use crate::edits::Change;

type Header = (&'static str, &'static str);

fn sanitiser(named: &[config::Carrier]) -> Sanitiser {
    let mut sanitiser = Sanitiser::new("X-Lane", named);
    sanitiser.refuse(b"x-user-role", true);
    sanitiser.refuse(b"x-correlation-id", false);
    sanitiser
}

fn pairs(headers: &[Header]) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
    headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()))
}

/// The headers after all edits.
fn after(headers: &[Header], edits: &Edits<'_>) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut all: Vec<(String, String)> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    for edit in edits.iter() {
        let name = text(&edit.name);
        all.retain(|(is, _)| *is != name);
        if let Change::Set(value) = &edit.change {
            all.push((name, text(value)));
        }
    }
    all
}

fn left(scope: Scope, headers: &[Header]) -> Vec<String> {
    let sanitiser = sanitiser(&[config::Carrier::Header("x-any".to_owned())]);
    let edits = sanitiser.take_off(scope, pairs(headers));
    after(headers, &edits).into_iter().map(|(name, value)| format!("{name}: {value}")).collect()
}

const OURS: [Header; 15] = [
    ("x-lane", "gray-v1"),
    ("x_lane", "gray-v1"),
    ("x.lane", "gray-v1"),
    ("x-graylane-subset", "a/b"),
    ("x_graylane~unit", "1"),
    ("ot-baggage-x-lane", "gray-v1"),
    ("ot_baggage_x_lane", "gray-v1"),
    ("ot-baggage-%78-lane", "gray-v1"),
    ("uberctx-graylane-unit", "00000000000000ff"),
    ("x-any", "gray-v1"),
    ("x-any-graylane-unit", "00000000000000ff"),
    ("correlation_context", "x-lane=gray-v1"),
    ("sw8-correlation", "eC1sYW5l:Z3JheS12MQ=="),
    ("correlation-context", "x-lane=gray-v1"),
    ("baggage", "x-lane=gray-v1,graylane-unit=00000000000000ff"),
];

#[test]
fn every_carrier_is_taken_off_whether_named_or_not_and_all_else_stays() {
    let fine = [
        ("accept", "*/*"),
        ("x-lanes", "2"),
        ("ot-baggage-session", "5"),
        ("uberctx-x", "y"),
        ("sw8-correlation", "Zm9v:YmFy"),
        ("baggage", "session=5"),
        ("x-user-roles", "a"),
    ];
    for scope in [Scope::Entering, Scope::Leaving] {
        assert_eq!(left(scope, &OURS), [""; 0], "{scope:?}");
        let all: Vec<String> = fine.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        assert_eq!(left(scope, &fine), all, "{scope:?}");
    }
}

#[test]
fn headers_that_the_file_removes_are_removed_from_outside_requests_only() {
    let headers = [("x-user-role", "admin"), ("x.user_role", "admin"), ("x-correlation-id", "7")];
    assert_eq!(left(Scope::Entering, &headers), [""; 0]);
    assert_eq!(left(Scope::Observed, &headers), ["x-correlation-id: 7"]);
    assert_eq!(left(Scope::Leaving, &headers).len(), 3);
}

#[test]
fn observing_takes_only_what_graylane_alone_gives_a_meaning_to() {
    let left = left(Scope::Observed, &OURS);
    assert_eq!(
        left,
        [
            "x-lane: gray-v1",
            "x_lane: gray-v1",
            "x.lane: gray-v1",
            "ot-baggage-x-lane: gray-v1",
            "ot_baggage_x_lane: gray-v1",
            "ot-baggage-%78-lane: gray-v1",
            "x-any: gray-v1",
            "correlation_context: x-lane=gray-v1",
            "sw8-correlation: eC1sYW5l:Z3JheS12MQ==",
            "correlation-context: x-lane=gray-v1",
            "baggage: x-lane=gray-v1",
        ]
    );
}

#[test]
fn what_would_go_is_told() {
    let would = |headers: &[Header]| {
        let sanitiser = sanitiser(&[]);
        let found = sanitiser.find(Scope::Observed, pairs(headers));
        sanitiser.clean(Scope::Observed, found, Write::default(), &mut Edits::default())
    };
    for (headers, wanted) in [
        (&OURS[..1], true),
        (&OURS[1..2], true),
        (&OURS[3..5], false),
        (&OURS[14..], true),
        (&[("baggage", "a=1")][..], false),
        (&[("accept", "*/*")][..], false),
    ] {
        assert_eq!(would(headers), wanted, "{headers:?}");
    }
}

#[test]
fn each_carrier_in_use_is_written_and_the_others_are_not() {
    let sanitiser = sanitiser(&[config::Carrier::Uberctx, config::Carrier::Sw8Correlation]);
    let headers = [("baggage", "a=1,x-lane=gray-v1"), ("correlation-context", "b=2,x-lane=gray-v1")];
    let found = sanitiser.find(Scope::Entering, pairs(&headers));
    let write = Write { tenant: Member::Remove, unit: Member::Set(b"00000000000000ff") };
    let mut edits = Edits::default();
    sanitiser.clean(Scope::Entering, found, write, &mut edits);
    let after: Vec<String> =
        after(&headers, &edits).into_iter().map(|(name, value)| format!("{name}: {value}")).collect();
    assert_eq!(
        after,
        [
            "baggage: graylane-unit=00000000000000ff,a=1",
            "uberctx-graylane-unit: 00000000000000ff",
            "sw8-correlation: Z3JheWxhbmUtdW5pdA==:MDAwMDAwMDAwMDAwMDBmZg==",
            "correlation-context: b=2",
        ]
    );
}

#[test]
fn a_list_that_has_no_room_for_ours_is_cleaned_all_the_same() {
    let many: String = vec!["k=v"; 62].join(",");
    let value = format!("{many},x-lane=gray-v1,a=1").leak();
    let headers: [Header; 1] = [("baggage", value)];
    let sanitiser = sanitiser(&[]);
    let found = sanitiser.find(Scope::Entering, pairs(&headers));
    let write = Write { tenant: Member::Set(b"green"), unit: Member::Set(b"00000000000000ff") };
    let mut edits = Edits::default();
    sanitiser.clean(Scope::Entering, found, write, &mut edits);
    assert_eq!(after(&headers, &edits), [("baggage".to_owned(), format!("{many},a=1"))]);
}

#[test]
fn trailers_go_by_their_names() {
    let trailers = [("x-lane", "a"), ("x_user_role", "admin"), ("baggage", "a=1"), ("grpc-status", "0")];
    let removed = |scope| {
        let edits = sanitiser(&[]).trailers(scope, pairs(&trailers));
        edits.iter().map(|edit| String::from_utf8_lossy(&edit.name).into_owned()).collect::<Vec<_>>()
    };
    assert_eq!(removed(Scope::Entering), ["x-lane", "x_user_role", "baggage"]);
    assert_eq!(removed(Scope::Observed), ["x_user_role"]);
}
