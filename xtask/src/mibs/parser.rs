//! Modules as data: the part of SMIv2 that ours use.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};

use super::lexer::{Token, tokens};

/// A module as it is written; names are not resolved yet.
#[derive(Debug, Default)]
pub(crate) struct Module {
    pub(crate) name: String,
    /// Which module an imported symbol comes from.
    pub(crate) imports: BTreeMap<String, String>,
    pub(crate) types: BTreeMap<String, Type>,
    /// In the order of the text.
    pub(crate) definitions: Vec<Definition>,
}

/// A type as it is written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Type {
    /// `INTEGER`, `OCTET STRING`, `BITS`, `SEQUENCE OF`, or the name of another type.
    pub(crate) name: String,
    /// Ranges of the value, or of the length of an octet string.
    pub(crate) ranges: Vec<(i128, i128)>,
    /// Labels of an enumeration or of bits.
    pub(crate) labels: Vec<(String, i128)>,
}

/// Something that has an object identifier.
#[derive(Debug)]
pub(crate) struct Definition {
    pub(crate) name: String,
    pub(crate) body: Body,
    pub(crate) status: String,
    /// The name above it and the sub-identifiers below that.
    pub(crate) parent: String,
    pub(crate) sub_ids: Vec<u32>,
}

#[derive(Debug)]
pub(crate) enum Body {
    Node,
    Object {
        syntax: Type,
        units: Option<String>,
        access: String,
        index: Vec<String>,
        augments: Option<String>,
        default: Option<String>,
    },
    Notification {
        objects: Vec<String>,
    },
    Group {
        members: Vec<String>,
    },
    Compliance {
        mandatory: Vec<String>,
        conditional: Vec<String>,
    },
    Capabilities {
        groups: Vec<String>,
        variations: Vec<(String, String)>,
    },
}

/// Reads one module.
pub(crate) fn parse(source: &str) -> anyhow::Result<Module> {
    let mut parser = Parser { tokens: tokens(source)?, at: 0 };
    parser.module().with_context(|| format!("line {}", parser.line()))
}

struct Parser {
    tokens: Vec<(Token, usize)>,
    at: usize,
}

