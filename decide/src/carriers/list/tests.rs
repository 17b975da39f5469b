use super::*;
use crate::choice::sticky::Unit;
use crate::tenants::Claim;

fn lines<'a>(text: &[&'a str]) -> Lines<'a> {
    let mut lines = Lines::default();
    text.iter().for_each(|line| lines.add(line.as_bytes()));
    lines
}

fn tenants() -> Tenants {
    Tenants::new(&["gray-v1", "green", "x", "a", "b"].map(str::to_owned), "green").unwrap()
}

fn read(text: &[&str]) -> Said {
    List::BAGGAGE.read(&tenants(), b"tenant", &lines(text))
}

fn known(name: &str) -> Claim {
    tenants().find(name.as_bytes()).map_or(Claim::Unknown, Claim::Known)
}

fn member(value: Option<&str>) -> Member<'_> {
    value.map_or(Member::Remove, |value| Member::Set(value.as_bytes()))
}

fn rewritten(text: &[&str], tenant: Option<&str>, unit: Option<&str>) -> Option<String> {
    let write = Write { tenant: member(tenant), unit: member(unit) };
    let lines: Vec<&[u8]> = text.iter().map(|line| line.as_bytes()).collect();
    List::BAGGAGE.rewrite(b"tenant", &lines, write).map(|value| String::from_utf8(value).unwrap())
}

#[test]
fn our_members_are_found_whatever_surrounds_them() {
    let text = ["a=1;p=2, Tenant = gray%2Dv1 ;ttl=3,,b", "graylane-unit=00000000000000ff , tenantx=no"];
    let said = read(&text);
    assert_eq!((said.tenant, said.unit), (known("gray-v1"), Some(Unit(255))));
    for hidden in [",, \t TENANT=x", "a=1,\ttenant =x", "tenant=x", "t=1;tenant=no,tenant=x", "tenant=\"x\""]
    {
        assert_eq!(read(&[hidden]).tenant, known("x"), "{hidden}");
    }
    for others in ["a=tenant=x", "a;tenant=x", "tenant;a=x", "tenant", "", ",", "xtenant=x"] {
        assert_eq!(read(&[others]), Said::NOTHING, "{others}");
    }
    assert_eq!(read(&["tenant=a,tenant=b"]).tenant, Claim::Unknown);
    assert_eq!(read(&["tenant=a,tenant=a"]).tenant, known("a"));
    assert!(read(&["tenant="]).has_tenant);
}

#[test]
fn others_members_pass_byte_for_byte_and_ours_come_first() {
    let text = ["k = v ; p=\"1\",tenant=old", "graylane-unit=1,junk"];
    let unit = Some("00000000000000ff");
    assert_eq!(
        rewritten(&text, Some("gray-v1"), unit).as_deref(),
        Some("tenant=gray-v1,graylane-unit=00000000000000ff,k = v ; p=\"1\",junk")
    );
    assert_eq!(rewritten(&["tenant=x"], None, None).as_deref(), Some(""));
    assert_eq!(rewritten(&["k=v"], None, None), None, "nothing changes");
    assert_eq!(rewritten(&["a;tenant=x,tenant"], None, None), None, "a property, and a key without a value");
}

#[test]
fn a_member_that_is_kept_stays_where_it_is() {
    let lines: [&[u8]; 1] = [b"k=v,tenant=odd ;p,graylane-unit=1"];
    let write = Write { tenant: Member::Keep, unit: Member::Set(b"00000000000000ff") };
    let value = List::BAGGAGE.rewrite(b"tenant", &lines, write).unwrap();
    assert_eq!(value, b"graylane-unit=00000000000000ff,k=v,tenant=odd ;p");
}

#[test]
fn nothing_is_added_beyond_what_every_hop_must_carry() {
    let many = vec!["k=v"; 64].join(",");
    assert_eq!(rewritten(&[&many], Some("gray"), None), None);
    assert_eq!(rewritten(&[&many[4..]], Some("gray"), None).map(|value| value.len()), Some(many.len() + 8));
    let long = format!("k={}", "v".repeat(9000));
    assert_eq!(rewritten(&[&long], Some("gray"), None), None);
    let same_size = rewritten(&[&long, "tenant=green"], Some("gray"), None);
    assert_eq!(same_size, Some(format!("tenant=gray,{long}")), "what was there may be replaced");
    let grown = rewritten(&[&long, "tenant=x"], Some("partner-acme"), None);
    assert_eq!(grown, Some(long), "or is at least taken away");
}
