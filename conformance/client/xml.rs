//! A small reader of what a server sends: enough of XML to check answers, and written independently
//! of any library a server might use too.

/// An element with its namespace resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct El {
    pub name: String,
    pub ns: String,
    pub attrs: Vec<(String, String)>,
    pub children: Vec<El>,
    pub text: String,
}

/// What can stand at the top level of a stream.
#[derive(Clone, Debug)]
pub enum Item {
    /// The stream header; its children are yet to come.
    Open(El),
    Element(El),
    Close,
}

/// Why nothing was read.
#[derive(Debug, PartialEq, Eq)]
pub enum Stop {
    /// More bytes are needed.
    Incomplete,
    /// The server sent something that is not XML as we know it.
    Broken(String),
}

type Scope = Vec<(String, String)>;

impl El {
    pub fn attr(&self, name: &str) -> Option<&str> {
        self.attrs.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    pub fn is(&self, name: &str, ns: &str) -> bool {
        self.name == name && (ns.is_empty() || self.ns == ns)
    }

    /// The first child of this name; an empty namespace means any.
    pub fn child(&self, name: &str, ns: &str) -> Option<&El> {
        self.children.iter().find(|c| c.is(name, ns))
    }

    /// The first element of this name at any depth.
    pub fn find(&self, name: &str) -> Option<&El> {
        self.children.iter().find_map(|c| if c.name == name { Some(c) } else { c.find(name) })
    }

    /// The condition of a stanza error or a stream error.
    pub fn condition(&self) -> Option<&str> {
        let error = if self.name == "error" { self } else { self.child("error", "")? };
        error.children.iter().find(|c| c.name != "text").map(|c| c.name.as_str())
    }
}

/// Takes the next item from the front of a buffer.
pub fn take(buf: &mut Vec<u8>, scope: &mut Scope) -> Result<Item, Stop> {
    let valid = match std::str::from_utf8(buf) {
        Ok(s) => s,
        Err(e) if e.error_len().is_none() => {
            std::str::from_utf8(&buf[..e.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return Err(Stop::Broken("the server sent invalid UTF-8".into())),
    };
    let mut p = Parser { s: valid, at: 0 };
    p.space();
    if p.rest().starts_with("<?") {
        p.until("?>")?;
        p.space();
    }
    let item = if p.rest().starts_with("</") {
        p.until(">")?;
        Item::Close
    } else if p.rest().starts_with('<') {
        let is_header = p.rest().starts_with("<stream:stream");
        if is_header {
            let (el, inner, _) = p.start(&[("xml".into(), XML.into())])?;
            *scope = inner;
            Item::Open(el)
        } else if p.rest().len() < 15 && "<stream:stream".starts_with(p.rest()) {
            return Err(Stop::Incomplete);
        } else {
            Item::Element(p.element(scope)?)
        }
    } else if p.rest().is_empty() {
        return Err(Stop::Incomplete);
    } else {
        return Err(Stop::Broken(format!("text between stanzas: {:.40}", p.rest())));
    };
    let used = p.at;
    buf.drain(..used);
    Ok(item)
}

const XML: &str = "http://www.w3.org/XML/1998/namespace";

struct Parser<'a> {
    s: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.s[self.at..]
    }

    fn space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn until(&mut self, mark: &str) -> Result<&'a str, Stop> {
        let n = self.rest().find(mark).ok_or(Stop::Incomplete)?;
        let text = &self.rest()[..n];
        self.at += n + mark.len();
        Ok(text)
    }

    /// A start tag: element, scope inside it, and whether it is empty.
    fn start(&mut self, outer: &[(String, String)]) -> Result<(El, Scope, bool), Stop> {
        self.at += 1;
        let mut scope = outer.to_vec();
        let qname = self.name()?;
        let mut raw = Vec::new();
        let empty = loop {
            self.space();
            match self.rest().chars().next() {
                None => return Err(Stop::Incomplete),
                Some('>') => {
                    break {
                        self.at += 1;
                        false
                    };
                }
                Some('/') => {
                    self.at += 1;
                    if self.rest().is_empty() {
                        return Err(Stop::Incomplete);
                    }
                    self.at += 1;
                    break true;
                }
                Some(_) => {
                    let name = self.name()?;
                    self.space();
                    self.at += usize::from(self.rest().starts_with('='));
                    self.space();
                    let quote = self.rest().chars().next().ok_or(Stop::Incomplete)?;
                    if quote != '\'' && quote != '"' {
                        return Err(Stop::Broken(format!("attribute {name} without quotes")));
                    }
                    self.at += 1;
                    let value = unescape(self.until(&quote.to_string())?)?;
                    if name == "xmlns" {
                        scope.push((String::new(), value));
                    } else if let Some(prefix) = name.strip_prefix("xmlns:") {
                        scope.push((prefix.to_owned(), value));
                    } else {
                        raw.push((name.to_owned(), value));
                    }
                }
            }
        };
        let (prefix, name) = qname.split_once(':').unwrap_or(("", qname));
        let ns = scope.iter().rev().find(|(p, _)| p == prefix).map(|(_, n)| n.clone());
        let ns = match ns {
            Some(ns) => ns,
            None if prefix.is_empty() => String::new(),
            None => return Err(Stop::Broken(format!("prefix {prefix} is not declared"))),
        };
        let el = El { name: name.to_owned(), ns, attrs: raw, ..El::default() };
        Ok((el, scope, empty))
    }

    fn name(&mut self) -> Result<&'a str, Stop> {
        let n = self
            .rest()
            .find(|c: char| c.is_whitespace() || "=/>'\"".contains(c))
            .ok_or(Stop::Incomplete)?;
        let name = &self.rest()[..n];
        self.at += n;
        if name.is_empty() { Err(Stop::Broken("a name is missing".into())) } else { Ok(name) }
    }

    fn element(&mut self, outer: &[(String, String)]) -> Result<El, Stop> {
        let (mut el, scope, empty) = self.start(outer)?;
        if empty {
            return Ok(el);
        }
        loop {
            let n = self.rest().find('<').ok_or(Stop::Incomplete)?;
            el.text.push_str(&unescape(&self.rest()[..n])?);
            self.at += n;
            if self.rest().starts_with("</") {
                self.until(">")?;
                return Ok(el);
            }
            if self.rest().len() < 2 {
                return Err(Stop::Incomplete);
            }
            if self.rest().starts_with("<!") || self.rest().starts_with("<?") {
                return Err(Stop::Broken("the server sent restricted XML".into()));
            }
            el.children.push(self.element(&scope)?);
        }
    }
}

fn unescape(text: &str) -> Result<String, Stop> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(n) = rest.find('&') {
        out.push_str(&rest[..n]);
        rest = &rest[n + 1..];
        let end = rest.find(';').ok_or_else(|| Stop::Broken("a bare & from the server".into()))?;
        let name = &rest[..end];
        rest = &rest[end + 1..];
        let number = name.strip_prefix("#x").map(|h| u32::from_str_radix(h, 16));
        let number = number.or_else(|| name.strip_prefix('#').map(str::parse));
        match (name, number) {
            ("lt", _) => out.push('<'),
            ("gt", _) => out.push('>'),
            ("amp", _) => out.push('&'),
            ("apos", _) => out.push('\''),
            ("quot", _) => out.push('"'),
            (_, Some(Ok(n))) => out.push(char::from_u32(n).unwrap_or('\u{FFFD}')),
            _ => return Err(Stop::Broken(format!("entity &{name}; from the server"))),
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// Text for use in an attribute or between tags.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('\'', "&apos;").replace('"', "&quot;")
}
