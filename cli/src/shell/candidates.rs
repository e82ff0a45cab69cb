//! What can follow on a line, by the grammar and by what is in the store.

use clap::{Arg, Command};

use crate::commands;

/// A word that can follow.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Candidate {
    pub(crate) text: String,
    /// What it means, if the grammar says so.
    pub(crate) about: String,
}

/// Values that only the store knows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Live {
    HomeAddress,
    Nai,
    CareOf,
    HomeAgent,
    ForeignAgent,
    /// The peer of an association.
    Peer,
    Spi,
    /// A mobile node by any of its names.
    Node,
    Instance,
    /// An interface that agents advertise on.
    Interface,
    /// Who failed a check.
    Offender,
    /// A care-of address that a foreign agent offers.
    Offered,
}

impl Live {
    fn of(argument: &Arg) -> Option<Self> {
        Some(match argument.get_id().as_str() {
            "home_address" => Self::HomeAddress,
            "nai" => Self::Nai,
            "care_of" => Self::CareOf,
            "home_agent" => Self::HomeAgent,
            "foreign_agent" => Self::ForeignAgent,
            "peer" => Self::Peer,
            "spi" => Self::Spi,
            "node" => Self::Node,
            "instance" => Self::Instance,
            "interface" => Self::Interface,
            "offender" => Self::Offender,
            "care_of_address" => Self::Offered,
            _ => return None,
        })
    }
}

/// Where the end of a line is in the grammar.
pub(crate) struct Position<'g> {
    command: &'g Command,
    /// The option whose value comes next.
    pub(crate) option: Option<&'g Arg>,
    /// How many values without an option were given.
    values: usize,
    /// How many commands deep.
    depth: usize,
}

/// Follows `words` through `grammar`, as far as they make sense.
pub(crate) fn position<'g>(grammar: &'g Command, words: &[String]) -> Position<'g> {
    let mut position = Position { command: grammar, option: None, values: 0, depth: 0 };
    for word in words {
        if position.option.take().is_some() {
            continue;
        }
        if let Some(name) = word.strip_prefix("--") {
            position.option = long_option(position.command, name).filter(|arg| takes_value(arg));
        } else if let Some(letter) = word.strip_prefix('-') {
            let mut arguments = position.command.get_arguments();
            let named =
                |arg: &&Arg| arg.get_short().is_some_and(|short| letter == short.to_string());
            position.option = arguments.find(named).filter(|arg| takes_value(arg));
        } else if let Some(command) = subcommand(position.command, word) {
            position.command = command;
            position.depth += 1;
        } else {
            position.values += 1;
        }
    }
    position
}

impl Position<'_> {
    /// What can stand for `partial` here, in the order of the grammar.
    pub(crate) fn candidates(
        &self,
        partial: &str,
        live: &mut dyn FnMut(Live) -> Vec<String>,
    ) -> Vec<Candidate> {
        if let Some(option) = self.option {
            return self.values(option, partial, live);
        }
        if let Some((name, value)) = partial.split_once('=') {
            let option = name.strip_prefix("--").and_then(|name| long_option(self.command, name));
            let mut values = option.map_or_else(Vec::new, |arg| self.values(arg, value, live));
            for candidate in &mut values {
                candidate.text = format!("{name}={}", candidate.text);
            }
            return values;
        }
        let commands = self.commands();
        let has_commands = !commands.is_empty();
        let mut candidates = starting_with(partial, commands);
        if let Some(argument) = self.command.get_positionals().nth(self.values)
            && !partial.starts_with('-')
        {
            candidates.extend(self.values(argument, partial, live));
        }
        if partial.starts_with('-') || !has_commands {
            candidates.extend(starting_with(partial, self.options()));
        }
        candidates
    }

    fn commands(&self) -> Vec<Candidate> {
        let visible = self.command.get_subcommands().filter(|command| !command.is_hide_set());
        let about = |command: &Command| command.get_about().map(ToString::to_string);
        let mut commands: Vec<_> = visible
            .map(|command| Candidate {
                text: command.get_name().to_owned(),
                about: about(command).unwrap_or_default(),
            })
            .collect();
        if self.depth == 0 {
            commands
                .push(Candidate { text: "exit".to_owned(), about: "Leave the shell".to_owned() });
        }
        commands
    }

    fn options(&self) -> Vec<Candidate> {
        let visible = self.command.get_arguments().filter(|arg| !arg.is_hide_set());
        let candidate = |arg: &Arg| {
            Some(Candidate {
                text: format!("--{}", arg.get_long()?),
                about: arg.get_help().map(ToString::to_string).unwrap_or_default(),
            })
        };
        visible.filter_map(candidate).collect()
    }

    fn values(
        &self,
        option: &Arg,
        partial: &str,
        live: &mut dyn FnMut(Live) -> Vec<String>,
    ) -> Vec<Candidate> {
        let possible = option.get_possible_values();
        let fixed = possible.iter().map(|value| Candidate {
            text: value.get_name().to_owned(),
            about: value.get_help().map(ToString::to_string).unwrap_or_default(),
        });
        let mut values: Vec<_> = fixed.collect();
        let plain = |text: String| Candidate { text, about: String::new() };
        if option.get_id() == "sort" {
            let columns = commands::columns(self.command.get_name());
            values.extend(columns.into_iter().map(|name| plain(name.to_owned())));
        }
        if let Some(kind) = Live::of(option) {
            values.extend(live(kind).into_iter().map(plain));
        }
        starting_with(partial, values)
    }
}

fn starting_with(partial: &str, candidates: Vec<Candidate>) -> Vec<Candidate> {
    candidates.into_iter().filter(|candidate| candidate.text.starts_with(partial)).collect()
}

fn takes_value(argument: &Arg) -> bool {
    argument.get_action().takes_values()
}

/// The option `name`, or the only one that starts so; none if it brings its value along.
fn long_option<'g>(command: &'g Command, name: &str) -> Option<&'g Arg> {
    let long = |arg: &'g Arg| arg.get_long().map(|long| (long, arg));
    let options = command.get_arguments().filter_map(long);
    only(options, name)
}

fn subcommand<'g>(command: &'g Command, name: &str) -> Option<&'g Command> {
    only(command.get_subcommands().map(|command| (command.get_name(), command)), name)
}

/// What is called `name`, or the only one whose name starts with it.
fn only<'g, T: Copy>(named: impl Iterator<Item = (&'g str, T)>, name: &str) -> Option<T> {
    let matching: Vec<_> = named.filter(|(full, _)| full.starts_with(name)).collect();
    let exact = matching.iter().find(|(full, _)| *full == name);
    match (exact, matching.as_slice()) {
        (Some((_, found)), _) | (None, [(_, found)]) => Some(*found),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