impl Parser {
    fn line(&self) -> usize {
        self.tokens.get(self.at.saturating_sub(1)).map_or(0, |(_, line)| *line)
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    fn next(&mut self) -> anyhow::Result<Token> {
        let token = self.peek().cloned().context("the module ends too early")?;
        self.at += 1;
        Ok(token)
    }

    /// Whether the next word is `wanted`; takes it if so.
    fn take(&mut self, wanted: &str) -> bool {
        let found = match self.peek() {
            Some(Token::Word(word)) => word == wanted,
            Some(Token::Mark(mark)) => *mark == wanted,
            _ => false,
        };
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, wanted: &str) -> anyhow::Result<()> {
        if !self.take(wanted) {
            bail!("expected {wanted}, found {:?}", self.peek());
        }
        Ok(())
    }

    fn word(&mut self) -> anyhow::Result<String> {
        match self.next()? {
            Token::Word(word) => Ok(word),
            other => bail!("expected a name, found {other:?}"),
        }
    }

    fn text(&mut self) -> anyhow::Result<String> {
        match self.next()? {
            Token::Text(text) => Ok(text),
            other => bail!("expected a text, found {other:?}"),
        }
    }

    fn number(&mut self) -> anyhow::Result<i128> {
        match self.next()? {
            Token::Number(number) => Ok(number),
            other => bail!("expected a number, found {other:?}"),
        }
    }

    fn module(&mut self) -> anyhow::Result<Module> {
        let mut module = Module { name: self.word()?, ..Module::default() };
        for wanted in ["DEFINITIONS", "::=", "BEGIN"] {
            self.expect(wanted)?;
        }
        if self.take("IMPORTS") {
            self.imports(&mut module)?;
        }
        while !self.take("END") {
            self.assignment(&mut module)?;
        }
        Ok(module)
    }

    fn imports(&mut self, module: &mut Module) -> anyhow::Result<()> {
        let mut symbols = Vec::new();
        while !self.take(";") {
            if self.take("FROM") {
                let from = self.word()?;
                module.imports.extend(symbols.drain(..).map(|symbol| (symbol, from.clone())));
            } else {
                symbols.push(self.word()?);
                self.take(",");
            }
        }
        Ok(())
    }

    fn assignment(&mut self, module: &mut Module) -> anyhow::Result<()> {
        let name = self.word()?;
        if self.take("MACRO") {
            while !self.take("END") {
                self.next()?;
            }
        } else if self.take("::=") {
            if let Some(syntax) = self.type_assignment()? {
                module.types.insert(name, syntax);
            }
        } else {
            let definition = self.definition(name)?;
            module.definitions.push(definition);
        }
        Ok(())
    }

    /// What stands behind `Name ::=`; `None` for sequences and choices, which no table needs.
    fn type_assignment(&mut self) -> anyhow::Result<Option<Type>> {
        if self.take("TEXTUAL-CONVENTION") {
            self.clauses(&["SYNTAX"])?;
            self.expect("SYNTAX")?;
            return self.syntax().map(Some);
        }
        if self.take("CHOICE") || self.take("SEQUENCE") {
            while !self.take("}") {
                self.next()?;
            }
            return Ok(None);
        }
        if self.take("[") {
            for wanted in ["APPLICATION", "", "]", "IMPLICIT"] {
                if wanted.is_empty() { self.number().map(drop)? } else { self.expect(wanted)? }
            }
        }
        self.syntax().map(Some)
    }

    /// Takes clauses that are words for people, until one of `ends`; returns the status.
    fn clauses(&mut self, ends: &[&str]) -> anyhow::Result<String> {
        let mut status = String::new();
        loop {
            match self.peek() {
                Some(Token::Word(word)) if ends.contains(&word.as_str()) => return Ok(status),
                Some(Token::Mark(mark)) if ends.contains(mark) => return Ok(status),
                _ => {}
            }
            match self.word()?.as_str() {
                "STATUS" => status = self.word()?,
                "DISPLAY-HINT" | "DESCRIPTION" | "REFERENCE" | "LAST-UPDATED" | "ORGANIZATION"
                | "CONTACT-INFO" | "REVISION" | "PRODUCT-RELEASE" => drop(self.text()?),
                other => bail!("unexpected {other}"),
            }
        }
    }

    fn syntax(&mut self) -> anyhow::Result<Type> {
        let mut syntax = Type { name: self.word()?, ..Type::default() };
        match syntax.name.as_str() {
            "OCTET" => {
                self.expect("STRING")?;
                "OCTET STRING".clone_into(&mut syntax.name);
            }
            "OBJECT" => {
                self.expect("IDENTIFIER")?;
                "OBJECT IDENTIFIER".clone_into(&mut syntax.name);
            }
            "SEQUENCE" => {
                self.expect("OF")?;
                self.word()?;
                "SEQUENCE OF".clone_into(&mut syntax.name);
            }
            _ => {}
        }
        if self.take("{") {
            syntax.labels = self.labels()?;
        } else if self.take("(") {
            let sized = self.take("SIZE");
            if sized {
                self.expect("(")?;
            }
            syntax.ranges = self.ranges()?;
            if sized {
                self.expect(")")?;
            }
        }
        Ok(syntax)
    }

    /// `a(1), b(2) }`
    fn labels(&mut self) -> anyhow::Result<Vec<(String, i128)>> {
        let mut labels = Vec::new();
        loop {
            let label = self.word()?;
            self.expect("(")?;
            labels.push((label, self.number()?));
            self.expect(")")?;
            if self.take("}") {
                return Ok(labels);
            }
            self.expect(",")?;
        }
    }

    /// `1..5 | 7)`
    fn ranges(&mut self) -> anyhow::Result<Vec<(i128, i128)>> {
        let mut ranges = Vec::new();
        loop {
            let low = self.number()?;
            let high = if self.take("..") { self.number()? } else { low };
            ranges.push((low, high));
            if self.take(")") {
                return Ok(ranges);
            }
            self.expect("|")?;
        }
    }

    /// `{ a, b }`
    fn names(&mut self) -> anyhow::Result<Vec<String>> {
        self.expect("{")?;
        let mut names = Vec::new();
        while !self.take("}") {
            self.take("IMPLIED");
            names.push(self.word()?);
            self.take(",");
        }
        Ok(names)
    }

    fn definition(&mut self, name: String) -> anyhow::Result<Definition> {
        let (body, status) = match self.word()?.as_str() {
            "OBJECT" => {
                self.expect("IDENTIFIER")?;
                (Body::Node, String::new())
            }
            "MODULE-IDENTITY" | "OBJECT-IDENTITY" => (Body::Node, self.clauses(&["::="])?),
            "OBJECT-TYPE" => self.object()?,
            "NOTIFICATION-TYPE" => {
                let objects = if self.take("OBJECTS") { self.names()? } else { Vec::new() };
                (Body::Notification { objects }, self.clauses(&["::="])?)
            }
            "OBJECT-GROUP" | "NOTIFICATION-GROUP" => {
                self.word()?;
                (Body::Group { members: self.names()? }, self.clauses(&["::="])?)
            }
            "MODULE-COMPLIANCE" => self.compliance()?,
            "AGENT-CAPABILITIES" => self.capabilities()?,
            other => bail!("unexpected {other}"),
        };
        self.expect("::=")?;
        self.expect("{")?;
        let mut parent = String::new();
        let mut sub_ids = Vec::new();
        while !self.take("}") {
            match self.next()? {
                Token::Word(word) => parent = word,
                Token::Number(number) => sub_ids.push(u32::try_from(number)?),
                other => bail!("unexpected {other:?} in the value of {name}"),
            }
        }
        Ok(Definition { name, body, status, parent, sub_ids })
    }

    fn object(&mut self) -> anyhow::Result<(Body, String)> {
        self.expect("SYNTAX")?;
        let syntax = self.syntax()?;
        let units = if self.take("UNITS") { Some(self.text()?) } else { None };
        self.expect("MAX-ACCESS")?;
        let access = self.word()?;
        let status = self.clauses(&["INDEX", "AUGMENTS", "DEFVAL", "::="])?;
        let index = if self.take("INDEX") { self.names()? } else { Vec::new() };
        let augments = if self.take("AUGMENTS") { self.names()?.pop() } else { None };
        let default = if self.take("DEFVAL") { Some(self.default_value()?) } else { None };
        Ok((Body::Object { syntax, units, access, index, augments, default }, status))
    }

    /// `{ … }` behind DEFVAL, as it is written but for blanks.
    fn default_value(&mut self) -> anyhow::Result<String> {
        self.expect("{")?;
        let mut depth = 1;
        let mut words = Vec::new();
        loop {
            let word = match self.next()? {
                Token::Mark("{") => {
                    depth += 1;
                    "{".to_owned()
                }
                Token::Mark("}") => {
                    depth -= 1;
                    "}".to_owned()
                }
                Token::Mark(mark) => mark.to_owned(),
                Token::Word(word) | Token::Binary(word) => word,
                Token::Text(text) => format!("\"{text}\""),
                Token::Number(number) => number.to_string(),
            };
            if depth == 0 {
                return Ok(words.join(" "));
            }
            words.push(word);
        }
    }

    fn compliance(&mut self) -> anyhow::Result<(Body, String)> {
        let status = self.clauses(&["MODULE"])?;
        let mut mandatory = Vec::new();
        let mut conditional = Vec::new();
        while self.take("MODULE") {
            if !matches!(self.peek(), Some(Token::Word(word)) if word == "MANDATORY-GROUPS" || word == "GROUP" || word == "OBJECT" || word == "MODULE")
                && matches!(self.peek(), Some(Token::Word(_)))
            {
                self.word()?;
            }
            if self.take("MANDATORY-GROUPS") {
                mandatory.extend(self.names()?);
            }
            loop {
                if self.take("GROUP") {
                    conditional.push(self.word()?);
                    self.clauses(&["GROUP", "OBJECT", "MODULE", "::="])?;
                } else if self.take("OBJECT") {
                    self.word()?;
                    self.refinement(&["GROUP", "OBJECT", "MODULE", "::="])?;
                } else {
                    break;
                }
            }
        }
        Ok((Body::Compliance { mandatory, conditional }, status))
    }

    /// The refinements of an object; returns the access that they leave, if they name one.
    fn refinement(&mut self, ends: &[&str]) -> anyhow::Result<String> {
        let mut access = String::new();
        loop {
            if self.take("SYNTAX") || self.take("WRITE-SYNTAX") {
                self.syntax()?;
            } else if self.take("ACCESS") || self.take("MIN-ACCESS") {
                access = self.word()?;
            } else if self.take("CREATION-REQUIRES") {
                self.names()?;
            } else if self.take("DEFVAL") {
                self.default_value()?;
            } else if self.take("DESCRIPTION") {
                self.text()?;
            } else {
                break;
            }
        }
        match self.peek() {
            Some(Token::Word(word)) if ends.contains(&word.as_str()) => Ok(access),
            Some(Token::Mark(mark)) if ends.contains(mark) => Ok(access),
            other => bail!("unexpected {other:?} in a refinement"),
        }
    }

    fn capabilities(&mut self) -> anyhow::Result<(Body, String)> {
        let status = self.clauses(&["SUPPORTS", "::="])?;
        let mut groups = Vec::new();
        let mut variations = Vec::new();
        while self.take("SUPPORTS") {
            self.word()?;
            self.expect("INCLUDES")?;
            groups.extend(self.names()?);
            while self.take("VARIATION") {
                let object = self.word()?;
                let access = self.refinement(&["VARIATION", "SUPPORTS", "::="])?;
                variations.push((object, access));
            }
        }
        Ok((Body::Capabilities { groups, variations }, status))
    }
}
