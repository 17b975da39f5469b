//! `make pictures`: what the documentation shows.

use std::path::Path;

use anyhow::{Result, ensure};

use super::Try;

/// Largest picture, in bytes: each of them stays in the repository's history.
const MOST: u64 = 200_000;

/// The playground's, and one of a page of `graylane report`.
pub fn make(test: &mut Try, folder: &Path, report: &Path) -> Result<()> {
    test.browser.window((1280, 960), false)?;
    test.open()?;
    picture(test, folder, "playground", None)?;
    test.browser.window((1280, 800), true)?;
    test.browser.evaluate("document.getElementById('tab-weights').click()")?;
    test.browser.evaluate(
        "(() => { const one = document.getElementById('weight-api-canary'); one.value = 40; one.dispatchEvent(new Event('input')); })()",
    )?;
    // The rollout of api, from the tabs on.
    let part = test.browser.evaluate(
        "(() => { const [tabs, api] = ['.side', '.rollout'].map((one) => document.querySelector(one).getBoundingClientRect());
           return [tabs.left - 10, tabs.top - 10, tabs.width + 20, api.bottom - tabs.top + 20]; })()",
    )?;
    let part: [f64; 4] = serde_json::from_value(part)?;
    picture(test, folder, "playground-weights", Some(part))?;
    test.browser.window((1180, 1040), false)?;
    let url = format!("file://{}", report.display());
    test.browser.open(&url, "document.querySelector('.map svg') !== null")?;
    picture(test, folder, "report", None)
}

fn picture(test: &mut Try, folder: &Path, name: &str, part: Option<[f64; 4]>) -> Result<()> {
    // Everything is drawn.
    test.browser.evaluate(
        "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))",
    )?;
    let path = folder.join(format!("{name}.png"));
    test.browser.screenshot(&path, part)?;
    let bytes = std::fs::metadata(&path)?.len();
    ensure!((20_000..MOST).contains(&bytes), "{}: {bytes} bytes", path.display());
    println!("{} ({bytes} bytes)", path.display());
    Ok(())
}
