//! `graylane render --cost`: how many series telemetry comes to.

use anyhow::{Result, ensure};
use graylane_mesh::cost::{self, CODES, Counted, DURATION, REQUESTS, Row, SOURCES};
use serde::Serialize;

use crate::args::{Format, RenderOrCost};
use crate::document::model::Budget;
use crate::mesh::{Mesh, Service};
use crate::printer::{Outcome, Printer};
use crate::prometheus::Prometheus;
use crate::queries::Queries;

/// What machines get.
#[derive(Serialize)]
struct Report<'a> {
    counted: bool,
    metrics: &'a [Row],
    total: &'a Row,
    budget: Option<u64>,
}

/// Runs it. More than the budget is a finding.
pub fn run(args: &RenderOrCost, printer: Printer) -> Result<Outcome> {
    ensure!(
        args.render.format == crate::args::Output::Yaml,
        "--cost prints no resources: leave out --format"
    );
    let Some((_, mesh)) = super::mesh(&args.render.files.file, printer)? else { return Ok(Outcome::Failure) };
    let said = mesh.document.telemetry.budget;
    let assumed = said.unwrap_or(Budget::DEFAULT);
    let rows = match &args.asked {
        None => cost::estimated(&mesh, &assumed),
        Some(asked) => printer.runtime()?.block_on(counted(&Prometheus::open(asked)?, &mesh))?,
    };
    let total = cost::total(&rows);
    let of_istio: Vec<Row> = rows.iter().filter(|row| is_of_istio(row)).cloned().collect();
    let is = cost::total(&of_istio).with;
    if args.output == Format::Json {
        let budget = said.map(|budget| budget.series);
        printer.json(&Report { counted: args.asked.is_some(), metrics: &rows, total: &total, budget })?;
    } else {
        printer.data(&table(&mesh, &rows, &total))?;
        if args.asked.is_none() {
            printer.say(&format!(
                "estimated: {} callers of each service, {} pods of each workload (`telemetry.budget` of the file changes both), {CODES} response \
                 codes, {SOURCES} sources of tenants in a pod; --prometheus URL counts what there is",
                assumed.callers, assumed.pods
            ));
        }
    }
    let Some(budget) = said.filter(|budget| is > budget.series) else { return Ok(Outcome::Ok) };
    printer.say(&format!(
        "Istio's metrics come to {is} series with tags, and `telemetry.budget` is {}: see `histograms`, `reporters` and `tenants.<name>.label`",
        budget.series
    ));
    Ok(Outcome::Findings)
}

fn is_of_istio(row: &Row) -> bool {
    row.metric == REQUESTS || DURATION.contains(&row.metric.as_str())
}

/// Names left, numbers right.
fn table(mesh: &Mesh, rows: &[Row], total: &Row) -> String {
    let mut cells =
        vec![["series of".to_owned(), "without tags".to_owned(), "with tags, at most".to_owned()]];
    let cell = |row: &Row| [row.metric.clone(), row.without.to_string(), row.with.to_string()];
    cells.extend(rows.iter().chain([total]).map(cell));
    let width = |column: usize| cells.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let (first, second, third) = (width(0), width(1), width(2));
    let mut text: String = cells
        .iter()
        .map(|[metric, without, with]| format!("{metric:first$}  {without:>second$}  {with:>third$}\n"))
        .collect();
    let wide = mesh.services.iter().map(|service| service.name.len()).max().unwrap_or(0);
    text += "\npairs of tenant and subset\n";
    let pairs = |service: &Service| format!("  {:wide$}  {}\n", service.name, cost::pairs(mesh, service));
    text.extend(mesh.services.iter().map(pairs));
    text
}

/// What a Prometheus has, each series once however our tags split it.
async fn counted(prometheus: &Prometheus, mesh: &Mesh) -> Result<Vec<Row>> {
    let queries = Queries::of(mesh);
    let mut all = Counted::new();
    for metric in [REQUESTS].into_iter().chain(DURATION) {
        for sample in prometheus.query(&queries.series_without_tags(metric)).await? {
            let label = |name| sample.label(name).to_owned();
            let key = (metric.to_owned(), label("reporter"), label("destination_service"));
            all.insert(key, number(sample.value));
        }
    }
    let own = prometheus.query(&queries.series_of_filter()).await?;
    ensure!(
        !all.is_empty() || !own.is_empty(),
        "Prometheus has no series of `{REQUESTS}` from the namespaces of this file: are the pods scraped, and is it the right Prometheus?"
    );
    let mut rows = cost::measured(mesh, &all);
    let with = own.iter().map(|sample| number(sample.value)).sum();
    rows.push(Row { metric: graylane_decide::metrics::REQUESTS.to_owned(), without: 0, with });
    Ok(rows)
}

/// A count, which Prometheus gives as a floating-point number.
fn number(value: f64) -> u64 {
    value.clamp(0.0, 1e15) as u64
}
