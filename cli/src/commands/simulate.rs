//! `graylane simulate`: who moves when weights change.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, bail, ensure};
use indicatif::ProgressStyle;

use graylane_decide::choice::sticky::BUCKETS;

use super::there::There;
use crate::adopt::weights;
use crate::args::{Shown, Simulate};
use crate::hash_key;
use crate::markdown;
use crate::mesh::{Mesh, Service};
use crate::printer::{Outcome, Printer};
use crate::simulate::{self, Layout, Moves, Report, Setting, Users};

/// Runs it.
pub fn run(args: &Simulate, printer: Printer) -> Result<Outcome> {
    let Some((file, _)) = super::mesh(&args.files.file, printer)? else { return Ok(Outcome::Failure) };
    let mesh = hash_key::given(&file, args.hash_key.hash_key_file.as_deref())?;
    // Which users are made up does not matter; real ones need the real key.
    let units = if args.users_file.is_some() { mesh.units()? } else { mesh.units_of_made_up() };
    if let Some((service, salt)) = simulate::of_others(&mesh, &args.service) {
        let list = standing(args, &mesh, service, printer)?;
        let from = with_weights(service, list, &args.from)?;
        let to = with_weights(service, from.clone(), &args.to)?;
        let sum: u64 = from.iter().map(|(_, weight)| weight).sum();
        ensure!(
            (1..=u64::from(BUCKETS)).contains(&sum),
            "the weights of `{}` add up to {sum}: simulate takes 1 to {BUCKETS}",
            service.name
        );
        let none = Users::none(units, salt).modulo(sum);
        return show(args, service, none, [Layout::listed(&from), Layout::listed(&to)], printer);
    }
    let (service, rollout) = simulate::rollout(&mesh, &args.service)?;
    let from = simulate::changed(service, &rollout.weights, &args.from)?;
    let to = simulate::changed(service, &from, &args.to)?;
    let layouts = [Layout::of(&service.baseline, &from), Layout::of(&service.baseline, &to)];
    show(args, service, Users::none(units, &rollout.salt), layouts, printer)
}

/// The weights that somebody else's route has.
fn standing(args: &Simulate, mesh: &Mesh, service: &Service, printer: Printer) -> Result<Vec<(String, u64)>> {
    let name = &service.name;
    let Some(path) = &args.against else {
        bail!(
            "the weights of `{name}` are in external routes: pass them, as in \
             `kubectl get vs,dr -A -o yaml | graylane simulate {name} --against - …`"
        )
    };
    let there = There::read(path, mesh, printer)?;
    let route = weights::services(mesh).find(|(own, _)| own.name == *name).and_then(|(_, route)| route);
    weights::standing(&there.world, service, route).with_context(|| {
        format!(
            "`{}` has no single rule with weights for `{name}`: see `graylane check --against`",
            path.display()
        )
    })
}

/// Weights with one of them changed; of two, the other gets the rest.
fn with_weights(
    service: &Service,
    mut list: Vec<(String, u64)>,
    settings: &[Setting],
) -> Result<Vec<(String, u64)>> {
    let sum: u64 = list.iter().map(|(_, weight)| weight).sum();
    for setting in settings {
        let names = list.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>().join(", ");
        let Some(wanted) = &setting.subset else {
            bail!("name the destination, as in `canary=50`: the route has {names}")
        };
        let Some(place) = list.iter().position(|(name, _)| name == wanted) else {
            bail!("the route of `{}` has no destination `{wanted}`: write one of {names}", service.name)
        };
        let weight = u64::from(setting.buckets) * sum / u64::from(BUCKETS);
        list[place].1 = weight;
        if let [first, second] = &mut list[..] {
            let other = if place == 0 { second } else { first };
            other.1 = sum.saturating_sub(weight);
        }
    }
    let is: u64 = list.iter().map(|(_, weight)| weight).sum();
    ensure!(is == sum, "the weights would add up to {is} instead of {sum}, and then any user may move");
    Ok(list)
}

/// Counts the users, and says who moves.
fn show(
    args: &Simulate,
    service: &Service,
    none: Users,
    [before, after]: [Layout; 2],
    printer: Printer,
) -> Result<Outcome> {
    let users = match &args.users_file {
        Some(path) => {
            let bar = printer.progress(None);
            let read = simulate::from_file(none, path, |bytes, length| {
                if let (Some(length), None) = (length, bar.length()) {
                    bar.set_length(length);
                    bar.set_style(style());
                }
                bar.set_position(bytes);
            });
            bar.finish_and_clear();
            read?
        }
        None => simulate::made(none, args.users),
    };
    let moves = simulate::moves(&before, &after, &users.by_bucket);
    match args.output {
        Shown::Json => {
            let report = Report { service: &service.name, moves: &moves, empty_lines: users.empty_lines };
            printer.json(&report)?;
        }
        Shown::Text => printer.data(&simulate::render(&before, &after, &moves, printer.width()))?,
        Shown::Markdown => printer.data(&comment(&service.name, &moves))?,
    }
    if users.empty_lines > 0 {
        printer.say(&format!("note: {} empty lines were skipped", users.empty_lines));
    }
    Ok(Outcome::Ok)
}

/// What a reviewer wants to know: who moves, and that no user moves back.
fn comment(service: &str, moves: &Moves) -> String {
    let share = |users: u64| simulate::share(users, moves.users, false);
    let of = |counts: &BTreeMap<String, u64>, subset: &str| share(counts.get(subset).copied().unwrap_or(0));
    let subsets: BTreeSet<&String> = moves.before.keys().chain(moves.after.keys()).collect();
    let rows: Vec<Vec<String>> = subsets
        .into_iter()
        .map(|subset| vec![markdown::code(subset), of(&moves.before, subset), of(&moves.after, subset)])
        .collect();
    let mut text = format!(
        "### {}: {} of {} users move, {} back\n\n",
        markdown::code(service),
        moves.moved,
        moves.users,
        moves.moved_back
    );
    text += &markdown::table(&["subset", "before", "after"], &rows);
    if !moves.matrix.is_empty() {
        let ways = moves.matrix.iter();
        let rows: Vec<Vec<String>> = ways
            .map(|way| vec![markdown::code(&way.from), markdown::code(&way.to), way.users.to_string()])
            .collect();
        text += &format!("\n{}", markdown::table(&["from", "to", "users"], &rows));
    }
    text
}

fn style() -> ProgressStyle {
    let template = "{wide_bar} {bytes} of {total_bytes}, {eta} left";
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
