//! Completion and `?`: what rustyline asks the shell.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::rc::Rc;
use std::time::Duration;

use clap::{Command, CommandFactory as _};
use rustyline::completion::Pair;

use super::candidates::{self, Live};
use super::live;
use crate::grammar::Line;
use crate::line;
use crate::session::Session;
use crate::view::View;

/// How long live values are good for; between two keys nobody sees the difference.
const VIEW_AGE_MAX: Duration = Duration::from_secs(2);

/// More values than anyone reads.
const VALUES_MAX: usize = 200;

#[derive(rustyline::Helper, rustyline::Hinter, rustyline::Highlighter, rustyline::Validator)]
pub(super) struct ShellHelper {
    session: Rc<RefCell<Session>>,
    grammar: Command,
    /// What was looked at last, and for which values.
    view: RefCell<Option<(Live, View)>>,
}

impl ShellHelper {
    pub(super) fn new(session: Rc<RefCell<Session>>) -> Self {
        Self { session, grammar: grammar(), view: RefCell::default() }
    }

    /// What can follow `before`, as text for `?`.
    pub(super) fn explain(&self, before: &str) -> String {
        let (words, partial) = line::scan(before).finished();
        let position = candidates::position(&self.grammar, &words);
        let mut text = String::new();
        if let Some(option) = position.option {
            let names = option.get_value_names().unwrap_or_default();
            let name = names.first().map_or("VALUE", |name| name.as_str());
            let help = option.get_help().map(ToString::to_string).unwrap_or_default();
            writeln!(text, "  {name}  {help}").ok();
        }
        let found = position.candidates(&partial.1, &mut |kind| self.live(kind));
        let width = found.iter().map(|candidate| candidate.text.chars().count()).max().unwrap_or(0);
        for candidate in found.iter().take(VALUES_MAX) {
            let line = format!("  {:width$}  {}", candidate.text, candidate.about);
            writeln!(text, "{}", line.trim_end()).ok();
        }
        if text.is_empty() {
            text.push_str("  nothing that starts so can follow\n");
        }
        text
    }

    /// Values of `kind` in the store; none if it cannot be asked.
    fn live(&self, kind: Live) -> Vec<String> {
        match self.view(kind) {
            Some(view) => live::values(&view, kind),
            None => Vec::new(),
        }
    }

    fn view(&self, kind: Live) -> Option<View> {
        let mut session = self.session.try_borrow_mut().ok()?;
        let now = (session.world.now)();
        let mut cached = self.view.borrow_mut();
        if let Some((of, view)) = cached.as_ref()
            && *of == kind
            && now.since(view.now) < VIEW_AGE_MAX
        {
            return Some(view.clone());
        }
        let view = session.read(live::tables(kind)).ok();
        *cached = view.clone().map(|view| (kind, view));
        view
    }
}

impl rustyline::completion::Completer for ShellHelper {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        at: usize,
        _: &rustyline::Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let before = line.get(..at).unwrap_or(line);
        let (words, (start, partial)) = line::scan(before).finished();
        let position = candidates::position(&self.grammar, &words);
        let found = position.candidates(&partial, &mut |kind| self.live(kind));
        let only = found.len() == 1;
        let pair = |text: String| {
            let mut replacement = line::quoted(&text);
            if only {
                replacement.push(' ');
            }
            Pair { display: text, replacement }
        };
        let pairs = found.into_iter().take(VALUES_MAX).map(|candidate| pair(candidate.text));
        Ok((start.unwrap_or(at), pairs.collect()))
    }
}

/// Whether `?` belongs to the text at the end of `before`: a quoted word, or a pattern.
pub(super) fn takes_question_mark(before: &str) -> bool {
    let scan = line::scan(before);
    if scan.unfinished.is_some() {
        return true;
    }
    let (words, (_, partial)) = scan.finished();
    let grammar = grammar();
    let position = candidates::position(&grammar, &words);
    !partial.is_empty() && position.option.is_some_and(|option| option.get_id() == "nai")
}

fn grammar() -> Command {
    let mut grammar = Line::command();
    grammar.build();
    grammar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_mark_is_itself_in_quotes_and_patterns() {
        for (before, itself) in [
            ("show ", false),
            ("show bindings --nai ", false),
            ("show bindings --nai tr", true),
            ("show bindings --nai '", true),
            ("show bindings --home-address 10", false),
        ] {
            assert_eq!(takes_question_mark(before), itself, "{before}");
        }
    }
}
