//! The interactive shell.

pub(crate) mod candidates;
mod helper;
mod history;
pub(crate) mod live;

use std::cell::RefCell;
use std::io::Write as _;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::{Cmd, CompletionType, Config, Editor, Event, EventContext, EventHandler, KeyEvent};

use crate::failure::{ExitStatus, Failure, Stop};
use crate::line::{self, Outcome};
use crate::session::Session;

use helper::ShellHelper;

type ShellEditor = Editor<ShellHelper, DefaultHistory>;

/// Runs the shell until `exit` or Ctrl-D. How commands ended was said when they did.
pub(crate) fn run(mut session: Session) -> ExitStatus {
    session.many = true;
    let question = Question::default();
    let session = Rc::new(RefCell::new(session));
    let editor = editor(ShellHelper::new(Rc::clone(&session)), question.clone());
    let mut editor = match editor {
        Ok(editor) => editor,
        Err(err) => return session.borrow_mut().conclude(Err(terminal_failure(&err))),
    };
    let history = history::load(&mut editor);
    let result = converse(&mut editor, &session, &question);
    if let Some(file) = history {
        // The shell has done its work; a history that cannot be kept is not worth a failure.
        editor.save_history(&file).ok();
    }
    session.borrow_mut().conclude(result)
}

fn converse(
    editor: &mut ShellEditor,
    session: &RefCell<Session>,
    question: &Question,
) -> Result<(), Stop> {
    let defaults = session.borrow().options;
    let prompt = prompt(&session.borrow().store.url);
    greet(&mut session.borrow_mut())?;
    let mut initial = (String::new(), String::new());
    loop {
        let read = editor.readline_with_initial(&prompt, (&initial.0, &initial.1));
        initial = Default::default();
        let text = match read {
            Ok(text) => text,
            Err(ReadlineError::Eof) => return Ok(()),
            Err(ReadlineError::Interrupted) => continue,
            Err(err) => return Err(terminal_failure(&err)),
        };
        if let Some(at) = question.take() {
            let (before, after) = text.split_at(at.min(text.len()));
            let answer = editor.helper().map(|helper| helper.explain(before));
            session.borrow_mut().world.out.write_all(answer.unwrap_or_default().as_bytes())?;
            session.borrow_mut().world.out.flush()?;
            initial = (before.to_owned(), after.to_owned());
            continue;
        }
        if !text.trim().is_empty() {
            // Fails only for a history of no size.
            editor.add_history_entry(text.as_str()).ok();
        }
        if line::run(&text, defaults, &mut session.borrow_mut()) == Outcome::Exit {
            return Ok(());
        }
    }
}

fn greet(session: &mut Session) -> Result<(), Stop> {
    let words = "`?` or Tab tells what can follow, `help` lists commands, `exit` leaves";
    Ok(writeln!(session.world.err, "{words}")?)
}

/// The store's name, short: the last two parts of a path.
fn prompt(store: &str) -> String {
    let name = match store.strip_prefix("unix:").or_else(|| store.strip_prefix("sled:")) {
        None => store,
        Some(path) => path.rmatch_indices('/').nth(1).map_or(path, |(at, _)| &path[at + 1..]),
    };
    format!("mip4 {name}> ")
}

fn editor(helper: ShellHelper, question: Question) -> Result<ShellEditor, ReadlineError> {
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .completion_show_all_if_ambiguous(true)
        .max_history_size(history::LINES_MAX)?
        .history_ignore_dups(true)?
        .history_ignore_space(true)
        .build();
    let mut editor = Editor::with_config(config)?;
    editor.set_helper(Some(helper));
    let handler = EventHandler::Conditional(Box::new(question));
    editor.bind_sequence(KeyEvent::from('?'), handler);
    Ok(editor)
}

fn terminal_failure(err: &ReadlineError) -> Stop {
    let message = format!("failed to use the terminal: {err}");
    Failure::new(ExitStatus::PartlyFailed, message).into()
}

/// Where the cursor was when `?` was pressed; the line comes back for more.
#[derive(Clone, Default)]
struct Question(Arc<Mutex<Option<usize>>>);

impl Question {
    fn take(&self) -> Option<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl rustyline::ConditionalEventHandler for Question {
    /// `?` asks for help, except in quotes and in patterns, where it is itself.
    fn handle(&self, _: &Event, _: u16, _: bool, context: &EventContext<'_>) -> Option<Cmd> {
        let (line, at) = (context.line(), context.pos());
        if helper::takes_question_mark(line.get(..at)?) {
            return None;
        }
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
        Some(Cmd::AcceptLine)
    }
}

#[cfg(test)]
mod tests {
    use super::prompt;

    #[test]
    fn the_prompt_names_the_store() {
        assert_eq!(prompt("unix:/run/mip4/store.sock"), "mip4 mip4/store.sock> ");
        assert_eq!(prompt("unix:store.sock"), "mip4 store.sock> ");
        assert_eq!(prompt("etcd:https://h1:2379"), "mip4 etcd:https://h1:2379> ");
    }
}
