//! What a walk of folders takes, as options of commands.

use tuwen_retrieve::walk::Rules;

/// What a walk of folders takes and what it leaves out.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct WalkArgs {
    /// Take hidden files and folders too (.name), and what systems leave behind (@eaDir, Thumbs.db,
    /// $RECYCLE.BIN, lost+found, …)
    #[arg(long)]
    hidden: bool,
    /// Leave out files and folders below the given ones, in .gitignore's syntax; give several.
    /// A file .tuwenignore in a folder does the same for that folder
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
}

impl WalkArgs {
    /// The rules of the walk.
    pub fn rules(&self) -> Rules {
        Rules { hidden: self.hidden, exclude: self.exclude.clone() }
    }
}
