//! What is printed.

use graylane_mesh::aligned;

use super::hops::{Hop, Trace};

/// The calls, and where reality left the file.
#[must_use]
pub fn text(trace: &Trace) -> String {
    let head = ["time", "hop", "tenant", "from", "subset", "because of", "file says", "line", ""];
    let left = trace.left.as_ref().map(|left| left.hop);
    let mut text = aligned(head, trace.hops.iter().enumerate().map(|(at, hop)| row(hop, left == Some(at))));
    if let Some(left) = &trace.left {
        let hop = &trace.hops[left.hop];
        text += &format!(
            "\nreality left the file at {} → {}: {}\nhelp: {}\n",
            hop.from, hop.to, left.why, left.help
        );
    }
    text
}

fn row(hop: &Hop, left: bool) -> [String; 9] {
    let some = |text: &Option<String>| text.as_deref().unwrap_or("-").to_owned();
    let says = if hop.file_says.is_empty() { "-".to_owned() } else { hop.file_says.join(" or ") };
    let mark = match (left, hop.by_time) {
        (true, true) => "← left the file; known by its time only",
        (true, false) => "← left the file",
        (false, true) => "known by its time only",
        (false, false) => "",
    };
    [
        hop.time.get(11..23).unwrap_or(&hop.time).to_owned(),
        format!("{} → {}", hop.from, hop.to),
        some(&hop.tenant),
        some(&hop.source),
        some(&hop.subset),
        hop.reason.unwrap_or("-").to_owned(),
        says,
        some(&hop.line),
        mark.to_owned(),
    ]
}
