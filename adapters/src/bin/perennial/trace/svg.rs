//! A timeline as SVG: states, attempts, round trips and queue depth over time.

use std::fmt::Write as _;

use perennial_core::{Duration, Instant, State};

use super::describe;
use super::explain::length_of;
use super::story::Story;

const WIDTH: f64 = 1000.0;
const LEFT: f64 = 90.0;
const RIGHT: f64 = 25.0;
const HEIGHT: f64 = 300.0;
/// The upper ends and the heights of the lanes.
const STATES: (f64, f64) = (50.0, 30.0);
const ATTEMPTS: (f64, f64) = (95.0, 20.0);
const TRIPS: (f64, f64) = (130.0, 50.0);
const QUEUE: (f64, f64) = (195.0, 60.0);
/// Where the lanes end and the axis is.
const BOTTOM: f64 = QUEUE.0 + QUEUE.1 + 8.0;
/// How many times are named at most, besides the start.
const MOST_TIMES: u128 = 8;
/// The steps between them beyond a second, in seconds. Below, and beyond a day, it is 1, 2 or 5 of a
/// power of ten.
const STEPS: [u64; 17] =
    [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 10_800, 14_400, 21_600];
/// The most points of a lane that are drawn.
const MOST_POINTS: usize = 2_000;

/// Colours of both schemes. A program that shows SVG knows which one its reader wants.
const STYLE: &str = "\
.page{fill:#fff}.text{fill:#222;font:12px sans-serif}.small{font-size:10px}.faint{fill:#777}\
.in{fill:#111}.end{text-anchor:end}.middle{text-anchor:middle}\
.axis{stroke:#999;stroke-width:1}.grid{stroke:#999;stroke-width:1;stroke-opacity:.25}\
.connecting{fill:#c9a227}.open{fill:#2e8b57}.reconnecting{fill:#d2691e}.closed{fill:#888}\
.dial{stroke:#225;stroke-width:1.5}.dead{stroke:#b00020;stroke-width:1.5}.trip{fill:#2563a8}\
.queue{fill:#7a5ba8;fill-opacity:.35;stroke:#7a5ba8;stroke-width:1}\
@media(prefers-color-scheme:dark){.page{fill:#15171a}.text{fill:#ddd}.faint{fill:#999}.in{fill:#111}\
.axis{stroke:#777}.grid{stroke:#777}\
.connecting{fill:#d9b64a}.open{fill:#4cb57f}.reconnecting{fill:#e8894a}.closed{fill:#888}\
.dial{stroke:#aac4ff}.dead{stroke:#ff6b7d}.trip{fill:#7db4f0}\
.queue{fill:#b79be6;stroke:#b79be6}}";

/// Draws the story.
pub(super) fn draw(story: &Story) -> String {
    let mut svg = String::new();
    let length = clock(story.end - story.start);
    // Writing to a string cannot fail.
    let _ = write!(
        svg,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">
<title>{}</title>
<style>{STYLE}</style>
<rect class="page" width="{WIDTH}" height="{HEIGHT}"/>
"#,
        escaped(&format!("A connection over {length}")),
    );
    axis(&mut svg, story);
    label(&mut svg, LEFT, 25.0, &summary(story), "text");
    for (name, (top, height)) in
        [("state", STATES), ("attempts", ATTEMPTS), ("round trip", TRIPS), ("queue", QUEUE)]
    {
        label(&mut svg, 10.0, top + height / 2.0 + 4.0, name, "text");
    }
    states(&mut svg, story);
    ticks(&mut svg, story);
    trips(&mut svg, story);
    queue(&mut svg, story);
    svg.push_str("</svg>\n");
    svg
}

