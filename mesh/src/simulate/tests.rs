use std::collections::BTreeMap;

use graylane_decide::config::End;
use proptest::prelude::*;

use super::*;

fn weight(subset: &str, buckets: u16, from: End) -> Weight {
    Weight { subset: subset.to_owned(), buckets, from }
}

fn crowd(salt: &str, count: u64) -> Users {
    made(
        Users::none(
            graylane_decide::choice::keyed::Units::Open(graylane_decide::choice::sticky::Seed::of("shop")),
            salt,
        ),
        count,
    )
}

#[test]
fn two_services_of_one_salt_agree_and_of_two_do_not() {
    let users = crowd("release-42", 100_000);
    assert_eq!(users.by_bucket, crowd("release-42", 100_000).by_bucket);
    assert_ne!(users.by_bucket, crowd("release-43", 100_000).by_bucket);
}

#[test]
fn a_second_canary_at_the_same_end_moves_the_first_and_that_is_counted() {
    let (before, after) = (
        [weight("a", 1000, End::Bottom), weight("b", 1000, End::Bottom)],
        [weight("a", 2000, End::Bottom), weight("b", 1000, End::Bottom)],
    );
    let moves = moves(&Layout::of("stable", &before), &Layout::of("stable", &after), &[1; 10_000]);
    assert_eq!((moves.moved, moves.moved_back), (2000, 1000));
    assert_eq!(
        moves.before,
        BTreeMap::from([("a".into(), 1000), ("b".into(), 1000), ("stable".into(), 8000)])
    );
    let matrix: Vec<_> = moves.matrix.iter().map(|way| (&*way.from, &*way.to, way.users)).collect();
    assert_eq!(matrix, [("b", "a", 1000), ("stable", "b", 1000)]);
}

#[test]
fn settings_are_read_as_people_write_them() {
    let read = |text: &str| settings(text).map(|setting| (setting.subset, setting.buckets, setting.from));
    assert_eq!(read("canary=50"), Ok((Some("canary".into()), 5000, None)));
    assert_eq!(read("0.5"), Ok((None, 50, None)));
    assert_eq!(read("cheap=2.5%@top"), Ok((Some("cheap".into()), 250, Some(End::Top))));
    for wrong in
        ["canary", "canary=", "=5", "canary=101", "canary=-1", "canary=0.001", "canary=5@left", "NaN"]
    {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}

/// Users of every case of the properties, hashed once.
const USERS: u64 = 100_000;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Shares are within 6 standard deviations of the weight, for any salt: chance goes beyond it once in 500 million shares.
    #[test]
    fn shares_are_as_the_weights_say(salt in "[a-z]{1,8}-[0-9]{1,3}", bottom in 0u16..=5000, top in 0u16..=5000) {
        let weights = [weight("a", bottom, End::Bottom), weight("b", top, End::Top)];
        let layout = Layout::of("stable", &weights);
        let moves = moves(&layout, &layout, &crowd(&salt, USERS).by_bucket);
        prop_assert_eq!((moves.users, moves.moved), (USERS, 0));
        for (subset, buckets) in [("a", bottom), ("b", top), ("stable", 10_000 - bottom - top)] {
            let p = f64::from(buckets) / 10_000.0;
            let is = moves.after[subset] as f64 / USERS as f64;
            prop_assert!((is - p).abs() <= 6.0 * (p * (1.0 - p) / USERS as f64).sqrt(), "{}: {} for {}", subset, is, p);
        }
    }

    /// With one canary at each end, raising a weight moves users from the baseline to that canary only.
    #[test]
    fn raising_a_weight_moves_only_users_of_the_baseline(
        salt in "[a-z]{1,8}", bottom in 0u16..=4000, top in 0u16..=4000, rise in 1u16..=2000, of_top: bool,
    ) {
        let users = crowd(&salt, USERS).by_bucket;
        let weights = |bottom, top| Layout::of("stable", &[weight("a", bottom, End::Bottom), weight("b", top, End::Top)]);
        let before = weights(bottom, top);
        let after = if of_top { weights(bottom, top + rise) } else { weights(bottom + rise, top) };
        let up = moves(&before, &after, &users);
        let way = |from: &str, to: &str| Move { from: from.into(), to: to.into(), users: up.moved };
        let canary = if of_top { "b" } else { "a" };
        prop_assert!(up.moved > 0 && up.moved_back == 0);
        prop_assert_eq!(&up.matrix, &[way("stable", canary)]);
        let down = moves(&after, &before, &users);
        prop_assert_eq!(&down.matrix, &[way(canary, "stable")]);
        prop_assert_eq!(down.moved_back, 0, "who leaves a canary that shrinks does not move back against its weight");
    }
}
