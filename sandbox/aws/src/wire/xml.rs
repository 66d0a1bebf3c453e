//! Writing XML: elements with text, in order, escaped.

use std::fmt::{Display, Write};

/// XML text that grows by elements.
#[derive(Debug, Default)]
pub(crate) struct Xml {
    text: String,
}

impl Xml {
    /// The text of a document with one root element in `namespace`.
    pub(crate) fn document(root: &str, namespace: Option<&str>, content: impl FnOnce(&mut Self)) -> String {
        let mut xml = Self {
            text: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned(),
        };
        xml.text.push('<');
        xml.text.push_str(root);
        if let Some(namespace) = namespace {
            xml.text.push_str(" xmlns=\"");
            escape(namespace, &mut xml.text);
            xml.text.push('"');
        }
        xml.text.push('>');
        content(&mut xml);
        xml.close(root);
        xml.text
    }

    /// Adds elements that were written apart.
    pub(crate) fn append(&mut self, elements: &Self) {
        self.text.push_str(&elements.text);
    }

    /// An element with elements inside.
    pub(crate) fn element(&mut self, name: &str, content: impl FnOnce(&mut Self)) {
        self.open(name);
        content(self);
        self.close(name);
    }

    /// An element with text inside.
    pub(crate) fn text(&mut self, name: &str, value: impl Display) {
        self.open(name);
        self.content(value);
        self.close(name);
    }

    /// Text, without an element around it.
    pub(crate) fn content(&mut self, value: impl Display) {
        // Formatting into a String cannot fail.
        let _ = write!(Escaping(&mut self.text), "{value}");
    }

    /// An element with text inside, if there is a value.
    pub(crate) fn optional(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// An element `name` with one element `item` for each of `items`.
    pub(crate) fn list<T>(
        &mut self,
        (name, item): (&str, &str),
        items: impl IntoIterator<Item = T>,
        mut content: impl FnMut(&mut Self, T),
    ) {
        self.element(name, |xml| {
            for value in items {
                xml.element(item, |xml| content(xml, value));
            }
        });
    }

    fn open(&mut self, name: &str) {
        self.text.push('<');
        self.text.push_str(name);
        self.text.push('>');
    }

    fn close(&mut self, name: &str) {
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
    }
}

struct Escaping<'a>(&'a mut String);

impl Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        escape(text, self.0);
        Ok(())
    }
}

fn escape(text: &str, out: &mut String) {
    // Nearly all text is plain, and of a large listing there is much.
    let plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'&' | b'<' | b'>' | b'"' | b'\'');
    if text.bytes().all(plain) {
        out.push_str(text);
        return;
    }
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            // Parsers turn a bare carriage return into a line feed.
            '\r' => out.push_str("&#xD;"),
            '\t' | '\n' => out.push(character),
            // XML 1.0 has no way to write these.
            '\0'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}' => out.push('\u{FFFD}'),
            _ => out.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_nest_in_order() {
        let text = Xml::document("A", Some("http://x/"), |xml| {
            xml.list(("set", "item"), [1, 2], |xml, n| xml.text("n", n));
            xml.optional("none", None::<u8>);
            xml.text("empty", "");
        });
        let body = "<A xmlns=\"http://x/\"><set><item><n>1</n></item><item><n>2</n></item></set><empty></empty></A>";
        assert_eq!(text, format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{body}"));
    }

    #[test]
    fn text_is_escaped_and_stays_well_formed() {
        let mut xml = Xml::default();
        xml.text("t", "<a href=\"x\">'&'\r\n\u{0}é🦀]]>");
        assert_eq!(
            xml.text,
            "<t>&lt;a href=&quot;x&quot;&gt;&apos;&amp;&apos;&#xD;\n\u{FFFD}é🦀]]&gt;</t>"
        );
    }
}
