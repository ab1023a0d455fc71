//! A snapshot as a flame graph.

use std::io::{self, Write};

use inferno::flamegraph::{self, Options, TextTruncateDirection};

use super::Snapshot;
use crate::report::words;

impl Snapshot {
    /// An SVG image that a browser lets one search and zoom; it needs nothing but itself. A frame
    /// is as wide as many goroutines have it on their stack. On top stands what they wait for.
    ///
    /// # Errors
    /// There is no goroutine to draw; the output's.
    pub fn svg(&self, output: &mut impl Write) -> io::Result<()> {
        let lines = self.folded_lines();
        if lines.is_empty() {
            return Err(io::Error::other("there is no goroutine to draw"));
        }
        let shown = self.groups.iter().map(|group| group.count).sum();
        let mut options = Options::default();
        options.title = words::harmless(&format!(
            "{}, {}: {}",
            self.process.exe,
            words::pid(self.pid),
            words::number(shown, "goroutine"),
        ))
        .into_owned();
        options.subtitle = Some(self.taken_at.clone());
        options.count_name = "goroutines".into();
        // The same function has the same colour in every picture.
        options.deterministic = true;
        // The end of a Go function's name tells more than the module's host.
        options.text_truncate_direction = TextTruncateDirection::Left;
        flamegraph::from_lines(&mut options, lines.iter().map(String::as_str), &mut *output)?;
        writeln!(output)
    }
}

#[cfg(test)]
mod tests {
    use quick_xml::{Reader, events::Event};

    use crate::report::snapshot::samples::{everything, written};

    /// Texts of the elements of this name; the document is read to its end.
    fn texts(svg: &str, element: &str) -> Vec<String> {
        let mut reader = Reader::from_str(svg);
        reader.config_mut().check_comments = true;
        let mut depth = 0;
        let mut inside = false;
        let mut texts = Vec::new();
        loop {
            match reader.read_event().expect("well-formed") {
                Event::Eof => break,
                Event::Start(start) => {
                    depth += 1;
                    inside = start.name().as_ref() == element.as_bytes();
                    if inside {
                        texts.push(String::new());
                    }
                }
                Event::End(_) => {
                    depth -= 1;
                    inside = false;
                }
                Event::Text(text) if inside => {
                    let last = texts.last_mut().expect("one was pushed");
                    last.push_str(&text.decode().expect("UTF-8"));
                }
                Event::GeneralRef(entity) if inside => {
                    let last = texts.last_mut().expect("one was pushed");
                    last.push_str(&format!("&{};", entity.decode().expect("UTF-8")));
                }
                _ => {}
            }
        }
        assert_eq!(depth, 0, "all elements are closed");
        texts
    }

    #[test]
    fn is_a_whole_document() {
        let mut snapshot = everything();
        snapshot.process.exe = "/srv/<app> & \"more\"\u{1b}".into();
        snapshot.groups[1].stack.as_mut().unwrap()[0].function = "main.f[<-chan int]".into();
        let svg = written(|output| snapshot.svg(output));
        let frames = texts(&svg, "title");
        for frame in [
            "all (68 goroutines, 100%)",
            "main.search.func1 (54 goroutines, 79.41%)",
            "main.f[&lt;-chan int] (53 goroutines, 77.94%)",
            "chan send (53 goroutines, 77.94%)",
        ] {
            assert!(frames.iter().any(|f| f == frame), "{frame}: {frames:#?}");
        }
        let title = &texts(&svg, "text")[0];
        assert!(
            title.starts_with(
                "/srv/&lt;app&gt; &amp; &quot;more&quot;\\u{1b}, pid 4711: 68 goroutines"
            ),
            "{title}"
        );
        // What names a format is not fetched; what is fetched stands in one of these.
        for fetches in ["href=\"http", "src=", "@import", "url(http", "fetch("] {
            assert!(!svg.contains(fetches), "{fetches}");
        }
    }

    #[test]
    fn nothing_to_draw_is_an_error() {
        let mut snapshot = everything();
        snapshot.groups.clear();
        let error = snapshot.svg(&mut Vec::new()).unwrap_err();
        assert_eq!(error.to_string(), "there is no goroutine to draw");
    }
}
