//! What is printed.

use super::Hop;
use crate::aligned;

/// The hops as lines with aligned columns, and what a reader may wonder about.
#[must_use]
pub fn render(hops: &[Hop]) -> String {
    let head = ["hop", "tenant", "from", "unit", "from", "bucket", "subset", "because of", "line"];
    aligned(head, hops.iter().map(row))
}

fn row(hop: &Hop) -> [String; 9] {
    let text = |value: Option<&str>| value.unwrap_or("-").to_owned();
    let because = match (&hop.rejected, hop.reason, &hop.tenant) {
        (Some(rejected), _, _) => format!("{} policy.{}", rejected.status, rejected.reason),
        (None, Some(reason), _) => reason.to_owned(),
        (None, None, None) if hop.mode.as_ref().is_some_and(|mode| mode.mode == "off") => {
            "mode off".to_owned()
        }
        (None, None, None) => "exempt".to_owned(),
        (None, None, Some(_)) if hop.unit_source == Some("drawn") => "drawn".to_owned(),
        (None, None, Some(_)) if hop.is_external => "their routes".to_owned(),
        (None, None, Some(_)) if hop.is_hidden => "not visible".to_owned(),
        (None, None, Some(_)) => "not in the file".to_owned(),
    };
    let place = hop.file.as_ref().zip(hop.line).map(|(file, line)| format!("{file}:{line}"));
    [
        format!("{} → {}", hop.by, hop.service),
        text(hop.tenant.as_deref()),
        match (hop.source, &hop.rule) {
            (Some(source), Some(rule)) => format!("{source} (line {})", rule.line),
            (source, _) => text(source),
        },
        text(hop.unit.as_deref()),
        text(hop.unit_source),
        hop.bucket.map_or_else(|| "-".to_owned(), |bucket| bucket.to_string()),
        text(hop.subset.as_deref()),
        because,
        text(place.as_deref()),
    ]
}
