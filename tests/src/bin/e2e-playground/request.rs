//! The request: its hops are those of `explain`, by the very command that the page shows; a header that is dropped is restored or lost.

use anyhow::{Result, ensure};
use serde_json::{Value as Json, json};

use super::Try;

pub fn test(test: &mut Try) -> Result<()> {
    // As the page begins: api drops the header, and its sidecar brings it back.
    let hops = same(test)?;
    ensure!(
        hops[1]["source"] == "memory" && hops[1]["tenant"] == "gray-v1",
        "api's loss is not restored: {hops}"
    );
    ensure!(count(test, ".hop.restored")? == 1 && count(test, ".node.mends")? == 1, "the loss is not drawn");
    decider(test, 0, 23)?;
    // Without any header nothing is left to restore from.
    choose(test, "drops-0", "everything")?;
    let hops = same(test)?;
    ensure!(hops[1]["tenant"] == "green", "a call without headers has a tenant: {hops}");
    ensure!(
        count(test, ".hop.left-lane")? == 1 && count(test, ".node.breaks")? == 1,
        "the lost lane is not drawn"
    );
    // Nothing is dropped.
    choose(test, "drops-0", "")?;
    let hops = same(test)?;
    ensure!(hops[1]["source"] == "header" && count(test, ".hop.restored")? == 0, "{hops}");
    // A live user, from inside, another way, with a header more.
    choose(test, "tenant", "")?;
    choose(test, "from", "pod")?;
    test.browser.evaluate("document.getElementById('out-1').click()")?;
    let headers = "(() => { document.getElementById('more').open = true; const one = document.getElementById('headers');
        one.value = 'x-request-id: abc\\nbaggage: a=b'; one.dispatchEvent(new Event('input')); })()";
    test.browser.evaluate(headers)?;
    let hops = same(test)?;
    ensure!(hops.as_array().is_some_and(|hops| hops.len() == 2) && hops[0]["by"] == "pod", "{hops}");
    ensure!(hops[0]["tenant"] == "green" && hops[0]["bucket"].is_u64(), "{hops}");
    // A header that is none is said, not sent.
    test.browser.evaluate(&headers.replace("x-request-id: abc", "nonsense"))?;
    let wrong = test.browser.text("document.querySelector('#lane .wrong').textContent")?;
    ensure!(wrong.contains("expected name: value, got nonsense"), "{wrong}");
    Ok(())
}

/// The hops of the page, which are those of the command that it shows, and what is drawn of them.
fn same(test: &mut Try) -> Result<Json> {
    let command = test.browser.text("document.getElementById('command').textContent")?;
    let folder = test.save()?;
    let said = test.json(&folder, &command)?;
    let shown: Json =
        serde_json::from_str(&test.browser.text("document.getElementById('lane').dataset.hops")?)?;
    ensure!(shown == said["hops"], "the page has {shown}, `{command}` says {}", said["hops"]);
    let drawn = test.browser.evaluate(
        "[...document.querySelectorAll('.hop')].map((hop) => [hop.querySelector('.name').textContent, hop.querySelector('.who').textContent,
          hop.querySelector('.subset.here')?.textContent ?? null, Number(hop.querySelector('.decider .line')?.dataset.line) || null])",
    )?;
    let hops = said["hops"].as_array().cloned().unwrap_or_default();
    let rows: Vec<Json> =
        hops.iter().map(|hop| json!([hop["service"], hop["tenant"], hop["subset"], hop["line"]])).collect();
    ensure!(drawn == json!(rows), "drawn: {drawn}, wanted {}", json!(rows));
    Ok(shown)
}

/// The line that decided about a hop: said, marked in the file, and a click away.
fn decider(test: &mut Try, hop: usize, line: usize) -> Result<()> {
    test.browser.evaluate(&format!("document.getElementById('line-{hop}').click()"))?;
    let selected = "(() => { const text = document.getElementById('text'); return text.value.slice(0, text.selectionStart).split('\\n').length; })()";
    let at = test.browser.evaluate(selected)?;
    ensure!(at == line, "the line leads to {at}, not {line}");
    let marked = format!("document.querySelectorAll('#ink > div')[{}].className", line - 1);
    let marked = test.browser.text(&marked)?;
    ensure!(marked == "decides t1", "the line is not marked: {marked}");
    Ok(())
}

fn choose(test: &mut Try, id: &str, value: &str) -> Result<()> {
    let change = format!(
        "(() => {{ const one = document.getElementById({id:?}); one.value = {value:?}; one.dispatchEvent(new Event('change')); return one.value; }})()"
    );
    ensure!(test.browser.evaluate(&change)? == value, "{id} has no {value}");
    Ok(())
}

fn count(test: &mut Try, selector: &str) -> Result<u64> {
    let number = test.browser.evaluate(&format!("document.querySelectorAll({selector:?}).length"))?;
    Ok(number.as_u64().unwrap_or(0))
}
