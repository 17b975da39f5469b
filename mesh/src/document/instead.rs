//! What to write instead of what is there.

use crate::document::tree::Node;

/// What to write instead of a text, where a number is wanted.
pub fn number_instead(text: &str, path: &[String]) -> Option<String> {
    let plain = |text: &str| serde_json::from_str::<serde_json::Number>(text).is_ok();
    let bare = text.trim_start_matches('0');
    let hexadecimal = text.strip_prefix("0x").and_then(|digits| u64::from_str_radix(digits, 16).ok());
    let percent = text.strip_suffix('%').map(str::trim).filter(|number| plain(number));
    if plain(text) {
        Some(format!("write {text}, without quotes"))
    } else if let Some(number) = percent {
        Some(format!("write {number}, without `%`"))
    } else if let Some(number) = hexadecimal {
        Some(format!("write {number}"))
    } else if plain(bare) || bare.starts_with('.') && plain(&format!("0{bare}")) {
        let zero = if bare.starts_with('.') { "0" } else { "" };
        Some(format!("write {zero}{bare}"))
    } else if path.last().is_some_and(|key| key == "port") {
        Some("write its number, as in 8080; names of ports are not looked up".to_owned())
    } else {
        Some("write a decimal number, as in 25 or 0.5".to_owned())
    }
}

/// A list of names where a map was wanted. `first_is_default`: of tenants one is.
pub fn map_instead(elements: &[Node], first_is_default: bool) -> Option<String> {
    let names: Option<Vec<&str>> = elements.iter().map(Node::text).collect();
    let names = names.filter(|names| !names.is_empty())?;
    let entries: Vec<String> = names.iter().map(|name| format!("{name}: {{}}")).collect();
    let entries: Vec<String> = entries
        .into_iter()
        .enumerate()
        .map(
            |(index, entry)| {
                if index == 0 && first_is_default { entry.replace("{}", "{default: true}") } else { entry }
            },
        )
        .collect();
    Some(format!("write a map, as in {{{}}}", entries.join(", ")))
}

/// So many candidates are compared with a word.
const COMPARED: usize = 256;

/// The candidate that was probably meant.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let distance = |candidate: &&str| strsim::damerau_levenshtein(&lower, &candidate.to_lowercase());
    // Of very many, some that begin alike: with as many mistakes as candidates it would take minutes.
    let first = word.chars().next();
    let alike = |candidate: &&&str| candidates.len() <= COMPARED || candidate.chars().next() == first;
    let near = candidates.iter().filter(alike).take(COMPARED).min_by_key(|candidate| distance(candidate))?;
    (distance(near) <= 2.max(word.chars().count() / 4)).then_some(near)
}