fn summary(story: &Story) -> String {
    let down: Duration = story.outages.iter().map(|outage| length_of(outage, story)).sum();
    let length = clock(story.end - story.start);
    let attempts = counted(story.dials.len(), "attempt");
    match story.outages.len() {
        0 => format!("{length}: {attempts}, no outage"),
        outages => {
            let (outages, down) = (counted(outages, "outage"), clock(down));
            format!("{length}: {attempts}, {outages}, {down} down")
        }
    }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

/// Where a moment stands.
fn x(story: &Story, at: Instant) -> f64 {
    let whole = seconds(story.end - story.start).max(1e-9);
    LEFT + (WIDTH - LEFT - RIGHT) * seconds(at - story.start) / whole
}

fn label(svg: &mut String, x: f64, y: f64, text: &str, class: &str) {
    let _ =
        writeln!(svg, r#"<text class="{class}" x="{x:.1}" y="{y:.1}">{}</text>"#, escaped(text));
}

fn states(svg: &mut String, story: &Story) {
    let (top, height) = STATES;
    for span in thinned(&story.spans) {
        let class = match span.state {
            State::Connecting => "connecting",
            State::Open => "open",
            State::Reconnecting => "reconnecting",
            State::Closed => "closed",
        };
        let from = x(story, span.from);
        // What is shorter than a line is one.
        let width = (x(story, span.to) - from).max(1.0);
        let what = format!(
            "{class} for {}, from {}",
            describe::duration(span.to - span.from),
            describe::time(span.from, story.start)
        );
        let _ = writeln!(
            svg,
            r#"<rect class="{class}" x="{from:.1}" y="{top}" width="{width:.1}" height="{height}"><title>{}</title></rect>"#,
            escaped(&what),
        );
        if width > 70.0 {
            label(svg, from + 4.0, top + height / 2.0 + 4.0, class, "text small in");
        }
    }
}

/// Says what the ticks of a colour are, at the right above them.
fn legend(svg: &mut String, right: f64, class: &str, text: &str) {
    let _ = writeln!(
        svg,
        r#"<line class="{class}" x1="{:.1}" y1="15" x2="{:.1}" y2="29"/>"#,
        right - 65.0,
        right - 65.0
    );
    label(svg, right - 60.0, 25.0, text, "text small");
}

fn ticks(svg: &mut String, story: &Story) {
    let (top, height) = ATTEMPTS;
    if !story.deaths.is_empty() {
        legend(svg, WIDTH - RIGHT - 75.0, "dial", "attempt");
        legend(svg, WIDTH - RIGHT, "dead", "found dead");
    }
    if story.dials.is_empty() && story.deaths.is_empty() {
        none(svg, ATTEMPTS);
    }
    for (class, moments) in [("dial", &story.dials), ("dead", &story.deaths)] {
        for at in thinned(moments) {
            let x = x(story, *at);
            let _ = writeln!(
                svg,
                r#"<line class="{class}" x1="{x:.1}" y1="{top}" x2="{x:.1}" y2="{}"><title>{class} at {}</title></line>"#,
                top + height,
                escaped(&describe::time(*at, story.start)),
            );
        }
    }
}

fn trips(svg: &mut String, story: &Story) {
    let (top, height) = TRIPS;
    let Some(most) = story.pongs.iter().map(|(_, rtt)| *rtt).max() else {
        return none(svg, TRIPS);
    };
    let scale = seconds(most).max(1e-9);
    for (at, rtt) in thinned(&story.pongs) {
        let y = top + height * (1.0 - seconds(*rtt) / scale);
        let _ = writeln!(
            svg,
            r#"<circle class="trip" cx="{:.1}" cy="{y:.1}" r="2"><title>{}</title></circle>"#,
            x(story, *at),
            escaped(&describe::duration(*rtt)),
        );
    }
    label(svg, LEFT - 6.0, top + 4.0, &describe::duration(most), "text small faint end");
}

/// Says that a lane is not empty for want of room.
fn none(svg: &mut String, (top, height): (f64, f64)) {
    label(svg, LEFT + 4.0, top + height / 2.0 + 4.0, "none", "text small faint");
}

fn queue(svg: &mut String, story: &Story) {
    let (top, height) = QUEUE;
    let bottom = top + height;
    let deepest = story.depth.iter().map(|(_, depth)| *depth).max().unwrap_or(0);
    if deepest == 0 {
        return none(svg, QUEUE);
    }
    // Depths are far below 2^52.
    #[allow(clippy::cast_precision_loss)]
    let y = |depth: usize| bottom - height * depth as f64 / deepest as f64;
    let mut path = format!("M{:.1} {bottom:.1}", LEFT);
    for (at, depth) in thinned(&story.depth) {
        let _ = write!(path, "H{:.1}V{:.1}", x(story, *at), y(*depth));
    }
    let _ = write!(path, "H{:.1}V{bottom:.1}Z", WIDTH - RIGHT);
    let _ = writeln!(svg, r#"<path class="queue" d="{path}"/>"#);
    label(svg, LEFT - 6.0, top + 4.0, &deepest.to_string(), "text small faint end");
}

fn axis(svg: &mut String, story: &Story) {
    let right = WIDTH - RIGHT;
    let _ = writeln!(
        svg,
        r#"<line class="axis" x1="{LEFT}" y1="{BOTTOM}" x2="{right}" y2="{BOTTOM}"/>"#,
    );
    let whole = story.end - story.start;
    let step = step(whole);
    let mut since = Duration::ZERO;
    while since <= whole {
        let x = x(story, story.start + since);
        let _ = writeln!(
            svg,
            r#"<line class="grid" x1="{x:.1}" y1="{}" x2="{x:.1}" y2="{BOTTOM}"/>"#,
            STATES.0,
        );
        label(svg, x, BOTTOM + 16.0, &clock(since), "text small middle");
        since += step;
    }
}

/// The smallest round time of which not more than [`MOST_TIMES`] fit into `whole`.
fn step(whole: Duration) -> Duration {
    let least = whole.as_nanos().div_ceil(MOST_TIMES).max(1);
    let steps = STEPS.into_iter().map(|step| u128::from(step) * 1_000_000_000);
    let day = 86_400 * 1_000_000_000;
    let decimal = |unit: u128| {
        (0..19).flat_map(move |zeros| [1, 2, 5].map(|digit| unit * digit * 10_u128.pow(zeros)))
    };
    let found = decimal(1)
        .take_while(|step| *step < 1_000_000_000)
        .chain(steps)
        .chain([day / 2])
        .chain(decimal(day))
        .find(|step| *step >= least);
    Duration::from_nanos(found.and_then(|step| u64::try_from(step).ok()).unwrap_or(u64::MAX))
}

/// A time from the start on, in units that are easily read.
fn clock(since: Duration) -> String {
    let seconds = since.as_secs();
    if seconds < 60 {
        return describe::duration(since);
    }
    let mut text = String::new();
    let parts = [(86_400, u64::MAX, "d"), (3_600, 24, "h"), (60, 60, "m"), (1, 60, "s")];
    for (unit, most, name) in parts {
        let count = seconds / unit % most;
        if count > 0 {
            let _ = write!(text, "{count}{name}");
        }
    }
    text
}

/// Not more of them than can be told apart; the first of each group stands for it.
fn thinned<T>(all: &[T]) -> impl Iterator<Item = &T> {
    all.iter().step_by(all.len().div_ceil(MOST_POINTS).max(1))
}

/// As XML wants text.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // XML knows no other control characters.
            '\u{0}'..='\u{1f}' => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_names_few_round_times() {
        let length = |nanos| clock(step(Duration::from_nanos(nanos)));
        assert_eq!(length(1_400_000), "200µs");
        assert_eq!(length(8_000_000), "1ms");
        assert_eq!(length(8_000_001), "2ms");
        let seconds = |seconds: u64| length(seconds * 1_000_000_000);
        assert_eq!(
            [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000].map(seconds),
            ["200ms", "2s", "20s", "5m", "30m", "4h", "2d", "20d"]
        );
        assert_eq!(length(u64::MAX), "50000d");
        for power in 0..64 {
            let whole = Duration::from_nanos(1 << power);
            let times = whole.as_nanos() / step(whole).as_nanos();
            assert!(times <= MOST_TIMES && (times >= 2 || power < 2), "{times} of {whole:?}");
        }
    }

    #[test]
    fn times_are_said_in_their_largest_units() {
        let told = [59, 60, 90, 3_600, 3_661, 86_400, 90_061].map(Duration::from_secs).map(clock);
        assert_eq!(told, ["59s", "1m", "1m30s", "1h", "1h1m1s", "1d", "1d1h1m1s"]);
        assert_eq!(clock(Duration::from_millis(1_200)), "1.2s");
    }
}
