//! THE DOOR: one file per command. Holds no logic of its own: it reads words, asks the rooms, and prints.

mod args;
mod ask;
mod catalog;
mod check;
mod command;
mod convert;
mod dead_letters;
mod decided;
mod demo;
mod follow;
mod forest;
mod graph;
mod health;
mod journal;
mod listing;
mod load;
mod memory;
mod message;
mod output;
mod page;
mod print;
mod query;
mod reload;
mod run;
mod schema;
mod state;
mod status;
mod stop;
mod story;
mod table;
mod text;
mod told;
mod tree;
mod watch;
mod why;

use args::{Arguments, Command};
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    memory::keep_for_a_moment();
    let arguments = Arguments::parse();
    if let Err(why) = init_log(&arguments) {
        print::error(&why);
        return ExitCode::from(2);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            print::error(&format!("the runtime does not start: {error}"));
            return ExitCode::from(2);
        }
    };
    runtime.block_on(async {
        match arguments.command {
            Command::Run(words) => run::run(words).await,
            Command::Demo(words) => demo::run(words).await,
            Command::Check(words) => check::run(&words),
            Command::Graph(words) => graph::run(&words),
            Command::Convert(words) => self::convert::run(&words.what),
            Command::Journal(words) => self::journal::run(&words),
            Command::DeadLetters(words) => dead_letters::run(words).await,
            Command::Schema(words) => schema::run(&words),
            Command::Why(words) => why::run(words).await,
            Command::Status(words) => status::run(words).await,
            Command::Query(words) => query::run(words).await,
            Command::Health(words) => health::run(words).await,
        }
    })
}

fn init_log(arguments: &Arguments) -> Result<(), String> {
    let filter = tracing_subscriber::EnvFilter::try_new(&arguments.log).map_err(|wrong| {
        format!("`--log {}`: {wrong}; write a level, as in `info`, or one per part, as in `pipeline=debug,warn`", arguments.log)
    })?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    match arguments.log_format {
        args::LogFormat::Text => log.with_ansi(print::colour() == config::show::Colour::Always).init(),
        args::LogFormat::Json => log.json().init(),
    }
    Ok(())
}
