//! `tuwen serve`

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tracing_subscriber::filter::LevelFilter;
use tuwen_encode::Encoder;
use tuwen_retrieve::Options;
use tuwen_serve::{Keys, Limits, Settings, Source, State, app, listen};

use super::{by_name, stop_flag};
use crate::gallery::Place;
use crate::query::{TextArgs, Usage};
use crate::terminal::{note, say};

/// Serve galleries over HTTP: search, items, embeddings, and a page
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  tuwen serve\n  \
    tuwen serve --gallery ~/Pictures/.tuwen --gallery shop=/data/shop/.tuwen\n  \
    tuwen serve --listen 0.0.0.0:8787 --key-file keys.txt --host photos.example.org\n\n\
    A file of keys has one a line, `read:KEY` or `write:KEY`, of 16 characters or more. A client sends it as \
    `Authorization: Bearer KEY`, a browser as the password that it asks for.")]
pub struct Args {
    /// A gallery's folder, and the name that clients call it; several times for several galleries, of which the
    /// first one is meant where a client names none. Without it: the environment's TUWEN_GALLERY, else .tuwen
    /// here, else .tuwen in the nearest folder above
    #[arg(long, value_name = "[NAME=]DIR")]
    gallery: Vec<PathBuf>,
    /// The address; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8787")]
    listen: SocketAddr,
    /// A name by which clients may call the server, beside localhost; several times
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,
    /// Who may ask: a file with a key on each line
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Let everybody who reaches the address ask, without keys
    #[arg(long, conflicts_with = "key_file")]
    insecure: bool,
    /// Bytes that a request may have
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().body as u64,
        value_parser = clap::value_parser!(u64).range(1_000..=1_000_000_000))]
    max_body: u64,
    /// Seconds after which a request is given up
    #[arg(long, value_name = "SECONDS", default_value_t = 30,
        value_parser = clap::value_parser!(u64).range(1..=3_600))]
    deadline: u64,
    /// What is told on standard error; debug has a line for each request
    #[arg(long, default_value = "info", value_parser = by_name(&LEVELS))]
    log: LevelFilter,
    /// The model; the gallery knows its own
    #[arg(long)]
    model: Option<String>,
    #[command(flatten)]
    text_args: TextArgs,
}

const LEVELS: [(&str, LevelFilter); 4] = [
    ("error", LevelFilter::ERROR),
    ("warn", LevelFilter::WARN),
    ("info", LevelFilter::INFO),
    ("debug", LevelFilter::DEBUG),
];

/// Serves until a signal comes, then finishes what is being answered.
pub fn run(args: &Args) -> Result<ExitCode> {
    let settings = args.settings()?;
    let state = State::open(args.sources(), settings)?;
    let listener = TcpListener::bind(args.listen).with_context(|| {
        let listen = args.listen;
        format!("{listen} cannot be listened on: is another server there? --listen takes another address")
    })?;
    let address = listener.local_addr()?;
    let stop = stop_flag("finishing what is being answered; once more ends at once")?;
    let log = tracing_subscriber::fmt().with_max_level(args.log).with_writer(std::io::stderr);
    log.with_ansi(false).with_target(false).init();
    for (name, encoder) in state.models() {
        encoder.notes().iter().for_each(|line| note!("note: {}: {line}", encoder.name()));
        note!("the gallery {name} with the model {}", encoder.name());
    }
    say!("http://{address}/");
    // Meanwhile the first requests may come: they wait for what they need.
    let warming = state.clone();
    std::thread::spawn(move || {
        if let Err(error) = warming.warm() {
            note!("error: not ready: {error}");
        }
    });
    listen(listener, app(state), &stop)?;
    Ok(ExitCode::SUCCESS)
}

impl Args {
    fn settings(&self) -> Result<Settings> {
        let ip = self.listen.ip();
        if !ip.is_loopback() && self.key_file.is_none() && !self.insecure {
            bail!(Usage(format!(
                "--listen {}: others than this machine reach it, so it needs --key-file FILE; with \
                 --insecure everybody may ask",
                self.listen
            )));
        }
        let hosts = self.host.iter().cloned().chain([ip.to_string()]).collect();
        Ok(Settings {
            limits: Limits { body: self.max_body as usize, ..Limits::default() },
            deadline: Duration::from_secs(self.deadline),
            hosts,
            any_address: ip.is_unspecified(),
            keys: self.key_file.as_deref().map(Keys::read).transpose()?,
            ..Settings::default()
        })
    }

    fn sources(&self) -> Vec<Source> {
        let options = Options { model: self.model.clone(), long_text: self.text_args.long_text() };
        let named = |source: Source| Source { options: options.clone(), ..source };
        match self.gallery.is_empty() {
            true => vec![named(Source::of(&Place::usual().folder))],
            false => self.gallery.iter().map(|given| named(source(given))).collect(),
        }
    }
}

/// `NAME=DIR`, or a folder, which may have such a sign in its own name.
fn source(given: &Path) -> Source {
    let parts = given.to_str().and_then(|text| text.split_once('='));
    match parts.filter(|_| !given.exists()) {
        Some((name, folder)) => Source { name: name.to_owned(), ..Source::of(Path::new(folder)) },
        None => Source::of(given),
    }
}
