//! `mip4ctl complete`, which the completion of shells calls.

use std::io::Write as _;

use clap::CommandFactory as _;

use crate::failure::Stop;
use crate::grammar::Cli;
use crate::line;
use crate::session::Session;
use crate::shell::candidates::position;
use crate::shell::live;

/// Print the words that can stand for the last one of a command line, one a line
#[derive(clap::Args, Debug)]
pub(crate) struct Complete {
    /// The line, from the program's name to the cursor
    #[arg(allow_hyphen_values = true)]
    line: String,
}

impl Complete {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        let (words, (_, partial)) = line::scan(&self.line).finished();
        let words = words.get(1..).unwrap_or_default();
        let mut grammar = Cli::command();
        grammar.build();
        // Without a store the grammar alone has to do.
        let mut in_store = |kind| match session.read(live::tables(kind)) {
            Ok(view) => live::values(&view, kind),
            Err(_) => Vec::new(),
        };
        let found = position(&grammar, words).candidates(&partial, &mut in_store);
        for candidate in found {
            writeln!(session.world.out, "{}", candidate.text)?;
        }
        Ok(session.world.out.flush()?)
    }
}
