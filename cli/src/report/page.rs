//! The page around the drawing: one file, without anything from elsewhere. Every text is escaped by the macro.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::draw::{COLOURS, colour, sources, svg, tips};
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
    document(map, SCRIPT)
}

/// The drawing alone, as a file of its own.
#[must_use]
pub fn drawing(map: &LaneMap) -> String {
    let ground = html! {
        "\n" style { "\n" (PreEscaped(STYLE)) } "\n"
        defs { (tips()) }
        "\n" rect class="ground" width="100%" height="100%" rx="14" {}
    };
    svg(map, Some("http://www.w3.org/2000/svg"), &ground).into_string()
}

fn document(map: &LaneMap, script: &'static str) -> String {
    let page = html! {
        (DOCTYPE) "\n"
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Lanes of " (map.mesh) }
                style { "\n" (PreEscaped(STYLE)) }
            }
            "\n"
            body {
                svg class="defs" aria-hidden="true" { defs { (tips()) } }
                (single(map))
                main { (body(map)) }
                @if !script.is_empty() { script { (PreEscaped(script)) } }
            }
        }
        "\n"
    };
    page.into_string()
}

/// One tenant singled out, the others pale: by the style alone, with a pointer or the arrow keys. It stands outside of what a live page
/// replaces, so that a choice stays.
fn single(map: &LaneMap) -> Markup {
    // Beyond the colours that there are, tenants share the last.
    let tenants: Vec<&String> = map.tenants.iter().take(COLOURS).collect();
    html! {
        @if tenants.len() > 1 {
            fieldset class="single" {
                legend { "Show" }
                label { input type="radio" name="show" id="show-all" checked; "all tenants" }
                @for tenant in tenants {
                    @let class = colour(map, tenant);
                    label { input type="radio" name="show" id={ "show-" (class) }; (tenant) }
                }
            }
        }
    }
}

/// What of the page changes.
#[must_use]
pub fn content(map: &LaneMap) -> String {
    body(map).into_string()
}

fn body(map: &LaneMap) -> Markup {
    let span = if map.minutes >= 1.0 {
        format!("{} min", number(map.minutes))
    } else {
        format!("{:.0} s", map.minutes * 60.0)
    };
    html! {
        header {
            h1 { "Lanes of " (map.mesh) }
            p { "requests a minute, over the last " (span) }
        }
        "\n"
        ul class="legend" {
            @for (index, tenant) in map.tenants.iter().enumerate() {
                li class=(colour(map, tenant)) { i {} (tenant) @if index == 0 { " " small { "live" } } }
            }
            li class="dashed" { i {} "header lost on the way, restored by the sidecar" }
            @if !map.deliveries.is_empty() {
                li class="dotted" { i {} "messages, which do not pass through the mesh" }
            }
        }
        "\n"
        div class="columns" {
            section class="map" {
                @if map.calls.is_empty() {
                    p class="quiet" { "No request has come yet." }
                } @else {
                    "\n" (svg(map, None, &html! {}))
                }
            }
            "\n" (breaks(map))
            (unsticky(map))
        }
        "\n" (table(map))
    }
}

/// Nothing while every call has its user.
fn unsticky(map: &LaneMap) -> Markup {
    html! {
        @if !map.unsticky.is_empty() {
            section class="breaks" {
                h2 { "Users who may change versions from call to call" }
                @for found in &map.unsticky {
                    "\n"
                    article class="mended" { h3 { (found.from) " " small { "no user" } } p { (found.says()) } }
                }
            }
            "\n"
        }
    }
}

fn breaks(map: &LaneMap) -> Markup {
    html! {
        section class="breaks" {
            h2 { "Where a lane breaks" }
            @if map.breaks.is_empty() {
                p class="fine" { "Nowhere: every call carries its tenant." }
            }
            @for found in &map.breaks {
                @let (class, sign) =
                    if found.restored { ("mended", "restored") } else { ("left", "left its lane") };
                "\n"
                article class=(class) { h3 { (found.at) " " small { (sign) } } p { (found.says) } }
            }
        }
        "\n"
    }
}

fn table(map: &LaneMap) -> Markup {
    html! {
        section class="table" {
            h2 { "Every call" }
            "\n"
            table {
                thead {
                    tr { th { "from" } th { "to" } th { "tenant" } th { "a minute" } th { "tenant came from" } }
                }
                tbody {
                    @for call in &map.calls {
                        "\n"
                        tr {
                            td { (call.from) }
                            td { (call.to) }
                            td class=(colour(map, &call.tenant)) { i {} (call.tenant) }
                            td { (number(call.per_minute)) }
                            td { (sources(call)) }
                        }
                    }
                }
            }
        }
        "\n"
    }
}
