//! `tuwen taidi validate`

use std::path::PathBuf;
use std::process::ExitCode;

use crate::contest::{Tables, Task, validate};
use anyhow::{Result, bail};
use serde_json::json;

use crate::terminal::say;

/// Problems that are printed of each file.
const LISTED: usize = 20;

/// What to check.
#[derive(clap::Args)]
pub struct Args {
    /// The folder with result1.csv and/or result2.csv
    results: PathBuf,
    /// The folder with 附件2 and 附件3, when they are not beside the results
    #[arg(long)]
    data: Option<PathBuf>,
    /// Print the problems as JSON
    #[arg(long)]
    json: bool,
}

/// Checks both files that are there.
pub fn run(args: &Args) -> Result<ExitCode> {
    let (mut checked, mut wrong) = (0, 0);
    for task in Task::ALL {
        let path = args.results.join(task.result());
        if !path.exists() {
            continue;
        }
        let places =
            [args.data.clone(), Some(args.results.clone()), args.results.join("..").into()];
        let root = places.into_iter().flatten().find(|root| root.join(task.folder()).is_dir());
        let Some(root) = root else {
            bail!("{} is not beside {}: give --data FOLDER", task.folder(), path.display());
        };
        let tables = Tables::read(&root, task)?;
        let problems = validate(&path, task, &tables)?;
        checked += 1;
        wrong += usize::from(!problems.is_empty());
        if args.json {
            say!("{}", json!({ "file": path.to_string_lossy(), "problems": problems }));
            continue;
        }
        let rows = tables.queries.len();
        match problems.len() {
            0 => say!("{}: right, {rows} queries with 5 answers each", path.display()),
            count => say!("{}: {count} problems", path.display()),
        }
        problems.iter().take(LISTED).for_each(|problem| say!("  {problem}"));
        if problems.len() > LISTED {
            say!("  … and {} more; --json lists all", problems.len() - LISTED);
        }
    }
    if checked == 0 {
        bail!("there is neither result1.csv nor result2.csv in {}", args.results.display());
    }
    Ok(if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
