//! Values and optional lines of a template. `{{name}}` is a value; lines between `//#if part` and `//#end` stay only if that
//! part is wanted. Nothing else is understood, and what is unknown or left over is an error.

use anyhow::{Result, bail, ensure};

/// What goes into a template.
#[derive(Debug, Default)]
pub struct Fill {
    /// Values, by name, as the language writes them.
    pub values: Vec<(&'static str, String)>,
    /// Optional parts, and whether they are wanted.
    pub parts: Vec<(&'static str, bool)>,
}

impl Fill {
    /// The text of a template with everything in its place.
    ///
    /// # Errors
    /// When the template names what is not here, or a part does not end.
    pub fn text(&self, template: &str) -> Result<String> {
        let mut text = String::new();
        let mut part: Option<bool> = None;
        for line in template.lines() {
            let word = line.trim_start();
            if let Some(name) = word.strip_prefix("//#if ") {
                ensure!(part.is_none(), "part `{name}` begins in another one");
                part = Some(self.wants(name)?);
            } else if word == "//#end" {
                ensure!(part.take().is_some(), "a part ends that did not begin");
            } else if part.unwrap_or(true) {
                text += &self.line(line)?;
                text.push('\n');
            }
        }
        ensure!(part.is_none(), "a part does not end");
        Ok(text)
    }

    fn wants(&self, part: &str) -> Result<bool> {
        let Some((_, wanted)) = self.parts.iter().find(|(name, _)| *name == part) else {
            bail!("unknown part `{part}`")
        };
        Ok(*wanted)
    }

    fn line(&self, line: &str) -> Result<String> {
        let mut pieces = line.split("{{");
        let mut text = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let Some((name, rest)) = piece.split_once("}}") else { bail!("a value does not end: `{line}`") };
            let Some((_, value)) = self.values.iter().find(|(known, _)| *known == name) else {
                bail!("unknown value `{name}`")
            };
            text += value;
            text += rest;
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_filled_or_refused() {
        let fill = Fill {
            values: vec![("a", "{{b}}".to_owned()), ("b", "2".to_owned())],
            parts: vec![("yes", true), ("no", false)],
        };
        let text =
            fill.text("x {{a}} y {{b}}\n  //#if yes\n{{b}}\n  //#end\n//#if no\n{{b}}\n//#end\n").unwrap();
        assert_eq!(text, "x {{b}} y 2\n2\n", "what is filled in is not read again");
        for (template, said) in [
            ("{{c}}", "unknown value `c`"),
            ("{{a", "does not end"),
            ("//#if c\n//#end", "unknown part `c`"),
            ("//#if yes\n", "a part does not end"),
            ("//#end", "did not begin"),
            ("//#if yes\n//#if no\n//#end\n//#end", "begins in another one"),
        ] {
            assert!(fill.text(template).unwrap_err().to_string().contains(said), "{template}");
        }
    }
}
