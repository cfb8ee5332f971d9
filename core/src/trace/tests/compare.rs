//! Two traces side by side.

use super::super::compare::NOTHING;
use super::*;

/// A connection that opens, and then whatever `then` does.
fn opens(then: impl FnOnce(&mut Recorded)) -> Trace {
    let mut run = Recorded::new(Contents::Full, |_| {});
    run.after(10, opened(1));
    then(&mut run);
    Trace::parse(run.text().as_bytes()).unwrap()
}

#[test]
fn the_first_difference_is_found_and_named() {
    let send = |text: &'static str| Event::Send(Outgoing::new(text));
    let one = opens(|run| run.after(5, send("a")));
    assert_eq!((one.difference(&one), one.difference_in_kind(&one)), (None, None));
    assert!(one.header_differences(&one).is_empty());

    let later = one.difference(&opens(|run| run.after(6, send("a")))).unwrap();
    assert_eq!((later.step, &later.place), (3, &Place::Time));
    assert_eq!(
        (later.recorded.as_str(), later.replayed.as_str()),
        ("0.020000000s", "0.021000000s")
    );

    let other = opens(|run| run.after(5, Event::Purge));
    let event = one.difference(&other).unwrap();
    assert_eq!((event.step, &event.place, event.at.as_millis()), (3, &Place::Event, 20));
    let kind = one.difference_in_kind(&other).unwrap();
    assert_eq!((kind.step, &kind.place), (3, &Place::Event));
    assert_eq!((kind.recorded.as_str(), kind.replayed.as_str()), ("send write", "purge"));
    let slower = opens(|run| {
        let _ = run.handle(send("a"));
    });
    let taken = opens(|run| {
        let _ = run.handle(send("a"));
        run.recorder.poll(&mut run.connection);
    });
    let kind = taken.difference_in_kind(&slower).unwrap();
    assert_eq!((kind.step, &kind.place), (3, &Place::Action(1)));
    // What differs in nothing but its content is of one kind.
    let same = opens(|run| run.after(7, send("bb")));
    assert!(one.difference(&same).is_some());
    assert_eq!(one.difference_in_kind(&same), None);
}

#[test]
fn a_trace_that_ends_earlier_differs_there() {
    let short = opens(|_| {});
    let long = opens(|run| run.after(5, Event::Purge));
    let missing = short.difference(&long).unwrap();
    assert_eq!((missing.step, &missing.place), (3, &Place::Event));
    assert_eq!(missing.at, long.steps()[2].at());
    assert_eq!((missing.recorded.as_str(), missing.replayed.as_str()), (NOTHING, "\"purge\""));
    let extra = long.difference(&short).unwrap();
    assert_eq!((extra.recorded.as_str(), extra.replayed.as_str()), ("\"purge\"", NOTHING));
    assert_eq!(extra.at, missing.at);
    assert_eq!(long.actions() - short.actions(), long.steps()[2].actions());
}

#[test]
fn what_became_of_an_event_is_compared() {
    let one = opens(|run| run.after(5, Event::Cancel(Seq(4))));
    let text = one.text().replace("not_queued", "closed");
    let other = Trace::parse(text.as_bytes()).unwrap();
    let found = one.difference(&other).unwrap();
    assert_eq!((found.step, &found.place), (3, &Place::Outcome));
    assert_eq!(
        (found.recorded.as_str(), found.replayed.as_str()),
        ("\"not_queued\"", "\"closed\"")
    );
    assert_eq!(one.difference_in_kind(&other), None);
}

#[test]
fn places_have_names() {
    let names = [
        (Place::Header("config.retry".into()), "config.retry"),
        (Place::Time, "the time"),
        (Place::Event, "the event"),
        (Place::Outcome, "what became of it"),
        (Place::Action(3), "action 3"),
    ];
    for (place, name) in names {
        assert_eq!(format!("{place}"), name);
    }
}

#[test]
fn what_was_taken_from_a_recorder_is_gone_from_it() {
    let mut run = Recorded::new(Contents::Full, |_| {});
    assert!(!run.recorder.text().is_empty());
    run.recorder.clear();
    run.after(10, opened(1));
    run.recorder.finish();
    assert_eq!(run.recorder.text().lines().count(), 1);
    assert!(run.recorder.text().contains("opened"));
}
