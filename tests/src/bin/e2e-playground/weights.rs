//! The sliders: who moves is what `simulate` counts, by the very command that the page shows, and the file has the number.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value as Json, json};

use super::Try;

pub fn test(test: &mut Try) -> Result<()> {
    test.browser.evaluate("document.getElementById('tab-weights').click()")?;
    test.browser.evaluate("document.getElementById('weight-api-canary').focus()")?;
    for _ in 0..15 {
        test.browser.press("ArrowRight")?;
    }
    test.browser.wait("document.getElementById('text').value.includes('weights: {canary: 40}')")?;
    let moved = same(test)?;
    ensure!(moved["moved"].as_u64().is_some_and(|moved| moved > 100) && moved["movedBack"] == 0, "{moved}");
    ensure!(
        test.browser.evaluate("document.activeElement.id")? == "weight-api-canary",
        "the slider loses the focus while it is moved"
    );
    ensure!(
        test.browser.text("document.getElementById('badge').textContent")? == "2 changed",
        "no resource changes"
    );
    // Down again, below where it was: users leave the canary, and none without cause.
    for _ in 0..30 {
        test.browser.press("ArrowLeft")?;
    }
    test.browser.wait("document.getElementById('text').value.includes('weights: {canary: 10}')")?;
    let moved = same(test)?;
    ensure!(moved["matrix"][0]["to"] == "stable" && moved["movedBack"] == 0, "{moved}");
    // Two decimals, by the number beside it.
    test.browser.evaluate(
        "(() => { const one = document.getElementById('weight-api-canary-number'); one.value = '12.25'; one.dispatchEvent(new Event('change')); })()",
    )?;
    test.browser.wait("document.getElementById('text').value.includes('weights: {canary: 12.25}')")?;
    same(test).map(|_| ())
}

/// What the page counts and draws for api, which is what the command says that it shows.
fn same(test: &mut Try) -> Result<Json> {
    let api = "document.querySelector('.rollout[data-service=api]')";
    let command = test.browser.text(&format!("{api}.querySelector('.command code').textContent"))?;
    let folder = test.save()?;
    let said = test.json(&folder, &command)?;
    let rows = test.browser.evaluate(&format!(
        "Object.fromEntries([...{api}.querySelectorAll('tbody tr')].map((row) => [row.dataset.subset, [...row.children].slice(1).map((cell) => Number(cell.textContent))]))"
    ))?;
    let subsets = said["before"].as_object().context("subsets")?.keys();
    let wanted: serde_json::Map<String, Json> = subsets
        .map(|subset| (subset.clone(), json!([said["before"][subset], said["after"][subset]])))
        .collect();
    ensure!(
        rows == Json::Object(wanted.clone()),
        "the page counts {rows}, `{command}` says {}",
        json!(wanted)
    );
    let words = test.browser.text("document.getElementById('moved-api').textContent")?;
    let wanted = format!("{} of {} users move, {} back", said["moved"], said["users"], said["movedBack"]);
    ensure!(words == wanted, "the page says `{words}`, simulate `{wanted}`");
    // A dot a user: those who move are drawn twice, as rings.
    let dots = test.browser.evaluate(&format!(
        "Object.fromEntries([...{api}.querySelectorAll('svg path')].map((path) => [path.getAttribute('class'), path.getAttribute('d').split('M').length - 1]))"
    ))?;
    let dot = |name: &str| dots[name].as_u64().unwrap_or(0);
    ensure!(
        dot("stays") + dot("canary") + dot("moves") + dot("back") == 1000,
        "not everybody is drawn: {dots}"
    );
    ensure!(json!(dot("moves") + dot("back")) == said["moved"], "drawn as moving: {dots}");
    Ok(said)
}
