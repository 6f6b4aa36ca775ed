//! A small writer of accessible SVG. Colours are classes, so one chart serves light, dark and print.
//!
//! Not `plotters`: its SVG backend writes every colour into every element, knows no classes, patterns, titles or
//! descriptions, and clips long labels, so its charts cannot follow the reader's theme or be read aloud.

use crate::report::escape::markup;

/// How many colours and mark shapes there are before they repeat.
pub(super) const SERIES: usize = 8;

/// The style sheet of all charts.
pub const STYLE_SHEET: &str = include_str!("chart.css");

/// Where a chart is going to stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// In a file of its own: the style sheet is inside.
    Standalone,
    /// In a page that holds [`STYLE_SHEET`] already.
    Embedded,
}

/// Which end of a text lies at its position.
#[derive(Clone, Copy, Debug)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A chart that is being drawn. Coordinates are pixels from the upper left corner.
pub(super) struct Svg {
    id: String,
    width: f64,
    title: String,
    description: String,
    body: String,
}

impl Svg {
    /// A chart; `id` must be unique within a page, and begins the ids of its parts.
    pub(super) fn new(id: &str, width: f64, title: &str, description: &str) -> Self {
        Self {
            id: id.to_owned(),
            width,
            title: title.to_owned(),
            description: description.to_owned(),
            body: String::new(),
        }
    }

    /// The whole document.
    pub(super) fn finish(self, height: f64, frame: Frame) -> String {
        let Self { id, width, title, description, body } = self;
        let style = match frame {
            Frame::Standalone => format!("<style>\n{STYLE_SHEET}</style>\n"),
            Frame::Embedded => String::new(),
        };
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"pgs-chart\" role=\"img\" aria-labelledby=\"{id}-title {id}-desc\" \
             width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
             <title id=\"{id}-title\">{}</title>\n<desc id=\"{id}-desc\">{}</desc>\n{style}\
             <defs>\n{}{}{}</defs>\n{body}</svg>\n",
            markup(&title),
            markup(&description),
            hatch(&id, "hatch", 7, 45),
            hatch(&id, "hatch-bad", 4, 45),
            hatch(&id, "hatch-rejected", 6, -45),
            width = number(width),
            height = number(height),
        )
    }

    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let (x1, y1, x2, y2) = (number(from.0), number(from.1), number(to.0), number(to.1));
        self.element(&format!("<line class=\"{class}\" x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"/>"));
    }

    pub(super) fn polyline(&mut self, class: &str, points: &[(f64, f64)]) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{},{}", number(*x), number(*y))).collect();
        self.element(&format!("<polyline class=\"{class}\" points=\"{}\"/>", points.join(" ")));
    }

    /// A closed area, filled by its class or by a hatch of this chart.
    pub(super) fn area(&mut self, class: &str, hatch: Option<&str>, points: &[(f64, f64)]) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{},{}", number(*x), number(*y))).collect();
        let fill = hatch.map_or(String::new(), |name| format!(" style=\"fill:url(#{}-{name})\"", self.id));
        self.element(&format!("<polygon class=\"{class}\"{fill} points=\"{}\"/>", points.join(" ")));
    }

    pub(super) fn rect(&mut self, class: &str, hatch: Option<&str>, corner: (f64, f64), size: (f64, f64)) {
        let (x, y, width, height) = (number(corner.0), number(corner.1), number(size.0), number(size.1));
        let fill = hatch.map_or(String::new(), |name| format!(" style=\"fill:url(#{}-{name})\"", self.id));
        self.element(&format!(
            "<rect class=\"{class}\"{fill} x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/>"
        ));
    }

    pub(super) fn text(&mut self, class: &str, anchor: Anchor, at: (f64, f64), text: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
        self.element(&format!(
            "<text{class}{anchor} x=\"{}\" y=\"{}\">{}</text>",
            number(at.0),
            number(at.1),
            markup(text)
        ));
    }

    /// The mark of a series; its shape differs too, so that colour is not needed to tell series apart.
    pub(super) fn mark(&mut self, series: usize, class: &str, at: (f64, f64), radius: f64) {
        self.shape(series, &format!("{class} k{}", series % SERIES), at, radius);
    }

    /// One of the shapes of marks in a colour of its class.
    pub(super) fn shape(&mut self, series: usize, class: &str, at: (f64, f64), radius: f64) {
        let (x, y) = at;
        if series.is_multiple_of(SERIES) {
            let (x, y, r) = (number(x), number(y), number(radius));
            return self.element(&format!("<circle class=\"{class}\" cx=\"{x}\" cy=\"{y}\" r=\"{r}\"/>"));
        }
        let points: Vec<(f64, f64)> =
            outline(series).iter().map(|(across, down)| (x + across * radius, y + down * radius)).collect();
        self.area(class, None, &points);
    }

    fn element(&mut self, element: &str) {
        self.body.push_str(element);
        self.body.push('\n');
    }
}

