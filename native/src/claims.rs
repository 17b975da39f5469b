//! Claims of a verified token. The ABI reads texts at the top of dynamic metadata and nothing below, so that Envoy's own
//! filter `set_filter_state` writes the payload as JSON into filter state before us, where a client cannot write either.

use graylane_decide::names;
use serde_json::Value;

/// The steps to a claim in the path of its property, if it is one.
pub fn path(property: &[u8]) -> Option<impl Iterator<Item = &[u8]>> {
    let mut steps = property.split(|byte| *byte == 0);
    let root = names::claim_path(&[]);
    for step in root.split(|byte| *byte == 0) {
        if steps.next()? != step {
            return None;
        }
    }
    Some(steps)
}

/// A claim in the wire form that decisions read (see `decide::edge::facts`): text as it is, a number as eight bytes, a
/// boolean as one, a list as a count, sizes, and elements.
pub fn find<'p>(payload: &Value, mut steps: impl Iterator<Item = &'p [u8]>) -> Option<Vec<u8>> {
    let claim = steps.try_fold(payload, |at, step| at.get(std::str::from_utf8(step).ok()?))?;
    wire(claim)
}

fn wire(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::String(text) => Some(text.clone().into_bytes()),
        Value::Number(number) => Some(number.as_f64()?.to_le_bytes().to_vec()),
        Value::Bool(truth) => Some(vec![u8::from(*truth)]),
        Value::Array(list) => {
            let elements: Vec<Vec<u8>> = list.iter().map(|one| wire(one).unwrap_or_default()).collect();
            let size = |size: usize| u32::try_from(size).ok().map(u32::to_le_bytes);
            let mut bytes = size(elements.len())?.to_vec();
            for element in &elements {
                bytes.extend(size(element.len())?);
                bytes.extend([0; 4]);
            }
            for element in &elements {
                bytes.extend_from_slice(element);
                bytes.extend(*b"\0\0");
            }
            Some(bytes)
        }
        Value::Null | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claim(payload: &Value, steps: &[&str]) -> Option<Vec<u8>> {
        let steps: Vec<String> = steps.iter().map(|step| (*step).to_owned()).collect();
        let property = names::claim_path(&steps);
        find(payload, path(&property).unwrap())
    }

    #[test]
    fn claims_are_found_by_the_path_of_their_property() {
        let payload = json!({"sub": "alice", "org": {"plan": "gold"}, "level": 5, "staff": true, "of": ["a", "b"], "no": null});
        assert_eq!(claim(&payload, &["sub"]).unwrap(), b"alice");
        assert_eq!(claim(&payload, &["org", "plan"]).unwrap(), b"gold");
        assert_eq!(claim(&payload, &["level"]).unwrap(), 5f64.to_le_bytes());
        assert_eq!(claim(&payload, &["staff"]).unwrap(), [1]);
        let list = b"\x02\0\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0a\0\0b\0\0";
        assert_eq!(claim(&payload, &["of"]).unwrap(), list);
        for none in [&["org"][..], &["no"], &["nobody"], &["sub", "x"], &["org", "plan", "x"]] {
            assert_eq!(claim(&payload, none), None, "{none:?}");
        }
        assert!(path(names::SOURCE_ADDRESS).is_none());
        assert!(path(b"metadata\0filter_metadata\0somebody\0payload\0sub").is_none());
    }
}
