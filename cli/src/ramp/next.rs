//! The commands that messages name: what a person does next. A rollout by Git has other ones.

/// The commands of a rollout.
#[derive(Clone, Copy, Debug)]
pub struct Next<'a> {
    service: &'a str,
    by_git: bool,
}

impl<'a> Next<'a> {
    /// Of a service whose rollout is in files here.
    #[must_use]
    pub fn here(service: &'a str) -> Self {
        Self { service, by_git: false }
    }

    /// The same, or of one that is by Git.
    #[must_use]
    pub fn of(service: &'a str, by_git: bool) -> Self {
        Self { service, by_git }
    }

    /// The service.
    #[must_use]
    pub fn service(&self) -> &'a str {
        self.service
    }

    fn git(&self) -> &'static str {
        if self.by_git { " --git" } else { "" }
    }

    /// Lets a run go on.
    #[must_use]
    pub fn resume(&self) -> String {
        format!("`graylane ramp run {}{} --resume`", self.service, self.git())
    }

    /// The same in a sentence.
    #[must_use]
    pub fn go_on(&self) -> String {
        format!("{} goes on from what the file says", self.resume())
    }

    /// Allows the next step.
    #[must_use]
    pub fn approve(&self) -> String {
        format!("`graylane ramp approve {}{} --by NAME`", self.service, self.git())
    }

    /// Allows it outside of every window.
    #[must_use]
    pub fn approve_outside(&self) -> String {
        format!("`graylane ramp approve {}{} --by NAME --outside-window`", self.service, self.git())
    }

    /// Takes the canary back past its point of no return.
    #[must_use]
    pub fn go_back(&self) -> String {
        let command = format!("`graylane ramp abort {} --past-no-return`", self.service);
        if self.by_git { format!("{command} in a checkout, committed and pushed") } else { command }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_of_a_rollout_by_git_say_so() {
        let all = |next: Next<'_>| [next.resume(), next.approve(), next.approve_outside(), next.go_back()];
        assert!(all(Next::here("api")).iter().all(|text| !text.contains("git") && text.contains(" api")));
        let by_git = all(Next::of("api", true));
        assert_eq!(by_git[0], "`graylane ramp run api --git --resume`");
        assert_eq!(by_git[1], "`graylane ramp approve api --git --by NAME`");
        assert!(by_git[2].contains(" api --git --by NAME --outside-window"));
        // It edits files, which are pushed like any edit.
        assert!(!by_git[3].contains("--git") && by_git[3].contains("pushed"));
    }
}
