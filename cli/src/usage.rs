//! Errors of the grammar, in the words of this program.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::failure::Failure;

/// What is wrong with a line, or the help that it asked for.
pub(crate) enum Refusal {
    /// Help or the version: to be printed, and a success.
    Answer(String),
    Failure(Failure),
}

/// Says in one line what clap found, with its suggestions as hints.
pub(crate) fn refusal(err: &clap::Error) -> Refusal {
    match err.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            return Refusal::Answer(err.render().to_string());
        }
        _ => {}
    }
    let mut failure = Failure::usage(message(err));
    for kind in
        [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue]
    {
        for suggestion in words(err, kind) {
            failure = failure.hint(format!("did you mean `{suggestion}`?"));
        }
    }
    let possible =
        [words(err, ContextKind::ValidSubcommand), words(err, ContextKind::ValidValue)].concat();
    if failure.hints.is_empty() && !possible.is_empty() {
        failure = failure.hint(format!("possible words: {}", possible.join(", ")));
    }
    if failure.hints.is_empty() {
        failure = failure.hint("try `help`");
    }
    Refusal::Failure(failure)
}

fn message(err: &clap::Error) -> String {
    let argument = words(err, ContextKind::InvalidArg);
    let first = argument.first().map_or("", String::as_str);
    let value = words(err, ContextKind::InvalidValue).concat();
    match err.kind() {
        ErrorKind::InvalidSubcommand => {
            format!("unknown command `{}`", words(err, ContextKind::InvalidSubcommand).concat())
        }
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            "a command is missing".to_owned()
        }
        ErrorKind::UnknownArgument => format!("unexpected argument `{first}`"),
        ErrorKind::InvalidValue if value.is_empty() => format!("`{first}` needs a value"),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            let cause = std::error::Error::source(err)
                .map_or_else(String::new, |cause| format!(": {cause}"));
            format!("`{value}` is no value for `{first}`{cause}")
        }
        ErrorKind::MissingRequiredArgument => {
            let names: Vec<_> = argument.iter().map(|name| format!("`{name}`")).collect();
            format!("{} must be given", names.join(", "))
        }
        ErrorKind::ArgumentConflict => {
            let prior = words(err, ContextKind::PriorArg);
            match prior.first() {
                Some(prior) if prior != first => format!("`{first}` cannot be used with `{prior}`"),
                _ => format!("`{first}` cannot be used here"),
            }
        }
        ErrorKind::TooManyValues => format!("unexpected value `{value}` for `{first}`"),
        _ => err.kind().to_string(),
    }
}

/// The words of one kind that clap attached to the error; options without the name of their value.
fn words(err: &clap::Error, kind: ContextKind) -> Vec<String> {
    let words = match err.get(kind) {
        Some(ContextValue::String(word)) => vec![word.clone()],
        Some(ContextValue::Strings(words)) => words.clone(),
        _ => Vec::new(),
    };
    let bare = |word: String| match word.split_once(" <") {
        Some((option, _)) if option.starts_with('-') => option.to_owned(),
        _ => word,
    };
    words.into_iter().map(bare).collect()
}
