//! Without a pointer: everything is reached and seen to be, in windows wide and narrow, light and dark, and nothing is cut off.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::Try;

/// What can be used, as long as it is shown.
const USABLE: &str = "button:not(:disabled):not([tabindex='-1']), select, input:not(:disabled), textarea, summary, pre[tabindex='0'], a[href]";

pub fn test(test: &mut Try) -> Result<()> {
    for (size, dark) in [((1280, 1000), false), ((800, 1000), true), ((420, 900), false)] {
        test.browser.window(size, dark)?;
        for tab in ["request", "weights", "resources"] {
            test.browser.evaluate(&format!("document.getElementById('tab-{tab}').click()"))?;
            let wide = test.browser.evaluate("[document.documentElement.scrollWidth, innerWidth]")?;
            ensure!(wide[0] == wide[1], "{tab} at {size:?}: {wide}");
            named(test).with_context(|| tab.to_owned())?;
        }
    }
    test.browser.window((1280, 1000), false)?;
    for tab in ["weights", "resources", "request"] {
        test.browser.evaluate(&format!("document.getElementById('tab-{tab}').click()"))?;
        tour(test).with_context(|| tab.to_owned())?;
    }
    arrows(test)
}

/// Everything that can be used has a name for those who do not see it.
fn named(test: &mut Try) -> Result<()> {
    let nameless = test.browser.evaluate(&format!(
        "[...document.querySelectorAll({USABLE:?})].filter((one) => one.checkVisibility() && !(one.getAttribute('aria-label') || one.labels?.[0]?.textContent.trim() || one.textContent.trim())).map((one) => one.outerHTML)"
    ))?;
    ensure!(nameless == json!([]), "without a name: {nameless}");
    Ok(())
}

/// The tab key passes all that is there, and each has an outline while it has the focus.
fn tour(test: &mut Try) -> Result<()> {
    let number = format!(
        "(() => {{ const all = [...document.querySelectorAll({USABLE:?})].filter((one) => one.checkVisibility());
           all.forEach((one, at) => {{ one.dataset.stop = at; }}); document.activeElement.blur(); window.scrollTo(0, 0); return all.length; }})()"
    );
    let all = test.browser.evaluate(&number)?.as_u64().context("a number")?;
    let mut seen = BTreeSet::new();
    // Chromium adds stops of its own for what can be scrolled.
    for _ in 0..2 * all + 20 {
        test.browser.press("Tab")?;
        let at = test.browser.evaluate(
            "(() => { const one = document.activeElement; const style = getComputedStyle(one);
               return [Number(one.dataset.stop ?? -1), style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0]; })()",
        )?;
        let Some(stop) = at[0].as_u64() else { continue };
        ensure!(at[1] == true, "no outline at stop {stop}");
        seen.insert(stop);
        if seen.len() as u64 == all {
            return Ok(());
        }
    }
    let missed: Vec<u64> = (0..all).filter(|stop| !seen.contains(stop)).collect();
    let what = test.browser.evaluate(&format!(
        "{missed:?}.map((stop) => document.querySelector(`[data-stop=\"${{stop}}\"]`).outerHTML)"
    ))?;
    anyhow::bail!("the tab key does not reach {what}")
}

/// Arrow keys go from tab to tab, and a select drops a header: the whole way without a pointer.
fn arrows(test: &mut Try) -> Result<()> {
    test.browser.evaluate("document.getElementById('tab-request').focus()")?;
    for (key, wanted) in [("ArrowRight", "weights"), ("End", "resources"), ("ArrowRight", "request")] {
        test.browser.press(key)?;
        let shown = test.browser.evaluate(
            "[document.activeElement.id, document.querySelector('[role=tabpanel]:not([hidden])').id]",
        )?;
        ensure!(
            shown == json!([format!("tab-{wanted}"), format!("panel-{wanted}")]),
            "{key} leads to {shown}"
        );
    }
    test.browser.evaluate("document.getElementById('drops-0').focus()")?;
    test.browser.press("End")?;
    test.browser.wait("document.querySelectorAll('.hop.left-lane').length === 1")?;
    ensure!(
        test.browser.evaluate("document.activeElement.id")? == "drops-0",
        "the focus is lost as the lane is drawn"
    );
    Ok(())
}
