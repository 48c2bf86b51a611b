//! An LMDB, written in the order of arrival with a map that grows.

use std::path::{Path, PathBuf};

use heed::types::Bytes;
use heed::{CommitOrAbort, Database, Env, EnvOpenOptions, MdbError};

use tuwen_files::{Error, Result};

/// Bytes of keys and values that one transaction takes.
const BATCH: usize = 32 << 20;

pub(super) struct Lmdb {
    path: PathBuf,
    env: Env,
    table: Database<'static, Bytes, Bytes>,
    waiting: Vec<(Vec<u8>, Vec<u8>)>,
    waiting_bytes: usize,
}

impl Lmdb {
    /// Makes an empty one in a folder that is not there yet.
    pub(super) fn create(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
        let mut options = EnvOpenOptions::new();
        options.map_size(4 * BATCH);
        // SAFETY: the map may only be shared with those who keep LMDB's locks. The folder was made
        // by us just now, inside a folder of a temporary name, and nothing else opens its file.
        let env = unsafe { options.open(folder) }.map_err(|e| failed(folder, e))?;
        let table = unnamed(&env).map_err(|e| failed(folder, e))?;
        Ok(Self { path: folder.to_path_buf(), env, table, waiting: Vec::new(), waiting_bytes: 0 })
    }

    pub(super) fn put(&mut self, key: &str, value: Vec<u8>) -> Result<()> {
        self.waiting_bytes += key.len() + value.len();
        self.waiting.push((key.as_bytes().to_vec(), value));
        if self.waiting_bytes > BATCH { self.flush() } else { Ok(()) }
    }

    /// Writes what waits.
    pub(super) fn flush(&mut self) -> Result<()> {
        loop {
            match self.transaction() {
                Err(heed::Error::Mdb(MdbError::MapFull)) => {
                    let size = self.env.info().map_size * 2;
                    // SAFETY: no transaction is open: the one that failed was dropped.
                    unsafe { self.env.resize(size) }.map_err(|e| failed(&self.path, e))?;
                }
                Err(e) => return Err(failed(&self.path, e)),
                Ok(()) => break,
            }
        }
        self.waiting.clear();
        self.waiting_bytes = 0;
        Ok(())
    }

    fn transaction(&self) -> heed::Result<()> {
        let mut transaction = self.env.write_txn()?;
        for (key, value) in &self.waiting {
            self.table.put(&mut transaction, key, value)?;
        }
        transaction.commit()
    }
}

/// The database without a name, which is there from the beginning.
fn unnamed(env: &Env) -> heed::Result<Database<'static, Bytes, Bytes>> {
    let transaction = env.write_txn()?;
    let opened = env.create_databases_and_commit(transaction, |opener, transaction| {
        opener.create_database(transaction, None).map(CommitOrAbort::<_, ()>::Commit)
    });
    Ok::<_, heed::Error>(opened?.unwrap_commit())
}

fn failed(path: &Path, error: heed::Error) -> Error {
    let error = match error {
        heed::Error::Io(error) => error,
        other => std::io::Error::other(other),
    };
    Error::io(path, error)
}
