//! The editor: findings at their lines, the same as `check`'s, and soon; the state in a link.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value as Json, json};

use super::{READY, Try};

/// A check of the bank, at each key.
const SOON: f64 = 50.0;

pub fn test(test: &mut Try) -> Result<()> {
    same(test, "2 warnings, 1 note")?;
    test.replace("port: 8080", "port: 80x80")?;
    test.browser.wait("document.querySelector('.findings .error') !== null")?;
    same(test, "1 error, 2 warnings, 1 note")?;
    let marked = test.browser.evaluate(
        "[...document.querySelectorAll('#ink > div')].map((row, at) => [at + 1, [...row.querySelectorAll('.at.error')].map((one) => one.textContent).join('')])
         .filter(([, text]) => text)",
    )?;
    ensure!(marked == json!([[17, "80x80"]]), "underlined: {marked}");
    ensure!(
        test.browser.text("document.querySelectorAll('#gutter div')[16].textContent")? == "E17",
        "the line's number says nothing"
    );
    // The finding leads to its place.
    test.browser.evaluate("document.getElementById('finding-0').click()")?;
    let selected = test.browser.text("document.getElementById('text').value.slice(document.getElementById('text').selectionStart, document.getElementById('text').selectionEnd)")?;
    ensure!(selected == "80x80", "selected: {selected}");
    ensure!(test.browser.evaluate("document.activeElement.id")? == "text", "the focus is elsewhere");
    // What the file did before is still to be seen, and is said to be that.
    ensure!(
        test.browser.evaluate(
            "document.getElementById('stale').offsetHeight > 0 && document.querySelectorAll('.hop').length"
        )? == 3,
        "the last lane is gone"
    );
    not_yaml(test)?;
    another(test)?;
    link(test)?;
    soon(test)
}

/// The list says what `check` does of the same text.
fn same(test: &mut Try, verdict: &str) -> Result<()> {
    let folder = test.save()?;
    test.browser.wait(&format!("document.getElementById('verdict').textContent === {verdict:?}"))?;
    let shown = test.browser.evaluate(
        "[...document.querySelectorAll('.findings li')].map((one) => [one.className, one.querySelector('.place').textContent,
          one.querySelector('p').textContent, one.querySelector('.help')?.textContent ?? null])",
    )?;
    let file = super::FILE;
    // Errors are exit code 1, and findings all the same.
    let line = format!("graylane check -f {file} --output json || true");
    let rows: Vec<Json> = serde_json::from_str(&test.run(&folder, &line)?)?;
    let plain = |value: &Json| value.as_str().map(|text| text.replace('`', ""));
    let mut all = Vec::new();
    for severity in ["error", "warning", "note"] {
        all.extend(rows.iter().filter(|row| row["severity"] == severity).map(|row| {
            let place = format!("line {}:{}", row["line"], row["column"]);
            let help = plain(&row["help"]).map(|help| format!("help: {help}"));
            json!([severity, place, plain(&row["message"]), help])
        }));
    }
    ensure!(shown == json!(all), "the page shows {shown}, check says {}", json!(all));
    Ok(())
}

/// A text that is no YAML is a finding, and no end of the page.
fn not_yaml(test: &mut Try) -> Result<()> {
    test.replace("tenants:", "tenants: [")?;
    test.browser.wait("document.querySelectorAll('.findings .error').length > 0")?;
    test.browser.evaluate("document.getElementById('reset').click()")?;
    test.browser.wait("document.getElementById('verdict').textContent === '2 warnings, 1 note'")?;
    ensure!(test.browser.evaluate("location.hash")? == "", "nothing is changed, and the address has a state");
    Ok(())
}

/// A file that has errors from the start: what the one before did is gone, until they are.
fn another(test: &mut Try) -> Result<()> {
    let choose = |title: &str| {
        format!(
            "(() => {{ const one = document.getElementById('example'); one.value = [...one.options].find((option) => option.text === {title:?}).value;
              one.dispatchEvent(new Event('change')); }})()"
        )
    };
    test.browser.evaluate(&choose("mistakes"))?;
    test.browser.wait("document.getElementById('verdict').textContent === '4 errors'")?;
    let left =
        test.browser.evaluate("document.querySelectorAll('#request *, .hop, .rollout, .resource').length")?;
    ensure!(left == 0, "{left} elements of the file before");
    let said = test.browser.text("document.getElementById('stale').textContent")?;
    ensure!(said.contains("shown when they are gone"), "{said}");
    test.browser.evaluate(&choose("shop"))?;
    test.browser.wait(
        "document.querySelectorAll('.hop').length > 0 && document.getElementById('stale').offsetHeight === 0",
    )?;
    test.open()
}

/// Another browser window gets the same by the address alone; a link that was cut off says so.
fn link(test: &mut Try) -> Result<()> {
    test.replace("canary: 25", "canary: 31")?;
    test.browser.evaluate(
        "(() => { const user = document.getElementById('user'); user.value = 'user-99'; user.dispatchEvent(new Event('input')); })()",
    )?;
    test.browser.wait("location.hash.startsWith('#v1.')")?;
    let state = "JSON.stringify([document.getElementById('text').value, document.getElementById('user').value, document.getElementById('badge').textContent])";
    let (address, before) = (test.browser.text("location.href")?, test.browser.text(state)?);
    ensure!(before.contains("canary: 31") && before.contains("2 changed"), "{before}");
    test.browser.open(&address, READY)?;
    let after = test.browser.text(state)?;
    ensure!(before == after, "the link brings {after}, not {before}");
    test.browser.open(&address[..address.len() - 40], READY)?;
    let said = test.browser.text("document.getElementById('said').textContent")?;
    ensure!(said.contains("link cannot be read"), "a link that was cut off: {said}");
    test.open()
}

/// From a changed text to everything that is drawn of it: the best of some, as the machine has other things to do.
fn soon(test: &mut Try) -> Result<()> {
    for number in 0..8 {
        test.browser.evaluate("performance.clearMeasures()")?;
        test.replace(
            if number % 2 == 0 { "8080" } else { "8081" },
            if number % 2 == 0 { "8081" } else { "8080" },
        )?;
        test.browser.wait("performance.getEntriesByName('checked').length > 0")?;
        let took = "Math.min(...performance.getEntriesByName('checked').map((one) => one.duration), window.best ?? Infinity)";
        test.browser.evaluate(&format!("window.best = {took}"))?;
    }
    let best = test.browser.evaluate("window.best")?.as_f64().context("no time")?;
    ensure!(best < SOON, "a check of the bank takes {best} ms");
    println!("playground: all of the bank again in {best:.1} ms");
    test.open()
}