/// The outlines of marks, in units of their radius.
fn outline(series: usize) -> &'static [(f64, f64)] {
    match series % SERIES {
        1 => &[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
        2 => &[(0.0, -1.15), (1.1, 0.85), (-1.1, 0.85)],
        3 => &[(0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)],
        4 => &[(0.0, 1.15), (1.1, -0.85), (-1.1, -0.85)],
        5 => &[(-1.15, 0.0), (0.85, -1.1), (0.85, 1.1)],
        6 => &[(-0.5, -1.2), (0.5, -1.2), (1.2, 0.0), (0.5, 1.2), (-0.5, 1.2), (-1.2, 0.0)],
        _ => &[
            (-0.4, -1.2),
            (0.4, -1.2),
            (0.4, -0.4),
            (1.2, -0.4),
            (1.2, 0.4),
            (0.4, 0.4),
            (0.4, 1.2),
            (-0.4, 1.2),
            (-0.4, 0.4),
            (-1.2, 0.4),
            (-1.2, -0.4),
            (-0.4, -0.4),
        ],
    }
}

/// The classes of the line of a series: its colour, and a dash that changes when colours repeat.
pub(super) fn line_class(series: usize) -> String {
    match series / SERIES % 3 {
        0 => format!("line k{}", series % SERIES),
        dash => format!("line k{} d{dash}", series % SERIES),
    }
}

fn hatch(id: &str, class: &str, step: u32, angle: i32) -> String {
    format!(
        "<pattern id=\"{id}-{class}\" width=\"{step}\" height=\"{step}\" patternUnits=\"userSpaceOnUse\" \
         patternTransform=\"rotate({angle})\"><line class=\"{class}\" x1=\"0\" y1=\"0\" x2=\"0\" y2=\"{step}\"/></pattern>\n"
    )
}

/// A coordinate with at most one decimal.
fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// About how wide a text is drawn, pixels; fonts differ, so layouts leave a little room.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    let width = |character: char| match character {
        '\u{202f}' | 'i' | 'l' | 'j' | '.' | ',' | ':' | '|' | '\'' | 'I' => 0.28,
        ' ' | '\u{a0}' | 'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '/' | '-' => 0.36,
        'm' | 'w' | 'M' | 'W' | '%' => 0.88,
        character if character.is_ascii_uppercase() => 0.68,
        character if crate::report::style::character_columns(character) == 2 => 1.0,
        _ => 0.57,
    };
    // DejaVu Sans, what many Linux machines fall back to, is the widest of the common ones.
    text.chars().map(width).sum::<f64>() * size * 1.1
}

/// The same for what is written bold (the classes `bad` and `value`): `DejaVu Sans Bold` is about an eighth wider.
pub(super) fn bold_width(text: &str, size: f64) -> f64 {
    text_width(text, size) * 1.125
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_in_a_chart_cannot_become_markup() {
        let mut svg = Svg::new("x", 10.0, "<t>", "a & b");
        svg.text("", Anchor::Start, (0.0, 0.0), "</svg><script>");
        let text = svg.finish(10.0, Frame::Embedded);
        assert!(
            text.contains("&lt;/svg&gt;&lt;script&gt;") && text.contains("<title id=\"x-title\">&lt;t&gt;</title>")
        );
        assert!(!text.contains("<script"));
    }

    #[test]
    fn coordinates_are_short() {
        assert_eq!([12.0, 12.34, -0.01, 0.96].map(number), ["12", "12.3", "0", "1"]);
    }
}
