//! The resources: those of `render`, and what of them is another.

use anyhow::{Context as _, Result, ensure};

use super::{FILE, Try};

/// An image by its digest, so that no registry is asked.
const IMAGE: &str =
    "registry.example/graylane@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

pub fn test(test: &mut Try) -> Result<()> {
    test.browser.evaluate("document.getElementById('tab-resources').click()")?;
    same(test, "")?;
    let image = format!(
        "(() => {{ const one = document.getElementById('image'); one.value = {IMAGE:?}; one.dispatchEvent(new Event('input')); }})()"
    );
    test.browser.evaluate(&image)?;
    let plugins = same(test, &format!(" --image {IMAGE}"))?;
    ensure!(plugins.contains("kind: WasmPlugin"), "no plugin");
    // An image without a digest is refused as render does without a registry; what can be shown is not lost.
    test.browser.evaluate(&image.replace("@sha256:", ":"))?;
    let wrong = test.browser.text("document.querySelector('#panel-resources .wrong').textContent")?;
    ensure!(wrong.contains("has no digest"), "{wrong}");
    test.browser.evaluate(&image.replace(IMAGE, ""))?;
    let before = same(test, "")?;

    test.replace("canary: 25", "canary: 60")?;
    test.browser.wait("document.getElementById('badge').textContent === '2 changed'")?;
    let folder = test.save()?;
    let after = test.run(&folder, &format!("graylane render -f {FILE}"))?;
    let list = |class: &str| {
        format!(
            "[...document.querySelectorAll('.resource.changed .{class}')].map((line) => line.textContent.slice(2).trimEnd())"
        )
    };
    for (class, has, hasnt) in [("plus", &after, &before), ("minus", &before, &after)] {
        let found = test.browser.evaluate(&list(class))?;
        let rows = found.as_array().context("no lines")?;
        ensure!(!rows.is_empty(), "no line is {class}");
        let count = |text: &str, row: &str| text.lines().filter(|line| *line == row).count();
        for row in rows.iter().filter_map(|row| row.as_str()) {
            ensure!(count(has, row) > count(hasnt, row), "{class}: {row}");
        }
    }
    test.browser.evaluate("document.getElementById('only-changes').click()")?;
    let left = test.browser.evaluate("document.querySelectorAll('.resource').length")?;
    ensure!(left == 2, "only what changes: {left}");
    Ok(())
}

/// All resources, opened, are what render prints.
fn same(test: &mut Try, options: &str) -> Result<String> {
    let folder = test.save()?;
    let printed = test.run(&folder, &format!("graylane render -f {FILE}{options}"))?;
    test.browser.evaluate("document.querySelectorAll('.resource').forEach((one) => { one.open = true; })")?;
    test.browser
        .wait("[...document.querySelectorAll('.resource')].every((one) => one.querySelector('pre'))")?;
    let shown = test.browser.text(
        "[...document.querySelectorAll('.resource pre')].map((pre) => `---\\n${pre.textContent}`).join('')",
    )?;
    ensure!(shown == printed, "the page shows\n{shown}\nrender prints\n{printed}");
    Ok(printed)
}
