//! What was begun and cut off: written in the log, and not done.

use super::*;

#[tokio::test]
async fn an_abort_that_was_cut_off_is_done_whatever_else_was_edited() {
    let mut bank = Bank::new("").await;
    bank.look().await;
    bank.bad(true);
    bank.pass(60);
    // It is killed between the log and the file.
    says(&bank.run.look().await.unwrap(), "abort: errors");
    assert_eq!(bank.run.journal.last().unwrap().event, Event::Abort);
    bank.edit("hold: 60s", "hold: 90s");
    says(&bank.look().await, "Aborted");
    assert_eq!(bank.weight(), "weights: {canary: 0}");
}

impl Bank {
    /// A step is announced, and killed before it is in the file.
    fn cut_off(&mut self, from: f64, to: f64, mark: bool) {
        let Opened::Desk(desk) = Desk::open(std::slice::from_ref(&self.world.file)).unwrap() else {
            panic!()
        };
        let mut record = Record::now("api", "canary", to, Event::Advance, String::new());
        if mark {
            let note = Record { event: Event::NoReturn, ..record.clone() };
            self.run.journal.add(note).unwrap();
        }
        (record.from, record.to, record.hash) = (Some(from), Some(to), Some(desk.hash()));
        self.run.journal.add(record).unwrap();
    }
}

#[tokio::test]
async fn a_step_that_was_cut_off_waits_for_the_next_window() {
    let window = "      windows: [{days: [mon], from: \"09:00\", to: \"16:00\", zone: Europe/Berlin}]\n";
    let mut bank = Bank::new(window).await;
    // It was announced on another day.
    bank.cut_off(0.0, 5.0, false);
    says(&bank.look().await, "waits for a window");
    assert_eq!(bank.weight(), "weights: {canary: 0}");
    bank.pass(30 * 60);
    bank.look().await;
    assert_eq!(bank.weight(), "weights: {canary: 5}");
}

#[tokio::test]
async fn a_step_that_was_cut_off_is_judged_approved_and_prepared_again() {
    let more =
        "      noReturn: 25\n      approvers: [ada]\n      hooks: {before: {25: \"echo x >> HERE/ran\"}}\n";
    let mut bank = Bank::new(more).await;
    bank.edit("[5, 25, 100]", "[5, {pause: approve}, 25, 100]");
    bank.look().await;
    bank.pass(60);
    bank.cut_off(5.0, 25.0, true);
    says(&bank.run.look().await.unwrap(), "the step to 25 % was cut off: looking again");
    // As a process that is started later reads it.
    bank.run.journal = Journal::open(&bank.world.file.with_file_name("log.jsonl"), "api").unwrap();
    says(&bank.look().await, "25 % waits for an approval");
    bank.approve("25", "ada", false);
    says(&bank.run.look().await.unwrap(), "the hook before 25 % succeeded");
    bank.cut_off(5.0, 25.0, true);
    bank.bad(true);
    // It never had its point of no return.
    says(&bank.look().await, "Aborted");
    assert_eq!(bank.weight(), "weights: {canary: 0}");

    let mut bank = Bank::new(more).await;
    bank.edit("[5, 25, 100]", "[5, {pause: approve}, 25, 100]");
    bank.step().await;
    bank.approve("25", "ada", false);
    says(&bank.run.look().await.unwrap(), "the hook before 25 % succeeded");
    bank.cut_off(5.0, 25.0, true);
    bank.look().await;
    assert_eq!(bank.weight(), "weights: {canary: 25}", "what allowed it still counts");
    assert_eq!(bank.wrote(), "x\n", "once");
    assert_eq!(bank.events().iter().filter(|event| **event == Event::NoReturn).count(), 1);
}
