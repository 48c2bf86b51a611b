//! `tuwen`: find images by words and words by images.
//!
//! The entry point is a table of contents: parse, dispatch, print. Exit codes: 0 done, 1 failed,
//! 2 wrong usage, 130 stopped by a signal; `data doctor` has 3 and 4 of its own.

mod chart;
mod chat;
mod cmd;
mod contest;
mod demo_assets;
mod device;
mod endpoint;
#[cfg(test)]
mod examples;
mod gallery;
mod grid;
mod indexed;
mod number;
mod output;
mod page;
mod progress;
mod query;
mod rerank;
mod stop;
mod store;
mod terminal;
mod translator;
mod walk;
mod words;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

/// Find images by words and words by images, in Chinese and English, offline.
#[derive(Parser)]
#[command(name = "tuwen", version, about, arg_required_else_help = true, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  tuwen demo                                   index and search 96 drawn pictures
  tuwen index ~/Pictures                       make or update a gallery in ./.tuwen
  tuwen search \"a dog running on grass\"        find pictures
  tuwen search 草地上奔跑的狗 --html hits.html  find pictures and look at them";

#[derive(Subcommand)]
enum Command {
    Index(cmd::index::Args),
    Search(cmd::search::Args),
    Fields(cmd::fields::Args),
    Gallery(cmd::gallery::Args),
    Serve(cmd::serve::Args),
    Mcp(cmd::mcp::Args),
    Data(cmd::data::Args),
    Demo(cmd::demo::Args),
    Classify(cmd::classify::Args),
    Caption(cmd::caption::Args),
    Ask(cmd::ask::Args),
    Embed(cmd::embed::Args),
    Explain(Box<cmd::explain::Args>),
    Eval(Box<cmd::eval::Args>),
    Score(cmd::score::Args),
    Taidi(cmd::taidi::Args),
    Train(cmd::train::Args),
    Heads(cmd::heads::Args),
    Captions(cmd::captions::Args),
    Fuse(cmd::fuse::Args),
    Runs(cmd::runs::Args),
    Space(cmd::space::Args),
    Features(cmd::features::Args),
    Model(cmd::model::Args),
    Completions(cmd::completions::Args),
}

fn main() -> ExitCode {
    terminal::show_panics();
    let mut cli = with_negative_numbers(Cli::command());
    cli.build(); // so that its help is an option as others are
    let given = cmd::search::with_unwanted_words(&cli, std::env::args_os());
    let matches = cli.try_get_matches_from(given);
    let command = match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli.command,
        Err(error) => terminal::usage(&error),
    };
    let done = match stop::install() {
        Ok(()) => run(command),
        Err(error) => Err(anyhow::Error::from(error).context("signals cannot be waited for")),
    };
    stop::give_way();
    let code = match done {
        Ok(code) => code,
        Err(error) => {
            terminal::note!("error: {}", words::of_error(&error));
            if query::is_usage(&error) { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    };
    if stop::signalled_before() { ExitCode::from(stop::CODE) } else { code }
}

/// `-1` is a number that an argument may refuse with its range, not an unknown option.
fn with_negative_numbers(command: clap::Command) -> clap::Command {
    let takes = |arg: clap::Arg| {
        // Not a word to search for: `-0` behind words is an option.
        let values = arg.get_action().takes_values() && !arg.is_positional();
        if values { arg.allow_negative_numbers(true) } else { arg }
    };
    command.mut_args(takes).mut_subcommands(with_negative_numbers)
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Index(args) => cmd::index::run(&args),
        Command::Search(args) => cmd::search::run(&args),
        Command::Fields(args) => cmd::fields::run(&args),
        Command::Gallery(args) => cmd::gallery::run(&args),
        Command::Serve(args) => cmd::serve::run(&args),
        Command::Mcp(args) => cmd::mcp::run(&args),
        Command::Data(args) => cmd::data::run(&args),
        Command::Demo(args) => cmd::demo::run(&args),
        Command::Classify(args) => cmd::classify::run(&args),
        Command::Caption(args) => cmd::caption::run(&args),
        Command::Ask(args) => cmd::ask::run(&args),
        Command::Embed(args) => cmd::embed::run(&args),
        Command::Explain(args) => cmd::explain::run(&args),
        Command::Eval(args) => cmd::eval::run(&args),
        Command::Score(args) => cmd::score::run(&args),
        Command::Taidi(args) => cmd::taidi::run(&args),
        Command::Train(args) => cmd::train::run(&args),
        Command::Heads(args) => cmd::heads::run(&args),
        Command::Captions(args) => cmd::captions::run(&args),
        Command::Fuse(args) => cmd::fuse::run(&args),
        Command::Runs(args) => cmd::runs::run(&args),
        Command::Space(args) => cmd::space::run(&args),
        Command::Features(args) => cmd::features::run(&args),
        Command::Model(args) => cmd::model::run(&args),
        Command::Completions(args) => cmd::completions::run::<Cli>(&args),
    }
}
