//! The page around the drawing: one file, without anything from elsewhere.

use std::fmt::Write as _;

use super::draw::{colour, escaped, svg, tips};
use super::map::LaneMap;
use super::number;

const STYLE: &str = include_str!("page.css");

/// Asks for the content again every second; keeps what it has while there is no answer.
const SCRIPT: &str = "setInterval(async () => {
  try {
    const answer = await fetch('content');
    if (answer.ok) document.querySelector('main').innerHTML = await answer.text();
    document.body.classList.toggle('gone', !answer.ok);
  } catch { document.body.classList.add('gone'); }
}, 1000);";

/// A page that stays as it is.
#[must_use]
pub fn page(map: &LaneMap) -> String {
    document(map, "")
}

/// A page that follows what happens: its server answers `content` with [`content`].
#[must_use]
pub fn live_page(map: &LaneMap) -> String {
    document(map, &format!("<script>{SCRIPT}</script>\n"))
}

/// The drawing alone, as a file of its own.
#[must_use]
pub fn picture(map: &LaneMap) -> String {
    let drawing = svg(map);
    let (open, rest) = drawing.split_once('\n').unwrap_or_default();
    let open = open.replacen("<svg", "<svg xmlns=\"http://www.w3.org/2000/svg\"", 1);
    let ground = "<rect class=\"ground\" width=\"100%\" height=\"100%\" rx=\"14\"/>";
    format!("{open}\n<style>\n{STYLE}</style>\n<defs>{}</defs>\n{ground}\n{rest}", tips())
}

fn document(map: &LaneMap, script: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>Lanes of {}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n\
         <svg class=\"defs\" aria-hidden=\"true\"><defs>{}</defs></svg>\n<main>\n{}</main>\n{script}</body>\n</html>\n",
        escaped(&map.mesh),
        tips(),
        content(map)
    )
}

/// What of the page changes.
#[must_use]
pub fn content(map: &LaneMap) -> String {
    let span = if map.minutes >= 1.0 {
        format!("{} min", number(map.minutes))
    } else {
        format!("{:.0} s", map.minutes * 60.0)
    };
    let mut html = format!(
        "<header><h1>Lanes of {}</h1><p>requests a minute, over the last {span}</p></header>\n",
        escaped(&map.mesh)
    );
    html += "<ul class=\"legend\">";
    for (index, tenant) in map.tenants.iter().enumerate() {
        let note = if index == 0 { " <small>live</small>" } else { "" };
        let _ = write!(html, "<li class=\"{}\"><i></i>{}{note}</li>", colour(map, tenant), escaped(tenant));
    }
    html += "<li class=\"dashed\"><i></i>header lost on the way, restored by the sidecar</li>";
    if !map.hops.is_empty() {
        html += "<li class=\"dotted\"><i></i>messages, which do not pass through the mesh</li>";
    }
    html += "</ul>\n";
    html += "<div class=\"columns\">\n";
    if map.calls.is_empty() {
        html += "<section class=\"map\"><p class=\"quiet\">No request has come yet.</p></section>\n";
    } else {
        let _ = write!(html, "<section class=\"map\">\n{}</section>\n", svg(map));
    }
    html += &breaks(map);
    html + "</div>\n" + &table(map)
}

fn breaks(map: &LaneMap) -> String {
    let mut html = "<section class=\"breaks\"><h2>Where a lane breaks</h2>\n".to_owned();
    if map.breaks.is_empty() {
        html += "<p class=\"fine\">Nowhere: every call carries its tenant.</p>\n";
    }
    for found in &map.breaks {
        let (class, sign) = if found.restored { ("mended", "restored") } else { ("left", "left its lane") };
        let _ = writeln!(
            html,
            "<article class=\"{class}\"><h3>{} <small>{sign}</small></h3><p>{}</p></article>",
            escaped(&found.at),
            escaped(&found.says)
        );
    }
    html + "</section>\n"
}

fn table(map: &LaneMap) -> String {
    let mut html = "<section class=\"table\"><h2>Every call</h2>\n<table><thead><tr><th>from</th><th>to</th><th>tenant</th><th>a minute</th><th>tenant came from</th></tr></thead><tbody>\n".to_owned();
    for call in &map.calls {
        let sources: Vec<String> =
            call.sources.iter().map(|(source, count)| format!("{source} {}", number(*count))).collect();
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td>{}</td><td class=\"{}\"><i></i>{}</td><td>{}</td><td>{}</td></tr>",
            escaped(&call.from),
            escaped(&call.to),
            colour(map, &call.tenant),
            escaped(&call.tenant),
            number(call.per_minute),
            sources.join(", ")
        );
    }
    html + "</tbody></table></section>\n"
}
