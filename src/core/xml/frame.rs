//! A stanza serialised once, with a place to write each recipient's address.

use std::sync::Arc;

use crate::Element;

/// Canonical bytes of one stanza without its `to`; cheap to clone, safe to send to any thread or
/// node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    bytes: Arc<[u8]>,
    /// Where ` to='…'` belongs: behind the name of the root element.
    cut: u32,
}

impl Frame {
    /// Serialises an element, leaving its own `to` out.
    pub fn new(el: &Element) -> Self {
        let mut el = std::borrow::Cow::Borrowed(el);
        if el.attr("to").is_some() {
            el.to_mut().remove_attr("to");
        }
        let cut = 1 + el.name().len() as u32;
        Self { bytes: el.to_bytes().into(), cut }
    }

    /// Appends the stanza, addressed to `to`, on a stream whose content namespace is
    /// `jabber:client`.
    ///
    /// `to` is a JID in its canonical form; only `'` and `&` in a resource need escaping.
    pub fn write_to(&self, to: &str, out: &mut Vec<u8>) {
        let cut = self.cut as usize;
        out.extend_from_slice(&self.bytes[..cut]);
        out.extend_from_slice(b" to='");
        super::element::escape_attr(to, out);
        out.push(b'\'');
        out.extend_from_slice(&self.bytes[cut..]);
    }

    /// The bytes without a recipient.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ns;

    #[test]
    fn frame_writes_each_recipient() {
        let el = Element::new("message", ns::CLIENT)
            .with_attr("to", "room@c.example")
            .with_attr("type", "groupchat")
            .with_child(Element::new("body", ns::CLIENT).with_text("a < b & c"));
        let frame = Frame::new(&el);
        let mut out = Vec::new();
        frame.write_to("o'neill@example.org/a&b", &mut out);
        assert_eq!(
            String::from_utf8(out).expect("UTF-8"),
            "<message to='o&apos;neill@example.org/a&amp;b' type='groupchat'>\
             <body>a &lt; b &amp; c</body></message>"
        );
    }
}
