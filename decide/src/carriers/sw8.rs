//! SkyWalking's correlation context: `<key>:<value>,<key>:<value>`, each in Base64.

use super::Said;
use super::members::{MAX_VALUE, Own, of};
use crate::base64;
use crate::choice::sticky::Unit;
use crate::request::field::Lines;
use crate::tenants::{Claim, Tenants};

/// Room for a key or a value of ours; longer ones are not ours.
const SPACE: usize = 192;

fn parts(member: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = member.iter().position(|byte| *byte == b':')?;
    let (key, value) = member.split_at_checked(colon)?;
    Some((key.trim_ascii(), value.get(1..)?.trim_ascii()))
}

/// Calls with the key of a member, decoded; None if it is not Base64.
pub fn with_key<T>(member: &[u8], then: impl FnOnce(&[u8]) -> T) -> Option<T> {
    let (key, _) = parts(member)?;
    base64::decode(key, &mut [0; SPACE]).map(|key| then(key.trim_ascii()))
}

/// Which of ours a member is.
pub fn own(member: &[u8], tenant: &[u8]) -> Option<Own> {
    with_key(member, |key| Own::named(key, tenant)).flatten()
}

/// Writes a member.
pub fn encode(key: &[u8], value: &[u8], onto: &mut Vec<u8>) {
    base64::encode(key, onto);
    onto.push(b':');
    base64::encode(value, onto);
}

/// What our members say. Several that differ say nothing that is known.
pub fn read(tenants: &Tenants, tenant: &[u8], lines: &Lines<'_>) -> Said {
    let mut said = Said::NOTHING;
    for member in lines.iter().flat_map(of) {
        let Some(own) = own(member, tenant) else { continue };
        let mut space = [0; MAX_VALUE + 3];
        let value =
            parts(member).and_then(|(_, value)| base64::decode(value, &mut space)).map(<[u8]>::trim_ascii);
        match own {
            Own::Tenant => {
                let claim = value.and_then(|name| tenants.find(name)).map_or(Claim::Unknown, Claim::Known);
                said.tenant = if said.has_tenant && said.tenant != claim { Claim::Unknown } else { claim };
                said.has_tenant = true;
            }
            Own::Unit => {
                let unit = value.and_then(Unit::parse);
                said.unit = if said.has_unit && said.unit != unit { None } else { unit };
                said.has_unit = true;
            }
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_read_as_they_are_written() {
        let tenants = Tenants::new(&["gray-v1".to_owned(), "green".to_owned()], "green").unwrap();
        let mut value = b"Zm9v:YmFy,".to_vec();
        encode(b"tenant", b"gray-v1", &mut value);
        value.push(b',');
        encode(b"graylane-unit", b"00000000000000ff", &mut value);
        assert_eq!(value, b"Zm9v:YmFy,dGVuYW50:Z3JheS12MQ==,Z3JheWxhbmUtdW5pdA==:MDAwMDAwMDAwMDAwMDBmZg==");
        let mut lines = Lines::default();
        lines.add(&value);
        let said = read(&tenants, b"tenant", &lines);
        assert_eq!(said.tenant.known(), tenants.find(b"gray-v1"));
        assert_eq!(said.unit, Some(Unit(255)));
        lines.add(b"VEVOQU5U:Z3JlZW4=");
        assert_eq!(read(&tenants, b"tenant", &lines).tenant, Claim::Unknown, "two that differ");
    }
}
