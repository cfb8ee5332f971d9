//! A timeline as SVG: states, attempts, round trips and queue depth over time.

use std::fmt::Write as _;

use perennial_core::{Duration, Instant, State};

use super::describe;
use super::explain::length_of;
use super::story::Story;

const WIDTH: f64 = 1000.0;
const LEFT: f64 = 90.0;
const RIGHT: f64 = 20.0;
const HEIGHT: f64 = 300.0;
/// The upper ends and the heights of the lanes.
const STATES: (f64, f64) = (50.0, 30.0);
const ATTEMPTS: (f64, f64) = (95.0, 20.0);
const TRIPS: (f64, f64) = (130.0, 50.0);
const QUEUE: (f64, f64) = (195.0, 60.0);
/// The most points of a lane that are drawn.
const MOST_POINTS: usize = 2_000;

/// Colours of both schemes. A program that shows SVG knows which one its reader wants.
const STYLE: &str = "\
.page{fill:#fff}.text{fill:#222;font:12px sans-serif}.small{font-size:10px}.axis{stroke:#999;stroke-width:1}\
.connecting{fill:#c9a227}.open{fill:#2e8b57}.reconnecting{fill:#d2691e}.closed{fill:#888}\
.dial{stroke:#225;stroke-width:1.5}.dead{stroke:#b00020;stroke-width:1.5}.trip{fill:#2563a8}\
.queue{fill:#7a5ba8;fill-opacity:.35;stroke:#7a5ba8;stroke-width:1}\
@media(prefers-color-scheme:dark){.page{fill:#15171a}.text{fill:#ddd}.axis{stroke:#666}\
.connecting{fill:#d9b64a}.open{fill:#4cb57f}.reconnecting{fill:#e8894a}.closed{fill:#777}\
.dial{stroke:#aac4ff}.dead{stroke:#ff6b7d}.trip{fill:#7db4f0}\
.queue{fill:#b79be6;stroke:#b79be6}}";

/// Draws the story.
pub(super) fn draw(story: &Story) -> String {
    let mut svg = String::new();
    let length = describe::duration(story.end - story.start);
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
    axis(&mut svg, story);
    svg.push_str("</svg>\n");
    svg
}

fn summary(story: &Story) -> String {
    let down: Duration = story.outages.iter().map(|outage| length_of(outage, story)).sum();
    let length = describe::duration(story.end - story.start);
    let (attempts, outages) = (story.dials.len(), story.outages.len());
    format!("{length}: {attempts} attempts, {outages} outages, {} down", describe::duration(down))
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
        let width = (x(story, span.to) - from).max(1.0).min(WIDTH - from);
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
            label(svg, from + 4.0, top + height / 2.0 + 4.0, class, "text small");
        }
    }
}

fn ticks(svg: &mut String, story: &Story) {
    let (top, height) = ATTEMPTS;
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
    let Some(most) = story.pongs.iter().map(|(_, rtt)| *rtt).max() else { return };
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
    label(svg, LEFT - 75.0, top + 6.0, &describe::duration(most), "text small");
}

fn queue(svg: &mut String, story: &Story) {
    let (top, height) = QUEUE;
    let bottom = top + height;
    let deepest = story.depth.iter().map(|(_, depth)| *depth).max().unwrap_or(0);
    if deepest > 0 {
        // Depths are far below 2^52.
        #[allow(clippy::cast_precision_loss)]
        let y = |depth: usize| bottom - height * depth as f64 / deepest as f64;
        let mut path = format!("M{:.1} {bottom:.1}", LEFT);
        for (at, depth) in thinned(&story.depth) {
            let _ = write!(path, "H{:.1}V{:.1}", x(story, *at), y(*depth));
        }
        let _ = write!(path, "H{:.1}V{bottom:.1}Z", WIDTH - RIGHT);
        let _ = writeln!(svg, r#"<path class="queue" d="{path}"/>"#);
    }
    label(svg, LEFT - 75.0, top + 6.0, &format!("{deepest}"), "text small");
}

fn axis(svg: &mut String, story: &Story) {
    let y = QUEUE.0 + QUEUE.1 + 8.0;
    let _ = writeln!(
        svg,
        r#"<line class="axis" x1="{LEFT}" y1="{y}" x2="{:.1}" y2="{y}"/>"#,
        WIDTH - RIGHT
    );
    let whole = story.end - story.start;
    for tick in 0..=5_u32 {
        let at = story.start + whole / 5 * tick;
        let text = describe::time(at, story.start);
        label(svg, x(story, at) - 12.0, y + 16.0, &text, "text small");
    }
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
