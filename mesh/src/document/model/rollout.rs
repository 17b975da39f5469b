//! A rollout: whose users get a canary, and how it gets from the first of them to all.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::external::Weights;
use super::share::Share;

/// Which share of the users gets which subset.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Rollout {
    /// Percent by canary, with up to two decimals; the baseline gets the rest. `external`: another controller, such as Argo
    /// Rollouts or Flagger, sets the weights of the service's route, and users stay on the version that these weights give
    /// them.
    pub weights: Weights,
    /// With `weights: external`: name of the weighted rule of the VirtualService. Without it all rules of the host count as
    /// weighted, and each must have at least two destinations.
    pub route: Option<String>,
    /// With `weights: external`: labels of the pods whose proxies get the EnvoyFilter, for a first step with few callers, as in
    /// `{app: checkout}`. The gateway gets it if its `selector` has these labels. Default: all callers.
    #[serde(default)]
    pub callers: BTreeMap<String, String>,
    /// Tenants whose users take part. Default: the default tenant.
    pub tenants: Option<Vec<String>>,
    /// Decides which users move first. Services that must move the same users share one salt. Default: the full host name.
    pub salt: Option<String>,
    /// `true`: clusters may place users differently, so that users may change version with the cluster that they come in by.
    /// `ramp run` then leaves the rollout to people.
    #[serde(default)]
    pub per_cluster: bool,
    /// The percentages that the rollout passes through. `{pause: approve}` between two: the next one, or the promotion, waits
    /// until one of `approvers` allows it with `graylane ramp approve`.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// How long each step is watched. Default: `10m`.
    pub hold: Option<String>,
    /// A tenant whose requests must pass the guards before the first live user moves.
    pub gate: Option<String>,
    /// Guards in addition to errors and latency, which are always judged (see `alerts`).
    #[serde(default)]
    pub guards: Vec<Guard>,
    /// The point of no return, in percent: once a canary has had this weight or more, as `25`, its users may have written
    /// data that only the canary can read. A bad verdict then holds, and only a person goes back (docs/two-versions.md).
    pub no_return: Option<f64>,
    /// Commands of the shell that must succeed before a step is taken, or that follow an abort.
    #[serde(default)]
    pub hooks: Hooks,
    /// Who may approve: names, as in `ada@example.com`, for `graylane ramp approve --by`.
    #[serde(default)]
    pub approvers: Vec<String>,
    /// When steps up and the promotion may begin; an abort never waits. Default: always.
    #[serde(default)]
    pub windows: Vec<Window>,
}

/// A step: a percentage, or a pause before the next one.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Step {
    /// Percent of the users.
    Percent(f64),
    /// A pause.
    Pause(Pause),
}

/// A pause between two steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// `approve`: until one of `approvers` allows the next step.
    pub pause: PauseFor,
}

/// What a pause waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PauseFor {
    /// For an approval.
    Approve,
}

/// Commands of the shell around steps.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Hooks {
    /// By step, or `promote`: a command that must exit with 0 before that step is written, as in `25: ./check-schema.sh`.
    pub before: BTreeMap<String, String>,
    /// A command for after an abort; repeated until it exits with 0.
    pub after_abort: Option<String>,
    /// How long one command may take; then it is ended with everything that it started. Default: `5m`.
    pub timeout: Option<String>,
}

/// Days and hours, by the clock of a time zone.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// The days on which it opens.
    pub days: Vec<Day>,
    /// When it opens, as in `"09:00"`.
    pub from: String,
    /// When it closes, as in `"16:00"`; `"24:00"` is the end of the day. Before `from`: on the next day.
    pub to: String,
    /// The time zone, as in `Europe/Berlin` or `UTC`.
    pub zone: String,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Day {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

/// A query of your own by which a rollout is judged.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Guard {
    /// Name of the guard in verdicts.
    pub name: String,
    /// PromQL with one series as its result.
    pub query: String,
    /// Above this the rollout is aborted.
    pub max: Option<f64>,
    /// Below this the rollout is aborted.
    pub min: Option<f64>,
}

/// The key of `hooks.before`, and the step of an approval, for the promotion.
pub const PROMOTE: &str = "promote";

impl Rollout {
    /// The percentages among the steps, in hundredths.
    pub fn percentages(&self) -> impl Iterator<Item = u16> {
        self.steps.iter().filter_map(|step| match step {
            Step::Percent(percent) => Share::Percent(*percent).buckets(),
            Step::Pause(_) => None,
        })
    }

    /// Whether a pause is before this step: in hundredths of a percent, or none for the promotion.
    #[must_use]
    pub fn pauses_before(&self, step: Option<u16>) -> bool {
        let mut paused = false;
        for each in &self.steps {
            match each {
                Step::Pause(_) => paused = true,
                Step::Percent(percent) if step.is_some() && Share::Percent(*percent).buckets() == step => {
                    return paused;
                }
                Step::Percent(_) => paused = false,
            }
        }
        paused && step.is_none()
    }

    /// The command that must succeed before this step: in hundredths of a percent, or none for the promotion.
    #[must_use]
    pub fn hook_before(&self, step: Option<u16>) -> Option<&str> {
        let is = |key: &str| match step {
            None => key == PROMOTE,
            Some(_) => key.parse().ok().and_then(|percent| Share::Percent(percent).buckets()) == step,
        };
        self.hooks.before.iter().find(|(key, _)| is(key)).map(|(_, command)| command.as_str())
    }

    /// The point of no return, in hundredths of a percent.
    #[must_use]
    pub fn no_return(&self) -> Option<u16> {
        Share::Percent(self.no_return?).buckets()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rollout(more: &str) -> Rollout {
        let json = format!(r#"{{"weights": {{"canary": 1}}, {more}}}"#);
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn a_pause_is_before_the_step_that_follows_it() {
        let one = rollout(r#""steps": [1, {"pause": "approve"}, 2.5, 100, {"pause": "approve"}]"#);
        assert_eq!(one.percentages().collect::<Vec<_>>(), [100, 250, 10_000]);
        let paused = [Some(100), Some(250), Some(10_000), None].map(|step| one.pauses_before(step));
        assert_eq!(paused, [false, true, false, true]);
        assert!(!one.pauses_before(Some(200)));
        assert!(!rollout(r#""steps": [{"pause": "approve"}, 1]"#).pauses_before(None));
    }

    #[test]
    fn a_hook_is_found_however_its_step_is_written() {
        let one = rollout(r#""hooks": {"before": {"1": "a", "2.50": "b", "promote": "c"}}"#);
        let found = [Some(100), Some(250), Some(500), None].map(|step| one.hook_before(step));
        assert_eq!(found, [Some("a"), Some("b"), None, Some("c")]);
    }
}
