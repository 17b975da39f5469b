//! A contract as code, by the templates beside this file.

use anyhow::Result;

use super::contract::{Contract, MARK};
use super::fill::Fill;
use super::names::{Case, names};

/// A language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// TypeScript: a wrapper of `fetch`.
    TypeScript,
    /// Kotlin: an interceptor of OkHttp.
    Kotlin,
    /// Swift: methods of URLSession.
    Swift,
}

/// The contract in a language.
///
/// # Errors
/// Never, as long as the templates are in order, which tests see to.
pub fn code(contract: &Contract, language: Language) -> Result<String> {
    let quoted = |text: &str| format!("\"{text}\"");
    let list = |texts: &[String]| texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", ");
    let user = contract.user_header();
    let fill = Fill {
        values: vec![
            ("mark", format!("{MARK}{}", contract.line()?)),
            ("hosts", list(&contract.hosts)),
            ("header", contract.header.clone()),
            ("user", user.unwrap_or_default().to_owned()),
            ("debug", contract.debug_header.clone().unwrap_or_default()),
            ("fingerprint", contract.fingerprint.clone()),
            ("tenants", tenants(contract, language)),
            ("rollouts", rollouts(contract, language)),
            ("recognised", recognised(contract)),
        ],
        parts: vec![
            ("user", user.is_some()),
            ("debug", contract.debug_header.is_some()),
            ("rollouts", !contract.rollouts.is_empty()),
        ],
    };
    fill.text(match language {
        Language::TypeScript => include_str!("lane.ts"),
        Language::Kotlin => include_str!("Lane.kt"),
        Language::Swift => include_str!("Lane.swift"),
    })
}

/// The constants of the tenants, a line each where a language wants that.
fn tenants(contract: &Contract, language: Language) -> String {
    let all = &contract.tenants;
    let named = |case, line: &dyn Fn(&str, &str) -> String| {
        names(all, case)
            .iter()
            .zip(all)
            .map(|(name, tenant)| line(name, tenant))
            .collect::<Vec<_>>()
            .join("\n    ")
    };
    match language {
        Language::TypeScript => {
            all.iter().map(|tenant| format!("\"{tenant}\"")).collect::<Vec<_>>().join(", ")
        }
        Language::Kotlin => named(Case::Upper, &|name, tenant| format!("{name}(\"{tenant}\"),")),
        Language::Swift => named(Case::Camel, &|name, tenant| format!("case {name} = \"{tenant}\"")),
    }
}

/// The weights, a line for each service.
fn rollouts(contract: &Contract, language: Language) -> String {
    let (indent, [open, close], pair) = match language {
        Language::TypeScript => ("  ", ["{ ", " }"], ": "),
        Language::Kotlin => ("        ", ["mapOf(", ")"], " to "),
        Language::Swift => ("        ", ["[", "]"], ": "),
    };
    let number = |share: &serde_json::Number| match language {
        // A map of Kotlin has values of one type.
        Language::Kotlin if !share.is_f64() => format!("{share}.0"),
        _ => share.to_string(),
    };
    let lines = contract.rollouts.iter().map(|(service, weights)| {
        let weights = weights.iter().map(|(subset, share)| format!("\"{subset}\"{pair}{}", number(share)));
        format!("{indent}\"{service}\"{pair}{open}{}{close},", weights.collect::<Vec<_>>().join(", "))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// By what users are recognised, as part of a sentence of a comment.
fn recognised(contract: &Contract) -> String {
    let all: Vec<String> = contract.sticky.iter().map(ToString::to_string).collect();
    if all.is_empty() { "nothing".to_owned() } else { all.join("; else ") }
}
