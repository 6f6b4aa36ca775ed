//! A small writer of accessible SVG: colours are classes, so one picture serves light, dark and print.

use std::fmt::Write as _;

/// The style sheet of pictures.
const STYLE_SHEET: &str = include_str!("picture.css");

/// The width of every picture, pixels.
pub(super) const WIDTH: u32 = 860;

/// A picture that is being drawn; coordinates are pixels from the upper left corner.
pub(super) struct Svg {
    body: String,
}

impl Svg {
    pub(super) const fn new() -> Self {
        Self { body: String::new() }
    }

    /// The whole document, with a title and a description for those who do not see it.
    pub(super) fn finish(self, height: u32, title: &str, description: &str) -> String {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"pgs-cycle\" role=\"img\" \
             aria-labelledby=\"cycle-title cycle-desc\" width=\"{WIDTH}\" height=\"{height}\" \
             viewBox=\"0 0 {WIDTH} {height}\">\n<title id=\"cycle-title\">{}</title>\n\
             <desc id=\"cycle-desc\">{}</desc>\n<style>\n{STYLE_SHEET}</style>\n\
             <rect class=\"ground\" width=\"{WIDTH}\" height=\"{height}\"/>\n{}</svg>\n",
            markup(title),
            markup(description),
            self.body
        )
    }

    pub(super) fn text(&mut self, class: &str, (x, y): (u32, u32), text: &str) {
        self.element(&format!("<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{}</text>", markup(text)));
    }

    pub(super) fn rect(&mut self, class: &str, (x, y): (u32, u32), (width, height): (u32, u32)) {
        self.element(&format!(
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"6\"/>"
        ));
    }

    /// A line through points, with a head at its last one.
    pub(super) fn arrow(&mut self, class: &str, points: &[(u32, u32)]) {
        let mut path = String::new();
        for (place, (x, y)) in points.iter().enumerate() {
            // Writing to a string cannot fail.
            let _ = write!(path, "{}{x} {y}", if place == 0 { "M" } else { " L" });
        }
        self.element(&format!("<path class=\"arrow {class}\" d=\"{path}\"/>"));
        if let [.., (from_x, from_y), (x, y)] = points {
            let (x, y) = (i64::from(*x), i64::from(*y));
            let (across, down) = ((x - i64::from(*from_x)).signum(), (y - i64::from(*from_y)).signum());
            // The tip lies two pixels ahead of the line's end, the barbs eight behind.
            let tip = (x + 2 * across, y + 2 * down);
            let barbs = [-1, 1].map(|side| (x - 8 * across + side * 5 * down, y - 8 * down + side * 5 * across));
            let [one, other] = barbs;
            self.element(&format!(
                "<path class=\"head {class}\" d=\"M{} {} L{} {} L{} {} Z\"/>",
                tip.0, tip.1, one.0, one.1, other.0, other.1
            ));
        }
    }

    fn element(&mut self, element: &str) {
        self.body.push_str(element);
        self.body.push('\n');
    }
}

/// Text for an element of XML 1.0; control characters, which it forbids, become U+FFFD.
fn markup(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push('\n'),
            other if other.is_control() || matches!(other, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}

/// About how wide a text is drawn, tenths of its font size; fonts differ, so layouts leave some room.
fn tenths(character: char) -> u32 {
    match character {
        'i' | 'l' | 'j' | '.' | ',' | ':' | '\'' | 'I' | '|' => 3,
        ' ' | 'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '-' => 4,
        'm' | 'w' | 'M' | 'W' => 9,
        '\u{2e80}'..='\u{ffdc}' => 11,
        _ => 6,
    }
}

/// Breaks a text of 13 pixels into lines of at most this many pixels: at spaces and between Chinese characters.
pub(super) fn wrap(text: &str, width: u32) -> Vec<String> {
    let width_of = |text: &str| text.chars().map(tenths).sum::<u32>() * 14 / 10;
    let mut lines = vec![String::new()];
    let mut word = String::new();
    let flush = |word: &mut String, lines: &mut Vec<String>| {
        let line = lines.last_mut().expect("there is always a line");
        if !line.is_empty() && width_of(line) + width_of(word.trim_end()) > width {
            line.truncate(line.trim_end().len());
            lines.push(std::mem::take(word));
        } else {
            line.push_str(word);
            word.clear();
        }
    };
    for character in text.chars() {
        word.push(character);
        if character == ' ' || tenths(character) > 10 {
            flush(&mut word, &mut lines);
        }
    }
    flush(&mut word, &mut lines);
    lines
}

/// A text in a monospaced font of 12 pixels, cut to a width.
pub(super) fn cut(text: &str, width: u32) -> String {
    let most = (width * 10 / 75) as usize;
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}
